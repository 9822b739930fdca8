//! See `steadfast_hostile::pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| steadfast_hostile::pair::run(input));
