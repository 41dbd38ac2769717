//! Counting: what cargo's test output says, summed over binaries and layers. Used by [`crate::test`].

use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that were left out.
    pub skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Counts {
    /// Reads the line with which libtest ends each binary:
    /// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; …`.
    pub fn of_line(line: &str) -> Option<Self> {
        let line = without_colours(line);
        let (_, numbers) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let mut counts = Self::default();
        for part in numbers.split(';') {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => counts.passed = number.parse().ok()?,
                Some((number, "failed")) => counts.failed = number.parse().ok()?,
                Some((number, "ignored")) => counts.skipped = number.parse().ok()?,
                _ => {}
            }
        }
        Some(counts)
    }
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(letter);
        }
    }
    plain
}

/// How a layer went.
#[derive(Debug)]
pub enum Outcome {
    /// It ran; `complaint` is what went wrong beside the tests that failed (it did not build, …).
    Ran {
        /// Its tests.
        counts: Counts,
        /// What else went wrong.
        complaint: Option<String>,
    },
    /// It did not run, and why.
    NotRun(String),
}

/// The summary's text, and whether everything is well. `strict` makes a layer that did not run a failure.
pub fn text(outcomes: &[(&str, Outcome)], strict: bool) -> (String, bool) {
    let width = outcomes.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut total = Counts::default();
    let mut text = String::from("\nlayers\n");
    for (name, outcome) in outcomes {
        let line = match outcome {
            Outcome::Ran { counts, complaint } => {
                let mut counts = *counts;
                // A layer that went wrong without a failed test (it did not build) has failed all the same.
                if complaint.is_some() && counts.failed == 0 {
                    counts.failed = 1;
                }
                total += counts;
                let Counts { passed, failed, skipped } = counts;
                let complaint = complaint.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
                format!("{passed:>5} passed {failed:>4} failed {skipped:>4} skipped{complaint}")
            }
            Outcome::NotRun(why) => {
                total.failed += u64::from(strict);
                format!("*** NOT RUN *** {why}")
            }
        };
        text.push_str(&format!("  {name:<width$}  {line}\n"));
    }
    text.push_str(&format!("{} passed, {} failed\n", total.passed, total.failed));
    (text, total.failed == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Counts = Counts { passed: 12, failed: 0, skipped: 1 };

    #[test]
    fn the_last_line_of_a_test_binary_is_counted() {
        let line = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(Counts::of_line(line), Some(GOOD));
        let coloured = line.replace("ok", "\u{1b}[32mok\u{1b}(B\u{1b}[m");
        assert_eq!(Counts::of_line(&coloured), Some(GOOD));
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9s";
        assert_eq!(Counts::of_line(bad), Some(Counts { passed: 1, failed: 2, skipped: 0 }));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in ["", "running 5 tests", "test a ... ok", "test result: ok", "test result: ok. x passed; 1 failed"] {
            assert_eq!(Counts::of_line(line), None, "{line}");
        }
    }

    #[test]
    fn the_summary_ends_with_the_totals() {
        let ran = || Outcome::Ran { counts: GOOD, complaint: None };
        let (summary, well) = text(&[("core", ran()), ("server", ran())], true);
        assert!(well);
        assert_eq!(summary.lines().last(), Some("24 passed, 0 failed"));
    }

    #[test]
    fn a_layer_that_did_not_build_is_a_failure() {
        let broken = Outcome::Ran { counts: Counts::default(), complaint: Some("did not build".into()) };
        let (summary, well) = text(&[("core", broken)], false);
        assert!(!well);
        assert!(summary.contains("did not build"));
        assert_eq!(summary.lines().last(), Some("0 passed, 1 failed"));
    }

    #[test]
    fn a_layer_that_did_not_run_is_named_and_fails_in_ci_only() {
        let missing = || [("pake", Outcome::NotRun("no python".into()))];
        let (summary, well) = text(&missing(), false);
        assert!(well && summary.contains("pake") && summary.contains("NOT RUN"));
        let (summary, well) = text(&missing(), true);
        assert!(!well);
        assert_eq!(summary.lines().last(), Some("0 passed, 1 failed"));
    }
}
