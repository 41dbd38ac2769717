//! Hand-back without a session, in flow (f): for a device whose token a restored machine has never seen.
//!
//! The device proves its session key, as in `reconnect`, but no token: so it gets no session, only room to hand back
//! counter and tombstones (`standing`), bounded in number, size and time. Which token it has does not matter
//! then, nor whether it is suspended or expired: what it gives bears the machine's own MAC. A device that has a
//! tombstone is told so as everywhere, and may not: what it could know an owner device knows too, and a
//! revoked key is good for nothing.

use super::book::Known;
use super::decoys::Decoys;
use super::frames::frame;
use super::granting::revoked;
use super::proven::Proof;
use super::standing;
use super::visitor::{Gone, Visitor};
use crate::handshake::HandBackOpened;
use crate::identity::DeviceId;
use crate::net::socket::Socket;
use crate::net::upgrade::{Answer, UpgradeRequest};
use crate::wire::{
    CloseCode, Frame, HandBack, HandBackReady, Method, Refusal, RefusalCode, RequestError, VERSION, limits,
};

/// The whole of it.
pub(super) async fn hand_back(visitor: Visitor, request: UpgradeRequest) -> Result<(), Gone> {
    let shared = visitor.shared();
    let Ok(opened) = HandBackOpened::open(visitor.channel(), &request.envelope) else {
        return visitor.refuse().await;
    };
    let device = opened.device();
    let (key, recognition_key, code) = match shared.book.find(device) {
        Some(Known::Tombstone(tombstone)) => {
            let Ok(proven) = opened.verify(&tombstone.session_key) else { return visitor.refuse().await };
            visitor.promote(Proof::Device(device));
            let refusal = revoked(&tombstone, shared.now());
            return visitor.tell(Answer::Refusal, &proven.refuse(&tombstone.recognition_key, &refusal)?).await;
        }
        Some(Known::Device(entry)) => {
            let barred = shared.book.is_barred(device).then_some(RefusalCode::Unavailable);
            (entry.row.session_key, entry.row.recognition_key, barred)
        }
        None => {
            // The same work for a device that nobody knows: how long it takes must not tell.
            if !Decoys::are_skipped() {
                let _ = opened.verify(&shared.decoys.device);
            }
            return visitor.refuse().await;
        }
    };
    let Ok(proven) = opened.verify(&key) else { return visitor.refuse().await };
    visitor.promote(Proof::Device(device));
    if let Some(code) = code.or(proven.version().is_err().then_some(RefusalCode::Version)) {
        let refusal = Refusal::new(code, shared.now());
        return visitor.tell(Answer::Refusal, &proven.refuse(&recognition_key, &refusal)?).await;
    }
    let has = standing::standing(shared);
    let ready = HandBackReady { version: VERSION, counter: has.counter.counter, tombstones: has.tombstones };
    let ready = proven.ready(&recognition_key, &ready)?;
    let mut socket = visitor.switch(&request).await?;
    let taking = async {
        socket.send(Frame::Handshake(ready)).await?;
        take(&visitor, &mut socket, device).await
    };
    let ended = tokio::time::timeout(limits::HAND_BACK_TIME, taking).await.map_err(|_| Gone).flatten();
    socket.close(if ended.is_ok() { CloseCode::Stopping } else { CloseCode::Protocol }, "").await;
    ended
}

/// Takes back what comes, until the device goes or has asked as often as it may.
async fn take(visitor: &Visitor, socket: &mut Socket, device: DeviceId) -> Result<(), Gone> {
    for _ in 0..limits::HAND_BACKS {
        let (id, params) = match frame(socket).await? {
            Frame::Request { id, method, params } if method == Method::HandBack.as_str() => (id, params),
            _ => return Err(Gone),
        };
        // It may have been revoked since, by what it handed back itself too.
        let Some(Known::Device(entry)) = visitor.shared().book.find(device) else { return Err(Gone) };
        let taken = match serde_json::from_value::<HandBack>(params) {
            Ok(handed) => standing::take_back(&visitor.shared, device, &entry.row.name, handed).await,
            Err(_) => Err(RequestError::Params),
        };
        let result = match &taken {
            Ok(taken) => serde_json::to_value(taken).map_err(|_| (RequestError::Failed.code(), String::new())),
            Err(error) => Err((error.code(), error.to_string())),
        };
        socket.send(Frame::Answer { id, result }).await?;
        // Who shows what is not this machine's has nothing to hand back.
        taken.map_err(|_| Gone)?;
    }
    Ok(())
}
