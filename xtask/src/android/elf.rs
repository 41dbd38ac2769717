//! What a native library says of the pages that it is to be mapped by: phones with pages of 16 KB do not load one
//! that was linked for smaller ones. (ELF: System V ABI, chapters 4 and 5.)

use std::fs;
use std::path::Path;

use super::archive::PAGE;

/// A segment that is mapped.
const LOAD: u32 = 1;

/// What of a library matters here.
#[derive(Debug, PartialEq, Eq)]
struct Library {
    machine: u16,
    /// The alignment of each mapped segment.
    alignments: Vec<u64>,
}

/// Reads a library and sees that it is for this kind of processor (as Android calls it; any, where none is named) and
/// can be mapped by pages of 16 KB.
///
/// # Errors
/// It cannot be read, is none, is for another processor, or is linked for smaller pages; the text says how to link it.
pub fn check(path: &Path, abi: Option<&str>) -> Result<(), String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let library = Library::of(&bytes).ok_or_else(|| format!("{} is no native library", path.display()))?;
    library.judge(abi).map_err(|why| format!("{}: {why}", path.display()))
}

impl Library {
    fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.get(..4)? != b"\x7fELF" || *bytes.get(5)? != 1 {
            return None;
        }
        let wide = match bytes.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let (table, sizes) = if wide { (number(bytes, 32, 8)?, 54) } else { (number(bytes, 28, 4)?, 42) };
        let (entry, count) = (number(bytes, sizes, 2)?, number(bytes, sizes + 2, 2)?);
        let mut alignments = Vec::new();
        for index in 0..count {
            let at = usize::try_from(table.checked_add(index * entry)?).ok()?;
            if number(bytes, at, 4)? == u64::from(LOAD) {
                alignments.push(if wide { number(bytes, at + 48, 8)? } else { number(bytes, at + 28, 4)? });
            }
        }
        Some(Self { machine: u16::try_from(number(bytes, 18, 2)?).ok()?, alignments })
    }

    fn judge(&self, abi: Option<&str>) -> Result<(), String> {
        let wanted = abi.map(|abi| match abi {
            "arm64-v8a" => 183,
            "armeabi-v7a" => 40,
            "x86_64" => 62,
            _ => 0,
        });
        if wanted.is_some_and(|machine| machine != self.machine) {
            return Err(format!("it is for another processor than {}", abi.unwrap_or_default()));
        }
        match self.alignments.iter().min() {
            None => Err("nothing of it is mapped".to_owned()),
            // Processors of 32 bits have pages of 4 KB alone.
            Some(least) if *least < PAGE && self.machine != 40 => Err(format!(
                "it is linked for pages of {least} bytes, phones have such of {PAGE}: link it with -z max-page-size={PAGE}"
            )),
            Some(_) => Ok(()),
        }
    }
}

/// A number of so many bytes, the least first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A library of the host's, linked for pages of this size.
    fn linked(page: u32) -> std::path::PathBuf {
        let directory = std::env::temp_dir().join(format!("pairpin-elf-{}-{page}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (source, made) = (directory.join("a.c"), directory.join("liba.so"));
        fs::write(&source, "int one(void) { return 1; }\n").unwrap();
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", &format!("-Wl,-z,max-page-size={page}"), "-o"]).arg(&made).arg(&source);
        assert!(command.status().unwrap().success());
        made
    }

    #[test]
    fn a_library_for_large_pages_passes_and_one_for_small_pages_does_not() {
        let (large, small) = (linked(16384), linked(4096));
        check(&large, None).unwrap();
        let why = check(&small, None).unwrap_err();
        assert!(why.contains("pages of 4096 bytes") && why.contains("max-page-size=16384"), "{why}");
        // It is the host's, and not of each kind.
        assert!(check(&large, Some("armeabi-v7a")).is_err());
        for made in [large, small] {
            fs::remove_dir_all(made.parent().unwrap()).unwrap();
        }
    }

    #[test]
    fn thirty_two_bits_are_read_and_may_have_small_pages() {
        let mut bytes = vec![0; 52 + 32];
        bytes[..6].copy_from_slice(b"\x7fELF\x01\x01");
        (bytes[18], bytes[28], bytes[42], bytes[44]) = (40, 52, 32, 1);
        (bytes[52], bytes[52 + 29]) = (1, 0x10);
        let library = Library::of(&bytes).unwrap();
        assert_eq!(library, Library { machine: 40, alignments: vec![4096] });
        assert!(library.judge(Some("armeabi-v7a")).is_ok());
        assert!(library.judge(Some("arm64-v8a")).is_err());
    }

    #[test]
    fn what_is_no_library_is_refused() {
        for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\nexit 0\n", &[0x7f, b'E', b'L', b'F', 2, 1, 0, 0]] {
            assert!(Library::of(bytes).is_none());
        }
        assert!(Library { machine: 62, alignments: Vec::new() }.judge(None).is_err());
    }
}
