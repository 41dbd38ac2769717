//! The real daemon, `pairpin serve`, with a home and a loopback address of its own.
//!
//! Everything a person would do at its shell goes through [`Machine::run`]; what a test needs to
//! know is read from `--json`.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pairpin_core::identity::{KeyPair, Pin};
use pairpin_core::secrets::SecretBytes;
use pairpin_core::wire::DEFAULT_PORT;
use serde_json::Value;
use tempfile::TempDir;

use crate::link::ReadLink;
use crate::process::{Background, Output, run};
use crate::scratch;

/// The binary under test: what the layer `e2e` built, or else the one beside this test's binary.
///
/// # Panics
/// There is none.
pub fn binary() -> PathBuf {
    let beside = || Some(env::current_exe().ok()?.parent()?.parent()?.join("pairpin"));
    let path = env::var_os("PAIRPIN_BIN").map(PathBuf::from).or_else(beside).unwrap_or_default();
    assert!(path.is_file(), "no binary at {}, run: cargo xtask test --layer e2e", path.display());
    path
}

/// A command of the binary in a home of its own, with nothing else in its environment.
pub fn command(home: &Path, arguments: &[&str]) -> Command {
    command_by(&[], home, arguments)
}

/// The same, started by another program.
fn command_by(starter: &[String], home: &Path, arguments: &[&str]) -> Command {
    let mut command = match starter {
        [] => Command::new(binary()),
        [program, first @ ..] => {
            let mut command = Command::new(program);
            command.args(first).arg(binary());
            command
        }
    };
    command.args(arguments).current_dir(home).env_clear();
    command.env("HOME", home).env("PATH", env::var_os("PATH").unwrap_or_default());
    command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command.env("PAIRPIN_STATE_DIR", home.join("state"));
    command.env("PAIRPIN_SECRET_STORE", "file");
    command.env("TMPDIR", home).env("XDG_RUNTIME_DIR", home);
    command
}

/// A machine and its daemon.
#[derive(Debug)]
pub struct Machine {
    /// Where it listens.
    pub address: SocketAddr,
    /// More arguments of `serve`.
    pub arguments: Vec<String>,
    /// More variables in the environment of `serve`.
    pub environment: Vec<(String, String)>,
    /// A program that starts `serve`, with its arguments, as `strace`.
    pub starter: Vec<String>,
    home: TempDir,
    daemon: Option<Background>,
}

/// A new offer.
#[derive(Debug)]
pub struct Offer {
    /// What `pair --json` printed first.
    pub record: Value,
    /// `pairpin pair`, waiting; `None` with `--no-wait`.
    pub waiting: Option<Background>,
}

impl Offer {
    /// Its link, as text.
    ///
    /// # Panics
    /// It has none.
    #[track_caller]
    pub fn link_text(&self) -> &str {
        self.record["link"].as_str().unwrap_or_else(|| panic!("no link in {}", self.record))
    }

    /// Its link, read by hand.
    ///
    /// # Panics
    /// It has none, or it is not as specified.
    #[track_caller]
    pub fn link(&self) -> ReadLink {
        ReadLink::of(self.link_text())
    }

    /// Its code, as shown.
    ///
    /// # Panics
    /// It has none.
    #[track_caller]
    pub fn code(&self) -> &str {
        self.record["code"].as_str().unwrap_or_else(|| panic!("no code in {}", self.record))
    }

    /// The next event of that name of the waiting `pair`.
    ///
    /// # Panics
    /// Nobody waits, or it does not come.
    #[track_caller]
    pub fn event(&mut self, name: &str) -> Value {
        self.waiting.as_mut().unwrap_or_else(|| panic!("nobody waits for this offer")).event(name)
    }
}

impl Machine {
    /// A machine that has never run.
    pub fn new() -> Self {
        Self::at(scratch::loopback())
    }

    /// A machine that has never run, at an address.
    pub fn at(address: Ipv4Addr) -> Self {
        let address = SocketAddr::from((address, DEFAULT_PORT));
        Self {
            address,
            arguments: Vec::new(),
            environment: Vec::new(),
            starter: Vec::new(),
            home: scratch::directory(),
            daemon: None,
        }
    }

    /// A new machine whose daemon runs.
    #[track_caller]
    pub fn started() -> Self {
        let mut machine = Self::new();
        machine.start();
        machine
    }

    /// The command `pairpin serve`.
    pub fn serve_command(&self) -> Command {
        let mut command = command_by(&self.starter, self.home.path(), &["serve", "--name", "homebox"]);
        command.args(["--bind", &self.address.ip().to_string()]);
        // Named also for the links: the addresses of 127.0.0.0/8 are on no interface but for one.
        let address = self.address.to_string();
        command.args(["--port", &self.address.port().to_string(), "--advertise", &address]).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the daemon and waits until it answers at its socket.
    ///
    /// # Panics
    /// It ends, or is not ready before the deadline.
    #[track_caller]
    pub fn start(&mut self) {
        let mut daemon = Background::start(&mut self.serve_command(), None);
        // The line that says where it listens is printed once it does.
        let address = self.address.to_string();
        let ip = self.address.ip().to_string();
        daemon.either("line that names its address", |line| line.contains(&address) || line.contains(&ip));
        self.daemon = Some(daemon);
        assert_eq!(self.status()["running"], true, "the daemon says it listens, and status says it does not run");
    }

    /// Asks the daemon to stop, and waits for it.
    ///
    /// # Panics
    /// It does not run, or does not stop.
    #[track_caller]
    pub fn stop(&mut self) -> Output {
        self.daemon.take().unwrap_or_else(|| panic!("the daemon does not run")).terminate()
    }

    /// Ends the daemon as a crash would.
    pub fn crash(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill();
        }
    }

    /// Stops the daemon and starts it again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop().expect(0);
        self.start();
    }

    /// The daemon.
    ///
    /// # Panics
    /// It does not run.
    #[track_caller]
    pub fn daemon(&mut self) -> &mut Background {
        self.daemon.as_mut().unwrap_or_else(|| panic!("the daemon does not run"))
    }

    /// A command at its shell.
    pub fn command(&self, arguments: &[&str]) -> Command {
        command(self.home.path(), arguments)
    }

    /// Runs a command at its shell, without a terminal.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments), "")
    }

    /// Runs a command that must succeed, and reads its JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).expect(0).json()
    }

    /// `status --json`.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.json(&["status", "--json"])
    }

    /// `devices list --json`.
    ///
    /// # Panics
    /// It is not a list.
    #[track_caller]
    pub fn devices(&self) -> Vec<Value> {
        let answer = self.json(&["devices", "list", "--json"]);
        answer["devices"].as_array().unwrap_or_else(|| panic!("no devices in {answer}")).clone()
    }

    /// The one device that it has.
    ///
    /// # Panics
    /// It has none, or several.
    #[track_caller]
    pub fn only_device(&self) -> Value {
        let devices = self.devices();
        assert_eq!(devices.len(), 1, "not one device: {devices:#?}");
        devices[0].clone()
    }

    /// The audit log, oldest first: a line of JSON an entry.
    ///
    /// # Panics
    /// A line is not JSON.
    #[track_caller]
    pub fn audit(&self) -> Vec<Value> {
        let output = self.run(&["audit", "--json"]).expect(0);
        output.stdout.lines().map(first_line).collect()
    }

    /// The audit log's kinds, oldest first.
    #[track_caller]
    pub fn audit_kinds(&self) -> Vec<String> {
        self.audit().iter().filter_map(|entry| Some(entry["kind"].as_str()?.to_owned())).collect()
    }

    /// Makes an offer and leaves it live.
    ///
    /// # Panics
    /// It could not be made.
    #[track_caller]
    pub fn offer(&self, arguments: &[&str]) -> Offer {
        let output = self.run(&[&["pair", "--json", "--no-wait"], arguments].concat()).expect(0);
        Offer { record: first_line(&output.stdout), waiting: None }
    }

    /// Makes an offer and waits with it, as a person does.
    ///
    /// # Panics
    /// It could not be made.
    #[track_caller]
    pub fn offer_and_wait(&self, arguments: &[&str]) -> Offer {
        let mut waiting = Background::start(&mut self.command(&[&["pair", "--json"], arguments].concat()), None);
        let record = waiting.event("offer");
        Offer { record, waiting: Some(waiting) }
    }

    /// Everything it can write to: its state, and the directories for temporary files and sockets.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The directory with its keys and its database.
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// A file in that directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.state().join(name)
    }

    /// Its pin.
    ///
    /// # Panics
    /// `status` does not say it.
    #[track_caller]
    pub fn pin(&self) -> Pin {
        let status = self.status();
        serde_json::from_value(status["key"]["pin"].clone()).unwrap_or_else(|_| panic!("no pin in {status}"))
    }

    /// Its identity key, stolen.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn stolen_key(&self) -> KeyPair {
        let pem = fs::read_to_string(self.file("identity.key")).unwrap_or_else(|error| panic!("no key: {error}"));
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let pkcs8 = STANDARD.decode(body).unwrap_or_else(|error| panic!("no key: {error}"));
        KeyPair::from_pkcs8(SecretBytes::new(pkcs8)).unwrap_or_else(|error| panic!("no key: {error}"))
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

#[track_caller]
fn first_line(stdout: &str) -> Value {
    let line = stdout.lines().next().unwrap_or_default();
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
    assert_eq!(value["v"], 1, "no version in {line}");
    value
}
