//! The devices that are paired with this machine: one session key, one row. What changes a row is in
//! `device_updates`, one function for each event.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::clock::UnixMillis;
use crate::identity::{DeviceId, PublicKey};
use crate::names;
use crate::role::Role;
use crate::secrets::{KeyKind, RecognitionKey};
use crate::store::StoreError;
use crate::store::values::{device_and_key, from_integer, to_integer, word_column};
use crate::wire::{ApprovalGuard, limits};

pub use super::device_updates::{
    delete, enrol, forget_approval_key, forget_later_than, rename, restart_session, set_facts, set_invited_by,
    set_lifetimes, set_role, set_role_guarded, suspend, touch, unsuspend,
};

/// By which flow a device was paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairedHow {
    /// It scanned (or was given) a link.
    Scan,
    /// A person typed the code.
    Code,
    /// It asked to be let in, and somebody let it in: see [`LetIn`].
    Join,
}

impl PairedHow {
    /// The word shown to people and stored in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Code => "code",
            Self::Join => "join",
        }
    }

    /// Reads the word written by [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Scan, Self::Code, Self::Join].into_iter().find(|how| how.as_str() == text)
    }
}

word_column!(PairedHow, PairedHow::parse);

/// A suspended session: the row stays, nobody is welcomed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// When.
    pub at: UnixMillis,
    /// Why, for people.
    pub why: String,
}

/// A device's approval key: what lets it answer for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalKey {
    /// The key.
    pub key: PublicKey,
    /// What it says guards the key.
    pub guard: ApprovalGuard,
    /// When it was enrolled.
    pub at: UnixMillis,
}

/// How the person who let a device in knew which one it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetInHow {
    /// Its QR was scanned.
    Scan,
    /// The number on its screen was typed.
    Number,
    /// It used an offer that an owner device had made.
    Offer,
}

impl LetInHow {
    /// The word shown to people and stored in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Number => "number",
            Self::Offer => "offer",
        }
    }

    /// Reads the word written by [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Scan, Self::Number, Self::Offer].into_iter().find(|how| how.as_str() == text)
    }
}

word_column!(LetInHow, LetInHow::parse);
word_column!(ApprovalGuard, ApprovalGuard::parse);

/// Who let a device in that had no offer of the machine's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetIn {
    /// The device that did; none where it was the machine's shell.
    pub device: Option<DeviceId>,
    /// The name it had then, or the shell's.
    pub by: String,
    /// How it was recognised.
    pub how: LetInHow,
    /// Over which network it asked, as "LAN"; empty where it had an offer.
    pub over: String,
}

/// A paired device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its id: a hash of its session key.
    pub id: DeviceId,
    /// Its session public key.
    pub session_key: PublicKey,
    /// Its name, unique in any case of letters.
    pub name: String,
    /// What it says it runs on.
    pub platform: String,
    /// What it may do.
    pub role: Role,
    /// What it says holds its key.
    pub key_kind: KeyKind,
    /// R, by which it recognises this machine.
    pub recognition_key: RecognitionKey,
    /// When it was first paired.
    pub paired_at: UnixMillis,
    /// By which flow.
    pub paired_how: PairedHow,
    /// From which address.
    pub paired_from: String,
    /// When it was last welcomed or heard.
    pub last_seen: Option<UnixMillis>,
    /// From which address.
    pub last_address: Option<String>,
    /// Seconds that its session may stay unused.
    pub idle_seconds: u64,
    /// Seconds that its session may live in all.
    pub absolute_seconds: u64,
    /// When its session began: at pairing, and at each pairing again.
    pub session_started_at: UnixMillis,
    /// Whether, when and why it is suspended.
    pub suspended: Option<Suspension>,
    /// Its approval key, once it has brought one.
    pub approval: Option<ApprovalKey>,
    /// Who let it in, where it had no offer of the machine's own.
    pub let_in: Option<LetIn>,
}

/// What a new row needs. The id follows from the key; the name is cleaned and made free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    /// Its session public key.
    pub session_key: PublicKey,
    /// The name it gives itself, or the offer gave it.
    pub name: String,
    /// What it says it runs on.
    pub platform: String,
    /// What it may do.
    pub role: Role,
    /// What it says holds its key.
    pub key_kind: KeyKind,
    /// R, fresh.
    pub recognition_key: RecognitionKey,
    /// Now.
    pub paired_at: UnixMillis,
    /// By which flow.
    pub paired_how: PairedHow,
    /// From which address.
    pub paired_from: String,
    /// Seconds that its session may stay unused.
    pub idle_seconds: u64,
    /// Seconds that its session may live in all.
    pub absolute_seconds: u64,
    /// Who let it in; what is set if and only if it is paired by [`PairedHow::Join`].
    pub let_in: Option<LetIn>,
}

const COLUMNS: &str = "id, session_key, name, platform, role, key_kind, recognition_key, paired_at, paired_how,
    paired_from, last_seen, last_address, idle_seconds, absolute_seconds, session_started_at, suspended_at,
    suspended_why, approval_key, approval_guard, approval_at, let_in_device, let_in_by, let_in_how, let_in_over,
    let_in_offer_device, let_in_offer_by";

fn from_row(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    let (id, session_key) = device_and_key(row, 0, 1)?;
    let suspended_at: Option<UnixMillis> = row.get(15)?;
    let suspended_why: Option<String> = row.get(16)?;
    let approval = match (row.get(17)?, row.get(18)?, row.get(19)?) {
        (Some(key), Some(guard), Some(at)) => Some(ApprovalKey { key, guard, at }),
        _ => None,
    };
    let let_in = match (row.get(21)?, row.get(22)?, row.get(23)?) {
        (Some(by), Some(how), Some(over)) => Some(LetIn { device: row.get(20)?, by, how, over }),
        _ => None,
    };
    let by_offer = match (row.get(24)?, row.get(25)?) {
        (device @ Some(_), Some(by)) => Some(LetIn { device, by, how: LetInHow::Offer, over: String::new() }),
        _ => None,
    };
    Ok(DeviceRow {
        id,
        session_key,
        name: row.get(2)?,
        platform: row.get(3)?,
        role: row.get(4)?,
        key_kind: row.get(5)?,
        recognition_key: row.get(6)?,
        paired_at: row.get(7)?,
        paired_how: row.get(8)?,
        paired_from: row.get(9)?,
        last_seen: row.get(10)?,
        last_address: row.get(11)?,
        idle_seconds: from_integer(row.get(12)?),
        absolute_seconds: from_integer(row.get(13)?),
        session_started_at: row.get(14)?,
        suspended: suspended_at.zip(suspended_why).map(|(at, why)| Suspension { at, why }),
        approval,
        let_in: let_in.or(by_offer),
    })
}

/// All devices, by the time of pairing.
///
/// # Errors
/// The database.
pub fn list(conn: &Connection) -> Result<Vec<DeviceRow>, StoreError> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM devices ORDER BY paired_at, id"))?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The device of this id.
///
/// # Errors
/// The database.
pub fn get(conn: &Connection, id: &DeviceId) -> Result<Option<DeviceRow>, StoreError> {
    Ok(conn.query_row(&format!("SELECT {COLUMNS} FROM devices WHERE id = ?1"), [id], from_row).optional()?)
}

/// The device with this session key.
///
/// # Errors
/// The database.
pub fn by_key(conn: &Connection, key: &PublicKey) -> Result<Option<DeviceRow>, StoreError> {
    Ok(conn.query_row(&format!("SELECT {COLUMNS} FROM devices WHERE session_key = ?1"), [key], from_row).optional()?)
}

/// The device of this name, in any case of letters.
///
/// # Errors
/// The database.
pub fn by_name(conn: &Connection, name: &str) -> Result<Option<DeviceRow>, StoreError> {
    let key = names::name_key(name.trim());
    Ok(conn.query_row(&format!("SELECT {COLUMNS} FROM devices WHERE name_key = ?1"), [key], from_row).optional()?)
}

/// How many there are.
///
/// # Errors
/// The database.
pub fn count(conn: &Connection) -> Result<usize, StoreError> {
    let number: i64 = conn.query_row("SELECT count(*) FROM devices", [], |row| row.get(0))?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

/// How many owners there are.
///
/// # Errors
/// The database.
pub fn owners(conn: &Connection) -> Result<usize, StoreError> {
    let number: i64 =
        conn.query_row("SELECT count(*) FROM devices WHERE role = ?1", [Role::Owner], |row| row.get(0))?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

/// Adds a device under a cleaned name, with a suffix (" 2", " 3") where that is taken.
///
/// # Errors
/// [`StoreError::KeyRevoked`] for a key with a tombstone, [`StoreError::Exists`] for one that has a row,
/// [`StoreError::TooManyDevices`].
pub fn insert(conn: &Connection, new: &NewDevice) -> Result<DeviceRow, StoreError> {
    if super::tombstones::by_key(conn, &new.session_key)?.is_some() {
        return Err(StoreError::KeyRevoked);
    }
    if by_key(conn, &new.session_key)?.is_some() {
        return Err(StoreError::Exists("device key"));
    }
    if count(conn)? >= limits::DEVICES {
        return Err(StoreError::TooManyDevices(limits::DEVICES));
    }
    let name = names::free_name(&names::clean_name(&new.name), |name| is_taken(conn, name, None))?;
    let id = DeviceId::of(&new.session_key);
    let sql = "INSERT INTO devices (id, session_key, name, name_key, platform, role, key_kind, recognition_key,
                   paired_at, paired_how, paired_from, idle_seconds, absolute_seconds, session_started_at,
                   let_in_device, let_in_by, let_in_how, let_in_over)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?9, ?14, ?15, ?16, ?17)";
    let let_in = new.let_in.as_ref();
    conn.execute(
        sql,
        params![
            id,
            new.session_key,
            name,
            names::name_key(&name),
            names::clean_platform(&new.platform),
            new.role,
            new.key_kind,
            new.recognition_key,
            new.paired_at,
            new.paired_how,
            new.paired_from,
            to_integer(new.idle_seconds),
            to_integer(new.absolute_seconds),
            let_in.and_then(|let_in| let_in.device),
            let_in.map(|let_in| &let_in.by),
            let_in.map(|let_in| let_in.how),
            let_in.map(|let_in| &let_in.over),
        ],
    )?;
    get(conn, &id)?.ok_or(StoreError::NotFound("device"))
}

/// Whether a device other than `except` has this name.
pub(super) fn is_taken(conn: &Connection, name: &str, except: Option<&DeviceId>) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM devices WHERE name_key = ?1 AND id IS NOT ?2)";
    Ok(conn.prepare_cached(sql)?.query_row(params![names::name_key(name), except], |row| row.get(0))?)
}
