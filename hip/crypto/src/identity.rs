//! Host identities: the key pair of a host, the public keys of its peers, and their HITs
//! (RFC 7401 section 3).

use std::{fmt, str::FromStr, sync::Arc};

use hip_wire::{
    hit::Hit,
    registry::{HiAlgorithm, HitSuite},
};

use crate::{
    backend::Backend,
    error::CryptoError,
    hash::Rhash,
    orchid,
    rng::{Rng, SeededRng},
    sign::{PrivateKey, PublicKey},
};

/// The kinds of key pairs this host can have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST P-256 with SHA-384: HIT suite 2.
    #[default]
    EcdsaP256,
    /// ECDSA on NIST P-384 with SHA-384: HIT suite 2.
    EcdsaP384,
    /// RSASSA-PSS, 2048 bits, with SHA-256: HIT suite 1.
    Rsa2048,
    /// RSASSA-PSS, 3072 bits, with SHA-256: HIT suite 1.
    Rsa3072,
    /// RSASSA-PSS, 4096 bits, with SHA-256: HIT suite 1.
    Rsa4096,
    /// Ed25519: HIT suite 5 (RFC 9374).
    Ed25519,
    /// ECDSA on secp160r1 with SHA-1: HIT suite 3. Weak.
    EcdsaSecp160r1,
    /// DSA of 1024 bits with SHA-256: HIT suite 1. Weak.
    Dsa1024,
}

impl KeyAlgorithm {
    /// All of them, the default first and the weak ones last.
    pub const ALL: [Self; 8] = [
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::Ed25519,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::EcdsaSecp160r1,
        Self::Dsa1024,
    ];

    /// The name in configuration and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
            Self::Ed25519 => "ed25519",
            Self::EcdsaSecp160r1 => "ecdsa-secp160r1",
            Self::Dsa1024 => "dsa-1024",
        }
    }

    /// The algorithm number of its HOST_ID and signatures.
    pub const fn hi_algorithm(self) -> HiAlgorithm {
        match self {
            Self::EcdsaP256 | Self::EcdsaP384 => HiAlgorithm::Ecdsa,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => HiAlgorithm::Rsa,
            Self::Ed25519 => HiAlgorithm::EdDsa,
            Self::EcdsaSecp160r1 => HiAlgorithm::EcdsaLow,
            Self::Dsa1024 => HiAlgorithm::Dsa,
        }
    }

    /// Whether most peers refuse such an identity, as this host does by default.
    pub const fn is_weak(self) -> bool {
        is_weak(self.hi_algorithm())
    }

    /// The suite of its HIT.
    pub const fn hit_suite(self) -> HitSuite {
        orchid::suite_of(self.hi_algorithm())
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownKeyAlgorithm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or(UnknownKeyAlgorithm)
    }
}

/// A text that names no [`KeyAlgorithm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKeyAlgorithm;

impl fmt::Display for UnknownKeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown key algorithm; known are")?;
        KeyAlgorithm::ALL
            .iter()
            .try_for_each(|algorithm| write!(f, " {algorithm}"))
    }
}

impl std::error::Error for UnknownKeyAlgorithm {}

/// The identity of this host: the private key and what is derived from it.
///
/// ```
/// use hip_crypto::{identity::{HostIdentity, KeyAlgorithm}, rng::SeededRng};
///
/// # fn main() -> Result<(), hip_crypto::error::CryptoError> {
/// let host = HostIdentity::generate(KeyAlgorithm::EcdsaP256, &mut SeededRng::new(1))?;
/// let signature = host.sign(b"message")?;
/// let _proof = host.public().verify(b"message", &signature)?;
/// assert!(host.hit().is_orchid());
/// # Ok(())
/// # }
/// ```
pub struct HostIdentity {
    algorithm: KeyAlgorithm,
    key: PrivateKey,
    public: PublicIdentity,
}

impl HostIdentity {
    /// Makes a new key pair from the octets of `rng`, on the fast back end.
    ///
    /// RSA primes come from the generator of the back end instead; they and the parameters of DSA
    /// take tenths of a second.
    // 7401-3-01 and 7401-3-02: RSA and ECDSA; 7401-3-03: EdDSA, ECDSA_LOW and DSA too
    pub fn generate(algorithm: KeyAlgorithm, rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        Self::with_key(algorithm, PrivateKey::generate(algorithm, rng)?)
    }

    /// The key pair that belongs to a number, whose signatures are a function of key and message
    /// alone (RFC 6979): a simulation with it replays octet by octet. Never for a real host.
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedAlgorithm`] for RSA, which has random salts.
    pub fn from_seed(algorithm: KeyAlgorithm, seed: u64) -> Result<Self, CryptoError> {
        let mut rng = SeededRng::labelled(seed, algorithm.name().as_bytes());
        Self::with_key(algorithm, PrivateKey::deterministic(algorithm, &mut rng)?)
    }

    pub(crate) fn with_key(algorithm: KeyAlgorithm, key: PrivateKey) -> Result<Self, CryptoError> {
        let policy = HiPolicy {
            allow_weak: true,
            ..HiPolicy::default()
        };
        let public = PublicIdentity::from_hi_with(policy, algorithm.hi_algorithm(), &key.hi()?)?;
        Ok(Self {
            algorithm,
            key,
            public,
        })
    }

    /// The kind of key pair.
    pub fn key_algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The public half.
    pub fn public(&self) -> &PublicIdentity {
        &self.public
    }

    /// The HIT of this host.
    pub fn hit(&self) -> Hit {
        self.public.hit()
    }

    /// Signs a message; the result is what stands in HIP_SIGNATURE.
    ///
    /// RSA: PSS with a salt as long as the hash. ECDSA: r then s, of fixed length. DSA: T, r and s.
    // 7401-5.2.14-04: the hash of the signer's HIT suite
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.key.sign(message)
    }

    pub(crate) fn private_key(&self) -> &PrivateKey {
        &self.key
    }
}

impl fmt::Debug for HostIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostIdentity")
            .field("algorithm", &self.algorithm)
            .field("hit", &self.hit())
            .finish_non_exhaustive()
    }
}

/// How Host Identities of peers are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HiPolicy {
    /// Takes DSA and ECDSA_LOW too, which give about 80 bits of strength (RFC 7401 asks for 112).
    pub allow_weak: bool,
    /// What checks the signatures of the identity.
    pub backend: Backend,
}

/// A checked Host Identity (public key) and its HIT. Cloning is cheap.
#[derive(Clone)]
pub struct PublicIdentity {
    algorithm: HiAlgorithm,
    hit: Hit,
    hi: Arc<[u8]>,
    key: Arc<PublicKey>,
}

impl PublicIdentity {
    /// Reads the HI octets of a HOST_ID, under the default policy.
    ///
    /// # Errors
    /// As [`from_hi_with`](Self::from_hi_with).
    pub fn from_hi(algorithm: HiAlgorithm, hi: &[u8]) -> Result<Self, CryptoError> {
        Self::from_hi_with(HiPolicy::default(), algorithm, hi)
    }

    /// Reads the HI octets of a HOST_ID.
    ///
    /// # Errors
    /// [`CryptoError::MalformedKey`], or [`CryptoError::WeakKey`] (RSA below 2048 bits, points of
    /// small order, and DSA and ECDSA_LOW unless the policy takes them).
    pub fn from_hi_with(
        policy: HiPolicy,
        algorithm: HiAlgorithm,
        hi: &[u8],
    ) -> Result<Self, CryptoError> {
        // 7401-5.2.9-08: 112 bits of strength; 7401-D-01: secp160r1 is off by default
        if is_weak(algorithm) && !policy.allow_weak {
            return Err(CryptoError::WeakKey("DSA and ECDSA_LOW are switched off"));
        }
        let key = PublicKey::from_hi(policy.backend, algorithm, hi)?;
        Ok(Self {
            algorithm,
            hit: orchid::hit_of(algorithm, hi),
            hi: hi.into(),
            key: Arc::new(key),
        })
    }

    /// The algorithm number in HOST_ID and signature parameters.
    pub fn algorithm(&self) -> HiAlgorithm {
        self.algorithm
    }

    /// The HI octets as in HOST_ID.
    pub fn hi(&self) -> &[u8] {
        &self.hi
    }

    /// The HIT, computed from the HI.
    pub fn hit(&self) -> Hit {
        self.hit
    }

    /// The RHASH of exchanges in which this identity is the Responder.
    pub fn rhash(&self) -> Rhash {
        Rhash::for_suite(orchid::suite_of(self.algorithm))
    }

    /// Checks a signature as it stands in HIP_SIGNATURE.
    ///
    /// # Errors
    /// [`CryptoError::BadSignature`] for anything but a right signature.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<SignatureValid, CryptoError> {
        self.key.verify(message, signature)?;
        Ok(SignatureValid { signer: self.hit })
    }
}

impl PartialEq for PublicIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.hi == other.hi
    }
}

impl Eq for PublicIdentity {}

impl fmt::Debug for PublicIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicIdentity")
            .field("algorithm", &self.algorithm)
            .field("hit", &self.hit)
            .finish_non_exhaustive()
    }
}

/// Proof that a signature was checked and fits. Only [`PublicIdentity::verify`] makes one.
#[derive(Debug)]
#[must_use = "the proof is an argument of what it permits"]
pub struct SignatureValid {
    signer: Hit,
}

impl SignatureValid {
    /// The HIT of the identity that signed.
    pub fn signer(&self) -> Hit {
        self.signer
    }
}

const fn is_weak(algorithm: HiAlgorithm) -> bool {
    matches!(algorithm, HiAlgorithm::Dsa | HiAlgorithm::EcdsaLow)
}

#[cfg(test)]
mod tests;
