//! An APK as the archive that it is: what is in it, how large, and where; and native libraries moved to the pages
//! that the system maps them by. Only what aapt2, `jar` and zipalign write is understood. (PKWARE's APPNOTE 4.3.)

use std::fs;
use std::path::Path;

/// The largest page of a phone, by which native libraries are laid.
pub const PAGE: u64 = 16384;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// The extra field with which Android's tools pad: its first two bytes say by how much it is aligned.
const ALIGNMENT: u16 = 0xd935;

/// An archive, read whole.
pub struct Archive {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// One file in it.
struct Entry {
    name: String,
    stored: bool,
    /// Its record in the directory.
    record: std::ops::Range<usize>,
    /// Its header, name and extra field.
    local: usize,
    data: usize,
    size: usize,
}

impl Archive {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::of(bytes).ok_or_else(|| format!("{} is no archive that is understood here", path.display()))
    }

    fn of(bytes: Vec<u8>) -> Option<Self> {
        let end = (0..=bytes.len().checked_sub(22)?).rev().find(|at| u32_at(&bytes, *at) == Some(END))?;
        let count = u16_at(&bytes, end + 10)?;
        let mut at = usize::try_from(u32_at(&bytes, end + 16)?).ok()?;
        let mut entries = Vec::new();
        for _ in 0..count {
            if u32_at(&bytes, at)? != CENTRAL {
                return None;
            }
            let length = |offset| u16_at(&bytes, at + offset).map(usize::from);
            let after = at + 46 + length(28)? + length(30)? + length(32)?;
            let name = String::from_utf8(bytes.get(at + 46..at + 46 + length(28)?)?.to_vec()).ok()?;
            let local = usize::try_from(u32_at(&bytes, at + 42)?).ok()?;
            if u32_at(&bytes, local)? != LOCAL {
                return None;
            }
            let data = local + 30 + usize::from(u16_at(&bytes, local + 26)?) + usize::from(u16_at(&bytes, local + 28)?);
            let size = usize::try_from(u32_at(&bytes, at + 20)?).ok()?;
            entries.push(Entry { name, stored: length(10)? == 0, record: at..after, local, data, size });
            bytes.get(data..data + size)?;
            at = after;
        }
        Some(Self { bytes, entries })
    }

    /// The name of each file in it and the bytes that it takes.
    pub fn sizes(&self) -> Vec<(String, u64)> {
        self.entries.iter().map(|entry| (entry.name.clone(), entry.size as u64)).collect()
    }

    /// A native library that is packed, or lies beside a page.
    pub fn off_page(&self) -> Option<&str> {
        let off =
            |entry: &&Entry| entry.name.ends_with(".so") && !(entry.stored && (entry.data as u64).is_multiple_of(PAGE));
        self.entries.iter().find(off).map(|entry| entry.name.as_str())
    }

    /// Writes it with every native library at a page, and what else is stored at four bytes.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_paged(&self, to: &Path) -> Result<(), String> {
        let made = self.paged().ok_or("the APK is too large for its kind of archive")?;
        fs::write(to, made).map_err(|error| format!("{}: {error}", to.display()))
    }

    fn paged(&self) -> Option<Vec<u8>> {
        let (mut made, mut directory) = (Vec::with_capacity(self.bytes.len() + (1 << 16)), Vec::new());
        for entry in &self.entries {
            let start = made.len();
            let header = self.bytes.get(entry.local..entry.local + 30)?;
            let flags = u16_at(header, 6)?;
            made.extend_from_slice(header);
            // Sizes may stand after the data, as `jar` writes them: they are written where they belong.
            made[start + 6..start + 8].copy_from_slice(&(flags & !8).to_le_bytes());
            made[start + 14..start + 26]
                .copy_from_slice(self.bytes.get(entry.record.start + 16..entry.record.start + 28)?);
            made.extend_from_slice(entry.name.as_bytes());
            let multiple = match (entry.stored, entry.name.ends_with(".so")) {
                (true, true) => usize::try_from(PAGE).ok()?,
                (true, false) => 4,
                (false, _) => 1,
            };
            let extra = padding(made.len(), multiple);
            made[start + 26..start + 28].copy_from_slice(&u16::try_from(entry.name.len()).ok()?.to_le_bytes());
            made[start + 28..start + 30].copy_from_slice(&u16::try_from(extra.len()).ok()?.to_le_bytes());
            made.extend_from_slice(&extra);
            made.extend_from_slice(self.bytes.get(entry.data..entry.data + entry.size)?);
            let mut record = self.bytes.get(entry.record.start..entry.record.start + 46)?.to_vec();
            record[8..10].copy_from_slice(&(flags & !8).to_le_bytes());
            // Neither an extra field nor a comment.
            record[30..34].fill(0);
            record[42..46].copy_from_slice(&u32::try_from(start).ok()?.to_le_bytes());
            directory.extend_from_slice(&record);
            directory.extend_from_slice(entry.name.as_bytes());
        }
        let count = u16::try_from(self.entries.len()).ok()?.to_le_bytes();
        let (at, length) = (u32::try_from(made.len()).ok()?, u32::try_from(directory.len()).ok()?);
        made.extend_from_slice(&directory);
        made.extend_from_slice(&END.to_le_bytes());
        made.extend_from_slice(&[0; 4]);
        made.extend_from_slice(&[count, count].concat());
        made.extend_from_slice(&[length.to_le_bytes(), at.to_le_bytes()].concat());
        made.extend_from_slice(&[0; 2]);
        Some(made)
    }
}

/// An extra field that moves what follows `at` to a multiple.
fn padding(at: usize, multiple: usize) -> Vec<u8> {
    if multiple == 1 {
        return Vec::new();
    }
    // Six bytes are its own: kind, length, multiple.
    let zeroes = (multiple - (at + 6) % multiple) % multiple;
    let (length, multiple) = ((2 + zeroes) as u16, multiple as u16);
    [&ALIGNMENT.to_le_bytes()[..], &length.to_le_bytes(), &multiple.to_le_bytes(), &vec![0; zeroes]].concat()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of stored files, without any alignment.
    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut made, mut directory) = (Vec::new(), Vec::new());
        for (name, data) in files {
            let start = made.len() as u32;
            let size = (data.len() as u32).to_le_bytes();
            let common = [&[10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4][..], &size, &size, &[name.len() as u8, 0, 0, 0]];
            made.extend([&LOCAL.to_le_bytes()[..], &common.concat(), name.as_bytes(), data].concat());
            directory.extend([&CENTRAL.to_le_bytes()[..], &[10, 0], &common.concat(), &[0; 10]].concat());
            directory.extend([&start.to_le_bytes()[..], name.as_bytes()].concat());
        }
        let count = [files.len() as u8, 0];
        let at = (made.len() as u32).to_le_bytes();
        let length = (directory.len() as u32).to_le_bytes();
        made.extend([&directory[..], &END.to_le_bytes(), &[0; 4], &count, &count, &length, &at, &[0; 2]].concat());
        made
    }

    #[test]
    fn libraries_go_to_pages_and_nothing_is_lost() {
        let files: &[(&str, &[u8])] =
            &[("odd", b"abc"), ("lib/x86_64/one.so", b"native"), ("b", b""), ("lib/x86_64/two.so", &[7; 20_000])];
        let loose = Archive::of(archive(files)).unwrap();
        // The control: as it was made, it is found wanting.
        assert_eq!(loose.off_page(), Some("lib/x86_64/one.so"));
        let paged = Archive::of(loose.paged().unwrap()).unwrap();
        assert_eq!(paged.off_page(), None);
        for ((name, data), entry) in files.iter().zip(&paged.entries) {
            assert_eq!((*name, *data), (entry.name.as_str(), &paged.bytes[entry.data..entry.data + entry.size]));
            assert!(entry.data.is_multiple_of(4));
        }
        assert_eq!(loose.sizes(), paged.sizes());
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        assert!(Archive::of(b"nothing".to_vec()).is_none() && Archive::of(vec![0; 100]).is_none());
        let mut cut = archive(&[("a", b"b")]);
        cut[0] = 0;
        assert!(Archive::of(cut).is_none());
    }
}
