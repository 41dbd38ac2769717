//! The machine's aggregates: meta, devices, tombstones, audit.

use super::{host_database, key, new_device};
use crate::identity::DeviceId;
use crate::role::Role;
use crate::secrets::KeyKind;
use crate::store::host::devices::{PairedHow, Suspension};
use crate::store::host::{audit, devices, meta, tombstones};
use crate::store::{Database, Kind, StoreError};
use crate::wire::limits;

/// Runs a body in one write; what it returns is the test's.
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

#[test]
fn the_machine_id_and_mac_key_are_made_once() {
    let (dir, database) = host_database();
    let made = database.write_blocking(|conn| Ok((meta::machine_id(conn)?, meta::mac_key(conn)?))).unwrap();
    let path = database.path().to_path_buf();
    drop(database);
    let again = Database::open(&path, Kind::Host).unwrap();
    let read = again.read_blocking(|conn| Ok((meta::machine_id(conn)?, meta::mac_key(conn)?))).unwrap();
    assert_eq!(made, read);
    drop((again, dir));
}

#[test]
fn the_counter_rises_only() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        assert_eq!(meta::counter(conn)?, 0);
        assert_eq!(meta::bump_counter(conn)?, 1);
        assert_eq!(meta::raise_counter(conn, 7)?, 7);
        assert_eq!(meta::raise_counter(conn, 3)?, 7);
        assert_eq!(meta::bump_counter(conn)?, 8);
        assert_eq!(meta::counter(conn)?, 8);
    });
}

#[test]
fn the_latest_welcome_goes_back_only_when_it_is_reset() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        assert_eq!(meta::latest_welcome(conn)?, None);
        assert_eq!(meta::raise_latest_welcome(conn, 500)?, 500);
        assert_eq!(meta::raise_latest_welcome(conn, 400)?, 500);
        meta::reset_latest_welcome(conn, 300)?;
        assert_eq!(meta::latest_welcome(conn)?, Some(300));
    });
}

#[test]
fn a_setting_is_kept_apart_from_what_the_machine_knows() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        meta::set_setting(conn, "counter", "not the counter")?;
        assert_eq!(meta::setting(conn, "counter")?.as_deref(), Some("not the counter"));
        assert_eq!(meta::counter(conn)?, 0);
        assert_eq!(meta::setting(conn, "epoch")?, None);
    });
}

#[test]
fn a_device_reads_back_as_it_was_inserted() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        let row = devices::insert(conn, &new_device(1, "Ann's phone"))?;
        assert_eq!(row.id, DeviceId::of(&key(1)));
        assert_eq!((row.name.as_str(), row.platform.as_str()), ("Ann's phone", "Android 16"));
        assert_eq!((row.role, row.key_kind, row.paired_how), (Role::Operator, KeyKind::Hardware, PairedHow::Scan));
        assert_eq!((row.paired_at, row.session_started_at), (1_001, 1_001));
        assert_eq!((row.idle_seconds, row.absolute_seconds), (60, 600));
        assert_eq!((row.last_seen, &row.last_address, &row.suspended), (None, &None, &None));
        for found in [
            devices::get(conn, &row.id)?,
            devices::by_key(conn, &row.session_key)?,
            devices::by_name(conn, " ann's PHONE ")?,
            devices::list(conn)?.pop(),
        ] {
            assert_eq!(found.as_ref(), Some(&row));
        }
    });
}

#[test]
fn a_name_is_cleaned_and_made_free_in_any_case_of_letters() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        let mut names = Vec::new();
        for (number, name) in (1..).zip(["Büro", "bÜRO", "BÜRO\u{202E}", "\u{1b}", "device", "Büro 2"]) {
            names.push(devices::insert(conn, &new_device(number, name))?.name);
        }
        assert_eq!(names, ["Büro", "bÜRO 2", "BÜRO 3", "device", "device 2", "Büro 2 2"]);
    });
}

#[test]
fn one_key_is_one_row() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        devices::insert(conn, &new_device(1, "phone"))?;
        let again = devices::insert(conn, &new_device(1, "another name"));
        assert_eq!(again.unwrap_err(), StoreError::Exists("device key"));
        assert_eq!(devices::count(conn)?, 1);
    });
}

#[test]
fn devices_are_bounded() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        devices::insert(conn, &new_device(1, "phone"))?;
        let sql = format!(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {})
             INSERT INTO devices (id, session_key, name, name_key, platform, role, key_kind, recognition_key,
                 paired_at, paired_how, paired_from, idle_seconds, absolute_seconds, session_started_at)
             SELECT randomblob(16), randomblob(65), 'n' || i, 'n' || i, platform, role, key_kind, recognition_key,
                 paired_at, paired_how, paired_from, idle_seconds, absolute_seconds, session_started_at
             FROM n, devices",
            limits::DEVICES
        );
        conn.execute_batch(&sql)?;
        assert_eq!(devices::count(conn)?, limits::DEVICES);
        let more = devices::insert(conn, &new_device(2, "one more"));
        assert_eq!(more.unwrap_err(), StoreError::TooManyDevices(limits::DEVICES));
    });
}

#[test]
fn renaming_refuses_a_taken_or_empty_name_and_may_change_the_case_of_its_own() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        let first = devices::insert(conn, &new_device(1, "first"))?.id;
        devices::insert(conn, &new_device(2, "second"))?;
        assert_eq!(devices::rename(conn, &first, "SECOND"), Err(StoreError::NameTaken("SECOND".to_owned())));
        assert_eq!(devices::rename(conn, &first, " \u{200B} "), Err(StoreError::NameEmpty));
        assert_eq!(devices::rename(conn, &first, " FIRST  one\t")?, "FIRST one");
        assert_eq!(devices::rename(conn, &first, "first one")?, "first one");
        let nobody = DeviceId::of(&key(9));
        assert_eq!(devices::rename(conn, &nobody, "x"), Err(StoreError::NotFound("device")));
    });
}

#[test]
fn each_change_of_a_device_changes_that_and_nothing_else() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        let mut expected = devices::insert(conn, &new_device(1, "phone"))?;
        let other = devices::insert(conn, &new_device(2, "other"))?;
        let id = expected.id;

        assert_eq!(devices::owners(conn)?, 0);
        devices::set_role(conn, &id, Role::Owner)?;
        expected.role = Role::Owner;
        assert_eq!((devices::get(conn, &id)?.unwrap(), devices::owners(conn)?), (expected.clone(), 1));

        devices::set_lifetimes(conn, &id, Some(5), None)?;
        expected.idle_seconds = 5;
        assert_eq!(devices::get(conn, &id)?.unwrap(), expected);
        devices::set_lifetimes(conn, &id, None, Some(u64::MAX))?;
        expected.absolute_seconds = i64::MAX as u64;
        assert_eq!(devices::get(conn, &id)?.unwrap(), expected);

        devices::touch(conn, &id, 77, "10.0.0.2")?;
        (expected.last_seen, expected.last_address) = (Some(77), Some("10.0.0.2".to_owned()));
        devices::restart_session(conn, &id, 78)?;
        expected.session_started_at = 78;
        devices::set_facts(conn, &id, "iOS\u{7} 27", KeyKind::File)?;
        (expected.platform, expected.key_kind) = ("iOS 27".to_owned(), KeyKind::File);
        assert_eq!(devices::get(conn, &id)?.unwrap(), expected);

        assert!(devices::suspend(conn, &id, 80, "token used twice")?);
        assert!(!devices::suspend(conn, &id, 90, "again")?, "the first cause stands");
        expected.suspended = Some(Suspension { at: 80, why: "token used twice".to_owned() });
        assert_eq!(devices::get(conn, &id)?.unwrap(), expected);
        assert!(devices::unsuspend(conn, &id)?);
        assert!(!devices::unsuspend(conn, &id)?);

        assert_eq!(devices::get(conn, &other.id)?.unwrap(), other);
        assert!(devices::delete(conn, &id)?);
        assert!(!devices::delete(conn, &id)?);
        assert_eq!(devices::set_role(conn, &id, Role::Owner), Err(StoreError::NotFound("device")));
    });
}

#[test]
fn a_revoked_key_stays_out_and_its_name_is_free() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        let row = devices::insert(conn, &new_device(1, "phone"))?;
        let stone = tombstones::bury(conn, &row.id, 50, "the machine's shell", Some("lost\nin a train"))?.unwrap();
        assert_eq!((stone.device, stone.session_key, stone.name.as_str()), (row.id, row.session_key, "phone"));
        assert_eq!((stone.revoked_at, stone.revoked_by.as_str(), stone.counter), (50, "the machine's shell", 1));
        assert_eq!(stone.reason.as_deref(), Some("lost in a train"));
        assert_eq!(stone.recognition_key, row.recognition_key);
        assert_eq!(devices::get(conn, &row.id)?, None);
        assert_eq!(tombstones::get(conn, &row.id)?.as_ref(), Some(&stone));
        assert_eq!(tombstones::by_key(conn, &row.session_key)?.as_ref(), Some(&stone));
        assert_eq!(tombstones::list(conn)?, [stone]);
        assert_eq!(meta::counter(conn)?, 1);

        assert_eq!(devices::insert(conn, &new_device(1, "phone")).unwrap_err(), StoreError::KeyRevoked);
        // The control: another key may come, under the same name.
        assert_eq!(devices::insert(conn, &new_device(2, "phone"))?.name, "phone");
        assert_eq!(tombstones::bury(conn, &row.id, 60, "again", None)?, None);
    });
}

#[test]
fn the_schema_itself_keeps_a_revoked_key_out() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        let row = devices::insert(conn, &new_device(1, "phone"))?;
        conn.execute_batch("CREATE TEMP TABLE restored AS SELECT * FROM devices")?;
        tombstones::bury(conn, &row.id, 50, "owner", None)?;
        let restore = conn.execute("INSERT INTO devices SELECT * FROM restored", []);
        assert!(restore.unwrap_err().to_string().contains("was revoked"));
        // The control: without the tombstone the same statement works.
        conn.execute("DELETE FROM tombstones", [])?;
        assert_eq!(conn.execute("INSERT INTO devices SELECT * FROM restored", [])?, 1);
    });
}

#[test]
fn a_tombstone_that_is_handed_back_removes_a_restored_row_and_never_overwrites() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        let row = devices::insert(conn, &new_device(1, "phone"))?;
        let stone = tombstones::bury(conn, &row.id, 50, "owner", None)?.unwrap();
        // A restored backup: the row is back, the tombstone gone.
        conn.execute("DELETE FROM tombstones", [])?;
        devices::insert(conn, &new_device(1, "phone"))?;
        assert!(tombstones::insert(conn, &stone)?);
        assert_eq!(devices::count(conn)?, 0);
        let other = tombstones::Tombstone { revoked_by: "a liar".to_owned(), ..stone.clone() };
        assert!(!tombstones::insert(conn, &other)?);
        assert_eq!(tombstones::list(conn)?, [stone]);
    });
}

#[test]
fn a_row_under_the_id_of_another_key_is_damage_and_lets_nobody_in() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        let row = devices::insert(conn, &new_device(1, "phone"))?;
        tombstones::bury(conn, &row.id, 50, "owner", None)?;
        // What guards a key is found by its id: under another id a revoked key would be nobody's.
        devices::insert(conn, &new_device(2, "laptop"))?;
        assert_eq!(devices::list(conn)?.len(), 1, "the control: a row under its own id is read");
        let other = DeviceId::of(&key(3));
        conn.execute_batch("DROP TRIGGER devices_stay_revoked")?;
        conn.execute("UPDATE devices SET session_key = ?1", [key(1)])?;
        assert!(matches!(devices::list(conn), Err(StoreError::Corrupt { .. })));
        assert!(matches!(devices::by_key(conn, &key(1)), Err(StoreError::Corrupt { .. })));
        conn.execute("UPDATE tombstones SET device = ?1", [other])?;
        assert!(matches!(tombstones::list(conn), Err(StoreError::Corrupt { .. })));
        assert!(matches!(tombstones::get(conn, &other), Err(StoreError::Corrupt { .. })));
    });
}

#[test]
fn the_audit_log_is_read_forwards_and_from_its_end() {
    let (_dir, database) = host_database();
    write!(database, |conn| {
        let device = DeviceId::of(&key(1));
        for number in 1..=5 {
            let row = audit::append(conn, number * 10, "paired", Some(&device), "phone was paired")?;
            assert_eq!((row.seq, row.at, row.device), (number, number * 10, Some(device)));
        }
        let numbers = |rows: Vec<audit::AuditRow>| rows.iter().map(|row| row.seq).collect::<Vec<_>>();
        assert_eq!(numbers(audit::after(conn, 0, 2)?), [1, 2]);
        assert_eq!(numbers(audit::after(conn, 3, 100)?), [4, 5]);
        assert_eq!(numbers(audit::last(conn, 2)?), [4, 5]);
        assert_eq!(numbers(audit::last(conn, usize::MAX)?), [1, 2, 3, 4, 5]);
        conn.execute("DELETE FROM audit", [])?;
        assert_eq!(audit::append(conn, 60, "revoked", None, "")?.seq, 6, "a number is never reused");
    });
}
