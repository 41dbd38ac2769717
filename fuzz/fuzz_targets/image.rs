//! [`pairpin_fuzz::image`] for `cargo fuzz run image --features libfuzzer`.
#![no_main]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pairpin_fuzz::image::run(data));
