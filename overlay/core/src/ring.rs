//! Ring arithmetic, generic over the width of the ring.
//!
//! Positions of this project's overlays are the low 96 bits of the identifier
//! (docs/decisions/0005-ring-position.md): the upper 32 bits of a HIT are the ORCHID prefix and
//! the suite, the same for every peer, and would put all peers into a sliver of the ring.

use crate::id::{NodeId, ResourceId};

/// A point on a ring of 2^`BITS` positions; all arithmetic is modulo 2^`BITS`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RingPosition<const BITS: u32>(u128);

/// The width of the ring that HITs are placed on.
pub const HIT_RING_BITS: u32 = 96;

/// A position on the 96-bit ring of HITs.
pub type Position = RingPosition<HIT_RING_BITS>;

impl<const BITS: u32> RingPosition<BITS> {
    const MASK: u128 = if BITS >= 128 {
        u128::MAX
    } else {
        (1 << BITS) - 1
    };

    /// The position of the low `BITS` bits of `value`.
    #[must_use]
    pub const fn new(value: u128) -> Self {
        Self(value & Self::MASK)
    }

    /// The position as a number below 2^`BITS`.
    #[must_use]
    pub const fn value(self) -> u128 {
        self.0
    }

    /// The position `offset` steps clockwise.
    #[must_use]
    pub const fn add(self, offset: u128) -> Self {
        Self(self.0.wrapping_add(offset) & Self::MASK)
    }

    /// Steps clockwise from `self` to `other`: 0 when equal.
    #[must_use]
    pub const fn distance_to(self, other: Self) -> u128 {
        other.0.wrapping_sub(self.0) & Self::MASK
    }

    /// Whether `self` lies in the half-open arc (`after`, `upto`]; the whole ring when both
    /// ends are the same position, as for a peer that is alone (RFC 6940 §10.1).
    #[must_use]
    pub const fn in_arc(self, after: Self, upto: Self) -> bool {
        let whole = after.0 == upto.0;
        let distance = after.distance_to(self);
        whole || (distance != 0 && distance <= after.distance_to(upto))
    }

    /// First position and number of positions of finger `i` (1-based) of the peer at `self`:
    /// [x+2^(BITS-i), x+2^(BITS-i+1)-1] (RFC 6940 §10.7.4.2).
    #[must_use]
    pub const fn finger_range(self, i: u32) -> Option<(Self, u128)> {
        if i == 0 || i > BITS {
            return None;
        }
        let size = 1_u128 << (BITS - i);
        Some((self.add(size), size))
    }
}

impl From<NodeId> for Position {
    fn from(id: NodeId) -> Self {
        Self::new(u128::from_be_bytes(*id.as_bytes()))
    }
}

impl From<ResourceId> for Position {
    fn from(id: ResourceId) -> Self {
        Self::new(u128::from_be_bytes(*id.as_bytes()))
    }
}

impl Position {
    /// A Resource-ID at this position (upper 32 bits zero), to address "the peer
    /// responsible for this position".
    #[must_use]
    pub const fn to_resource(self) -> ResourceId {
        ResourceId::from_bytes(self.0.to_be_bytes())
    }
}
