//! A machine and a device in one process, over real TLS, real sockets and real SQLite.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use pairpin_core::client::{Client, ClientConfig, MachineState, MachineWatch, Paired, SoftwareSigner};
use pairpin_core::clock::{Clock, SystemClock, UnixMillis};
use pairpin_core::host::{Host, HostConfig, NewOffer, OfferRequest};
use pairpin_core::secrets::{KeyKind, SecretBytes, SecretStore, SecretStoreError};
use tempfile::TempDir;

/// The system's clocks, moved ahead by the test.
#[derive(Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn elapsed(&self) -> Duration {
        SystemClock.elapsed() + Duration::from_millis(self.0.load(Ordering::SeqCst) as u64)
    }

    fn wall_ms(&self) -> UnixMillis {
        SystemClock.wall_ms() + self.0.load(Ordering::SeqCst)
    }
}

/// Secrets in memory, which outlive a client.
#[derive(Default)]
pub struct MemoryStore(pub Mutex<BTreeMap<String, SecretBytes>>);

impl MemoryStore {
    pub fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

impl SecretStore for MemoryStore {
    fn kind(&self) -> KeyKind {
        KeyKind::File
    }

    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretStoreError> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), SecretStoreError> {
        self.0.lock().unwrap().insert(name.to_owned(), secret.clone());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

/// A machine whose state outlives a run of it.
pub struct Machine {
    pub dir: TempDir,
    pub clock: Arc<TestClock>,
    pub port: u16,
    host: Option<Host>,
}

impl Machine {
    pub async fn start(clock: &Arc<TestClock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = start_host(dir.path().join("state"), clock, 0, false).await;
        let port = host.status().listening[0].port();
        Self { dir, clock: clock.clone(), port, host: Some(host) }
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Stops the host, lets `change` work on its state, and starts it again at the same port.
    pub async fn restart(&mut self, new_key: bool, change: impl FnOnce(PathBuf)) {
        self.stop().await;
        change(self.state());
        self.host = Some(start_host(self.state(), &self.clock, self.port, new_key).await);
    }

    /// Stops the host; its state stays.
    pub async fn stop(&mut self) {
        if let Some(host) = self.host.take() {
            host.stop().await;
        }
    }

    /// Starts again at another port.
    pub async fn move_to(&mut self, port: u16) {
        self.stop().await;
        self.port = port;
        self.restart(false, |_| ()).await;
    }

    pub fn host(&self) -> &Host {
        self.host.as_ref().expect("the machine runs")
    }

    pub fn offer(&self) -> NewOffer {
        self.host().create_offer(OfferRequest { link: true, code: true, ..OfferRequest::default() }).unwrap()
    }

    pub fn address(&self) -> pairpin_core::wire::Address {
        format!("127.0.0.1:{}", self.port).parse().unwrap()
    }
}

async fn start_host(state_dir: PathBuf, clock: &Arc<TestClock>, port: u16, new_key: bool) -> Host {
    Host::start(HostConfig {
        state_dir,
        bind: Some("127.0.0.1".parse().unwrap()),
        port,
        name: Some("homebox".into()),
        platform: "Debian 13, x86_64".into(),
        advertise: Vec::new(),
        new_key,
        place: pairpin_core::host::Place::default(),
        join_from: "loopback".parse().unwrap(),
        clock: clock.clone(),
    })
    .await
    .unwrap()
}

/// A device whose state outlives its client.
pub struct Device {
    pub dir: TempDir,
    pub store: Arc<MemoryStore>,
    pub clock: Arc<TestClock>,
    pub client: Client,
}

impl Device {
    pub fn new(clock: &Arc<TestClock>) -> Self {
        let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
        let client = open(&dir, &store, clock);
        Self { dir, store, clock: clock.clone(), client }
    }

    /// Another process of the same device.
    pub fn other_process(&self) -> Client {
        open(&self.dir, &self.store, &self.clock)
    }

    pub async fn pair(&self, machine: &Machine) -> Paired {
        let preview = self.client.preview(machine.offer().link.as_ref().unwrap()).await.unwrap();
        self.client.pair(preview).await.unwrap()
    }
}

fn open(dir: &TempDir, store: &Arc<MemoryStore>, clock: &Arc<TestClock>) -> Client {
    Client::open(ClientConfig {
        state_dir: dir.path().join("state"),
        secret_store: store.clone(),
        signer: Arc::new(SoftwareSigner::new(store.clone())),
        other_stores: Vec::new(),
        device_name: "laptop".into(),
        platform: "Fedora 44, x86_64".into(),
        clock: clock.clone(),
    })
    .unwrap()
}

pub async fn pair_of_both() -> (Machine, Device) {
    let clock = Arc::new(TestClock::default());
    (Machine::start(&clock).await, Device::new(&clock))
}

/// Waits until the watch says what `fits`.
pub async fn until(watch: &MachineWatch, fits: impl Fn(&MachineState) -> bool) -> MachineState {
    let waiting = async {
        loop {
            let state = watch.current();
            if fits(&state) {
                return state;
            }
            if watch.changed().await.is_none() {
                let last = watch.current();
                assert!(fits(&last), "the watch ended in {last:?}");
                return last;
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    found.unwrap_or_else(|_| panic!("still {:?}", watch.current()))
}

/// Polls `future` at most `polls` times and drops it; whether it was done before.
pub async fn dropped_after(polls: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}
