//! Where the modules of a pairing QR lie in a picture: a projection that is fitted to what every
//! such code shows.
//!
//! `rescue` calls it with the middles of three finder patterns that a rung has found. Edges are not
//! traced: in a blurred or noisy picture there are none. Instead a projection is judged by how far
//! the light and the dark modules that do not depend on the text lie apart under it, and moved until
//! they do best.

use super::frame::Luma;

/// A place in a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f32,
    pub(super) y: f32,
}

impl Point {
    fn moved(self, by: Self, times: f32) -> Self {
        Self { x: self.x + by.x * times, y: self.y + by.y * times }
    }

    fn minus(self, other: Self) -> Self {
        self.moved(other, -1.0)
    }

    pub(super) fn length(self) -> f32 {
        self.x.hypot(self.y)
    }
}

/// From the middle of a finder pattern to the nearest two edges of the code, in modules.
const MIDDLE: f32 = 3.5;
/// How far the fourth corner is looked for around where it would be without perspective, and in
/// what steps, in modules.
const SEARCH: i32 = 12;
const STEP: f32 = 0.8;
/// Light and dark must lie this far apart (greys), or this is no code.
const CONTRAST_MIN: f32 = 3.0;

/// The modules of a code as a picture shows them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// Modules on a side.
    pub(super) size: usize,
    /// The middles of the finder patterns, clockwise from the top left, and of the one that would
    /// be at the bottom right.
    corners: [Point; 4],
}

impl Grid {
    /// The grid of `size` modules whose finder patterns are at these places, as it fits best.
    /// `None` where the picture shows no such code there.
    pub(super) fn fitted(picture: &Luma, size: usize, finders: [Point; 3]) -> Option<Self> {
        let [tl, tr, bl] = finders;
        let span = size as f32 - 2.0 * MIDDLE;
        let (right, down) = (tr.minus(tl), bl.minus(tl));
        let parallel = tr.moved(down, 1.0);
        let mut best = Self { size, corners: [tl, tr, parallel, bl] };
        let few = landmarks(size, false);
        let mut score = f32::MIN;
        for i in -SEARCH..=SEARCH {
            for j in -SEARCH..=SEARCH {
                let corner = parallel.moved(right, i as f32 * STEP / span).moved(down, j as f32 * STEP / span);
                let grid = Self { size, corners: [tl, tr, corner, bl] };
                let now = grid.contrast(picture, &few);
                if now > score {
                    (best, score) = (grid, now);
                }
            }
        }
        if score < CONTRAST_MIN {
            return None;
        }
        let all = landmarks(size, true);
        let mut score = best.contrast(picture, &all);
        for part in [0.5, 0.25, 0.12] {
            // Bounded: each turn but the last makes the score better.
            for _ in 0..3 {
                let before = score;
                for corner in 0..4 {
                    for (direction, times) in [(right, part), (right, -part), (down, part), (down, -part)] {
                        let mut grid = best;
                        grid.corners[corner] = grid.corners[corner].moved(direction, times / span);
                        let now = grid.contrast(picture, &all);
                        if now > score {
                            (best, score) = (grid, now);
                        }
                    }
                }
                if score <= before {
                    break;
                }
            }
        }
        (score >= CONTRAST_MIN).then_some(best)
    }

    /// The greys of all modules, row by row: each the mean of five places in it.
    pub(super) fn greys(&self, picture: &Luma) -> Vec<f32> {
        let projection = self.projection();
        let near = [(0.0, 0.0), (0.2, 0.0), (-0.2, 0.0), (0.0, 0.2), (0.0, -0.2)];
        let module = |index: usize| {
            let (x, y) = ((index % self.size) as f32 + 0.5, (index / self.size) as f32 + 0.5);
            near.iter().map(|(dx, dy)| grey(picture, projection.place(x + dx, y + dy))).sum::<f32>() / 5.0
        };
        (0..self.size * self.size).map(module).collect()
    }

    /// How much lighter the light landmarks are than the dark ones, in greys.
    fn contrast(&self, picture: &Luma, landmarks: &[Landmark]) -> f32 {
        let projection = self.projection();
        let (mut light, mut dark, mut lights) = (0.0, 0.0, 0.0);
        for mark in landmarks {
            let value = grey(picture, projection.place(mark.x, mark.y));
            if mark.light {
                (light, lights) = (light + value, lights + 1.0);
            } else {
                dark += value;
            }
        }
        light / lights - dark / (landmarks.len() as f32 - lights)
    }

    /// The projection of a square onto four points.
    fn projection(&self) -> Projection {
        let [tl, tr, br, bl] = self.corners;
        let (right, down) = (tr.minus(br), bl.minus(br));
        let slant = Point { x: tl.x - tr.x + br.x - bl.x, y: tl.y - tr.y + br.y - bl.y };
        let area = right.x * down.y - down.x * right.y;
        let g = (slant.x * down.y - down.x * slant.y) / area;
        let h = (right.x * slant.y - slant.x * right.y) / area;
        Projection {
            x: [tr.x - tl.x + g * tr.x, bl.x - tl.x + h * bl.x, tl.x],
            y: [tr.y - tl.y + g * tr.y, bl.y - tl.y + h * bl.y, tl.y],
            away: [g, h],
            span: self.size as f32 - 2.0 * MIDDLE,
        }
    }
}

struct Projection {
    x: [f32; 3],
    y: [f32; 3],
    away: [f32; 2],
    span: f32,
}

impl Projection {
    fn place(&self, x: f32, y: f32) -> Point {
        let (u, v) = ((x - MIDDLE) / self.span, (y - MIDDLE) / self.span);
        let away = self.away[0] * u + self.away[1] * v + 1.0;
        let along = |row: &[f32; 3]| (row[0] * u + row[1] * v + row[2]) / away;
        Point { x: along(&self.x), y: along(&self.y) }
    }
}

/// The grey at a place, between those of the four pixels around it; outside of the picture that of
/// its edge. What is no number is a place, too.
fn grey(picture: &Luma, at: Point) -> f32 {
    let (right, bottom) = ((picture.width - 1) as f32, (picture.height - 1) as f32);
    let (x, y) = ((at.x - 0.5).clamp(0.0, right), (at.y - 0.5).clamp(0.0, bottom));
    let (left, top) = (x as usize, y as usize);
    let (fx, fy) = (x - left as f32, y - top as f32);
    let (next, below) = (usize::from(left + 1 < picture.width), usize::from(top + 1 < picture.height));
    let first = top * picture.width + left;
    let second = first + below * picture.width;
    let pixel = |index: usize| picture.pixels.get(index).map_or(0.0, |grey| f32::from(*grey));
    let above = pixel(first) + (pixel(first + next) - pixel(first)) * fx;
    let under = pixel(second) + (pixel(second + next) - pixel(second)) * fx;
    above + (under - above) * fy
}

/// The middle of a module that is the same in every code of this size.
struct Landmark {
    x: f32,
    y: f32,
    light: bool,
}

/// The alignment pattern and the timing rows; with `finders` the finder patterns as well.
fn landmarks(size: usize, finders: bool) -> Vec<Landmark> {
    let mut marks = Vec::new();
    let mut mark =
        |x: usize, y: usize, light: bool| marks.push(Landmark { x: x as f32 + 0.5, y: y as f32 + 0.5, light });
    for along in 8..size - 8 {
        mark(along, 6, along % 2 == 1);
        mark(6, along, along % 2 == 1);
    }
    for (dx, dy) in (0..25).map(|i| (i % 5, i / 5)) {
        let ring = [dx, dy].iter().any(|d| [0, 4].contains(d));
        mark(size - 9 + dx, size - 9 + dy, !ring && (dx, dy) != (2, 2));
    }
    if finders {
        for (left, top) in [(0, 0), (size - 7, 0), (0, size - 7)] {
            for (dx, dy) in (0..49).map(|i| (i % 7, i / 7)) {
                let ring = [dx, dy].iter().any(|d| [0, 6].contains(d));
                let core = (2..5).contains(&dx) && (2..5).contains(&dy);
                mark(left + dx, top + dy, !ring && !core);
            }
        }
    }
    marks
}
