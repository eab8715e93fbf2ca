//! ECDSA on P-256 and P-384 with SHA-384, the hash of HIT suite 2 (RFC 7401 section 5.2.9).

use aws_lc_rs::{
    agreement::{self, ECDH_P256, ECDH_P384},
    digest::{Digest, SHA256, SHA384, digest},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, ParsedPublicKey,
    },
};
use p256::ecdsa::signature::{
    Error as SignatureError,
    hazmat::{PrehashSigner, PrehashVerifier},
};
use pkcs8::EncodePrivateKey;
use zeroize::Zeroizing;

use crate::{backend::Backend, der, error::CryptoError, rng::Rng, secret::Secret, sign::split_u16};

/// Marks an uncompressed point in SEC 1.
const UNCOMPRESSED: u8 = 4;

/// Draws that miss the range 1..order before the source of randomness is to blame.
const MAX_DRAWS: usize = 256;

/// The curves of ECDSA host identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
}

impl Curve {
    /// The curve label in the HI.
    // 7401-5.2.9-11
    const fn label(self) -> u16 {
        match self {
            Self::P256 => 1,
            Self::P384 => 2,
        }
    }

    const fn field_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// SHA-384 of a message as the back end takes it for this curve.
    ///
    /// ECDSA on P-256 uses the leftmost 256 bits of a longer hash (RFC 6090 section 5.3.2), which
    /// the back end can only be given under the name of a 256-bit hash.
    // 7401-5.2.14-04: SHA-384 on both curves
    fn hash(self, message: &[u8]) -> Result<Digest, CryptoError> {
        let full = digest(&SHA384, message);
        match self {
            Self::P384 => Ok(full),
            Self::P256 => {
                let left = full.as_ref().get(..self.field_len()).unwrap_or_default();
                Digest::import_less_safe(left, &SHA256)
                    .map_err(|_| CryptoError::Provider("ECDSA digest"))
            }
        }
    }

    const fn agreement(self) -> &'static agreement::Algorithm {
        match self {
            Self::P256 => &ECDH_P256,
            Self::P384 => &ECDH_P384,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }
}

/// A private key with its two ways to sign.
pub(crate) struct EcdsaPrivate {
    curve: Curve,
    scalar: Secret,
    /// The public point with its mark.
    point: Vec<u8>,
    signer: Signer,
}

enum Signer {
    /// aws-lc-rs, with random nonces.
    Fast(EcdsaKeyPair),
    /// RustCrypto, with nonces from RFC 6979.
    Portable(PortableKey),
}

impl EcdsaPrivate {
    pub(super) fn generate(curve: Curve, rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        for _ in 0..MAX_DRAWS {
            let scalar = Secret::filled_by(curve.field_len(), |out| rng.fill(out));
            // The back end refuses 0 and everything from the order on.
            if let Ok(key) = Self::from_scalar(curve, scalar) {
                return Ok(key);
            }
        }
        Err(CryptoError::Provider("drawing an ECDSA key"))
    }

    pub(crate) fn from_scalar(curve: Curve, scalar: Secret) -> Result<Self, CryptoError> {
        let refused = CryptoError::MalformedKey("ECDSA: the private key is out of range");
        let point = agreement::PrivateKey::from_private_key(curve.agreement(), scalar.as_bytes())
            .map_err(|_| refused)?
            .compute_public_key()
            .map_err(|_| CryptoError::Provider("ECDSA public key"))?
            .as_ref()
            .to_vec();
        let signer = EcdsaKeyPair::from_private_key_and_public_key(
            curve.signing(),
            scalar.as_bytes(),
            &point,
        )
        .map_err(|_| refused)?;
        Ok(Self {
            curve,
            scalar,
            point,
            signer: Signer::Fast(signer),
        })
    }

    /// The same key, signing on the portable back end.
    pub(super) fn into_portable(self) -> Result<Self, CryptoError> {
        let signer = Signer::Portable(PortableKey::new(self.curve, &self.scalar)?);
        Ok(Self { signer, ..self })
    }

    pub(super) fn hi(&self) -> Vec<u8> {
        hi_of(self.curve, &self.point)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match &self.signer {
            Signer::Fast(key) => {
                // The back end takes nonces from its own generator.
                let signature = match self.curve {
                    Curve::P384 => key.sign(&SystemRandom::new(), message),
                    Curve::P256 => key.sign_digest(&self.curve.hash(message)?),
                };
                signature
                    .map(|signature| signature.as_ref().to_vec())
                    .map_err(|_| CryptoError::Provider("ECDSA signature"))
            }
            Signer::Portable(key) => key.sign(message),
        }
    }

    /// Always on the portable back end, so that a host has one certificate for ever.
    pub(super) fn sign_certificate(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let fixed = match &self.signer {
            Signer::Fast(_) => PortableKey::new(self.curve, &self.scalar)?.sign(message),
            Signer::Portable(key) => key.sign(message),
        }?;
        Ok(der::ecdsa_signature(&fixed))
    }

    pub(super) fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let document = match self.curve {
            Curve::P256 => p256::SecretKey::from_slice(self.scalar.as_bytes())
                .ok()
                .and_then(|key| key.to_pkcs8_der().ok()),
            Curve::P384 => p384::SecretKey::from_slice(self.scalar.as_bytes())
                .ok()
                .and_then(|key| key.to_pkcs8_der().ok()),
        };
        document
            .map(|document| document.to_bytes())
            .ok_or(CryptoError::Provider("ECDSA key encoding"))
    }
}

enum PortableKey {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
}

impl PortableKey {
    fn new(curve: Curve, scalar: &Secret) -> Result<Self, CryptoError> {
        let refused = |_: SignatureError| CryptoError::Provider("portable ECDSA key");
        match curve {
            Curve::P256 => p256::ecdsa::SigningKey::from_slice(scalar.as_bytes())
                .map(Self::P256)
                .map_err(refused),
            Curve::P384 => p384::ecdsa::SigningKey::from_slice(scalar.as_bytes())
                .map(Self::P384)
                .map_err(refused),
        }
    }

    /// Nonces as in RFC 6979, drawn with the hash of the size of the curve.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let refused = |_: SignatureError| CryptoError::Provider("portable ECDSA signature");
        match self {
            Self::P256(key) => {
                let hash = Curve::P256.hash(message)?;
                let signature: p256::ecdsa::Signature =
                    key.sign_prehash(hash.as_ref()).map_err(refused)?;
                Ok(signature.to_bytes().to_vec())
            }
            Self::P384(key) => {
                let hash = Curve::P384.hash(message)?;
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash(hash.as_ref()).map_err(refused)?;
                Ok(signature.to_bytes().to_vec())
            }
        }
    }
}

pub(crate) struct EcdsaPublic {
    curve: Curve,
    key: Verifier,
}

enum Verifier {
    Fast(ParsedPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

impl EcdsaPublic {
    pub(super) fn from_hi(backend: Backend, hi: &[u8]) -> Result<Self, CryptoError> {
        let (curve, point) = point_of(hi)?;
        let key = match (backend, curve) {
            (Backend::Fast, Curve::P256) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .ok()
                .map(Verifier::Fast),
            (Backend::Fast, Curve::P384) => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
                .ok()
                .map(Verifier::Fast),
            (Backend::Portable, Curve::P256) => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .ok()
                .map(Verifier::P256),
            (Backend::Portable, Curve::P384) => p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .ok()
                .map(Verifier::P384),
        };
        let refused = CryptoError::MalformedKey("ECDSA: the point is not on the curve");
        Ok(Self {
            curve,
            key: key.ok_or(refused)?,
        })
    }

    // 7401-5.2.14-05: r then s, each as long as the field
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if signature.len() != 2 * self.curve.field_len() {
            return Err(CryptoError::BadSignature);
        }
        let hash = self.curve.hash(message)?;
        let verified = match &self.key {
            Verifier::Fast(key) => key.verify_digest_sig(&hash, signature).is_ok(),
            Verifier::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(hash.as_ref(), &signature).is_ok()),
            Verifier::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(hash.as_ref(), &signature).is_ok()),
        };
        verified.then_some(()).ok_or(CryptoError::BadSignature)
    }
}

/// The HI octets of a point with its mark.
// 7401-3.2-09: label, then the public point; both go into the HIT
pub(crate) fn hi_of(curve: Curve, point: &[u8]) -> Vec<u8> {
    [&curve.label().to_be_bytes(), point].concat()
}

/// Curve and point (with its mark) in the HI octets.
///
/// RFC 7401 does not fix the form of the point; like the other implementations we take the
/// uncompressed form of SEC 1 and no other, since the HIT depends on it.
pub(crate) fn point_of(hi: &[u8]) -> Result<(Curve, &[u8]), CryptoError> {
    let (label, point) = split_u16(hi).ok_or(CryptoError::MalformedKey("ECDSA: no curve label"))?;
    let curve = match label {
        1 => Curve::P256,
        2 => Curve::P384,
        _ => return Err(CryptoError::MalformedKey("ECDSA: unknown curve label")),
    };
    if point.len() != 1 + 2 * curve.field_len() || point.first() != Some(&UNCOMPRESSED) {
        return Err(CryptoError::MalformedKey(
            "ECDSA: the point is not 04 | x | y",
        ));
    }
    Ok((curve, point))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::hex;

    /// RFC 6979 appendix A.2.6, SHA-384.
    #[test]
    fn portable_ecdsa_on_p384_gives_the_published_signature() {
        let scalar = hex(
            "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8\
             96d5724e4c70a825f872c9ea60d2edf5",
        );
        let key = EcdsaPrivate::from_scalar(Curve::P384, Secret::new(scalar)).expect("scalar");
        let key = key.into_portable().expect("portable");
        let want = hex(
            "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c\
             81a648152e44acf96e36dd1e80fabe46\
             99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f\
             a329c145786e679e7b82c71a38628ac8",
        );
        assert_eq!(key.sign(b"sample").expect("signed"), want);
    }
}
