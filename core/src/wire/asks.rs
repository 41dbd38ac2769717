//! An ask as it is sent to devices: three kinds of facts, kept apart so that nobody takes one for another.
//!
//! The machine builds an [`AskMessage`] (`host::asks`), sends its text, and a yes is to the hash of that text
//! (`handshake::request_hash`). A device reads it with [`AskMessage::decode`], which cleans it again: the
//! machine may be another build, or hostile.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{MessageError, limits};
use crate::clock::UnixMillis;
use crate::identity::{MachineId, Pin, PublicKey, bytes_newtype};
use crate::names::{clean_name, clean_showing, says_something};

/// An ask's id, at most (letters and digits).
const ID: usize = 16;

bytes_newtype! {
    /// A number that the caller makes for one ask, at random: it is part of what is shown, so a yes to another
    /// ask is none to this one, whatever the machine says.
    AskFresh, 16
}

/// What the machine knows of the caller, from the kernel: nobody can choose it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskKnown {
    /// The user's id.
    pub uid: u32,
    /// The user's name, where the id has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// The process that connected, by its number then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub process: Option<u32>,
}

/// What the machine saw of the calling process. A process can choose all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskObserved {
    /// The file that it runs; none where the machine may not look.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub executable: Option<String>,
    /// Its arguments, its own name first.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// How many more there are than fit.
    #[serde(default)]
    pub arguments_left_out: u32,
    /// The directory it works in; none where the machine may not look.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub directory: Option<String>,
}

/// What the caller says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskClaimed {
    /// The question, one line.
    pub text: String,
    /// More about it, in lines.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// All that a person is shown of an ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskMessage {
    /// Its id; the statement names it.
    pub id: String,
    /// When it was asked, by the machine's clock.
    pub asked_at: UnixMillis,
    /// When it ends, by the machine's clock.
    pub expires_at: UnixMillis,
    /// See [`AskKnown`].
    pub known: AskKnown,
    /// See [`AskObserved`].
    pub observed: AskObserved,
    /// See [`AskClaimed`].
    pub claimed: AskClaimed,
    /// The caller's own number, where it made one. No screen shows it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fresh: Option<AskFresh>,
}

impl AskMessage {
    /// Its text, as sent: base64url of its JSON.
    ///
    /// # Errors
    /// It is longer than [`limits::ASK_MESSAGE`].
    pub fn encode(&self) -> Result<String, MessageError> {
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).map_err(|_| MessageError)?);
        if text.len() > limits::ASK_MESSAGE { Err(MessageError) } else { Ok(text) }
    }

    /// Reads its text and cleans what is in it.
    ///
    /// # Errors
    /// Too long, not base64url, not JSON, not an ask, or one without a question.
    pub fn decode(text: &str) -> Result<Self, MessageError> {
        if text.len() > limits::ASK_MESSAGE {
            return Err(MessageError);
        }
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| MessageError)?;
        let message: Self = serde_json::from_slice(&json).map_err(|_| MessageError)?;
        message.cleaned().ok_or(MessageError)
    }

    /// Nothing in it moves or hides text. `None` where no question is left.
    fn cleaned(self) -> Option<Self> {
        let AskObserved { executable, arguments, arguments_left_out, directory } = self.observed;
        let line = |text: String| clean_showing(&text);
        Some(Self {
            id: Some(self.id).filter(|id| is_id(id))?,
            known: AskKnown { user: self.known.user.as_deref().map(clean_name), ..self.known },
            observed: AskObserved {
                executable: executable.and_then(line),
                arguments: arguments.into_iter().map(|text| line(text).unwrap_or_default()).collect(),
                arguments_left_out,
                directory: directory.and_then(line),
            },
            claimed: AskClaimed {
                text: line(self.claimed.text).filter(|text| says_something(text))?,
                detail: self.claimed.detail.as_deref().and_then(clean_lines),
            },
            ..self
        })
    }
}

/// Whether it can be an ask's id: short, and nothing in it can be taken for other words of a line.
fn is_id(text: &str) -> bool {
    (1..=ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Several lines, each as [`clean_showing`] makes it; empty ones go.
pub fn clean_lines(text: &str) -> Option<String> {
    let lines: Vec<String> = text.lines().filter_map(clean_showing).collect();
    if lines.is_empty() { None } else { Some(lines.join("\n")) }
}

/// An ask that waits for its answer, as a device is given it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAsk {
    /// The message's text, as it is hashed.
    pub message: String,
    /// Milliseconds that are left, since clocks differ.
    pub left_ms: u64,
}

/// The answer to `inbox`: all that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// The asks, oldest first.
    #[serde(default)]
    pub asks: Vec<PendingAsk>,
}

/// Of what kind it is that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingKind {
    /// An ask.
    Ask,
    /// A device that asks to be let in.
    Join,
    /// A kind that this build does not know.
    #[serde(other)]
    Unknown,
}

/// Something that waits for an answer, by its name alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingApproval {
    /// Of what kind.
    pub kind: WaitingKind,
    /// Its id.
    pub id: String,
}

/// How an ask ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum AskEnd {
    /// A device said yes, and its statement held.
    Yes {
        /// Its name.
        by: String,
    },
    /// A device said no.
    No {
        /// Its name.
        by: String,
    },
    /// Who asked has gone away or takes it back.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
    /// In a way that this build does not know; no yes.
    #[serde(other)]
    Unknown,
}

/// A yes, with all that somebody needs who does not take the machine's word for it: the statement as it was
/// signed. Who asked holds it against what it asked for itself (`host::Approvers`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerProof {
    /// The ask's message as it was sent to the devices; the statement is over its hash, and its id.
    pub message: String,
    /// The machine's pin when it was signed.
    pub pin: Pin,
    /// The machine's id.
    pub machine: MachineId,
    /// How many planned key changes there had been.
    pub epoch: u64,
    /// The approval key that signed.
    pub key: PublicKey,
    /// Nonce, expiry and signature.
    pub signed: super::Signed,
}

/// Yes to an ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptAsk {
    /// Its id.
    pub id: String,
    /// By the approval key, over the id and the hash of what was shown.
    pub signed: super::Signed,
}

/// No to an ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefuseAsk {
    /// Its id.
    pub id: String,
}

/// The answer to both: how the ask ended, and whether by this answer. Two may answer at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskAnswered {
    /// Whether this answer was the one that counts.
    pub taken: bool,
    /// How it ended.
    pub end: AskEnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> AskMessage {
        AskMessage {
            id: "k7pq2abc".into(),
            asked_at: 1,
            expires_at: 2,
            known: AskKnown { uid: 1000, user: Some("ana".into()), process: Some(7) },
            observed: AskObserved { arguments: vec!["pairpin".into(), "ask".into()], ..AskObserved::default() },
            claimed: AskClaimed { text: "Deploy?".into(), detail: Some("one\ntwo".into()) },
            fresh: Some(AskFresh::from_bytes([7; 16])),
        }
    }

    #[test]
    fn an_ask_survives_its_text_and_is_bounded() {
        let text = message().encode().unwrap();
        assert_eq!(AskMessage::decode(&text).unwrap(), message());
        let mut long = message();
        long.claimed.text = "x".repeat(limits::ASK_MESSAGE);
        assert!(long.encode().is_err());
        assert!(AskMessage::decode(&"A".repeat(limits::ASK_MESSAGE + 1)).is_err());
    }

    #[test]
    fn what_a_hostile_machine_sends_steers_no_screen() {
        let mut hostile = message();
        hostile.claimed.text = "Deploy\u{202E}?\x1b[2J".into();
        hostile.claimed.detail = Some("a\rb\n\u{200B}\nc\u{2028}d".into());
        hostile.observed.arguments = vec!["\x07".into(), "b\nknown: root".into()];
        let read = AskMessage::decode(&hostile.encode().unwrap()).unwrap();
        assert_eq!(read.claimed.text, "Deploy�?�[2J");
        assert_eq!(read.claimed.detail.as_deref(), Some("a b\n�\nc d"));
        assert_eq!(read.observed.arguments, ["�", "b known: root"]);
        for id in ["", "k7pq  on office, 1:00 left", "k7pq\nx", "K7PQ", &"a".repeat(100)] {
            let other = AskMessage { id: id.into(), ..message() };
            assert!(AskMessage::decode(&other.encode().unwrap()).is_err(), "{id:?}");
        }
        hostile.claimed.text = "\u{200B}".into();
        assert!(AskMessage::decode(&hostile.encode().unwrap()).is_err(), "no question");
    }

    #[test]
    fn a_full_inbox_fits_a_frame() {
        let ask = PendingAsk { message: "A".repeat(limits::ASK_MESSAGE), left_ms: u64::MAX };
        let inbox = Inbox { asks: vec![ask; limits::ASKS] };
        let result = Ok(serde_json::to_value(inbox).unwrap());
        assert!(crate::wire::Frame::Answer { id: u64::MAX, result }.encode().unwrap().len() <= limits::FRAME);
    }
}
