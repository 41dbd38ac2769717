//! Flows (a) and (b) on the machine, from a stranger's first message to an active device.
//!
//! The proofs are checked in [`crate::handshake`], what may be used once in [`super::offers`], and
//! what becomes durable in `rows`; here they are put in order, with the socket in between.

use super::book::Known;
use super::decoys::Decoys;
use super::events::OfferEvent;
use super::granting::{Proven, claim, grant};
use super::offers::Found;
use super::proven::Proof;
use super::shared::shown;
use super::visitor::{Gone, Visitor};
use crate::handshake::{DeviceDetails, PreviewOpened, ScanOpened};
use crate::net::upgrade::{Answer, UpgradeRequest};
use crate::wire::{OfferId, Preview, Refusal, RefusalCode, VERSION};

/// Flow (a), preview: what is this offer for? Burns nothing.
pub(super) async fn preview(visitor: Visitor, request: UpgradeRequest) -> Result<(), Gone> {
    let shared = visitor.shared();
    let Ok(opened) = PreviewOpened::open(visitor.channel(), &request.envelope) else { return visitor.refuse().await };
    let id = opened.offer();
    let found = find(&visitor, id);
    if found.is_none() && Decoys::are_skipped() {
        return visitor.refuse().await;
    }
    // The same work for an offer that nobody has: how long it takes must not tell.
    let verified = opened.verify(found.as_ref().map_or(&shared.decoys.offer, Found::key));
    let (Some(_), Ok(proven)) = (found, verified) else { return visitor.refuse().await };
    visitor.promote(Proof::Offer(id));
    if proven.version().is_err() {
        let refusal = Refusal::new(RefusalCode::Version, shared.now());
        return visitor.tell(Answer::Refusal, &proven.refuse(&refusal)?).await;
    }
    let looked = {
        let mut offers = shared.offers();
        offers.preview(id, shared.clock.elapsed()).map(|offer| (offer.number, offer.role))
    };
    let (number, role) = match looked {
        Ok(found) => found,
        Err(code) => {
            let refusal = Refusal::new(code, shared.now());
            return visitor.tell(Answer::Refusal, &proven.refuse(&refusal)?).await;
        }
    };
    let row = proven.device().and_then(|device| match shared.book.find(device) {
        Some(Known::Device(entry)) => Some(entry.row.recognition_key),
        _ => None,
    });
    let preview = Preview {
        version: VERSION,
        machine: shared.machine,
        name: shared.name.clone(),
        platform: shared.platform.clone(),
        role: shared.role_of(role),
    };
    let envelope = proven.answer(&preview, row.as_ref())?;
    let log = shared.offer_log(number);
    log.publish(OfferEvent::Previewed { from: shown(visitor.from()) });
    if let Some(expires_in) = shared.offer_time_left(number) {
        log.publish(OfferEvent::Extended { expires_in });
    }
    visitor.tell(Answer::Preview, &envelope).await
}

/// The offer a device names, live or remembered.
fn find(visitor: &Visitor, id: OfferId) -> Option<Found> {
    let shared = visitor.shared();
    shared.offers().find(id, shared.clock.elapsed())
}

/// Flow (a), pair: Proof, Grant, acknowledgement; then the connection lives on.
pub(super) async fn scan(visitor: Visitor, request: UpgradeRequest) -> Result<(), Gone> {
    let shared = visitor.shared();
    let Ok(opened) = ScanOpened::open(visitor.channel(), request.envelope.clone()) else {
        return visitor.refuse().await;
    };
    let id = opened.offer();
    let found = find(&visitor, id);
    let verified = opened.verify(found.as_ref().map_or(&shared.decoys.offer, Found::key));
    let (Some(_), Ok(proven)) = (found, verified) else { return visitor.refuse().await };
    visitor.promote(Proof::Offer(id));
    crate::fault_point!("machine-scan", proven);
    let asked = proven.request();
    let details = DeviceDetails {
        key: asked.key,
        key_kind: asked.key_kind,
        name: asked.name.clone(),
        platform: asked.platform.clone(),
    };
    let claimed = match proven.version() {
        Err(_) => Err(Refusal::new(RefusalCode::Version, shared.now())),
        Ok(_) => claim(&visitor, details.key, |offers, fresh, now| offers.claim(id, details.key, fresh, now)).await,
    };
    match claimed {
        Err(refusal) => visitor.tell(Answer::Refusal, &proven.refuse(&refusal)?).await,
        Ok(claimed) => {
            let socket = visitor.switch(&request).await?;
            grant(visitor, socket, Proven::Scan(Box::new(proven)), details, claimed).await
        }
    }
}
