//! Combined modes: AES-GCM (RFC 4106), AES-CCM (RFC 4309) and, without encryption, AES-GMAC
//! (RFC 4543). The key comes with a salt behind it, and the nonce is salt | IV.

use aes::{
    Aes128,
    cipher::{
        KeyInit,
        consts::{U8, U11, U12, U16},
    },
};
use aes_gcm::{
    AesGcm,
    aead::{AeadInOut, array::Array, inout::InOutBuf},
};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ccm::Ccm;
use hip_wire::registry::EspSuite;

use crate::{backend::Backend, error::CryptoError};

/// Octets of the initialisation vector of all of these modes.
pub(super) const IV_LEN: usize = 8;

/// Octets of the salt behind a key of AES-GCM or AES-GMAC.
// RFC 4106 section 4, RFC 4543 section 3.2
pub(super) const GCM_SALT: usize = 4;

/// Octets of the salt behind a key of AES-CCM.
// RFC 4309 section 4
pub(super) const CCM_SALT: usize = 3;

/// Octets of the longest nonce.
const MAX_NONCE: usize = GCM_SALT + IV_LEN;

/// Key and salt of one SA.
pub(super) struct CombinedKey {
    salt: [u8; GCM_SALT],
    salt_len: usize,
    cipher: Cipher,
}

enum Cipher {
    Gcm16(LessSafeKey),
    Gcm16Portable(Box<AesGcm<Aes128, U12>>),
    Gcm8(Box<AesGcm<Aes128, U12, U8>>),
    Ccm8(Box<Ccm<Aes128, U8, U11>>),
    Ccm16(Box<Ccm<Aes128, U16, U11>>),
    Gmac(LessSafeKey),
    GmacPortable(Box<AesGcm<Aes128, U12>>),
}

impl CombinedKey {
    /// Expands a key; `None` for suites that are no combined modes.
    pub(super) fn new(
        backend: Backend,
        suite: EspSuite,
        key_and_salt: &[u8],
    ) -> Option<Result<Self, CryptoError>> {
        let salt_len = salt_len(suite)?;
        Some(Self::with_salt(backend, suite, key_and_salt, salt_len))
    }

    fn with_salt(
        backend: Backend,
        suite: EspSuite,
        key_and_salt: &[u8],
        salt_len: usize,
    ) -> Result<Self, CryptoError> {
        let (key, salt) = key_and_salt
            .len()
            .checked_sub(salt_len)
            .and_then(|middle| key_and_salt.split_at_checked(middle))
            .ok_or(CryptoError::BadLength)?;
        let cipher = match (suite, backend) {
            (EspSuite::AesGcm16, Backend::Fast) => Cipher::Gcm16(fast(key)?),
            (EspSuite::AesGcm16, Backend::Portable) => Cipher::Gcm16Portable(portable(key)?),
            (EspSuite::AesGmac, Backend::Fast) => Cipher::Gmac(fast(key)?),
            (EspSuite::AesGmac, Backend::Portable) => Cipher::GmacPortable(portable(key)?),
            (EspSuite::AesGcm8, _) => Cipher::Gcm8(portable(key)?),
            (EspSuite::AesCcm8, _) => Cipher::Ccm8(portable(key)?),
            (EspSuite::AesCcm16, _) => Cipher::Ccm16(portable(key)?),
            _ => return Err(CryptoError::Provider("suite of a combined mode")),
        };
        let mut padded_salt = [0; GCM_SALT];
        for (to, from) in padded_salt.iter_mut().zip(salt) {
            *to = *from;
        }
        Ok(Self {
            salt: padded_salt,
            salt_len,
            cipher,
        })
    }

    /// Encrypts in place and writes the ICV.
    pub(super) fn seal(
        &self,
        spi: u32,
        seq: u64,
        iv: [u8; IV_LEN],
        text: &mut [u8],
        icv: &mut [u8],
    ) -> Result<(), CryptoError> {
        let aad = associated(spi, seq);
        let nonce = self.nonce(iv);
        match &self.cipher {
            Cipher::Gcm16(key) => key
                .seal_in_place_separate_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(aad),
                    text,
                )
                .map(|tag| icv.copy_from_slice(tag.as_ref()))
                .map_err(|_| CryptoError::Provider("AES-GCM")),
            Cipher::Gcm16Portable(key) => seal(&**key, &nonce, &aad, text, icv),
            Cipher::Gcm8(key) => seal(&**key, &nonce, &aad, text, icv),
            Cipher::Ccm8(key) => seal(&**key, &nonce, &aad, text, icv),
            Cipher::Ccm16(key) => seal(&**key, &nonce, &aad, text, icv),
            Cipher::Gmac(key) => key
                .seal_in_place_separate_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(everything(&aad, iv, text)),
                    &mut [],
                )
                .map(|tag| icv.copy_from_slice(tag.as_ref()))
                .map_err(|_| CryptoError::Provider("AES-GMAC")),
            Cipher::GmacPortable(key) => {
                seal(&**key, &nonce, &everything(&aad, iv, text), &mut [], icv)
            }
        }
    }

    /// Checks the ICV, the last octets, and decrypts what is before it in place.
    pub(super) fn open(
        &self,
        spi: u32,
        seq: u64,
        iv: [u8; IV_LEN],
        text_and_icv: &mut [u8],
    ) -> Result<(), CryptoError> {
        let aad = associated(spi, seq);
        let nonce = self.nonce(iv);
        match &self.cipher {
            Cipher::Gcm16(key) => key
                .open_in_place(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(aad),
                    text_and_icv,
                )
                .map(drop)
                .map_err(|_| CryptoError::BadIcv),
            Cipher::Gcm16Portable(key) => open(&**key, &nonce, &aad, text_and_icv),
            Cipher::Gcm8(key) => open(&**key, &nonce, &aad, text_and_icv),
            Cipher::Ccm8(key) => open(&**key, &nonce, &aad, text_and_icv),
            Cipher::Ccm16(key) => open(&**key, &nonce, &aad, text_and_icv),
            Cipher::Gmac(key) => {
                let (text, icv) = split_icv(text_and_icv, 16)?;
                key.open_in_place(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(everything(&aad, iv, text)),
                    icv,
                )
                .map(drop)
                .map_err(|_| CryptoError::BadIcv)
            }
            Cipher::GmacPortable(key) => {
                let (text, icv) = split_icv(text_and_icv, 16)?;
                open(&**key, &nonce, &everything(&aad, iv, text), icv)
            }
        }
    }

    /// Salt and then the IV; AES-CCM uses the first 11 octets.
    fn nonce(&self, iv: [u8; IV_LEN]) -> [u8; MAX_NONCE] {
        let mut nonce = [0; MAX_NONCE];
        let salt = self.salt.iter().take(self.salt_len);
        for (to, from) in nonce.iter_mut().zip(salt.chain(&iv)) {
            *to = *from;
        }
        nonce
    }
}

/// Octets of salt behind the key; `None` for suites that are no combined modes.
pub(super) const fn salt_len(suite: EspSuite) -> Option<usize> {
    match suite {
        EspSuite::AesGcm8 | EspSuite::AesGcm16 | EspSuite::AesGmac => Some(GCM_SALT),
        EspSuite::AesCcm8 | EspSuite::AesCcm16 => Some(CCM_SALT),
        EspSuite::NullHmacSha256
        | EspSuite::Aes128CbcHmacSha256
        | EspSuite::Aes256CbcHmacSha256
        | EspSuite::AesCmac96 => None,
    }
}

fn fast(key: &[u8]) -> Result<LessSafeKey, CryptoError> {
    UnboundKey::new(&AES_128_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| CryptoError::BadLength)
}

fn portable<C: KeyInit>(key: &[u8]) -> Result<Box<C>, CryptoError> {
    C::new_from_slice(key)
        .map(Box::new)
        .map_err(|_| CryptoError::BadLength)
}

fn seal<C: AeadInOut>(
    cipher: &C,
    nonce: &[u8; MAX_NONCE],
    aad: &[u8],
    text: &mut [u8],
    icv: &mut [u8],
) -> Result<(), CryptoError> {
    let tag = cipher
        .encrypt_inout_detached(&nonce_of::<C>(nonce), aad, InOutBuf::from(text))
        .map_err(|_| CryptoError::BadLength)?;
    for (to, from) in icv.iter_mut().zip(tag) {
        *to = from;
    }
    Ok(())
}

fn open<C: AeadInOut>(
    cipher: &C,
    nonce: &[u8; MAX_NONCE],
    aad: &[u8],
    text_and_icv: &mut [u8],
) -> Result<(), CryptoError> {
    let mut tag = Array::<u8, C::TagSize>::default();
    let (text, icv) = split_icv(text_and_icv, tag.len())?;
    for (to, from) in tag.iter_mut().zip(icv) {
        *to = *from;
    }
    cipher
        .decrypt_inout_detached(&nonce_of::<C>(nonce), aad, InOutBuf::from(text), &tag)
        .map_err(|_| CryptoError::BadIcv)
}

/// The first octets, as many as the mode takes.
fn nonce_of<C: AeadInOut>(octets: &[u8; MAX_NONCE]) -> Array<u8, C::NonceSize> {
    let mut nonce = Array::<u8, C::NonceSize>::default();
    for (to, from) in nonce.iter_mut().zip(octets) {
        *to = *from;
    }
    nonce
}

fn split_icv(text_and_icv: &mut [u8], icv: usize) -> Result<(&mut [u8], &mut [u8]), CryptoError> {
    text_and_icv
        .len()
        .checked_sub(icv)
        .and_then(|middle| text_and_icv.split_at_mut_checked(middle))
        .ok_or(CryptoError::BufferTooShort)
}

/// RFC 4106 section 5, RFC 4309 section 5: SPI and the extended sequence number.
// 4303-2.2.1-05: SPI(4) and ESN(8) are the associated data
fn associated(spi: u32, seq: u64) -> [u8; 12] {
    let [a, b, c, d] = spi.to_be_bytes();
    let [e, f, g, h, i, j, k, l] = seq.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

/// RFC 4543 sections 3.3 and 3.5: SPI, sequence number, IV and text. A copy, as no back end takes
/// associated data in pieces.
fn everything(header: &[u8], iv: [u8; IV_LEN], text: &[u8]) -> Vec<u8> {
    [header, &iv, text].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::hex;

    /// The packet of draft-mcgrew-gcm-test-01 with a sequence number of 32 bits, authenticated only
    /// (as in the test vectors of the Linux kernel): SPI, sequence number, IV and payload, in this
    /// order, are the associated data.
    #[test]
    fn the_associated_data_of_aes_gmac_hold_the_iv_too() {
        let text = hex(
            "45000030da3a00008001df3bc0a80005c0a800010800c6cd0200070061626364\
             65666768696a6b6c6d6e6f707172737401020201",
        );
        let aad = everything(&hex("0000432100000007"), [0; 8], &text);
        let key = hex("4c80cdefbb5d10da906ac73c3613a634");
        let nonce: [u8; 12] = hex("22433c640000000000000000").try_into().expect("12");
        let want = hex("f2a9a836e155106aa8dcd618e4099aaa");
        let fast = fast(&key).expect("key").seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&aad),
            &mut [],
        );
        assert_eq!(fast.expect("tag").as_ref(), want);
        let cipher: Box<AesGcm<Aes128, U12>> = portable(&key).expect("key");
        let mut tag = [0; 16];
        seal(&*cipher, &nonce, &aad, &mut [], &mut tag).expect("tag");
        assert_eq!(tag.to_vec(), want);
    }
}
