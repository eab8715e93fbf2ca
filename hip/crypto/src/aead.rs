//! ESP suites: encryption and authentication of one packet, in place
//! (RFC 7402 section 5.1.2, RFC 4303, RFC 4106).
//!
//! Both directions work on the *body* of an ESP packet, what follows the 8 octets of SPI and
//! sequence number:
//!
//! ```text
//! | IV (suite.iv_len()) | payload, padding, pad length, next header | ICV (suite.icv_len()) |
//! ```
//!
//! Keys are expanded once when the object is made, and a packet costs no allocation. Sequence
//! numbers are always the extended ones of 64 bits; padding is the business of the caller.

use std::ops::Range;

use ::hmac::{Hmac, KeyInit, Mac};
use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey},
    cipher::{
        AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext,
        UnboundCipherKey,
    },
    iv::FixedLength,
};
use hip_wire::registry::EspSuite;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{error::CryptoError, keymat::EspKeys};

/// Length of the salt behind an AES-GCM key.
const GCM_SALT: usize = 4;

/// Octets that a suite draws from KEYMAT for one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLengths {
    /// Encryption key, with the salt of AES-GCM.
    pub encryption: usize,
    /// Authentication key; 0 in combined modes.
    pub authentication: usize,
}

/// Key lengths of a suite that is implemented.
// 7402-7-03: the natural key sizes; 7402-5.1.2-15: GCM takes 128 bits and 4 octets of salt
pub const fn key_lengths(suite: EspSuite) -> Result<KeyLengths, CryptoError> {
    let (encryption, authentication) = match suite {
        EspSuite::NullHmacSha256 => (0, 32),
        EspSuite::Aes128CbcHmacSha256 => (16, 32),
        EspSuite::Aes256CbcHmacSha256 => (32, 32),
        EspSuite::AesGcm16 => (16 + GCM_SALT, 0),
        EspSuite::AesCcm8
        | EspSuite::AesCcm16
        | EspSuite::AesGcm8
        | EspSuite::AesCmac96
        | EspSuite::AesGmac => return Err(CryptoError::UnsupportedEspSuite(suite)),
    };
    Ok(KeyLengths {
        encryption,
        authentication,
    })
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
    Null(IntegrityKey),
    Cbc(Box<EncryptingKey>, IntegrityKey),
    Gcm(GcmKey),
}

impl EspSealer {
    /// Expands the keys of an SA.
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedEspSuite`], or [`CryptoError::BadLength`] for keys of wrong length.
    pub fn new(keys: &EspKeys) -> Result<Self, CryptoError> {
        let (encryption, authentication) = checked(keys)?;
        let algorithm = match keys.suite {
            EspSuite::NullHmacSha256 => Sealing::Null(IntegrityKey::new(authentication)?),
            EspSuite::Aes128CbcHmacSha256 | EspSuite::Aes256CbcHmacSha256 => {
                let key = EncryptingKey::cbc(aes_key(encryption)?)
                    .map_err(|_| CryptoError::Provider("AES key expansion"))?;
                Sealing::Cbc(Box::new(key), IntegrityKey::new(authentication)?)
            }
            EspSuite::AesGcm16 => Sealing::Gcm(GcmKey::new(encryption)?),
            other => return Err(CryptoError::UnsupportedEspSuite(other)),
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
    /// (7402-5.1.2-14); the other suites do not look at it, as the IV of AES-GCM is `seq` itself.
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
            Sealing::Null(key) => write_icv(icv, &key.icv(spi, seq, protected)),
            Sealing::Cbc(encryption, key) => {
                iv.copy_from_slice(random_iv);
                let context = EncryptionContext::Iv128(FixedLength::from(random_iv));
                // 4303-3.3.2.1-01: encrypt, then the ICV over the ciphertext
                encryption
                    .less_safe_encrypt(text, context)
                    .map_err(|_| CryptoError::BadLength)?;
                write_icv(icv, &key.icv(spi, seq, protected));
            }
            Sealing::Gcm(key) => {
                iv.copy_from_slice(&seq.to_be_bytes());
                let tag = key.seal(spi, seq, seq.to_be_bytes(), text)?;
                icv.copy_from_slice(tag.as_ref());
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
    Null(IntegrityKey),
    Cbc(Box<DecryptingKey>, IntegrityKey),
    Gcm(GcmKey),
}

impl EspOpener {
    /// Expands the keys of an SA.
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedEspSuite`], or [`CryptoError::BadLength`] for keys of wrong length.
    pub fn new(keys: &EspKeys) -> Result<Self, CryptoError> {
        let (encryption, authentication) = checked(keys)?;
        let algorithm = match keys.suite {
            EspSuite::NullHmacSha256 => Opening::Null(IntegrityKey::new(authentication)?),
            EspSuite::Aes128CbcHmacSha256 | EspSuite::Aes256CbcHmacSha256 => {
                let key = DecryptingKey::cbc(aes_key(encryption)?)
                    .map_err(|_| CryptoError::Provider("AES key expansion"))?;
                Opening::Cbc(Box::new(key), IntegrityKey::new(authentication)?)
            }
            EspSuite::AesGcm16 => Opening::Gcm(GcmKey::new(encryption)?),
            other => return Err(CryptoError::UnsupportedEspSuite(other)),
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
            Opening::Null(key) => key.check(spi, seq, protected, icv)?,
            Opening::Cbc(encryption, key) => {
                key.check(spi, seq, protected, icv)?;
                let (iv, text) = protected
                    .split_first_chunk_mut::<16>()
                    .ok_or(CryptoError::BufferTooShort)?;
                let context = DecryptionContext::Iv128(FixedLength::from(&*iv));
                encryption
                    .decrypt(text, context)
                    .map_err(|_| CryptoError::BadLength)?;
            }
            Opening::Gcm(key) => {
                let (iv, text_and_icv) = body
                    .split_first_chunk_mut::<8>()
                    .ok_or(CryptoError::BufferTooShort)?;
                key.open(spi, seq, *iv, text_and_icv)?;
            }
        }
        Ok(range)
    }
}

/// The key of HMAC-SHA-256-128 (RFC 4868), its two first blocks hashed already.
struct IntegrityKey(Hmac<Sha256>);

/// Octets of the full HMAC.
type FullIcv = [u8; 32];

impl IntegrityKey {
    fn new(key: &[u8]) -> Result<Self, CryptoError> {
        Hmac::new_from_slice(key)
            .map(Self)
            .map_err(|_| CryptoError::BadLength)
    }

    /// The HMAC over SPI, low sequence number, IV and ciphertext, then the high sequence number.
    // 4303-2.2.1-04: the high half is appended for the ICV only
    fn icv(&self, spi: u32, seq: u64, protected: &[u8]) -> FullIcv {
        let [h0, h1, h2, h3, l0, l1, l2, l3] = seq.to_be_bytes();
        let [s0, s1, s2, s3] = spi.to_be_bytes();
        let mut hmac = self.0.clone();
        hmac.update(&[s0, s1, s2, s3, l0, l1, l2, l3]);
        hmac.update(protected);
        hmac.update(&[h0, h1, h2, h3]);
        hmac.finalize().into_bytes().into()
    }

    fn check(&self, spi: u32, seq: u64, protected: &[u8], icv: &[u8]) -> Result<(), CryptoError> {
        let want = self.icv(spi, seq, protected);
        if bool::from(want.get(..icv.len()).unwrap_or_default().ct_eq(icv)) {
            Ok(())
        } else {
            Err(CryptoError::BadIcv)
        }
    }
}

/// RFC 4868 section 2.3: the first half of the HMAC.
// 4303-2.8-01: the length of the ICV is fixed by the suite
fn write_icv(icv: &mut [u8], full: &FullIcv) {
    for (to, from) in icv.iter_mut().zip(full) {
        *to = *from;
    }
}

struct GcmKey {
    key: LessSafeKey,
    salt: [u8; GCM_SALT],
}

impl GcmKey {
    fn new(key_and_salt: &[u8]) -> Result<Self, CryptoError> {
        let (key, salt) = key_and_salt
            .split_last_chunk()
            .ok_or(CryptoError::BadLength)?;
        let key = UnboundKey::new(&AES_128_GCM, key).map_err(|_| CryptoError::BadLength)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            salt: *salt,
        })
    }

    fn seal(&self, spi: u32, seq: u64, iv: [u8; 8], text: &mut [u8]) -> Result<Tag, CryptoError> {
        self.key
            .seal_in_place_separate_tag(self.nonce(iv), associated(spi, seq), text)
            .map_err(|_| CryptoError::Provider("AES-GCM"))
    }

    fn open(
        &self,
        spi: u32,
        seq: u64,
        iv: [u8; 8],
        text_and_icv: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.key
            .open_in_place(self.nonce(iv), associated(spi, seq), text_and_icv)
            .map(drop)
            .map_err(|_| CryptoError::BadIcv)
    }

    /// RFC 4106 section 4: salt and then the IV.
    fn nonce(&self, iv: [u8; 8]) -> Nonce {
        let [a, b, c, d] = self.salt;
        let [e, f, g, h, i, j, k, l] = iv;
        Nonce::assume_unique_for_key([a, b, c, d, e, f, g, h, i, j, k, l])
    }
}

/// RFC 4106 section 5: SPI and the extended sequence number.
// 4303-2.2.1-05: SPI(4) and ESN(8) are the associated data
fn associated(spi: u32, seq: u64) -> Aad<[u8; 12]> {
    let [a, b, c, d] = spi.to_be_bytes();
    let [e, f, g, h, i, j, k, l] = seq.to_be_bytes();
    Aad::from([a, b, c, d, e, f, g, h, i, j, k, l])
}

fn aes_key(key: &[u8]) -> Result<UnboundCipherKey, CryptoError> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    UnboundCipherKey::new(algorithm, key).map_err(|_| CryptoError::BadLength)
}

/// The keys, when they have the lengths of their suite.
fn checked(keys: &EspKeys) -> Result<(&[u8], &[u8]), CryptoError> {
    let lengths = key_lengths(keys.suite)?;
    if keys.encryption.len() != lengths.encryption
        || keys.authentication.len() != lengths.authentication
    {
        return Err(CryptoError::BadLength);
    }
    Ok((keys.encryption.as_bytes(), keys.authentication.as_bytes()))
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
