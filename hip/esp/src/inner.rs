//! An inner IP packet from the local host, taken apart.

use std::net::{Ipv4Addr, Ipv6Addr};

use hip_wire::ip::{IPV6_HEADER_LEN, Ipv4Header, Ipv6Header};

/// What sealing and ICMP errors need to know of a packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inner<'a> {
    /// Source and destination as written in the packet.
    pub(crate) addresses: Addresses,
    /// Transport protocol, or the first extension header.
    pub(crate) next_header: u8,
    /// Traffic class, or type of service.
    pub(crate) traffic_class: u8,
    /// Hop limit, or time to live.
    pub(crate) hop_limit: u8,
    /// The sender asked for no fragments (always so in IPv6).
    pub(crate) dont_fragment: bool,
    /// A fragment of an IPv4 packet.
    pub(crate) fragment: bool,
    /// A fragment that is not the first.
    pub(crate) later_fragment: bool,
    /// The whole packet as long as its header says.
    pub(crate) packet: &'a [u8],
    /// What follows the IP header. IPv4 options are left behind, as RFC 7402 B.1.5 recommends.
    pub(crate) payload: &'a [u8],
}

/// Inner addresses as found in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addresses {
    /// IPv6 source and destination.
    V6(Ipv6Addr, Ipv6Addr),
    /// IPv4 source and destination.
    V4(Ipv4Addr, Ipv4Addr),
}

impl<'a> Inner<'a> {
    /// Takes a packet apart; octets behind its stated length are left out.
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::parse_v4(packet),
            6 => Self::parse_v6(packet),
            _ => None,
        }
    }

    fn parse_v6(packet: &'a [u8]) -> Option<Self> {
        let header = Ipv6Header::parse(packet).ok()?;
        Some(Self {
            addresses: Addresses::V6(header.src, header.dst),
            next_header: header.next_header,
            traffic_class: header.traffic_class,
            hop_limit: header.hop_limit,
            dont_fragment: true,
            fragment: false,
            later_fragment: false,
            packet: packet.get(..IPV6_HEADER_LEN + usize::from(header.payload_len))?,
            payload: header.payload(packet),
        })
    }

    fn parse_v4(packet: &'a [u8]) -> Option<Self> {
        let header = Ipv4Header::parse(packet).ok()?;
        Some(Self {
            addresses: Addresses::V4(header.src, header.dst),
            next_header: header.protocol,
            traffic_class: header.traffic_class,
            hop_limit: header.ttl,
            dont_fragment: header.dont_fragment,
            fragment: header.is_fragment(),
            later_fragment: header.fragment_offset != 0,
            packet: packet.get(..usize::from(header.total_len))?,
            // 7402-B.1.5-06: options stay behind
            payload: header.payload(packet),
        })
    }
}
