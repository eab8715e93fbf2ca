//! Host Identity Tags (RFC 7401 section 3.1, RFC 7343) and Local Scope Identifiers (RFC 5338).

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::error::{WireError, WireErrorKind};
use crate::registry::HitSuite;

/// A Host Identity Tag: 28-bit ORCHIDv2 prefix, 4-bit HIT Suite, 96 bits of hash (7401-3-04).
///
/// Ordered as an unsigned 128-bit number, the order that selects the greater HIT of a pair. Any 16 octets can be held,
/// because packets carry whatever the peer wrote; [`Hit::is_orchid`] and [`Hit::suite`] tell whether it can be a HIT.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hit([u8; 16]);

/// The ORCHIDv2 prefix 2001:20::/28 (RFC 7343 section 2).
pub const ORCHID_PREFIX: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 0), 28);

impl Hit {
    /// The all-zero receiver of an opportunistic I1 or an unaddressed NOTIFY.
    pub const NULL: Self = Self([0; 16]);

    /// A HIT from its 16 octets, unchecked.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Composes a HIT from suite and the 96 hash bits, the layout of RFC 7343 section 2.
    pub const fn from_parts(suite: HitSuite, hash: [u8; 12]) -> Self {
        // 7343-2-02, 7343-2-04: prefix 0x2001002, then the OGA ID nibble.
        let [a, b, c, d, e, f, g, h, i, j, k, l] = hash;
        Self([
            0x20,
            0x01,
            0x00,
            0x20 | suite.number(),
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            j,
            k,
            l,
        ])
    }

    /// The 16 octets.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The HIT as the IPv6 address applications see.
    pub const fn to_addr(self) -> Ipv6Addr {
        Ipv6Addr::from_octets(self.0)
    }

    /// True for the all-zero HIT.
    pub const fn is_null(&self) -> bool {
        u128::from_be_bytes(self.0) == 0
    }

    /// True if the prefix is that of ORCHIDv2.
    // 7343-1.1-01: 2001:20::/28 only; the 2001:10::/28 of HIPv1 is no HIT here.
    pub const fn is_orchid(&self) -> bool {
        u128::from_be_bytes(self.0) >> 100 == 0x200_1002
    }

    /// The HIT Suite named by the OGA ID nibble, `None` without the prefix or with an unassigned suite.
    // 7401-3.1-01: the nibble alone selects hash and signature family.
    pub const fn suite(&self) -> Option<HitSuite> {
        if !self.is_orchid() {
            return None;
        }
        let [_, _, _, octet, ..] = self.0;
        HitSuite::from_number(octet & 0x0f)
    }
}

impl From<Hit> for Ipv6Addr {
    fn from(hit: Hit) -> Self {
        hit.to_addr()
    }
}

impl TryFrom<Ipv6Addr> for Hit {
    type Error = WireError;

    fn try_from(addr: Ipv6Addr) -> Result<Self, WireError> {
        let hit = Self(addr.octets());
        if hit.is_orchid() {
            Ok(hit)
        } else {
            Err(WireError::new(WireErrorKind::NotAHit, 0))
        }
    }
}

impl FromStr for Hit {
    type Err = WireError;

    /// Reads IPv6 text; anything outside 2001:20::/28 is [`WireErrorKind::NotAHit`].
    fn from_str(text: &str) -> Result<Self, WireError> {
        let addr =
            Ipv6Addr::from_str(text).map_err(|_| WireError::new(WireErrorKind::NotAHit, 0))?;
        Self::try_from(addr)
    }
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_addr(), f)
    }
}

impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hit({})", self.to_addr())
    }
}

/// A Local Scope Identifier: the IPv4 address that stands for a peer on this host only (RFC 5338 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsi(pub Ipv4Addr);

impl fmt::Display for Lsi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<Ipv4Addr> for Lsi {
    fn from(addr: Ipv4Addr) -> Self {
        Self(addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7343-2-02
    /// 7343-2-04
    /// 7401-3-04
    #[test]
    fn the_layout_is_prefix_suite_and_hash() {
        let hash = core::array::from_fn(|i| u8::try_from(i + 1).unwrap());
        for (suite, text) in [
            (HitSuite::RsaDsaSha256, "2001:21:102:304:506:708:90a:b0c"),
            (HitSuite::EcdsaSha384, "2001:22:102:304:506:708:90a:b0c"),
            (HitSuite::EcdsaLowSha1, "2001:23:102:304:506:708:90a:b0c"),
            (HitSuite::EddsaCshake128, "2001:25:102:304:506:708:90a:b0c"),
        ] {
            let hit = Hit::from_parts(suite, hash);
            assert_eq!(hit.to_string(), text);
            assert_eq!(text.parse(), Ok(hit));
            assert_eq!(hit.suite(), Some(suite));
        }
    }

    /// 7343-1.1-01
    #[test]
    fn addresses_outside_the_prefix_are_no_hits() {
        for text in [
            "2001:10::1",
            "2001:30::1",
            "2001:db8::1",
            "::",
            "::1",
            "192.0.2.1",
            "x",
        ] {
            assert_eq!(
                text.parse::<Hit>().unwrap_err().kind,
                WireErrorKind::NotAHit,
                "{text}"
            );
        }
        assert!("2001:2f:ffff::".parse::<Hit>().is_ok());
    }

    /// 7401-3.1-01
    #[test]
    fn the_suite_nibble_is_read_without_a_packet() {
        assert_eq!("2001:20::1".parse::<Hit>().unwrap().suite(), None);
        assert_eq!("2001:24::1".parse::<Hit>().unwrap().suite(), None);
        assert_eq!(Hit::NULL.suite(), None);
        assert!(Hit::NULL.is_null());
    }

    #[test]
    fn the_order_is_that_of_unsigned_128_bit_numbers() {
        let low: Hit = "2001:21::7fff".parse().unwrap();
        let high: Hit = "2001:21::8000".parse().unwrap();
        assert!(low < high);
        assert!(Hit::from_bytes([0xff; 16]) > high);
    }
}
