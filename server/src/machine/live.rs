//! A block of lines at the bottom of the terminal that is redrawn in place: only the lines that
//! changed, so that a QR on a slow connection does not flicker.
//!
//! Everything printed while the block stands must go through it. Used by `serve` and `pair`.

use std::io::{self, IsTerminal as _, Write};

use super::logging;
use super::screen::{Screen, Size, wrap};
use crate::exit::Failure;
use crate::output::style::{Style, dumb_terminal};
use crate::platform::terminal_size;

/// What stands on the terminal now.
#[derive(Debug, Default)]
pub struct LiveBlock {
    drawn: Vec<String>,
    size: Option<Size>,
}

impl LiveBlock {
    /// Draws these lines in place of the last ones. They must fit `size` with a row to spare.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, out: &mut impl Write, lines: Vec<String>, size: Size) -> io::Result<()> {
        let resized = self.size.is_some_and(|old| old != size);
        let mut text = String::new();
        if resized {
            // The terminal has wrapped or cut the old lines; nothing about their places is known.
            text.push_str("\x1b[2J\x1b[H");
            self.drawn.clear();
        }
        if self.drawn.len() == lines.len() {
            for (index, line) in lines.iter().enumerate().filter(|(index, line)| self.drawn[*index] != **line) {
                let up = lines.len() - index;
                text.push_str(&format!("\x1b[{up}A\r\x1b[2K{line}\x1b[{up}B\r"));
            }
        } else {
            text.push_str(&self.erase());
            for line in &lines {
                text.push_str(&whole(line));
            }
        }
        self.drawn = lines;
        self.size = Some(size);
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints lines for good, above the block.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn above(&mut self, out: &mut impl Write, lines: &[String]) -> io::Result<()> {
        let mut text = self.erase();
        for line in lines.iter().chain(&self.drawn) {
            text.push_str(&whole(line));
        }
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn erase(&self) -> String {
        if self.drawn.is_empty() { String::new() } else { format!("\x1b[{}A\r\x1b[J", self.drawn.len()) }
    }
}

/// A line of its own. It is cleared before it is written: clearing behind a line that fills the
/// terminal would take its last letter.
fn whole(line: &str) -> String {
    format!("\x1b[2K{line}\r\n")
}

/// Standard output as a stage for one [`Screen`].
#[derive(Debug)]
pub struct Stage {
    block: LiveBlock,
    style: Style,
}

impl Stage {
    /// Where stdout is a terminal that can move its cursor.
    pub fn of_stdout() -> Option<Self> {
        let fits = io::stdout().is_terminal() && !dumb_terminal();
        fits.then(|| {
            logging::hold();
            Self { block: LiveBlock::default(), style: Style::of(&io::stdout()) }
        })
    }

    /// Shows the screen at the terminal's present size.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn show(&mut self, screen: &Screen) -> Result<(), Failure> {
        let held = logging::take();
        if !held.is_empty() {
            self.block.above(&mut io::stdout().lock(), &held)?;
        }
        let size = size();
        Ok(self.block.draw(&mut io::stdout().lock(), screen.lines(size, self.style), size)?)
    }

    /// Says something loud that stays above the screen.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn alarm(&mut self, text: &str) -> Result<(), Failure> {
        let width = size().columns.saturating_sub(1);
        let lines: Vec<String> = wrap(text, width).iter().map(|line| self.style.loud(line)).collect();
        Ok(self.block.above(&mut io::stdout().lock(), &lines)?)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        logging::release();
    }
}

fn size() -> Size {
    let (columns, rows) = terminal_size(io::stdout()).unwrap_or((80, 24));
    Size { columns, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 80, rows: 24 };

    /// As much of a terminal as the block uses.
    fn terminal(bytes: &[u8]) -> Vec<String> {
        let (mut rows, mut row, mut column) = (vec![String::new()], 0usize, 0usize);
        let text = std::str::from_utf8(bytes).unwrap();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\r' => column = 0,
                '\n' => {
                    row += 1;
                    rows.resize(rows.len().max(row + 1), String::new());
                }
                '\x1b' => {
                    assert_eq!(rest.next(), Some('['));
                    let mut number = String::new();
                    while rest.peek().unwrap().is_ascii_digit() {
                        number.push(rest.next().unwrap());
                    }
                    let number = number.parse().unwrap_or(0);
                    match rest.next().unwrap() {
                        'A' => row -= number,
                        'B' => row += number,
                        'K' => rows[row] = rows[row].chars().take(column).collect(),
                        'J' if number == 0 => {
                            rows.truncate(row + 1);
                            rows[row] = rows[row].chars().take(column).collect();
                        }
                        'J' => rows = vec![String::new()],
                        'H' => (row, column) = (0, 0),
                        other => panic!("{other}"),
                    }
                }
                c => {
                    let mut line: Vec<char> = rows[row].chars().collect();
                    line.resize(line.len().max(column + 1), ' ');
                    line[column] = c;
                    rows[row] = line.into_iter().collect();
                    column += 1;
                }
            }
        }
        rows
    }

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn redrawing_replaces_what_stood_there() {
        let (mut block, mut out) = (LiveBlock::default(), Vec::new());
        block.draw(&mut out, lines(&["qr one", "0:02 left", "end"]), SIZE).unwrap();
        block.draw(&mut out, lines(&["qr one", "0:01", "end"]), SIZE).unwrap();
        assert_eq!(terminal(&out), ["qr one", "0:01", "end", ""]);
        block.draw(&mut out, lines(&["shorter"]), SIZE).unwrap();
        assert_eq!(terminal(&out), ["shorter", ""]);
        block.draw(&mut out, lines(&["a", "b"]), Size { columns: 70, rows: 24 }).unwrap();
        assert_eq!(terminal(&out), ["a", "b", ""]);
    }

    #[test]
    fn what_has_not_changed_is_not_sent_again() {
        let (mut block, mut out) = (LiveBlock::default(), Vec::new());
        block.draw(&mut out, lines(&["qr", "0:02"]), SIZE).unwrap();
        out.clear();
        block.draw(&mut out, lines(&["qr", "0:01"]), SIZE).unwrap();
        assert!(!String::from_utf8(out).unwrap().contains("qr"));
    }

    #[test]
    fn an_alarm_stays_above_the_block() {
        let (mut block, mut out) = (LiveBlock::default(), Vec::new());
        block.draw(&mut out, lines(&["qr", "0:02"]), SIZE).unwrap();
        block.above(&mut out, &lines(&["ALARM"])).unwrap();
        block.draw(&mut out, lines(&["qr", "0:01"]), SIZE).unwrap();
        assert_eq!(terminal(&out), ["ALARM", "qr", "0:01", ""]);
    }
}
