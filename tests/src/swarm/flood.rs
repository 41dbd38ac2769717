//! A flood: strangers of every kind, from one address and from many, while paired devices work and
//! others dial in. [`run`] does it and reports, [`judge`] says what is wrong with the report: the same
//! for the real machine and for the broken twin.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::paired::{Door, Paired, Session};
use super::process;
use super::spread::Spread;
use super::strangers::{Kind, SLOW, Stay, come};

/// How much.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Strangers who only connect.
    pub connects: usize,
    /// Strangers who take their time, of all kinds.
    pub slow: usize,
    /// Paired devices that work meanwhile.
    pub working: usize,
    /// Paired devices that dial in meanwhile.
    pub dialling: usize,
    /// Over how long the strangers come.
    pub arrival: Duration,
}

/// What must hold.
#[derive(Debug, Clone, Copy)]
pub struct Bars {
    /// How much the daemon's memory may grow, in KiB.
    pub growth: u64,
    /// What 99 of 100 round trips of paired devices may take.
    pub round_trip: Duration,
    /// The same as a multiple of what they take while no stranger is there; the larger of the two
    /// counts. 0 for a quiet machine.
    pub of_calm: f64,
    /// How long a stranger may stay.
    pub stay: Duration,
    /// How long a paired device may need to get in.
    pub dial: Duration,
}

impl Bars {
    /// The bars as they are promised.
    pub const PROMISED: Self = Self {
        growth: 32 * 1024,
        round_trip: Duration::from_millis(250),
        of_calm: 0.0,
        // Ten seconds of the machine's, and one for either side to be scheduled.
        stay: Duration::from_secs(11),
        dial: Duration::from_secs(10),
    };
}

/// What happened.
#[derive(Debug, Default)]
pub struct Report {
    /// By how much the daemon's resident memory grew at its peak, in KiB.
    pub growth: u64,
    /// Round trips of paired devices before, in ms.
    pub calm: Spread,
    /// Round trips of paired devices while strangers came, in ms; not those of the calm that follows.
    pub flooded: Spread,
    /// Working devices that lost their connection.
    pub cut: usize,
    /// How long the strangers stayed, in ms: those who were sent away.
    pub stays: Spread,
    /// Strangers who were still there at the end.
    pub stayed: usize,
    /// Strangers who got no connection at all.
    pub not_let_in: usize,
    /// How long the devices that dialled in took, in ms.
    pub dials: Spread,
    /// Dials they needed.
    pub tries: usize,
    /// Devices that did not get in.
    pub kept_out: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "memory of the daemon grew by {:.1} MiB", self.growth as f64 / 1024.0)?;
        writeln!(f, "round trips before, ms:  {}", self.calm)?;
        writeln!(f, "round trips flooded, ms: {} ({} devices cut)", self.flooded, self.cut)?;
        let rest = format!("{} stayed, {} got no connection", self.stayed, self.not_let_in);
        writeln!(f, "strangers gone after, ms: {} ({rest})", self.stays)?;
        write!(f, "devices in after, ms: {} ({} dials, {} kept out)", self.dials, self.tries, self.kept_out)
    }
}

/// What is wrong with a report; nothing, where all bars hold.
pub fn judge(report: &Report, size: Size, bars: Bars) -> Vec<String> {
    let mut wrong = Vec::new();
    if report.growth > bars.growth {
        wrong.push(format!("memory: grew by {} KiB, {} are allowed", report.growth, bars.growth));
    }
    let bar = (bars.round_trip.as_secs_f64() * 1e3).max(report.calm.p99() * bars.of_calm);
    // Too few measurements are wrong too.
    if report.flooded.count() < size.working || report.flooded.p99() > bar {
        wrong.push(format!("round trips: p99 {:.1} ms, {bar:.0} are allowed", report.flooded.p99()));
    }
    if report.cut > 0 {
        wrong.push(format!("cut: {} paired devices lost their connection", report.cut));
    }
    let came = report.stays.count() + report.stayed + report.not_let_in;
    if came != size.connects + size.slow || report.stays.count() * 2 < came {
        wrong.push(format!("strangers: {came} came, {} were sent away", report.stays.count()));
    }
    if report.stayed > 0 || report.stays.most() > bars.stay.as_secs_f64() * 1e3 {
        wrong.push(format!("strangers: {} stayed, the last went after {:.0} ms", report.stayed, report.stays.most()));
    }
    let slow = report.dials.most() > bars.dial.as_secs_f64() * 1e3;
    if report.kept_out > 0 || report.dials.count() != size.dialling || slow {
        wrong.push(format!("dials: {} kept out, the last in after {:.0} ms", report.kept_out, report.dials.most()));
    }
    wrong
}

/// What the tasks of a flood share.
#[derive(Debug, Default)]
struct Stage {
    flooded: AtomicBool,
    calm_again: AtomicBool,
    over: AtomicBool,
    tries: AtomicUsize,
}

/// Floods the machine behind `door`, whose process is `pid`. `devices` must be as many as work and
/// dial in together.
///
/// # Panics
/// The working devices are not welcome to begin with, or there is no such process.
pub async fn run(door: Door, pid: u32, devices: Vec<Arc<Paired>>, size: Size) -> Report {
    assert_eq!(devices.len(), size.working + size.dialling);
    let (working, dialling) = devices.split_at(size.working);
    let stage = Arc::new(Stage::default());
    let mut at_work = JoinSet::new();
    for (number, device) in working.iter().enumerate() {
        let source = Ipv4Addr::new(127, 0, 20, 1 + (number % 100) as u8);
        let session = device.dial(door, source).await.unwrap_or_else(|lost| panic!("a paired device: {lost:?}"));
        at_work.spawn(work(session, Arc::clone(&stage)));
    }
    sleep(Duration::from_secs(1)).await;

    let before = process::memory(pid).resident;
    process::forget_peak(pid).unwrap_or_else(|error| panic!("{error}"));
    stage.flooded.store(true, Ordering::SeqCst);
    let began = Instant::now();
    // Longer than any of them may stay.
    let until = began + size.arrival + Bars::PROMISED.stay + Duration::from_secs(2);
    let last_came = Arc::clone(&stage);
    tokio::spawn(async move {
        tokio::time::sleep_until((began + size.arrival).into()).await;
        last_came.calm_again.store(true, Ordering::SeqCst);
    });
    let mut strangers = JoinSet::new();
    for (number, kind) in kinds(size).enumerate() {
        let at = began + size.arrival.mul_f64(number as f64 / (size.connects + size.slow) as f64);
        strangers.spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            come(kind, source_of(number), door.address, until).await
        });
    }
    let mut dials = JoinSet::new();
    for (number, device) in dialling.iter().cloned().enumerate() {
        // Half of them from the very address that floods.
        let source = if number % 2 == 0 { FLOODING } else { Ipv4Addr::new(127, 0, 21, 1 + (number % 100) as u8) };
        let at = began + size.arrival.mul_f64((number + 1) as f64 / (size.dialling + 1) as f64);
        let stage = Arc::clone(&stage);
        dials.spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            dial_in(&device, door, source, until, &stage).await
        });
    }

    let mut report = Report::default();
    let times: Vec<Option<Duration>> = dials.join_all().await;
    report.kept_out = times.iter().filter(|time| time.is_none()).count();
    report.dials = Spread::of_ms(times.into_iter().flatten());
    let stays = strangers.join_all().await;
    report.stayed = stays.iter().filter(|stay| **stay == Stay::Stayed).count();
    report.not_let_in = stays.iter().filter(|stay| **stay == Stay::NotLetIn).count();
    let gone = |stay: &Stay| if let Stay::Gone(time) = stay { Some(*time) } else { None };
    report.stays = Spread::of_ms(stays.iter().filter_map(gone));
    stage.over.store(true, Ordering::SeqCst);
    let worked = at_work.join_all().await;
    report.growth = process::memory(pid).peak.saturating_sub(before);
    report.cut = worked.iter().filter(|work| work.cut).count();
    report.tries = stage.tries.load(Ordering::SeqCst);
    report.calm = Spread::of_ms(worked.iter().flat_map(|work| work.calm.clone()));
    report.flooded = Spread::of_ms(worked.into_iter().flat_map(|work| work.flooded));
    report
}

/// The address from which half of all strangers come.
const FLOODING: Ipv4Addr = Ipv4Addr::new(127, 0, 30, 1);

/// Every second one from one address, the others from 500.
fn source_of(number: usize) -> Ipv4Addr {
    match number % 2 {
        0 => FLOODING,
        _ => Ipv4Addr::new(127, 0, 31 + (number / 2 % 5) as u8, 1 + (number / 10 % 100) as u8),
    }
}

/// The slow ones spread evenly among those who only connect.
fn kinds(size: Size) -> impl Iterator<Item = Kind> {
    let all = size.connects + size.slow;
    let slow_before = move |number: usize| number * size.slow / all;
    (0..all).map(move |number| {
        let before = slow_before(number);
        if slow_before(number + 1) > before { SLOW[before % SLOW.len()] } else { Kind::Silent }
    })
}

#[derive(Default)]
struct Worked {
    calm: Vec<Duration>,
    flooded: Vec<Duration>,
    cut: bool,
}

/// A request every twenty milliseconds, and how long its answer took.
async fn work(mut session: Session, stage: Arc<Stage>) -> Worked {
    let mut worked = Worked::default();
    while !stage.over.load(Ordering::SeqCst) {
        let began = Instant::now();
        let flooded = stage.flooded.load(Ordering::SeqCst);
        let counts = !stage.calm_again.load(Ordering::SeqCst);
        if session.round_trip().await.is_err() {
            worked.cut = true;
            return worked;
        }
        let times = if flooded { &mut worked.flooded } else { &mut worked.calm };
        if counts {
            times.push(began.elapsed());
        }
        sleep(Duration::from_millis(20)).await;
    }
    session.close().await;
    worked
}

/// Dials as a device does, again and again, until it is in.
async fn dial_in(device: &Paired, door: Door, source: Ipv4Addr, until: Instant, stage: &Stage) -> Option<Duration> {
    let began = Instant::now();
    while Instant::now() < until {
        stage.tries.fetch_add(1, Ordering::SeqCst);
        if let Ok(session) = device.dial(door, source).await {
            let took = began.elapsed();
            session.close().await;
            return Some(took);
        }
        sleep(Duration::from_millis(50)).await;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_ones_are_as_many_as_asked_and_spread_evenly() {
        let size = Size { connects: 1000, slow: 160, working: 0, dialling: 0, arrival: Duration::ZERO };
        let all: Vec<Kind> = kinds(size).collect();
        assert_eq!(all.len(), 1160);
        assert_eq!(all.iter().filter(|kind| **kind == Kind::Swollen).count(), 160 / SLOW.len());
        assert!(all[..116].iter().any(|kind| *kind != Kind::Silent));
    }

    #[test]
    fn a_report_of_nothing_holds_no_bar() {
        let size = Size { connects: 1, slow: 1, working: 1, dialling: 1, arrival: Duration::ZERO };
        assert_eq!(judge(&Report::default(), size, Bars::PROMISED).len(), 3);
    }
}
