//! A device that never stops talking is revoked: [`trial`] does it and reports, [`judge`] says what is
//! wrong with the report.
//!
//! What counts as accepted after the commit: a request that was sent after the revocation had
//! returned and is answered all the same, and a dial begun after it that is welcomed. (What was under
//! way at the commit is cut too, and counts against the time of the close.)

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pairpin_core::host::DATABASE_FILE;
use pairpin_core::store::host::tombstones;
use pairpin_core::store::{Database, Kind};
use pairpin_core::wire::RefusalCode;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::admin::Admin;
use super::paired::{Door, Paired, Session};
use crate::machine::Machine;

/// Connections that stream.
const STREAMS: usize = 4;
/// Requests under way on each.
const WINDOW: u64 = 32;
/// Answers before the revocation, over all.
const WARM: u64 = 200;
/// How long to wait for what should have ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sockets must be closed this soon after the revocation returned.
pub const CLOSE_BAR: Duration = Duration::from_millis(500);

/// How the device is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By the daemon.
    Revoke,
    /// The broken twin: the tombstone is written beside the daemon, and nobody is told.
    OnlyMark,
}

/// What happened in one trial.
#[derive(Debug, Default)]
pub struct Trial {
    /// Answers before the revocation was asked for: the traffic.
    pub before: u64,
    /// Requests sent after it had returned that were answered.
    pub answered_after: u64,
    /// Dials begun after it had returned that were welcomed.
    pub welcomed_after: u64,
    /// Connections still open at the end.
    pub open: usize,
    /// From the return of the revocation to the last close; zero where all were closed before.
    pub last_close: Duration,
    /// From asking for the revocation to its return.
    pub took: Duration,
    /// Dials after it that were told that the device is revoked.
    pub told: u64,
}

/// What is wrong with a trial; nothing, where the device is out.
pub fn judge(trial: &Trial) -> Vec<String> {
    let mut wrong = Vec::new();
    if trial.before < WARM {
        wrong.push(format!("traffic: only {} answers before", trial.before));
    }
    if trial.answered_after > 0 {
        wrong.push(format!("answered: {} requests sent after the revocation", trial.answered_after));
    }
    if trial.welcomed_after > 0 {
        wrong.push(format!("welcomed: {} dials begun after the revocation", trial.welcomed_after));
    }
    if trial.open > 0 || trial.last_close > CLOSE_BAR {
        wrong.push(format!("open: {} connections, the last closed after {:?}", trial.open, trial.last_close));
    }
    if trial.told == 0 {
        wrong.push("told: no later dial was told the cause".to_owned());
    }
    wrong
}

#[derive(Debug, Default)]
struct Stage {
    answers: AtomicU64,
    answered_after: AtomicU64,
    welcomed_after: AtomicU64,
    told: AtomicU64,
    revoked: AtomicBool,
}

/// Revokes one device under its own traffic.
///
/// # Panics
/// The device is not welcome to begin with, or cannot be revoked.
pub async fn trial(machine: &Machine, door: Door, device: Arc<Paired>, how: How) -> Trial {
    let stage = Arc::new(Stage::default());
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        let session = device.dial(door, Ipv4Addr::LOCALHOST).await.unwrap_or_else(|lost| panic!("{lost:?}"));
        streams.spawn(stream(session, Arc::clone(&stage)));
    }
    let dials = tokio::spawn(dial_again(Arc::clone(&device), door, Arc::clone(&stage)));
    let warm = async {
        while stage.answers.load(Ordering::SeqCst) < WARM {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), warm).await.unwrap_or_else(|_| panic!("no traffic before the revocation"));

    let asked = Instant::now();
    let before = stage.answers.load(Ordering::SeqCst);
    revoke(machine, &device, how).await;
    let returned = Instant::now();
    stage.revoked.store(true, Ordering::SeqCst);

    let mut trial = Trial { before, took: returned - asked, ..Trial::default() };
    let closing = async {
        while let Some(closed) = streams.join_next().await {
            let closed: Instant = closed.unwrap_or_else(|error| panic!("{error}"));
            trial.last_close = trial.last_close.max(closed.saturating_duration_since(returned));
        }
    };
    let _ = timeout(PATIENCE, closing).await;
    trial.open = streams.len();
    streams.shutdown().await;
    let abort = dials.abort_handle();
    let _ = timeout(PATIENCE, dials).await;
    abort.abort();
    trial.answered_after = stage.answered_after.load(Ordering::SeqCst);
    trial.welcomed_after = stage.welcomed_after.load(Ordering::SeqCst);
    trial.told = stage.told.load(Ordering::SeqCst);
    trial
}

async fn revoke(machine: &Machine, device: &Paired, how: How) {
    match how {
        How::Revoke => {
            let revoked = Admin::of(machine).revoke(device.device).await;
            revoked.unwrap_or_else(|error| panic!("{error}"));
        }
        How::OnlyMark => {
            let (file, id) = (machine.file(DATABASE_FILE), device.device);
            let marking = tokio::task::spawn_blocking(move || {
                let db = Database::open(&file, Kind::Host)?;
                db.write_blocking(move |connection| tombstones::bury(connection, &id, 0, "nobody", None).map(drop))
            });
            let marked = marking.await.unwrap_or_else(|error| panic!("{error}"));
            marked.unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// Asks as fast as answers come; gives when the connection ended.
async fn stream(mut session: Session, stage: Arc<Stage>) -> Instant {
    // The number of the first request that was sent after the revocation had returned.
    let mut first_after = None;
    let mut under_way = 0;
    loop {
        while under_way < WINDOW {
            let after = stage.revoked.load(Ordering::SeqCst);
            let Ok(number) = session.ask().await else { return read_out(session, &stage, first_after).await };
            if after {
                first_after.get_or_insert(number);
            }
            under_way += 1;
        }
        match session.answer().await {
            Ok(Some(number)) => {
                note(&stage, first_after, number);
                under_way -= 1;
            }
            Ok(None) | Err(_) => return Instant::now(),
        }
    }
}

/// What can still be read where nothing can be sent any more.
async fn read_out(mut session: Session, stage: &Stage, first_after: Option<u64>) -> Instant {
    while let Ok(Some(number)) = session.answer().await {
        note(stage, first_after, number);
    }
    Instant::now()
}

fn note(stage: &Stage, first_after: Option<u64>, number: u64) {
    stage.answers.fetch_add(1, Ordering::SeqCst);
    if first_after.is_some_and(|first| number >= first) {
        stage.answered_after.fetch_add(1, Ordering::SeqCst);
    }
}

/// Comes back again and again, until it has been told three times that it is revoked.
async fn dial_again(device: Arc<Paired>, door: Door, stage: Arc<Stage>) {
    let mut told = 0;
    while told < 3 {
        let after = stage.revoked.load(Ordering::SeqCst);
        match device.dial(door, Ipv4Addr::LOCALHOST).await {
            Ok(mut session) => {
                if after {
                    stage.welcomed_after.fetch_add(1, Ordering::SeqCst);
                }
                let after = stage.revoked.load(Ordering::SeqCst);
                if session.round_trip().await.is_ok() && after {
                    stage.answered_after.fetch_add(1, Ordering::SeqCst);
                }
                // Closed by dropping it: the next dial must not wait for a goodbye.
            }
            Err(lost) if lost.code() == Some(RefusalCode::Revoked) => {
                told += u64::from(after);
                stage.told.store(told, Ordering::SeqCst);
            }
            // Cut on the way in.
            Err(_) => {}
        }
    }
}
