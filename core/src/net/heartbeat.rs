//! When to ask whether the other side still lives, and when to call it dead. Used by
//! [`super::socket`]; it reads no clock of its own.

use tokio::time::Instant;

use crate::wire::limits::{HEARTBEAT, HEARTBEAT_DEADLINE};

/// What to do when nothing has come in until [`Heartbeat::next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing yet.
    Wait,
    /// Send a ping.
    Ping,
    /// It has been silent after a ping for too long.
    Dead,
}

/// The silence of one connection.
#[derive(Debug)]
pub(super) struct Heartbeat {
    heard: Instant,
    asked: Option<Instant>,
}

impl Heartbeat {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, asked: None }
    }

    /// Anything has come in.
    pub(super) fn heard(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// A ping was sent. A second one does not give more time.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    /// When to look again if nothing comes in.
    pub(super) fn next(&self) -> Instant {
        match self.asked {
            Some(asked) => asked + HEARTBEAT_DEADLINE,
            None => self.heard + HEARTBEAT,
        }
    }

    pub(super) fn beat(&self, now: Instant) -> Beat {
        match self.asked {
            _ if now < self.next() => Beat::Wait,
            Some(_) => Beat::Dead,
            None => Beat::Ping,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn silence_brings_one_ping_and_then_death_and_anything_heard_starts_anew() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(start);
        let short = Duration::from_millis(1);
        assert_eq!(heart.beat(start + HEARTBEAT - short), Beat::Wait);
        assert_eq!(heart.beat(start + HEARTBEAT), Beat::Ping);
        heart.asked(start + HEARTBEAT);
        heart.asked(start + HEARTBEAT + Duration::from_secs(5));
        assert_eq!(heart.next(), start + HEARTBEAT + HEARTBEAT_DEADLINE);
        assert_eq!(heart.beat(heart.next() - short), Beat::Wait);
        assert_eq!(heart.beat(heart.next()), Beat::Dead);
        heart.heard(start + HEARTBEAT + HEARTBEAT_DEADLINE);
        assert_eq!(heart.beat(start + HEARTBEAT + HEARTBEAT_DEADLINE), Beat::Wait);
    }
}
