//! What waits for an answer on every connected machine, in one list, and how things ended meanwhile.
//!
//! The machine's own list is asked for whenever it tells that something came or went, so nothing here has to be
//! worked out from events. What vanished is kept for a while with how it ended, for a screen that shows it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::client::inbox::{InboxItem, clean_end};
use crate::client::machines::MachineView;
use crate::clock::UnixMillis;
use crate::names;
use crate::wire::{AskEnd, DeviceEvent, JoinEnd, limits};

/// Ends that are kept, at most, over all machines.
const ENDS: usize = 64;

/// Something that waits for an answer, on one of the machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The machine's row.
    pub row: i64,
    /// Its name here.
    pub machine: String,
    /// What waits.
    pub item: InboxItem,
    /// When it ends by itself, by this device's clock.
    pub until: UnixMillis,
}

/// How something ended that had waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The machine's row.
    pub row: i64,
    /// What it was, by its id there.
    pub id: String,
    /// How.
    pub how: How,
}

/// The ways in which an item ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// An ask.
    Ask(AskEnd),
    /// A join; by whom, where somebody decided.
    Join(JoinEnd, Option<String>),
}

/// The inbox of an app.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    items: BTreeMap<i64, Vec<(InboxItem, UnixMillis)>>,
    ends: VecDeque<Ended>,
}

impl Inbox {
    /// What the machine of `row` lists, at `now`.
    pub(super) fn listed(&mut self, row: i64, items: Vec<InboxItem>, now: UnixMillis) {
        let timed = items.into_iter().map(|item| {
            let until = now.saturating_add(i64::try_from(left(&item).as_millis()).unwrap_or(i64::MAX));
            (item, until)
        });
        let before = self.items.remove(&row).unwrap_or_default();
        let mut kept: Vec<(InboxItem, UnixMillis)> = Vec::new();
        let mut swapped = Vec::new();
        for (item, until) in timed {
            if kept.iter().any(|(other, _)| other.id() == item.id()) {
                continue; // The first of two with one id is the one that is shown and answered.
            }
            match before.iter().find(|(known, _)| known.id() == item.id()) {
                // What was shown under an id is all that it ever stands for.
                Some((known, _)) if is_other_question(known, &item) => swapped.push(item.id().to_owned()),
                // The time that the machine says is left shrinks by the way; the first saying stands.
                Some((_, known)) => kept.push((item, *known)),
                None if self.is_swapped(row, item.id()) => {}
                None => kept.push((item, until)),
            }
        }
        self.items.insert(row, kept);
        swapped.into_iter().for_each(|id| self.end(row, id, How::Ask(AskEnd::Unknown)));
    }

    /// Whether that id was ended because its words were changed: it does not come back.
    fn is_swapped(&self, row: i64, id: &str) -> bool {
        self.ends.iter().any(|end| end.row == row && end.id == id && end.how == How::Ask(AskEnd::Unknown))
    }

    /// Rows that are not looked after any more ask nothing.
    pub(super) fn keep(&mut self, live: impl Fn(i64) -> bool) {
        self.items.retain(|row, _| live(*row));
    }

    /// The machine is not connected: what it asks cannot be answered from here.
    pub(super) fn disconnected(&mut self, row: i64) -> bool {
        self.items.remove(&row).is_some_and(|items| !items.is_empty())
    }

    /// Takes in what the machine told; whether its list has to be asked for again.
    pub(super) fn told(&mut self, row: i64, event: &DeviceEvent) -> bool {
        match event {
            DeviceEvent::AskGone { id, end } => self.end(row, id.clone(), How::Ask(clean_end(end.clone()))),
            DeviceEvent::JoinGone { join, end, by } => {
                let by = by.as_deref().and_then(|by| names::clean(by, limits::NAME + 8));
                self.end(row, join.text(), How::Join(*end, by));
            }
            // Its own role may be another now, and with it what it sees.
            DeviceEvent::DeviceChanged { .. } => {}
            DeviceEvent::AskPending { .. } | DeviceEvent::JoinPending(_) | DeviceEvent::Missed => {}
            _ => return false,
        }
        true
    }

    fn end(&mut self, row: i64, id: String, how: How) {
        // An id is a machine's choice: a long one is none of ours.
        if id.len() > limits::NAME * 4 {
            return;
        }
        make_room(&mut self.ends, ENDS, |end| end.row == row);
        self.ends.push_back(Ended { row, id, how });
    }

    /// What waits, soonest over first, with the names that the machines have now.
    pub(super) fn waiting(&self, machines: &[MachineView]) -> Vec<Waiting> {
        let name = |row: i64| machines.iter().find(|machine| machine.row == row).map(|machine| &machine.name);
        let all = self.items.iter().filter_map(|(row, items)| Some((*row, name(*row)?, items)));
        let mut waiting: Vec<Waiting> = all
            .flat_map(|(row, machine, items)| {
                items.iter().map(move |(item, until)| Waiting {
                    row,
                    machine: machine.clone(),
                    item: item.clone(),
                    until: *until,
                })
            })
            .collect();
        waiting.sort_by_key(|waiting| waiting.until);
        waiting
    }

    /// How things ended, the latest last.
    pub(super) fn ends(&self) -> Vec<Ended> {
        self.ends.iter().cloned().collect()
    }
}

/// Whether the same id stands for other words than it did.
fn is_other_question(known: &InboxItem, item: &InboxItem) -> bool {
    match (known, item) {
        (InboxItem::Ask(known), InboxItem::Ask(ask)) => known.shown_as() != ask.shown_as(),
        // A join is decided by what the joiner shows, whatever the machine says of it.
        (InboxItem::Join(_), InboxItem::Join(_)) => false,
        _ => true,
    }
}

/// Takes one away where `all` is full: the oldest of this machine's own if it has more than its share, so that one
/// machine does not push out what the others told.
pub(super) fn make_room<T>(all: &mut VecDeque<T>, most: usize, is_own: impl Fn(&T) -> bool) {
    let own = all.iter().filter(|one| is_own(one)).count();
    if own >= most / 4
        && let Some(oldest) = all.iter().position(&is_own)
    {
        all.remove(oldest);
    } else if all.len() >= most {
        all.pop_front();
    }
}

fn left(item: &InboxItem) -> Duration {
    match item {
        InboxItem::Ask(ask) => ask.left,
        InboxItem::Join(join) => Duration::from_secs(join.listed.seconds_left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::inbox::AskItem;
    use crate::wire::PendingAsk;

    fn ask(id: &str, left_ms: u64) -> InboxItem {
        InboxItem::Ask(AskItem::of(&PendingAsk { message: crate::client::fakes::ask_message(id), left_ms }).unwrap())
    }

    fn machine(row: i64, name: &str) -> MachineView {
        MachineView { row, name: name.into(), ..crate::client::fakes::machine_view() }
    }

    fn shown(inbox: &Inbox, machines: &[MachineView]) -> Vec<(String, String, UnixMillis)> {
        let waiting = inbox.waiting(machines).into_iter();
        waiting.map(|one| (one.machine, one.item.id().to_owned(), one.until)).collect()
    }

    #[test]
    fn two_machines_make_one_list_and_what_is_over_first_stands_first() {
        let (machines, mut inbox) = ([machine(1, "homebox"), machine(2, "workbox")], Inbox::default());
        inbox.listed(1, vec![ask("a", 60_000), ask("b", 10_000)], 1_000);
        inbox.listed(2, vec![ask("a", 30_000)], 1_000);
        let said = |machine: &str, id: &str, until| (machine.to_owned(), id.to_owned(), until);
        let all = [said("homebox", "b", 11_000), said("workbox", "a", 31_000), said("homebox", "a", 61_000)];
        assert_eq!(shown(&inbox, &machines), all);
        // Listed again later: the time that was told first stands; the other one is gone.
        inbox.listed(1, vec![ask("a", 55_500)], 6_000);
        assert_eq!(shown(&inbox, &machines), all[1..]);
        // A machine that is forgotten or away asks nothing.
        assert_eq!(shown(&inbox, &machines[..1]), all[2..]);
        assert!(inbox.disconnected(1) && !inbox.disconnected(1));
        assert_eq!(shown(&inbox, &machines), all[1..2]);
    }

    #[test]
    fn what_ended_elsewhere_is_kept_with_who_answered_and_never_without_bound() {
        let mut inbox = Inbox::default();
        let gone = |id: &str| DeviceEvent::AskGone { id: id.into(), end: AskEnd::Yes { by: "pi\u{202E}xel".into() } };
        assert!(inbox.told(1, &gone("a")));
        assert!(matches!(&inbox.ends()[0].how, How::Ask(AskEnd::Yes { by }) if by == "pixel"), "{:?}", inbox.ends());
        assert!(inbox.told(1, &DeviceEvent::Missed));
        assert!(!inbox.told(1, &DeviceEvent::Unknown), "nothing of the inbox");
        (0..500).for_each(|n| assert!(inbox.told(1, &gone(&n.to_string()))));
        let share = ENDS / 4;
        assert_eq!((inbox.ends().len(), inbox.ends()[share - 1].id.as_str()), (share, "499"));
        assert!(inbox.told(1, &gone(&"x".repeat(10_000))), "the list is asked for all the same");
        assert_eq!(inbox.ends()[share - 1].id, "499");
        (0..500).for_each(|n| assert!(inbox.told(n, &gone("b"))));
        assert_eq!((inbox.ends().len(), inbox.ends()[ENDS - 1].row), (ENDS, 499));
    }

    #[test]
    fn the_words_of_an_id_are_never_swapped_and_of_two_with_one_id_the_first_is_shown() {
        let other = |id: &str| {
            let mut message = crate::wire::AskMessage::decode(&crate::client::fakes::ask_message(id)).unwrap();
            message.claimed.text = "Delete?".into();
            let message = message.encode().unwrap();
            InboxItem::Ask(AskItem::of(&PendingAsk { message, left_ms: 60_000 }).unwrap())
        };
        let (machines, mut inbox) = ([machine(1, "homebox")], Inbox::default());
        inbox.listed(1, vec![ask("a", 60_000), other("a")], 1_000);
        let InboxItem::Ask(first) = &inbox.waiting(&machines)[0].item else { panic!() };
        assert_eq!((inbox.waiting(&machines).len(), first.shown.claimed.text.as_str()), (1, "Deploy?"));
        for _ in 0..2 {
            inbox.listed(1, vec![other("a")], 2_000);
            assert!(inbox.waiting(&machines).is_empty(), "it is over, and does not come back");
        }
        let ends = inbox.ends();
        assert!(matches!(&ends[..], [Ended { id, how: How::Ask(AskEnd::Unknown), .. }] if id == "a"), "{ends:?}");
    }
}
