//! Session tokens, as hashes, and the state machine of their rotation.
//!
//! A device has one *current* token and at most two *pending* ones. A pending one becomes current only
//! by being presented with a valid signature ([`promote`]): the current one is then *superseded* (its
//! use later on is a sign of theft) and the other pending one *voided* (its use is no sign of
//! anything). Superseded and voided are final; the schema has a trigger that says so too. The rules
//! about signatures and grace are in `host`; the why is in `docs/protocol.md`, reconnect.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::clock::UnixMillis;
use crate::identity::DeviceId;
use crate::store::StoreError;
use crate::store::values::word_column;
use crate::token::TokenHash;
use crate::wire::limits;

/// Where a token is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenState {
    /// The one in use.
    Current,
    /// Issued, not yet presented.
    Pending,
    /// Once current, replaced at `changed_at`.
    Superseded,
    /// Never current, and never to be.
    Voided,
}

impl TokenState {
    /// The word stored in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Pending => "pending",
            Self::Superseded => "superseded",
            Self::Voided => "voided",
        }
    }

    /// Reads the word written by [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Current, Self::Pending, Self::Superseded, Self::Voided].into_iter().find(|state| state.as_str() == text)
    }
}

word_column!(TokenState, TokenState::parse);

/// A token's hash and its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the token.
    pub hash: TokenHash,
    /// Whose it is.
    pub device: DeviceId,
    /// Where it is in its life.
    pub state: TokenState,
    /// When it was issued.
    pub created_at: UnixMillis,
    /// When it got its state.
    pub changed_at: UnixMillis,
}

const COLUMNS: &str = "hash, device, state, created_at, changed_at";

fn from_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        hash: row.get(0)?,
        device: row.get(1)?,
        state: row.get(2)?,
        created_at: row.get(3)?,
        changed_at: row.get(4)?,
    })
}

/// All tokens of a device, oldest first.
///
/// # Errors
/// The database.
pub fn of_device(conn: &Connection, device: &DeviceId) -> Result<Vec<TokenRow>, StoreError> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM tokens WHERE device = ?1 ORDER BY seq"))?;
    let rows = statement.query_map([device], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All tokens of all devices, oldest first: to fill the copy in memory at the start.
///
/// # Errors
/// The database.
pub fn all(conn: &Connection) -> Result<Vec<TokenRow>, StoreError> {
    let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM tokens ORDER BY seq"))?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The token of this hash.
///
/// # Errors
/// The database.
pub fn find(conn: &Connection, hash: &TokenHash) -> Result<Option<TokenRow>, StoreError> {
    Ok(conn.query_row(&format!("SELECT {COLUMNS} FROM tokens WHERE hash = ?1"), [hash], from_row).optional()?)
}

/// Issues a pending token. Where there were [`limits::PENDING_TOKENS`] already, the oldest is voided:
/// its hash is returned.
///
/// # Errors
/// [`StoreError::Exists`] if the token was issued before, in whatever state it is;
/// [`StoreError::NotFound`] without such a device.
pub fn insert_pending(
    conn: &Connection,
    device: &DeviceId,
    hash: &TokenHash,
    now: UnixMillis,
) -> Result<Option<TokenHash>, StoreError> {
    insert(conn, device, hash, TokenState::Pending, now)?;
    let sql = "UPDATE tokens SET state = 'voided', changed_at = ?2
               WHERE device = ?1 AND state = 'pending' AND seq NOT IN
                   (SELECT seq FROM tokens WHERE device = ?1 AND state = 'pending' ORDER BY seq DESC LIMIT ?3)
               RETURNING hash";
    let mut statement = conn.prepare_cached(sql)?;
    let voided = statement
        .query_map(params![device, now, limits::PENDING_TOKENS as i64], |row| row.get(0))?
        .collect::<Result<Vec<TokenHash>, _>>()?;
    Ok(voided.into_iter().next())
}

/// Makes a pending token of this device its current one: the current one becomes superseded, the other
/// pending one voided, all `changed_at = now`. Returns whether it did; for a token in any other state,
/// or of another device, nothing changes.
///
/// # Errors
/// The database.
pub fn promote(conn: &Connection, device: &DeviceId, hash: &TokenHash, now: UnixMillis) -> Result<bool, StoreError> {
    // The current one makes room first: the index allows one, row by row. This and the next statement
    // share their condition, so either both change something or neither does.
    let make_room = "UPDATE tokens SET state = 'superseded', changed_at = ?3
                     WHERE device = ?1 AND state = 'current' AND EXISTS
                         (SELECT 1 FROM tokens WHERE hash = ?2 AND device = ?1 AND state = 'pending')";
    conn.prepare_cached(make_room)?.execute(params![device, hash, now])?;
    let decide = "UPDATE tokens SET state = 'current', changed_at = ?3
                  WHERE hash = ?2 AND device = ?1 AND state = 'pending'";
    if conn.prepare_cached(decide)?.execute(params![device, hash, now])? != 1 {
        return Ok(false);
    }
    void_pending(conn, device, now)?;
    Ok(true)
}

/// Issues a token that is current at once, for a device that has just been paired: an older current one
/// becomes superseded, pending ones voided.
///
/// # Errors
/// [`StoreError::Exists`] if the token was issued before, in whatever state it is;
/// [`StoreError::NotFound`] without such a device.
pub fn set_current(conn: &Connection, device: &DeviceId, hash: &TokenHash, now: UnixMillis) -> Result<(), StoreError> {
    insert(conn, device, hash, TokenState::Pending, now)?;
    if promote(conn, device, hash, now)? { Ok(()) } else { Err(StoreError::NotFound("token")) }
}

/// Voids the pending tokens of a device; how many there were.
///
/// # Errors
/// The database.
pub fn void_pending(conn: &Connection, device: &DeviceId, now: UnixMillis) -> Result<usize, StoreError> {
    let sql = "UPDATE tokens SET state = 'voided', changed_at = ?2 WHERE device = ?1 AND state = 'pending'";
    Ok(conn.prepare_cached(sql)?.execute(params![device, now])?)
}

/// Forgets old tokens of a device: all but the newest [`limits::SUPERSEDED_TOKENS`] superseded ones and
/// the newest [`limits::OLD_TOKENS`] voided ones; how many went. Each kind by itself: voided tokens are
/// easily made, and must not push out the superseded one by which a theft is known.
///
/// # Errors
/// The database.
pub fn prune(conn: &Connection, device: &DeviceId) -> Result<usize, StoreError> {
    let sql = "DELETE FROM tokens WHERE device = ?1 AND state = ?2 AND seq NOT IN
                   (SELECT seq FROM tokens WHERE device = ?1 AND state = ?2 ORDER BY seq DESC LIMIT ?3)";
    let mut statement = conn.prepare_cached(sql)?;
    let mut went = 0;
    for (state, kept) in [(TokenState::Superseded, limits::SUPERSEDED_TOKENS), (TokenState::Voided, limits::OLD_TOKENS)]
    {
        went += statement.execute(params![device, state, kept as i64])?;
    }
    Ok(went)
}

/// Forgets every token of every device, the superseded ones too: a key that may be known to others was in use.
///
/// # Errors
/// The database.
pub fn delete_all(conn: &Connection) -> Result<usize, StoreError> {
    Ok(conn.execute("DELETE FROM tokens", [])?)
}

fn insert(
    conn: &Connection,
    device: &DeviceId,
    hash: &TokenHash,
    state: TokenState,
    now: UnixMillis,
) -> Result<(), StoreError> {
    if super::devices::get(conn, device)?.is_none() {
        return Err(StoreError::NotFound("device"));
    }
    let sql = "INSERT INTO tokens (hash, device, state, created_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?4)
               ON CONFLICT (hash) DO NOTHING";
    let inserted = conn.prepare_cached(sql)?.execute(params![hash, device, state, now])?;
    if inserted == 1 { Ok(()) } else { Err(StoreError::Exists("token")) }
}
