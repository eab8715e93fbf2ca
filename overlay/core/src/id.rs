//! Node-IDs and Resource-IDs.

use std::fmt;

use hip_crypto::hash::Rhash;
use hip_wire::hit::Hit;

/// Length of a Node-ID and of a CHORD-RELOAD Resource-ID in octets (RFC 6940 §10.2, §11.1).
pub const ID_LEN: usize = 16;

/// A Node-ID: the 128-bit HIT of the node (RFC 7086 §3, ORCHID mode).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; ID_LEN]);

impl NodeId {
    /// The wildcard Node-ID, all ones: "whoever receives this" (RFC 6940 §6.1.1).
    pub const WILDCARD: Self = Self([0xff; ID_LEN]);

    /// Makes a Node-ID from its 16 octets.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; ID_LEN]) -> Self {
        Self(bytes)
    }

    /// The 16 octets, most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; ID_LEN] {
        &self.0
    }

    /// The HIT this Node-ID is.
    #[must_use]
    pub fn hit(&self) -> Hit {
        Hit::from_bytes(self.0)
    }

    /// Whether this is the wildcard Node-ID.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        *self == Self::WILDCARD
    }
}

impl From<Hit> for NodeId {
    fn from(hit: Hit) -> Self {
        Self(*hit.as_bytes())
    }
}

impl From<NodeId> for Hit {
    fn from(id: NodeId) -> Self {
        id.hit()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&std::net::Ipv6Addr::from(self.0), f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A Resource-ID: the most significant 128 bits of the SHA-1 of a resource name
/// (RFC 6940 §10.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId([u8; ID_LEN]);

impl ResourceId {
    /// Makes a Resource-ID from its 16 octets.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; ID_LEN]) -> Self {
        Self(bytes)
    }

    /// The Resource-ID of a resource name.
    // RFC 6940 §10.2: SHA-1, truncated to the most significant 128 bits.
    #[must_use]
    // 6940-10.2-01 6940-10.2-02 6940-10.2-03
    pub fn from_name(name: &[u8]) -> Self {
        let digest = Rhash::Sha1.digest(&[name]);
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default())
    }

    /// The 16 octets, most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; ID_LEN] {
        &self.0
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceId;

    /// 6940-10.2-01 6940-10.2-02 6940-10.2-03
    #[test]
    fn a_resource_id_is_the_first_128_bits_of_the_sha1_of_the_name() {
        // FIPS 180: SHA-1("abc") = a9993e36 4706816a ba3e2571 7850c26c 9cd0d89d
        let id = ResourceId::from_name(b"abc");
        assert_eq!(id.to_string(), "a9993e364706816aba3e25717850c26c");
    }
}
