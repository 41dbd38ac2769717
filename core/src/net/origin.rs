//! From which network a connection comes, as far as it may be believed: for whom may ask to be let in.
//!
//! The machine's engine asks [`origin`] with both ends of an accepted socket. A source counts as the local
//! network only where it is on-link of the very interface the connection came in by, and is no gateway: behind
//! a gateway, or a forwarder on loopback, may stand anybody. What headers say of other addresses is never read.

use std::io;
use std::net::{IpAddr, UdpSocket};

use super::addresses::classify;
use super::gateways;
use crate::wire::AddressKind;

/// An address of one of the machine's interfaces, with its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The interface's name.
    pub name: String,
    /// The address.
    pub ip: IpAddr,
    /// Bits of it that name the network.
    pub prefix: u8,
    /// It has one peer, as a tunnel has.
    pub point_to_point: bool,
}

/// What the system knows of its networks.
pub trait Networks: Send + Sync {
    /// The addresses of its interfaces.
    ///
    /// # Errors
    /// The system does not say.
    fn interfaces(&self) -> io::Result<Vec<Interface>>;

    /// The next hops of all routes.
    ///
    /// # Errors
    /// The system does not say, or there is no way here to ask it. Then no source counts as local.
    fn gateways(&self) -> io::Result<Vec<IpAddr>>;

    /// The own address from which it would speak to `peer`.
    ///
    /// # Errors
    /// There is no route.
    fn speaks_from(&self, peer: IpAddr) -> io::Result<IpAddr>;
}

/// The networks of the system that this runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNetworks;

impl Networks for SystemNetworks {
    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        let all = if_addrs::get_if_addrs()?.into_iter().map(|interface| {
            let prefix = match &interface.addr {
                if_addrs::IfAddr::V4(v4) => v4.netmask.to_bits().leading_ones(),
                if_addrs::IfAddr::V6(v6) => v6.netmask.to_bits().leading_ones(),
            };
            Interface {
                ip: interface.ip(),
                point_to_point: interface.is_p2p(),
                prefix: u8::try_from(prefix).unwrap_or(u8::MAX),
                name: interface.name,
            }
        });
        Ok(all.collect())
    }

    fn gateways(&self) -> io::Result<Vec<IpAddr>> {
        gateways::all()
    }

    /// Connecting a UDP socket asks the routing table and sends nothing.
    fn speaks_from(&self, peer: IpAddr) -> io::Result<IpAddr> {
        let any: IpAddr = if peer.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((peer, 9))?;
        Ok(socket.local_addr()?.ip().to_canonical())
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// What network that is; [`AddressKind::Public`] for whatever is not known to be nearer.
    pub kind: AddressKind,
    /// It is in the machine's own network, with nothing in between.
    pub same_network: bool,
}

impl Origin {
    const FAR: Self = Self { kind: AddressKind::Public, same_network: false };
}

/// Where the connection from `peer` to our `local` comes from.
pub fn origin(networks: &dyn Networks, peer: IpAddr, local: IpAddr) -> Origin {
    let (peer, local) = (peer.to_canonical(), local.to_canonical());
    if peer.is_loopback() || local.is_loopback() || peer == local {
        return Origin { kind: AddressKind::Loopback, same_network: false };
    }
    let Ok(interfaces) = networks.interfaces() else { return Origin::FAR };
    // This machine speaking to itself by another of its addresses: a forwarder may stand there too.
    if interfaces.iter().any(|own| own.ip.to_canonical() == peer) {
        return Origin { kind: AddressKind::Loopback, same_network: false };
    }
    let Some(entry) = interfaces.iter().find(|own| own.ip.to_canonical() == local) else { return Origin::FAR };
    let Some(kind) = classify(&entry.name, local, entry.point_to_point) else { return Origin::FAR };
    // An address of ours can be reached by any of the interfaces; the answers to this peer go by one.
    let answers_there = networks.speaks_from(peer).is_ok_and(|from| {
        interfaces.iter().any(|own| own.ip.to_canonical() == from.to_canonical() && own.name == entry.name)
    });
    if !answers_there {
        return Origin::FAR;
    }
    match kind {
        // The range alone is a guess: a carrier's NAT has it on a dial-up link, and anybody in the network can
        // announce that of IPv6, for the machine to take an address of it.
        AddressKind::Tailnet if !is_of_a_tailnet(&entry.name) => Origin::FAR,
        AddressKind::Tailnet | AddressKind::Tunnel | AddressKind::Container => Origin { kind, same_network: false },
        // An IPv4 network that the world can reach is a hoster's; one of IPv6 is what every home has.
        AddressKind::Lan | AddressKind::Public if kind == AddressKind::Lan || local.is_ipv6() => {
            // The routes are read for who may be near alone: anybody may ask, and there may be many.
            let is_gateway = |all: Vec<IpAddr>| all.iter().any(|hop| same_host(*hop, peer));
            let near = on_link(entry, peer) && networks.gateways().is_ok_and(|all| !is_gateway(all));
            if near { Origin { kind: AddressKind::Lan, same_network: true } } else { Origin::FAR }
        }
        _ => Origin::FAR,
    }
}

/// Interfaces that a tailnet's own software makes: Tailscale's, its one of macOS, NetBird's.
const TAILNETS: &[&str] = &["tailscale", "ts", "utun", "wt"];

fn is_of_a_tailnet(interface: &str) -> bool {
    TAILNETS.iter().any(|name| {
        let number = interface.strip_prefix(name);
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Whether `peer` is in the network of an interface, by its prefix. One that holds nobody else says nothing.
fn on_link(interface: &Interface, peer: IpAddr) -> bool {
    let prefix = u32::from(interface.prefix);
    match (interface.ip.to_canonical(), peer) {
        (IpAddr::V4(own), IpAddr::V4(peer)) if (1..32).contains(&prefix) => {
            (own.to_bits() ^ peer.to_bits()) >> (32 - prefix) == 0
        }
        (IpAddr::V6(own), IpAddr::V6(peer)) if (1..128).contains(&prefix) => {
            (own.to_bits() ^ peer.to_bits()) >> (128 - prefix) == 0
        }
        _ => false,
    }
}

/// Whether it is the gateway's address. A router names its IPv6 addresses alike: routes have the link-local
/// one, packets another with the same last 64 bits.
fn same_host(gateway: IpAddr, peer: IpAddr) -> bool {
    match (gateway.to_canonical(), peer) {
        (IpAddr::V6(gateway), IpAddr::V6(peer)) => gateway.to_bits() as u64 == peer.to_bits() as u64,
        (gateway, peer) => gateway == peer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Fixed {
        interfaces: Vec<Interface>,
        gateways: Option<Vec<IpAddr>>,
        /// Another way than that of the network.
        routed: Option<IpAddr>,
    }

    impl Networks for Fixed {
        fn interfaces(&self) -> io::Result<Vec<Interface>> {
            Ok(self.interfaces.clone())
        }

        fn gateways(&self) -> io::Result<Vec<IpAddr>> {
            self.gateways.clone().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
        }

        fn speaks_from(&self, peer: IpAddr) -> io::Result<IpAddr> {
            if let Some(ip) = self.routed {
                return Ok(ip);
            }
            let by_network = self.interfaces.iter().find(|own| on_link(own, peer));
            Ok(by_network.or(self.interfaces.first()).unwrap().ip)
        }
    }

    fn interface(name: &str, ip: &str, prefix: u8) -> Interface {
        Interface { name: name.into(), ip: ip.parse().unwrap(), prefix, point_to_point: false }
    }

    fn a_home() -> Fixed {
        Fixed {
            interfaces: vec![
                interface("eth0", "192.168.1.20", 24),
                interface("eth0", "2001:db8:1::20", 64),
                interface("lo", "127.0.0.1", 8),
                interface("docker0", "172.17.0.1", 16),
                interface("tailscale0", "100.101.102.103", 10),
                interface("wwan0", "100.70.1.2", 10),
                interface("wg0", "10.8.0.2", 24),
                interface("eth1", "203.0.113.9", 24),
            ],
            gateways: Some(vec!["192.168.1.1".parse().unwrap(), "fe80::aa:1".parse().unwrap()]),
            routed: None,
        }
    }

    fn of(networks: &Fixed, peer: &str, local: &str) -> (AddressKind, bool) {
        let origin = origin(networks, peer.parse().unwrap(), local.parse().unwrap());
        (origin.kind, origin.same_network)
    }

    #[test]
    fn a_source_is_local_only_on_link_of_the_interface_it_came_in_by_and_never_the_gateway() {
        use AddressKind as K;
        let far = (K::Public, false);
        for (peer, local, wanted) in [
            ("192.168.1.34", "192.168.1.20", (K::Lan, true)),
            ("::ffff:192.168.1.34", "::ffff:192.168.1.20", (K::Lan, true)),
            ("2001:db8:1::34", "2001:db8:1::20", (K::Lan, true)),
            // The gateway may speak for anybody behind it.
            ("192.168.1.1", "192.168.1.20", far),
            ("2001:db8:1::aa:1", "2001:db8:1::20", far),
            // Routed here, from wherever.
            ("192.168.2.34", "192.168.1.20", far),
            ("2001:db8:2::34", "2001:db8:1::20", far),
            ("198.51.100.7", "192.168.1.20", far),
            // Loopback, and the machine's own addresses: a forwarder may stand there.
            ("127.0.0.1", "127.0.0.1", (K::Loopback, false)),
            ("::1", "::1", (K::Loopback, false)),
            ("192.168.1.20", "192.168.1.20", (K::Loopback, false)),
            ("172.17.0.1", "192.168.1.20", (K::Loopback, false)),
            // A container's bridge is no LAN.
            ("172.17.0.5", "172.17.0.1", (K::Container, false)),
            ("172.17.0.5", "192.168.1.20", far),
            // By the tunnel's interface it is the tailnet; the same range elsewhere is a carrier's NAT.
            ("100.90.1.1", "100.101.102.103", (K::Tailnet, false)),
            ("100.90.1.1", "192.168.1.20", far),
            ("10.8.0.7", "10.8.0.2", (K::Tunnel, false)),
            // A hoster's neighbours.
            ("203.0.113.10", "203.0.113.9", far),
            // Not an address of this machine.
            ("192.168.1.34", "192.168.1.99", far),
        ] {
            assert_eq!(of(&a_home(), peer, local), wanted, "{peer} at {local}");
        }
        let mut mobile = a_home();
        mobile.interfaces.retain(|own| own.name != "tailscale0");
        assert_eq!(of(&mobile, "100.90.1.1", "100.70.1.2"), far, "a carrier's NAT");
    }

    #[test]
    fn a_range_of_a_tailnet_on_another_interface_is_no_tailnet() {
        let dial_up = |name| Fixed {
            interfaces: vec![Interface { point_to_point: true, ..interface(name, "100.70.9.9", 32) }],
            gateways: Some(Vec::new()),
            routed: None,
        };
        let far = (AddressKind::Public, false);
        for name in ["ppp0", "ppp-fibre", "wwan0", "CloudflareWARP", "tun0", "tsunami"] {
            assert_eq!(of(&dial_up(name), "100.71.2.3", "100.70.9.9"), far, "a carrier's NAT on {name}");
        }
        for name in ["tailscale0", "utun4", "wt0", "ts0"] {
            assert_eq!(of(&dial_up(name), "100.71.2.3", "100.70.9.9").0, AddressKind::Tailnet, "the control: {name}");
        }
        // Made of what a neighbour announced.
        let announced = Fixed {
            interfaces: vec![interface("eth0", "fd7a:115c:a1e0:1::20", 64)],
            gateways: Some(Vec::new()),
            routed: None,
        };
        assert_eq!(of(&announced, "fd7a:115c:a1e0:1::66", "fd7a:115c:a1e0:1::20"), far);
    }

    #[test]
    fn an_address_of_ours_that_is_reached_by_another_interface_is_far() {
        let mut networks = a_home();
        assert_eq!(of(&networks, "192.168.1.34", "192.168.1.20").0, AddressKind::Lan, "the control");
        networks.routed = Some("203.0.113.9".parse().unwrap());
        assert_eq!(of(&networks, "192.168.1.34", "192.168.1.20").0, AddressKind::Public);
        assert_eq!(of(&networks, "100.90.1.1", "100.101.102.103").0, AddressKind::Public);
    }

    #[test]
    fn where_nobody_knows_the_gateways_nobody_is_local() {
        let networks = Fixed { gateways: None, ..a_home() };
        assert_eq!(of(&networks, "192.168.1.34", "192.168.1.20").0, AddressKind::Public);
        assert_eq!(of(&networks, "100.90.1.1", "100.101.102.103").0, AddressKind::Tailnet);
    }

    #[test]
    fn this_system_answers() {
        assert!(SystemNetworks.interfaces().unwrap().iter().any(|own| own.ip.is_loopback()));
        assert!(SystemNetworks.speaks_from([127, 0, 0, 1].into()).unwrap().is_loopback());
        #[cfg(target_os = "linux")]
        SystemNetworks.gateways().unwrap();
    }
}
