//! Who is who: machine identity keys and their pins, device session keys, and the ids of both.
//!
//! A *pin* is SHA-256 of the machine's SubjectPublicKeyInfo (RFC 7469 section 2.4 pins the same
//! bytes); people see it as the key fingerprint. Keys are ECDSA P-256 with SHA-256 (ES256), which
//! Secure Enclave, Android Keystore and WebCrypto share. Used by every room above.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use crate::error::KeyError;
use crate::secrets::SecretBytes;

/// Defines a public value of fixed length: base64url on the wire, ordered, hashable, printable.
macro_rules! bytes_newtype {
    ($(#[$doc:meta])* $name:ident, $len:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Wraps bytes of the right length.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Takes a slice of exactly the right length; `None` for any other.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Some(Self(bytes.try_into().ok()?))
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), $crate::identity::to_base64url(&self.0))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&$crate::identity::to_base64url(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::identity::deserialize_bytes(deserializer).map(Self)
            }
        }
    };
}
pub(crate) use bytes_newtype;

pub(crate) fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn from_base64url<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

pub(crate) fn deserialize_bytes<'de, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    from_base64url(&text).ok_or_else(|| serde::de::Error::custom(format!("expected {N} bytes as base64url")))
}

bytes_newtype! {
    /// SHA-256 of a machine's SubjectPublicKeyInfo. It says which key a machine must prove.
    Pin, 32
}

bytes_newtype! {
    /// The first 128 bits of a [`Pin`]: what fits in a QR.
    PinPrefix, 16
}

bytes_newtype! {
    /// A machine's random id, made once with its state.
    MachineId, 16
}

bytes_newtype! {
    /// A device as one machine knows it: the first 128 bits of SHA-256 over a label and its session
    /// public key. One device key is one id, one row.
    DeviceId, 16
}

bytes_newtype! {
    /// A P-256 public key as an uncompressed point (SEC 1 section 2.3.3): 0x04, x, y.
    PublicKey, 65
}

bytes_newtype! {
    /// An ES256 signature as r and s of 32 bytes each (RFC 7518 section 3.4).
    Signature, 64
}

impl Pin {
    /// The pin of a DER-encoded SubjectPublicKeyInfo.
    pub fn of_spki(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The pin of a P-256 key: its SubjectPublicKeyInfo (RFC 5480 section 2) is these bytes and its point.
    pub fn of_key(key: &PublicKey) -> Self {
        const HEAD: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        Self(Sha256::new().chain_update(HEAD).chain_update(key.0).finalize().into())
    }

    /// What a QR carries of this pin.
    pub fn prefix(&self) -> PinPrefix {
        let mut prefix = [0; 16];
        prefix.copy_from_slice(&self.0[..16]);
        PinPrefix(prefix)
    }

    /// The key fingerprint as people see it, the same everywhere: eight groups of four base32
    /// letters, 160 bits.
    pub fn fingerprint(&self) -> String {
        let letters = BASE32_NOPAD.encode(&self.0[..20]);
        let groups: Vec<&str> = letters.as_bytes().chunks(4).filter_map(|g| std::str::from_utf8(g).ok()).collect();
        groups.join(" ")
    }
}

impl DeviceId {
    /// The id of the device that holds this session key.
    pub fn of(key: &PublicKey) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"pairpin v1 device id");
        hash.update(key.0);
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(id)
    }

    /// The id as people type it: lower-case base32. Any unambiguous beginning of it is accepted.
    pub fn text(&self) -> String {
        BASE32_NOPAD.encode(&self.0).to_ascii_lowercase()
    }

    /// Reads the whole text form, in any case of letters.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_slice(&BASE32_NOPAD_NOCASE.decode(text.trim().as_bytes()).ok()?)
    }
}

impl PublicKey {
    /// Whether `signature` is this key's ES256 signature of `message`.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.0).verify(message, &signature.0).is_ok()
    }
}

impl Signature {
    /// Reads the DER form that chips give (SEC 1 section C.8: a SEQUENCE of the two INTEGERs r and s, each
    /// positive and of 32 bytes at most). `None` for anything else.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        const SEQUENCE: u8 = 0x30;
        let [SEQUENCE, length, body @ ..] = der else { return None };
        // Short lengths alone: two numbers of 33 bytes with their headers are 70.
        if usize::from(*length) != body.len() || body.len() > 0x7F {
            return None;
        }
        let (r, rest) = der_number(body)?;
        let (s, rest) = der_number(rest)?;
        let mut fixed = [0; 64];
        fixed[..32].copy_from_slice(&r);
        fixed[32..].copy_from_slice(&s);
        rest.is_empty().then_some(Self(fixed))
    }
}

/// One INTEGER as 32 bytes, and what follows it.
fn der_number(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    const INTEGER: u8 = 0x02;
    let [INTEGER, length, rest @ ..] = der else { return None };
    let (number, rest) = rest.split_at_checked(usize::from(*length))?;
    let number = match number {
        // A leading zero stands only where the number would be negative without it (X.690 section 8.3.2).
        [0, next, ..] if *next >= 0x80 => &number[1..],
        [first, ..] if *first < 0x80 && (*first != 0 || number.len() == 1) => number,
        _ => return None,
    };
    let mut fixed = [0; 32];
    fixed.get_mut(32_usize.checked_sub(number.len())?..)?.copy_from_slice(number);
    Some((fixed, rest))
}

/// A P-256 key pair held in memory: the machine's identity key, or a device's session key where no
/// hardware holds it. It cannot be printed.
pub struct KeyPair {
    pair: EcdsaKeyPair,
    pkcs8: SecretBytes,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair([secret])")
    }
}

impl KeyPair {
    /// A fresh key pair.
    ///
    /// # Errors
    /// The system has no random source.
    pub fn generate() -> Result<Self, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| KeyError::Random)?;
        Self::from_pkcs8(SecretBytes::new(document.as_ref().to_vec()))
    }

    /// Reads a PKCS #8 key (RFC 5958), as [`pkcs8`](Self::pkcs8) gives it.
    ///
    /// # Errors
    /// The bytes are not a P-256 key in that form: the file is damaged or is something else.
    pub fn from_pkcs8(pkcs8: SecretBytes) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose(), &SystemRandom::new())
            .map_err(|_| KeyError::Malformed)?;
        Ok(Self { pair, pkcs8 })
    }

    /// The PKCS #8 form, for the secret store or the key file.
    pub fn pkcs8(&self) -> &SecretBytes {
        &self.pkcs8
    }

    /// The public half.
    ///
    /// # Errors
    /// Never in practice: a P-256 point has the length that [`PublicKey`] wants.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_slice(self.pair.public_key().as_ref()).ok_or(KeyError::Malformed)
    }

    /// Signs `message` with ES256.
    ///
    /// # Errors
    /// The system has no random source.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::Random)?;
        Signature::from_slice(signature.as_ref()).ok_or(KeyError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_eight_groups_of_four_letters() {
        let text = Pin::from_bytes([0xFF; 32]).fingerprint();
        assert_eq!(text, "7777 7777 7777 7777 7777 7777 7777 7777");
    }

    #[test]
    fn a_chips_signature_is_read_and_a_damaged_one_is_not() {
        use ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = KeyPair::generate().unwrap();
        let random = SystemRandom::new();
        let chip = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.pkcs8().expose(), &random).unwrap();
        // Many, for numbers with and without a leading zero, and with fewer bytes.
        for round in 0..600_u16 {
            let message = round.to_be_bytes();
            let der = chip.sign(&random, &message).unwrap();
            let der = der.as_ref();
            let signature = Signature::from_der(der).unwrap();
            assert!(key.public_key().unwrap().verify(&message, &signature));
            assert!(Signature::from_der(&der[..der.len() - 1]).is_none(), "cut short");
            assert!(Signature::from_der(&[der, &[0]].concat()).is_none(), "with more behind");
        }
        let hostile: [&[u8]; 7] = [
            &[],
            &[0x30, 0],
            &[0x30, 6, 2, 1, 1, 2, 1, 0x80],
            &[0x30, 7, 2, 2, 0, 1, 2, 1, 1],
            &[0x30, 5, 2, 0, 2, 1, 1],
            &[0x30, 0x80, 2, 1, 1, 2, 1, 1],
            &[0x31, 6, 2, 1, 1, 2, 1, 1],
        ];
        assert!(hostile.iter().all(|der| Signature::from_der(der).is_none()));
        let long = [&[0x30, 38, 2, 33, 1][..], &[0; 32], &[2, 1, 1]].concat();
        assert!(Signature::from_der(&long).is_none(), "33 bytes");
        assert!(Signature::from_der(&[0x30, 6, 2, 1, 1, 2, 1, 1]).is_some(), "the control");
    }

    #[test]
    fn a_signature_holds_for_its_key_and_message_only() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let signature = key.sign(b"message").unwrap();
        assert!(key.public_key().unwrap().verify(b"message", &signature));
        assert!(!key.public_key().unwrap().verify(b"massage", &signature));
        assert!(!other.public_key().unwrap().verify(b"message", &signature));
    }

    #[test]
    fn a_device_id_survives_typing() {
        let id = DeviceId::of(&KeyPair::generate().unwrap().public_key().unwrap());
        assert_eq!(DeviceId::parse(&id.text().to_uppercase()), Some(id));
    }
}
