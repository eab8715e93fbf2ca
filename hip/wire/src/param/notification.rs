//! NOTIFICATION (RFC 7401 section 5.2.19).

use alloc::vec::Vec;

use crate::error::WireError;
use crate::param::{Parameter, parse_parameter};
use crate::reader::Reader;
use crate::registry::{NotifyType, ParamType};

/// An error or status message.
// 7401-5.2.19-01
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// What it is about.
    pub notify_type: NotifyType,
    /// Data whose meaning depends on the type.
    pub data: &'a [u8],
}

impl<'a> Notification<'a> {
    /// Decodes the contents.
    pub fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        reader.u16()?;
        Ok(Self {
            notify_type: NotifyType(reader.u16()?),
            data: reader.rest(),
        })
    }

    /// The offending type in the data of an UNSUPPORTED_CRITICAL_PARAMETER_TYPE.
    // 7401-5.2.19-14
    pub fn unsupported_parameter(&self) -> Option<ParamType> {
        match (self.notify_type, self.data) {
            (NotifyType::UNSUPPORTED_CRITICAL_PARAMETER_TYPE, &[high, low]) => {
                Some(ParamType(u16::from_be_bytes([high, low])))
            }
            _ => None,
        }
    }
}

impl Parameter for Notification<'_> {
    const TYPE: ParamType = ParamType::NOTIFICATION;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.notify_type.0.to_be_bytes());
        out.extend_from_slice(self.data);
    }
}

parse_parameter!(Notification<'a>);
