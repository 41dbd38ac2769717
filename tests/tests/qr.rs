//! Link and QR without a daemon: what core writes is what the specification says, and another
//! reader reads it from a picture of any terminal.

use std::fs;
use std::process::Command;

use pairpin_core::identity::PinPrefix;
use pairpin_core::link::Link;
use pairpin_core::qr::{QrCode, TerminalStyle};
use pairpin_core::secrets::{OfferSecret, random_bytes};
use pairpin_core::wire::Address;
use pairpin_tests::link::ReadLink;
use pairpin_tests::picture::{THEMES, Theme, paint, paint_with_gaps, read, read_file};
use pairpin_tests::process::run;
use pairpin_tests::scratch;
use pairpin_tests::screen::Screen;

fn link(port: u16, addresses: &[&str]) -> Link {
    let addresses: Vec<Address> = addresses.iter().map(|host| Address { host: (*host).to_owned(), port }).collect();
    let pin = PinPrefix::from_bytes(random_bytes().unwrap());
    Link::fitting(pin, OfferSecret::generate().unwrap(), port, &addresses)
}

fn links() -> Vec<Link> {
    vec![
        link(7747, &["192.168.1.20", "100.64.0.7"]),
        link(8080, &["192.168.1.20", "100.64.0.7"]),
        link(7747, &["fd12::7", "192.168.1.20"]),
        link(7747, &["homebox.local"]),
    ]
}

fn screen(rows: &[String], columns: usize, lines: usize) -> Screen {
    let mut screen = Screen::new(columns, lines);
    for row in rows {
        screen.feed(row.as_bytes());
        screen.feed(b"\r\n");
    }
    assert_eq!((screen.scrolled, screen.unknown.len()), (0, 0));
    screen
}

#[test]
fn a_link_is_written_as_specified() {
    for link in links() {
        let read = ReadLink::of(&link.to_text());
        assert_eq!(read.pin, *link.pin.as_bytes());
        assert!(read.secret == link.secret);
        let hosts: Vec<String> = read.hosts.iter().map(ToString::to_string).chain(read.names).collect();
        for address in &link.addresses {
            assert!(hosts.contains(&address.host), "{} is not in {hosts:?}", address.host);
            assert_eq!(read.port, address.port);
        }
    }
}

#[test]
fn half_blocks_fit_80_by_24_and_are_read_in_every_theme() {
    for link in links() {
        let code = QrCode::of_link(&link).unwrap();
        let screen = screen(&code.render_terminal(TerminalStyle::HalfBlocks, true), 80, 24);
        for theme in THEMES {
            assert_eq!(read(&paint(&screen, theme)).as_deref(), Some(link.to_text().as_str()), "{}", theme.name);
        }
    }
}

#[test]
fn a_terminal_that_spaces_its_lines_does_not_break_the_code() {
    for link in links() {
        let code = QrCode::of_link(&link).unwrap();
        for (style, columns, lines) in [(TerminalStyle::HalfBlocks, 80, 24), (TerminalStyle::FullBlocks, 140, 60)] {
            let screen = screen(&code.render_terminal(style, true), columns, lines);
            for theme in THEMES {
                let text = read(&paint_with_gaps(&screen, theme));
                assert_eq!(text.as_deref(), Some(link.to_text().as_str()), "{style:?} in {}", theme.name);
            }
        }
    }
}

#[test]
fn full_blocks_and_ascii_are_read() {
    for link in links() {
        let code = QrCode::of_link(&link).unwrap();
        for style in [TerminalStyle::FullBlocks, TerminalStyle::Ascii] {
            let screen = screen(&code.render_terminal(style, true), 140, 60);
            for theme in THEMES {
                let text = read(&paint(&screen, theme));
                assert_eq!(text.as_deref(), Some(link.to_text().as_str()), "{style:?} in {}", theme.name);
            }
        }
    }
}

#[test]
fn a_qr_in_the_terminals_own_colours_is_not_read_in_every_theme() {
    // The control of all above: the same code without its two colours fails in some theme, so the
    // pictures can tell.
    let code = QrCode::of_link(&links()[0]).unwrap();
    let screen = screen(&code.render_terminal(TerminalStyle::HalfBlocks, false), 80, 24);
    let reads = |theme: &Theme| read(&paint(&screen, *theme)).is_some();
    assert!(!THEMES.iter().all(reads));
}

#[test]
fn png_and_svg_are_read() {
    let dir = scratch::directory();
    for link in links() {
        let code = QrCode::of_link(&link).unwrap();
        let (png, svg, drawn) = (dir.path().join("a.png"), dir.path().join("a.svg"), dir.path().join("b.png"));
        fs::write(&png, code.render_png(4)).unwrap();
        fs::write(&svg, code.render_svg()).unwrap();
        let mut rsvg = Command::new("rsvg-convert");
        // On black, as a viewer with a dark background has it: the code brings its own light.
        rsvg.args(["--width", "300", "--background-color", "black", "--output"]).args([&drawn, &svg]);
        run(&mut rsvg, "").expect(0);
        for path in [&png, &drawn] {
            assert_eq!(read_file(path).as_deref(), Some(link.to_text().as_str()), "{}", path.display());
        }
    }
}
