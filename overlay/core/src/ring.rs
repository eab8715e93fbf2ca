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
    // 6940-10.1-01
    pub const fn distance_to(self, other: Self) -> u128 {
        other.0.wrapping_sub(self.0) & Self::MASK
    }

    /// Whether `self` lies in the half-open arc (`after`, `upto`]; the whole ring when both
    /// ends are the same position, as for a peer that is alone (RFC 6940 §10.1).
    #[must_use]
    // 6940-10.1-04
    pub const fn in_arc(self, after: Self, upto: Self) -> bool {
        let whole = after.0 == upto.0;
        let distance = after.distance_to(self);
        whole || (distance != 0 && distance <= after.distance_to(upto))
    }

    /// First position and number of positions of finger `i` (1-based) of the peer at `self`:
    /// [x+2^(BITS-i), x+2^(BITS-i+1)-1] (RFC 6940 §10.7.4.2).
    #[must_use]
    // 6940-10.1-03 6940-10.7.4.2-02
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{HIT_RING_BITS, Position, RingPosition};
    use crate::id::{NodeId, ResourceId};

    fn position() -> impl Strategy<Value = Position> {
        any::<u128>().prop_map(Position::new)
    }

    proptest! {
        /// 6940-10.1-01
        #[test]
        fn distances_both_ways_make_the_whole_ring(a in position(), b in position()) {
            prop_assume!(a != b);
            prop_assert_eq!(a.distance_to(b) + b.distance_to(a), 1 << HIT_RING_BITS);
            prop_assert_eq!(a.add(a.distance_to(b)), b);
        }

        /// 6940-10.1-04
        #[test]
        fn every_place_belongs_to_one_of_two_arcs(a in position(), b in position(), x in position()) {
            prop_assume!(a != b);
            prop_assert!(x.in_arc(a, b) != x.in_arc(b, a));
        }

        /// 6940-10.7.4.2-02
        #[test]
        fn finger_ranges_are_disjoint_and_cover_the_ring_but_for_self(x in position(), y in position()) {
            let in_range = |i: &u32| {
                let (start, size) = x.finger_range(*i).unwrap();
                start.distance_to(y) < size
            };
            let count = (1..=HIT_RING_BITS).filter(in_range).count();
            prop_assert_eq!(count, usize::from(x != y));
        }
    }

    /// 6940-10.1-03
    #[test]
    fn the_first_finger_is_half_way_round_and_the_second_a_quarter() {
        let x = RingPosition::<8>::new(250);
        assert_eq!(x.finger_range(1), Some((RingPosition::new(122), 128)));
        assert_eq!(x.finger_range(2), Some((RingPosition::new(58), 64)));
        assert_eq!(x.finger_range(8), Some((RingPosition::new(251), 1)));
        assert_eq!((x.finger_range(0), x.finger_range(9)), (None, None));
    }

    #[test]
    fn a_peer_that_is_alone_has_the_whole_ring() {
        let x = Position::new(5);
        assert!(Position::new(4).in_arc(x, x) && x.in_arc(x, x));
    }

    #[test]
    fn a_place_is_the_low_96_bits_of_hit_and_resource_alike() {
        let id = [0x20, 0x01, 0, 0x22, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let other = [
            0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
        ];
        let place = Position::from(NodeId::from_bytes(id));
        assert_eq!(place, Position::from(ResourceId::from_bytes(other)));
        assert_eq!(place.value(), 0x0102_0304_0506_0708_090a_0b0c);
        assert_eq!(Position::from(place.to_resource()), place);
        // The prefix makes no difference to the next place either.
        assert_eq!(Position::new(u128::MAX).add(1).value(), 0);
    }
}
