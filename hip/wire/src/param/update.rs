//! SEQ and ACK (RFC 7401 sections 5.2.16 and 5.2.17).

use alloc::vec::Vec;

use crate::error::{WireError, WireErrorKind};
use crate::param::{Parameter, parse_parameter};
use crate::reader::Reader;
use crate::registry::ParamType;

/// SEQ: the Update ID of an UPDATE that wants an acknowledgment.
// 7401-5.2.16-01
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seq {
    /// The Update ID.
    pub update_id: u32,
}

impl Seq {
    /// Decodes the 4 octets of contents.
    pub fn parse(contents: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        let update_id = reader.u32()?;
        reader.finish()?;
        Ok(Self { update_id })
    }
}

impl Parameter for Seq {
    const TYPE: ParamType = ParamType::SEQ;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.update_id.to_be_bytes());
    }
}

/// ACK: the peer's Update IDs that have arrived; not cumulative.
// 7401-5.2.17-01, 7401-5.3.5-08
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The Update IDs, at least one.
    pub update_ids: Vec<u32>,
}

impl Ack {
    /// Acknowledges one UPDATE.
    pub fn of(update_id: u32) -> Self {
        Self {
            update_ids: [update_id].into(),
        }
    }

    /// Decodes the contents.
    // 7401-5.2.17-02: no ids or a fraction of one is malformed.
    pub fn parse(contents: &[u8]) -> Result<Self, WireError> {
        if contents.is_empty() || !contents.len().is_multiple_of(4) {
            return Err(WireError::new(WireErrorKind::BadLength, 0));
        }
        let mut reader = Reader::new(contents);
        let mut update_ids = Vec::with_capacity(contents.len() / 4);
        while !reader.is_empty() {
            update_ids.push(reader.u32()?);
        }
        Ok(Self { update_ids })
    }
}

impl Parameter for Ack {
    const TYPE: ParamType = ParamType::ACK;

    fn encode(&self, out: &mut Vec<u8>) {
        for update_id in &self.update_ids {
            out.extend_from_slice(&update_id.to_be_bytes());
        }
    }
}

parse_parameter!(Seq, Ack);
