//! Pictures for the QR tests: a link, and a small terminal that turns printed rows into pixels.
//!
//! The terminal knows what the rows use: half and full blocks, `#`, spaces, and the SGR sequences
//! for the 256 colours. All else panics, so that a new rendering cannot pass unseen.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test file uses a part; these are tests")]

use image::{GrayImage, ImageFormat, Luma};
use pairpin_core::identity::PinPrefix;
use pairpin_core::link::Link;
use pairpin_core::qr::{LumaFrame, QrCode, TerminalStyle, decode_luma};
use pairpin_core::secrets::OfferSecret;

pub const STYLES: [TerminalStyle; 3] = [TerminalStyle::HalfBlocks, TerminalStyle::FullBlocks, TerminalStyle::Ascii];

/// A terminal's own colours, as greys.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    pub ink: u8,
    pub paper: u8,
}

pub const DARK: Theme = Theme { ink: 204, paper: 24 };
pub const LIGHT: Theme = Theme { ink: 40, paper: 248 };
pub const THEMES: [Theme; 2] = [DARK, LIGHT];

/// A character cell in pixels; terminals' cells are about twice as high as wide.
const CELL: (u32, u32) = (9, 18);
/// The window around the rows, in cells.
const MARGIN: u32 = 2;

/// The link of an offer on the LAN and a tailnet, with a secret made from `seed`.
pub fn link(seed: u8) -> Link {
    let secret: Vec<u8> = (0..16).map(|i: u8| i.wrapping_mul(37).wrapping_add(seed)).collect();
    Link {
        pin: PinPrefix::from_bytes([seed ^ 0x5A; 16]),
        secret: OfferSecret::from_slice(&secret).unwrap(),
        addresses: ["192.168.1.20", "100.101.102.103"].map(|host| host.parse().unwrap()).to_vec(),
    }
}

pub fn code(seed: u8) -> QrCode {
    QrCode::of_link(&link(seed)).unwrap()
}

/// The picture of a code, `scale` pixels a module.
pub fn picture(code: &QrCode, scale: u32) -> GrayImage {
    image::load_from_memory(&code.render_png(scale)).unwrap().into_luma8()
}

pub fn png(picture: &GrayImage) -> Vec<u8> {
    encoded(picture, ImageFormat::Png)
}

pub fn encoded(picture: &GrayImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn decode(picture: &GrayImage) -> Option<String> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let frame = LumaFrame { width, height, stride: width, bytes: picture };
    decode_luma(&frame).map(|text| text.to_string())
}

/// Paints the middle of one finder pattern light: no reader takes three corners for granted.
pub fn damage_finder(picture: &mut GrayImage, scale: u32) {
    for y in 4 * scale..11 * scale {
        for x in 4 * scale..11 * scale {
            picture.put_pixel(x, y, Luma([255]));
        }
    }
}

/// A window of that theme showing the rows.
pub fn terminal(rows: &[String], theme: Theme) -> GrayImage {
    let cells: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row, theme)).collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let (width, height) = ((columns + 2 * MARGIN) * CELL.0, (rows.len() as u32 + 2 * MARGIN) * CELL.1);
    let mut picture = GrayImage::from_pixel(width, height, Luma([theme.paper]));
    for (row, line) in cells.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            for y in 0..CELL.1 {
                for x in 0..CELL.0 {
                    let grey = if cell.inked(x, y) { cell.ink } else { cell.paper };
                    let at = ((column as u32 + MARGIN) * CELL.0 + x, (row as u32 + MARGIN) * CELL.1 + y);
                    picture.put_pixel(at.0, at.1, Luma([grey]));
                }
            }
        }
    }
    picture
}

struct Cell {
    glyph: char,
    ink: u8,
    paper: u8,
}

impl Cell {
    fn inked(&self, x: u32, y: u32) -> bool {
        match self.glyph {
            ' ' => false,
            '█' => true,
            '▀' => y < CELL.1 / 2,
            '▄' => y >= CELL.1 / 2,
            // Two bars each way, as fonts draw it.
            '#' => (2..16).contains(&y) && (matches!(x, 2 | 3 | 5 | 6) || matches!(y, 6 | 7 | 11 | 12)),
            other => panic!("this terminal has no {other:?}"),
        }
    }
}

fn cells(row: &str, theme: Theme) -> Vec<Cell> {
    let (mut ink, mut paper) = (theme.ink, theme.paper);
    let mut cells = Vec::new();
    let mut rest = row;
    while let Some(glyph) = rest.chars().next() {
        if let Some(sequence) = rest.strip_prefix("\x1b[") {
            let (numbers, after) = sequence.split_once('m').unwrap();
            match numbers.split(';').map(|n| n.parse().unwrap()).collect::<Vec<u8>>()[..] {
                [0] => (ink, paper) = (theme.ink, theme.paper),
                [38, 5, color] => ink = grey(color),
                [48, 5, color] => paper = grey(color),
                _ => panic!("this terminal has no {numbers:?}"),
            }
            rest = after;
        } else {
            cells.push(Cell { glyph, ink, paper });
            rest = &rest[glyph.len_utf8()..];
        }
    }
    cells
}

/// The greys of xterm's 256 colours; the first 16 belong to the theme, and the rows may not use them.
fn grey(color: u8) -> u8 {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match color {
        0..16 => panic!("color {color} is the theme's"),
        16..232 => {
            let cube = color - 16;
            let (r, g, b) = (level(cube / 36), level(cube / 6 % 6), level(cube % 6));
            assert!(r == g && g == b, "color {color} is not grey");
            r
        }
        232.. => 8 + 10 * (color - 232),
    }
}
