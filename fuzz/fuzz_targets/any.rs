//! Every target in one binary, for `cargo xtask fuzz`: one thing to build and link. The target's name is
//! in the environment. Without libFuzzer it replays files.
#![cfg_attr(fuzzing, no_main)]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

use pairpin_fuzz::Target;

fn named() -> Target {
    let name = std::env::var("PAIRPIN_FUZZ_TARGET").unwrap_or_default();
    pairpin_fuzz::target(&name).unwrap_or_else(|| panic!("PAIRPIN_FUZZ_TARGET names no target: {name:?}"))
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: std::sync::OnceLock<Target> = std::sync::OnceLock::new();
    TARGET.get_or_init(named)(data);
});

#[cfg(not(fuzzing))]
fn main() {
    pairpin_fuzz::replay(named());
}
