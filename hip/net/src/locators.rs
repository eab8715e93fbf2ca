//! Addresses: this host's, from the kernel; the peers', from the hosts file; and their translation
//! between the two cores, which do not know each other.

use std::net::{IpAddr, SocketAddr};

use hip_core::{PeerLocator, Transport};
use hip_wire::{hit::Hit, udp_encap};

use crate::{
    error::NetError,
    hosts::{HostEntry, HostLocator},
    lsi::LsiPrefix,
    netlink::{InterfaceAddress, Netlink},
    sockets::route_to,
};

/// The addresses of this host that peers may be told.
pub(crate) struct AddressBook {
    netlink: Netlink,
    /// Index of the TUN interface, whose addresses are names, not locators.
    tun: u32,
    lsi_prefix: LsiPrefix,
    /// Only these, in this order; empty: all.
    listen: Vec<IpAddr>,
    current: Vec<IpAddr>,
}

impl AddressBook {
    /// A book that is empty until the first [`read`](Self::read).
    pub(crate) fn new(
        tun: u32,
        lsi_prefix: LsiPrefix,
        listen: Vec<IpAddr>,
    ) -> Result<Self, NetError> {
        let netlink =
            Netlink::open().map_err(|error| NetError::system("open a netlink socket", error))?;
        Ok(Self {
            netlink,
            tun,
            lsi_prefix,
            listen,
            current: Vec::new(),
        })
    }

    /// Reads every address from the kernel; `None` when nothing changed.
    pub(crate) fn read(&mut self) -> Result<Option<Vec<IpAddr>>, NetError> {
        let all = self.netlink.addresses().or_else(|_| {
            // A dump that was interrupted leaves answers behind; a fresh socket has none.
            self.netlink = Netlink::open()?;
            self.netlink.addresses()
        });
        let all = all.map_err(|error| NetError::system("list addresses", error))?;
        let addresses = self.choose(&all);
        if addresses == self.current {
            return Ok(None);
        }
        self.current.clone_from(&addresses);
        Ok(Some(addresses))
    }

    /// What the last read brought.
    pub(crate) fn current(&self) -> &[IpAddr] {
        &self.current
    }

    fn choose(&self, all: &[InterfaceAddress]) -> Vec<IpAddr> {
        let usable = |address: &&InterfaceAddress| {
            address.interface != self.tun && !address.unusable && !self.is_name(address.address)
        };
        if !self.listen.is_empty() {
            let present =
                |listen: &&IpAddr| all.iter().filter(usable).any(|one| one.address == **listen);
            return self.listen.iter().filter(present).copied().collect();
        }
        let mut chosen: Vec<&InterfaceAddress> = all
            .iter()
            .filter(usable)
            .filter(|address| address.global && !address.address.is_loopback())
            .collect();
        // The kernel's order, what is on its way out last.
        chosen.sort_by_key(|address| address.deprecated);
        chosen.iter().map(|address| address.address).collect()
    }

    /// A HIT or LSI on some interface.
    fn is_name(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.lsi_prefix.contains(address),
            IpAddr::V6(address) => Hit::try_from(address).is_ok(),
        }
    }
}

/// How locators of the hosts file are used.
#[derive(Debug, Clone)]
pub(crate) struct LocatorPolicy {
    /// Transport of locators that name none.
    pub(crate) default_transport: Transport,
    /// Sockets that are open.
    pub(crate) udp: bool,
    pub(crate) raw: bool,
}

impl LocatorPolicy {
    /// The locators of a peer with the source addresses the routing table gives them; those
    /// without a route last.
    pub(crate) fn peer_locators(&self, entry: Option<&HostEntry>) -> Vec<PeerLocator> {
        let locators = entry.map_or(&[][..], |entry| &entry.locators);
        let mut locators: Vec<PeerLocator> = locators
            .iter()
            .map(|locator| self.peer_locator(locator))
            .filter(|locator| match locator.transport {
                Transport::Udp => self.udp,
                Transport::Raw => self.raw,
            })
            .map(|mut locator| {
                locator.local = route_to(locator.remote.ip(), None)
                    .ok()
                    .map(|route| route.local);
                locator
            })
            .collect();
        locators.sort_by_key(|locator| locator.local.is_none());
        locators
    }

    fn peer_locator(&self, locator: &HostLocator) -> PeerLocator {
        match (locator, self.default_transport) {
            (HostLocator::Raw(address), _) | (HostLocator::Address(address), Transport::Raw) => {
                PeerLocator::raw(*address)
            }
            (HostLocator::Udp(address), _) => PeerLocator::udp(*address),
            (HostLocator::Address(address), Transport::Udp) => {
                PeerLocator::udp(SocketAddr::new(*address, udp_encap::PORT))
            }
        }
    }
}

/// An SA as the data plane writes it.
pub(crate) fn esp_sa(sa: &hip_core::SaParameters) -> hip_esp::SaParameters {
    hip_esp::SaParameters {
        local: sa.local,
        peer: sa.peer,
        spi: sa.spi,
        keys: sa.keys.clone(),
        path: sa.path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(listen: &[&str]) -> AddressBook {
        let listen = listen
            .iter()
            .map(|text| text.parse().expect("address"))
            .collect();
        AddressBook::new(7, LsiPrefix::default(), listen).expect("netlink")
    }

    fn on(interface: u32, address: &str) -> InterfaceAddress {
        let address: IpAddr = address.parse().expect("address");
        let global = !address.to_string().starts_with("fe80") && !address.is_loopback();
        InterfaceAddress {
            interface,
            address,
            global,
            unusable: false,
            deprecated: false,
        }
    }

    fn kernel() -> Vec<InterfaceAddress> {
        let mut old = on(2, "2001:db8::99");
        old.deprecated = true;
        let mut tentative = on(2, "2001:db8::98");
        tentative.unusable = true;
        vec![
            on(1, "127.0.0.1"),
            old,
            on(2, "192.0.2.1"),
            on(7, "198.18.0.1"),
            on(7, "10.0.0.1"),
            on(3, "198.18.4.4"),
            on(1, "::1"),
            on(2, "fe80::1"),
            on(2, "2001:db8::1"),
            on(3, "2001:21::1"),
            tentative,
        ]
    }

    fn texts(addresses: &[IpAddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn locators_are_what_other_hosts_can_reach_and_never_names() {
        let chosen = book(&[]).choose(&kernel());
        assert_eq!(texts(&chosen), ["192.0.2.1", "2001:db8::1", "2001:db8::99"]);
    }

    #[test]
    fn listen_chooses_and_orders_but_cannot_make_addresses() {
        let chosen = book(&["2001:db8::1", "127.0.0.1", "203.0.113.9"]).choose(&kernel());
        assert_eq!(texts(&chosen), ["2001:db8::1", "127.0.0.1"]);
    }

    #[test]
    fn a_locator_without_transport_gets_the_configured_one_and_closed_transports_are_left_out() {
        let hosts =
            crate::hosts::HostsFile::parse("2001:21::5 - 127.0.0.1 127.0.0.1:4500 raw:127.0.0.1\n")
                .expect("hosts");
        let locate = |default_transport, udp, raw| {
            let policy = LocatorPolicy {
                default_transport,
                udp,
                raw,
            };
            let locators = policy.peer_locators(hosts.entries().first());
            assert!(
                locators
                    .iter()
                    .all(|locator| locator.local == Some([127, 0, 0, 1].into()))
            );
            locators.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            locate(Transport::Udp, true, true),
            ["127.0.0.1:10500", "127.0.0.1:4500", "raw:127.0.0.1"]
        );
        assert_eq!(locate(Transport::Raw, true, false), ["127.0.0.1:4500"]);
        assert_eq!(
            locate(Transport::Raw, false, true),
            ["raw:127.0.0.1", "raw:127.0.0.1"]
        );
        let policy = LocatorPolicy {
            default_transport: Transport::Udp,
            udp: true,
            raw: true,
        };
        assert!(policy.peer_locators(None).is_empty());
    }
}
