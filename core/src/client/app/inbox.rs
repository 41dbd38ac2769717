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
        let kept = timed.map(|(item, until)| {
            // The time that the machine says is left shrinks by the way; the first saying stands.
            let known = before.iter().find(|(known, _)| known.id() == item.id()).map(|(_, until)| *until);
            (item, known.unwrap_or(until))
        });
        self.items.insert(row, kept.collect());
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
        if self.ends.len() >= ENDS {
            self.ends.pop_front();
        }
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
        assert_eq!((inbox.ends().len(), inbox.ends()[ENDS - 1].id.as_str()), (ENDS, "499"));
        assert!(inbox.told(1, &gone(&"x".repeat(10_000))), "the list is asked for all the same");
        assert_eq!(inbox.ends()[ENDS - 1].id, "499");
    }
}
