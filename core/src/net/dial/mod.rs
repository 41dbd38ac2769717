//! Reaching a machine by whichever of its addresses answers first with the right key.
//!
//! Addresses are hints. They are raced in their order, each with a head start ([`Timeouts::stagger`])
//! over the next, up to and with the pin check: a wrong key at one address never wins over the right
//! one at another. Nothing but TLS's own messages leaves before the pin holds. Used by the device's
//! engine, which then calls [`super::upgrade::request`].

mod error;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until, timeout};

pub use error::{Cause, DialError};

use super::BoxedStream;
use super::tls::{PinCheck, connect};
use crate::handshake::Channel;
use crate::wire::{Address, limits};

/// IP addresses tried for one name, at most.
const ADDRESSES_PER_NAME: usize = 4;

/// How long a dial may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Head start of an address over the next one.
    pub stagger: Duration,
    /// For looking up a name, for TCP, and for TLS, each.
    pub step: Duration,
    /// For the whole dial.
    pub overall: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { stagger: Duration::from_millis(150), step: Duration::from_secs(5), overall: Duration::from_secs(10) }
    }
}

/// A connection whose pin holds.
pub struct Dialled {
    /// The connection, TLS finished.
    pub stream: BoxedStream,
    /// What the handshake binds to.
    pub channel: Channel,
    /// The hint that led here.
    pub address: Address,
    /// What it led to.
    pub peer: SocketAddr,
}

impl fmt::Debug for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialled").field("address", &self.address).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Dials a machine. Drop the future to give up; nothing of it goes on.
///
/// # Errors
/// See [`DialError`].
pub async fn dial(addresses: &[Address], check: PinCheck, timeouts: Timeouts) -> Result<Dialled, DialError> {
    let mut race = Race::new(addresses, check, timeouts);
    if race.waiting.is_empty() {
        return Err(DialError::NoAddress);
    }
    match timeout(timeouts.overall, race.run()).await {
        Ok(Some(dialled)) => Ok(dialled),
        Ok(None) | Err(_) => Err(race.lost()),
    }
}

/// One thing to try.
enum Step {
    Resolve(Address),
    Connect(Address, SocketAddr),
}

enum Outcome {
    Resolved(Address, Vec<SocketAddr>),
    Reached(Dialled),
    Failed(Address, Cause),
}

struct Race {
    check: PinCheck,
    timeouts: Timeouts,
    hints: Vec<Address>,
    waiting: VecDeque<Step>,
    running: FuturesUnordered<BoxFuture<'static, Outcome>>,
    tried: HashSet<SocketAddr>,
    causes: Vec<(Address, Cause)>,
}

impl Race {
    fn new(addresses: &[Address], check: PinCheck, timeouts: Timeouts) -> Self {
        let mut hints: Vec<Address> = Vec::new();
        for address in addresses.iter().take(limits::ADDRESSES) {
            if !hints.contains(address) {
                hints.push(address.clone());
            }
        }
        let waiting = hints
            .iter()
            .map(|address| match address.ip() {
                Some(ip) => Step::Connect(address.clone(), SocketAddr::new(ip, address.port)),
                None => Step::Resolve(address.clone()),
            })
            .collect();
        let (running, tried, causes) = (FuturesUnordered::new(), HashSet::new(), Vec::new());
        Self { check, timeouts, hints, waiting, running, tried, causes }
    }

    /// The first connection whose pin holds, or `None` when all have failed.
    async fn run(&mut self) -> Option<Dialled> {
        let mut next_start = Instant::now();
        loop {
            if self.running.is_empty() || Instant::now() >= next_start {
                if let Some(step) = self.waiting.pop_front() {
                    self.start(step);
                    next_start = Instant::now() + self.timeouts.stagger;
                    continue;
                }
                if self.running.is_empty() {
                    return None;
                }
            }
            tokio::select! {
                Some(outcome) = self.running.next() => {
                    // Whatever failed leaves its turn to the next one at once.
                    next_start = Instant::now();
                    match outcome {
                        Outcome::Reached(dialled) => return Some(dialled),
                        Outcome::Failed(address, cause) => self.causes.push((address, cause)),
                        Outcome::Resolved(address, peers) => {
                            for peer in peers.into_iter().rev() {
                                self.waiting.push_front(Step::Connect(address.clone(), peer));
                            }
                        }
                    }
                }
                () = sleep_until(next_start), if !self.waiting.is_empty() => {}
            }
        }
    }

    fn start(&mut self, step: Step) {
        let limit = self.timeouts.step;
        match step {
            Step::Resolve(address) => self.running.push(Box::pin(resolve(address, limit))),
            // Two hints may lead to one place: once is enough.
            Step::Connect(address, peer) if !self.tried.insert(peer) => self.hints.retain(|hint| *hint != address),
            Step::Connect(address, peer) => {
                self.running.push(Box::pin(reach(address, peer, self.check.clone(), limit)));
            }
        }
    }

    /// What to tell a person; what has not failed yet did not answer in time.
    fn lost(self) -> DialError {
        let mut causes = self.causes;
        for hint in self.hints {
            if !causes.iter().any(|(address, _)| *address == hint) {
                causes.push((hint, Cause::TimedOut));
            }
        }
        let wrong = causes.iter().find_map(|(address, cause)| match cause {
            Cause::WrongKey(seen) => Some((address.clone(), *seen)),
            _ => None,
        });
        if let Some((address, seen)) = wrong {
            return DialError::WrongKey { address, seen, causes };
        }
        match causes.iter().find(|(_, cause)| matches!(cause, Cause::NotPairpin(_))) {
            Some((address, _)) => DialError::NotPairpin { address: address.clone(), causes },
            None => DialError::Unreachable { causes },
        }
    }
}

async fn resolve(address: Address, limit: Duration) -> Outcome {
    let look_up = async {
        let found = lookup_host((address.host.as_str(), address.port)).await;
        found.map(|found| found.take(ADDRESSES_PER_NAME).collect::<Vec<_>>()).unwrap_or_default()
    };
    let found = timeout(limit, look_up).await;
    match found {
        Ok(peers) if peers.is_empty() => Outcome::Failed(address, Cause::UnknownName),
        Ok(peers) => Outcome::Resolved(address, peers),
        Err(_) => Outcome::Failed(address, Cause::TimedOut),
    }
}

async fn reach(address: Address, peer: SocketAddr, check: PinCheck, limit: Duration) -> Outcome {
    let socket = match timeout(limit, TcpStream::connect(peer)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Outcome::Failed(address, error.into()),
        Err(_) => return Outcome::Failed(address, Cause::TimedOut),
    };
    match connect(socket, check, limit).await {
        Ok((stream, channel)) => Outcome::Reached(Dialled { stream, channel, address, peer }),
        Err(error) => Outcome::Failed(address, error.into()),
    }
}
