//! A QR in a terminal: rows of text that read the same in every theme.
//!
//! The command line prints the rows and may put text beside them. With colours the code is always
//! black on white, by the two ends of the 256-colour cube (16 and 231), which themes leave alone.
//! Solid cells are painted as background, so that no gap between glyphs or lines can run through
//! them.

use super::encode::QrCode;

/// How modules become characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TerminalStyle {
    /// Two modules in a character, one above the other: 41 columns × 21 rows at version 4.
    HalfBlocks,
    /// One module in two characters: 82 columns × 41 rows at version 4.
    FullBlocks,
    /// As full blocks, with `##` for a dark module and spaces for a light one.
    Ascii,
}

/// What to say beside a QR without colours: nothing can force its light modules to be light then.
pub const PLAIN_NOTE: &str =
    "this QR has no colours: it scans where text is dark on a light background, else use --qr-format png";

/// Two cells with one of these are a row's pixels; `true` is dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Paint {
    foreground: bool,
    background: bool,
}

impl QrCode {
    /// The rows of the code with its quiet zone, one string each, without line ends.
    ///
    /// With `color`, black on white whatever the theme, and the colours are reset at the end of each
    /// row. Without, dark modules are ink and light ones nothing, which is right on a light
    /// background only: show [`PLAIN_NOTE`] beside it.
    pub fn render_terminal(&self, style: TerminalStyle, color: bool) -> Vec<String> {
        let size = self.full_size();
        match style {
            TerminalStyle::HalfBlocks => {
                // The last row's lower half lies outside the code: light, like the quiet zone.
                (0..size.div_ceil(2)).map(|row| self.half_row(2 * row, color)).collect()
            }
            TerminalStyle::FullBlocks => (0..size).map(|y| self.full_row(y, "██", color)).collect(),
            TerminalStyle::Ascii => (0..size).map(|y| self.full_row(y, "##", color)).collect(),
        }
    }

    fn half_row(&self, y: usize, color: bool) -> String {
        let mut row = Row::new(color);
        for x in 0..self.full_size() {
            match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                (upper, lower) if color && upper == lower => row.background(upper, " "),
                (upper, lower) if color => row.paint(Paint { foreground: lower, background: upper }, "▄"),
                (false, false) => row.plain(" "),
                (false, true) => row.plain("▄"),
                (true, false) => row.plain("▀"),
                (true, true) => row.plain("█"),
            }
        }
        row.finish()
    }

    fn full_row(&self, y: usize, ink: &str, color: bool) -> String {
        let mut row = Row::new(color);
        for x in 0..self.full_size() {
            match (self.is_dark(x, y), color) {
                (false, true) => row.background(false, "  "),
                // Black ink on black: the ASCII form stays readable as text when it is copied.
                (true, true) => row.paint(Paint { foreground: true, background: true }, ink),
                (false, false) => row.plain("  "),
                (true, false) => row.plain(ink),
            }
        }
        row.finish()
    }
}

/// A row being written; colours are set only where they change.
struct Row {
    text: String,
    color: bool,
    foreground: Option<bool>,
    background: Option<bool>,
}

impl Row {
    fn new(color: bool) -> Self {
        Self { text: String::new(), color, foreground: None, background: None }
    }

    fn plain(&mut self, cell: &str) {
        self.text.push_str(cell);
    }

    /// A cell that is all background: its foreground does not matter.
    fn background(&mut self, dark: bool, cell: &str) {
        if self.background != Some(dark) {
            self.background = Some(dark);
            self.text.push_str(if dark { "\x1b[48;5;16m" } else { "\x1b[48;5;231m" });
        }
        self.text.push_str(cell);
    }

    fn paint(&mut self, paint: Paint, cell: &str) {
        if self.foreground != Some(paint.foreground) {
            self.foreground = Some(paint.foreground);
            self.text.push_str(if paint.foreground { "\x1b[38;5;16m" } else { "\x1b[38;5;231m" });
        }
        self.background(paint.background, cell);
    }

    fn finish(mut self) -> String {
        if self.color {
            self.text.push_str("\x1b[0m");
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::PinPrefix;
    use crate::link::Link;
    use crate::secrets::OfferSecret;

    fn code() -> QrCode {
        let addresses = ["192.168.1.20", "100.64.0.7"].map(|host| host.parse().unwrap()).to_vec();
        let link = Link { pin: PinPrefix::from_bytes([9; 16]), secret: OfferSecret::from_bytes([8; 16]), addresses };
        QrCode::of_link(&link).unwrap()
    }

    /// Characters that take a column: the row without its colour sequences.
    fn columns(row: &str) -> usize {
        row.split('\x1b')
            .enumerate()
            .map(|(i, part)| if i == 0 { part } else { part.split_once('m').unwrap().1 })
            .map(|text| text.chars().count())
            .sum()
    }

    #[test]
    fn a_version_4_code_in_half_blocks_leaves_room_in_80_by_24() {
        for color in [true, false] {
            let rows = code().render_terminal(TerminalStyle::HalfBlocks, color);
            assert_eq!(rows.len(), 21);
            assert!(rows.iter().all(|row| columns(row) == 41));
        }
    }

    #[test]
    fn full_blocks_and_ascii_are_two_columns_a_module() {
        for style in [TerminalStyle::FullBlocks, TerminalStyle::Ascii] {
            for color in [true, false] {
                let rows = code().render_terminal(style, color);
                assert_eq!(rows.len(), 41);
                assert!(rows.iter().all(|row| columns(row) == 82));
            }
        }
    }

    #[test]
    fn a_coloured_row_sets_its_background_first_and_resets_last() {
        for style in [TerminalStyle::HalfBlocks, TerminalStyle::FullBlocks, TerminalStyle::Ascii] {
            for row in code().render_terminal(style, true) {
                assert!(row.starts_with("\x1b[48;5;231m") && row.ends_with("\x1b[0m"), "{row:?}");
                assert_eq!(row.matches("\x1b[0m").count(), 1);
            }
        }
    }

    #[test]
    fn ascii_without_colours_is_ascii() {
        let rows = code().render_terminal(TerminalStyle::Ascii, false);
        assert!(rows.iter().all(|row| row.bytes().all(|b| matches!(b, b'#' | b' '))));
        assert!(rows[4].starts_with("        ##############"));
    }
}
