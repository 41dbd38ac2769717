//! The printed recovery sheet: printed at the machine's shell, used on a computer that was never paired. The real binary
//! on both sides.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread;

use pairpin_core::recovery_sheet::{RecoverySheet, SheetError};
use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::picture::{THEMES, paint, read};
use pairpin_tests::process::Output;
use pairpin_tests::pty::Terminal;

fn paired(names: &[&str]) -> (Machine, Vec<Device>) {
    let machine = Machine::started();
    let devices = names.iter().map(|name| {
        let device = Device::new();
        device.join(machine.offer(&["--name", name, "--role", "owner"]).link_text()).expect(0);
        device
    });
    let devices = devices.collect();
    (machine, devices)
}

/// The lines of the sheet that are typed by hand, as printed.
fn lines(printed: &str) -> String {
    let numbered =
        |line: &&str| line.trim_start().split_once(": ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
    printed.lines().filter(numbered).map(|line| format!("{line}\n")).collect()
}

fn print(machine: &Machine, more: &[&str]) -> String {
    lines(&machine.run(&[&["recovery", "print"], more].concat()).expect(0).stdout)
}

/// On a computer of its own.
fn use_typed(sheet: &str, more: &[&str]) -> Output {
    Device::new().run_with(&[&["recovery", "use", "-", "--yes"], more].concat(), sheet)
}

#[test]
fn a_lost_phone_the_last_owner_is_revoked_by_the_picture_of_the_sheet_from_any_computer() {
    let (mut machine, devices) = paired(&["phone"]);
    let page = machine.home().join("sheet.png");
    machine.run(&["recovery", "print", "--out", page.to_str().unwrap()]).expect(0);
    assert_eq!(std::fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
    let mut watch = devices[0].start(&["machines", "watch", "--json"]);
    watch.line("online", |line| line.contains("\"state\":\"online\""));

    let computer = Device::new();
    let used = ["recovery", "use", "--image", page.to_str().unwrap(), "--revoke", "phone", "--yes"];
    let done = computer.run(&used).expect(0);
    assert!(done.stdout.contains("revoked \"phone\" on homebox, connections cut: 1"), "{}", done.stdout);
    done.says("no owner is left on homebox");
    let told = watch.line("revoked", |line| line.contains("\"state\":\"revoked\""));
    assert!(told.contains("the recovery sheet"), "{told}");
    assert!(!computer.state().exists(), "it keeps nothing");
    // Out for ever, and told by whom.
    machine.crash();
    machine.start();
    assert_eq!(devices[0].only_machine()["revoked"]["by"], "the recovery sheet");
    assert!(machine.devices().is_empty());
    let audit = machine.audit();
    assert!(audit.iter().any(|line| line["text"].as_str().unwrap().contains("was used from 127.0.0.1")), "{audit:?}");
    // Once, also over the restart.
    computer.run(&used).expect(3).says("this sheet was used on");
}

#[test]
fn the_sheet_on_the_screen_is_typed_by_hand_and_a_slip_is_named_by_its_line() {
    let (machine, devices) = paired(&["phone", "tablet"]);
    let mut follow = devices[1].start(&["inbox", "--follow", "--json"]);
    follow.event("online");
    let sheet = print(&machine, &[]);
    assert!(RecoverySheet::parse(&sheet).unwrap().addresses.contains(&machine.address.to_string().parse().unwrap()));
    let computer = Device::new();
    let mut terminal = Terminal::start(&computer.command(&["recovery", "use"]));
    for (at, line) in sheet.lines().enumerate() {
        // What is typed before it is asked for would stand on the line of the question.
        let asked = |terminal: &mut Terminal| {
            let asked = format!("{}:", at + 1);
            terminal.wait("the question", |screen| screen.text().trim_end().ends_with(&asked));
        };
        asked(&mut terminal);
        let letters = line.split_once(": ").unwrap().1.trim().to_lowercase();
        if at == 2 {
            // One slip in a thousand is seen only in the whole.
            let before: String = sheet.lines().take(2).map(|line| format!("{line}\n")).collect();
            let slips = ['a', 'c', 'd', 'e'].map(|letter| format!("{letter}{}", &letters[1..]));
            let caught = |slip: &&String| RecoverySheet::parse(&format!("{before}{slip}")) == Err(SheetError::Line(3));
            let wrong = slips.iter().find(caught).unwrap();
            terminal.type_keys(&format!("{wrong}\n"));
            terminal.wait_text("line 3 is not as it is printed");
            asked(&mut terminal);
        }
        terminal.type_keys(&format!("{letters}\n"));
    }
    // Nobody has to remember what it was called.
    terminal.wait_text("which of them is lost?");
    assert!(terminal.screen.text().contains("\"tablet\""), "{}", terminal.screen.text());
    terminal.type_keys("phone\n");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
    assert_eq!(machine.only_device()["name"], "tablet");
    assert_eq!(devices[0].only_machine()["state"], "revoked");
    // The other owner is told at once.
    let alarm = follow.event("recovery_used");
    assert_eq!((alarm["from"].as_str(), alarm["revoked"].as_u64()), (Some("127.0.0.1"), Some(1)), "{alarm}");
}

#[test]
fn the_sheet_on_a_terminal_is_read_by_the_products_own_reader() {
    let machine = Machine::started();
    let mut terminal = Terminal::sized(&machine.command(&["recovery", "print"]), 100, 90);
    assert_eq!(terminal.end(), Some(0));
    let typed = RecoverySheet::parse(&lines(&terminal.screen.text())).unwrap();
    let seen = read(&paint(&terminal.screen.clone(), THEMES[0])).expect("a QR");
    assert_eq!(RecoverySheet::parse(&seen), Ok(typed));
}

#[test]
fn a_name_that_nobody_has_spends_nothing_and_says_which_there_are() {
    let (machine, devices) = paired(&["phone", "tablet"]);
    let sheet = print(&machine, &[]);
    let nobody = use_typed(&sheet, &["--revoke", "fridge"]).expect(1);
    assert!(nobody.stderr.contains("\"phone\"") && nobody.stderr.contains("as good as before"), "{}", nobody.stderr);
    assert!(devices.iter().all(Device::is_welcome), "the control");
    let all = use_typed(&sheet, &["--all", "--json"]).expect(0).json();
    assert_eq!((all["spent"].as_bool(), all["revoked"].as_array().map(Vec::len)), (Some(true), Some(2)), "{all}");
    assert!(machine.devices().is_empty());
    use_typed(&sheet, &["--all"]).expect(3).says("was used on");
}

#[test]
fn a_new_print_asks_and_voids_the_sheet_before_also_on_a_stopped_machine() {
    let (mut machine, devices) = paired(&["phone"]);
    let first = print(&machine, &[]);
    machine.run(&["recovery", "print"]).expect(2).says("--yes");
    let host = machine.address.to_string();
    machine.stop().expect(0);
    let second = print(&machine, &["--yes", "--host", &host]);
    machine.start();
    use_typed(&first, &["--revoke", "phone"]).expect(3).says("is void, a newer one was printed");
    assert!(devices[0].is_welcome());
    use_typed(&second, &["--revoke", "phone"]).expect(0);
    assert_eq!(devices[0].only_machine()["state"], "revoked");
    // And on a machine that has none.
    print(&machine, &[]);
}

#[test]
fn used_twice_at_once_one_wins_and_the_other_is_told() {
    let (machine, devices) = paired(&["phone", "tablet", "laptop", "desk"]);
    let sheet = print(&machine, &[]);
    let both = ["phone", "tablet", "laptop", "desk"].map(|name| {
        let sheet = sheet.clone();
        thread::spawn(move || use_typed(&sheet, &["--revoke", name]).code)
    });
    let mut codes = both.map(|one| one.join().unwrap());
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(3), Some(3), Some(3)]);
    assert_eq!(machine.devices().len(), 3);
    assert_eq!(devices.iter().filter(|device| device.is_welcome()).count(), 3);
}

#[test]
fn another_machine_is_not_asked_and_a_sheet_of_no_machine_is_a_strangers() {
    let (machine, _devices) = paired(&["phone"]);
    let (other, devices) = paired(&["phone"]);
    let sheet = print(&machine, &[]);
    let elsewhere = other.address.to_string();
    use_typed(&sheet, &["--revoke", "phone", "--host", &elsewhere])
        .expect(6)
        .says("has another key than the sheet says");
    // The pins of that machine, and a seed that it never made: what somebody has who scanned its offer.
    let mut forged = RecoverySheet::parse(&print(&other, &[])).unwrap();
    forged.seed = RecoverySheet::parse(&sheet).unwrap().seed;
    let text: String = forged.to_lines().iter().map(|line| format!("{}\n", **line)).collect();
    use_typed(&text, &["--revoke", "phone"]).expect(1).says("does not know this sheet");
    assert!(devices[0].is_welcome());
}

#[test]
fn the_seed_is_in_no_file_and_no_log_of_the_machine() {
    let (mut machine, _devices) = paired(&["phone"]);
    let sheet = print(&machine, &[]);
    let sheet = RecoverySheet::parse(&sheet).unwrap();
    let said = machine.daemon().everything();
    machine.stop().expect(0);
    let seed = sheet.seed.expose();
    for file in files(&machine.state()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(!bytes.windows(20).any(|window| window == seed), "{}", file.display());
    }
    let text = sheet.to_text();
    // The seed's own letters: those of the pins are public.
    assert!(!said.contains(&text[text.len() - 60..text.len() - 30]));
}

fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn what_was_printed_holds_through_a_crash_and_nothing_is_half_used() {
    let (mut machine, devices) = paired(&["phone"]);
    let sheet = print(&machine, &[]);
    machine.crash();
    machine.start();
    let computer = Device::new();
    let typed = ["recovery", "use", "-", "--revoke", "phone", "--yes"];
    // It takes the connection and answers nothing; whoever asked is killed, and the machine too.
    machine.daemon().signal(rustix::process::Signal::STOP);
    let mut using = pairpin_tests::process::Background::start(&mut computer.command(&typed), Some(&sheet));
    using.kill();
    machine.crash();
    machine.start();
    assert!(devices[0].is_welcome(), "the control: it was not used");
    computer.run_with(&typed, &sheet).expect(0);
    assert_eq!(devices[0].only_machine()["state"], "revoked");
}
