//! Random initialisation vectors, fetched from the generator many at a time.

use hip_crypto::rng::Rng;

/// Octets fetched at once.
const POOL: usize = 1024;

/// Unpredictable 16-octet vectors for CBC (RFC 3602 §3).
pub(crate) struct IvPool {
    rng: Box<dyn Rng>,
    octets: Box<[u8; POOL]>,
    used: usize,
}

impl IvPool {
    pub(crate) fn new(rng: Box<dyn Rng>) -> Self {
        Self {
            rng,
            octets: Box::new([0; POOL]),
            used: POOL,
        }
    }

    /// A vector never given before.
    pub(crate) fn next(&mut self) -> [u8; 16] {
        loop {
            let fresh = self
                .octets
                .get(self.used..)
                .and_then(|rest| rest.first_chunk());
            if let Some(iv) = fresh {
                self.used += iv.len();
                return *iv;
            }
            self.rng.fill(self.octets.as_mut_slice());
            self.used = 0;
        }
    }
}
