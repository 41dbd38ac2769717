//! A session that asks: one connection to a paired machine, for requests and for what it tells.
//!
//! [`Client::open_session`] makes one with a connection of its own (`own`), as the command line's verbs that act on
//! a machine from afar want it; [`MachineWatch::session`](super::MachineWatch::session) one over the connection that
//! a watch keeps (`live`), as a phone's screens do. What needs a person's yes goes through `acts`.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::broadcast;

use super::Client;
use super::error::ClientError;
use super::line;
use super::live::{self, Line};
use super::own::Own;
use super::refused::of_request_refusal;
use crate::identity::{DeviceId, KeyPair, PublicKey};
use crate::names;
use crate::role::Role;
use crate::store::device::machines::MachineRow;
use crate::wire::{
    ApprovalGuard, DeviceEvent, DeviceListed, DevicesAfter, DevicesPage, Method, WaitingApproval, Welcome, limits,
};

/// Safe to show: one line each, nothing invisible.
fn clean_device(device: DeviceListed) -> DeviceListed {
    DeviceListed {
        name: names::clean_name(&device.name),
        platform: names::clean_platform(&device.platform),
        suspended: device.suspended.map(|why| names::clean_sentence(&why).unwrap_or_default()),
        ..device
    }
}

/// Pages of the device list that are read, at most: what a machine may hold.
const PAGES: usize = 128;

/// What the machine says of this device itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) role: Role,
    pub(super) enrolled: Option<PublicKey>,
    pub(super) guard: Option<ApprovalGuard>,
}

impl Standing {
    /// As the welcome said.
    pub(super) fn of(welcome: &Welcome) -> Self {
        Self { role: welcome.role, enrolled: welcome.approval_key, guard: welcome.approval_guard }
    }

    /// What is told of this device itself holds from then on.
    pub(super) fn took(&mut self, own: DeviceId, event: &DeviceEvent) {
        let DeviceEvent::DeviceChanged { device, role, approval, .. } = event else { return };
        if *device == own {
            self.role = *role;
            self.guard = *approval;
            if approval.is_none() {
                self.enrolled = None;
            }
        }
    }
}

/// A connection to a paired machine that asks and listens. Close it when it is not needed any more.
pub struct MachineSession {
    pub(super) client: Client,
    pub(super) row: MachineRow,
    channel: Channel,
    /// The approval key, where a passphrase has opened it.
    pub(super) opened: Option<Arc<KeyPair>>,
}

/// How a session reaches its machine.
enum Channel {
    /// A connection of its own.
    Own(Box<Own>),
    /// One that a watch keeps.
    Kept(Line, broadcast::Receiver<DeviceEvent>),
}

impl Client {
    /// Connects to the machine of `row`.
    ///
    /// # Errors
    /// As a reconnect has them: not reachable, revoked, a hard stop, and so on.
    pub async fn open_session(&self, row: i64) -> Result<MachineSession, ClientError> {
        let session = self.resume_row(row).await?;
        let row = self.durable(move |ledger| ledger.row(row)).await?;
        // The key of this connection, whatever another of this device's processes has stored since.
        let row = MachineRow { pin: session.keys.pin, epoch: session.keys.epoch, ..row };
        let own = Own::new(self.clone(), row.clone(), session);
        Ok(MachineSession { client: self.clone(), row, channel: Channel::Own(Box::new(own)), opened: None })
    }
}

impl MachineSession {
    /// A session over a kept connection.
    pub(super) fn over(client: Client, row: MachineRow, line: Line) -> Self {
        let told = line.listen();
        let row = MachineRow { pin: line.keys.pin, epoch: line.keys.epoch, ..row };
        Self { client, row, channel: Channel::Kept(line, told), opened: None }
    }

    /// The machine's name here.
    pub fn name(&self) -> &str {
        &self.row.name
    }

    fn standing(&self) -> Standing {
        match &self.channel {
            Channel::Own(own) => own.standing,
            Channel::Kept(line, _) => line.standing(),
        }
    }

    /// This device's id there.
    pub fn device(&self) -> DeviceId {
        self.row.device_id
    }

    /// This device's role there, as the machine said last.
    pub fn role(&self) -> Role {
        self.standing().role
    }

    /// The label under which a phone's chip holds its approval key for this machine: another than that of the
    /// session key.
    pub fn approval_label(&self) -> String {
        format!("approval-{}", self.row.label)
    }

    /// What waited for this device's answer when it connected, as far as the welcome said.
    pub fn waiting(&self) -> &[WaitingApproval] {
        match &self.channel {
            Channel::Own(own) => own.waiting(),
            Channel::Kept(line, _) => &line.waiting,
        }
    }

    /// The approval key that the machine has of this device.
    pub fn enrolled(&self) -> Option<PublicKey> {
        self.standing().enrolled
    }

    /// What the machine lists as guarding it.
    pub fn enrolled_guard(&self) -> Option<ApprovalGuard> {
        self.standing().guard
    }

    pub(super) fn now_enrolled(&mut self, key: PublicKey, guard: ApprovalGuard) {
        let brought = |standing: &mut Standing| {
            standing.enrolled = Some(key);
            standing.guard = Some(guard);
        };
        match &mut self.channel {
            Channel::Own(own) => brought(&mut own.standing),
            Channel::Kept(line, _) => line.change(brought),
        }
    }

    /// The machine's devices.
    ///
    /// # Errors
    /// [`ClientError::NotAllowed`] unless this device is an owner there; the connection was lost.
    pub async fn devices(&mut self) -> Result<Vec<DeviceListed>, ClientError> {
        let (mut all, mut after): (Vec<DeviceListed>, _) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page: DevicesPage = self.ask(Method::Devices, &DevicesAfter { after }).await?;
            after = page.devices.last().map(|device| device.id);
            // Names and reasons are what the devices and the machine say.
            all.extend(page.devices.into_iter().take(limits::DEVICES_PAGE).map(clean_device));
            if !page.more || after.is_none() {
                break;
            }
        }
        Ok(all)
    }

    /// The next thing that the machine tells.
    ///
    /// # Errors
    /// The connection has ended; the text says how.
    pub async fn event(&mut self) -> Result<DeviceEvent, ClientError> {
        match &mut self.channel {
            Channel::Own(own) => own.event().await,
            Channel::Kept(_, told) => live::next_event(told).await.ok_or_else(|| line::interrupted(&self.row.name)),
        }
    }

    /// Says goodbye; a connection that is kept for others stays.
    pub async fn close(self) {
        if let Channel::Own(own) = self.channel {
            own.close().await;
        }
    }

    /// Asks, and reads the answer.
    pub(super) async fn ask<P: Serialize, A: DeserializeOwned>(
        &mut self,
        method: Method,
        params: &P,
    ) -> Result<A, ClientError> {
        // Not sent where it cannot be answered: what is refused by role is refused here too.
        if !method.is_allowed(self.role()) {
            return Err(self.not_allowed(method));
        }
        let params = serde_json::to_value(params).map_err(|_| ClientError::Protocol)?;
        match self.ask_anything(method.as_str(), params).await? {
            Ok(value) => serde_json::from_value(value).map_err(|_| ClientError::Protocol),
            Err(code) => Err(self.refused(method, code)),
        }
    }

    /// Sends any request, allowed or not; gives the result or the error's number. For tests of the machine.
    ///
    /// # Errors
    /// The connection was lost.
    #[doc(hidden)]
    pub async fn ask_anything(&mut self, method: &str, params: Value) -> Result<Result<Value, i64>, ClientError> {
        match &mut self.channel {
            Channel::Own(own) => own.ask(method, params).await,
            Channel::Kept(line, _) => line.ask(&self.row.name, method, params).await,
        }
    }

    pub(super) fn not_allowed(&self, method: Method) -> ClientError {
        ClientError::NotAllowed { name: self.row.name.clone(), role: self.role(), method }
    }

    fn refused(&self, method: Method, code: i64) -> ClientError {
        of_request_refusal(method, code, &self.row.name, self.role())
    }
}
