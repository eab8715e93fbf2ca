//! Ed25519 (RFC 8032) as a Host Identity (RFC 9374 section 3.4).

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use zeroize::Zeroizing;

use crate::{der, error::CryptoError, rng::Rng, secret::Secret, sign::split_u16};

/// Label of EdDSA25519 in the HI.
// 9374-3.4.1-03
const CURVE_LABEL: u16 = 1;

/// Octets of key and of seed.
const KEY_LEN: usize = 32;

/// id-Ed25519 (RFC 8410).
pub(crate) const OID: [u8; 3] = [0x2b, 0x65, 0x70];

pub(crate) struct Ed25519Private {
    seed: Secret,
    key: Ed25519KeyPair,
}

impl Ed25519Private {
    pub(super) fn generate(rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        let seed = Secret::filled_by(KEY_LEN, |out| rng.fill(out));
        Self::from_seed(seed)
    }

    pub(crate) fn from_seed(seed: Secret) -> Result<Self, CryptoError> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes())
            .map_err(|_| CryptoError::MalformedKey("an Ed25519 seed has 32 octets"))?;
        Ok(Self { seed, key })
    }

    pub(super) fn hi(&self) -> Vec<u8> {
        hi_of(self.key.public_key().as_ref())
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.key
            .try_sign(message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| CryptoError::Provider("Ed25519 signature"))
    }

    /// RFC 8410 section 7.
    pub(super) fn pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let algorithm = der::sequence(&[&der::tlv(der::OBJECT_IDENTIFIER, &[&OID])]);
        let seed = Zeroizing::new(der::tlv(der::OCTET_STRING, &[self.seed.as_bytes()]));
        let key = Zeroizing::new(der::tlv(der::OCTET_STRING, &[&seed]));
        Zeroizing::new(der::sequence(&[&der::unsigned(&[]), &algorithm, &key]))
    }
}

pub(crate) struct Ed25519Public(ParsedPublicKey);

impl Ed25519Public {
    pub(super) fn from_hi(hi: &[u8]) -> Result<Self, CryptoError> {
        let key = key_of(hi)?;
        check_order(&key)?;
        ParsedPublicKey::new(&ED25519, key)
            .map(Self)
            .map_err(|_| CryptoError::MalformedKey("no Ed25519 key"))
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        self.0
            .verify_sig(message, signature)
            .map_err(|_| CryptoError::BadSignature)
    }
}

/// The HI octets of a raw public key.
// 9374-3.4.1-02: label, 16 zero bits, key
pub(crate) fn hi_of(key: &[u8]) -> Vec<u8> {
    [&CURVE_LABEL.to_be_bytes(), &[0, 0], key].concat()
}

/// The raw public key in the HI octets.
pub(crate) fn key_of(hi: &[u8]) -> Result<[u8; KEY_LEN], CryptoError> {
    let (label, rest) = split_u16(hi).ok_or(CryptoError::MalformedKey("EdDSA: no curve label"))?;
    if label != CURVE_LABEL {
        return Err(CryptoError::MalformedKey("EdDSA: the curve is not Ed25519"));
    }
    match split_u16(rest) {
        Some((0, key)) => key
            .try_into()
            .map_err(|_| CryptoError::MalformedKey("an Ed25519 key has 32 octets")),
        _ => Err(CryptoError::MalformedKey(
            "EdDSA: the octets behind the label are not zero",
        )),
    }
}

/// Refuses keys that accept one signature for many messages: the points of order 1, 2, 4 and 8,
/// and encodings of y that are not the smallest.
fn check_order(key: &[u8; KEY_LEN]) -> Result<(), CryptoError> {
    let mut y = *key;
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    if y.iter().rev().cmp(PRIME.iter().rev()).is_ge() {
        return Err(CryptoError::MalformedKey("Ed25519: y is not reduced"));
    }
    if SMALL_ORDER.contains(&y) {
        return Err(CryptoError::WeakKey("Ed25519: a point of small order"));
    }
    Ok(())
}

/// 2^255 - 19, little-endian.
const PRIME: [u8; KEY_LEN] = {
    let mut prime = [0xff; KEY_LEN];
    prime[0] = 0xed;
    prime[KEY_LEN - 1] = 0x7f;
    prime
};

/// y of the eight points of small order.
const SMALL_ORDER: [[u8; KEY_LEN]; 5] = [
    [0; KEY_LEN],
    {
        let mut one = [0; KEY_LEN];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = [0xff; KEY_LEN];
        minus_one[0] = 0xec;
        minus_one[KEY_LEN - 1] = 0x7f;
        minus_one
    },
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];
