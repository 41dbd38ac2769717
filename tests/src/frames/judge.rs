//! What a reader made of the frames, by class: read, not read, read wrongly; and in what time.
//!
//! The bench and the short test in CI judge with this, and so do their controls.

use std::fmt;
use std::time::Duration;

use super::{CLASSES, Class};

/// What became of one frame.
#[derive(Debug, Clone, Copy)]
struct Result {
    class: Class,
    read: bool,
    wrong: bool,
    time: Duration,
}

/// The results of one reader.
#[derive(Debug, Clone)]
pub struct Judge {
    /// The reader.
    pub name: &'static str,
    results: Vec<Result>,
}

impl Judge {
    /// A judge of that reader.
    pub fn of(name: &'static str) -> Self {
        Self { name, results: Vec::new() }
    }

    /// Judges an answer. Only the very text counts as read, any other is a wrong read.
    pub fn take(&mut self, class: Class, text: &str, answer: Option<&str>, time: Duration) {
        let read = answer == Some(text);
        self.results.push(Result { class, read, wrong: answer.is_some() && !read, time });
    }

    /// Frames judged.
    pub fn frames(&self) -> usize {
        self.results.len()
    }

    /// Frames read.
    pub fn read(&self) -> usize {
        self.results.iter().filter(|result| result.read).count()
    }

    /// Frames in which another text was read.
    pub fn wrong(&self) -> usize {
        self.results.iter().filter(|result| result.wrong).count()
    }

    /// The share of frames read, in percent.
    pub fn rate(&self) -> f64 {
        100.0 * self.read() as f64 / self.frames().max(1) as f64
    }

    /// Frames of a class, and how many of them were read.
    pub fn of_class(&self, class: Class) -> (usize, usize) {
        let of = || self.results.iter().filter(|result| result.class == class);
        (of().count(), of().filter(|result| result.read).count())
    }

    /// The time in which so many of a hundred frames were done, read or not.
    pub fn time(&self, percent: usize) -> Duration {
        Self::percentile(self.results.iter().map(|result| result.time).collect(), percent)
    }

    /// The same among the frames that were read, or those that were not.
    pub fn time_where(&self, read: bool, percent: usize) -> Duration {
        let times = self.results.iter().filter(|result| result.read == read).map(|result| result.time).collect();
        Self::percentile(times, percent)
    }

    fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
        times.sort();
        let place = (times.len() * percent).div_ceil(100).max(1) - 1;
        times.get(place).copied().unwrap_or_default()
    }

    /// A reader is good that read at least so many of a hundred and nothing wrongly.
    ///
    /// # Errors
    /// It is not; the text says in what.
    pub fn verdict(&self, percent: f64) -> std::result::Result<(), String> {
        if self.frames() == 0 {
            return Err(format!("{}: no frame was judged", self.name));
        }
        if self.wrong() > 0 {
            return Err(format!("{}: another text was read in {} frames", self.name, self.wrong()));
        }
        if self.rate() < percent {
            return Err(format!("{}: {:.1} % of the frames were read, the bar is {percent} %", self.name, self.rate()));
        }
        Ok(())
    }
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(
            f,
            "{:<22} {:>5} of {} read ({:.1} %), {} wrong; {:.2} ms median, {:.2} p90, {:.2} p99, {:.2} at most; \
             read {:.2} median, not read {:.2} median",
            self.name,
            self.read(),
            self.frames(),
            self.rate(),
            self.wrong(),
            ms(self.time(50)),
            ms(self.time(90)),
            ms(self.time(99)),
            ms(self.time(100)),
            ms(self.time_where(true, 50)),
            ms(self.time_where(false, 50)),
        )
    }
}

/// A table of frames read by class, a column for each reader.
pub fn table(judges: &[&Judge]) -> String {
    let mut text = format!("{:<10}{:>7}", "class", "frames");
    judges.iter().for_each(|judge| text.push_str(&format!("  {:>20}", judge.name)));
    for class in CLASSES {
        let frames = judges.first().map_or(0, |judge| judge.of_class(class).0);
        text.push_str(&format!("\n{:<10}{frames:>7}", format!("{class:?}").to_lowercase()));
        judges.iter().for_each(|judge| text.push_str(&format!("  {:>20}", judge.of_class(class).1)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_text_counts_and_any_other_is_wrong() {
        let mut judge = Judge::of("reader");
        assert!(judge.verdict(0.0).is_err_and(|why| why.contains("no frame")));
        judge.take(Class::Plain, "a", Some("a"), Duration::from_millis(1));
        judge.take(Class::Plain, "a", None, Duration::from_millis(3));
        assert!((judge.read(), judge.wrong(), judge.of_class(Class::Plain)) == (1, 0, (2, 1)));
        assert!(judge.verdict(50.0).is_ok() && judge.verdict(51.0).is_err());
        judge.take(Class::Far, "a", Some("b"), Duration::from_millis(2));
        assert!(judge.verdict(1.0).is_err_and(|why| why.contains("another text was read in 1 frames")));
        assert!((judge.time(50), judge.time(100)) == (Duration::from_millis(2), Duration::from_millis(3)));
    }
}
