//! What a device knows of its machine's keys, and how a planned change moves it: as the device engine's ledger does,
//! in memory. It keeps what it ever trusted, for who judges it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pairpin_core::handshake::KnownKeys;
use pairpin_core::identity::Pin;
use pairpin_core::store::host::{keys, meta};
use pairpin_core::store::{Database, Kind};
use pairpin_core::wire::{Rotate, Welcome};

/// How a device came to trust a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It was paired under it, or was told of it by a person.
    Scanned,
    /// A session was told of the change.
    Told(Rotate),
    /// It slept through the change, and a Welcome told it.
    Asleep(Rotate),
}

/// A key that a device trusted, and how it came to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trusted {
    /// The key, and what was known with it.
    pub keys: KnownKeys,
    /// How.
    pub came: Came,
}

/// See the module. Clones are the same device's.
#[derive(Debug, Clone)]
pub struct Keys(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    known: KnownKeys,
    trusted: Vec<Trusted>,
}

impl Keys {
    /// Those that a person saw, or that a Grant brought.
    pub fn scanned(known: KnownKeys) -> Self {
        Self(Arc::new(Mutex::new(Kept { known, trusted: vec![Trusted { keys: known, came: Came::Scanned }] })))
    }

    /// Those of the machine whose database this is; it has been served before.
    ///
    /// # Panics
    /// It cannot be read, or was never served.
    #[track_caller]
    pub fn of(database: &Path) -> Self {
        let db = Database::open(database, Kind::Host).unwrap_or_else(|error| panic!("{error}"));
        let read = db.write_blocking(|connection| Ok((meta::machine_id(connection)?, keys::get(connection)?)));
        let (machine, state) = read.unwrap_or_else(|error| panic!("{error}"));
        let state = state.unwrap_or_else(|| panic!("{}: never served", database.display()));
        let (pin, next_pin, epoch) = (state.pin, Some(state.next_pin), state.epoch);
        Self::scanned(KnownKeys { machine, pin, next_pin, epoch })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known now.
    pub fn known(&self) -> KnownKeys {
        self.kept().known
    }

    /// What was ever trusted, oldest first.
    pub fn trusted(&self) -> Vec<Trusted> {
        self.kept().trusted.clone()
    }

    /// The event `key_rotated`. One that does not hold is nothing that happened.
    pub fn told(&self, rotate: &Rotate) {
        self.follow(rotate, Came::Told(*rotate));
    }

    fn follow(&self, rotate: &Rotate, came: Came) {
        let mut kept = self.kept();
        if let Ok(after) = kept.known.after(rotate) {
            kept.moved(after, came);
        }
    }

    /// The keys of a connection whose TLS proved `pin`, which was dialled with `dialled` known, by its Welcome;
    /// `None` where they may not be believed.
    pub fn welcomed(&self, dialled: KnownKeys, pin: Pin, welcome: &Welcome) -> Option<KnownKeys> {
        let rotate = welcome.rotated.as_deref();
        let mut keys = following(dialled, pin, rotate)?;
        if let Some(rotate) = rotate.filter(|_| pin != dialled.pin) {
            self.follow(rotate, Came::Asleep(*rotate));
        }
        // By its own count.
        keys.epoch = welcome.epoch;
        let mut kept = self.kept();
        if kept.known.pin == pin && welcome.epoch >= kept.known.epoch {
            (kept.known.epoch, kept.known.next_pin) = (welcome.epoch, Some(welcome.next_pin));
        }
        Some(keys)
    }

    /// A refusal under R, which tells of a change as a Welcome does. Whether it may be believed.
    pub fn refused(&self, dialled: KnownKeys, pin: Pin, rotate: Option<&Rotate>) -> bool {
        let holds = following(dialled, pin, rotate).is_some();
        if let Some(rotate) = rotate.filter(|_| holds && pin != dialled.pin) {
            self.follow(rotate, Came::Asleep(*rotate));
        }
        holds
    }

    /// A person scanned the machine's present keys, because of a stop at what was known then. `false`: meanwhile
    /// something else moved it on, and nothing is stored.
    pub fn scans(&self, stopped: KnownKeys, present: KnownKeys) -> bool {
        let mut kept = self.kept();
        let still = kept.known == stopped;
        if still {
            kept.moved(present, Came::Scanned);
        }
        still
    }
}

impl Kept {
    fn moved(&mut self, keys: KnownKeys, came: Came) {
        self.known = keys;
        self.trusted.push(Trusted { keys, came });
    }
}

/// The keys of a connection that proved `pin`: those known, or those after the change that the machine showed.
fn following(known: KnownKeys, pin: Pin, rotate: Option<&Rotate>) -> Option<KnownKeys> {
    if pin == known.pin {
        return Some(known);
    }
    rotate.and_then(|rotate| known.after(rotate).ok()).filter(|after| after.pin == pin)
}
