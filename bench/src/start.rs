//! From the start of the program to its port being open, and the memory of a daemon that does
//! nothing. The floor is a process that only makes a key and listens.

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pairpin_core::wire::DEFAULT_PORT;
use pairpin_tests::scratch;
use pairpin_tests::swarm::bare::{Bare, Mode};
use pairpin_tests::swarm::process::memory;
use pairpin_tests::swarm::rows;
use pairpin_tests::swarm::spread::Spread;

use crate::Form;
use crate::figure::{Bar, Figure};

pub fn measure(form: Form) -> Vec<Figure> {
    let rounds = form.of(30, 3);
    let (mut machine, _) = rows::machine_with(3);
    thread::sleep(Duration::from_secs(1));
    let idle = memory(machine.daemon().id());
    machine.stop().expect(0);
    let address = SocketAddr::from((scratch::loopback(), DEFAULT_PORT));
    let bare = Bare::start(&crate::this_program(), Mode::WebSocket, address);
    let bare_idle = memory(bare.process.id());
    drop(bare);
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(until_open(&mut machine.serve_command(), machine.address));
        let mut command = Command::new(crate::this_program());
        command.args(["bare", Mode::WebSocket.word(), &address.to_string()]);
        floor.push(until_open(&mut command, address));
    }
    let (ours, floor) = (Spread::of_ms(ours), Spread::of_ms(floor));
    let mib = |kib: u64| kib as f64 / 1024.0;
    vec![
        Figure::new("start to listening", ours.median(), "ms")
            .spread(ours.least(), ours.most())
            .floor(floor.median(), "a process that makes a key and listens")
            .bar(Bar::AtMost(50.0)),
        Figure::new("memory of an idle daemon", mib(idle.resident), "MiB")
            .floor(mib(bare_idle.resident), "a process that listens")
            .bar(Bar::AtMost(16.0)),
        Figure::new("of that, heap and stacks", mib(idle.anonymous), "MiB")
            .floor(mib(bare_idle.anonymous), "a process that listens"),
    ]
}

/// Starts it, waits until its port is open, and ends it.
fn until_open(command: &mut Command, address: SocketAddr) -> Duration {
    let began = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{error}"));
    let took = loop {
        if TcpStream::connect(address).is_ok() {
            break began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "it does not listen");
        thread::sleep(Duration::from_micros(200));
    };
    // Killed: its end is none of what is measured, and the next one starts after a crash, as it may.
    let _ = child.kill();
    let _ = child.wait();
    took
}
