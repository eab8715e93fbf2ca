//! Signing and verifying messages and values (RFC 6940 §6.3.4, §7.1).
//!
//! The key is the host's HIP identity; the certificate is a self-signed X.509 one whose only
//! Node-ID is the HIT, so the signer identity is always `cert_hash`.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use hip_crypto::cert::{HostCertificate, Names};
use hip_crypto::error::CryptoError;
use hip_crypto::hash::Rhash;
use hip_crypto::identity::HostIdentity;
use hip_wire::registry::HiAlgorithm;

use crate::config::KindId;
use crate::id::{NodeId, ResourceId};
use crate::wire::contents::{SecurityBlock, Signature, SignerIdentity};
use crate::wire::header::Destination;
use crate::wire::storage::{Place, StoredData};
use crate::wire::{Encode, Writer};

mod ecdsa;

/// TLS HashAlgorithm SHA-256.
pub(crate) const SHA256: u8 = 4;

/// A certificate that was checked: it is self-signed by the key whose HIT it names.
pub(crate) struct Certificate {
    /// The DER form.
    pub(crate) der: Vec<u8>,
    /// The node it belongs to.
    pub(crate) node: NodeId,
    /// SHA-256 of the DER form.
    pub(crate) digest: Vec<u8>,
    checked: HostCertificate,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.node)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads and checks a certificate.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        let checked = HostCertificate::from_der(der)?;
        Ok(Self {
            der: der.to_vec(),
            node: checked.hit().into(),
            digest: Rhash::Sha256.digest(&[der]).as_ref().to_vec(),
            checked,
        })
    }
}

/// A signature that was checked; only [`Security`] makes one.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    certificate: Arc<Certificate>,
}

impl Verified {
    /// Who signed.
    pub(crate) fn signer(&self) -> NodeId {
        self.certificate.node
    }

    /// The signer's certificate.
    pub(crate) const fn certificate(&self) -> &Arc<Certificate> {
        &self.certificate
    }
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SecurityError {
    /// The identity is `none` or the algorithm {0, 0}.
    Anonymous,
    /// The certificate came neither with the message nor before.
    UnknownCertificate,
    /// The algorithm is not the one of the signer's key.
    Algorithm,
    /// The certificate is not valid at this time.
    Validity,
    /// The signature does not fit.
    Signature,
}

/// The node's key, and the certificates it has seen.
pub(crate) struct Security {
    identity: Arc<HostIdentity>,
    own: Arc<Certificate>,
    known: BTreeMap<Vec<u8>, Arc<Certificate>>,
    order: VecDeque<Vec<u8>>,
    limit: usize,
    unix_seconds: u64,
}

impl Security {
    /// Makes the node's certificate.
    pub(crate) fn new(
        identity: Arc<HostIdentity>,
        overlay_name: &str,
        limit: usize,
    ) -> Result<Self, CryptoError> {
        // RFC 6940 §11.3: the Node-ID as a reload:// URI; the HIT is in there as an address too.
        let uri = reload_uri(identity.hit().into(), overlay_name);
        let names = Names {
            uris: &[&uri],
            user: None,
        };
        let der = hip_crypto::cert::self_signed(&identity, &names)?;
        let own = Arc::new(Certificate::from_der(&der)?);
        Ok(Self {
            identity,
            known: BTreeMap::from([(own.digest.clone(), Arc::clone(&own))]),
            own,
            order: VecDeque::new(),
            limit,
            unix_seconds: 0,
        })
    }

    /// Tells the time, to judge the validity of certificates by.
    pub(crate) const fn set_wall_clock(&mut self, wall_ms: u64) {
        self.unix_seconds = wall_ms / 1000;
    }

    /// Signs message contents; `extra` are certificates of signers within the body.
    // RFC 6940 §6.3.4: overlay || transaction_id || MessageContents || SignerIdentity.
    // 6940-6.3-02 6940-6.3.4-14 6940-6.3.4-03 6940-6.3.4-05 6940-13.2-02
    pub(crate) fn sign_message(
        &self,
        overlay: u32,
        transaction_id: u64,
        contents: &[u8],
        extra: &[Arc<Certificate>],
    ) -> Result<SecurityBlock, CryptoError> {
        let input = message_input(overlay, transaction_id, contents, &self.signer_identity());
        let mut certificates = vec![self.own.der.clone()];
        for certificate in extra {
            if !certificates.contains(&certificate.der) {
                certificates.push(certificate.der.clone());
            }
        }
        Ok(SecurityBlock {
            certificates,
            signature: self.sign(&input)?,
        })
    }

    /// Checks a message's signature and remembers the certificates that came with it.
    pub(crate) fn verify_message(
        &mut self,
        overlay: u32,
        transaction_id: u64,
        contents: &[u8],
        security: &SecurityBlock,
    ) -> Result<Verified, SecurityError> {
        self.learn(&security.certificates);
        let identity = &security.signature.identity;
        let input = message_input(overlay, transaction_id, contents, identity);
        self.verify(&security.signature, &input)
    }

    /// Signs a value of ours.
    pub(crate) fn sign_data(
        &self,
        resource: &ResourceId,
        kind: KindId,
        storage_time: u64,
        place: &Place,
        value: Option<&[u8]>,
    ) -> Result<Signature, CryptoError> {
        let identity = self.signer_identity();
        self.sign(&data_input(
            resource,
            kind,
            storage_time,
            (place, value),
            &identity,
        ))
    }

    /// Checks a value's signature.
    // 6940-7.1-01
    pub(crate) fn verify_data(
        &self,
        resource: &ResourceId,
        kind: KindId,
        data: &StoredData,
    ) -> Result<Verified, SecurityError> {
        let value = (&data.place, data.value.as_deref());
        let identity = &data.signature.identity;
        let input = data_input(resource, kind, data.storage_time, value, identity);
        self.verify(&data.signature, &input)
    }

    /// Remembers certificates that check out; the oldest are forgotten beyond the bound.
    pub(crate) fn learn(&mut self, certificates: &[Vec<u8>]) {
        for der in certificates {
            let digest = Rhash::Sha256.digest(&[der]).as_ref().to_vec();
            if self.known.contains_key(&digest) {
                continue;
            }
            if let Ok(certificate) = Certificate::from_der(der) {
                self.known.insert(digest.clone(), Arc::new(certificate));
                self.order.push_back(digest);
            }
            if self.order.len() > self.limit
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    // 6940-6.3.4-11
    fn signer_identity(&self) -> SignerIdentity {
        SignerIdentity::CertHash {
            hash: SHA256,
            digest: self.own.digest.clone(),
        }
    }

    fn sign(&self, input: &[u8]) -> Result<Signature, CryptoError> {
        let raw = self.identity.sign(input)?;
        let public = self.identity.public();
        let (hash, algorithm) = tls_algorithm(public.algorithm());
        let value = match public.algorithm() {
            HiAlgorithm::Ecdsa => ecdsa::to_der(&raw),
            _ => raw,
        };
        Ok(Signature {
            hash,
            algorithm,
            identity: self.signer_identity(),
            value,
        })
    }

    fn verify(&self, signature: &Signature, input: &[u8]) -> Result<Verified, SecurityError> {
        // 6940-7.4.1.1-23
        if (signature.hash, signature.algorithm) == (0, 0) {
            return Err(SecurityError::Anonymous);
        }
        let digest = match &signature.identity {
            SignerIdentity::CertHash {
                hash: SHA256,
                digest,
            } => digest,
            SignerIdentity::None => return Err(SecurityError::Anonymous),
            _ => return Err(SecurityError::UnknownCertificate),
        };
        let certificate = self
            .known
            .get(digest)
            .ok_or(SecurityError::UnknownCertificate)?;
        // RFC 6940 §7.1: the current time is compared with the certificate's validity.
        // 6940-7.1-02 6940-7.1-04 6940-5.1-01
        if !certificate.checked.valid_at(self.unix_seconds) {
            return Err(SecurityError::Validity);
        }
        let public = certificate.checked.public();
        if tls_algorithm(public.algorithm()) != (signature.hash, signature.algorithm) {
            return Err(SecurityError::Algorithm);
        }
        let raw = match public.algorithm() {
            HiAlgorithm::Ecdsa => ecdsa::from_der(&signature.value, public.hi()),
            _ => Some(signature.value.clone()),
        };
        let raw = raw.ok_or(SecurityError::Signature)?;
        // The proof value of hip-crypto names the signer: it must be the certificate's HIT.
        match public.verify(input, &raw) {
            Ok(valid) if NodeId::from(valid.signer()) == certificate.node => Ok(Verified {
                certificate: Arc::clone(certificate),
            }),
            _ => Err(SecurityError::Signature),
        }
    }
}

/// `reload://`, the Destination List with the Node-ID as its one entry in hexadecimal, `@` and
/// the overlay (RFC 6940 §14.15).
// 6940-4.1-01 6940-14.15-01
fn reload_uri(node: NodeId, overlay_name: &str) -> String {
    let entry = Destination::Node(node).to_bytes().unwrap_or_default();
    let digits: String = entry.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("reload://{digits}@{overlay_name}/")
}

/// TLS HashAlgorithm and SignatureAlgorithm of the signatures a Host Identity makes: ECDSA with
/// SHA-384 (5, 3); RSASSA-PSS with SHA-256 as TLS 1.3 numbers it (8, 4); Ed25519 (8, 7).
const fn tls_algorithm(algorithm: HiAlgorithm) -> (u8, u8) {
    match algorithm {
        HiAlgorithm::Ecdsa => (5, 3),
        HiAlgorithm::EcdsaLow => (2, 3),
        HiAlgorithm::Rsa => (8, 4),
        HiAlgorithm::EdDsa => (8, 7),
        HiAlgorithm::Dsa => (2, 2),
    }
}

fn message_input(
    overlay: u32,
    transaction_id: u64,
    contents: &[u8],
    identity: &SignerIdentity,
) -> Vec<u8> {
    let mut input = Writer::new();
    input.u32(overlay);
    input.u64(transaction_id);
    input.raw(contents);
    identity.encode(&mut input);
    input.finish().unwrap_or_default()
}

// RFC 6940 §7.1: resource_id || kind || storage_time || StoredDataValue || SignerIdentity, the
// Resource-ID in its wire form with the length octet (pitfall 23).
fn data_input(
    resource: &ResourceId,
    kind: KindId,
    storage_time: u64,
    (place, value): (&Place, Option<&[u8]>),
    identity: &SignerIdentity,
) -> Vec<u8> {
    let mut input = Writer::new();
    input.resource_id(resource);
    kind.encode(&mut input);
    input.u64(storage_time);
    StoredData::encode_signed_value(place, value, &mut input);
    identity.encode(&mut input);
    input.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests;
