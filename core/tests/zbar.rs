//! What is drawn is read by a reader that is not ours: zbar, on the PNG, the SVG and the picture of
//! a terminal in both themes. Controls show that it does not read everything.
//!
//! Needs `zbarimg` (package zbar-tools) and `rsvg-convert` (package librsvg2-bin) on the PATH, and
//! fails without them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod pictures;

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use image::GrayImage;
use pairpin_core::link::Link;
use pairpin_core::qr::{QrCode, TerminalStyle};
use pictures::{DARK, LIGHT, STYLES, THEMES, code, damage_finder, link, picture, png, terminal};

fn run(tool: &str, package: &str, arguments: &[&Path]) -> Output {
    match Command::new(tool).args(arguments).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("`{tool}` is not on the PATH: install the package {package} (apt-get install {package})")
        }
        output => output.expect(tool),
    }
}

/// What zbar reads from a PNG or JPEG file; `None` where it finds no code.
fn zbar(file: &[u8]) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picture");
    std::fs::write(&path, file).unwrap();
    let arguments = ["--raw", "--quiet", "--nodbus", "-Sdisable", "-Sqrcode.enable"].map(Path::new);
    let output = run("zbarimg", "zbar-tools", &[&arguments[..], &[&path]].concat());
    match output.status.code() {
        Some(0) => Some(String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()),
        // 4 is zbar's "no barcode detected"; anything else is a broken call.
        Some(4) => None,
        _ => panic!("zbarimg failed: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn zbar_picture(picture: &GrayImage) -> Option<String> {
    zbar(&png(picture))
}

/// The SVG as a PNG, drawn by librsvg.
fn rasterised(svg: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("code.svg");
    std::fs::write(&path, svg).unwrap();
    let output = run("rsvg-convert", "librsvg2-bin", &[&path]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(seed: u8) -> String {
    link(seed).to_text().to_string()
}

#[test]
fn zbar_reads_the_png() {
    for scale in [3, 4, 8, 16] {
        assert_eq!(zbar(&code(21).render_png(scale)), Some(text(21)), "{scale}");
    }
}

#[test]
fn zbar_reads_the_svg() {
    assert_eq!(zbar(&rasterised(&code(22).render_svg())), Some(text(22)));
}

#[test]
fn zbar_reads_the_terminal_in_both_themes() {
    for style in STYLES {
        for theme in THEMES {
            let picture = terminal(&code(23).render_terminal(style, true), theme);
            assert_eq!(zbar_picture(&picture), Some(text(23)), "{style:?} {theme:?}");
        }
    }
}

#[test]
fn zbar_reads_codes_of_every_version_and_level_that_are_made() {
    for hosts in [&["10.0.0.1"][..], &["fd00::1", "10.0.0.1"], &["homebox.homes.example.com", "10.0.0.1"]] {
        let link = Link { addresses: hosts.iter().map(|host| host.parse().unwrap()).collect(), ..link(24) };
        let code = QrCode::of_link(&link).unwrap();
        let rows = code.render_terminal(TerminalStyle::HalfBlocks, true);
        assert_eq!(zbar_picture(&terminal(&rows, DARK)).as_deref(), Some(&**link.to_text()), "{}", code.version());
    }
}

#[test]
#[should_panic(expected = "install the package zbar-tools")]
fn a_missing_tool_is_named_and_never_skipped() {
    run("zbarimg-that-is-not-there", "zbar-tools", &[]);
}

/// The control of the themes: without its own colours the same code is light on dark in a dark
/// theme, and this reader, like many phones, does not read that.
#[test]
fn zbar_needs_the_explicit_colours_on_a_dark_theme() {
    let plain = code(25).render_terminal(TerminalStyle::HalfBlocks, false);
    assert_eq!(zbar_picture(&terminal(&plain, LIGHT)), Some(text(25)));
    assert_eq!(zbar_picture(&terminal(&plain, DARK)), None);
}

/// The control of all of these: a code that is broken is not read.
#[test]
fn zbar_does_not_read_a_damaged_finder_pattern() {
    let mut picture = picture(&code(26), 8);
    assert_eq!(zbar_picture(&picture), Some(text(26)));
    damage_finder(&mut picture, 8);
    assert_eq!(zbar_picture(&picture), None);
}
