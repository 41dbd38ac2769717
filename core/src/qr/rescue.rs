//! What a rung has found and could not read, read as a pairing QR: by what is known of one.
//!
//! `ladder` calls it with the finder patterns of a rung. A reader of all QRs traces edges to find
//! out the version; ours is 4 or 5, so the grid is fitted instead (`grid`), and each module judged by
//! its grey among its neighbours. What comes out counts only if it is a whole link.

use rxing::common::BitMatrix;
use rxing::qrcode::cpp_port::decoder;
use zeroize::Zeroizing;

use super::frame::Luma;
use super::grid::{Grid, Point};
use crate::link::Link;

/// Modules on a side of versions 4 and 5.
const SIZES: [usize; 2] = [33, 37];
/// How much of what its four neighbours add to a module's grey is taken off: nothing for a sharp
/// picture, more for a blurred one.
const SHARPENINGS: [f32; 3] = [0.0, 0.12, 0.22];
/// A module is compared with those so many modules around it.
const AROUND: usize = 4;

/// The link in the code whose finder patterns (top left, top right, bottom left) are at these
/// places, each about `width` pixels wide.
pub(super) fn rescue(picture: &Luma, finders: [Point; 3], width: f32) -> Option<Zeroizing<String>> {
    let [tl, tr, bl] = finders;
    let far = |a: Point, b: Point| Point { x: a.x - b.x, y: a.y - b.y }.length();
    let modules = (far(tl, tr) + far(tl, bl)) / 2.0 / (width / 7.0) + 7.0;
    if !(22.0..=55.0).contains(&modules) {
        return None;
    }
    // The likelier size first.
    let [small, large] = SIZES;
    let order = if modules < 35.0 { [small, large] } else { [large, small] };
    order.into_iter().find_map(|size| {
        let grid = Grid::fitted(picture, size, finders)?;
        let greys = grid.greys(picture);
        SHARPENINGS.into_iter().find_map(|sharpening| {
            let text = decode(&judged(&greys, size, sharpening)?)?;
            Link::parse(&text).is_ok().then_some(text)
        })
    })
}

/// The modules, dark where a module is darker than the mean of those around it.
fn judged(greys: &[f32], size: usize, sharpening: f32) -> Option<BitMatrix> {
    let at = |x: usize, y: usize| greys[y.min(size - 1) * size + x.min(size - 1)];
    let sharp: Vec<f32> = (0..size * size)
        .map(|index| {
            let (x, y) = (index % size, index / size);
            let around = at(x.saturating_sub(1), y) + at(x + 1, y) + at(x, y.saturating_sub(1)) + at(x, y + 1);
            at(x, y) * (1.0 + 4.0 * sharpening) - around * sharpening
        })
        .collect();
    let mut bits = BitMatrix::with_single_dimension(u32::try_from(size).ok()?).ok()?;
    for (index, value) in sharp.iter().enumerate() {
        let (x, y) = (index % size, index / size);
        let reach = |at: usize| at.saturating_sub(AROUND)..(at + AROUND + 1).min(size);
        let (mut sum, mut count) = (0.0, 0.0);
        for row in reach(y) {
            for near in &sharp[row * size..][reach(x)] {
                (sum, count) = (sum + near, count + 1.0);
            }
        }
        if *value < sum / count {
            bits.set(x as u32, y as u32);
        }
    }
    Some(bits)
}

fn decode(bits: &BitMatrix) -> Option<Zeroizing<String>> {
    let decoded = decoder::Decode(bits).ok()?;
    decoded.isValid().then(|| Zeroizing::new(decoded.text()))
}
