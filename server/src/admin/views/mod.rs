//! The records that cross the admin socket and that `--json` prints: one shape for both,
//! documented in docs/json.md. Made from the core's views; nothing is decided here.
//!
//! `machine` is the machine itself, `ask` an ask and what becomes of it, `device` the paired and the revoked ones and the audit
//! log, `offer` an offer and what happens to it, `join` a device that asks without one, `keys` a change of the machine's keys.

mod ask;
mod device;
mod join;
mod keys;
mod machine;
mod offer;
mod sheet;

pub use ask::{Answer, AskEvent, AskRecord};
pub use device::{ApproverRecord, AuditRecord, DeviceRecord, LossRecord, RevokedRecord, TombstoneRecord};
pub use join::{AcceptedRecord, JoinRecord};
pub use keys::KeysChangedRecord;
pub use machine::{AddressRecord, DaemonRecord, KeyRecord, MachineRecord};
#[cfg(test)]
pub use offer::Shown;
pub use offer::{AlarmRecord, NewOfferRecord, OfferRecord, PairEvent, PairedRecord};
pub use sheet::SheetRecord;

#[cfg(test)]
pub mod tests {
    use pairpin_core::host::KeysView;
    use pairpin_core::identity::Pin;
    use pairpin_core::role::Role;

    use super::*;
    use crate::output::time::Moment;

    /// A device for tests of what is said about one.
    pub fn device(name: &str, role: Role) -> DeviceRecord {
        DeviceRecord {
            id: "mfrggzdfmztwq2lkmfrggzdfmy".into(),
            name: name.into(),
            platform: "Android 16".into(),
            role,
            key_kind: "hardware".into(),
            paired_at: Moment(1_800_000_000_000),
            paired_how: "scan".into(),
            paired_from: "192.168.1.34".into(),
            let_in: None,
            last_seen: Some(Moment(1_800_000_060_000)),
            last_address: None,
            connected: 0,
            connection: None,
            idle_seconds: 2_592_000,
            absolute_seconds: 15_552_000,
            expires_at: Moment(1_802_592_060_000),
            expired: false,
            ending: None,
            suspended: None,
            approval_guard: None,
        }
    }

    /// docs/json.md promises these; a change here is a change there, and of `"v"` unless a member
    /// was added.
    #[test]
    fn the_documented_shapes_hold() {
        assert_eq!(
            serde_json::to_string(&device("Pixel", Role::Owner)).unwrap(),
            r#"{"id":"mfrggzdfmztwq2lkmfrggzdfmy","name":"Pixel","platform":"Android 16","role":"owner","key_kind":"hardware","paired_at":"2027-01-15T08:00:00.000Z","paired_how":"scan","paired_from":"192.168.1.34","last_seen":"2027-01-15T08:01:00.000Z","last_address":null,"connected":0,"connection":null,"idle_seconds":2592000,"absolute_seconds":15552000,"expires_at":"2027-02-14T08:01:00.000Z","expired":false,"ending":null,"suspended":null,"approval_guard":null}"#
        );
        let offer = NewOfferRecord {
            number: 3,
            link: Some(Shown::new("pairpin:AB")),
            code: None,
            role: Role::Viewer,
            expires_in_seconds: 120,
            expires_at: Moment(1_800_000_000_000),
        };
        assert_eq!(
            serde_json::to_string(&PairEvent::Offer(offer.clone())).unwrap(),
            r#"{"event":"offer","number":3,"link":"pairpin:AB","role":"viewer","expires_in_seconds":120,"expires_at":"2027-01-15T08:00:00.000Z"}"#
        );
        assert_eq!(serde_json::to_string(&PairEvent::Expired).unwrap(), r#"{"event":"expired"}"#);
        assert!(!format!("{offer:?}").contains("AB"));
    }

    #[test]
    fn a_stopped_machine_leaves_out_what_only_a_running_one_has() {
        let (pin, next_pin) = (Pin::from_bytes([0; 32]), Pin::from_bytes([1; 32]));
        let keys = KeysView { epoch: 0, pin, next_pin, next_kept: None, changed_at: None };
        let machine = MachineRecord { devices: 1, ..MachineRecord::of_keys(keys) };
        let text = serde_json::to_string(&machine).unwrap();
        assert!(!text.contains("addresses") && text.starts_with(r#"{"running":false,"key":{"pin":""#));
        assert!(serde_json::from_str::<MachineRecord>(&text).unwrap().daemon.is_none());
    }
}
