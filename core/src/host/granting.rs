//! Where flows (a) and (b) meet: the offer is claimed for a proven key, the Grant goes out, and its
//! acknowledgement makes the device active.
//!
//! Called by `pairing` and `code_pairing`; `reconnect` calls [`acknowledge`] for a device that comes
//! back under a token which it was granted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::book::Known;
use super::events::{AlarmView, HostEvent, OfferEvent};
use super::frames::frame;
use super::live;
use super::offers::{Claim, ClaimDetails, ClaimGrant, ClaimOutcome, Offer, OfferNumber};
use super::proven::Proof;
use super::registry::Registration;
use super::rows::{self, Activated};
use super::shared::{Shared, shown};
use super::views::PairedView;
use super::visitor::{Gone, Visitor};
use crate::handshake::{CodeAnswered, DeviceDetails, Granted, HandshakeError, ScanProven};
use crate::identity::{DeviceId, PublicKey};
use crate::names::clean_name;
use crate::net::socket::Socket;
use crate::secrets::RecognitionKey;
use crate::store::StoreError;
use crate::store::host::devices::PairedHow;
use crate::store::host::tokens::{self, TokenState};
use crate::token::{SessionToken, TokenHash};
use crate::wire::{
    Acknowledge, Acknowledged, DeviceEvent, Envelope, Frame, Grant, Refusal, RefusalCode, VERSION, limits,
};

/// A claim that holds, and the R that goes with it.
pub(super) struct Claimed {
    pub(super) number: OfferNumber,
    pub(super) recognition_key: RecognitionKey,
    /// The device has a row, whose R this is.
    row: bool,
}

/// Consumes the offer for a key whose proofs were all valid, or says why not.
pub(super) async fn claim(
    visitor: &Visitor,
    key: PublicKey,
    take: impl FnOnce(&mut super::offers::Offers, RecognitionKey, Duration) -> ClaimOutcome,
) -> Result<Claimed, Refusal> {
    let shared = visitor.shared();
    let refusal = |code| Refusal::new(code, shared.now());
    let (recognition_key, row) = match shared.book.find(DeviceId::of(&key)) {
        // Told before the offer is consumed: the device comes back with a fresh key.
        Some(Known::Tombstone(tombstone)) => return Err(revoked(&tombstone, shared.now())),
        // Its revoke was asked for and is not stored yet.
        Some(Known::Device(_)) if shared.book.is_barred(DeviceId::of(&key)) => {
            return Err(refusal(RefusalCode::Unavailable));
        }
        Some(Known::Device(entry)) => (entry.row.recognition_key, true),
        None if shared.book.counts().0 >= limits::DEVICES => return Err(refusal(RefusalCode::Full)),
        None => (RecognitionKey::generate().map_err(|_| refusal(RefusalCode::Unavailable))?, false),
    };
    let outcome = take(&mut shared.offers(), recognition_key, shared.clock.elapsed());
    match outcome {
        ClaimOutcome::Claimed { number, recognition_key, .. } => Ok(Claimed { number, recognition_key, row }),
        ClaimOutcome::Refused { number, code, alarm } => {
            if let Some(number) = number.filter(|_| alarm) {
                ring(visitor, number).await;
            }
            Err(refusal(code))
        }
    }
}

/// The refusal that tells a revoked device who, when and why.
pub(super) fn revoked(tombstone: &crate::store::host::tombstones::Tombstone, now: i64) -> Refusal {
    Refusal {
        by: Some(tombstone.revoked_by.clone()),
        at: Some(tombstone.revoked_at),
        reason: tombstone.reason.clone(),
        ..Refusal::new(RefusalCode::Revoked, now)
    }
}

/// A second device holds the secret of a used offer.
async fn ring(visitor: &Visitor, number: OfferNumber) {
    let shared = visitor.shared();
    let paired = shared.paired_by(number);
    let alarm = AlarmView {
        offer: number,
        from: shown(visitor.from()),
        at: shared.now(),
        device: paired.as_ref().map(|(device, _)| *device),
        name: paired.map(|(_, name)| name),
    };
    let text = format!("a second device at {} tried offer {number} after it was used", alarm.from);
    shared.offer_log(number).publish(OfferEvent::Alarm(alarm.clone()));
    let AlarmView { from, at, device, name, .. } = alarm.clone();
    shared.tell(DeviceEvent::Alarm { from, at, device, name });
    shared.events.publish(HostEvent::Alarm(alarm));
    visitor.audit_failure("alarm", text).await;
}

/// How the device proved itself; both ways end in the same Grant.
pub(super) enum Proven {
    Scan(Box<ScanProven>),
    Code(Box<CodeAnswered>),
}

impl Proven {
    fn how(&self) -> PairedHow {
        match self {
            Self::Scan(_) => PairedHow::Scan,
            Self::Code(_) => PairedHow::Code,
        }
    }

    fn grant(self, grant: &Grant, row: Option<&RecognitionKey>) -> Result<(Envelope, Granted), HandshakeError> {
        match self {
            Self::Scan(proven) => proven.grant(grant, row),
            Self::Code(answered) => answered.grant(grant, row),
        }
    }
}

/// Sends the Grant and waits for its acknowledgement.
pub(super) async fn grant(
    visitor: Visitor,
    mut socket: Socket,
    proven: Proven,
    details: DeviceDetails,
    claimed: Claimed,
) -> Result<(), Gone> {
    let shared = visitor.shared();
    let key = details.key;
    let device = DeviceId::of(&key);
    // The offer is this key's now: who else holds the secret cannot take its place.
    visitor.promote(Proof::Device(device));
    let (number, how, from) = (claimed.number, proven.how(), visitor.from());
    let token = SessionToken::generate().map_err(|_| Gone)?;
    let hash = TokenHash::of(&token);
    let mut current = None;
    if claimed.row {
        let now = shared.now();
        current = shared.book.change(device, move |connection| grant_again(connection, &device, &hash, now)).await?;
    }
    let name = clean_name(&details.name);
    let grant = Grant { current, ..make_grant(&visitor, number, device, &name, &claimed, token) };
    crate::fault_point!("machine-grant", grant, claimed.recognition_key);
    // The control: what such a panic looks like where somebody prints the bytes themselves.
    crate::fault_point!("machine-leak", grant.token.expose());
    let (envelope, granted) = proven.grant(&grant, claimed.row.then_some(&claimed.recognition_key))?;
    let details = ClaimDetails {
        name: name.clone(),
        platform: clean_name(&details.platform),
        key_kind: details.key_kind,
        how,
        from,
        digits: Some(granted.digits),
    };
    if !shared.offers().granted(number, &key, ClaimGrant { token: hash, details }) {
        return Err(Gone);
    }
    let log = shared.offer_log(number);
    log.publish(OfferEvent::Claimed { from: shown(from), name });
    socket.send(Frame::Handshake(envelope)).await?;
    let time_left = shared.offer_time_left(number).unwrap_or_default();
    let (request, message) =
        tokio::time::timeout(time_left, acknowledgement(&mut socket)).await.map_err(|_| Gone)??;
    granted.acknowledged(&message)?;
    let mut registration = acknowledge(&visitor, number, device, &hash).await?;
    // Behind the registration, so that it is dropped before it: who waits for that waits for the socket.
    let mut socket = socket;
    let row = match shared.book.find(device) {
        Some(Known::Device(entry)) => entry.row,
        _ => return Err(Gone),
    };
    let answer = Acknowledged { device_name: row.name, role: row.role };
    let result = serde_json::to_value(answer).map_err(|_| Gone)?;
    live::first(&mut registration, socket.send(Frame::Answer { id: request, result: Ok(result) })).await??;
    live::begin(visitor, socket, registration, device);
    Ok(())
}

/// The token of a Grant to a key that has a row: pending, and the one of an earlier Grant is void. Gives the
/// current one, which the Grant says: a device whose acknowledgement went unanswered cannot know otherwise
/// which of its tokens works.
pub(super) fn grant_again(
    connection: &rusqlite::Connection,
    device: &DeviceId,
    token: &TokenHash,
    now: i64,
) -> Result<Option<TokenHash>, StoreError> {
    tokens::void_pending(connection, device, now)?;
    tokens::insert_pending(connection, device, token, now)?;
    tokens::prune(connection, device)?;
    let rows = tokens::of_device(connection, device)?;
    Ok(rows.iter().find(|row| row.state == TokenState::Current).map(|row| row.hash))
}

fn make_grant(
    visitor: &Visitor,
    number: OfferNumber,
    device: DeviceId,
    name: &str,
    claimed: &Claimed,
    token: SessionToken,
) -> Grant {
    let shared = visitor.shared();
    let row = match shared.book.find(device) {
        Some(Known::Device(entry)) => Some(entry.row),
        _ => None,
    };
    let (offered, named) =
        shared.offers().get(number).map(|offer| (offer.role, offer.name.clone())).unwrap_or_default();
    let offered = shared.role_of(offered);
    let idle = row.as_ref().map_or(limits::IDLE_LIFETIME.as_secs(), |row| row.idle_seconds);
    let absolute = row.as_ref().map_or(limits::ABSOLUTE_LIFETIME.as_secs(), |row| row.absolute_seconds);
    Grant {
        version: VERSION,
        token,
        current: None,
        device,
        // A row keeps its name, and its role is never lowered.
        device_name: row.as_ref().map_or_else(|| named.unwrap_or_else(|| name.to_owned()), |row| row.name.clone()),
        role: row.as_ref().map_or(offered, |row| row.role.max(offered)),
        machine: shared.machine,
        name: shared.name.clone(),
        platform: shared.platform.clone(),
        recognition_key: claimed.recognition_key.clone(),
        addresses: shared.addresses_for_devices(),
        next_pin: visitor.identity.state.next_pin,
        epoch: visitor.identity.state.epoch,
        counter: shared.book.counter(),
        idle_seconds: idle,
        expires_at: shared.judged_now().saturating_add_unsigned(absolute.saturating_mul(1000)),
    }
}

/// Makes an acknowledged device active: on the disk first, then registered. The offer is spent in
/// one step before; if the disk fails, the claim is put back and the device may try again.
///
/// In one piece, whatever becomes of the connection meanwhile: a key's connections make room for one
/// another, and an offer must not be lost, nor a pairing go untold, because this one went.
pub(super) async fn acknowledge(
    visitor: &Visitor,
    number: OfferNumber,
    device: DeviceId,
    token: &TokenHash,
) -> Result<Registration, Gone> {
    let (shared, from, token) = (Arc::clone(&visitor.shared), visitor.from(), *token);
    let piece = tokio::spawn(async move { acknowledged(&shared, from, number, device, token).await });
    piece.await.map_err(|_| Gone)?
}

async fn acknowledged(
    shared: &Shared,
    from: IpAddr,
    number: OfferNumber,
    device: DeviceId,
    token: TokenHash,
) -> Result<Registration, Gone> {
    let taken = shared.offers().acknowledge(number, &token, shared.clock.elapsed());
    let (offer, claim) = taken.ok_or(Gone)?;
    let digits = claim.granted.as_ref().and_then(|granted| granted.details.digits);
    let outcome = make_active(shared, device, offer, claim, token).await?;
    let registration = shared.book.register(device, shared.now()).ok_or(Gone)?;
    if let Some(Known::Device(entry)) = shared.book.find(device) {
        let view = rows::view(&entry.row, shared.book.registry.count(device), shared.judged_now());
        let digits = digits.map(|digits| digits.to_string()).unwrap_or_default();
        let (from, again) = (shown(from), outcome == Activated::Again);
        if again {
            // Its approval key was taken away with that: what it let in by it, and has not acknowledged, ends too.
            shared.withdraw_approvals();
        }
        shared.paired(PairedView { offer: number, device: view, digits, from, again }).await;
    }
    Ok(registration)
}

async fn make_active(
    shared: &Shared,
    device: DeviceId,
    offer: Offer,
    claim: Claim,
    token: TokenHash,
) -> Result<Activated, Gone> {
    let details = claim.granted.as_ref().map(|granted| granted.details.clone()).ok_or(Gone)?;
    let now = shared.judged_now();
    crate::fault_point!("machine-acknowledge", offer, claim, details);
    let (its_offer, its_claim) = (offer.clone(), claim.clone());
    let activate = move |connection: &rusqlite::Connection| {
        rows::activate(connection, &its_offer, &its_claim, token, &details, now)
    };
    match shared.book.change(device, activate).await {
        // The key was revoked between Grant and acknowledgement: it used nothing up.
        Ok(Activated::Revoked) => {
            put_back(shared, offer, None);
            Err(Gone)
        }
        // Who made the offer has been revoked: nobody uses it any more.
        Ok(Activated::NotInvited) => {
            shared.offers().written(offer.number);
            shared.offer_log(offer.number).publish(OfferEvent::Withdrawn);
            Err(Gone)
        }
        // The disk did what it should: the device may ask under another token, or for a fresh Grant.
        Ok(Activated::Replaced) => {
            put_back(shared, offer, Some(Claim { granted: None, ..claim }));
            Err(Gone)
        }
        Ok(outcome) => {
            shared.offers().written(offer.number);
            Ok(outcome)
        }
        Err(error) => {
            tracing::error!(%error, "a pairing could not be written");
            let name = claim.granted.as_ref().map(|granted| granted.details.name.clone()).unwrap_or_default();
            shared.offer_log(offer.number).publish(OfferEvent::NotStored { name, cause: error.to_string() });
            put_back(shared, offer, Some(claim));
            Err(Gone)
        }
    }
}

/// The offer stands again, unless the person at the machine has withdrawn it meanwhile.
fn put_back(shared: &Shared, offer: Offer, claim: Option<Claim>) {
    let number = offer.number;
    let stands = shared.offers().put_back(offer, claim);
    if !stands {
        shared.offer_log(number).publish(OfferEvent::Withdrawn);
    }
}

/// Waits for the acknowledgement; anything else ends the connection.
pub(super) async fn acknowledgement(socket: &mut Socket) -> Result<(u64, Acknowledge), Gone> {
    match frame(socket).await? {
        Frame::Request { id, method, params } if method == "acknowledge" => {
            Ok((id, serde_json::from_value::<Acknowledge>(params).map_err(|_| Gone)?))
        }
        _ => Err(Gone),
    }
}
