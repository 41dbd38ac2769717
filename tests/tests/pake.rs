//! The typed code's PAKE and its key confirmations against an independent implementation: the
//! Python package `spake2`, in `tests/python/pake_peer.py`. Run by the layer `pake`.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use pairpin_core::handshake::{Channel, CodeAwaitShare, CodeOpened, DeviceDetails, HandshakeError};
use pairpin_core::identity::{KeyPair, MachineId, Pin};
use pairpin_core::role::Role;
use pairpin_core::secrets::{KeyKind, Secret, TypedCode};
use pairpin_core::wire::{CodeWelcome, Envelope};
use serde_json::{Value, json};

/// A Python process on the other side of one run.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(side: &str, code: &str, channel: &Channel) -> Self {
        let python =
            env::var_os("PAIRPIN_PYTHON").expect("PAIRPIN_PYTHON is not set, run: cargo xtask test --layer pake");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/pake_peer.py");
        let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut peer = Self { child, input, output };
        let exporter = channel.exporter.expose_text().to_string();
        peer.send(&json!({"side": side, "code": code, "exporter": exporter, "pin": channel.pin}));
        peer
    }

    fn send(&mut self, value: &impl serde::Serialize) {
        serde_json::to_writer(&mut self.input, value).unwrap();
        self.input.write_all(b"\n").unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("the Python side failed, see its traceback")
    }

    fn receive_envelope(&mut self) -> Envelope {
        serde_json::from_value(self.receive()).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn channel() -> Channel {
    Channel {
        exporter: Secret::generate().unwrap(),
        pin: Pin::from_bytes(pairpin_core::secrets::random_bytes().unwrap()),
    }
}

fn code(text: &str) -> TypedCode {
    TypedCode::parse(text).unwrap()
}

/// Our device against Python's machine; whether each side believed the other.
fn our_device(typed: &str, shown: &str, ours: &Channel, theirs: &Channel) -> (bool, bool) {
    let key = KeyPair::generate().unwrap();
    let details = DeviceDetails {
        key: key.public_key().unwrap(),
        key_kind: KeyKind::File,
        name: "laptop".into(),
        platform: "test".into(),
    };
    let mut peer = Peer::start("machine", shown, theirs);
    let (share, wait) = CodeAwaitShare::start(ours, &code(typed), &Secret::generate().unwrap()).unwrap();
    peer.send(&share);
    let draft = wait.receive(&peer.receive_envelope(), &details).unwrap();
    let signature = key.sign(&draft.to_sign()).unwrap();
    let (confirm, wait) = draft.signed(signature);
    peer.send(&confirm);
    let answer = peer.receive();
    let machine_believes = answer["holds"].as_bool().unwrap();
    let welcome = wait.receive(&serde_json::from_value(answer).unwrap());
    if let Err(error) = &welcome {
        assert_eq!(*error, HandshakeError::Proof);
    }
    (welcome.is_ok_and(|met| met.machine.name == "python"), machine_believes)
}

/// Our machine against Python's device; whether each side believed the other.
fn our_machine(shown: &str, typed: &str, ours: &Channel, theirs: &Channel) -> (bool, bool) {
    let mut peer = Peer::start("device", typed, theirs);
    let opened = CodeOpened::open(ours, &peer.receive_envelope()).unwrap();
    let (answer, wait) = opened.answer(&code(shown), &Secret::generate().unwrap()).unwrap();
    peer.send(&answer);
    let proven = match wait.receive(peer.receive_envelope()).unwrap().check() {
        Ok(proven) => proven,
        Err(error) => {
            assert_eq!(error, HandshakeError::Proof);
            return (false, false);
        }
    };
    let me = CodeWelcome {
        machine: MachineId::from_bytes([1; 16]),
        name: "homebox".into(),
        platform: "test".into(),
        role: Role::Owner,
    };
    let (welcome, _) = proven.welcome(&me).unwrap();
    peer.send(&welcome);
    (true, peer.receive()["holds"].as_bool().unwrap())
}

#[test]
fn our_device_and_a_python_machine_agree_on_the_same_code_only() {
    let channel = channel();
    for text in ["00000000", "12345678", "99999999"] {
        assert_eq!(our_device(text, text, &channel, &channel), (true, true), "{text}");
    }
    assert_eq!(our_device("12345678", "12345679", &channel, &channel), (false, false));
}

#[test]
fn our_machine_and_a_python_device_agree_on_the_same_code_only() {
    let channel = channel();
    for text in ["00000000", "12345678", "99999999"] {
        assert_eq!(our_machine(text, text, &channel, &channel), (true, true), "{text}");
    }
    assert_eq!(our_machine("12345678", "12345679", &channel, &channel), (false, false));
}

#[test]
fn the_right_code_over_another_channel_or_pin_is_worth_nothing() {
    let ours = channel();
    let other_channel = Channel { exporter: Secret::generate().unwrap(), ..ours.clone() };
    let other_pin = Channel { pin: Pin::from_bytes([9; 32]), ..ours.clone() };
    for theirs in [other_channel, other_pin] {
        assert_eq!(our_device("12345678", "12345678", &ours, &theirs), (false, false));
        assert_eq!(our_machine("12345678", "12345678", &ours, &theirs), (false, false));
    }
}
