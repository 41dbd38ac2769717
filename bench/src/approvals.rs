//! From an owner's yes to a joiner that is in, and from an owner's revoke to the cut at the revoked device, while
//! a thousand devices are connected. The floor is what neither can do without: one durable commit on the
//! same disk, and one round trip on a connection that stands.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pairpin_core::wire::{JoinHow, limits};
use pairpin_tests::block_on;
use pairpin_tests::machine::Machine;
use pairpin_tests::swarm::joiner;
use pairpin_tests::swarm::owner::{Approval, Owner};
use pairpin_tests::swarm::paired::{Door, Paired};
use pairpin_tests::swarm::rows;
use pairpin_tests::swarm::spread::Spread;

use crate::Form;
use crate::figure::{Bar, Figure};
use crate::revoke::{commits, connect_all};

/// People are shown no more joins than that in an hour: then the daemon starts anew.
const JOINS: usize = limits::JOIN_PROMPTS;

pub fn measure(form: Form) -> Vec<Figure> {
    let (count, rounds) = form.of((1_000, 30), (100, 2));
    let mut machine = Machine::new();
    machine.arguments = ["--join-from", "loopback"].map(Into::into).into();
    let (mut machine, mut devices) = rows::with_devices(machine, count + 1);
    let (door, approval) = (Door::of(&machine), Approval::generate());
    let owner = devices.remove(0);
    let devices: Vec<Arc<Paired>> = devices.into_iter().map(Arc::new).collect();
    let (mut ready, mut trips) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round > 0 {
            machine.restart();
        }
        block_on(async {
            let connected = connect_all(door, &devices).await;
            let mut owner = Owner::connect(door, &owner, &approval).await.unwrap_or_else(|error| panic!("{error:?}"));
            for number in 0..JOINS {
                // By the scan: of numbers there are three slots in ten minutes.
                let source = Ipv4Addr::new(127, 0, 43, 1 + (number / limits::JOIN_PROMPTS_PER_SOURCE) as u8);
                ready.push(let_in(door, &mut owner, source).await);
                trips.push(round_trip(&mut owner).await);
            }
            drop(connected);
        });
    }
    let cut = block_on(async {
        let connected = connect_all(door, &devices).await;
        let mut owner = Owner::connect(door, &owner, &approval).await.unwrap_or_else(|error| panic!("{error:?}"));
        let mut cut = Vec::new();
        for (device, ended) in connected {
            let began = Instant::now();
            owner.revoke(device.device).await.unwrap_or_else(|error| panic!("{error:?}"));
            let answered = began.elapsed();
            let ended: Instant = ended.await.unwrap_or_else(|error| panic!("{error}"));
            cut.push((ended - began).max(answered));
        }
        Spread::of_ms(cut)
    });
    let (ready, trips, commits) = (Spread::of_ms(ready), Spread::of_ms(trips), commits(form.of(300, 30)));
    let what = "a durable commit and a round trip, p99";
    let floor = commits.p99() + trips.p99();
    let middle = commits.median() + trips.median();
    vec![
        Figure::new(format!("yes from afar to the joiner in, {count} devices connected, p99"), ready.p99(), "ms")
            .spread(ready.least(), ready.most())
            .floor(floor, what)
            .bar(Bar::AtMost(50.0)),
        Figure::new("the same, median", ready.median(), "ms")
            .spread(ready.quantile(0.05), ready.quantile(0.95))
            .floor(middle, "the same, medians"),
        Figure::new(format!("revoke from afar to the cut, {count} devices connected, p99"), cut.p99(), "ms")
            .spread(cut.least(), cut.most())
            .floor(floor, what)
            .bar(Bar::AtMost(50.0)),
        Figure::new("the same, median", cut.median(), "ms")
            .spread(cut.quantile(0.05), cut.quantile(0.95))
            .floor(middle, "the same, medians"),
    ]
}

/// A join that waits is let in: from the yes (the nonce is asked for, the statement signed) to the answer that
/// makes the joiner a device. The four digits are typed in no time.
async fn let_in(door: Door, owner: &mut Owner, source: Ipv4Addr) -> Duration {
    let asked = joiner::ask(door, source, "laptop").await.unwrap_or_else(|lost| panic!("{lost:?}"));
    let (qr, key) = (asked.waiting.qr(), asked.public);
    // A request's answer comes after whatever was told before: so it is shown by then, or soon.
    while owner.joins().await.unwrap_or_else(|error| panic!("{error:?}")).iter().all(|listed| listed.join != qr.join) {}
    let joiner = tokio::spawn(asked.granted(Duration::from_secs(10)));
    let began = Instant::now();
    let accepted = owner.approve(qr.join, key, JoinHow::Scan(qr.transcript)).await;
    let accepted = accepted.unwrap_or_else(|error| panic!("{error:?}"));
    let held = joiner.await.unwrap_or_else(|error| panic!("{error}")).unwrap_or_else(|lost| panic!("{lost:?}"));
    let typed = held.typed(&accepted.digits).unwrap_or_else(|| panic!("other digits"));
    let (_, session) = typed.acknowledge(Duration::from_secs(10)).await;
    let took = began.elapsed();
    drop(session.unwrap_or_else(|lost| panic!("{lost:?}")));
    took
}

async fn round_trip(owner: &mut Owner) -> Duration {
    let began = Instant::now();
    owner.session.round_trip().await.unwrap_or_else(|lost| panic!("{lost:?}"));
    began.elapsed()
}
