//! A session that asks: one connection to a paired machine, for requests and for what it tells.
//!
//! [`Client::open_session`] makes one; the command line's verbs that act on a machine from afar, and a phone's
//! screens, hold it for as long as they need it. What needs a person's yes goes through `acts`.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Client;
use super::error::{ClientError, Told};
use super::line;
use super::refused::of_request_refusal;
use super::resume::Session;
use super::standing::Heard;
use crate::identity::{KeyPair, PublicKey};
use crate::net::socket::Incoming;
use crate::role::Role;
use crate::store::device::machines::MachineRow;
use crate::wire::{
    ApprovalGuard, CloseCode, Closing, DeviceEvent, DeviceListed, DevicesAfter, DevicesPage, Frame, Method, Rotate,
};

/// Events kept while an answer is waited for, at most; more than that are told as missed.
const EVENTS: usize = 256;
/// Pages of the device list that are read, at most: what a machine may hold.
const PAGES: usize = 128;

/// A connection to a paired machine that asks and listens. Close it when it is not needed any more.
pub struct MachineSession {
    pub(super) client: Client,
    pub(super) row: MachineRow,
    session: Session,
    next: u64,
    events: VecDeque<DeviceEvent>,
    /// The approval key, where a passphrase has opened it.
    pub(super) opened: Option<Arc<KeyPair>>,
    /// What is to be kept for the machine.
    heard: Heard,
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
        let (next, events, heard) = (0, VecDeque::new(), Heard::new());
        Ok(MachineSession { client: self.clone(), row, session, next, events, opened: None, heard })
    }
}

impl MachineSession {
    /// The machine's name here.
    pub fn name(&self) -> &str {
        &self.row.name
    }

    /// This device's role there, as the machine said last.
    pub fn role(&self) -> Role {
        self.session.welcome.role
    }

    /// What waited for this device's answer when it connected, as far as the welcome said.
    pub fn waiting(&self) -> &[crate::wire::WaitingApproval] {
        &self.session.welcome.approvals
    }

    /// The approval key that the machine has of this device, as the welcome said.
    pub fn enrolled(&self) -> Option<PublicKey> {
        self.session.welcome.approval_key
    }

    /// What the machine lists as guarding it.
    pub fn enrolled_guard(&self) -> Option<ApprovalGuard> {
        self.session.welcome.approval_guard
    }

    pub(super) fn now_enrolled(&mut self, key: PublicKey, guard: ApprovalGuard) {
        self.session.welcome.approval_key = Some(key);
        self.session.welcome.approval_guard = Some(guard);
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
            all.extend(page.devices);
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
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.receive().await?;
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        if self.heard.waits() {
            self.client.keep_heard(self.row.row, &mut self.heard).await;
        }
        self.session.close().await;
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
        self.next += 1;
        let (id, method) = (self.next, method.to_owned());
        let sent = self.session.socket.send(Frame::Request { id, method, params }).await;
        sent.map_err(|_| self.lost())?;
        let answer = tokio::time::timeout(line::ANSWER_TIME, self.answer(id)).await;
        answer.map_err(|_| self.lost())?
    }

    async fn answer(&mut self, wanted: u64) -> Result<Result<Value, i64>, ClientError> {
        loop {
            if let Some((id, result)) = self.receive().await?
                && id == wanted
            {
                return Ok(result);
            }
        }
    }

    /// Takes in one frame; gives what answers a request, and keeps what is told.
    async fn receive(&mut self) -> Result<Option<(u64, Result<Value, i64>)>, ClientError> {
        let frame = match self.session.socket.recv().await {
            Ok(Some(Incoming::Frame(frame))) => frame,
            Ok(Some(Incoming::Ping | Incoming::Pong)) => return Ok(None),
            Ok(Some(Incoming::Closed { .. }) | None) | Err(_) => return Err(self.lost()),
        };
        match frame {
            Frame::Answer { id, result } => return Ok(Some((id, result.map_err(|(code, _)| code)))),
            Frame::Event(event) => {
                self.took(&event);
                if let DeviceEvent::KeyRotated { rotate } = &event {
                    follow(self.client.clone(), self.row.row, rotate.clone()).await;
                }
                if self.heard.take(&event) && self.heard.due <= tokio::time::Instant::now() {
                    self.client.keep_heard(self.row.row, &mut self.heard).await;
                }
                if self.events.len() >= EVENTS {
                    self.events.clear();
                    self.events.push_back(DeviceEvent::Missed);
                }
                self.events.push_back(event);
            }
            Frame::Closing(closing) => {
                // Not a method: a session is not to be borrowed across a wait, or its future could not move
                // between threads.
                return Err(closed(self.client.clone(), self.row.clone(), &closing).await);
            }
            _ => {}
        }
        Ok(None)
    }

    fn lost(&self) -> ClientError {
        line::interrupted(&self.row.name)
    }

    pub(super) fn not_allowed(&self, method: Method) -> ClientError {
        ClientError::NotAllowed { name: self.row.name.clone(), role: self.role(), method }
    }

    fn refused(&self, method: Method, code: i64) -> ClientError {
        of_request_refusal(method, code, &self.row.name, self.role())
    }

    /// What is told of this device itself holds for this session from now on.
    fn took(&mut self, event: &DeviceEvent) {
        let DeviceEvent::DeviceChanged { device, role, approval, .. } = event else { return };
        if *device != self.row.device_id {
            return;
        }
        let welcome = &mut self.session.welcome;
        welcome.role = *role;
        welcome.approval_guard = *approval;
        if approval.is_none() {
            welcome.approval_key = None;
        }
    }
}

/// For the reason given in `receive`.
async fn follow(client: Client, row: i64, rotate: Box<Rotate>) {
    client.follow(row, rotate).await;
}

/// The machine ends the session, and says why.
async fn closed(client: Client, row: MachineRow, closing: &Closing) -> ClientError {
    let (name, told) = (row.name.clone(), Told::of(&closing.by, Some(closing.at), &closing.reason));
    match closing.code {
        CloseCode::Revoked => {
            let erased = told.clone();
            let stored = client.durable(move |ledger| ledger.revoked(&row, &erased)).await;
            client.inner.changed();
            stored.err().unwrap_or(ClientError::Revoked { name, told })
        }
        CloseCode::Suspended => ClientError::Suspended { name, told },
        CloseCode::KeyReplaced => ClientError::KeyReplaced { name },
        CloseCode::Expired => ClientError::Expired { name, skew_seconds: None },
        _ => line::interrupted(&name),
    }
}
