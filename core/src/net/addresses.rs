//! The machine's own addresses: which there are, of what kind, and which a device should try first.
//!
//! The machine's engine puts them into links, Grants and Welcomes; the command line shows them. An
//! address is a hint and never identity. [`classify`] guesses by name and range, for people and for
//! the order; no rule about trust may rest on it alone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::wire::{Address, AddressKind};

/// An address of one of the machine's interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address.
    pub ip: IpAddr,
    /// What network it belongs to.
    pub kind: AddressKind,
    /// The interface's name.
    pub interface: String,
}

/// Where a device may reach the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachableAddress {
    /// The address with its port.
    pub address: Address,
    /// What network it belongs to.
    pub kind: AddressKind,
    /// The interface's name.
    pub interface: String,
}

/// The machine's addresses, best first: the LAN of the default route, other LANs, tailnet, public
/// addresses, other tunnels, container bridges, loopback. IPv6 link-local addresses are left out
/// (they mean nothing without an interface of the device), as are those of interfaces that are down.
///
/// # Errors
/// The system does not list its interfaces.
pub fn local_addresses() -> io::Result<Vec<LocalAddress>> {
    use if_addrs::IfOperStatus as Status;
    let mut found = Vec::new();
    for interface in if_addrs::get_if_addrs()? {
        let down = matches!(interface.oper_status, Status::Down | Status::NotPresent | Status::LowerLayerDown);
        if down && !interface.is_loopback() {
            continue;
        }
        if let Some(kind) = classify(&interface.name, interface.ip(), interface.is_p2p()) {
            found.push(LocalAddress { ip: interface.ip(), kind, interface: interface.name });
        }
    }
    sort(&mut found, &default_route_sources());
    Ok(found)
}

/// Which of the machine's addresses lead to a socket that listens on `listening` (an unspecified
/// address stands for all), best first.
///
/// # Errors
/// As [`local_addresses`].
pub fn reachable(listening: &[SocketAddr]) -> io::Result<Vec<ReachableAddress>> {
    Ok(reachable_among(local_addresses()?, listening))
}

fn reachable_among(local: Vec<LocalAddress>, listening: &[SocketAddr]) -> Vec<ReachableAddress> {
    let port_for = |ip: &IpAddr| {
        listening.iter().find_map(|socket| {
            let all = match socket.ip() {
                IpAddr::V4(any) => any.is_unspecified() && ip.is_ipv4(),
                // Bound by `listen::bind`, it takes IPv4 too.
                IpAddr::V6(any) => any.is_unspecified(),
            };
            (all || socket.ip().to_canonical() == *ip).then_some(socket.port())
        })
    };
    let mut found: Vec<ReachableAddress> = local
        .into_iter()
        .filter_map(|LocalAddress { ip, kind, interface }| {
            let address = Address::from(SocketAddr::new(ip, port_for(&ip)?));
            Some(ReachableAddress { address, kind, interface })
        })
        .collect();
    // All of 127.0.0.0/8 is this machine, though its interface lists 127.0.0.1 alone.
    for socket in listening.iter().filter(|socket| socket.ip().is_loopback()) {
        let address = Address::from(*socket);
        let known = found.iter().any(|reachable| reachable.address == address);
        if let Some(kind) = classify("", socket.ip(), false).filter(|_| !known) {
            found.push(ReachableAddress { address, kind, interface: String::new() });
        }
    }
    found
}

/// What network an address belongs to; `None` for one that no device can use.
pub fn classify(interface: &str, ip: IpAddr, point_to_point: bool) -> Option<AddressKind> {
    let ip = ip.to_canonical();
    let useless =
        ip.is_unspecified() || ip.is_multicast() || matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if useless {
        return None;
    }
    let tunnel = point_to_point || starts_with_any(interface, TUNNELS);
    Some(if ip.is_loopback() {
        AddressKind::Loopback
    } else if is_container(interface) {
        AddressKind::Container
    } else if is_tailscale_v6(ip) || (is_shared(ip) && tunnel) {
        AddressKind::Tailnet
    } else if tunnel {
        AddressKind::Tunnel
    } else if is_private(ip) {
        AddressKind::Lan
    } else {
        // 100.64.0.0/10 on no tunnel is a carrier's NAT (RFC 6598): never LAN, never tailnet.
        AddressKind::Public
    })
}

const TUNNELS: &[&str] =
    &["tailscale", "ts", "wg", "tun", "tap", "utun", "ppp", "ipsec", "zt", "nebula", "wt", "nordlynx", "proton", "vpn"];

const CONTAINERS: &[&str] = &[
    "docker", "veth", "podman", "cni", "virbr", "vnet", "lxcbr", "lxdbr", "incusbr", "flannel", "cali", "cilium",
    "kube", "weave", "vmnet", "bridge1", "nerdctl",
];

fn starts_with_any(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// Docker names a network's bridge `br-` and twelve hexadecimal digits; `br-lan` is a router's LAN.
fn is_container(interface: &str) -> bool {
    let docker = |id: &str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit());
    starts_with_any(interface, CONTAINERS) || interface.strip_prefix("br-").is_some_and(docker)
}

/// RFC 6598: 100.64.0.0/10, which Tailscale gives out too.
fn is_shared(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]))
}

/// Tailscale's own prefix, fd7a:115c:a1e0::/48.
fn is_tailscale_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.segments()[..3] == [0xfd7a, 0x115c, 0xa1e0])
}

/// RFC 1918, RFC 3927 and RFC 4193.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

/// Smaller is better: the kind, then the default route, then IPv4 (shorter in a QR, and reachable
/// from more devices), self-assigned addresses behind the others.
fn sort(found: &mut [LocalAddress], default: &[IpAddr]) {
    let kind = |kind: AddressKind| match kind {
        AddressKind::Advertised => 0,
        AddressKind::Lan => 1,
        AddressKind::Tailnet => 2,
        AddressKind::Public => 3,
        AddressKind::Tunnel => 4,
        AddressKind::Container => 5,
        AddressKind::Loopback => 6,
    };
    let self_assigned = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if ip.is_link_local());
    found.sort_by_key(|a| {
        (kind(a.kind), self_assigned(a.ip), !default.contains(&a.ip), a.ip.is_ipv6(), a.interface.clone(), a.ip)
    });
}

/// The addresses this machine would speak from to the world. Connecting a UDP socket asks the
/// routing table and sends nothing; the addresses are documentation's (RFC 5737, RFC 3849).
fn default_route_sources() -> Vec<IpAddr> {
    let ask = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let v4 = ask(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 = ask(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    v4.into_iter().chain(v6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressKind as K;

    #[test]
    fn addresses_are_told_apart_by_interface_and_range() {
        for (interface, ip, point_to_point, kind) in [
            ("lo", "127.0.0.1", false, Some(K::Loopback)),
            ("lo", "127.0.1.1", false, Some(K::Loopback)),
            ("lo", "::1", false, Some(K::Loopback)),
            ("eth0", "192.168.1.20", false, Some(K::Lan)),
            ("wlan0", "10.0.0.7", false, Some(K::Lan)),
            ("enp3s0", "172.20.1.1", false, Some(K::Lan)),
            ("eth0", "169.254.3.4", false, Some(K::Lan)),
            ("eth0", "fd12:3456::1", false, Some(K::Lan)),
            ("br-lan", "192.168.1.1", false, Some(K::Lan)),
            ("br0", "192.168.1.2", false, Some(K::Lan)),
            ("eth0", "203.0.113.9", false, Some(K::Public)),
            ("eth0", "8.8.8.8", false, Some(K::Public)),
            ("eth0", "2a01:4f8::1", false, Some(K::Public)),
            ("eth0", "172.32.0.1", false, Some(K::Public)),
            // 100.64/10 off a tunnel is a carrier's NAT: neither LAN nor tailnet.
            ("wwan0", "100.70.1.2", false, Some(K::Public)),
            ("eth0", "100.100.1.2", false, Some(K::Public)),
            ("tailscale0", "100.101.102.103", false, Some(K::Tailnet)),
            ("utun4", "100.101.102.103", true, Some(K::Tailnet)),
            ("tailscale0", "fd7a:115c:a1e0::53", false, Some(K::Tailnet)),
            ("tailscale0", "100.128.0.1", false, Some(K::Tunnel)),
            ("tailscale0", "fe80::1", false, None),
            ("wg0", "10.8.0.2", false, Some(K::Tunnel)),
            ("tun0", "10.8.0.2", true, Some(K::Tunnel)),
            ("ppp0", "203.0.113.10", true, Some(K::Tunnel)),
            ("wg0", "fd00:8::2", false, Some(K::Tunnel)),
            ("docker0", "172.17.0.1", false, Some(K::Container)),
            ("br-0123456789ab", "172.18.0.1", false, Some(K::Container)),
            ("veth12ab", "10.1.1.1", false, Some(K::Container)),
            ("virbr0", "192.168.122.1", false, Some(K::Container)),
            ("podman0", "10.88.0.1", false, Some(K::Container)),
            ("cni0", "10.42.0.1", false, Some(K::Container)),
            ("docker0", "fd00:d0c::1", false, Some(K::Container)),
            ("eth0", "fe80::1", false, None),
            ("docker0", "fe80::2", false, None),
            ("eth0", "0.0.0.0", false, None),
            ("eth0", "224.0.0.1", false, None),
            ("eth0", "ff02::1", false, None),
            ("eth0", "::ffff:192.168.1.20", false, Some(K::Lan)),
        ] {
            assert_eq!(classify(interface, ip.parse().unwrap(), point_to_point), kind, "{interface} {ip}");
        }
    }

    fn local(interface: &str, ip: &str) -> LocalAddress {
        let ip: IpAddr = ip.parse().unwrap();
        LocalAddress { ip, kind: classify(interface, ip, false).unwrap(), interface: interface.to_owned() }
    }

    fn a_busy_machine() -> Vec<LocalAddress> {
        let mut found = vec![
            local("lo", "::1"),
            local("lo", "127.0.0.1"),
            local("docker0", "172.17.0.1"),
            local("br-0123456789ab", "172.18.0.1"),
            local("wg0", "10.8.0.2"),
            local("eth0", "2a01:4f8::1"),
            local("tailscale0", "fd7a:115c:a1e0::53"),
            local("tailscale0", "100.101.102.103"),
            local("eth1", "169.254.3.4"),
            local("eth0", "192.168.1.20"),
            local("eth0", "fd12:3456::1"),
            local("wlan0", "10.0.0.7"),
        ];
        sort(&mut found, &["10.0.0.7".parse().unwrap(), "2a01:4f8::1".parse().unwrap()]);
        found
    }

    #[test]
    fn the_lan_of_the_default_route_comes_first_and_loopback_last() {
        let order: Vec<String> = a_busy_machine().iter().map(|a| a.ip.to_string()).collect();
        assert_eq!(
            order,
            [
                "10.0.0.7",
                "192.168.1.20",
                "fd12:3456::1",
                "169.254.3.4",
                "100.101.102.103",
                "fd7a:115c:a1e0::53",
                "2a01:4f8::1",
                "10.8.0.2",
                "172.18.0.1",
                "172.17.0.1",
                "127.0.0.1",
                "::1",
            ]
        );
    }

    #[test]
    fn only_addresses_that_lead_to_the_socket_are_reachable() {
        let reach = |sockets: &[&str]| -> Vec<String> {
            let sockets: Vec<SocketAddr> = sockets.iter().map(|s| s.parse().unwrap()).collect();
            reachable_among(a_busy_machine(), &sockets).iter().map(|a| a.address.to_string()).collect()
        };
        assert_eq!(reach(&["[::]:7747"]).len(), 12);
        assert_eq!(reach(&["[::]:7747"])[0], "10.0.0.7:7747");
        assert_eq!(reach(&["0.0.0.0:80"]).len(), 8);
        assert_eq!(reach(&["192.168.1.20:1", "[fd12:3456::1]:2"]), ["192.168.1.20:1", "[fd12:3456::1]:2"]);
        assert_eq!(reach(&["203.0.113.1:1"]), Vec::<String>::new());
        assert_eq!(reach(&["127.0.9.4:1"]), ["127.0.9.4:1"]);
    }

    #[test]
    fn this_machine_lists_itself_without_unusable_addresses() {
        let found = local_addresses().unwrap();
        assert!(found.iter().any(|a| a.kind == K::Loopback), "{found:?}");
        assert!(found.iter().all(|a| classify(&a.interface, a.ip, false).is_some()), "{found:?}");
    }
}
