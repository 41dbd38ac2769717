//! No order of backups, restores, revocations and connects brings a revoked key back in once an owner device that
//! knew of its revocation has connected: random walks over the real transactions on the real schema.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::rows::{self, SHELL};
use super::standing::store;
use crate::identity::{DeviceId, PublicKey};
use crate::role::Role;
use crate::secrets::{KeyKind, RecognitionKey};
use crate::store::host::devices::{self, NewDevice, PairedHow};
use crate::store::host::meta;
use crate::store::host::tombstones::{self, Tombstone};

const WALKS: u64 = 60;
const STEPS: usize = 16;

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    crate::store::fresh(crate::store::Kind::Host, &connection);
    connection
}

fn pair(connection: &Connection, number: u8) {
    let new = NewDevice {
        session_key: PublicKey::from_bytes([number; 65]),
        name: format!("phone {number}"),
        platform: "Android 16".to_owned(),
        role: Role::Operator,
        key_kind: KeyKind::File,
        recognition_key: RecognitionKey::from_bytes([number; 32]),
        paired_at: 1_000,
        paired_how: PairedHow::Scan,
        paired_from: "192.168.1.7".to_owned(),
        idle_seconds: 3_600,
        absolute_seconds: 7_200,
        let_in: None,
    };
    devices::insert(connection, &new).unwrap();
}

/// What an owner device keeps.
#[derive(Default)]
struct Owner {
    counter: u64,
    kept: BTreeMap<DeviceId, Tombstone>,
}

/// How an owner device finds out what the machine has lost.
#[derive(Clone, Copy)]
enum By {
    /// By the keys, as it does.
    Keys,
    /// By the counter alone: the broken twin.
    Counter,
}

impl Owner {
    fn connect(&mut self, machine: &Connection, by: By) {
        let counter = meta::counter(machine).unwrap();
        let lost: Vec<Tombstone> = match by {
            By::Keys => {
                let theirs: BTreeSet<_> = tombstones::list(machine).unwrap().iter().map(|it| it.device).collect();
                self.kept.values().filter(|kept| !theirs.contains(&kept.device)).cloned().collect()
            }
            By::Counter => self.kept.values().filter(|kept| kept.counter > counter).cloned().collect(),
        };
        let shown = if counter < self.counter { self.counter } else { 0 };
        let shown = lost.iter().map(|tombstone| tombstone.counter).max().unwrap_or_default().max(shown);
        if !lost.is_empty() || shown > counter {
            store(machine, &lost, shown, "owner", 50).unwrap();
        }
        self.counter = self.counter.max(meta::counter(machine).unwrap());
        self.kept.extend(tombstones::list(machine).unwrap().into_iter().map(|it| (it.device, it)));
    }
}

/// A small generator (splitmix64): the walk is its seed's.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// Copies what counts of a database, as a backup does.
fn copy(from: &Connection) -> Connection {
    let to = database();
    devices::list(from).unwrap().iter().for_each(|row| pair(&to, row.session_key.as_bytes()[0]));
    for tombstone in tombstones::list(from).unwrap() {
        tombstones::insert(&to, &tombstone).unwrap();
    }
    meta::raise_counter(&to, meta::counter(from).unwrap()).unwrap();
    to
}

/// Walks; gives the first thing that went wrong.
fn walk(seed: u64, by: By) -> Option<String> {
    let mut random = Random(seed);
    // Begun where something can be lost: devices, and a backup of them.
    let (mut machine, mut owners) = (database(), [Owner::default(), Owner::default()]);
    let mut next = 4_u8;
    (1..=next).for_each(|number| pair(&machine, number));
    let mut backups = vec![copy(&machine)];
    for step in 0..STEPS {
        let paired = devices::list(&machine).unwrap();
        match random.below(8) {
            0 => {
                // Now and then a key that this machine does not know any more: a restored one pairs it again.
                let again = 1 + random.below(usize::from(next.max(1))) as u8;
                let id = DeviceId::of(&PublicKey::from_bytes([again; 65]));
                let known =
                    devices::get(&machine, &id).unwrap().is_some() || tombstones::get(&machine, &id).unwrap().is_some();
                if known || random.below(2) == 0 {
                    next += 1;
                    pair(&machine, next);
                } else {
                    next = next.max(again);
                    pair(&machine, again);
                }
            }
            1 | 2 if !paired.is_empty() => {
                let id = paired[random.below(paired.len())].id;
                rows::revoke(&machine, id, SHELL, None, 40).unwrap();
            }
            3 => backups.push(copy(&machine)),
            4 | 5 => machine = copy(&backups[random.below(backups.len())]),
            _ => {
                let owner = &mut owners[random.below(2)];
                let had = owner.counter;
                owner.connect(&machine, by);
                for device in owner.kept.keys() {
                    let (row, stone) = (devices::get(&machine, device), tombstones::get(&machine, device));
                    if row.unwrap().is_some() || stone.unwrap().is_none() {
                        return Some(format!("walk {seed}, step {step}: {device:?} is back"));
                    }
                }
                if meta::counter(&machine).unwrap() < had {
                    return Some(format!("walk {seed}, step {step}: the counter stayed below what a device has seen"));
                }
                // What was handed back is known, and changes nothing again.
                let again: Vec<Tombstone> = owner.kept.values().cloned().collect();
                let (before, shown) = (meta::counter(&machine).unwrap(), owner.counter);
                store(&machine, &again, shown, "owner", 60).unwrap();
                assert_eq!(meta::counter(&machine).unwrap(), before, "walk {seed}: not idempotent");
            }
        }
    }
    None
}

#[test]
fn no_walk_brings_a_revoked_key_back_once_an_owner_that_knew_has_connected() {
    for seed in 0..WALKS {
        assert_eq!(walk(seed, By::Keys), None);
    }
}

#[test]
fn control_a_device_that_goes_by_the_counter_alone_lets_one_back_in() {
    let caught = (0..WALKS).filter(|seed| walk(*seed, By::Counter).is_some()).count();
    assert!(caught >= 3, "{caught} of {WALKS} walks find it");
}
