//! Self-signed X.509 certificates of host identities (RFC 5280; for RELOAD, RFC 6940 section 11.3.1,
//! and CERT parameters, RFC 8002).
//!
//! The subject alternative name holds the HIT as an IP address, and on demand URIs and a user name.
//! Contents and signature depend on the key and the names alone: a host has the same certificate,
//! and so the same hash of it, after every start.

use hip_wire::{hit::Hit, registry::HiAlgorithm};
use x509_cert::{
    Certificate,
    der::{Decode, Encode, Reader, SliceReader, asn1::ObjectIdentifier, oid::db::rfc5912},
    ext::pkix::{SubjectAltName, name::GeneralName},
    spki::SubjectPublicKeyInfoRef,
};

use crate::{
    der,
    error::CryptoError,
    hash::Rhash,
    identity::{HostIdentity, PublicIdentity},
    sign::{ecdsa, eddsa, rsa},
};

mod verify;

/// Longest certificate that is looked at, in octets.
pub const MAX_CERTIFICATE: usize = 8192;

/// The names in a certificate besides the HIT.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// uniformResourceIdentifier entries (RELOAD: `reload://` and the Node-ID).
    pub uris: &'a [&'a str],
    /// rfc822Name entry (RELOAD: the user name).
    pub user: Option<&'a str>,
}

/// Makes the certificate of a host, as DER.
///
/// # Errors
/// [`CryptoError::BadCertificate`] for names that are not ASCII or too long.
pub fn self_signed(identity: &HostIdentity, names: &Names<'_>) -> Result<Vec<u8>, CryptoError> {
    let alternative_names = alternative_names(identity.hit(), names)?;
    let algorithm = signature_algorithm(identity.public())?;
    let name = common_name(identity.hit());
    let serial = Rhash::Sha256.digest(&[identity.public().hi(), &alternative_names]);
    let serial = serial.as_ref().get(..15).unwrap_or_default();
    let extension = der::sequence(&[
        &der::tlv(der::OBJECT_IDENTIFIER, &[&SUBJECT_ALT_NAME]),
        &der::tlv(der::OCTET_STRING, &[&der::sequence(&[&alternative_names])]),
    ]);
    let contents = der::sequence(&[
        &der::tlv(0xa0, &[&der::unsigned(&[2])]),
        &der::unsigned(serial),
        &algorithm,
        &name,
        &der::sequence(&[
            &der::tlv(der::UTC_TIME, &[NOT_BEFORE]),
            &der::tlv(der::GENERALIZED_TIME, &[NOT_AFTER]),
        ]),
        &name,
        &subject_public_key(identity.public())?,
        &der::tlv(0xa3, &[&der::sequence(&[&extension])]),
    ]);
    let signature = identity.private_key().sign_certificate(&contents)?;
    let certificate = der::sequence(&[&contents, &algorithm, &der::bit_string(&signature)]);
    if certificate.len() > MAX_CERTIFICATE {
        return Err(CryptoError::BadCertificate("too long"));
    }
    Ok(certificate)
}

/// What a checked self-signed certificate of a host says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificate {
    public: PublicIdentity,
    uris: Vec<String>,
    user: Option<String>,
    not_before: u64,
    not_after: u64,
}

impl HostCertificate {
    /// Reads a certificate and checks that its own key signed it and that the HIT in it, if any,
    /// is the HIT of that key.
    ///
    /// Whether it is valid at this time is for the caller to ask with
    /// [`valid_at`](Self::valid_at).
    ///
    /// # Errors
    /// [`CryptoError::BadCertificate`], [`CryptoError::BadSignature`], or what
    /// [`PublicIdentity::from_hi`] says about the key.
    pub fn from_der(certificate: &[u8]) -> Result<Self, CryptoError> {
        if certificate.len() > MAX_CERTIFICATE {
            return Err(CryptoError::BadCertificate("too long"));
        }
        let bad = |what| move |_: x509_cert::der::Error| CryptoError::BadCertificate(what);
        let parsed = Certificate::from_der(certificate).map_err(bad("no X.509 certificate"))?;
        let contents = parsed.tbs_certificate();
        let key = contents
            .subject_public_key_info()
            .to_der()
            .map_err(bad("no public key"))?;
        let public = public_identity(&key)?;
        if parsed.signature_algorithm() != contents.signature() {
            return Err(CryptoError::BadCertificate("two signature algorithms"));
        }
        let signed = signed_octets(certificate).map_err(bad("no X.509 certificate"))?;
        let signature = parsed
            .signature()
            .as_bytes()
            .ok_or(CryptoError::BadSignature)?;
        verify::self_signature(&public, parsed.signature_algorithm().oid, signed, signature)?;
        let (uris, user) = checked_names(contents, public.hit())?;
        let validity = contents.validity();
        Ok(Self {
            public,
            uris,
            user,
            not_before: validity.not_before.to_unix_duration().as_secs(),
            not_after: validity.not_after.to_unix_duration().as_secs(),
        })
    }

    /// The identity it belongs to.
    // 6940-11.3.1-05: the Node-ID (the HIT) is checked against the key
    pub fn public(&self) -> &PublicIdentity {
        &self.public
    }

    /// The HIT of the identity it belongs to.
    pub fn hit(&self) -> Hit {
        self.public.hit()
    }

    /// The URIs in it.
    pub fn uris(&self) -> &[String] {
        &self.uris
    }

    /// The user name in it.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether it is valid, `unix_seconds` after the beginning of 1970.
    pub fn valid_at(&self, unix_seconds: u64) -> bool {
        (self.not_before..=self.not_after).contains(&unix_seconds)
    }
}

/// id-ce-subjectAltName
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
/// id-at-commonName
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// ecdsa-with-SHA384
const ECDSA_WITH_SHA384: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
/// id-ecPublicKey
const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// prime256v1
const PRIME256V1: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// secp384r1
const SECP384R1: [u8; 5] = [0x2b, 0x81, 0x04, 0x00, 0x22];
/// rsaEncryption
const RSA_ENCRYPTION: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// sha256WithRSAEncryption
const SHA256_WITH_RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];

/// A fixed past and the end of time (RFC 5280 section 4.1.2.5): a HIT does not expire.
const NOT_BEFORE: &[u8] = b"200101000000Z";
const NOT_AFTER: &[u8] = b"99991231235959Z";

/// Longest URI or user name.
const MAX_NAME: usize = 512;

fn common_name(hit: Hit) -> Vec<u8> {
    let text = hit.to_string();
    let attribute = der::sequence(&[
        &der::tlv(der::OBJECT_IDENTIFIER, &[&COMMON_NAME]),
        &der::tlv(der::UTF8_STRING, &[text.as_bytes()]),
    ]);
    der::sequence(&[&der::tlv(der::SET, &[&attribute])])
}

/// GeneralName entries: 1 rfc822Name, 6 URI, 7 iPAddress.
fn alternative_names(hit: Hit, names: &Names<'_>) -> Result<Vec<u8>, CryptoError> {
    let mut out = der::tlv(0x87, &[hit.as_bytes()]);
    let uris = names.uris.iter().map(|uri| (0x86, *uri));
    for (tag, name) in uris.chain(names.user.map(|user| (0x81, user))) {
        if !name.is_ascii() || name.is_empty() || name.len() > MAX_NAME {
            return Err(CryptoError::BadCertificate(
                "a name is empty, long or not ASCII",
            ));
        }
        out.extend(der::tlv(tag, &[name.as_bytes()]));
    }
    Ok(out)
}

fn signature_algorithm(public: &PublicIdentity) -> Result<Vec<u8>, CryptoError> {
    let oid = |octets: &[u8]| der::tlv(der::OBJECT_IDENTIFIER, &[octets]);
    match public.algorithm() {
        HiAlgorithm::Ecdsa => Ok(der::sequence(&[&oid(&ECDSA_WITH_SHA384)])),
        HiAlgorithm::Rsa => Ok(der::sequence(&[
            &oid(&SHA256_WITH_RSA),
            &der::tlv(der::NULL, &[]),
        ])),
        HiAlgorithm::EdDsa => Ok(der::sequence(&[&oid(&eddsa::OID)])),
        other => Err(CryptoError::UnsupportedAlgorithm(other)),
    }
}

fn subject_public_key(public: &PublicIdentity) -> Result<Vec<u8>, CryptoError> {
    let oid = |octets: &[u8]| der::tlv(der::OBJECT_IDENTIFIER, &[octets]);
    let (algorithm, key) = match public.algorithm() {
        HiAlgorithm::Ecdsa => {
            let (curve, point) = ecdsa::point_of(public.hi())?;
            let curve = match curve {
                ecdsa::Curve::P256 => oid(&PRIME256V1),
                ecdsa::Curve::P384 => oid(&SECP384R1),
            };
            (
                der::sequence(&[&oid(&EC_PUBLIC_KEY), &curve]),
                point.to_vec(),
            )
        }
        HiAlgorithm::Rsa => {
            let (e, n) = rsa::components_of(public.hi())?;
            (
                der::sequence(&[&oid(&RSA_ENCRYPTION), &der::tlv(der::NULL, &[])]),
                der::sequence(&[&der::unsigned(n), &der::unsigned(e)]),
            )
        }
        HiAlgorithm::EdDsa => (
            der::sequence(&[&oid(&eddsa::OID)]),
            eddsa::key_of(public.hi())?.to_vec(),
        ),
        other => return Err(CryptoError::UnsupportedAlgorithm(other)),
    };
    Ok(der::sequence(&[&algorithm, &der::bit_string(&key)]))
}

/// The identity of a SubjectPublicKeyInfo.
fn public_identity(key: &[u8]) -> Result<PublicIdentity, CryptoError> {
    const BAD: CryptoError = CryptoError::BadCertificate("unusable public key");
    let info = SubjectPublicKeyInfoRef::try_from(key).map_err(|_| BAD)?;
    let octets = info.subject_public_key.as_bytes().ok_or(BAD)?;
    match info.algorithm.oid {
        rfc5912::ID_EC_PUBLIC_KEY => {
            let curve = match info.algorithm.parameters_oid().map_err(|_| BAD)? {
                rfc5912::SECP_256_R_1 => ecdsa::Curve::P256,
                rfc5912::SECP_384_R_1 => ecdsa::Curve::P384,
                _ => return Err(BAD),
            };
            PublicIdentity::from_hi(HiAlgorithm::Ecdsa, &ecdsa::hi_of(curve, octets))
        }
        rfc5912::RSA_ENCRYPTION => {
            let (n, e) = rsa_numbers(octets).map_err(|_| BAD)?;
            PublicIdentity::from_hi(HiAlgorithm::Rsa, &rsa::hi_of(&e, &n)?)
        }
        ID_ED25519 => PublicIdentity::from_hi(HiAlgorithm::EdDsa, &eddsa::hi_of(octets)),
        _ => Err(BAD),
    }
}

const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Modulus and exponent of an RSAPublicKey (RFC 8017 appendix A.1.1).
fn rsa_numbers(key: &[u8]) -> x509_cert::der::Result<(Vec<u8>, Vec<u8>)> {
    let mut reader = SliceReader::new(key)?;
    let numbers = reader.sequence(|reader| {
        let n = x509_cert::der::asn1::Uint::decode(reader)?;
        let e = x509_cert::der::asn1::Uint::decode(reader)?;
        Ok::<_, x509_cert::der::Error>((n.as_bytes().to_vec(), e.as_bytes().to_vec()))
    })?;
    reader.finish()?;
    Ok(numbers)
}

/// The TBSCertificate exactly as it was signed.
fn signed_octets(certificate: &[u8]) -> x509_cert::der::Result<&[u8]> {
    let mut reader = SliceReader::new(certificate)?;
    reader.sequence(|reader| {
        let signed = reader.tlv_bytes()?;
        reader.tlv_bytes()?;
        reader.tlv_bytes()?;
        Ok(signed)
    })
}

/// URIs and user name; every address must be the HIT of the key.
fn checked_names(
    contents: &x509_cert::TbsCertificate,
    hit: Hit,
) -> Result<(Vec<String>, Option<String>), CryptoError> {
    let extension = contents
        .get_extension::<SubjectAltName>()
        .map_err(|_| CryptoError::BadCertificate("damaged subject alternative name"))?;
    let (mut uris, mut user) = (Vec::new(), None);
    for name in extension.iter().flat_map(|(_, names)| &names.0) {
        match name {
            GeneralName::IpAddress(address) if address.as_bytes() != hit.as_bytes() => {
                return Err(CryptoError::BadCertificate(
                    "the address is not the HIT of the key",
                ));
            }
            GeneralName::UniformResourceIdentifier(uri) => uris.push(uri.as_str().to_owned()),
            GeneralName::Rfc822Name(name) => user = Some(name.as_str().to_owned()),
            _ => {}
        }
    }
    Ok((uris, user))
}

#[cfg(test)]
mod tests;
