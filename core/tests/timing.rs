//! Comparing secrets takes the same time wherever they differ: Welch's t over interleaved
//! measurements, and a comparison that stops at the first difference, which the same check catches.
//!
//! The method is dudect's (Reparaz, Balasch, Verbauwhede, 2017): two classes of inputs in random
//! order, the slowest tenth of all measurements left out, and |t| above 4.5 is a difference. By chance
//! that happens about seven times in a million where measurements are independent. On a machine that others use
//! they are not, and such noise makes now one class the slower, now the other; so a comparison fails only
//! where the same class is the slower one five times in a row.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pairpin_core::handshake::{Channel, MacKey, Purpose, Transcript, TranscriptHash};
use pairpin_core::identity::Pin;
use pairpin_core::secrets::{RecognitionKey, Secret, TypedCode, random_bytes};
use pairpin_core::token::TokenHash;
use pairpin_core::wire::{Flow, Mac};

const PAIRS: usize = 10_000;
const THRESHOLD: f64 = 4.5;
const REPEATS: usize = 5;

/// Welch's t of two samples.
fn welch(first: &[f64], second: &[f64]) -> f64 {
    let mean = |sample: &[f64]| sample.iter().sum::<f64>() / sample.len() as f64;
    let (one, other) = (mean(first), mean(second));
    let spread = |sample: &[f64], mean: f64| {
        let squares: f64 = sample.iter().map(|value| (value - mean).powi(2)).sum();
        squares / (sample.len() - 1) as f64 / sample.len() as f64
    };
    (one - other) / (spread(first, one) + spread(second, other)).sqrt()
}

/// Measures `PAIRS` of both classes in random order; each measurement is `batch` calls. The input lies
/// in the same place whichever it is: where something lies in memory has times of its own.
fn measure<T: Clone>(batch: u32, classes: [&T; 2], run: impl Fn(&T) -> bool) -> f64 {
    let mut samples = [Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS)];
    let mut input = Box::new(classes[0].clone());
    let order: [u8; PAIRS] = random_bytes().unwrap();
    for coin in order {
        for class in [usize::from(coin & 1), usize::from(coin & 1 ^ 1)] {
            *input = classes[class].clone();
            let began = Instant::now();
            for _ in 0..batch {
                black_box(run(black_box(&input)));
            }
            samples[class].push(began.elapsed().as_nanos() as f64);
        }
    }
    let mut all: Vec<f64> = samples.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    // Whatever interrupted us took long; what we look for is in the others.
    let slow = all[all.len() * 9 / 10];
    let [first, second] = samples.map(|sample| sample.into_iter().filter(|time| *time <= slow).collect::<Vec<_>>());
    welch(&first, &second)
}

/// The values of t of up to five repeats; fewer where they show no difference, or one that turns round.
fn repeated<T: Clone>(batch: u32, classes: [&T; 2], run: impl Fn(&T) -> bool) -> Vec<f64> {
    // The tests of this file must not disturb each other.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut seen = Vec::new();
    for _ in 0..REPEATS {
        seen.push(measure(batch, classes, &run));
        if !differs(&seen) {
            break;
        }
    }
    seen
}

/// Whether the same class was the slower one every time.
fn differs(seen: &[f64]) -> bool {
    seen.iter().all(|t| *t > THRESHOLD) || seen.iter().all(|t| *t < -THRESHOLD)
}

/// Compares with another first byte against another last byte, and equal against another first byte.
#[track_caller]
fn takes_the_same_time<T: Clone>(what: &str, batch: u32, values: &[T; 3], run: impl Fn(&T) -> bool) {
    let [equal, first, last] = values;
    for (where_, classes) in [("the first byte or the last", [first, last]), ("equal or not", [first, equal])] {
        let seen = repeated(batch, classes, &run);
        println!("{what}, {where_}: t = {seen:.1?}");
        assert!(!differs(&seen), "{what} takes another time, {where_}: t = {seen:.1?}");
    }
}

/// What a careless comparison does.
fn leaky(first: &[u8], second: &[u8]) -> bool {
    if first.len() != second.len() {
        return false;
    }
    for (one, other) in first.iter().zip(second) {
        if black_box(one) != black_box(other) {
            return false;
        }
    }
    true
}

/// Equal to the first of them, another first byte, another last byte.
fn values() -> [[u8; 32]; 3] {
    let equal: [u8; 32] = random_bytes().unwrap();
    let (mut first, mut last) = (equal, equal);
    first[0] ^= 1;
    last[31] ^= 1;
    [equal, first, last]
}

fn transcript() -> TranscriptHash {
    let channel = Channel { exporter: Secret::generate().unwrap(), pin: Pin::from_bytes(random_bytes().unwrap()) };
    Transcript::new(Flow::Scan, &channel).hash()
}

#[test]
fn comparing_tokens_takes_the_same_time_wherever_they_differ() {
    let tokens = values().map(TokenHash::from_bytes);
    let stored = tokens[0];
    takes_the_same_time("a token", 16, &tokens, |other| stored.ct_eq(other));
}

#[test]
fn comparing_secrets_takes_the_same_time_wherever_they_differ() {
    let keys = values().map(RecognitionKey::from_bytes);
    let stored = keys[0].clone();
    takes_the_same_time("a secret", 16, &keys, |other| stored == *other);
    let codes = ["12345678", "02345678", "12345670"].map(|text| TypedCode::parse(text).unwrap());
    let stored = codes[0].clone();
    takes_the_same_time("a code", 16, &codes, |other| stored == *other);
}

/// The confirmation of a typed code and every other proof under a shared key.
#[test]
fn checking_macs_takes_the_same_time_wherever_they_differ() {
    let (key, hash) = (MacKey::of_recognition(&RecognitionKey::generate().unwrap()), transcript());
    for purpose in [Purpose::CodeDevice, Purpose::ScanProof] {
        let right = *key.mac(purpose, &hash).as_bytes();
        let (mut first, mut last) = (right, right);
        first[0] ^= 1;
        last[31] ^= 1;
        let macs = [right, first, last].map(Mac::from_bytes);
        let what = format!("a MAC ({purpose:?})");
        takes_the_same_time(&what, 1, &macs, |mac| key.check(purpose, &hash, Some(mac)).is_ok());
    }
}

#[test]
fn noise_that_turns_round_is_no_difference() {
    assert!(!differs(&[-7.8, 6.6, -8.6]));
    assert!(differs(&[7.8, 6.6, 8.6]) && differs(&[-7.8, -6.6]));
}

#[test]
fn control_a_comparison_that_stops_early_is_caught() {
    let [equal, first, last] = values();
    for (what, classes) in [("the first byte or the last", [&first, &last]), ("equal or not", [&first, &equal])] {
        let seen = repeated(16, classes, |other| leaky(&equal, other));
        println!("the control, {what}: t = {seen:.1?}");
        assert!(differs(&seen), "a leaky comparison was not caught, {what}: t = {seen:.1?}");
    }
}
