//! The internet checksum (RFC 1071), its pseudo headers and its incremental update (RFC 1624).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{WireError, WireErrorKind};
use crate::ip;

/// A ones-complement sum in progress.
///
/// Octets are summed as native words and folded at the end: the checksum does not depend on byte order as long
/// as the result is stored the way the words were loaded (RFC 1071 section 2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The empty sum.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds `bytes`, which have to start at an even offset of the summed data; an odd tail is padded with zero.
    #[must_use]
    pub fn add_bytes(self, bytes: &[u8]) -> Self {
        let (words, tail) = bytes.as_chunks::<4>();
        // 32-bit words in a 64-bit sum: no carry within 16 GiB, and the loop vectorises.
        let sum: u64 = words
            .iter()
            .map(|word| u64::from(u32::from_ne_bytes(*word)))
            .sum();
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(tail) {
            *to = *from;
        }
        self.plus(sum).plus(u64::from(u32::from_ne_bytes(last)))
    }

    /// Adds one 16-bit field.
    #[must_use]
    pub fn add_u16(self, field: u16) -> Self {
        self.plus(u64::from(field.to_be()))
    }

    /// Adds the pseudo header for `length` octets of `protocol` between IPv4 addresses.
    #[must_use]
    pub fn add_ipv4_pseudo(self, src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, length: u16) -> Self {
        self.add_bytes(&src.octets())
            .add_bytes(&dst.octets())
            .add_u16(u16::from(protocol))
            .add_u16(length)
    }

    /// Adds the pseudo header for `length` octets of `protocol` between IPv6 addresses (or HITs).
    #[must_use]
    pub fn add_ipv6_pseudo(self, src: Ipv6Addr, dst: Ipv6Addr, protocol: u8, length: u32) -> Self {
        self.add_bytes(&src.octets())
            .add_bytes(&dst.octets())
            .add_bytes(&length.to_be_bytes())
            .add_u16(u16::from(protocol))
    }

    /// The checksum: the complement of the folded sum, to be stored big-endian.
    pub fn finish(self) -> u16 {
        !self.fold()
    }

    /// The folded 16-bit sum, `0xffff` or `0` for data that carry their own right checksum.
    pub fn fold(self) -> u16 {
        let [a, b, c, d, e, f, g, h] = self.0.to_ne_bytes();
        let sum: u32 = [[a, b], [c, d], [e, f], [g, h]]
            .into_iter()
            .map(|pair| u32::from(u16::from_be_bytes(pair)))
            .sum();
        fold(sum)
    }

    fn plus(self, word: u64) -> Self {
        let (sum, carry) = self.0.overflowing_add(word);
        Self(sum.wrapping_add(u64::from(carry)))
    }
}

/// The internet checksum of `bytes`.
pub fn internet(bytes: &[u8]) -> u16 {
    Sum::new().add_bytes(bytes).finish()
}

/// The difference a change of summed octets makes, computed once and applied to the checksum of many packets.
///
/// Used where LSIs or HITs replace the addresses of a TCP or UDP pseudo header: protocol and length contribute the
/// same to the IPv4 and the IPv6 pseudo header, only the addresses differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta(u16);

impl Delta {
    /// From the octets `old`, both of even length, to the octets `new`.
    pub fn between(old: &[&[u8]], new: &[&[u8]]) -> Self {
        let total = |parts: &[&[u8]]| {
            parts
                .iter()
                .fold(Sum::new(), |sum, part| sum.add_bytes(part))
                .fold()
        };
        // RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m')
        Self(fold(u32::from(!total(old)) + u32::from(total(new))))
    }

    /// From one address pair of a pseudo header to another.
    pub fn between_pairs(old: (IpAddr, IpAddr), new: (IpAddr, IpAddr)) -> Self {
        let octets = |addr: IpAddr| match addr {
            // Zeros in front change no sum.
            IpAddr::V4(v4) => u128::from(v4.to_bits()).to_be_bytes(),
            IpAddr::V6(v6) => v6.octets(),
        };
        Self::between(
            &[&octets(old.0), &octets(old.1)],
            &[&octets(new.0), &octets(new.1)],
        )
    }

    /// The change in the opposite direction.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self(!self.0)
    }

    /// A UDP checksum after the change: zero means none and stays, a computed zero is written as 0xffff.
    pub fn apply_udp(self, checksum: u16) -> u16 {
        match checksum {
            0 => 0,
            checksum => match self.apply(checksum) {
                0 => 0xffff,
                changed => changed,
            },
        }
    }

    /// The checksum after the change.
    pub fn apply(self, checksum: u16) -> u16 {
        !fold(u32::from(!checksum) + u32::from(self.0))
    }
}

/// Where TCP, UDP, UDP-Lite, DCCP and ICMPv6 keep the checksum that covers the pseudo header; `None` for others.
pub const fn field_offset(protocol: u8) -> Option<usize> {
    match protocol {
        ip::PROTOCOL_TCP => Some(16),
        ip::PROTOCOL_UDP | ip::PROTOCOL_UDP_LITE | ip::PROTOCOL_DCCP => Some(6),
        ip::PROTOCOL_ICMPV6 => Some(2),
        _ => None,
    }
}

/// The sum of `segment` with its pseudo header; its fold is 0xffff if the checksum in the segment is right, its
/// finish is the checksum if the field in the segment is zero.
///
/// # Errors
/// [`WireErrorKind::AddressFamily`] for mixed families, [`WireErrorKind::TooLong`] beyond 65535 octets.
// 7401-5.1.1-02, 7401-5.1.1-03: HIP uses the IPv6 or UDP-style IPv4 pseudo header with protocol 139.
pub fn transport_sum(
    segment: &[u8],
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
) -> Result<Sum, WireError> {
    let length =
        u16::try_from(segment.len()).map_err(|_| WireError::new(WireErrorKind::TooLong, 0))?;
    let sum = Sum::new().add_bytes(segment);
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => Ok(sum.add_ipv4_pseudo(src, dst, protocol, length)),
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            Ok(sum.add_ipv6_pseudo(src, dst, protocol, u32::from(length)))
        }
        _ => Err(WireError::new(WireErrorKind::AddressFamily, 0)),
    }
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    let twice = (once & 0xffff) + (once >> 16);
    let [_, _, high, low] = twice.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests;
