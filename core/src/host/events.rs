//! What the machine tells whoever watches: one log for an offer, one for the whole host.
//!
//! A watcher reads at its own pace; one that falls behind loses the oldest events, and delays
//! nobody. The command line's waiting verbs and `serve`'s screen are the watchers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
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
    /// A device connected or disconnected.
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
    first: u64,
    events: VecDeque<T>,
}

/// Events kept for a watcher that is behind.
const KEPT: usize = 256;

impl<T: Clone> EventLog<T> {
    pub(super) fn new() -> Self {
        let kept = Mutex::new(Kept { first: 0, events: VecDeque::new() });
        Self { shared: Arc::new(Shared { kept, changed: Notify::new() }) }
    }

    pub(super) fn publish(&self, event: T) {
        {
            let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.events.len() == KEPT {
                kept.events.pop_front();
                kept.first += 1;
            }
            kept.events.push_back(event);
        }
        self.shared.changed.notify_waiters();
    }

    fn end(&self) -> u64 {
        let kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.first + kept.events.len() as u64
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
                let kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
                let at = (*position).max(kept.first);
                if let Some(event) = kept.events.get((at - kept.first) as usize) {
                    let lost = at > *position;
                    *position = at + 1;
                    return (event.clone(), lost);
                }
            }
            changed.await;
        }
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
}

impl DeviceEvents {
    /// From now on.
    pub(super) fn new(log: EventLog<DeviceEvent>) -> Self {
        let position = log.end();
        Self { log, position }
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
            if role().is_some_and(|role| role >= event.least_role()) {
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
        let mut viewer = DeviceEvents::new(log.clone());
        let mut owner = DeviceEvents::new(log.clone());
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
    async fn a_waiting_watcher_is_woken() {
        let log = EventLog::new();
        let reader = log.clone();
        let waiting = tokio::spawn(async move { reader.next(&mut 0).await });
        tokio::task::yield_now().await;
        log.publish(7);
        assert_eq!(waiting.await.unwrap(), 7);
    }
}
