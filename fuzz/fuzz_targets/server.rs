//! See `steadfast_hostile::server`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| steadfast_hostile::server::run(input));
