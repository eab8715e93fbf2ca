//! Seeded random and mutated inputs, for the runs without a coverage-guided fuzzer.
#![cfg(test)]

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 32)
            .expect("32 bits")
            .checked_rem(bound)
            .unwrap_or(0)
    }

    fn octets(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// An input: now and then random octets, mostly a seed with a few mutations.
pub(crate) fn input(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    if seeds.is_empty() || random.below(8) == 0 {
        let len = random.below(300);
        return random.octets(len);
    }
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..random.below(6) {
        mutate(&mut bytes, random, seeds);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random, seeds: &[Vec<u8>]) {
    const INTERESTING: [u8; 8] = [0, 1, 0x10, 0x7f, 0x80, 0xf0, 0xfe, 0xff];
    let (at, to) = (random.below(bytes.len()), random.below(bytes.len() + 1));
    let range = at.min(to)..at.max(to);
    match random.below(8) {
        0 => bytes.truncate(at),
        1 => {
            bytes.drain(range);
        }
        2 => {
            let len = 1 + random.below(16);
            let octets = random.octets(len);
            bytes.splice(at..at, octets);
        }
        3 => {
            let copy = bytes[range].to_vec();
            bytes.splice(at..at, copy);
        }
        4 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        5 => {
            if let Some(octet) = bytes.get_mut(at) {
                *octet ^= 1 << random.below(8);
            }
        }
        6 => {
            if let Some(octet) = bytes.get_mut(at) {
                *octet = INTERESTING[random.below(INTERESTING.len())];
            }
        }
        // A length or type field: 16 bits at an even place, a little more or less than it was.
        _ => {
            if let Some(field) = bytes.get_mut(at & !1..).and_then(<[u8]>::first_chunk_mut) {
                let step = u16::try_from(random.below(17))
                    .expect("small")
                    .wrapping_sub(8);
                *field = u16::from_be_bytes(*field).wrapping_add(step).to_be_bytes();
            }
        }
    }
    bytes.truncate(4096);
}
