//! ENCRYPTED (RFC 7401 section 5.2.18).

use alloc::vec::Vec;

use crate::error::{WireError, WireErrorKind};
use crate::param::Parameter;
use crate::reader::Reader;
use crate::registry::{HipCipher, ParamType};

/// Encrypted parameters. The IV length is that of the negotiated HIP_CIPHER, hence the extra argument of `parse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encrypted<'a> {
    /// The initialisation vector, empty with NULL-ENCRYPT.
    pub iv: &'a [u8],
    /// The ciphertext, cipher padding included.
    pub ciphertext: &'a [u8],
}

impl<'a> Encrypted<'a> {
    /// Decodes the contents for `cipher`; no ciphertext at all is [`WireErrorKind::BadLength`].
    // 7401-5.2.18-01, 7401-5.2.18-02: Reserved is ignored, then IV, then ciphertext.
    pub fn parse(contents: &'a [u8], cipher: HipCipher) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        reader.u32()?;
        let iv = reader.take(cipher.iv_len())?;
        if reader.is_empty() {
            return Err(reader.error(WireErrorKind::BadLength));
        }
        Ok(Self {
            iv,
            ciphertext: reader.rest(),
        })
    }
}

impl Parameter for Encrypted<'_> {
    const TYPE: ParamType = ParamType::ENCRYPTED;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(self.iv);
        out.extend_from_slice(self.ciphertext);
    }
}
