//! The pairing exchange, without I/O: bytes in, bytes out.
//!
//! One file per flow, both roles in it, each step a type of its own so that a step cannot be taken
//! out of order. Nothing here touches a socket, a clock or a random source: the engines
//! ([`crate::host`], [`crate::client`]) hand in what a step needs and do what it says. `preview`
//! and `scan` are flow (a) of `docs/protocol.md`, `code` flow (b), `join` flow (c), `resume` flow (d), `rotate`
//! flow (e), `recovery` the printed sheet's.

mod code;
mod hand_back;
mod join;
mod keys;
mod paired;
mod pake;
mod preview;
mod recovery;
mod resume;
mod rotate;
mod scan;
mod standing;
mod statement;
mod transcript;

pub use code::{
    CodeAnswered, CodeAwaitConfirm, CodeAwaitGrant, CodeAwaitMachine, CodeAwaitProceed, CodeAwaitShare,
    CodeConfirmDraft, CodeConfirmReceived, CodeMet, CodeOpened, CodeProven,
};
pub use hand_back::{AwaitHandBackReady, HandBackDraft, HandBackOpened, HandBackProven};
pub use join::{JoinAwaitReveal, JoinDraft, JoinFacts, JoinHeld, JoinMet, JoinOpened, JoinSigning, JoinWaiting};
pub use keys::{MacKey, Purpose};
pub use preview::{AwaitPreview, PreviewOpened, PreviewProven, PreviewReceived};
pub use recovery::{AwaitRecovery, RecoveryOpened, RecoveryProven, SheetHalf, SheetKeys};
pub use resume::{AwaitWelcome, ResumeDraft, ResumeOpened, ResumeProven};
pub use rotate::{KnownKeys, RotateDraft};
pub use scan::{AwaitGrant, DeviceDetails, GrantReceived, Granted, ScanDraft, ScanOpened, ScanProven};
pub use standing::{StandingKey, tombstones_hash};
pub use statement::{Addressee, ApprovedJoin, Stated, Statement, request_hash};
pub use transcript::{Channel, CheckDigits, EXPORTER_LABEL, Transcript, TranscriptHash};

use crate::wire::{MessageError, VERSION};

/// Why a handshake step failed. Everything cryptographic collapses into one variant: which part
/// was wrong helps only who is guessing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The message could not be read, or came out of order.
    #[error("the other side sent a message that this version cannot read")]
    Message,
    /// A proof is missing or does not hold.
    #[error("the other side could not prove what it claims")]
    Proof,
    /// No protocol version in common. The proofs held.
    #[error("the two sides speak different protocol versions, update the older one")]
    Version,
}

impl From<MessageError> for HandshakeError {
    fn from(_: MessageError) -> Self {
        Self::Message
    }
}

/// The machine's choice among the versions a device speaks.
fn choose_version(offered: &[u16]) -> Result<u16, HandshakeError> {
    if offered.contains(&VERSION) { Ok(VERSION) } else { Err(HandshakeError::Version) }
}

/// The device's check of the version a machine chose.
fn check_version(chosen: u16) -> Result<(), HandshakeError> {
    if chosen == VERSION { Ok(()) } else { Err(HandshakeError::Version) }
}
