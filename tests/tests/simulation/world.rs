//! What the simulation's people and programs share, and what they write down for the judge: each thing before
//! it is done, since whoever is cut off does not know whether it was.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pairpin_core::identity::DeviceId;
use pairpin_core::role::Role;
use pairpin_core::store::host::{devices, meta};
use pairpin_core::store::{Database, Kind};
use pairpin_core::wire::{AskEnd, JoinId, JoinNumber, JoinTranscript};
use pairpin_tests::chance::Chance;
use pairpin_tests::swarm::owner::Approval;
use pairpin_tests::swarm::paired::{Door, Paired};
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
    // A machine that rotates its key to any other belongs here, beside the weather's planned key change.
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
}

pub struct World {
    pub machine: Arc<Machine>,
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
        let approvals = [(); 3].map(|()| Approval::for_machine(pin, id));
        let (over, ledger, cards) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        Arc::new(Self { machine, relay, door, twin, devices, approvals, over, ledger, cards })
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
        self.relay.leads_to(Some(address));
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

fn machine_id(database: &Path) -> pairpin_core::identity::MachineId {
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
