//! Group 10: Diffie-Hellman on secp160r1 (RFC 7401 appendix D).

use zeroize::{Zeroize, Zeroizing};

use crate::{
    error::CryptoError,
    rng::Rng,
    secp160r1::{FIELD_LEN, Point, SCALAR_LEN, Scalar, scalar_of},
    secret::Secret,
};

/// Draws that miss the range 1..order before the source of randomness is to blame.
const MAX_DRAWS: usize = 256;

pub(super) struct Secp160r1Private {
    scalar: Zeroizing<Scalar>,
    public: [u8; 2 * FIELD_LEN],
}

impl Secp160r1Private {
    pub(super) fn generate(rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        let mut octets = Zeroizing::new([0; SCALAR_LEN]);
        for _ in 0..MAX_DRAWS {
            rng.fill(octets.as_mut_slice());
            if let Some(first) = octets.first_mut() {
                *first &= 1;
            }
            if let Some(scalar) = scalar_of(octets.as_slice()) {
                return Self::with_public(scalar);
            }
        }
        Err(CryptoError::Provider("drawing a secp160r1 key"))
    }

    fn with_public(scalar: Scalar) -> Result<Self, CryptoError> {
        let public = Point::GENERATOR
            .times(&scalar)
            .coordinates()
            .ok_or(CryptoError::Provider("public secp160r1 key"))?;
        Ok(Self {
            scalar: Zeroizing::new(scalar),
            public,
        })
    }

    pub(super) fn public_value(&self) -> &[u8] {
        &self.public
    }

    pub(super) fn agree(&self, peer: &[u8]) -> Result<Secret, CryptoError> {
        let mut shared = Point::from_coordinates(peer)
            .and_then(|point| point.times(&self.scalar).coordinates())
            .ok_or(CryptoError::BadPublicValue)?;
        let kij = shared.get(..FIELD_LEN).map(Secret::copy_of);
        shared.zeroize();
        kij.ok_or(CryptoError::BadPublicValue)
    }
}
