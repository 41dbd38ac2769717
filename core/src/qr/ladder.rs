//! Reading a QR from a grey picture: the quickest way first, then what rescues hard frames.
//!
//! The phones call [`decode_luma`] for every camera frame, `file` for a whole image. The order is
//! measured (`docs/decisions/qr-versions.md`): most frames are read by the first rung, and each
//! further one is there since it adds frames. Everything a hostile picture could drive up is counted
//! and bounded: pixels, finder patterns, tries.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rxing::common::cpp_essentials::ConcentricPattern;
use rxing::common::{BitMatrix, DetectorRXingResult as _};
use rxing::qrcode::cpp_port::{decoder, detector};
use zeroize::Zeroizing;

use super::frame::{Luma, LumaFrame};
use super::grid::Point;
use super::{rescue, second_reader, threshold};
use crate::link::SCHEME;

/// Frames are shrunk to this many pixels a side: a QR of a tenth of that is still readable.
const FRAME_SIDE: usize = 1600;
/// Below this, halving loses modules rather than noise.
const HALVING_MIN: usize = 300;
/// Finder patterns looked at in a picture; a QR has three, a picture full of them is an attack.
const PATTERNS_MAX: usize = 64;
/// Sets of three finder patterns tried in a picture, the most plausible first.
const TRIES_MAX: usize = 48;
/// Sets that are fitted as a pairing QR on a rung where none was read: each takes a millisecond.
const RESCUES: usize = 3;

/// Reads the QR in a camera frame, if there is a readable one: dark on light or light on dark, at
/// any angle. With several, one that holds a pairpin link wins.
///
/// `None` as well for a frame whose sizes do not fit its bytes. It blocks for some milliseconds,
/// longer where nothing is found: call it off the thread that draws.
pub fn decode_luma(frame: &LumaFrame<'_>) -> Option<Zeroizing<String>> {
    climb(&Luma::of_frame(frame, FRAME_SIDE)?)
}

/// The rungs, on a picture of a size that the caller has bounded.
pub(super) fn climb(picture: &Luma) -> Option<Zeroizing<String>> {
    let half = if picture.width.min(picture.height) >= HALVING_MIN { picture.halved() } else { None };
    let rung = |picture: &Luma| read(picture, RESCUES);
    half.as_ref()
        .and_then(rung)
        .or_else(|| rung(picture))
        .or_else(|| rung(&half.as_ref()?.inverted()))
        .or_else(|| rung(&picture.inverted()))
        .or_else(|| rung(&half.as_ref()?.smoothed()))
        .or_else(|| rung(&half.as_ref()?.stretched()?))
        .or_else(|| rung(&picture.smoothed()))
        .or_else(|| rung(&picture.stretched()?))
        .or_else(|| second_reader::rungs(picture))
}

/// One rung: a local threshold, finder patterns, and the sets of three of them that may be a QR.
fn read(picture: &Luma, rescues: usize) -> Option<Zeroizing<String>> {
    fenced(|| read_matrix(picture, &threshold::dark(picture)?, rescues))
}

fn read_matrix(picture: &Luma, matrix: &BitMatrix, rescues: usize) -> Option<Zeroizing<String>> {
    let mut patterns = detector::FindFinderPatterns(matrix, true, 0);
    // The largest first: a code that is meant to be scanned is not among the small ones.
    patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.size));
    patterns.truncate(PATTERNS_MAX);
    let mut other = None;
    let sets = detector::GenerateFinderPatternSets(&mut patterns);
    for set in sets.iter().take(TRIES_MAX) {
        let Ok(sampled) = detector::SampleQR(matrix, set) else { continue };
        let Ok(decoded) = decoder::Decode(sampled.getBits()) else { continue };
        if !decoded.isValid() {
            continue;
        }
        let text = Zeroizing::new(decoded.text());
        if is_ours(&text) {
            return Some(text);
        }
        other = other.or(Some(text));
    }
    let rescued = sets.iter().take(rescues).find_map(|set| {
        let place = |pattern: &ConcentricPattern| Point { x: pattern.p.x, y: pattern.p.y };
        let width = (set.tl.size + set.tr.size + set.bl.size) as f32 / 3.0;
        rescue::rescue(picture, [place(&set.tl), place(&set.tr), place(&set.bl)], width)
    });
    rescued.or(other)
}

pub(super) fn is_ours(text: &str) -> bool {
    text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// The readers are other people's code with assertions in it: one that fails on a strange picture
/// must cost that rung and not the daemon or the app. The panic hook still prints its line.
pub(super) fn fenced<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}
