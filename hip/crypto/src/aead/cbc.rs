//! AES-CBC (RFC 3602) on both back ends.

use aes::{
    Aes128Dec, Aes128Enc, Aes256Dec, Aes256Enc,
    cipher::{
        BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
        KeyInit, block_padding::NoPadding,
    },
};
use aws_lc_rs::{
    cipher::{
        AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext,
        UnboundCipherKey,
    },
    iv::FixedLength,
};

use crate::{backend::Backend, error::CryptoError};

/// Octets of a block and of an initialisation vector.
const BLOCK: usize = 16;

/// An AES key expanded to encrypt.
pub(super) enum CbcEncryptor {
    Fast(Box<EncryptingKey>),
    Portable128(Box<Aes128Enc>),
    Portable256(Box<Aes256Enc>),
}

impl CbcEncryptor {
    pub(super) fn new(backend: Backend, key: &[u8]) -> Result<Self, CryptoError> {
        match backend {
            Backend::Fast => EncryptingKey::cbc(fast_key(key)?)
                .map(|key| Self::Fast(Box::new(key)))
                .map_err(|_| CryptoError::Provider("AES key expansion")),
            Backend::Portable if key.len() == 16 => portable(key).map(Self::Portable128),
            Backend::Portable => portable(key).map(Self::Portable256),
        }
    }

    /// Encrypts whole blocks in place.
    pub(super) fn encrypt(&self, iv: &[u8; BLOCK], text: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Fast(key) => key
                .less_safe_encrypt(text, EncryptionContext::Iv128(FixedLength::from(iv)))
                .map(drop)
                .map_err(|_| CryptoError::BadLength),
            Self::Portable128(key) => encrypt(&**key, iv, text),
            Self::Portable256(key) => encrypt(&**key, iv, text),
        }
    }
}

/// An AES key expanded to decrypt.
pub(super) enum CbcDecryptor {
    Fast(Box<DecryptingKey>),
    Portable128(Box<Aes128Dec>),
    Portable256(Box<Aes256Dec>),
}

impl CbcDecryptor {
    pub(super) fn new(backend: Backend, key: &[u8]) -> Result<Self, CryptoError> {
        match backend {
            Backend::Fast => DecryptingKey::cbc(fast_key(key)?)
                .map(|key| Self::Fast(Box::new(key)))
                .map_err(|_| CryptoError::Provider("AES key expansion")),
            Backend::Portable if key.len() == 16 => portable(key).map(Self::Portable128),
            Backend::Portable => portable(key).map(Self::Portable256),
        }
    }

    /// Decrypts whole blocks in place.
    pub(super) fn decrypt(&self, iv: &[u8; BLOCK], text: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Fast(key) => key
                .decrypt(text, DecryptionContext::Iv128(FixedLength::from(iv)))
                .map(drop)
                .map_err(|_| CryptoError::BadLength),
            Self::Portable128(key) => decrypt(&**key, iv, text),
            Self::Portable256(key) => decrypt(&**key, iv, text),
        }
    }
}

fn fast_key(key: &[u8]) -> Result<UnboundCipherKey, CryptoError> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    UnboundCipherKey::new(algorithm, key).map_err(|_| CryptoError::BadLength)
}

fn portable<C: KeyInit>(key: &[u8]) -> Result<Box<C>, CryptoError> {
    C::new_from_slice(key)
        .map(Box::new)
        .map_err(|_| CryptoError::BadLength)
}

fn encrypt<C>(key: &C, iv: &[u8; BLOCK], text: &mut [u8]) -> Result<(), CryptoError>
where
    C: BlockCipherEncrypt + Clone,
    cbc::Encryptor<C>: BlockModeEncrypt + InnerIvInit<Inner = C>,
{
    let length = text.len();
    cbc::Encryptor::inner_iv_slice_init(key.clone(), iv)
        .map_err(|_| CryptoError::BadLength)?
        .encrypt_padded::<NoPadding>(text, length)
        .map(drop)
        .map_err(|_| CryptoError::BadLength)
}

fn decrypt<C>(key: &C, iv: &[u8; BLOCK], text: &mut [u8]) -> Result<(), CryptoError>
where
    C: BlockCipherDecrypt + Clone,
    cbc::Decryptor<C>: BlockModeDecrypt + InnerIvInit<Inner = C>,
{
    cbc::Decryptor::inner_iv_slice_init(key.clone(), iv)
        .map_err(|_| CryptoError::BadLength)?
        .decrypt_padded::<NoPadding>(text)
        .map(drop)
        .map_err(|_| CryptoError::BadLength)
}
