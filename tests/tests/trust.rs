//! Which machine is it? A device believes a key that was proven, and R, and nothing else.

use std::fs;

use pairpin_core::handshake::ResumeOpened;
use pairpin_core::identity::KeyPair;
use pairpin_core::identity::Pin;
use pairpin_core::role::Role;
use pairpin_core::secrets::{RecognitionKey, random_bytes};
use pairpin_core::wire::{Flow, Frame, VERSION, Welcome};
use pairpin_tests::block_on;
use pairpin_tests::device::{Device, is_online};
use pairpin_tests::false_machine::{FalseMachine, behaviour, silent};
use pairpin_tests::link::changed;
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::Peer;
use pairpin_tests::scratch;
use pairpin_tests::tls::Identity;

/// A machine with one paired device, both running.
fn pair() -> (Machine, Device) {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    assert!(device.is_welcome());
    (machine, device)
}

fn new_key() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// The exit code of a command that dials the one paired machine.
fn dial(device: &Device) -> pairpin_tests::process::Output {
    device.run(&["machines", "list"])
}

#[test]
fn a_changed_key_is_a_hard_stop_and_gets_not_one_byte() {
    let (mut machine, device) = pair();
    machine.stop().expect(0);
    let impostor = FalseMachine::start(machine.address, &Identity::of(&new_key()), silent());
    let stopped = dial(&device).expect(6);
    let said = format!("{}{}", stopped.stdout, stopped.stderr);
    assert!(said.contains("key"), "the cause is not in {said}");
    let seen = impostor.seen();
    assert!(seen.connections > 0, "the impostor was never dialled: the test proves nothing");
    assert_eq!(String::from_utf8_lossy(&seen.bytes), "");
    drop(impostor);
    // The control: the right machine is welcome again, and nothing was lost meanwhile.
    machine.start();
    assert!(device.is_welcome());
}

#[test]
fn a_copied_certificate_without_its_key_gets_not_one_byte() {
    let (mut machine, device) = pair();
    let certificate = block_on(Peer::connect(machine.address)).unwrap().certificate;
    machine.stop().expect(0);
    let impostor = FalseMachine::start(machine.address, &Identity::copied(certificate, &new_key()), silent());
    assert_ne!(dial(&device).code, None);
    assert!(!device.is_welcome());
    let seen = impostor.seen();
    assert!(seen.connections > 0, "the impostor was never dialled: the test proves nothing");
    assert_eq!(seen.handshakes, 0, "the device completed TLS with somebody who only has the certificate");
    assert_eq!(String::from_utf8_lossy(&seen.bytes), "");
}

#[test]
fn the_recording_machine_records_where_the_key_is_right() {
    // The control of the two above: the same recorder sees the request of a device that trusts it.
    let (mut machine, device) = pair();
    machine.stop().expect(0);
    let thief = FalseMachine::start(machine.address, &Identity::of(&machine.stolen_key()), silent());
    let mut watch = device.start(&["machines", "watch"]);
    let seen = || String::from_utf8_lossy(&thief.seen().bytes).into_owned();
    let deadline = std::time::Instant::now() + pairpin_tests::process::DEADLINE;
    while !seen().starts_with("GET /rpc HTTP/1.1\r\n") {
        assert!(std::time::Instant::now() < deadline && watch.is_running(), "nothing was recorded: {:?}", seen());
        std::thread::yield_now();
    }
}

#[test]
fn a_new_certificate_of_the_same_key_is_invisible() {
    let (mut machine, device) = pair();
    let before = block_on(Peer::connect(machine.address)).unwrap().certificate;
    machine.restart();
    let after = block_on(Peer::connect(machine.address)).unwrap().certificate;
    assert_ne!(before, after, "the certificate is the same: the test proves nothing");
    let dialled = dial(&device).expect(0);
    assert!(dialled.stdout.contains("online") && dialled.stderr.is_empty(), "{dialled:?}");
    assert!(device.is_welcome());
}

#[test]
fn a_stolen_tls_key_without_the_database_is_a_hard_stop() {
    let (mut machine, device) = pair();
    let stolen = machine.stolen_key();
    machine.stop().expect(0);
    // It welcomes whoever comes, under an R of its own making.
    let thief = FalseMachine::start(
        machine.address,
        &Identity::of(&stolen),
        behaviour(|mut visitor| async move {
            let (flow, envelope, key) = visitor.request().await?;
            assert_eq!(flow, Flow::Resume);
            let opened = ResumeOpened::open(&visitor.channel, &envelope).map_err(std::io::Error::other)?;
            let welcome = Welcome {
                version: VERSION,
                role: Role::Owner,
                name: "homebox".into(),
                device_name: "laptop".into(),
                addresses: Vec::new(),
                token: None,
                next_pin: Pin::from_bytes([7; 32]),
                epoch: 0,
                counter: 0,
                idle_seconds: 60,
                expires_at: i64::MAX,
                approvals: Vec::new(),
                approval_key: None,
                approval_guard: None,
                unsettled: false,
                standing: None,
                rotated: None,
            };
            let mut answer = pairpin_core::wire::Envelope::of(&welcome).map_err(std::io::Error::other)?;
            answer.mac = Some(forged_mac(opened.device().as_bytes()));
            visitor.switch_and_send(&key, &Frame::Handshake(answer)).await
        }),
    );
    let stopped = dial(&device).expect(6);
    let said = format!("{}{}", stopped.stdout, stopped.stderr);
    assert!(said.contains("copied"), "the cause is not in {said}");
    let seen = String::from_utf8_lossy(&thief.seen().bytes).into_owned();
    assert!(seen.starts_with("GET /rpc"), "the thief was never asked: the test proves nothing");
    assert!(!seen.contains("jsonrpc"), "the device went on with the thief: {seen}");
}

/// The best that a thief without R can do.
fn forged_mac(_: &[u8]) -> pairpin_core::wire::Mac {
    use pairpin_core::handshake::{MacKey, Purpose, Transcript};
    let channel = pairpin_core::handshake::Channel {
        exporter: pairpin_core::secrets::Secret::from_bytes([0; 32]),
        pin: Pin::from_bytes(random_bytes().unwrap()),
    };
    let guess = RecognitionKey::generate().unwrap();
    MacKey::of_recognition(&guess).mac(Purpose::ResumeWelcome, &Transcript::new(Flow::Resume, &channel).hash())
}

#[test]
fn a_middle_with_the_stolen_key_cannot_relay_a_reconnect() {
    let (mut machine, device) = pair();
    // The machine moves, and the thief sits where the device knows it.
    let stolen = Identity::of(&machine.stolen_key());
    machine.stop().expect(0);
    let known = machine.address;
    machine.address = (scratch::loopback(), known.port()).into();
    machine.start();
    let real = machine.address;
    let thief = FalseMachine::start(known, &stolen, behaviour(move |visitor| visitor.relay(real)));
    dial(&device);
    assert!(!device.is_welcome(), "a relayed reconnect was welcome");
    assert!(thief.seen().handshakes > 0, "the thief was never dialled: the test proves nothing");
    assert_eq!(machine.only_device()["connected"], 0);
}

#[test]
fn a_link_whose_pin_is_anothers_is_a_hard_stop_before_the_first_byte() {
    let machine = Machine::started();
    let impostor = FalseMachine::start((scratch::loopback(), 7747).into(), &Identity::of(&new_key()), silent());
    let std::net::IpAddr::V4(ip) = impostor.address.ip() else { panic!("not IPv4") };
    // The offer is the real machine's; the address in it is the impostor's.
    let offer = machine.offer(&[]);
    let redirected = changed(offer.link_text(), |bytes| {
        bytes.truncate(33);
        bytes[0] &= 0xf0;
        bytes.push(4);
        bytes.extend(ip.octets());
    });
    let device = Device::new();
    device.join(&redirected).expect(6).says("key");
    assert!(impostor.seen().connections > 0, "the impostor was never dialled: the test proves nothing");
    assert_eq!(String::from_utf8_lossy(&impostor.seen().bytes), "");
    assert_eq!(device.machines().len(), 0);
    device.join(offer.link_text()).expect(0);
}

#[test]
fn a_lost_key_is_never_replaced_silently() {
    let (mut machine, _device) = pair();
    machine.stop().expect(0);
    fs::remove_file(machine.file("identity.key")).unwrap();
    let refused = pairpin_tests::process::run(&mut machine.serve_command(), "");
    refused.expect(1).says("--new-key");
    assert!(!machine.file("identity.key").exists(), "a new key was made without being asked for");
}

/// Loses the key, keeps the database, and serves again under a new key.
fn lose_the_key(machine: &mut Machine) {
    machine.stop().expect(0);
    fs::remove_file(machine.file("identity.key")).unwrap();
    machine.arguments = vec!["--new-key".into()];
    machine.start();
    machine.arguments.clear();
}

#[test]
fn after_a_lost_key_a_scan_replaces_it_in_the_same_row_once_a_person_says_so() {
    let (mut machine, device) = pair();
    let before = machine.only_device();
    let old_pin = machine.pin();
    lose_the_key(&mut machine);
    assert_ne!(machine.pin(), old_pin);
    dial(&device).expect(6);
    // `--yes` answers many questions, but not this one.
    let offer = machine.offer(&[]);
    assert_ne!(device.join(offer.link_text()).code, Some(0), "--yes replaced the key of a machine");
    assert!(!device.is_welcome());

    let mut terminal = pairpin_tests::pty::Terminal::start(&device.command(&["join"]));
    terminal.wait("the question for the link", |screen| !screen.text().trim().is_empty());
    terminal.type_keys(&format!("{}\n", offer.link_text()));
    terminal.wait("the question whether to replace the key", |screen| {
        let text = screen.text().to_lowercase();
        text.contains("replace") && text.contains("homebox")
    });
    terminal.type_keys("y\n");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
    assert!(device.is_welcome());
    assert_eq!(device.machines().len(), 1, "the row must be the same one");
    assert_eq!(machine.only_device()["id"], before["id"]);
}

#[test]
fn another_machine_that_claims_the_same_id_gets_a_row_of_its_own_and_a_warning() {
    let (machine, device) = pair();
    // A machine made from a copy of the first one's id, but without R: its device rows are gone.
    let mut twin = Machine::started();
    twin.stop().expect(0);
    let id = machine_id(&machine);
    set_machine_id(&twin, &id);
    twin.start();
    let joined = device.join(twin.offer(&[]).link_text());
    let said = format!("{}{}", joined.stdout, joined.stderr).to_lowercase();
    assert!(said.contains("homebox"), "{said}");
    assert!(!said.contains("replace the key"), "the question of a known machine was asked: {said}");
    if joined.code == Some(0) {
        assert_eq!(device.machines().len(), 2, "the first machine's row was taken over");
    }
    assert!(device.machines().iter().any(is_online));
    assert_eq!(machine.devices().len(), 1);
}

fn machine_id(machine: &Machine) -> Vec<u8> {
    let database = rusqlite::Connection::open(machine.file("machine.db")).unwrap();
    database.query_row("SELECT value FROM meta WHERE key = 'machine_id'", [], |row| row.get(0)).unwrap()
}

fn set_machine_id(machine: &Machine, id: &[u8]) {
    let database = rusqlite::Connection::open(machine.file("machine.db")).unwrap();
    let changed = database.execute("UPDATE meta SET value = ?1 WHERE key = 'machine_id'", [id]).unwrap();
    assert_eq!(changed, 1);
}
