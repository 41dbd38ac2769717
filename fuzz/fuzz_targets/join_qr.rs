//! [`pairpin_fuzz::join_qr`] for `cargo fuzz run join_qr --features binaries`; otherwise it replays files.
#![cfg_attr(fuzzing, no_main)]
#![allow(unsafe_code, missing_docs, reason = "the macro makes a function with a C name")]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pairpin_fuzz::join_qr::run(data));

#[cfg(not(fuzzing))]
fn main() {
    pairpin_fuzz::replay(pairpin_fuzz::join_qr::run);
}
