//! [`pairpin_fuzz::database`] for `cargo fuzz run database --features libfuzzer`.
#![no_main]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pairpin_fuzz::database::run(data));
