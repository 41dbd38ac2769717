//! Fuzz targets: functions of bytes, each with a property that must hold whatever the bytes are.
//!
//! `cargo xtask fuzz` runs them under libFuzzer on the stable toolchain; `cargo fuzz` does where there
//! is a nightly one; `tests/corpus.rs` replays the kept corpus (`corpus/TARGET/`) with every `cargo
//! test`. What needs the core's inside is in `core/src/fuzzing.rs`, which exists under `cfg(fuzzing)`
//! alone. [`planted`] has a bug on purpose: the driver must find it.

pub mod answer;
pub mod approvers;
pub mod asks;
pub mod bytes;
pub mod database;
pub mod handshake;
pub mod image;
pub mod join_qr;
pub mod link;
pub mod luma;
pub mod messages;
pub mod planted;
#[path = "../../server/src/admin/protocol.rs"]
#[allow(dead_code, reason = "the binary's own file: it has no library to be taken from")]
mod protocol;
pub mod qr;
pub mod request;
pub mod rows;
pub mod script;
pub mod stored;

/// What is called with each input.
pub type Target = fn(&[u8]);

/// Every target that must hold, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("link", link::run),
    ("join_qr", join_qr::run),
    ("messages", messages::run),
    ("asks", asks::run),
    ("approvers", approvers::run),
    ("request", request::run),
    ("answer", answer::run),
    ("handshake", handshake::run),
    ("qr", qr::run),
    ("image", image::run),
    ("luma", luma::run),
    ("stored", stored::run),
    ("rows", rows::run),
    ("database", database::run),
];

/// The target of this name; `planted` is one too.
pub fn target(name: &str) -> Option<Target> {
    let all = TARGETS.iter().copied().chain([("planted", planted::run as Target)]);
    all.into_iter().find(|(known, _)| *known == name).map(|(_, run)| run)
}

/// Runs a target on the files that are named as arguments: what the binaries do without a fuzzer.
pub fn replay(run: Target) {
    for path in std::env::args_os().skip(1) {
        match std::fs::read(&path) {
            Ok(input) => run(&input),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}
