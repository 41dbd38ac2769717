//! One connection to a machine, from dialling to the first answer, each step with a deadline.
//!
//! What came back is told apart here; what it means is the business of the flows (`preview`,
//! `pair`, `code`, `resume`). Sockets and TLS are in `net`.

use std::future::Future;
use std::time::Duration;

use super::error::{ClientError, Tried};
use crate::identity::Pin;
use crate::net::addresses::local_addresses;
use crate::net::dial::{self, Cause, DialError, Dialled, Timeouts};
use crate::net::socket::{Incoming, Socket};
use crate::net::tls::PinCheck;
use crate::net::upgrade::{self, Response, UpgradeError};
use crate::wire::{Address, AddressKind, Envelope, Flow, Frame};

/// How long one answer of a machine may take.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(10);

/// What a machine said to the first message of a flow.
pub(super) enum FirstAnswer {
    /// The connection is a WebSocket now, and this is the machine's first handshake message.
    Opened(Box<Socket>, Envelope),
    /// An answer without a connection: a preview.
    Answered(Envelope),
    /// A refusal, to be checked by the flow.
    Refused(Envelope),
    /// The one shape of refusal to strangers.
    Stranger {
        /// The versions that the machine says it speaks.
        versions: Option<String>,
    },
}

/// Dials `addresses` for a row or a link. `name` is for the error's text.
pub(super) async fn dial(name: &str, addresses: &[Address], check: PinCheck) -> Result<Dialled, DialFailed> {
    dial::dial(addresses, check, Timeouts::default()).await.map_err(|error| match error {
        DialError::WrongKey { address, seen, causes } => {
            let wrong = causes.iter().filter_map(|(_, cause)| match cause {
                Cause::WrongKey(seen) => Some(*seen),
                _ => None,
            });
            DialFailed::WrongKey { address, seen, all: wrong.collect() }
        }
        DialError::NoAddress => DialFailed::Other(ClientError::NoAddress),
        DialError::NotPairpin { address, .. } => {
            DialFailed::Other(ClientError::NotPairpin { address: address.to_string() })
        }
        DialError::Unreachable { causes } => DialFailed::Other(ClientError::Unreachable {
            name: name.to_owned(),
            refused: causes.iter().any(|(_, cause)| *cause == Cause::Refused),
            tried: causes.into_iter().map(|(address, cause)| Tried { address, cause: cause.to_string() }).collect(),
            networks: own_networks(),
        }),
    })
}

/// Why dialling failed; what a wrong key means depends on who asks.
pub(super) enum DialFailed {
    /// Something answered with another key.
    WrongKey {
        /// Where.
        address: Address,
        /// The key.
        seen: Pin,
        /// Every such key, at whichever address.
        all: Vec<Pin>,
    },
    /// Anything else.
    Other(ClientError),
}

/// The networks this device is in, as shown beside a machine that cannot be reached.
pub(super) fn own_networks() -> Vec<String> {
    local_addresses()
        .unwrap_or_default()
        .into_iter()
        .filter(|local| !matches!(local.kind, AddressKind::Loopback | AddressKind::Container))
        .map(|local| format!("{} ({} {})", local.ip, local.kind.as_str(), local.interface))
        .take(4)
        .collect()
}

/// Sends the first message of `flow` and gives the machine's first answer.
pub(super) async fn ask(
    name: &str,
    dialled: Dialled,
    flow: Flow,
    envelope: &Envelope,
) -> Result<FirstAnswer, ClientError> {
    let mut stream = dialled.stream;
    let response = in_time(name, upgrade::request(&mut stream, flow, envelope)).await?;
    let response = response.map_err(|error| match error {
        UpgradeError::Cut(_) => interrupted(name),
        UpgradeError::NotPairpin(_) => ClientError::NotPairpin { address: dialled.address.to_string() },
        UpgradeError::Random(error) => ClientError::State(error.to_string()),
    })?;
    match response {
        Response::Answered(envelope) => Ok(FirstAnswer::Answered(envelope)),
        Response::Refused(envelope) => Ok(FirstAnswer::Refused(envelope)),
        Response::Stranger { versions } => Ok(FirstAnswer::Stranger { versions }),
        Response::Switched => {
            let mut socket = Socket::device(stream).await;
            match next_handshake(name, &mut socket).await? {
                Ok(envelope) => Ok(FirstAnswer::Opened(Box::new(socket), envelope)),
                Err(refused) => Ok(FirstAnswer::Refused(refused)),
            }
        }
    }
}

/// The machine's next handshake message, or its refusal.
pub(super) async fn next_handshake(name: &str, socket: &mut Socket) -> Result<Result<Envelope, Envelope>, ClientError> {
    in_time(name, async {
        loop {
            match socket.recv().await {
                Ok(Some(Incoming::Frame(Frame::Handshake(envelope)))) => return Ok(Ok(envelope)),
                Ok(Some(Incoming::Frame(Frame::Refused(envelope)))) => return Ok(Err(envelope)),
                Ok(Some(Incoming::Ping | Incoming::Pong)) => {}
                Ok(Some(Incoming::Frame(_))) => return Err(ClientError::Protocol),
                Ok(Some(Incoming::Closed { .. }) | None) | Err(_) => return Err(interrupted(name)),
            }
        }
    })
    .await?
}

/// Sends a request and waits for its answer: the result, or the machine's error.
pub(super) async fn request(
    name: &str,
    socket: &mut Socket,
    id: u64,
    method: &str,
    params: serde_json::Value,
) -> Result<Result<serde_json::Value, (i64, String)>, ClientError> {
    in_time(name, async {
        let request = Frame::Request { id, method: method.to_owned(), params };
        socket.send(request).await.map_err(|_| interrupted(name))?;
        loop {
            match socket.recv().await {
                Ok(Some(Incoming::Frame(Frame::Answer { id: of, result }))) if of == id => return Ok(result),
                Ok(Some(Incoming::Closed { .. }) | None) | Err(_) => return Err(interrupted(name)),
                Ok(Some(_)) => {}
            }
        }
    })
    .await?
}

/// Bounds a step that waits for the machine.
pub(super) async fn in_time<T>(name: &str, step: impl Future<Output = T>) -> Result<T, ClientError> {
    tokio::time::timeout(ANSWER_TIME, step).await.map_err(|_| interrupted(name))
}

pub(super) fn interrupted(name: &str) -> ClientError {
    ClientError::Interrupted { name: name.to_owned() }
}
