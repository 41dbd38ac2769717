//! No secret is anywhere but where it belongs: the whole life of a pairing with every log at its
//! loudest, and everything that was said, written or shown by the system searched for every secret
//! that was issued. How it is searched: `pairpin_tests::leaks`; with panics: `panics.rs`.

mod story;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use pairpin_tests::block_on;
use pairpin_tests::leaks::{Haystack, Secret, search};
use pairpin_tests::link::changed;
use pairpin_tests::machine::{Machine, binary};
use pairpin_tests::peer::{Identity, Peer};
use pairpin_tests::process::{Background, run};
use pairpin_tests::pty::Terminal;
use pairpin_tests::scratch;
use rusqlite::Connection;
use rustix::process::Signal;
use story::Story;

#[test]
fn no_secret_is_anywhere_but_where_it_belongs() {
    let mut story = Story::new();
    story.start();
    pairings(&mut story);
    story.look_at_daemon("paired");
    failures(&mut story);
    at_the_shell(&mut story);
    story.look_at_daemon("used");
    rotation(&mut story);
    a_lost_key(&mut story);
    the_end(&mut story);
    story.check();
}

/// By link, by picture and by typed code; and by a device of our own making, whose TLS keys we know.
fn pairings(story: &mut Story) {
    let offer = story.offer(&[]);
    story.join(offer.link_text()).expect(0);
    let mut watching = Background::start(&mut story.laptop_command(&["machines", "watch"]), None);
    watching.line("the first state", |line| line.contains("homebox"));
    story.look("watched", &[&watching]);

    let picture = story.machine.home().join("offer.png");
    let record = story.offer(&["--qr-out", text(&picture), "--qr-format", "png"]);
    story.on_laptop(&["join", "--image", text(&picture), "--yes"], "").expect(0);
    fs::remove_file(&picture).unwrap();
    drop(record);

    let offer = story.offer(&["--code"]);
    let code = offer.code().to_owned();
    story.issue("code", "wrongly typed", wrong(&code).replace(' ', "").as_bytes());
    story.join_by_code(&wrong(&code)).expect(1);
    story.join_by_code(&code).expect(0);

    let offer = story.offer(&[]);
    let phone = Identity::new("phone");
    let (exporter, grant) = block_on(async {
        let peer = Peer::connect(story.machine.address).await.unwrap();
        let exporter = peer.channel.exporter.clone();
        let (grant, _) = phone.pair(peer, &offer.link().secret).await.unwrap();
        (exporter, grant)
    });
    story.issue("exporter", "of the phone", exporter.expose());
    story.issue("token", "of the phone", grant.token.expose());
    story.issue("R", "of the phone", grant.recognition_key.expose());

    let output = watching.terminate();
    story.haystack.output("laptop $ machines watch", &output);
    story.learn_laptop();
}

/// Everything that is refused or cannot be read.
fn failures(story: &mut Story) {
    let link = story.offer(&[]).link_text().to_owned();
    let (cut, mistyped) = (&link[..link.len() - 3], mistype(&link));
    for bad in [cut, &mistyped, &link["pairpin:".len()..], &format!("{link} {link}"), &link[..40]] {
        let output = story.join(bad);
        assert_ne!(output.code, Some(0), "{bad} was taken: {output:?}");
    }
    let unknown = changed(&link, |bytes| bytes[20] ^= 1);
    assert_ne!(story.join(&unknown).code, Some(0));
    let another_key = changed(&link, |bytes| bytes[3] ^= 1);
    story.join(&another_key).expect(6);
    story.shell(&["offers", "cancel", "--all"]).expect(0);
    assert_ne!(story.join(&link).code, Some(0), "a withdrawn offer was taken");

    // Expired: `pair` ends by itself then.
    let mut waiting = Background::start(&mut story.machine.command(&["pair", "--json", "--ttl", "10s"]), None);
    let record = waiting.event("offer");
    story.learn_offer(&record);
    let output = waiting.end();
    story.haystack.output("$ pair --ttl", &output);
    assert_ne!(story.join(record["link"].as_str().unwrap()).code, Some(0), "an expired offer was taken");

    // A code burnt, and one in argv.
    let code = story.offer(&["--code"]).code().to_owned();
    let guesses = (0..10).map(|last| format!("{}{last}", &code[..code.len() - 1])).filter(|guess| *guess != code);
    for guess in guesses.take(3) {
        story.issue("code", "guessed", guess.replace(' ', "").as_bytes());
        story.join_by_code(&guess).expect(1);
    }
    assert_ne!(story.join_by_code(&code).code, Some(0), "a burnt code was taken");
}

/// Another code than this one.
fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &code[..code.len() - 1])
}

/// The path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn mistype(link: &str) -> String {
    let last = if link.ends_with('A') { 'B' } else { 'A' };
    format!("{}{last}", &link[..link.len() - 1])
}

/// Every verb that says something.
fn at_the_shell(story: &mut Story) {
    let mut follow = Background::start(&mut story.machine.command(&["audit", "--follow"]), None);
    follow.line("an entry", |line| line.contains("paired"));
    let plain = story.machine.offer_and_wait(&[]);
    story.learn_offer(&plain.record);
    // What is shown without --json, and without a terminal.
    let code = story.offer(&["--code"]);
    drop(code);
    for verb in [
        &["status"][..],
        &["status", "--json"],
        &["devices"],
        &["devices", "--json"],
        &["devices", "show", "laptop"],
        &["devices", "rename", "phone", "telephone"],
        &["devices", "set", "telephone", "--role", "viewer"],
        &["offers"],
        &["offers", "--json"],
        &["audit"],
        &["audit", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["key", "show"],
        &["key", "show", "--json"],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["man"],
        &["man", "pair"],
        &["--help"],
        &["--version"],
        &["devices", "show", "nobody"],
        &["serve"],
        &["offers", "cancel", "99"],
        &["asks"],
        &["asks", "--json"],
        &["asks", "show", "nothing"],
        &["ask", "Deploy?", "--timeout", "1s"],
        &["ask", "Deploy?", "--timeout", "1s", "--json"],
        &["notify", "done"],
    ] {
        story.shell(verb);
    }
    for verb in [
        &["machines"][..],
        &["machines", "--json"],
        &["inbox"],
        &["inbox", "--json"],
        &["approve", "nothing"],
        &["deny", "nothing"],
        &["machines", "rename", "homebox", "home"],
        &["join"],
    ] {
        story.on_laptop(verb, "");
    }
    let mut waiting = plain.waiting.unwrap();
    story.look("a pair that waits", &[&waiting, &follow]);
    for (name, output) in [("$ pair --json", waiting.terminate()), ("$ audit --follow", follow.terminate())] {
        story.haystack.output(name, &output);
    }
}

/// A new token, a crash with a WAL that nobody has taken in, and an old token that comes back.
fn rotation(story: &mut Story) {
    const AGE: &str = "UPDATE tokens SET created_at = created_at - 90000000, changed_at = changed_at - 90000000";
    let before = story.secrets.iter().filter(|secret| secret.kind == "token").count();
    let backups = scratch::directory();
    let (old, current) = (backups.path().join("old"), backups.path().join("current"));
    copy(&story.laptop.secrets(), &old);
    story.change(AGE);
    story.on_laptop(&["machines"], "").expect(0);
    story.on_laptop(&["machines"], "").expect(0);
    let after = story.secrets.iter().filter(|secret| secret.kind == "token").count();
    assert!(after > before, "no token was replaced");
    story.look_at_daemon("rotated");
    story.machine.crash();
    story.look("crashed", &[]);
    story.machine.start();

    story.change(AGE);
    copy(&story.laptop.secrets(), &current);
    copy(&old, &story.laptop.secrets());
    let told = story.on_laptop(&["machines", "--json"], "").expect(0);
    assert!(told.stdout.contains("suspended"), "{told:?}");
    let offer = story.offer(&[]);
    story.join(offer.link_text()).expect(0);
}

/// The machine's key is lost and replaced, and a person says yes to it at a terminal.
fn a_lost_key(story: &mut Story) {
    story.stop();
    fs::remove_file(story.machine.file("identity.key")).unwrap();
    let refused = run(&mut story.machine.serve_command(), "").expect(1);
    story.haystack.output("serve without a key", &refused);
    story.machine.arguments = vec!["--new-key".into()];
    story.start();
    story.machine.arguments.clear();
    story.on_laptop(&["machines"], "");
    let offer = story.offer(&[]);
    let mut terminal = Terminal::start(&story.laptop_command(&["join"]));
    terminal.wait("the question for the link", |screen| screen.text().contains("link"));
    terminal.type_keys(&format!("{}\n", offer.link_text()));
    terminal.wait("the question whether to replace the key", |screen| screen.text().contains("replace"));
    terminal.type_keys("y\n");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
    story.haystack.add("the screen of join", terminal.written.clone());
    story.learn_laptop();
    story.look_at_daemon("another key");
}

/// Files that are damaged, and the revocation, after which the device has nothing left.
fn the_end(story: &mut Story) {
    let secrets = story.laptop.secrets();
    for file in fs::read_dir(&secrets).unwrap().map(|file| file.unwrap().path()) {
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() * 2 / 3]).unwrap();
        story.on_laptop(&["machines"], "");
        fs::write(&file, bytes).unwrap();
    }
    story.stop();
    let key = story.machine.file("identity.key");
    let pem = fs::read(&key).unwrap();
    fs::write(&key, &pem[..pem.len() / 2]).unwrap();
    let refused = run(&mut story.machine.serve_command(), "").expect(1);
    story.haystack.output("serve with half a key", &refused);
    for verb in [&["doctor"][..], &["status"], &["key", "show"]] {
        story.shell(verb);
    }
    fs::write(&key, pem).unwrap();
    story.start();

    story.shell(&["devices", "revoke", "laptop", "--yes", "--reason", "left on a train"]).expect(0);
    story.on_laptop(&["machines"], "").expect(0);
    story.look_at_daemon("revoked");
    let left = fs::read_dir(story.laptop.secrets()).unwrap().count();
    assert_eq!(left, 0, "a revoked device has secrets left");
    story.on_laptop(&["machines", "forget", "home", "--yes"], "");
    story.stop();
    story.look("stopped", &[]);
    assert!(!story.haystack.places().any(|place| place.contains("tls-keys")), "TLS keys were written to a file");
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// The control: one canary in every form in a log, a file, a database and its WAL is found in each.
#[test]
fn a_planted_canary_is_found_in_every_form_and_place() {
    let directory = scratch::directory();
    let canary = Secret::new("canary", "planted", pairpin_core::secrets::random_bytes::<32>().unwrap());
    let code = Secret::new("canary", "code", *b"90817263");
    for secret in [canary, code] {
        let database = Connection::open(directory.path().join("some.db")).unwrap();
        database.pragma_update(None, "journal_mode", "WAL").unwrap();
        database.pragma_update(None, "synchronous", "OFF").unwrap();
        database.execute_batch("DROP TABLE IF EXISTS rows; CREATE TABLE rows (form BLOB)").unwrap();
        for (form, bytes) in secret.forms() {
            let file = directory.path().join("a file");
            // Not at the beginning, and with something behind it.
            let bytes = [b"<", bytes.as_slice(), b">"].concat();
            fs::write(&file, &bytes).unwrap();
            let output = Command::new("cat").arg(&file).stdout(Stdio::piped()).output().unwrap();
            database.execute("DELETE FROM rows", []).unwrap();
            database.pragma_update(None, "wal_checkpoint", "TRUNCATE").ok();
            database.execute("INSERT INTO rows VALUES (?1)", [&bytes]).unwrap();
            let mut haystack = Haystack::default();
            haystack.add("a log line", output.stdout);
            haystack.directory("here", directory.path());
            let places = |haystack: &Haystack| -> Vec<String> {
                search(haystack, std::slice::from_ref(&secret)).into_iter().map(|found| found.place).collect()
            };
            let found = places(&haystack);
            for place in ["a log line", "here/a file", "here/some.db-wal"] {
                assert!(found.iter().any(|found| found == place), "{form} was not found in {place}: {found:?}");
            }
            let _: i64 = database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
            let mut haystack = Haystack::default();
            haystack.directory("here", directory.path());
            let found = places(&haystack);
            assert!(found.iter().any(|found| found == "here/some.db"), "{form} was not found in the database");
            assert!(!found.iter().any(|found| found == "here/some.db-wal"), "the WAL was not taken in");
        }
    }
}

/// A canary among everything that the story has collected, whose own leaks are none.
#[test]
fn nothing_is_found_where_nothing_is() {
    let mut haystack = Haystack::default();
    haystack.add("a log line", "2026-11-21T13:44:12.123456Z TRACE rustls: something that is no secret 1712345678901");
    let secrets: Vec<Secret> = (0..50_u8)
        .map(|n| Secret::new("x", n.to_string(), pairpin_core::secrets::random_bytes::<32>().unwrap()))
        .collect();
    assert_eq!(search(&haystack, &secrets), []);
}

/// What makes a binary panic on request is not in the one that ships; the control is in `panics.rs`.
#[test]
fn the_binary_has_no_fault_points() {
    let (bytes, name) = (fs::read(binary()).unwrap(), b"PAIRPIN_FAULT_POINTS");
    assert!(!bytes.windows(name.len()).any(|window| window == name));
}

/// The daemon leaves no core, whatever limit it was started with; another program does (the control).
#[test]
fn a_daemon_that_dies_leaves_no_core_dump() {
    let machine = Machine::new();
    let mut daemon = Background::start(&mut unlimited(&machine.serve_command()), None);
    let address = machine.address.ip().to_string();
    daemon.either("line that names its address", |line| line.contains(&address));
    assert_eq!(core_limits(daemon.id()), ["0", "0"]);
    daemon.signal(Signal::ABORT);
    assert!(!daemon.dumped_core(), "the daemon left a core dump");

    let directory = scratch::directory();
    let mut command = Command::new("sh");
    command.args(["-c", "echo ready; exec sleep 60"]).current_dir(directory.path());
    let mut control = Background::start(&mut unlimited(&command), None);
    control.line("sign of life", |line| line == "ready");
    assert_ne!(core_limits(control.id())[0], "0", "no process can leave a core dump here: the test proves nothing");
    control.signal(Signal::ABORT);
    assert!(control.dumped_core(), "no process leaves a core dump here: the test proves nothing");
}

/// The same command with no limit on core dumps.
fn unlimited(command: &Command) -> Command {
    let mut wrapped = Command::new("sh");
    wrapped.args(["-c", "ulimit -c unlimited && exec \"$@\"", "sh"]);
    wrapped.arg(command.get_program()).args(command.get_args()).env_clear();
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    wrapped
}

/// The soft and the hard limit of a process.
fn core_limits(id: u32) -> [String; 2] {
    let limits = fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    [words.next().unwrap(), words.next().unwrap()]
}
