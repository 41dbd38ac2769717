//! Opening a database file: made whole or not at all, checked before it is believed, never altered
//! when it is refused. Called by [`Database::open`](super::Database::open) alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::dir::check_private_file;
use super::error::StoreError;
use super::migrations::{Kind, Schema};

/// How long to wait for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// The smallest page of a SQLite database, in bytes: every file is a multiple of it.
const SMALLEST: u64 = 512;

/// The absolute path, the connection that writes and the one that reads.
pub(super) fn open(path: &Path, kind: Kind) -> Result<(PathBuf, Connection, Connection), StoreError> {
    let path = std::path::absolute(path).map_err(|error| StoreError::from_io(&error, path))?;
    let schema = kind.schema();
    let named = |error: StoreError| error.at(&path);
    if !exists(&path)? {
        create(&path, &schema).map_err(named)?;
    }
    let mut writer = open_checked(&path, &schema).map_err(named)?;
    schema.migrate(&mut writer).map_err(named)?;
    let reader = connect(&path).map_err(named)?;
    reader.pragma_update(None, "query_only", true).map_err(StoreError::from).map_err(named)?;
    Ok((path, writer, reader))
}

/// Looks at the file without opening it: closing any descriptor of a database file would drop the
/// locks that SQLite holds on it in this process (POSIX advisory locks belong to the process).
fn exists(path: &Path) -> Result<bool, StoreError> {
    for suffix in ["-wal", "-shm"] {
        let side = with_suffix(path, suffix);
        if let Some(found) = metadata(&side)? {
            check_private_file(&side, &found)?;
        }
    }
    let Some(found) = metadata(path)? else { return Ok(false) };
    check_private_file(path, &found)?;
    // A new database appears under its name complete, so an empty file is one that lost its content;
    // SQLite would take it for a new one.
    if found.len() == 0 {
        return Err(StoreError::Corrupt { path: path.to_path_buf(), detail: "the file is empty".to_owned() });
    }
    // SQLite takes what is missing for zeros: without its header it would be somebody else's database. A
    // page that was being written when the power went is in the -wal still.
    let whole = found.len() >= SMALLEST && found.len().is_multiple_of(SMALLEST);
    let waiting = metadata(&with_suffix(path, "-wal"))?.is_some_and(|wal| wal.len() > 0);
    if !whole && !waiting {
        return Err(StoreError::Corrupt { path: path.to_path_buf(), detail: "the file is cut short".to_owned() });
    }
    Ok(true)
}

fn metadata(path: &Path) -> Result<Option<fs::Metadata>, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::from_io(&error, path)),
    }
}

/// Makes the database under another name and renames it: a crash leaves none, or a whole one.
fn create(path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let io = |error: io::Error| StoreError::from_io(&error, path);
    let parent = path.parent().ok_or(StoreError::WrongType { path: path.to_path_buf(), wanted: "regular file" })?;
    let dir = File::open(parent).map_err(|error| StoreError::from_io(&error, parent))?;
    // Two processes may both find none (the device side has no daemon): the second one waits and looks
    // again.
    dir.lock().map_err(io)?;
    if exists(path)? {
        return Ok(());
    }
    if metadata(&with_suffix(path, "-wal"))?.is_some() {
        let detail = "the file is gone, but the -wal file beside it is there".to_owned();
        return Err(StoreError::Corrupt { path: path.to_path_buf(), detail });
    }
    let fresh = with_suffix(path, ".new");
    for stale in
        [fresh.clone(), with_suffix(&fresh, "-wal"), with_suffix(&fresh, "-shm"), with_suffix(&fresh, "-journal")]
    {
        match fs::remove_file(&stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::from_io(&error, &stale)),
            _ => {}
        }
    }
    // SQLite gives -wal and -shm the mode of the database; the mode is set again because a narrow umask
    // takes bits away.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(io)?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(io)?;
    drop(file);
    let mut conn = connect(&fresh)?;
    schema.migrate(&mut conn)?;
    conn.close().map_err(|(_, error)| error)?;
    fs::rename(&fresh, path).map_err(io)?;
    dir.sync_all().map_err(io)
}

/// Opens an existing file, and believes it only after the checks.
fn open_checked(path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    let conn = bare(path)?;
    // A refused file stays as it is: no checkpoint when this connection closes.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    schema.check(&conn)?;
    // The whole check: an index that misses a row would hide a tombstone.
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Corrupt { path: path.to_path_buf(), detail: verdict });
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    configure(&conn, path)?;
    Ok(conn)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let conn = bare(path)?;
    configure(&conn, path)?;
    Ok(conn)
}

fn bare(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    // SQLite falls back to reading where it may not write; better said now than at the first write.
    if conn.is_readonly(MAIN_DB)? {
        return Err(StoreError::ReadOnly { path: path.to_path_buf() });
    }
    Ok(conn)
}

fn configure(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let cause = "the file system has no shared memory for SQLite's WAL, use a local disk".to_owned();
        return Err(StoreError::Io { path: path.to_path_buf(), cause });
    }
    // NORMAL loses acknowledged rows on a power cut. Apple's fsync needs a word more; elsewhere that
    // pragma does nothing.
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;",
    )?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
