//! Offers end: by time, by hand, by a restart. Whoever holds one is told which.

use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::phone::Phone;

#[test]
fn an_expired_offer_is_called_expired() {
    let machine = Machine::started();
    let mut offer = machine.offer_and_wait(&["--ttl", "10s"]);
    offer.event("expired");
    assert_eq!(offer.waiting.as_mut().unwrap().end().code, Some(3));
    Device::new().join(offer.link_text()).expect(3).says("expired");
    assert_eq!(machine.devices().len(), 0);
}

#[test]
fn a_cancelled_offer_is_called_withdrawn() {
    let machine = Machine::started();
    let mut offer = machine.offer_and_wait(&[]);
    machine.run(&["offers", "cancel", &offer.record["number"].to_string()]).expect(0);
    offer.event("withdrawn");
    assert_eq!(offer.waiting.as_mut().unwrap().end().code, Some(1));
    Device::new().join(offer.link_text()).expect(1).says("withdrawn");
}

#[test]
fn cancelling_all_cancels_all() {
    let machine = Machine::started();
    let offers = [machine.offer(&[]), machine.offer(&[])];
    machine.run(&["offers", "cancel", "--all"]).expect(0);
    for offer in offers {
        Device::new().join(offer.link_text()).expect(1).says("withdrawn");
    }
    assert_eq!(machine.json(&["offers", "list", "--json"])["offers"], serde_json::json!([]));
}

#[test]
fn an_offer_that_ends_its_pair_command_is_withdrawn() {
    let machine = Machine::started();
    let mut offer = machine.offer_and_wait(&[]);
    offer.waiting.as_mut().unwrap().signal(rustix::process::Signal::INT);
    assert_ne!(offer.waiting.as_mut().unwrap().end().code, Some(0));
    Device::new().join(offer.link_text()).expect(1).says("withdrawn");
}

#[test]
fn a_restart_withdraws_every_offer() {
    let mut machine = Machine::started();
    let offer = machine.offer(&[]);
    machine.restart();
    Device::new().join(offer.link_text()).expect(3).says("restarted");
    assert_eq!(machine.devices().len(), 0);
}

#[test]
fn an_offer_made_by_a_named_pair_gives_that_name_and_role() {
    let machine = Machine::started();
    Phone::pair(&machine, "x", &machine.offer(&["--name", "Ana's phone", "--role", "viewer"])).unwrap();
    let device = machine.only_device();
    assert_eq!((&device["name"], &device["role"]), (&"Ana's phone".into(), &"viewer".into()));
}

#[test]
fn two_devices_of_one_name_get_names_of_their_own() {
    let machine = Machine::started();
    for _ in 0..2 {
        Phone::paired(&machine, "phone");
    }
    let mut names: Vec<String> = machine.devices().iter().map(|d| d["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["phone", "phone 2"]);
}

#[test]
fn a_life_out_of_bounds_is_refused() {
    let machine = Machine::started();
    for ttl in ["1s", "11m", "0s", "soon"] {
        let refused = machine.run(&["pair", "--no-wait", "--json", "--ttl", ttl]);
        assert!(matches!(refused.code, Some(1 | 2)), "{ttl}: {refused:?}");
    }
}

#[test]
fn without_a_daemon_there_is_no_offer_and_the_exit_code_says_so() {
    let machine = Machine::new();
    machine.run(&["pair", "--no-wait"]).expect(5).says("pairpin serve");
}
