//! A database is opened whole, checked, and left alone when it is refused.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use rusqlite::Connection;

use super::{host_database, new_device, place};
use crate::store::host::{devices, meta};
use crate::store::migrations::Schema;
use crate::store::{Database, Kind, StoreError};

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
    assert_eq!(error, StoreError::NewerSchema { path: path.clone(), found: 99, known: 1 });
    assert_eq!(
        error.to_string(),
        format!("{} was written by a newer pairpin (schema 99, this one knows 1), update pairpin", path.display())
    );
    // The control: the same file with its own version opens.
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
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

    let broken = with_step("CREATE TABLE extra (x) STRICT; PRAGMA user_version = 2;");
    assert!(broken.migrate(&mut conn).is_err(), "STRICT wants a type");
    assert_eq!(user_version(&path), 1);

    let forgetful = with_step("CREATE TABLE extra (x INTEGER) STRICT;");
    assert!(forgetful.migrate(&mut conn).is_err(), "a step sets its version");
    assert_eq!(user_version(&path), 1);

    let good = with_step("CREATE TABLE extra (x INTEGER) STRICT; PRAGMA user_version = 2;");
    good.migrate(&mut conn).unwrap();
    assert_eq!(user_version(&path), 2);
    assert_eq!(devices::count(&conn).unwrap(), 201);
}
