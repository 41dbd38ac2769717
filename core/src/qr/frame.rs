//! Grey pictures: a camera's frame as it comes in, and the few changes that make a hard one
//! readable. `ladder` calls them, rung by rung.

/// A grey picture as cameras give it: the Y plane of a YUV image, or any 8-bit greyscale.
#[derive(Debug, Clone, Copy)]
pub struct LumaFrame<'a> {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes from the start of one row to the start of the next: at least `width`.
    pub stride: usize,
    /// The rows, 0 is black; the last one may end after `width` bytes.
    pub bytes: &'a [u8],
}

/// A side is never longer: what a camera or an image file may bring, and no arithmetic overflows.
pub(super) const SIDE_MAX: usize = 16_384;

impl<'a> LumaFrame<'a> {
    /// The rows, or `None` where the sizes do not fit the bytes.
    fn rows(&self) -> Option<impl Iterator<Item = &'a [u8]>> {
        let (width, height, stride, bytes) = (self.width, self.height, self.stride, self.bytes);
        if width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX || stride < width {
            return None;
        }
        let needed = stride.checked_mul(height - 1)?.checked_add(width)?;
        let bytes = bytes.get(..needed)?;
        Some(bytes.chunks(stride).map(move |row| &row[..width]))
    }
}

/// A grey picture without gaps between its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Luma {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
}

impl Luma {
    /// Copies a frame, shrunk by a whole factor so that no side is longer than `side`. `None` where
    /// the frame's sizes do not fit its bytes, or nothing is left.
    pub(super) fn of_frame(frame: &LumaFrame<'_>, side: usize) -> Option<Self> {
        let factor = frame.width.max(frame.height).div_ceil(side.max(1)).max(1);
        let (width, height) = (frame.width / factor, frame.height / factor);
        if width == 0 || height == 0 {
            return None;
        }
        let mut rows = frame.rows()?;
        if factor == 1 {
            let mut pixels = Vec::with_capacity(width * height);
            rows.for_each(|row| pixels.extend_from_slice(row));
            return Some(Self { width, height, pixels });
        }
        let mut pixels = Vec::with_capacity(width * height);
        let mut sums = vec![0_u32; width];
        let area = u32::try_from(factor * factor).ok()?;
        for _ in 0..height {
            sums.fill(0);
            for row in rows.by_ref().take(factor) {
                for (sum, part) in sums.iter_mut().zip(row.chunks_exact(factor)) {
                    *sum += part.iter().map(|p| u32::from(*p)).sum::<u32>();
                }
            }
            // An average of bytes is a byte.
            pixels.extend(sums.iter().map(|sum| u8::try_from(sum / area).unwrap_or(u8::MAX)));
        }
        Some(Self { width, height, pixels })
    }

    /// The picture as a frame again.
    pub(super) fn as_frame(&self) -> LumaFrame<'_> {
        LumaFrame { width: self.width, height: self.height, stride: self.width, bytes: &self.pixels }
    }

    /// Half as wide and high, each pixel the mean of four: it takes noise, moiré and gaps away.
    pub(super) fn halved(&self) -> Option<Self> {
        let (width, height) = (self.width / 2, self.height / 2);
        if width == 0 || height == 0 {
            return None;
        }
        let mut pixels = Vec::with_capacity(width * height);
        for rows in self.pixels.chunks_exact(2 * self.width) {
            let (above, below) = rows.split_at(self.width);
            let fours = above.chunks_exact(2).zip(below.chunks_exact(2));
            let sum = |(a, b): (&[u8], &[u8])| a.iter().chain(b).map(|grey| u16::from(*grey)).sum::<u16>();
            // A mean of bytes is a byte.
            pixels.extend(fours.map(|four| u8::try_from(sum(four) / 4).unwrap_or(u8::MAX)));
        }
        Some(Self { width, height, pixels })
    }

    /// Twice as wide and high, for codes of one or two pixels a module.
    pub(super) fn doubled(&self) -> Self {
        let mut pixels = Vec::with_capacity(self.pixels.len() * 4);
        for row in self.pixels.chunks(self.width.max(1)) {
            let wide: Vec<u8> = row.iter().flat_map(|p| [*p, *p]).collect();
            pixels.extend_from_slice(&wide);
            pixels.extend_from_slice(&wide);
        }
        Self { width: self.width * 2, height: self.height * 2, pixels }
    }

    /// Each pixel the mean of the nine around it: against noise and the gaps between lines.
    pub(super) fn smoothed(&self) -> Self {
        let (width, height) = (self.width, self.height);
        let across = |row: &[u8]| -> Vec<u16> {
            (0..width)
                .map(|x| {
                    let (left, right) = (row[x.saturating_sub(1)], row[(x + 1).min(width - 1)]);
                    u16::from(left) + u16::from(row[x]) + u16::from(right)
                })
                .collect()
        };
        let sums: Vec<Vec<u16>> = self.pixels.chunks(width).map(across).collect();
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..height {
            let (above, here, below) = (&sums[y.saturating_sub(1)], &sums[y], &sums[(y + 1).min(height - 1)]);
            let means = above.iter().zip(here).zip(below).map(|((a, b), c)| (a + b + c) / 9);
            pixels.extend(means.map(|mean| u8::try_from(mean).unwrap_or(u8::MAX)));
        }
        Self { width, height, pixels }
    }

    /// The middle 98 % of the greys drawn out to black and white: against haze and dim screens.
    /// `None` where there is nothing to gain.
    pub(super) fn stretched(&self) -> Option<Self> {
        let mut counts = [0_usize; 256];
        self.pixels.iter().for_each(|p| counts[usize::from(*p)] += 1);
        let edge = self.pixels.len() / 100;
        let low = beyond(&counts, edge, 0..256);
        let high = beyond(&counts, edge, (0..256).rev());
        if high <= low || (low < 16 && high > 239) {
            return None;
        }
        let table: Vec<u8> = (0..256_usize)
            .map(|grey| u8::try_from(grey.saturating_sub(low) * 255 / (high - low)).unwrap_or(u8::MAX))
            .collect();
        let pixels = self.pixels.iter().map(|p| table[usize::from(*p)]).collect();
        Some(Self { width: self.width, height: self.height, pixels })
    }

    /// Dark for light: codes drawn light on dark.
    pub(super) fn inverted(&self) -> Self {
        let pixels = self.pixels.iter().map(|p| 255 - p).collect();
        Self { width: self.width, height: self.height, pixels }
    }
}

/// The first of `greys` by which more than `edge` pixels have been counted.
fn beyond(counts: &[usize; 256], edge: usize, mut greys: impl Iterator<Item = usize>) -> usize {
    let mut seen = 0;
    greys
        .find(|grey| {
            seen += counts[*grey];
            seen > edge
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, pixels: &[u8]) -> Luma {
        Luma { width, height: pixels.len() / width, pixels: pixels.to_vec() }
    }

    #[test]
    fn the_bytes_between_rows_are_not_pixels() {
        let frame = LumaFrame { width: 2, height: 2, stride: 3, bytes: &[1, 2, 99, 3, 4] };
        assert_eq!(Luma::of_frame(&frame, 100), Some(picture(2, &[1, 2, 3, 4])));
    }

    #[test]
    fn a_frame_whose_sizes_do_not_fit_its_bytes_is_refused() {
        let bytes = &[0; 12][..];
        for (width, height, stride) in [
            (0, 3, 4),
            (4, 0, 4),
            (4, 3, 3),
            (4, 4, 4),
            (5, 3, 5),
            (usize::MAX, 1, usize::MAX),
            (1, SIDE_MAX, usize::MAX),
        ] {
            let frame = LumaFrame { width, height, stride, bytes };
            assert_eq!(Luma::of_frame(&frame, 100), None, "{width} {height} {stride}");
        }
        assert!(Luma::of_frame(&LumaFrame { width: 4, height: 3, stride: 4, bytes }, 100).is_some());
    }

    #[test]
    fn shrinking_takes_the_mean_and_drops_what_is_over() {
        let wide = picture(5, &[0, 4, 10, 10, 99, 4, 0, 10, 10, 99]);
        assert_eq!(wide.halved(), Some(picture(2, &[2, 10])));
        assert_eq!(picture(5, &[0; 5]).halved(), None);
    }

    #[test]
    fn stretching_uses_the_whole_range_and_leaves_a_flat_picture_alone() {
        assert_eq!(picture(2, &[100, 150]).stretched(), Some(picture(2, &[0, 255])));
        assert_eq!(picture(2, &[100, 100]).stretched(), None);
    }

    #[test]
    fn smoothing_keeps_the_mean_and_a_single_pixel() {
        assert_eq!(picture(3, &[0, 0, 0, 0, 90, 0, 0, 0, 0]).smoothed().pixels[4], 10);
        assert_eq!(picture(1, &[7]).smoothed(), picture(1, &[7]));
    }
}
