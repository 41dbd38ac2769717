//! Camera frames of the pairing QR, made from a seed: what the QR reader is judged on.
//!
//! [`frame`] makes one, of the class that its number says. `scene` draws what is looked at, `camera`
//! looks. [`judge`] says what a reader made of it. The difficulty of each class is set here, once,
//! and was not changed after the reader was tuned (`docs/benchmarks.md`).

pub mod camera;
pub mod dice;
pub mod judge;
pub mod readers;
pub mod scene;

use std::f32::consts::{PI, TAU};

use camera::{HEIGHT, Lamp, View, WIDTH};
use dice::Dice;
use scene::Scene;

/// What is hard about a frame. Each has a little of everything else, as frames have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Held well: near, upright, sharp.
    Plain,
    /// At any angle.
    Turned,
    /// Seen from the side: 30 to 60 degrees, with the perspective of a near camera.
    Tilted,
    /// Small: 2.2 to 3.4 pixels to a module.
    Far,
    /// Out of focus: a Gaussian of 0.3 to 0.7 modules.
    Blurred,
    /// A moving hand: a line of 0.6 to 1.5 modules.
    Moved,
    /// A dark room: noise of 15 to 45 greys.
    Noisy,
    /// A slope of light, a shadow's edge across the code, or a reflection on it.
    Lit,
    /// Black and white 12 to 40 greys apart.
    Faint,
    /// A JPEG of quality 4 to 25.
    Jpeg,
    /// Light on dark.
    Inverted,
    /// Some of all of these at once.
    Mixed,
}

/// All of them, in the order of the frames' numbers.
pub const CLASSES: [Class; 12] = [
    Class::Plain,
    Class::Turned,
    Class::Tilted,
    Class::Far,
    Class::Blurred,
    Class::Moved,
    Class::Noisy,
    Class::Lit,
    Class::Faint,
    Class::Jpeg,
    Class::Inverted,
    Class::Mixed,
];

/// One frame: 1280×720 greys, and what is in them.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What is hard about it.
    pub class: Class,
    /// The rows, without gaps.
    pub pixels: Vec<u8>,
    /// What the QR in it holds.
    pub text: String,
}

/// The frame of that number from that seed.
pub fn frame(seed: u64, number: usize) -> Frame {
    let class = CLASSES[number % CLASSES.len()];
    let mut dice = Dice::of_frame(seed, number);
    let dice = &mut dice;
    let mixed = class == Class::Mixed;
    let inverted = class == Class::Inverted || (mixed && dice.percent(10));
    let scene = scene::scene(dice, inverted);
    let modules = scene.modules as f32 + 8.0;
    let side = match class {
        Class::Far => modules * dice.between(2.2, 3.4),
        Class::Mixed => modules * dice.between(3.2, 9.0),
        _ => dice.between(180.0, 520.0),
    };
    let turn = match class {
        Class::Turned => dice.between(0.0, TAU),
        Class::Mixed if dice.percent(50) => dice.between(0.0, TAU),
        _ => dice.between(-0.25, 0.25),
    };
    let tilt = match class {
        Class::Tilted => dice.between(30.0, 60.0),
        Class::Mixed => dice.between(0.0, 40.0),
        _ => dice.between(0.0, 18.0),
    };
    let view = place(dice, &scene, side, turn, tilt.to_radians());
    // Pixels to a module.
    let module = view.side / modules;
    let mut light = camera::project(dice, &scene, &view);
    let lamp = lamp(dice, class, &view);
    camera::illuminate(&mut light, &lamp);
    let blur = match class {
        Class::Blurred => module * dice.between(0.3, 0.7),
        Class::Mixed => module * dice.between(0.1, 0.35),
        _ => dice.between(0.5, 0.9),
    };
    camera::defocus(&mut light, blur.max(0.5));
    let path = match class {
        Class::Moved => module * dice.between(0.6, 1.5),
        Class::Mixed => module * dice.between(0.0, 0.6),
        _ => 0.0,
    };
    if path > 1.0 {
        camera::movement(&mut light, path, dice.between(0.0, PI));
    }
    let noise = match class {
        Class::Noisy => dice.between(15.0, 45.0),
        Class::Faint => dice.between(1.0, 3.0),
        Class::Mixed => dice.between(2.0, 12.0),
        _ => dice.between(1.0, 4.0),
    };
    let mut pixels = camera::digits(dice, &light, noise);
    match class {
        Class::Jpeg => pixels = camera::compressed(&pixels, 4 + dice.below(22) as u8),
        Class::Mixed if dice.percent(50) => pixels = camera::compressed(&pixels, 25 + dice.below(60) as u8),
        _ => {}
    }
    Frame { class, pixels, text: scene.text }
}

/// Somewhere in the frame, whole: a code that is cut off says nothing about a reader. One that is too
/// large for that is moved away.
fn place(dice: &mut Dice, scene: &Scene, side: f32, turn: f32, tilt: f32) -> View {
    let axis = dice.between(0.0, TAU);
    let mut view = View { side, turn, tilt, axis, offset: (0.0, 0.0) };
    for tried in 1.. {
        let reach = (WIDTH as f32 / 2.0, HEIGHT as f32 / 2.0);
        view.offset = (dice.between(-reach.0, reach.0), dice.between(-reach.1, reach.1));
        if camera::whole(&view, scene) {
            break;
        }
        if tried % 50 == 0 {
            view.side *= 0.95;
        }
    }
    view
}

fn lamp(dice: &mut Dice, class: Class, view: &View) -> Lamp {
    let greys = match class {
        Class::Faint => {
            let black = dice.between(30.0, 180.0);
            (black, black + dice.between(12.0, 40.0))
        }
        Class::Mixed => (dice.between(15.0, 90.0), dice.between(150.0, 235.0)),
        _ => (dice.between(10.0, 50.0), dice.between(150.0, 240.0)),
    };
    let hard = class == Class::Lit;
    let shade = match class {
        Class::Lit => dice.between(0.12, 0.4),
        Class::Mixed => dice.between(0.4, 0.9),
        _ => dice.between(0.8, 1.0),
    };
    let edge = hard && dice.percent(40);
    let glare = (hard && dice.percent(50)).then(|| {
        let reach = view.side * 0.4;
        let x = WIDTH as f32 / 2.0 + view.offset.0 + dice.between(-reach, reach);
        let y = HEIGHT as f32 / 2.0 + view.offset.1 + dice.between(-reach, reach);
        (x, y, view.side * dice.between(0.1, 0.4), dice.between(60.0, 200.0))
    });
    Lamp { greys, shade, from: dice.between(0.0, TAU), edge, glare }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_made_again_from_its_seed_and_number() {
        let (one, again) = (frame(5, 4), frame(5, 4));
        assert!(one.pixels == again.pixels && one.text == again.text && one.class == Class::Blurred);
        assert_eq!(one.pixels.len(), WIDTH * HEIGHT);
        assert!(frame(6, 4).pixels != one.pixels);
    }
}
