//! What goes wrong by itself or by hand: a message that names cause and next step, the right exit
//! code, and nothing lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use pairpin_tests::device::Device;
use pairpin_tests::link::changed;
use pairpin_tests::machine::Machine;
use pairpin_tests::phone::Phone;
use pairpin_tests::picture::png_of_noise;
use pairpin_tests::process::{Output, run};
use pairpin_tests::scratch;

/// Runs `serve`, which must end by itself.
#[track_caller]
fn serve(machine: &Machine) -> Output {
    let output = run(&mut machine.serve_command(), "");
    check_message(&output);
    output
}

/// A message is one that a person can act on: lower case, no full stop, no debris.
#[track_caller]
fn check_message(output: &Output) {
    let text = output.stderr.trim();
    assert!(!text.is_empty(), "nothing is said: {output:?}");
    for debris in ["panicked", "RUST_BACKTRACE", "Os {", "unwrap", "Error("] {
        assert!(!text.contains(debris), "{debris} in {output:?}");
    }
    let last = text.lines().last().unwrap_or_default();
    assert!(!last.ends_with('.'), "{output:?}");
}

/// A machine with a paired device, stopped.
fn stopped_pair() -> (Machine, Phone) {
    let mut machine = Machine::started();
    let phone = Phone::paired(&machine, "phone");
    machine.stop().expect(0);
    (machine, phone)
}

/// The machine runs again and the device is welcome: nothing was lost.
#[track_caller]
fn nothing_is_lost(machine: &mut Machine, phone: &mut Phone) {
    machine.start();
    assert!(phone.is_welcome(machine));
    assert_eq!(machine.devices().len(), 1);
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_no_link_is_refused_with_its_cause() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    let link = offer.link_text();
    let newer = changed(link, |bytes| bytes[0] = 0x20 | (bytes[0] & 0x0f));
    let typo = {
        let mut letters: Vec<char> = link.chars().collect();
        letters[20] = if letters[20] == 'A' { 'B' } else { 'A' };
        letters.into_iter().collect::<String>()
    };
    let cases = [
        ("", "link"),
        ("hello", "link"),
        ("https://example.org/x", "link"),
        ("pairpin:", "link"),
        ("pairpin:!!!!", "link"),
        (&link[..link.len() - 5], "link"),
        (&typo, "link"),
        (&newer, "update"),
    ];
    for (text, wanted) in cases {
        let device = Device::new();
        let refused = device.join(text);
        assert!(matches!(refused.code, Some(1 | 2)), "{text:?}: {refused:?}");
        check_message(&refused);
        refused.says(wanted);
        assert_eq!(device.machines().len(), 0);
    }
    // The control, in the forms in which people paste it.
    for (number, form) in [link.to_lowercase(), format!("  {link}  ")].iter().enumerate() {
        let device = Device::new();
        let offer = if number == 0 { form.clone() } else { format!(" {} ", machine.offer(&[]).link_text()) };
        device.join(&offer).expect(0);
    }
}

#[test]
fn a_link_pasted_in_lines_is_read() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    let (first, second) = offer.link_text().split_at(40);
    Device::new().join(&format!("{first}\n{second}")).expect(0);
}

#[test]
fn pictures_without_a_qr_are_refused_with_their_cause() {
    let dir = scratch::directory();
    let device = Device::new();
    let noise = png_of_noise(300, 200);
    for (name, bytes, wanted) in [
        ("empty.png", &b""[..], "image"),
        ("text.png", b"hello", "image"),
        ("cut.png", &noise[..noise.len() / 2], "image"),
        ("noise.png", &noise, "QR"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let refused = device.run(&["join", "--image", path.to_str().unwrap_or_default(), "--yes"]);
        assert!(matches!(refused.code, Some(1 | 2)), "{name}: {refused:?}");
        check_message(&refused);
        refused.says(wanted);
    }
    let missing = device.run(&["join", "--image", "missing.png", "--yes"]);
    assert!(matches!(missing.code, Some(1 | 2)), "{missing:?}");
    missing.says("missing.png");
}

#[test]
fn a_machine_that_is_not_there_is_exit_4_and_names_what_was_tried() {
    let mut machine = Machine::started();
    let offer = machine.offer(&[]);
    machine.stop().expect(0);
    let device = Device::new();
    let refused = device.join(offer.link_text()).expect(4).says(&machine.address.to_string());
    check_message(&refused);
    assert_eq!(device.machines().len(), 0);
}

#[test]
fn a_port_in_use_is_named_with_the_next_step() {
    let machine = Machine::started();
    let other = Machine::at(match machine.address.ip() {
        std::net::IpAddr::V4(ip) => ip,
        std::net::IpAddr::V6(_) => panic!("not IPv4"),
    });
    serve(&other).expect(1).says("7747").says("in use").says("another port");
    machine.status();
}

#[test]
fn an_address_that_is_not_this_machines_is_named() {
    let machine = Machine::at(std::net::Ipv4Addr::new(192, 0, 2, 1));
    serve(&machine).expect(1).says("192.0.2.1");
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let machine = Machine::started();
    serve(&machine).expect(1).says("already running");
    machine.status();
}

#[test]
fn a_database_of_a_newer_pairpin_is_refused_and_left_alone() {
    let (mut machine, mut phone) = stopped_pair();
    let path = machine.file("machine.db");
    let version: i64 = pragma(&path);
    set_pragma(&path, 1_000_000);
    let before = fs::read(&path).unwrap();
    serve(&machine).expect(1).says("update");
    assert_eq!(fs::read(&path).unwrap(), before, "the newer database was changed");
    set_pragma(&path, version);
    nothing_is_lost(&mut machine, &mut phone);
}

fn pragma(path: &Path) -> i64 {
    let database = rusqlite::Connection::open(path).unwrap();
    database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

fn set_pragma(path: &Path, version: i64) {
    let database = rusqlite::Connection::open(path).unwrap();
    database.pragma_update(None, "user_version", version).unwrap();
    // All in one file, so that its bytes can be compared.
    database.pragma_update(None, "wal_checkpoint", "TRUNCATE").ok();
}

#[test]
fn a_corrupted_database_is_refused_and_left_for_rescue() {
    let (mut machine, mut phone) = stopped_pair();
    let path = machine.file("machine.db");
    for side in ["machine.db-wal", "machine.db-shm"] {
        let _ = fs::remove_file(machine.file(side));
    }
    let good = fs::read(&path).unwrap();
    for damage in [&|bytes: &mut Vec<u8>| bytes[..100].fill(0xAA) as (), &|bytes: &mut Vec<u8>| {
        let from = bytes.len() / 3;
        bytes[from..].fill(0xAA);
    }] as [&dyn Fn(&mut Vec<u8>); 2]
    {
        let mut bad = good.clone();
        damage(&mut bad);
        fs::write(&path, &bad).unwrap();
        serve(&machine).expect(1).says("machine.db");
        assert_eq!(fs::read(&path).unwrap(), bad, "the damaged database was changed");
        assert!(machine.file("identity.key").exists());
    }
    fs::write(&path, &good).unwrap();
    nothing_is_lost(&mut machine, &mut phone);
}

#[test]
fn a_key_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let (mut machine, mut phone) = stopped_pair();
    let key = machine.file("identity.key");
    mode(&key, 0o640);
    serve(&machine).expect(1).says("chmod 600").says("identity.key");
    mode(&key, 0o600);
    nothing_is_lost(&mut machine, &mut phone);
}

#[test]
fn a_state_directory_that_others_can_enter_is_refused_with_the_command_that_mends_it() {
    let (mut machine, mut phone) = stopped_pair();
    mode(&machine.state(), 0o755);
    serve(&machine).expect(1).says("chmod 700");
    mode(&machine.state(), 0o700);
    nothing_is_lost(&mut machine, &mut phone);
}

#[test]
fn a_symlinked_key_is_refused() {
    let (mut machine, mut phone) = stopped_pair();
    let (key, elsewhere) = (machine.file("identity.key"), machine.file("elsewhere.key"));
    fs::rename(&key, &elsewhere).unwrap();
    symlink(&elsewhere, &key).unwrap();
    serve(&machine).expect(1).says("identity.key");
    fs::remove_file(&key).unwrap();
    fs::rename(&elsewhere, &key).unwrap();
    nothing_is_lost(&mut machine, &mut phone);
}

#[test]
fn a_symlinked_state_directory_is_refused() {
    let (mut machine, mut phone) = stopped_pair();
    let (state, elsewhere) = (machine.state(), machine.state().with_extension("elsewhere"));
    fs::rename(&state, &elsewhere).unwrap();
    symlink(&elsewhere, &state).unwrap();
    serve(&machine).expect(1).says("symbolic link");
    fs::remove_file(&state).unwrap();
    fs::rename(&elsewhere, &state).unwrap();
    nothing_is_lost(&mut machine, &mut phone);
}

#[test]
fn a_damaged_key_is_refused_and_never_replaced() {
    let (mut machine, mut phone) = stopped_pair();
    let key = machine.file("identity.key");
    let good = fs::read(&key).unwrap();
    for bad in [&b""[..], b"nonsense", &good[..good.len() / 2]] {
        fs::write(&key, bad).unwrap();
        serve(&machine).expect(1).says("identity.key");
        assert_eq!(fs::read(&key).unwrap(), bad);
    }
    fs::write(&key, &good).unwrap();
    nothing_is_lost(&mut machine, &mut phone);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let (mut machine, mut phone) = stopped_pair();
    // Root writes into any directory, so a file stands in its way.
    let (state, elsewhere) = (machine.state(), machine.state().with_extension("elsewhere"));
    fs::rename(&state, &elsewhere).unwrap();
    fs::write(&state, "").unwrap();
    serve(&machine).expect(1).says("state");
    fs::remove_file(&state).unwrap();
    if !rustix::process::geteuid().is_root() {
        fs::create_dir(&state).unwrap();
        mode(&state, 0o500);
        serve(&machine).expect(1).says("state");
        mode(&state, 0o700);
        fs::remove_dir(&state).unwrap();
    }
    fs::rename(&elsewhere, &state).unwrap();
    nothing_is_lost(&mut machine, &mut phone);
}

#[test]
fn a_devices_newer_or_damaged_database_is_refused_and_left_alone() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    let path = device.state().join("device.db");
    let version = pragma(&path);
    set_pragma(&path, 1_000_000);
    let newer = device.run(&["machines", "list"]).expect(1).says("update");
    check_message(&newer);
    set_pragma(&path, version);
    let good = fs::read(&path).unwrap();
    let bad = [vec![0xAA; 100], good[100..].to_vec()].concat();
    fs::write(&path, &bad).unwrap();
    let damaged = device.run(&["machines", "list"]).expect(1).says("device.db");
    check_message(&damaged);
    assert_eq!(fs::read(&path).unwrap(), bad, "the damaged database was changed");
    fs::write(&path, &good).unwrap();
    assert!(device.is_welcome());
}

#[test]
fn a_device_whose_secrets_are_gone_says_so_and_keeps_its_row() {
    let mut machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    let secrets: Vec<_> = files_under(&device.state()).into_iter().filter(|path| !is_database(path)).collect();
    assert!(!secrets.is_empty(), "no secrets in files: the test proves nothing");
    for path in &secrets {
        fs::rename(path, path.with_extension("away")).unwrap();
    }
    let said = device.run(&["machines", "list"]);
    assert!(format!("{}{}", said.stdout, said.stderr).contains("homebox"), "{said:?}");
    assert!(!device.is_welcome());
    for path in &secrets {
        let _ = fs::remove_file(path);
        fs::rename(path.with_extension("away"), path).unwrap();
    }
    assert!(device.is_welcome());
    machine.stop().expect(0);
}

fn is_database(path: &Path) -> bool {
    path.to_string_lossy().contains("device.db") || path.to_string_lossy().ends_with("lock")
}

fn files_under(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

#[test]
fn unknown_flags_and_verbs_are_usage_errors() {
    let machine = Machine::new();
    for arguments in [&["--fast"][..], &["pair", "--qr-format", "gif"], &["dance"], &["devices", "revoke"], &[]] {
        machine.run(arguments).expect(2);
    }
}

#[test]
fn without_a_daemon_verbs_that_need_one_are_exit_5() {
    let (machine, _phone) = stopped_pair();
    for arguments in [
        &["pair", "--no-wait"][..],
        &["offers", "list"],
        &["offers", "cancel", "--all"],
        &["ask", "Deploy?"],
        &["asks"],
        &["notify", "done"],
    ] {
        let refused = machine.run(arguments).expect(5).says("pairpin serve");
        check_message(&refused);
    }
    // And those that do not, work.
    machine.run(&["devices", "list"]).expect(0);
    machine.run(&["audit"]).expect(0);
}

#[test]
fn a_long_state_path_still_has_an_admin_socket() {
    // An AF_UNIX path ends at 107 bytes; a home directory does not.
    let dir = scratch::directory();
    let long = dir.path().join("a".repeat(100)).join("b".repeat(100));
    fs::create_dir_all(&long).unwrap();
    let machine = Machine::new();
    let mut serve = machine.serve_command();
    serve.env("PAIRPIN_STATE_DIR", long.join("state"));
    let ip = machine.address.ip().to_string();
    let mut daemon = pairpin_tests::process::Background::start(&mut serve, None);
    daemon.either("address", |line| line.contains(&ip));
    let mut status = machine.command(&["status", "--json"]);
    status.env("PAIRPIN_STATE_DIR", long.join("state"));
    assert_eq!(run(&mut status, "").expect(0).json()["running"], true);
}
