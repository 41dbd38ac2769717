//! How many connections one proof may hold before it is a session.
//!
//! Who holds an offer's secret, or the key of a device that is revoked or suspended, is no stranger,
//! so the gate's caps do not hold for them; without a bound of their own they could still use up the
//! machine's sockets. Each proof has a few places; a newcomer takes that of its oldest. Used by
//! `visitor`; a session has its own bound in `registry`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::identity::DeviceId;
use crate::wire::OfferId;

/// Connections that one proof of an offer or a code may hold at once: many devices may be shown one.
const PLACES_OF_OFFER: usize = 64;

/// Connections that one proof of a device's key may hold at once, besides its sessions: its processes
/// may all come back at the same moment.
const PLACES_OF_DEVICE: usize = 16;

/// Connections that a recovery sheet may hold at once: one person has it in hand.
const PLACES_OF_SHEET: usize = 4;

/// What was proven: places are counted for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Proof {
    /// An offer's secret, which others may hold too.
    Offer(OfferId),
    /// A device's session key.
    Device(DeviceId),
    /// A typed code: the one that is live.
    Code,
    /// A recovery sheet, live or over.
    Sheet,
}

impl Proof {
    fn places(self) -> usize {
        match self {
            Self::Offer(_) | Self::Code => PLACES_OF_OFFER,
            Self::Device(_) => PLACES_OF_DEVICE,
            Self::Sheet => PLACES_OF_SHEET,
        }
    }
}

/// All places.
#[derive(Debug, Default, Clone)]
pub(super) struct ProvenPeers(Arc<Mutex<Places>>);

#[derive(Debug, Default)]
struct Places {
    next: u64,
    taken: HashMap<Proof, Vec<(u64, watch::Sender<bool>)>>,
}

/// A place; dropping it frees it.
#[derive(Debug)]
pub(super) struct Place {
    peers: ProvenPeers,
    proof: Proof,
    number: u64,
    evicted: watch::Receiver<bool>,
}

impl ProvenPeers {
    /// Takes a place; the oldest with the same proof goes where there are too many.
    pub(super) fn admit(&self, proof: Proof) -> Place {
        let (sender, evicted) = watch::channel(false);
        let mut places = self.lock();
        places.next += 1;
        let number = places.next;
        let of_proof = places.taken.entry(proof).or_default();
        if of_proof.len() >= proof.places() {
            of_proof.remove(0).1.send_replace(true);
        }
        of_proof.push((number, sender));
        Place { peers: self.clone(), proof, number, evicted }
    }

    /// Places that were taken so far.
    #[cfg(test)]
    pub(super) fn admitted(&self) -> u64 {
        self.lock().next
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Resolves when somebody newer needs the place; never for one that is kept.
    pub(super) async fn evicted(&mut self) {
        if self.evicted.wait_for(|gone| *gone).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.peers.lock();
        if let Some(of_proof) = places.taken.get_mut(&self.proof) {
            of_proof.retain(|(number, _)| *number != self.number);
            if of_proof.is_empty() {
                places.taken.remove(&self.proof);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF: Proof = Proof::Device(DeviceId::from_bytes([1; 16]));

    #[tokio::test]
    async fn the_oldest_of_one_proof_makes_room_and_no_other_proof_does() {
        let peers = ProvenPeers::default();
        let mut others = peers.admit(Proof::Code);
        let mut places: Vec<_> = (0..PROOF.places()).map(|_| peers.admit(PROOF)).collect();
        let _newest = peers.admit(PROOF);
        places[0].evicted().await;
        assert!(!*places[1].evicted.borrow() && !*others.evicted.borrow_and_update());
    }

    #[test]
    fn a_place_that_is_left_is_free() {
        let peers = ProvenPeers::default();
        for _ in 0..100 {
            drop(peers.admit(PROOF));
        }
        assert!(peers.lock().taken.is_empty());
    }

    #[test]
    fn who_leaves_takes_nobody_elses_place_along() {
        let peers = ProvenPeers::default();
        let (first, second) = (peers.admit(PROOF), peers.admit(PROOF));
        drop(first);
        assert_eq!(peers.lock().taken.get(&PROOF).map(Vec::len), Some(1));
        drop(second);
        assert!(peers.lock().taken.is_empty());
    }
}
