//! CERT (RFC 8002 section 2).

use alloc::vec::Vec;

use crate::error::WireError;
use crate::param::{Parameter, parse_parameter};
use crate::reader::Reader;
use crate::registry::ParamType;

/// One certificate, or one of the pieces of a group.
// 8002-2-01
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cert<'a> {
    /// CERT group, ties related parameters together.
    pub group: u8,
    /// Number of CERT parameters in the group.
    pub count: u8,
    /// Position in the group.
    pub id: u8,
    /// CERT type, such as 1 for X.509.v3.
    pub cert_type: u8,
    /// The certificate.
    pub certificate: &'a [u8],
}

impl<'a> Cert<'a> {
    /// Decodes the contents.
    pub fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        let [group, count, id, cert_type] = reader.array()?;
        Ok(Self {
            group,
            count,
            id,
            cert_type,
            certificate: reader.rest(),
        })
    }
}

impl Parameter for Cert<'_> {
    const TYPE: ParamType = ParamType::CERT;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.group, self.count, self.id, self.cert_type]);
        out.extend_from_slice(self.certificate);
    }
}

parse_parameter!(Cert<'a>);
