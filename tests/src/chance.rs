//! Chance that can be repeated: everything random in a test comes from one seed, which is printed.

use std::env;
use std::time::{Duration, SystemTime};

/// A stream of random numbers from a seed (the SplitMix64 generator).
#[derive(Debug, Clone)]
pub struct Chance {
    /// The seed, for who wants to see the same again.
    pub seed: u64,
    state: u64,
}

impl Chance {
    /// The stream of a seed.
    pub fn of(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// The stream of `PAIRPIN_SEED`, or of a fresh seed where that is not set.
    ///
    /// # Panics
    /// It is set and no number.
    pub fn from_environment() -> Self {
        let fresh = || SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64 % 1_000_000_007);
        Self::of(number("PAIRPIN_SEED").unwrap_or_else(fresh))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.draw() % end.max(1) as u64) as usize
    }

    /// A time from nothing to `whole`.
    pub fn time(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.draw() as f64 / u64::MAX as f64)
    }
}

/// A number in the environment, if it is set.
///
/// # Panics
/// It is set to something else.
pub fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_always_the_same_stream_and_another_seed_another() {
        let stream = |seed| {
            let mut chance = Chance::of(seed);
            (0..64).map(|_| chance.draw()).collect::<Vec<_>>()
        };
        assert_eq!(stream(7), stream(7));
        assert_ne!(stream(7), stream(8));
        let mut chance = Chance::of(7);
        let times: Vec<_> = (0..1000).map(|_| chance.time(Duration::from_secs(1))).collect();
        assert!(times.iter().all(|time| *time <= Duration::from_secs(1)));
        assert!((0..10).all(|tenth| times.iter().any(|time| (time.as_secs_f64() * 10.0) as usize == tenth)));
    }
}
