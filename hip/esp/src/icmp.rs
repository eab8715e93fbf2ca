//! ICMP errors for the local sender of an inner packet.
//!
//! They come from the address the packet was for: the only one that the
//! sender's kernel accepts on the TUN without looking like a spoofed local one.

use hip_wire::WireError;
use hip_wire::checksum::Sum;
use hip_wire::ip::{
    ICMP_HEADER_LEN, IPV4_HEADER_LEN, IPV6_HEADER_LEN, IcmpHeader, Ipv4Header, Ipv6Header,
    PROTOCOL_ICMP, PROTOCOL_ICMPV6,
};

use crate::encap::{IPV4_MTU_MIN, IPV6_MTU_MIN};
use crate::inner::{Addresses, Inner};

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
    let written = match inner.addresses {
        Addresses::V6(source, destination) => {
            let quote = quoted(
                inner.packet,
                IPV6_MTU_MIN - IPV6_HEADER_LEN - ICMP_HEADER_LEN,
            );
            let message = ICMP_HEADER_LEN + quote.len();
            let mut header = [0; IPV6_HEADER_LEN];
            // The error comes from where the packet was to go.
            let (from, to) = (destination, source);
            let written = Ipv6Header::new(from, to, PROTOCOL_ICMPV6, HOP_LIMIT, message)
                .and_then(|fields| fields.write(&mut header));
            let length = u32::try_from(message).unwrap_or(u32::MAX);
            let pseudo = Sum::new().add_ipv6_pseudo(from, to, PROTOCOL_ICMPV6, length);
            out.extend_from_slice(&header);
            written.and_then(|()| write_message(v6, rest, quote, pseudo, out))
        }
        Addresses::V4(source, destination) => {
            let quote = quoted(
                inner.packet,
                IPV4_MTU_MIN - IPV4_HEADER_LEN - ICMP_HEADER_LEN,
            );
            let message = ICMP_HEADER_LEN + quote.len();
            let mut header = [0; IPV4_HEADER_LEN];
            let (from, to) = (destination, source);
            let written = Ipv4Header::new(from, to, PROTOCOL_ICMP, HOP_LIMIT, message)
                .and_then(|fields| fields.write(&mut header));
            out.extend_from_slice(&header);
            written.and_then(|()| write_message(v4, rest, quote, Sum::new(), out))
        }
    };
    if written.is_err() {
        out.truncate(start);
    }
    written.is_ok()
}

/// As much of the packet as the smallest link carries.
fn quoted(packet: &[u8], most: usize) -> &[u8] {
    packet.get(..most).unwrap_or(packet)
}

fn write_message(
    [icmp_type, code]: [u8; 2],
    rest: [u8; 4],
    quote: &[u8],
    pseudo: Sum,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut header = [0; ICMP_HEADER_LEN];
    let fields = IcmpHeader {
        icmp_type,
        code,
        checksum: 0,
        rest,
    };
    fields.write(&mut header)?;
    let checksum = pseudo.add_bytes(&header).add_bytes(quote).finish();
    IcmpHeader { checksum, ..fields }.write(&mut header)?;
    out.extend_from_slice(&header);
    out.extend_from_slice(quote);
    Ok(())
}

/// No errors about errors, about group addresses, or about later fragments
/// (RFC 4443 §2.4 e, RFC 1122 §3.2.2).
fn answerable(inner: &Inner<'_>) -> bool {
    let kind = inner.payload.first().copied();
    match inner.addresses {
        Addresses::V6(source, destination) => {
            let error = inner.next_header == PROTOCOL_ICMPV6 && kind.is_none_or(|kind| kind < 128);
            let group = source.is_multicast() || destination.is_multicast();
            !error && !group && !source.is_unspecified()
        }
        Addresses::V4(source, destination) => {
            let error = inner.next_header == PROTOCOL_ICMP
                && kind.is_none_or(|kind| matches!(kind, 3 | 4 | 5 | 11 | 12));
            let group = destination.is_multicast() || destination.is_broadcast();
            let nobody = source.is_multicast() || source.is_broadcast() || source.is_unspecified();
            !error && !group && !nobody && !inner.later_fragment
        }
    }
}
