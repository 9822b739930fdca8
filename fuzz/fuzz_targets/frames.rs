//! See `steadfast_hostile::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| steadfast_hostile::frames::run(input));
