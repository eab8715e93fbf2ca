//! The internet checksum (RFC 1071), its pseudo headers and its incremental update (RFC 1624).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{WireError, WireErrorKind};

/// IP protocol number of HIP.
pub const PROTOCOL_HIP: u8 = 139;

/// A ones-complement sum in progress.
///
/// Octets are summed as native 64-bit words and folded at the end: the checksum does not depend on byte order as long
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
    pub fn add(self, bytes: &[u8]) -> Self {
        let (mut sum, mut carries) = (self.0, 0_u64);
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            let (next, carry) = sum.overflowing_add(u64::from_ne_bytes(*word));
            sum = next;
            carries += u64::from(carry);
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(tail) {
            *to = *from;
        }
        Self(sum).plus(u64::from_ne_bytes(last)).plus(carries)
    }

    /// Adds one 16-bit field.
    #[must_use]
    pub fn add_u16(self, field: u16) -> Self {
        self.plus(u64::from(field.to_be()))
    }

    /// Adds the pseudo header for `length` octets of `protocol` between IPv4 addresses.
    #[must_use]
    pub fn add_ipv4_pseudo(self, src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, length: u16) -> Self {
        self.add(&src.octets())
            .add(&dst.octets())
            .add_u16(u16::from(protocol))
            .add_u16(length)
    }

    /// Adds the pseudo header for `length` octets of `protocol` between IPv6 addresses (or HITs).
    #[must_use]
    pub fn add_ipv6_pseudo(self, src: Ipv6Addr, dst: Ipv6Addr, protocol: u8, length: u32) -> Self {
        self.add(&src.octets())
            .add(&dst.octets())
            .add(&length.to_be_bytes())
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
    Sum::new().add(bytes).finish()
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
                .fold(Sum::new(), |sum, part| sum.add(part))
                .fold()
        };
        // RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m')
        Self(fold(u32::from(!total(old)) + u32::from(total(new))))
    }

    /// From one address pair of a pseudo header to another.
    pub fn between_pairs(old: (IpAddr, IpAddr), new: (IpAddr, IpAddr)) -> Self {
        let octets = |addr: IpAddr| match addr {
            IpAddr::V4(v4) => (v4
                .octets()
                .into_iter()
                .fold(0_u128, |n, o| (n << 8) | u128::from(o)))
            .to_be_bytes(),
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

    /// The checksum after the change.
    pub fn apply(self, checksum: u16) -> u16 {
        !fold(u32::from(!checksum) + u32::from(self.0))
    }
}

/// The sum of a HIP packet with its pseudo header; 0xffff for a packet whose checksum is right.
///
/// `packet` is exactly the HIP packet, (Header Length + 1) * 8 octets.
// 7401-5.1.1-02, 7401-5.1.1-03: IPv6 or UDP-style IPv4 pseudo header with protocol 139.
pub fn hip_sum(packet: &[u8], src: IpAddr, dst: IpAddr) -> Result<Sum, WireError> {
    let too_long = WireError::new(WireErrorKind::TooLong, 0);
    let length = u16::try_from(packet.len()).map_err(|_| too_long)?;
    let sum = Sum::new().add(packet);
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            Ok(sum.add_ipv4_pseudo(src, dst, PROTOCOL_HIP, length))
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            Ok(sum.add_ipv6_pseudo(src, dst, PROTOCOL_HIP, u32::from(length)))
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
