//! What the machine gives away of its state, and what it takes back after it was restored from a backup.
//!
//! Owner devices are told the counter and the tombstones, each with the machine's own MAC, once they are on the disk
//! (`reconnect`, `requests`, and an event right after a revoke). A machine that shows a device less than that
//! is handed it back (`requests`, `handing_back`), and takes exactly what bears its MAC: a key that comes
//! back so is revoked as by any revoke. The bytes are `handshake::standing`'s.

use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::Connection;

use super::book::Known;
use super::shared::{Shared, lock, shown};
use super::{Host, rows};
use crate::clock::UnixMillis;
use crate::handshake::tombstones_hash;
use crate::identity::DeviceId;
use crate::names::quoted;
use crate::store::StoreError;
use crate::store::host::devices::DeviceRow;
use crate::store::host::tombstones::{self, Tombstone};
use crate::store::host::{audit, meta};
use crate::wire::{
    CloseCode, Closing, DeviceEvent, HandBack, HandedBack, Mac, RequestError, SealedKey, Standing, TombstoneProof,
    TombstonesAfter, TombstonesPage, limits,
};

/// How the machine stands, as owner devices are told.
pub(super) fn standing(shared: &Shared) -> Standing {
    let (counter, keys) = shared.book.standing();
    Standing { counter: shared.standing.prove_counter(counter), tombstones: tombstones_hash(keys) }
}

/// A tombstone as owner devices keep it.
fn prove(shared: &Shared, tombstone: &Tombstone) -> TombstoneProof {
    let bare = TombstoneProof {
        key: tombstone.session_key,
        name: tombstone.name.clone(),
        platform: tombstone.platform.clone(),
        role: tombstone.role,
        sealed: SealedKey::from_bytes([0; 32]),
        paired_at: tombstone.paired_at,
        revoked_at: tombstone.revoked_at,
        revoked_by: tombstone.revoked_by.clone(),
        reason: tombstone.reason.clone(),
        counter: tombstone.counter,
        mac: Mac::from_bytes([0; 32]),
    };
    shared.standing.prove_tombstone(bare, &tombstone.recognition_key)
}

/// One page of the newest tombstones.
pub(super) fn page(shared: &Shared, asked: TombstonesAfter) -> TombstonesPage {
    let mut newest = shared.book.newest_tombstones().into_iter();
    if let Some(after) = asked.after {
        newest.by_ref().find(|tombstone| tombstone.device == after);
    }
    let page = newest.by_ref().take(limits::TOMBSTONES_PAGE).map(|tombstone| prove(shared, &tombstone)).collect();
    TombstonesPage { tombstones: page, more: newest.next().is_some() }
}

/// Tells the owner devices of a tombstone that is on the disk.
pub(super) fn tell(shared: &Shared, device: DeviceId) {
    if let Some(Known::Tombstone(tombstone)) = shared.book.find(device) {
        let tombstone = Box::new(prove(shared, &tombstone));
        shared.tell(DeviceEvent::Tombstone { standing: standing(shared), tombstone });
    }
}

/// A paired device came with a token that this machine has never seen. That changes nothing; it is said, once for each
/// device, since each is asked again and again.
pub(super) async fn say_never_seen(shared: &Shared, row: &DeviceRow, from: IpAddr) {
    if !lock(&shared.never_seen).insert(row.id) {
        return;
    }
    let text = format!(
        "{} came from {} with a token that this machine has never seen, so it or this machine was restored from a backup: \
         a fresh offer lets it in again",
        quoted(&row.name),
        shown(from)
    );
    if let Err(error) = shared.audit("token-unknown", Some(row.id), text).await {
        tracing::warn!(%error, "the audit log could not be written");
    }
}

/// Takes back what `device` hands back under its name `by`, all of it or nothing. What is known already changes
/// nothing, and costs no write.
///
/// # Errors
/// [`RequestError::Params`]: too long. [`RequestError::NotOurs`]: something in it does not bear this machine's
/// MAC. [`RequestError::Failed`]: it could not be stored; whom it revokes is kept out meanwhile.
pub(super) async fn take_back(
    shared: &Arc<Shared>,
    device: DeviceId,
    by: &str,
    handed: HandBack,
) -> Result<HandedBack, RequestError> {
    let (lost, shown) = check(shared, &handed)?;
    let counter = shared.book.counter();
    if lost.is_empty() && shown <= counter {
        return Ok(HandedBack { counter, taken: 0, revoked: 0 });
    }
    let (host, by) = (Host { shared: Arc::clone(shared) }, by.to_owned());
    // In one piece: who goes away must not leave the sockets of a revoked device open.
    let task = tokio::spawn(async move { host.take(device, by, lost, shown).await });
    task.await.map_err(|_| RequestError::Failed)?
}

/// What of it the machine has lost, and the highest counter in it.
fn check(shared: &Shared, handed: &HandBack) -> Result<(Vec<Tombstone>, u64), RequestError> {
    if handed.is_too_long() {
        return Err(RequestError::Params);
    }
    let counter = handed.counter.as_ref().map(|proof| shared.standing.check_counter(proof)).transpose();
    let mut shown = counter.map_err(|_| RequestError::NotOurs)?.unwrap_or_default();
    let mut lost = Vec::new();
    for proof in &handed.tombstones {
        let recognition_key = shared.standing.open_tombstone(proof).map_err(|_| RequestError::NotOurs)?;
        shown = shown.max(proof.counter);
        if matches!(shared.book.find(proof.device()), Some(Known::Tombstone(_))) {
            continue;
        }
        lost.push(Tombstone {
            device: proof.device(),
            session_key: proof.key,
            name: proof.name.clone(),
            platform: proof.platform.clone(),
            role: proof.role,
            recognition_key,
            paired_at: proof.paired_at,
            revoked_at: proof.revoked_at,
            revoked_by: proof.revoked_by.clone(),
            reason: proof.reason.clone(),
            counter: proof.counter,
        });
    }
    Ok((lost, shown))
}

impl Host {
    async fn take(
        &self,
        device: DeviceId,
        by: String,
        lost: Vec<Tombstone>,
        shown: u64,
    ) -> Result<HandedBack, RequestError> {
        let (shared, now) = (&self.shared, self.shared.now());
        let ids: Vec<DeviceId> = lost.iter().map(|tombstone| tombstone.device).collect();
        let (author, tombstones) = (by.clone(), lost.clone());
        let store = move |connection: &Connection| store(connection, &tombstones, shown, &author, now);
        let stored = match shared.book.change_all(ids.clone(), store).await {
            Ok(stored) => stored,
            Err(cause) => {
                // They were revoked, whether this disk takes it or not.
                for id in ids {
                    let _ = self.keep_out(id, cause.clone(), now).await;
                }
                return Err(RequestError::Failed);
            }
        };
        let (mut cuts, mut events) = (Vec::new(), Vec::new());
        for row in &stored.revoked {
            let Some(Known::Tombstone(tombstone)) = shared.book.find(row.id) else { continue };
            let Tombstone { revoked_by: by, revoked_at: at, reason, .. } = *tombstone;
            let closing = Closing { code: CloseCode::Revoked, by: Some(by.clone()), at, reason: reason.clone() };
            if row.id == device {
                // Its own connection cannot wait for itself.
                let registry = shared.book.registry.clone();
                shared.spawn(async move {
                    registry.cut(device, &closing).await;
                });
            } else {
                cuts.push((row.id, closing));
            }
            events.push(DeviceEvent::DeviceRevoked { device: row.id, name: row.name.clone(), by, at, reason });
        }
        shared.book.registry.cut_each(&cuts).await;
        for event in events {
            self.revoked(event);
        }
        // To the others: they may have lost it as well.
        let is_row = |id: &DeviceId| stored.revoked.iter().any(|row| row.id == *id);
        stored.taken.iter().filter(|id| !is_row(id)).for_each(|id| tell(shared, *id));
        let (taken, revoked) = (stored.taken.len() as u64, stored.revoked.len() as u64);
        shared.tell(DeviceEvent::Restored { by, at: now, taken, revoked });
        shared.tell_audit(stored.lines).await;
        Ok(HandedBack { counter: stored.counter, taken, revoked })
    }
}

/// What the transaction of a hand-back did.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// Rows that the backup had brought back, which are revoked now.
    revoked: Vec<DeviceRow>,
    /// Tombstones that were lost, of those rows too.
    taken: Vec<DeviceId>,
    counter: u64,
    /// Lines of the audit log.
    lines: usize,
}

/// The transaction of a hand-back. The counter goes past `shown` first, so that each tombstone gets one that no
/// device has seen: whoever holds it in another version sees that this one is newer.
pub(super) fn store(
    connection: &Connection,
    lost: &[Tombstone],
    shown: u64,
    by: &str,
    now: UnixMillis,
) -> Result<Stored, StoreError> {
    let before = meta::counter(connection)?;
    let mut stored = Stored { counter: meta::raise_counter(connection, shown)?, ..Stored::default() };
    for tombstone in lost {
        let id = tombstone.device;
        if tombstones::get(connection, &id)?.is_some() {
            continue;
        }
        // The one verb that makes a row a tombstone; when it was, who holds it knows.
        let revoked = rows::revoke(connection, id, &tombstone.revoked_by, tombstone.reason.as_deref(), now)?;
        if let Some((row, _)) = revoked {
            tombstones::set_revoked_at(connection, &id, tombstone.revoked_at)?;
            stored.revoked.push(row);
        } else {
            let counter = meta::bump_counter(connection)?;
            tombstones::insert(connection, &Tombstone { counter, ..tombstone.clone() })?;
        }
        stored.taken.push(id);
    }
    if stored.taken.is_empty() {
        if before >= shown {
            return Ok(stored);
        }
        meta::bump_counter(connection)?;
    }
    stored.counter = meta::counter(connection)?;
    let lost = match (stored.taken.len(), stored.revoked.len()) {
        (0, _) => "no revocation was lost".to_owned(),
        (taken, 0) => format!("{taken} lost revocation(s)"),
        (taken, revoked) => {
            format!("{taken} lost revocation(s), by which {revoked} paired device(s) are revoked again")
        }
    };
    let text = format!(
        "this machine was restored from a backup: {} handed back what it had lost, {lost}; the counter was {before} and \
         is {}",
        quoted(by),
        stored.counter
    );
    audit::append(connection, now, "restored", None, &text)?;
    stored.lines = stored.revoked.len() + 1;
    Ok(stored)
}
