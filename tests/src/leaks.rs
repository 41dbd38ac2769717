//! Looks for secrets where none should be: every secret in every form in which programs write bytes,
//! in output, files, databases and what the system knows of a process.
//!
//! A [`Haystack`] is what was collected, [`Secret`]s are what was issued, and [`search`] says which of
//! them is where. What is allowed is the caller's: `tests/secrets.rs`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use data_encoding::BASE32;

use crate::process::Output;

/// Something that must not be read by others.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// What kind: "token". An allowance is for a kind.
    pub kind: &'static str,
    /// Which one, for a failed test.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Secret {
    /// A secret of this kind.
    pub fn new(kind: &'static str, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { kind, name: name.into(), bytes: bytes.into() }
    }

    /// Every text and byte string that would give it away, with the form's name.
    ///
    /// Besides the whole secret each half of a long one is looked for: it may be cut short, or lie
    /// across the border of two pages of a database. A short one (a typed code) is digits.
    pub fn forms(&self) -> Vec<(String, Vec<u8>)> {
        let mut forms = Vec::new();
        let bytes = self.bytes.as_slice();
        if bytes.len() < 16 {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let (first, second) = text.split_at(text.len() / 2);
            for gap in [" ", "-", "%20", "+", "\\u0020"] {
                forms.push((format!("with {gap:?} between"), format!("{first}{gap}{second}").into_bytes()));
            }
            let grouped = format!("{first} {second}");
            encodings("", bytes, &mut forms);
            encodings("of the groups, ", grouped.as_bytes(), &mut forms);
        } else {
            encodings("", bytes, &mut forms);
            let (first, second) = bytes.split_at(bytes.len() / 2);
            encodings("the first half, ", first, &mut forms);
            encodings("the second half, ", second, &mut forms);
            // As it travels: base64url inside JSON inside base64url inside JSON, and a frame's bytes.
            let text = URL_SAFE.encode(bytes).trim_end_matches('=').to_owned();
            let mut twice = Vec::new();
            encodings("of its base64url, ", text.as_bytes(), &mut twice);
            for (name, form) in &twice {
                if name.ends_with("base64url") || name.contains("base64url, at") {
                    let name = format!("in a frame, {name}: ");
                    plain(&name, form, &mut forms);
                }
            }
            forms.extend(twice);
        }
        forms.retain(|(_, form)| form.len() >= 8);
        forms.sort_by(|first, second| first.1.cmp(&second.1));
        forms.dedup_by(|second, first| second.1 == first.1);
        forms
    }
}

/// The forms that have one alignment only.
fn plain(prefix: &str, bytes: &[u8], forms: &mut Vec<(String, Vec<u8>)>) {
    let mut push = |name: &str, text: String| forms.push((format!("{prefix}{name}"), text.into_bytes()));
    let each = |separator: &str, byte: fn(&u8) -> String| bytes.iter().map(byte).collect::<Vec<_>>().join(separator);
    push("hex", each("", |byte| format!("{byte:02x}")));
    push("HEX", each("", |byte| format!("{byte:02X}")));
    push("hex with spaces", each(" ", |byte| format!("{byte:02x}")));
    push("hex with colons", each(":", |byte| format!("{byte:02x}")));
    push("HEX with colons", each(":", |byte| format!("{byte:02X}")));
    push("a list of 0x", each(", ", |byte| format!("0x{byte:02x}")));
    push("a list", each(", ", ToString::to_string));
    push("a dense list", each(",", ToString::to_string));
    push("a tall list", each(",\n", |byte| format!("        {byte}")).trim_start().to_owned());
    push("percent", each("", |byte| format!("%{byte:02x}")));
    push("PERCENT", each("", |byte| format!("%{byte:02X}")));
    push("escaped", bytes.escape_ascii().to_string());
    let kept = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    for (name, upper) in [("percent where needed", false), ("PERCENT where needed", true)] {
        let mut text = String::new();
        for byte in bytes {
            let _ = match (kept(byte), upper) {
                (true, _) => write!(text, "{}", char::from(*byte)),
                (false, true) => write!(text, "%{byte:02X}"),
                (false, false) => write!(text, "%{byte:02x}"),
            };
        }
        push(name, text);
    }
}

fn encodings(prefix: &str, bytes: &[u8], forms: &mut Vec<(String, Vec<u8>)>) {
    forms.push((format!("{prefix}raw"), bytes.to_vec()));
    forms.push((format!("{prefix}backwards"), bytes.iter().rev().copied().collect()));
    plain(prefix, bytes, forms);
    type Encode = fn(&[u8]) -> String;
    let alphabets: [(&str, usize, Encode); 3] = [
        ("base64", 6, |bytes| STANDARD.encode(bytes)),
        ("base64url", 6, |bytes| URL_SAFE.encode(bytes)),
        ("base32", 5, |bytes| BASE32.encode(bytes)),
    ];
    for (name, bits, encode) in alphabets {
        // Wherever it begins inside of something longer.
        for before in 0..if bits == 6 { 3 } else { 5 } {
            let text = inner(bytes, before, bits, encode);
            let at = |case: &str| format!("{prefix}{case}{name}, at {before}");
            forms.push((at("its cases swapped, "), text.chars().map(swapped).collect::<String>().into_bytes()));
            forms.push((at(""), text.into_bytes()));
        }
    }
}

/// The letters that these bytes alone decide, `before` bytes after the beginning.
fn inner(bytes: &[u8], before: usize, bits: usize, encode: fn(&[u8]) -> String) -> String {
    let mut all = vec![0; before];
    all.extend_from_slice(bytes);
    let text = encode(&all);
    let (from, to) = ((before * 8).div_ceil(bits), all.len() * 8 / bits);
    text.get(from..to).unwrap_or_default().to_owned()
}

fn swapped(letter: char) -> char {
    if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
}

/// What was collected: places and their bytes.
#[derive(Debug, Default)]
pub struct Haystack {
    places: Vec<(String, Vec<u8>)>,
}

impl Haystack {
    /// Adds bytes under a name.
    pub fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.places.push((place.into(), bytes.into()));
    }

    /// Adds what a program said.
    pub fn output(&mut self, place: &str, output: &Output) {
        self.add(format!("{place} stdout"), output.stdout.clone());
        self.add(format!("{place} stderr"), output.stderr.clone());
    }

    /// Adds every file below a directory, names and all; `place` stands for the directory. What is no
    /// regular file (a socket) has only its name.
    ///
    /// # Panics
    /// The directory cannot be read.
    #[track_caller]
    pub fn directory(&mut self, place: &str, directory: &Path) {
        let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for entry in entries.flatten() {
            let name = format!("{place}/{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map(|kind| (kind.is_dir(), kind.is_file()));
            match kind {
                Ok((true, _)) => self.directory(&name, &entry.path()),
                Ok((_, true)) => {
                    // A journal of SQLite's may go while we look; its bytes are in the database then.
                    if let Ok(bytes) = fs::read(entry.path()) {
                        self.add(name.clone(), bytes);
                    }
                }
                _ => {}
            }
            self.add(format!("the name of {place}"), entry.file_name().to_string_lossy().into_owned());
        }
    }

    /// Adds what the system tells of a process: its command line and environment.
    ///
    /// # Panics
    /// There is no such process.
    #[track_caller]
    pub fn process(&mut self, place: &str, id: u32) {
        for file in ["cmdline", "environ", "comm"] {
            let path = format!("/proc/{id}/{file}");
            match fs::read(&path) {
                Ok(bytes) => self.add(format!("{place} {file}"), bytes),
                // Not even the same user may read what is not dumpable; root, as in CI, does.
                Err(error) if file == "environ" && error.kind() == io::ErrorKind::PermissionDenied => {
                    eprintln!("{path} is closed to this user");
                }
                Err(error) => panic!("{path}: {error}"),
            }
        }
    }

    /// The names of all places, for a test that wants one to be among them.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|(place, _)| place.as_str())
    }

    /// All text in the places whose names begin so.
    pub fn text(&self, place: &str) -> String {
        let there = self.places.iter().filter(|(name, _)| name.starts_with(place));
        there.map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect()
    }

    /// The last two places, as a command's output is, for a failed test.
    pub fn last(&self) -> String {
        let last = &self.places[self.places.len().saturating_sub(2)..];
        last.iter().map(|(place, bytes)| format!("{place}:\n{}\n", String::from_utf8_lossy(bytes))).collect()
    }

    /// Whether a place whose name begins so holds a text.
    pub fn holds(&self, place: &str, text: &str) -> bool {
        self.text(place).contains(text)
    }

    /// How many bytes there are.
    pub fn size(&self) -> usize {
        self.places.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// A secret that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its kind.
    pub kind: &'static str,
    /// Which one.
    pub name: String,
    /// Where.
    pub place: String,
    /// In which form.
    pub form: String,
}

/// Finds every secret in every form, in all places: each once for a place and a form.
///
/// # Panics
/// There is nothing to look for.
#[track_caller]
pub fn search(haystack: &Haystack, secrets: &[Secret]) -> Vec<Found> {
    let mut needles: BTreeMap<Vec<u8>, Vec<(&Secret, String)>> = BTreeMap::new();
    for secret in secrets {
        for (form, bytes) in secret.forms() {
            needles.entry(bytes).or_default().push((secret, form));
        }
    }
    let (patterns, owners): (Vec<_>, Vec<_>) = needles.into_iter().unzip();
    assert!(!patterns.is_empty(), "nothing to look for");
    let automaton = AhoCorasick::new(&patterns).unwrap_or_else(|error| panic!("{error}"));
    let mut found = Vec::new();
    for (place, bytes) in &haystack.places {
        // Text may be broken into lines anywhere, as PEM is.
        let dense: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        for bytes in [bytes, &dense] {
            for hit in automaton.find_overlapping_iter(bytes) {
                let pattern = &patterns[hit.pattern().as_usize()];
                // Eight digits of a longer number are no code.
                let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
                if pattern.len() == 8
                    && pattern.iter().all(u8::is_ascii_digit)
                    && (digit(hit.start().checked_sub(1)) || digit(Some(hit.end())))
                {
                    continue;
                }
                found.extend(owners[hit.pattern().as_usize()].iter().map(|(secret, form)| Found {
                    kind: secret.kind,
                    name: secret.name.clone(),
                    place: place.clone(),
                    form: form.clone(),
                }));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary() -> Secret {
        Secret::new("canary", "1", pairpin_core::secrets::random_bytes::<32>().unwrap())
    }

    #[test]
    fn the_forms_are_those_that_programs_write() {
        let secret = Secret::new("x", "1", (0..16).map(|n| n * 17).collect::<Vec<u8>>());
        let forms = secret.forms();
        let is = |wanted: &[u8]| forms.iter().any(|(_, form)| form == wanted);
        assert!(
            is(&secret.bytes) && is(b"00112233445566778899aabbccddeeff") && is(b"00112233445566778899AABBCCDDEEFF")
        );
        assert!(is(format!("{:?}", secret.bytes).trim_matches(['[', ']']).as_bytes()));
        assert!(is(b"%00%11%223DUfw%88%99%AA%BB%CC%DD%EE%FF"), "as browsers encode it");
        assert!(is(b"ABEiM0RVZneImaq7zN3u_") && is(b"ABEiM0RVZneImaq7zN3u/"));
        assert!(is(b"AAISEM2EKVTHPCEZVK54ZXPO7") && is(b"aaisem2ekvthpcezvk54zxpo7"));
    }

    /// The bytes behind others, and before others, as a program that writes a structure does it.
    #[test]
    fn a_secret_is_found_wherever_it_begins_and_however_it_is_wrapped() {
        let secret = canary();
        for before in 0..7 {
            let mut bytes = vec![b'{'; before];
            bytes.extend(&secret.bytes);
            bytes.extend([b'}'; 3]);
            let base64 = STANDARD.encode(&bytes);
            let wrapped =
                base64.as_bytes().chunks(20).map(|c| String::from_utf8_lossy(c)).collect::<Vec<_>>().join("\n");
            let token =
                serde_json::json!({ "token": URL_SAFE.encode(&secret.bytes).trim_end_matches('=') }).to_string();
            let message = URL_SAFE.encode([&b"   "[..before % 3], token.as_bytes()].concat());
            let frame = serde_json::json!({ "params": { "message": message } }).to_string();
            let debug = format!("{:?}", frame.as_bytes());
            let hex: String = frame.bytes().map(|byte| format!("{byte:02x}")).collect();
            for (what, text) in [
                ("base64", base64),
                ("lines", wrapped),
                ("base32", BASE32.encode(&bytes)),
                ("frame", frame),
                ("a frame as a list", debug),
                ("a frame in hex", hex),
            ] {
                let mut haystack = Haystack::default();
                haystack.add("log", text);
                assert!(!search(&haystack, std::slice::from_ref(&secret)).is_empty(), "{what}, behind {before} bytes");
            }
        }
    }

    #[test]
    fn half_a_secret_is_found() {
        let secret = canary();
        let mut haystack = Haystack::default();
        haystack.add("cut", &secret.bytes[..16]);
        assert!(!search(&haystack, &[secret]).is_empty());
    }

    #[test]
    fn a_code_is_found_and_a_number_with_the_same_digits_is_none() {
        let code = Secret::new("code", "1", *b"12345678");
        let mut haystack = Haystack::default();
        haystack.add("time", "1712345678901");
        haystack.add("another secret", canary().bytes);
        assert_eq!(search(&haystack, std::slice::from_ref(&code)), []);
        for text in ["code 12345678.", "1234 5678", "{\"code\":\"1234-5678\"}"] {
            let mut haystack = Haystack::default();
            haystack.add("log", text);
            assert!(!search(&haystack, std::slice::from_ref(&code)).is_empty(), "{text}");
        }
    }
}
