//! Message contents and security block (RFC 6940 §6.3.3, §6.3.4).

use super::codec::{Decode, Encode, Problem, Reader, WireError, Writer};

/// Most message extensions accepted.
pub const MAX_EXTENSIONS: usize = 16;
/// Most certificates accepted in one message.
pub const MAX_CERTIFICATES: usize = 64;

/// The contents of a message (RFC 6940 §6.3.3), body not yet decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageContents {
    /// Message code (RFC 6940 §14.8).
    pub code: u16,
    /// Body; its structure depends on the code.
    pub body: Vec<u8>,
    /// Extensions.
    pub extensions: Vec<MessageExtension>,
}

/// An extension of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageExtension {
    /// Extension type.
    pub kind: u16,
    /// Whether a node that does not know it must refuse the message.
    pub critical: bool,
    /// Contents.
    pub contents: Vec<u8>,
}

/// Certificates and the message's signature (RFC 6940 §6.3.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityBlock {
    /// X.509 certificates, DER.
    pub certificates: Vec<Vec<u8>>,
    /// The signature.
    pub signature: Signature,
}

/// A signature and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// TLS HashAlgorithm.
    pub hash: u8,
    /// TLS SignatureAlgorithm.
    pub algorithm: u8,
    /// Whose.
    pub identity: SignerIdentity,
    /// The signature proper.
    pub value: Vec<u8>,
}

/// The signer of a signature.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SignerIdentity {
    /// Hash of the certificate, for certificates with one Node-ID.
    CertHash {
        /// TLS HashAlgorithm.
        hash: u8,
        /// The hash.
        digest: Vec<u8>,
    },
    /// Hash of Node-ID and certificate, for certificates with several.
    CertHashNodeId {
        /// TLS HashAlgorithm.
        hash: u8,
        /// The hash.
        digest: Vec<u8>,
    },
    /// Nobody: only for values made up to say that there is none.
    None,
}

impl Signature {
    /// The empty signature of a synthesised "no such value" (RFC 6940 §7.4.2.2).
    #[must_use]
    pub const fn none() -> Self {
        Self {
            hash: 0,
            algorithm: 0,
            identity: SignerIdentity::None,
            value: Vec::new(),
        }
    }
}

/// Splits what follows the forwarding header into raw contents (the signed octets), decoded
/// contents and security block.
///
/// # Errors
/// When the octets are not exactly these.
// 6940-6.3-01
pub fn parse_body(body: &[u8]) -> Result<(&[u8], MessageContents, SecurityBlock), WireError> {
    let mut reader = Reader::new(body);
    let contents = MessageContents::decode(&mut reader)?;
    let raw = body.get(..reader.offset()).unwrap_or_default();
    let security = SecurityBlock::decode(&mut reader)?;
    reader.finish()?;
    Ok((raw, contents, security))
}

// 6940-6.3.3-01
impl Decode for MessageContents {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            code: reader.u16()?,
            body: reader.opaque(4)?.to_vec(),
            extensions: reader.list(4, MAX_EXTENSIONS, "message extensions")?,
        })
    }
}

impl Encode for MessageContents {
    fn encode(&self, writer: &mut Writer) {
        writer.u16(self.code);
        writer.opaque(4, &self.body);
        writer.list(4, &self.extensions);
    }
}

impl Decode for MessageExtension {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            kind: reader.u16()?,
            critical: reader.boolean()?,
            contents: reader.opaque(4)?.to_vec(),
        })
    }
}

impl Encode for MessageExtension {
    fn encode(&self, writer: &mut Writer) {
        writer.u16(self.kind);
        writer.boolean(self.critical);
        writer.opaque(4, &self.contents);
    }
}

/// CertificateType X.509 (RFC 6091).
const X509: u8 = 0;

// 6940-6.3.4-01 6940-6.3.4-02
impl Decode for SecurityBlock {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut bucket = reader.vector(2)?;
        let mut certificates = Vec::new();
        while !bucket.is_empty() {
            if certificates.len() == MAX_CERTIFICATES {
                return Err(bucket.error(Problem::TooLong("certificate bucket")));
            }
            if bucket.clone().u8()? != X509 {
                return Err(bucket.unknown("certificate type"));
            }
            bucket.u8()?;
            certificates.push(bucket.opaque(2)?.to_vec());
        }
        Ok(Self {
            certificates,
            signature: Signature::decode(reader)?,
        })
    }
}

impl Encode for SecurityBlock {
    fn encode(&self, writer: &mut Writer) {
        writer.vector(2, |writer| {
            for certificate in &self.certificates {
                writer.u8(X509);
                writer.opaque(2, certificate);
            }
        });
        self.signature.encode(writer);
    }
}

// 6940-6.3.4-08
impl Decode for Signature {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            hash: reader.u8()?,
            algorithm: reader.u8()?,
            identity: SignerIdentity::decode(reader)?,
            value: reader.opaque(2)?.to_vec(),
        })
    }
}

impl Encode for Signature {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.hash);
        writer.u8(self.algorithm);
        self.identity.encode(writer);
        writer.opaque(2, &self.value);
    }
}

const CERT_HASH: u8 = 1;
const CERT_HASH_NODE_ID: u8 = 2;
const NONE: u8 = 3;

// 6940-6.3.4-10
impl Decode for SignerIdentity {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let at = reader.clone();
        let kind = reader.u8()?;
        let mut value = reader.vector(2)?;
        let identity = match kind {
            CERT_HASH => Self::CertHash {
                hash: value.u8()?,
                digest: value.opaque(1)?.to_vec(),
            },
            CERT_HASH_NODE_ID => Self::CertHashNodeId {
                hash: value.u8()?,
                digest: value.opaque(1)?.to_vec(),
            },
            NONE => Self::None,
            _ => return Err(at.unknown("signer identity type")),
        };
        value.finish()?;
        Ok(identity)
    }
}

impl Encode for SignerIdentity {
    fn encode(&self, writer: &mut Writer) {
        let (kind, hash) = match self {
            Self::CertHash { hash, digest } => (CERT_HASH, Some((hash, digest))),
            Self::CertHashNodeId { hash, digest } => (CERT_HASH_NODE_ID, Some((hash, digest))),
            Self::None => (NONE, None),
        };
        writer.u8(kind);
        writer.vector(2, |writer| {
            if let Some((hash, digest)) = hash {
                writer.u8(*hash);
                writer.opaque(1, digest);
            }
        });
    }
}
