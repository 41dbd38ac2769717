//! How many strangers a machine bears at once, and who goes when one too many comes.
//!
//! The machine's engine asks for a [`Ticket`] with every accepted socket and races the whole
//! handshake against [`Ticket::evicted`]. The newcomer always gets in, so that strangers cannot keep
//! a paired device out, even from its own address: the oldest silent stranger of that address goes,
//! else the oldest silent one of the busiest address; and where those who speak hold more than half of
//! the places, the oldest of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::wire::limits;

#[cfg(test)]
mod tests;

/// What counts as one address: an IPv4 address, or an IPv6 /64, which is one subscriber's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Source(IpAddr);

impl Source {
    fn of(peer: IpAddr) -> Self {
        match peer.to_canonical() {
            IpAddr::V6(ip) => Self(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into()),
            v4 => Self(v4),
        }
    }
}

struct Stranger {
    source: Source,
    silent: bool,
    evict: watch::Sender<bool>,
}

/// The strangers that are in, by rising number: the first is the oldest.
#[derive(Default)]
struct Inside {
    next: u64,
    strangers: BTreeMap<u64, Stranger>,
    per_source: HashMap<Source, usize>,
}

impl Inside {
    fn count(&self, source: Source) -> usize {
        self.per_source.get(&source).copied().unwrap_or(0)
    }

    fn remove(&mut self, number: u64) -> Option<Stranger> {
        let stranger = self.strangers.remove(&number)?;
        if let Some(count) = self.per_source.get_mut(&stranger.source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&stranger.source);
            }
        }
        Some(stranger)
    }

    fn oldest(&self, source: Source, silent: bool) -> Option<u64> {
        let mut of_source = self.strangers.iter().filter(|(_, s)| s.source == source);
        of_source.find(|(_, s)| s.silent == silent).map(|(number, _)| *number)
    }

    /// Of the sources that have a silent (or a speaking) stranger the busiest; of equally busy ones that
    /// whose stranger came first.
    fn busiest(&self, silent: bool) -> Option<Source> {
        let mut best: Option<(usize, Source)> = None;
        for stranger in self.strangers.values().filter(|stranger| stranger.silent == silent) {
            let count = self.count(stranger.source);
            if best.is_none_or(|(most, _)| count > most) {
                best = Some((count, stranger.source));
            }
        }
        best.map(|(_, source)| source)
    }

    fn speaking(&self, among: impl Fn(&Stranger) -> bool) -> usize {
        self.strangers.values().filter(|stranger| !stranger.silent && among(stranger)).count()
    }

    /// Whom a newcomer from `source` pushes out, if anybody: somebody silent, while who speaks holds no
    /// more than half of the places. Who held more could keep everybody out with one connection after
    /// the other: each newcomer is silent at first, and would be the only one.
    fn victim(&self, source: Source) -> Option<u64> {
        if self.count(source) >= limits::STRANGERS_PER_SOURCE {
            let silent = self.speaking(|stranger| stranger.source == source) <= limits::STRANGERS_PER_SOURCE / 2;
            return self.oldest(source, silent);
        }
        if self.strangers.len() < limits::STRANGERS {
            return None;
        }
        if self.speaking(|_| true) > limits::STRANGERS / 2 {
            return self.busiest(false).and_then(|busiest| self.oldest(busiest, false));
        }
        self.oldest(source, true).or_else(|| self.busiest(true).and_then(|busiest| self.oldest(busiest, true)))
    }
}

/// The caps on strangers of one machine.
#[derive(Clone, Default)]
pub struct Gate {
    inside: Arc<Mutex<Inside>>,
}

impl Gate {
    /// A gate with nobody inside.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a newcomer in; at a cap somebody else is evicted for it.
    pub fn admit(&self, peer: IpAddr) -> Ticket {
        let source = Source::of(peer);
        let (evict, evicted) = watch::channel(false);
        let mut inside = self.lock();
        if let Some(victim) = inside.victim(source).and_then(|number| inside.remove(number)) {
            victim.evict.send_replace(true);
        }
        let number = inside.next;
        inside.next += 1;
        inside.strangers.insert(number, Stranger { source, silent: true, evict });
        *inside.per_source.entry(source).or_default() += 1;
        Ticket { number, evicted, gate: self.clone() }
    }

    /// How many strangers are inside.
    pub fn strangers(&self) -> usize {
        self.lock().strangers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stranger's place. Dropping it, or [`promote`](Self::promote), frees the place.
pub struct Ticket {
    number: u64,
    evicted: watch::Receiver<bool>,
    gate: Gate,
}

impl Ticket {
    /// Resolves when this stranger has to go: drop its connection then. Never for one that stays.
    pub async fn evicted(&self) {
        let mut evicted = self.evicted.clone();
        if evicted.wait_for(|gone| *gone).await.is_err() {
            // The sender goes only with the place, and the place with this ticket.
            std::future::pending::<()>().await;
        }
    }

    /// The stranger has said something that is well formed: silent ones go before it.
    pub fn heard(&self) {
        self.ear().heard();
    }

    /// By which whoever talks with the stranger says that it was [heard](Self::heard).
    pub fn ear(&self) -> Ear {
        Ear { number: self.number, gate: self.gate.clone() }
    }

    /// It has proven something and is no stranger any more; it cannot be evicted from now on.
    pub fn promote(self) {}
}

/// See [`Ticket::ear`]. It holds no place.
#[derive(Debug, Clone)]
pub struct Ear {
    number: u64,
    gate: Gate,
}

impl Ear {
    /// The stranger has said something that is well formed.
    pub fn heard(&self) {
        if let Some(stranger) = self.gate.lock().strangers.get_mut(&self.number) {
            stranger.silent = false;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.gate.lock().remove(self.number);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("strangers", &self.strangers()).finish()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("number", &self.number).finish_non_exhaustive()
    }
}
