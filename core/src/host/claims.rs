//! For whom an offer is consumed, from the valid Proof to the acknowledgement: a part of [`super::offers`], which
//! makes and ends it, and `rows`, which makes it a device.

use crate::identity::PublicKey;
use crate::secrets::RecognitionKey;
use crate::store::host::devices::PairedHow;
use crate::token::TokenHash;

/// The device for which an offer is consumed, until it acknowledges.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its session key: the same key gets a fresh Grant, nobody else does.
    pub key: PublicKey,
    /// The R it is granted, the same each time.
    pub recognition_key: RecognitionKey,
    /// The token it was granted last.
    pub granted: Option<ClaimGrant>,
}

/// What the last Grant of a claim said: needed to activate the device.
#[derive(Debug, Clone)]
pub struct ClaimGrant {
    /// The token's hash.
    pub token: TokenHash,
    /// What the device says of itself, cleaned.
    pub details: ClaimDetails,
}

/// What a device in a claim says of itself, and where it came from.
#[derive(Debug, Clone)]
pub struct ClaimDetails {
    /// Name for the list.
    pub name: String,
    /// Platform.
    pub platform: String,
    /// What holds its key.
    pub key_kind: crate::secrets::KeyKind,
    /// By which flow.
    pub how: PairedHow,
    /// The address it came from.
    pub from: std::net::IpAddr,
    /// The check digits of the Grant, for the machine's side.
    pub digits: Option<crate::handshake::CheckDigits>,
}
