//! [`pairpin_fuzz::asks`] for `cargo fuzz run asks --features binaries`; otherwise it replays files.
#![cfg_attr(fuzzing, no_main)]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pairpin_fuzz::asks::run(data));

#[cfg(not(fuzzing))]
fn main() {
    pairpin_fuzz::replay(pairpin_fuzz::asks::run);
}
