//! [`pairpin_fuzz::handshake`] for `cargo fuzz run handshake --features libfuzzer`.
#![no_main]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pairpin_fuzz::handshake::run(data));
