//! RSA as a Host Identity: RSASSA-PSS with SHA-256 (RFC 7401 section 5.2.9), keys in the form of
//! RFC 3110.
//!
//! On aws-lc-rs only: the pure-Rust implementation leaks private keys through its timing.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeySize, RsaPssSaltLength},
    signature::{
        KeyPair as _, ParsedPublicKey, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256,
        RsaEncoding, RsaKeyPair, RsaParameters, RsaPublicKeyComponents,
    },
};
use zeroize::Zeroizing;

use crate::{error::CryptoError, identity::KeyAlgorithm};

/// Sizes of modulus that peers may have, in octets.
// 7401-5.2.9-08: at least 112 bits of security; the upper bound keeps verification cheap
const MODULUS_LEN: std::ops::RangeInclusive<usize> = 256..=512;

/// Longest exponent of peers, in octets.
const MAX_EXPONENT_LEN: usize = 4;

pub(crate) struct RsaPrivate(RsaKeyPair);

impl RsaPrivate {
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Result<Self, CryptoError> {
        let size = match algorithm {
            KeyAlgorithm::Rsa3072 => KeySize::Rsa3072,
            KeyAlgorithm::Rsa4096 => KeySize::Rsa4096,
            _ => KeySize::Rsa2048,
        };
        RsaKeyPair::generate(size)
            .map(Self)
            .map_err(|_| CryptoError::Provider("RSA key generation"))
    }

    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        RsaKeyPair::from_pkcs8(pkcs8)
            .map(Self)
            .map_err(|_| CryptoError::MalformedKey("no consistent RSA key"))
    }

    pub(super) fn hi(&self) -> Result<Vec<u8>, CryptoError> {
        let public = self.0.public_key();
        hi_of(
            public.exponent().big_endian_without_leading_zero(),
            public.modulus().big_endian_without_leading_zero(),
        )
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        // 7401-5.2.9-09: PSS
        self.sign_with(&RSA_PSS_SHA256, message)
    }

    pub(super) fn sign_certificate(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.sign_with(&RSA_PKCS1_SHA256, message)
    }

    fn sign_with(
        &self,
        encoding: &'static dyn RsaEncoding,
        message: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        // The back end takes salts from its own generator and ignores this one.
        self.0
            .sign(encoding, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| CryptoError::Provider("RSA signature"))?;
        Ok(signature)
    }

    pub(super) fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.0
            .as_der()
            .map(|der| Zeroizing::new(der.as_ref().to_vec()))
            .map_err(|_| CryptoError::Provider("RSA key encoding"))
    }
}

pub(crate) struct RsaPublic {
    components: RsaPublicKeyComponents<Vec<u8>>,
    key: ParsedPublicKey,
}

impl RsaPublic {
    pub(super) fn from_hi(hi: &[u8]) -> Result<Self, CryptoError> {
        let (e, n) = components_of(hi)?;
        check(e, n)?;
        let components = RsaPublicKeyComponents {
            n: n.to_vec(),
            e: e.to_vec(),
        };
        let key = components
            .to_parsed_public_key(&RSA_PSS_2048_8192_SHA256)
            .map_err(|_| CryptoError::MalformedKey("no RSA key"))?;
        Ok(Self { components, key })
    }

    // 7401-5.2.14-04: a salt of the length of the hash, or any other that peers are known to use
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if self.key.verify_sig(message, signature).is_ok() {
            return Ok(());
        }
        OTHER_SALTS
            .iter()
            .find(|parameters| {
                let result = self.components.verify(parameters, message, signature);
                result.is_ok()
            })
            .map(drop)
            .ok_or(CryptoError::BadSignature)
    }
}

/// The longest salt (default of OpenSSL when signing), that of SHA-1, and none.
static OTHER_SALTS: [RsaParameters; 3] = [
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max),
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(20)),
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0)),
];

/// The HI octets of exponent and modulus, which have no leading zeros.
// 7401-3.2-04: exponent length, exponent, modulus; 7401-3.2-05: big-endian
pub(crate) fn hi_of(e: &[u8], n: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let length = u8::try_from(e.len())
        .map_err(|_| CryptoError::MalformedKey("RSA: the exponent is too long"))?;
    Ok([&[length], e, n].concat())
}

/// Exponent and modulus in the HI octets.
pub(crate) fn components_of(hi: &[u8]) -> Result<(&[u8], &[u8]), CryptoError> {
    const SHORT: CryptoError = CryptoError::MalformedKey("RSA: the key ends early");
    let (length, rest) = match hi {
        [] | [0] | [0, _] => return Err(SHORT),
        [0, 0, ..] => {
            return Err(CryptoError::MalformedKey(
                "RSA: the exponent length has two forms",
            ));
        }
        [0, high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        [short, rest @ ..] => (u16::from(*short), rest),
    };
    rest.split_at_checked(usize::from(length)).ok_or(SHORT)
}

fn check(e: &[u8], n: &[u8]) -> Result<(), CryptoError> {
    let malformed = |what| Err(CryptoError::MalformedKey(what));
    if e.len() > MAX_EXPONENT_LEN {
        return malformed("RSA: the exponent is too long");
    }
    if n.len() < *MODULUS_LEN.start() {
        return Err(CryptoError::WeakKey("RSA of less than 2048 bits"));
    }
    if n.len() > *MODULUS_LEN.end() {
        return malformed("RSA of more than 4096 bits");
    }
    match (e.first(), e.last(), n.first(), n.last()) {
        (_, Some(low), _, _) if low % 2 == 0 => malformed("RSA: the exponent is even"),
        (_, _, _, Some(low)) if low % 2 == 0 => malformed("RSA: the modulus is even"),
        (Some(0), ..) | (_, _, Some(0), _) => malformed("RSA: a number has leading zeros"),
        (None, ..) => malformed("RSA: no exponent"),
        _ if e == [1] => Err(CryptoError::WeakKey("RSA: the exponent is 1")),
        // Fewer bits than octets suggest.
        (_, _, Some(1..0x80), _) if n.len() == *MODULUS_LEN.start() => {
            Err(CryptoError::WeakKey("RSA of less than 2048 bits"))
        }
        _ => Ok(()),
    }
}
