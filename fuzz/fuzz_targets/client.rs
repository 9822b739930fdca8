//! See `steadfast_hostile::client`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| steadfast_hostile::client::run(input));
