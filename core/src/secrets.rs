//! Secret values, and where a device keeps them.
//!
//! Everything that must not be printed, logged or compared in variable time is one of these types.
//! The engines make and hold them; `handshake` uses them; `wire` carries them encoded. A platform
//! (a phone's Keystore, the desktop keyring, a 0600 file) implements [`SecretStore`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::RandomError;

/// Bytes that cannot be printed, are compared in constant time and are wiped when dropped.
///
/// `N` is the length in bytes. `==` is constant time for equal lengths, which is the only case.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Wraps bytes that are already secret.
    pub fn from_bytes(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Takes a slice of exactly `N` bytes; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// A fresh secret from the operating system's random source.
    ///
    /// # Errors
    /// The system has no random source; nothing can be paired until it has.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self(random_bytes()?))
    }

    /// The bytes, for a key derivation, a hash or the wire. Never for a log line.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The unpadded base64url text, wiped when dropped.
    pub fn expose_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// `N` bytes from the operating system's random source.
///
/// # Errors
/// The system has no random source.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<const N: usize> Serialize for Secret<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.expose_text())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Secret<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = URL_SAFE_NO_PAD
            .decode(text.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| serde::de::Error::custom("a secret is not base64url"))?;
        Self::from_slice(&bytes).ok_or_else(|| serde::de::Error::custom("a secret has a wrong length"))
    }
}

/// The one-time secret inside an offer's link: 128 bits.
pub type OfferSecret = Secret<16>;

/// The per-pair key R by which a device recognises its machine when the TLS key alone was stolen or
/// replaced: 256 bits, kept in the machine's database and the device's secret store.
pub type RecognitionKey = Secret<32>;

/// What a printed recovery sheet holds: 160 bits, from which its keys follow (`handshake::SheetKeys`). On paper only.
pub type RecoverySeed = Secret<20>;

/// The short form of an offer, typed by hand: eight decimal digits, guarded by the PAKE of
/// `handshake::code` and three tries.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedCode(Secret<8>);

impl TypedCode {
    /// A fresh code, every one of the 10^8 equally likely.
    ///
    /// # Errors
    /// The system has no random source.
    pub fn generate() -> Result<Self, RandomError> {
        loop {
            if let Some(number) = fair_code(u32::from_be_bytes(random_bytes()?)) {
                let mut text = Zeroizing::new(format!("{number:08}"));
                let code = Self::parse(&text).ok_or(RandomError);
                text.zeroize();
                return code;
            }
        }
    }

    /// Reads what a person typed: eight digits, spaces and hyphens between them ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Zeroizing<Vec<u8>> =
            Zeroizing::new(text.trim().bytes().filter(|b| !matches!(b, b' ' | b'-')).collect());
        if digits.iter().all(u8::is_ascii_digit) { Secret::from_slice(&digits).map(Self) } else { None }
    }

    /// The digits, for the PAKE.
    pub fn expose(&self) -> &[u8; 8] {
        self.0.expose()
    }

    /// The code as people read it: two groups of four digits.
    pub fn expose_groups(&self) -> Zeroizing<String> {
        let digits = self.expose().map(char::from);
        let (first, second) = digits.split_at(4);
        Zeroizing::new(first.iter().chain([&' ']).chain(second).collect())
    }
}

/// The code of a random number; `None` for those that would make some codes likelier than others.
fn fair_code(number: u32) -> Option<u32> {
    const CODES: u32 = 100_000_000;
    // Above the last whole multiple only small codes would follow: draw again.
    const FAIR: u32 = 42 * CODES;
    (number < FAIR).then_some(number % CODES)
}

impl fmt::Debug for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Bytes of any length that cannot be printed and are wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes ownership of secret bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the store or a parser. Never for a log line.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What holds a device's keys, told to the machine and shown in its device list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// A secure element or trusted execution environment (Android Keystore, Secure Enclave).
    Hardware,
    /// The desktop's secret service.
    Keyring,
    /// A file that only its user can read.
    File,
}

impl KeyKind {
    /// The word shown to people and stored in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Keyring => "keyring",
            Self::File => "file",
        }
    }

    /// Reads the word written by [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hardware, Self::Keyring, Self::File].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A secret store failed; the text names the cause and the next step, and never a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct SecretStoreError(pub String);

/// Where a device keeps its session keys, tokens and recognition keys.
///
/// Calls are synchronous and may block (a keyring prompt); the client engine calls them off its
/// async threads. A store that cannot be opened is an error, never an empty store.
pub trait SecretStore: Send + Sync {
    /// What this store is, for the device list.
    fn kind(&self) -> KeyKind;

    /// The secret under `name`, or `None` where there is none.
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretStoreError>;

    /// Stores the secret under `name`, replacing any older one in one step; on return it is durable.
    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), SecretStoreError>;

    /// Removes the secret under `name`; no error if there is none.
    fn delete(&self, name: &str) -> Result<(), SecretStoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = OfferSecret::from_bytes([0xAB; 16]);
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(format!("{:?}", SecretBytes::new(vec![1, 2])), "[secret]");
    }

    #[test]
    fn a_code_reads_as_people_type_it_and_nothing_else_is_one() {
        let code = TypedCode::generate().unwrap();
        assert_eq!(TypedCode::parse(&code.expose_groups()), Some(code));
        assert_eq!(TypedCode::parse(" 1234-5678 "), TypedCode::parse("12345678"));
        for text in ["", "1234567", "123456789", "1234567a", "\u{0661}2345678"] {
            assert!(TypedCode::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn every_code_is_as_likely_as_any_other() {
        for (number, code) in [
            (0, Some(0)),
            (99_999_999, Some(99_999_999)),
            (100_000_000, Some(0)),
            (4_199_999_999, Some(99_999_999)),
            (4_200_000_000, None),
            (u32::MAX, None),
        ] {
            assert_eq!(fair_code(number), code, "{number}");
        }
        // Small numbers alone would be as good as no code; by chance this fails once in 10^100.
        let codes: std::collections::BTreeSet<_> =
            (0..64).map(|_| TypedCode::generate().unwrap().expose()[..2].to_vec()).collect();
        assert!(codes.len() > 16, "{} beginnings of 64 codes", codes.len());
    }

    #[test]
    fn a_secret_survives_its_text_form_and_no_other_length_does() {
        let secret = OfferSecret::from_bytes([7; 16]);
        let text = serde_json::to_string(&secret).unwrap();
        assert_eq!(serde_json::from_str::<OfferSecret>(&text).unwrap(), secret);
        assert!(serde_json::from_str::<RecognitionKey>(&text).is_err());
    }
}
