//! What a person sees: a QR that another reader reads from a picture of the terminal, in every
//! theme, in 80×24; and questions that are asked before anything happens.

use std::process::Command;

use pairpin_tests::device::Device;
use pairpin_tests::link::ReadLink;
use pairpin_tests::machine::Machine;
use pairpin_tests::picture::{THEMES, paint, read, read_file};
use pairpin_tests::pty::Terminal;
use pairpin_tests::scratch;
use pairpin_tests::screen::Screen;

/// Waits for a QR and for the text beside it; gives the screen.
fn qr_screen(terminal: &mut Terminal) -> Screen {
    // In all themes: half of a picture that is still being drawn can be read in a light one already.
    let has_qr = |screen: &Screen| THEMES.iter().all(|theme| read(&paint(screen, *theme)).is_some());
    terminal.wait("QR", |screen| screen.text().contains("expires") && has_qr(screen)).clone()
}

/// The one text that the QR says in all themes.
fn read_in_all_themes(screen: &Screen) -> String {
    let mut texts: Vec<String> = THEMES
        .iter()
        .map(|theme| {
            let text = read(&paint(screen, *theme));
            text.unwrap_or_else(|| panic!("no QR in the theme {}:\n{}", theme.name, screen.text()))
        })
        .collect();
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    texts.remove(0)
}

#[test]
fn the_offers_screen_fits_80_by_24_and_its_qr_pairs_in_every_theme() {
    let machine = Machine::started();
    let mut terminal = Terminal::start(&machine.command(&["pair"]));
    let screen = qr_screen(&mut terminal);
    assert_eq!(screen.scrolled, 0, "the screen does not fit:\n{}", screen.text());
    assert_eq!(screen.unknown, Vec::<String>::new(), "sequences that terminals may not know");
    let text = read_in_all_themes(&screen);
    assert_eq!(ReadLink::of(&text).pin, machine.pin().as_bytes()[..16]);
    // Name, key fingerprint, address, code and role stand beside it.
    let shown = screen.text();
    for wanted in ["homebox", &machine.address.to_string(), "owner"] {
        assert!(shown.contains(wanted), "{wanted} is not in\n{shown}");
    }
    let joined: String = shown.split_whitespace().collect();
    assert!(joined.contains(&text), "the link as text is not in\n{shown}");
    Device::new().join(&text).expect(0);
    terminal.wait_text("check");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
}

#[test]
fn without_colours_the_qr_keeps_its_two() {
    let machine = Machine::started();
    let mut command = machine.command(&["pair"]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(&command);
    let screen = qr_screen(&mut terminal);
    read_in_all_themes(&screen);
}

#[test]
fn serve_shows_a_qr_by_itself_while_nobody_is_paired() {
    let machine = Machine::new();
    let mut terminal = Terminal::start(&machine.serve_command());
    let screen = qr_screen(&mut terminal);
    assert_eq!(screen.scrolled, 0, "the screen does not fit:\n{}", screen.text());
    let text = read_in_all_themes(&screen);
    Device::new().join(&text).expect(0);
    terminal.wait_text("check");
    terminal.type_keys("\u{3}");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
    // The second time somebody is paired, and no offer is made unasked.
    let mut machine = machine;
    machine.start();
    assert_eq!(machine.status()["offers"], 0);
}

#[test]
fn control_c_withdraws_the_offer_and_leaves_the_terminal_as_it_was() {
    let machine = Machine::started();
    let mut terminal = Terminal::start(&machine.command(&["pair"]));
    let text = read_in_all_themes(&qr_screen(&mut terminal));
    terminal.type_keys("\u{3}");
    assert_ne!(terminal.end(), Some(0));
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    let (hidden, shown) = (written.rfind("\u{1b}[?25l"), written.rfind("\u{1b}[?25h"));
    assert!(hidden <= shown, "the cursor stays hidden");
    Device::new().join(&text).expect(1).says("withdrawn");
}

#[test]
fn larger_forms_are_read_too() {
    let machine = Machine::started();
    for format in ["half", "full"] {
        let mut terminal = Terminal::sized(&machine.command(&["pair", "--qr-format", format]), 140, 60);
        let text = read_in_all_themes(&qr_screen(&mut terminal));
        ReadLink::of(&text);
    }
}

#[test]
fn a_small_terminal_gets_no_broken_qr_but_a_hint() {
    let machine = Machine::started();
    let mut terminal = Terminal::sized(&machine.command(&["pair"]), 40, 12);
    terminal.wait("hint", |screen| screen.text().contains("png"));
    assert_eq!(terminal.screen.scrolled, 0, "{}", terminal.screen.text());
    assert!(!terminal.screen.text().contains('▀'));
}

#[test]
fn png_and_svg_files_are_private_and_say_the_same_link() {
    let machine = Machine::started();
    let dir = scratch::directory();
    for format in ["png", "svg"] {
        let path = dir.path().join(format!("qr.{format}"));
        let offer = machine.offer(&["--qr-format", format, "--qr-out", path.to_str().unwrap_or_default()]);
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "it holds a secret");
        let picture = if format == "svg" {
            let drawn = dir.path().join("drawn.png");
            let mut rsvg = Command::new("rsvg-convert");
            rsvg.args(["--width", "400", "--background-color", "gray", "--output"]).arg(&drawn).arg(&path);
            pairpin_tests::process::run(&mut rsvg, "").expect(0);
            drawn
        } else {
            path.clone()
        };
        assert_eq!(read_file(&picture).as_deref(), Some(offer.link_text()), "{format}");
        if format == "png" {
            let device = Device::new();
            device.run(&["join", "--image", path.to_str().unwrap_or_default(), "--yes"]).expect(0);
            assert!(device.is_welcome());
        }
    }
}

#[test]
fn join_at_a_terminal_shows_whom_it_found_and_asks_first() {
    let machine = Machine::started();
    let offer = machine.offer(&[]);
    for (answer, code) in [("n\n", 1), ("\n", 1), ("y\n", 0)] {
        let device = Device::new();
        let mut terminal = Terminal::start(&device.command(&["join"]));
        terminal.wait("question for the link", |screen| !screen.text().trim().is_empty());
        terminal.type_keys(&format!("{}\n", offer.link_text()));
        terminal.wait_text("homebox");
        let address = machine.address.to_string();
        let fingerprint = machine.pin().fingerprint();
        for wanted in [address.as_str(), &fingerprint, "owner"] {
            terminal.wait(wanted, |screen| {
                let flat = screen.text().split_whitespace().collect::<Vec<_>>().join(" ");
                flat.contains(wanted)
            });
        }
        terminal.wait("question", |screen| screen.text().contains("[y/N]") || screen.text().contains("y/"));
        terminal.type_keys(answer);
        assert_eq!(terminal.end(), Some(code), "{answer:?}: {}", terminal.screen.text());
        assert_eq!(machine.devices().len(), usize::from(code == 0), "{answer:?}");
    }
}
