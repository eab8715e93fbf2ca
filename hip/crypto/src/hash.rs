//! RHASH: the hash of a HIT suite, and the MAC and key derivation made from it.
//!
//! All of a base exchange uses the RHASH of the **Responder's** HIT (RFC 7401 section 5.2.10),
//! whatever suite the Initiator's HIT has.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use hip_wire::{hit::Hit, registry::HitSuite};
use subtle::ConstantTimeEq;

use crate::{error::CryptoError, kmac};

/// Longest digest of any suite, in octets.
pub const MAX_HASH: usize = 48;

/// The hash function of a HIT suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rhash {
    /// HIT suite 1 (RSA, DSA): SHA-256 and HMAC-SHA-256.
    Sha256,
    /// HIT suite 2 (ECDSA): SHA-384 and HMAC-SHA-384.
    Sha384,
    /// HIT suite 3 (ECDSA_LOW): SHA-1 and HMAC-SHA-1.
    Sha1,
    /// HIT suite 5 (EdDSA): cSHAKE128 cut to 256 bits, and KMAC128 (RFC 9374 section 3.4.2).
    ///
    /// RFC 9374 leaves RHASH_len and the key derivation open. Chosen here: 32 octets, empty
    /// function name and customisation, and HKDF with KMAC128 (32 octets) in the place of HMAC
    /// (docs/decisions/0008-crypto-choices.md).
    // 9374-3.4.2-02: a documented local choice
    Cshake128,
}

impl Rhash {
    /// The RHASH of a suite.
    // 7401-5.2.10-10: the MAC follows the Responder's suite, with the full digest
    pub const fn for_suite(suite: HitSuite) -> Self {
        match suite {
            HitSuite::RsaDsaSha256 => Self::Sha256,
            HitSuite::EcdsaSha384 => Self::Sha384,
            HitSuite::EcdsaLowSha1 => Self::Sha1,
            HitSuite::EddsaCshake128 => Self::Cshake128,
        }
    }

    /// The RHASH of the suite that a HIT names; `None` for a HIT of unknown suite.
    // 7401-3.1-01: the suite nibble of the HIT tells the hash
    pub fn for_hit(hit: Hit) -> Option<Self> {
        hit.suite().map(Self::for_suite)
    }

    /// RHASH_len in octets: also the length of #I, #J and of a HIP_MAC.
    // False positive: a digest length is never zero, so there is no is_empty.
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha256 | Self::Cshake128 => 32,
            Self::Sha384 => 48,
            Self::Sha1 => 20,
        }
    }

    /// The digest of the concatenated parts.
    pub fn digest(self, parts: &[&[u8]]) -> HashValue {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Cshake128 => {
                return HashValue::filled_by(self.len(), |out| kmac::cshake128(parts, &[], out));
            }
        };
        let mut context = digest::Context::new(algorithm);
        for part in parts {
            context.update(part);
        }
        HashValue::copy_of(context.finish().as_ref())
    }

    /// The MAC of the concatenated parts: HMAC, or KMAC128 for suite 5; [`len`](Self::len) octets.
    pub fn hmac(self, key: &[u8], parts: &[&[u8]]) -> HashValue {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Cshake128 => {
                return HashValue::filled_by(self.len(), |out| kmac::kmac128(key, parts, &[], out));
            }
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        for part in parts {
            context.update(part);
        }
        HashValue::copy_of(context.sign().as_ref())
    }

    /// Compares a received MAC with the right one, in constant time.
    // 7401-6.4.1-08: constant-time comparison; 7401-5.2.12-01: the full digest, never a part
    pub fn verify_hmac(
        self,
        key: &[u8],
        parts: &[&[u8]],
        mac: &[u8],
    ) -> Result<MacValid, CryptoError> {
        if bool::from(self.hmac(key, parts).as_ref().ct_eq(mac)) {
            Ok(MacValid(()))
        } else {
            Err(CryptoError::BadMac)
        }
    }
}

/// Proof that a MAC was compared and fits. Only [`Rhash::verify_hmac`] makes one.
#[derive(Debug)]
#[must_use = "the proof is an argument of what it permits"]
pub struct MacValid(());

/// A digest or MAC of up to [`MAX_HASH`] octets, without allocation.
#[derive(Clone, Copy)]
pub struct HashValue {
    octets: [u8; MAX_HASH],
    length: usize,
}

impl HashValue {
    fn copy_of(octets: &[u8]) -> Self {
        Self::filled_by(octets.len(), |out| {
            for (to, from) in out.iter_mut().zip(octets) {
                *to = *from;
            }
        })
    }

    fn filled_by(length: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let length = length.min(MAX_HASH);
        let mut octets = [0; MAX_HASH];
        if let Some(out) = octets.get_mut(..length) {
            fill(out);
        }
        Self { octets, length }
    }
}

impl AsRef<[u8]> for HashValue {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

impl PartialEq for HashValue {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref().ct_eq(other.as_ref()).into()
    }
}

impl Eq for HashValue {}

impl fmt::Debug for HashValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref()
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

#[cfg(test)]
mod tests;
