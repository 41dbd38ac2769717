//! A database is opened whole, checked, and left alone when it is refused.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use rusqlite::{Connection, params};

use super::{host_database, new_device, place};
use crate::identity::{DeviceId, PublicKey};
use crate::store::device::machines;
use crate::store::host::{audit, devices, meta, tokens, tombstones};
use crate::store::migrations::Schema;
use crate::store::{Database, Kind, StoreError};
use crate::token::TokenHash;
use crate::wire::ApprovalGuard;

fn user_version(path: &Path) -> i64 {
    let conn = Connection::open(path).unwrap();
    conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// Opens, which must fail, and checks that the file kept every byte.
fn refused(path: &Path, kind: Kind) -> StoreError {
    let before = fs::read(path).unwrap();
    let error = Database::open(path, kind).unwrap_err();
    assert_eq!(fs::read(path).unwrap(), before, "a refused file was altered");
    error
}

/// A closed database with enough rows to have several pages.
fn filled(path: &Path) {
    let database = Database::open(path, Kind::Host).unwrap();
    database
        .write_blocking(|conn| {
            for number in 0..=200 {
                devices::insert(conn, &new_device(number, &format!("phone {number}")))?;
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_was_written_is_there_after_reopening() {
    let (_dir, path) = place();
    filled(&path);
    assert!(!path.with_extension("db-wal").exists(), "closing leaves one file");
    let database = Database::open(&path, Kind::Host).unwrap();
    assert_eq!(database.read_blocking(devices::count).unwrap(), 201);
    assert_eq!(database.path(), path);
}

#[test]
fn the_connection_is_set_for_durability() {
    let (_dir, database) = host_database();
    let pragma = |name: &'static str| {
        database.write_blocking(move |conn| Ok(conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?))
    };
    assert_eq!(pragma("synchronous").unwrap(), 2, "FULL");
    assert_eq!(pragma("foreign_keys").unwrap(), 1);
    let mode: String =
        database.read_blocking(|conn| Ok(conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_newer_schema_is_refused_and_says_to_update() {
    let (_dir, path) = place();
    filled(&path);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = refused(&path, Kind::Host);
    let known = Kind::Host.schema().version();
    assert_eq!(error, StoreError::NewerSchema { path: path.clone(), found: 99, known });
    assert_eq!(
        error.to_string(),
        format!(
            "{} was written by a newer pairpin (schema 99, this one knows {known}), update pairpin",
            path.display()
        )
    );
    // The control: the same file with its own version opens.
    Connection::open(&path).unwrap().pragma_update(None, "user_version", known).unwrap();
    Database::open(&path, Kind::Host).unwrap();
}

#[test]
fn a_database_of_another_kind_is_refused() {
    let (_dir, path) = place();
    filled(&path);
    assert!(matches!(refused(&path, Kind::Device), StoreError::Foreign { .. }));
    let other = path.with_file_name("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    make_private(&other);
    assert!(matches!(refused(&other, Kind::Host), StoreError::Foreign { .. }));
}

fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    type Damage = fn(&mut fs::File);
    let garbage_header: Damage = |file| file.write_all(&[0xA5; 100]).unwrap();
    let truncated: Damage = |file| {
        let length = file.metadata().unwrap().len();
        file.set_len(length / 2).unwrap();
    };
    let emptied: Damage = |file| file.set_len(0).unwrap();
    let zeroed_pages: Damage = |file| {
        let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
        file.seek(SeekFrom::Start(4096)).unwrap();
        file.write_all(&vec![0; length - 4096]).unwrap();
    };
    // A page of cells overwritten in the middle: the pointers of its tree no longer hold.
    let flipped_page: Damage = |file| {
        file.seek(SeekFrom::Start(4096 * 2)).unwrap();
        file.write_all(&[0xFF; 4096]).unwrap();
    };
    for (name, damage) in [
        ("garbage header", garbage_header),
        ("truncated", truncated),
        ("emptied", emptied),
        ("zeroed pages", zeroed_pages),
        ("flipped page", flipped_page),
    ] {
        let (_dir, path) = place();
        filled(&path);
        damage(&mut fs::OpenOptions::new().write(true).open(&path).unwrap());
        let error = refused(&path, Kind::Host);
        assert!(matches!(&error, StoreError::Corrupt { path: named, .. } if *named == path), "{name}: {error:?}");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
    }
}

#[test]
fn a_refused_file_keeps_its_unmerged_writes() {
    let (_dir, path) = place();
    filled(&path);
    // A writer that died: its rows are in the -wal file alone.
    let copies = {
        let database = Database::open(&path, Kind::Host).unwrap();
        database.write_blocking(meta::bump_counter).unwrap();
        ["machine.db", "machine.db-wal"].map(|name| (name, fs::read(path.with_file_name(name)).unwrap()))
    };
    for (name, bytes) in &copies {
        fs::write(path.with_file_name(name), bytes).unwrap();
        make_private(&path.with_file_name(name));
    }
    assert!(matches!(refused(&path, Kind::Device), StoreError::Foreign { .. }));
    assert_eq!(fs::read(path.with_file_name("machine.db-wal")).unwrap(), copies[1].1);
    let database = Database::open(&path, Kind::Host).unwrap();
    assert_eq!(database.read_blocking(meta::counter).unwrap(), 1, "and they are there when it opens");
}

#[test]
fn a_lost_database_beside_its_wal_is_not_silently_a_new_one() {
    let (_dir, path) = place();
    fs::write(path.with_file_name("machine.db-wal"), b"rows that were acknowledged").unwrap();
    make_private(&path.with_file_name("machine.db-wal"));
    let error = Database::open(&path, Kind::Host).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(!path.exists());
}

#[test]
fn a_creation_that_was_cut_short_leaves_nothing_in_the_way() {
    let (_dir, path) = place();
    fs::write(path.with_file_name("machine.db.new"), b"half of").unwrap();
    let database = Database::open(&path, Kind::Host).unwrap();
    assert!(!path.with_file_name("machine.db.new").exists());
    assert_eq!(database.read_blocking(devices::count).unwrap(), 0);
}

#[test]
fn many_processes_may_find_no_database_at_once() {
    let (_dir, path) = place();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let database = Database::open(&path, Kind::Host).unwrap();
                database.write_blocking(meta::bump_counter).unwrap();
            });
        }
    });
    let database = Database::open(&path, Kind::Host).unwrap();
    assert_eq!(database.read_blocking(meta::counter).unwrap(), 8);
}

#[test]
fn a_version_1_file_made_by_its_sql_opens() {
    for (kind, sql) in
        [(Kind::Host, include_str!("../schema/host-1.sql")), (Kind::Device, include_str!("../schema/device-1.sql"))]
    {
        let (_dir, path) = place();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        make_private(&path);
        assert_eq!(user_version(&path), 1);
        drop(Database::open(&path, kind).unwrap());
        assert_eq!(user_version(&path), kind.schema().version());
    }
}

/// Version 2 makes devices and tokens anew: what was in them must be there after, and so must the rules.
#[test]
fn version_2_keeps_every_device_and_token_and_what_guards_them() {
    let (_dir, path) = place();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schema/host-1.sql")).unwrap();
    old.pragma_update(None, "foreign_keys", true).unwrap();
    let key = |number| PublicKey::from_bytes([number; 65]);
    for number in 1..=3 {
        let id = DeviceId::of(&key(number));
        let sql =
            "INSERT INTO devices VALUES (?1, ?2, ?3, ?3, 'Linux', 'owner', 'file', zeroblob(32), 5, 'code', 'here',
                       7, 'there', 60, 600, 6, ?4, ?4)";
        old.execute(sql, params![id, key(number), format!("phone {number}"), None::<i64>]).unwrap();
        for state in ["superseded", "current", "pending"] {
            let sql = "INSERT INTO tokens (hash, device, state, created_at, changed_at) VALUES (randomblob(32), ?1, ?2, 8, 9)";
            old.execute(sql, params![id, state]).unwrap();
        }
    }
    old.execute("DELETE FROM tokens WHERE seq = 9", []).unwrap();
    drop(old);
    make_private(&path);

    let database = Database::open(&path, Kind::Host).unwrap();
    let id = DeviceId::of(&key(2));
    database
        .write_blocking(move |conn| {
            let row = devices::get(conn, &id)?.unwrap();
            assert_eq!((row.name.as_str(), row.paired_how.as_str(), row.last_seen), ("phone 2", "code", Some(7)));
            assert!(row.approval.is_none() && row.let_in.is_none());
            let states: Vec<_> = tokens::of_device(conn, &id)?.iter().map(|token| token.state).collect();
            assert_eq!(states.len(), 3);
            assert_eq!(conn.query_row("SELECT count(*) FROM tokens", [], |row| row.get::<_, i64>(0))?, 8);
            tokens::insert_pending(conn, &id, &TokenHash::from_bytes([1; 32]), 10)?;
            let seq: i64 = conn.query_row("SELECT max(seq) FROM tokens", [], |row| row.get(0))?;
            assert_eq!(seq, 10, "the order of issue goes on behind what is gone");
            // The rules: tokens go with their device, and a revoked key stays out.
            tombstones::bury(conn, &id, 11, "test", None)?;
            assert!(tokens::of_device(conn, &id)?.is_empty());
            let again =
                "INSERT INTO devices (id, session_key, name, name_key, platform, role, key_kind, recognition_key, paired_at,
                             paired_how, paired_from, idle_seconds, absolute_seconds, session_started_at)
                         SELECT ?1, ?2, 'x', 'x', platform, role, key_kind, recognition_key, paired_at,
                             paired_how, paired_from, idle_seconds, absolute_seconds, session_started_at
                         FROM devices LIMIT 1";
            let refused = conn.execute(again, params![id, key(2)]).unwrap_err().to_string();
            assert!(refused.contains("this device key was revoked"), "{refused}");
            let back = conn.execute("UPDATE tokens SET state = 'current' WHERE state = 'superseded'", []).unwrap_err();
            assert!(back.to_string().contains("does not come back"), "{back}");
            Ok(())
        })
        .unwrap();
}

/// Version 3 adds a list and changes nothing that was there.
#[test]
fn version_3_keeps_what_version_2_held() {
    let (_dir, path) = place();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schema/host-1.sql")).unwrap();
    old.execute_batch(include_str!("../schema/host-2.sql")).unwrap();
    let key = PublicKey::from_bytes([1; 65]);
    let id = DeviceId::of(&key);
    let sql = "INSERT INTO devices VALUES (?1, ?2, 'laptop', 'laptop', 'Linux', 'owner', 'file', zeroblob(32), 5, 'join', 'here',
               7, 'there', 60, 600, 6, NULL, NULL, ?3, 'lock', 8, NULL, 'Ana', 'scan', 'LAN')";
    old.execute(sql, params![id, key, PublicKey::from_bytes([2; 65])]).unwrap();
    drop(old);
    make_private(&path);
    let database = Database::open(&path, Kind::Host).unwrap();
    assert_eq!(user_version(&path), Kind::Host.schema().version());
    let asked = crate::store::host::asked_joins::AskedJoin {
        join: crate::wire::JoinId::from_bytes([1; 5]),
        key,
        name: "tablet".into(),
        platform: "Linux".into(),
        from: "192.168.1.7".into(),
        network: crate::wire::AddressKind::Lan,
        same_network: true,
        asked_at: 1_000,
    };
    database
        .write_blocking(move |conn| {
            let row = devices::get(conn, &id)?.unwrap();
            assert!(row.approval.is_some() && row.let_in.is_some_and(|let_in| let_in.by == "Ana"));
            crate::store::host::asked_joins::insert(conn, &asked)?;
            assert_eq!(crate::store::host::asked_joins::list(conn, 2_000)?, [asked]);
            Ok(())
        })
        .unwrap();
}

/// Version 3 adds columns and a table: what was there stays, and nobody is said to have caused it.
#[test]
fn version_3_keeps_the_log_and_who_let_in_whom() {
    let (_dir, path) = place();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schema/host-1.sql")).unwrap();
    old.execute_batch(include_str!("../schema/host-2.sql")).unwrap();
    let key = |number| PublicKey::from_bytes([number; 65]);
    let (phone, laptop) = (DeviceId::of(&key(1)), DeviceId::of(&key(2)));
    for (id, key, name, how, by) in
        [(phone, key(1), "phone", "scan", None), (laptop, key(2), "laptop", "join", Some(phone))]
    {
        let sql = "INSERT INTO devices (id, session_key, name, name_key, platform, role, key_kind, recognition_key,
                       paired_at, paired_how, paired_from, idle_seconds, absolute_seconds, session_started_at,
                       let_in_device, let_in_by, let_in_how, let_in_over)
                   VALUES (?1, ?2, ?3, ?3, 'Linux', 'owner', 'file', zeroblob(32), 5, ?4, 'here', 60, 600, 6, ?5,
                       ?6, ?7, ?8)";
        let (name_of, how_of, over) = (by.map(|_| "phone"), by.map(|_| "number"), by.map(|_| "LAN"));
        old.execute(sql, params![id, key, name, how, by, name_of, how_of, over]).unwrap();
    }
    old.execute("INSERT INTO audit (at, kind, device, text) VALUES (7, 'let-in', ?1, 'paired laptop')", [laptop])
        .unwrap();
    drop(old);
    make_private(&path);
    let database = Database::open(&path, Kind::Host).unwrap();
    database
        .write_blocking(move |conn| {
            let row = devices::get(conn, &laptop)?.unwrap();
            assert_eq!(row.let_in.map(|by| (by.device, by.how.as_str())), Some((Some(phone), "number")));
            assert!(devices::get(conn, &phone)?.unwrap().let_in.is_none());
            let (lines, earlier) = audit::of_device(conn, &laptop, 0, 9)?;
            assert_eq!((lines.len(), earlier, audit::of_device(conn, &phone, 0, 9)?.0.len()), (1, 0, 0));
            devices::set_invited_by(conn, &phone, &laptop, "laptop")?;
            let by = devices::get(conn, &phone)?.unwrap().let_in.map(|by| (by.device, by.how.as_str()));
            assert_eq!(by, Some((Some(laptop), "offer")));
            audit::append_by(conn, 8, "offered", None, Some(&phone), "an offer")?;
            assert_eq!(audit::of_device(conn, &phone, 8, 9)?.0.len(), 1);
            assert_eq!(audit::of_device(conn, &phone, 9, 9)?.0.len(), 0, "before that time");
            Ok(())
        })
        .unwrap();
}

/// The device's version 2: a row of version 1 is not leaving.
#[test]
fn a_device_of_version_1_leaves_nobody() {
    let (_dir, path) = place();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schema/device-1.sql")).unwrap();
    let sql =
        "INSERT INTO machines (label, machine_id, name, name_key, machine_name, platform, pin, device_id, device_name,
                   role, state, addresses, secret_store)
               VALUES ('a', zeroblob(16), 'homebox', 'homebox', 'homebox', 'Linux', zeroblob(32), zeroblob(16), 'me',
                   'owner', 'active', '[]', 'file')";
    old.execute(sql, []).unwrap();
    drop(old);
    make_private(&path);
    let database = Database::open(&path, Kind::Device).unwrap();
    database
        .write_blocking(|conn| {
            let row = machines::list(conn)?.remove(0);
            assert_eq!((row.name.as_str(), row.leaving_at), ("homebox", None));
            machines::leave(conn, row.row, 5)?;
            machines::leave(conn, row.row, 9)?;
            assert_eq!(machines::get(conn, row.row)?.unwrap().leaving_at, Some(5), "the first time stands");
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_approval_key_is_brought_once_and_is_one_devices() {
    let (_dir, database) = host_database();
    database
        .write_blocking(|conn| {
            let [one, other] = [1, 2].map(|number| devices::insert(conn, &new_device(number, "phone")).unwrap().id);
            let [first, second] = [7, 8].map(|number| PublicKey::from_bytes([number; 65]));
            let enrol = |id, key, now| devices::enrol(conn, id, key, ApprovalGuard::Lock, now);
            assert!(enrol(&one, &first, 5)?);
            assert!(enrol(&one, &first, 6)?, "the very same again");
            assert!(!enrol(&one, &second, 6)?, "another");
            assert!(!enrol(&other, &first, 6)?, "another device's");
            let approval = devices::get(conn, &one)?.unwrap().approval.unwrap();
            assert_eq!((approval.key, approval.at), (first, 5));
            let sql = "UPDATE devices SET approval_key = ?2 WHERE id = ?1";
            assert!(conn.execute(sql, params![one, second]).is_err(), "nor around it");
            devices::forget_approval_key(conn, &one)?;
            assert!(enrol(&one, &second, 9)? && enrol(&other, &first, 9)?);
            assert!(enrol(&DeviceId::from_bytes([9; 16]), &first, 9).is_err(), "no such device");
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_step_brings_an_old_file_up_and_a_broken_step_leaves_it_as_it_was() {
    let (_dir, path) = place();
    filled(&path);
    let mut conn = Connection::open(&path).unwrap();
    let with_step = |step: &'static str| {
        let schema = Kind::Host.schema();
        let steps = [schema.steps, &[step]].concat();
        Schema { steps: Box::leak(steps.into_boxed_slice()), ..schema }
    };

    let known = Kind::Host.schema().version();
    let next = |sql: &str| format!("{sql} PRAGMA user_version = {};", known + 1).leak() as &'static str;
    let broken = with_step(next("CREATE TABLE extra (x) STRICT;"));
    assert!(broken.migrate(&mut conn).is_err(), "STRICT wants a type");
    assert_eq!(user_version(&path), known);

    let forgetful = with_step("CREATE TABLE extra (x INTEGER) STRICT;");
    assert!(forgetful.migrate(&mut conn).is_err(), "a step sets its version");
    assert_eq!(user_version(&path), known);

    let good = with_step(next("CREATE TABLE extra (x INTEGER) STRICT;"));
    good.migrate(&mut conn).unwrap();
    assert_eq!(user_version(&path), known + 1);
    assert_eq!(devices::count(&conn).unwrap(), 201);
}
