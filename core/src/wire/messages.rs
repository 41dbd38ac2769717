//! The handshake messages of each flow. Field for field in `docs/protocol.md`.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::asks::WaitingApproval;
use super::{
    Address, ApprovalGuard, HandBackReady, HandBackRequest, JoinCommit, JoinNonce, JoinReveal, RecoveryAnswer,
    RecoveryRequest, Refusal, Rotate, Standing,
};
use crate::clock::UnixMillis;
use crate::identity::{DeviceId, MachineId, Pin, PublicKey, bytes_newtype};
use crate::role::Role;
use crate::secrets::{KeyKind, RecognitionKey};
use crate::token::{SessionToken, TokenHash};

bytes_newtype! {
    /// Names an offer without saying its secret, from which it is derived.
    OfferId, 8
}

/// Preview, device to machine: what is this offer for?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRequest {
    /// Versions the device speaks.
    pub versions: Vec<u16>,
    /// The offer it holds.
    pub offer: OfferId,
    /// The device's id in a row of this machine under another pin: it asks for the proof of R.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceId>,
}

/// Preview, machine to device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Version chosen.
    pub version: u16,
    /// The machine's id.
    pub machine: MachineId,
    /// The machine's name.
    pub name: String,
    /// The machine's platform, as "Debian 12, x86_64".
    pub platform: String,
    /// The role that the offer gives.
    pub role: Role,
}

/// Scan, device to machine: the Proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanRequest {
    /// Versions the device speaks.
    pub versions: Vec<u16>,
    /// The offer it uses.
    pub offer: OfferId,
    /// Its session public key.
    pub key: PublicKey,
    /// What holds that key.
    pub key_kind: KeyKind,
    /// The name it gives itself.
    pub name: String,
    /// Its platform.
    pub platform: String,
}

/// Scan and code, machine to device: everything a paired device needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Version chosen.
    pub version: u16,
    /// The session token.
    pub token: SessionToken,
    /// SHA-256 of the token that was current when this one was issued, where the device has a row: of those
    /// that it holds, what it stored before that one is over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub current: Option<TokenHash>,
    /// The device's id on this machine.
    pub device: DeviceId,
    /// The name under which the machine lists the device.
    pub device_name: String,
    /// The role it has.
    pub role: Role,
    /// The machine's id.
    pub machine: MachineId,
    /// The machine's name.
    pub name: String,
    /// The machine's platform.
    pub platform: String,
    /// The recognition key R.
    pub recognition_key: RecognitionKey,
    /// Where the machine can be reached, best first.
    pub addresses: Vec<Address>,
    /// The pin of the key that a planned change would bring.
    pub next_pin: Pin,
    /// How many planned key changes there have been.
    pub epoch: u64,
    /// The machine's state counter.
    pub counter: u64,
    /// Seconds that the session may stay unused.
    pub idle_seconds: u64,
    /// When the session ends whatever happens, by the machine's clock.
    pub expires_at: UnixMillis,
}

/// Scan and code, device to machine, as a request: the Grant is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledge {
    /// SHA-256 of the granted token.
    pub token: TokenHash,
}

/// The answer to [`Acknowledge`]: only now is the device paired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// The name under which the machine lists the device.
    pub device_name: String,
    /// The role it has.
    pub role: Role,
}

/// Code, first message, device to machine: a PAKE share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeShare {
    /// Versions the device speaks.
    pub versions: Vec<u16>,
    /// The share, base64url (SPAKE2 side A).
    pub share: String,
}

/// Code, second message, machine to device: the other share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeShareAnswer {
    /// Version chosen.
    pub version: u16,
    /// The share, base64url (SPAKE2 side B).
    pub share: String,
}

/// Code, third message, device to machine: the device confirms first, its key with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeConfirm {
    /// Its session public key.
    pub key: PublicKey,
    /// What holds that key.
    pub key_kind: KeyKind,
}

/// Code, fourth message, machine to device: the machine confirms, and says who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeWelcome {
    /// The machine's id.
    pub machine: MachineId,
    /// The machine's name.
    pub name: String,
    /// The machine's platform.
    pub platform: String,
    /// The role that the offer gives.
    pub role: Role,
}

/// Code, fifth message, device to machine: the person said yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeProceed {
    /// The name the device gives itself.
    pub name: String,
    /// Its platform.
    pub platform: String,
}

/// Resume, device to machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeRequest {
    /// Versions the device speaks.
    pub versions: Vec<u16>,
    /// The device's id.
    pub device: DeviceId,
    /// Its newest token.
    pub token: SessionToken,
}

/// Resume, machine to device: the welcome, believed only under the MAC of R.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Version chosen.
    pub version: u16,
    /// The role the device has now.
    pub role: Role,
    /// The machine's name.
    pub name: String,
    /// The name under which the machine lists the device.
    pub device_name: String,
    /// Where the machine can be reached, best first.
    pub addresses: Vec<Address>,
    /// A new token, to be used from the next dial on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<SessionToken>,
    /// The pin of the key that a planned change would bring.
    pub next_pin: Pin,
    /// How many planned key changes there have been.
    pub epoch: u64,
    /// The machine's state counter.
    pub counter: u64,
    /// Seconds that the session may stay unused.
    pub idle_seconds: u64,
    /// When the session ends whatever happens, by the machine's clock.
    pub expires_at: UnixMillis,
    /// What waits for this device's answer, oldest first, as far as it fits. What it is says `inbox` or `joins`.
    #[serde(default)]
    pub approvals: Vec<WaitingApproval>,
    /// The approval key that the machine has of this device; none where it has yet to bring one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_key: Option<PublicKey>,
    /// What guards it, as the machine was told; with `approval_key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_guard: Option<ApprovalGuard>,
    /// The first use of the presented token could not be stored (the machine's disk is full): it is not
    /// the current one yet, and the device keeps every token that it has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// To an owner: what it is to keep in case the machine is restored from a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// The last planned change of the machine's key, for a device that slept through it. Without it nothing under
    /// the announced key is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated: Option<Box<Rotate>>,
}

/// A handshake message of its own kind. Only such a one can be put into an [`Envelope`](super::Envelope), so a
/// new one has to be listed below, and then `core/tests/fault_matrix.rs` does not compile until it says what
/// each fault of it must lead to.
pub trait Message: Serialize + DeserializeOwned {
    /// Which one.
    const KIND: MessageKind;
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Every handshake message there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum MessageKind {
            $($(#[$doc])* $name,)*
        }

        impl MessageKind {
            /// All of them, in the order of the flows.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }

        $(impl Message for $name {
            const KIND: MessageKind = MessageKind::$name;
        })*
    };
}

messages! {
    /// [`PreviewRequest`]
    PreviewRequest,
    /// [`Preview`]
    Preview,
    /// [`ScanRequest`]
    ScanRequest,
    /// [`Grant`]
    Grant,
    /// [`Acknowledge`]
    Acknowledge,
    /// [`Acknowledged`]
    Acknowledged,
    /// [`CodeShare`]
    CodeShare,
    /// [`CodeShareAnswer`]
    CodeShareAnswer,
    /// [`CodeConfirm`]
    CodeConfirm,
    /// [`CodeWelcome`]
    CodeWelcome,
    /// [`CodeProceed`]
    CodeProceed,
    /// [`JoinCommit`]
    JoinCommit,
    /// [`JoinNonce`]
    JoinNonce,
    /// [`JoinReveal`]
    JoinReveal,
    /// [`ResumeRequest`]
    ResumeRequest,
    /// [`Welcome`]
    Welcome,
    /// [`RecoveryRequest`]
    RecoveryRequest,
    /// [`RecoveryAnswer`]
    RecoveryAnswer,
    /// [`HandBackRequest`]
    HandBackRequest,
    /// [`HandBackReady`]
    HandBackReady,
    /// [`Refusal`]
    Refusal,
}
