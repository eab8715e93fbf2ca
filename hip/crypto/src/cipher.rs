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
