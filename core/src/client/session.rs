//! A session that asks: one connection to a paired machine, for requests and for what it tells.
//!
//! [`Client::open_session`] makes one; the command line's verbs that act on a machine from afar, and a phone's
//! screens, hold it for as long as they need it. What needs a person's yes goes through `acts`.

use std::collections::VecDeque;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::broadcast;

use super::Client;
use super::error::{ClientError, Told};
use super::line;
use super::live::{self, Line};
use super::resume::Session;
use crate::net::socket::Incoming;
use crate::role::Role;
use crate::store::device::machines::MachineRow;
use crate::wire::{
    CloseCode, Closing, DeviceEvent, DeviceListed, DevicesAfter, DevicesPage, Frame, Method, RequestError,
};

/// Events kept while an answer is waited for, at most; more than that are told as missed.
const EVENTS: usize = 256;
/// Pages of the device list that are read, at most: what a machine may hold.
const PAGES: usize = 128;

/// A connection to a paired machine that asks and listens. Close it when it is not needed any more.
pub struct MachineSession {
    pub(super) client: Client,
    pub(super) row: MachineRow,
    channel: Channel,
}

/// How a session reaches its machine.
enum Channel {
    /// A connection of its own.
    Own(Box<Own>),
    /// One that a watch keeps.
    Kept(Line, broadcast::Receiver<DeviceEvent>),
}

/// A connection that only this session uses.
struct Own {
    client: Client,
    row: MachineRow,
    session: Session,
    next: u64,
    events: VecDeque<DeviceEvent>,
}

impl Client {
    /// Connects to the machine of `row`.
    ///
    /// # Errors
    /// As a reconnect has them: not reachable, revoked, a hard stop, and so on.
    pub async fn open_session(&self, row: i64) -> Result<MachineSession, ClientError> {
        let session = self.resume_row(row).await?;
        let row = self.durable(move |ledger| ledger.row(row)).await?;
        let own = Own { client: self.clone(), row: row.clone(), session, next: 0, events: VecDeque::new() };
        Ok(MachineSession { client: self.clone(), row, channel: Channel::Own(Box::new(own)) })
    }
}

impl MachineSession {
    /// A session over a kept connection.
    pub(super) fn over(client: Client, row: MachineRow, line: Line) -> Self {
        let told = line.listen();
        Self { client, row, channel: Channel::Kept(line, told) }
    }

    /// The machine's name here.
    pub fn name(&self) -> &str {
        &self.row.name
    }

    /// This device's role there, as the welcome said.
    pub fn role(&self) -> Role {
        match &self.channel {
            Channel::Own(own) => own.session.welcome.role,
            Channel::Kept(line, _) => line.role,
        }
    }

    /// The label under which a phone's chip holds its approval key for this machine: another than that of the
    /// session key.
    pub fn approval_label(&self) -> String {
        format!("approval-{}", self.row.label)
    }

    /// The approval key that the machine has of this device, as the welcome said.
    pub fn enrolled(&self) -> Option<crate::identity::PublicKey> {
        match &self.channel {
            Channel::Own(own) => own.session.welcome.approval_key,
            Channel::Kept(line, _) => line.enrolled(),
        }
    }

    pub(super) fn now_enrolled(&mut self, key: crate::identity::PublicKey) {
        match &mut self.channel {
            Channel::Own(own) => own.session.welcome.approval_key = Some(key),
            Channel::Kept(line, _) => line.now_enrolled(key),
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
        match &mut self.channel {
            Channel::Own(own) => own.event().await,
            Channel::Kept(_, told) => live::next_event(told).await.ok_or_else(|| line::interrupted(&self.row.name)),
        }
    }

    /// Says goodbye; a connection that is kept for others stays.
    pub async fn close(self) {
        if let Channel::Own(own) = self.channel {
            own.session.close().await;
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
            return Err(self.not_allowed());
        }
        let params = serde_json::to_value(params).map_err(|_| ClientError::Protocol)?;
        match self.ask_anything(method.as_str(), params).await? {
            Ok(value) => serde_json::from_value(value).map_err(|_| ClientError::Protocol),
            Err(code) => Err(self.refused(code)),
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

    fn not_allowed(&self) -> ClientError {
        ClientError::NotAllowed { name: self.row.name.clone(), role: self.role() }
    }

    fn refused(&self, code: i64) -> ClientError {
        let name = self.row.name.clone();
        match RequestError::of_code(code) {
            Some(RequestError::Role) => self.not_allowed(),
            Some(RequestError::Statement) => ClientError::StatementRefused { name },
            Some(RequestError::Nonce) => ClientError::StatementTooLate { name },
            Some(RequestError::Gone) => ClientError::NotThere { name },
            Some(RequestError::Exists) => ClientError::OtherApprovalKey { name },
            Some(RequestError::NotThatJoin) => ClientError::NotThatJoin,
            Some(RequestError::KeyRevoked) => ClientError::JoinerRevoked { name },
            Some(RequestError::LastOwner) => ClientError::LastOwner { name },
            Some(RequestError::Full) => ClientError::TooMany { name },
            Some(RequestError::Failed) => ClientError::MachineFailed,
            Some(RequestError::Unknown | RequestError::Params) | None => ClientError::Protocol,
        }
    }
}

impl Own {
    async fn event(&mut self) -> Result<DeviceEvent, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.receive().await?;
        }
    }

    async fn ask(&mut self, method: &str, params: Value) -> Result<Result<Value, i64>, ClientError> {
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
        CloseCode::Expired => ClientError::Expired { name, skew_seconds: None },
        _ => line::interrupted(&name),
    }
}
