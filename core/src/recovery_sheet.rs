//! The printed recovery sheet: what stands on the paper, as a QR and as text to be typed by hand.
//!
//! It holds the machine's pin and next pin, a seed, and where the machine may be reached. It is no link: no scheme
//! that an operating system would follow, and readers of links and of joins refuse it by name, as this one refuses
//! those. The host makes one ([`crate::host`]), [`crate::qr`] draws it, `pairpin recovery use` reads it.
//!
//! The typed form has lines of sixteen letters and two that check the line and its place, so that a person is told
//! in which line the mistake is.

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::identity::Pin;
use crate::link::{Hint, Reader, SCHEME};
use crate::secrets::RecoverySeed;
use crate::wire::{Address, DEFAULT_PORT};

/// What the QR's text begins with. All of it is alphanumeric to a QR.
pub const PREFIX: &str = "PAIRPIN-RECOVERY/";

/// The version this build writes and reads.
const VERSION: u8 = 1;
/// Flag: a port follows the seed.
const HAS_PORT: u8 = 0b0001;
/// Version, pin, next pin, seed.
const HEAD_BYTES: usize = 1 + 32 + 32 + 20;
/// Check bytes, the same in every version.
const CHECK_BYTES: usize = 2;
/// All of it, at most: what a version 8 QR at M holds, and thirteen lines to type.
const BYTES_MAX: usize = 127;
/// Letters of a typed line, without those that check it.
const LINE: usize = 16;
/// Letters that check a line.
const LINE_CHECK: usize = 2;
/// A text is never longer.
const TEXT_MAX: usize = 2048;

/// A recovery sheet. It cannot be printed by accident: `Debug` hides the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverySheet {
    /// The pin that the machine must prove.
    pub pin: Pin,
    /// Or this one, after a planned change of its key.
    pub next_pin: Pin,
    /// From which the sheet's keys follow.
    pub seed: RecoverySeed,
    /// Where the machine may be reached, best first; all on one port.
    pub addresses: Vec<Address>,
}

/// Why a text is no recovery sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// It is an offer's link.
    #[error("this is an offer to pair with a machine, not a recovery sheet: scan it with pairpin join")]
    Offer,
    /// It is the QR of a joining device.
    #[error("this is a device that asks to be let in, not a recovery sheet: scan it on an owner's device")]
    AJoin,
    /// It is something else.
    #[error("this is not a recovery sheet, use the QR or the lines that pairpin recovery print has printed")]
    NotASheet,
    /// A typed line is not as printed.
    #[error("line {0} is not as it is printed, compare it letter by letter")]
    Line(usize),
    /// Lines are missing at the end.
    #[error("the sheet goes on after line {0}, type all of its lines")]
    Short(usize),
    /// The QR was not read whole.
    #[error("this QR was not read whole, take another picture or type the lines of the sheet")]
    Damaged,
    /// It is whole, and of a version that this build does not know.
    #[error("this sheet was printed by a newer pairpin, update pairpin on this computer")]
    Newer,
}

impl RecoverySheet {
    /// A sheet with as many of `candidates`, best first, as fit. Those on another port than the first one's are
    /// left out, and so are repetitions.
    pub fn fitting(pin: Pin, next_pin: Pin, seed: RecoverySeed, candidates: &[Address]) -> Self {
        let mut addresses: Vec<Address> = Vec::new();
        let port = candidates.first().map_or(DEFAULT_PORT, |first| first.port);
        let mut left = BYTES_MAX - HEAD_BYTES - CHECK_BYTES - 2;
        for candidate in candidates.iter().filter(|candidate| candidate.port == port) {
            let Some(hint) = Hint::of(candidate) else { continue };
            let address = hint.address(port);
            if hint.size() <= left && !addresses.contains(&address) {
                left -= hint.size();
                addresses.push(address);
            }
        }
        Self { pin, next_pin, seed, addresses }
    }

    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        // Room for all of it at once: growing would leave a copy of the seed behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX));
        let port = self.addresses.first().map_or(DEFAULT_PORT, |first| first.port);
        let has_port = if port == DEFAULT_PORT { 0 } else { HAS_PORT };
        bytes.push(VERSION << 4 | has_port);
        bytes.extend_from_slice(self.pin.as_bytes());
        bytes.extend_from_slice(self.next_pin.as_bytes());
        bytes.extend_from_slice(self.seed.expose());
        if has_port != 0 {
            bytes.extend_from_slice(&port.to_be_bytes());
        }
        for address in self.addresses.iter().filter(|address| address.port == port) {
            if let Some(hint) = Hint::of(address).filter(|hint| bytes.len() + hint.size() + CHECK_BYTES <= BYTES_MAX) {
                hint.write(&mut bytes);
            }
        }
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        bytes
    }

    /// The QR's text.
    pub fn to_text(&self) -> Zeroizing<String> {
        let bytes = self.bytes();
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + BASE32_NOPAD.encode_len(bytes.len())));
        text.push_str(PREFIX);
        BASE32_NOPAD.encode_append(&bytes, &mut text);
        text
    }

    /// The lines to be typed by hand: groups of four letters and the two that check the line.
    pub fn to_lines(&self) -> Vec<Zeroizing<String>> {
        let text = self.to_text();
        let body = text.get(PREFIX.len()..).unwrap_or_default();
        let lines = body.as_bytes().chunks(LINE).enumerate();
        lines
            .map(|(at, letters)| {
                let mut line = Zeroizing::new(String::with_capacity(LINE + LINE / 4 + LINE_CHECK));
                for group in letters.chunks(4) {
                    line.extend(group.iter().map(|letter| char::from(*letter)));
                    line.push(' ');
                }
                line.push_str(&line_check(at, letters));
                line
            })
            .collect()
    }

    /// Reads the QR's text, or the typed lines.
    ///
    /// Lines are read in any case of letters, with any spaces and hyphens, and with a number and a colon before them;
    /// 0, 1 and 8, which are no letters here, are taken for O, I and B.
    ///
    /// # Errors
    /// See [`SheetError`]: every one says what the person can do. The text is never part of it.
    pub fn parse(text: &str) -> Result<Self, SheetError> {
        if text.len() > TEXT_MAX {
            return Err(SheetError::NotASheet);
        }
        let trimmed = text.trim();
        if is_meant(trimmed) {
            let body = trimmed.get(PREFIX.len()..).unwrap_or_default();
            let bytes = BASE32_NOPAD_NOCASE.decode(body.as_bytes()).map_err(|_| SheetError::Damaged)?;
            return Self::from_bytes(&Zeroizing::new(bytes)).map_err(|error| error.unwrap_or(SheetError::Damaged));
        }
        if trimmed.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME)) {
            return Err(SheetError::Offer);
        }
        if crate::join_qr::is_meant(trimmed) {
            return Err(SheetError::AJoin);
        }
        Self::parse_lines(trimmed)
    }

    fn parse_lines(text: &str) -> Result<Self, SheetError> {
        let lines: Vec<Zeroizing<String>> = text.lines().map(letters).filter(|line| !line.is_empty()).collect();
        if lines.first().is_none_or(|line| line.len() <= LINE_CHECK) {
            return Err(SheetError::NotASheet);
        }
        let mut body = Zeroizing::new(String::with_capacity(TEXT_MAX));
        for (at, line) in lines.iter().enumerate() {
            let last = at + 1 == lines.len();
            let long_enough = line.len() == LINE + LINE_CHECK || last && line.len() > LINE_CHECK;
            let letters = line.get(..line.len().saturating_sub(LINE_CHECK)).unwrap_or_default();
            let given = line.get(letters.len()..).unwrap_or_default();
            if !long_enough || letters.len() > LINE || line_check(at, letters.as_bytes()) != given {
                // One that was never meant to be one is told from a slip of the finger.
                return Err(if at == 0 && lines.len() == 1 { SheetError::NotASheet } else { SheetError::Line(at + 1) });
            }
            body.push_str(letters);
        }
        // Every line holds: what is missing is at the end, unless the whole is of another version.
        let short = SheetError::Short(lines.len());
        let bytes = BASE32_NOPAD.decode(body.as_bytes()).map(Zeroizing::new).map_err(|_| short)?;
        Self::from_bytes(&bytes).map_err(|error| error.unwrap_or(short))
    }

    /// `None` as the error: it is not whole.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Option<SheetError>> {
        let (inner, tail) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(None)?;
        if check(inner) != *tail {
            return Err(None);
        }
        let mut reader = Reader(inner);
        let read = |_| Some(SheetError::Damaged);
        let [first] = reader.take().map_err(read)?;
        if first >> 4 != VERSION || first & 0x0F & !HAS_PORT != 0 {
            return Err(Some(SheetError::Newer));
        }
        let (pin, next_pin): ([u8; 32], [u8; 32]) = (reader.take().map_err(read)?, reader.take().map_err(read)?);
        let seed = RecoverySeed::from_bytes(reader.take().map_err(read)?);
        let port = match first & HAS_PORT {
            0 => DEFAULT_PORT,
            _ => u16::from_be_bytes(reader.take().map_err(read)?),
        };
        let mut addresses = Vec::new();
        while !reader.0.is_empty() {
            addresses.push(Hint::read(&mut reader).map_err(read)?.address(port));
        }
        // One sheet, one text.
        let spelled_out = first & HAS_PORT != 0;
        if port == 0 || spelled_out && (port == DEFAULT_PORT || addresses.is_empty()) || bytes.len() > BYTES_MAX {
            return Err(Some(SheetError::Damaged));
        }
        Ok(Self { pin: Pin::from_bytes(pin), next_pin: Pin::from_bytes(next_pin), seed, addresses })
    }
}

/// Whether a text is meant to be a recovery sheet's QR, whole or not.
pub(crate) fn is_meant(text: &str) -> bool {
    text.trim_start().get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The letters of a typed line, without what stands between them, and without its number.
fn letters(line: &str) -> Zeroizing<String> {
    let numbered = line.split_once([':', '.']);
    let numbered = numbered.filter(|(number, _)| number.trim().bytes().all(|byte| byte.is_ascii_digit()));
    let line = numbered.map_or(line, |(_, rest)| rest);
    let mut letters = Zeroizing::new(String::with_capacity(line.len()));
    letters.extend(line.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| match c.to_ascii_uppercase() {
        '0' => 'O',
        '1' => 'I',
        '8' => 'B',
        // What is no letter here makes its line wrong, and is never sliced in its middle.
        other if other.is_ascii() => other,
        _ => '?',
    }));
    letters
}

/// The two letters that check a line, and that it stands where it does (counted from 0): ten bits, so that of a
/// thousand slips one goes unseen here, and the check of the whole finds that one.
fn line_check(at: usize, letters: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update([u8::try_from(at).unwrap_or(u8::MAX)]);
    hash.update(letters);
    let digest = hash.finalize();
    BASE32_NOPAD.encode(&digest[..2]).chars().take(LINE_CHECK).collect()
}

/// Catches what a camera misread and a hand mistyped, nothing else.
fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::digest(bytes);
    [digest[0], digest[1]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join_qr::{JoinQr, JoinQrError};
    use crate::link::{Link, LinkError};

    fn sheet(hosts: &[&str]) -> RecoverySheet {
        let addresses: Vec<Address> = hosts.iter().map(|host| host.parse().unwrap()).collect();
        let (pin, next_pin) = (Pin::from_bytes([0x5A; 32]), Pin::from_bytes([0xC3; 32]));
        RecoverySheet::fitting(pin, next_pin, RecoverySeed::from_bytes([7; 20]), &addresses)
    }

    fn typed(sheet: &RecoverySheet) -> String {
        sheet.to_lines().iter().map(|line| format!("{}\n", line.as_str())).collect()
    }

    #[test]
    fn a_sheet_is_read_back_from_its_qr_and_from_its_lines() {
        for hosts in [&[][..], &["192.168.1.20"], &["192.168.1.20:7000", "100.64.0.7:7000"], &["homebox.example.com"]] {
            let sheet = sheet(hosts);
            assert_eq!(sheet.addresses.len(), hosts.len());
            assert_eq!(RecoverySheet::parse(&sheet.to_text()), Ok(sheet.clone()));
            assert_eq!(RecoverySheet::parse(&typed(&sheet)), Ok(sheet.clone()));
            let hand: String = (typed(&sheet).lines().enumerate())
                .map(|(at, line)| format!(" {}: {}\r\n\n", at + 1, line.to_lowercase().replace(' ', "-")))
                .collect();
            assert_eq!(RecoverySheet::parse(&hand.replace('o', "0").replace('i', "1").replace('b', "8")), Ok(sheet));
        }
    }

    #[test]
    fn too_many_addresses_are_left_out_and_it_still_fits() {
        let full = sheet(&["10.0.0.1", "fd00::1", "fd00::2", "10.0.0.2", "10.0.0.1", "10.0.0.3:1"]);
        let hosts: Vec<String> = full.addresses.iter().map(|address| address.host.clone()).collect();
        assert_eq!(hosts, ["10.0.0.1", "fd00::1", "10.0.0.2"]);
        assert!(full.bytes().len() <= BYTES_MAX);
        assert_eq!(RecoverySheet::parse(&full.to_text()), Ok(full));
    }

    #[test]
    fn every_slip_names_its_line() {
        let sheet = sheet(&["192.168.1.20"]);
        let lines: Vec<String> = typed(&sheet).lines().map(str::to_owned).collect();
        let mut named = 0;
        for at in 0..lines.len() {
            for place in 0..lines[at].len() {
                let was = lines[at].as_bytes()[place];
                if was == b' ' {
                    continue;
                }
                let mut wrong = lines.clone();
                wrong[at].replace_range(place..=place, if was == b'A' { "C" } else { "A" });
                match RecoverySheet::parse(&wrong.join("\n")) {
                    Err(SheetError::Line(line)) if line == at + 1 => named += 1,
                    // One in a thousand: the whole does not hold then.
                    Err(_) => {}
                    Ok(_) => panic!("line {}, letter {place}", at + 1),
                }
            }
        }
        let letters: usize = lines.iter().map(|line| line.replace(' ', "").len()).sum();
        assert!(named * 100 >= letters * 98, "{named} of {letters}");
        let mut swapped = lines.clone();
        swapped.swap(2, 3);
        assert_eq!(RecoverySheet::parse(&swapped.join("\n")), Err(SheetError::Line(3)));
        assert_eq!(RecoverySheet::parse(&lines[..lines.len() - 1].join("\n")), Err(SheetError::Short(lines.len() - 1)));
        assert_eq!(RecoverySheet::parse(&lines[1..].join("\n")), Err(SheetError::Line(1)));
    }

    #[test]
    fn no_reader_takes_the_others_text() {
        let link = "pairpin:CBZSCY3J2GDSZKH5DABOMGNDZ35UMOI3JQ7TUWZKQKL2R66FWTMRYBD7CEFQJJXR";
        assert_eq!(RecoverySheet::parse(link), Err(SheetError::Offer));
        assert_eq!(RecoverySheet::parse("PAIRPIN-JOIN/AAAA"), Err(SheetError::AJoin));
        assert_eq!(RecoverySheet::parse("hello"), Err(SheetError::NotASheet));
        assert_eq!(RecoverySheet::parse(""), Err(SheetError::NotASheet));
        assert_eq!(Link::parse(&sheet(&[]).to_text()), Err(LinkError::ASheet));
        assert_eq!(JoinQr::parse(&sheet(&[]).to_text()), Err(JoinQrError::ASheet));
        let newer = {
            let mut bytes = sheet(&[]).bytes().to_vec();
            bytes.truncate(HEAD_BYTES);
            bytes[0] = 2 << 4;
            let check = check(&bytes);
            bytes.extend_from_slice(&check);
            format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes))
        };
        assert_eq!(RecoverySheet::parse(&newer), Err(SheetError::Newer));
        let whole = sheet(&[]).to_text();
        assert_eq!(RecoverySheet::parse(&whole[..whole.len() - 8]), Err(SheetError::Damaged));
    }
}
