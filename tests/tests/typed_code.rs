//! Flow (b): eight digits pair, three wrong ones end it, and a middle learns nothing.

use std::sync::Arc;

use pairpin_core::identity::KeyPair;
use pairpin_tests::device::Device;
use pairpin_tests::false_machine::{FalseMachine, behaviour};
use pairpin_tests::machine::Machine;
use pairpin_tests::scratch;
use pairpin_tests::tls::Identity;

/// Another code than this one.
fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &code[..code.len() - 1])
}

#[test]
fn a_code_pairs_and_both_sides_show_the_same() {
    let machine = Machine::started();
    let device = Device::new();
    let mut offer = machine.offer_and_wait(&["--code"]);
    assert!(offer.record.get("link").is_none(), "--code makes a code only: {}", offer.record);
    let joined = device.join_by_code(&machine.address.to_string(), offer.code()).expect(0);
    let said = format!("{}{}", joined.stdout, joined.stderr);
    let paired = offer.event("paired");
    for text in [paired["check_digits"].as_str().unwrap(), &machine.pin().fingerprint(), "homebox"] {
        assert!(said.contains(text), "{text} is not in {said}");
    }
    assert_eq!(machine.only_device()["paired_how"], "code");
    assert!(device.is_welcome());
}

#[test]
fn a_code_is_read_with_or_without_its_space() {
    for form in [|code: &str| code.replace(' ', ""), |code: &str| code.replace(' ', "-")] {
        let machine = Machine::started();
        let offer = machine.offer(&["--code"]);
        Device::new().join_by_code(&machine.address.to_string(), &form(offer.code())).expect(0);
    }
}

#[test]
fn three_wrong_codes_burn_it_and_a_fresh_one_works() {
    let machine = Machine::started();
    let device = Device::new();
    let address = machine.address.to_string();
    let mut offer = machine.offer_and_wait(&["--code"]);
    for left in [2, 1, 0] {
        device.join_by_code(&address, &wrong(offer.code())).expect(1).says("code");
        assert_eq!(offer.event("wrong_code")["tries_left"], left);
    }
    offer.event("code_burnt");
    let refused = device.join_by_code(&address, offer.code());
    assert_ne!(refused.code, Some(0), "a burnt code paired");
    assert_eq!(machine.devices().len(), 0);
    let fresh = machine.offer(&["--code"]);
    Device::new().join_by_code(&address, fresh.code()).expect(0);
}

#[test]
fn wrong_codes_never_close_pairing_by_link() {
    let machine = Machine::started();
    let address = machine.address.to_string();
    // Ten failures an hour close code pairing: four codes burnt at three tries each.
    for _ in 0..4 {
        let offer = machine.offer(&["--code"]);
        for _ in 0..3 {
            Device::new().join_by_code(&address, &wrong(offer.code())).expect(1);
        }
    }
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    assert!(device.is_welcome());
    // At the machine's own shell the door opens again.
    Device::new().join_by_code(&address, machine.offer(&["--code"]).code()).expect(0);
}

#[test]
fn a_code_in_argv_is_refused() {
    let machine = Machine::started();
    let offer = machine.offer(&["--code"]);
    let code = offer.code().replace(' ', "");
    Device::new().run(&["join", &machine.address.to_string(), &format!("--code={code}"), "--yes"]).expect(2);
    Device::new().run(&["join", &machine.address.to_string(), "--code", &code, "--yes"]).expect(2);
    assert_eq!(machine.devices().len(), 0);
}

#[test]
fn a_middle_with_its_own_key_gets_no_pairing_out_of_the_right_code() {
    let machine = Machine::started();
    let mut offer = machine.offer_and_wait(&["--code"]);
    let own = Identity::of(&KeyPair::generate().unwrap());
    let real = machine.address;
    let relay = behaviour(move |visitor| visitor.relay(real));
    let middle = FalseMachine::start((scratch::loopback(), 7747).into(), &own, Arc::clone(&relay));
    let device = Device::new();
    device.join_by_code(&middle.address.to_string(), offer.code()).expect(1);
    assert_eq!(offer.event("wrong_code")["tries_left"], 2, "the middle's run must cost a try");
    assert_eq!(machine.devices().len(), 0);
    assert_eq!(device.machines().len(), 0);
    // The control: without the middle the same code pairs.
    device.join_by_code(&machine.address.to_string(), offer.code()).expect(0);
}
