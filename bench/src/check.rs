//! The check of a session: what criterion measured (`benches/session_check.rs`), and that no
//! reconnect waits for the disk.

use std::env;
use std::fs;
use std::path::PathBuf;

use pairpin_tests::scratch;
use pairpin_tests::swarm::disk;
use pairpin_tests::swarm::rows;
use serde_json::Value;

use crate::Form;
use crate::figure::{Bar, Figure};

pub fn measure(form: Form) -> Vec<Figure> {
    let mut figures = criterion();
    let home = scratch::directory();
    let log = home.path().join("syncs");
    let (machine, devices) = rows::with_devices(disk::traced(&log), 8);
    let counted = disk::count(&machine, &devices, &log, form.of(1_000, 200), false);
    let twin = disk::count(&machine, &devices, &log, 60, true);
    assert!(!disk::judge(&twin).is_empty(), "the count does not see a write for each reconnect: {twin:?}");
    let subject = format!("waits for the disk in {} reconnects", counted.reconnects);
    let explained = counted.explained() as f64;
    figures.push(
        Figure::new(subject, counted.calls as f64, "")
            .floor(explained, "the daemon's own rhythm, at most")
            .bar(Bar::AtMost(explained)),
    );
    figures
}

/// Where `cargo bench` leaves its estimates; set by `cargo xtask bench`.
fn criterion() -> Vec<Figure> {
    let home = env::var_os("CRITERION_HOME").map(PathBuf::from);
    let estimate = |name: &str| -> Option<(f64, f64, f64)> {
        let file = home.as_ref()?.join("session_check").join(name).join("new/estimates.json");
        let value: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
        let median = &value["median"];
        let interval = &median["confidence_interval"];
        let point = median["point_estimate"].as_f64()?;
        Some((point / 1e3, interval["lower_bound"].as_f64()? / 1e3, interval["upper_bound"].as_f64()? / 1e3))
    };
    let row = |name: &str, subject: &str| match estimate(name) {
        Some((median, least, most)) => Figure::new(subject, median, "µs").spread(least, most),
        None => Figure::not_run(subject, "criterion has not run, use `cargo xtask bench`"),
    };
    let signature = estimate("signature").map_or(f64::NAN, |(median, ..)| median);
    let apart = row("apart", "check of a session, apart from the signature");
    vec![
        apart.floor(signature, "one ECDSA verification").bar(Bar::AtMost(5.0)),
        row("judge", "of that, the judgement among as many tokens as there can be"),
        row("whole", "with the signature"),
    ]
}
