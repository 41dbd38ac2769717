//! The byte vectors, repeated by another language from the specification alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn check(folder: &Path) -> Output {
    let python = std::env::var_os("PAIRPIN_PYTHON")
        .expect("PAIRPIN_PYTHON names no python, run: cargo xtask test --layer vectors");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python/check_vectors.py");
    Command::new(python).arg(script).arg(folder).output().expect("python starts")
}

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

#[test]
fn python_makes_the_same_bytes_from_the_specification() {
    let output = check(&vectors());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    let files = std::fs::read_dir(vectors()).expect("the vectors are there").count();
    assert_eq!(said.matches(": as specified").count(), files, "one was passed over: {said}");
}

/// The control: with one digit changed in any one file, the same check fails.
#[test]
fn a_changed_byte_is_caught_in_every_file() {
    for entry in std::fs::read_dir(vectors()).expect("the vectors are there") {
        let file = entry.expect("readable").path();
        let scratch = tempfile::tempdir().expect("a scratch directory");
        for other in std::fs::read_dir(vectors()).expect("the vectors are there") {
            let other = other.expect("readable").path();
            std::fs::copy(&other, scratch.path().join(other.file_name().expect("a name"))).expect("copied");
        }
        let copy = scratch.path().join(file.file_name().expect("a name"));
        let text = std::fs::read_to_string(&copy).expect("text");
        // The last hexadecimal, base32 or decimal digit before a quote is part of some value.
        let at = text.rfind(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase()).expect("a digit");
        let other = if &text[at..=at] == "2" { "3" } else { "2" };
        std::fs::write(&copy, format!("{}{other}{}", &text[..at], &text[at + 1..])).expect("written");
        assert!(!check(scratch.path()).status.success(), "{} was not caught", file.display());
    }
}
