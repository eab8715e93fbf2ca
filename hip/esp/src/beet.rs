//! BEET (RFC 7402 Appendix B): inner IP packets to transport payloads and back.
//!
//! The wire carries no inner IP header. HIT packets are told from LSI packets
//! by the ESP next header: 94 (the pseudo header of B.1.7) and 1 (ICMP) mean
//! that the inner packet is IPv4; see docs/decisions/0004-lsi-on-the-wire.md.

use hip_wire::checksum::{Delta, internet};
use hip_wire::hit::Lsi;
use hip_wire::ip::{
    IPV4_HEADER_LEN, IPV6_HEADER_LEN, Ipv6Header, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_UDP,
};

use crate::checksum::{complete_udp, translate};
use crate::drop::DropReason;
use crate::encap::PSEUDO_HEADER;
use crate::inner::Inner;
use crate::sa::HitPair;

/// Longest IPv4 options.
const OPTIONS_MAX: usize = 40;
const NOP: u8 = 1;

/// The two IPv4 addresses of an association on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LsiPair {
    /// LSI of this host.
    pub(crate) local: Lsi,
    /// LSI of the peer, as this host chose it.
    pub(crate) peer: Lsi,
}

impl LsiPair {
    fn octets(self) -> [[u8; 4]; 2] {
        [self.local.0.octets(), self.peer.0.octets()]
    }
}

/// Fields of the outer header that BEET hands on to the rebuilt inner header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OuterHeader {
    /// Traffic class or type of service, congestion mark included.
    pub traffic_class: u8,
    /// Hop limit or time to live.
    pub hop_limit: u8,
}

impl Default for OuterHeader {
    /// For shells that cannot see the outer header.
    fn default() -> Self {
        Self {
            traffic_class: 0,
            hop_limit: 64,
        }
    }
}

/// Writes an inner IPv6 packet between HITs at the end of `out`. The addresses
/// are those of the SA (RFC 7402 B.1.6), never the packet's.
// 7402-3.2-02, 7402-6.2-05, 7402-B.1.4-05, 7402-B.1.6-03, 7402-B.1.6-05, 7402-B.1.6-06
pub(crate) fn rebuild_hit(
    pair: HitPair,
    next_header: u8,
    payload: &[u8],
    outer: OuterHeader,
    out: &mut Vec<u8>,
) -> Result<(), DropReason> {
    if next_header == PROTOCOL_ICMPV6
        && payload
            .first()
            .is_some_and(|kind| (133..=137).contains(kind))
    {
        return Err(DropReason::LinkControl);
    }
    let (source, destination) = (pair.peer.to_addr(), pair.local.to_addr());
    let mut header = [0; IPV6_HEADER_LEN];
    Ipv6Header::new(
        source,
        destination,
        next_header,
        outer.hop_limit,
        payload.len(),
    )
    .map(|fields| Ipv6Header {
        traffic_class: outer.traffic_class,
        ..fields
    })
    .and_then(|fields| fields.write(&mut header))
    .map_err(|_| DropReason::Oversize)?;
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
    Ok(())
}

/// Writes an inner IPv4 packet between LSIs at the end of `out`: payload of
/// ESP next header 94, behind its pseudo header, with the options it carries.
// 7402-B.1.1-03, 7402-B.1.6-04, 7402-B.1.7-06, 7402-B.1.7-07
pub(crate) fn rebuild_lsi(
    pair: HitPair,
    lsis: LsiPair,
    payload: &[u8],
    outer: OuterHeader,
    out: &mut Vec<u8>,
) -> Result<(), DropReason> {
    let pseudo = PseudoHeader::parse(payload).ok_or(DropReason::BadPseudoHeader)?;
    check_options(pseudo.options)?;
    let start = out.len();
    write_v4(
        lsis,
        pseudo.next_header,
        pseudo.options,
        pseudo.payload,
        outer,
        out,
    )?;
    let header = IPV4_HEADER_LEN + pseudo.options.len();
    let Some(transport) = out.get_mut(start + header..) else {
        return Err(DropReason::MalformedInner);
    };
    if pseudo.next_header == PROTOCOL_ICMP {
        return readdress_icmp(transport, lsis);
    }
    // 7402-3.2-01: the checksum was made for the HITs
    let change = wire_change(pair, lsis).reversed();
    translate(pseudo.next_header, transport, change)
}

/// Writes an inner ICMP packet between LSIs at the end of `out` (ESP next header 1).
pub(crate) fn rebuild_icmp(
    lsis: LsiPair,
    payload: &[u8],
    outer: OuterHeader,
    out: &mut Vec<u8>,
) -> Result<(), DropReason> {
    let start = out.len();
    write_v4(lsis, PROTOCOL_ICMP, &[], payload, outer, out)?;
    match out.get_mut(start + IPV4_HEADER_LEN..) {
        Some(message) => readdress_icmp(message, lsis),
        None => Err(DropReason::MalformedInner),
    }
}

/// The pseudo header a sender without options writes: 8 octets, all padding.
pub(crate) const fn pseudo_header(next_header: u8) -> [u8; PSEUDO_HEADER] {
    // 7402-B.1.7-01, 7402-B.1.7-03, 7402-B.1.7-04, 7402-B.1.7-05: Header Len counts 8-octet units after the first
    [next_header, 0, 4, 0, NOP, NOP, NOP, NOP]
}

/// Size of an LSI packet as it will reach the peer, without its options.
pub(crate) const fn lsi_size(inner: &Inner<'_>) -> usize {
    IPV4_HEADER_LEN + inner.payload.len()
}

/// Turns the checksum of a transport payload between LSIs into that between
/// HITs, the only addresses both hosts know (7402-3.2-01, 7402-3.4-03).
pub(crate) fn to_wire(
    protocol: u8,
    transport: &mut [u8],
    pair: HitPair,
    lsis: LsiPair,
) -> Result<(), DropReason> {
    translate(protocol, transport, wire_change(pair, lsis))?;
    if protocol == PROTOCOL_UDP {
        complete_udp(transport, pair.local.to_addr(), pair.peer.to_addr());
    }
    Ok(())
}

/// A received pseudo header (RFC 7402 B.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PseudoHeader<'a> {
    next_header: u8,
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> PseudoHeader<'a> {
    /// Checks lengths and padding.
    pub(crate) fn parse(octets: &'a [u8]) -> Option<Self> {
        let (&[next_header, units, pad_length, _], _) = octets.split_first_chunk::<4>()?;
        let length = 8 * (usize::from(units) + 1);
        let (header, payload) = octets.split_at_checked(length)?;
        let pad = usize::from(pad_length);
        if !matches!(pad, 0 | 4) {
            return None;
        }
        let (padding, options) = header.get(4..)?.split_at_checked(pad)?;
        let good = padding.iter().all(|&octet| octet == NOP) && options.len() <= OPTIONS_MAX;
        good.then_some(Self {
            next_header,
            options,
            payload,
        })
    }
}

/// Walks IPv4 options: well formed, and none that steers the packet elsewhere.
fn check_options(mut options: &[u8]) -> Result<(), DropReason> {
    const LOOSE_SOURCE_ROUTE: u8 = 131;
    const STRICT_SOURCE_ROUTE: u8 = 137;
    while let Some((&kind, rest)) = options.split_first() {
        options = match kind {
            0 => return Ok(()),
            NOP => rest,
            LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE => return Err(DropReason::SourceRoute),
            _ => {
                let length = rest.first().copied().map_or(0, usize::from);
                if length < 2 {
                    return Err(DropReason::BadPseudoHeader);
                }
                options.get(length..).ok_or(DropReason::BadPseudoHeader)?
            }
        };
    }
    Ok(())
}

/// Appends an IPv4 packet from the peer's LSI to the local one.
fn write_v4(
    lsis: LsiPair,
    protocol: u8,
    options: &[u8],
    payload: &[u8],
    outer: OuterHeader,
    out: &mut Vec<u8>,
) -> Result<(), DropReason> {
    let header_length = IPV4_HEADER_LEN + options.len();
    let length = u16::try_from(header_length + payload.len()).map_err(|_| DropReason::Oversize)?;
    let words = u8::try_from(header_length / 4).map_err(|_| DropReason::BadPseudoHeader)?;
    let [l0, l1] = length.to_be_bytes();
    let start = out.len();
    // Identification 0 with DF set: an atomic datagram (RFC 6864 §4.1).
    let header = [
        0x40 | words,
        outer.traffic_class,
        l0,
        l1,
        0,
        0,
        0x40,
        0,
        outer.hop_limit,
        protocol,
        0,
        0,
    ];
    out.extend_from_slice(&header);
    out.extend_from_slice(&lsis.peer.0.octets());
    out.extend_from_slice(&lsis.local.0.octets());
    out.extend_from_slice(options);
    let checksum = internet(out.get(start..).unwrap_or_default());
    if let Some(field) = out.get_mut(start + 10..start + 12) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    out.extend_from_slice(payload);
    Ok(())
}

/// ICMP errors quote a packet of this host with the addresses the peer saw.
/// LSIs are local to a host, so the quotation gets ours, or no socket would know it.
fn readdress_icmp(message: &mut [u8], lsis: LsiPair) -> Result<(), DropReason> {
    const QUOTE: usize = 8;
    let kind = *message.first().ok_or(DropReason::TruncatedTransport)?;
    match kind {
        // Redirects, router advertisements and solicitations belong to a link.
        5 | 9 | 10 => return Err(DropReason::LinkControl),
        3 | 4 | 11 | 12 => {}
        _ => return Ok(()),
    }
    let quoted = message.get_mut(QUOTE..).unwrap_or_default();
    let Some((header, _)) = quoted.split_first_chunk_mut::<IPV4_HEADER_LEN>() else {
        return Ok(());
    };
    if header[0] >> 4 != 4 {
        return Ok(());
    }
    let before = *header;
    let [_, _, _, _, _, _, _, _, _, _, c0, c1, addresses @ ..] = header;
    let mut ours = [0; 8];
    for (to, from) in ours.iter_mut().zip(lsis.octets().as_flattened()) {
        *to = *from;
    }
    let checksum = Delta::between(&[addresses], &[&ours]).apply(u16::from_be_bytes([*c0, *c1]));
    [*c0, *c1] = checksum.to_be_bytes();
    *addresses = ours;
    let whole = Delta::between(&[&before], &[header]);
    if let Some([c0, c1]) = message.get_mut(2..4) {
        [*c0, *c1] = whole.apply(u16::from_be_bytes([*c0, *c1])).to_be_bytes();
    }
    Ok(())
}

/// What leaving this host does to a checksum over the LSIs: it becomes one over the HITs.
pub(crate) fn wire_change(pair: HitPair, lsis: LsiPair) -> Delta {
    Delta::between(
        lsis.octets().each_ref().map(<[u8; 4]>::as_slice).as_slice(),
        &[pair.local.as_bytes(), pair.peer.as_bytes()],
    )
}
