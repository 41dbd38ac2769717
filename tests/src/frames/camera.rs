//! A camera: where it stands, and what it and the light do to the picture. Used by [`super::frame`],
//! in the order in which light goes: perspective, illumination, lens, movement, sensor, file.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};

use super::dice::Dice;
use super::scene::Scene;

/// Pixels in a row of a frame.
pub const WIDTH: usize = 1280;
/// Rows of a frame.
pub const HEIGHT: usize = 720;
/// Focal length in pixels: a view of 60 degrees across, as phones have.
const FOCAL: f32 = 1108.0;

/// Where the camera stands.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Width of the QR with its quiet zone, in pixels of the frame, seen without tilt.
    pub side: f32,
    /// How far it is turned in its plane, in radians.
    pub turn: f32,
    /// How far its plane is tilted, in radians.
    pub tilt: f32,
    /// About which axis, in radians.
    pub axis: f32,
    /// Where its middle is in the frame, in pixels from the frame's middle.
    pub offset: (f32, f32),
}

/// A picture of light, before it is digits: 0 is black, 255 white.
pub type Light = Vec<f32>;

/// Whether the code is in the frame with its quiet zone.
pub fn whole(view: &View, scene: &Scene) -> bool {
    let map = from_scene(view, scene);
    let half = scene.side / 2.0;
    [(-half, -half), (half, -half), (half, half), (-half, half)].into_iter().all(|(u, v)| {
        let [x, y, z] = map.map(|row| row[0] * u + row[1] * v + row[2]);
        z > 0.0 && (x / z * FOCAL).abs() < WIDTH as f32 / 2.0 && (y / z * FOCAL).abs() < HEIGHT as f32 / 2.0
    })
}

/// From the scene's pixels, counted from the code's middle, to rays of the camera.
fn from_scene(view: &View, scene: &Scene) -> [[f32; 3]; 3] {
    let (sin, cos) = view.turn.sin_cos();
    let (ax, ay) = (view.axis.cos(), view.axis.sin());
    let (st, ct) = view.tilt.sin_cos();
    // The rotation about an axis in the plane of the picture, after the turn in that plane.
    let tilt = [
        [ct + ax * ax * (1.0 - ct), ax * ay * (1.0 - ct)],
        [ax * ay * (1.0 - ct), ct + ay * ay * (1.0 - ct)],
        [-ay * st, ax * st],
    ];
    let column = |x: f32, y: f32| [0, 1, 2].map(|row| tilt[row][0] * x + tilt[row][1] * y);
    // Units: a scene's pixel is one; the plane is as far away as makes the code `side` wide.
    let (right, down) = (column(cos, sin), column(-sin, cos));
    let away = FOCAL * scene.side / view.side;
    let middle = [view.offset.0 / FOCAL * away, view.offset.1 / FOCAL * away, away];
    [0, 1, 2].map(|row| [right[row], down[row], middle[row]])
}

fn inverse(m: [[f32; 3]; 3]) -> [[f32; 3]; 3] {
    let minor = |a: usize, b: usize, c: usize, d: usize| m[a][b] * m[c][d] - m[a][d] * m[c][b];
    let det = m[0][0] * minor(1, 1, 2, 2) - m[0][1] * minor(1, 0, 2, 2) + m[0][2] * minor(1, 0, 2, 1);
    [
        [minor(1, 1, 2, 2) / det, -minor(0, 1, 2, 2) / det, minor(0, 1, 1, 2) / det],
        [-minor(1, 0, 2, 2) / det, minor(0, 0, 2, 2) / det, -minor(0, 0, 1, 2) / det],
        [minor(1, 0, 2, 1) / det, -minor(0, 0, 2, 1) / det, minor(0, 0, 1, 1) / det],
    ]
}

/// The scene as it falls on the sensor, with a cluttered desk around it.
pub fn project(dice: &mut Dice, scene: &Scene, view: &View) -> Light {
    let map = inverse(from_scene(view, scene));
    let desk = Desk::new(dice);
    let (wide, high) = (scene.picture.width() as f32, scene.picture.height() as f32);
    let at = |x: f32, y: f32| {
        let ray = [(x - WIDTH as f32 / 2.0) / FOCAL, (y - HEIGHT as f32 / 2.0) / FOCAL, 1.0];
        let [u, v, w] = map.map(|row| row[0] * ray[0] + row[1] * ray[1] + row[2] * ray[2]);
        (u / w + scene.center.0, v / w + scene.center.1, w > 0.0)
    };
    let mut light = Vec::with_capacity(WIDTH * HEIGHT);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let (u, v, seen) = at(x as f32 + 0.5, y as f32 + 0.5);
            let near = |at: f32, end: f32| (-8.0..end + 8.0).contains(&at);
            if !(seen && near(u, wide) && near(v, high)) {
                light.push(desk.grey(x, y));
                continue;
            }
            // A pixel is an area: the mean of nine places in it.
            let mut sum = 0.0;
            for part in 0..9 {
                let (dx, dy) = ((part % 3) as f32 / 3.0 + 1.0 / 6.0, (part / 3) as f32 / 3.0 + 1.0 / 6.0);
                let (u, v, _) = at(x as f32 + dx, y as f32 + dy);
                let inside = u >= 0.0 && v >= 0.0 && u < wide && v < high;
                sum +=
                    if inside { f32::from(scene.picture.get_pixel(u as u32, v as u32).0[0]) } else { desk.grey(x, y) };
            }
            light.push(sum / 9.0);
        }
    }
    light
}

/// What lies around: a surface of slowly changing grey, and things with edges on it.
struct Desk {
    grid: Vec<f32>,
    things: Vec<(f32, f32, f32, f32, f32, f32)>,
}

/// Pixels between the points of the surface's grid.
const GRAIN: usize = 80;

impl Desk {
    fn new(dice: &mut Dice) -> Self {
        let base = dice.between(40.0, 190.0);
        let grid = (0..(WIDTH / GRAIN + 2) * (HEIGHT / GRAIN + 2)).map(|_| base + dice.between(-35.0, 35.0)).collect();
        let things = (0..dice.below(16))
            .map(|_| {
                (
                    dice.between(0.0, WIDTH as f32),
                    dice.between(0.0, HEIGHT as f32),
                    dice.between(4.0, 120.0),
                    dice.between(4.0, 60.0),
                    dice.between(0.0, std::f32::consts::PI),
                    dice.between(5.0, 250.0),
                )
            })
            .collect();
        Self { grid, things }
    }

    fn grey(&self, x: usize, y: usize) -> f32 {
        for (cx, cy, a, b, angle, grey) in &self.things {
            let (dx, dy) = (x as f32 - cx, y as f32 - cy);
            let (sin, cos) = angle.sin_cos();
            if (dx * cos + dy * sin).abs() < *a && (dy * cos - dx * sin).abs() < *b {
                return *grey;
            }
        }
        let across = WIDTH / GRAIN + 2;
        let (gx, gy) = (x / GRAIN, y / GRAIN);
        let (fx, fy) = ((x % GRAIN) as f32 / GRAIN as f32, (y % GRAIN) as f32 / GRAIN as f32);
        let point = |dx: usize, dy: usize| self.grid[(gy + dy) * across + gx + dx];
        let above = point(0, 0) * (1.0 - fx) + point(1, 0) * fx;
        above * (1.0 - fy) + (point(0, 1) * (1.0 - fx) + point(1, 1) * fx) * fy
    }
}

/// How the scene is lit and how far its greys lie apart.
#[derive(Debug, Clone, Copy)]
pub struct Lamp {
    /// What black and white become.
    pub greys: (f32, f32),
    /// What is left of the light on the dark side of the frame, of 1.
    pub shade: f32,
    /// Where the light comes from, in radians.
    pub from: f32,
    /// Whether its edge is a shadow's rather than a slope.
    pub edge: bool,
    /// A reflection: its middle in pixels, its radius, and how much it adds.
    pub glare: Option<(f32, f32, f32, f32)>,
}

/// Lights a picture.
pub fn illuminate(light: &mut Light, lamp: &Lamp) {
    let (sin, cos) = lamp.from.sin_cos();
    let reach = WIDTH as f32 / 2.0 * cos.abs() + HEIGHT as f32 / 2.0 * sin.abs();
    for (index, value) in light.iter_mut().enumerate() {
        let (x, y) = ((index % WIDTH) as f32, (index / WIDTH) as f32);
        let along = ((x - WIDTH as f32 / 2.0) * cos + (y - HEIGHT as f32 / 2.0) * sin) / reach;
        let share = if lamp.edge { (along * 20.0).clamp(-1.0, 1.0) } else { along };
        let factor = lamp.shade + (1.0 - lamp.shade) * (share + 1.0) / 2.0;
        let (black, white) = lamp.greys;
        *value = (black + *value / 255.0 * (white - black)) * factor;
        if let Some((gx, gy, radius, strength)) = lamp.glare {
            let distance = (x - gx).hypot(y - gy) / radius;
            *value += strength * (-distance * distance).exp();
        }
    }
}

/// A lens out of focus: a Gaussian of so many pixels.
pub fn defocus(light: &mut Light, sigma: f32) {
    let reach = (sigma * 3.0).ceil() as usize;
    let weights: Vec<f32> =
        (0..=2 * reach).map(|i| (-((i as f32 - reach as f32) / sigma).powi(2) / 2.0).exp()).collect();
    let sum: f32 = weights.iter().sum();
    let mut row = vec![0.0; WIDTH.max(HEIGHT)];
    let mut pass = |start: usize, step: usize, length: usize| {
        for (at, blurred) in row[..length].iter_mut().enumerate() {
            let mut total = 0.0;
            for (tap, weight) in weights.iter().enumerate() {
                let from = (at + tap).saturating_sub(reach).min(length - 1);
                total += weight * light[start + from * step];
            }
            *blurred = total / sum;
        }
        (0..length).for_each(|at| light[start + at * step] = row[at]);
    };
    (0..HEIGHT).for_each(|y| pass(y * WIDTH, 1, WIDTH));
    (0..WIDTH).for_each(|x| pass(x, WIDTH, HEIGHT));
}

/// A hand that moves: a line of so many pixels in that direction.
pub fn movement(light: &mut Light, length: f32, direction: f32) {
    let (sin, cos) = direction.sin_cos();
    let steps = (length * 2.0).ceil().max(2.0) as usize;
    let places: Vec<(i32, i32, f32, f32)> = (0..steps)
        .map(|step| {
            let along = (step as f32 / (steps - 1) as f32 - 0.5) * length;
            let (x, y) = (along * cos, along * sin);
            (x.floor() as i32, y.floor() as i32, x - x.floor(), y - y.floor())
        })
        .collect();
    let still = light.clone();
    let get = |x: i32, y: i32| {
        let (x, y) = (x.clamp(0, WIDTH as i32 - 1) as usize, y.clamp(0, HEIGHT as i32 - 1) as usize);
        still[y * WIDTH + x]
    };
    for (index, value) in light.iter_mut().enumerate() {
        let (x, y) = ((index % WIDTH) as i32, (index / WIDTH) as i32);
        let sum: f32 = places
            .iter()
            .map(|(dx, dy, fx, fy)| {
                let (x, y) = (x + dx, y + dy);
                let above = get(x, y) * (1.0 - fx) + get(x + 1, y) * fx;
                above * (1.0 - fy) + (get(x, y + 1) * (1.0 - fx) + get(x + 1, y + 1) * fx) * fy
            })
            .sum();
        *value = sum / steps as f32;
    }
}

/// The sensor: noise that grows with the light, and bytes.
pub fn digits(dice: &mut Dice, light: &Light, noise: f32) -> Vec<u8> {
    // Drawn from a row made once: a logarithm for each pixel is most of the time.
    let normal: Vec<f32> = (0..8192).map(|_| dice.normal()).collect();
    let mut state = dice.draw();
    light
        .iter()
        .map(|value| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let shot = noise * (0.6 + 0.4 * (value.max(0.0) / 128.0).sqrt());
            (value + shot * normal[(state >> 51) as usize]).round().clamp(0.0, 255.0) as u8
        })
        .collect()
}

/// What a JPEG of that quality leaves.
///
/// # Panics
/// Never: the picture is in memory.
pub fn compressed(pixels: &[u8], quality: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let (width, height) = (WIDTH as u32, HEIGHT as u32);
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode(pixels, width, height, ExtendedColorType::L8)
        .unwrap_or_else(|error| panic!("{error}"));
    let back = image::load_from_memory_with_format(&file, ImageFormat::Jpeg);
    back.unwrap_or_else(|error| panic!("{error}")).into_luma8().into_raw()
}
