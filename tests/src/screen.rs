//! A terminal of 80×24 as a program sees it: enough of ECMA-48 for what pairpin prints, and a
//! failure for everything else. [`crate::pty`] feeds it, [`crate::picture`] paints it.

/// A colour: the terminal's own, one of its palette of 256, or an exact one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// What the theme says.
    Default,
    /// One of 256.
    Indexed(u8),
    /// Red, green, blue.
    Exact(u8, u8, u8),
}

/// One place on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// What stands there.
    pub letter: char,
    /// Its colour.
    pub ink: Color,
    /// The colour behind it.
    pub paper: Color,
}

const EMPTY: Cell = Cell { letter: ' ', ink: Color::Default, paper: Color::Default };

/// The screen.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Letters in a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    cells: Vec<Cell>,
    row: usize,
    column: usize,
    pen: Cell,
    reverse: bool,
    saved: (usize, usize),
    pending: Vec<u8>,
    /// Rows that have scrolled out at the top.
    pub scrolled: usize,
    /// Sequences that this terminal does not know.
    pub unknown: Vec<String>,
}

impl Screen {
    /// An empty screen.
    pub fn new(columns: usize, rows: usize) -> Self {
        let cells = vec![EMPTY; columns * rows];
        Self {
            columns,
            rows,
            cells,
            row: 0,
            column: 0,
            pen: EMPTY,
            reverse: false,
            saved: (0, 0),
            pending: Vec::new(),
            scrolled: 0,
            unknown: Vec::new(),
        }
    }

    /// What stands at a place.
    pub fn cell(&self, row: usize, column: usize) -> Cell {
        self.cells.get(row * self.columns + column).copied().unwrap_or(EMPTY)
    }

    /// The screen's text, a line a row, spaces at the ends cut.
    pub fn text(&self) -> String {
        let row = |row: &[Cell]| row.iter().map(|cell| cell.letter).collect::<String>().trim_end().to_owned();
        self.cells.chunks(self.columns).map(row).collect::<Vec<_>>().join("\n")
    }

    /// Takes what a program wrote. Sequences may be cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let input = std::mem::take(&mut self.pending);
        let mut rest = input.as_slice();
        while let Some(taken) = self.step(rest) {
            rest = &rest[taken..];
        }
        self.pending = rest.to_vec();
    }

    /// Takes one letter or sequence; gives its length, `None` where it is not complete.
    fn step(&mut self, bytes: &[u8]) -> Option<usize> {
        match *bytes.first()? {
            b'\r' => self.column = 0,
            b'\n' => self.line_feed(),
            8 => self.column = self.column.saturating_sub(1),
            7 => {}
            0x1b => return self.escape(bytes),
            first if first < 0x80 => self.put(char::from(first)),
            first => {
                let length = if first >= 0xf0 {
                    4
                } else if first >= 0xe0 {
                    3
                } else {
                    2
                };
                let letter = std::str::from_utf8(bytes.get(..length)?).ok().and_then(|text| text.chars().next());
                self.put(letter.unwrap_or(char::REPLACEMENT_CHARACTER));
                return Some(length);
            }
        }
        Some(1)
    }

    fn escape(&mut self, bytes: &[u8]) -> Option<usize> {
        match *bytes.get(1)? {
            b'[' => {
                let end = bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte))? + 2;
                let parameters = String::from_utf8_lossy(&bytes[2..end]).into_owned();
                self.control(&parameters, bytes[end]);
                Some(end + 1)
            }
            b']' => {
                let end = bytes.iter().position(|byte| *byte == 7)?;
                Some(end + 1)
            }
            b'7' => {
                self.saved = (self.row, self.column);
                Some(2)
            }
            b'8' => {
                (self.row, self.column) = self.saved;
                Some(2)
            }
            other => {
                self.unknown.push(format!("ESC {}", char::from(other)));
                Some(2)
            }
        }
    }

    fn control(&mut self, parameters: &str, end: u8) {
        let numbers: Vec<usize> = parameters.split([';', ':']).map(|number| number.parse().unwrap_or(0)).collect();
        let first = numbers.first().copied().unwrap_or(0);
        let count = first.max(1);
        match end {
            b'A' => self.row = self.row.saturating_sub(count),
            b'B' => self.row = (self.row + count).min(self.rows - 1),
            b'C' => self.column = (self.column + count).min(self.columns - 1),
            b'D' => self.column = self.column.saturating_sub(count),
            b'E' => (self.row, self.column) = ((self.row + count).min(self.rows - 1), 0),
            b'F' => (self.row, self.column) = (self.row.saturating_sub(count), 0),
            b'G' => self.column = (count - 1).min(self.columns - 1),
            b'H' | b'f' => {
                let column = numbers.get(1).copied().unwrap_or(0).max(1) - 1;
                (self.row, self.column) = ((count - 1).min(self.rows - 1), column.min(self.columns - 1));
            }
            b'J' => match first {
                0 => self.clear(self.row * self.columns + self.column.min(self.columns), self.cells.len()),
                1 => self.clear(0, self.row * self.columns + self.column + 1),
                _ => self.clear(0, self.cells.len()),
            },
            b'K' => {
                let start = self.row * self.columns;
                match first {
                    0 => self.clear(start + self.column.min(self.columns), start + self.columns),
                    1 => self.clear(start, start + self.column + 1),
                    _ => self.clear(start, start + self.columns),
                }
            }
            b'm' => self.paint(&numbers),
            b's' => self.saved = (self.row, self.column),
            b'u' => (self.row, self.column) = self.saved,
            // Modes (a hidden cursor, no wrapping): nothing to see here.
            b'h' | b'l' => {}
            _ => self.unknown.push(format!("CSI {parameters}{}", char::from(end))),
        }
    }

    fn paint(&mut self, numbers: &[usize]) {
        let mut numbers = numbers.iter().copied();
        while let Some(number) = numbers.next() {
            match number {
                0 => (self.pen, self.reverse) = (EMPTY, false),
                7 => self.reverse = true,
                27 => self.reverse = false,
                1..=6 | 8..=9 | 21..=26 | 28..=29 => {}
                30..=37 => self.pen.ink = Color::Indexed((number - 30) as u8),
                90..=97 => self.pen.ink = Color::Indexed((number - 82) as u8),
                39 => self.pen.ink = Color::Default,
                40..=47 => self.pen.paper = Color::Indexed((number - 40) as u8),
                100..=107 => self.pen.paper = Color::Indexed((number - 92) as u8),
                49 => self.pen.paper = Color::Default,
                38 | 48 => {
                    let byte = |number: Option<usize>| number.unwrap_or(0) as u8;
                    let color = match numbers.next() {
                        Some(5) => Color::Indexed(byte(numbers.next())),
                        _ => Color::Exact(byte(numbers.next()), byte(numbers.next()), byte(numbers.next())),
                    };
                    if number == 38 { self.pen.ink = color } else { self.pen.paper = color }
                }
                other => self.unknown.push(format!("SGR {other}")),
            }
        }
    }

    fn put(&mut self, letter: char) {
        // As terminals do it: the last column is filled first, and wraps with the next letter.
        if self.column >= self.columns {
            self.column = 0;
            self.line_feed();
        }
        let Cell { ink, paper, .. } = self.pen;
        let (ink, paper) = if self.reverse { (paper, ink) } else { (ink, paper) };
        if let Some(cell) = self.cells.get_mut(self.row * self.columns + self.column) {
            *cell = Cell { letter, ink, paper };
        }
        self.column += 1;
    }

    fn line_feed(&mut self) {
        if self.row + 1 < self.rows {
            self.row += 1;
        } else {
            self.cells.drain(..self.columns);
            self.cells.extend(std::iter::repeat_n(EMPTY, self.columns));
            self.scrolled += 1;
        }
    }

    fn clear(&mut self, from: usize, to: usize) {
        let to = to.min(self.cells.len());
        if let Some(cells) = self.cells.get_mut(from..to) {
            cells.fill(EMPTY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_wrap_and_lines_scroll() {
        let mut screen = Screen::new(4, 2);
        screen.feed(b"abcdef\r\nxy");
        assert_eq!((screen.text().as_str(), screen.scrolled), ("ef\nxy", 1));
        let mut exact = Screen::new(4, 2);
        exact.feed(b"abcd\r\nxy");
        assert_eq!((exact.text().as_str(), exact.scrolled), ("abcd\nxy", 0));
    }

    #[test]
    fn colours_and_positions_are_followed_wherever_a_sequence_is_cut() {
        for cut in 0..40 {
            let bytes = "\x1b[2;2H\x1b[38;5;16;48;5;231m▀\x1b[0m.\x1b[1;1H\x1b[Kz".as_bytes();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut screen = Screen::new(4, 2);
            screen.feed(first);
            screen.feed(second);
            assert_eq!(screen.text(), "z\n ▀.");
            let cell = Cell { letter: '▀', ink: Color::Indexed(16), paper: Color::Indexed(231) };
            assert_eq!(screen.cell(1, 1), cell);
            assert_eq!(screen.unknown, Vec::<String>::new());
        }
    }
}
