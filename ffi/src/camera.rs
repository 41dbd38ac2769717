//! Camera frames in, what they hold out. A frame is read where the camera left it: nothing is copied on the way.

use pairpin_core::join_qr::JoinQr;
use pairpin_core::link::Link;
use pairpin_core::qr::{LumaFrame, decode_luma};

use crate::error::PairpinError;

/// What stood in a QR.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Scanned {
    /// An offer of a machine: preview it.
    Offer {
        /// The link, a secret until it is used.
        link: String,
    },
    /// A device that asks to be let in.
    Join {
        /// Its text.
        text: String,
    },
    /// A QR, and none of ours; or one that is damaged, or newer than this app.
    Unusable {
        /// Why.
        why: PairpinError,
    },
}

/// Tells what a pasted text is, or one that a deep link brought. The QR of a device that asks to be let in is taken
/// from the camera alone: who pastes it has not stood before that device.
#[uniffi::export]
pub fn scan_text(text: String) -> Scanned {
    match tell(text) {
        Scanned::Join { .. } => Scanned::Unusable { why: PairpinError::IsJoin },
        other => other,
    }
}

fn tell(text: String) -> Scanned {
    if JoinQr::parse(&text).is_ok() {
        return Scanned::Join { text };
    }
    match Link::parse(&text) {
        Ok(_) => Scanned::Offer { link: text },
        Err(error) => Scanned::Unusable { why: PairpinError::of_link(error) },
    }
}

/// Looks for a QR in a camera's grey plane; none where there is none to be read in it.
///
/// `address` is that of the plane's first byte (a direct buffer's, or a base address), `length` its bytes; the
/// caller keeps both as they are until this returns. Rows are `stride` bytes apart. How the phone is held does
/// not matter: a QR is read in any direction.
#[uniffi::export]
pub fn scan_luma(address: u64, length: u64, width: u32, height: u32, stride: u32) -> Option<Scanned> {
    /// More than any camera gives for a preview; a length that is nonsense is not believed.
    const LARGEST: usize = 64 << 20;
    let (address, length) = (usize::try_from(address).ok()?, usize::try_from(length).ok()?);
    if address == 0 || length == 0 || length > LARGEST {
        return None;
    }
    // SAFETY: the shell gives the address and length of a buffer that it holds for the time of this call and
    // does not write to; the length is checked to be positive and below `isize::MAX`, bytes have no alignment.
    let bytes = unsafe { std::slice::from_raw_parts(address as *const u8, length) };
    let frame = LumaFrame {
        width: usize::try_from(width).ok()?,
        height: usize::try_from(height).ok()?,
        stride: usize::try_from(stride).ok()?,
        bytes,
    };
    decode_luma(&frame).map(|text| tell(text.to_string()))
}
