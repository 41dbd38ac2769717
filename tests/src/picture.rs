//! Photographs of a screen: painted to a PNG in a theme and read back by `zbarimg`, a QR reader
//! that shares nothing with ours.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};

use crate::process::run;
use crate::screen::{Cell, Color, Screen};

/// A terminal's colours.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    /// For a failed test.
    pub name: &'static str,
    ink: [u8; 3],
    paper: [u8; 3],
    /// What the theme makes of "black" and "white" of the 16 colours, which themes change.
    black: [u8; 3],
    white: [u8; 3],
}

/// The themes in which a QR must be readable.
pub const THEMES: [Theme; 3] = [
    Theme { name: "dark", ink: [204, 204, 204], paper: [0, 0, 0], black: [0, 0, 0], white: [229, 229, 229] },
    Theme { name: "light", ink: [20, 20, 20], paper: [255, 255, 255], black: [0, 0, 0], white: [229, 229, 229] },
    // Its sixteen colours are so near each other that a QR made of them cannot be read.
    Theme {
        name: "pale",
        ink: [131, 148, 150],
        paper: [253, 246, 227],
        black: [220, 214, 200],
        white: [238, 232, 213],
    },
];

/// A letter's size in pixels: twice as high as wide, so that half a block is square.
const WIDE: u32 = 6;
const HIGH: u32 = 12;

/// Paints a screen.
pub fn paint(screen: &Screen, theme: Theme) -> RgbImage {
    let (columns, rows) = (screen.columns as u32, screen.rows as u32);
    RgbImage::from_fn(columns * WIDE, rows * HIGH, |x, y| {
        let cell = screen.cell((y / HIGH) as usize, (x / WIDE) as usize);
        let color = if inked(cell, x % WIDE, y % HIGH) { (cell.ink, theme.ink) } else { (cell.paper, theme.paper) };
        Rgb(shade(color.0, color.1, theme))
    })
}

/// Paints a screen as terminals do that space their lines: the colour behind a letter fills the
/// space, the letter (a block, too) does not reach into it.
pub fn paint_with_gaps(screen: &Screen, theme: Theme) -> RgbImage {
    const GAP: u32 = 2;
    let tight = paint(screen, theme);
    RgbImage::from_fn(tight.width(), tight.height() / HIGH * (HIGH + GAP), |x, y| {
        let (row, inside) = (y / (HIGH + GAP), y % (HIGH + GAP));
        let paper = screen.cell(row as usize, (x / WIDE) as usize).paper;
        if inside < HIGH { *tight.get_pixel(x, row * HIGH + inside) } else { Rgb(shade(paper, theme.paper, theme)) }
    })
}

/// Whether a pixel of a cell has the letter's colour.
fn inked(cell: Cell, x: u32, y: u32) -> bool {
    match cell.letter {
        ' ' => false,
        '█' => true,
        '▀' => y < HIGH / 2,
        '▄' => y >= HIGH / 2,
        '▌' => x < WIDE / 2,
        '▐' => x >= WIDE / 2,
        // Any letter: about the ink of a real one.
        _ => (1..WIDE - 1).contains(&x) && (3..HIGH - 2).contains(&y) && (x + y).is_multiple_of(2),
    }
}

fn shade(color: Color, default: [u8; 3], theme: Theme) -> [u8; 3] {
    match color {
        Color::Default => default,
        Color::Exact(red, green, blue) => [red, green, blue],
        Color::Indexed(0 | 8) => theme.black,
        Color::Indexed(7 | 15) => theme.white,
        Color::Indexed(index @ 1..=15) => [index * 15, 100, 200 - index * 10],
        Color::Indexed(index @ 16..=231) => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + step * 40 };
            let index = index - 16;
            [level(index / 36), level(index / 6 % 6), level(index % 6)]
        }
        Color::Indexed(index) => [8 + (index - 232) * 10; 3],
    }
}

/// What `zbarimg` reads in a picture file, if it finds a QR.
///
/// # Panics
/// `zbarimg` is not there; the layer `e2e` installs it.
pub fn read_file(path: &Path) -> Option<String> {
    let mut zbar = Command::new("zbarimg");
    zbar.args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(path);
    let output = run(&mut zbar, "");
    if output.code == Some(0) { Some(output.stdout.trim_end().to_owned()) } else { None }
}

/// What `zbarimg` reads in a picture.
///
/// # Panics
/// The picture cannot be written.
pub fn read(picture: &RgbImage) -> Option<String> {
    let dir = crate::scratch::directory();
    let path = dir.path().join("screen.png");
    picture.save_with_format(&path, ImageFormat::Png).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    read_file(&path)
}

/// A QR drawn by hand from rows of modules, as PNG bytes: for pictures that ours would not make.
///
/// # Panics
/// Never: the picture is in memory.
pub fn png_of_noise(width: u32, height: u32) -> Vec<u8> {
    let picture = GrayImage::from_fn(width, height, |x, y| Luma([((x * 7919 + y * 104_729) % 251) as u8]));
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap_or_else(|error| panic!("{error}"));
    bytes
}
