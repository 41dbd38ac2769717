//! Starting and stopping the host, and what its connections share.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::book::Book;
use super::decoys::Decoys;
use super::events::{EventLog, EventWatch, HostEvent, OfferEvent};
use super::identity::MachineKeys;
use super::join_from::JoinFrom;
use super::joining::JoinDesk;
use super::place::Place;
use super::rotation::Identity;
use super::shared::{Shared, lock};
use super::{DATABASE_FILE, HostError, LOCK_FILE, WAL_FILE, accept, identity, marker, place};
use crate::clock::Clock;
use crate::handshake::StandingKey;
use crate::names::clean_machine_name;
use crate::net::gate::Gate;
use crate::net::listen;
use crate::store::host::{asked_joins, audit, keys as key_state, meta};
use crate::store::{Database, Kind, Lock, StateDir, StoreError};
use crate::wire::{Address, CloseCode, Closing};

/// What a host is started with.
#[derive(Clone)]
pub struct HostConfig {
    /// Where keys and database are kept.
    pub state_dir: PathBuf,
    /// The one address to listen on; all of them where it is left out.
    pub bind: Option<IpAddr>,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// The machine's name; the host name where it is left out.
    pub name: Option<String>,
    /// The machine's platform, as "Debian 12, x86_64".
    pub platform: String,
    /// Addresses to put first in every link and Grant.
    pub advertise: Vec<Address>,
    /// A key is lost, the identity key or the next one: make what is missing anew beside the existing database.
    pub new_key: bool,
    /// From which networks a device may ask to be let in.
    pub join_from: JoinFrom,
    /// On which system: a state serves on one.
    pub place: Place,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
}

/// A running host. Cheap to clone; [`Host::stop`] ends it for all clones.
#[derive(Clone)]
pub struct Host {
    pub(super) shared: Arc<Shared>,
}

/// How often sightings of devices are written to the disk.
const FLUSH: Duration = Duration::from_secs(2);

/// How often outstanding offers are looked at for their end. With none, nothing wakes up.
const OFFER_TICK: Duration = Duration::from_millis(250);

impl Host {
    /// Opens the state, listens and begins to accept.
    ///
    /// # Errors
    /// See [`HostError`]: each says what to do. Nothing is left running.
    pub async fn start(config: HostConfig) -> Result<Self, HostError> {
        let dir = StateDir::open(&config.state_dir)?;
        let state_lock = wait_for_lock(&dir)?;
        let has_database = dir.path(DATABASE_FILE).exists();
        // Looked at before SQLite opens the database, which makes another.
        let lost_writes = has_database && marker::is_left(&dir) && !dir.path(WAL_FILE).exists();
        // Before a key is made for it: the state may be another system's.
        let now = config.clock.wall_ms();
        let open = || -> Result<Database, HostError> {
            let db = Database::open(&dir.path(DATABASE_FILE), Kind::Host)?;
            place::settle(&dir, &db, config.place, now)?;
            Ok(db)
        };
        if !has_database && config.place.moved {
            return Err(HostError::NotMoved(config.state_dir));
        }
        // Which keys are meant stands in the database; where there is none they are made before it.
        let found = has_database.then(&open).transpose()?;
        let known = found.as_ref().map(|db| db.read_blocking(key_state::get)).transpose()?.flatten();
        let keys = identity::load_or_make(&dir, has_database, known.as_ref(), config.new_key, now)?;
        let db = found.map_or_else(open, Ok)?;
        let (machine, mac_key) =
            db.write_blocking(|connection| Ok((meta::machine_id(connection)?, meta::mac_key(connection)?)))?;
        if known.as_ref() != Some(&keys.state) {
            let (state, said) = (keys.state.clone(), if has_database { said_of(&keys) } else { Vec::new() });
            db.write_blocking(move |connection| {
                key_state::put(connection, &state)?;
                said.iter().try_for_each(|text| audit::append(connection, now, "key", None, text).map(|_| ()))
            })?;
        }
        let before = db.read_blocking(move |connection| asked_joins::list(connection, now))?;
        marker::leave(&dir);
        let name = clean_machine_name(&config.name.unwrap_or_else(host_name));
        let identity = Identity::new(keys.state, &keys.identity, now)?;
        let listeners = listen::bind(config.bind, config.port)?;
        let listening = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let started_at = config.clock.wall_ms();
        let sheets = db.read_blocking(super::recovery::Sheets::open)?;
        let shared = Arc::new(Shared {
            clock: config.clock,
            name,
            platform: config.platform,
            machine,
            identity: RwLock::new(Arc::new(identity)),
            key_turn: tokio::sync::Mutex::default(),
            listening,
            advertise: config.advertise,
            started_at,
            book: Book::open(db)?,
            standing: StandingKey::new(&mac_key, machine),
            never_seen: Mutex::default(),
            decoys: Decoys::generate()?,
            sheets,
            gate: Gate::new(),
            proven: super::proven::ProvenPeers::default(),
            failures: super::failures::FailureLog::default(),
            events: EventLog::new(),
            told: EventLog::new(),
            asking: super::asking::Asking::default(),
            offers: Mutex::default(),
            logs: Mutex::default(),
            offers_changed: tokio::sync::Notify::new(),
            joins: JoinDesk::new(config.join_from, before),
            addresses: watch::Sender::new(Vec::new()),
            found: Mutex::default(),
            recent_addresses: Mutex::default(),
            stopping: watch::Sender::new(false),
            tasks: Mutex::new(JoinSet::new()),
            lock: Mutex::new(Some((dir, state_lock))),
        });
        if lost_writes {
            tracing::warn!("{}", marker::LOST_WRITES);
            shared.audit("database", None, marker::LOST_WRITES.to_owned()).await?;
        }
        for listener in listeners {
            shared.spawn(accept::listen(Arc::clone(&shared), listener));
        }
        shared.spawn(flush_sightings(Arc::clone(&shared)));
        shared.spawn(end_offers(Arc::clone(&shared)));
        shared.spawn(super::asking::end_asks(Arc::clone(&shared)));
        shared.addresses.send_replace(shared.addresses_for_devices());
        shared.spawn(refresh_addresses(Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// Watches everything that happens from now on.
    pub fn events(&self) -> EventWatch {
        EventWatch::new(self.shared.events.clone())
    }

    /// Tells every device that the machine stops, closes everything, and writes what is still to be
    /// written. Devices come back by themselves.
    pub async fn stop(&self) {
        let shared = &self.shared;
        shared.stopping.send_replace(true);
        shared.events.publish(HostEvent::Stopping);
        let closing = Closing { code: CloseCode::Stopping, by: None, at: shared.now(), reason: None };
        shared.book.registry.cut_all(&closing).await;
        let mut tasks = std::mem::take(&mut *lock(&shared.tasks));
        tasks.shutdown().await;
        // Behind whatever those tasks were still writing: it takes its turn.
        if let Err(error) = shared.book.flush().await {
            tracing::warn!(%error, "the last sightings could not be written");
        }
        // Nothing writes any more: another daemon may start on this state.
        if let Some((dir, _lock)) = lock(&shared.lock).take() {
            marker::take_away(&dir);
        }
    }
}

/// The same, for the daemon that starts: a verb that looks into the state meanwhile holds it for a moment. Blocks for
/// a second at most.
fn wait_for_lock(dir: &StateDir) -> Result<Lock, HostError> {
    const TRIES: u32 = 50;
    for _ in 1..TRIES {
        match take_lock(dir) {
            Err(HostError::AlreadyRunning(_)) => std::thread::sleep(Duration::from_millis(20)),
            other => return other,
        }
    }
    take_lock(dir)
}

/// The lock that a running daemon holds on its state.
pub(super) fn take_lock(dir: &StateDir) -> Result<Lock, HostError> {
    dir.lock(LOCK_FILE).map_err(|error| match error {
        StoreError::Locked { .. } => HostError::AlreadyRunning(dir.as_path().to_owned()),
        other => other.into(),
    })
}

/// What the audit log says of keys that are others than the database knew.
fn said_of(keys: &MachineKeys) -> Vec<String> {
    let mut said = Vec::new();
    if keys.is_new {
        said.push(format!("new identity key, fingerprint {}", keys.state.pin.fingerprint()));
    }
    if keys.is_next_new {
        let fingerprint = keys.state.next_pin.fingerprint();
        said.push(format!("new key for the next planned change, fingerprint {fingerprint}"));
    }
    if keys.is_ahead {
        let epoch = keys.state.epoch;
        said.push(format!("the keys are of a later planned change than the database: it was restored; epoch {epoch}"));
    }
    said
}

async fn flush_sightings(shared: Arc<Shared>) {
    let mut failing = false;
    loop {
        tokio::time::sleep(FLUSH).await;
        match shared.book.flush().await {
            // Said once: a log that grows does no good to a full disk.
            Err(error) if !failing => {
                tracing::warn!(%error, "sightings of devices could not be written, trying again and again");
                failing = true;
            }
            Err(_) => {}
            Ok(()) if failing => {
                tracing::warn!("sightings of devices are written again");
                failing = false;
            }
            Ok(()) => {}
        }
    }
}

/// How often the machine looks whether its addresses have changed.
const ADDRESS_REFRESH: Duration = Duration::from_secs(30);

async fn refresh_addresses(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(ADDRESS_REFRESH).await;
        let now = shared.addresses_for_devices();
        shared.addresses.send_if_modified(|known| {
            let changed = *known != now;
            *known = now;
            changed
        });
    }
}

async fn end_offers(shared: Arc<Shared>) {
    loop {
        let (ended, outstanding) = {
            let mut offers = shared.offers();
            let ended = offers.expire(shared.clock.elapsed());
            (ended, offers.live().next().is_some())
        };
        for number in ended {
            shared.offer_log(number).publish(OfferEvent::Expired);
        }
        if outstanding {
            tokio::time::sleep(OFFER_TICK).await;
        } else {
            shared.offers_changed.notified().await;
        }
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
