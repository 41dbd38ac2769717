//! What a machine and its devices go through from the first start to the last revoke, everything that
//! is said and written on the way, and every secret that was issued. `secrets.rs` runs it with the
//! binary as it ships, `panics.rs` with one that panics on request and logs what dependencies say.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use pairpin_core::handshake::Purpose;
use pairpin_tests::device::Device;
use pairpin_tests::leaks::{Found, Haystack, Secret, search};
use pairpin_tests::link::ReadLink;
use pairpin_tests::machine::{Machine, Offer};
use pairpin_tests::process::{Background, Output, run};
use rusqlite::Connection;
use serde_json::Value;
use sha2::Sha256;

/// Where secrets may be, and why.
const ALLOWED: [(&str, &str, &str); 9] = [
    ("offer", "$ pair", "the answer to who asked for the offer: it is made to be shown"),
    ("code", "$ pair", "the answer to who asked for the offer: it is made to be shown"),
    ("offer", "the screen of join", "what the person has just typed"),
    ("token", "laptop/state/secrets/", "the device's private file: it must present it"),
    ("R", "laptop/state/secrets/", "the device's private file: it must know its machine by it"),
    ("R", "machine/state/machine.db", "the machine must prove it, a hash would not do"),
    ("session key", "laptop/state/secrets/", "the device's private file: it must sign with it"),
    ("machine key", "machine/state/identity.key", "it is the machine"),
    ("machine key", "machine/state/next.key", "the key of a planned change"),
];

/// Everything at its loudest: the daemon's log, what other programs call it, backtraces, TLS keys.
const LOUD: [(&str, &str); 4] =
    [("PAIRPIN_LOG", "trace"), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full"), ("SSLKEYLOGFILE", "tls-keys")];

pub struct Story {
    pub machine: Machine,
    pub laptop: Device,
    pub haystack: Haystack,
    pub secrets: Vec<Secret>,
    /// More variables of the device's commands.
    pub environment: Vec<(String, String)>,
}

impl Story {
    /// A machine that does not run yet, and a device.
    pub fn new() -> Self {
        let mut machine = Machine::new();
        let loud = LOUD.map(|(name, value)| (name.to_owned(), value.to_owned()));
        machine.environment = loud.to_vec();
        let (haystack, secrets) = Default::default();
        Self { machine, laptop: Device::new(), haystack, secrets, environment: loud.to_vec() }
    }

    pub fn start(&mut self) {
        self.machine.start();
        self.learn_machine();
    }

    pub fn stop(&mut self) {
        let output = self.machine.stop().expect(0);
        self.haystack.output("the daemon", &output);
    }

    /// A command at the machine's shell.
    #[track_caller]
    pub fn shell(&mut self, arguments: &[&str]) -> Output {
        let mut command = self.machine.command(arguments);
        let output = run(command.envs(LOUD), "");
        self.haystack.output(&format!("$ {}", arguments.join(" ")), &output);
        output
    }

    pub fn laptop_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.laptop.command(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A command on the device.
    #[track_caller]
    pub fn on_laptop(&mut self, arguments: &[&str], input: &str) -> Output {
        let output = run(&mut self.laptop_command(arguments), input);
        self.haystack.output(&format!("laptop $ {}", arguments.join(" ")), &output);
        self.learn_laptop();
        output
    }

    #[track_caller]
    pub fn join(&mut self, link: &str) -> Output {
        self.on_laptop(&["join", "-", "--yes", "--name", "laptop"], &format!("{link}\n"))
    }

    #[track_caller]
    pub fn join_by_code(&mut self, code: &str) -> Output {
        let address = self.machine.address.to_string();
        self.on_laptop(&["join", &address, "--code", "--yes", "--name", "laptop"], &format!("{code}\n"))
    }

    /// A new offer; its secrets are noted.
    #[track_caller]
    pub fn offer(&mut self, arguments: &[&str]) -> Offer {
        let output = self.shell(&[&["pair", "--json", "--no-wait"], arguments].concat()).expect(0);
        let record = serde_json::from_str(output.stdout.lines().next().unwrap_or_default()).unwrap();
        let offer = Offer { record, waiting: None };
        self.learn_offer(&offer.record);
        offer
    }

    #[track_caller]
    pub fn learn_offer(&mut self, record: &Value) {
        let number = record["number"].to_string();
        if let Some(link) = record["link"].as_str() {
            let secret = *ReadLink::of(link).secret.expose();
            self.issue("offer", &number, &secret);
            self.derive(&number, b"pairpin v1 offer", &secret);
        }
        if let Some(code) = record["code"].as_str() {
            self.issue("code", &number, code.replace(' ', "").as_bytes());
        }
    }

    pub fn issue(&mut self, kind: &'static str, name: &str, bytes: &[u8]) {
        if !self.secrets.iter().any(|known| known.kind == kind && known.bytes == bytes) {
            self.secrets.push(Secret::new(kind, name, bytes));
        }
    }

    /// The keys that are made of a secret, one for each purpose.
    fn derive(&mut self, name: &str, salt: &[u8], secret: &[u8]) {
        use Purpose::{
            GrantRecognition, PreviewAnswer, PreviewRecognition, PreviewRequest, ResumeRefusal, ResumeWelcome,
            ScanGrant, ScanProof, ScanRefusal,
        };
        let (base, hkdf) = Hkdf::<Sha256>::extract(Some(salt), secret);
        self.issue("MAC key", name, &base);
        let ours = if salt.ends_with(b"offer") {
            vec![PreviewRequest, PreviewAnswer, ScanProof, ScanGrant, ScanRefusal]
        } else {
            vec![PreviewRecognition, GrantRecognition, ResumeWelcome, ResumeRefusal]
        };
        for purpose in ours {
            let mut key = [0; 32];
            hkdf.expand(purpose.label(), &mut key).unwrap();
            self.issue("MAC key", &format!("{name} {purpose:?}"), &key);
        }
    }

    /// What is in the device's private files now: a token lives for a while only.
    pub fn learn_laptop(&mut self) {
        let Ok(files) = fs::read_dir(self.laptop.secrets()) else { return };
        for bytes in files.filter_map(|file| fs::read(file.ok()?.path()).ok()) {
            if let Some(key) = private_half(&bytes) {
                self.issue("session key", "of the laptop", &key);
            } else if let Ok(record) = serde_json::from_slice::<Value>(&bytes) {
                let decode = |value: &Value| URL_SAFE_NO_PAD.decode(value.as_str().unwrap_or_default()).unwrap();
                for token in record["tokens"].as_array().into_iter().flatten() {
                    self.issue("token", "of the laptop", &decode(token));
                }
                let recognition = decode(&record["recognition_key"]);
                self.issue("R", "of the laptop", &recognition);
                self.derive("of the laptop", b"pairpin v1 recognition", &recognition);
            }
        }
    }

    fn learn_machine(&mut self) {
        for file in ["identity.key", "next.key"] {
            let pem = fs::read_to_string(self.machine.file(file)).unwrap();
            let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            let key = private_half(&STANDARD.decode(body).unwrap()).unwrap_or_else(|| panic!("no key in {file}"));
            self.issue("machine key", file, &key);
        }
    }

    /// Everything that is on the disk now, and what the system tells of the daemon.
    pub fn look(&mut self, when: &str, processes: &[&Background]) {
        self.haystack.directory(&format!("{when}: machine"), self.machine.home());
        self.haystack.directory(&format!("{when}: laptop"), self.laptop.home());
        for process in processes {
            self.haystack.process(&format!("{when}: process"), process.id());
        }
    }

    /// The same with the daemon, which runs.
    pub fn look_at_daemon(&mut self, when: &str) {
        let id = self.machine.daemon().id();
        self.haystack.process(&format!("{when}: the daemon"), id);
        self.look(when, &[]);
    }

    /// Changes the stopped machine's database, and starts it again.
    #[track_caller]
    pub fn change(&mut self, sql: &str) {
        self.stop();
        let database = Connection::open(self.machine.file("machine.db")).unwrap();
        let changed = database.execute(sql, []).unwrap();
        assert!(changed > 0, "nothing was changed by {sql}");
        drop(database);
        self.machine.start();
    }

    /// Where secrets are that must not be there.
    #[track_caller]
    pub fn leaks(&self) -> Vec<Found> {
        let found = search(&self.haystack, &self.secrets);
        // What must be found shows that the search sees these very secrets in these very places.
        for (kind, place, why) in ALLOWED.iter().filter(|(_, place, _)| *place != "the screen of join") {
            let seen = found.iter().any(|found| is_allowed(found, kind, place));
            assert!(seen, "no {kind} was found in {place}, where it belongs: {why}");
        }
        found
            .into_iter()
            .filter(|found| !ALLOWED.iter().any(|(kind, place, _)| is_allowed(found, kind, place)))
            .collect()
    }

    /// Fails if there are any.
    #[track_caller]
    pub fn check(&self) {
        let count = |kind| self.secrets.iter().filter(|secret| secret.kind == kind).count();
        let kinds = ["offer", "code", "token", "R", "session key", "machine key", "MAC key", "exporter"];
        eprintln!(
            "searched {} places, {} bytes, for {} secrets ({:?})",
            self.haystack.places().count(),
            self.haystack.size(),
            self.secrets.len(),
            kinds.map(|kind| (kind, count(kind)))
        );
        assert!(self.haystack.places().any(|place| place.ends_with("machine.db-wal")), "no WAL was ever seen");
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "{} leaks, as {:#?}", leaks.len(), &leaks[..leaks.len().min(20)]);
    }
}

fn is_allowed(found: &Found, kind: &str, place: &str) -> bool {
    let there = if place.starts_with('$') {
        found.place.starts_with(place) && found.place.ends_with("stdout")
    } else {
        found.place.contains(place)
    };
    found.kind == kind && there && !found.place.starts_with("the name of")
}

/// The secret number of a P-256 key in PKCS #8 (RFC 5915 section 3: version 1, then 32 bytes).
fn private_half(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let start = [2, 1, 1, 4, 32];
    let at = pkcs8.windows(start.len()).position(|window| window == start)? + start.len();
    pkcs8.get(at..at + 32).map(<[u8]>::to_vec)
}
