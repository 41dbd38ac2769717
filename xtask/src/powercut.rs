//! `cargo xtask powercut`: takes the power from a small virtual machine in which the real `pairpin`
//! pairs and revokes, and looks whether every promise that was given is kept after the next start.
//!
//! The cut is a SIGKILL of QEMU: what the guest had written and not flushed is gone, as with a real one.
//! (A disk that lies about a flush is not simulated.) The control is a twin of the binary whose
//! `synchronous = FULL` is NORMAL, patched in place: it must lose something. What runs in the guest is
//! `tests/src/bin/powercut-guest.rs`; its parts come from [`crate::guest`].

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::guest::{self, Guest};

/// How long a boot or a pairing may take without acceleration.
const PATIENCE: Duration = Duration::from_secs(180);
/// Promises before the power may go.
const LEAST: u64 = 4;

/// What came of the cuts of one binary.
#[derive(Debug, Default)]
struct Outcome {
    promises: usize,
    losing_cuts: usize,
    lost: usize,
}

/// Runs it; says whether all went well.
///
/// # Errors
/// The arguments cannot be understood, or something is missing, or the guest does not run.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let (mut cycles, mut seed) = (15, SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs()));
    let kvm = arguments.iter().any(|argument| argument == "--kvm");
    let mut arguments = arguments.iter().filter(|argument| *argument != "--kvm");
    while let Some(argument) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse().ok());
        match (argument.as_str(), number) {
            ("--cycles", Some(number)) => cycles = number,
            ("--seed", Some(number)) => seed = number,
            _ => return Err(format!("{argument:?}: see `cargo xtask help`")),
        }
    }
    let root = crate::root();
    let guest = guest::make(&root, kvm)?;
    println!("powercut: {cycles} cuts each, --seed {seed}, {}", guest.speed());
    let full = cuts(&guest, "full", cycles, seed)?;
    let normal = cuts(&guest, "normal", cycles, seed)?;
    let kept = full.lost == 0;
    if !kept {
        println!("FULL has lost {} of {} promises", full.lost, full.promises);
    }
    let control = normal.losing_cuts > 0;
    if !control {
        println!("the control has lost nothing: these cuts prove nothing");
    }
    println!("{} passed, {} failed", u8::from(kept) + u8::from(control), u8::from(!kept) + u8::from(!control));
    Ok(kept && control)
}

fn cuts(guest: &Guest, binary: &'static str, cycles: u64, seed: u64) -> Result<Outcome, String> {
    let disk = guest.disk(binary)?;
    // Name to its last promise.
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    let mut outcome = Outcome::default();
    let mut chance = seed;
    let begun = Instant::now();
    // One start more than cuts: the last one only looks.
    for boot in 0..=cycles {
        let mut machine = Running::start(guest, binary, &disk, boot)?;
        let has = machine.until_ready()?;
        if boot > 0 {
            let lost = given.iter().filter(|(name, promise)| !kept(&has, name, promise)).count();
            outcome.losing_cuts += usize::from(lost > 0);
            outcome.lost += lost;
            // What is lost is lost once.
            given.retain(|name, promise| kept(&has, name, promise));
        }
        if boot == cycles {
            break;
        }
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let count = LEAST + (chance >> 33) % 20;
        let pause = Duration::from_micros((chance >> 40) % 40_000);
        let before = given.len();
        machine.promises(count, &mut given)?;
        // Somewhere in the next ones. What still comes out meanwhile was promised, too.
        thread::sleep(pause);
        machine.cut(&mut given);
        if given.len() == before {
            return Err(format!("cut {boot} came before anything was promised"));
        }
        outcome.promises += given.len() - before;
    }
    let Outcome { promises, losing_cuts, lost } = &outcome;
    let took = begun.elapsed().as_secs();
    println!(
        "synchronous={}: {cycles} cuts, {promises} devices promised something, {lost} promises lost in {losing_cuts} cuts, {took} s",
        binary.to_uppercase()
    );
    Ok(outcome)
}

/// Whether what is there keeps a promise. A revoke that was under way may have happened.
fn kept(has: &[String], name: &str, promise: &str) -> bool {
    let there = |what: &str| has.iter().any(|line| *line == format!("{what} {name}"));
    match promise {
        "revoked" => there("revoked") && !there("paired"),
        _ => there("paired") != there("revoked"),
    }
}

/// A virtual machine that runs.
struct Running {
    child: Child,
    lines: Receiver<String>,
    last: Vec<String>,
}

impl Running {
    fn start(guest: &Guest, binary: &str, disk: &Path, boot: u64) -> Result<Self, String> {
        let mut command: Command = guest.command(binary, disk, boot);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().map_err(|error| format!("qemu did not start: {error}"))?;
        let (sender, lines) = channel();
        if let Some(console) = child.stdout.take() {
            thread::spawn(move || {
                let mut console = BufReader::new(console);
                let mut bytes = Vec::new();
                while console.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                    // A line that the cut has cut promises nothing.
                    if bytes.last() == Some(&b'\n')
                        && sender.send(String::from_utf8_lossy(&bytes).trim().to_owned()).is_err()
                    {
                        return;
                    }
                    bytes.clear();
                }
            });
        }
        Ok(Self { child, lines, last: Vec::new() })
    }

    /// The next line of the guest's program.
    fn next(&mut self) -> Result<String, String> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    if let Some(said) = of_ours(&line) {
                        return Ok(said.to_owned());
                    }
                    self.last.push(line);
                }
                Err(why) => {
                    let why = if why == RecvTimeoutError::Timeout { "says nothing more" } else { "has ended" };
                    return Err(format!("the virtual machine {why}:\n{}", self.last.join("\n")));
                }
            }
        }
    }

    /// What it says is there, until it is ready.
    fn until_ready(&mut self) -> Result<Vec<String>, String> {
        let mut has = Vec::new();
        loop {
            match self.next()?.as_str() {
                "READY" => return Ok(has),
                "SOUND" => {}
                said => match said.strip_prefix("HAS ") {
                    Some(line) => has.push(line.to_owned()),
                    None => return Err(format!("after a cut: {said}")),
                },
            }
        }
    }

    fn promises(&mut self, count: u64, given: &mut BTreeMap<String, String>) -> Result<(), String> {
        for _ in 0..count {
            let said = self.next()?;
            note(&said, given);
        }
        Ok(())
    }

    /// Takes the power, and then reads what had come out before.
    fn cut(mut self, given: &mut BTreeMap<String, String>) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        while let Ok(line) = self.lines.recv() {
            if let Some(said) = of_ours(&line) {
                note(said, given);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the guest's program said in a line of the console; the firmware may have left something before.
fn of_ours(line: &str) -> Option<&str> {
    line.split_once("PP ").map(|(_, said)| said)
}

fn note(said: &str, given: &mut BTreeMap<String, String>) {
    if let Some((promise, name)) = said.strip_prefix("ACK ").and_then(|rest| rest.split_once(' ')) {
        given.insert(name.to_owned(), promise.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_or_lost() {
        let has: Vec<String> = ["paired a", "revoked b", "paired c", "revoked c"].map(str::to_owned).to_vec();
        assert!(kept(&has, "a", "paired") && kept(&has, "b", "revoked"));
        // A revoke that was not promised yet may have happened.
        assert!(kept(&has, "b", "paired"));
        assert!(!kept(&has, "a", "revoked") && !kept(&has, "lost", "paired") && !kept(&has, "lost", "revoked"));
        assert!(!kept(&has, "c", "paired") && !kept(&has, "c", "revoked"), "half a revoke");
    }
}
