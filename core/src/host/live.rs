//! A paired device's connection while it lives: heartbeat, requests, and the coded close.

use std::time::Duration;

use super::accept::{Gone, Visitor};
use super::book::Known;
use super::events::HostEvent;
use super::registry::Registration;
use super::{reconnect, sessions};
use crate::identity::DeviceId;
use crate::net::socket::{Incoming, Socket};
use crate::wire::{CloseCode, Closing, Frame, limits};
use serde_json::json;

/// How long a device may take to read the reason of a close before its socket is cut.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// JSON-RPC 2.0 section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;
const INTERNAL_ERROR: i64 = -32603;

/// Serves the connection until either side ends it. Returns when the socket is closed.
pub(super) async fn run(visitor: Visitor, mut socket: Socket, mut registration: Registration, device: DeviceId) {
    let shared = visitor.shared();
    announce(&visitor, device);
    // Asked all the time, also while something is being sent: a device that reads nothing must not
    // hold up its own revoke.
    let closing = tokio::select! {
        biased;
        closing = registration.closing() => Some(closing),
        ended = serve(&visitor, &mut socket, device) => ended,
    };
    if let Some(closing) = closing {
        // One deadline for both: a device that reads nothing is cut all the same.
        let _ = tokio::time::timeout(LAST_WORDS, async {
            let _ = socket.send(Frame::Closing(closing.clone())).await;
            socket.close(closing.code, "").await;
        })
        .await;
    }
    // The socket goes first: who waits for the registration waits for the socket.
    drop(socket);
    shared.book.saw(device, visitor.from(), shared.now(), false);
    drop(registration);
    announce(&visitor, device);
}

/// Ends with what to tell the device, if it is still there to be told.
async fn serve(visitor: &Visitor, socket: &mut Socket, device: DeviceId) -> Option<Closing> {
    let shared = visitor.shared();
    let mut addresses = shared.watch_addresses();
    let mut tick = tokio::time::interval(limits::HEARTBEAT);
    tick.reset();
    loop {
        tokio::select! {
            biased;
            incoming = socket.recv() => {
                match incoming {
                    Ok(Some(Incoming::Frame(frame))) => {
                        if let Some(code) = answer(visitor, socket, device, frame).await {
                            return Some(Closing { code, by: None, at: shared.now(), reason: None });
                        }
                    }
                    Ok(Some(Incoming::Ping | Incoming::Pong)) => {}
                    _ => return None,
                }
            }
            _ = tick.tick() => {
                if expired(visitor, device) {
                    return Some(Closing { code: CloseCode::Expired, by: None, at: shared.now(), reason: None });
                }
                shared.book.saw(device, visitor.from(), shared.now(), false);
            }
            Ok(()) = addresses.changed() => {
                let list = addresses.borrow_and_update().clone();
                if socket.send(Frame::Addresses(list)).await.is_err() {
                    return None;
                }
            }
        }
    }
}

/// Answers one frame; a code ends the connection.
async fn answer(visitor: &Visitor, socket: &mut Socket, device: DeviceId, frame: Frame) -> Option<CloseCode> {
    let (id, method) = match frame {
        Frame::Request { id, method, .. } => (id, method),
        Frame::Unknown => return None,
        _ => return Some(CloseCode::Protocol),
    };
    let unpair = method == "unpair";
    let result = match method.as_str() {
        "unpair" => match reconnect::unpair(visitor, device).await {
            Ok(last_owner) => Ok(json!({ "last_owner": last_owner })),
            Err(Gone) => Err((INTERNAL_ERROR, "the machine could not write its state".to_owned())),
        },
        _ => Err((METHOD_NOT_FOUND, "this machine does not know that request".to_owned())),
    };
    let unpaired = unpair && result.is_ok();
    if socket.send(Frame::Answer { id, result }).await.is_err() {
        return Some(CloseCode::Protocol);
    }
    if unpaired {
        cut_the_others(visitor, device);
        return Some(CloseCode::Revoked);
    }
    None
}

/// The device's other connections are cut by a task of their own: this one cannot wait for itself.
fn cut_the_others(visitor: &Visitor, device: DeviceId) {
    let shared = visitor.shared();
    let registry = shared.book.registry.clone();
    let closing = Closing { code: CloseCode::Revoked, by: None, at: shared.now(), reason: None };
    shared.spawn(async move {
        registry.cut(device, &closing).await;
    });
}

fn expired(visitor: &Visitor, device: DeviceId) -> bool {
    let shared = visitor.shared();
    match shared.book.find(device) {
        // Connected is used: only the cap can end it.
        Some(Known::Device(entry)) => shared.judged_now() > sessions::ends_at(&entry.row),
        _ => true,
    }
}

fn announce(visitor: &Visitor, device: DeviceId) {
    let shared = visitor.shared();
    let connections = shared.book.registry.count(device);
    shared.events.publish(HostEvent::Presence { device, connections });
}
