//! ICMP errors for the local sender of an inner packet.
//!
//! They come from the address the packet was for: the only one that the
//! sender's kernel accepts on the TUN without looking like a spoofed local one.

use hip_wire::checksum::{Sum, internet};

use crate::beet::{Addresses, ICMP, ICMPV6, Inner};
use crate::encap::{IPV4_HEADER, IPV4_MTU_MIN, IPV6_HEADER, IPV6_MTU_MIN};

/// Type, code, checksum and four octets more.
const ICMP_HEADER: usize = 8;
const HOP_LIMIT: u8 = 64;

/// Why a destination cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// No locator of the peer is known.
    NoRoute,
    /// Policy, on this host or the peer's, forbids the association.
    Admin,
    /// The peer does not answer, or the address stands for nobody.
    Address,
}

/// Appends the error "destination unreachable" for an inner packet.
/// Returns false, with nothing appended, for packets that must not be answered.
pub fn unreachable(packet: &[u8], why: Unreachable, out: &mut Vec<u8>) -> bool {
    let (v6, v4) = match why {
        Unreachable::NoRoute => ([1, 0], [3, 0]),
        Unreachable::Admin => ([1, 1], [3, 13]),
        Unreachable::Address => ([1, 3], [3, 1]),
    };
    append(packet, v6, v4, [0; 4], out)
}

/// Appends "packet too big" (IPv6) or "fragmentation needed" (IPv4) with the
/// MTU that would fit. Returns false for packets that must not be answered.
pub fn too_big(packet: &[u8], mtu: usize, out: &mut Vec<u8>) -> bool {
    // The IPv4 field is the last two octets of the same four (RFC 1191).
    let mtu = u32::from(u16::try_from(mtu).unwrap_or(u16::MAX));
    append(packet, [2, 0], [3, 4], mtu.to_be_bytes(), out)
}

fn append(packet: &[u8], v6: [u8; 2], v4: [u8; 2], rest: [u8; 4], out: &mut Vec<u8>) -> bool {
    let Some(inner) = Inner::parse(packet).filter(answerable) else {
        return false;
    };
    let start = out.len();
    match inner.addresses {
        Addresses::V6(source, destination) => {
            let quote = quoted(inner.packet, IPV6_MTU_MIN - IPV6_HEADER - ICMP_HEADER);
            let length = u16::try_from(ICMP_HEADER + quote.len()).unwrap_or(u16::MAX);
            let [l0, l1] = length.to_be_bytes();
            out.extend_from_slice(&[0x60, 0, 0, 0, l0, l1, ICMPV6, HOP_LIMIT]);
            out.extend_from_slice(&destination);
            out.extend_from_slice(&source);
            message(v6, rest, quote, out);
            let sum = Sum::new()
                .add_ipv6_pseudo(destination.into(), source.into(), ICMPV6, u32::from(length))
                .add(out.get(start + IPV6_HEADER..).unwrap_or_default());
            put_checksum(out, start + IPV6_HEADER + 2, sum.finish());
        }
        Addresses::V4(source, destination) => {
            let quote = quoted(inner.packet, IPV4_MTU_MIN - IPV4_HEADER - ICMP_HEADER);
            let length = IPV4_HEADER + ICMP_HEADER + quote.len();
            let [l0, l1] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
            out.extend_from_slice(&[0x45, 0, l0, l1, 0, 0, 0x40, 0, HOP_LIMIT, ICMP, 0, 0]);
            out.extend_from_slice(&destination.octets());
            out.extend_from_slice(&source.octets());
            let sum = internet(out.get(start..).unwrap_or_default());
            put_checksum(out, start + 10, sum);
            message(v4, rest, quote, out);
            let sum = internet(out.get(start + IPV4_HEADER..).unwrap_or_default());
            put_checksum(out, start + IPV4_HEADER + 2, sum);
        }
    }
    true
}

/// As much of the packet as the smallest link carries.
fn quoted(packet: &[u8], most: usize) -> &[u8] {
    packet.get(..most).unwrap_or(packet)
}

fn message([kind, code]: [u8; 2], rest: [u8; 4], quote: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[kind, code, 0, 0]);
    out.extend_from_slice(&rest);
    out.extend_from_slice(quote);
}

fn put_checksum(out: &mut [u8], at: usize, checksum: u16) {
    if let Some(field) = out.get_mut(at..at + 2) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// No errors about errors, about group addresses, or about later fragments
/// (RFC 4443 §2.4 e, RFC 1122 §3.2.2).
fn answerable(inner: &Inner<'_>) -> bool {
    let kind = inner.payload.first().copied();
    match inner.addresses {
        Addresses::V6(source, destination) => {
            let error = inner.next_header == ICMPV6 && kind.is_none_or(|kind| kind < 128);
            let multicast = |address: [u8; 16]| address.starts_with(&[0xff]);
            !error && !multicast(source) && !multicast(destination) && source != [0; 16]
        }
        Addresses::V4(source, destination) => {
            let error = inner.next_header == ICMP
                && kind.is_none_or(|kind| matches!(kind, 3 | 4 | 5 | 11 | 12));
            let group = destination.is_multicast() || destination.is_broadcast();
            let nobody = source.is_multicast() || source.is_broadcast() || source.is_unspecified();
            !error && !group && !nobody && !inner.later_fragment
        }
    }
}
