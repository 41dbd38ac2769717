//! What this device keeps for its machines in case one is restored from a backup: the machine's counter and its
//! tombstones, as the machine gave them away. Called by `client::ledger`; how it gets here and goes back is
//! `client::standing`.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::UnixMillis;
use crate::identity::PublicKey;
use crate::store::StoreError;
use crate::store::values::{from_integer, to_integer};
use crate::wire::{CounterProof, Mac, TombstoneProof, limits};

/// A tombstone in its JSON form, at most (bytes): an honest one has less than 2,000.
const PROOF: usize = 4_096;

/// A machine was seen with less than it had before: it was restored from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// When that was noticed last, by this device's clock.
    pub at: UnixMillis,
    /// The counter that it had had.
    pub from: u64,
    /// Tombstones that this device has handed back since.
    pub taken: u64,
}

/// Keeps a counter; a lower one than is kept already changes nothing.
///
/// # Errors
/// No such row, or the database.
pub fn keep_counter(conn: &Connection, row: i64, proof: &CounterProof) -> Result<(), StoreError> {
    let sql = "INSERT INTO kept_counters (row, counter, mac) VALUES (?1, ?2, ?3)
               ON CONFLICT (row) DO UPDATE SET counter = excluded.counter, mac = excluded.mac
               WHERE excluded.counter > counter";
    conn.execute(sql, params![row, to_integer(proof.counter), &proof.mac.as_bytes()[..]])?;
    Ok(())
}

/// The highest counter that was kept.
///
/// # Errors
/// The database.
pub fn counter(conn: &Connection, row: i64) -> Result<Option<CounterProof>, StoreError> {
    let sql = "SELECT counter, mac FROM kept_counters WHERE row = ?1";
    let found = conn.query_row(sql, [row], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.map(|(counter, mac)| CounterProof { counter: from_integer(counter), mac: Mac::from_bytes(mac) }))
}

/// Keeps tombstones, of one key the newer, and of too many the newest [`limits::KEPT_TOMBSTONES`]. One that is
/// longer than any machine makes them is left out.
///
/// # Errors
/// No such row, or the database.
pub fn keep_tombstones(conn: &Connection, row: i64, proofs: &[TombstoneProof]) -> Result<(), StoreError> {
    let sql = "INSERT INTO kept_tombstones (row, session_key, counter, proof) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (row, session_key) DO UPDATE SET counter = excluded.counter, proof = excluded.proof
               WHERE excluded.counter > counter";
    for proof in proofs {
        let text = serde_json::to_string(proof).map_err(|error| StoreError::Internal(error.to_string()))?;
        if text.len() <= PROOF {
            conn.execute(sql, params![row, proof.key, to_integer(proof.counter), text])?;
        }
    }
    let sql = "DELETE FROM kept_tombstones WHERE row = ?1 AND session_key IN
                   (SELECT session_key FROM kept_tombstones WHERE row = ?1
                    ORDER BY counter DESC, session_key LIMIT -1 OFFSET ?2)";
    conn.execute(sql, params![row, limits::KEPT_TOMBSTONES as i64])?;
    Ok(())
}

/// The kept tombstones, the newest first.
///
/// # Errors
/// The database.
pub fn tombstones(conn: &Connection, row: i64) -> Result<Vec<TombstoneProof>, StoreError> {
    let sql = "SELECT proof FROM kept_tombstones WHERE row = ?1 ORDER BY counter DESC, session_key";
    let mut statement = conn.prepare_cached(sql)?;
    let texts = statement.query_map([row], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    // One that this build cannot read is of no use to a machine either.
    Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
}

/// The keys of the kept tombstones.
///
/// # Errors
/// The database.
pub fn keys(conn: &Connection, row: i64) -> Result<Vec<PublicKey>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT session_key FROM kept_tombstones WHERE row = ?1")?;
    let keys = statement.query_map([row], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Notes that the machine has less than it had; `taken` more tombstones were handed back to it. The same fall seen
/// again, with nothing handed back, is no news; whether it was news.
///
/// # Errors
/// The database.
pub fn note_restored(conn: &Connection, row: i64, noted: &Restored) -> Result<bool, StoreError> {
    let sql = "UPDATE machines SET restored_at = ?2, restored_from = ?3,
                   restored_taken = ?4 + CASE WHEN restored_from IS ?3 THEN restored_taken ELSE 0 END
               WHERE row = ?1 AND (?4 > 0 OR restored_from IS NOT ?3)";
    Ok(conn.execute(sql, params![row, noted.at, to_integer(noted.from), to_integer(noted.taken)])? == 1)
}

/// The same from the machine itself, which says that it took something back: no news within this time of what is
/// noted (milliseconds), for it says so to who handed it back as well.
const SAME: UnixMillis = 10 * 60 * 1000;

/// Notes what the machine said; whether it is news.
///
/// # Errors
/// The database.
pub fn hear_restored(conn: &Connection, row: i64, at: UnixMillis) -> Result<bool, StoreError> {
    let sql = "UPDATE machines SET restored_at = ?2, restored_from = counter, restored_taken = 0
               WHERE row = ?1 AND (restored_at IS NULL OR restored_at < ?2 - ?3)";
    Ok(conn.execute(sql, params![row, at, SAME])? == 1)
}

/// Forgets what was kept for a machine: it has revoked this device.
///
/// # Errors
/// The database.
pub fn forget(conn: &Connection, row: i64) -> Result<(), StoreError> {
    conn.execute("DELETE FROM kept_counters WHERE row = ?1", [row])?;
    conn.execute("DELETE FROM kept_tombstones WHERE row = ?1", [row])?;
    Ok(())
}
