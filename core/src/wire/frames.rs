//! Text frames after the upgrade: JSON-RPC 2.0.
//!
//! Handshake messages that follow the upgrade, the acknowledgement, and what an established session
//! says. `net::socket` carries the text.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Address, DeviceEvent, Envelope};
use crate::clock::UnixMillis;
use crate::wire::MessageError;

/// One text frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A message of the handshake, with its proofs.
    Handshake(Envelope),
    /// A refusal of the handshake, with its proof.
    Refused(Envelope),
    /// A request that wants an answer.
    Request {
        /// Chosen by the sender, repeated in the answer.
        id: u64,
        /// What is asked for.
        method: String,
        /// Its parameters.
        params: Value,
    },
    /// The answer to a request.
    Answer {
        /// The request's id.
        id: u64,
        /// The result, or the error's code and text.
        result: Result<Value, (i64, String)>,
    },
    /// The machine's addresses have changed.
    Addresses(Vec<Address>),
    /// Something happened that this device should know.
    Event(DeviceEvent),
    /// The machine is about to close this connection, and says why.
    Closing(Closing),
    /// A notification that this build does not know; passed over.
    Unknown,
}

/// Why a machine closes a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The cause.
    pub code: CloseCode,
    /// Who caused it, where somebody did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// When, by the machine's clock.
    pub at: UnixMillis,
    /// The reason that was given, where one was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// The cause of a close; the number is the WebSocket close code (RFC 6455 section 7.4.2, private use).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCode {
    /// The machine stops; come back later.
    Stopping,
    /// The device was revoked: erase and do not come back.
    Revoked,
    /// The device was suspended.
    Suspended,
    /// The session ended by its lifetime.
    Expired,
    /// The same device connected too often; the oldest connection goes.
    Replaced,
    /// The other side broke the protocol.
    Protocol,
    /// The machine's key was replaced because it may be known to others: scan its new one.
    KeyReplaced,
    /// A cause that this build does not know.
    #[serde(other)]
    Unknown,
}

impl CloseCode {
    /// The WebSocket close code.
    pub fn number(self) -> u16 {
        match self {
            Self::Stopping => 4000,
            Self::Revoked => 4001,
            Self::Suspended => 4002,
            Self::Expired => 4003,
            Self::Replaced => 4004,
            Self::Protocol => 4005,
            Self::KeyReplaced => 4006,
            Self::Unknown => 4099,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Raw {
    jsonrpc: Version,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    params: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    error: Option<RawError>,
}

/// A result that is there and null is a result.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Serialize, Deserialize)]
enum Version {
    #[serde(rename = "2.0")]
    V2,
}

#[derive(Serialize, Deserialize)]
struct RawError {
    code: i64,
    message: String,
}

impl Frame {
    /// The frame's text.
    ///
    /// # Errors
    /// The content cannot be written as JSON.
    pub fn encode(&self) -> Result<String, MessageError> {
        fn value<T: Serialize>(of: &T) -> Result<Option<Value>, MessageError> {
            serde_json::to_value(of).map(Some).map_err(|_| MessageError)
        }
        let mut raw = Raw { jsonrpc: Version::V2, id: None, method: None, params: None, result: None, error: None };
        match self {
            Self::Handshake(envelope) => (raw.method, raw.params) = (Some("handshake".into()), value(envelope)?),
            Self::Refused(envelope) => (raw.method, raw.params) = (Some("refused".into()), value(envelope)?),
            Self::Addresses(list) => (raw.method, raw.params) = (Some("addresses".into()), value(list)?),
            Self::Event(event) => (raw.method, raw.params) = (Some("event".into()), value(event)?),
            Self::Closing(closing) => (raw.method, raw.params) = (Some("closing".into()), value(closing)?),
            Self::Request { id, method, params } => {
                (raw.id, raw.method, raw.params) = (Some(*id), Some(method.clone()), Some(params.clone()));
            }
            Self::Answer { id, result } => {
                raw.id = Some(*id);
                match result {
                    Ok(result) => raw.result = Some(result.clone()),
                    Err((code, message)) => raw.error = Some(RawError { code: *code, message: message.clone() }),
                }
            }
            Self::Unknown => return Err(MessageError),
        }
        serde_json::to_string(&raw).map_err(|_| MessageError)
    }

    /// Reads a frame's text.
    ///
    /// # Errors
    /// Not JSON-RPC 2.0, or a known method with other parameters.
    pub fn decode(text: &str) -> Result<Self, MessageError> {
        let raw: Raw = serde_json::from_str(text).map_err(|_| MessageError)?;
        let params = raw.params.unwrap_or(Value::Null);
        fn read<T: serde::de::DeserializeOwned>(params: Value) -> Result<T, MessageError> {
            serde_json::from_value(params).map_err(|_| MessageError)
        }
        match (raw.id, raw.method.as_deref(), raw.result, raw.error) {
            (None, Some("handshake"), None, None) => Ok(Self::Handshake(read(params)?)),
            (None, Some("refused"), None, None) => Ok(Self::Refused(read(params)?)),
            (None, Some("addresses"), None, None) => Ok(Self::Addresses(read(params)?)),
            (None, Some("event"), None, None) => Ok(Self::Event(read(params)?)),
            (None, Some("closing"), None, None) => Ok(Self::Closing(read(params)?)),
            (None, Some(_), None, None) => Ok(Self::Unknown),
            (Some(id), Some(method), None, None) => Ok(Self::Request { id, method: method.to_owned(), params }),
            (Some(id), None, Some(result), None) => Ok(Self::Answer { id, result: Ok(result) }),
            (Some(id), None, None, Some(error)) => Ok(Self::Answer { id, result: Err((error.code, error.message)) }),
            _ => Err(MessageError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_their_text() {
        let closing = Closing { code: CloseCode::Revoked, by: Some("Ana".into()), at: 5, reason: None };
        for frame in [
            Frame::Request { id: 1, method: "acknowledge".into(), params: Value::from(1) },
            Frame::Answer { id: 1, result: Ok(Value::Null) },
            Frame::Answer { id: 1, result: Err((-32601, "no".into())) },
            Frame::Addresses(vec!["homebox:1".parse().unwrap()]),
            Frame::Closing(closing),
            Frame::Event(DeviceEvent::Missed),
            Frame::Handshake(Envelope::of_any(&1).unwrap()),
        ] {
            assert_eq!(Frame::decode(&frame.encode().unwrap()).unwrap(), frame);
        }
    }

    #[test]
    fn what_is_no_json_rpc_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"jsonrpc":"1.0","method":"x"}"#,
            r#"{"jsonrpc":"2.0"}"#,
            "{\"jsonrpc\":\"2.0\",\"id\":1}",
        ] {
            assert!(Frame::decode(text).is_err(), "{text}");
        }
    }
}
