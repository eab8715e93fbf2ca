//! Signatures in the form of X.509.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ED25519, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use hip_wire::registry::HiAlgorithm;
use x509_cert::der::{asn1::ObjectIdentifier, oid::db::rfc5912};

use crate::{
    error::CryptoError,
    identity::PublicIdentity,
    sign::{
        ecdsa::{self, Curve},
        eddsa, rsa,
    },
};

/// Checks that the owner of `public` signed the octets.
pub(super) fn self_signature(
    public: &PublicIdentity,
    algorithm: ObjectIdentifier,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    const OTHER: CryptoError = CryptoError::BadCertificate("unknown signature algorithm");
    let valid = match (public.algorithm(), algorithm) {
        (HiAlgorithm::Ecdsa, algorithm) => {
            let (curve, point) = ecdsa::point_of(public.hi())?;
            let algorithm = ecdsa_algorithm(curve, algorithm).ok_or(OTHER)?;
            UnparsedPublicKey::new(algorithm, point).verify(signed, signature)
        }
        (HiAlgorithm::Rsa, rfc5912::SHA_256_WITH_RSA_ENCRYPTION) => {
            let (e, n) = rsa::components_of(public.hi())?;
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
        }
        (HiAlgorithm::EdDsa, super::ID_ED25519) => {
            let key = eddsa::key_of(public.hi())?;
            UnparsedPublicKey::new(&ED25519, key).verify(signed, signature)
        }
        _ => return Err(OTHER),
    };
    valid.map_err(|_| CryptoError::BadSignature)
}

fn ecdsa_algorithm(
    curve: Curve,
    algorithm: ObjectIdentifier,
) -> Option<&'static EcdsaVerificationAlgorithm> {
    match (curve, algorithm) {
        (Curve::P256, rfc5912::ECDSA_WITH_SHA_256) => Some(&ECDSA_P256_SHA256_ASN1),
        (Curve::P256, rfc5912::ECDSA_WITH_SHA_384) => Some(&ECDSA_P256_SHA384_ASN1),
        (Curve::P384, rfc5912::ECDSA_WITH_SHA_256) => Some(&ECDSA_P384_SHA256_ASN1),
        (Curve::P384, rfc5912::ECDSA_WITH_SHA_384) => Some(&ECDSA_P384_SHA384_ASN1),
        _ => None,
    }
}
