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
fn a_joiner_whose_reader_has_gone_away_is_not_paired_and_says_so() {
    let (machine, laptop) = (machine(), Device::new());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut join = laptop.command(&["join", "--json", &machine.address.to_string()]);
    assert_eq!(join.stdout(writer).status().unwrap().code(), Some(1));
    assert!(machine.devices().is_empty());
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
    assert_eq!(kinds[kinds.len() - 3..], ["join", "let-in", "approval-key"], "{kinds:?}");
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

/// A machine with an owner device, and its name there.
fn with_owner() -> (Machine, Device, String) {
    let (machine, phone) = (machine(), Device::new());
    phone.join(machine.offer(&["--name", "phone"]).link_text()).expect(0);
    let name = phone.only_machine()["name"].as_str().expect("a name").to_owned();
    (machine, phone, name)
}

#[test]
fn an_owner_device_lets_a_laptop_in_by_the_number_it_shows() {
    let (machine, phone, on) = with_owner();
    let laptop = Device::new();
    let mut terminal = asks(&machine, &laptop);
    let items = phone.run(&["inbox", "--json"]).expect(0).json();
    let item = &items["items"][0];
    assert_eq!((item["kind"].as_str(), item["machine"].as_str()), (Some("join"), Some(on.as_str())), "{items}");
    let id = item["id"].as_str().expect("an id");
    let shown = phone.run(&["inbox"]).expect(0).stdout;
    assert!(shown.contains("it says") && shown.contains("known     from 127.0.0.1"), "{shown}");
    phone.run(&["approve", id]).expect(2).says("type the seven digits that it shows");
    let said = phone.run(&["approve", id, "--number", &number(&terminal), "--name", "desk"]).expect(0);
    assert!(said.stdout.contains(r#"let in "desk" on homebox as operator, check "#), "{}", said.stdout);
    terminal.wait_text("four digits on that screen");
    terminal.type_keys(&format!("{}\n", digits(&said.stdout)));
    terminal.wait_text("paired with homebox as operator");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
    let desk = machine.devices().into_iter().find(|device| device["name"] == "desk").expect("the laptop");
    assert_eq!(desk["let_in"], "\"phone\", by number, loopback");
    assert!(laptop.is_welcome());
    phone.run(&["approve", id, "--number", "1234567"]).expect(1).says("nothing called");
}

#[test]
fn an_owner_device_lets_a_laptop_in_by_its_qr_and_a_picture_of_another_is_nobodys() {
    let (machine, phone, _) = with_owner();
    let laptop = Device::new();
    let mut terminal = asks(&machine, &laptop);
    let picture = phone.home().join("seen.png");
    paint(&terminal.screen.clone(), THEMES[0]).save(&picture).expect("a picture");
    // A machine that this device is not paired with has the same to show.
    let (elsewhere, stranger) = (self::machine(), Device::new());
    let mut other = asks(&elsewhere, &stranger);
    let foreign = phone.home().join("foreign.png");
    paint(&other.screen.clone(), THEMES[0]).save(&foreign).expect("a picture");
    phone.run(&["approve", "--image", foreign.to_str().expect("a path")]).expect(1).says("machine");
    assert_eq!(elsewhere.devices().len(), 0);

    let said = phone.run(&["approve", "--image", picture.to_str().expect("a path"), "--role", "viewer"]).expect(0);
    terminal.wait_text("four digits on that screen");
    terminal.type_keys(&format!("{}\n", digits(&said.stdout)));
    terminal.wait_text("paired with homebox as viewer");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
    let by =
        machine.devices().into_iter().find(|device| device["name"] != "phone").expect("the laptop")["let_in"].clone();
    assert_eq!(by, "\"phone\", by scan, loopback");
    other.type_keys("\u{3}");
    other.end();
}

#[test]
fn who_asked_before_a_restart_is_listed_as_that_and_has_to_ask_again() {
    let (mut machine, owner, _) = with_owner();
    let laptop = Device::new();
    let mut terminal = asks(&machine, &laptop);
    let shown = number(&terminal);
    let join = id(&machine);
    machine.crash();
    machine.start();
    assert_eq!(listed(&machine)[0]["before_restart"], true);
    let list = machine.run(&["devices"]).expect(0).stdout;
    assert!(list.contains("asked before the restart: ask again"), "{list}");
    machine.run(&["devices", "approve", &join, "--number", &shown]).expect(1).says("ask again");
    let inbox = owner.run(&["inbox"]).expect(0).stdout;
    assert!(inbox.contains("nobody can let it in by that"), "{inbox}");
    owner.run(&["approve", &join, "--number", &shown]).expect(1);
    assert_eq!(machine.json(&["devices", "--json"])["devices"].as_array().map(Vec::len), Some(1));
    machine.run(&["devices", "deny", &join]).expect(0);
    assert!(listed(&machine).is_empty());
    terminal.end();
}

#[test]
fn a_watch_says_that_something_waits_for_this_device() {
    let (machine, owner, _) = with_owner();
    let laptop = Device::new();
    let _terminal = asks(&machine, &laptop);
    let join = id(&machine);
    let mut watch = owner.start(&["machines", "watch", "--json"]);
    let line = watch.line("what waits", |line| line.contains("\"waiting\""));
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["waiting"], serde_json::json!([{ "kind": "join", "id": join }]));
    let mut watch = owner.start(&["machines", "watch"]);
    watch.note("that something waits", |line| line.contains("1 thing there waits for your answer: pairpin inbox"));
}

#[test]
fn who_is_no_owner_neither_sees_nor_lets_in_a_device() {
    let (machine, _phone, _) = with_owner();
    let tablet = Device::new();
    tablet.join(machine.offer(&["--role", "operator"]).link_text()).expect(0);
    let mut terminal = asks(&machine, &Device::new());
    assert_eq!(tablet.run(&["inbox", "--json"]).expect(0).json()["items"].as_array().map(Vec::len), Some(0));
    tablet.run(&["approve", &id(&machine), "--number", &number(&terminal)]).expect(1).says("nothing called");
    let picture = tablet.home().join("seen.png");
    paint(&terminal.screen.clone(), THEMES[0]).save(&picture).expect("a picture");
    tablet.run(&["approve", "--image", picture.to_str().expect("a path")]).expect(1).says("operator");
    assert_eq!(listed(&machine).len(), 1, "it still waits");
    terminal.type_keys("\u{3}");
    terminal.end();
}

#[test]
fn an_owner_device_says_no_and_a_wrong_number_is_one() {
    let (machine, phone, _) = with_owner();
    let mut terminal = asks(&machine, &Device::new());
    assert!(phone.run(&["deny", &id(&machine)]).expect(0).stdout.contains("denied"));
    terminal.wait_text("nobody let this device in");
    assert_eq!(terminal.end(), Some(1));
    let mut terminal = asks(&machine, &Device::new());
    let wrong = another(&number(&terminal));
    phone.run(&["approve", &id(&machine), "--number", &wrong]).expect(1).says("denied");
    terminal.wait_text("nobody let this device in");
    assert_eq!(terminal.end(), Some(1));
    assert_eq!(machine.devices().len(), 1);
}
