//! What a QR carries: any bytes may be drawn and are read without harm, and a link is read as itself.

use pairpin_core::link::Link;
use pairpin_core::qr::{LumaFrame, QUIET_ZONE, QrCode, decode_luma};
use qrcode::{Color, EcLevel, Version};

/// An input that begins with a zero byte is a link's body, to which the right check is added; any
/// other is what a QR of a stranger holds.
pub fn run(data: &[u8]) {
    match data.split_first() {
        Some((0, body)) => link(body),
        Some((version, content)) => stranger(i16::from(version % 6) + 1, content),
        None => {}
    }
}

fn link(body: &[u8]) {
    let Ok(link) = Link::parse(&crate::link::with_check(body)) else { return };
    let Ok(code) = QrCode::of_link(&link) else { return };
    let text = read(code.size(), code.modules()).expect("a clean picture of our own code is read");
    assert_eq!(Link::parse(&text), Ok(link), "another link was read than was drawn");
}

fn stranger(version: i16, content: &[u8]) {
    let Ok(code) = qrcode::QrCode::with_version(content, Version::Normal(version), EcLevel::L) else { return };
    let size = code.width();
    let modules: Vec<bool> = code.into_colors().into_iter().map(|color| color == Color::Dark).collect();
    if let Some(text) = read(size, &modules)
        && let Ok(link) = Link::parse(&text)
    {
        assert_eq!(Link::parse(&link.to_text()), Ok(link));
    }
}

fn read(size: usize, modules: &[bool]) -> Option<impl std::ops::Deref<Target = String>> {
    const SCALE: usize = 3;
    let side = (size + 2 * QUIET_ZONE) * SCALE;
    let mut bytes = vec![255; side * side];
    for (index, _) in modules.iter().enumerate().filter(|(_, dark)| **dark) {
        let (x, y) = ((index % size + QUIET_ZONE) * SCALE, (index / size + QUIET_ZONE) * SCALE);
        (y..y + SCALE).for_each(|row| bytes[row * side + x..row * side + x + SCALE].fill(0));
    }
    decode_luma(&LumaFrame { width: side, height: side, stride: side, bytes: &bytes })
}
