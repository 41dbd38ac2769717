//! A mark in the state directory while a host runs. One that is found at the start says that the host
//! before did not stop cleanly, and then what it stored last may stand in the -wal file alone.
//!
//! Called by `engine`. It is a help to the person and no more: where it cannot be written, nothing else
//! fails.

use crate::store::StateDir;

pub(super) const FILE: &str = "serve.running";

/// What is said where the mark is there and the -wal file is not.
pub(super) const LOST_WRITES: &str = "pairpin serve did not stop cleanly and machine.db-wal is gone since: unless \
    another program has opened the database meanwhile, what was stored last is lost, revocations too; look at \
    `pairpin devices` and revoke again who should be out, or restore both files from a backup";

pub(super) fn is_left(dir: &StateDir) -> bool {
    dir.path(FILE).exists()
}

pub(super) fn leave(dir: &StateDir) {
    if let Err(error) = dir.write_private(FILE, b"") {
        tracing::warn!(%error, "the mark of a running daemon could not be written");
    }
}

pub(super) fn take_away(dir: &StateDir) {
    if let Err(error) = dir.delete_private(FILE) {
        tracing::warn!(%error, "the mark of a running daemon could not be taken away");
    }
}
