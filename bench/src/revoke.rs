//! From a revocation to the last close, while a thousand devices are connected: each is revoked, one
//! after the other. The floor is one durable commit on the same disk.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pairpin_tests::swarm::admin::Admin;
use pairpin_tests::swarm::paired::{Door, Paired};
use pairpin_tests::swarm::rows;
use pairpin_tests::swarm::spread::Spread;
use pairpin_tests::{block_on, scratch};
use tokio::task::JoinSet;

use crate::Form;
use crate::figure::{Bar, Figure};

pub fn measure(form: Form) -> Vec<Figure> {
    let count = form.of(1_000, 100);
    let (machine, devices) = rows::machine_with(count + 1);
    let (door, admin) = (Door::of(&machine), Admin::of(&machine));
    let devices: Vec<Arc<Paired>> = devices.into_iter().skip(1).map(Arc::new).collect();
    let cut = block_on(async {
        let connected = connect_all(door, &devices).await;
        let mut cut = Vec::new();
        for (device, ended) in connected {
            let began = Instant::now();
            admin.revoke(device.device).await.unwrap_or_else(|error| panic!("{error}"));
            let answered = began.elapsed();
            let ended: Instant = ended.await.unwrap_or_else(|error| panic!("{error}"));
            cut.push((ended - began).max(answered));
        }
        Spread::of_ms(cut)
    });
    let floor = commits(form.of(300, 30));
    vec![
        Figure::new(format!("revoke to all cut, {count} devices connected, p99"), cut.p99(), "ms")
            .spread(cut.least(), cut.most())
            .floor(floor.p99(), "a durable commit, p99")
            .bar(Bar::AtMost(50.0)),
        Figure::new("the same, median", cut.median(), "ms")
            .spread(cut.quantile(0.05), cut.quantile(0.95))
            .floor(floor.median(), "a durable commit"),
    ]
}

pub(crate) type Ended = tokio::task::JoinHandle<Instant>;

/// Each with what tells when its connection has ended.
pub(crate) async fn connect_all(door: Door, devices: &[Arc<Paired>]) -> Vec<(Arc<Paired>, Ended)> {
    const AT_ONCE: usize = 16;
    let (mut dials, mut connected) = (JoinSet::new(), Vec::new());
    for (number, device) in devices.iter().cloned().enumerate() {
        if dials.len() >= AT_ONCE {
            connected.extend(dials.join_next().await.map(|made| made.unwrap_or_else(|error| panic!("{error}"))));
        }
        let source = Ipv4Addr::new(127, 0, 42, 1 + (number % AT_ONCE) as u8);
        dials.spawn(async move {
            let mut session = device.dial(door, source).await.unwrap_or_else(|lost| panic!("{lost:?}"));
            let ended = tokio::spawn(async move {
                session.end().await;
                Instant::now()
            });
            (device, ended)
        });
    }
    connected.extend(dials.join_all().await);
    connected
}

/// What SQLite with our settings needs for one row, where the machine has its state.
pub(crate) fn commits(count: usize) -> Spread {
    let home = scratch::directory();
    let database = rusqlite::Connection::open(home.path().join("floor.db")).unwrap_or_else(|error| panic!("{error}"));
    let made = database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE floor (id INTEGER PRIMARY KEY, data BLOB);",
    );
    made.unwrap_or_else(|error| panic!("{error}"));
    let commit = |_| {
        let began = Instant::now();
        let written = database.execute("INSERT INTO floor (data) VALUES (zeroblob(300))", []);
        written.unwrap_or_else(|error| panic!("{error}"));
        began.elapsed()
    };
    Spread::of_ms((0..count).map(commit).collect::<Vec<Duration>>())
}
