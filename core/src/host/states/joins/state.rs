//! A state of [`super::Waiting`]: the real joins, and beside them what has really happened, by which the rules are
//! judged.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::TO_ACKNOWLEDGE;
use crate::handshake::JoinFacts;
use crate::host::authority::Authority;
use crate::host::joins::{Asker, Joins, LetInAs, Source};
use crate::host::states::key_of;
use crate::role::Role;
use crate::token::TokenHash;
use crate::wire::{AddressKind, JoinHow, JoinId, JoinNumber, JoinTranscript, limits};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A joiner's connection, as it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ground {
    pub(super) join: u64,
    pub(super) host: u8,
    pub(super) slot: bool,
    pub(super) revealed: bool,
    /// Comparisons with what was typed or scanned for it.
    pub(super) compared: u8,
    /// When it was let in, by what was its own.
    pub(super) accepted: Option<Duration>,
    pub(super) granted: bool,
}

/// A decision whose attempt is not spent yet: a twin's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Approval {
    pub(super) join: u64,
    pub(super) right: bool,
    pub(super) scan: bool,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) joins: Joins,
    pub(super) now: Duration,
    pub(super) begun: u64,
    pub(super) passes: u8,
    pub(super) restarted: bool,
    pub(super) ground: Vec<Ground>,
    pub(super) approvals: Vec<Approval>,
    /// When slots and numbers were given, and who was shown when.
    slots: Vec<Duration>,
    pub(super) numbers: Vec<Duration>,
    pub(super) prompts: Vec<(Duration, u8)>,
    /// Joins that are devices.
    made: u8,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            joins: Joins::default(),
            now: at(10_000),
            begun: 0,
            passes: 0,
            restarted: false,
            ground: Vec::new(),
            approvals: Vec::new(),
            slots: Vec::new(),
            numbers: Vec::new(),
            prompts: Vec::new(),
            made: 0,
        }
    }

    pub(super) fn of(&mut self, join: u64) -> &mut Ground {
        self.ground.iter_mut().find(|ground| ground.join == join).unwrap()
    }

    pub(super) fn begin(&mut self, host: u8) {
        self.begun += 1;
        let join = self.begun;
        let Some(begun) = self.joins.begin(id(join), source(host), self.now) else { return };
        if begun.slot {
            self.slots.push(self.now);
            self.numbers.push(self.now);
        }
        let (slot, revealed, granted) = (begun.slot, false, false);
        self.ground.push(Ground { join, host, slot, revealed, compared: 0, accepted: None, granted });
    }

    /// What was typed or scanned was compared with what the join has.
    pub(super) fn compared(&mut self, approval: Approval, let_in: bool) -> Option<String> {
        let now = self.now;
        let ground = self.of(approval.join);
        ground.compared += 1;
        if ground.compared > 1 {
            return Some("a second attempt at one join was compared".into());
        }
        if !let_in {
            return None;
        }
        ground.accepted = Some(now);
        if !approval.right {
            return Some("let in by what is not its own".into());
        }
        (!approval.scan && !ground.slot).then(|| "let in by a number without a slot".into())
    }

    /// The device is made. It must have been let in, lately.
    pub(super) fn made(&mut self, join: u64) -> Option<String> {
        let (now, ground) = (self.now, self.of(join).clone());
        self.made += 1;
        self.ground.retain(|ground| ground.join != join);
        match ground.accepted {
            None => Some("a device that nobody let in".into()),
            Some(then) if now >= then + TO_ACKNOWLEDGE => Some("acknowledged after its two minutes".into()),
            Some(_) => None,
        }
    }

    /// Those that were let in and may still acknowledge.
    pub(super) fn let_in_and_in_time(&self) -> Vec<u64> {
        let in_time = |ground: &&Ground| ground.accepted.is_some_and(|then| self.now < then + TO_ACKNOWLEDGE);
        self.ground.iter().filter(in_time).map(|ground| ground.join).collect()
    }

    pub(super) fn put_back(&mut self, join: u64) {
        let host = self.of(join).host;
        self.joins.put_back(id(join), source(host), asker(host), facts(join), self.now);
    }

    /// Everything in memory is gone, and every connection. What the hour has counted begins anew with it.
    pub(super) fn restart(&mut self, keeps: bool) {
        self.restarted = true;
        if !keeps {
            self.joins = Joins::default();
        }
        self.ground.clear();
        self.approvals.clear();
        self.slots.clear();
        self.numbers.clear();
        self.prompts.clear();
    }

    /// A limit that does not hold.
    pub(super) fn wrong(&mut self) -> Option<String> {
        let now = self.now;
        self.slots.retain(|begun| now < *begun + limits::JOIN_TIME);
        self.numbers.retain(|begun| now < *begun + HOUR);
        self.prompts.retain(|(shown, _)| now < *shown + HOUR);
        let of_one = |host: u8| self.prompts.iter().filter(|(_, other)| *other == host).count();
        if self.slots.len() > limits::JOIN_SLOTS {
            return Some("more than three slots are held".into());
        }
        if self.numbers.len() > limits::JOIN_NUMBERS_AN_HOUR {
            return Some("more than twenty numbers are begun in an hour".into());
        }
        let most = self.prompts.iter().map(|(_, host)| of_one(*host)).max().unwrap_or_default();
        if self.prompts.len() > limits::JOIN_PROMPTS || most > limits::JOIN_PROMPTS_PER_SOURCE {
            return Some("people were shown more than they should be".into());
        }
        for host in self.ground.iter().map(|ground| ground.host) {
            let waits = |ground: &&Ground| ground.host == host && self.joins.clone().has_place(id(ground.join), now);
            if self.ground.iter().filter(waits).count() > limits::JOINS_PER_SOURCE {
                return Some("more joins of a source wait than may".into());
            }
        }
        let lost = self.let_in_and_in_time().into_iter().find(|join| !self.joins.has_place(id(*join), now));
        lost.filter(|_| self.approvals.is_empty()).map(|join| format!("join {join} was let in, and lost its place"))
    }

    fn known(&self) -> (Vec<u64>, Vec<u64>) {
        let ago = |then: Duration| (self.now - then).as_secs();
        let mut ground = vec![self.begun, self.passes.into(), self.restarted.into(), self.made.into()];
        for known in &self.ground {
            let flags = u64::from(known.slot) | u64::from(known.revealed) << 1 | u64::from(known.granted) << 2;
            // Past its time it is past its time.
            let accepted = known.accepted.map_or(u64::MAX, |then| ago(then).min(TO_ACKNOWLEDGE.as_secs()));
            ground.extend([known.join, known.host.into(), flags, known.compared.into(), accepted]);
        }
        ground.push(u64::MAX);
        ground.extend(self.approvals.iter().flat_map(|it| [it.join, it.right.into(), it.scan.into()]));
        for times in [&self.slots, &self.numbers] {
            ground.push(u64::MAX);
            ground.extend(times.iter().map(|then| ago(*then)));
        }
        ground.push(u64::MAX);
        ground.extend(self.prompts.iter().flat_map(|(then, host)| [ago(*then), u64::from(*host)]));
        (self.joins.clone().known(self.now), ground)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.known() == other.known()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.known().hash(state);
    }
}

pub(super) fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn id(number: u64) -> JoinId {
    let mut bytes = [0; 5];
    bytes.copy_from_slice(&number.to_be_bytes()[3..]);
    JoinId::from_bytes(bytes)
}

fn address(host: u8) -> IpAddr {
    Ipv4Addr::new(192, 168, 1, host).into()
}

pub(super) fn source(host: u8) -> Source {
    Source::of(address(host))
}

pub(super) fn asker(host: u8) -> Asker {
    Asker {
        key: key_of(host),
        name: "laptop".into(),
        platform: "Fedora".into(),
        from: address(host),
        network: AddressKind::Lan,
        same_network: true,
        asked_at: 0,
    }
}

pub(super) fn facts(number: u64) -> JoinFacts {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    JoinFacts::of_transcript(JoinTranscript::from_bytes(bytes))
}

pub(super) fn token_of(join: u64) -> TokenHash {
    TokenHash::from_bytes([join as u8; 32])
}

fn yes(how: JoinHow) -> LetInAs {
    LetInAs {
        by: Authority::Console("shell".into()),
        how,
        role: Role::Operator,
        role_by_default: false,
        name: None,
        absolute_seconds: None,
    }
}

pub(super) fn scan_of(number: u64) -> LetInAs {
    yes(JoinHow::Scan(facts(number).transcript()))
}

pub(super) fn number_of(number: u64) -> LetInAs {
    yes(JoinHow::Number(facts(number).number()))
}

pub(super) fn other_number(number: u64) -> LetInAs {
    let right = facts(number).number().digits();
    let other = if right.starts_with('0') { "1" } else { "0" };
    yes(JoinHow::Number(JoinNumber::parse(&format!("{other}{}", &right[1..])).unwrap()))
}
