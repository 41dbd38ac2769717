//! The door for typed codes: three tries a code, ten failures an hour. Pure state; time handed in.
//!
//! A try is spent *before* anything is compared, so that parallel guesses cannot share one.

use std::collections::VecDeque;
use std::time::Duration;

use crate::wire::limits;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Tries of the live code, and the failures of the last hour.
#[derive(Debug)]
pub struct CodeDoor {
    tries_left: u32,
    failures: VecDeque<Duration>,
    closed: bool,
}

impl Default for CodeDoor {
    fn default() -> Self {
        Self { tries_left: limits::CODE_TRIES, failures: VecDeque::new(), closed: false }
    }
}

/// What a wrong try leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongTry {
    /// The code lives on.
    TriesLeft(u32),
    /// The code is burnt.
    Burnt,
    /// The code is burnt, and code pairing is closed until it is opened at the shell.
    Closed,
}

impl CodeDoor {
    /// Spends one try; `false` if none is left. A try in flight counts as a failure until it holds.
    pub fn spend_try(&mut self, now: Duration) -> bool {
        // The control of the tests: a machine that counts no tries.
        #[cfg(feature = "fault-points")]
        if std::env::var_os("PAIRPIN_FAULT_TRIES").is_some() {
            return true;
        }
        if self.is_closed(now) || self.tries_left == 0 {
            return false;
        }
        self.tries_left -= 1;
        self.failures.push_back(now);
        true
    }

    /// The try held: it was no failure. The same key may run the exchange again.
    pub fn try_held(&mut self) {
        self.tries_left = (self.tries_left + 1).min(limits::CODE_TRIES);
        self.failures.pop_back();
    }

    /// The try did not hold.
    pub fn try_failed(&mut self, now: Duration) -> WrongTry {
        self.forget_old(now);
        if self.failures.len() >= limits::CODE_FAILURES_AN_HOUR {
            self.closed = true;
            self.tries_left = 0;
            return WrongTry::Closed;
        }
        if self.tries_left == 0 { WrongTry::Burnt } else { WrongTry::TriesLeft(self.tries_left) }
    }

    /// Whether code pairing is closed. Scanning never is.
    pub fn is_closed(&mut self, now: Duration) -> bool {
        self.forget_old(now);
        self.closed = self.closed || self.failures.len() >= limits::CODE_FAILURES_AN_HOUR;
        self.closed
    }

    /// A new code has all its tries.
    pub fn new_code(&mut self) {
        self.tries_left = limits::CODE_TRIES;
    }

    /// Opened again at the machine's shell.
    pub fn open(&mut self) {
        self.closed = false;
        self.failures.clear();
    }

    fn forget_old(&mut self, now: Duration) {
        while self.failures.front().is_some_and(|at| now.saturating_sub(*at) >= HOUR) {
            self.failures.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_code_has_three_tries_even_when_they_run_in_parallel() {
        let mut door = CodeDoor::default();
        // All spend before any is judged: the fourth finds none.
        assert_eq!((0..4).map(|_| door.spend_try(at(0))).collect::<Vec<_>>(), [true, true, true, false]);
        assert_eq!(door.try_failed(at(1)), WrongTry::Burnt);
    }

    #[test]
    fn a_try_that_held_is_given_back() {
        let mut door = CodeDoor::default();
        for _ in 0..20 {
            assert!(door.spend_try(at(0)));
            door.try_held();
        }
    }

    #[test]
    fn ten_failures_an_hour_close_the_door_until_it_is_opened() {
        let mut door = CodeDoor::default();
        let mut last = WrongTry::TriesLeft(3);
        for second in 0..10 {
            door.new_code();
            assert!(door.spend_try(at(second)));
            last = door.try_failed(at(second));
        }
        assert_eq!(last, WrongTry::Closed);
        door.new_code();
        assert!(!door.spend_try(at(10)));
        // Time alone does not open it again; the shell does.
        assert!(!door.spend_try(at(2 * 3600)));
        door.open();
        door.new_code();
        assert!(door.spend_try(at(2 * 3600)));
    }

    #[test]
    fn failures_older_than_an_hour_are_forgotten() {
        let mut door = CodeDoor::default();
        for hour in 0..30 {
            door.new_code();
            assert!(door.spend_try(at(hour * 3600)));
            assert_eq!(door.try_failed(at(hour * 3600)), WrongTry::TriesLeft(2));
        }
    }
}
