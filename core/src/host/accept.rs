//! From an accepted socket to a flow: the part of a connection in which it is a stranger's.
//!
//! Everything here is bounded: connections by the gate, time by one deadline, bytes by the limit
//! under TLS, lines in the audit log by the hour. All refusals of strangers have one shape.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::shared::Shared;
use super::visitor::{Gone, Standing, Visitor};
use super::{code_pairing, handing_back, joining, pairing, reconnect, recovery};
use crate::net::gate::{Ear, Ticket};
use crate::net::tls;
use crate::net::upgrade::{self};
use crate::wire::{Flow, limits};

/// A pause after accepting failed (too many open files): the next try may succeed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Evicted strangers whose sockets are not closed yet, at most. Without a bound a crowd that comes faster
/// than the one before it goes would use up the files of the process.
const LEAVING: usize = 16;

/// A stranger's place: in the order of eviction, and among the sockets that are open.
type Place = (Ticket, OwnedSemaphorePermit);

/// Accepts until the host stops.
pub(super) async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(limits::STRANGERS + LEAVING));
    let mut failing = false;
    loop {
        // Never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, peer)) => {
                failing = false;
                let from = peer.ip().to_canonical();
                // Admitted in the order of arrival, before any task runs: a newcomer must never count
                // as older than the crowd that came before it.
                let ticket = shared.gate.admit(from);
                // Boxed: a task's own room is aligned memory, of which some allocators do not use a freed
                // piece again; a handshake's seven KiB would be lost beside every connection that stays.
                shared.spawn(Box::pin(stranger(Arc::clone(&shared), socket, from, (ticket, place))));
            }
            Err(error) => {
                // Said once for each time, not ten times a second.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(
                        %error,
                        "a connection could not be accepted, trying again and again: where too many files are open, raise \
                         the limit (ulimit -n)"
                    );
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, from its first byte to its end.
async fn stranger(shared: Arc<Shared>, socket: TcpStream, from: IpAddr, place: Place) {
    let (standing, seen) = watch::channel(Standing::Stranger);
    let ear = place.0.ear();
    tokio::select! {
        biased;
        _ = greet(Arc::clone(&shared), socket, from, ear, standing) => {}
        () = overdue(shared, place, seen) => {}
    }
}

/// Resolves when the connection has to go, by the bounds of what it is: a stranger's until it has
/// proven something, then those of its proof until it is a session.
async fn overdue(shared: Arc<Shared>, (ticket, room): Place, mut standing: watch::Receiver<Standing>) {
    tokio::select! {
        biased;
        _ = standing.wait_for(|standing| *standing != Standing::Stranger) => {
            ticket.promote();
            drop(room);
        }
        () = ticket.evicted() => return,
        () = tokio::time::sleep(limits::STRANGER_TIME) => return,
    }
    loop {
        let Standing::Proven(proof) = *standing.borrow_and_update() else { break };
        let mut place = shared.proven.admit(proof);
        tokio::select! {
            biased;
            changed = standing.changed() => if changed.is_err() { break },
            () = place.evicted() => return,
        }
    }
    // A session, or the flow is over: either way it is not for us to end it.
    std::future::pending::<()>().await;
}

async fn greet(
    shared: Arc<Shared>,
    socket: TcpStream,
    from: IpAddr,
    ear: Ear,
    standing: watch::Sender<Standing>,
) -> Result<(), Gone> {
    // One look: the key in the configuration and the pin in the transcript belong together.
    let identity = shared.identity();
    let to = socket.local_addr().ok().map(|local| local.ip().to_canonical());
    let accepted = tls::accept(socket, Arc::clone(&identity.tls), identity.state.pin, limits::STRANGER_TIME)
        .await
        .map_err(|_| Gone)?;
    // It speaks TLS: whoever only opens connections goes before it.
    ear.heard();
    let mut stream = accepted.stream;
    let request = upgrade::read_request(&mut stream).await;
    let visitor = Visitor {
        shared,
        identity,
        channel: accepted.channel,
        from,
        to,
        limit: accepted.limit,
        standing,
        stream: Mutex::new(Some(stream)),
    };
    crate::fault_point!("machine-request", request);
    match request {
        Err(_) => visitor.refuse().await,
        #[cfg(feature = "echo")]
        Ok(request) if super::echo::is_asked_for(&request) => super::echo::run(visitor, request).await,
        Ok(request) => match request.flow {
            Flow::Preview => pairing::preview(visitor, request).await,
            Flow::Scan => pairing::scan(visitor, request).await,
            Flow::Code => code_pairing::code(visitor, request).await,
            Flow::Join => joining::join(visitor, request).await,
            Flow::Resume => reconnect::resume(visitor, request).await,
            Flow::Recovery => recovery::recover(visitor, request).await,
            Flow::HandBack => handing_back::hand_back(visitor, request).await,
        },
    }
}
