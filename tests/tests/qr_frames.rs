//! The short form of `cargo xtask bench-qr`: sixty camera frames, counted and not timed.

use pairpin_tests::frames::CLASSES;
use pairpin_tests::frames::readers::{blind, examine_all, floor, liar, ours};

/// Not the seed that the reader was tuned on.
const SEED: u64 = 7;
const FRAMES: usize = 5 * CLASSES.len();
/// Far below what is measured (`docs/benchmarks.md`): sixty frames are few.
const PERCENT: f64 = 85.0;

#[test]
fn camera_frames_of_every_class_are_read_and_none_wrongly() {
    let judges = examine_all(&[("pairpin", ours), ("rxing alone", floor)], SEED, FRAMES);
    let [us, least] = &judges[..] else { panic!("two readers were judged") };
    println!("{us}\n{least}");
    us.verdict(PERCENT).unwrap_or_else(|why| panic!("{why}"));
    assert!(us.read() > least.read(), "our rungs add nothing: {us}\n{least}");
}

/// The controls: the judge finds a reader that reads nothing and one that reads something else.
#[test]
fn a_reader_that_reads_nothing_and_one_that_reads_another_text_are_found_out() {
    let judges = examine_all(&[("blind", blind), ("liar", liar)], SEED, CLASSES.len());
    let why = |index: usize| judges[index].verdict(PERCENT).unwrap_err();
    assert!(why(0).contains("0.0 % of the frames") && why(1).contains("another text was read in 12 frames"));
}
