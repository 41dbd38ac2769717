//! Asks through the real binary: what a script sees of an answer is the exit code, and only a device's yes is 0.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::phone::Phone;
use pairpin_tests::process::{Background, run};
use rustix::process::Signal;
use serde_json::Value;

/// A machine with a laptop that may answer.
fn paired() -> (Machine, Device) {
    let (machine, device) = (Machine::started(), Device::new());
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    (machine, device)
}

/// Starts an ask and gives its id once it waits.
#[track_caller]
fn asking(machine: &Machine, arguments: &[&str]) -> (Background, String) {
    let mut ask = Background::start(&mut machine.command(&[&["ask", "--json"], arguments].concat()), None);
    let id = id_of(&ask.event("asked"));
    (ask, id)
}

#[track_caller]
fn id_of(asked: &Value) -> String {
    asked["ask"]["id"].as_str().unwrap_or_else(|| panic!("no id in {asked}")).to_owned()
}

fn waiting(machine: &Machine) -> usize {
    machine.json(&["asks", "--json"])["asks"].as_array().map_or(0, Vec::len)
}

/// Waits until the inbox follower says that this ask is gone, and how.
#[track_caller]
fn gone(inbox: &mut Background, id: &str) -> Value {
    let of = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
    let line = inbox.line("end of the ask", |line| of(line)["event"] == "gone" && of(line)["id"] == *id);
    of(&line)
}

#[track_caller]
fn following(device: &Device) -> Background {
    let mut inbox = device.start(&["inbox", "--follow", "--json"]);
    inbox.event("online");
    inbox
}

#[test]
fn a_yes_is_0_and_a_no_is_1_and_both_say_who() {
    let (machine, device) = paired();
    let (mut ask, id) = asking(&machine, &["Deploy build 241?", "--detail", "three commits"]);
    let inbox = device.run(&["inbox"]).expect(0);
    for wanted in [&id, "the caller says", "| Deploy build 241?", "| three commits", "(uid ", "pairpin ask --json"] {
        assert!(inbox.stdout.contains(wanted), "{wanted:?} is not in\n{}", inbox.stdout);
    }
    let said = device.run(&["approve", &id]).expect(0);
    assert!(said.stdout.contains("answered yes by \"laptop\""), "{said:?}");
    let answered = ask.event("answered");
    assert_eq!((&answered["answer"], &answered["by"]), (&"yes".into(), &"laptop".into()));
    ask.end().expect(0);

    let mut ask = Background::start(&mut machine.command(&["ask", "Again?"]), None);
    ask.note("that it waits", |line| line.contains("waiting"));
    let item = device.run(&["inbox", "--json"]).expect(0).json()["items"][0].clone();
    let id = item["id"].as_str().unwrap().to_owned();
    assert_eq!((&item["kind"], &item["machine"]), (&"ask".into(), &"homebox".into()));
    device.run(&["deny", &id, "--on", "homebox"]).expect(0);
    ask.end().expect(1).says("no, by \"laptop\"");
    device.run(&["approve", &id]).expect(1).says("nothing called");
    let kinds = machine.audit_kinds();
    assert_eq!(kinds.iter().filter(|kind| *kind == "answered").count(), 2, "{kinds:?}");
}

#[test]
fn nobody_answers_is_3_and_no_device_that_may_answer_is_4_at_once_and_no_daemon_is_5() {
    let mut machine = Machine::started();
    machine.run(&["ask", "Deploy?"]).expect(4).says("pairpin pair");
    // A phone without an approval key counts for nothing.
    Phone::paired(&machine, "phone");
    machine.run(&["ask", "Deploy?"]).expect(4).says("approval key");
    let device = Device::new();
    device.join(machine.offer(&["--role", "operator"]).link_text()).expect(0);
    let late = machine.run(&["ask", "Deploy?", "--timeout", "1s", "--", "touch", "done"]).expect(3);
    late.says("none of the 1 device that may answer is online").says("nobody answered");
    assert!(!machine.home().join("done").exists());
    // Nobody waits for that line, so it may come a little later.
    machine.daemon().either("the line of its end", |line| line.contains("was not answered in time"));
    assert!(machine.audit_kinds().contains(&"ask-expired".to_owned()));
    machine.run(&["ask", "Deploy?", "--timeout", "25h"]).expect(2).says("24 hours");
    machine.run(&["ask", &"x".repeat(300)]).expect(2).says("--detail");
    machine.stop().expect(0);
    machine.run(&["ask", "Deploy?"]).expect(5).says("pairpin serve");
}

#[test]
fn a_command_runs_on_a_yes_alone_and_its_exit_code_is_the_result() {
    let (machine, device) = paired();
    for (verb, code, ran) in [("deny", 1, false), ("approve", 7, true)] {
        let script = "touch ran; exit 7";
        let (mut ask, id) = asking(&machine, &["Run it?", "--", "sh", "-c", script]);
        assert!(!machine.home().join("ran").exists());
        let shown = machine.json(&["asks", "show", &id, "--json"]);
        let arguments = shown["ask"]["observed"]["arguments"].to_string();
        assert!(arguments.contains(script), "what will run is not shown: {arguments}");
        device.run(&[verb, &id]).expect(0);
        ask.end().expect(code);
        assert_eq!(machine.home().join("ran").exists(), ran, "{verb}");
    }
    let (mut ask, id) = asking(&machine, &["Run it?", "--", "./nothing-here"]);
    device.run(&["approve", &id]).expect(0);
    ask.end().expect(1).says("cannot be run");
}

#[test]
fn neither_its_help_nor_a_reader_that_has_gone_away_is_a_yes() {
    let (machine, device) = paired();
    // As in a script: pairpin ask "$TITLE" && ./deploy.
    for title in ["--help", "-h", "--version", "-V"] {
        machine.run(&["ask", title, "--", "touch", "ran"]).expect(2);
    }
    machine.run(&["notify", "--help"]).expect(0);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut ask = machine.command(&["ask", "--json", "Deploy?", "--", "touch", "ran"]);
    let unread = ask.stdout(writer).status().unwrap();
    assert_eq!(unread.code(), Some(1));
    // The same later: somebody says yes, and who asked for it does not hear that.
    let (reader, writer) = std::io::pipe().unwrap();
    let mut ask = machine.command(&["ask", "--json", "Deploy?", "--", "touch", "ran"]).stdout(writer).spawn().unwrap();
    let mut asked = String::new();
    let mut reader = std::io::BufReader::new(reader);
    std::io::BufRead::read_line(&mut reader, &mut asked).unwrap();
    drop(reader);
    device.run(&["approve", &id_of(&serde_json::from_str(&asked).unwrap())]).expect(0);
    assert_eq!(ask.wait().unwrap().code(), Some(1));
    assert!(!machine.home().join("ran").exists());
}

#[test]
fn what_cannot_be_seen_of_a_command_is_marked() {
    let (machine, device) = paired();
    let (_ask, _) = asking(&machine, &["Run it?", "--detail", "./deploy\u{200B}.sh", "--", "./deploy\u{200B}.sh"]);
    let inbox = device.run(&["inbox"]).expect(0).stdout;
    assert!(inbox.contains("| ./deploy�.sh") && inbox.contains("-- ./deploy�.sh"), "{inbox}");
}

#[test]
fn an_ask_that_is_killed_is_withdrawn_everywhere() {
    let (machine, device) = paired();
    let mut inbox = following(&device);
    for signal in [Signal::KILL, Signal::INT, Signal::TERM] {
        let (mut ask, id) = asking(&machine, &["Deploy?", "--", "touch", "ran"]);
        let pending = inbox.event("pending");
        assert_eq!(pending["item"]["id"], *id);
        ask.signal(signal);
        assert_eq!(gone(&mut inbox, &id)["how"], "withdrawn");
        assert_ne!(ask.end().code, Some(0));
        assert_eq!(waiting(&machine), 0);
        device.run(&["approve", &id]).expect(1);
    }
    assert!(!machine.home().join("ran").exists());
}

#[test]
fn an_ask_can_be_shown_and_taken_back_at_the_shell_but_not_answered() {
    let (machine, _device) = paired();
    let (mut ask, id) = asking(&machine, &["Deploy?"]);
    let listed = machine.run(&["asks"]).expect(0).stdout;
    assert!(listed.contains(&id) && listed.contains("Deploy?"), "{listed}");
    assert!(machine.run(&["asks", "show", &id]).expect(0).stdout.contains("the caller cannot choose this"));
    machine.run(&["asks", "cancel", &id]).expect(0);
    ask.end().expect(1).says("taken back");
    machine.run(&["asks", "cancel", &id]).expect(1).says("pairpin asks");
    machine.run(&["asks", "approve", &id]).expect(2);
}

#[test]
fn a_daemon_that_ends_in_between_has_approved_nothing() {
    let (mut machine, device) = paired();
    for crash in [true, false] {
        let (mut ask, id) = asking(&machine, &["Deploy?", "--", "touch", "ran"]);
        if crash {
            machine.crash();
        } else {
            machine.stop();
        }
        let code = ask.end().code;
        assert!(matches!(code, Some(1 | 5)), "{code:?}");
        machine.start();
        assert_eq!(waiting(&machine), 0);
        device.run(&["approve", &id]).expect(1).says("nothing called");
    }
    assert!(!machine.home().join("ran").exists());
}

#[test]
fn one_inbox_shows_all_machines_and_an_answer_is_for_one_of_them() {
    let (mut home, device) = paired();
    let office = Machine::started();
    device.join(office.offer(&[]).link_text()).expect(0);
    let (mut here, id) = asking(&home, &["Deploy?"]);
    let (_there, other) = asking(&office, &["Deploy?"]);
    let items = device.run(&["inbox", "--json"]).expect(0).json()["items"].to_string();
    assert!(items.contains(&id) && items.contains(&other), "{items}");
    let machines = device.machines();
    let name = |machine: &Value| machine["name"].as_str().unwrap().to_owned();
    let second = machines.iter().map(name).find(|name| name != "homebox").expect("two of one name are told apart");
    device.run(&["approve", &id, "--on", &second]).expect(1).says("nothing called");
    device.run(&["approve", &id]).expect(0);
    here.end().expect(0);
    assert_eq!((waiting(&home), waiting(&office)), (0, 1));
    // Of a machine that cannot be asked nothing is known.
    home.stop().expect(0);
    let unasked = device.run(&["inbox", "--json"]).expect(0).json();
    assert_eq!(unasked["unasked"][0]["machine"], "homebox", "{unasked}");
    device.run(&["approve", "nothing1"]).expect(4).says("not every machine could be asked");
    device.run(&["deny", &other]).expect(0);
}

#[test]
fn a_notice_reaches_who_follows() {
    let (machine, device) = paired();
    machine.run(&["notify", "backup done"]).expect(0).says("nobody was told");
    let mut inbox = following(&device);
    machine.run(&["notify", "backup\x1b[2J done"]).expect(0).says("told 1 device");
    let notice = inbox.event("notice");
    assert_eq!((&notice["text"], &notice["machine"]), (&"backup�[2J done".into(), &"homebox".into()));
}

/// A command of the same binary as another user, who finds no state of its own.
fn as_nobody(machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = machine.command(arguments);
    // The binary is opened by its own path, which may be closed to that user: a copy is not.
    let copy = machine.home().join("pairpin-copy");
    if !copy.exists() {
        fs::copy(pairpin_tests::machine::binary(), &copy).unwrap();
    }
    let mut other = Command::new(copy);
    other.args(command.get_args()).env_clear().current_dir("/");
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other.env("PAIRPIN_STATE_DIR", "/nonexistent").uid(65_534).gid(65_534);
    command.current_dir("/");
    other
}

#[test]
fn the_second_socket_takes_asks_and_notices_of_its_group_and_nothing_else() {
    if !rustix::process::geteuid().is_root() {
        // Another user can only be played by root.
        return;
    }
    let mut machine = Machine::new();
    // Others must be able to come by: the state inside stays closed.
    fs::set_permissions(machine.home(), fs::Permissions::from_mode(0o711)).unwrap();
    let socket = machine.home().join("ask/ask.sock");
    let path = socket.to_str().unwrap().to_owned();
    machine.arguments = ["--ask-group", "65534", "--ask-socket", &path].map(str::to_owned).to_vec();
    machine.start();
    machine.daemon().either("the socket's path", |line| line.contains("asks of group") && line.contains(&path));
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);

    let mut ask = Background::start(&mut as_nobody(&machine, &["ask", "--json", "--socket", &path, "Let me?"]), None);
    let asked = ask.event("asked");
    assert_eq!(asked["ask"]["known"]["uid"], 65_534, "{asked}");
    device.run(&["approve", &id_of(&asked)]).expect(0);
    ask.end().expect(0).says("the daemon of user root");
    run(&mut as_nobody(&machine, &["notify", "--socket", &path, "done"]), "").expect(0);

    // Of its own waiting asks a user has so many.
    let mut many: Vec<Background> = Vec::new();
    for _ in 0..4 {
        let mut ask = Background::start(&mut as_nobody(&machine, &["ask", "--json", "--socket", &path, "?"]), None);
        ask.event("asked");
        many.push(ask);
    }
    run(&mut as_nobody(&machine, &["ask", "--socket", &path, "?"]), "").expect(1).says("4 asks waiting");
    drop(many);

    // Nothing else, not even for the daemon's own user.
    for request in [r#"{"do":"status"}"#, r#"{"do":"asks"}"#, r#"{"do":"devices"}"#, r#"{"do":"cancel-offers"}"#] {
        let answer = raw(&socket, request);
        assert!(answer.contains("ask and notify only"), "{request}: {answer}");
    }
    // The control: a request that it takes.
    assert!(raw(&socket, r#"{"do":"notify","text":"x"}"#).contains("ok"));
    // Who is not in the group is told whom to ask.
    let mut other = as_nobody(&machine, &["ask", "--socket", &path, "?"]);
    other.uid(65_533).gid(65_533);
    run(&mut other, "").expect(1).says("group");
    machine.stop().expect(0);
    assert!(!socket.exists());
    run(&mut as_nobody(&machine, &["ask", "--socket", &path, "?"]), "").expect(5).says("--ask-group");
}

fn raw(socket: &std::path::Path, line: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
