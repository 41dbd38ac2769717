//! The device verbs as transactions: the one place where a pairing becomes a row and a revoke a
//! tombstone. Called by the running host through its book, and by [`super::OfflineHost`] directly.

use rusqlite::Connection;

use super::authority::Authority;
use super::offers::{Claim, ClaimDetails, Offer};
use super::views::{AuditView, DeviceChange, DeviceView, TombstoneView};
use super::{HostError, sessions};
use crate::clock::UnixMillis;
use crate::identity::DeviceId;
use crate::names::{self, Unselected, quoted};
use crate::role::Role;
use crate::store::StoreError;
use crate::store::host::audit::AuditRow;
use crate::store::host::devices::{self, DeviceRow, NewDevice};
use crate::store::host::tokens::TokenState;
use crate::store::host::tombstones::{self, Tombstone};
use crate::store::host::{audit, meta, tokens};
use crate::token::TokenHash;
use crate::wire::{ApprovalGuard, Enrol, limits};

/// Who acts when somebody acts at the machine's shell.
pub const SHELL: &str = "the machine's shell";

/// What an acknowledgement led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activated {
    /// A new row.
    New,
    /// The row it had, with a new session.
    Again,
    /// The key was revoked meanwhile: no device.
    Revoked,
    /// The device that made the offer is no owner any more: no device.
    NotInvited,
    /// Another Grant to its row has taken this one's place: nothing is changed.
    Replaced,
}

/// Makes an acknowledged claim a device, or renews the row it has.
pub(super) fn activate(
    connection: &Connection,
    offer: &Offer,
    claim: &Claim,
    token: TokenHash,
    details: &ClaimDetails,
    now: UnixMillis,
) -> Result<Activated, StoreError> {
    let id = DeviceId::of(&claim.key);
    if tombstones::get(connection, &id)?.is_some() {
        return Ok(Activated::Revoked);
    }
    // Decided here and now: who made the offer may have been revoked since.
    if let Some(by) = &offer.minted_by
        && !is_owner(connection, &by.device)?
    {
        return Ok(Activated::NotInvited);
    }
    // Decided here and now: two first devices at once must not both become owner.
    let role = offer.role.unwrap_or(Role::for_new_device(devices::owners(connection)? > 0));
    let from = details.from.to_string();
    let outcome = if let Some(row) = devices::get(connection, &id)? {
        // Its Grant's token stands as pending: the acknowledgement presents it.
        if !make_current(connection, &id, &token, now)? {
            return Ok(Activated::Replaced);
        }
        if role > row.role {
            devices::set_role(connection, &id, role)?;
        }
        devices::restart_session(connection, &id, now)?;
        devices::unsuspend(connection, &id)?;
        // Its chip may have lost the approval key: with a fresh offer in hand it may bring another.
        devices::forget_approval_key(connection, &id)?;
        Activated::Again
    } else {
        let new = NewDevice {
            session_key: claim.key,
            name: offer.name.clone().unwrap_or_else(|| details.name.clone()),
            platform: details.platform.clone(),
            role,
            key_kind: details.key_kind,
            recognition_key: claim.recognition_key.clone(),
            paired_at: now,
            paired_how: details.how,
            paired_from: from.clone(),
            idle_seconds: limits::IDLE_LIFETIME.as_secs(),
            absolute_seconds: limits::ABSOLUTE_LIFETIME.as_secs(),
            let_in: None,
        };
        devices::insert(connection, &new)?;
        if let Some(by) = &offer.minted_by {
            devices::set_invited_by(connection, &id, &by.device, &by.name)?;
        }
        tokens::set_current(connection, &id, &token, now)?;
        Activated::New
    };
    // The clock's floor is left alone: a pairing under a clock that has leapt must not end the sessions
    // of all other devices once it is set right.
    devices::touch(connection, &id, now, &from)?;
    let (digits, how) = (details.digits.map(|digits| digits.to_string()).unwrap_or_default(), details.how.as_str());
    let name = devices::get(connection, &id)?.map(|row| row.name).unwrap_or_default();
    let again = if outcome == Activated::Again { " again" } else { "" };
    let invited = offer.minted_by.as_ref().map(|by| format!(", invited by {}", quoted(&by.name))).unwrap_or_default();
    let text = format!("paired {}{again} as {role} from {from}, by {how}, check {digits}{invited}", quoted(&name));
    let inviter = offer.minted_by.as_ref().map(|by| &by.device);
    audit::append_by(connection, now, "paired", Some(&id), inviter, &text)?;
    Ok(outcome)
}

/// Whether a device stands as an owner in this transaction.
pub(super) fn is_owner(connection: &Connection, device: &DeviceId) -> Result<bool, StoreError> {
    let row = devices::get(connection, device)?;
    Ok(row.is_some_and(|row| row.role == Role::Owner && row.suspended.is_none()))
}

/// Promotes a token that a device presented. Whether it is current now: another connection of the
/// device may have promoted the very same one meanwhile, or the other pending one, which voids this.
pub(super) fn make_current(
    connection: &Connection,
    device: &DeviceId,
    token: &TokenHash,
    now: UnixMillis,
) -> Result<bool, StoreError> {
    if tokens::promote(connection, device, token, now)? {
        tokens::prune(connection, device)?;
        return Ok(true);
    }
    let rows = tokens::of_device(connection, device)?;
    Ok(rows.iter().any(|row| row.state == TokenState::Current && row.hash.ct_eq(token)))
}

/// Makes a device a tombstone, and says whether it was the last owner. `None` if there is no such device.
pub(super) fn revoke(
    connection: &Connection,
    id: DeviceId,
    by: &str,
    reason: Option<&str>,
    now: UnixMillis,
) -> Result<Option<(DeviceRow, bool)>, StoreError> {
    revoke_as(connection, id, (by, None), reason, now)
}

/// The same, by the name that is told, and the device of that name where one did it.
pub(super) fn revoke_as(
    connection: &Connection,
    id: DeviceId,
    (by, device): (&str, Option<DeviceId>),
    reason: Option<&str>,
    now: UnixMillis,
) -> Result<Option<(DeviceRow, bool)>, StoreError> {
    let Some(row) = devices::get(connection, &id)? else { return Ok(None) };
    tombstones::bury(connection, &id, now, by, reason)?;
    let last_owner = row.role == Role::Owner && devices::owners(connection)? == 0;
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let text = format!("revoked {} by {by}{why}", quoted(&row.name));
    audit::append_by(connection, now, "revoked", Some(&id), device.as_ref(), &text)?;
    Ok(Some((row, last_owner)))
}

/// Stores the approval key that a device brings, once; `false` where it has another.
pub(super) fn enrol(
    connection: &Connection,
    id: DeviceId,
    name: &str,
    asked: &Enrol,
    now: UnixMillis,
) -> Result<bool, StoreError> {
    let before = devices::get(connection, &id)?.and_then(|row| row.approval);
    if !devices::enrol(connection, &id, &asked.key, asked.guard, now)? {
        return Ok(false);
    }
    if before.is_none_or(|before| before.guard != asked.guard) {
        let guard = match asked.guard {
            ApprovalGuard::Lock => "guarded by its lock",
            ApprovalGuard::Passphrase => "guarded by a passphrase",
            ApprovalGuard::Nothing => "guarded by nothing",
        };
        audit::append(connection, now, "approval-key", Some(&id), &format!("{} answers, {guard}", quoted(name)))?;
    }
    Ok(true)
}

/// Gives a device another name.
pub(super) fn rename(connection: &Connection, id: DeviceId, name: &str, now: UnixMillis) -> Result<(), HostError> {
    let row = devices::get(connection, &id)?.ok_or_else(|| HostError::NoDevice(name.to_owned()))?;
    let clean = devices::rename(connection, &id, name)?;
    audit::append(
        connection,
        now,
        "renamed",
        Some(&id),
        &format!("renamed {} to {}", quoted(&row.name), quoted(&clean)),
    )?;
    Ok(())
}

/// Ten years of 366 days, in seconds: the longest life of a session.
pub(super) const TEN_YEARS: u64 = 316_224_000;

/// Changes a device at the machine's shell.
pub(super) fn set(
    connection: &Connection,
    id: DeviceId,
    change: &DeviceChange,
    now: UnixMillis,
) -> Result<(), HostError> {
    set_by(connection, id, change, &Authority::Console(SHELL.to_owned()), now).map(|_| ())
}

/// Changes what a device may do, whoever says so; whether anything was another before. An owner's standing is
/// looked at here.
pub(super) fn set_by(
    connection: &Connection,
    id: DeviceId,
    change: &DeviceChange,
    by: &Authority,
    now: UnixMillis,
) -> Result<bool, HostError> {
    if !by.stands(connection)? {
        return Err(HostError::NotAnOwner);
    }
    let row = devices::get(connection, &id)?.ok_or_else(|| HostError::NoDevice(id.text()))?;
    let role = change.role.filter(|role| *role != row.role);
    let idle = change.idle.map_or(row.idle_seconds, |idle| idle.as_secs());
    let absolute = change.absolute.map_or(row.absolute_seconds, |absolute| absolute.as_secs());
    // Everything is checked before anything is written, and the role, whose guard is in the statement, comes first.
    let lifetimes = ((idle, absolute) != (row.idle_seconds, row.absolute_seconds)).then_some((idle, absolute));
    if lifetimes.is_some() && (idle < 60 || absolute > TEN_YEARS || idle > absolute) {
        return Err(HostError::Lifetime);
    }
    let mut said = Vec::new();
    if let Some(role) = role {
        if !devices::set_role_guarded(connection, &id, role)? {
            return Err(HostError::LastOwner(row.name));
        }
        said.push(format!("role {role}"));
    }
    if let Some((idle, absolute)) = lifetimes {
        devices::set_lifetimes(connection, &id, Some(idle), Some(absolute))?;
        said.push(format!("unused at most {}, in all at most {}", in_words(idle), in_words(absolute)));
    }
    let from_afar = match by {
        Authority::Console(_) => String::new(),
        Authority::Owner { .. } => format!(", by {}", by.actor()),
    };
    let mut changed = !said.is_empty();
    if changed {
        let text = format!("set {} to {}{from_afar}", quoted(&row.name), said.join(", "));
        audit::append(connection, now, "set", Some(&id), &text)?;
    }
    if change.lift && devices::unsuspend(connection, &id)? {
        changed = true;
        let text = format!("{} is suspended no more{from_afar}", quoted(&row.name));
        audit::append(connection, now, "lifted", Some(&id), &text)?;
    }
    if change.forget_approval_key && row.approval.is_some() {
        changed = true;
        devices::forget_approval_key(connection, &id)?;
        let text = format!("the approval key of {} is forgotten{from_afar}", quoted(&row.name));
        audit::append(connection, now, "approval-key", Some(&id), &text)?;
    }
    Ok(changed)
}

/// The clock was wrong and is set right: forgets its floor, and what was noted in the future.
pub(super) fn reset_clock(connection: &Connection, now: UnixMillis) -> Result<(), StoreError> {
    meta::reset_latest_welcome(connection, now)?;
    devices::forget_later_than(connection, now)
}

/// Finds one device, by [`names::select`].
pub(super) fn select(rows: &[DeviceRow], selector: &str) -> Result<DeviceRow, HostError> {
    match names::select(rows, selector, |row| (row.id, &row.name)) {
        Ok(row) => Ok(row.clone()),
        Err(Unselected::Several) => Err(HostError::Ambiguous(selector.to_owned())),
        Err(Unselected::Nobody) => Err(HostError::NoDevice(selector.to_owned())),
    }
}

/// A device as it is shown; `now` is the judged time.
pub(super) fn view(row: &DeviceRow, connected: usize, now: UnixMillis) -> DeviceView {
    DeviceView {
        id: row.id,
        name: row.name.clone(),
        platform: row.platform.clone(),
        role: row.role,
        key_kind: row.key_kind,
        paired_at: row.paired_at,
        paired_how: row.paired_how,
        paired_from: row.paired_from.clone(),
        let_in: row.let_in.clone().map(Box::new),
        last_seen: row.last_seen,
        last_address: row.last_address.clone(),
        connected,
        idle_seconds: row.idle_seconds,
        absolute_seconds: row.absolute_seconds,
        expires_at: sessions::expires_at(row),
        expired: sessions::is_expired(row, now),
        ending: sessions::ending(row, now),
        suspended: row.suspended.as_ref().map(|suspension| suspension.why.clone()),
        approval: row.approval.as_ref().map(|approval| approval.guard),
    }
}

/// A tombstone as it is shown.
pub(super) fn tombstone_view(tombstone: &Tombstone) -> TombstoneView {
    TombstoneView {
        id: tombstone.device,
        name: tombstone.name.clone(),
        platform: tombstone.platform.clone(),
        role: tombstone.role,
        revoked_at: tombstone.revoked_at,
        revoked_by: tombstone.revoked_by.clone(),
        reason: tombstone.reason.clone(),
    }
}

/// A line of the audit log as it is shown.
pub(super) fn audit_view(row: AuditRow) -> AuditView {
    AuditView { seq: row.seq, at: row.at, kind: row.kind, device: row.device, text: row.text }
}

/// A lifetime in its largest whole unit.
fn in_words(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(24 * 60 * 60, "days"), (60 * 60, "hours"), (60, "minutes")];
    match UNITS.iter().find(|(unit, _)| seconds.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} seconds"),
    }
}
