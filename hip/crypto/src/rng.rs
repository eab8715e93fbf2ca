//! Randomness is an argument.

use sha2::{Digest, Sha256};

/// A source of random octets; what it gives becomes keys, so it has to be cryptographically
/// secure anywhere but in a simulation.
pub trait Rng: Send {
    /// Fills `out` completely.
    fn fill(&mut self, out: &mut [u8]);

    /// A uniformly distributed number.
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_be_bytes(bytes)
    }

    /// A uniformly distributed number.
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }
}

impl<R: Rng + ?Sized> Rng for Box<R> {
    fn fill(&mut self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

impl<R: Rng + ?Sized> Rng for &mut R {
    fn fill(&mut self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

/// The same octets for the same seed, on every machine: SHA-256 of key and counter.
///
/// For simulations and tests only, since whoever knows the seed knows every key.
#[derive(Debug, Clone)]
pub struct SeededRng {
    key: [u8; 32],
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl SeededRng {
    /// Starts the sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self::labelled(seed, b"hip-crypto SeededRng")
    }

    /// A sequence independent of the others with the same seed and another label.
    pub fn labelled(seed: u64, label: &[u8]) -> Self {
        let key = Sha256::new()
            .chain_update(seed.to_be_bytes())
            .chain_update(label)
            .finalize()
            .into();
        Self {
            key,
            counter: 0,
            block: [0; 32],
            used: 32,
        }
    }

    fn next_octet(&mut self) -> u8 {
        if self.used >= self.block.len() {
            self.block = Sha256::new()
                .chain_update(self.key)
                .chain_update(self.counter.to_be_bytes())
                .finalize()
                .into();
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        let octet = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        octet
    }
}

impl Rng for SeededRng {
    fn fill(&mut self, out: &mut [u8]) {
        for octet in out {
            *octet = self.next_octet();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_however_it_is_cut() {
        let mut whole = [0; 100];
        SeededRng::new(7).fill(&mut whole);
        let mut cut = SeededRng::new(7);
        let mut pieces = Vec::new();
        for length in [1, 31, 33, 0, 35] {
            let mut piece = vec![0; length];
            cut.fill(&mut piece);
            pieces.extend(piece);
        }
        assert_eq!(whole.to_vec(), pieces);
    }

    #[test]
    fn other_seeds_and_labels_give_other_sequences() {
        let first = SeededRng::new(7).next_u64();
        assert_ne!(first, SeededRng::new(8).next_u64());
        assert_ne!(first, SeededRng::labelled(7, b"other").next_u64());
    }
}
