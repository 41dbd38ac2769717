//! How often a daemon waits for the disk: its fsync calls, counted by strace from outside.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::admin::Admin;
use super::paired::{Door, Paired};
use crate::block_on;
use crate::machine::Machine;

/// How often the daemon writes down who was seen, in seconds (`pairpin_core::host`).
const FLUSH: f64 = 2.0;
/// Calls in one such transaction, at most: the log's, and those of a checkpoint.
const CALLS_OF_ONE: usize = 4;

/// A machine whose daemon will be traced; `log` is where to. It must not run yet.
pub fn traced(log: &Path) -> Machine {
    let mut machine = Machine::new();
    // -D: the daemon stays our own child, and the tracer ends with it.
    let words = ["strace", "-D", "-f", "-qq", "-e", "trace=fsync,fdatasync,sync,syncfs,msync,sync_file_range", "-o"];
    machine.starter = words.map(str::to_owned).to_vec();
    machine.starter.push(log.display().to_string());
    machine
}

/// Calls so far.
///
/// # Panics
/// There is no log.
#[track_caller]
pub fn calls(log: &Path) -> usize {
    let text = fs::read_to_string(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    text.lines().filter(|line| line.contains("sync") && line.contains('(')).count()
}

/// What was counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Reconnects.
    pub reconnects: usize,
    /// Calls meanwhile.
    pub calls: usize,
    /// How long it took.
    pub took: Duration,
}

impl Counted {
    /// Calls that the daemon's own rhythm explains.
    pub fn explained(&self) -> usize {
        CALLS_OF_ONE * ((self.took.as_secs_f64() / FLUSH) as usize + 2)
    }
}

/// What is wrong; nothing, where no reconnect waited for the disk.
pub fn judge(counted: &Counted) -> Vec<String> {
    let mut wrong = Vec::new();
    if counted.calls > counted.explained() {
        wrong.push(format!("{} calls, {} are explained: {counted:?}", counted.calls, counted.explained()));
    }
    // Otherwise the judge could not tell a call for each reconnect from the daemon's rhythm.
    if counted.explained() >= counted.reconnects {
        wrong.push(format!("too slow to be judged: {counted:?}"));
    }
    wrong
}

/// Reconnects again and again and counts; with `writing`, something is written after each: the twin.
///
/// # Panics
/// A device is not welcome.
pub fn count(machine: &Machine, devices: &[Paired], log: &Path, reconnects: usize, writing: bool) -> Counted {
    let (door, admin) = (Door::of(machine), Admin::of(machine));
    let (began, before) = (Instant::now(), calls(log));
    block_on(async {
        for number in 0..reconnects {
            let device = &devices[number % devices.len()];
            let session = device.dial(door, Ipv4Addr::LOCALHOST).await.unwrap_or_else(|lost| panic!("{lost:?}"));
            session.close().await;
            if writing {
                let renamed = admin.rename(device.device, &format!("name {number}")).await;
                renamed.unwrap_or_else(|error| panic!("{error}"));
            }
        }
    });
    Counted { reconnects, calls: calls(log) - before, took: began.elapsed() }
}
