//! A device is lost: by `pairpin lost` at the machine's shell, with what it did, whom it let in, and what it was about
//! to. The real binary on both sides.

use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::pty::Terminal;
use serde_json::Value;

/// A machine that this computer may ask, and its owner's phone.
fn with_a_phone() -> (Machine, Device) {
    let mut machine = Machine::new();
    machine.arguments = ["--join-from", "loopback"].map(Into::into).into();
    machine.start();
    let phone = Device::new();
    phone.join(machine.offer(&["--name", "phone"]).link_text()).expect(0);
    (machine, phone)
}

fn name(device: &Device) -> String {
    device.only_machine()["name"].as_str().unwrap().to_owned()
}

/// `owner` invites `device` under this name.
fn invite(owner: &Device, device: &Device, called: &str, role: &str) {
    let on = name(owner);
    let mut inviting = owner.start(&["invite", &on, "--name", called, "--role", role, "--json"]);
    let offer = inviting.event("offer");
    device.join(offer["link"].as_str().unwrap()).expect(0);
    inviting.event("paired");
    inviting.end().expect(0);
}

fn names(devices: &Value) -> Vec<&str> {
    devices.as_array().unwrap().iter().map(|device| device["name"].as_str().unwrap()).collect()
}

fn texts(lost: &Value) -> Vec<&str> {
    lost["acts"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect()
}

#[test]
fn lost_cuts_the_phone_tells_it_why_and_shows_what_it_did_and_whom_it_let_in() {
    let (mut machine, phone) = with_a_phone();
    let (tablet, laptop, bystander) = (Device::new(), Device::new(), Device::new());
    bystander.join(machine.offer(&["--name", "desk", "--role", "viewer"]).link_text()).expect(0);
    invite(&phone, &tablet, "tablet", "owner");
    // Whom it let in lets somebody in, and is gone by then.
    invite(&tablet, &laptop, "laptop", "operator");
    machine.run(&["devices", "revoke", "tablet", "--yes"]).expect(0);
    // The machine forgets nothing of it.
    machine.restart();
    let mut watch = phone.start(&["machines", "watch", "--json"]);
    watch.line("online", |line| line.contains("\"state\":\"online\""));

    machine.run(&["lost", "phone"]).expect(2).says("--yes");
    let lost = machine.json(&["lost", "phone", "--yes", "--json"]);
    assert_eq!(lost["revoked"][0]["connections_cut"], 1, "{lost}");
    let told = watch.line("revoked", |line| line.contains("revoked"));
    assert!(told.contains("lost") && told.contains("the machine's shell"), "{told}");
    assert_eq!(lost["revoked"][0]["last_owner"], true);
    assert_eq!(names(&lost["let_in"]), ["laptop"], "through one that is gone, and not the bystander: {lost}");
    let did = texts(&lost);
    assert!(did.iter().any(|line| line.contains("“phone” made offer")), "{did:?}");
    assert!(did.iter().any(|line| line.contains("paired “tablet”") && line.contains("invited by “phone”")), "{did:?}");
    assert!(did.iter().any(|line| line.starts_with("revoked “phone”")), "{did:?}");
    assert!(!did.iter().any(|line| line.contains("desk")), "{did:?}");

    // Stays out over a restart, and is told again.
    machine.crash();
    machine.start();
    let row = phone.only_machine();
    assert_eq!((row["state"].as_str(), row["revoked"]["reason"].as_str()), (Some("revoked"), Some("lost")), "{row}");
    assert!(laptop.is_welcome(), "nobody asked for that one");

    // Asked again it still says what it knows, and takes the others along where that is wanted.
    let again = machine.run(&["lost", "phone"]).expect(0);
    assert!(again.stdout.contains("was revoked before, by the machine's shell"), "{}", again.stdout);
    again.says("--with-let-in");
    let lost = machine.json(&["lost", "phone", "--with-let-in", "--yes", "--json"]);
    assert_eq!((lost["revoked"][0]["device"]["name"].as_str(), names(&lost["let_in"]).len()), (Some("laptop"), 0));
    assert_eq!(laptop.only_machine()["state"], "revoked");
    assert_eq!(machine.only_device()["name"], "desk");
    assert!(bystander.is_welcome());
}

#[test]
fn a_terminal_is_asked_with_everybody_who_goes_and_a_no_changes_nothing() {
    let (machine, phone) = with_a_phone();
    let tablet = Device::new();
    invite(&phone, &tablet, "tablet", "viewer");
    let mut terminal = Terminal::start(&machine.command(&["lost", "phone", "--with-let-in"]));
    let asked =
        "Revoke \"phone\", \"tablet\"? It is the last owner: the next device paired at this shell will be owner.";
    terminal.wait("the question", |screen| screen.text().replace('\n', "").contains(asked));
    terminal.type_keys("n\n");
    terminal.wait_text("nothing was changed");
    assert_eq!(terminal.end(), Some(1));
    assert!(phone.is_welcome() && tablet.is_welcome());
}

#[test]
fn what_it_had_offered_and_approved_and_not_finished_is_taken_back() {
    let (machine, phone) = with_a_phone();
    let on = name(&phone);
    let mut inviting = phone.start(&["invite", &on, "--json"]);
    let offer = inviting.event("offer");
    let (laptop, other) = (Device::new(), Device::new());
    let mut joiner = Terminal::start(&laptop.command(&["join", &machine.address.to_string()]));
    joiner.wait("number", |screen| screen.text().contains("\nnumber "));
    let text = joiner.screen.text();
    let number = text.lines().find_map(|line| line.strip_prefix("number ")).unwrap().trim().to_owned();
    let id = machine.json(&["devices", "--json"])["joins"][0]["id"].as_str().unwrap().to_owned();
    let said = phone.run(&["approve", &id, "--number", &number]).expect(0);
    assert!(said.stdout.contains("check "), "{}", said.stdout);
    joiner.wait_text("four digits on that screen");

    let lost = machine.json(&["lost", "phone", "--yes", "--json"]);
    let revoked = &lost["revoked"][0];
    assert_eq!(
        (revoked["offers_withdrawn"].as_u64(), revoked["joins_taken_back"].as_u64()),
        (Some(1), Some(1)),
        "{lost}"
    );
    inviting.end().expect(1);
    let refused = other.join(offer["link"].as_str().unwrap());
    assert!(refused.code != Some(0) && refused.stderr.contains("withdrawn"), "{}", refused.stderr);
    // Told at once, with the question for the digits still open.
    joiner.wait_text("the owner who let this device in was revoked");
    assert_ne!(joiner.end(), Some(0));
    assert!(machine.devices().is_empty() && laptop.machines().is_empty() && other.machines().is_empty());
}

#[test]
fn a_stopped_machine_knows_as_much() {
    let (mut machine, phone) = with_a_phone();
    let tablet = Device::new();
    invite(&phone, &tablet, "tablet", "viewer");
    machine.stop().expect(0);
    machine.run(&["lost", "nobody", "--yes"]).expect(1).says("nobody");
    let lost = machine.json(&["lost", "phone", "--yes", "--json", "--reason", "in the taxi", "--since", "2h"]);
    assert_eq!(names(&lost["let_in"]), ["tablet"]);
    machine.start();
    let row = phone.only_machine();
    assert_eq!(row["revoked"]["reason"], "in the taxi", "{row}");
    assert!(tablet.is_welcome());
}

#[test]
fn only_the_newest_lines_are_shown_and_the_number_of_the_others() {
    let (machine, phone) = with_a_phone();
    for number in 0..22 {
        let name = format!("phone {number}");
        let before = machine.only_device()["id"].as_str().unwrap().to_owned();
        machine.run(&["devices", "rename", &before, &name]).expect(0);
    }
    let lost = machine.json(&["lost", "phone 21", "--yes", "--json"]);
    assert_eq!(texts(&lost).len(), 20);
    // Paired, 22 names, revoked.
    let all = lost["earlier"].as_u64().unwrap() + 20;
    assert!((24..=25).contains(&all), "{lost}");
    assert_eq!(phone.only_machine()["state"], "revoked");
}
