//! The device's machines: a row's life, and what each event changes.

use tempfile::TempDir;

use super::place;
use crate::identity::{DeviceId, MachineId, Pin, PublicKey};
use crate::role::Role;
use crate::secrets::KeyKind;
use crate::store::device::kept::{self, Restored};
use crate::store::device::machines::{
    self, Granted, KeyChange, MachineRow, MachineState, NewMachine, Revocation, Welcomed,
};
use crate::store::{Database, Kind, StoreError};
use crate::wire::{Address, CounterProof, Mac, OfferId, SealedKey, TombstoneProof, limits};

fn device_database() -> (TempDir, Database) {
    let (dir, path) = place();
    let database = Database::open(&path, Kind::Device).unwrap();
    (dir, database)
}

macro_rules! write {
    ($database:expr, |$conn:ident| $body:block) => {
        $database
            .write_blocking(move |$conn| {
                $body
                Ok(())
            })
            .unwrap()
    };
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn pin(number: u8) -> Pin {
    Pin::from_bytes([number; 32])
}

fn new_machine(number: u8, name: &str) -> NewMachine {
    NewMachine {
        label: format!("label-{number}"),
        machine_id: MachineId::from_bytes([number; 16]),
        machine_name: name.to_owned(),
        platform: "Debian 13, x86_64".to_owned(),
        pin: pin(number),
        device_id: DeviceId::from_bytes([number; 16]),
        device_name: "laptop".to_owned(),
        role: Role::Operator,
        offer_id: Some(OfferId::from_bytes([number; 8])),
        addresses: vec![address("192.168.1.2"), address("[fd00::1]:99")],
        last_address: Some(address("192.168.1.2")),
        secret_store: KeyKind::File,
    }
}

fn granted(number: u8) -> Granted {
    Granted {
        machine_id: MachineId::from_bytes([number; 16]),
        machine_name: "homebox".to_owned(),
        platform: "Debian 13, x86_64".to_owned(),
        device_name: "laptop 2".to_owned(),
        role: Role::Owner,
        next_pin: pin(200),
        epoch: 3,
        counter: 7,
        idle_seconds: 60,
        expires_at: 9_000,
        addresses: vec![address("homebox.local")],
    }
}

fn welcomed(at: i64) -> Welcomed {
    Welcomed {
        at,
        address: address("10.0.0.2:80"),
        machine_name: "homebox".to_owned(),
        device_name: "laptop 3".to_owned(),
        role: Role::Viewer,
        next_pin: pin(201),
        epoch: 4,
        counter: 8,
        idle_seconds: 61,
        expires_at: 9_001,
        addresses: vec![address("10.0.0.2:80")],
    }
}

fn at(conn: &rusqlite::Connection, row: i64) -> MachineRow {
    machines::get(conn, row).unwrap().unwrap()
}

#[test]
fn a_new_row_is_unfinished_and_reads_back() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let new = new_machine(1, "homebox");
        let row = machines::insert(conn, &new)?;
        assert_eq!((row.state, row.name.as_str()), (MachineState::Unfinished, "homebox"));
        assert_eq!((&row.label, row.pin, row.machine_id), (&new.label, new.pin, new.machine_id));
        assert_eq!((row.device_id, row.device_name.as_str(), row.role), (new.device_id, "laptop", Role::Operator));
        assert_eq!((&row.addresses, &row.last_address), (&new.addresses, &new.last_address));
        assert_eq!((row.offer_id, row.secret_store), (new.offer_id, KeyKind::File));
        assert_eq!((row.next_pin, row.idle_seconds, row.expires_at, row.paired_at), (None, None, None, None));
        assert_eq!((row.epoch, row.counter, row.erased), (0, 0, false));
        for found in [
            machines::by_pin(conn, &row.pin)?,
            machines::by_name(conn, "HOMEBOX ")?,
            machines::by_machine_id(conn, &row.machine_id)?.pop(),
            machines::list(conn)?.pop(),
        ] {
            assert_eq!(found.as_ref(), Some(&row));
        }
    });
}

#[test]
fn a_pin_has_one_live_row_and_a_revoked_one_does_not_block_it() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let first = machines::insert(conn, &new_machine(1, "homebox"))?;
        let again = NewMachine { label: "another".to_owned(), ..new_machine(1, "homebox") };
        assert_eq!(machines::insert(conn, &again).unwrap_err(), StoreError::Exists("machine"));
        let revocation = Revocation { by: Some("phone".to_owned()), at: 5, reason: None };
        assert!(machines::revoke(conn, first.row, &revocation)?);
        let second = machines::insert(conn, &again)?;
        assert_eq!(second.name, "homebox", "the name is free again");
        assert_ne!(second.row, first.row);
        assert_eq!(machines::by_pin(conn, &pin(1))?.unwrap().row, second.row);
        assert_eq!(machines::by_name(conn, "homebox")?.unwrap().row, second.row);
        let rows: Vec<_> = machines::list(conn)?.iter().map(|row| row.row).collect();
        assert_eq!(rows, [second.row, first.row], "revoked ones last");
        // The schema says so too.
        assert!(conn.execute("UPDATE machines SET state = 'active', revoked_at = NULL", []).is_err());
    });
}

#[test]
fn a_label_is_never_used_twice() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        machines::insert(conn, &new_machine(1, "a"))?;
        let other = NewMachine { label: "label-1".to_owned(), ..new_machine(2, "b") };
        assert_eq!(machines::insert(conn, &other).unwrap_err(), StoreError::Exists("label"));
    });
}

#[test]
fn a_machines_name_is_cleaned_and_made_free() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let first = machines::insert(conn, &new_machine(1, "Home\u{202E}box"))?;
        let second = machines::insert(conn, &new_machine(2, "HOMEBOX"))?;
        assert_eq!((first.name.as_str(), second.name.as_str()), ("Homebox", "HOMEBOX 2"));
        assert_eq!(machines::rename(conn, second.row, "homebox"), Err(StoreError::NameTaken("homebox".to_owned())));
        assert_eq!(machines::rename(conn, second.row, "\u{200B}"), Err(StoreError::NameEmpty));
        assert_eq!(machines::rename(conn, second.row, " attic "), Ok("attic".to_owned()));
        assert_eq!(machines::rename(conn, 99, "x"), Err(StoreError::NotFound("machine")));
        assert_eq!(at(conn, second.row).machine_name, "HOMEBOX", "what it calls itself is kept beside");
    });
}

#[test]
fn a_row_becomes_active_by_grant_and_answered_acknowledgement() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        let early = machines::activate(conn, row, "laptop", Role::Owner, 10);
        assert_eq!(early, Err(StoreError::NotFound("machine")), "no Grant, no success");
        assert_eq!(machines::welcome(conn, row, &welcomed(10)), Err(StoreError::NotFound("machine")));

        machines::grant(conn, row, &granted(1))?;
        let found = at(conn, row);
        assert_eq!(
            (found.state, found.role, found.device_name.as_str()),
            (MachineState::Granted, Role::Owner, "laptop 2")
        );
        assert_eq!((found.next_pin, found.epoch, found.counter), (Some(pin(200)), 3, 7));
        assert_eq!((found.idle_seconds, found.expires_at), (Some(60), Some(9_000)));
        assert_eq!((found.paired_at, found.offer_id.is_some()), (None, true));

        machines::activate(conn, row, "laptop 2", Role::Owner, 10)?;
        machines::activate(conn, row, "laptop 2", Role::Owner, 20)?;
        let found = at(conn, row);
        assert_eq!((found.state, found.paired_at, found.offer_id), (MachineState::Active, Some(10), None));

        machines::grant(conn, row, &granted(1))?;
        assert_eq!(at(conn, row).state, MachineState::Active, "pairing again does not undo the pair");
        assert!(!machines::drop_unfinished(conn, row)?);
    });
}

#[test]
fn a_welcome_acknowledges_and_brings_everything_up_to_date() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        machines::grant(conn, row, &granted(1))?;
        machines::offline(conn, row, 30, "no answer")?;
        machines::welcome(conn, row, &welcomed(40))?;
        let found = at(conn, row);
        assert_eq!((found.state, found.paired_at, found.last_online), (MachineState::Active, Some(40), Some(40)));
        assert_eq!((found.offline_since, &found.offline_reason), (None, &None));
        assert_eq!((found.role, found.device_name.as_str(), found.counter), (Role::Viewer, "laptop 3", 8));
        assert_eq!((found.next_pin, found.epoch), (Some(pin(201)), 4));
        assert_eq!((found.addresses, found.last_address), (welcomed(0).addresses, Some(welcomed(0).address)));
    });
}

#[test]
fn a_welcome_to_an_active_row_keeps_the_offer_that_is_being_used_for_it() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let new = new_machine(1, "homebox");
        let row = machines::insert(conn, &new)?.row;
        machines::grant(conn, row, &granted(1))?;
        machines::welcome(conn, row, &welcomed(40))?;
        assert_eq!(at(conn, row).offer_id, None, "the welcome was the answer to its Grant");
        machines::set_offer(conn, row, new.offer_id.as_ref())?;
        machines::welcome(conn, row, &welcomed(50))?;
        assert_eq!(at(conn, row).offer_id, new.offer_id);
        machines::activate(conn, row, "laptop", Role::Owner, 60)?;
        assert_eq!(at(conn, row).offer_id, None);
    });
}

#[test]
fn epoch_and_counter_never_go_down() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        machines::grant(conn, row, &granted(1))?;
        machines::welcome(conn, row, &welcomed(1))?;
        machines::welcome(conn, row, &Welcomed { epoch: 0, counter: 0, ..welcomed(2) })?;
        machines::grant(conn, row, &granted(1))?;
        assert_eq!((at(conn, row).epoch, at(conn, row).counter), (4, 8));
        let down = conn.execute("UPDATE machines SET epoch = 1", []);
        assert!(down.unwrap_err().to_string().contains("never goes down"));
    });
}

#[test]
fn what_was_announced_before_a_change_of_key_is_not_announced_after_it() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        machines::grant(conn, row, &granted(1))?;
        machines::welcome(conn, row, &welcomed(1))?;
        let before = at(conn, row);
        let change = machines::Rotated { old: before.pin, pin: pin(201), next_pin: pin(202), epoch: 5 };
        for wrong in [
            machines::Rotated { old: pin(9), ..change },
            machines::Rotated { pin: pin(9), ..change },
            machines::Rotated { epoch: 6, ..change },
            machines::Rotated { epoch: 4, ..change },
        ] {
            assert!(machines::rotate(conn, row, &wrong).is_err(), "{wrong:?}");
            assert_eq!(at(conn, row), before);
        }
        machines::rotate(conn, row, &change)?;
        let keys = |row: MachineRow| (row.pin, row.next_pin, row.epoch);
        assert_eq!(keys(at(conn, row)), (pin(201), Some(pin(202)), 5));
        // A welcome and a Grant of before the change that come late.
        machines::welcome(conn, row, &welcomed(2))?;
        machines::grant(conn, row, &granted(1))?;
        assert_eq!(keys(at(conn, row)), (pin(201), Some(pin(202)), 5));
        // The control: one of now, and one to a row that is re-pinned, whatever its epoch.
        machines::welcome(conn, row, &Welcomed { epoch: 5, next_pin: pin(203), ..welcomed(3) })?;
        assert_eq!(keys(at(conn, row)), (pin(201), Some(pin(203)), 5));
        assert!(machines::repin(conn, row, &pin(201), &pin(204))?);
        machines::grant(conn, row, &granted(1))?;
        assert_eq!(keys(at(conn, row)), (pin(204), Some(pin(200)), 5));
    });
}

#[test]
fn offline_since_is_the_first_failure_until_the_machine_is_heard() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        machines::offline(conn, row, 10, "no answer")?;
        machines::offline(conn, row, 20, "no\nroute")?;
        let found = at(conn, row);
        assert_eq!((found.offline_since, found.offline_reason.as_deref()), (Some(10), Some("no route")));
        machines::online(conn, row, 30, &address("10.0.0.9"))?;
        let found = at(conn, row);
        assert_eq!((found.offline_since, found.last_online), (None, Some(30)));
        assert_eq!(found.last_address, Some(address("10.0.0.9")));
    });
}

#[test]
fn a_revoked_row_keeps_its_first_cause_and_takes_nothing_more() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        machines::grant(conn, row, &granted(1))?;
        let first = Revocation { by: Some("phone".to_owned()), at: 5, reason: Some("lost".to_owned()) };
        assert!(machines::revoke(conn, row, &first)?);
        assert!(!machines::revoke(conn, row, &Revocation { by: None, at: 9, reason: None })?);
        machines::set_erased(conn, row)?;
        for refused in [
            machines::grant(conn, row, &granted(1)),
            machines::welcome(conn, row, &welcomed(9)),
            machines::activate(conn, row, "laptop", Role::Owner, 9),
        ] {
            assert_eq!(refused, Err(StoreError::NotFound("machine")));
        }
        assert!(!machines::repin(conn, row, &pin(1), &pin(9))?);
        assert!(!machines::drop_unfinished(conn, row)?);
        let found = at(conn, row);
        assert_eq!((found.state, found.revoked, found.erased), (MachineState::Revoked, Some(first), true));
        assert!(machines::delete(conn, row)?);
        assert!(!machines::delete(conn, row)?);
    });
}

#[test]
fn a_changed_key_stops_until_the_row_is_repinned_once() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        let other = machines::insert(conn, &new_machine(2, "other"))?.row;
        machines::key_changed(conn, row, &pin(1), 10, &pin(8))?;
        machines::key_changed(conn, row, &pin(1), 20, &pin(9))?;
        assert_eq!(at(conn, row).key_changed, Some(KeyChange { at: 10, seen: pin(8) }));
        assert_eq!(machines::repin(conn, row, &pin(1), &pin(2)), Err(StoreError::Exists("machine")));
        assert!(machines::repin(conn, row, &pin(1), &pin(8))?);
        assert!(!machines::repin(conn, row, &pin(1), &pin(9))?, "the old pin is not the row's any more");
        assert_eq!((at(conn, row).pin, at(conn, row).key_changed), (pin(8), None));
        machines::key_changed(conn, row, &pin(1), 25, &pin(8))?;
        assert_eq!(at(conn, row).key_changed, None, "what was dialled before says nothing of the new key");
        machines::key_changed(conn, other, &pin(2), 30, &pin(7))?;
        assert!(at(conn, other).key_changed.is_some());
        machines::clear_key_changed(conn, other)?;
        assert_eq!(at(conn, other).key_changed, None);
    });
}

#[test]
fn an_unfinished_row_is_dropped_when_it_is_refused() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        machines::set_offer(conn, row, None)?;
        assert_eq!(at(conn, row).offer_id, None);
        assert!(machines::drop_unfinished(conn, row)?);
        assert_eq!(machines::list(conn)?, []);
        let next = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        assert_ne!(next, row, "a row's number is never reused");
    });
}

#[test]
fn addresses_are_bounded_and_an_unreadable_one_does_not_hide_the_others() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        let many: Vec<_> = (0..40).map(|number| address(&format!("10.0.0.{number}"))).collect();
        machines::set_addresses(conn, row, &many)?;
        assert_eq!(at(conn, row).addresses, many[..limits::ADDRESSES]);
        conn.execute(r#"UPDATE machines SET addresses = '["a b", "10.0.0.1:5"]'"#, [])?;
        assert_eq!(at(conn, row).addresses, [address("10.0.0.1:5")]);
    });
}

fn stone(number: u8, counter: u64) -> TombstoneProof {
    TombstoneProof {
        key: PublicKey::from_bytes([number; 65]),
        name: "phone".to_owned(),
        platform: "Android 16".to_owned(),
        role: Role::Operator,
        sealed: SealedKey::from_bytes([1; 32]),
        paired_at: 1,
        revoked_at: 2,
        revoked_by: "owner".to_owned(),
        reason: None,
        counter,
        mac: Mac::from_bytes([2; 32]),
    }
}

#[test]
fn what_is_kept_for_a_machine_never_goes_back_is_bounded_and_goes_with_its_row() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let [row, other] = [1, 2].map(|number| machines::insert(conn, &new_machine(number, "homebox")).unwrap().row);
        let proof = |counter, mac| CounterProof { counter, mac: Mac::from_bytes([mac; 32]) };
        assert_eq!(kept::counter(conn, row)?, None);
        for (given, stands) in [(proof(5, 1), proof(5, 1)), (proof(4, 2), proof(5, 1)), (proof(6, 3), proof(6, 3))] {
            kept::keep_counter(conn, row, &given)?;
            assert_eq!(kept::counter(conn, row)?, Some(stands));
        }
        // Of one key the newer stands.
        kept::keep_tombstones(conn, row, &[stone(1, 3), stone(2, 9), stone(2, 8)])?;
        let counters = |row| kept::tombstones(conn, row).unwrap().iter().map(|kept| kept.counter).collect::<Vec<_>>();
        assert_eq!((counters(row), counters(other)), (vec![9, 3], vec![]));
        // What no machine makes is not kept.
        kept::keep_tombstones(conn, row, &[TombstoneProof { name: "x".repeat(5_000), ..stone(3, 10) }])?;
        assert_eq!(kept::keys(conn, row)?.len(), 2);
        let many: Vec<_> = (0..limits::KEPT_TOMBSTONES + 5)
            .map(|number| {
                let mut key = [9; 65];
                key[..8].copy_from_slice(&number.to_be_bytes());
                TombstoneProof { key: PublicKey::from_bytes(key), ..stone(1, 100 + number as u64) }
            })
            .collect();
        kept::keep_tombstones(conn, row, &many)?;
        let left = counters(row);
        assert_eq!((left.len(), left.last()), (limits::KEPT_TOMBSTONES, Some(&105)), "the newest");
        kept::keep_tombstones(conn, other, &[stone(1, 1)])?;
        kept::forget(conn, row)?;
        assert_eq!((kept::counter(conn, row)?, kept::keys(conn, row)?.len(), counters(other)), (None, 0, vec![1]));
        machines::delete(conn, other)?;
        assert!(counters(other).is_empty());
    });
}

#[test]
fn a_fall_of_the_counter_is_news_once_unless_something_was_handed_back() {
    let (_dir, database) = device_database();
    write!(database, |conn| {
        let row = machines::insert(conn, &new_machine(1, "homebox"))?.row;
        assert_eq!(at(conn, row).restored, None);
        let note = |noted_at, from, taken| {
            let news = kept::note_restored(conn, row, &Restored { at: noted_at, from, taken }).unwrap();
            (news, at(conn, row).restored.map(|it| (it.at, it.from, it.taken)))
        };
        assert_eq!(note(10, 8, 0), (true, Some((10, 8, 0))));
        assert_eq!(note(20, 8, 0), (false, Some((10, 8, 0))), "the same");
        assert_eq!(note(30, 8, 2), (true, Some((30, 8, 2))));
        assert_eq!(note(40, 8, 1), (true, Some((40, 8, 3))));
        assert_eq!(note(50, 12, 1), (true, Some((50, 12, 1))), "another time");
        // The machine says so itself: to who handed it back, too.
        let hear = |at_ms| kept::hear_restored(conn, row, at_ms).unwrap();
        assert!(!hear(51) && !hear(600_050) && hear(600_051));
        assert_eq!(at(conn, row).restored.map(|it| (it.at, it.taken)), Some((600_051, 0)));
    });
}

/// Version 2 adds what is kept for machines that are restored: the rows of version 1 are as they were.
#[test]
fn version_2_keeps_every_machine() {
    let (_dir, path) = place();
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schema/device-1.sql")).unwrap();
    for number in 1..=3_u8 {
        let sql = "INSERT INTO machines (label, machine_id, name, name_key, machine_name, platform, pin, device_id, device_name,
                       role, state, addresses, secret_store, counter)
                   VALUES (?1, ?2, ?1, ?1, 'homebox', 'Debian', ?3, ?2, 'laptop', 'owner', 'active', '[]', 'file', ?4)";
        let (id, pin) = ([number; 16], [number; 32]);
        old.execute(sql, rusqlite::params![format!("box {number}"), &id[..], &pin[..], number]).unwrap();
    }
    drop(old);
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let database = Database::open(&path, Kind::Device).unwrap();
    let rows = database.read_blocking(machines::list).unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.counter, row.restored)).collect();
    assert_eq!(told, [("box 1", 1, None), ("box 2", 2, None), ("box 3", 3, None)]);
    write!(database, |conn| {
        kept::keep_tombstones(conn, 2, &[stone(1, 1)])?;
        assert!(kept::keep_tombstones(conn, 9, &[stone(1, 1)]).is_err(), "there is no such machine");
    });
}
