//! Every target in one binary, for `cargo xtask fuzz`: one thing to build and link.
#![no_main]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("PAIRPIN_FUZZ_TARGET").unwrap_or_default();
        pairpin_fuzz::target(&name).unwrap_or_else(|| panic!("PAIRPIN_FUZZ_TARGET names no target: {name:?}"))
    });
    target(data);
});
