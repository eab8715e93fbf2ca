//! The text form of a private key: PKCS#8 in PEM (RFC 5958, RFC 7468).
//!
//! Reading and writing files, their mode and their age are the business of the shell.

use std::fmt;

use p256::elliptic_curve::zeroize::Zeroizing;
use pkcs8::{
    ObjectIdentifier, PrivateKeyInfoRef, SecretDocument,
    der::{
        Decode, Header, SliceReader, Tag,
        asn1::{OctetStringRef, UintRef},
        pem::LineEnding,
    },
};

use crate::{
    error::CryptoError,
    identity::{HostIdentity, KeyAlgorithm},
    secret::Secret,
    sign::{
        PrivateKey,
        dsa::DsaPrivate,
        ecdsa::{Curve, EcdsaPrivate},
        ecdsa_low::EcdsaLowPrivate,
        eddsa::Ed25519Private,
        rsa::RsaPrivate,
    },
};

/// The PEM label of an unencrypted PKCS#8 key.
const LABEL: &str = "PRIVATE KEY";

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const SECP160R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.8");
const ID_DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Why a text is no key; each prints as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is no PEM block, or it is damaged.
    NotPem(String),
    /// The PEM block holds something else.
    WrongLabel(String),
    /// The contents of the PEM block are no PKCS#8 key.
    NotPkcs8(String),
    /// A key of a kind that cannot be a Host Identity; the text names it.
    UnsupportedKey(String),
    /// The key is inconsistent or too weak.
    Refused(CryptoError),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPem(why) => write!(f, "no PEM private key: {why}"),
            Self::WrongLabel(label) if label == "ENCRYPTED PRIVATE KEY" => {
                f.write_str("the key is encrypted; decrypt it with: openssl pkcs8 -topk8 -nocrypt")
            }
            Self::WrongLabel(label) if label.ends_with(LABEL) => {
                write!(
                    f,
                    "\"{label}\" is an old form; convert it with: openssl pkcs8 -topk8 -nocrypt"
                )
            }
            Self::WrongLabel(label) => {
                write!(f, "the file holds a \"{label}\", not a \"{LABEL}\"")
            }
            Self::NotPkcs8(why) => write!(f, "no PKCS#8 private key: {why}"),
            Self::UnsupportedKey(kind) => write!(
                f,
                "{kind} cannot be a Host Identity; use ECDSA P-256 or P-384, Ed25519, or RSA of 2048, 3072 or 4096 bits"
            ),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyFileError {}

impl From<CryptoError> for KeyFileError {
    fn from(error: CryptoError) -> Self {
        Self::Refused(error)
    }
}

/// Writes the private key as PEM text that ends with a line feed.
pub fn encode_pem(identity: &HostIdentity) -> Result<Zeroizing<String>, CryptoError> {
    let refused = CryptoError::Provider("PEM encoding");
    let der = identity.private_key().pkcs8()?;
    SecretDocument::try_from(der.as_slice())
        .map_err(|_| refused)?
        .to_pem(LABEL, LineEnding::LF)
        .map_err(|_| refused)
}

/// Reads a private key; the result signs on the fast back end.
pub fn decode_pem(text: &str) -> Result<HostIdentity, KeyFileError> {
    let (label, document) =
        SecretDocument::from_pem(text).map_err(|error| KeyFileError::NotPem(error.to_string()))?;
    if label != LABEL {
        return Err(KeyFileError::WrongLabel(label.to_owned()));
    }
    let info = PrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|error| KeyFileError::NotPkcs8(error.to_string()))?;
    let (algorithm, key) = match info.algorithm.oid {
        EC_PUBLIC_KEY => ec_key(&info)?,
        ED25519 => ed25519_key(&info)?,
        RSA_ENCRYPTION => {
            let algorithm = rsa_algorithm(&info)?;
            let key = RsaPrivate::from_pkcs8(document.as_bytes())?;
            (algorithm, PrivateKey::Rsa(key))
        }
        ID_DSA => {
            let key = Box::new(DsaPrivate::from_pkcs8(info)?);
            (KeyAlgorithm::Dsa1024, PrivateKey::Dsa(key))
        }
        other => {
            return Err(KeyFileError::UnsupportedKey(format!(
                "a key of type {other}"
            )));
        }
    };
    Ok(HostIdentity::with_key(algorithm, key)?)
}

fn ec_key(info: &PrivateKeyInfoRef<'_>) -> Result<(KeyAlgorithm, PrivateKey), KeyFileError> {
    let damaged = |error: pkcs8::Error| KeyFileError::NotPkcs8(error.to_string());
    let curve = info
        .algorithm
        .parameters_oid()
        .map_err(|error| KeyFileError::NotPkcs8(format!("no named curve: {error}")))?;
    // SEC 1: the private key is refused unless the public key beside it, if any, belongs to it.
    let (algorithm, curve, scalar) = match curve {
        PRIME256V1 => {
            let key = p256::SecretKey::try_from(info.clone()).map_err(damaged)?;
            let scalar = Secret::copy_of(&Zeroizing::new(key.to_bytes()));
            (KeyAlgorithm::EcdsaP256, Curve::P256, scalar)
        }
        SECP384R1 => {
            let key = p384::SecretKey::try_from(info.clone()).map_err(damaged)?;
            let scalar = Secret::copy_of(&Zeroizing::new(key.to_bytes()));
            (KeyAlgorithm::EcdsaP384, Curve::P384, scalar)
        }
        SECP160R1 => {
            let key = EcdsaLowPrivate::from_sec1(info.private_key.as_bytes())?;
            let key = PrivateKey::EcdsaLow(key);
            return Ok((KeyAlgorithm::EcdsaSecp160r1, key));
        }
        other => {
            let kind = format!("an elliptic curve key on curve {other}");
            return Err(KeyFileError::UnsupportedKey(kind));
        }
    };
    let key = EcdsaPrivate::from_scalar(curve, scalar)?;
    Ok((algorithm, PrivateKey::Ecdsa(key)))
}

/// The size of the modulus in an RSAPrivateKey (RFC 8017 appendix A.1.2).
fn rsa_algorithm(info: &PrivateKeyInfoRef<'_>) -> Result<KeyAlgorithm, KeyFileError> {
    let damaged = |error: pkcs8::der::Error| KeyFileError::NotPkcs8(format!("no RSA key: {error}"));
    let mut reader = SliceReader::new(info.private_key.as_bytes()).map_err(damaged)?;
    let header = Header::decode(&mut reader).map_err(damaged)?;
    header.tag().assert_eq(Tag::Sequence).map_err(damaged)?;
    UintRef::decode(&mut reader).map_err(damaged)?;
    let modulus = UintRef::decode(&mut reader).map_err(damaged)?;
    let octets = modulus.as_bytes();
    let unused_bits = octets.first().map_or(0, |first| first.leading_zeros());
    match (octets.len(), unused_bits) {
        (256, 0) => Ok(KeyAlgorithm::Rsa2048),
        (384, 0) => Ok(KeyAlgorithm::Rsa3072),
        (512, 0) => Ok(KeyAlgorithm::Rsa4096),
        (length, _) => {
            let kind = format!("an RSA key of about {} bits", length * 8);
            Err(KeyFileError::UnsupportedKey(kind))
        }
    }
}

fn ed25519_key(info: &PrivateKeyInfoRef<'_>) -> Result<(KeyAlgorithm, PrivateKey), KeyFileError> {
    let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes())
        .map_err(|error| KeyFileError::NotPkcs8(format!("no Ed25519 seed: {error}")))?;
    let key = Ed25519Private::from_seed(Secret::copy_of(seed.as_bytes()))?;
    Ok((KeyAlgorithm::Ed25519, PrivateKey::Ed25519(key)))
}

#[cfg(test)]
mod tests;
