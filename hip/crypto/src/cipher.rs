//! HIP_CIPHER: the encryption of the ENCRYPTED parameter (RFC 7401 sections 5.2.8 and 5.2.18).

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use hip_wire::registry::HipCipher;

use crate::{error::CryptoError, rng::Rng, secret::Secret};

/// The AES block.
const BLOCK: usize = 16;

/// Encrypts whole parameters; returns the random initialisation vector and the ciphertext.
///
/// AES adds padding of 1 to 16 octets; NULL gives an empty vector and the plaintext.
// 7401-5.2.18-04: n octets of value n fill the last block
pub fn encrypt(
    cipher: HipCipher,
    key: &Secret,
    rng: &mut dyn Rng,
    plaintext: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
    let mut iv = vec![0; cipher.iv_len()];
    rng.fill(&mut iv);
    let mut text = plaintext.to_vec();
    if cipher != HipCipher::Null {
        let padding = BLOCK - text.len() % BLOCK;
        let value = u8::try_from(padding).map_err(|_| CryptoError::BadLength)?;
        text.resize(text.len() + padding, value);
    }
    let key = key.as_bytes();
    match cipher {
        HipCipher::Null => {}
        HipCipher::Aes128Cbc => run_encrypt::<cbc::Encryptor<aes::Aes128>>(key, &iv, &mut text)?,
        HipCipher::Aes256Cbc => run_encrypt::<cbc::Encryptor<aes::Aes256>>(key, &iv, &mut text)?,
    }
    Ok((iv, text))
}

/// Decrypts what an ENCRYPTED parameter carries; the caller parses the result as parameters,
/// whose own lengths say where they end.
///
/// Removes strict cipher padding. Some hosts add none to data that fills the last block already,
/// so octets that cannot be padding behind whole parameters stay.
///
/// # Errors
/// [`CryptoError::BadLength`] for a wrong vector, key, or an incomplete block.
// 7401-5.2.18-05: the padding is removed at decryption
pub fn decrypt(
    cipher: HipCipher,
    key: &Secret,
    iv: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    if iv.len() != cipher.iv_len() {
        return Err(CryptoError::BadLength);
    }
    let mut text = ciphertext.to_vec();
    let key = key.as_bytes();
    match cipher {
        HipCipher::Null => return Ok(text),
        HipCipher::Aes128Cbc => run_decrypt::<cbc::Decryptor<aes::Aes128>>(key, iv, &mut text)?,
        HipCipher::Aes256Cbc => run_decrypt::<cbc::Decryptor<aes::Aes256>>(key, iv, &mut text)?,
    }
    text.truncate(text.len() - strict_padding(&text));
    Ok(text)
}

/// Padding behind parameters has 8 or 16 octets, since parameters are multiples of 8.
fn strict_padding(text: &[u8]) -> usize {
    let value = text.last().copied().unwrap_or_default();
    let padding = usize::from(value);
    let is_padding = matches!(padding, 8 | 16)
        && text.len() >= padding
        && text.iter().rev().take(padding).all(|octet| *octet == value);
    if is_padding { padding } else { 0 }
}

fn run_encrypt<C>(key: &[u8], iv: &[u8], text: &mut [u8]) -> Result<(), CryptoError>
where
    C: KeyIvInit + BlockModeEncrypt,
{
    let cipher = C::new_from_slices(key, iv).map_err(|_| CryptoError::BadLength)?;
    let length = text.len();
    cipher
        .encrypt_padded::<NoPadding>(text, length)
        .map(drop)
        .map_err(|_| CryptoError::BadLength)
}

fn run_decrypt<C>(key: &[u8], iv: &[u8], text: &mut [u8]) -> Result<(), CryptoError>
where
    C: KeyIvInit + BlockModeDecrypt,
{
    let cipher = C::new_from_slices(key, iv).map_err(|_| CryptoError::BadLength)?;
    cipher
        .decrypt_padded::<NoPadding>(text)
        .map(drop)
        .map_err(|_| CryptoError::BadLength)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rng::SeededRng, test_support::hex};

    /// 7401-5.2.18-04 7401-5.2.18-05
    #[test]
    fn what_was_encrypted_decrypts_for_every_cipher_and_length() {
        let mut rng = SeededRng::new(1);
        for cipher in [HipCipher::Null, HipCipher::Aes128Cbc, HipCipher::Aes256Cbc] {
            let key = Secret::filled_by(cipher.key_len(), |out| rng.fill(out));
            for octets in (0..=64).step_by(8) {
                let plain = vec![0x20; octets];
                let (iv, text) = encrypt(cipher, &key, &mut rng, &plain).expect("encrypted");
                assert_eq!(iv.len(), cipher.iv_len());
                if cipher != HipCipher::Null {
                    assert_eq!(text.len(), (octets / 16 + 1) * 16);
                }
                assert_eq!(decrypt(cipher, &key, &iv, &text), Ok(plain));
            }
        }
    }

    /// RFC 3602 section 4, case 1: one block, no padding.
    #[test]
    fn aes_128_cbc_gives_the_published_block_and_unpadded_data_is_kept() {
        let key = Secret::new(hex("06a9214036b8a15b512e03d534120006"));
        let iv = hex("3dafba429d9eb430b422da802c9fac41");
        let text = hex("e353779c1079aeb82708942dbe77181a");
        let plain = decrypt(HipCipher::Aes128Cbc, &key, &iv, &text);
        assert_eq!(plain, Ok(b"Single block msg".to_vec()));
    }

    /// NIST SP 800-38A section F.2.5: four blocks.
    #[test]
    fn aes_256_cbc_gives_the_published_blocks() {
        let key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
        let iv = hex("000102030405060708090a0b0c0d0e0f");
        let text = hex(
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
             39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        );
        let plain = decrypt(HipCipher::Aes256Cbc, &Secret::new(hex(key)), &iv, &text);
        let want = hex(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        assert_eq!(plain, Ok(want));
    }

    /// Nobody learns from us whether padding was right: no padding is an error (catalogue item 8).
    #[test]
    fn every_last_block_and_every_vector_decrypts_to_something() {
        let mut rng = SeededRng::new(3);
        for cipher in [HipCipher::Aes128Cbc, HipCipher::Aes256Cbc] {
            let key = Secret::filled_by(cipher.key_len(), |out| rng.fill(out));
            let (iv, text) = encrypt(cipher, &key, &mut rng, &[0x20; 24]).expect("encrypted");
            for value in 0..=255 {
                let mut changed = text.clone();
                changed[15] ^= value;
                let plain = decrypt(cipher, &key, &iv, &changed).expect("decrypted");
                assert!([16, 24, 32].contains(&plain.len()));
                let mut other = iv.clone();
                other[0] ^= value;
                assert_eq!(
                    decrypt(cipher, &key, &other, &text).map(|text| text.len()),
                    Ok(24)
                );
            }
        }
    }

    #[test]
    fn incomplete_blocks_vectors_and_keys_are_refused() {
        let key = Secret::new(vec![1; 16]);
        let bad = Err(CryptoError::BadLength);
        assert_eq!(decrypt(HipCipher::Aes128Cbc, &key, &[0; 16], &[0; 17]), bad);
        assert_eq!(decrypt(HipCipher::Aes128Cbc, &key, &[0; 15], &[0; 16]), bad);
        assert_eq!(decrypt(HipCipher::Aes256Cbc, &key, &[0; 16], &[0; 16]), bad);
    }

    #[test]
    fn every_encryption_takes_another_vector() {
        let key = Secret::new(vec![1; 16]);
        let mut rng = SeededRng::new(2);
        let first = encrypt(HipCipher::Aes128Cbc, &key, &mut rng, b"12345678").expect("encrypted");
        let second = encrypt(HipCipher::Aes128Cbc, &key, &mut rng, b"12345678").expect("encrypted");
        assert_ne!(first.0, second.0);
        assert_ne!(first.1, second.1);
    }
}
