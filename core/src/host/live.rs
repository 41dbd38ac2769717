//! A paired device's connection while it lives: heartbeat, requests, and the coded close.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::book::Known;
use super::endings::Warned;
use super::events::DeviceEvents;
use super::nonces::Nonces;
use super::registry::Registration;
use super::rotation::Identity;
use super::shared::Shared;
use super::visitor::{Gone, Visitor};
use super::{requests, sessions};
use crate::identity::DeviceId;
use crate::net::socket::{Incoming, Socket};
use crate::wire::{CloseCode, Closing, DeviceEvent, Frame, Method, limits};

/// How long a device may take to read the reason of a close before its socket is cut.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// What is still to be said before the connection is served, unless it is to close meanwhile: from its
/// registration on, a device that does not read must not make a revoke wait.
pub(super) async fn first<T>(registration: &mut Registration, said: impl Future<Output = T>) -> Result<T, Gone> {
    tokio::select! {
        biased;
        said = said => Ok(said),
        _ = registration.closing() => Err(Gone),
    }
}

/// A connection's surroundings while it lives: no more than it needs, for there may be thousands.
pub(super) struct Live {
    pub(super) shared: Arc<Shared>,
    /// The key that this connection proved; statements on it are for that one.
    pub(super) identity: Arc<Identity>,
    from: IpAddr,
    pub(super) device: DeviceId,
    pub(super) nonces: Nonces,
    warned: Warned,
}

/// Lets the connection live on, in a task of its own: what only the handshake needed is given back,
/// and that is most of it.
pub(super) fn begin(visitor: Visitor, socket: Socket, registration: Registration, device: DeviceId) {
    visitor.settle();
    let (shared, identity) = (Arc::clone(&visitor.shared), Arc::clone(&visitor.identity));
    let (nonces, warned) = (Nonces::default(), Warned::default());
    let live = Live { shared, identity, from: visitor.from(), device, nonces, warned };
    // Boxed for the reason given in `accept`.
    visitor.shared().spawn(Box::pin(run(live, Box::new(socket), registration)));
}

/// Serves the connection until either side ends it. Returns when the socket is closed.
async fn run(mut live: Live, mut socket: Box<Socket>, mut registration: Registration) {
    announce(&live);
    let closing = serve(&mut live, &mut socket, &mut registration).await;
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
    if !expired(&live) {
        live.shared.book.saw(live.device, live.from, live.shared.now(), false);
    }
    drop(registration);
    announce(&live);
}

/// Ends with what to tell the device, if it is still there to be told.
async fn serve(live: &mut Live, socket: &mut Socket, registration: &mut Registration) -> Option<Closing> {
    let shared = Arc::clone(&live.shared);
    let mut events = DeviceEvents::new(shared.told.clone(), live.device);
    // The key was changed while this connection was on its way; what comes after is an event.
    let now = shared.identity();
    if now.state.pin != live.identity.state.pin {
        let Some(rotate) = now.rotated_from(&live.identity) else { return Some(ending(live, CloseCode::KeyReplaced)) };
        if let Err(closing) = say(live, socket, registration, Frame::Event(DeviceEvent::KeyRotated { rotate })).await {
            return Some(closing);
        }
    }
    drop(now);
    if let Err(closing) = warn(live, socket, registration).await {
        return Some(closing);
    }
    let mut addresses = shared.watch_addresses();
    let mut tick = tokio::time::interval(limits::HEARTBEAT);
    tick.reset();
    loop {
        tokio::select! {
            biased;
            closing = registration.closing() => return Some(closing),
            // Before what the device says: one that never stops talking must not outlive its session.
            _ = tick.tick() => {
                if expired(live) {
                    return Some(ending(live, CloseCode::Expired));
                }
                shared.book.saw(live.device, live.from, shared.now(), false);
                if let Err(closing) = warn(live, socket, registration).await {
                    return Some(closing);
                }
            }
            Ok(()) = addresses.changed() => {
                let list = addresses.borrow_and_update().clone();
                if let Err(closing) = say(live, socket, registration, Frame::Addresses(list)).await {
                    return Some(closing);
                }
            }
            event = events.next(|| shared.book.role(live.device)) => {
                if let Err(closing) = say(live, socket, registration, Frame::Event(event)).await {
                    return Some(closing);
                }
            }
            incoming = socket.recv() => {
                match incoming {
                    Ok(Some(Incoming::Frame(frame))) => {
                        if let Some(closing) = answer(live, socket, registration, frame).await {
                            return Some(closing);
                        }
                    }
                    Ok(Some(Incoming::Ping | Incoming::Pong)) => {}
                    Err(error) if error.is_breach() => return Some(ending(live, CloseCode::Protocol)),
                    Ok(Some(Incoming::Closed { .. }) | None) | Err(_) => return None,
                }
            }
        }
    }
}

/// Sends a frame, unless the connection is to close meanwhile: a device that does not read must not
/// make a revoke wait.
async fn say(live: &Live, socket: &mut Socket, registration: &mut Registration, frame: Frame) -> Result<(), Closing> {
    tokio::select! {
        biased;
        sent = socket.send(frame) => sent.map_err(|_| ending(live, CloseCode::Protocol)),
        closing = registration.closing() => Err(closing),
    }
}

/// Warns of sessions that end soon.
async fn warn(live: &mut Live, socket: &mut Socket, registration: &mut Registration) -> Result<(), Closing> {
    for event in live.warned.due(&live.shared, live.device) {
        say(live, socket, registration, Frame::Event(event)).await?;
    }
    Ok(())
}

fn ending(live: &Live, code: CloseCode) -> Closing {
    Closing { code, by: None, at: live.shared.now(), reason: None }
}

/// Answers one frame; a closing ends the connection.
async fn answer(
    live: &mut Live,
    socket: &mut Socket,
    registration: &mut Registration,
    frame: Frame,
) -> Option<Closing> {
    let (id, method, params) = match frame {
        Frame::Request { id, method, params } => (id, method, params),
        Frame::Unknown => return None,
        _ => return Some(ending(live, CloseCode::Protocol)),
    };
    // Boxed: a request is rare, and its room would be kept in every connection.
    let result = Box::pin(requests::answer(live, &method, params)).await;
    let unpaired = method == Method::Unpair.as_str() && result.is_ok();
    let result = result.map_err(|error| (error.code(), error.to_string()));
    let said = say(live, socket, registration, Frame::Answer { id, result }).await;
    if unpaired {
        // Whether or not the device has read its answer.
        cut_the_others(live);
        return Some(ending(live, CloseCode::Revoked));
    }
    said.err()
}

/// The device's other connections are cut by a task of their own: this one cannot wait for itself.
fn cut_the_others(live: &Live) {
    let registry = live.shared.book.registry.clone();
    let (device, closing) = (live.device, ending(live, CloseCode::Revoked));
    live.shared.spawn(async move {
        registry.cut(device, &closing).await;
    });
}

fn expired(live: &Live) -> bool {
    let shared = &live.shared;
    match shared.book.find(live.device) {
        // Connected is used, so its idle lifetime can only be over where the clock has leapt: then
        // nothing is noted, so that set right it has left no trace.
        Some(Known::Device(entry)) => sessions::is_expired(&entry.row, shared.judged_now()),
        // Revoked: the closing that says so is on its way.
        _ => false,
    }
}

fn announce(live: &Live) {
    let (shared, device) = (&live.shared, live.device);
    shared.events.presence(device, || shared.book.registry.count(device));
}
