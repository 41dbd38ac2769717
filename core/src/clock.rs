//! Time, as the engines read it.
//!
//! Two clocks, for two purposes (docs/protocol.md, "Time"): offers, codes and deadlines live on a
//! monotonic clock that counts sleep ([`Clock::elapsed`]); stored lifetimes are judged by the wall
//! clock ([`Clock::wall_ms`]). Handshakes never read either: they are given what they need.

use std::time::Duration;

/// Milliseconds since 1970-01-01 UTC.
pub type UnixMillis = i64;

/// Where an engine reads the time. Tests give their own.
pub trait Clock: Send + Sync {
    /// Time since some fixed start, never going back, counting the time that the system sleeps.
    fn elapsed(&self) -> Duration;

    /// The wall clock, which may be wrong and may jump.
    fn wall_ms(&self) -> UnixMillis;
}

/// The system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

// CLOCK_BOOTTIME counts sleep on Linux and Android; on Apple systems CLOCK_MONOTONIC does.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SLEEP_COUNTING: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SLEEP_COUNTING: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        let now = rustix::time::clock_gettime(SLEEP_COUNTING);
        Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
    }

    fn wall_ms(&self) -> UnixMillis {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        }
    }
}
