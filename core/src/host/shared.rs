//! What all connections of a host share: the state, the clocks, the logs, and the few questions that
//! every flow asks of them. `engine` makes it; everything from `accept` on stands on it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::book::{Book, Entry, Known};
use super::events::{EventLog, HostEvent, OfferEvent};
use super::offers::{OfferNumber, Offers};
use super::rotation::Identity;
use super::rows;
use super::sessions::Verdict;
use super::views::{AuditView, DeviceView, PairedView};
use super::{HostError, sessions};
use crate::clock::{Clock, UnixMillis};
use crate::identity::{DeviceId, MachineId};
use crate::net::addresses::{self, ReachableAddress};
use crate::net::gate::Gate;
use crate::role::Role;
use crate::store::host::audit;
use crate::store::{Lock, StateDir};
use crate::token::TokenHash;
use crate::wire::{Address, AddressKind, DeviceEvent, limits};

/// How long a list of addresses serves for welcomes. Making one takes a score of system calls: of a
/// crowd that comes back at once not every device needs its own.
const ADDRESSES_SERVE: Duration = Duration::from_secs(1);

/// What all connections of a host share.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) name: String,
    pub(super) platform: String,
    pub(super) machine: MachineId,
    /// The key under which the next connection is answered; each keeps the one that it began with.
    pub(super) identity: RwLock<Arc<Identity>>,
    /// Changes of the keys take turns.
    pub(super) key_turn: tokio::sync::Mutex<()>,
    pub(super) listening: Vec<SocketAddr>,
    pub(super) advertise: Vec<Address>,
    pub(super) started_at: UnixMillis,
    pub(super) book: Book,
    pub(super) standing: crate::handshake::StandingKey,
    /// Devices that came with a token never seen, since the start.
    pub(super) never_seen: Mutex<std::collections::HashSet<DeviceId>>,
    pub(super) decoys: super::decoys::Decoys,
    pub(super) sheets: super::recovery::Sheets,
    pub(super) gate: Gate,
    pub(super) proven: super::proven::ProvenPeers,
    pub(super) failures: super::failures::FailureLog,
    pub(super) events: EventLog<HostEvent>,
    /// What connected devices are told.
    pub(super) told: EventLog<DeviceEvent>,
    pub(super) asking: super::asking::Asking,
    pub(super) offers: Mutex<Offers>,
    pub(super) logs: Mutex<BTreeMap<OfferNumber, EventLog<OfferEvent>>>,
    pub(super) offers_changed: tokio::sync::Notify,
    pub(super) joins: super::joining::JoinDesk,
    pub(super) addresses: watch::Sender<Vec<Address>>,
    /// The addresses that were found last.
    pub(super) found: Mutex<Vec<ReachableAddress>>,
    pub(super) recent_addresses: Mutex<Option<(Instant, Vec<Address>)>>,
    pub(super) stopping: watch::Sender<bool>,
    pub(super) tasks: Mutex<JoinSet<()>>,
    /// The state directory and the lock on it, while the host runs.
    pub(super) lock: Mutex<Option<(StateDir, Lock)>>,
}

impl Shared {
    /// The wall clock, as the record of what happens.
    pub(super) fn now(&self) -> UnixMillis {
        self.clock.wall_ms()
    }

    /// The time by which stored lifetimes are judged.
    pub(super) fn judged_now(&self) -> UnixMillis {
        let wall = self.clock.wall_ms();
        sessions::judged_now(wall, self.book.latest_welcome().unwrap_or(wall))
    }

    /// Judges a token that a device presents whose signature holds.
    pub(super) fn judge(&self, entry: &Entry, presented: &TokenHash) -> Verdict {
        sessions::judge(&entry.row, &entry.tokens, presented, self.judged_now())
    }

    pub(super) fn offers(&self) -> MutexGuard<'_, Offers> {
        lock(&self.offers)
    }

    /// Wakes the task that ends offers: there is a new one.
    pub(super) fn offers_changed(&self) {
        self.offers_changed.notify_one();
    }

    /// The log of an offer; made at its first use. Logs of long spent offers are dropped.
    pub(super) fn offer_log(&self, number: OfferNumber) -> EventLog<OfferEvent> {
        let mut logs = lock(&self.logs);
        while logs.len() > limits::OFFERS + limits::SPENT_OFFERS {
            logs.pop_first();
        }
        logs.entry(number).or_insert_with(EventLog::new).clone()
    }

    pub(super) fn find_offer_log(&self, number: OfferNumber) -> Option<EventLog<OfferEvent>> {
        lock(&self.logs).get(&number).cloned()
    }

    /// The address list, told to connected devices when it changes.
    pub(super) fn watch_addresses(&self) -> watch::Receiver<Vec<Address>> {
        self.addresses.subscribe()
    }

    /// The device that used an offer, with its name, while it is paired.
    pub(super) fn paired_by(&self, number: OfferNumber) -> Option<(DeviceId, String)> {
        let device = DeviceId::of(&self.offers().used_by(number)?);
        match self.book.find(device) {
            Some(Known::Device(entry)) => Some((device, entry.row.name)),
            _ => None,
        }
    }

    /// Tells the connected devices whose role may know.
    pub(super) fn tell(&self, event: DeviceEvent) {
        self.told.publish(event);
    }

    /// Tells the watchers that a device is paired. `digits` were noted when it was granted.
    pub(super) async fn paired(&self, paired: PairedView) {
        self.offer_log(paired.offer).publish(OfferEvent::Paired(paired.clone()));
        let DeviceView { id: device, name, role, .. } = paired.device.clone();
        let (from, check_digits) = (paired.from.clone(), paired.digits.clone());
        let (again, offer) = (paired.again, Some(paired.offer));
        self.tell(DeviceEvent::DeviceAdded { device, name, role, from, again, offer, check_digits });
        self.events.publish(HostEvent::Paired(paired));
        self.tell_last_audit().await;
    }

    /// Writes a line of the audit log and tells the watchers.
    pub(super) async fn audit(
        &self,
        kind: &'static str,
        device: Option<DeviceId>,
        text: String,
    ) -> Result<(), HostError> {
        self.audit_by(kind, device, None, text).await
    }

    /// The same, of what the device `by` did.
    pub(super) async fn audit_by(
        &self,
        kind: &'static str,
        device: Option<DeviceId>,
        by: Option<DeviceId>,
        text: String,
    ) -> Result<(), HostError> {
        let at = self.now();
        let seq = self.book.append_audit(at, kind, device, by, text.clone()).await?;
        self.events.publish(HostEvent::Audit(AuditView { seq, at, kind: kind.to_owned(), device, text }));
        Ok(())
    }

    /// Runs a task until it ends or the host stops.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        // Finished tasks are let go here, so that the set does not grow with every connection.
        while tasks.try_join_next().is_some() {}
        // Looked up before the guard of the watch could be held across the task.
        if !self.is_stopping() {
            tasks.spawn(task);
        }
    }

    /// Whether the host is going down.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Where devices may reach this machine, best first. Loopback is among them only for this
    /// machine's own eyes, unless it is all there is.
    pub(super) fn reachable(&self) -> Vec<ReachableAddress> {
        let advertised = self.advertise.iter().map(|address| ReachableAddress {
            address: address.clone(),
            kind: AddressKind::Advertised,
            interface: String::new(),
        });
        let found = or_last(addresses::reachable(&self.listening), &self.found);
        advertised.chain(found).collect()
    }

    /// Whether only this machine can reach it.
    pub(super) fn loopback_only(&self) -> bool {
        self.listening.iter().all(|address| address.ip().to_canonical().is_loopback())
    }

    /// What goes into welcomes: the same, of a moment ago.
    pub(super) fn recent_addresses(&self) -> Vec<Address> {
        let mut recent = lock(&self.recent_addresses);
        match &*recent {
            Some((at, list)) if at.elapsed() < ADDRESSES_SERVE => list.clone(),
            _ => {
                let list = self.addresses_for_devices();
                *recent = Some((Instant::now(), list.clone()));
                list
            }
        }
    }

    /// What goes into links and Grants: never loopback, unless it is bound to nothing else;
    /// container bridges only where there is nothing better.
    pub(super) fn addresses_for_devices(&self) -> Vec<Address> {
        let loopback_only = self.loopback_only();
        let reachable = self.reachable();
        let far = |kind| !matches!(kind, AddressKind::Loopback | AddressKind::Container);
        let any_far = reachable.iter().any(|reachable| far(reachable.kind));
        let usable = |kind: AddressKind| match kind {
            AddressKind::Loopback => loopback_only,
            AddressKind::Container => !any_far,
            _ => true,
        };
        let mut list: Vec<Address> = Vec::new();
        for reachable in reachable.into_iter().filter(|reachable| usable(reachable.kind)) {
            if !list.contains(&reachable.address) && list.len() < limits::ADDRESSES {
                list.push(reachable.address);
            }
        }
        list
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The role that an offer gives, as things stand.
    pub(super) fn role_of(&self, named: Option<Role>) -> Role {
        named.unwrap_or_else(|| Role::for_new_device(self.book.counts().1 > 0))
    }

    /// Tells watchers of an audit line that was written inside a transaction.
    pub(super) async fn tell_last_audit(&self) {
        self.tell_audit(1).await;
    }

    /// The same of the last `count` lines.
    pub(super) async fn tell_audit(&self, count: usize) {
        if let Ok(lines) = self.book.db().read(move |connection| audit::last(connection, count)).await {
            lines.into_iter().for_each(|line| self.events.publish(HostEvent::Audit(rows::audit_view(line))));
        }
    }

    /// Time that is left of an offer.
    pub(super) fn offer_time_left(&self, number: OfferNumber) -> Option<Duration> {
        let now = self.clock.elapsed();
        self.offers().get(number).map(|offer| offer.ends.saturating_sub(now))
    }
}

/// What was found, or what was found last where the system gives no answer (it is out of files): an
/// empty list would be told to every device, and believed.
fn or_last<T: Clone>(found: std::io::Result<Vec<T>>, last: &Mutex<Vec<T>>) -> Vec<T> {
    let mut last = lock(last);
    match found {
        Ok(found) => last.clone_from(&found),
        Err(error) => tracing::warn!(%error, "the machine's addresses could not be listed, those known are kept"),
    }
    last.clone()
}

/// How an address is shown: IPv4 as IPv4 even where it came in by a dual-stack socket.
pub(super) fn shown(ip: IpAddr) -> String {
    ip.to_canonical().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_listed_are_those_known_and_never_none() {
        let last = Mutex::default();
        assert_eq!(or_last(Ok(vec![1, 2]), &last), [1, 2]);
        assert_eq!(or_last(Err(std::io::Error::from_raw_os_error(24)), &last), [1, 2]);
        // The control: a network that is gone is another matter.
        assert!(or_last(Ok(Vec::new()), &last).is_empty());
    }
}
