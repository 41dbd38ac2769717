//! The fault matrix: every message, shown with every fault. What must come of each is in [`cell`], as a match
//! without a wildcard over [`MessageKind`]: a new message does not compile until it has its row.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

pub mod false_machine;
pub mod joins;
pub mod recovery;
pub mod table;
pub mod to_device;
pub mod to_machine;

use pairpin_core::wire::{Envelope, MessageKind, RefusalCode};

/// What is wrong with a message that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is no JSON of that message; the proofs beside it are those of the good one.
    Malformed,
    /// Its end is missing.
    Truncated,
    /// It is the message, whole, of an earlier connection that went well.
    Replayed,
    /// It is this connection's message with the proofs of another connection.
    OtherSession,
    /// The time for it is over.
    Late,
    /// What it stands on (offer, code, token) was used up meanwhile.
    AfterBurn,
    /// The device was revoked meanwhile.
    AfterRevoke,
}

impl Fault {
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Truncated,
        Self::Replayed,
        Self::OtherSession,
        Self::Late,
        Self::AfterBurn,
        Self::AfterRevoke,
    ];
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comes {
    /// The answer to strangers.
    Stranger,
    /// A refusal with its cause, under proof.
    Told(RefusalCode),
    /// The connection is closed without a word.
    Closed,
    /// It is answered as it should be: nothing depends on the fault.
    Answered,
    /// A request that is not known (any more).
    UnknownRequest,
    /// The device does not believe it, and says so: an error, nothing stored.
    NotBelieved,
    /// The device stops for good until a person looks: the key was copied.
    HardStop,
    /// There is no such thing, for this reason.
    Nothing(&'static str),
}

/// What must come of `message` with `fault`.
pub fn cell(message: MessageKind, fault: Fault) -> Comes {
    use Comes::{Answered, Closed, HardStop, NotBelieved, Nothing, Stranger, Told, UnknownRequest};
    use Fault::{AfterBurn, AfterRevoke, Late, Malformed, OtherSession, Replayed, Truncated};
    const BURN: &str = "what is used up is the machine's to know; a device believes proofs";
    const REVOKE: &str = "a device that was told so has erased its key and does not dial";
    match (message, fault) {
        (MessageKind::PreviewRequest, Malformed | Truncated | Replayed | OtherSession) => Stranger,
        (MessageKind::PreviewRequest, Late) => Told(RefusalCode::OfferExpired),
        (MessageKind::PreviewRequest, AfterBurn) => Told(RefusalCode::OfferUsed),
        (MessageKind::PreviewRequest, AfterRevoke) => Answered,

        (MessageKind::ScanRequest, Malformed | Truncated | Replayed | OtherSession) => Stranger,
        (MessageKind::ScanRequest, Late) => Told(RefusalCode::OfferExpired),
        (MessageKind::ScanRequest, AfterBurn) => Told(RefusalCode::OfferUsed),
        (MessageKind::ScanRequest, AfterRevoke) => Told(RefusalCode::Revoked),

        (MessageKind::Acknowledge, Malformed | Truncated | OtherSession | Late | AfterRevoke) => Closed,
        (MessageKind::Acknowledge, Replayed) => UnknownRequest,
        (MessageKind::Acknowledge, AfterBurn) => {
            Nothing("the offer is claimed for this key: nobody else can use it up before the acknowledgement")
        }

        (MessageKind::CodeShare, Malformed | Truncated | Late | AfterBurn) => Stranger,
        // A share proves nothing and costs nothing; who does not know what is behind it gets no further.
        (MessageKind::CodeShare, Replayed | OtherSession) => Answered,
        (MessageKind::CodeShare, AfterRevoke) => Nothing("it names no key; the key comes with the confirmation"),

        (MessageKind::CodeConfirm, Malformed | Truncated | Replayed | OtherSession | Late | AfterBurn) => Closed,
        // The code is right; the key is refused when the person has said yes.
        (MessageKind::CodeConfirm, AfterRevoke) => Answered,

        (MessageKind::CodeProceed, Malformed | Truncated | Replayed | OtherSession) => Closed,
        (MessageKind::CodeProceed, Late) => Told(RefusalCode::OfferExpired),
        (MessageKind::CodeProceed, AfterBurn) => Told(RefusalCode::OfferUsed),
        (MessageKind::CodeProceed, AfterRevoke) => Told(RefusalCode::Revoked),

        (MessageKind::JoinCommit, Malformed | Truncated) => Stranger,
        // A commitment proves nothing; it has a place among those that wait, which are few.
        (MessageKind::JoinCommit, Replayed | OtherSession) => Answered,
        (MessageKind::JoinCommit, Late) => {
            Nothing("it is the first of its flow, and stands on nothing that could be over")
        }
        // All slots are taken: without a number, and only a scan lets it in.
        (MessageKind::JoinCommit, AfterBurn) => Answered,
        // Whoever decides is shown who revoked it, and cannot let it in.
        (MessageKind::JoinCommit, AfterRevoke) => Answered,

        (MessageKind::JoinReveal, Malformed | Truncated | Replayed | OtherSession) => Closed,
        (MessageKind::JoinReveal, Late | AfterBurn) => Told(RefusalCode::JoinExpired),
        (MessageKind::JoinReveal, AfterRevoke) => Answered,

        (MessageKind::ResumeRequest, Malformed | Truncated | Replayed | OtherSession) => Stranger,
        (MessageKind::ResumeRequest, Late) => Told(RefusalCode::Expired),
        (MessageKind::ResumeRequest, AfterBurn) => Told(RefusalCode::TokenReplaced),
        (MessageKind::ResumeRequest, AfterRevoke) => Told(RefusalCode::Revoked),

        (MessageKind::RecoveryRequest, Malformed | Truncated | Replayed | OtherSession) => Stranger,
        (MessageKind::RecoveryRequest, Late) => Nothing("paper has no time: a sheet lives until it is used or void"),
        (MessageKind::RecoveryRequest, AfterBurn) => Told(RefusalCode::RecoverySpent),
        // Whom it names is out already: nothing is done, and the sheet is as good as before.
        (MessageKind::RecoveryRequest, AfterRevoke) => Answered,

        (MessageKind::Welcome, Malformed | Truncated | Replayed | OtherSession) => HardStop,
        (MessageKind::Welcome, Late) => NotBelieved,

        (MessageKind::HandBackRequest, Malformed | Truncated | Replayed | OtherSession) => Stranger,
        // It gives no session: whether that is over, or its token replaced, does not matter.
        (MessageKind::HandBackRequest, Late | AfterBurn) => Answered,
        (MessageKind::HandBackRequest, AfterRevoke) => Told(RefusalCode::Revoked),

        // Nothing is handed to who does not prove R.
        (MessageKind::HandBackReady, Malformed | Truncated | Replayed | OtherSession) => HardStop,
        (MessageKind::HandBackReady, Late) => NotBelieved,

        (MessageKind::Acknowledged, Malformed | Truncated | Late) => NotBelieved,
        (MessageKind::Acknowledged, Replayed) => Nothing("it bears the number of its request, on its connection"),
        (MessageKind::Acknowledged, OtherSession) => Nothing("it bears no proof: the connection is proven"),

        (
            MessageKind::Preview
            | MessageKind::Grant
            | MessageKind::CodeShareAnswer
            | MessageKind::CodeWelcome
            | MessageKind::JoinNonce
            | MessageKind::RecoveryAnswer
            | MessageKind::Refusal,
            Malformed | Truncated | Replayed | OtherSession | Late,
        ) => NotBelieved,

        (
            MessageKind::Preview
            | MessageKind::Grant
            | MessageKind::Acknowledged
            | MessageKind::CodeShareAnswer
            | MessageKind::CodeWelcome
            | MessageKind::JoinNonce
            | MessageKind::Welcome
            | MessageKind::RecoveryAnswer
            | MessageKind::HandBackReady
            | MessageKind::Refusal,
            AfterBurn,
        ) => Nothing(BURN),
        (
            MessageKind::Preview
            | MessageKind::Grant
            | MessageKind::Acknowledged
            | MessageKind::CodeShareAnswer
            | MessageKind::CodeWelcome
            | MessageKind::JoinNonce
            | MessageKind::Welcome
            | MessageKind::HandBackReady
            | MessageKind::Refusal,
            AfterRevoke,
        ) => Nothing(REVOKE),
        (MessageKind::RecoveryAnswer, AfterRevoke) => Nothing("who holds a sheet is no device"),
    }
}

/// Whether the machine sends it.
pub fn is_the_machines(message: MessageKind) -> bool {
    match message {
        MessageKind::Preview
        | MessageKind::Grant
        | MessageKind::Acknowledged
        | MessageKind::CodeShareAnswer
        | MessageKind::CodeWelcome
        | MessageKind::JoinNonce
        | MessageKind::Welcome
        | MessageKind::RecoveryAnswer
        | MessageKind::HandBackReady
        | MessageKind::Refusal => true,
        MessageKind::PreviewRequest
        | MessageKind::ScanRequest
        | MessageKind::Acknowledge
        | MessageKind::CodeShare
        | MessageKind::CodeConfirm
        | MessageKind::CodeProceed
        | MessageKind::JoinCommit
        | MessageKind::JoinReveal
        | MessageKind::RecoveryRequest
        | MessageKind::ResumeRequest
        | MessageKind::HandBackRequest => false,
    }
}

/// A message with a fault that is in its bytes; `other` is the same message of another connection.
pub fn spoilt(fault: Fault, mut envelope: Envelope, other: &Envelope) -> Envelope {
    match fault {
        Fault::Malformed => envelope.message = "bm9uc2Vuc2U".into(),
        Fault::Truncated => {
            let half = envelope.message.len() / 8 * 4;
            envelope.message.truncate(half);
        }
        Fault::Replayed => return other.clone(),
        Fault::OtherSession => {
            (envelope.mac, envelope.signature) = (other.mac, other.signature);
            if envelope.mac.is_none() && envelope.signature.is_none() {
                return other.clone();
            }
        }
        Fault::Late | Fault::AfterBurn | Fault::AfterRevoke => {}
    }
    envelope
}
