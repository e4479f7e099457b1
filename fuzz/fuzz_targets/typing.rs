//! Any text in columns of every type.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cxmart_fuzz::typing(data));
