//! What the camera looks at: a pairing QR as `pairpin pair` shows it, in a terminal or as a PNG on a
//! page, with the things around it. Used by [`super::frame`].

use image::GrayImage;
use image::imageops::grayscale;
use pairpin_core::identity::PinPrefix;
use pairpin_core::link::Link;
use pairpin_core::qr::{QUIET_ZONE, QrCode, TerminalStyle};
use pairpin_core::secrets::OfferSecret;

use super::dice::Dice;
use crate::picture::{THEMES, Theme, paint, paint_with_gaps};
use crate::screen::Screen;

/// Letters in a row and rows of a painted terminal.
const COLUMNS: usize = 104;
/// Pixels to a letter's side in [`paint`].
const LETTER: (u32, u32) = (6, 12);
/// Pixels to a row where lines are spaced, in [`paint_with_gaps`].
const SPACED: u32 = 14;
/// Pixels to a module of the PNG, and of the page around it.
const SCALE: u32 = 8;

/// A flat picture that lies in the room, and where in it the QR is.
#[derive(Debug, Clone)]
pub struct Scene {
    /// What is shown, 0 is black.
    pub picture: GrayImage,
    /// The middle of the QR, in pixels of the picture.
    pub center: (f32, f32),
    /// Its width there, with the quiet zone.
    pub side: f32,
    /// Its modules on a side, without the quiet zone.
    pub modules: usize,
    /// What it holds.
    pub text: String,
}

/// A scene; `inverted` ones show the code light on dark.
pub fn scene(dice: &mut Dice, inverted: bool) -> Scene {
    let link = link(dice);
    let text = link.to_text().to_string();
    let code = QrCode::of_link(&link).unwrap_or_else(|error| panic!("{error}"));
    let modules = code.size();
    // Lines spaced apart draw slivers of the wrong colour through the code: some terminals do that.
    let spaced = !inverted && dice.percent(5);
    let way = dice.below(if inverted { 2 } else { 4 });
    let (picture, center, side) = match (inverted, way) {
        (false, 0) | (true, 0) => page(&code, inverted),
        (false, 1) => terminal(dice, &code, TerminalStyle::HalfBlocks, THEMES[0], spaced, true),
        (false, 2) => terminal(dice, &code, TerminalStyle::HalfBlocks, THEMES[1], spaced, true),
        (false, _) => terminal(dice, &code, TerminalStyle::FullBlocks, THEMES[0], false, true),
        // Without colours in a dark theme: what `NO_COLOR` makes of it.
        (true, _) => terminal(dice, &code, TerminalStyle::HalfBlocks, THEMES[0], false, false),
    };
    Scene { picture, center, side, modules, text }
}

/// A link with a random pin and secret and the addresses that machines have: one to four, so that
/// all versions and levels come up.
fn link(dice: &mut Dice) -> Link {
    let mut bytes = [0; 32];
    bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&dice.draw().to_be_bytes()));
    let hosts: &[&str] = match dice.below(4) {
        0 => &["192.168.1.20"],
        1 => &["192.168.178.31", "100.101.102.103"],
        2 => &["10.0.0.7", "fd7a:115c:a1e0::5", "100.64.3.9"],
        _ => &["homebox.homes.example.com", "10.0.0.2"],
    };
    let (pin, secret) = bytes.split_at(16);
    Link {
        pin: PinPrefix::from_bytes(pin.try_into().unwrap_or([0; 16])),
        secret: OfferSecret::from_slice(secret).unwrap_or_else(|| panic!("sixteen bytes are a secret")),
        addresses: hosts.iter().map(|host| host.parse().unwrap_or_else(|_| panic!("{host}"))).collect(),
    }
}

/// The PNG in the middle of a page of its own paper.
fn page(code: &QrCode, inverted: bool) -> (GrayImage, (f32, f32), f32) {
    let png = image::load_from_memory(&code.render_png(SCALE)).unwrap_or_else(|error| panic!("{error}")).into_luma8();
    let margin = 6 * SCALE;
    let mut picture = GrayImage::from_pixel(png.width() + 2 * margin, png.height() + 2 * margin, image::Luma([255]));
    image::imageops::replace(&mut picture, &png, i64::from(margin), i64::from(margin));
    if inverted {
        image::imageops::invert(&mut picture);
    }
    let middle = picture.width() as f32 / 2.0;
    (picture, (middle, middle), png.width() as f32)
}

/// A terminal with lines of text around and beside the code.
fn terminal(
    dice: &mut Dice,
    code: &QrCode,
    style: TerminalStyle,
    theme: Theme,
    spaced: bool,
    color: bool,
) -> (GrayImage, (f32, f32), f32) {
    let rows = code.render_terminal(style, color);
    let wide = (code.size() + 2 * QUIET_ZONE) * if style == TerminalStyle::HalfBlocks { 1 } else { 2 };
    let (above, below) = (2 + dice.below(4), 2 + dice.below(4));
    let mut screen = Screen::new(COLUMNS, above + rows.len() + below);
    for number in 0..above + rows.len() + below {
        let mut line = String::new();
        match rows.get(number.wrapping_sub(above)) {
            Some(row) => {
                line.push_str(row);
                if COLUMNS > wide + 4 {
                    line.push_str("  ");
                    line.push_str(&words(dice, COLUMNS - wide - 4));
                }
            }
            None => line.push_str(&words(dice, COLUMNS - 4)),
        }
        if number > 0 {
            screen.feed(b"\r\n");
        }
        screen.feed(line.as_bytes());
    }
    let (picture, high) =
        if spaced { (paint_with_gaps(&screen, theme), SPACED) } else { (paint(&screen, theme), LETTER.1) };
    let side = wide as f32 * LETTER.0 as f32;
    let middle = (above as f32 + rows.len() as f32 / 2.0) * high as f32;
    (grayscale(&picture), (side / 2.0, middle), side)
}

/// Letters and gaps, in no language.
fn words(dice: &mut Dice, length: usize) -> String {
    let length = dice.below(length);
    (0..length).map(|_| if dice.percent(18) { ' ' } else { 'm' }).collect()
}
