//! A cheap keyed hash for the tables of the packet path.
//!
//! Keys of the tables are HITs and SPIs of established associations. SipHash
//! would cost more than the rest of the look-up; two keyed multiplications
//! are enough, since a peer cannot see the key and each entry costs it a base exchange.

use std::hash::{BuildHasher, Hasher};

use hip_crypto::rng::Rng;

/// The secret of one table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HashKey {
    add: u64,
    multiply: u64,
}

impl HashKey {
    pub(crate) fn generate(rng: &mut dyn Rng) -> Self {
        Self {
            add: rng.next_u64(),
            multiply: rng.next_u64() | 1,
        }
    }
}

/// Makes hashers with one key.
#[derive(Debug, Clone)]
pub(crate) struct KeyedState(HashKey);

impl KeyedState {
    pub(crate) fn new(key: HashKey) -> Self {
        Self(key)
    }
}

impl BuildHasher for KeyedState {
    type Hasher = KeyedHasher;

    fn build_hasher(&self) -> KeyedHasher {
        KeyedHasher {
            key: self.0,
            state: self.0.add,
        }
    }
}

/// Folds 64-bit words by a keyed multiplication.
#[derive(Debug)]
pub(crate) struct KeyedHasher {
    key: HashKey,
    state: u64,
}

impl Hasher for KeyedHasher {
    fn finish(&self) -> u64 {
        fold(self.state ^ self.key.add, self.key.multiply)
    }

    fn write(&mut self, octets: &[u8]) {
        let (words, rest) = octets.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_ne_bytes(*word));
        }
        for octet in rest {
            self.write_u64(u64::from(*octet));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.state = fold(self.state ^ word, self.key.multiply);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(u64::try_from(word).unwrap_or(0));
    }
}

/// Both halves of the product, so that every bit counts in every bit.
fn fold(a: u64, b: u64) -> u64 {
    let (low, high) = a.carrying_mul(b, 0);
    low ^ high
}
