//! The next hops of the system's routes: Linux lists them in `/proc/net`; elsewhere the answer is that it is
//! not known, and then nobody counts as being in the local network (`origin`).

use std::io;
use std::net::IpAddr;

/// All of them.
#[cfg(target_os = "linux")]
pub(super) fn all() -> io::Result<Vec<IpAddr>> {
    let mut found = v4(&std::fs::read_to_string("/proc/net/route")?)?;
    // Not there on a system without IPv6.
    match std::fs::read_to_string("/proc/net/ipv6_route") {
        Ok(text) => found.extend(v6(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(found)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn all() -> io::Result<Vec<IpAddr>> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// proc(5): a heading, then a route a line; destination, gateway and flags in hexadecimal, addresses as they
/// lie in memory.
#[cfg(any(target_os = "linux", test))]
fn v4(text: &str) -> io::Result<Vec<IpAddr>> {
    let mut found = Vec::new();
    for line in text.lines().skip(1) {
        let field = line.split_whitespace().nth(2).ok_or_else(unreadable)?;
        let bits = u32::from_str_radix(field, 16).map_err(|_| unreadable())?;
        // A route without a gateway has 0.0.0.0.
        if bits != 0 {
            found.push(IpAddr::from(bits.to_ne_bytes()));
        }
    }
    Ok(found)
}

/// The fifth field is the next hop, 32 hexadecimal digits in the order of the network.
#[cfg(any(target_os = "linux", test))]
fn v6(text: &str) -> io::Result<Vec<IpAddr>> {
    let mut found = Vec::new();
    for line in text.lines() {
        let field = line.split_whitespace().nth(4).ok_or_else(unreadable)?;
        let bits = u128::from_str_radix(field, 16).map_err(|_| unreadable())?;
        if bits != 0 {
            found.push(IpAddr::from(bits.to_be_bytes()));
        }
    }
    Ok(found)
}

#[cfg(any(target_os = "linux", test))]
fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the system's list of routes cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn gateways_are_found_in_the_tables_of_linux() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                     eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(v4(table).unwrap(), [IpAddr::from([192, 168, 1, 1])]);
        let table = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                     fe800000000000000000000000aa0001 00000400 00000001 00000000 00000003 eth0\n\
                     20010db8000100000000000000000000 40 00000000000000000000000000000000 00 \
                     00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n";
        assert_eq!(v6(table).unwrap(), ["fe80::aa:1".parse::<IpAddr>().unwrap()]);
        assert!(v4("heading\neth0\n").is_err() && v6("x\n").is_err(), "what cannot be read is not an empty list");
        assert_eq!(v4("heading\n").unwrap(), Vec::<IpAddr>::new());
    }
}
