//! See `steadfast_hostile::store`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| steadfast_hostile::store::run(input));
