//! Looking into the databases from outside, without touching them: SQLite's own verdict, and rows.
//!
//! What a killed process left is judged on a copy: SQLite repairs what it opens.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::scratch;

/// SQLite's verdict on a copy of a database and its side files: `Err` says what is wrong.
/// No database is no fault.
///
/// # Errors
/// `integrity_check` or `foreign_key_check` finds something, or it cannot be read.
pub fn sound(path: &Path) -> Result<(), String> {
    if !path.exists() {
        return Ok(());
    }
    let place = scratch::directory();
    let name = path.file_name().unwrap_or_default();
    for suffix in ["", "-wal"] {
        let from = with_suffix(path, suffix);
        if from.exists() {
            let to = with_suffix(&place.path().join(name), suffix);
            fs::copy(&from, to).map_err(|error| format!("{}: {error}", from.display()))?;
        }
    }
    verdict(&place.path().join(name)).map_err(|wrong| format!("{}: {wrong}", path.display()))
}

/// The same in place, for a database that its owner has open.
///
/// # Errors
/// As [`sound`].
pub fn sound_in_use(path: &Path) -> Result<(), String> {
    verdict(path).map_err(|wrong| format!("{}: {wrong}", path.display()))
}

fn verdict(path: &Path) -> Result<(), String> {
    let text = |error: rusqlite::Error| error.to_string();
    let database = Connection::open(path).map_err(text)?;
    let mut statement = database.prepare("PRAGMA integrity_check").map_err(text)?;
    let lines: Vec<String> =
        statement.query_map([], |row| row.get(0)).map_err(text)?.collect::<Result<_, _>>().map_err(text)?;
    if lines != ["ok"] {
        return Err(format!("integrity_check: {lines:?}"));
    }
    let mut statement = database.prepare("PRAGMA foreign_key_check").map_err(text)?;
    let strays = statement.query_map([], |row| row.get::<_, String>(0)).map_err(text)?.count();
    if strays > 0 { Err(format!("foreign_key_check: {strays} rows")) } else { Ok(()) }
}

/// The number that a query gives on a database that its owner has open.
///
/// # Panics
/// It cannot be read.
#[track_caller]
pub fn count(path: &Path, sql: &str) -> i64 {
    first(path, sql)
}

/// Everything that was promised about devices, as one text: who is paired and who is revoked.
///
/// # Panics
/// It cannot be read.
#[track_caller]
pub fn promises(path: &Path) -> String {
    let paired = "SELECT 'paired ' || name || ' ' || role || ' ' || hex(id) AS line FROM devices";
    let revoked = "SELECT 'revoked ' || name || ' ' || hex(device) FROM tombstones";
    first(
        path,
        &format!("SELECT coalesce(group_concat(line, char(10)), '') FROM ({paired} UNION {revoked} ORDER BY 1)"),
    )
}

#[track_caller]
fn first<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let counted = Connection::open_with_flags(path, flags).and_then(|database| {
        database.busy_timeout(crate::process::DEADLINE)?;
        database.query_row(sql, [], |row| row.get(0))
    });
    counted.unwrap_or_else(|error| panic!("{}: {sql}: {error}", path.display()))
}

/// A database's side file.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
