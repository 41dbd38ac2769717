//! A QR as a file: PNG and SVG, black on white with the quiet zone. The command line writes them.

use std::fmt::Write as _;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::encode::QrCode;

/// Pixels in a module, at most: a version 5 code is 2880 pixels wide then.
const SCALE_MAX: u32 = 64;
/// Pixels in a module of an SVG shown at its own size.
const SVG_SCALE: usize = 8;

/// A greyscale PNG of these dots, row by row, 0 is black; an empty one where they are not `width` times `height`.
pub fn grey_png(width: u32, height: u32, dots: &[u8]) -> Vec<u8> {
    let mut png = Vec::new();
    if dots.len() as u64 != u64::from(width) * u64::from(height) {
        return png;
    }
    #[expect(clippy::expect_used, reason = "a vector takes every write, and the size is that of the dots")]
    PngEncoder::new(&mut png)
        .write_image(dots, width, height, ExtendedColorType::L8)
        .expect("encoding a PNG into memory");
    png
}

impl QrCode {
    /// A greyscale PNG with `scale` pixels (1 to 64) to a module's side.
    pub fn render_png(&self, scale: u32) -> Vec<u8> {
        let scale = scale.clamp(1, SCALE_MAX);
        let modules = self.full_size();
        let mut pixels = Vec::new();
        for y in 0..modules {
            let row: Vec<u8> = (0..modules)
                .flat_map(|x| std::iter::repeat_n(if self.is_dark(x, y) { 0 } else { 255 }, scale as usize))
                .collect();
            (0..scale).for_each(|_| pixels.extend_from_slice(&row));
        }
        let side = modules as u32 * scale;
        grey_png(side, side, &pixels)
    }

    /// An SVG of one white square and one black path, sharp at every size.
    pub fn render_svg(&self) -> String {
        let modules = self.full_size();
        let side = modules * SVG_SCALE;
        let mut path = String::new();
        for y in 0..modules {
            let mut x = 0;
            while x < modules {
                let run = (x..modules).take_while(|x| self.is_dark(*x, y)).count();
                if run > 0 {
                    let _ = write!(path, "M{x} {y}h{run}v1h-{run}z");
                }
                x += run.max(1);
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{side}\" height=\"{side}\" \
             viewBox=\"0 0 {modules} {modules}\" shape-rendering=\"crispEdges\">\
             <rect width=\"{modules}\" height=\"{modules}\" fill=\"#fff\"/>\
             <path d=\"{path}\" fill=\"#000\"/></svg>\n"
        )
    }
}
