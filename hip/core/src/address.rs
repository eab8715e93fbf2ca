//! Which of this host's addresses a packet to a peer starts from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::path::{Path, PeerLocator, Transport};

/// The path from this host to `locator`, or `None` when no local address fits.
///
/// The shell's own route look-up wins. Otherwise candidates are those of the
/// same family and scope; the one with the longest common prefix is taken
/// (RFC 6724 rule 8), the shell's order breaking ties. With UDP and nothing
/// known the address is left unspecified for the kernel to choose; raw
/// packets need it for their checksum.
// 7401-6.1-08
pub(crate) fn path_to(locator: &PeerLocator, addresses: &[IpAddr], udp_port: u16) -> Option<Path> {
    let remote = locator.remote.ip().to_canonical();
    let local = match locator.local {
        Some(local) if local.is_ipv4() == remote.is_ipv4() => local,
        Some(_) => return None,
        None => select_source(remote, addresses)
            .or_else(|| unspecified(locator.transport, remote, addresses))?,
    };
    let (local_port, remote_port) = match locator.transport {
        Transport::Raw => (0, 0),
        Transport::Udp => (udp_port, locator.remote.port()),
    };
    Some(Path {
        transport: locator.transport,
        local: SocketAddr::new(local, local_port),
        remote: SocketAddr::new(remote, remote_port),
    })
}

fn select_source(remote: IpAddr, addresses: &[IpAddr]) -> Option<IpAddr> {
    if remote.is_loopback() {
        return Some(remote);
    }
    let mut best: Option<(u32, IpAddr)> = None;
    for &candidate in addresses {
        if candidate.is_ipv4() != remote.is_ipv4() || scope(candidate) != scope(remote) {
            continue;
        }
        let common = common_prefix(candidate, remote);
        if best.is_none_or(|(length, _)| common > length) {
            best = Some((common, candidate));
        }
    }
    best.map(|(_, address)| address)
}

fn unspecified(transport: Transport, remote: IpAddr, addresses: &[IpAddr]) -> Option<IpAddr> {
    let nothing_known = addresses.is_empty();
    match (transport, remote) {
        (Transport::Udp, IpAddr::V4(_)) if nothing_known => Some(Ipv4Addr::UNSPECIFIED.into()),
        (Transport::Udp, IpAddr::V6(_)) if nothing_known => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    }
}

#[derive(PartialEq, Eq)]
enum Scope {
    Loopback,
    Link,
    Global,
}

fn scope(address: IpAddr) -> Scope {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    match (address.is_loopback(), link_local) {
        (true, _) => Scope::Loopback,
        (false, true) => Scope::Link,
        (false, false) => Scope::Global,
    }
}

fn common_prefix(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local_for(locator: PeerLocator, addresses: &[&str]) -> Option<String> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        path_to(&locator, &addresses, 10500).map(|path| path.local.to_string())
    }

    fn udp(text: &str) -> PeerLocator {
        PeerLocator::udp(text.parse().unwrap())
    }

    fn raw(text: &str) -> PeerLocator {
        PeerLocator::raw(text.parse().unwrap())
    }

    /// 7401-6.1-08
    #[test]
    fn the_source_is_of_the_same_family_and_scope_and_nearest_by_prefix() {
        let own = [
            "127.0.0.1",
            "10.0.0.5",
            "192.0.2.7",
            "fe80::1",
            "2001:db8::7",
        ];
        assert_eq!(
            local_for(udp("192.0.2.9:10500"), &own).unwrap(),
            "192.0.2.7:10500"
        );
        assert_eq!(
            local_for(udp("10.9.9.9:10500"), &own).unwrap(),
            "10.0.0.5:10500"
        );
        assert_eq!(
            local_for(raw("2001:db8::9"), &own).unwrap(),
            "[2001:db8::7]:0"
        );
        assert_eq!(local_for(raw("fe80::9"), &own).unwrap(), "[fe80::1]:0");
        assert_eq!(
            local_for(udp("127.0.0.1:10501"), &own).unwrap(),
            "127.0.0.1:10500"
        );
    }

    #[test]
    fn a_family_this_host_lacks_gives_no_path() {
        assert_eq!(local_for(raw("2001:db8::9"), &["192.0.2.7"]), None);
        assert_eq!(local_for(udp("[2001:db8::9]:10500"), &["192.0.2.7"]), None);
    }

    #[test]
    fn without_known_addresses_only_udp_can_leave_the_choice_to_the_kernel() {
        assert_eq!(
            local_for(udp("192.0.2.9:10500"), &[]).unwrap(),
            "0.0.0.0:10500"
        );
        assert_eq!(local_for(raw("192.0.2.9"), &[]), None);
    }

    #[test]
    fn the_route_lookup_of_the_shell_wins() {
        let mut locator = udp("192.0.2.9:10500");
        locator.local = Some("198.51.100.1".parse().unwrap());
        assert_eq!(
            local_for(locator, &["192.0.2.7"]).unwrap(),
            "198.51.100.1:10500"
        );
    }
}
