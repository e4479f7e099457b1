//! Any bytes as an object, read by specs of every shape.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cxmart_fuzz::records(data));
