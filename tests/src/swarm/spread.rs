//! What was measured, and how far it spreads.

use std::fmt;
use std::time::Duration;

/// Measurements of one thing, in any unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spread(Vec<f64>);

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }
}

impl Spread {
    /// Of durations, in milliseconds.
    pub fn of_ms(times: impl IntoIterator<Item = Duration>) -> Self {
        times.into_iter().map(|time| time.as_secs_f64() * 1e3).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value that this share of all (0 to 1) does not exceed; not a number where there are none.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.clamp(1, self.0.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// All but one in a hundred are at most this.
    pub fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    /// The smallest.
    pub fn least(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The largest.
    pub fn most(&self) -> f64 {
        self.quantile(1.0)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, p99) = (self.median(), self.p99());
        write!(f, "median {median:.2}, p99 {p99:.2}, most {:.2} of {}", self.most(), self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let spread: Spread = (1..=200).rev().map(f64::from).collect();
        assert_eq!((spread.least(), spread.median(), spread.p99(), spread.most()), (1.0, 100.0, 198.0, 200.0));
        assert!(Spread::default().p99().is_nan());
    }
}
