//! [`pairpin_fuzz::qr`] for `cargo fuzz run qr --features libfuzzer`.
#![no_main]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pairpin_fuzz::qr::run(data));
