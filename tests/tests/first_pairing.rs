//! Flow (a): a link becomes a pair, once, and both sides say the same about it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pairpin_core::wire::RefusalCode;
use pairpin_tests::block_on;
use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Identity, Peer, Refused, acknowledge};

#[test]
fn a_link_pairs_and_both_sides_show_the_same() {
    let machine = Machine::started();
    let device = Device::new();
    let mut offer = machine.offer_and_wait(&[]);
    assert_eq!(offer.link().pin, machine.pin().as_bytes()[..16]);
    let joined = device.join(offer.link_text()).expect(0);
    let said = format!("{}{}", joined.stdout, joined.stderr);
    let paired = offer.event("paired");
    let digits = paired["check_digits"].as_str().unwrap();
    assert_eq!(digits.len(), 4);
    assert!(said.contains(digits), "the check digits {digits} are not in {said}");
    assert!(said.contains(&machine.pin().fingerprint()), "the key fingerprint is not in {said}");
    assert!(said.contains("homebox"), "the machine's name is not in {said}");
    assert_eq!(offer.waiting.unwrap().end().code, Some(0));

    let listed = machine.only_device();
    assert_eq!((&listed["role"], &listed["paired_how"]), (&"owner".into(), &"scan".into()));
    assert_eq!(listed["id"], paired["device"]["id"]);
    let known = device.only_machine();
    assert_eq!((&known["name"], &known["role"]), (&"homebox".into(), &"owner".into()));
    assert!(device.is_welcome());
}

#[test]
fn the_first_device_is_owner_and_the_next_one_operator_unless_the_offer_says_otherwise() {
    let machine = Machine::started();
    for (arguments, role) in [(&[][..], "owner"), (&[], "operator"), (&["--role", "viewer"], "viewer")] {
        let device = Device::new();
        device.join(machine.offer(arguments).link_text()).expect(0);
        assert_eq!(device.only_machine()["role"], role);
    }
}

#[test]
fn an_offer_pairs_one_device_and_a_second_one_rings_the_alarm() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    let (first, second) = (Device::new(), Device::new());
    first.join(offer.link_text()).expect(0);
    second.join(offer.link_text()).expect(1).says("used already");
    assert_eq!(machine.devices().len(), 1);
    assert_eq!(second.machines().len(), 0, "a refused device keeps no row");
    let alarms = || machine.audit_kinds().iter().filter(|kind| *kind == "alarm").count();
    assert_eq!(alarms(), 1, "{:?}", machine.audit_kinds());
    // What rings is a key with a valid Proof, not a look at the offer; a hostile one rings too.
    let thief = Identity::new("thief");
    let refused = block_on(async {
        let peer = Peer::connect(machine.address).await.unwrap();
        thief.pair(peer, &offer.link().secret).await.map(drop)
    });
    assert!(matches!(&refused, Err(Refused::Told(refusal)) if refusal.code == RefusalCode::OfferUsed), "{refused:?}");
    assert_eq!(alarms(), 2, "{:?}", machine.audit_kinds());
    assert!(first.is_welcome(), "the alarm is no reason to cut the device that is paired");
}

#[test]
fn without_yes_and_without_a_terminal_nothing_is_paired_and_the_offer_stays_live() {
    let machine = Machine::started();
    let device = Device::new();
    let offer = machine.offer(&[]);
    device.run_with(&["join", "-"], &format!("{}\n", offer.link_text())).expect(2).says("--yes");
    assert_eq!(machine.devices().len(), 0);
    device.join(offer.link_text()).expect(0);
}

#[test]
fn a_device_is_paired_only_after_its_acknowledgement() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    let phone = Identity::new("phone");
    block_on(async {
        let peer = Peer::connect(machine.address).await.unwrap();
        let (_, session) = phone.prove(peer, &offer.link().secret).await.unwrap();
        assert_eq!(machine.devices().len(), 0);
        drop(session);
        // The same key may come again, and gets a token of its own; the first one is worth nothing.
        let peer = Peer::connect(machine.address).await.unwrap();
        let (received, mut session) = phone.prove(peer, &offer.link().secret).await.unwrap();
        assert_eq!(machine.devices().len(), 0);
        acknowledge(&received, &mut session).await.unwrap();
    });
    assert_eq!(machine.only_device()["name"], "phone");
}

#[test]
fn a_claimed_offer_is_for_its_key_alone_and_a_voided_token_acknowledges_nothing() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    let (phone, thief) = (Identity::new("phone"), Identity::new("thief"));
    block_on(async {
        let connect = || async { Peer::connect(machine.address).await.unwrap() };
        let (first, mut old) = phone.prove(connect().await, &offer.link().secret).await.unwrap();
        let (second, mut new) = phone.prove(connect().await, &offer.link().secret).await.unwrap();
        assert_ne!(first.grant.token, second.grant.token);
        match thief.prove(connect().await, &offer.link().secret).await {
            Err(Refused::Told(refusal)) => assert_eq!(refusal.code, RefusalCode::OfferUsed),
            other => panic!("another key was answered with {other:?}"),
        }
        assert!(acknowledge(&first, &mut old).await.is_err(), "a voided token was acknowledged");
        assert_eq!(machine.devices().len(), 0);
        acknowledge(&second, &mut new).await.unwrap();
    });
    assert_eq!(machine.only_device()["name"], "phone");
}

#[test]
fn the_first_reconnect_under_a_granted_token_is_an_acknowledgement() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    let phone = Identity::new("phone");
    block_on(async {
        let peer = Peer::connect(machine.address).await.unwrap();
        let (received, session) = phone.prove(peer, &offer.link().secret).await.unwrap();
        drop(session);
        let grant = received.grant;
        let peer = Peer::connect(machine.address).await.unwrap();
        let (welcome, _session) = phone.resume(peer, &grant, &grant.token, &grant.recognition_key).await.unwrap();
        assert_eq!(welcome.device_name, "phone");
    });
    assert_eq!(machine.only_device()["name"], "phone");
}

#[test]
fn secrets_are_in_private_files_and_an_offers_secret_is_in_none() {
    let machine = Machine::started();
    let device = Device::new();
    let offer = machine.offer(&[]);
    device.join(offer.link_text()).expect(0);
    let secret = offer.link().secret;
    let text = offer.link_text().strip_prefix("pairpin:").unwrap();
    for state in [machine.state(), device.state()] {
        assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700, "{}", state.display());
        let files = files_in(&state);
        assert!(!files.is_empty());
        for (path, bytes) in files {
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o077, 0, "{} is open to others", path.display());
            let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!holds(secret.expose()) && !holds(text.as_bytes()), "the secret is in {}", path.display());
        }
    }
}

fn files_in(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_in(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path, bytes));
        }
    }
    found
}
