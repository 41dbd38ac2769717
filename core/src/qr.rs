//! QR codes: links drawn for a terminal or a file, and read from camera frames and images.
//!
//! Out: [`QrCode::of_link`] (`encode`), then a rendering (`terminal`, `picture`); the machine's
//! command line calls it. In: [`decode_luma`] for a camera frame and [`decode_image_file_bytes`] for
//! a screenshot or photo, both by the rungs of `ladder`; the phones and `pairpin join --image` call
//! them. The text that comes out is anything a stranger may have put in a QR: [`crate::link`]
//! judges it. Why these versions and levels: `docs/decisions/qr-versions.md`.

mod encode;
mod file;
mod frame;
mod grid;
mod ladder;
mod picture;
mod rescue;
mod second_reader;
mod terminal;
mod threshold;

pub use encode::QrCode;
pub use file::decode_image_file_bytes;
pub use frame::LumaFrame;
pub use ladder::decode_luma;
pub use picture::grey_png;
pub use terminal::{PLAIN_NOTE, TerminalStyle};

/// Light modules around a QR: ISO/IEC 18004 wants four, and readers fail on less.
pub const QUIET_ZONE: usize = 4;

/// Why no QR could be made, or none read from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// The link needs more than a version 5 QR.
    #[error("this link is too long for a QR that scans well, advertise fewer or shorter addresses")]
    TooLong,
    /// Neither PNG nor JPEG.
    #[error("this file is not a PNG or JPEG image, take a screenshot or a photo of the QR")]
    NotAnImage,
    /// PNG or JPEG by its first bytes, and not readable to the end.
    #[error("this image is damaged, save or copy it again")]
    DamagedImage,
    /// More bytes or pixels than are read.
    #[error("this image is larger than 20 megapixels or 20 MiB, crop it to the QR and its margin")]
    ImageTooLarge,
    /// An image without a readable QR.
    #[error("no QR found in this image, take a sharper one that shows the whole QR and its light margin")]
    NoQr,
}
