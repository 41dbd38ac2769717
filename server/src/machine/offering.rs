//! An offer as a person follows it: what stands in the countdown's place, and the words for what
//! happens. `serve` and `pair` both show offers through this.

use std::time::Duration;

use pairpin_core::wire::{AddressKind, DEFAULT_PORT};

use super::screen::{Screen, Standing};
use super::status::{offers_have_address, out_of_reach};
use crate::admin::views::{AddressRecord, AlarmRecord, MachineRecord, NewOfferRecord, PairEvent, PairedRecord};
use crate::output::style::{printable, quoted};
use crate::output::time::countdown;

/// An offer that waits for a device.
#[derive(Debug)]
pub struct Offering {
    /// The offer; its code goes when it is burnt.
    pub offer: NewOfferRecord,
    ends: Duration,
    note: String,
    /// What was said aloud last: a device that tries again and again says nothing new.
    aloud: String,
}

/// How an offer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// A device is paired.
    Paired(Box<PairedRecord>),
    /// Nobody came.
    Expired,
    /// Somebody withdrew it.
    Withdrawn,
    /// It was a code only, and that is gone.
    CodeGone(String),
}

/// What an event means for whoever shows the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Draw it again.
    Redraw,
    /// Say this aloud, and go on.
    Alarm(String),
    /// It is over.
    Ended(Ended),
}

impl Offering {
    /// An offer made at `now` (by [`pairpin_core::clock::Clock::elapsed`]).
    pub fn new(offer: NewOfferRecord, now: Duration) -> Self {
        let ends = now + offer.lifetime();
        Self { offer, ends, note: String::new(), aloud: String::new() }
    }

    /// Takes in what has happened.
    pub fn take(&mut self, event: PairEvent, now: Duration) -> Step {
        self.note = match event {
            PairEvent::Offer(offer) => {
                *self = Self::new(offer, now);
                return Step::Redraw;
            }
            PairEvent::Previewed { from } => format!("a device at {} looks at it", printable(&from)),
            PairEvent::Claimed { from, name } => format!("{} at {} is pairing", quoted(&name), printable(&from)),
            PairEvent::NotStored { name, cause } => {
                let text = format!("{} is NOT paired: {}", quoted(&name), printable(&cause));
                return if std::mem::replace(&mut self.aloud, text.clone()) == text {
                    Step::Redraw
                } else {
                    Step::Alarm(text)
                };
            }
            PairEvent::WrongCode { tries_left, from } => {
                let tries = if tries_left == 1 { "1 try" } else { &format!("{tries_left} tries") };
                format!("wrong code from {}, {tries} left", printable(&from))
            }
            PairEvent::CodeBurnt { closed } => return self.code_gone(code_burnt(closed)),
            PairEvent::CodeReplaced { by } => {
                return self.code_gone(format!("its code is void, offer {by} has a newer one"));
            }
            PairEvent::Extended { expires_in_seconds } => {
                self.ends = now + Duration::from_secs(expires_in_seconds);
                return Step::Redraw;
            }
            PairEvent::Paired(paired) => return Step::Ended(Ended::Paired(paired)),
            PairEvent::Expired => return Step::Ended(Ended::Expired),
            PairEvent::Withdrawn => return Step::Ended(Ended::Withdrawn),
            PairEvent::Alarm(alarm) => return Step::Alarm(alarm_text(&alarm)),
        };
        Step::Redraw
    }

    fn code_gone(&mut self, why: String) -> Step {
        self.offer.code = None;
        if self.offer.link.is_none() {
            return Step::Ended(Ended::CodeGone(why));
        }
        self.note = why;
        Step::Redraw
    }

    /// The countdown, and what goes on.
    pub fn standing(&self, now: Duration) -> Standing {
        let left = countdown(self.ends.saturating_sub(now));
        let note = if self.note.is_empty() { String::new() } else { format!(", {}", self.note) };
        Standing::Open(format!("expires in {left}{note}"))
    }

    /// The whole screen for this offer.
    pub fn screen(&self, machine: &MachineRecord, qr: Vec<String>, wants_qr: bool, standing: Standing) -> Screen {
        let addresses = machine.daemon.as_ref().map(|daemon| daemon.addresses.as_slice()).unwrap_or_default();
        let name = machine.daemon.as_ref().map(|daemon| printable(&daemon.name)).unwrap_or_default();
        let warning = machine.daemon.as_ref().and_then(out_of_reach);
        // What is over is neither scanned nor typed: a spent QR on a screen only rings the alarm.
        let live = matches!(standing, Standing::Open(_));
        let of_use = live && machine.daemon.as_ref().is_none_or(offers_have_address);
        let (link, code) = (self.offer.link.as_ref().filter(|_| of_use), self.offer.code.as_ref().filter(|_| live));
        let mut how = Vec::new();
        match (link, code) {
            (Some(_), Some(_)) => how.push("scan it with the Pairpin app, or on another computer run:".into()),
            (Some(_), None) => how.push("scan it with the Pairpin app".into()),
            (None, _) => how.push("on the other device run, or choose \"type a code\" in the app:".into()),
        }
        if code.is_some() {
            how.push(join_command(addresses));
        }
        if !of_use {
            how.clear();
        }
        Screen {
            machine: name,
            fingerprint: machine.key.fingerprint.clone(),
            addresses: addresses.iter().map(|address| (address.address.to_string(), address.kind.as_str())).collect(),
            warning: warning.map(str::to_owned),
            link: link.map(|link| link.expose().to_owned()),
            qr: if of_use { qr } else { Vec::new() },
            wants_qr: wants_qr && link.is_some(),
            code: code.map(|code| code.expose().to_owned()),
            role: self.offer.role.as_str(),
            standing,
            how,
        }
    }
}

fn code_burnt(closed: bool) -> String {
    if closed {
        "too many wrong codes: codes are closed until `pairpin pair --code` is run here".into()
    } else {
        "its code is burnt by three wrong tries".into()
    }
}

/// What to type on the other computer for a code.
pub fn join_command(addresses: &[AddressRecord]) -> String {
    let far = |address: &&AddressRecord| !matches!(address.kind, AddressKind::Loopback | AddressKind::Container);
    // Of those, an IPv4 address: it is the one that people can type.
    let short = |address: &&AddressRecord| far(address) && !address.address.host.contains(':');
    let best = addresses.iter().find(short).or_else(|| addresses.iter().find(far)).or(addresses.first());
    let host = match best {
        Some(address) => {
            let text = address.address.to_string();
            text.strip_suffix(&format!(":{DEFAULT_PORT}")).map(str::to_owned).unwrap_or(text)
        }
        None => "HOST".into(),
    };
    format!("pairpin join {host} --code")
}

/// What is said when a device is paired.
pub fn paired_text(paired: &PairedRecord) -> String {
    let again = if paired.again { "paired again:" } else { "paired" };
    let (name, role) = (quoted(&paired.device.name), paired.device.role);
    format!("{again} {name} as {role} from {}, check {}", printable(&paired.from), printable(&paired.check_digits))
}

/// What is said when the QR was seen by two, with the one step that undoes it.
pub fn alarm_text(alarm: &AlarmRecord) -> String {
    let from = printable(&alarm.from);
    match (&alarm.device, &alarm.name) {
        (Some(id), Some(name)) => format!(
            "ALARM: {from} holds the offer that paired {}, if that is not your device run: pairpin lost {id} --with-let-in",
            quoted(name)
        ),
        (Some(id), None) => {
            format!(
                "ALARM: {from} holds an offer that was used, if you did not use it run: pairpin lost {id} --with-let-in"
            )
        }
        _ => format!(
            "ALARM: {from} holds the offer that another device is using, to stop both: pairpin offers cancel --all"
        ),
    }
}

/// What is said when an offer ends without a device.
pub fn ended_text(ended: &Ended) -> String {
    match ended {
        Ended::Paired(paired) => paired_text(paired),
        Ended::Expired => "the offer expired, make another with `pairpin pair`".into(),
        Ended::Withdrawn => "the offer was withdrawn, make another with `pairpin pair`".into(),
        Ended::CodeGone(why) => format!("{why}, make another with `pairpin pair --code`"),
    }
}

#[cfg(test)]
mod tests {
    use pairpin_core::host::KeysView;
    use pairpin_core::identity::{MachineId, Pin};
    use pairpin_core::role::Role;

    use super::*;
    use crate::admin::views::{DaemonRecord, Shown, tests::device};
    use crate::output::time::Moment;

    fn offering(link: bool) -> Offering {
        let offer = NewOfferRecord {
            number: 1,
            link: link.then(|| Shown::new("pairpin:AB")),
            code: Some(Shown::new("1234 5678")),
            role: Role::Owner,
            expires_in_seconds: 120,
            expires_at: Moment(0),
        };
        Offering::new(offer, Duration::from_secs(1_000))
    }

    fn machine(addresses: &[(&str, AddressKind)]) -> MachineRecord {
        let loopback = [("127.0.0.1", AddressKind::Loopback)];
        let records = addresses.iter().chain(&loopback).map(|(text, kind)| AddressRecord {
            address: text.parse().unwrap(),
            kind: *kind,
            interface: String::new(),
        });
        let (pin, next_pin) = (Pin::from_bytes([0; 32]), Pin::from_bytes([1; 32]));
        let keys = KeysView { epoch: 0, pin, next_pin, next_kept: None, changed_at: None };
        let daemon = DaemonRecord {
            name: "homebox".into(),
            machine: MachineId::from_bytes([0; 16]),
            platform: "Debian 12".into(),
            addresses: records.collect(),
            listening: Vec::new(),
            loopback_only: false,
            online: 0,
            offers: 1,
            latest_welcome: None,
            started_at: Moment(0),
        };
        MachineRecord { running: true, daemon: Some(daemon), ..MachineRecord::of_keys(keys) }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    #[test]
    fn the_countdown_follows_an_extension() {
        let mut offering = offering(true);
        assert_eq!(offering.standing(at(2)), Standing::Open("expires in 1:58".into()));
        offering.take(PairEvent::Previewed { from: "10.0.0.9".into() }, at(100));
        offering.take(PairEvent::Extended { expires_in_seconds: 80 }, at(100));
        let text = "expires in 1:20, a device at 10.0.0.9 looks at it";
        assert_eq!(offering.standing(at(100)), Standing::Open(text.into()));
    }

    #[test]
    fn a_pairing_that_could_not_be_stored_is_said_aloud_once() {
        let mut offering = offering(true);
        let event = || PairEvent::NotStored { name: "Pixel".into(), cause: "the disk is full, free some space".into() };
        let text = "\"Pixel\" is NOT paired: the disk is full, free some space";
        assert_eq!(offering.take(event(), at(1)), Step::Alarm(text.into()));
        assert_eq!(offering.take(event(), at(2)), Step::Redraw);
    }

    #[test]
    fn a_burnt_code_ends_an_offer_without_a_link_only() {
        let mut with_link = offering(true);
        assert_eq!(with_link.take(PairEvent::CodeBurnt { closed: false }, at(1)), Step::Redraw);
        assert!(with_link.offer.code.is_none());
        let step = offering(false).take(PairEvent::CodeBurnt { closed: false }, at(1));
        assert!(matches!(step, Step::Ended(Ended::CodeGone(_))));
    }

    #[test]
    fn a_pairing_and_an_alarm_are_said_with_what_to_compare_and_do() {
        let mut paired = PairedRecord {
            device: device("Ana's Pixel 9", Role::Owner),
            check_digits: "4821".into(),
            from: "192.168.1.34".into(),
            again: false,
        };
        assert_eq!(paired_text(&paired), "paired \"Ana's Pixel 9\" as owner from 192.168.1.34, check 4821");
        paired.again = true;
        assert!(paired_text(&paired).starts_with("paired again: \"Ana's"));
        let alarm = AlarmRecord {
            from: "10.0.0.66".into(),
            at: Moment(0),
            device: Some("abc".into()),
            name: Some("x\x1b[2J".into()),
        };
        let text = alarm_text(&alarm);
        assert!(text.ends_with("pairpin lost abc --with-let-in") && !text.contains('\x1b'), "{text}");
    }

    #[test]
    fn a_machine_without_a_network_says_so_and_shows_nothing_to_scan() {
        let mut machine = machine(&[]);
        let qr = vec!["█".to_owned(); 21];
        let screen = |machine: &MachineRecord| {
            offering(true).screen(machine, qr.clone(), true, Standing::Open("expires in 1:58".into()))
        };
        let shown = screen(&machine);
        assert!(shown.link.is_none() && shown.qr.is_empty() && !shown.wants_qr && shown.how.is_empty());
        assert!(shown.warning.is_some_and(|text| text.contains("no network address") && text.contains("--advertise")));
        // Bound to loopback on purpose, it can be joined from here.
        machine.daemon.as_mut().unwrap().loopback_only = true;
        let shown = screen(&machine);
        assert!(shown.link.is_some() && shown.warning.is_some_and(|text| text.contains("loopback")));
        let shown = screen(&self::machine(&[("192.168.1.34", AddressKind::Lan)]));
        assert!(shown.qr.len() == 21 && shown.warning.is_none());
    }

    #[test]
    fn an_offer_that_is_over_leaves_nothing_to_scan_on_the_screen() {
        let machine = machine(&[("192.168.1.34", AddressKind::Lan)]);
        for standing in [Standing::Over("the offer expired".into()), Standing::Good("paired".into())] {
            let shown = offering(true).screen(&machine, vec!["█".to_owned(); 21], true, standing);
            assert!(shown.link.is_none() && shown.code.is_none() && shown.qr.is_empty() && !shown.wants_qr);
        }
    }

    #[test]
    fn the_join_command_names_an_address_that_others_can_reach() {
        let address =
            |text: &str, kind| AddressRecord { address: text.parse().unwrap(), kind, interface: String::new() };
        let loopback = address("127.0.0.1", AddressKind::Loopback);
        let lan = address("192.168.1.34", AddressKind::Lan);
        let other_port = address("[fd00::1]:99", AddressKind::Lan);
        assert_eq!(join_command(&[loopback.clone(), lan]), "pairpin join 192.168.1.34 --code");
        assert_eq!(join_command(&[other_port]), "pairpin join [fd00::1]:99 --code");
        assert_eq!(join_command(&[loopback]), "pairpin join 127.0.0.1 --code");
    }
}
