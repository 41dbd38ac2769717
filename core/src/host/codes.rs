//! The door for typed codes: three tries a code, ten failures an hour. Pure state; time handed in.
//!
//! A try is spent *before* anything is compared, so that parallel guesses cannot share one. How many
//! are left belongs to the code ([`super::offers`] keeps it beside it), the failures of the last hour
//! to the door: a try that ends when there is another code must neither cost nor give that one a try.

use std::collections::VecDeque;
use std::time::Duration;

use super::offers::OfferNumber;
use crate::wire::limits;

const HOUR: Duration = Duration::from_secs(3600);

/// The failures of the last hour.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub struct CodeDoor {
    failures: VecDeque<Failure>,
    next: u64,
    closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failure {
    number: u64,
    at: Duration,
}

/// A try that is spent and not judged yet: hand it to [`try_held`](super::offers::Offers::try_held) or
/// [`try_failed`](super::offers::Offers::try_failed). One that is dropped counts as a failure.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
#[must_use]
pub struct CodeTry {
    /// The offer whose code is tried.
    pub offer: OfferNumber,
    failure: u64,
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
    /// Counts a try of this offer's code as a failure until it holds; none where the door is closed.
    pub(super) fn enter(&mut self, offer: OfferNumber, now: Duration) -> Option<CodeTry> {
        if Self::counts_nothing() {
            return Some(CodeTry { offer, failure: 0 });
        }
        if self.is_closed(now) {
            return None;
        }
        self.next += 1;
        self.failures.push_back(Failure { number: self.next, at: now });
        Some(CodeTry { offer, failure: self.next })
    }

    /// Whether a test wants to see what it would be like without tries: the control.
    #[cfg(feature = "fault-points")]
    pub(super) fn counts_nothing() -> bool {
        std::env::var_os("PAIRPIN_FAULT_TRIES").is_some()
    }

    /// Never.
    #[cfg(not(feature = "fault-points"))]
    pub(super) const fn counts_nothing() -> bool {
        false
    }

    /// The try held: it was no failure.
    pub(super) fn held(&mut self, held: &CodeTry) {
        self.failures.retain(|failure| failure.number != held.failure);
    }

    /// Whether code pairing is closed. Scanning never is.
    pub fn is_closed(&mut self, now: Duration) -> bool {
        self.forget_old(now);
        self.closed = self.closed || self.failures.len() >= limits::CODE_FAILURES_AN_HOUR;
        self.closed
    }

    /// Opened again at the machine's shell.
    pub(super) fn open(&mut self) {
        self.closed = false;
        self.failures.clear();
    }

    fn forget_old(&mut self, now: Duration) {
        while self.failures.front().is_some_and(|failure| now.saturating_sub(failure.at) >= HOUR) {
            self.failures.pop_front();
        }
    }

    /// What a broken twin does for a try that held.
    #[cfg(test)]
    pub(super) fn forget_latest(&mut self) {
        self.failures.pop_back();
    }

    /// What the door knows, for the explorer of states: ages of the failures, and whether it is closed.
    #[cfg(test)]
    pub(super) fn known(&self, now: Duration) -> (Vec<u64>, bool) {
        (self.failures.iter().map(|failure| now.saturating_sub(failure.at).as_secs()).collect(), self.closed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::offers::{OfferRequest, Offers};
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn mint(offers: &mut Offers, link: bool, now: Duration) -> OfferNumber {
        offers.mint(&OfferRequest { link, code: true, ..OfferRequest::default() }, now).unwrap().number
    }

    #[test]
    fn a_code_has_three_tries_even_when_they_run_in_parallel() {
        let mut offers = Offers::default();
        let number = mint(&mut offers, true, at(0));
        // All spend before any is judged: the fourth finds none.
        let mut tries: Vec<_> = (0..4).map(|_| offers.spend_try(number, at(0))).collect();
        assert!(tries[3].is_none());
        let outcomes: Vec<_> = tries.drain(..3).map(|spent| offers.try_failed(spent.unwrap(), at(1))).collect();
        assert_eq!(outcomes, [WrongTry::Burnt; 3]);
        assert!(offers.code(at(1)).is_none());
    }

    #[test]
    fn a_try_that_held_is_given_back() {
        let mut offers = Offers::default();
        let number = mint(&mut offers, true, at(0));
        for _ in 0..20 {
            let spent = offers.spend_try(number, at(0)).unwrap();
            offers.try_held(spent);
        }
    }

    #[test]
    fn a_try_that_holds_after_another_code_was_made_gives_that_one_none() {
        let mut offers = Offers::default();
        let first = mint(&mut offers, true, at(0));
        let held = offers.spend_try(first, at(0)).unwrap();
        let second = mint(&mut offers, true, at(0));
        let wrong = offers.spend_try(second, at(0)).unwrap();
        offers.try_held(held);
        assert_eq!(offers.try_failed(wrong, at(0)), WrongTry::TriesLeft(2));
        let left = std::iter::from_fn(|| offers.spend_try(second, at(0))).count();
        assert_eq!(left, 2, "three in all");
    }

    #[test]
    fn a_code_that_is_live_again_has_the_tries_it_had() {
        let (mut offers, key) = (Offers::default(), crate::identity::PublicKey::from_bytes([1; 65]));
        let first = mint(&mut offers, true, at(0));
        for _ in 0..2 {
            let wrong = offers.spend_try(first, at(0)).unwrap();
            offers.try_failed(wrong, at(0));
        }
        // Claimed, so that it keeps its code while a newer offer has the live one.
        offers.claim_number(first, key, crate::secrets::RecognitionKey::from_bytes([1; 32]), at(0));
        let second = mint(&mut offers, true, at(1));
        assert_eq!(offers.withdraw(second, at(2)), crate::host::offers::Withdrawal::Done);
        assert_eq!(offers.code(at(2)).map(|(number, _)| number), Some(first));
        assert_eq!(std::iter::from_fn(|| offers.spend_try(first, at(2))).count(), 1, "three in all");
    }

    #[test]
    fn ten_failures_an_hour_close_the_door_until_it_is_opened() {
        let mut offers = Offers::default();
        let mut last = WrongTry::TriesLeft(3);
        for second in 0..10 {
            let number = mint(&mut offers, true, at(second));
            let wrong = offers.spend_try(number, at(second)).unwrap();
            last = offers.try_failed(wrong, at(second));
        }
        assert_eq!(last, WrongTry::Closed);
        let request = OfferRequest { link: true, code: true, ..OfferRequest::default() };
        assert!(offers.mint(&request, at(10)).unwrap().code.is_none());
        // Time alone does not open it again; the shell does.
        assert!(offers.mint(&request, at(2 * 3600)).unwrap().code.is_none());
        let number = mint(&mut offers, false, at(2 * 3600));
        assert!(offers.spend_try(number, at(2 * 3600)).is_some());
    }

    #[test]
    fn a_failure_counts_for_the_whole_hour_and_no_longer() {
        // From the first of ten failures to the last.
        for (seconds, outcome) in [(3599, WrongTry::Closed), (3600, WrongTry::TriesLeft(2))] {
            let mut offers = Offers::default();
            let mut last = None;
            for now in (0..10).map(|nth| at(nth * seconds / 9)) {
                let number = mint(&mut offers, true, now);
                let wrong = offers.spend_try(number, now).unwrap();
                last = Some(offers.try_failed(wrong, now));
            }
            assert_eq!(last, Some(outcome), "{seconds} s");
        }
    }

    #[test]
    fn a_try_that_holds_after_the_door_was_opened_takes_no_failure_away() {
        let mut offers = Offers::default();
        let first = mint(&mut offers, true, at(0));
        let held = offers.spend_try(first, at(0)).unwrap();
        let second = mint(&mut offers, false, at(0));
        let wrong = offers.spend_try(second, at(0)).unwrap();
        offers.try_failed(wrong, at(0));
        offers.try_held(held);
        assert_eq!(offers.door.known(at(0)).0.len(), 1);
    }

    #[test]
    fn failures_older_than_an_hour_are_forgotten() {
        let mut offers = Offers::default();
        for hour in 0..30 {
            let number = mint(&mut offers, true, at(hour * 3600));
            let wrong = offers.spend_try(number, at(hour * 3600)).unwrap();
            assert_eq!(offers.try_failed(wrong, at(hour * 3600)), WrongTry::TriesLeft(2));
        }
    }
}
