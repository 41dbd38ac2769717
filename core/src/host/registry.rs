//! The live connections of paired devices, and how they are cut.
//!
//! A connection registers before its Welcome or acknowledgement is sent, under the lock that a
//! revoke takes too (`host::book`), so that none can slip in behind a revoke. [`Registry::cut`]
//! returns when the sockets are closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::identity::DeviceId;
use crate::wire::{CloseCode, Closing};

/// Connections of one device, at most; the oldest makes room.
const PER_DEVICE: usize = 8;

/// How long a cut waits for sockets to close. Each connection's own deadline is shorter.
const CUT_DEADLINE: Duration = Duration::from_secs(2);

/// All live connections.
#[derive(Debug, Default, Clone)]
pub(super) struct Registry {
    shared: Arc<Mutex<Connections>>,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    by_device: HashMap<DeviceId, Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    id: u64,
    close: watch::Sender<Option<Closing>>,
}

/// A connection's own end of its registration. Dropping it says that the socket is closed.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Registry,
    device: DeviceId,
    id: u64,
    close: watch::Receiver<Option<Closing>>,
}

impl Registry {
    /// Registers a connection; the oldest of the device is replaced where it has too many.
    pub(super) fn register(&self, device: DeviceId, now: crate::clock::UnixMillis) -> Registration {
        let mut all = self.lock();
        all.next += 1;
        let id = all.next;
        let (sender, close) = watch::channel(None);
        let list = all.by_device.entry(device).or_default();
        if list.len() >= PER_DEVICE {
            let closing = Closing { code: CloseCode::Replaced, by: None, at: now, reason: None };
            if let Some(oldest) = list.iter().find(|connection| connection.close.borrow().is_none()) {
                oldest.close.send_replace(Some(closing));
            }
        }
        list.push(Connection { id, close: sender });
        Registration { registry: self.clone(), device, id, close }
    }

    /// How many connections a device has.
    pub(super) fn count(&self, device: DeviceId) -> usize {
        self.lock().by_device.get(&device).map_or(0, Vec::len)
    }

    /// How many devices have one.
    pub(super) fn online(&self) -> usize {
        self.lock().by_device.len()
    }

    /// Tells every connection of a device to close, and returns how many did once they are closed.
    pub(super) async fn cut(&self, device: DeviceId, closing: &Closing) -> usize {
        let gone: Vec<_> = {
            let all = self.lock();
            let list = all.by_device.get(&device).map(Vec::as_slice).unwrap_or_default();
            list.iter().map(|connection| Self::close(connection, closing)).collect()
        };
        Self::wait(gone).await
    }

    /// The same for several devices: each is told before any is waited for, so that one that does not listen keeps
    /// no other connected. Gives the counts in their order.
    pub(super) async fn cut_each(&self, cuts: &[(DeviceId, Closing)]) -> Vec<usize> {
        let (mut gone, mut counts) = (Vec::new(), Vec::with_capacity(cuts.len()));
        {
            let all = self.lock();
            for (device, closing) in cuts {
                let list = all.by_device.get(device).map(Vec::as_slice).unwrap_or_default();
                gone.extend(list.iter().map(|connection| Self::close(connection, closing)));
                counts.push(list.len());
            }
        }
        Self::wait(gone).await;
        counts
    }

    /// The same for every connection there is.
    pub(super) async fn cut_all(&self, closing: &Closing) -> usize {
        let gone: Vec<_> = {
            let all = self.lock();
            all.by_device.values().flatten().map(|connection| Self::close(connection, closing)).collect()
        };
        Self::wait(gone).await
    }

    fn close(connection: &Connection, closing: &Closing) -> watch::Sender<Option<Closing>> {
        connection.close.send_replace(Some(closing.clone()));
        connection.close.clone()
    }

    /// Waits until each connection has dropped its receiver.
    async fn wait(gone: Vec<watch::Sender<Option<Closing>>>) -> usize {
        let count = gone.len();
        let all_closed = async {
            for sender in gone {
                sender.closed().await;
            }
        };
        // A connection's own deadlines end it sooner; this is a bound, not a way out.
        let _ = tokio::time::timeout(CUT_DEADLINE, all_closed).await;
        count
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// Resolves when this connection is to close.
    pub(super) async fn closing(&mut self) -> Closing {
        loop {
            if let Some(closing) = self.close.borrow_and_update().clone() {
                return closing;
            }
            if self.close.changed().await.is_err() {
                // The registry never drops a sender of a live registration.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut all = self.registry.lock();
        if let Some(list) = all.by_device.get_mut(&self.device) {
            list.retain(|connection| connection.id != self.id);
            if list.is_empty() {
                all.by_device.remove(&self.device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing() -> Closing {
        Closing { code: CloseCode::Revoked, by: None, at: 0, reason: None }
    }

    const DEVICE: DeviceId = DeviceId::from_bytes([1; 16]);
    const OTHER: DeviceId = DeviceId::from_bytes([2; 16]);

    #[tokio::test]
    async fn a_cut_returns_only_when_the_sockets_are_closed() {
        let registry = Registry::default();
        let mut connection = registry.register(DEVICE, 0);
        let other = registry.register(OTHER, 0);
        let cut = tokio::spawn({
            let registry = registry.clone();
            async move { registry.cut(DEVICE, &closing()).await }
        });
        assert_eq!(connection.closing().await, closing());
        tokio::task::yield_now().await;
        assert!(!cut.is_finished(), "the socket is still open");
        drop(connection);
        assert_eq!(cut.await.unwrap(), 1);
        assert_eq!((registry.count(DEVICE), registry.count(OTHER)), (0, 1));
        drop(other);
    }

    /// Waited for one after the other, the last of them would stay for as long as those before it do not listen.
    #[tokio::test(start_paused = true)]
    async fn of_several_that_are_cut_each_is_told_before_any_is_waited_for() {
        let registry = Registry::default();
        let mut all: Vec<_> = (0..20).map(|id| registry.register(DeviceId::from_bytes([id; 16]), 0)).collect();
        let cuts: Vec<_> = (0..20).map(|id| (DeviceId::from_bytes([id; 16]), closing())).collect();
        let begun = tokio::time::Instant::now();
        let cut = tokio::spawn({
            let (registry, cuts) = (registry.clone(), cuts.clone());
            async move { registry.cut_each(&cuts).await }
        });
        // The last one hears of it while nobody has closed.
        assert_eq!(all[19].closing().await, closing());
        assert_eq!(begun.elapsed(), std::time::Duration::ZERO);
        assert_eq!(cut.await.unwrap(), [1; 20]);
        assert_eq!(begun.elapsed(), CUT_DEADLINE, "one bound for all");
        // The control: one after the other.
        let begun = tokio::time::Instant::now();
        for (device, closing) in &cuts[..2] {
            registry.cut(*device, closing).await;
        }
        assert_eq!(begun.elapsed(), CUT_DEADLINE * 2);
    }

    #[tokio::test]
    async fn a_connection_that_ends_leaves_the_devices_others_to_be_cut() {
        let registry = Registry::default();
        let (first, mut second, other) =
            (registry.register(DEVICE, 0), registry.register(DEVICE, 0), registry.register(OTHER, 0));
        assert_eq!((registry.count(DEVICE), registry.online()), (2, 2));
        drop(first);
        assert_eq!((registry.count(DEVICE), registry.online()), (1, 2));
        let cut = tokio::spawn({
            let registry = registry.clone();
            async move { registry.cut(DEVICE, &closing()).await }
        });
        assert_eq!(second.closing().await, closing());
        drop(second);
        assert_eq!((cut.await.unwrap(), registry.online()), (1, 1));
        drop(other);
        assert_eq!(registry.online(), 0);
    }

    #[tokio::test]
    async fn too_many_connections_of_a_device_cost_its_oldest() {
        let registry = Registry::default();
        let mut all: Vec<_> = (0..PER_DEVICE).map(|_| registry.register(DEVICE, 0)).collect();
        let _newest = registry.register(DEVICE, 0);
        assert_eq!(all[0].closing().await.code, CloseCode::Replaced);
        assert!(all[1].close.borrow().is_none());
    }
}
