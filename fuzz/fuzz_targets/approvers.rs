//! [`pairpin_fuzz::approvers`] for `cargo fuzz run approvers --features binaries`; otherwise it replays files.
#![cfg_attr(fuzzing, no_main)]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pairpin_fuzz::approvers::run(data));

#[cfg(not(fuzzing))]
fn main() {
    pairpin_fuzz::replay(pairpin_fuzz::approvers::run);
}
