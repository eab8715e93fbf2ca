//! Transport checksums under a change of addresses, so that a packet between
//! LSIs carries on the wire the checksum over the HITs (RFC 7402 §3.2).

use std::net::Ipv6Addr;

use hip_wire::checksum::{Delta, Sum, field_offset};
use hip_wire::ip::PROTOCOL_UDP;

use crate::drop::DropReason;

/// Corrects the checksum in a transport header. Length and protocol count the
/// same in both pseudo headers, so the addresses are all that changes. A UDP
/// checksum of 0 (none) stays 0; one that becomes 0 is written as 0xffff (RFC 768).
pub(crate) fn translate(
    protocol: u8,
    transport: &mut [u8],
    change: Delta,
) -> Result<(), DropReason> {
    let Some(at) = field_offset(protocol) else {
        return Ok(());
    };
    let Some([c0, c1]) = transport.get_mut(at..at + 2) else {
        return Err(DropReason::TruncatedTransport);
    };
    let old = u16::from_be_bytes([*c0, *c1]);
    let new = if protocol == PROTOCOL_UDP {
        change.apply_udp(old)
    } else {
        change.apply(old)
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
