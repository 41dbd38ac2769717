//! Flow (c): a device without an offer asks to be let in, and an owner decides. Its handshake messages, and
//! what owner devices ask for on their sessions about it. Field for field in `docs/protocol.md`.

use std::fmt;

use data_encoding::BASE32_NOPAD_NOCASE;
use serde::{Deserialize, Serialize};

use super::{AddressKind, Signed};
use crate::clock::UnixMillis;
use crate::identity::{PublicKey, bytes_newtype};
use crate::role::Role;
use crate::secrets::KeyKind;

bytes_newtype! {
    /// Names a join while it waits; the machine makes it. People see and type it in base32.
    JoinId, 5
}

bytes_newtype! {
    /// SHA-256 over the joiner's reveal, which it sends two messages later: it can no longer choose then.
    JoinCommitment, 32
}

bytes_newtype! {
    /// Fresh bytes of one side of a join.
    JoinFresh, 32
}

bytes_newtype! {
    /// T of a join, the hash of its three first messages: what a scanned QR says and a statement repeats.
    JoinTranscript, 32
}

impl JoinId {
    /// As people see it: eight lower-case letters and digits.
    pub fn text(&self) -> String {
        BASE32_NOPAD_NOCASE.encode(self.as_bytes()).to_ascii_lowercase()
    }

    /// Reads [`text`](Self::text), in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_slice(&BASE32_NOPAD_NOCASE.decode(text.trim().as_bytes()).ok()?)
    }
}

impl fmt::Display for JoinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// Seven digits of T, shown by the joiner and typed by whoever lets it in. On the wire its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JoinNumber(u32);

impl JoinNumber {
    /// Numbers that there are.
    const COUNT: u32 = 10_000_000;

    /// The number that a hash's first eight bytes make.
    pub(crate) fn of_bytes(bytes: [u8; 8]) -> Self {
        Self(u32::try_from(u64::from_be_bytes(bytes) % u64::from(Self::COUNT)).unwrap_or(0))
    }

    /// Reads what a person typed: seven digits, with spaces and dashes where they like them.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let right = digits.len() == 7 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|_| right).map(Self)
    }

    /// The seven digits without a gap: what is signed.
    pub fn digits(&self) -> String {
        format!("{:07}", self.0)
    }
}

impl fmt::Display for JoinNumber {
    /// In two groups, to be read aloud.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:04}", self.0 / 10_000, self.0 % 10_000)
    }
}

impl TryFrom<String> for JoinNumber {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // One way to write it on the wire.
        Self::parse(&text).filter(|number| number.digits() == text).ok_or("expected seven digits")
    }
}

impl From<JoinNumber> for String {
    fn from(number: JoinNumber) -> Self {
        number.digits()
    }
}

/// Join, first message, device to machine: the joiner binds itself to a reveal, and brings its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinCommit {
    /// Versions the device speaks.
    pub versions: Vec<u16>,
    /// What it will reveal.
    pub commit: JoinCommitment,
    /// Its session public key.
    pub key: PublicKey,
    /// What holds that key.
    pub key_kind: KeyKind,
    /// The name it gives itself.
    pub name: String,
    /// Its platform.
    pub platform: String,
}

/// Join, second message, machine to device: the machine's fresh bytes, sent before it knows the joiner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinNonce {
    /// Version chosen.
    pub version: u16,
    /// The join's name.
    pub join: JoinId,
    /// Fresh for each join.
    pub nonce: JoinFresh,
    /// The join has a slot, so it may be let in by its number; else only by a scan.
    pub number: bool,
}

/// Join, third message, device to machine: what was committed to. T is complete with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinReveal {
    /// Fresh for each join.
    pub nonce: JoinFresh,
}

/// How the person knew which device it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoinHow {
    /// Its QR was scanned: this T.
    Scan(JoinTranscript),
    /// The number on its screen was typed.
    Number(JoinNumber),
}

/// A join as owner devices see it: all but the address is what the joiner says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinListed {
    /// Its name while it waits.
    pub join: JoinId,
    /// Its session public key, which it has proven.
    pub key: PublicKey,
    /// The name that it claims.
    pub name: String,
    /// The platform that it claims.
    pub platform: String,
    /// The address it asks from.
    pub from: String,
    /// What network that is.
    pub network: AddressKind,
    /// It is in the machine's own network, with nothing in between.
    pub same_network: bool,
    /// When it asked, by the machine's clock.
    pub asked_at: UnixMillis,
    /// Seconds until nobody can let it in any more.
    pub seconds_left: u64,
    /// Its number may be typed; else only its QR can be scanned.
    pub number: bool,
    /// Its key was revoked here, by whom: it cannot be let in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked_by: Option<String>,
    /// Its key is paired here already, under this name: let in, it gets another session in its row.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub known_as: Option<String>,
    /// It asked before the machine restarted, and nobody can let it in by that: it has to ask again.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub before_restart: bool,
}

/// Why a join is not to be decided any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinEnd {
    /// Somebody let it in.
    Accepted,
    /// Somebody said no, or typed a number that was not its own.
    Denied,
    /// It was let in and has not acknowledged yet, and who let it in may not any more.
    Withdrawn,
    /// Its ten minutes are over, it went away, or newer ones pushed it out.
    Over,
    /// A cause that this build does not know.
    #[serde(other)]
    Unknown,
}

/// Approve-join: the joiner is let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproveJoin {
    /// Which.
    pub join: JoinId,
    /// Its key, as the list showed it.
    pub key: PublicKey,
    /// How it was recognised.
    pub how: JoinHow,
    /// The role it gets, the approver's own at most.
    pub role: Role,
    /// What the machine is to call it; else what it calls itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Seconds that its session may live in all; else as every session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub absolute_seconds: Option<u64>,
    /// Signed by the approval key of the one who asks.
    pub signed: Signed,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinAccepted {
    /// Four digits of the machine's T, to be typed into the joiner.
    pub digits: String,
    /// The name that the joiner claims, or was given.
    pub name: String,
    /// The role it gets.
    pub role: Role,
}

/// Deny-join: the joiner is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenyJoin {
    /// Which.
    pub join: JoinId,
    /// And besides.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub then: Option<DenyThen>,
}

/// What a person may add to a no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenyThen {
    /// Nobody at that address (a /64 for IPv6) may ask for an hour.
    BlockSource,
    /// Nobody at all may ask for an hour.
    Close,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_type_it_and_written_in_one_way() {
        let number = JoinNumber::of_bytes(12_345_670_042_u64.to_be_bytes());
        assert_eq!((number.digits().as_str(), number.to_string().as_str()), ("5670042", "567 0042"));
        for typed in ["5670042", " 567 0042", "567-00-42\n"] {
            assert_eq!(JoinNumber::parse(typed), Some(number), "{typed:?}");
        }
        for wrong in ["", "567004", "56700423", "567004x", "+670042", "５670042"] {
            assert_eq!(JoinNumber::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(JoinNumber::parse("0000007").map(|number| number.digits()).as_deref(), Some("0000007"));
        assert!(serde_json::from_str::<JoinNumber>("\"567 0042\"").is_err(), "on the wire there is one way");
        assert_eq!(serde_json::from_str::<JoinNumber>("\"5670042\"").unwrap(), number);
    }

    #[test]
    fn a_joins_name_survives_its_text_in_any_case() {
        let join = JoinId::from_bytes([1, 2, 3, 250, 255]);
        assert_eq!(join.text().len(), 8);
        assert_eq!(JoinId::parse(&join.text().to_uppercase()), Some(join));
        assert_eq!(JoinId::parse("short"), None);
    }
}
