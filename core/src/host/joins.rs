//! Joins that wait for a person: who may wait, who may be let in by a number, and who is shown. Without I/O.
//!
//! `joining` calls it from each joiner's connection, `join_verbs` for whoever decides. Everything is bounded
//! here, since anybody in the network may ask: places, slots for a number, numbers in an hour, prompts. The
//! clock is the monotonic one that counts sleep.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::authority::Authority;
use crate::clock::UnixMillis;
use crate::handshake::{DeviceDetails, JoinFacts};
use crate::identity::{DeviceId, PublicKey};
use crate::role::Role;
use crate::secrets::RecognitionKey;
use crate::token::TokenHash;
use crate::wire::{AddressKind, DenyThen, JoinEnd, JoinHow, JoinId, limits};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What is counted as one asker: an IPv4 address, or an IPv6 /64, which is one subscriber's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Source(IpAddr);

impl Source {
    pub(super) fn of(peer: IpAddr) -> Self {
        match peer.to_canonical() {
            IpAddr::V6(ip) => Self(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into()),
            v4 => Self(v4),
        }
    }
}

/// What a joiner says of itself, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) key: PublicKey,
    pub(super) name: String,
    pub(super) platform: String,
    pub(super) from: IpAddr,
    pub(super) network: AddressKind,
    pub(super) same_network: bool,
    /// By the wall clock, for people.
    pub(super) asked_at: UnixMillis,
}

/// What a joiner that is let in was granted, until it acknowledges: also by its first reconnect.
#[derive(Debug, Clone)]
pub(super) struct JoinGrant {
    pub(super) join: JoinId,
    pub(super) details: DeviceDetails,
    /// Its own, or that of the row that its key has.
    pub(super) recognition_key: RecognitionKey,
    pub(super) token: TokenHash,
}

/// What was decided for a joiner that is let in.
#[derive(Debug, Clone)]
pub(super) struct LetInAs {
    pub(super) by: Authority,
    pub(super) how: JoinHow,
    pub(super) role: Role,
    /// Nobody named that role: it is what a new device gets as things stand, and looked at again when it is one.
    pub(super) role_by_default: bool,
    pub(super) name: Option<String>,
    pub(super) absolute_seconds: Option<u64>,
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
enum Stage {
    /// It has committed; the reveal is on its way.
    Committed,
    /// People may decide.
    Shown(Box<Asker>, JoinFacts),
    /// Let in; it has until then to acknowledge.
    Accepted { asker: Box<Asker>, what: Box<LetInAs>, until: Duration, token: Option<TokenHash> },
}

/// One join.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Join {
    id: JoinId,
    source: Source,
    ends: Duration,
    slot: bool,
    stage: Stage,
}

/// A place for a join that has committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    /// A number may let it in.
    pub(super) slot: bool,
    /// Another had to go.
    pub(super) made_room: bool,
}

/// A join as it is listed.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) id: JoinId,
    pub(super) asker: Asker,
    pub(super) slot: bool,
    pub(super) left: Duration,
}

/// Why a join is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotLetIn {
    /// It is not there any more.
    Gone,
    /// What was typed or scanned is not this join's: that was its one attempt, and it is denied.
    Wrong,
}

/// How a joiner's own connection finds its join.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// Nobody has decided.
    Waits,
    /// It was let in.
    Accepted(Box<LetInAs>),
    /// It is over; nothing is known of it any more.
    Gone,
}

/// See the module.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Joins {
    /// In the order of their coming.
    joins: Vec<Join>,
    /// When each held slot is free again, whatever became of its join.
    slots: Vec<Duration>,
    /// When numbers were begun, in the last hour.
    numbers: VecDeque<Duration>,
    /// Who was shown to people when, in the last hour.
    prompts: VecDeque<(Duration, Source)>,
    /// Sources that a person keeps out, and until when.
    blocked: VecDeque<(Duration, Source)>,
    closed_until: Duration,
    /// What those that were let in were granted: one for a join that waits for its acknowledgement.
    grants: Vec<JoinGrant>,
    /// How joins ended that their own connections have yet to be told of.
    ended: Vec<(JoinId, JoinEnd)>,
}

impl Joins {
    /// Gives a newcomer a place under `id`, and a slot for a number where there is one. At the cap of its
    /// source the source's oldest goes, at that of all the oldest of the busiest source. `None`: a person
    /// keeps it out, or the id is taken.
    pub(super) fn begin(&mut self, id: JoinId, source: Source, now: Duration) -> Option<Begun> {
        self.tidy(now);
        let kept_out = now < self.closed_until || self.blocked.iter().any(|(_, blocked)| *blocked == source);
        if kept_out || self.joins.iter().any(|join| join.id == id) {
            return None;
        }
        let made_room = self.make_room(source);
        // Whom nobody will be shown needs no number.
        let slot = self.may_prompt(source)
            && self.slots.len() < limits::JOIN_SLOTS
            && self.numbers.len() < limits::JOIN_NUMBERS_AN_HOUR;
        let ends = now + limits::JOIN_TIME;
        if slot {
            // Held for all of its time, aborted or not: else a guesser would begin anew at once.
            self.slots.push(ends);
            self.numbers.push_back(now);
        }
        self.joins.push(Join { id, source, ends, slot, stage: Stage::Committed });
        Some(Begun { slot, made_room })
    }

    /// The join has revealed, its key is proven: people are asked from now on. `false`: too many were shown
    /// lately, or it has no place any more; it is gone.
    pub(super) fn show(&mut self, id: JoinId, asker: Asker, facts: JoinFacts, now: Duration) -> bool {
        self.tidy(now);
        let Some(at) = self.joins.iter().position(|join| join.id == id) else { return false };
        let source = self.joins[at].source;
        if !self.may_prompt(source) || !matches!(self.joins[at].stage, Stage::Committed) {
            self.joins.remove(at);
            return false;
        }
        self.prompts.push_back((now, source));
        self.joins[at].stage = Stage::Shown(Box::new(asker), facts);
        true
    }

    /// Whether the join still has its place.
    pub(super) fn has_place(&mut self, id: JoinId, now: Duration) -> bool {
        self.tidy(now);
        self.joins.iter().any(|join| join.id == id)
    }

    /// Those that people may decide on, oldest first.
    pub(super) fn pending(&mut self, now: Duration) -> Vec<Pending> {
        self.tidy(now);
        let shown = self.joins.iter().filter_map(|join| match &join.stage {
            Stage::Shown(asker, _) => {
                let (asker, left) = (asker.as_ref().clone(), join.ends.saturating_sub(now));
                Some(Pending { id: join.id, asker, slot: join.slot, left })
            }
            _ => None,
        });
        shown.collect()
    }

    /// One of them.
    pub(super) fn find(&mut self, id: JoinId, now: Duration) -> Option<Pending> {
        self.pending(now).into_iter().find(|pending| pending.id == id)
    }

    /// Lets a join in, by what a person typed or scanned: its one attempt, spent before anything is compared.
    /// Gives the machine's own facts.
    pub(super) fn accept(&mut self, id: JoinId, what: LetInAs, now: Duration) -> Result<JoinFacts, NotLetIn> {
        self.tidy(now);
        let at = self.joins.iter().position(|join| join.id == id && matches!(join.stage, Stage::Shown(..)));
        // Taken out: whatever comes of the comparison, this join is not there for another.
        let mut join = self.joins.remove(at.ok_or(NotLetIn::Gone)?);
        let Stage::Shown(asker, facts) = join.stage else { return Err(NotLetIn::Gone) };
        let right = match what.how {
            JoinHow::Scan(transcript) => transcript == facts.transcript(),
            JoinHow::Number(number) => join.slot && number == facts.number(),
        };
        if !right {
            self.ended.push((id, JoinEnd::Denied));
            return Err(NotLetIn::Wrong);
        }
        let until = now + limits::JOIN_ACKNOWLEDGE_TIME;
        join.stage = Stage::Accepted { asker, what: Box::new(what), until, token: None };
        self.joins.push(join);
        Ok(facts)
    }

    /// Says no; with a word about the source or all, to the others of it too. Gives those that people were
    /// shown; none: the join is not there any more, and nothing is done.
    pub(super) fn deny(&mut self, id: JoinId, then: Option<DenyThen>, now: Duration) -> Vec<JoinId> {
        self.tidy(now);
        let found = self.joins.iter().position(|join| join.id == id && matches!(join.stage, Stage::Shown(..)));
        let Some(source) = found.map(|at| self.joins[at].source) else { return Vec::new() };
        match then {
            None => {}
            Some(DenyThen::BlockSource) => {
                if self.blocked.len() >= limits::JOINS_BLOCKED {
                    self.blocked.pop_front();
                }
                self.blocked.push_back((now + limits::JOIN_CLOSED_TIME, source));
            }
            Some(DenyThen::Close) => self.closed_until = now + limits::JOIN_CLOSED_TIME,
        }
        let meant = |join: &Join| match (&join.stage, then) {
            // Somebody has let that one in.
            (Stage::Accepted { .. }, _) => false,
            (_, None) => join.id == id,
            (_, Some(DenyThen::BlockSource)) => join.source == source,
            (_, Some(DenyThen::Close)) => true,
        };
        let (denied, stay): (Vec<Join>, Vec<Join>) = std::mem::take(&mut self.joins).into_iter().partition(meant);
        self.joins = stay;
        self.ended.extend(denied.iter().map(|join| (join.id, JoinEnd::Denied)));
        denied.iter().filter(|join| matches!(join.stage, Stage::Shown(..))).map(|join| join.id).collect()
    }

    /// Ends the joins that were let in, and have not acknowledged yet, by somebody of whom `fallen` says that he may
    /// not any more. Gives them, and by whom. Their slots stay as they are.
    pub(super) fn withdraw(&mut self, fallen: impl Fn(&Authority) -> bool) -> Vec<(JoinId, String)> {
        let gone = |join: &Join| match &join.stage {
            Stage::Accepted { what, .. } if fallen(&what.by) => Some((join.id, what.by.actor())),
            _ => None,
        };
        let withdrawn: Vec<_> = self.joins.iter().filter_map(gone).collect();
        self.joins.retain(|join| withdrawn.iter().all(|(id, _)| *id != join.id));
        self.ended.extend(withdrawn.iter().map(|(id, _)| (*id, JoinEnd::Withdrawn)));
        withdrawn
    }

    /// Ends every join that is not decided: the key that it saw is the machine's no more. Gives how many of them
    /// people were shown.
    pub(super) fn end_waiting(&mut self) -> usize {
        let shown = self.joins.iter().filter(|join| matches!(join.stage, Stage::Shown(..))).count();
        self.joins.retain(|join| matches!(join.stage, Stage::Accepted { .. }));
        shown
    }

    /// What has become of a join, as its own connection asks.
    pub(super) fn fate(&mut self, id: JoinId, now: Duration) -> Fate {
        self.tidy(now);
        match self.joins.iter().find(|join| join.id == id).map(|join| &join.stage) {
            Some(Stage::Committed | Stage::Shown(..)) => Fate::Waits,
            Some(Stage::Accepted { what, .. }) => Fate::Accepted(what.clone()),
            None => Fate::Gone,
        }
    }

    /// How a join ended, told once: to its own connection.
    pub(super) fn end_of(&mut self, id: JoinId) -> JoinEnd {
        match self.ended.iter().position(|(ended, _)| *ended == id) {
            Some(at) => self.ended.remove(at).1,
            None => JoinEnd::Over,
        }
    }

    /// A join that was let in gets this token, once.
    pub(super) fn granted(&mut self, id: JoinId, hash: TokenHash) -> bool {
        let stage = self.joins.iter_mut().find(|join| join.id == id).map(|join| &mut join.stage);
        match stage {
            Some(Stage::Accepted { token: token @ None, .. }) => {
                *token = Some(hash);
                true
            }
            _ => false,
        }
    }

    /// The joiner acknowledges its token, in time: takes the join out, so once. The caller makes the device.
    pub(super) fn acknowledge(
        &mut self,
        id: JoinId,
        acknowledged: &TokenHash,
        now: Duration,
    ) -> Option<(Asker, LetInAs)> {
        self.tidy(now);
        let right = |join: &Join| match &join.stage {
            Stage::Accepted { token: Some(token), .. } => join.id == id && token.ct_eq(acknowledged),
            _ => false,
        };
        let at = self.joins.iter().position(right)?;
        match self.joins.remove(at).stage {
            Stage::Accepted { asker, what, .. } => Some((*asker, *what)),
            _ => None,
        }
    }

    /// Notes what [`granted`](Self::granted) was called for, so that the joiner may come back under it.
    pub(super) fn keep_grant(&mut self, grant: JoinGrant, now: Duration) {
        self.tidy(now);
        self.grants.retain(|kept| kept.join != grant.join);
        self.grants.push(grant);
    }

    /// The Grant of a device that has not acknowledged it: of several the one of this token.
    pub(super) fn grant_of(&mut self, device: DeviceId, token: Option<&TokenHash>, now: Duration) -> Option<JoinGrant> {
        self.tidy(now);
        let its = |grant: &&JoinGrant| DeviceId::of(&grant.details.key) == device;
        let presented = |grant: &JoinGrant| token.is_some_and(|token| grant.token.ct_eq(token));
        let mut found = None;
        for grant in self.grants.iter().filter(its) {
            if found.is_none() || presented(grant) {
                found = Some(grant);
            }
        }
        found.cloned()
    }

    /// Until when a join that was let in may be acknowledged.
    pub(super) fn acknowledged_until(&self, id: JoinId) -> Option<Duration> {
        self.joins.iter().find(|join| join.id == id).and_then(|join| match join.stage {
            Stage::Accepted { until, .. } => Some(until),
            _ => None,
        })
    }

    /// What [`acknowledge`](Self::acknowledge) took out could not be written: it may be acknowledged again, for
    /// as long as before.
    pub(super) fn restore(&mut self, grant: JoinGrant, asker: Asker, what: LetInAs, until: Duration) {
        let (id, source) = (grant.join, Source::of(asker.from));
        let stage = Stage::Accepted { asker: Box::new(asker), what: Box::new(what), until, token: Some(grant.token) };
        self.joins.push(Join { id, source, ends: until, slot: false, stage });
        self.grants.push(grant);
    }

    /// The joiner's connection is gone. One that has its Grant may come back under it; any other join is over.
    /// As [`leave`](Self::leave) then.
    pub(super) fn part(&mut self, id: JoinId, now: Duration) -> bool {
        self.tidy(now);
        if self.grants.iter().any(|grant| grant.join == id) { false } else { self.leave(id) }
    }

    /// The joiner's connection is gone, and its join with it. Its slot is not. `true` where people were shown
    /// it and nobody has decided.
    pub(super) fn leave(&mut self, id: JoinId) -> bool {
        self.ended.retain(|(ended, _)| *ended != id);
        let at = self.joins.iter().position(|join| join.id == id);
        at.is_some_and(|at| matches!(self.joins.remove(at).stage, Stage::Shown(..)))
    }

    /// Whether one more of this source may be shown to people.
    fn may_prompt(&self, source: Source) -> bool {
        let of_source = self.prompts.iter().filter(|(_, shown)| *shown == source).count();
        of_source < limits::JOIN_PROMPTS_PER_SOURCE && self.prompts.len() < limits::JOIN_PROMPTS
    }

    /// Of those of the source where it is full, else of the busiest, the oldest goes. Who has only committed goes
    /// before whom people are shown: prompts are few, so no crowd takes a join off the screen while its number is
    /// being typed. Whoever was let in has its place for its two minutes.
    fn make_room(&mut self, newcomer: Source) -> bool {
        let count = |source| self.joins.iter().filter(|join| join.source == source).count();
        let full = self.joins.len() >= limits::JOINS;
        let of_newcomer = count(newcomer) >= limits::JOINS_PER_SOURCE;
        if !full && !of_newcomer {
            return false;
        }
        let committed = |join: &Join| matches!(join.stage, Stage::Committed);
        let shown = |join: &Join| matches!(join.stage, Stage::Shown(..));
        let oldest = |may_go: &dyn Fn(&Join) -> bool| {
            // Of equally busy sources that whose join came first.
            let mut goes: Option<(usize, usize)> = None;
            for (at, join) in self.joins.iter().enumerate().filter(|(_, join)| may_go(join)) {
                let busy = if of_newcomer { usize::from(join.source == newcomer) } else { count(join.source) };
                if busy > goes.map_or(0, |(most, _)| most) {
                    goes = Some((busy, at));
                }
            }
            goes.map(|(_, at)| at)
        };
        let at = oldest(&committed).or_else(|| oldest(&shown));
        at.map(|at| self.joins.remove(at)).is_some()
    }

    /// Lets go of what is over.
    fn tidy(&mut self, now: Duration) {
        self.joins.retain(|join| match &join.stage {
            Stage::Committed | Stage::Shown(..) => now < join.ends,
            Stage::Accepted { until, .. } => now < *until,
        });
        let joins = &self.joins;
        let waits = |join: &Join| matches!(join.stage, Stage::Accepted { .. });
        self.grants.retain(|grant| joins.iter().any(|join| join.id == grant.join && waits(join)));
        self.slots.retain(|ends| now < *ends);
        while self.numbers.front().is_some_and(|begun| now >= *begun + HOUR) {
            self.numbers.pop_front();
        }
        while self.prompts.front().is_some_and(|(shown, _)| now >= *shown + HOUR) {
            self.prompts.pop_front();
        }
        self.blocked.retain(|(until, _)| now < *until);
    }
}

/// For tests: what is inside, and what the broken twins do.
#[cfg(test)]
impl Joins {
    pub(super) fn len(&self) -> usize {
        self.joins.len()
    }

    pub(super) fn forget_slots(&mut self) {
        self.slots.clear();
    }

    pub(super) fn forget_prompts(&mut self) {
        self.prompts.clear();
    }

    pub(super) fn forget_numbers(&mut self) {
        self.numbers.clear();
    }

    /// All that decides what happens next, in seconds from now: by this the explorer of states tells two of
    /// them apart.
    pub(super) fn known(&mut self, now: Duration) -> Vec<u64> {
        self.tidy(now);
        let host = |source: &Source| match source.0 {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(_) => 0,
        };
        let (left, ago) = (|at: Duration| at.saturating_sub(now).as_secs(), |at: Duration| (now - at).as_secs());
        let id = |id: &JoinId| id.as_bytes().iter().fold(0, |all, byte| (all << 8) | u64::from(*byte));
        let mut known = vec![left(self.closed_until)];
        for join in &self.joins {
            let (stage, until) = match &join.stage {
                Stage::Committed => (0, left(join.ends)),
                Stage::Shown(..) => (1, left(join.ends)),
                Stage::Accepted { token, until, .. } => (2 + u64::from(token.is_some()), left(*until)),
            };
            known.extend([id(&join.id), host(&join.source), u64::from(join.slot), stage, until]);
        }
        known.push(u64::MAX);
        known.extend(self.slots.iter().map(|ends| left(*ends)));
        known.push(u64::MAX);
        known.extend(self.numbers.iter().map(|begun| ago(*begun)));
        known.push(u64::MAX);
        known.extend(self.prompts.iter().flat_map(|(shown, source)| [ago(*shown), host(source)]));
        known.push(u64::MAX);
        known.extend(self.blocked.iter().flat_map(|(until, source)| [left(*until), host(source)]));
        known.extend(self.ended.iter().flat_map(|(ended, end)| [id(ended), u64::from(*end == JoinEnd::Denied)]));
        known
    }

    pub(super) fn free_slots_of_gone(&mut self) {
        self.slots = self.joins.iter().filter(|join| join.slot).map(|join| join.ends).collect();
    }

    pub(super) fn put_back(&mut self, id: JoinId, source: Source, asker: Asker, facts: JoinFacts, now: Duration) {
        let stage = Stage::Shown(Box::new(asker), facts);
        self.joins.push(Join { id, source, ends: now + limits::JOIN_TIME, slot: true, stage });
    }
}
