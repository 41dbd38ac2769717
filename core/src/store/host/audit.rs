//! The audit log: who was let in or out, when, by whom. Append-only; `seq` rises and is never reused.

use rusqlite::{Connection, Row, params};

use crate::clock::UnixMillis;
use crate::identity::DeviceId;
use crate::store::StoreError;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: UnixMillis,
    /// A word for programs, such as "paired" or "revoked".
    pub kind: String,
    /// The device it is about, where it is about one.
    pub device: Option<DeviceId>,
    /// A line for people. No secrets.
    pub text: String,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow { seq: row.get(0)?, at: row.get(1)?, kind: row.get(2)?, device: row.get(3)?, text: row.get(4)? })
}

/// Adds a line.
///
/// # Errors
/// The database.
pub fn append(
    conn: &Connection,
    at: UnixMillis,
    kind: &str,
    device: Option<&DeviceId>,
    text: &str,
) -> Result<AuditRow, StoreError> {
    let sql = "INSERT INTO audit (at, kind, device, text) VALUES (?1, ?2, ?3, ?4)
               RETURNING seq, at, kind, device, text";
    Ok(conn.query_row(sql, params![at, kind, device, text], from_row)?)
}

/// Adds a line that the device `by` caused.
///
/// # Errors
/// The database.
pub fn append_by(
    conn: &Connection,
    at: UnixMillis,
    kind: &str,
    device: Option<&DeviceId>,
    by: Option<&DeviceId>,
    text: &str,
) -> Result<AuditRow, StoreError> {
    let sql = "INSERT INTO audit (at, kind, device, text, by_device) VALUES (?1, ?2, ?3, ?4, ?5)
               RETURNING seq, at, kind, device, text";
    Ok(conn.query_row(sql, params![at, kind, device, text, by], from_row)?)
}

/// What a device did, and what was done about it, from `since` on: the last `limit` lines, oldest first, and how
/// many there are before those.
///
/// # Errors
/// The database.
pub fn of_device(
    conn: &Connection,
    device: &DeviceId,
    since: UnixMillis,
    limit: usize,
) -> Result<(Vec<AuditRow>, usize), StoreError> {
    const ITS: &str = "(device = ?1 OR by_device = ?1) AND at >= ?2";
    let count: i64 =
        conn.query_row(&format!("SELECT count(*) FROM audit WHERE {ITS}"), params![device, since], |row| row.get(0))?;
    let sql = format!("SELECT seq, at, kind, device, text FROM audit WHERE {ITS} ORDER BY seq DESC LIMIT ?3");
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map(params![device, since, bound(limit)], from_row)?;
    let mut lines: Vec<AuditRow> = rows.collect::<Result<_, _>>()?;
    lines.reverse();
    let others = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(lines.len());
    Ok((lines, others))
}

/// The lines after number `seq`, at most `limit`, oldest first.
///
/// # Errors
/// The database.
pub fn after(conn: &Connection, seq: i64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
    let sql = "SELECT seq, at, kind, device, text FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params![seq, bound(limit)], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The last `count` lines, oldest first.
///
/// # Errors
/// The database.
pub fn last(conn: &Connection, count: usize) -> Result<Vec<AuditRow>, StoreError> {
    let sql = "SELECT seq, at, kind, device, text FROM audit ORDER BY seq DESC LIMIT ?1";
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map([bound(count)], from_row)?;
    let mut lines: Vec<AuditRow> = rows.collect::<Result<_, _>>()?;
    lines.reverse();
    Ok(lines)
}

fn bound(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
