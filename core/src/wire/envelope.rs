//! How a handshake message travels: its text and the proofs beside it.
//!
//! The message is JSON in base64url, and that text is what the transcript covers: the bytes *as
//! sent*, so that nothing depends on how JSON is written. Proofs stand beside a message, never
//! inside it. In the upgrade request each part is a header's value; later it is a frame.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Message, limits};
use crate::identity::{Signature, bytes_newtype};

/// Which exchange a connection is for; it selects the transcript's flow label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// Asks what an offer is for, before the person says yes.
    Preview,
    /// Pairs by an offer's secret.
    Scan,
    /// Pairs by a typed code.
    Code,
    /// Asks to be let in.
    Join,
    /// Reconnects a paired device.
    Resume,
    /// Revokes by a printed sheet.
    Recovery,
    /// Hands back to a restored machine what it has lost, without a session.
    HandBack,
}

impl Flow {
    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Scan => "scan",
            Self::Code => "code",
            Self::Join => "join",
            Self::Resume => "resume",
            Self::Recovery => "recovery",
            Self::HandBack => "hand-back",
        }
    }

    /// Reads the header's value.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Preview, Self::Scan, Self::Code, Self::Join, Self::Resume, Self::Recovery, Self::HandBack];
        all.into_iter().find(|flow| flow.as_str() == text)
    }
}

bytes_newtype! {
    /// HMAC-SHA256 of a purpose label and a transcript (RFC 2104). Compare with `handshake::mac`.
    Mac, 32
}

/// One handshake message with the proofs beside it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The message's text as sent: base64url of its JSON.
    pub message: String,
    /// A MAC under a key that the flow names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mac: Option<Mac>,
    /// The session key's proof.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signature: Option<Signature>,
    /// A MAC under the pair's recognition key, where the device has a row.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recognition: Option<Mac>,
}

// A message may hold a token: its text is never printed.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("message_len", &self.message.len()).finish_non_exhaustive()
    }
}

impl Drop for Envelope {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.message);
    }
}

/// A handshake message could not be read: the other side speaks another version or is not pairpin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side sent a message that this version cannot read")]
pub struct MessageError;

impl Envelope {
    /// Encodes a message, without proofs yet.
    ///
    /// # Errors
    /// The message is longer than [`limits::MESSAGE`].
    pub fn of<M: Message>(message: &M) -> Result<Self, MessageError> {
        Self::of_any(message)
    }

    /// Encodes anything, for tools and tests that write what is no message.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_any<M: Serialize>(message: &M) -> Result<Self, MessageError> {
        let json = Zeroizing::new(serde_json::to_vec(message).map_err(|_| MessageError)?);
        let message = URL_SAFE_NO_PAD.encode(&*json);
        if message.len() > limits::MESSAGE {
            return Err(MessageError);
        }
        Ok(Self { message, mac: None, signature: None, recognition: None })
    }

    /// Reads the message. Unknown fields are passed over, so that a later version may add some.
    ///
    /// # Errors
    /// Too long, not base64url, not JSON, or not this message.
    pub fn read<M: Message>(&self) -> Result<M, MessageError> {
        self.read_any()
    }

    /// Reads anything, for tools and tests.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_any<M: DeserializeOwned>(&self) -> Result<M, MessageError> {
        if self.message.len() > limits::MESSAGE {
            return Err(MessageError);
        }
        let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(&self.message).map_err(|_| MessageError)?);
        serde_json::from_slice(&json).map_err(|_| MessageError)
    }
}
