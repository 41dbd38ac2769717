//! [`pairpin_fuzz::messages`] for `cargo fuzz run messages --features libfuzzer`.
#![no_main]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pairpin_fuzz::messages::run(data));
