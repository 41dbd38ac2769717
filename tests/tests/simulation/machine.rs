//! The machine of the simulation: the real engine in a runtime of its own, so that it can crash (every task is
//! dropped where it stands) while the test goes on. Its state outlives it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairpin_core::clock::{Clock, SystemClock, UnixMillis};
use pairpin_core::host::{DATABASE_FILE, Host, HostConfig, NEXT_KEY_FILE};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The system's clocks, moved ahead by the weather.
#[derive(Default)]
pub struct Moved(AtomicI64);

impl Moved {
    pub fn ahead(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn elapsed(&self) -> Duration {
        SystemClock.elapsed() + Duration::from_millis(self.0.load(Ordering::SeqCst) as u64)
    }

    fn wall_ms(&self) -> UnixMillis {
        SystemClock.wall_ms() + self.0.load(Ordering::SeqCst)
    }
}

pub struct Machine {
    dir: TempDir,
    pub clock: Arc<Moved>,
    inside: Mutex<Option<Inside>>,
}

struct Inside {
    runtime: Runtime,
    host: Host,
}

impl Machine {
    /// One that has never run.
    pub fn new() -> Self {
        // In memory where that can be: what is tried are orders, and the disk has tests of its own.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        Self { dir, clock: Arc::default(), inside: Mutex::default() }
    }

    fn inside(&self) -> MutexGuard<'_, Option<Inside>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn database(&self) -> PathBuf {
        self.dir.path().join("state").join(DATABASE_FILE)
    }

    /// Starts it; gives where it listens. Blocks: call it where that is allowed.
    pub fn start(&self) -> SocketAddr {
        self.start_as(false)
    }

    /// The same; with `new_key` it makes the keys that it does not find, as a person may ask it to.
    fn start_as(&self, new_key: bool) -> SocketAddr {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let config = HostConfig {
            state_dir: self.dir.path().join("state"),
            bind: Some([127, 0, 0, 1].into()),
            port: 0,
            name: Some("homebox".into()),
            platform: "a test".into(),
            advertise: Vec::new(),
            new_key,
            place: pairpin_core::host::Place::default(),
            join_from: "loopback".parse().expect("a network"),
            clock: self.clock.clone(),
        };
        let host = runtime.block_on(Host::start(config)).unwrap_or_else(|error| panic!("{error}"));
        let address = host.status().listening[0];
        *self.inside() = Some(Inside { runtime, host });
        address
    }

    /// Starts it where it stopped, with another next key than it has announced. Blocks.
    pub fn start_with_another_next(&self) {
        std::fs::remove_file(self.dir.path().join("state").join(NEXT_KEY_FILE)).expect("its next key");
        self.start_as(true);
    }

    /// Ends it: as asked to, or where it stands. Blocks.
    pub fn end(&self, crash: bool) {
        let Some(Inside { runtime, host }) = self.inside().take() else { return };
        if !crash {
            runtime.block_on(host.stop());
        }
        drop(host);
        runtime.shutdown_timeout(Duration::from_secs(5));
    }

    /// The engine and the runtime it lives in, while it runs.
    pub fn host(&self) -> Option<(Host, tokio::runtime::Handle)> {
        self.inside().as_ref().map(|inside| (inside.host.clone(), inside.runtime.handle().clone()))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(Inside { runtime, .. }) = self.inside().take() {
            runtime.shutdown_background();
        }
    }
}
