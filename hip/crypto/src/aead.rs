//! ESP suites: encryption and authentication of one packet, in place
//! (RFC 7402 section 5.1.2, RFC 4303).
//!
//! Both directions work on the *body* of an ESP packet, what follows the 8 octets of SPI and
//! sequence number:
//!
//! ```text
//! | IV (suite.iv_len()) | payload, padding, pad length, next header | ICV (suite.icv_len()) |
//! ```
//!
//! Keys are expanded once when the object is made, and a packet costs no allocation (but for AES-GMAC,
//! which copies it). Sequence
//! numbers are always the extended ones of 64 bits; padding is the business of the caller.

use std::ops::Range;

use hip_wire::registry::EspSuite;

use self::{
    cbc::{CbcDecryptor, CbcEncryptor},
    combined::CombinedKey,
    integrity::IntegrityKey,
};
use crate::{backend::Backend, error::CryptoError, keymat::EspKeys};

mod cbc;
mod combined;
mod integrity;

/// Octets that a suite draws from KEYMAT for one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLengths {
    /// Encryption key, with the salt of the combined modes.
    pub encryption: usize,
    /// Authentication key; 0 in combined modes.
    pub authentication: usize,
}

/// Key lengths of a suite.
///
/// RFC 7402 does not give those of the suites 10 to 15: 128 bits, then the salt of their own RFCs,
/// all in the encryption key, but for AES-CMAC, which has an authentication key only.
// 7402-7-03: the natural key sizes; 7402-5.1.2-15: 128 bits, salt of 3 (CCM) or 4 octets (GCM, GMAC)
pub const fn key_lengths(suite: EspSuite) -> KeyLengths {
    let (encryption, authentication) = match suite {
        EspSuite::NullHmacSha256 => (0, 32),
        EspSuite::Aes128CbcHmacSha256 => (16, 32),
        EspSuite::Aes256CbcHmacSha256 => (32, 32),
        EspSuite::AesCcm8 | EspSuite::AesCcm16 => (16 + combined::CCM_SALT, 0),
        EspSuite::AesGcm8 | EspSuite::AesGcm16 | EspSuite::AesGmac => (16 + combined::GCM_SALT, 0),
        EspSuite::AesCmac96 => (0, 16),
    };
    KeyLengths {
        encryption,
        authentication,
    }
}

/// What payload, padding and the two trailer octets together must be a multiple of.
// 4303-2.4-02: the block of AES-CBC; 4303-2.4-03: else 4 octets
pub const fn block_len(suite: EspSuite) -> usize {
    match suite {
        EspSuite::Aes128CbcHmacSha256 | EspSuite::Aes256CbcHmacSha256 => 16,
        _ => 4,
    }
}

/// Protects the packets of one outbound SA.
pub struct EspSealer {
    suite: EspSuite,
    algorithm: Sealing,
}

enum Sealing {
    Integrity(IntegrityKey),
    Cbc(CbcEncryptor, IntegrityKey),
    Combined(CombinedKey),
}

impl EspSealer {
    /// Expands the keys of an SA, on the fast back end.
    ///
    /// # Errors
    /// [`CryptoError::BadLength`] for keys of wrong length.
    pub fn new(keys: &EspKeys) -> Result<Self, CryptoError> {
        Self::new_on(Backend::Fast, keys)
    }

    /// Expands the keys of an SA.
    ///
    /// # Errors
    /// [`CryptoError::BadLength`] for keys of wrong length.
    pub fn new_on(backend: Backend, keys: &EspKeys) -> Result<Self, CryptoError> {
        let (encryption, authentication) = checked(keys)?;
        let algorithm = match CombinedKey::new(backend, keys.suite, encryption) {
            Some(key) => Sealing::Combined(key?),
            None => {
                let integrity = integrity_key(keys.suite, authentication)?;
                if encryption.is_empty() {
                    Sealing::Integrity(integrity)
                } else {
                    let key = CbcEncryptor::new(backend, encryption)?;
                    Sealing::Cbc(key, integrity)
                }
            }
        };
        Ok(Self {
            suite: keys.suite,
            algorithm,
        })
    }

    /// The suite.
    pub fn suite(&self) -> EspSuite {
        self.suite
    }

    /// Protects one packet in place: writes IV and ICV into `body` and encrypts what lies between,
    /// which is a multiple of [`block_len`] octets.
    ///
    /// `seq` must never repeat for an SA. `random_iv` has to be unpredictable for the CBC suites
    /// (7402-5.1.2-14); the other suites do not look at it, as the IV of the combined modes is
    /// `seq` itself.
    pub fn seal(
        &self,
        spi: u32,
        seq: u64,
        random_iv: &[u8; 16],
        body: &mut [u8],
    ) -> Result<(), CryptoError> {
        let text = text_range(self.suite, body.len())?;
        let (protected, icv) = body
            .split_at_mut_checked(text.end)
            .ok_or(CryptoError::BufferTooShort)?;
        let (iv, text) = protected
            .split_at_mut_checked(text.start)
            .ok_or(CryptoError::BufferTooShort)?;
        match &self.algorithm {
            Sealing::Integrity(key) => key.write_icv(spi, seq, protected, icv),
            Sealing::Cbc(encryption, key) => {
                iv.copy_from_slice(random_iv);
                // 4303-3.3.2.1-01: encrypt, then the ICV over the ciphertext
                encryption.encrypt(random_iv, text)?;
                key.write_icv(spi, seq, protected, icv);
            }
            Sealing::Combined(key) => {
                iv.copy_from_slice(&seq.to_be_bytes());
                key.seal(spi, seq, seq.to_be_bytes(), text, icv)?;
            }
        }
        Ok(())
    }
}

/// Checks and decrypts the packets of one inbound SA.
pub struct EspOpener {
    suite: EspSuite,
    algorithm: Opening,
}

enum Opening {
    Integrity(IntegrityKey),
    Cbc(CbcDecryptor, IntegrityKey),
    Combined(CombinedKey),
}

impl EspOpener {
    /// Expands the keys of an SA, on the fast back end.
    ///
    /// # Errors
    /// [`CryptoError::BadLength`] for keys of wrong length.
    pub fn new(keys: &EspKeys) -> Result<Self, CryptoError> {
        Self::new_on(Backend::Fast, keys)
    }

    /// Expands the keys of an SA.
    ///
    /// # Errors
    /// [`CryptoError::BadLength`] for keys of wrong length.
    pub fn new_on(backend: Backend, keys: &EspKeys) -> Result<Self, CryptoError> {
        let (encryption, authentication) = checked(keys)?;
        let algorithm = match CombinedKey::new(backend, keys.suite, encryption) {
            Some(key) => Opening::Combined(key?),
            None => {
                let integrity = integrity_key(keys.suite, authentication)?;
                if encryption.is_empty() {
                    Opening::Integrity(integrity)
                } else {
                    let key = CbcDecryptor::new(backend, encryption)?;
                    Opening::Cbc(key, integrity)
                }
            }
        };
        Ok(Self {
            suite: keys.suite,
            algorithm,
        })
    }

    /// The suite.
    pub fn suite(&self) -> EspSuite {
        self.suite
    }

    /// Checks the ICV of one packet and decrypts it in place; returns where in `body` the payload
    /// with its padding and trailer lies.
    ///
    /// # Errors
    /// [`CryptoError::BadIcv`] when anything was changed (`body` is of no use then);
    /// [`CryptoError::BufferTooShort`] or [`CryptoError::BadLength`] when it cannot be a packet.
    pub fn open(&self, spi: u32, seq: u64, body: &mut [u8]) -> Result<Range<usize>, CryptoError> {
        let range = text_range(self.suite, body.len())?;
        if range.len() % block_len(self.suite) != 0 {
            return Err(CryptoError::BadLength);
        }
        let (protected, icv) = body
            .split_at_mut_checked(range.end)
            .ok_or(CryptoError::BufferTooShort)?;
        // 4303-3.4.4.1-01: the ICV first, then decryption
        match &self.algorithm {
            Opening::Integrity(key) => key.check(spi, seq, protected, icv)?,
            Opening::Cbc(encryption, key) => {
                key.check(spi, seq, protected, icv)?;
                let (iv, text) = protected
                    .split_first_chunk_mut::<16>()
                    .ok_or(CryptoError::BufferTooShort)?;
                encryption.decrypt(iv, text)?;
            }
            Opening::Combined(key) => {
                let (iv, text_and_icv) = body
                    .split_first_chunk_mut::<{ combined::IV_LEN }>()
                    .ok_or(CryptoError::BufferTooShort)?;
                key.open(spi, seq, *iv, text_and_icv)?;
            }
        }
        Ok(range)
    }
}

/// The keys, when they have the lengths of their suite.
fn checked(keys: &EspKeys) -> Result<(&[u8], &[u8]), CryptoError> {
    let lengths = key_lengths(keys.suite);
    if keys.encryption.len() != lengths.encryption
        || keys.authentication.len() != lengths.authentication
    {
        return Err(CryptoError::BadLength);
    }
    Ok((keys.encryption.as_bytes(), keys.authentication.as_bytes()))
}

fn integrity_key(suite: EspSuite, key: &[u8]) -> Result<IntegrityKey, CryptoError> {
    match suite {
        EspSuite::AesCmac96 => IntegrityKey::aes_cmac(key),
        _ => IntegrityKey::hmac_sha256(key),
    }
}

/// Where the text lies in a body of this length.
fn text_range(suite: EspSuite, body: usize) -> Result<Range<usize>, CryptoError> {
    let end = body
        .checked_sub(suite.icv_len())
        .ok_or(CryptoError::BufferTooShort)?;
    if end < suite.iv_len() {
        return Err(CryptoError::BufferTooShort);
    }
    Ok(suite.iv_len()..end)
}

#[cfg(test)]
mod tests;
