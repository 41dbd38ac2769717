//! Reading a QR from an image file: a screenshot or a photo, as a person hands it over.
//!
//! `pairpin join --image` and the phones' share sheets call this. The file may come from a stranger:
//! bytes, pixels and memory are bounded before anything is unpacked.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use zeroize::Zeroizing;

use super::QrError;
use super::frame::{Luma, SIDE_MAX};
use super::ladder::{climb, fenced};

/// Bytes of a file, at most.
const FILE_MAX: usize = 20 * 1024 * 1024;
/// Pixels, at most: phones' photos have 12 million.
const PIXELS_MAX: u64 = 20_000_000;
/// Memory that unpacking may take (bytes): the pixels at four bytes each, and as much again.
const MEMORY_MAX: u64 = 8 * PIXELS_MAX;

/// Sides to which an image is shrunk, in the order they are tried: most screenshots and photos are
/// read at the first, small codes in large pictures at the second.
const SIDES: [usize; 2] = [1600, 4000];
/// A picture is enlarged for a last try where it is no larger than this.
const DOUBLING_MAX: usize = 800;

/// Reads the QR in a PNG or JPEG file of at most 20 MiB and 20 million pixels.
///
/// The text is whatever the QR holds; [`crate::link::Link::parse`] says whether it is ours.
///
/// # Errors
/// See [`QrError`]: not an image, too large, damaged, or no QR in it.
pub fn decode_image_file_bytes(bytes: &[u8]) -> Result<Zeroizing<String>, QrError> {
    let picture = fenced(|| Some(unpack(bytes))).unwrap_or(Err(QrError::DamagedImage))?;
    let mut tried = None;
    for side in SIDES {
        let shrunk = Luma::of_frame(&picture.as_frame(), side).ok_or(QrError::NoQr)?;
        if tried == Some(shrunk.width) {
            break;
        }
        tried = Some(shrunk.width);
        if let Some(text) = climb(&shrunk) {
            return Ok(text);
        }
    }
    if picture.width.max(picture.height) <= DOUBLING_MAX
        && let Some(text) = climb(&picture.doubled())
    {
        return Ok(text);
    }
    Err(QrError::NoQr)
}

fn unpack(bytes: &[u8]) -> Result<Luma, QrError> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        _ => return Err(QrError::NotAnImage),
    };
    if bytes.len() > FILE_MAX {
        return Err(QrError::ImageTooLarge);
    }
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    let (width, height) = reader().into_dimensions().map_err(|error| cause(&error))?;
    if u64::from(width) * u64::from(height) > PIXELS_MAX || width.max(height) as usize > SIDE_MAX {
        return Err(QrError::ImageTooLarge);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY_MAX);
    let mut reader = reader();
    reader.limits(limits);
    let image = reader.decode().map_err(|error| cause(&error))?;
    let pixels = grey(image);
    Ok(Luma { width: width as usize, height: height as usize, pixels })
}

fn cause(error: &image::ImageError) -> QrError {
    match error {
        image::ImageError::Limits(_) => QrError::ImageTooLarge,
        _ => QrError::DamagedImage,
    }
}

/// Greys as seen on white paper: what is transparent is light, not whatever colour lies under it.
fn grey(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_luma8().into_raw();
    }
    let on_white = |grey: u8, alpha: u8| {
        let (grey, alpha) = (u16::from(grey), u16::from(alpha));
        u8::try_from((grey * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
    };
    image.into_luma_alpha8().pixels().map(|pixel| on_white(pixel.0[0], pixel.0[1])).collect()
}
