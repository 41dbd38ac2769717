//! The printed recovery sheet: its words, and the page as text, PNG or SVG. Called by `recovery print`.

use std::fmt::Write as _;

use pairpin_core::qr::{QrCode, grey_png};
use pairpin_core::recovery_sheet::RecoverySheet;
use zeroize::Zeroizing;

use super::letters;

/// An A4 page of this many dots, of which a letter has five by seven: 150 to the inch.
const PAGE: (usize, usize) = (1240, 1754);
/// Dots left free at the left.
const MARGIN: usize = 110;
/// Letters in a line of words.
const WIDTH: usize = 82;

/// What stands on the page, in order.
pub struct Page {
    title: String,
    /// What it is and what it can do.
    words: Vec<String>,
    code: QrCode,
    /// To be typed by hand, numbered.
    lines: Vec<Zeroizing<String>>,
    /// How it is used.
    steps: Vec<String>,
}

impl Page {
    /// The page of a sheet. `None` where it does not fit a QR, which it always does.
    pub fn of(sheet: &RecoverySheet, machine: &str, printed: &str) -> Option<Self> {
        let at: Vec<String> = sheet.addresses.iter().map(ToString::to_string).collect();
        let at = if at.is_empty() { "(no address known: name it with --host)".to_owned() } else { at.join(", ") };
        let paragraphs = [
            format!(
                "This sheet takes the access of a lost phone away from {machine}, once, from any computer that reaches \
                 it. It lets nobody in and opens nothing."
            ),
            "Whoever holds it, or a photo of it, can do that too: keep it on paper, where you keep your passport, and \
             not on the phone that it is for."
                .to_owned(),
            "It is void when it was used, and when a new one is printed. Print a new one when the machine's key was \
             changed."
                .to_owned(),
        ];
        let mut words: Vec<String> = Vec::new();
        for paragraph in paragraphs {
            words.extend(wrapped(&paragraph));
        }
        words.push(String::new());
        words.push(format!("printed    {printed}"));
        words.push(format!("key        {}", sheet.pin.fingerprint()));
        words.extend(wrapped(&format!("reached at {at}")));
        let numbered = |(at, line): (usize, &Zeroizing<String>)| Zeroizing::new(format!("{:>2}:  {}", at + 1, **line));
        let steps = [
            "On a computer with pairpin, in a network from where the machine is reached:",
            "    pairpin recovery use                    asks for the lines below",
            "    pairpin recovery use --image PICTURE    reads a photo of the square instead",
        ];
        Some(Self {
            title: format!("pairpin recovery sheet for {machine}"),
            words,
            code: QrCode::of_sheet(sheet).ok()?,
            lines: sheet.to_lines().iter().enumerate().map(numbered).collect(),
            steps: steps.map(str::to_owned).into(),
        })
    }

    /// The QR.
    pub fn code(&self) -> &QrCode {
        &self.code
    }

    /// The page for a terminal, with these rows as its QR.
    pub fn text(&self, qr: &[String]) -> Vec<Zeroizing<String>> {
        let plain = |line: &String| Zeroizing::new(line.clone());
        let mut text = vec![Zeroizing::new(self.title.clone()), Zeroizing::default()];
        text.extend(self.words.iter().map(plain));
        text.push(Zeroizing::default());
        text.extend(self.steps.iter().map(plain));
        text.push(Zeroizing::default());
        text.extend(qr.iter().map(plain));
        text.push(Zeroizing::default());
        text.extend(self.lines.iter().cloned());
        text
    }

    /// The page as a PNG.
    pub fn png(&self) -> Vec<u8> {
        let mut canvas = Canvas(Zeroizing::new(vec![255; PAGE.0 * PAGE.1]));
        let mut y = 90;
        canvas.write(MARGIN, y, 4, &self.title);
        y += 4 * letters::LINE + 16;
        for line in self.words.iter().chain(&[String::new()]).chain(&self.steps) {
            canvas.write(MARGIN, y, 2, line);
            y += 2 * letters::LINE + 2;
        }
        y += 10;
        let (size, scale) = (self.code.size(), 10);
        for (at, dark) in self.code.modules().iter().enumerate() {
            if *dark {
                canvas.square(MARGIN + 40 + at % size * scale, y + 40 + at / size * scale, scale);
            }
        }
        y += size * scale + 80;
        for line in &self.lines {
            canvas.write(MARGIN, y, 4, line);
            y += 4 * letters::LINE - 2;
        }
        grey_png(PAGE.0 as u32, PAGE.1 as u32, &canvas.0)
    }

    /// The page as an SVG, in the letters of whoever prints it.
    pub fn svg(&self) -> Zeroizing<String> {
        let mut svg = Zeroizing::new(String::with_capacity(64 * 1024));
        svg.push_str(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"210mm\" height=\"297mm\" viewBox=\"0 0 1240 1754\" \
             font-family=\"monospace\"><rect width=\"1240\" height=\"1754\" fill=\"#fff\"/>",
        );
        let mut y = 120;
        text(&mut svg, y, 32, &self.title);
        y += 50;
        for line in self.words.iter().chain(&[String::new()]).chain(&self.steps) {
            text(&mut svg, y, 19, line);
            y += 26;
        }
        let (size, scale) = (self.code.size(), 10);
        let _ = write!(svg, "<path fill=\"#000\" shape-rendering=\"crispEdges\" d=\"");
        for (at, dark) in self.code.modules().iter().enumerate() {
            if *dark {
                let (x, top) = (MARGIN + 40 + at % size * scale, y + 40 + at / size * scale);
                let _ = write!(svg, "M{x} {top}h{scale}v{scale}h-{scale}z");
            }
        }
        svg.push_str("\"/>");
        y += size * scale + 110;
        for line in &self.lines {
            text(&mut svg, y, 32, line);
            y += 42;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn text(svg: &mut String, y: usize, size: usize, line: &str) {
    let _ = write!(svg, "<text x=\"{MARGIN}\" y=\"{y}\" font-size=\"{size}\" xml:space=\"preserve\">");
    for character in line.chars() {
        match character {
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            '&' => svg.push_str("&amp;"),
            other => svg.push(other),
        }
    }
    svg.push_str("</text>");
}

/// A page of grey dots.
struct Canvas(Zeroizing<Vec<u8>>);

impl Canvas {
    fn square(&mut self, x: usize, y: usize, side: usize) {
        for row in y..y + side {
            // What does not fit the page is left out.
            if let Some(dots) = self.0.get_mut(row * PAGE.0 + x..row * PAGE.0 + x + side).filter(|_| x + side <= PAGE.0)
            {
                dots.fill(0);
            }
        }
    }

    fn write(&mut self, x: usize, y: usize, scale: usize, line: &str) {
        for (place, character) in line.chars().enumerate() {
            let left = x + place * letters::ADVANCE * scale;
            for (across, column) in letters::columns(character).into_iter().enumerate() {
                for down in (0..8).filter(|bit| column & (1 << bit) != 0) {
                    self.square(left + across * scale, y + down * scale, scale);
                }
            }
        }
    }
}

/// Breaks a text into lines at its spaces.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use pairpin_core::identity::Pin;
    use pairpin_core::secrets::RecoverySeed;

    use super::*;

    fn sheet() -> RecoverySheet {
        let hosts = ["192.168.1.20:7000", "100.64.0.7:7000", "homebox.local:7000"];
        let addresses: Vec<_> = hosts.iter().map(|host| host.parse().unwrap()).collect();
        let (pin, next) = (Pin::from_bytes([0x5A; 32]), Pin::from_bytes([0xC3; 32]));
        RecoverySheet::fitting(pin, next, RecoverySeed::from_bytes([7; 20]), &addresses)
    }

    /// What is printed is what is used: the page's own square is read back by the product's reader.
    #[test]
    fn the_square_on_the_page_is_the_sheet_and_everything_fits() {
        let page = Page::of(&sheet(), "homebox", "2026-11-21").unwrap();
        let read = pairpin_core::qr::decode_image_file_bytes(&page.png()).unwrap();
        assert_eq!(RecoverySheet::parse(&read), Ok(sheet()));
        let rows = 90 + 60 + (page.words.len() + 1 + page.steps.len()) * 24 + 10 + page.code.size() * 10 + 80;
        assert!(rows + page.lines.len() * 42 < PAGE.1, "{rows} and {} lines", page.lines.len());
        let typed: String = page.lines.iter().map(|line| format!("{}\n", **line)).collect();
        assert_eq!(RecoverySheet::parse(&typed), Ok(sheet()), "with their numbers");
        assert!(page.svg().contains("pairpin recovery sheet for homebox"));
        assert!(page.words.iter().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn a_machines_name_breaks_no_page() {
        let page = Page::of(&sheet(), "a<b>&\u{1F4BB}", "2026-11-21").unwrap();
        assert!(page.svg().contains("a&lt;b&gt;&amp;"));
        assert!(!page.png().is_empty());
    }
}
