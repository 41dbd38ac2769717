//! Running programs and waiting for what they say: always with a deadline, never with a sleep.
//!
//! [`run`] is for a command that ends by itself, [`Background`] for one that goes on (`serve`,
//! `pair`, `machines watch`). Used by [`crate::machine`] and [`crate::device`].

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before a test gives up. Long, because the machine may be busy; a
/// test that passes does not wait for it.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What a program said, and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Its results.
    pub stdout: String,
    /// Its chatter.
    pub stderr: String,
}

impl Output {
    /// Checks the exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "wrong exit code of {self:#?}");
        self
    }

    /// Checks that the chatter holds a text, whatever the case of its letters.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.to_lowercase().contains(&text.to_lowercase()), "{text:?} is not said in {self:#?}");
        self
    }

    /// Standard output as one JSON value; its version is checked.
    #[track_caller]
    pub fn json(&self) -> Value {
        let Ok(value) = serde_json::from_str::<Value>(&self.stdout) else { panic!("no JSON in {self:#?}") };
        assert_eq!(value["v"], 1, "no version in {self:#?}");
        value
    }
}

/// Runs a program to its end, `input` on its stdin.
///
/// # Panics
/// It does not start, or does not end before the deadline.
#[track_caller]
pub fn run(command: &mut Command, input: &str) -> Output {
    let mut program = Background::start(command, Some(input));
    program.end()
}

enum Event {
    Out(String),
    Err(String),
    Closed,
}

/// A program that goes on. It is killed, by its own id, when this is dropped.
#[derive(Debug)]
pub struct Background {
    child: Child,
    events: Receiver<Event>,
    open: usize,
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// Lines of stdout that [`Background::line`] has handed out.
    read: usize,
    noted: usize,
}

impl Background {
    /// Starts a program. Its stdin is `input`, or closed.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn start(command: &mut Command, input: Option<&str>) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            // A program that has failed already does not read; its exit code tells.
            let _ = stdin.write_all(input.as_bytes());
        }
        let (sender, events) = channel();
        let mut open = 0;
        if let Some(stdout) = child.stdout.take() {
            open += 1;
            lines(stdout, sender.clone(), Event::Out);
        }
        if let Some(stderr) = child.stderr.take() {
            open += 1;
            lines(stderr, sender, Event::Err);
        }
        Self { child, events, open, stdout: Vec::new(), stderr: Vec::new(), read: 0, noted: 0 }
    }

    /// The next line of stdout that satisfies `wanted`; those before it are passed over.
    ///
    /// # Panics
    /// The deadline passes, or the program ends, without one.
    #[track_caller]
    pub fn line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            while let Some(line) = self.stdout.get(self.read) {
                self.read += 1;
                if wanted(line) {
                    return line.clone();
                }
            }
            assert!(self.take_event(deadline), "no {what} from {}", self.everything());
        }
    }

    /// The first line of stdout or stderr that satisfies `wanted`.
    ///
    /// # Panics
    /// The deadline passes, or the program ends, without one.
    #[track_caller]
    pub fn either(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(line) = self.stdout.iter().chain(&self.stderr).find(|line| wanted(line)) {
                return line.clone();
            }
            assert!(self.take_event(deadline), "no {what} from {}", self.everything());
        }
    }

    /// The next event: a line of JSON on stdout that has `name` as its `event`.
    ///
    /// # Panics
    /// The deadline passes, or the program ends, without one.
    #[track_caller]
    pub fn event(&mut self, name: &str) -> Value {
        let of = |line: &str| serde_json::from_str::<Value>(line).ok();
        let line = self.line(name, |line| of(line).is_some_and(|value| value["event"] == name));
        of(&line).unwrap_or_default()
    }

    /// The next line of stderr that satisfies `wanted`.
    ///
    /// # Panics
    /// The deadline passes, or the program ends, without one.
    #[track_caller]
    pub fn note(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            while let Some(line) = self.stderr.get(self.noted) {
                self.noted += 1;
                if wanted(line) {
                    return line.clone();
                }
            }
            assert!(self.take_event(deadline), "no {what} from {}", self.everything());
        }
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// It does not end before the deadline.
    #[track_caller]
    pub fn end(&mut self) -> Output {
        let deadline = Instant::now() + DEADLINE;
        while self.open > 0 {
            let before = self.open;
            if !self.take_event(deadline) && self.open == before {
                panic!("no end of {}", self.everything());
            }
        }
        // Its output is closed, so it is ending; a daemon that closed it by purpose is none of ours.
        let status = self.child.wait();
        let join = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect();
        Output {
            code: status.ok().and_then(|status| status.code()),
            stdout: join(&self.stdout),
            stderr: join(&self.stderr),
        }
    }

    /// Asks the program to end (SIGTERM) and waits for it.
    #[track_caller]
    pub fn terminate(&mut self) -> Output {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Ends the program without asking it (SIGKILL), as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Everything it has said so far, for a failed test.
    pub fn everything(&self) -> String {
        format!("process {}\nstdout: {:#?}\nstderr: {:#?}", self.child.id(), self.stdout, self.stderr)
    }

    /// Takes one event; false if there is none before the deadline or all output is closed.
    fn take_event(&mut self, deadline: Instant) -> bool {
        match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Out(line)) => self.stdout.push(line),
            Ok(Event::Err(line)) => self.stderr.push(line),
            Ok(Event::Closed) => self.open -= 1,
            Err(_) => return false,
        }
        true
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let soon = Instant::now() + Duration::from_secs(2);
            while self.take_event(soon) {}
            eprintln!("{}", self.everything());
        }
    }
}

fn lines(stream: impl Read + Send + 'static, events: Sender<Event>, of: fn(String) -> Event) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut bytes = Vec::new();
        while stream.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            let _ = events.send(of(line));
            bytes.clear();
        }
        let _ = events.send(Event::Closed);
    });
}
