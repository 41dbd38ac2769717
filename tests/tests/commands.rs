//! The command line as somebody meets it who has never seen it: private files, clean ends, nothing
//! left behind by a command that failed, and nothing printed that a stranger chose.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_tests::device::Device;
use pairpin_tests::machine::{Machine, binary};
use pairpin_tests::process::{Background, run};
use rusqlite::Connection;
use rustix::process::Signal;

/// The command under another umask.
fn under_umask(mask: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("umask {mask} && exec \"$0\" \"$@\"")]).arg(command.get_program());
    shell.args(command.get_args()).env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

fn modes_below(directory: &Path, found: &mut Vec<(String, u32)>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        found.push((entry.path().display().to_string(), metadata.permissions().mode() & 0o777));
        if metadata.is_dir() {
            modes_below(&entry.path(), found);
        }
    }
}

#[test]
fn state_is_private_under_every_umask() {
    for mask in ["000", "077", "027"] {
        let machine = Machine::new();
        let mut daemon = Background::start(&mut under_umask(mask, &machine.serve_command()), None);
        daemon.line("fingerprint", |line| line.starts_with("key fingerprint"));
        let mut found = Vec::new();
        modes_below(machine.state().parent().unwrap(), &mut found);
        assert!(found.len() >= 5, "{found:?}");
        for (path, mode) in found {
            let wanted = if Path::new(&path).is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, wanted, "{path} under umask {mask}");
        }
        daemon.terminate().expect(0);
    }
}

#[test]
fn serve_without_a_terminal_says_who_and_where_it_is_and_no_secret() {
    let machine = Machine::new();
    let mut daemon = Background::start(&mut machine.serve_command(), None);
    daemon.line("last line", |line| line.contains("no device is paired"));
    let said = daemon.terminate().expect(0).stdout;
    for wanted in ["homebox", "key fingerprint", &machine.address.to_string(), "loopback", "pairpin pair"] {
        assert!(said.contains(wanted), "{wanted} is not in\n{said}");
    }
    for unwanted in ["pairpin:", "code", "\u{1b}", "▀", "▄"] {
        assert!(!said.contains(unwanted), "{unwanted:?} is in\n{said}");
    }
}

#[test]
fn every_signal_ends_serve_cleanly_and_devices_are_told() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut machine = Machine::started();
        let device = Device::new();
        device.join(machine.offer(&[]).link_text()).expect(0);
        let mut watch = device.start(&["machines", "watch"]);
        watch.line("online", |line| line.contains("online"));
        machine.daemon().signal(signal);
        machine.daemon().end().expect(0);
        watch.note("the cause", |line| line.contains("the machine stopped"));
    }
}

#[test]
fn a_pair_that_fails_leaves_no_offer_behind() {
    let machine = Machine::started();
    let refused = machine.run(&["pair", "--no-wait", "--qr-out", "/nowhere/qr.png"]).expect(1);
    refused.says("name another file");
    assert_eq!(machine.status()["offers"], 0);
    // The control: one that can be written leaves one.
    machine.offer(&[]);
    assert_eq!(machine.status()["offers"], 1);
}

#[test]
fn flags_of_pair_that_make_no_sense_are_usage_errors() {
    let machine = Machine::started();
    for (flags, wanted) in [
        (&["--ttl", "5s"][..], "10s at least"),
        (&["--ttl", "11m"], "10m at most"),
        (&["--ttl", "soon"], "90s, 10m"),
        (&["--role", "admin"], "owner, operator or viewer"),
        (&["--qr-format", "png"], "--qr-out"),
        (&["--qr-out", "qr.gif"], "png or svg"),
        (&["--code", "--qr-format", "png"], "a code is typed"),
        (&["--json", "--qr-out", "-", "--qr-format", "png"], "both want stdout"),
        (&["--loud"], "--loud"),
    ] {
        machine.run(&[&["pair", "--no-wait"], flags].concat()).expect(2).says(wanted);
    }
    assert_eq!(machine.status()["offers"], 0);
}

#[test]
fn a_connected_device_is_listed_as_direct() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    assert!(machine.only_device()["connection"].is_null());
    let mut watch = device.start(&["machines", "watch"]);
    watch.line("online", |line| line.contains("online"));
    assert_eq!(machine.only_device()["connection"], "direct");
    let shown = machine.run(&["devices", "show", "laptop"]).expect(0).stdout;
    for wanted in ["laptop", "platform", "owner", "by scan from 127.", "last seen", "file", "direct"] {
        assert!(shown.contains(wanted), "{wanted} is not in\n{shown}");
    }
}

#[test]
fn a_watch_ends_with_exit_code_6_at_a_changed_key() {
    let mut machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    machine.stop().expect(0);
    std::fs::remove_file(machine.file("identity.key")).unwrap();
    machine.arguments.push("--new-key".into());
    machine.start();
    device.start(&["machines", "watch"]).end().expect(6).says("another key");
    device.run(&["machines"]).expect(6);
}

#[test]
fn names_that_strangers_choose_steer_no_terminal_and_hide_nothing() {
    let mut machine = Machine::started();
    for name in ["\u{1b}[31mred\u{7}", "\u{202E}txt.exe", "a\r\nb", "\u{200B}", &"机".repeat(200)] {
        let offer = machine.offer(&[]);
        let link = format!("{}\n", offer.link_text());
        Device::new().run_with(&["join", "-", "--yes", "--name", name], &link).expect(0);
    }
    let ids: Vec<String> = machine.devices().iter().map(|device| device["id"].as_str().unwrap().to_owned()).collect();
    let mut outputs: Vec<String> = [&["devices"][..], &["audit"], &["devices", "--json"]]
        .iter()
        .map(|arguments| machine.run(arguments).expect(0).stdout)
        .collect();
    assert!(ids.iter().all(|id| outputs[0].contains(&id[..8])), "{}", outputs[0]);
    outputs.extend(ids.iter().map(|id| machine.run(&["devices", "show", id]).expect(0).stdout));
    outputs.push(machine.stop().expect(0).stdout);
    for output in outputs {
        let steers =
            |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}');
        assert!(!output.contains(steers), "{output:?}");
    }
}

#[test]
fn several_devices_are_revoked_together_or_not_at_all() {
    let machine = Machine::started();
    for name in ["phone", "laptop"] {
        Device::new().join(machine.offer(&["--name", name]).link_text()).expect(0);
    }
    machine.run(&["devices", "revoke", "phone", "nobody", "--yes"]).expect(1).says("nobody");
    assert_eq!(machine.devices().len(), 2);
    let done = machine.run(&["devices", "revoke", "phone", "laptop", "--yes", "--json"]).expect(0).json();
    assert_eq!(done["revoked"].as_array().unwrap().len(), 2);
    assert_eq!(machine.devices().len(), 0);
}

#[test]
fn doctor_finds_a_clock_behind_the_latest_welcome_running_and_stopped() {
    let mut machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    assert!(device.is_welcome());
    machine.stop().expect(0);
    let ahead = SystemClock.wall_ms() + 86_400_000;
    let set = |machine: &Machine| {
        let database = Connection::open(machine.file("machine.db")).unwrap();
        let changed = database.execute("UPDATE meta SET value = ?1 WHERE key = 'latest_welcome'", [ahead]);
        assert_eq!(changed.unwrap(), 1);
    };
    let clock = |machine: &Machine, code: i32| {
        let report = machine.run(&["doctor", "--json"]);
        let checks = report.json()["checks"].as_array().unwrap().clone();
        let clock = checks.into_iter().find(|check| check["check"] == "clock").unwrap();
        assert_eq!(clock["level"], if code == 0 { "ok" } else { "finding" }, "{clock}");
        if code == 1 {
            report.expect(1);
            assert!(clock["next"].as_str().unwrap().contains("--reset-clock"));
        }
    };
    set(&machine);
    clock(&machine, 1);
    machine.start();
    clock(&machine, 1);
    machine.run(&["doctor", "--reset-clock"]).expect(0);
    clock(&machine, 0);
}

#[test]
fn doctor_finds_a_database_that_serve_would_refuse() {
    let mut machine = Machine::started();
    machine.stop().expect(0);
    let found = |machine: &Machine| {
        let report = machine.run(&["doctor", "--json"]);
        let checks = report.json()["checks"].as_array().unwrap().clone();
        checks.iter().any(|check| check["check"] == "database" && check["level"] == "finding")
    };
    assert!(!found(&machine));
    std::fs::write(machine.file("machine.db"), [b'x'; 8192]).unwrap();
    assert!(found(&machine));
    machine.run(&["doctor"]).expect(1);
}

#[test]
fn doctor_finds_a_key_that_serve_would_refuse_running_and_stopped() {
    let mut machine = Machine::started();
    let found = |machine: &Machine| {
        let report = machine.run(&["doctor", "--json"]);
        let checks = report.json()["checks"].as_array().unwrap().clone();
        let keys = checks.iter().filter(|check| check["check"] == "key" && check["level"] == "finding");
        keys.map(|check| check["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(found(&machine).is_empty(), "the control");
    for key in ["identity.key", "next.key"].map(|file| machine.file(file)) {
        let pem = std::fs::read(&key).unwrap();
        std::fs::write(&key, &pem[..pem.len() / 2]).unwrap();
        let named = |texts: &[String]| matches!(texts, [one] if one.contains(&key.display().to_string()));
        assert!(named(&found(&machine)), "{:?}", found(&machine));
        machine.stop().expect(0);
        assert!(named(&found(&machine)), "{:?}", found(&machine));
        let told = machine.run(&["doctor"]).expect(1).stdout;
        assert!(told.contains("restore it from a backup"), "{told}");
        pairpin_tests::process::run(&mut machine.serve_command(), "").expect(1).says("restore it from a backup");
        std::fs::write(&key, pem).unwrap();
        machine.start();
    }
}

#[test]
fn a_screenshot_pairs_as_png_and_as_jpeg() {
    let machine = Machine::started();
    let dir = pairpin_tests::scratch::directory();
    for name in ["shot.png", "shot.jpg"] {
        let (qr, shot) = (dir.path().join("qr.png"), dir.path().join(name));
        machine.offer(&["--qr-out", qr.to_str().unwrap()]);
        let mut desktop = image::RgbImage::from_pixel(1280, 800, image::Rgb([32, 40, 48]));
        image::imageops::replace(&mut desktop, &image::open(&qr).unwrap().to_rgb8(), 417, 201);
        desktop.save(&shot).unwrap();
        Device::new().run(&["join", "--yes", "--image", shot.to_str().unwrap()]).expect(0);
    }
    assert_eq!(machine.devices().len(), 2);
    let missing = Device::new().run(&["join", "--yes", "--image", "nowhere.png"]).expect(1);
    missing.says("nowhere.png").says("cannot be read");
}

#[test]
fn help_completions_and_manual_come_without_any_state() {
    let plain = |arguments: &[&str]| run(Command::new(binary()).args(arguments).env_clear(), "").expect(0).stdout;
    let verbs = [
        "serve", "pair", "offers", "devices", "status", "doctor", "audit", "key", "join", "machines", "ask", "asks",
        "notify", "inbox", "approve", "deny",
    ];
    let help = plain(&["--help"]);
    for verb in verbs {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb} is not in\n{help}");
        // Of `ask` 0 is a yes, which its help is not.
        let code = if verb == "ask" { 2 } else { 0 };
        let help = run(Command::new(binary()).args([verb, "--help"]).env_clear(), "").expect(code).stdout;
        assert!(help.contains("Usage: pairpin"), "{help}");
        assert!(plain(&["man", verb]).contains(".TH"));
    }
    assert!(!plain(&["join", "--help"]).contains("pairpin:"), "no help proposes a link in a command line");
    let version = plain(&["--version"]);
    assert!(version.contains("commit") && version.contains("protocol 1"), "{version}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(plain(&["completions", shell]).contains("pairpin"), "{shell}");
    }
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", "source /dev/stdin && complete -p pairpin"]);
    let sourced = run(&mut bash, &plain(&["completions", "bash"])).expect(0);
    assert!(sourced.stdout.contains("_pairpin") && sourced.stderr.is_empty(), "{sourced:?}");
}
