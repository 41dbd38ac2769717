//! What a paired device asks for on its session. The role comes first, for every request there is; what
//! lets somebody in or out needs a statement of the device's approval key besides.
//!
//! Called by `live`, one request at a time for each connection. The table of who may what is
//! [`Method`]; the verbs behind are those of the shell (`verbs`, `rows`).

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answering;
use super::authority::Authority;
use super::book::Known;
use super::live::Live;
use super::offers::MintError;
use super::{Host, HostError, MintedBy, OfferRequest};
use super::{changing, join_requests, rows, standing};
use crate::handshake::{Addressee, Stated, Statement};
use crate::names::quoted;
use crate::store::host::devices::DeviceRow;
use crate::wire::{
    DeviceEvent, DeviceListed, DevicesAfter, DevicesPage, Enrol, Method, MintRequest, MintedOffer, RequestError,
    RevokeRequest, Signed, limits,
};

/// Answers one request of a device, as its row stands now.
pub(super) async fn answer(live: &mut Live, method: &str, params: Value) -> Result<Value, RequestError> {
    let method = Method::parse(method).ok_or(RequestError::Unknown)?;
    let row = row(live)?;
    if !method.is_allowed(row.role) {
        return Err(RequestError::Role);
    }
    match method {
        Method::Unpair => unpair(live, &row).await,
        Method::Nonce => nonce(live),
        Method::Enrol => enrol(live, &row, read(params)?).await,
        Method::Devices => value(page(live, read(params)?)),
        Method::Revoke => revoke(live, &row, read(params)?).await,
        Method::Mint => mint(live, &row, read(params)?).await,
        Method::Tombstones => value(standing::page(&live.shared, read(params)?)),
        Method::HandBack => value(standing::take_back(&live.shared, live.device, &row.name, read(params)?).await?),
        Method::Inbox => value(answering::inbox(&live.shared)),
        Method::Accept => value(answering::accept(live, &row, read(params)?).await?),
        Method::Refuse => value(answering::refuse(live, read(params)?).await?),
        Method::Joins => join_requests::list(live),
        Method::ApproveJoin => join_requests::approve(live, &row, read(params)?).await,
        Method::DenyJoin => join_requests::deny(live, &row, read(params)?).await,
        Method::SetRole => changing::set_role(live, &row, read(params)?).await,
        Method::Lift => changing::lift(live, &row, read(params)?).await,
        Method::ForgetKey => changing::forget_key(live, &row, read(params)?).await,
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, RequestError> {
    serde_json::from_value(params).map_err(|_| RequestError::Params)
}

pub(super) fn value<T: Serialize>(answer: T) -> Result<Value, RequestError> {
    serde_json::to_value(answer).map_err(|_| RequestError::Failed)
}

/// The row of the device that asks. Revoked meanwhile, or kept out because its revoke could not be stored: the
/// closing that says so is on its way.
fn row(live: &Live) -> Result<DeviceRow, RequestError> {
    let book = &live.shared.book;
    match book.find(live.device) {
        Some(Known::Device(entry)) if !book.is_barred(live.device) => Ok(entry.row),
        _ => Err(RequestError::Gone),
    }
}

fn nonce(live: &mut Live) -> Result<Value, RequestError> {
    let (now, wall) = (live.shared.clock.elapsed(), live.shared.now());
    value(live.nonces.give(now, wall).map_err(|_| RequestError::Failed)?)
}

/// This machine, as statements on this connection name it: by the key that was proven to the device.
pub(super) fn addressee(live: &Live) -> Addressee {
    let keys = &live.identity.state;
    Addressee { pin: keys.pin, machine: live.shared.machine, epoch: keys.epoch }
}

/// Checks a statement: its nonce first, which is spent by that, then the signature of the key.
pub(super) fn check(
    live: &mut Live,
    key: Option<crate::identity::PublicKey>,
    signed: &Signed,
    stated: &Stated<'_>,
) -> Result<(), RequestError> {
    let shared = &live.shared;
    if !live.nonces.take(signed, shared.clock.elapsed()) {
        return Err(RequestError::Nonce);
    }
    let key = key.ok_or(RequestError::Statement)?;
    Statement::check(&addressee(live), &key, signed, stated).map_err(|_| RequestError::Statement)
}

/// The device's approval key, once. Another one only after a fresh offer, or where somebody who may has
/// taken the first away.
async fn enrol(live: &mut Live, row: &DeviceRow, asked: Enrol) -> Result<Value, RequestError> {
    let stated = Stated::Enrol { device: live.device, key: asked.key, guard: asked.guard };
    check(live, Some(asked.key), &asked.signed, &stated)?;
    // A key that connects by itself would answer without anybody there.
    if asked.key == row.session_key {
        return Err(RequestError::Params);
    }
    let (device, now, name) = (live.device, live.shared.now(), row.name.clone());
    let change = move |connection: &rusqlite::Connection| rows::enrol(connection, device, &name, &asked, now);
    match live.shared.book.change(device, change).await {
        Ok(true) => {
            if row.approval.is_some() {
                // The same key, guarded by something else from now on.
                live.shared.tell_changed(device, format!("{} itself", quoted(&row.name)));
            }
            live.shared.tell_last_audit().await;
            Ok(json!({}))
        }
        Ok(false) => Err(RequestError::Exists),
        Err(_) => Err(RequestError::Failed),
    }
}

fn page(live: &Live, asked: DevicesAfter) -> DevicesPage {
    let (shared, now) = (&live.shared, live.shared.judged_now());
    let mut rows = shared.book.rows();
    rows.sort_by_key(|row| row.id);
    let mut rows = rows.into_iter().filter(|row| asked.after.is_none_or(|after| row.id > after));
    let devices = rows.by_ref().take(limits::DEVICES_PAGE).map(|row| {
        let view = rows::view(&row, shared.book.registry.count(row.id), now);
        DeviceListed {
            id: view.id,
            name: view.name,
            platform: view.platform,
            role: view.role,
            connected: view.connected,
            paired_at: view.paired_at,
            last_seen: view.last_seen,
            suspended: view.suspended,
            expired: view.expired,
            ends_at: view.ending.map(|ending| ending.at),
            approval: view.approval,
        }
    });
    DevicesPage { devices: devices.collect(), more: rows.next().is_some() }
}

async fn revoke(live: &mut Live, row: &DeviceRow, asked: RevokeRequest) -> Result<Value, RequestError> {
    let reason = asked.reason.as_deref().unwrap_or_default();
    let stated = Stated::Revoke { device: asked.device, reason };
    check(live, row.approval.as_ref().map(|approval| approval.key), &asked.signed, &stated)?;
    if asked.device == live.device {
        // Its own connection cannot wait for itself: that is `unpair`.
        return Err(RequestError::Itself);
    }
    let host = Host { shared: live.shared.clone() };
    let authority = Authority::of(live, row);
    match host.revoke_by(asked.device, authority, asked.reason).await {
        Ok(revoked) => Ok(json!({ "name": revoked.device.name, "connections_cut": revoked.connections_cut })),
        Err(HostError::NoDevice(_)) => Err(RequestError::Gone),
        Err(HostError::NotAnOwner) => Err(RequestError::Role),
        Err(_) => Err(RequestError::Failed),
    }
}

/// An offer made from afar: as long as the device that made it is an owner.
async fn mint(live: &mut Live, row: &DeviceRow, asked: MintRequest) -> Result<Value, RequestError> {
    let (name, lifetime) = (asked.name.as_deref().unwrap_or_default(), asked.lifetime_seconds.unwrap_or_default());
    let stated = Stated::Mint { role: asked.role, name, lifetime_seconds: lifetime };
    check(live, row.approval.as_ref().map(|approval| approval.key), &asked.signed, &stated)?;
    // At most its own: an owner's is the highest, and the table lets nobody else here.
    if asked.role > row.role {
        return Err(RequestError::Role);
    }
    let host = Host { shared: Arc::clone(&live.shared) };
    let request = OfferRequest {
        link: true,
        code: true,
        role: Some(asked.role),
        name: asked.name,
        lifetime: asked.lifetime_seconds.map(Duration::from_secs),
        minted_by: Some(MintedBy { device: live.device, name: row.name.clone() }),
    };
    let offer = host.create_offer(request).map_err(|error| match error {
        HostError::Mint(MintError::Lifetime) => RequestError::Params,
        HostError::Mint(MintError::TooMany) => RequestError::Full,
        _ => RequestError::Failed,
    })?;
    let text = format!("{} made offer {} for {}", quoted(&row.name), offer.number, asked.role);
    if let Err(error) = live.shared.audit_by("offered", Some(live.device), Some(live.device), text).await {
        tracing::warn!(%error, "the audit log could not be written");
    }
    // Revoked while it was made: the revoke may have looked for its offers just before.
    if !Authority::of(live, row).stands_now(&live.shared) {
        let _ = host.cancel_offer(offer.number);
        return Err(RequestError::Gone);
    }
    value(MintedOffer {
        number: offer.number,
        link: offer.link.map(|link| link.to_text().to_string()),
        code: offer.code.map(|code| code.expose_groups().to_string()),
        expires_in_seconds: offer.lifetime.as_secs(),
    })
}

/// The device revokes itself; says whether it was the last owner.
async fn unpair(live: &Live, row: &DeviceRow) -> Result<Value, RequestError> {
    let (shared, device, now) = (&live.shared, live.device, live.shared.now());
    let by = format!("{} itself", quoted(&row.name));
    let author = by.clone();
    let change =
        move |connection: &rusqlite::Connection| rows::revoke(connection, device, &author, Some("unpaired"), now);
    match shared.book.change(device, change).await {
        Ok(Some((_, last_owner))) => {
            let (name, reason) = (row.name.clone(), Some("unpaired".to_owned()));
            let host = Host { shared: Arc::clone(shared) };
            host.revoked(DeviceEvent::DeviceRevoked { device, name, by, at: now, reason });
            shared.tell_last_audit().await;
            Ok(json!({ "last_owner": last_owner }))
        }
        Ok(None) => Err(RequestError::Gone),
        Err(_) => Err(RequestError::Failed),
    }
}
