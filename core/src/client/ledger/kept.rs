//! The durable steps about what is kept for a machine that is restored from a backup.

use super::super::error::ClientError;
use super::Ledger;
use crate::handshake::tombstones_hash;
use crate::store::device::kept::{self, Restored};
use crate::wire::{CounterProof, TombstoneProof, TombstonesHash};

/// What is kept for a machine.
#[derive(Debug, Clone, Default)]
pub(in crate::client) struct Kept {
    /// The highest counter that it gave this device.
    pub(in crate::client) counter: Option<CounterProof>,
    /// Its tombstones, the newest first.
    pub(in crate::client) tombstones: Vec<TombstoneProof>,
}

impl Kept {
    pub(in crate::client) fn is_empty(&self) -> bool {
        self.counter.is_none() && self.tombstones.is_empty()
    }
}

impl Ledger {
    /// Keeps what a machine gave away.
    pub(in crate::client) fn keep(
        &self,
        id: i64,
        counter: Option<CounterProof>,
        tombstones: Vec<TombstoneProof>,
    ) -> Result<(), ClientError> {
        self.write(move |conn| {
            if let Some(counter) = &counter {
                kept::keep_counter(conn, id, counter)?;
            }
            if tombstones.is_empty() { Ok(()) } else { kept::keep_tombstones(conn, id, &tombstones) }
        })
    }

    /// All that is kept.
    pub(in crate::client) fn kept(&self, id: i64) -> Result<Kept, ClientError> {
        self.read(move |conn| Ok(Kept { counter: kept::counter(conn, id)?, tombstones: kept::tombstones(conn, id)? }))
    }

    /// The kept counter, and by a hash the kept tombstones: what a machine says of itself.
    pub(in crate::client) fn kept_standing(
        &self,
        id: i64,
    ) -> Result<(Option<CounterProof>, TombstonesHash), ClientError> {
        self.read(move |conn| Ok((kept::counter(conn, id)?, tombstones_hash(kept::keys(conn, id)?))))
    }

    /// Notes that the machine said so itself; whether that is news.
    pub(in crate::client) fn hear_restored(&self, id: i64) -> Result<bool, ClientError> {
        let at = self.clock.wall_ms();
        self.write(move |conn| kept::hear_restored(conn, id, at))
    }

    /// Notes that the machine has less than it had; whether that is news.
    pub(in crate::client) fn note_restored(&self, id: i64, from: u64, taken: u64) -> Result<bool, ClientError> {
        let noted = Restored { at: self.clock.wall_ms(), from, taken };
        self.write(move |conn| kept::note_restored(conn, id, &noted))
    }
}
