//! What is printed when a process panics with secrets in its hands, and what dependencies log: the
//! binary with the feature `fault-points`, which the layer `panics` builds. The rest is `secrets.rs`.

mod story;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use pairpin_core::secrets::TypedCode;
use pairpin_tests::guess::{Questions, crowd, evaluated};
use pairpin_tests::leaks::Found;
use pairpin_tests::machine::{Machine, binary};
use pairpin_tests::process::run;
use pairpin_tests::scratch;
use story::Story;

const POINTS: &str = "PAIRPIN_FAULT_POINTS";

/// Where the daemon panics, in the order in which a pairing gets there.
const MACHINE: [&str; 8] = [
    "machine-offer",
    "machine-request",
    "machine-scan",
    "machine-grant",
    "machine-acknowledge",
    "machine-code",
    "machine-resume",
    "machine-token",
];

/// As often as there are points, and once more.
const TRIES: usize = MACHINE.len() + 1;

fn story(daemon: &[(&str, &str)]) -> Story {
    let mut story = Story::new();
    story.machine.environment.extend(daemon.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    story
}

/// Runs it until it succeeds: each try may run into a panic.
#[track_caller]
fn until(story: &mut Story, what: &str, mut step: impl FnMut(&mut Story) -> bool) {
    assert!((0..TRIES).any(|_| step(story)), "{what} never came about, at last: {}", story.haystack.last());
}

fn pair_by_link(story: &mut Story) -> bool {
    let offered = story.shell(&["pair", "--json", "--no-wait"]);
    let Some(record) = offered.stdout.lines().next().and_then(|line| serde_json::from_str(line).ok()) else {
        return false;
    };
    story.learn_offer(&record);
    story.join(record["link"].as_str().unwrap()).code == Some(0)
}

fn pair_by_code(story: &mut Story) -> bool {
    let code = story.offer(&["--code"]).code().to_owned();
    story.join_by_code(&code).code == Some(0)
}

fn meet(story: &mut Story) -> bool {
    story.on_laptop(&["machines", "--json"], "").stdout.contains("online")
}

fn said(story: &Story, place: &str, text: &str) -> bool {
    story.haystack.holds(place, text)
}

#[test]
fn a_panic_with_secrets_in_its_hands_prints_none() {
    let mut story = story(&[(POINTS, &MACHINE.join(","))]);
    story.start();
    until(&mut story, "a pairing by link", pair_by_link);
    until(&mut story, "a pairing by code", pair_by_code);
    until(&mut story, "a reconnect", meet);
    // A panic is one connection's end, not the daemon's.
    assert_eq!(story.machine.status()["running"], true);
    story.look_at_daemon("after panics");
    story.change("UPDATE tokens SET created_at = created_at - 90000000, changed_at = changed_at - 90000000");
    // One may be a pending token's promotion, which brings no new one.
    for _ in 0..3 {
        until(&mut story, "a reconnect that brings a token", meet);
    }
    until(&mut story, "a pairing after the restart", pair_by_link);
    until(&mut story, "a pairing by code after the restart", pair_by_code);

    for (point, step) in [
        ("device-link", pair_by_link as fn(&mut Story) -> bool),
        ("device-grant", pair_by_link),
        ("device-key", pair_by_link),
        ("device-code", pair_by_code),
        ("device-token", meet),
        ("device-welcome", meet),
    ] {
        story.environment.push((POINTS.to_owned(), point.to_owned()));
        // The machine may have panics left, and then this device does not get there at once.
        until(&mut story, point, |story| {
            step(story);
            said(story, "laptop $", &format!("fault point {point} reached"))
        });
        story.environment.retain(|(name, _)| name != POINTS);
    }
    // Whatever was in the middle then, it can be finished.
    until(&mut story, "a last pairing", pair_by_link);
    story.stop();

    story.machine.environment.push((POINTS.to_owned(), "machine-keys".to_owned()));
    let died = run(&mut story.machine.serve_command(), "").expect(101).says("fault point machine-keys reached");
    story.haystack.output("serve that panics", &died);
    for point in MACHINE {
        assert!(said(&story, "the daemon", &format!("fault point {point} reached")), "{point} was never reached");
    }
    // The logs were as loud as they can be: even those of what writes no lines in the ordinary binary.
    for place in ["the daemon", "laptop $"] {
        assert!(said(&story, place, "rustls"), "{place} shows no log of its dependencies");
        assert!(!said(&story, place, "tungstenite::"), "{place} logs whole frames");
    }
    story.look("stopped", &[]);
    story.check();
}

fn in_the_log(leaks: &[Found], kind: &str, place: &str) -> bool {
    leaks.iter().any(|found| found.kind == kind && found.place.starts_with(place) && found.place.ends_with("stderr"))
}

#[test]
fn control_a_panic_that_prints_a_token_is_found() {
    let mut story = story(&[(POINTS, "machine-leak")]);
    story.start();
    until(&mut story, "a pairing", pair_by_link);
    until(&mut story, "a pairing by code", pair_by_code);
    story.look_at_daemon("paired");
    story.stop();
    // It never reached the device, so nobody else knows it: taken from where it must not be.
    let token = story.haystack.text("the daemon").split("fault point machine-leak reached with").nth(1).map(first_list);
    let token = token.expect("the control did not panic");
    assert_eq!(token.len(), 32);
    story.issue("token", "of a Grant that was never sent", &token);
    let leaks = story.leaks();
    assert!(in_the_log(&leaks, "token", "the daemon"), "a token in the daemon's output was not found: {leaks:?}");
}

/// The bytes of the first list in a text.
fn first_list(text: &str) -> Vec<u8> {
    let numbers = text.split(|letter: char| !letter.is_ascii_digit()).filter(|number| !number.is_empty());
    numbers.take(32).map(|number| number.parse().unwrap()).collect()
}

#[test]
fn control_without_the_rule_about_frames_secrets_are_in_the_log() {
    let mut story = story(&[("PAIRPIN_FAULT_LOG", "1")]);
    story.environment.push(("PAIRPIN_FAULT_LOG".to_owned(), "1".to_owned()));
    story.start();
    assert!(pair_by_link(&mut story));
    assert!(pair_by_code(&mut story));
    story.look_at_daemon("paired");
    story.stop();
    let leaks = story.leaks();
    for (kind, place) in [("token", "the daemon"), ("R", "the daemon"), ("token", "laptop $"), ("R", "laptop $")] {
        assert!(in_the_log(&leaks, kind, place), "{kind} in the log of {place} was not found");
    }
}

/// A machine that counts no tries compares more than three guesses, as `guessing.rs` would see.
#[test]
fn control_a_machine_that_counts_no_tries_is_caught() {
    let mut machine = Machine::new();
    machine.environment.push(("PAIRPIN_FAULT_TRIES".to_owned(), "1".to_owned()));
    machine.start();
    let offer = machine.offer(&["--code"]);
    let code = TypedCode::parse(offer.code()).unwrap();
    let answers = crowd(machine.address, Some(&code), 40);
    assert_eq!(evaluated(&machine), 40, "{answers:?}");
}

/// Without the work for nothing, the time of a refusal tells which devices there are.
#[test]
fn control_a_machine_that_answers_sooner_where_there_is_nothing_is_caught() {
    let mut machine = Machine::new();
    machine.environment.push(("PAIRPIN_FAULT_DECOYS".to_owned(), "1".to_owned()));
    machine.start();
    let questions = Questions::of(&machine);
    // One repeat that sees nothing is enough to pass: so each of three must see it.
    for _ in 0..3 {
        let seen = questions.differences(machine.address, 400, 1);
        println!("without: {seen:.1?}");
        assert!(seen[0].1.is_told(30.0), "{seen:?}");
    }
}

/// The ordinary binary has nothing of it (`secrets.rs` looks), this one does.
#[test]
fn control_this_binary_has_fault_points() {
    let bytes = fs::read(binary()).unwrap();
    assert!(bytes.windows(POINTS.len()).any(|window| window == POINTS.as_bytes()));
}

#[test]
fn a_build_without_debug_assertions_refuses_fault_points() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("core").join("src/fault.rs");
    let directory = scratch::directory();
    let compile = |assertions: &str| {
        let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        command.args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--cfg",
            "feature=\"fault-points\"",
            "-C",
            assertions,
        ]);
        run(command.arg(&source).arg("--out-dir").arg(directory.path()), "")
    };
    compile("debug-assertions=off").expect(1).says("a release build must not have it");
    compile("debug-assertions=on").expect(0);
}
