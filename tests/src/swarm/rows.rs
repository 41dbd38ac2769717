//! Paired devices without their pairings: the rows, keys and token hashes that a pairing would have
//! left, written through pairpin-core's own store. Ten thousand pairings by hand would take an hour
//! and end in the same rows.

use std::path::Path;

use pairpin_core::handshake::KnownKeys;
use pairpin_core::host::DATABASE_FILE;
use pairpin_core::identity::{DeviceId, KeyPair};
use pairpin_core::role::Role;
use pairpin_core::secrets::{KeyKind, RecognitionKey};
use pairpin_core::store::host::devices::{self, NewDevice, PairedHow};
use pairpin_core::store::host::tokens;
use pairpin_core::store::{Database, Kind};
use pairpin_core::token::{SessionToken, TokenHash};
use pairpin_core::wire::limits;

use super::keys::Keys;
use super::paired::Paired;
use crate::machine::Machine;

/// A daemon that runs and has `count` paired devices, named `device 0` and so on; the first is its
/// owner.
///
/// # Panics
/// The state cannot be written, or the daemon does not start.
#[track_caller]
pub fn machine_with(count: usize) -> (Machine, Vec<Paired>) {
    with_devices(Machine::new(), count)
}

/// The same with a machine that has never run, but is told where and how to.
///
/// # Panics
/// As [`machine_with`].
#[track_caller]
pub fn with_devices(mut machine: Machine, count: usize) -> (Machine, Vec<Paired>) {
    // It makes its own key and database first: a database without a key is refused.
    machine.start();
    machine.stop().expect(0);
    let paired = fill(&machine.file(DATABASE_FILE), count);
    machine.start();
    (machine, paired)
}

/// Adds devices to the database of a machine whose daemon does not run.
///
/// # Panics
/// The state cannot be written.
#[track_caller]
pub fn fill(database: &Path, count: usize) -> Vec<Paired> {
    let known = Keys::of(database).known();
    let db = Database::open(database, Kind::Host).unwrap_or_else(|error| panic!("{error}"));
    let written = db.write_blocking(move |connection| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_millis()).unwrap_or_default();
        let there = devices::count(connection)?;
        (there..there + count)
            .map(|number| {
                let paired = fresh(number, known);
                let new = NewDevice {
                    session_key: paired.key.public_key().unwrap_or_else(|error| panic!("{error}")),
                    name: format!("device {number}"),
                    platform: "a test".to_owned(),
                    role: if number == 0 { Role::Owner } else { Role::Operator },
                    key_kind: KeyKind::File,
                    recognition_key: paired.recognition.clone(),
                    paired_at: now,
                    paired_how: PairedHow::Scan,
                    paired_from: "127.0.0.1".to_owned(),
                    idle_seconds: limits::IDLE_LIFETIME.as_secs(),
                    absolute_seconds: limits::ABSOLUTE_LIFETIME.as_secs(),
                    let_in: None,
                };
                let row = devices::insert(connection, &new)?;
                tokens::set_current(connection, &row.id, &TokenHash::of(&paired.token), now)?;
                Ok(paired)
            })
            .collect()
    });
    written.unwrap_or_else(|error| panic!("{error}"))
}

fn fresh(number: usize, known: KnownKeys) -> Paired {
    let key = KeyPair::generate().unwrap_or_else(|error| panic!("{error}"));
    let device = DeviceId::of(&key.public_key().unwrap_or_else(|error| panic!("{error}")));
    let token = SessionToken::generate().unwrap_or_else(|error| panic!("{error}"));
    let recognition = RecognitionKey::generate().unwrap_or_else(|error| panic!("{error}"));
    Paired { number, key, device, token, recognition, keys: Keys::scanned(known) }
}
