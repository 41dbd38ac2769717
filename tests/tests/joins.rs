//! `pairpin join HOST`: a laptop without an offer shows a QR and a number, and the machine's shell lets it in.
//! The real binary on both sides.

use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::picture::{THEMES, paint, read};
use pairpin_tests::pty::Terminal;
use serde_json::Value;

/// A machine that this computer may ask.
fn machine() -> Machine {
    let mut machine = Machine::new();
    machine.arguments = ["--join-from", "loopback"].map(Into::into).into();
    machine.start();
    machine
}

fn asks(machine: &Machine, device: &Device) -> Terminal {
    let mut terminal = Terminal::start(&device.command(&["join", &machine.address.to_string()]));
    terminal.wait("countdown", |screen| screen.text().contains("waiting 9:"));
    terminal
}

/// The seven digits on its screen.
fn number(terminal: &Terminal) -> String {
    let text = terminal.screen.text();
    let line = text.lines().find_map(|line| line.strip_prefix("number ")).unwrap_or_else(|| panic!("none in\n{text}"));
    line.trim().to_owned()
}

/// The joins that the machine lists.
fn listed(machine: &Machine) -> Vec<Value> {
    machine.json(&["devices", "--json"])["joins"].as_array().expect("joins").clone()
}

fn id(machine: &Machine) -> String {
    let joins = listed(machine);
    assert_eq!(joins.len(), 1, "{joins:?}");
    joins[0]["id"].as_str().expect("an id").to_owned()
}

fn another(digits: &str) -> String {
    format!("{}{}", if digits.starts_with('0') { '1' } else { '0' }, &digits[1..])
}

/// What is to be typed into the joiner.
fn digits(said: &str) -> String {
    let (_, rest) = said.split_once("check ").unwrap_or_else(|| panic!("no digits in {said}"));
    rest.trim().to_owned()
}

#[test]
fn a_laptop_is_let_in_at_the_console_by_the_number_on_its_screen() {
    let (machine, laptop) = (machine(), Device::new());
    let mut terminal = asks(&machine, &laptop);
    let screen = terminal.screen.clone();
    assert_eq!(screen.scrolled, 0, "it does not fit 80x24:\n{}", screen.text());
    for theme in THEMES {
        let text = read(&paint(&screen, theme)).unwrap_or_else(|| panic!("no QR in {}", theme.name));
        assert!(text.starts_with("PAIRPIN-JOIN/"), "{text}");
    }
    let (id, number) = (id(&machine), number(&terminal));
    let join = &listed(&machine)[0];
    assert_eq!((join["from"].as_str(), join["network"].as_str()), (Some("127.0.0.1"), Some("loopback")), "{join}");
    assert!(machine.run(&["devices"]).expect(0).stdout.contains(&id));
    let said = machine.run(&["devices", "approve", &id, "--number", &number, "--role", "viewer", "--name", "desk"]);
    let said = said.expect(0);
    assert!(said.stdout.contains(r#"let in "desk" as viewer"#), "{}", said.stdout);
    terminal.wait_text("four digits on that screen");
    assert!(machine.devices().is_empty(), "not before the digits");
    terminal.type_keys(&format!("{}\n", digits(&said.stdout)));
    terminal.wait_text("paired with homebox as viewer");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
    let device = machine.only_device();
    assert_eq!((device["name"].as_str(), device["paired_how"].as_str()), (Some("desk"), Some("join")), "{device}");
    assert_eq!(device["let_in"], "the machine's shell, by number, loopback");
    let shown = machine.run(&["devices", "show", "desk"]).expect(0);
    assert!(shown.stdout.contains("by number, loopback"), "{}", shown.stdout);
    assert!(laptop.is_welcome() && listed(&machine).is_empty());
    let kinds = machine.audit_kinds();
    assert_eq!(kinds[kinds.len() - 2..], ["join", "let-in"], "{kinds:?}");
}

#[test]
fn a_wrong_number_is_a_no_and_the_right_one_comes_too_late() {
    let (machine, laptop) = (machine(), Device::new());
    let mut terminal = asks(&machine, &laptop);
    let (id, number) = (id(&machine), number(&terminal));
    machine.run(&["devices", "approve", &id, "--number", &another(&number)]).expect(1).says("denied");
    terminal.wait_text("nobody let this device in");
    assert_eq!(terminal.end(), Some(1));
    machine.run(&["devices", "approve", &id, "--number", &number]).expect(1).says("asks to be let in");
    assert!(machine.devices().is_empty() && laptop.machines().is_empty());
}

#[test]
fn wrong_digits_pair_nothing() {
    let (machine, laptop) = (machine(), Device::new());
    let mut terminal = asks(&machine, &laptop);
    let said = machine.run(&["devices", "approve", &id(&machine), "--number", &number(&terminal)]).expect(0);
    terminal.wait_text("four digits on that screen");
    terminal.type_keys(&format!("{}\n", another(&digits(&said.stdout))));
    terminal.wait_text("these are not the digits");
    assert_eq!(terminal.end(), Some(1));
    assert!(machine.devices().is_empty() && laptop.machines().is_empty());
}

#[test]
fn a_no_can_close_the_door() {
    let (machine, laptop) = (machine(), Device::new());
    let mut terminal = asks(&machine, &laptop);
    let said = machine.run(&["devices", "deny", &id(&machine), "--close"]).expect(0);
    assert!(said.stdout.contains("nobody may ask for an hour"), "{}", said.stdout);
    assert_eq!(terminal.end(), Some(1), "{}", terminal.screen.text());
    laptop.run(&["join", &machine.address.to_string()]).expect(1).says("lets no device ask");
}

#[test]
fn by_default_loopback_may_not_ask_and_an_offer_still_pairs() {
    let (machine, laptop) = (Machine::started(), Device::new());
    laptop.run(&["join", &machine.address.to_string()]).expect(1).says("lets no device ask");
    assert!(listed(&machine).is_empty());
    laptop.join(machine.offer(&[]).link_text()).expect(0);
    laptop.run(&["join", &machine.address.to_string()]).expect(1).says("already");
}

#[test]
fn without_a_terminal_each_step_is_a_line_and_silence_pairs_nothing() {
    let (machine, laptop) = (machine(), Device::new());
    let mut joining = laptop.start(&["join", &machine.address.to_string(), "--json"]);
    let asked = joining.event("asked");
    let number = asked["number"].as_str().expect("a number");
    assert!(asked["qr"].as_str().is_some_and(|qr| qr.starts_with("PAIRPIN-JOIN/")), "{asked}");
    assert_eq!(asked["expires_in_seconds"], 600);
    let id = asked["id"].as_str().expect("an id");
    let accepted = machine.json(&["devices", "approve", id, "--number", number, "--json"]);
    assert_eq!(accepted["accepted"]["check_digits"].as_str().map(str::len), Some(4), "{accepted}");
    assert_eq!(joining.event("let_in")["role"], "owner");
    let ended = joining.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(machine.devices().is_empty() && laptop.machines().is_empty());
}
