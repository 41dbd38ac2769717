//! Asks while they wait: a state machine without I/O. The clock is handed in, and nothing is stored: a
//! restart, a crash or silence leaves no ask, and so no yes.
//!
//! `asking` and `answering` drive it. An answer is taken in one conditional step, [`Asks::begin`], and counts only when
//! [`Asks::conclude`] says so, after what it stands on was checked and written. In between nothing else ends
//! the ask.

use std::collections::VecDeque;
use std::time::Duration;

use crate::identity::DeviceId;
use crate::wire::{AskEnd, AskMessage, PendingAsk, limits};

/// Why an ask is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// This user has too many waiting.
    #[error(
        "you have {} asks waiting already, wait for an answer or take one back with `pairpin asks cancel`",
        limits::ASKS_PER_USER
    )]
    OfUser,
    /// Everybody together has.
    #[error("{} asks are waiting on this machine already, wait until some are answered", limits::ASKS)]
    InAll,
}

/// An ask that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    /// What is shown.
    pub(super) shown: AskMessage,
    /// That, as it is sent.
    pub(super) message: String,
    /// When it ends, by the clock that nobody sets.
    pub(super) ends: Duration,
    /// The device whose answer is being taken.
    taken_by: Option<DeviceId>,
}

impl Waiting {
    /// As devices are given it.
    pub(super) fn pending(&self, now: Duration) -> PendingAsk {
        let left = self.ends.saturating_sub(now).as_millis();
        PendingAsk { message: self.message.clone(), left_ms: u64::try_from(left).unwrap_or(u64::MAX) }
    }
}

/// Where an ask stands for somebody who wants to answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It waits, and the answer is being taken: nobody else's is.
    Begun(Box<Waiting>),
    /// Another answer is being taken.
    Busy,
    /// It has ended.
    Ended(AskEnd),
    /// There was none, or too long ago.
    Unknown,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Asks {
    waiting: Vec<Waiting>,
    ended: VecDeque<(String, AskEnd)>,
}

impl Asks {
    /// Takes in an ask.
    pub(super) fn open(&mut self, shown: AskMessage, message: String, ends: Duration) -> Result<(), TooMany> {
        self.room_for(shown.known.uid)?;
        self.waiting.push(Waiting { shown, message, ends, taken_by: None });
        Ok(())
    }

    /// Whether this user may ask now.
    pub(super) fn room_for(&self, uid: u32) -> Result<(), TooMany> {
        if self.waiting.iter().filter(|ask| ask.shown.known.uid == uid).count() >= limits::ASKS_PER_USER {
            return Err(TooMany::OfUser);
        }
        if self.waiting.len() >= limits::ASKS { Err(TooMany::InAll) } else { Ok(()) }
    }

    /// All that wait and whose time is not over, oldest first.
    pub(super) fn waiting(&self, now: Duration) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter().filter(move |ask| now < ask.ends)
    }

    /// The text of an ask that has not ended, whether or not its time is over.
    pub(super) fn message_of(&self, id: &str) -> Option<String> {
        self.waiting.iter().find(|ask| ask.shown.id == id).map(|ask| ask.message.clone())
    }

    /// Begins to take a device's answer: the one conditional step. `Begun` at most once until
    /// [`abort`](Self::abort).
    pub(super) fn begin(&mut self, id: &str, by: DeviceId, now: Duration) -> Standing {
        match self.waiting.iter_mut().find(|ask| ask.shown.id == id) {
            Some(ask) if ask.taken_by.is_some() => Standing::Busy,
            // Its time is over, whether or not somebody has looked since.
            Some(ask) if now >= ask.ends => Standing::Ended(AskEnd::Expired),
            Some(ask) => {
                ask.taken_by = Some(by);
                Standing::Begun(Box::new(ask.clone()))
            }
            None => self.end_of(id).map_or(Standing::Unknown, Standing::Ended),
        }
    }

    /// The answer did not hold or could not be written: the ask waits on, for anybody.
    pub(super) fn abort(&mut self, id: &str, by: DeviceId) {
        if let Some(ask) = self.waiting.iter_mut().find(|ask| ask.shown.id == id && ask.taken_by == Some(by)) {
            ask.taken_by = None;
        }
    }

    /// The answer of the device that began counts. `false`: who asked has gone away meanwhile.
    pub(super) fn conclude(&mut self, id: &str, by: DeviceId, end: AskEnd) -> bool {
        let found = self.waiting.iter().position(|ask| ask.shown.id == id && ask.taken_by == Some(by));
        found.is_some_and(|at| {
            self.waiting.remove(at);
            self.remember(id, end);
            true
        })
    }

    /// Whoever asked has gone away, or takes it back: ends it whatever is under way.
    pub(super) fn withdraw(&mut self, id: &str) -> Option<Waiting> {
        let at = self.waiting.iter().position(|ask| ask.shown.id == id)?;
        self.remember(id, AskEnd::Withdrawn);
        Some(self.waiting.remove(at))
    }

    /// Ends those whose time is over, but none whose answer came in time and is being taken.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<Waiting> {
        let over = |ask: &Waiting| now >= ask.ends && ask.taken_by.is_none();
        let (ended, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(over);
        self.waiting = waiting;
        let ended: Vec<Waiting> = ended;
        ended.iter().for_each(|ask| self.remember(&ask.shown.id, AskEnd::Expired));
        ended
    }

    /// How an ask ended.
    pub(super) fn end_of(&self, id: &str) -> Option<AskEnd> {
        self.ended.iter().find(|(known, _)| known == id).map(|(_, end)| end.clone())
    }

    /// Whether none is left.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn remember(&mut self, id: &str, end: AskEnd) {
        if self.ended.len() >= limits::ASKS_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((id.to_owned(), end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{AskClaimed, AskKnown, AskObserved};

    const END: Duration = Duration::from_secs(10);
    const BEFORE: Duration = Duration::from_secs(9);

    fn shown(id: &str, uid: u32) -> AskMessage {
        AskMessage {
            id: id.into(),
            asked_at: 0,
            expires_at: 0,
            known: AskKnown { uid, ..AskKnown::default() },
            observed: AskObserved::default(),
            claimed: AskClaimed { text: "Deploy?".into(), detail: None },
            fresh: None,
        }
    }

    fn one() -> Asks {
        let mut asks = Asks::default();
        asks.open(shown("a", 1), "m".into(), END).unwrap();
        asks
    }

    fn device(number: u8) -> DeviceId {
        DeviceId::from_bytes([number; 16])
    }

    fn yes(by: &str) -> AskEnd {
        AskEnd::Yes { by: by.into() }
    }

    #[test]
    fn of_two_answers_one_counts_and_the_other_is_told_which() {
        let mut asks = one();
        assert!(matches!(asks.begin("a", device(1), BEFORE), Standing::Begun(_)));
        assert_eq!(asks.begin("a", device(2), BEFORE), Standing::Busy);
        assert!(!asks.conclude("a", device(2), yes("two")), "it did not begin");
        assert!(asks.conclude("a", device(1), yes("one")));
        assert!(!asks.conclude("a", device(1), yes("one")), "twice");
        assert_eq!(asks.begin("a", device(2), BEFORE), Standing::Ended(yes("one")));
        assert!(asks.is_empty());
    }

    #[test]
    fn an_answer_that_did_not_hold_leaves_the_ask_waiting_for_anybody() {
        let mut asks = one();
        assert!(matches!(asks.begin("a", device(1), BEFORE), Standing::Begun(_)));
        asks.abort("a", device(2));
        assert_eq!(asks.begin("a", device(2), BEFORE), Standing::Busy, "only who began lets go");
        asks.abort("a", device(1));
        assert!(!asks.conclude("a", device(1), yes("one")), "it let go");
        assert!(matches!(asks.begin("a", device(2), BEFORE), Standing::Begun(_)));
    }

    #[test]
    fn silence_and_withdrawal_never_become_a_yes() {
        let mut asks = one();
        assert_eq!(asks.begin("a", device(1), END), Standing::Ended(AskEnd::Expired), "not looked at since");
        assert_eq!(asks.expire(BEFORE), []);
        assert_eq!(asks.expire(END).len(), 1);
        assert_eq!(asks.begin("a", device(1), BEFORE), Standing::Ended(AskEnd::Expired));
        assert!(!asks.conclude("a", device(1), yes("one")));

        let mut asks = one();
        assert!(matches!(asks.begin("a", device(1), BEFORE), Standing::Begun(_)));
        assert!(asks.withdraw("a").is_some() && asks.withdraw("a").is_none());
        assert!(!asks.conclude("a", device(1), yes("one")), "who asked is gone");
        assert_eq!(asks.begin("a", device(1), BEFORE), Standing::Ended(AskEnd::Withdrawn));
        assert_eq!(asks.begin("b", device(1), BEFORE), Standing::Unknown);
    }

    #[test]
    fn an_answer_in_time_is_not_overtaken_by_the_clock_while_it_is_written() {
        let mut asks = one();
        assert!(matches!(asks.begin("a", device(1), BEFORE), Standing::Begun(_)));
        assert_eq!(asks.expire(END), []);
        assert!(asks.conclude("a", device(1), yes("one")));
        // The control: one that did not hold ends by the clock.
        let mut asks = one();
        assert!(matches!(asks.begin("a", device(1), BEFORE), Standing::Begun(_)));
        asks.abort("a", device(1));
        assert_eq!(asks.expire(END).len(), 1);
    }

    #[test]
    fn a_user_and_all_users_together_are_bounded() {
        let mut asks = Asks::default();
        let mut open = |number: usize, uid| asks.open(shown(&number.to_string(), uid), "m".into(), END);
        for number in 0..limits::ASKS_PER_USER {
            open(number, 1).unwrap();
        }
        assert_eq!(open(90, 1), Err(TooMany::OfUser));
        for number in limits::ASKS_PER_USER..limits::ASKS {
            open(number, 2 + u32::try_from(number).unwrap()).unwrap();
        }
        assert_eq!(open(91, 1_000), Err(TooMany::InAll));
        asks.withdraw("0").unwrap();
        asks.open(shown("92", 1), "m".into(), END).unwrap();
        assert_eq!(asks.waiting(BEFORE).count(), limits::ASKS);
        assert_eq!(asks.waiting(END).count(), 0);
    }

    #[test]
    fn what_has_ended_is_remembered_within_bounds() {
        let mut asks = Asks::default();
        for number in 0..=limits::ASKS_ENDED {
            asks.open(shown(&number.to_string(), 1), "m".into(), END).unwrap();
            asks.withdraw(&number.to_string()).unwrap();
        }
        assert_eq!((asks.end_of("0"), asks.end_of("1")), (None, Some(AskEnd::Withdrawn)));
    }
}
