//! The pairing link: the text form of an offer, what the QR holds and what a person may paste.
//!
//! `pairpin:` and a base32 body: version, the first 128 bits of the pin, the one-time secret, where
//! the machine may be reached, and two check bytes (`docs/protocol.md` has the table). The host
//! makes links, [`crate::qr`] draws and reads them, the client engine dials what they say. Version 1
//! readers take any case and ignore white space, since terminals wrap; all else is strict, so that a
//! link has one text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::identity::PinPrefix;
use crate::secrets::OfferSecret;
use crate::wire::{Address, DEFAULT_PORT, limits};

/// What every link begins with. Android matches schemes by case: it is written in lower case.
pub const SCHEME: &str = "pairpin:";

/// Characters of a body that fit a version 4 QR at error correction M.
#[cfg(test)]
pub(crate) const BODY_4M: usize = 76;
/// Characters of a body that fit a version 4 QR at error correction L.
pub(crate) const BODY_4L: usize = 100;

/// The version this build writes and reads.
const VERSION: u8 = 1;
/// Flag: a port follows the secret.
const HAS_PORT: u8 = 0b0001;
/// Version, pin prefix and secret.
const HEAD_BYTES: usize = 1 + 16 + 16;
/// Check bytes, the same in every version.
const CHECK_BYTES: usize = 2;
/// A body is never longer, pasted ones included: room for two of the longest host names.
const BODY_BYTES_MAX: usize = 640;
/// A text is never longer: the body, and as much white space again as wrapping can add.
const TEXT_MAX: usize = 4096;

const HINT_NAME: u8 = 0x01;
const HINT_IPV4: u8 = 0x04;
const HINT_IPV6: u8 = 0x06;

/// An offer as the device gets it: whom to expect, what to prove, where to dial.
///
/// It cannot be printed whole: `Debug` hides the secret, and [`to_text`](Self::to_text) is wiped
/// when dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The first 128 bits of the pin that the machine must prove.
    pub pin: PinPrefix,
    /// The offer's one-time secret.
    pub secret: OfferSecret,
    /// Where the machine may be reached, best first. All share one port on the wire: the first
    /// one's.
    pub addresses: Vec<Address>,
}

/// Why a text is not a link that this build can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is the QR of a device that asks to be let in.
    #[error("this is a device that asks to be let in, not an offer: scan it on an owner's device, with pairpin")]
    AJoin,
    /// It is a recovery sheet.
    #[error("this is a recovery sheet, which pairs nothing: keep it, and use it with pairpin recovery use")]
    ASheet,
    /// It does not begin with `pairpin:`.
    #[error("this is not a pairpin link, scan the QR or copy the line that begins with \"pairpin:\"")]
    NotALink,
    /// Characters are missing, added or wrong.
    #[error("this link is incomplete or mistyped, copy it whole")]
    Damaged,
    /// It is whole, and of a version or with a feature that this build does not know.
    #[error("this link was made by a newer pairpin, update pairpin on this device")]
    Newer,
}

impl Link {
    /// The link of an offer with as many of `candidates`, best first, as keep its QR at version 4.
    ///
    /// The measure is 100 characters of body (correction L), since correction M reads no better from
    /// a screen. One that does not fit is passed over for a shorter one behind it. Candidates on another port
    /// than `port` are left out, since a link has one port; so are repetitions. The Grant brings all
    /// addresses later: these only have to be enough for the first dial.
    pub fn fitting(pin: PinPrefix, secret: OfferSecret, port: u16, candidates: &[Address]) -> Self {
        let mut link = Self { pin, secret, addresses: Vec::new() };
        let mut left = BODY_4L * 5 / 8 - HEAD_BYTES - CHECK_BYTES - port_bytes(port);
        for candidate in candidates.iter().filter(|candidate| candidate.port == port) {
            let Some(hint) = Hint::of(candidate) else { continue };
            let address = hint.address(port);
            if hint.size() <= left && !link.addresses.contains(&address) {
                left -= hint.size();
                link.addresses.push(address);
            }
        }
        link
    }

    /// The text: `pairpin:` and the body in upper case.
    ///
    /// Addresses on another port than the first one's are left out, as are those that are no
    /// addresses, and any above 16.
    pub fn to_text(&self) -> Zeroizing<String> {
        // Room for all of it at once: growing would leave a copy of the secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(BODY_BYTES_MAX));
        let hints = self.addresses.iter().filter_map(|address| Some((address.port, Hint::of(address)?)));
        let mut port = None;
        bytes.push(VERSION << 4);
        bytes.extend_from_slice(self.pin.as_bytes());
        bytes.extend_from_slice(self.secret.expose());
        for (number, hint) in hints.take(limits::ADDRESSES) {
            if port.is_none() && number != DEFAULT_PORT {
                bytes[0] |= HAS_PORT;
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            if *port.get_or_insert(number) == number && bytes.len() + hint.size() + CHECK_BYTES <= BODY_BYTES_MAX {
                hint.write(&mut bytes);
            }
        }
        let check = check(&bytes);
        bytes.extend_from_slice(&check);

        let mut text = Zeroizing::new(String::with_capacity(SCHEME.len() + BASE32_NOPAD.encode_len(bytes.len())));
        text.push_str(SCHEME);
        BASE32_NOPAD.encode_append(&bytes, &mut text);
        text
    }

    /// Reads a scanned, pasted or typed link.
    ///
    /// # Errors
    /// See [`LinkError`]: every one says what the person can do. The text is never part of it.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let start: String = text.chars().filter(|c| !c.is_whitespace()).take(SCHEME.len()).collect();
        if !start.eq_ignore_ascii_case(SCHEME) {
            return Err(if crate::join_qr::is_meant(text) {
                LinkError::AJoin
            } else if crate::recovery_sheet::is_meant(text) {
                LinkError::ASheet
            } else {
                LinkError::NotALink
            });
        }
        if text.len() > TEXT_MAX {
            return Err(LinkError::Damaged);
        }
        let mut body = Zeroizing::new(String::with_capacity(text.len()));
        body.extend(text.chars().filter(|c| !c.is_whitespace()).skip(SCHEME.len()));
        // The decoder refuses other letters, impossible lengths and trailing bits that are not zero.
        let bytes = BASE32_NOPAD_NOCASE.decode(body.as_bytes()).map(Zeroizing::new).map_err(|_| LinkError::Damaged)?;
        Self::from_bytes(&bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, LinkError> {
        let (inner, tail) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(LinkError::Damaged)?;
        // The check comes first: a mistyped version must not send a person after an update.
        if check(inner) != *tail {
            return Err(LinkError::Damaged);
        }
        let mut reader = Reader(inner);
        let [first] = reader.take()?;
        if first >> 4 != VERSION || first & 0x0F & !HAS_PORT != 0 {
            return Err(LinkError::Newer);
        }
        let pin = PinPrefix::from_bytes(reader.take()?);
        let secret = OfferSecret::from_slice(reader.slice(16)?).ok_or(LinkError::Damaged)?;
        let port = match first & HAS_PORT {
            0 => DEFAULT_PORT,
            _ => u16::from_be_bytes(reader.take()?),
        };
        let mut addresses = Vec::new();
        while !reader.0.is_empty() {
            if addresses.len() == limits::ADDRESSES {
                return Err(LinkError::Damaged);
            }
            addresses.push(Hint::read(&mut reader)?.address(port));
        }
        // One link, one text: what this build would not write, it does not read.
        let spelled_out = first & HAS_PORT != 0;
        if port == 0 || spelled_out && (port == DEFAULT_PORT || addresses.is_empty()) || bytes.len() > BODY_BYTES_MAX {
            return Err(LinkError::Damaged);
        }
        Ok(Self { pin, secret, addresses })
    }
}

/// One address as the body holds it, without its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Name(String),
}

impl Hint {
    pub(crate) fn of(address: &Address) -> Option<Self> {
        match address.ip().map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => Some(Self::V4(ip)),
            Some(IpAddr::V6(ip)) => Some(Self::V6(ip)),
            None => {
                let name = Self::Name(address.host.clone());
                (name.address(address.port).to_string().parse().as_ref() == Ok(address)).then_some(name)
            }
        }
    }

    pub(crate) fn address(&self, port: u16) -> Address {
        let host = match self {
            Self::V4(ip) => ip.to_string(),
            Self::V6(ip) => ip.to_string(),
            Self::Name(name) => name.clone(),
        };
        Address { host, port }
    }

    pub(crate) fn size(&self) -> usize {
        match self {
            Self::V4(_) => 1 + 4,
            Self::V6(_) => 1 + 16,
            Self::Name(name) => 1 + 1 + name.len(),
        }
    }

    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::V4(ip) => {
                bytes.push(HINT_IPV4);
                bytes.extend_from_slice(&ip.octets());
            }
            Self::V6(ip) => {
                bytes.push(HINT_IPV6);
                bytes.extend_from_slice(&ip.octets());
            }
            Self::Name(name) => {
                bytes.push(HINT_NAME);
                // `of` and `read` let only host names through, which end at 254 characters.
                bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
                bytes.extend_from_slice(name.as_bytes());
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, LinkError> {
        let [kind] = reader.take()?;
        let hint = match kind {
            HINT_IPV4 => Self::V4(Ipv4Addr::from(reader.take::<4>()?)),
            HINT_IPV6 => Self::V6(Ipv6Addr::from(reader.take::<16>()?)),
            HINT_NAME => {
                let [length] = reader.take()?;
                let name = reader.slice(usize::from(length))?;
                Self::Name(std::str::from_utf8(name).map_err(|_| LinkError::Damaged)?.to_owned())
            }
            _ => return Err(LinkError::Newer),
        };
        // Refuses what would be written differently: an address spelled as a name, upper case, an
        // IPv4 address in IPv6 clothes.
        if Self::of(&hint.address(DEFAULT_PORT)).as_ref() == Some(&hint) { Ok(hint) } else { Err(LinkError::Damaged) }
    }
}

/// Takes bytes off the front; the end is an error.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], LinkError> {
        let (front, rest) = self.0.split_at_checked(length).ok_or(LinkError::Damaged)?;
        self.0 = rest;
        Ok(front)
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], LinkError> {
        self.slice(N)?.try_into().map_err(|_| LinkError::Damaged)
    }
}

fn port_bytes(port: u16) -> usize {
    if port == DEFAULT_PORT { 0 } else { 2 }
}

/// Catches typing and copying mistakes, nothing else: the pin and the secret guard against people.
fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::digest(bytes);
    [digest[0], digest[1]]
}

#[cfg(test)]
mod tests;
