//! Text from a machine, made fit for a person's screen.
//!
//! A machine is trusted with what it may do, not with the terminal: control characters, line breaks
//! and characters that reorder text are taken out before anything is stored or shown.

use crate::clock::UnixMillis;
use crate::wire::limits;

/// One line of at most [`limits::NAME`] visible characters.
pub(super) fn shown(text: &str) -> String {
    let visible = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !unfit(*c));
    let line: String = visible.collect();
    line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").chars().take(limits::NAME).collect()
}

/// Control characters, and those that hide or reorder what stands beside them.
fn unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The name of a machine, never empty.
pub(super) fn name(text: &str) -> String {
    let name = shown(text);
    if name.is_empty() { "machine".to_owned() } else { name }
}

/// The day of a time, UTC, as 2026-01-31 (civil-from-days, Howard Hinnant's algorithm).
pub(super) fn day(at: UnixMillis) -> String {
    let days = at.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_or_reorders_text_survives() {
        assert_eq!(shown("home\u{1b}[2Jbox\r\n\u{202e}evil\u{0}"), "home[2Jbox evil");
        assert_eq!(name(" \u{200b} "), "machine");
        assert_eq!(shown(&"x".repeat(500)).len(), limits::NAME);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (at, day_text) in [
            (0, "1970-01-01"),
            (951_782_400_000, "2000-02-29"),
            (1_767_139_200_000, "2025-12-31"),
            (-1, "1969-12-31"),
            (4_107_542_400_000, "2100-03-01"),
        ] {
            assert_eq!(day(at), day_text);
        }
    }
}
