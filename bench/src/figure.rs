//! A row of the table: a figure, its floor, its bar.

use std::fmt::Write as _;

/// Which side of the bar is good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// Exactly this: a count.
    Exactly(f64),
    /// Told for its own sake.
    None,
}

/// One thing that was measured.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What.
    pub subject: String,
    /// How much.
    pub value: f64,
    /// In what.
    pub unit: &'static str,
    /// From where to where single measurements go.
    pub spread: Option<(f64, f64)>,
    /// The floor, in the same unit, and what it is.
    pub floor: Option<(f64, &'static str)>,
    /// What must hold.
    pub bar: Bar,
    /// Why it could not be measured, where it could not.
    pub not_run: Option<String>,
}

impl Figure {
    /// A figure without a floor or a bar.
    pub fn new(subject: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { subject: subject.into(), value, unit, spread: None, floor: None, bar: Bar::None, not_run: None }
    }

    /// One that could not be measured.
    pub fn not_run(subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { not_run: Some(why.into()), ..Self::new(subject, f64::NAN, "") }
    }

    /// With its floor.
    pub fn floor(mut self, value: f64, what: &'static str) -> Self {
        self.floor = Some((value, what));
        self
    }

    /// With its spread.
    pub fn spread(mut self, least: f64, most: f64) -> Self {
        self.spread = Some((least, most));
        self
    }

    /// With its bar.
    pub fn bar(mut self, bar: Bar) -> Self {
        self.bar = bar;
        self
    }

    /// Whether the bar is met; `None` where there is none. What could not be measured meets nothing.
    pub fn met(&self) -> Option<bool> {
        if self.not_run.is_some() {
            return Some(false);
        }
        match self.bar {
            Bar::AtMost(bar) => Some(self.value <= bar),
            Bar::AtLeast(bar) => Some(self.value >= bar),
            Bar::Exactly(bar) => Some(self.value == bar),
            Bar::None => None,
        }
    }
}

/// The table in Markdown.
pub fn table(figures: &[Figure]) -> String {
    let mut text = "| subject | figure | spread | floor in the same run | ratio | bar | met |\n".to_owned();
    text.push_str("|---|---|---|---|---|---|---|\n");
    for figure in figures {
        if let Some(why) = &figure.not_run {
            let _ = writeln!(text, "| {} | not measured: {why} | | | | | no |", figure.subject);
            continue;
        }
        let spread =
            figure.spread.map(|(least, most)| format!("{} to {}", number(least), number(most))).unwrap_or_default();
        let floor = figure.floor.map(|(floor, what)| format!("{} ({what})", number(floor))).unwrap_or_default();
        let ratio = figure.floor.map(|(floor, _)| format!("{:.2}", figure.value / floor)).unwrap_or_default();
        let bar = match figure.bar {
            Bar::AtMost(bar) => format!("at most {}", number(bar)),
            Bar::AtLeast(bar) => format!("at least {}", number(bar)),
            Bar::Exactly(bar) => number(bar),
            Bar::None => String::new(),
        };
        let met = match figure.met() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let value = format!("{} {}", number(figure.value), figure.unit);
        let subject = &figure.subject;
        let _ = writeln!(text, "| {subject} | {} | {spread} | {floor} | {ratio} | {bar} | {met} |", value.trim());
    }
    text
}

/// Three digits that matter.
fn number(value: f64) -> String {
    let digits = if value == value.trunc() || value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_met_or_not_and_what_did_not_run_meets_none() {
        let figure = Figure::new("x", 2.0, "ms");
        assert_eq!(figure.clone().bar(Bar::AtMost(2.0)).met(), Some(true));
        assert_eq!(figure.clone().bar(Bar::AtLeast(2.1)).met(), Some(false));
        assert_eq!(figure.clone().bar(Bar::Exactly(3.0)).met(), Some(false));
        assert_eq!(figure.met(), None);
        assert_eq!(Figure::not_run("x", "no root").bar(Bar::AtMost(9.0)).met(), Some(false));
        assert_eq!(Figure::new("x", f64::NAN, "ms").bar(Bar::AtMost(9.0)).met(), Some(false));
    }

    #[test]
    fn the_table_has_a_row_for_each_with_its_ratio() {
        let text = table(&[Figure::new("x", 3.0, "ms").floor(2.0, "y").spread(2.5, 123.4).bar(Bar::AtMost(5.0))]);
        assert!(text.ends_with("| x | 3 ms | 2.50 to 123 | 2 (y) | 1.50 | at most 5 | yes |\n"), "{text}");
    }
}
