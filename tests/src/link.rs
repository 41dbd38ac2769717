//! The link, read by hand from docs/protocol.md: a hostile device needs no code of ours for it, and
//! it checks that what we write is what we say we write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use data_encoding::BASE32_NOPAD;
use pairpin_core::secrets::OfferSecret;
use pairpin_core::wire::DEFAULT_PORT;
use sha2::{Digest as _, Sha256};

/// What a link says.
#[derive(Debug)]
pub struct ReadLink {
    /// The first 16 bytes of the machine's pin.
    pub pin: [u8; 16],
    /// The offer's secret.
    pub secret: OfferSecret,
    /// The port.
    pub port: u16,
    /// The addresses that are IP addresses.
    pub hosts: Vec<IpAddr>,
    /// Those that are names.
    pub names: Vec<String>,
}

impl ReadLink {
    /// Reads a link.
    ///
    /// # Panics
    /// It is not as specified.
    #[track_caller]
    pub fn of(text: &str) -> Self {
        Self::read(text).unwrap_or_else(|| panic!("{text} is not a link as specified"))
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = body(text)?;
        let (content, check) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
        let version = content.first()? >> 4;
        if version != 1 || Sha256::digest(content)[..2] != *check {
            return None;
        }
        let flags = content.first()? & 0x0f;
        let pin = content.get(1..17)?.try_into().ok()?;
        let secret = OfferSecret::from_slice(content.get(17..33)?)?;
        let mut rest = content.get(33..)?;
        let mut link = Self { pin, secret, port: DEFAULT_PORT, hosts: Vec::new(), names: Vec::new() };
        if flags & 1 == 1 {
            link.port = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
            rest = rest.get(2..)?;
        }
        while let Some((kind, after)) = rest.split_first() {
            let length = match kind {
                4 => 4,
                6 => 16,
                1 => usize::from(*after.first()?) + 1,
                _ => return None,
            };
            let hint = after.get(..length)?;
            rest = after.get(length..)?;
            match kind {
                4 => link.hosts.push(Ipv4Addr::from(<[u8; 4]>::try_from(hint).ok()?).into()),
                6 => link.hosts.push(Ipv6Addr::from(<[u8; 16]>::try_from(hint).ok()?).into()),
                _ => link.names.push(String::from_utf8(hint[1..].to_vec()).ok()?),
            }
        }
        Some(link)
    }
}

fn body(text: &str) -> Option<Vec<u8>> {
    BASE32_NOPAD.decode(text.strip_prefix("pairpin:")?.as_bytes()).ok()
}

/// The same link with other bytes and a check that holds again.
///
/// # Panics
/// It is not a link.
#[track_caller]
pub fn changed(text: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = body(text).unwrap_or_else(|| panic!("{text} is not a link"));
    bytes.truncate(bytes.len() - 2);
    change(&mut bytes);
    let check = Sha256::digest(&bytes);
    bytes.extend_from_slice(&check[..2]);
    format!("pairpin:{}", BASE32_NOPAD.encode(&bytes))
}
