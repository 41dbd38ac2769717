//! What an idle paired connection costs the daemon in memory, at a thousand and at ten thousand;
//! against a process that holds as many TLS connections and nothing else.
//!
//! Client and server are two processes: both ends of ten thousand connections are more files than
//! one may have open.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pairpin_core::wire::DEFAULT_PORT;
use pairpin_tests::peer::tcp_from;
use pairpin_tests::swarm::bare::{Bare, Mode};
use pairpin_tests::swarm::paired::{Door, Paired};
use pairpin_tests::swarm::process::{Memory, memory};
use pairpin_tests::swarm::rows;
use pairpin_tests::{block_on, scratch, tls};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Form;
use crate::figure::{Bar, Figure};

/// Dials under way at once, each from an address of its own.
const AT_ONCE: usize = 32;

pub fn measure(form: Form) -> Vec<Figure> {
    let counts: &[usize] = form.of(&[1_000, 10_000], &[1_000]);
    // Longer than a heartbeat: what a ping and its answer need is part of being idle.
    let rest = form.of(Duration::from_secs(18), Duration::from_secs(2));
    let most = counts.last().copied().unwrap_or_default();
    let ours = {
        let (mut machine, devices) = rows::machine_with(most);
        let (door, pid) = (Door::of(&machine), machine.daemon().id());
        let devices: Vec<Arc<Paired>> = devices.into_iter().map(Arc::new).collect();
        block_on(held(pid, counts, rest, move |number| {
            let device = Arc::clone(&devices[number]);
            async move {
                loop {
                    // Where two of one address meet, one goes: it comes back, as a device does.
                    if let Ok(mut session) = device.dial(door, source(number)).await {
                        return Held(tokio::spawn(async move { session.end().await }));
                    }
                }
            }
        }))
    };
    let floor = {
        let address = SocketAddr::from((scratch::loopback(), DEFAULT_PORT));
        let bare = Bare::start(&crate::this_program(), Mode::Tls, address);
        let config = tls::credulous();
        block_on(held(bare.process.id(), counts, rest.min(Duration::from_secs(2)), move |number| {
            let config = Arc::clone(&config);
            async move {
                let tcp = tcp_from(source(number), address).await.unwrap_or_else(|error| panic!("{error}"));
                let name = "pairpin".try_into().unwrap_or_else(|error| panic!("{error}"));
                let connecting = tokio_rustls::TlsConnector::from(config).connect(name, tcp);
                let mut stream = connecting.await.unwrap_or_else(|error| panic!("{error}"));
                Held(tokio::spawn(async move { drop(stream.read(&mut [0; 1]).await) }))
            }
        }))
    };
    let rows = counts.iter().zip(ours).zip(floor);
    rows.map(|((count, ours), floor)| {
        Figure::new(format!("memory of an idle paired connection, {count} of them"), ours, "KiB")
            .floor(floor, "TLS alone")
            .bar(Bar::AtMost(16.0))
    })
    .collect()
}

/// A connection, read to its end by a task.
struct Held(tokio::task::JoinHandle<()>);

fn source(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 41, 1 + (number % AT_ONCE) as u8)
}

/// Makes connections up to each count and holds them; gives KiB for each connection.
async fn held<F>(pid: u32, counts: &[usize], rest: Duration, dial: impl Fn(usize) -> F) -> Vec<f64>
where
    F: Future<Output = Held> + Send + 'static,
{
    let mut made = Vec::new();
    // The first connections bring what is made once.
    for number in 0..8 {
        made.push(dial(number).await);
    }
    sleep(Duration::from_secs(1)).await;
    let first = made.len();
    let before = memory(pid);
    let mut figures = Vec::new();
    for count in counts {
        let mut dials = JoinSet::new();
        for number in made.len()..*count {
            if dials.len() >= AT_ONCE {
                made.extend(dials.join_next().await.map(|made| made.unwrap_or_else(|error| panic!("{error}"))));
            }
            dials.spawn(dial(number));
        }
        made.extend(dials.join_all().await);
        sleep(rest).await;
        assert_eq!(made.iter().filter(|held| held.0.is_finished()).count(), 0, "connections were lost");
        let now = memory(pid);
        eprintln!("bench: {count} connections: {}", told(before, now));
        figures.push((now.resident - before.resident) as f64 / (count - first) as f64);
    }
    figures
}

fn told(before: Memory, now: Memory) -> String {
    let anonymous = now.anonymous - before.anonymous;
    format!(
        "{} KiB more are resident, {anonymous} of them anonymous; {} KiB in all",
        now.resident - before.resident,
        now.resident
    )
}
