//! Sessions that end soon: each device is warned of its own while it is connected, owners of everybody's.
//!
//! Called by `live` at the beginning of a connection and with its heartbeat. What is near is decided in
//! [`sessions::ending`]; what was told is remembered by the connection alone, so a restart may tell it again.

use super::book::Known;
use super::sessions;
use super::shared::Shared;
use crate::clock::UnixMillis;
use crate::identity::DeviceId;
use crate::role::Role;
use crate::wire::{DeviceEvent, limits};

/// When a connection was warned last.
#[derive(Debug, Default)]
pub(super) struct Warned(Option<UnixMillis>);

impl Warned {
    /// What to tell the device now: nothing within a day of the last time.
    pub(super) fn due(&mut self, shared: &Shared, device: DeviceId) -> Vec<DeviceEvent> {
        let now = shared.judged_now();
        let again = i64::try_from(limits::ENDING_AGAIN.as_millis()).unwrap_or(i64::MAX);
        // A clock that was set back must not silence it for longer.
        if self.0.is_some_and(|last| (last..last.saturating_add(again)).contains(&now)) {
            return Vec::new();
        }
        let found = endings(shared, device, now);
        if !found.is_empty() {
            self.0 = Some(now);
        }
        found
    }
}

/// Its own session if that ends soon, and for an owner those of the others, what ends first in front.
fn endings(shared: &Shared, device: DeviceId, now: UnixMillis) -> Vec<DeviceEvent> {
    let Some(Known::Device(own)) = shared.book.find(device) else { return Vec::new() };
    let rows = match own.row.role {
        Role::Owner => shared.book.rows_where(|row| sessions::ending(row, now).is_some()),
        Role::Operator | Role::Viewer => vec![own.row],
    };
    let near = rows.into_iter().filter_map(|row| Some((sessions::ending(&row, now)?, row)));
    let mut near: Vec<_> = near.collect();
    near.sort_by_key(|(ending, row)| (row.id != device, ending.at));
    near.truncate(limits::ENDINGS);
    let event = |(ending, row): (super::Ending, crate::store::host::devices::DeviceRow)| DeviceEvent::SessionEnding {
        device: row.id,
        name: row.name,
        ends_at: ending.at,
        unused: ending.unused,
    };
    near.into_iter().map(event).collect()
}
