//! Bold, dim and loud, where the stream is a terminal that wants it; and what may be printed at all.

use std::io::IsTerminal;

/// Whether to colour. The QR does not ask: it needs its two colours to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    color: bool,
}

impl Style {
    /// No escape sequence at all, for tests.
    #[cfg(test)]
    pub const PLAIN: Self = Self { color: false };

    /// For a stream: colour on a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the
    /// terminal is dumb.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { color: stream.is_terminal() && !refused && !dumb_terminal() }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For what to look at first.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// For good news.
    pub fn good(self, text: &str) -> String {
        self.wrap("1;32", text)
    }

    /// For an alarm.
    pub fn loud(self, text: &str) -> String {
        self.wrap("1;37;41", text)
    }
}

/// Whether the terminal cannot move its cursor.
pub fn dumb_terminal() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Text from outside, safe to print: by the rules that the core keeps names by (no control
/// characters, nothing invisible, nothing that turns the direction of writing, one line).
pub fn printable(text: &str) -> String {
    pairpin_core::names::clean(text, usize::MAX).unwrap_or_default()
}

/// The text in quotes, for a sentence. None in it may end them, or it could go on as the sentence does.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text).replace('"', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        for hostile in ["\x1b[2J", "a\rb", "\u{202E}txt", "\u{9b}31m", "\x07", "a\nb"] {
            assert!(!printable(hostile).chars().any(|c| c.is_control() || c == '\u{202E}'), "{hostile:?}");
        }
        assert_eq!(printable("Ana's Pixel 9 é 手机"), "Ana's Pixel 9 é 手机");
        let forged = quoted("x\" as viewer from 10.0.0.9, check 1234");
        assert_eq!(forged.matches('"').count(), 2, "a name cannot end its quotation marks: {forged}");
    }

    #[test]
    fn plain_text_has_no_escape_sequences() {
        assert_eq!(Style::PLAIN.loud("x"), "x");
        assert!(Style { color: true }.loud("x").ends_with("\x1b[0m"));
    }
}
