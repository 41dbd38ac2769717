//! A software approval key under a passphrase: what stands in the secret store, and how it is opened.
//!
//! The key that encrypts is Argon2id (RFC 9106) of the passphrase and a fresh salt; the cipher is ChaCha20-Poly1305
//! (RFC 8439), which also covers the parameters and the public half that stand in the clear beside it. The public
//! half is there so that a machine's list can be compared without asking for the passphrase. Called by the ledger.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize as _, Zeroizing};

use crate::identity::{KeyPair, PublicKey};
use crate::secrets::{SecretBytes, random_bytes};

/// What a sealed key begins with. A PKCS #8 key begins with 0x30, so the two are never taken for one another.
const MAGIC: &[u8; 8] = b"PPSEAL01";
/// Magic, memory, passes, lanes, salt, nonce, public key.
const HEADER: usize = 8 + 3 * 4 + 16 + 12 + 65;
/// The longest passphrase, in bytes.
const LONGEST: usize = 1024;

/// What it costs to try a passphrase: 64 MiB, three passes (RFC 9106 section 4, second choice, in one lane).
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// What a record may ask for at most: one that was damaged must not take all of the memory.
const COST_MAX: Cost = Cost { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// What a person typed to guard or to use an approval key. It cannot be printed, and is wiped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase([secret])")
    }
}

impl Passphrase {
    /// Takes what was typed, as it is; `None` where that is nothing, or longer than 1,024 bytes.
    pub fn new(typed: Zeroizing<String>) -> Option<Self> {
        (!typed.is_empty() && typed.len() <= LONGEST).then_some(Self(typed))
    }
}

/// Why a sealed key was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unopened {
    /// Another passphrase, or the record was changed: the two cannot be told apart.
    Passphrase,
    /// It is no sealed key of this version.
    Damaged,
    /// No memory or no random bytes.
    System,
}

/// Whether a record of the store is a sealed key.
pub(super) fn is_sealed(record: &SecretBytes) -> bool {
    record.expose().starts_with(MAGIC)
}

/// The public half of a sealed key, as it stands beside it; what opens it proves it.
pub(super) fn public_half(record: &SecretBytes) -> Option<PublicKey> {
    let header = record.expose().get(..HEADER).filter(|_| is_sealed(record))?;
    PublicKey::from_slice(header.get(HEADER - 65..)?)
}

/// Encrypts a key.
pub(super) fn seal(pair: &KeyPair, passphrase: &Passphrase) -> Result<SecretBytes, Unopened> {
    seal_at(pair, passphrase, COST)
}

fn seal_at(pair: &KeyPair, passphrase: &Passphrase, cost: Cost) -> Result<SecretBytes, Unopened> {
    let salt: [u8; 16] = random_bytes().map_err(|_| Unopened::System)?;
    let nonce: [u8; 12] = random_bytes().map_err(|_| Unopened::System)?;
    let public = pair.public_key().map_err(|_| Unopened::Damaged)?;
    let mut record = Vec::with_capacity(HEADER + 256);
    record.extend_from_slice(MAGIC);
    for number in [cost.memory_kib, cost.passes, cost.lanes] {
        record.extend_from_slice(&number.to_be_bytes());
    }
    record.extend_from_slice(&salt);
    record.extend_from_slice(&nonce);
    record.extend_from_slice(public.as_bytes());
    let mut text = Zeroizing::new(pair.pkcs8().expose().to_vec());
    let tag = cipher(passphrase, &salt, cost)?
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&record[..]), &mut text)
        .map_err(|_| Unopened::System)?;
    record.extend_from_slice(&text);
    record.extend_from_slice(tag.as_ref());
    Ok(SecretBytes::new(record))
}

/// Decrypts a key.
pub(super) fn open(record: &SecretBytes, passphrase: &Passphrase) -> Result<KeyPair, Unopened> {
    let bytes = record.expose();
    let (header, sealed) = bytes.split_at_checked(HEADER).filter(|_| is_sealed(record)).ok_or(Unopened::Damaged)?;
    let number = |at: usize| -> Option<u32> { Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?)) };
    let read = || -> Option<(Cost, [u8; 16], [u8; 12])> {
        let cost = Cost { memory_kib: number(8)?, passes: number(12)?, lanes: number(16)? };
        Some((cost, header.get(20..36)?.try_into().ok()?, header.get(36..48)?.try_into().ok()?))
    };
    let (cost, salt, nonce) = read().ok_or(Unopened::Damaged)?;
    let too_much =
        cost.memory_kib > COST_MAX.memory_kib || cost.passes > COST_MAX.passes || cost.lanes > COST_MAX.lanes;
    if too_much {
        return Err(Unopened::Damaged);
    }
    let mut text = Zeroizing::new(sealed.to_vec());
    let pkcs8 = cipher(passphrase, &salt, cost)?
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(header), &mut text)
        .map_err(|_| Unopened::Passphrase)?;
    let pair = KeyPair::from_pkcs8(SecretBytes::new(pkcs8.to_vec())).map_err(|_| Unopened::Damaged)?;
    let same = pair.public_key().ok() == public_half(record);
    if same { Ok(pair) } else { Err(Unopened::Damaged) }
}

/// The salt is new for each sealing, so no key seals twice.
fn cipher(passphrase: &Passphrase, salt: &[u8; 16], cost: Cost) -> Result<LessSafeKey, Unopened> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| Unopened::Damaged)?;
    let mut blocks: Vec<Block> = Vec::new();
    blocks.try_reserve_exact(params.block_count()).map_err(|_| Unopened::System)?;
    blocks.resize(params.block_count(), Block::default());
    let mut key = Zeroizing::new([0; 32]);
    let derived = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        passphrase.0.as_bytes(),
        salt,
        key.as_mut(),
        &mut blocks,
    );
    blocks.zeroize();
    derived.map_err(|_| Unopened::Damaged)?;
    UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).map(LessSafeKey::new).map_err(|_| Unopened::System)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn phrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn public(pair: &KeyPair) -> PublicKey {
        pair.public_key().unwrap()
    }

    #[test]
    fn a_sealed_key_opens_by_its_passphrase_and_by_no_other() {
        let pair = KeyPair::generate().unwrap();
        let record = seal_at(&pair, &phrase("correct horse"), CHEAP).unwrap();
        let opened = open(&record, &phrase("correct horse")).expect("the control");
        assert_eq!(public(&opened), public(&pair));
        assert_eq!(public_half(&record), Some(public(&pair)));
        for wrong in ["correct hors", "Correct horse", "correct horse ", "x"] {
            assert_eq!(open(&record, &phrase(wrong)).err(), Some(Unopened::Passphrase), "{wrong}");
        }
        // The private half, where `ring` puts it.
        let secret = &pair.pkcs8().expose()[36..68];
        let holds = |record: &SecretBytes| record.expose().windows(32).any(|part| part == secret);
        assert!(holds(pair.pkcs8()) && !holds(&record));
    }

    #[test]
    fn whatever_byte_is_changed_it_does_not_open() {
        let pair = KeyPair::generate().unwrap();
        let record = seal_at(&pair, &phrase("a"), CHEAP).unwrap();
        for at in 0..record.expose().len() {
            let mut bytes = record.expose().to_vec();
            // The highest bits: of the costs they ask for more than is allowed, or for another key.
            bytes[at] ^= 0x80;
            assert!(open(&SecretBytes::new(bytes), &phrase("a")).is_err(), "byte {at}");
        }
        for cut in [0, 7, HEADER - 1, HEADER, record.expose().len() - 1] {
            assert!(open(&SecretBytes::new(record.expose()[..cut].to_vec()), &phrase("a")).is_err(), "{cut} bytes");
        }
        assert!(open(&record, &phrase("a")).is_ok(), "the control");
    }

    #[test]
    fn what_is_typed_is_bounded_and_never_printed() {
        assert!(Passphrase::new(Zeroizing::new(String::new())).is_none());
        assert!(Passphrase::new(Zeroizing::new("x".repeat(LONGEST + 1))).is_none());
        assert!(!format!("{:?}", phrase("hunter2")).contains("hunter2"));
    }

    #[test]
    fn a_plain_key_is_no_sealed_one_and_two_sealings_differ() {
        let pair = KeyPair::generate().unwrap();
        assert!(!is_sealed(pair.pkcs8()) && public_half(pair.pkcs8()).is_none());
        assert_eq!(open(pair.pkcs8(), &phrase("a")).err(), Some(Unopened::Damaged));
        let (one, two) = (seal_at(&pair, &phrase("a"), CHEAP).unwrap(), seal_at(&pair, &phrase("a"), CHEAP).unwrap());
        assert_ne!(one.expose()[20..48], two.expose()[20..48]);
    }
}
