//! HOST_ID (RFC 7401 section 5.2.9).

use alloc::vec::Vec;

use crate::error::{WireError, WireErrorKind};
use crate::param::{Parameter, parse_parameter};
use crate::reader::Reader;
use crate::registry::{HiAlgorithm, ParamType};

/// The longest Domain Identifier its 12-bit length can express.
const MAX_DOMAIN_IDENTIFIER: usize = 0x0fff;

/// The name that may accompany a Host Identity.
// 7401-5.2.9-03
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainIdentifier<'a> {
    /// No name.
    None,
    /// A fully qualified domain name in RFC 1035 wire form.
    Fqdn(&'a [u8]),
    /// A network access identifier, login@domain.
    Nai(&'a [u8]),
    /// A DI-Type without meaning here; its octets are carried.
    Other(u8, &'a [u8]),
}

impl<'a> DomainIdentifier<'a> {
    // 7401-5.2.9-04: type 0 goes with length 0.
    fn from_parts(di_type: u8, octets: &'a [u8]) -> Option<Self> {
        match di_type {
            0 if octets.is_empty() => Some(Self::None),
            0 => None,
            1 => Some(Self::Fqdn(octets)),
            2 => Some(Self::Nai(octets)),
            other => Some(Self::Other(other, octets)),
        }
    }

    const fn parts(&self) -> (u8, &'a [u8]) {
        match self {
            Self::None => (0, &[]),
            Self::Fqdn(octets) => (1, octets),
            Self::Nai(octets) => (2, octets),
            Self::Other(di_type, octets) => (*di_type & 0x0f, octets),
        }
    }
}

/// A Host Identity with its algorithm and optional name.
// 7401-5.2.9-01
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostId<'a> {
    /// The algorithm number as on the wire.
    pub algorithm: u16,
    /// The Host Identity octets, the input of the HIT.
    pub host_identity: &'a [u8],
    /// The Domain Identifier.
    pub domain_identifier: DomainIdentifier<'a>,
}

impl<'a> HostId<'a> {
    /// A HOST_ID without Domain Identifier.
    pub const fn new(algorithm: HiAlgorithm, host_identity: &'a [u8]) -> Self {
        Self {
            algorithm: algorithm.number(),
            host_identity,
            domain_identifier: DomainIdentifier::None,
        }
    }

    /// Decodes the contents; both lengths together have to fill them.
    // 7401-5.2.9-02: HI Length leaves out the Algorithm field.
    pub fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        let hi_length = usize::from(reader.u16()?);
        let di = reader.u16()?;
        let [di_octet, _] = di.to_be_bytes();
        let (di_type, di_length) = (di_octet >> 4, usize::from(di) & MAX_DOMAIN_IDENTIFIER);
        let algorithm = reader.u16()?;
        let host_identity = reader.take(hi_length)?;
        let name = reader.take(di_length)?;
        reader.finish()?;
        let domain_identifier = DomainIdentifier::from_parts(di_type, name)
            .ok_or_else(|| WireError::new(WireErrorKind::BadValue("DI-Type"), 2))?;
        Ok(Self {
            algorithm,
            host_identity,
            domain_identifier,
        })
    }

    /// The algorithm, `None` if it is not assigned.
    pub const fn hi_algorithm(&self) -> Option<HiAlgorithm> {
        HiAlgorithm::from_number(self.algorithm)
    }
}

impl Parameter for HostId<'_> {
    const TYPE: ParamType = ParamType::HOST_ID;

    fn encode(&self, out: &mut Vec<u8>) {
        let (di_type, name) = self.domain_identifier.parts();
        let name = name.get(..MAX_DOMAIN_IDENTIFIER).unwrap_or(name);
        let hi_length = u16::try_from(self.host_identity.len()).unwrap_or(u16::MAX);
        let di_length = u16::try_from(name.len()).unwrap_or(0);
        out.extend_from_slice(&hi_length.to_be_bytes());
        out.extend_from_slice(&(u16::from(di_type) << 12 | di_length).to_be_bytes());
        out.extend_from_slice(&self.algorithm.to_be_bytes());
        out.extend_from_slice(self.host_identity);
        out.extend_from_slice(name);
    }
}

parse_parameter!(HostId<'a>);
