//! A file that a person hands over as a picture: read or refused, in bounded memory.

use std::io::Cursor;

use image::ImageReader;
use pairpin_core::qr::{QrError, decode_image_file_bytes};

/// Larger pictures take long to search, which finds nothing new; those beyond the bound must be
/// refused at once.
const PIXELS: u64 = 256 * 256;
/// The bound.
const REFUSED: u64 = 20_000_000;

/// The whole input is the file.
pub fn run(data: &[u8]) {
    let sizes = ImageReader::new(Cursor::new(data)).with_guessed_format().ok().and_then(|it| it.into_dimensions().ok());
    let pixels = sizes.map(|(width, height)| u64::from(width) * u64::from(height));
    match pixels {
        Some(pixels) if pixels > REFUSED => {
            let read = decode_image_file_bytes(data);
            assert!(matches!(read, Err(QrError::ImageTooLarge | QrError::NotAnImage)), "{pixels} pixels were unpacked");
        }
        Some(pixels) if pixels > PIXELS => {}
        _ => {
            let _ = decode_image_file_bytes(data);
        }
    }
}
