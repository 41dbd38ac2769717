//! What machines told that waits for no answer: for a line on a screen or a notification.

use std::collections::VecDeque;

use super::inbox::make_room;
use crate::clock::UnixMillis;
use crate::names;
use crate::role::Role;
use crate::wire::{DeviceEvent, limits};

/// News that are kept, at most, over all machines; the oldest go.
const KEPT: usize = 64;

/// Something that a machine told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The machine's row.
    pub row: i64,
    /// Counts up by one with each of this app, so that a shell knows what it has shown.
    pub number: u64,
    /// When it was heard, by this device's clock.
    pub at: UnixMillis,
    /// What.
    pub what: Tidings,
}

/// What is told. Names and texts are cleaned: safe to show, in one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tidings {
    /// A device was paired, or let in.
    DeviceAdded {
        /// Its name.
        name: String,
        /// Its role.
        role: Role,
        /// The address it came from.
        from: String,
        /// It was paired before.
        again: bool,
        /// The number of the offer that it used, where it used one.
        offer: Option<u32>,
        /// The check digits, which that device shows too.
        digits: Option<String>,
    },
    /// A device lost its access.
    DeviceRevoked {
        /// The name it had.
        name: String,
        /// Who did it.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// What a device may do was changed.
    DeviceChanged {
        /// Its name.
        name: String,
        /// Its role now.
        role: Role,
        /// Who did it.
        by: String,
    },
    /// A second device holds an offer that was used.
    Alarm {
        /// Where it came from.
        from: String,
        /// The device that is paired by the offer.
        name: Option<String>,
    },
    /// Somebody used the printed recovery sheet.
    RecoveryUsed {
        /// From where.
        from: String,
        /// How many devices it took the access away from.
        revoked: u64,
    },
    /// The machine was restored from a backup, and handed back what it had lost.
    Restored {
        /// By which device.
        by: String,
        /// How many devices are revoked by that.
        revoked: u64,
    },
    /// Somebody at the machine says something.
    Notice {
        /// Who, as the machine knows.
        user: Option<String>,
        /// What; claimed.
        text: String,
    },
}

/// The news of an app.
#[derive(Debug, Default)]
pub(super) struct Paper {
    news: VecDeque<News>,
    last: u64,
}

impl Paper {
    /// Takes in what the machine of `row` told at `now`.
    pub(super) fn told(&mut self, row: i64, event: &DeviceEvent, now: UnixMillis) {
        let Some(what) = tidings(event) else { return };
        make_room(&mut self.news, KEPT, |news| news.row == row);
        self.last += 1;
        self.news.push_back(News { row, number: self.last, at: now, what });
    }

    /// All of them, the newest last.
    pub(super) fn all(&self) -> Vec<News> {
        self.news.iter().cloned().collect()
    }
}

fn tidings(event: &DeviceEvent) -> Option<Tidings> {
    Some(match event {
        DeviceEvent::DeviceAdded { name, role, from, again, offer, check_digits, .. } => Tidings::DeviceAdded {
            name: names::clean_name(name),
            role: *role,
            from: line(from),
            again: *again,
            offer: *offer,
            digits: names::clean(check_digits, 4),
        },
        DeviceEvent::DeviceRevoked { name, by, reason, .. } => Tidings::DeviceRevoked {
            name: names::clean_name(name),
            by: line(by),
            reason: reason.as_deref().and_then(names::clean_sentence),
        },
        DeviceEvent::DeviceChanged { name, role, by, .. } => {
            Tidings::DeviceChanged { name: names::clean_name(name), role: *role, by: line(by) }
        }
        DeviceEvent::Alarm { from, name, .. } => {
            Tidings::Alarm { from: line(from), name: name.as_deref().map(names::clean_name) }
        }
        DeviceEvent::RecoveryUsed { from, revoked, .. } => {
            Tidings::RecoveryUsed { from: line(from), revoked: u64::try_from(*revoked).unwrap_or(u64::MAX) }
        }
        DeviceEvent::Restored { by, revoked, .. } => Tidings::Restored { by: line(by), revoked: *revoked },
        DeviceEvent::Notice { known, text, .. } => Tidings::Notice {
            user: known.user.as_deref().map(line),
            text: names::clean(text, limits::ASK_TEXT).unwrap_or_default(),
        },
        _ => return None,
    })
}

/// A name or an address that a machine told, in one line.
fn line(text: &str) -> String {
    names::clean(text, limits::NAME + 8).unwrap_or_else(|| "?".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revoked(name: &str) -> DeviceEvent {
        let device = crate::identity::DeviceId::from_bytes([1; 16]);
        DeviceEvent::DeviceRevoked { device, name: name.into(), by: "pi\u{202E}xel\n".into(), at: 7, reason: None }
    }

    #[test]
    fn news_are_numbered_cleaned_and_bounded() {
        let mut paper = Paper::default();
        paper.told(1, &DeviceEvent::Missed, 5);
        assert!(paper.all().is_empty(), "nothing of it is news");
        (0..500).for_each(|n| paper.told(1, &revoked(&format!("phone {n}")), n));
        let all = paper.all();
        let share = KEPT / 4;
        assert_eq!((all.len(), all[0].number, all[share - 1].number), (share, 485, 500));
        let Tidings::DeviceRevoked { name, by, .. } = &all[share - 1].what else { panic!("{all:?}") };
        assert_eq!((name.as_str(), by.as_str(), all[share - 1].at), ("phone 499", "pixel", 499));
        // Many machines: the oldest go.
        (0..500).for_each(|n| paper.told(n, &revoked("phone"), n));
        assert_eq!((paper.all().len(), paper.all()[KEPT - 1].row), (KEPT, 499));
    }

    #[test]
    fn a_machine_that_tells_without_end_does_not_push_out_what_another_told() {
        let mut paper = Paper::default();
        let alarm = DeviceEvent::Alarm { from: "192.0.2.1".into(), at: 0, device: None, name: None };
        paper.told(1, &alarm, 0);
        (0..500).for_each(|n| paper.told(2, &revoked("phone"), n));
        assert!(matches!(paper.all()[0].what, Tidings::Alarm { .. }), "{:?}", paper.all()[0]);
    }
}
