//! The NIST elliptic curve groups.

use aws_lc_rs::agreement::{
    self, Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey,
};
use hip_wire::registry::DhGroup;
use zeroize::Zeroizing;

use crate::{
    backend::Backend, dh::ecp_portable::PortableKey, error::CryptoError, rng::Rng, secret::Secret,
};

/// Marks an uncompressed point in SEC 1; HIP leaves it out.
const UNCOMPRESSED: u8 = 4;

/// Draws that miss the range 1..order before the source of randomness is to blame.
const MAX_DRAWS: usize = 256;

pub(super) struct EcpPrivate {
    key: Key,
    public: Vec<u8>,
}

enum Key {
    Fast(PrivateKey),
    Portable(PortableKey),
}

impl EcpPrivate {
    pub(super) fn generate(
        backend: Backend,
        group: DhGroup,
        rng: &mut dyn Rng,
    ) -> Result<Self, CryptoError> {
        let curve = Curve::of(group)?;
        let mut scalar = Zeroizing::new(vec![0; curve.field_len]);
        for _ in 0..MAX_DRAWS {
            rng.fill(&mut scalar);
            if let Some(first) = scalar.first_mut() {
                *first &= curve.first_octet;
            }
            // Both back ends refuse 0 and everything from the order on.
            let key = match backend {
                Backend::Fast => PrivateKey::from_private_key(curve.algorithm, &scalar)
                    .ok()
                    .map(Key::Fast),
                Backend::Portable => PortableKey::from_scalar(group, &scalar).map(Key::Portable),
            };
            if let Some(key) = key {
                return Self::with_public(key);
            }
        }
        Err(CryptoError::Provider("drawing an elliptic curve key"))
    }

    fn with_public(key: Key) -> Result<Self, CryptoError> {
        let point = match &key {
            Key::Fast(key) => key
                .compute_public_key()
                .map_err(|_| CryptoError::Provider("public elliptic curve key"))?
                .as_ref()
                .to_vec(),
            Key::Portable(key) => key.public_point(),
        };
        match point.split_first() {
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
        // The back ends check that the point lies on the curve; cofactor 1 makes that enough.
        // 7401-5.2.7-04: cofactor 1
        match &self.key {
            Key::Fast(key) => {
                let peer = UnparsedPublicKey::new(key.algorithm(), point);
                agreement::agree(key, peer, CryptoError::BadPublicValue, |kij| {
                    Ok(Secret::copy_of(kij))
                })
            }
            Key::Portable(key) => key.agree(&point),
        }
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
                return Err(CryptoError::Provider("group of an elliptic curve key"));
            }
        };
        Ok(Self {
            algorithm,
            field_len,
            first_octet,
        })
    }
}
