//! Transport checksums under a change of addresses, so that a packet between
//! LSIs carries on the wire the checksum over the HITs (RFC 7402 §3.2).

use std::net::Ipv6Addr;

use hip_wire::checksum::{Delta, Sum};
use hip_wire::ip::{PROTOCOL_DCCP, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_UDP_LITE};

use crate::drop::DropReason;

/// Where the checksum of a transport protocol stands, if it covers addresses.
const fn checksum_offset(protocol: u8) -> Option<usize> {
    match protocol {
        PROTOCOL_TCP => Some(16),
        PROTOCOL_UDP | PROTOCOL_UDP_LITE | PROTOCOL_DCCP => Some(6),
        _ => None,
    }
}

/// Corrects the checksum in a transport header. Length and protocol count the
/// same in both pseudo headers, so the addresses are all that changes. A UDP
/// checksum of 0 (none) stays 0; one that becomes 0 is written as 0xffff (RFC 768).
pub(crate) fn translate(
    protocol: u8,
    transport: &mut [u8],
    change: Delta,
) -> Result<(), DropReason> {
    let Some(at) = checksum_offset(protocol) else {
        return Ok(());
    };
    let Some([c0, c1]) = transport.get_mut(at..at + 2) else {
        return Err(DropReason::TruncatedTransport);
    };
    let old = u16::from_be_bytes([*c0, *c1]);
    if protocol == PROTOCOL_UDP && old == 0 {
        return Ok(());
    }
    let new = match change.apply(old) {
        0 if protocol != PROTOCOL_TCP => 0xffff,
        new => new,
    };
    [*c0, *c1] = new.to_be_bytes();
    Ok(())
}

/// Writes the checksum of a UDP datagram sent with none: the pseudo header of
/// the wire is that of IPv6, which knows no such thing (RFC 8200 §8.1).
pub(crate) fn complete_udp(transport: &mut [u8], source: Ipv6Addr, destination: Ipv6Addr) {
    let Some([0, 0]) = transport.get(6..8) else {
        return;
    };
    let Ok(length) = u32::try_from(transport.len()) else {
        return;
    };
    let sum = Sum::new()
        .add_ipv6_pseudo(source, destination, PROTOCOL_UDP, length)
        .add_bytes(transport);
    let checksum = match sum.finish() {
        0 => 0xffff,
        checksum => checksum,
    };
    if let Some(field) = transport.get_mut(6..8) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}
