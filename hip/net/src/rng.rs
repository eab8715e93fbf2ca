//! Randomness of the operating system behind the trait the cores take it by.

use std::{fs::File, io::Read};

use hip_crypto::rng::Rng;

use crate::{error::NetError, sys};

/// Cryptographically secure random bytes from the kernel (`getrandom`).
#[derive(Debug, Clone, Copy)]
pub struct OsRng(());

impl OsRng {
    /// Checks once that the kernel gives random bytes, so that later calls cannot fail.
    pub fn new() -> Result<Self, NetError> {
        let mut probe = [0; 32];
        sys::random(&mut probe).map_err(|error| NetError::system("getrandom", error))?;
        Ok(Self(()))
    }
}

impl Rng for OsRng {
    fn fill(&mut self, out: &mut [u8]) {
        if sys::random(out).is_ok() {
            return;
        }
        let from_device = File::open("/dev/urandom").and_then(|mut file| file.read_exact(out));
        // Going on with predictable keys is the one thing that must not happen.
        assert!(from_device.is_ok(), "the kernel gives no random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ_and_every_length_is_filled() {
        let mut rng = OsRng::new().expect("random bytes");
        let (mut first, mut second) = ([0; 32], [0; 32]);
        rng.fill(&mut first);
        rng.fill(&mut second);
        assert_ne!(first, second);
        let mut long = vec![0; 100_000];
        rng.fill(&mut long);
        assert!(
            long.chunks(64)
                .all(|chunk| chunk.iter().any(|&byte| byte != 0))
        );
    }
}
