//! The offer's screen: link, QR, code and countdown in one picture. A pure function of what is to
//! be shown and the terminal's size; `live` puts it on the terminal.
//!
//! The link comes first, on lines of its own, so that it can be copied; the rest stands beside the
//! QR. With a version 4 QR in half blocks all of it fits 80×24.

use crate::output::style::Style;
use crate::output::width::{clip, columns, take};

/// The narrowest text beside a QR.
const BESIDE: usize = 26;
/// Columns between the QR and the text.
const GAP: usize = 2;
/// What the rows of letters are.
const FINGERPRINT: &str = "key fingerprint";

/// A terminal's columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

/// What stands in the countdown's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Waiting, or something is going on.
    Open(String),
    /// It went well.
    Good(String),
    /// It is over without a device.
    Over(String),
}

/// Everything that the screen shows. Texts from outside are printable already.
#[derive(Debug, Clone)]
pub struct Screen {
    /// The machine's name.
    pub machine: String,
    /// Its key fingerprint.
    pub fingerprint: String,
    /// Where it can be reached, with the kind of network, best first.
    pub addresses: Vec<(String, &'static str)>,
    /// Something to know about the addresses.
    pub warning: Option<String>,
    /// The offer's link.
    pub link: Option<String>,
    /// The QR's rows, drawn.
    pub qr: Vec<String>,
    /// Whether there ought to be a QR.
    pub wants_qr: bool,
    /// The typed code.
    pub code: Option<String>,
    /// The role that the offer gives.
    pub role: &'static str,
    /// Countdown or outcome.
    pub standing: Standing,
    /// What the person does next.
    pub how: Vec<String>,
}

impl Screen {
    /// The lines to draw: never more than `rows - 1`, each at most `columns - 1` wide, so that
    /// nothing wraps and the cursor has a line of its own. The link alone may fill its line: with two
    /// IPv4 addresses it has 80 letters, and one line is easier to copy than two.
    pub fn lines(&self, size: Size, style: Style) -> Vec<String> {
        let (width, height) = (size.columns.saturating_sub(1).max(1), size.rows.saturating_sub(1).max(1));
        let link = self.link.as_deref().map(|link| chunks(link, size.columns.max(1))).unwrap_or_default();
        let qr_width = self.qr.iter().map(|row| visible_width(row)).max().unwrap_or(0);
        let room = height.saturating_sub(link.len());
        let mut lines = link.clone();
        if self.qr.is_empty() || qr_width > width || self.qr.len() > room {
            if self.wants_qr {
                lines.extend(wrap(&self.too_small(size, qr_width), width));
            }
            let left = height.saturating_sub(lines.len());
            lines.extend(self.text(width, left, style));
        } else if qr_width + GAP + BESIDE <= width {
            let text = self.text(width - qr_width - GAP, room, style);
            for row in 0..self.qr.len().max(text.len()) {
                let qr = self.qr.get(row).cloned().unwrap_or_else(|| " ".repeat(qr_width));
                let beside = text.get(row).map(String::as_str).unwrap_or_default();
                let gap = if beside.is_empty() { "" } else { &" ".repeat(GAP) };
                lines.push(format!("{qr}{gap}{beside}"));
            }
        } else {
            lines.extend(self.qr.iter().cloned());
            lines.extend(self.text(width, room - self.qr.len(), style));
        }
        lines.truncate(height);
        lines
    }

    fn too_small(&self, size: Size, qr_width: usize) -> String {
        if self.qr.is_empty() {
            return "no QR here, use `pairpin pair --qr-format png --qr-out qr.png`".into();
        }
        let columns = qr_width + GAP + BESIDE + 1;
        let link = self.link.as_deref().map_or(0, |link| chunks(link, columns).len());
        let rows = self.qr.len() + link + 1;
        format!(
            "the QR needs a terminal of {columns}x{rows}, this one is {}x{}: enlarge it, or run `pairpin pair \
             --qr-format png --qr-out qr.png`",
            size.columns, size.rows
        )
    }

    /// The text beside or below the QR, in at most `height` lines. What matters least goes first
    /// when there is no room: some addresses, the hint, the blank lines, the fingerprint, all addresses.
    fn text(&self, width: usize, height: usize, style: Style) -> Vec<String> {
        let mut addresses: Vec<String> = self.addresses.iter().map(|(text, kind)| format!("{text}  {kind}")).collect();
        let mut how: Vec<String> = self.how.iter().flat_map(|line| wrap(line, width)).collect();
        if !matches!(self.standing, Standing::Open(_)) {
            how.clear();
        }
        let one_line = format!("{FINGERPRINT}  {}", self.fingerprint);
        let mut fingerprint = if columns(&one_line) <= width {
            vec![one_line]
        } else {
            // Two rows of four groups, as on a device's screen.
            [vec![FINGERPRINT.to_owned()], wrap(&self.fingerprint, 19.min(width))].concat()
        };
        let warning = self.warning.as_deref().map(|text| wrap(text, width)).unwrap_or_default();
        let standing = self.standing_lines(width, style);
        let fixed = 2 + warning.len() + standing.len() + usize::from(self.code.is_some());
        let mut blanks = 3;
        let total = |how: &[String], addresses: &[String], fingerprint: &[String], blanks: usize| {
            fixed + how.len() + addresses.len() + fingerprint.len() + blanks
        };
        let excess = total(&how, &addresses, &fingerprint, blanks).saturating_sub(height);
        if excess > 0 && addresses.len() > 2 {
            let keep = addresses.len().saturating_sub(excess + 1).max(1);
            let hidden = addresses.len() - keep;
            addresses.truncate(keep);
            addresses.push(format!("and {hidden} more: pairpin status"));
        }
        if total(&how, &addresses, &fingerprint, blanks) > height {
            how.clear();
        }
        if total(&how, &addresses, &fingerprint, blanks) > height {
            blanks = 0;
        }
        if total(&how, &addresses, &fingerprint, blanks) > height {
            fingerprint.clear();
        }
        if total(&how, &addresses, &fingerprint, blanks) > height {
            addresses.clear();
        }
        let plain = |lines: Vec<String>| lines.into_iter().map(|line| clip(&line, width)).collect::<Vec<_>>();
        let blank = || if blanks > 0 { vec![String::new()] } else { Vec::new() };
        let mut lines = vec![style.bold(&clip(&self.machine, width))];
        lines.extend(plain(fingerprint));
        lines.extend(blank());
        lines.extend(plain(addresses));
        lines.extend(warning);
        lines.extend(blank());
        if let Some(code) = &self.code {
            let fits = "code ".len() + columns(code) <= width;
            let code = format!("code {}", if fits { style.bold(code) } else { code.clone() });
            lines.push(if fits { code } else { clip(&code, width) });
        }
        lines.push(clip(&format!("role {}", self.role), width));
        lines.extend(standing);
        if !how.is_empty() {
            lines.extend(blank());
            lines.extend(how);
        }
        lines.truncate(height);
        lines
    }

    fn standing_lines(&self, width: usize, style: Style) -> Vec<String> {
        let (text, paint): (_, fn(Style, &str) -> String) = match &self.standing {
            Standing::Open(text) => (text, |_, line| line.to_owned()),
            Standing::Good(text) => (text, Style::good),
            Standing::Over(text) => (text, Style::bold),
        };
        wrap(text, width).iter().map(|line| paint(style, line)).collect()
    }
}

/// The columns a drawn line takes: its characters without colour sequences.
pub fn visible_width(line: &str) -> usize {
    let mut characters = line.chars();
    let mut width = 0;
    while let Some(c) = characters.next() {
        if c == '\x1b' {
            // CSI: parameters up to a final byte (ECMA-48 section 5.4).
            let _ = characters.by_ref().skip(1).find(|c| ('@'..='~').contains(c));
        } else {
            width += columns(c.encode_utf8(&mut [0; 4]));
        }
    }
    width
}

/// Cuts a word without spaces into lines.
fn chunks(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        // At least one letter a line, also where a wide one does not fit.
        let line = match take(rest, width) {
            "" => &rest[..first.len_utf8()],
            line => line,
        };
        lines.push(line.to_owned());
        rest = &rest[line.len()..];
    }
    lines
}

/// Breaks a text into lines at spaces; a longer word is cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        for (index, piece) in chunks(word, width).into_iter().enumerate() {
            match lines.last_mut() {
                Some(line) if index == 0 && columns(line) + 1 + columns(&piece) <= width => {
                    line.push(' ');
                    line.push_str(&piece);
                }
                _ => lines.push(piece),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(qr: (usize, usize), addresses: usize) -> Screen {
        let row = format!("\x1b[38;5;16;48;5;231m{}\x1b[0m", "█".repeat(qr.0));
        Screen {
            machine: "homebox".into(),
            fingerprint: ["ABCD"; 8].join(" "),
            addresses: (0..addresses).map(|n| (format!("192.168.100.{n}:7747"), "tailnet")).collect(),
            warning: None,
            link: Some(format!("pairpin:{}", "A".repeat(76))),
            qr: vec![row; qr.1],
            wants_qr: true,
            code: Some("1234 5678".into()),
            role: "owner",
            standing: Standing::Open("expires in 1:58".into()),
            how: vec![
                "scan it with the Pairpin app, or on another computer:".into(),
                "pairpin join 192.168.100.1 --code".into(),
            ],
        }
    }

    #[test]
    fn a_version_4_qr_and_everything_else_fit_80_by_24() {
        for addresses in [1, 3, 12] {
            let lines = screen((41, 21), addresses).lines(Size { columns: 80, rows: 24 }, Style::PLAIN);
            assert!(lines.len() <= 23 && lines.iter().skip(2).all(|line| visible_width(line) < 80), "{addresses}");
            assert!(lines[..2].iter().all(|line| visible_width(line) <= 80), "the link may fill its line");
            let text = lines.join("\n");
            let word = |word: &str| text.contains(word);
            assert!(word("1234 5678") && word("1:58") && word("homebox") && word("192.168.100.0:7747"), "{text}");
            assert_eq!(lines.iter().filter(|line| line.contains('█')).count(), 21);
            assert_eq!(lines[..2].concat(), format!("pairpin:{}", "A".repeat(76)));
        }
        let text = screen((41, 21), 3).lines(Size { columns: 80, rows: 24 }, Style::PLAIN).join("\n");
        assert!(text.contains("192.168.100.2:7747") && text.contains("--code"));
    }

    #[test]
    fn the_rows_of_letters_are_called_what_they_are() {
        let text = |columns| screen((41, 21), 3).lines(Size { columns, rows: 24 }, Style::PLAIN).join("\n");
        assert!(text(80).contains("key fingerprint\n") && text(120).contains("key fingerprint  ABCD ABCD"));
    }

    #[test]
    fn a_name_of_wide_letters_stays_within_the_terminal() {
        let mut screen = screen((41, 21), 2);
        screen.machine = "机".repeat(40);
        screen.standing = Standing::Good(format!("paired \"{}\" as owner", "机".repeat(40)));
        for columns in 1..120 {
            let lines = screen.lines(Size { columns, rows: 24 }, Style::PLAIN);
            let of_link = |line: &str| line.bytes().all(|b| b.is_ascii_alphanumeric() || b == b':');
            assert!(lines.iter().filter(|line| !of_link(line)).all(|line| visible_width(line) < columns.max(3)));
        }
    }

    #[test]
    fn nothing_is_ever_larger_than_the_terminal() {
        for columns in 1..130 {
            for rows in 1..60 {
                for qr in [(0, 0), (41, 21), (45, 23), (82, 41)] {
                    let lines = screen(qr, 5).lines(Size { columns, rows }, Style::PLAIN);
                    assert!(lines.len() < rows.max(2), "{columns}x{rows} {qr:?}");
                    // Only a piece of the link may reach the last column.
                    let of_link = |line: &&String| line.bytes().all(|b| b.is_ascii_alphanumeric() || b == b':');
                    let widest = |pieces: bool| {
                        let some = lines.iter().filter(|line| of_link(line) == pieces);
                        some.map(|line| visible_width(line)).max().unwrap_or(0)
                    };
                    assert!(widest(false) < columns.max(2), "{columns}x{rows} {qr:?}");
                    assert!(widest(true) <= columns.max(1), "{columns}x{rows} {qr:?}");
                }
            }
        }
    }

    #[test]
    fn a_terminal_too_small_gets_no_half_qr_but_the_way_out() {
        let lines = screen((41, 21), 2).lines(Size { columns: 80, rows: 20 }, Style::PLAIN);
        assert!(!lines.iter().any(|line| line.contains('█')));
        let text = lines.join(" ");
        assert!(text.contains("70x24") && text.contains("80x20") && text.contains("--qr-format png"), "{text}");
    }

    #[test]
    fn an_outcome_takes_the_countdowns_place() {
        let mut screen = screen((41, 21), 2);
        screen.standing = Standing::Good("paired \"Ana's Pixel 9\" as owner from 192.168.1.34, check 4821".into());
        let text = screen.lines(Size { columns: 80, rows: 24 }, Style::PLAIN).join("\n");
        assert!(text.contains("check 4821") && !text.contains("1:58"));
    }

    #[test]
    fn colour_takes_no_columns() {
        assert_eq!(visible_width("\x1b[38;5;16;48;5;231m█▀\x1b[0m x"), 4);
    }
}
