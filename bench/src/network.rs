//! Pairing and reconnecting over a network with a delay: in round trips, and in time against a bare
//! TLS connect over the same network.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use pairpin_core::wire::DEFAULT_PORT;
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Identity, Peer, acknowledge};
use pairpin_tests::swarm::bare::{Bare, Mode};
use pairpin_tests::swarm::paired::{Door, Paired};
use pairpin_tests::swarm::rows;
use pairpin_tests::swarm::spread::Spread;
use pairpin_tests::{block_on, tls};

use crate::Form;
use crate::figure::{Bar, Figure};
use crate::relay::{MACHINE, Relay};

/// Another port in the same namespace.
const BARE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(MACHINE), DEFAULT_PORT + 1);

/// Round trips and times of one kind of connection.
#[derive(Default)]
struct Kind {
    trips: Vec<usize>,
    times: Vec<Duration>,
}

impl Kind {
    fn note(&mut self, relay: &Relay, began: Instant) {
        self.times.push(began.elapsed());
        self.trips.push(relay.trips.take());
    }

    /// The count where all agree; otherwise the one that is furthest from what is promised.
    fn count(&self, promised: usize) -> f64 {
        let worst = self.trips.iter().max_by_key(|trips| trips.abs_diff(promised));
        worst.map_or(f64::NAN, |trips| *trips as f64)
    }
}

pub fn measure(form: Form) -> Vec<Figure> {
    let relay = match Relay::new() {
        Ok(relay) => relay,
        Err(why) => return vec![Figure::not_run("pairing and reconnecting over a network", why)],
    };
    let mut machine = Machine::at(MACHINE);
    machine.starter = relay.starter();
    let (machine, devices) = rows::with_devices(machine, 1);
    let bare = Bare::start_by(&relay.starter(), &crate::this_program(), Mode::Tls, BARE);
    let mut figures = Vec::new();
    for (delay, rounds) in [(0, form.of(60, 5)), (50, form.of(30, 3))] {
        relay.delay(Duration::from_millis(delay));
        figures.extend(at(delay, rounds, &relay, &machine, &devices[0], bare.door.address));
    }
    figures
}

fn at(delay: u64, rounds: usize, relay: &Relay, machine: &Machine, device: &Paired, bare: SocketAddr) -> Vec<Figure> {
    let door = Door::of(machine);
    let (mut floor, mut resume, mut scan, mut paired) =
        (Kind::default(), Kind::default(), Kind::default(), Kind::default());
    for round in 0..rounds {
        let offer = machine.offer(&[]).link().secret;
        let phone = Identity::new(&format!("phone {round}"));
        block_on(async {
            // In turns, so that whatever else the machine does falls on all of them.
            relay.trips.take();
            let began = Instant::now();
            let connected = connect(bare).await;
            floor.note(relay, began);
            drop(connected);
            settle(relay).await;

            let began = Instant::now();
            let session = device.dial(door, ours()).await.unwrap_or_else(|lost| panic!("{lost:?}"));
            resume.note(relay, began);
            session.close().await;
            settle(relay).await;

            let began = Instant::now();
            let peer = Peer::connect(machine.address).await.unwrap_or_else(|error| panic!("{error}"));
            let granted = phone.prove(peer, &offer).await;
            let (grant, mut session) = granted.unwrap_or_else(|refused| panic!("{refused:?}"));
            scan.note(relay, began);
            acknowledge(&grant, &mut session).await.unwrap_or_else(|error| panic!("{error}"));
            paired.note(relay, began);
            drop(session);
            settle(relay).await;
        });
    }
    let floor_ms = Spread::of_ms(floor.times.iter().copied());
    let row = |what: &str, kind: &Kind, promised: usize, time_bar: bool| {
        let ms = Spread::of_ms(kind.times.iter().copied());
        let mut time = Figure::new(format!("{what}, at {delay} ms round trip"), ms.median(), "ms")
            .spread(ms.quantile(0.05), ms.quantile(0.95))
            .floor(floor_ms.median(), "bare TLS connect");
        if time_bar && delay > 0 {
            // Three round trips and a tenth, where the floor has two.
            time = time.bar(Bar::AtMost(3.3 * delay as f64));
        }
        let count = Figure::new(format!("{what}, round trips"), kind.count(promised), "")
            .floor(floor.count(2), "bare TLS connect")
            .bar(Bar::Exactly(promised as f64));
        [time, count]
    };
    // Acknowledging is timed from the scan's beginning, and counted alone.
    let acknowledged = Kind { trips: paired.trips.iter().map(|trips| trips + 3).collect(), times: paired.times };
    let rows = [
        row("reconnect", &resume, 3, true),
        row("scan, to the Grant", &scan, 3, true),
        row("scan, to paired", &acknowledged, 4, false),
    ];
    rows.into_iter().flatten().filter(|figure| delay > 0 || !figure.subject.ends_with("round trips")).collect()
}

fn ours() -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 47, 1)
}

async fn connect(address: SocketAddr) -> impl Sized {
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap_or_else(|error| panic!("{error}"));
    tcp.set_nodelay(true).unwrap_or_else(|error| panic!("{error}"));
    let name = "pairpin".try_into().unwrap_or_else(|error| panic!("{error}"));
    let connecting = tokio_rustls::TlsConnector::from(tls::credulous()).connect(name, tcp);
    connecting.await.unwrap_or_else(|error| panic!("{error}"))
}

/// Lets what is still on its way pass: goodbyes are none of the next connection's round trips.
async fn settle(relay: &Relay) {
    tokio::time::sleep(relay.round_trip() * 2 + Duration::from_millis(5)).await;
    relay.trips.take();
}
