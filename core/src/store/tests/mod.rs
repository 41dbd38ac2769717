//! Tests of the store on real files in temporary directories.

mod device;
mod dir;
mod host;
mod modes;
mod opening;
mod tokens;
mod writing;

use std::path::PathBuf;

use tempfile::TempDir;

use super::host::devices::{NewDevice, PairedHow};
use super::{Database, Kind};
use crate::identity::PublicKey;
use crate::role::Role;
use crate::secrets::{KeyKind, RecognitionKey};

/// A temporary directory and the path of a database in it. Declare it before the database, so that it
/// goes last.
fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("machine.db");
    (dir, path)
}

fn host_database() -> (TempDir, Database) {
    let (dir, path) = place();
    let database = Database::open(&path, Kind::Host).unwrap();
    (dir, database)
}

fn key(number: u8) -> PublicKey {
    PublicKey::from_bytes([number; 65])
}

fn new_device(number: u8, name: &str) -> NewDevice {
    NewDevice {
        session_key: key(number),
        name: name.to_owned(),
        platform: "Android 16".to_owned(),
        role: Role::Operator,
        key_kind: KeyKind::Hardware,
        recognition_key: RecognitionKey::from_bytes([number; 32]),
        paired_at: 1_000 + i64::from(number),
        paired_how: PairedHow::Scan,
        paired_from: "192.168.1.7".to_owned(),
        idle_seconds: 60,
        absolute_seconds: 600,
        let_in: None,
    }
}
