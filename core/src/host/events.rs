//! What the machine tells whoever watches: one log for an offer, one for the whole host.
//!
//! A watcher reads at its own pace; one that falls behind loses the oldest events, and delays
//! nobody. Who is connected is a state, which a device can change as often as it likes: of each device the
//! newest is kept, and never in the place of an event. The command line's waiting verbs and `serve`'s screen
//! are the watchers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::views::{AuditView, PairedView};
use crate::clock::UnixMillis;
use crate::host::OfferNumber;
use crate::identity::DeviceId;
use crate::role::Role;
use crate::wire::DeviceEvent;

/// Something happened to an offer.
#[derive(Debug, Clone)]
pub enum OfferEvent {
    /// A device that holds it has looked at what it is for.
    Previewed {
        /// The device's address.
        from: String,
    },
    /// A device has used it and must still acknowledge.
    Claimed {
        /// The device's address.
        from: String,
        /// The device's name.
        name: String,
    },
    /// A device is paired by it. The last event.
    Paired(PairedView),
    /// A device acknowledged, and that could not be stored. It may try again.
    NotStored {
        /// The device's name.
        name: String,
        /// Why, and what to do.
        cause: String,
    },
    /// A wrong code was typed.
    WrongCode {
        /// Tries that are left.
        tries_left: u32,
        /// The address it came from.
        from: String,
    },
    /// The code is burnt; a link of the same offer lives on.
    CodeBurnt {
        /// Whether code pairing as a whole is closed until `pairpin pair --code`.
        closed: bool,
    },
    /// Another offer has a code now; this one's link lives on.
    CodeReplaced {
        /// That offer.
        by: OfferNumber,
    },
    /// It was given more time.
    Extended {
        /// Time that is left.
        expires_in: Duration,
    },
    /// Its time is over. The last event.
    Expired,
    /// It was withdrawn. The last event.
    Withdrawn,
    /// A second device tried it after it was used.
    Alarm(AlarmView),
}

impl OfferEvent {
    /// Whether nothing but alarms can follow.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Paired(_) | Self::Expired | Self::Withdrawn)
    }
}

/// Somebody else holds the secret of an offer that was used: the QR was seen by two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmView {
    /// The offer.
    pub offer: OfferNumber,
    /// Where the second attempt came from.
    pub from: String,
    /// When.
    pub at: UnixMillis,
    /// The device that is paired by the offer, if it is: the one to revoke if it is not yours.
    pub device: Option<DeviceId>,
    /// That device's name.
    pub name: Option<String>,
}

/// Something happened on the machine.
#[derive(Debug, Clone)]
pub enum HostEvent {
    /// A line of the audit log.
    Audit(AuditView),
    /// A device was paired.
    Paired(PairedView),
    /// See [`AlarmView`].
    Alarm(AlarmView),
    /// The printed recovery sheet was used.
    RecoveryUsed {
        /// From where.
        from: String,
        /// How many devices it revoked.
        revoked: usize,
    },
    /// A device connected or disconnected. A watcher that falls behind sees the newest of each device.
    Presence {
        /// The device.
        device: DeviceId,
        /// How many connections it has now.
        connections: usize,
    },
    /// The host stops.
    Stopping,
}

/// A bounded log that can be watched from its beginning or from now.
#[derive(Debug)]
pub(super) struct EventLog<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Clone for EventLog<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

#[derive(Debug)]
struct Shared<T> {
    kept: Mutex<Kept<T>>,
    changed: Notify,
}

#[derive(Debug)]
struct Kept<T> {
    next: u64,
    /// By rising numbers; some are missing.
    entries: VecDeque<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    number: u64,
    is_state: bool,
    event: T,
}

/// Events kept for a watcher that is behind; and as many states.
const KEPT: usize = 256;

impl<T> Kept<T> {
    fn push(&mut self, event: T, is_state: bool) {
        let alike = self.entries.iter().filter(|entry| entry.is_state == is_state).count();
        if alike >= KEPT
            && let Some(oldest) = self.entries.iter().position(|entry| entry.is_state == is_state)
        {
            self.entries.remove(oldest);
        }
        self.entries.push_back(Entry { number: self.next, is_state, event });
        self.next += 1;
    }
}

impl<T: Clone> EventLog<T> {
    pub(super) fn new() -> Self {
        let kept = Mutex::new(Kept { next: 0, entries: VecDeque::new() });
        Self { shared: Arc::new(Shared { kept, changed: Notify::new() }) }
    }

    pub(super) fn publish(&self, event: T) {
        self.lock().push(event, false);
        self.shared.changed.notify_waiters();
    }

    /// Publishes how something stands now, in the place of the entry that `is_older` finds. `state` is asked
    /// under the log's lock, so that what is published last is what holds.
    fn publish_state(&self, state: impl FnOnce() -> T, is_older: impl Fn(&T) -> bool) {
        {
            let mut kept = self.lock();
            kept.entries.retain(|entry| !(entry.is_state && is_older(&entry.event)));
            kept.push(state(), true);
        }
        self.shared.changed.notify_waiters();
    }

    fn end(&self) -> u64 {
        self.lock().next
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn next(&self, position: &mut u64) -> T {
        self.next_of_all(position).await.0
    }

    /// The next one, and whether some before it were lost.
    async fn next_of_all(&self, position: &mut u64) -> (T, bool) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that nothing published in between is missed.
            changed.as_mut().enable();
            {
                let kept = self.lock();
                let unread = kept.entries.partition_point(|entry| entry.number < *position);
                if let Some(entry) = kept.entries.get(unread) {
                    let lost = entry.number > *position;
                    *position = entry.number + 1;
                    return (entry.event.clone(), lost);
                }
            }
            changed.await;
        }
    }
}

impl EventLog<HostEvent> {
    /// A device has connected or disconnected.
    pub(super) fn presence(&self, device: DeviceId, connections: impl FnOnce() -> usize) {
        let state = || HostEvent::Presence { device, connections: connections() };
        self.publish_state(state, |older| matches!(older, HostEvent::Presence { device: of, .. } if *of == device));
    }
}

/// Watches one offer, from its making on.
#[derive(Debug)]
pub struct OfferWatch {
    log: EventLog<OfferEvent>,
    position: u64,
}

impl OfferWatch {
    pub(super) fn new(log: EventLog<OfferEvent>) -> Self {
        Self { log, position: 0 }
    }

    /// The next event; pends for ever after the last. May be dropped at any time.
    pub async fn next(&mut self) -> OfferEvent {
        self.log.next(&mut self.position).await
    }
}

/// Watches the whole host, from now on.
#[derive(Debug)]
pub struct EventWatch {
    log: EventLog<HostEvent>,
    position: u64,
}

impl EventWatch {
    pub(super) fn new(log: EventLog<HostEvent>) -> Self {
        let position = log.end();
        Self { log, position }
    }

    /// The next event. May be dropped at any time.
    pub async fn next(&mut self) -> HostEvent {
        self.log.next(&mut self.position).await
    }
}

/// What connected devices are told. Each connection reads at its own pace: one that stalls delays nobody,
/// and is told that it has missed something.
#[derive(Debug)]
pub(super) struct DeviceEvents {
    log: EventLog<DeviceEvent>,
    position: u64,
    device: DeviceId,
}

impl DeviceEvents {
    /// From now on, for this device.
    pub(super) fn new(log: EventLog<DeviceEvent>, device: DeviceId) -> Self {
        let position = log.end();
        Self { log, position, device }
    }

    /// The next event for a device of the role that `role` gives at that moment. May be dropped at any time.
    pub(super) async fn next(&mut self, role: impl Fn() -> Option<Role>) -> DeviceEvent {
        loop {
            let before = self.position;
            let (event, lost) = self.log.next_of_all(&mut self.position).await;
            if lost {
                // What is left is told after it, from the oldest that is there.
                self.position = self.position.saturating_sub(1).max(before);
                return DeviceEvent::Missed;
            }
            let own = event.about() == Some(self.device);
            if role().is_some_and(|role| own || role >= event.least_role()) {
                return event;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_device_is_told_what_its_role_may_know_and_that_it_missed_something() {
        let log = EventLog::new();
        let mut viewer = DeviceEvents::new(log.clone(), DeviceId::from_bytes([1; 16]));
        let mut owner = DeviceEvents::new(log.clone(), DeviceId::from_bytes([2; 16]));
        let alarm = |at| DeviceEvent::Alarm { from: "10.0.0.1".to_owned(), at, device: None, name: None };
        log.publish(alarm(1));
        log.publish(DeviceEvent::Missed);
        assert_eq!(viewer.next(|| Some(Role::Viewer)).await, DeviceEvent::Missed, "not the alarm");
        assert_eq!(owner.next(|| Some(Role::Owner)).await, alarm(1));
        for at in 0..KEPT as i64 + 5 {
            log.publish(alarm(at));
        }
        assert_eq!(owner.next(|| Some(Role::Owner)).await, DeviceEvent::Missed);
        assert_eq!(owner.next(|| Some(Role::Owner)).await, alarm(5), "the oldest that is left, and none is skipped");
    }

    #[tokio::test]
    async fn a_watcher_that_falls_behind_loses_the_oldest_and_nothing_else() {
        let log = EventLog::new();
        for number in 0..(KEPT as u64 + 10) {
            log.publish(number);
        }
        let mut position = 0;
        assert_eq!(log.next(&mut position).await, 10);
        assert_eq!(log.next(&mut position).await, 11);
    }

    #[tokio::test]
    async fn states_push_no_event_out_and_of_each_thing_the_newest_is_seen() {
        let log = EventLog::new();
        log.publish((0, 0));
        for count in 1..=(10 * KEPT as u64) {
            // Two things come and go, and another is there between them.
            log.publish_state(|| (count % 2 + 1, count), |older| older.0 == count % 2 + 1);
        }
        log.publish((0, 1));
        let mut position = 0;
        let newest = 10 * KEPT as u64;
        for wanted in [(0, 0), (2, newest - 1), (1, newest), (0, 1)] {
            assert_eq!(log.next(&mut position).await, wanted);
        }
        // Nor do events push out states, and what is too much of either is the oldest of its own.
        log.publish_state(|| (9, 9), |_| false);
        for number in 0..(KEPT as u64 + 10) {
            log.publish((0, number));
        }
        assert_eq!(log.next(&mut position).await, (9, 9));
        assert_eq!(log.next(&mut position).await, (0, 10), "the control");
        for thing in 0..(KEPT as u64 + 10) {
            log.publish_state(|| (100 + thing, 0), |_| false);
        }
        let kept = log.lock().entries.len();
        assert_eq!(kept, 2 * KEPT, "whatever comes, it is bounded");
    }

    #[tokio::test]
    async fn a_waiting_watcher_is_woken() {
        let log = EventLog::new();
        let reader = log.clone();
        let waiting = tokio::spawn(async move { reader.next(&mut 0).await });
        tokio::task::yield_now().await;
        log.publish(7);
        assert_eq!(waiting.await.unwrap(), 7);
    }
}
