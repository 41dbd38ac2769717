//! What the simulation's people and programs share, and what they write down for the judge: each thing before
//! it is done, since whoever is cut off does not know whether it was.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pairpin_core::handshake::KnownKeys;
use pairpin_core::host::{KeyChange, KeyChangeKind, KeysView};
use pairpin_core::identity::{DeviceId, MachineId};
use pairpin_core::role::Role;
use pairpin_core::store::host::{devices, meta};
use pairpin_core::store::{Database, Kind};
use pairpin_core::wire::{AskEnd, JoinId, JoinNumber, JoinTranscript};
use pairpin_tests::chance::Chance;
use pairpin_tests::swarm::owner::{Approval, NotDone, Owner};
use pairpin_tests::swarm::paired::{Door, Lost, Paired, Session};
use pairpin_tests::swarm::rows;
use tokio::sync::oneshot;

use crate::machine::Machine;
use crate::relay::Relay;

/// How a twin is broken: in what the simulation does with the real engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twin {
    None,
    /// At a restart, who waits becomes a device.
    RestartLetsIn,
    /// An ask that nobody answered in time ends with yes.
    SilenceIsYes,
    /// A revoke writes the tombstone beside the daemon, and cuts nobody.
    RevokeOnlyMarks,
    /// A restart goes back to the state that the first start left.
    RestartForgets,
    /// A planned change leads to a key that was announced to nobody, though both keys sign it.
    ChangesToAnother,
    /// A planned change is not told with the Welcome.
    ChangesUntold,
    /// As the one before the last, and each device believes whatever key the machine has now.
    DevicesBelieveAnything,
}

/// What stands on a joiner's screen, and the way back for the digits on the approver's.
pub struct Card {
    pub join: JoinId,
    pub transcript: JoinTranscript,
    pub number: Option<JoinNumber>,
    pub digits: Option<oneshot::Sender<String>>,
}

/// A yes to a join, about to be signed.
#[derive(Debug, Clone)]
pub struct Yes {
    pub join: JoinId,
    /// The device that it was signed for.
    pub device: DeviceId,
    pub by: DeviceId,
    /// What was scanned or typed is what stands on that joiner's screen.
    pub right: bool,
}

/// What really happened.
#[derive(Debug, Default)]
pub struct Ledger {
    pub yeses: Vec<Yes>,
    /// Joins into which the right digits were typed.
    pub typed: Vec<JoinId>,
    /// Joiners that were told that they are in.
    pub told_in: Vec<Paired>,
    /// Joiners that do not know.
    pub unsure: Vec<Paired>,
    /// Asks to which a device is about to sign yes.
    pub answers: Vec<String>,
    /// How asks ended for who asked; `None` where the machine died.
    pub asks: Vec<(String, Option<AskEnd>)>,
    /// Devices whose revoke was answered, and when.
    pub revoked: Vec<(DeviceId, Instant)>,
    /// Devices whose revoke was asked for: it may have happened.
    pub revoke_asked: Vec<DeviceId>,
    /// Requests that were answered, and when they were made.
    pub served: Vec<(DeviceId, Instant, &'static str)>,
    /// The machine's keys, one after the other, by its own word to the test.
    pub keys: Vec<KeysView>,
    /// Devices that stopped hard, what they knew, and the epoch of the keys that the person then scanned.
    pub stops: Vec<(DeviceId, KnownKeys, u64)>,
}

pub struct World {
    pub machine: Arc<Machine>,
    id: MachineId,
    pub relay: Relay,
    pub door: Door,
    pub twin: Twin,
    /// Two owners and an operator.
    pub devices: [Paired; 3],
    pub approvals: [Approval; 3],
    pub over: AtomicBool,
    ledger: Mutex<Ledger>,
    cards: Mutex<Vec<Card>>,
}

impl World {
    /// A machine that runs, with its three devices.
    pub async fn new(chance: &Chance, twin: Twin) -> Arc<Self> {
        let machine = Arc::new(Machine::new());
        // It makes its own key and database first.
        start(&machine).await;
        let pin = machine.host().expect("it runs").0.status().pin;
        end(&machine, false).await;
        let database = machine.database();
        let devices = tokio::task::spawn_blocking(move || fill(&database)).await.expect("rows");
        let address = start(&machine).await;
        let relay = Relay::start(chance.clone()).await;
        relay.leads_to(Some(address));
        let id = machine_id(&machine.database());
        let door = Door { address: relay.address, pin, guarded: true };
        let approvals = [(); 3].map(|()| Approval::generate());
        let (over, ledger, cards) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let world = Self { machine, id, relay, door, twin, devices, approvals, over, ledger, cards };
        world.notes_keys();
        Arc::new(world)
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn cards(&self) -> MutexGuard<'_, Vec<Card>> {
        self.cards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Notes that a request, made at `began`, was answered as if the device were paired.
    pub fn served(&self, device: DeviceId, began: Instant, what: &'static str) {
        self.ledger().served.push((device, began, what));
    }

    /// Starts the machine again where it stopped or died.
    pub async fn starts_again(&self) {
        let address: SocketAddr = start(&self.machine).await;
        self.notes_keys();
        self.relay.leads_to(Some(address));
    }

    /// Writes down which keys the machine has now, where they are others than before.
    pub fn notes_keys(&self) {
        let Some((host, _)) = self.machine.host() else { return };
        let mut ledger = self.ledger();
        let keys = host.keys();
        if ledger.keys.last().is_none_or(|last| (last.epoch, last.pin) != (keys.epoch, keys.pin)) {
            ledger.keys.push(keys);
        }
    }

    /// A planned change of the machine's key, while it runs; returns when it is done, or the machine died in it.
    pub async fn changes_keys(&self) {
        let Some((host, runtime)) = self.machine.host() else { return };
        let change = KeyChange { kind: KeyChangeKind::Planned, next_key: None };
        if let Ok(changed) = runtime.spawn(async move { host.change_keys(change).await }).await {
            changed.unwrap_or_else(|error| panic!("{error}"));
            self.notes_keys();
        }
    }

    /// One of the devices dials. A hard stop is one: its person scans, and the next dial is after that.
    pub async fn dials(&self, paired: &Paired) -> Result<Session, Lost> {
        let dialled = paired.dial(self.door, Ipv4Addr::LOCALHOST).await;
        dialled.inspect_err(|lost| self.stopped(paired, lost))
    }

    /// The same for one of the three, to decide.
    pub async fn connects(&self, which: usize) -> Result<Owner, NotDone> {
        let connected = Owner::connect(self.door, &self.devices[which], &self.approvals[which]).await;
        connected.inspect_err(|why| {
            if let NotDone::Lost(lost) = why {
                self.stopped(&self.devices[which], lost);
            }
        })
    }

    /// From the machine's own screen, while it runs.
    fn stopped(&self, paired: &Paired, lost: &Lost) {
        let (Lost::Stopped(known), Some((host, _))) = (lost, self.machine.host()) else { return };
        let KeysView { epoch, pin, next_pin, .. } = host.keys();
        let present = KnownKeys { machine: self.id, pin, next_pin: Some(next_pin), epoch };
        if paired.keys.scans(*known, present) && self.twin != Twin::DevicesBelieveAnything {
            self.ledger().stops.push((paired.device, *known, epoch));
        }
    }

    pub async fn ends(&self, crash: bool) {
        self.relay.leads_to(None);
        end(&self.machine, crash).await;
    }
}

pub async fn start(machine: &Arc<Machine>) -> SocketAddr {
    let machine = Arc::clone(machine);
    tokio::task::spawn_blocking(move || machine.start()).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn end(machine: &Arc<Machine>, crash: bool) {
    let machine = Arc::clone(machine);
    tokio::task::spawn_blocking(move || machine.end(crash)).await.unwrap_or_else(|error| panic!("{error}"));
}

fn machine_id(database: &Path) -> MachineId {
    let db = Database::open(database, Kind::Host).unwrap_or_else(|error| panic!("{error}"));
    tokio::task::block_in_place(|| db.write_blocking(meta::machine_id)).unwrap_or_else(|error| panic!("{error}"))
}

fn fill(database: &Path) -> [Paired; 3] {
    let made: [Paired; 3] = rows::fill(database, 3).try_into().unwrap_or_else(|_| panic!("not three"));
    let db = Database::open(database, Kind::Host).unwrap_or_else(|error| panic!("{error}"));
    let second = made[1].device;
    db.write_blocking(move |connection| devices::set_role(connection, &second, Role::Owner))
        .unwrap_or_else(|error| panic!("{error}"));
    made
}

/// A pause of at most that many milliseconds.
pub async fn pause(chance: &mut Chance, most: u64) {
    tokio::time::sleep(chance.time(Duration::from_millis(most))).await;
}
