//! The last rungs: an independent reader (rqrr), which reads some frames that the first one does not.
//!
//! Its search tries all pairs of neighbours for every finder pattern and copies the picture each
//! time, so it is given small pictures only, and none with more candidates than a QR needs.

use rqrr::PreparedImage;
use zeroize::Zeroizing;

use super::frame::Luma;
use super::ladder::{fenced, is_ours};

/// The picture is shrunk to this many pixels a side.
const SIDE: usize = 800;
/// Places that look like a finder pattern along a row, at most. A code has three, and its data looks
/// like some more.
const CANDIDATES_MAX: usize = 24;

/// Its rungs: as it is, smoothed, and that inverted. Smoothed it reads what the first reader does
/// not at all: `##` in a terminal without colours.
pub(super) fn rungs(picture: &Luma) -> Option<Zeroizing<String>> {
    let small = Luma::of_frame(&picture.as_frame(), SIDE)?;
    let smooth = small.smoothed();
    fenced(|| read(&small)).or_else(|| fenced(|| read(&smooth))).or_else(|| fenced(|| read(&smooth.inverted())))
}

/// The text of the QR in the picture, one of ours before any other.
fn read(picture: &Luma) -> Option<Zeroizing<String>> {
    let (width, height) = (picture.width, picture.height);
    let mut image = PreparedImage::prepare_from_greyscale(width, height, |x, y| picture.pixels[y * width + x]);
    // 1 is what the reader calls black.
    if candidates(width, height, |x, y| image.get_pixel_at(x, y) == 1) > CANDIDATES_MAX {
        return None;
    }
    let mut other = None;
    for grid in image.detect_grids() {
        let Ok((_, text)) = grid.decode().map(|(meta, text)| (meta, Zeroizing::new(text))) else { continue };
        if is_ours(&text) {
            return Some(text);
        }
        other = other.or(Some(text));
    }
    other
}

/// Counts places where runs of dark, light, dark, light, dark are as 1 to 1 to 3 to 1 to 1, by the
/// reader's own tolerance; hits in neighbouring rows are one place.
fn candidates(width: usize, height: usize, dark: impl Fn(usize, usize) -> bool) -> usize {
    let mut places = 0;
    let mut above: Vec<usize> = Vec::new();
    for y in 0..height {
        let mut here = Vec::new();
        let (mut runs, mut last, mut start) = ([0_usize; 5], dark(0, y), 0);
        for x in 1..=width {
            let now = x < width && dark(x, y);
            if now == last && x < width {
                continue;
            }
            runs.rotate_left(1);
            runs[4] = x - start;
            if last && looks_like_a_finder(&runs) {
                here.push(x - runs[4] - runs[3] - runs[2] / 2);
            }
            (last, start) = (now, x);
        }
        places += here.iter().filter(|x| !above.iter().any(|a| a.abs_diff(**x) <= 2)).count();
        above = here;
    }
    places
}

fn looks_like_a_finder(runs: &[usize; 5]) -> bool {
    let mean = (runs[0] + runs[1] + runs[3] + runs[4]) / 4;
    let slack = mean * 3 / 4;
    runs[0] > 0 && runs.iter().zip([1, 1, 3, 1, 1]).all(|(run, parts)| run.abs_diff(parts * mean) <= slack && mean > 0)
}
