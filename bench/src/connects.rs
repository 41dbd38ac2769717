//! Full connects per second, both ends on this machine: TCP, TLS, upgrade with token and proof, and
//! the welcome; against TLS and an upgrade alone with the same libraries, in turns.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pairpin_core::wire::DEFAULT_PORT;
use pairpin_tests::peer::tcp_from;
use pairpin_tests::swarm::bare::{self, Bare, Mode};
use pairpin_tests::swarm::paired::{Door, Paired};
use pairpin_tests::swarm::rows;
use pairpin_tests::swarm::spread::Spread;
use pairpin_tests::{block_on, scratch, tls};
use tokio::task::JoinSet;

use crate::Form;
use crate::figure::{Bar, Figure};

/// Connects under way at once, all of them strangers for a moment.
const AT_ONCE: usize = 24;
/// Addresses they come from, in turns: a closed connection keeps its port for a minute, and an address
/// that runs out of ports is slow to find one.
const SOURCES: usize = 250;

pub fn measure(form: Form) -> Vec<Figure> {
    let (machine, devices) = rows::machine_with(2 * AT_ONCE);
    let door = Door::of(&machine);
    let devices: Vec<Arc<Paired>> = devices.into_iter().map(Arc::new).collect();
    let address = SocketAddr::from((scratch::loopback(), DEFAULT_PORT));
    let floor = Bare::start(&crate::this_program(), Mode::WebSocket, address);
    let (rounds, time) = form.of((8, Duration::from_secs(3)), (2, Duration::from_millis(300)));
    let (mut ours, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (full, failed) = block_on(reconnects(door, &devices, time));
        let (least, _) = block_on(bare_connects(floor.door, time));
        eprintln!("bench: connects a second: {full:.0} ({failed} failed), bare {least:.0}");
        assert!(failed as f64 <= full * time.as_secs_f64() / 1000.0, "{failed} reconnects failed");
        ours.push(full);
        bare.push(least);
        ratios.push(full / least);
    }
    let (ours, bare): (Spread, Spread) = (ours.into_iter().collect(), bare.into_iter().collect());
    let ratios: Spread = ratios.into_iter().collect();
    vec![
        Figure::new("full connects, both ends on two cores", ours.median(), "a second")
            .spread(ours.least(), ours.most())
            .floor(bare.median(), "TLS 1.3 and an upgrade, no proofs")
            .bar(Bar::AtLeast(5_000.0)),
        Figure::new("the same as a share of the floor, round by round", ratios.median() * 100.0, "%")
            .spread(ratios.least() * 100.0, ratios.most() * 100.0),
    ]
}

fn source(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 40, 1 + (number % SOURCES) as u8)
}

async fn reconnects(door: Door, devices: &[Arc<Paired>], time: Duration) -> (f64, usize) {
    let failed = Arc::new(AtomicUsize::new(0));
    let rate = in_turns(time, |number| {
        let (device, failed) = (Arc::clone(&devices[number % devices.len()]), Arc::clone(&failed));
        async move {
            if device.dial(door, source(number)).await.is_err() {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let rate = rate.await;
    (rate, failed.load(Ordering::Relaxed))
}

async fn bare_connects(door: Door, time: Duration) -> (f64, usize) {
    let config = tls::credulous();
    let rate = in_turns(time, |number| {
        let config = Arc::clone(&config);
        async move {
            let tcp = tcp_from(source(number), door.address).await.unwrap_or_else(|error| panic!("{error}"));
            drop(bare::connect(config, tcp).await.unwrap_or_else(|error| panic!("{error}")));
        }
    });
    (rate.await, 0)
}

/// Runs so many at once for that long; gives how many were done a second.
async fn in_turns<F>(time: Duration, each: impl Fn(usize) -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let began = Instant::now();
    let (mut under_way, mut number, mut done) = (JoinSet::new(), 0, 0);
    for _ in 0..AT_ONCE {
        under_way.spawn(each(number));
        number += 1;
    }
    while let Some(ended) = under_way.join_next().await {
        ended.unwrap_or_else(|error| panic!("{error}"));
        if began.elapsed() >= time {
            break;
        }
        done += 1;
        under_way.spawn(each(number));
        number += 1;
    }
    let rate = f64::from(done) / began.elapsed().as_secs_f64();
    while under_way.join_next().await.is_some() {}
    rate
}
