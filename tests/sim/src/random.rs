//! The simulator's own random numbers: xoshiro256++, seeded, integer arithmetic only.
//!
//! Faults are drawn many times per packet, so this is far cheaper than the hash-based
//! generator given to the cores. Nothing here is secret.

/// A deterministic generator; two equal seeds give equal streams on every platform.
#[derive(Clone, Debug)]
pub struct SimRng {
    state: [u64; 4],
}

impl SimRng {
    /// A generator for `seed`; neighbouring seeds give unrelated streams.
    pub fn new(seed: u64) -> Self {
        let mut mixer = seed;
        let state = std::array::from_fn(|_| split_mix(&mut mixer));
        Self { state }
    }

    /// An independent stream for one part of a world, named by `label`.
    pub fn fork(&mut self, label: u64) -> Self {
        Self::new(self.next_u64() ^ label.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let shifted = b << 17;
        let c = c ^ a;
        let d = d ^ b;
        self.state = [a ^ d, b ^ c, c ^ shifted, d.rotate_left(45)];
        result
    }

    /// A number in `0..bound`; 0 when `bound` is 0. The bias is below 2^-32 for the bounds used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// An index below `length`.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// True with the given chance; a chance of 0 draws nothing, so switching a fault off
    /// does not need a second code path.
    pub fn chance(&mut self, chance: Chance) -> bool {
        chance.0 > 0 && self.below(1_000_000) < u64::from(chance.0)
    }

    /// A duration in `0..=most`.
    pub fn up_to(&mut self, most: std::time::Duration) -> std::time::Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX - 1);
        if nanos == 0 {
            return std::time::Duration::ZERO;
        }
        std::time::Duration::from_nanos(self.below(nanos + 1))
    }

    /// `count` random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next_u64().to_be_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

/// A probability in parts per million: integers keep replays exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(pub u32);

impl Chance {
    /// Never.
    pub const NEVER: Self = Self(0);

    /// Always.
    pub const ALWAYS: Self = Self(1_000_000);

    /// `percent` of one hundred.
    pub const fn percent(percent: u32) -> Self {
        Self(percent * 10_000)
    }

    /// `tenths` of a percent.
    pub const fn per_mille(tenths: u32) -> Self {
        Self(tenths * 1_000)
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_streams_and_neighbours_differ() {
        let draw = |seed| {
            let mut rng = SimRng::new(seed);
            (0..8).map(|_| rng.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn a_chance_of_twenty_percent_hits_one_in_five() {
        let mut rng = SimRng::new(1);
        let hits = (0..100_000)
            .filter(|_| rng.chance(Chance::percent(20)))
            .count();
        assert!((19_500..20_500).contains(&hits), "{hits}");
    }

    #[test]
    fn never_and_always_are_exact() {
        let mut rng = SimRng::new(3);
        assert!((0..1_000).all(|_| !rng.chance(Chance::NEVER)));
        assert!((0..1_000).all(|_| rng.chance(Chance::ALWAYS)));
    }
}
