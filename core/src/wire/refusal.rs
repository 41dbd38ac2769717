//! What a machine says when it refuses somebody who has proven something.
//!
//! Strangers get one shape without a cause; who proved an offer's secret, a code or a device key is
//! told. `handshake` puts the MAC beside it.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;

/// Why a machine refuses. The texts for people are in `client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// No protocol version in common.
    Version,
    /// The offer's time is over.
    OfferExpired,
    /// Another device has used the offer.
    OfferUsed,
    /// The offer was withdrawn at the machine.
    OfferWithdrawn,
    /// The code's tries are spent, or code pairing is closed.
    CodeClosed,
    /// The code did not match.
    CodeWrong,
    /// The device was revoked.
    Revoked,
    /// The device is suspended: its token was used twice.
    Suspended,
    /// The session was unused for too long or reached its cap, by the machine's clock.
    Expired,
    /// The token was replaced by a newer one.
    TokenReplaced,
    /// The machine has never seen this token: one of the two was restored from a backup.
    TokenUnknown,
    /// The machine holds as many devices as it can.
    Full,
    /// The machine could not write its state.
    Unavailable,
    /// Somebody said no to the join.
    JoinDenied,
    /// Nobody has let the join in while there was time.
    JoinExpired,
    /// Too many have asked lately: nobody is shown this join. An offer is the way in.
    JoinNotShown,
    /// The join's key is paired here already.
    JoinKnown,
    /// Who let the join in was revoked, or may not let anybody in any more.
    JoinWithdrawn,
    /// The recovery sheet was used, or a newer one was printed: the reason says which.
    RecoverySpent,
    /// A code that this build does not know.
    #[serde(other)]
    Unknown,
}

/// A refusal with its cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The version of this message.
    pub version: u16,
    /// The cause.
    pub code: RefusalCode,
    /// Who caused it (the name of a device, or "the machine's shell"), where somebody did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// When that was, by the machine's clock.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<UnixMillis>,
    /// The reason that was given, where one was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The machine's clock now: a skew explains an expiry.
    pub clock: UnixMillis,
    /// As in a [`Welcome`](super::Welcome), where the machine refuses a device under its own R.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rotated: Option<Box<super::Rotate>>,
}

impl Refusal {
    /// A refusal with nothing but its cause.
    pub fn new(code: RefusalCode, clock: UnixMillis) -> Self {
        Self { version: super::VERSION, code, by: None, at: None, reason: None, clock, rotated: None }
    }
}
