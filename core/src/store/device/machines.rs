//! The machines that this device is paired with, or was, or is about to be.
//!
//! A row's life: *unfinished* (the key is stored, the Proof is about to leave), *granted* (the Grant is
//! stored, the acknowledgement is about to leave), *active* (the answer came), *revoked* (by the
//! machine; keys and tokens are erased, the row stays until it is forgotten). The updates are in
//! `updates`, one for each thing that happens.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::kept::Restored;
use super::updates;
use crate::clock::UnixMillis;
use crate::identity::{DeviceId, MachineId, Pin};
use crate::names;
use crate::role::Role;
use crate::secrets::KeyKind;
use crate::store::StoreError;
use crate::store::values::{from_integer, word_column};
use crate::wire::{Address, OfferId};

pub use updates::{
    Granted, Rotated, Welcomed, activate, clear_key_changed, delete, drop_unfinished, grant, key_changed, leave,
    offline, online, rename, repin, revoke, rotate, set_addresses, set_erased, set_offer, welcome,
};

/// Where a row is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MachineState {
    /// The key is stored; the Proof may have left.
    Unfinished,
    /// The Grant is stored; the acknowledgement may have left.
    Granted,
    /// Paired.
    Active,
    /// Revoked by the machine.
    Revoked,
}

impl MachineState {
    /// The word stored in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Granted => "granted",
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }

    /// Reads the word written by [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Unfinished, Self::Granted, Self::Active, Self::Revoked].into_iter().find(|state| state.as_str() == text)
    }
}

word_column!(MachineState, MachineState::parse);

/// Who revoked this device, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Who, where the machine said so.
    pub by: Option<String>,
    /// When, by the machine's clock.
    pub at: UnixMillis,
    /// The reason, where one was given.
    pub reason: Option<String>,
}

/// A key that was seen where the pinned one was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyChange {
    /// When.
    pub at: UnixMillis,
    /// The pin of the key that was seen (the same as the row's, if the key was right and R was not).
    pub seen: Pin,
}

/// A machine, as this device knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineRow {
    /// The row's number, never reused.
    pub row: i64,
    /// Random; names the row's secrets in the secret store.
    pub label: String,
    /// The machine's id, as it said: not proven, see `docs/protocol.md`.
    pub machine_id: MachineId,
    /// What it is called here; unique among live rows, in any case of letters.
    pub name: String,
    /// What it calls itself.
    pub machine_name: String,
    /// Its platform.
    pub platform: String,
    /// The pin of its key.
    pub pin: Pin,
    /// The pin of the key that a planned change would bring; unknown before the Grant.
    pub next_pin: Option<Pin>,
    /// How many planned key changes there have been; never goes down.
    pub epoch: u64,
    /// This device's id there.
    pub device_id: DeviceId,
    /// This device's name there.
    pub device_name: String,
    /// What this device may do there.
    pub role: Role,
    /// Where the row is in its life.
    pub state: MachineState,
    /// The offer that is being used, until the acknowledgement is answered.
    pub offer_id: Option<OfferId>,
    /// Where the machine may be reached, best first.
    pub addresses: Vec<Address>,
    /// The address that worked last.
    pub last_address: Option<Address>,
    /// When the pairing was acknowledged.
    pub paired_at: Option<UnixMillis>,
    /// When it was last known to be online.
    pub last_online: Option<UnixMillis>,
    /// Since when it is offline, where it is.
    pub offline_since: Option<UnixMillis>,
    /// Why, for people.
    pub offline_reason: Option<String>,
    /// Who revoked this device, where the state is revoked.
    pub revoked: Option<Revocation>,
    /// Whether the row's secrets are erased.
    pub erased: bool,
    /// What holds the row's secrets.
    pub secret_store: KeyKind,
    /// The highest state counter that the machine has told.
    pub counter: u64,
    /// Seconds that the session may stay unused; unknown before the Grant.
    pub idle_seconds: Option<u64>,
    /// When the session ends, by the machine's clock; unknown before the Grant.
    pub expires_at: Option<UnixMillis>,
    /// A hard stop: another key, or a copied one, was seen.
    pub key_changed: Option<KeyChange>,
    /// Forgotten here since then; the machine was not told yet, and the keys stay for that alone.
    pub leaving_at: Option<UnixMillis>,
    /// It was seen with less than it had: it was restored from a backup.
    pub restored: Option<Restored>,
}

/// What a new row needs, when the Proof is about to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMachine {
    /// Random; names the row's secrets in the secret store.
    pub label: String,
    /// The machine's id, as it said.
    pub machine_id: MachineId,
    /// What it calls itself; the name here is this, cleaned, with a suffix where that is taken.
    pub machine_name: String,
    /// Its platform.
    pub platform: String,
    /// The pin that TLS proved.
    pub pin: Pin,
    /// This device's id: a hash of the key made for this row.
    pub device_id: DeviceId,
    /// The name this device gives itself.
    pub device_name: String,
    /// The role that the offer gives.
    pub role: Role,
    /// The offer; none for a typed code.
    pub offer_id: Option<OfferId>,
    /// Where the machine may be reached, best first.
    pub addresses: Vec<Address>,
    /// The address that worked.
    pub last_address: Option<Address>,
    /// What holds the row's secrets.
    pub secret_store: KeyKind,
}

const COLUMNS: &str = "row, label, machine_id, name, machine_name, platform, pin, next_pin, epoch, device_id,
    device_name, role, state, offer_id, addresses, last_address, paired_at, last_online, offline_since, offline_reason,
    revoked_by, revoked_at, revoked_reason, erased, secret_store, counter, idle_seconds, expires_at, key_changed_at,
    key_changed_seen, leaving_at, restored_at, restored_from, restored_taken";

fn from_row(row: &Row<'_>) -> rusqlite::Result<MachineRow> {
    let revoked_at: Option<UnixMillis> = row.get(21)?;
    let key_changed_at: Option<UnixMillis> = row.get(28)?;
    let key_changed_seen: Option<Pin> = row.get(29)?;
    let restored_at: Option<UnixMillis> = row.get("restored_at")?;
    let (from, taken) = (row.get::<_, Option<i64>>("restored_from")?.unwrap_or_default(), row.get("restored_taken")?);
    let revoked = match revoked_at {
        Some(at) => Some(Revocation { by: row.get(20)?, at, reason: row.get(22)? }),
        None => None,
    };
    Ok(MachineRow {
        row: row.get(0)?,
        label: row.get(1)?,
        machine_id: row.get(2)?,
        name: row.get(3)?,
        machine_name: row.get(4)?,
        platform: row.get(5)?,
        pin: row.get(6)?,
        next_pin: row.get(7)?,
        epoch: from_integer(row.get(8)?),
        device_id: row.get(9)?,
        device_name: row.get(10)?,
        role: row.get(11)?,
        state: row.get(12)?,
        offer_id: row.get(13)?,
        addresses: read_addresses(&row.get::<_, String>(14)?),
        last_address: row.get::<_, Option<String>>(15)?.and_then(|text| text.parse().ok()),
        paired_at: row.get(16)?,
        last_online: row.get(17)?,
        offline_since: row.get(18)?,
        offline_reason: row.get(19)?,
        revoked,
        erased: row.get(23)?,
        secret_store: row.get(24)?,
        counter: from_integer(row.get(25)?),
        idle_seconds: row.get::<_, Option<i64>>(26)?.map(from_integer),
        expires_at: row.get(27)?,
        key_changed: key_changed_at.zip(key_changed_seen).map(|(at, seen)| KeyChange { at, seen }),
        leaving_at: row.get(30)?,
        restored: restored_at.map(|at| Restored { at, from: from_integer(from), taken: from_integer(taken) }),
    })
}

/// Addresses are hints: one that this build cannot read is left out, and the others still help.
fn read_addresses(text: &str) -> Vec<Address> {
    let texts: Vec<String> = serde_json::from_str(text).unwrap_or_default();
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// All machines, by name, revoked ones last.
///
/// # Errors
/// The database.
pub fn list(conn: &Connection) -> Result<Vec<MachineRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM machines ORDER BY state = 'revoked', name_key, row");
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The machine of this row.
///
/// # Errors
/// The database.
pub fn get(conn: &Connection, row: i64) -> Result<Option<MachineRow>, StoreError> {
    Ok(conn.query_row(&format!("SELECT {COLUMNS} FROM machines WHERE row = ?1"), [row], from_row).optional()?)
}

/// The live row (not revoked) of this pin: the one that TLS proved, never one that a link names.
///
/// # Errors
/// The database.
pub fn by_pin(conn: &Connection, pin: &Pin) -> Result<Option<MachineRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM machines WHERE pin = ?1 AND state <> 'revoked'");
    Ok(conn.query_row(&sql, [pin], from_row).optional()?)
}

/// All rows of machines that claim this id, live ones first. An id proves nothing: see R.
///
/// # Errors
/// The database.
pub fn by_machine_id(conn: &Connection, id: &MachineId) -> Result<Vec<MachineRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM machines WHERE machine_id = ?1 ORDER BY state = 'revoked', row");
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([id], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The machine of this name, in any case of letters; a live row before a revoked one, and of revoked
/// ones the latest.
///
/// # Errors
/// The database.
pub fn by_name(conn: &Connection, name: &str) -> Result<Option<MachineRow>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM machines WHERE name_key = ?1 ORDER BY state = 'revoked', row DESC LIMIT 1");
    Ok(conn.query_row(&sql, [names::name_key(name.trim())], from_row).optional()?)
}

/// Adds an unfinished row.
///
/// # Errors
/// [`StoreError::Exists`] if there is a live row of this pin, or the label is not new.
pub fn insert(conn: &Connection, new: &NewMachine) -> Result<MachineRow, StoreError> {
    if by_pin(conn, &new.pin)?.is_some() {
        return Err(StoreError::Exists("machine"));
    }
    let machine_name = names::clean_machine_name(&new.machine_name);
    let name = names::free_name(&machine_name, |name| is_live_name(conn, name, None))?;
    let sql = "INSERT INTO machines (label, machine_id, name, name_key, machine_name, platform, pin, device_id,
                   device_name, role, state, offer_id, addresses, last_address, secret_store)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'unfinished', ?11, ?12, ?13, ?14)
               ON CONFLICT (label) DO NOTHING";
    let inserted = conn.execute(
        sql,
        params![
            new.label,
            new.machine_id,
            name,
            names::name_key(&name),
            machine_name,
            names::clean_platform(&new.platform),
            new.pin,
            new.device_id,
            names::clean_name(&new.device_name),
            new.role,
            new.offer_id,
            updates::write_addresses(&new.addresses)?,
            new.last_address.as_ref().map(ToString::to_string),
            new.secret_store,
        ],
    )?;
    if inserted != 1 {
        return Err(StoreError::Exists("label"));
    }
    get(conn, conn.last_insert_rowid())?.ok_or(StoreError::NotFound("machine"))
}

/// Whether a live row other than `except` has this name.
pub(super) fn is_live_name(conn: &Connection, name: &str, except: Option<i64>) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM machines WHERE name_key = ?1 AND state <> 'revoked' AND row IS NOT ?2)";
    Ok(conn.query_row(sql, params![names::name_key(name), except], |row| row.get(0))?)
}
