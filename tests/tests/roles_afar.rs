//! What an owner's device changes about others from where it is, and the life of an approval key, with the real binary on
//! both sides.

use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::process::Output;
use pairpin_tests::pty::Terminal;
use rusqlite::Connection;
use serde_json::Value;

/// A machine with an owner, and a second device of this role.
fn with_two(role: &str) -> (Machine, Device, Device) {
    let mut machine = Machine::new();
    machine.arguments = ["--join-from", "loopback"].map(Into::into).into();
    machine.start();
    let (owner, second) = (Device::new(), Device::new());
    owner.join(machine.offer(&["--name", "phone"]).link_text()).expect(0);
    second.join(machine.offer(&["--name", "laptop", "--role", role]).link_text()).expect(0);
    (machine, owner, second)
}

fn set(owner: &Device, device: &str, what: &[&str]) -> Output {
    owner.run(&[&["devices", "set", device, "--on", "homebox"], what].concat())
}

/// The device of this name, as the machine lists it.
fn listed(machine: &Machine, name: &str) -> Value {
    let devices = machine.devices();
    devices.into_iter().find(|device| device["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

/// Writes into the database of the stopped machine, and starts it again.
fn beside(machine: &mut Machine, sql: &str) {
    machine.stop().expect(0);
    Connection::open(machine.file("machine.db")).unwrap().execute_batch(sql).unwrap();
    machine.start();
}

#[test]
fn a_role_set_from_afar_is_felt_at_once_and_what_it_is_too_low_for_is_said() {
    let (machine, owner, laptop) = with_two("operator");
    laptop.run(&["inbox"]).expect(0);
    let mut follows = laptop.start(&["inbox", "--follow", "--json"]);
    follows.event("online");
    let said = set(&owner, "laptop", &["--role", "viewer"]).expect(0);
    assert_eq!(said.stdout, "\"laptop\" is viewer on homebox now\n");
    let told = follows.event("device_changed");
    assert_eq!((told["name"].as_str(), told["role"].as_str()), (Some("laptop"), Some("viewer")), "{told}");
    assert_eq!(told["by"], "“phone”");
    assert_eq!(listed(&machine, "laptop")["role"], "viewer");
    // Everything that the role is too low for ends with 1, says so, and what to do.
    for verb in [
        &["inbox"][..],
        &["approve", "k7pq"],
        &["devices", "--on", "homebox"],
        &["invite", "homebox"],
        &["devices", "set", "phone", "--role", "viewer", "--on", "homebox"],
    ] {
        laptop.run(verb).expect(1).says("role on homebox is viewer").says("devices set NAME --role o");
    }
    laptop.run(&["inbox"]).expect(1).says("sees no inbox");
    let json = set(&owner, "laptop", &["--role", "operator", "--json"]).expect(0).json();
    assert_eq!(
        (json["set"]["role"].as_str(), &json["set"]["changed"]),
        (Some("operator"), &serde_json::json!(["role"]))
    );
    laptop.run(&["inbox"]).expect(0);
    let again = set(&owner, "laptop", &["--role", "operator"]).expect(0);
    assert_eq!(again.stdout, "\"laptop\" was operator on homebox already\n");
}

#[test]
fn the_last_owner_stays_one_and_who_leaves_is_told_what_follows() {
    let (machine, owner, laptop) = with_two("owner");
    set(&owner, "laptop", &["--role", "viewer"]).expect(0);
    set(&owner, "phone", &["--role", "operator"]).expect(1).says("last owner").says("make another device owner first");
    set(&owner, "phone", &["--forget-approval-key"]).expect(1).says("cannot do that to itself");
    let itself = owner.run(&["devices", "revoke", "phone", "--on", "homebox", "--yes"]).expect(1);
    itself.says("to itself").says("pairpin machines forget");
    machine.run(&["devices", "set", "phone", "--role", "operator"]).expect(1).says("last owner");
    assert_eq!(listed(&machine, "phone")["role"], "owner");
    // It may leave, and then the next device that is paired at the shell is owner: so it is told, and so it is.
    owner
        .run(&["machines", "forget", "homebox", "--yes"])
        .expect(0)
        .says("next device paired at its shell will be owner");
    let next = Device::new();
    let joined = next.join(machine.offer(&["--name", "tablet"]).link_text()).expect(0);
    assert!(joined.stdout.contains("as owner"), "{}", joined.stdout);
    assert_eq!(listed(&machine, "laptop")["role"], "viewer");
    // One that leaves another owner behind is told nothing of the kind.
    set(&next, "laptop", &["--role", "owner"]).expect(0);
    let goodbye = laptop.run(&["machines", "forget", "homebox", "--yes"]).expect(0);
    assert!(!goodbye.stderr.contains("will be owner"), "{}", goodbye.stderr);
}

#[test]
fn a_suspended_device_is_listed_so_and_lifted_from_afar_and_at_the_console() {
    let (mut machine, owner, laptop) = with_two("operator");
    let suspend = "UPDATE devices SET suspended_at = 5, suspended_why = 'token used twice' WHERE name = 'laptop'";
    for from_afar in [true, false] {
        beside(&mut machine, suspend);
        assert_eq!(laptop.only_machine()["state"], "suspended");
        let list =
            owner.run(&["devices", "--on", "homebox"]).expect(0).says("token used twice").says("--lift --on homebox");
        assert!(list.stdout.contains("suspended"), "{}", list.stdout);
        let shown = owner.run(&["devices", "show", "laptop", "--on", "homebox", "--json"]).expect(0).json();
        assert_eq!(shown["device"]["suspended"], "token used twice");
        let lifted = match from_afar {
            true => set(&owner, "laptop", &["--lift"]),
            false => machine.run(&["devices", "set", "laptop", "--lift"]),
        };
        assert!(lifted.clone().expect(0).stdout.contains("suspended no more"), "{lifted:?}");
        assert!(laptop.is_welcome());
    }
    let not = set(&owner, "laptop", &["--lift"]).expect(0);
    assert!(not.stdout.contains("was not suspended"), "{}", not.stdout);
    assert_eq!(machine.audit_kinds().iter().filter(|kind| *kind == "lifted").count(), 2);
}

#[test]
fn an_approval_key_is_forgotten_at_the_console_and_by_another_owner() {
    let (machine, owner, laptop) = with_two("operator");
    let guard = || listed(&machine, "laptop")["approval_guard"].clone();
    assert_eq!(guard(), "nothing");
    let said = machine.run(&["devices", "set", "laptop", "--forget-approval-key"]).expect(0);
    assert!(said.stdout.contains("is forgotten"), "{}", said.stdout);
    assert_eq!(guard(), Value::Null);
    // The next decision brings it again: here a yes.
    let mut asking = machine.command(&["ask", "Deploy?", "--json"]);
    let mut asking = pairpin_tests::process::Background::start(&mut asking, None);
    let ask = asking.event("asked");
    laptop.run(&["approve", ask["ask"]["id"].as_str().unwrap_or_else(|| panic!("{ask}"))]).expect(0);
    asking.end().expect(0);
    assert_eq!(guard(), "nothing");
    set(&owner, "laptop", &["--forget-approval-key"]).expect(0);
    assert_eq!(guard(), Value::Null);
    let none = set(&owner, "laptop", &["--forget-approval-key"]).expect(0);
    assert!(none.stdout.contains("had no approval key"), "{}", none.stdout);
}

/// Answers the question on the screen.
fn types(terminal: &mut Terminal, prompt: &str, keys: &str) {
    terminal.wait_text(prompt);
    terminal.type_keys(&format!("{keys}\n"));
}

fn passphrase(device: &Device, more: &[&str]) -> Terminal {
    Terminal::start(&device.command(&[&["machines", "passphrase", "homebox"], more].concat()))
}

const NEW: &str = "nothing takes it away):";

#[test]
fn a_passphrase_is_asked_for_before_each_decision_and_never_shown() {
    let (machine, owner, _laptop) = with_two("viewer");
    let guard = || listed(&machine, "phone")["approval_guard"].clone();
    let set_role = ["devices", "set", "laptop", "--role", "operator", "--on", "homebox"];
    owner.run(&set_role).expect(0);
    assert_eq!(guard(), "nothing");
    owner.run(&["machines", "passphrase", "homebox"]).expect(2).says("on a terminal");

    // Two that differ change nothing; nor does Ctrl-C.
    let mut terminal = passphrase(&owner, &[]);
    types(&mut terminal, NEW, "correct horse");
    types(&mut terminal, "the same again", "correct hose");
    terminal.wait_text("the two differ");
    assert_eq!(terminal.end(), Some(1));
    let asking = owner.command(&["machines", "passphrase", "homebox"]);
    let mut shell = owner.command(&[]);
    let program = asking.get_program().to_string_lossy().into_owned();
    shell = {
        let mut wrapped = std::process::Command::new("/bin/sh");
        wrapped.args(["-c", &format!("{program} machines passphrase homebox; echo ended $?; stty -a; read word")]);
        wrapped.envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
        wrapped
    };
    let mut terminal = Terminal::start(&shell);
    terminal.wait_text(NEW);
    terminal.type_keys("correct\u{3}");
    terminal.wait_text("nothing was changed");
    terminal.wait_text("ended 1");
    terminal.wait_text("extproc");
    let modes = terminal.screen.text();
    assert!(modes.contains(" echo ") && modes.contains("isig") && !modes.contains("-isig"), "{modes}");
    owner.run(&set_role).expect(0);

    let mut terminal = passphrase(&owner, &[]);
    types(&mut terminal, NEW, "correct horse");
    types(&mut terminal, "the same again", "correct horse");
    terminal.wait_text("need the passphrase from now on");
    assert_eq!(terminal.end(), Some(0));
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    assert!(!written.contains("correct") && !written.contains("horse"), "{written}");
    assert_eq!(guard(), "passphrase");
    let shown = machine.run(&["devices", "show", "phone"]).expect(0);
    assert!(shown.stdout.contains("guarded by a passphrase"), "{}", shown.stdout);

    // Without a terminal no decision is made, and it is said how one is; what needs none goes on.
    let made: [&[&str]; 3] = [
        &["devices", "set", "laptop", "--role", "viewer", "--on", "homebox"],
        &["devices", "revoke", "laptop", "--on", "homebox", "--yes"],
        &["invite", "homebox"],
    ];
    for verb in made {
        owner.run(verb).expect(2).says("guarded by a passphrase").says("terminal");
    }
    assert_eq!(listed(&machine, "laptop")["role"], "operator");
    owner.run(&["devices", "--on", "homebox"]).expect(0);

    // A wrong one is said to be wrong and does nothing; the right one does it.
    let mut terminal =
        Terminal::start(&owner.command(&["devices", "set", "laptop", "--role", "viewer", "--on", "homebox"]));
    types(&mut terminal, "passphrase of this device's approval key for homebox:", "wrong");
    terminal.wait_text("that is not the passphrase");
    terminal.wait("a second question", |screen| screen.text().matches("approval key for homebox:").count() == 2);
    assert_eq!(listed(&machine, "laptop")["role"], "operator");
    terminal.type_keys("correct horse\n");
    terminal.wait_text("is viewer on homebox now");
    assert_eq!(terminal.end(), Some(0));
    assert_eq!(listed(&machine, "laptop")["role"], "viewer");

    // Taken away again, which the machine hears of: without the machine it stays.
    let mut terminal = passphrase(&owner, &[]);
    types(&mut terminal, "passphrase of this device's approval key", "correct horse");
    types(&mut terminal, NEW, "");
    types(&mut terminal, "the same again", "");
    terminal.wait_text("need no passphrase");
    assert_eq!((terminal.end(), guard()), (Some(0), "nothing".into()));
    owner.run(&set_role).expect(0);
}

#[test]
fn a_passphrase_set_while_the_machine_is_away_is_told_later_and_not_taken_away_without_it() {
    let (mut machine, owner, _laptop) = with_two("viewer");
    machine.stop().expect(0);
    let mut terminal = passphrase(&owner, &[]);
    types(&mut terminal, NEW, "correct horse");
    types(&mut terminal, "the same again", "correct horse");
    terminal.wait_text("is told with the next decision");
    terminal.wait_text("need the passphrase from now on");
    assert_eq!(terminal.end(), Some(0));
    let mut terminal = passphrase(&owner, &[]);
    types(&mut terminal, "passphrase of this device's approval key", "correct horse");
    types(&mut terminal, NEW, "");
    types(&mut terminal, "the same again", "");
    terminal.wait_text("did not answer");
    assert_eq!(terminal.end(), Some(4));
    machine.start();
    assert_eq!(listed(&machine, "phone")["approval_guard"], "nothing", "not told yet");
    owner.run(&["invite", "homebox"]).expect(2).says("guarded by a passphrase");
    let mut terminal =
        Terminal::start(&owner.command(&["devices", "set", "laptop", "--role", "operator", "--on", "homebox"]));
    types(&mut terminal, "approval key for homebox:", "correct horse");
    terminal.wait_text("is operator on homebox now");
    assert_eq!(terminal.end(), Some(0));
    assert_eq!(listed(&machine, "phone")["approval_guard"], "passphrase");
}

#[test]
fn a_lost_passphrase_costs_the_key_and_not_the_device() {
    let (machine, owner, laptop) = with_two("owner");
    let mut terminal = passphrase(&owner, &[]);
    types(&mut terminal, NEW, "forgotten soon");
    types(&mut terminal, "the same again", "forgotten soon");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
    let mut terminal = passphrase(&owner, &["--forgotten"]);
    types(&mut terminal, NEW, "another");
    types(&mut terminal, "the same again", "another");
    terminal.wait_text("still takes the approval key");
    assert_eq!(terminal.end(), Some(1));
    set(&laptop, "phone", &["--forget-approval-key"]).expect(0);
    let mut terminal = passphrase(&owner, &["--forgotten"]);
    types(&mut terminal, NEW, "another");
    types(&mut terminal, "the same again", "another");
    terminal.wait_text("has a new approval key for homebox");
    assert_eq!(terminal.end(), Some(0));
    assert_eq!(listed(&machine, "phone")["approval_guard"], "passphrase");
    let mut terminal =
        Terminal::start(&owner.command(&["devices", "set", "laptop", "--role", "viewer", "--on", "homebox"]));
    types(&mut terminal, "approval key for homebox:", "another");
    terminal.wait_text("is viewer on homebox now");
    assert_eq!(terminal.end(), Some(0));
    owner.run(&["machines", "forget", "homebox", "--yes"]).expect(0);
    let left: Vec<_> = std::fs::read_dir(owner.secrets()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_joiner_is_told_at_once_that_the_owner_who_let_it_in_was_revoked() {
    let (machine, owner, _laptop) = with_two("operator");
    let joiner = Device::new();
    let mut terminal = Terminal::start(&joiner.command(&["join", &machine.address.to_string()]));
    terminal.wait("countdown", |screen| screen.text().contains("waiting 9:"));
    let text = terminal.screen.text();
    let number = text.lines().find_map(|line| line.strip_prefix("number ")).unwrap().trim().to_owned();
    let id = machine.json(&["devices", "--json"])["joins"][0]["id"].as_str().unwrap().to_owned();
    let said = owner.run(&["approve", &id, "--number", &number]).expect(0);
    terminal.wait_text("four digits on that screen");
    machine.run(&["devices", "revoke", "phone", "--yes"]).expect(0);
    // Nobody has typed anything.
    terminal.wait_text("the owner who let this device in was revoked");
    assert_eq!(terminal.end(), Some(1));
    assert!(said.stdout.contains("check ") && joiner.machines().is_empty());
    assert_eq!(machine.devices().len(), 1);
}

#[test]
fn a_session_that_ends_soon_says_so_on_both_sides_and_how_it_goes_on() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let (mut machine, owner, laptop) = with_two("operator");
    let before = machine.run(&["devices"]).expect(0);
    assert!(!before.stdout.contains("ends in") && !laptop.run(&["machines"]).expect(0).stdout.contains("ends in"));
    let older =
        format!("UPDATE devices SET session_started_at = session_started_at - {} WHERE name = 'laptop'", 175 * DAY);
    beside(&mut machine, &older);
    // The device was paired then too.
    let own = Connection::open(laptop.state().join("device.db")).unwrap();
    own.execute("UPDATE machines SET paired_at = paired_at - ?1", [175 * DAY]).unwrap();
    let mut follows = owner.start(&["inbox", "--follow", "--json"]);
    let warned = follows.event("session_ending");
    assert_eq!((warned["name"].as_str(), &warned["unused"]), (Some("laptop"), &Value::Bool(false)), "{warned}");
    for (said, renewed) in [
        (machine.run(&["devices"]), "fresh offer"),
        (owner.run(&["devices", "--on", "homebox"]), "fresh offer"),
        (laptop.run(&["machines"]), "fresh offer"),
    ] {
        let said = said.expect(0).says(renewed);
        assert!(said.stdout.contains("ends in 4 days") || said.stdout.contains("ends in 5 days"), "{}", said.stdout);
    }
    laptop.join(machine.offer(&[]).link_text()).expect(0);
    assert!(!machine.run(&["devices"]).expect(0).stdout.contains("ends in"));
    assert_eq!(listed(&machine, "laptop")["role"], "operator", "name and role stay");
}
