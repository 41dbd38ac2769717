//! A connection that only one session uses: its frames, and what they leave. See `session`.

use std::collections::VecDeque;

use serde_json::Value;

use super::Client;
use super::error::{ClientError, Told};
use super::line;
use super::resume::Session;
use super::session::Standing;
use super::standing::Heard;
use crate::net::socket::Incoming;
use crate::store::device::machines::MachineRow;
use crate::wire::{CloseCode, Closing, DeviceEvent, Frame, Rotate, WaitingApproval};

/// Events kept while an answer is waited for, at most; more than that are told as missed.
const EVENTS: usize = 256;

/// See the module.
pub(super) struct Own {
    client: Client,
    row: MachineRow,
    session: Session,
    pub(super) standing: Standing,
    next: u64,
    events: VecDeque<DeviceEvent>,
    /// What is to be kept for the machine.
    heard: Heard,
}

impl Own {
    pub(super) fn new(client: Client, row: MachineRow, session: Session) -> Self {
        let standing = Standing::of(&session.welcome);
        Self { client, row, session, standing, next: 0, events: VecDeque::new(), heard: Heard::new() }
    }

    pub(super) fn waiting(&self) -> &[WaitingApproval] {
        &self.session.welcome.approvals
    }

    pub(super) async fn event(&mut self) -> Result<DeviceEvent, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.receive().await?;
        }
    }

    pub(super) async fn close(mut self) {
        if self.heard.waits() {
            self.client.keep_heard(self.row.row, &mut self.heard).await;
        }
        self.session.close().await;
    }

    pub(super) async fn ask(&mut self, method: &str, params: Value) -> Result<Result<Value, i64>, ClientError> {
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
                self.standing.took(self.row.device_id, &event);
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
            stored.err().unwrap_or(ClientError::Revoked { name, told })
        }
        CloseCode::Suspended => ClientError::Suspended { name, told },
        CloseCode::KeyReplaced => ClientError::KeyReplaced { name },
        CloseCode::Expired => ClientError::Expired { name, skew_seconds: None },
        _ => line::interrupted(&name),
    }
}
