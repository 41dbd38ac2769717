//! The kept corpus, replayed without a fuzzer: what it once found stays mended. And the controls: each
//! target's property can fail.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use pairpin_fuzz::TARGETS;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(corpus(target)).unwrap_or_else(|error| panic!("the corpus of {target}: {error}"));
    let read = |path: PathBuf| (path.display().to_string(), fs::read(&path).expect("an input"));
    entries.map(|entry| read(entry.expect("an entry").path())).collect()
}

#[test]
fn every_kept_input_holds() {
    for (target, run) in TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() >= 3, "{target} has {} inputs", inputs.len());
        for (name, input) in inputs {
            assert!(catch_unwind(|| run(&input)).is_ok(), "{name} breaks the property of {target}");
        }
    }
}

#[test]
fn the_corpus_is_small() {
    let sizes = TARGETS.iter().flat_map(|(target, _)| inputs(target)).map(|(_, input)| input.len());
    let (count, bytes) = sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
    assert!(count <= 1200 && bytes <= 1_000_000, "{count} files of {bytes} bytes");
}

#[test]
fn the_planted_bug_is_one_and_chance_does_not_find_it() {
    let run = pairpin_fuzz::target("planted").expect("the control");
    assert!(catch_unwind(|| run(b"P\xA7!\x05aaaaa")).is_err());
    for near in [&b"P\xA7?\x05aaaaa"[..], b"P\xA7!\x06aaaaa", b"p\xA7!\x05aaaaa", b"P\xA7!\x05aaaa\x00", b""] {
        assert!(catch_unwind(|| run(near)).is_ok(), "{near:?}");
    }
}

#[test]
fn names_that_are_no_target_are_none() {
    assert!(pairpin_fuzz::target("nothing").is_none());
    assert!(TARGETS.iter().all(|(name, _)| *name != "planted"), "the control must not be among those that hold");
}
