//! IPv4, IPv6, UDP, ESP and ICMP headers: checked readers and writers for the packet path.
//!
//! Each header is a small value read from the front of a slice; `write` puts it back. No copies of payloads.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum;
use crate::error::{WireError, WireErrorKind};
use crate::reader::Reader;

/// IP protocol number of ICMPv4.
pub const PROTOCOL_ICMP: u8 = 1;
/// IP protocol number of TCP.
pub const PROTOCOL_TCP: u8 = 6;
/// IP protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;
/// IP protocol number of DCCP.
pub const PROTOCOL_DCCP: u8 = 33;
/// IP protocol number of the IPv6 fragment header.
pub const PROTOCOL_IPV6_FRAGMENT: u8 = 44;
/// IP protocol number of ESP.
pub const PROTOCOL_ESP: u8 = 50;
/// IP protocol number of ICMPv6.
pub const PROTOCOL_ICMPV6: u8 = 58;
/// "Next header" of nothing.
pub const PROTOCOL_NONE: u8 = 59;
/// IP protocol number of the BEET pseudo header (RFC 7402 appendix B).
pub const PROTOCOL_BEET: u8 = 94;
/// IP protocol number of UDP-Lite.
pub const PROTOCOL_UDP_LITE: u8 = 136;
/// IP protocol number of HIP.
pub const PROTOCOL_HIP: u8 = 139;

/// Octets of an IPv4 header without options.
pub const IPV4_HEADER_LEN: usize = 20;
/// Octets of the IPv6 header.
pub const IPV6_HEADER_LEN: usize = 40;
/// Octets of a UDP header.
pub const UDP_HEADER_LEN: usize = 8;
/// Octets of an ESP header: SPI and sequence number.
pub const ESP_HEADER_LEN: usize = 8;
/// Octets of the fixed part of an ICMP message.
pub const ICMP_HEADER_LEN: usize = 8;

/// An IPv4 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Header {
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Octets of the packet, header included.
    pub total_len: u16,
    /// Identification for reassembly.
    pub identification: u16,
    /// The DF flag.
    pub dont_fragment: bool,
    /// The MF flag.
    pub more_fragments: bool,
    /// Fragment offset in units of 8 octets.
    pub fragment_offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    header_len: u8,
}

impl Ipv4Header {
    /// A header without options for `payload_len` octets of `protocol`; not fragmented, DF clear.
    ///
    /// # Errors
    /// [`WireErrorKind::TooLong`] if the packet would exceed 65535 octets.
    pub fn new(
        src: Ipv4Addr,
        dst: Ipv4Addr,
        protocol: u8,
        ttl: u8,
        payload_len: usize,
    ) -> Result<Self, WireError> {
        Ok(Self {
            traffic_class: 0,
            total_len: length_field(payload_len.saturating_add(IPV4_HEADER_LEN))?,
            identification: 0,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl,
            protocol,
            src,
            dst,
            header_len: 20,
        })
    }

    /// Reads the header and checks that header and total length fit the packet. The header checksum is not checked:
    /// see [`Ipv4Header::checksum_is_right`].
    pub fn parse(packet: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(packet);
        let [first, traffic_class] = reader.array()?;
        if first >> 4 != 4 {
            return Err(WireError::new(WireErrorKind::Version(first >> 4), 0));
        }
        let header_len = (first & 0x0f) * 4;
        let total_len = reader.u16()?;
        let identification = reader.u16()?;
        let fragment = reader.u16()?;
        let [ttl, protocol] = reader.array()?;
        reader.u16()?;
        let (src, dst) = (
            Ipv4Addr::from_octets(reader.array()?),
            Ipv4Addr::from_octets(reader.array()?),
        );
        if usize::from(header_len) < IPV4_HEADER_LEN || u16::from(header_len) > total_len {
            return Err(WireError::new(WireErrorKind::BadLength, 0));
        }
        if usize::from(total_len) > packet.len() {
            return Err(WireError::new(WireErrorKind::Truncated, 2));
        }
        Ok(Self {
            traffic_class,
            total_len,
            identification,
            dont_fragment: fragment & 0x4000 != 0,
            more_fragments: fragment & 0x2000 != 0,
            fragment_offset: fragment & 0x1fff,
            ttl,
            protocol,
            src,
            dst,
            header_len,
        })
    }

    /// Octets of the header, options included.
    pub fn header_len(&self) -> usize {
        usize::from(self.header_len)
    }

    /// True for any but an unfragmented packet.
    pub const fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    /// The payload in the packet this header was read from.
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet
            .get(self.header_len()..usize::from(self.total_len))
            .unwrap_or_default()
    }

    /// True if the header checksum in `packet` fits.
    pub fn checksum_is_right(&self, packet: &[u8]) -> bool {
        packet
            .get(..self.header_len())
            .is_some_and(|header| checksum::internet(header) == 0)
    }

    /// Writes the 20 octets of the header, without options, with its checksum.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`] if `out` is shorter.
    pub fn write(&self, out: &mut [u8]) -> Result<(), WireError> {
        let header = front::<IPV4_HEADER_LEN>(out)?;
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more_fragments) << 13;
        let [len_high, len_low] = self.total_len.to_be_bytes();
        let [id_high, id_low] = self.identification.to_be_bytes();
        let [flag_high, flag_low] = (flags | self.fragment_offset & 0x1fff).to_be_bytes();
        let ([s0, s1, s2, s3], [d0, d1, d2, d3]) = (self.src.octets(), self.dst.octets());
        let fields = |[check_high, check_low]: [u8; 2]| {
            [
                0x45,
                self.traffic_class,
                len_high,
                len_low,
                id_high,
                id_low,
                flag_high,
                flag_low,
                self.ttl,
                self.protocol,
                check_high,
                check_low,
                s0,
                s1,
                s2,
                s3,
                d0,
                d1,
                d2,
                d3,
            ]
        };
        *header = fields(checksum::internet(&fields([0, 0])).to_be_bytes());
        Ok(())
    }
}

/// The IPv6 header. Extension headers, if any, are part of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Header {
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// The 20-bit flow label.
    pub flow_label: u32,
    /// Octets after the header.
    pub payload_len: u16,
    /// Protocol of the payload.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
}

impl Ipv6Header {
    /// A header for `payload_len` octets of `next_header`.
    ///
    /// # Errors
    /// [`WireErrorKind::TooLong`] if the payload exceeds 65535 octets.
    pub fn new(
        src: Ipv6Addr,
        dst: Ipv6Addr,
        next_header: u8,
        hop_limit: u8,
        payload_len: usize,
    ) -> Result<Self, WireError> {
        let payload_len = length_field(payload_len)?;
        Ok(Self {
            traffic_class: 0,
            flow_label: 0,
            payload_len,
            next_header,
            hop_limit,
            src,
            dst,
        })
    }

    /// Reads the header and checks that the payload length fits the packet.
    pub fn parse(packet: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(packet);
        let first = reader.u32()?;
        let [top, class_low, ..] = first.to_be_bytes();
        if top >> 4 != 6 {
            return Err(WireError::new(WireErrorKind::Version(top >> 4), 0));
        }
        let payload_len = reader.u16()?;
        let [next_header, hop_limit] = reader.array()?;
        let (src, dst) = (
            Ipv6Addr::from_octets(reader.array()?),
            Ipv6Addr::from_octets(reader.array()?),
        );
        if usize::from(payload_len) > reader.remaining() {
            return Err(WireError::new(WireErrorKind::Truncated, 4));
        }
        Ok(Self {
            traffic_class: top << 4 | class_low >> 4,
            flow_label: first & 0x000f_ffff,
            payload_len,
            next_header,
            hop_limit,
            src,
            dst,
        })
    }

    /// The payload in the packet this header was read from.
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet
            .get(IPV6_HEADER_LEN..IPV6_HEADER_LEN + usize::from(self.payload_len))
            .unwrap_or_default()
    }

    /// Writes the 40 octets of the header.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`] if `out` is shorter.
    pub fn write(&self, out: &mut [u8]) -> Result<(), WireError> {
        let header = front::<IPV6_HEADER_LEN>(out)?;
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0x000f_ffff;
        let fixed = u64::from(first) << 32
            | u64::from(self.payload_len) << 16
            | u64::from(self.next_header) << 8
            | u64::from(self.hop_limit);
        let (head, addresses) = header.split_at_mut(8);
        let (src, dst) = addresses.split_at_mut(16);
        head.copy_from_slice(&fixed.to_be_bytes());
        src.copy_from_slice(&self.src.octets());
        dst.copy_from_slice(&self.dst.octets());
        Ok(())
    }
}

/// An IP header of either version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpHeader {
    /// IPv4.
    V4(Ipv4Header),
    /// IPv6.
    V6(Ipv6Header),
}

impl IpHeader {
    /// Reads the header of the version that the packet names.
    pub fn parse(packet: &[u8]) -> Result<Self, WireError> {
        match packet.first().map(|first| first >> 4) {
            None => Err(WireError::new(WireErrorKind::Truncated, 0)),
            Some(4) => Ipv4Header::parse(packet).map(Self::V4),
            Some(6) => Ipv6Header::parse(packet).map(Self::V6),
            Some(version) => Err(WireError::new(WireErrorKind::Version(version), 0)),
        }
    }

    /// Source address.
    pub const fn src(&self) -> IpAddr {
        match self {
            Self::V4(header) => IpAddr::V4(header.src),
            Self::V6(header) => IpAddr::V6(header.src),
        }
    }

    /// Destination address.
    pub const fn dst(&self) -> IpAddr {
        match self {
            Self::V4(header) => IpAddr::V4(header.dst),
            Self::V6(header) => IpAddr::V6(header.dst),
        }
    }

    /// Protocol of the payload.
    pub const fn protocol(&self) -> u8 {
        match self {
            Self::V4(header) => header.protocol,
            Self::V6(header) => header.next_header,
        }
    }

    /// TTL or hop limit.
    pub const fn hop_limit(&self) -> u8 {
        match self {
            Self::V4(header) => header.ttl,
            Self::V6(header) => header.hop_limit,
        }
    }

    /// DSCP and ECN.
    pub const fn traffic_class(&self) -> u8 {
        match self {
            Self::V4(header) => header.traffic_class,
            Self::V6(header) => header.traffic_class,
        }
    }

    /// Octets before the payload.
    pub fn header_len(&self) -> usize {
        match self {
            Self::V4(header) => header.header_len(),
            Self::V6(_) => IPV6_HEADER_LEN,
        }
    }

    /// The payload in the packet this header was read from.
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        match self {
            Self::V4(header) => header.payload(packet),
            Self::V6(header) => header.payload(packet),
        }
    }
}

/// A UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpHeader {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Octets of header and payload.
    pub length: u16,
    /// The checksum, 0 for none (IPv4 only).
    pub checksum: u16,
}

impl UdpHeader {
    /// A header for `payload_len` octets, checksum 0.
    ///
    /// # Errors
    /// [`WireErrorKind::TooLong`] beyond 65535 octets.
    pub fn new(src_port: u16, dst_port: u16, payload_len: usize) -> Result<Self, WireError> {
        let length = length_field(payload_len.saturating_add(UDP_HEADER_LEN))?;
        Ok(Self {
            src_port,
            dst_port,
            length,
            checksum: 0,
        })
    }

    /// Reads the header and checks that its length fits the segment.
    pub fn parse(segment: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(segment);
        let header = Self {
            src_port: reader.u16()?,
            dst_port: reader.u16()?,
            length: reader.u16()?,
            checksum: reader.u16()?,
        };
        let length = usize::from(header.length);
        if length < UDP_HEADER_LEN {
            return Err(WireError::new(WireErrorKind::BadLength, 4));
        }
        if length > segment.len() {
            return Err(WireError::new(WireErrorKind::Truncated, 4));
        }
        Ok(header)
    }

    /// The payload in the segment this header was read from.
    pub fn payload<'a>(&self, segment: &'a [u8]) -> &'a [u8] {
        segment
            .get(UDP_HEADER_LEN..usize::from(self.length))
            .unwrap_or_default()
    }

    /// Writes the 8 octets of the header.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`] if `out` is shorter.
    pub fn write(&self, out: &mut [u8]) -> Result<(), WireError> {
        let fields = u64::from(self.src_port) << 48
            | u64::from(self.dst_port) << 32
            | u64::from(self.length) << 16
            | u64::from(self.checksum);
        *front::<UDP_HEADER_LEN>(out)? = fields.to_be_bytes();
        Ok(())
    }
}

/// The clear part in front of an ESP packet (RFC 4303 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EspHeader {
    /// Security Parameters Index of the receiver.
    pub spi: u32,
    /// The low 32 bits of the sequence number.
    pub sequence: u32,
}

impl EspHeader {
    /// Reads the header.
    pub fn parse(packet: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(packet);
        Ok(Self {
            spi: reader.u32()?,
            sequence: reader.u32()?,
        })
    }

    /// Writes the 8 octets of the header.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`] if `out` is shorter.
    pub fn write(&self, out: &mut [u8]) -> Result<(), WireError> {
        let fields = u64::from(self.spi) << 32 | u64::from(self.sequence);
        *front::<ESP_HEADER_LEN>(out)? = fields.to_be_bytes();
        Ok(())
    }
}

/// The fixed part of an ICMPv4 or ICMPv6 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpHeader {
    /// Type.
    pub icmp_type: u8,
    /// Code.
    pub code: u8,
    /// The checksum; for ICMPv6 it covers the pseudo header.
    pub checksum: u16,
    /// What the type makes of the second word: identifier and sequence, MTU, pointer.
    pub rest: [u8; 4],
}

impl IcmpHeader {
    /// Reads the header.
    pub fn parse(message: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(message);
        let [icmp_type, code] = reader.array()?;
        Ok(Self {
            icmp_type,
            code,
            checksum: reader.u16()?,
            rest: reader.array()?,
        })
    }

    /// Writes the 8 octets of the header.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`] if `out` is shorter.
    pub fn write(&self, out: &mut [u8]) -> Result<(), WireError> {
        let ([check_high, check_low], [a, b, c, d]) = (self.checksum.to_be_bytes(), self.rest);
        *front::<ICMP_HEADER_LEN>(out)? =
            [self.icmp_type, self.code, check_high, check_low, a, b, c, d];
        Ok(())
    }
}

fn length_field(length: usize) -> Result<u16, WireError> {
    u16::try_from(length).map_err(|_| WireError::new(WireErrorKind::TooLong, 0))
}

fn front<const N: usize>(out: &mut [u8]) -> Result<&mut [u8; N], WireError> {
    let len = out.len();
    out.first_chunk_mut()
        .ok_or_else(|| WireError::new(WireErrorKind::Truncated, len))
}

#[cfg(test)]
mod tests;
