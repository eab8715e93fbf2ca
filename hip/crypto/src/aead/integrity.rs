//! ICVs beside or without encryption: HMAC-SHA-256-128 (RFC 4868) and AES-CMAC-96 (RFC 4494).

use ::hmac::{Hmac, KeyInit, Mac};
use aes::Aes128;
use cmac::Cmac;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::error::CryptoError;

/// An authentication key, what does not depend on packets computed already.
pub(super) enum IntegrityKey {
    HmacSha256(Hmac<Sha256>),
    AesCmac(Box<Cmac<Aes128>>),
}

/// Octets of the longest full MAC.
const FULL_LEN: usize = 32;

impl IntegrityKey {
    pub(super) fn hmac_sha256(key: &[u8]) -> Result<Self, CryptoError> {
        Hmac::new_from_slice(key)
            .map(Self::HmacSha256)
            .map_err(|_| CryptoError::BadLength)
    }

    pub(super) fn aes_cmac(key: &[u8]) -> Result<Self, CryptoError> {
        Cmac::new_from_slice(key)
            .map(|key| Self::AesCmac(Box::new(key)))
            .map_err(|_| CryptoError::BadLength)
    }

    /// Writes the ICV: the first octets of the MAC.
    // 4303-2.8-01: the length of the ICV is fixed by the suite
    pub(super) fn write_icv(&self, spi: u32, seq: u64, protected: &[u8], icv: &mut [u8]) {
        for (to, from) in icv.iter_mut().zip(self.mac(spi, seq, protected)) {
            *to = from;
        }
    }

    pub(super) fn check(
        &self,
        spi: u32,
        seq: u64,
        protected: &[u8],
        icv: &[u8],
    ) -> Result<(), CryptoError> {
        let want = self.mac(spi, seq, protected);
        if bool::from(want.get(..icv.len()).unwrap_or_default().ct_eq(icv)) {
            Ok(())
        } else {
            Err(CryptoError::BadIcv)
        }
    }

    /// The MAC over SPI, low sequence number, IV and ciphertext, then the high sequence number.
    // 4303-2.2.1-04: the high half is appended for the ICV only
    fn mac(&self, spi: u32, seq: u64, protected: &[u8]) -> [u8; FULL_LEN] {
        let [h0, h1, h2, h3, l0, l1, l2, l3] = seq.to_be_bytes();
        let [s0, s1, s2, s3] = spi.to_be_bytes();
        let parts = [
            &[s0, s1, s2, s3, l0, l1, l2, l3],
            protected,
            &[h0, h1, h2, h3],
        ];
        match self {
            Self::HmacSha256(hmac) => {
                let mut hmac = hmac.clone();
                parts.iter().for_each(|part| hmac.update(part));
                hmac.finalize().into_bytes().into()
            }
            Self::AesCmac(cmac) => {
                let mut cmac = (**cmac).clone();
                parts.iter().for_each(|part| cmac.update(part));
                let mut mac = [0; FULL_LEN];
                for (to, from) in mac.iter_mut().zip(cmac.finalize().into_bytes()) {
                    *to = from;
                }
                mac
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::hex;

    /// RFC 4494 section 5: the four messages of 0, 16, 40 and 64 octets.
    #[test]
    fn aes_cmac_gives_the_published_macs() {
        let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
        let message = hex(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        let wants = [
            (0, "bb1d6929e95937287fa37d12"),
            (16, "070a16b46b4d4144f79bdd9d"),
            (40, "dfa66747de9ae63030ca3261"),
            (64, "51f0bebf7e3b9d92fc497417"),
        ];
        let IntegrityKey::AesCmac(cmac) = IntegrityKey::aes_cmac(&key).expect("key") else {
            panic!("another algorithm");
        };
        for (length, want) in wants {
            let mac = (*cmac).clone().chain_update(&message[..length]).finalize();
            assert_eq!(mac.into_bytes()[..12], hex(want));
        }
        // The same through the form of an ESP packet: 8 octets before and 4 behind.
        let full = IntegrityKey::AesCmac(cmac);
        let number = |octets: &[u8]| octets.iter().fold(0_u64, |sum, o| sum << 8 | u64::from(*o));
        let spi = u32::try_from(number(&message[..4])).expect("32 bits");
        let seq = number(&message[60..]) << 32 | number(&message[4..8]);
        let mut icv = [0; 12];
        full.write_icv(spi, seq, &message[8..60], &mut icv);
        assert_eq!(icv.to_vec(), hex(wants[3].1));
    }
}
