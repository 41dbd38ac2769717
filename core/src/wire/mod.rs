//! The vocabulary of the protocol: messages, error codes, limits, versions. Nothing here decides.
//!
//! `handshake` builds and checks these; `net` carries them. The bytes are specified in
//! `docs/protocol.md`.

mod address;
mod asks;
mod changes;
mod envelope;
mod events;
mod frames;
mod joins;
pub mod limits;
mod messages;
mod methods;
mod recovery;
mod refusal;
mod rotate;
mod standing;
mod statements;

pub use address::{Address, AddressKind, UnreadableAddress};
pub use asks::{
    AcceptAsk, AnswerProof, AskAnswered, AskClaimed, AskEnd, AskFresh, AskKnown, AskMessage, AskObserved, Inbox,
    PendingAsk, RefuseAsk, WaitingApproval, WaitingKind, clean_lines,
};
pub use changes::{DeviceSet, ForgetKeyRequest, LiftRequest, SetRoleRequest};
pub use envelope::{Envelope, Flow, Mac, MessageError};
pub use events::{DeviceEvent, DeviceListed, DevicesAfter, DevicesPage};
pub use frames::{CloseCode, Closing, Frame};
pub use joins::{
    ApproveJoin, DenyJoin, DenyThen, JoinAccepted, JoinCommit, JoinCommitment, JoinEnd, JoinFresh, JoinHow, JoinId,
    JoinListed, JoinNonce, JoinNumber, JoinReveal, JoinTranscript,
};
pub use messages::{
    Acknowledge, Acknowledged, CodeConfirm, CodeProceed, CodeShare, CodeShareAnswer, CodeWelcome, Grant, Message,
    MessageKind, OfferId, Preview, PreviewRequest, ResumeRequest, ScanRequest, Welcome,
};
pub use methods::{Method, RequestError};
pub use recovery::{RecoveryAct, RecoveryAnswer, RecoveryDevice, RecoveryRequest, RecoveryRevoked, SheetId, SheetKey};
pub use refusal::{Refusal, RefusalCode};
pub use rotate::Rotate;
pub use standing::{
    CounterProof, HandBack, HandBackReady, HandBackRequest, HandedBack, SealedKey, Standing, TombstoneProof,
    TombstonesAfter, TombstonesHash, TombstonesPage,
};
pub use statements::{
    ApprovalGuard, Enrol, MintRequest, MintedOffer, Nonce, NonceGiven, RequestHash, RevokeRequest, Signed,
    StatementKind,
};

/// The protocol version this build speaks.
pub const VERSION: u16 = 1;

/// The WebSocket subprotocol of that version.
pub const SUBPROTOCOL: &str = "pairpin.v1";

/// The port a machine listens on unless told otherwise. A link leaves it out.
pub const DEFAULT_PORT: u16 = 7747;

/// The one Host header a device sends, whatever it dialled: a web page or a rebound name cannot.
pub const HOST: &str = "pairpin";

/// The one path of the device channel.
pub const PATH: &str = "/rpc";
