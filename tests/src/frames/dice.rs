//! Chance that repeats: every frame is a function of its seed. Used by all of [`super`].

use crate::chance::Chance;

/// What a frame draws from its chance.
#[derive(Debug, Clone)]
pub struct Dice(Chance);

impl Dice {
    /// The dice of one frame of a seed.
    pub fn of_frame(seed: u64, frame: usize) -> Self {
        let mut dice = Self(Chance::of(seed ^ (frame as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93)));
        // Neighbouring seeds begin alike.
        dice.draw();
        dice.draw();
        dice
    }

    /// Sixty-four random bits.
    pub fn draw(&mut self) -> u64 {
        self.0.draw()
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.draw() >> 40) as f32 / 16_777_216.0)
    }

    /// A whole number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.draw()) * end as u128) >> 64) as usize
    }

    /// True so often in a hundred.
    pub fn percent(&mut self, often: usize) -> bool {
        self.below(100) < often
    }

    /// A normally distributed number: mean 0, deviation 1.
    pub fn normal(&mut self) -> f32 {
        let (radius, angle) = (self.between(1e-7, 1.0), self.between(0.0, std::f32::consts::TAU));
        (-2.0 * radius.ln()).sqrt() * angle.cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_frame_say_everything() {
        let row = |seed, frame| {
            let mut dice = Dice::of_frame(seed, frame);
            (0..4).map(|_| dice.draw()).collect::<Vec<_>>()
        };
        assert_eq!(row(1, 1), row(1, 1));
        assert!(row(1, 1) != row(1, 2) && row(1, 1) != row(2, 1));
    }

    #[test]
    fn numbers_stay_in_their_range_and_the_normal_ones_have_their_mean_and_deviation() {
        let mut dice = Dice::of_frame(3, 0);
        assert!((0..1000).all(|_| (2.0..=5.0).contains(&dice.between(2.0, 5.0)) && dice.below(7) < 7));
        let row: Vec<f32> = (0..20_000).map(|_| dice.normal()).collect();
        let mean = row.iter().sum::<f32>() / row.len() as f32;
        let spread = (row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / row.len() as f32).sqrt();
        assert!(mean.abs() < 0.03 && (spread - 1.0).abs() < 0.03, "{mean} {spread}");
    }
}
