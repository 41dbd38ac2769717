//! From greys to black and white, by the light around each place. `ladder` calls it, rung by rung.
//!
//! The idea is that of the reader's own threshold: the mean of blocks of 8×8 pixels, and of the 5×5
//! blocks around. This one works on whole rows, and takes a quarter of the time.

use rxing::common::{BitArray, BitMatrix};

use super::frame::Luma;

/// Pixels to a block's side.
const BLOCK: usize = 8;
/// Blocks on each side that count, beside the block itself.
const REACH: usize = 2;
/// A block whose greys lie no further apart has no dark and light of its own.
const FLAT: u8 = 24;
/// Bits to a word of the reader's rows.
const WORD: usize = usize::BITS as usize;

/// The picture's dark pixels. `None` for a picture smaller than the blocks that are compared.
pub(super) fn dark(picture: &Luma) -> Option<BitMatrix> {
    let (width, height) = (picture.width, picture.height);
    let (across, down) = (width.div_ceil(BLOCK), height.div_ceil(BLOCK));
    if across <= 2 * REACH || down <= 2 * REACH {
        return None;
    }
    let points = points(picture, across, down);
    let mut matrix = BitMatrix::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?).ok()?;
    let mut limits = vec![0_u8; across];
    for (y, row) in picture.pixels.chunks_exact(width).enumerate() {
        if y % BLOCK == 0 {
            let top = (y / BLOCK).clamp(REACH, down - 1 - REACH) - REACH;
            for (block, limit) in limits.iter_mut().enumerate() {
                let left = block.clamp(REACH, across - 1 - REACH) - REACH;
                let blocks = left..=left + 2 * REACH;
                let around = (top..=top + 2 * REACH).flat_map(|by| &points[by * across..][blocks.clone()]);
                let sum: usize = around.map(|point| usize::from(*point)).sum();
                *limit = u8::try_from(sum / ((2 * REACH + 1) * (2 * REACH + 1))).unwrap_or(u8::MAX);
            }
        }
        let mut bits = BitArray::with_size(width);
        for (word, (greys, limits)) in row.chunks(WORD).zip(limits.chunks(WORD / BLOCK)).enumerate() {
            let blocks = greys.chunks(BLOCK).zip(limits).enumerate();
            let packed = blocks.fold(0, |bits, (i, (greys, limit))| bits | packed(greys, *limit) << (i * BLOCK));
            bits.setBulk(word * WORD, packed as _);
        }
        matrix.setRow(y as u32, &bits);
    }
    Some(matrix)
}

/// Which of at most eight greys are dark, the first in the lowest bit.
fn packed(greys: &[u8], limit: u8) -> usize {
    let Ok(greys) = <[u8; BLOCK]>::try_from(greys) else {
        return greys.iter().enumerate().fold(0, |bits, (i, grey)| bits | usize::from(*grey <= limit) << i);
    };
    // Eight comparisons at once; the product gathers the lowest bits of eight bytes in its highest byte.
    let ones = u64::from_le_bytes(greys.map(|grey| u8::from(grey <= limit)));
    (ones.wrapping_mul(0x0102_0408_1020_4080) >> 56) as usize
}

/// For each block the grey between its dark and its light; for a flat one what its neighbours say.
fn points(picture: &Luma, across: usize, down: usize) -> Vec<u8> {
    let mut points = vec![0_u8; across * down];
    let mut blocks: Vec<(u16, u8, u8)> = Vec::new();
    for by in 0..down {
        // The last blocks are full ones, too, and lie partly on those before.
        let top = (by * BLOCK).min(picture.height - BLOCK);
        blocks.clear();
        blocks.resize(across, (0, u8::MAX, u8::MIN));
        for row in picture.pixels[top * picture.width..(top + BLOCK) * picture.width].chunks_exact(picture.width) {
            let whole = row.chunks_exact(BLOCK);
            let last = &row[row.len() - BLOCK..];
            let parts = whole.chain((!row.len().is_multiple_of(BLOCK)).then_some(last));
            for ((sum, low, high), part) in blocks.iter_mut().zip(parts) {
                *sum += part.iter().map(|grey| u16::from(*grey)).sum::<u16>();
                *low = part.iter().fold(*low, |low, grey| low.min(*grey));
                *high = part.iter().fold(*high, |high, grey| high.max(*grey));
            }
        }
        for (bx, (sum, low, high)) in blocks.iter().enumerate() {
            let here = by * across + bx;
            points[here] = if high - low > FLAT {
                u8::try_from(sum / (BLOCK * BLOCK) as u16).unwrap_or(u8::MAX)
            } else if bx == 0 || by == 0 {
                low / 2
            } else {
                // Light, unless it is darker than what the blocks before took for the border.
                let [above, before, corner] =
                    [here - across, here - 1, here - across - 1].map(|i| u16::from(points[i]));
                let border = u8::try_from((above + 2 * before + corner) / 4).unwrap_or(u8::MAX);
                if *low < border { border } else { low / 2 }
            };
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use rxing::common::HybridBinarizer;
    use rxing::{BinaryBitmap, Luma8LuminanceSource};

    use super::*;

    #[test]
    fn it_judges_each_pixel_as_the_reader_it_stands_in_for() {
        for (width, height) in [(64, 48), (200, 121), (83, 40), (129, 77)] {
            let pixels: Vec<u8> = (0..width * height)
                .map(|i| (((i % width) / 5 + (i / width) / 7) % 2 * 140 + (i * 7919) % 61 + i % width / 4) as u8)
                .collect();
            let source = Luma8LuminanceSource::new(pixels.clone(), width as u32, height as u32).unwrap();
            let bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
            let ours = dark(&Luma { width, height, pixels }).unwrap();
            let theirs = bitmap.get_black_matrix();
            // Where the last blocks lie on those before, the reader's order of work shows.
            let (inner_x, inner_y) = (width / BLOCK * BLOCK, height / BLOCK * BLOCK);
            for (x, y) in (0..inner_x - BLOCK).flat_map(|x| (0..inner_y - BLOCK).map(move |y| (x, y))) {
                assert_eq!(ours.get(x as u32, y as u32), theirs.get(x as u32, y as u32), "{width} {height} {x} {y}");
            }
        }
    }

    #[test]
    fn a_picture_too_small_for_it_is_none() {
        assert!(dark(&Luma { width: 32, height: 100, pixels: vec![0; 3200] }).is_none());
        assert!(dark(&Luma { width: 33, height: 33, pixels: vec![0; 33 * 33] }).is_some());
    }
}
