//! A QR to show on this phone: of an offer that it made, or of its own wish to be let in.

use pairpin_core::join_qr::JoinQr;
use pairpin_core::link::Link;
use pairpin_core::qr::QrCode;

/// The modules of a QR. Whoever sees them has what it holds.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct QrModules {
    /// Modules on a side, without the quiet zone: leave four more around it.
    pub side: u32,
    /// Row by row, one byte each: 1 is dark, 0 light.
    pub dark: Vec<u8>,
}

/// Draws a link or the text of a join; none where the text is neither.
#[uniffi::export]
pub fn qr_modules(text: String) -> Option<QrModules> {
    let code = match JoinQr::parse(&text) {
        Ok(join) => QrCode::of_join(&join).ok()?,
        Err(_) => QrCode::of_link(&Link::parse(&text).ok()?).ok()?,
    };
    let dark = code.modules().iter().map(|dark| u8::from(*dark)).collect();
    Some(QrModules { side: u32::try_from(code.size()).ok()?, dark })
}
