//! An owner that never rests is revoked: it mints offers, answers asks, lets a joiner in and dials again, all the
//! time. [`trial`] does it and reports, [`judge`] says what is wrong with the report.
//!
//! Nothing that it asks for after the revoke was answered may be answered, let alone done; what it began before and
//! did not finish (an offer, a yes to a joiner that has not acknowledged) goes with it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pairpin_core::host::DATABASE_FILE;
use pairpin_core::identity::DeviceId;
use pairpin_core::store::host::tombstones;
use pairpin_core::store::{Database, Kind};
use pairpin_core::wire::{JoinHow, JoinId, JoinTranscript, RefusalCode};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::joiner;
use super::owner::{Approval, NotDone, Owner};
use super::paired::{Door, Paired};
use super::revocation::{CLOSE_BAR, How};
use crate::machine::Machine;

/// Answers before the revocation.
const WARM: usize = 30;
/// How long to wait for what should have ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// What happened.
#[derive(Debug, Default)]
pub struct Trial {
    /// Requests that were answered before the revocation was asked for, by kind.
    pub before: Vec<&'static str>,
    /// Requests made after it had returned that were answered, by kind.
    pub after: Vec<&'static str>,
    /// Connections still open at the end.
    pub open: usize,
    /// From the return of the revocation to the last close.
    pub last_close: Duration,
    /// From asking for the revocation to its return.
    pub took: Duration,
    /// A later dial was told that the device is revoked.
    pub told: bool,
    /// The joiner, and whether its acknowledgement was answered.
    pub joined: Option<(DeviceId, bool)>,
}

/// What is wrong with a trial; nothing, where the owner is out.
pub fn judge(trial: &Trial) -> Vec<String> {
    let mut wrong = Vec::new();
    if trial.before.len() < WARM {
        wrong.push(format!("traffic: only {} answers before", trial.before.len()));
    }
    if !trial.after.is_empty() {
        wrong.push(format!("served: {:?} after the revocation", trial.after));
    }
    if trial.open > 0 || trial.last_close > CLOSE_BAR {
        wrong.push(format!("open: {} connections, the last closed after {:?}", trial.open, trial.last_close));
    }
    if !trial.told {
        wrong.push("told: no later dial was told the cause".to_owned());
    }
    wrong
}

struct Stage {
    door: Door,
    victim: Arc<Paired>,
    approval: Approval,
    revoked: AtomicBool,
    /// What stands on the joiner's screen.
    screen: Mutex<Option<(JoinId, JoinTranscript)>>,
    before: Mutex<Vec<&'static str>>,
    after: Mutex<Vec<&'static str>>,
}

impl Stage {
    fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }

    /// Counts an answer to what was asked for when `after` was so.
    fn answered(&self, after: bool, what: &'static str) {
        let list = if after { &self.after } else { &self.before };
        list.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    fn count(&self) -> usize {
        self.before.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Revokes an owner in the middle of its work, so long after a joiner came from `source`; `by` is another owner.
///
/// # Panics
/// The owner is not welcome to begin with, or cannot be revoked.
pub async fn trial(
    machine: &Machine,
    by: (&Paired, &Approval),
    victim: Arc<Paired>,
    (source, head_start): (Ipv4Addr, Duration),
    how: How,
) -> Trial {
    let door = Door::of(machine);
    let stage = Arc::new(Stage {
        door,
        victim: Arc::clone(&victim),
        approval: Approval::generate(),
        revoked: AtomicBool::new(false),
        screen: Mutex::default(),
        before: Mutex::default(),
        after: Mutex::default(),
    });
    let mut other = Owner::connect(door, by.0, by.1).await.unwrap_or_else(|why| panic!("{why:?}"));
    let mut sessions = JoinSet::new();
    let (send, digits) = oneshot::channel();
    let mut send = Some(send);
    for work in [Work::Mints, Work::Answers, Work::LetsIn] {
        let owner = Owner::connect(door, &victim, &stage.approval).await.unwrap_or_else(|why| panic!("{why:?}"));
        let digits = (work == Work::LetsIn).then(|| send.take()).flatten();
        sessions.spawn(works(owner, work, digits, Arc::clone(&stage)));
    }
    let dials = tokio::spawn(dials_again(Arc::clone(&stage)));
    let warm = async {
        while stage.count() < WARM {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), warm).await.unwrap_or_else(|_| panic!("no traffic before the revocation"));
    // A joiner comes shortly before: the owner's yes to it is raced by the revocation.
    let joining = tokio::spawn(joins(Arc::clone(&stage), source, digits));
    sleep(head_start).await;

    let asked = Instant::now();
    match how {
        How::Revoke => other.revoke(victim.device).await.unwrap_or_else(|why| panic!("{why:?}")),
        How::OnlyMark => mark(machine, victim.device).await,
    }
    let returned = Instant::now();
    stage.revoked.store(true, Ordering::SeqCst);

    let mut trial = Trial { took: returned - asked, ..Trial::default() };
    let closing = async {
        while let Some(closed) = sessions.join_next().await {
            let closed: Instant = closed.unwrap_or_else(|error| panic!("{error}"));
            trial.last_close = trial.last_close.max(closed.saturating_duration_since(returned));
        }
    };
    let _ = timeout(PATIENCE, closing).await;
    trial.open = sessions.len();
    sessions.shutdown().await;
    let abort = dials.abort_handle();
    trial.told = timeout(PATIENCE, dials).await.is_ok_and(|told| told.unwrap_or(false));
    abort.abort();
    trial.joined = joining.await.unwrap_or_else(|error| panic!("{error}"));
    let take =
        |list: &Mutex<Vec<&'static str>>| std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner));
    (trial.before, trial.after) = (take(&stage.before), take(&stage.after));
    trial
}

async fn mark(machine: &Machine, device: DeviceId) {
    let file = machine.file(DATABASE_FILE);
    let marking = tokio::task::spawn_blocking(move || {
        let db = Database::open(&file, Kind::Host)?;
        db.write_blocking(move |connection| tombstones::bury(connection, &device, 0, "nobody", None).map(drop))
    });
    let marked = marking.await.unwrap_or_else(|error| panic!("{error}"));
    marked.unwrap_or_else(|error| panic!("{error}"));
}

/// What an owner's session does all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Mints,
    Answers,
    LetsIn,
}

/// Until it is cut off; gives when that was.
async fn works(
    mut owner: Owner,
    work: Work,
    mut digits: Option<oneshot::Sender<String>>,
    stage: Arc<Stage>,
) -> Instant {
    loop {
        let after = stage.is_revoked();
        let done = match work {
            Work::Mints => owner.mint().await.map(|_| "mint"),
            Work::Answers => answers(&mut owner).await,
            Work::LetsIn => lets_in(&stage, &mut owner, &mut digits).await,
        };
        match done {
            Ok(what) => stage.answered(after, what),
            // Too many offers, somebody else was quicker: an answer all the same.
            Err(NotDone::Refused(_)) => stage.answered(after, "a refusal"),
            Err(NotDone::Lost(_)) => return Instant::now(),
        }
    }
}

async fn answers(owner: &mut Owner) -> Result<&'static str, NotDone> {
    match owner.inbox().await?.first() {
        Some(ask) => owner.accept(ask).await.map(|_| "accept"),
        _ => Ok("inbox"),
    }
}

async fn lets_in(
    stage: &Stage,
    owner: &mut Owner,
    digits: &mut Option<oneshot::Sender<String>>,
) -> Result<&'static str, NotDone> {
    let listed = owner.joins().await?;
    let screen = *stage.screen.lock().unwrap_or_else(PoisonError::into_inner);
    let found = screen.and_then(|(join, transcript)| Some((listed.iter().find(|one| one.join == join)?, transcript)));
    let Some((listed, transcript)) = found else { return Ok("joins") };
    let accepted = owner.approve(listed.join, listed.key, JoinHow::Scan(transcript)).await?;
    if let Some(digits) = digits.take() {
        let _ = digits.send(accepted.digits);
    }
    Ok("approve-join")
}

/// A joiner that types what the owner reads out; whether its acknowledgement was answered.
async fn joins(stage: Arc<Stage>, source: Ipv4Addr, digits: oneshot::Receiver<String>) -> Option<(DeviceId, bool)> {
    let asked = joiner::ask(stage.door, source, "laptop").await.ok()?;
    let (device, qr) = (DeviceId::of(&asked.public), asked.waiting.qr());
    *stage.screen.lock().unwrap_or_else(PoisonError::into_inner) = Some((qr.join, qr.transcript));
    let held = asked.granted(PATIENCE).await.ok()?;
    let digits = timeout(PATIENCE, digits).await.ok()?.ok()?;
    let (_, answer) = held.typed(&digits)?.acknowledge(PATIENCE).await;
    Some((device, answer.is_ok()))
}

/// Comes back again and again; whether it was told that it is revoked.
async fn dials_again(stage: Arc<Stage>) -> bool {
    loop {
        let after = stage.is_revoked();
        match stage.victim.dial(stage.door, Ipv4Addr::LOCALHOST).await {
            Ok(mut session) => {
                stage.answered(after, "a dial");
                let after = stage.is_revoked();
                if session.round_trip().await.is_ok() {
                    stage.answered(after, "a request after a dial");
                }
            }
            Err(lost) if after && lost.code() == Some(RefusalCode::Revoked) => return true,
            Err(_) => {}
        }
    }
}
