//! The daemon's side of the admin socket: a task for each client, one request each.
//!
//! `machine::serve` runs [`run`] beside the host; dropping it ends every client.

use std::sync::Arc;
use std::time::Duration;

use pairpin_core::host::{Host, HostEvent};
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncWrite, BufReader};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::asks;
use super::engine::{Engine, offer_request};
use super::protocol::{AdminError, Lines, PairRequest, REQUEST, Reply, Request, write_line};
use super::socket::AdminListener;
use super::views::{AuditRecord, NewOfferRecord, PairEvent};
use crate::platform::Caller;

/// Clients at once, at most.
pub const CLIENTS: usize = 64;
/// How long a client may take to say what it wants.
pub(super) const REQUEST_TIME: Duration = Duration::from_secs(5);
/// Audit lines read at once.
const AUDIT_PAGE: usize = 1_000;
/// How long to wait when the system is out of files.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Serves clients until dropped.
pub async fn run(listener: AdminListener, host: Host) {
    let engine = Arc::new(Engine::Running(host.clone()));
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) if clients.len() < CLIENTS => {
                    clients.spawn(client(stream, Arc::clone(&engine), host.clone()));
                }
                Ok(_) => tracing::warn!("too many admin clients at once, one was turned away"),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept on the admin socket");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn client(stream: UnixStream, engine: Arc<Engine>, host: Host) {
    let caller = Caller::of(&stream);
    let (reader, mut writer) = stream.into_split();
    let mut reader = Lines::new(BufReader::new(reader), REQUEST);
    let reply = match tokio::time::timeout(REQUEST_TIME, reader.next::<Request>()).await {
        Ok(Ok(Some(Request::Pair(request)))) => pair(&host, &request, &mut reader, &mut writer).await,
        Ok(Ok(Some(Request::Ask(request)))) => match &caller {
            Ok(caller) => asks::ask(&host, caller, request, &mut reader, &mut writer).await,
            Err(error) => Err(asks::unknown_caller(error)),
        },
        Ok(Ok(Some(Request::Notify { text }))) => match &caller {
            Ok(caller) => asks::notify(&host, caller, &text),
            Err(error) => Err(asks::unknown_caller(error)),
        },
        Ok(Ok(Some(Request::FollowAudit { after }))) => follow(&host, after, &mut reader, &mut writer).await,
        Ok(Ok(Some(request))) => engine.answer(request).await.map(Some),
        Ok(Ok(None)) | Err(_) => return,
        Ok(Err(_)) => Err(AdminError::failed(
            "the daemon does not understand this pairpin, one of them is older: restart pairpin serve",
        )),
    };
    finish(&mut writer, reply).await;
}

/// Writes the last line, where there is somebody to read it.
pub(super) async fn finish(writer: &mut (impl AsyncWrite + Unpin), reply: Answer) {
    let line = match reply {
        Ok(Some(answer)) => Reply::Ok(answer),
        Ok(None) => return,
        Err(error) => Reply::Error(error),
    };
    let _ = write_line(writer, &line).await;
}

/// Withdraws an offer unless told that it has ended: its `pair` has gone away.
struct Withdraw<'a> {
    host: &'a Host,
    number: Option<u32>,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let _ = self.host.cancel_offer(number);
        }
    }
}

/// The last line; none where the client has gone away.
pub(super) type Answer = Result<Option<Value>, AdminError>;

async fn pair(
    host: &Host,
    request: &PairRequest,
    reader: &mut Lines<impl AsyncBufRead + Unpin>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> Answer {
    let offer = host.create_offer(offer_request(request))?;
    let record = NewOfferRecord::from(&offer);
    if !request.wait {
        return json(&record).map(Some);
    }
    let mut withdraw = Withdraw { host, number: Some(offer.number) };
    let Some(mut watch) = host.watch_offer(offer.number) else {
        return Err(AdminError::failed("the offer ended as it was made, try again"));
    };
    if event(writer, &PairEvent::Offer(record)).await.is_none() {
        return Ok(None);
    }
    loop {
        let happened: PairEvent = tokio::select! {
            happened = watch.next() => happened.into(),
            () = reader.closed() => return Ok(None),
        };
        let last = happened.is_last();
        if last {
            withdraw.number = None;
            return json(&happened).map(Some);
        }
        if event(writer, &happened).await.is_none() {
            return Ok(None);
        }
    }
}

async fn follow(
    host: &Host,
    after: i64,
    reader: &mut Lines<impl AsyncBufRead + Unpin>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> Answer {
    // Watched before the log is read, so that nothing falls between the two.
    let mut watch = host.events();
    let mut last = after;
    loop {
        // The log is the source, the events only say that there is more: one that was lost costs nothing.
        let page = host.audit(last, AUDIT_PAGE).await?;
        let full = page.len() == AUDIT_PAGE;
        for line in page {
            last = line.seq;
            if event(writer, &AuditRecord::from(line)).await.is_none() {
                return Ok(None);
            }
        }
        if full {
            continue;
        }
        loop {
            tokio::select! {
                happened = watch.next() => match happened {
                    HostEvent::Audit(line) if line.seq > last => break,
                    HostEvent::Stopping => return Ok(Some(Value::Null)),
                    _ => {}
                },
                () = reader.closed() => return Ok(None),
            }
        }
    }
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<Value, AdminError> {
    serde_json::to_value(value).map_err(|error| AdminError::failed(format!("cannot write the answer: {error}")))
}

/// Sends one event; `None` where the client has gone away.
pub(super) async fn event<T: Serialize>(writer: &mut (impl AsyncWrite + Unpin), happened: &T) -> Option<()> {
    write_line(writer, &Reply::Event(json(happened).ok()?)).await.ok()
}
