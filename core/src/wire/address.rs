//! Where a machine may be reached: hints, never identity.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DEFAULT_PORT;

/// What kind of network an address belongs to, as shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressKind {
    /// The local network.
    Lan,
    /// A tailnet (Tailscale, Headscale).
    Tailnet,
    /// Another tunnel (WireGuard, OpenVPN).
    Tunnel,
    /// A public address.
    Public,
    /// A container bridge: reachable from containers on this machine only.
    Container,
    /// This machine only.
    Loopback,
    /// Given by the person (`--advertise`).
    Advertised,
}

impl AddressKind {
    /// The word shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lan => "LAN",
            Self::Tailnet => "tailnet",
            Self::Tunnel => "tunnel",
            Self::Public => "public",
            Self::Container => "container",
            Self::Loopback => "loopback",
            Self::Advertised => "advertised",
        }
    }
}

/// A host and a port: an IP address or a DNS name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// IP address without brackets, or lower-case DNS name.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// The text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address, use HOST, HOST:PORT or [IPv6]:PORT")]
pub struct UnreadableAddress(pub String);

impl Address {
    /// What its number alone says: whoever dials it knows no more of the network behind. 100.64/10 counts as a
    /// tailnet's, a name as given by the person.
    pub fn kind(&self) -> AddressKind {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) if ip.is_loopback() => AddressKind::Loopback,
            Ok(IpAddr::V4(ip)) if ip.is_private() || ip.is_link_local() => AddressKind::Lan,
            Ok(IpAddr::V4(ip)) if ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64 => AddressKind::Tailnet,
            Ok(IpAddr::V6(ip)) if ip.is_loopback() => AddressKind::Loopback,
            // Tailscale's own part of the unique local addresses.
            Ok(IpAddr::V6(ip)) if ip.segments()[..3] == [0xFD7A, 0x115C, 0xA1E0] => AddressKind::Tailnet,
            Ok(IpAddr::V6(ip)) if ip.is_unique_local() || ip.is_unicast_link_local() => AddressKind::Lan,
            Ok(_) => AddressKind::Public,
            Err(_) => AddressKind::Advertised,
        }
    }

    /// The IP address, where the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Self {
        Self { host: addr.ip().to_canonical().to_string(), port: addr.port() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = UnreadableAddress;

    /// Reads `HOST`, `HOST:PORT`, `[IPv6]`, `[IPv6]:PORT` or a bare IPv6 address; the port is
    /// [`DEFAULT_PORT`] where it is left out.
    fn from_str(text: &str) -> Result<Self, UnreadableAddress> {
        let wrong = || UnreadableAddress(text.chars().take(80).collect());
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            return Ok(Self { host: ip.to_string(), port: DEFAULT_PORT });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
                let port = if digits { port.parse().ok() } else { None };
                (host, port.filter(|port| *port != 0).ok_or_else(wrong)?)
            }
            _ => (text, DEFAULT_PORT),
        };
        if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            let ip: Ipv6Addr = inner.parse().map_err(|_| wrong())?;
            return Ok(Self { host: ip.to_string(), port });
        }
        if is_host_name(host) { Ok(Self { host: host.to_ascii_lowercase(), port }) } else { Err(wrong()) }
    }
}

/// RFC 1123 section 2.1 names; IPv4 addresses are among them, and what looks like a bad one is not.
fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let numeric_end = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(label) && (!numeric_end || host.parse::<IpAddr>().is_ok())
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_by_its_number_what_network_it_is_of() {
        for (text, kind) in [
            ("192.168.1.4", AddressKind::Lan),
            ("169.254.0.9", AddressKind::Lan),
            ("100.64.0.1", AddressKind::Tailnet),
            ("100.127.255.1", AddressKind::Tailnet),
            ("100.128.0.1", AddressKind::Public),
            ("127.0.0.1", AddressKind::Loopback),
            ("8.8.8.8", AddressKind::Public),
            ("[fd7a:115c:a1e0::1]", AddressKind::Tailnet),
            ("[fd00::1]", AddressKind::Lan),
            ("[::1]", AddressKind::Loopback),
            ("[2001:db8::1]", AddressKind::Public),
            ("homebox.example", AddressKind::Advertised),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().kind(), kind, "{text}");
        }
    }

    #[test]
    fn addresses_read_as_people_write_them() {
        for (text, shown) in [
            ("homebox", "homebox:7747"),
            ("Homebox.local:80", "homebox.local:80"),
            ("192.168.1.2", "192.168.1.2:7747"),
            ("fe80::1", "[fe80::1]:7747"),
            ("[fe80::1]", "[fe80::1]:7747"),
            ("[fe80::1]:99", "[fe80::1]:99"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", ":", "a:0", "a:70000", "a b", "300.1.1.1", "[::1", "http://a", "a:+5", "-a", "a..b"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
