//! The signature algorithms of host identities, one file each.

use hip_wire::registry::HiAlgorithm;
use zeroize::Zeroizing;

use crate::{backend::Backend, error::CryptoError, identity::KeyAlgorithm, rng::Rng};

pub(crate) mod dsa;
pub(crate) mod ecdsa;
pub(crate) mod ecdsa_low;
pub(crate) mod eddsa;
pub(crate) mod rsa;

/// A private key on one of the back ends.
pub(crate) enum PrivateKey {
    Ecdsa(ecdsa::EcdsaPrivate),
    Rsa(rsa::RsaPrivate),
    Ed25519(eddsa::Ed25519Private),
    EcdsaLow(ecdsa_low::EcdsaLowPrivate),
    Dsa(Box<dsa::DsaPrivate>),
}

impl PrivateKey {
    /// A new key, on the fast back end.
    pub(crate) fn generate(
        algorithm: KeyAlgorithm,
        rng: &mut dyn Rng,
    ) -> Result<Self, CryptoError> {
        use ecdsa::{Curve, EcdsaPrivate};
        match algorithm {
            KeyAlgorithm::EcdsaP256 => EcdsaPrivate::generate(Curve::P256, rng).map(Self::Ecdsa),
            KeyAlgorithm::EcdsaP384 => EcdsaPrivate::generate(Curve::P384, rng).map(Self::Ecdsa),
            KeyAlgorithm::Ed25519 => eddsa::Ed25519Private::generate(rng).map(Self::Ed25519),
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                rsa::RsaPrivate::generate(algorithm).map(Self::Rsa)
            }
            KeyAlgorithm::EcdsaSecp160r1 => {
                ecdsa_low::EcdsaLowPrivate::generate(rng).map(Self::EcdsaLow)
            }
            KeyAlgorithm::Dsa1024 => {
                dsa::DsaPrivate::generate(rng).map(|key| Self::Dsa(Box::new(key)))
            }
        }
    }

    /// A new key whose signatures depend on key and message alone.
    pub(crate) fn deterministic(
        algorithm: KeyAlgorithm,
        rng: &mut dyn Rng,
    ) -> Result<Self, CryptoError> {
        match Self::generate_unless_rsa(algorithm, rng)? {
            Self::Ecdsa(key) => key.into_portable().map(Self::Ecdsa),
            other => Ok(other),
        }
    }

    fn generate_unless_rsa(
        algorithm: KeyAlgorithm,
        rng: &mut dyn Rng,
    ) -> Result<Self, CryptoError> {
        match algorithm.hi_algorithm() {
            HiAlgorithm::Rsa => Err(CryptoError::UnsupportedAlgorithm(HiAlgorithm::Rsa)),
            _ => Self::generate(algorithm, rng),
        }
    }

    /// The HI octets of the public key.
    pub(crate) fn hi(&self) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::Ecdsa(key) => Ok(key.hi()),
            Self::Rsa(key) => key.hi(),
            Self::Ed25519(key) => Ok(key.hi()),
            Self::EcdsaLow(key) => Ok(key.hi()),
            Self::Dsa(key) => Ok(key.hi()),
        }
    }

    /// A signature in the form of HIP_SIGNATURE.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::Ecdsa(key) => key.sign(message),
            Self::Rsa(key) => key.sign(message),
            Self::Ed25519(key) => key.sign(message),
            Self::EcdsaLow(key) => key.sign(message),
            Self::Dsa(key) => key.sign(message),
        }
    }

    /// A signature in the form of X.509, always the same for the same message; not for weak keys.
    pub(crate) fn sign_certificate(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::Ecdsa(key) => key.sign_certificate(message),
            Self::Rsa(key) => key.sign_certificate(message),
            Self::Ed25519(key) => key.sign(message),
            Self::EcdsaLow(_) => Err(CryptoError::UnsupportedAlgorithm(HiAlgorithm::EcdsaLow)),
            Self::Dsa(_) => Err(CryptoError::UnsupportedAlgorithm(HiAlgorithm::Dsa)),
        }
    }

    /// The key as a PKCS#8 PrivateKeyInfo.
    pub(crate) fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match self {
            Self::Ecdsa(key) => key.pkcs8(),
            Self::Rsa(key) => key.pkcs8(),
            Self::Ed25519(key) => Ok(key.pkcs8()),
            Self::EcdsaLow(key) => Ok(key.pkcs8()),
            Self::Dsa(key) => key.pkcs8(),
        }
    }
}

/// A public key, parsed once.
pub(crate) enum PublicKey {
    Ecdsa(ecdsa::EcdsaPublic),
    Rsa(rsa::RsaPublic),
    Ed25519(eddsa::Ed25519Public),
    EcdsaLow(ecdsa_low::EcdsaLowPublic),
    Dsa(Box<dsa::DsaPublic>),
}

impl PublicKey {
    pub(crate) fn from_hi(
        backend: Backend,
        algorithm: HiAlgorithm,
        hi: &[u8],
    ) -> Result<Self, CryptoError> {
        match algorithm {
            HiAlgorithm::Ecdsa => ecdsa::EcdsaPublic::from_hi(backend, hi).map(Self::Ecdsa),
            HiAlgorithm::Rsa => rsa::RsaPublic::from_hi(hi).map(Self::Rsa),
            HiAlgorithm::EdDsa => eddsa::Ed25519Public::from_hi(hi).map(Self::Ed25519),
            HiAlgorithm::EcdsaLow => ecdsa_low::EcdsaLowPublic::from_hi(hi).map(Self::EcdsaLow),
            HiAlgorithm::Dsa => dsa::DsaPublic::from_hi(hi).map(|key| Self::Dsa(Box::new(key))),
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        match self {
            Self::Ecdsa(key) => key.verify(message, signature),
            Self::Rsa(key) => key.verify(message, signature),
            Self::Ed25519(key) => key.verify(message, signature),
            Self::EcdsaLow(key) => key.verify(message, signature),
            Self::Dsa(key) => key.verify(message, signature),
        }
    }
}

/// Splits two octets off and reads them as a number.
fn split_u16(octets: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = octets.split_first_chunk()?;
    Some((u16::from_be_bytes(*number), rest))
}
