//! The NIST elliptic curve groups.

use aws_lc_rs::agreement::{
    self, Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey,
};
use hip_wire::registry::DhGroup;
use zeroize::Zeroizing;

use crate::{error::CryptoError, rng::Rng, secret::Secret};

/// Marks an uncompressed point in SEC 1; HIP leaves it out.
const UNCOMPRESSED: u8 = 4;

/// Draws that miss the range 1..order before the source of randomness is to blame.
const MAX_DRAWS: usize = 256;

pub(super) struct EcpPrivate {
    key: PrivateKey,
    public: Vec<u8>,
}

impl EcpPrivate {
    pub(super) fn generate(group: DhGroup, rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        let curve = Curve::of(group)?;
        let mut scalar = Zeroizing::new(vec![0; curve.field_len]);
        for _ in 0..MAX_DRAWS {
            rng.fill(&mut scalar);
            if let Some(first) = scalar.first_mut() {
                *first &= curve.first_octet;
            }
            // The back end refuses 0 and everything from the order on.
            if let Ok(key) = PrivateKey::from_private_key(curve.algorithm, &scalar) {
                return Self::with_public(key);
            }
        }
        Err(CryptoError::Provider("drawing an elliptic curve key"))
    }

    fn with_public(key: PrivateKey) -> Result<Self, CryptoError> {
        let point = key
            .compute_public_key()
            .map_err(|_| CryptoError::Provider("public elliptic curve key"))?;
        match point.as_ref().split_first() {
            Some((&UNCOMPRESSED, public)) => Ok(Self {
                public: public.to_vec(),
                key,
            }),
            _ => Err(CryptoError::Provider(
                "form of the public elliptic curve key",
            )),
        }
    }

    pub(super) fn public_value(&self) -> &[u8] {
        &self.public
    }

    pub(super) fn agree(&self, peer: &[u8]) -> Result<Secret, CryptoError> {
        if peer.len() != self.public.len() {
            return Err(CryptoError::BadPublicValue);
        }
        let mut point = Vec::with_capacity(peer.len() + 1);
        point.push(UNCOMPRESSED);
        point.extend_from_slice(peer);
        // The back end checks that the point lies on the curve; cofactor 1 makes that enough.
        // 7401-5.2.7-04: cofactor 1
        let peer = UnparsedPublicKey::new(self.key.algorithm(), point);
        agreement::agree(&self.key, peer, CryptoError::BadPublicValue, |kij| {
            Ok(Secret::copy_of(kij))
        })
    }
}

struct Curve {
    algorithm: &'static Algorithm,
    field_len: usize,
    /// Mask for the bits of a scalar beyond the size of the order.
    first_octet: u8,
}

impl Curve {
    fn of(group: DhGroup) -> Result<Self, CryptoError> {
        let (algorithm, field_len, first_octet) = match group {
            DhGroup::EcpP256 => (&ECDH_P256, 32, 0xff),
            DhGroup::EcpP384 => (&ECDH_P384, 48, 0xff),
            DhGroup::EcpP521 => (&ECDH_P521, 66, 0x01),
            DhGroup::Modp1536 | DhGroup::Modp2048 | DhGroup::Modp3072 | DhGroup::EcpSecp160r1 => {
                return Err(CryptoError::UnsupportedGroup(group));
            }
        };
        Ok(Self {
            algorithm,
            field_len,
            first_octet,
        })
    }
}
