//! Parameters by family: typed contents, decoded and encoded (RFC 7401 section 5.2, RFC 7402 section 5.1, RFC 8046).

use alloc::vec::Vec;

use crate::error::WireError;
use crate::registry::ParamType;

mod auth;
mod cert;
mod echo;
mod encrypted;
mod esp;
mod exchange;
mod host_id;
mod locator;
mod notification;
mod puzzle;
mod update;

pub use auth::{HipMac, HipMac2, HipSignature, HipSignature2, SignatureFields};
pub use cert::Cert;
pub use echo::{EchoRequestSigned, EchoRequestUnsigned, EchoResponseSigned, EchoResponseUnsigned};
pub use encrypted::Encrypted;
pub use esp::{EspInfo, EspTransform};
pub use exchange::{DhGroupList, DiffieHellman, HipCipherList, HitSuiteList, TransportFormatList};
pub use host_id::{DomainIdentifier, HostId};
pub use locator::{Locator, LocatorAddress, LocatorSet, TrafficType};
pub use notification::Notification;
pub use puzzle::{Puzzle, R1Counter, Solution};
pub use update::{Ack, Seq};

/// The most suites sent in HIP_CIPHER and ESP_TRANSFORM, and the most looked at when received.
// 7401-5.2.8-03, 7401-5.2.8-04, 7402-5.1.2-06, 7402-5.1.2-07
pub const MAX_SUITES: usize = 6;

/// A parameter that can be put into a packet.
pub trait Parameter {
    /// Its Type on the wire.
    const TYPE: ParamType;

    /// Appends the contents, without type, length and padding.
    fn encode(&self, out: &mut Vec<u8>);

    /// [`Self::TYPE`], for callers that hold a value.
    fn ty(&self) -> ParamType {
        Self::TYPE
    }
}

/// A parameter that can be read from a packet by its type alone; see [`Packet::find`](crate::Packet::find).
pub trait ParseParameter<'a>: Parameter + Sized {
    /// Decodes the contents, without type, length and padding.
    fn parse_contents(contents: &'a [u8]) -> Result<Self, WireError>;
}

/// Ties the inherent `parse` of a parameter to [`ParseParameter`].
macro_rules! parse_parameter {
    ($($name:ident $(<$lifetime:lifetime>)?),* $(,)?) => {$(
        impl<'a> crate::param::ParseParameter<'a> for $name $(<$lifetime>)? {
            fn parse_contents(contents: &'a [u8]) -> Result<Self, crate::error::WireError> {
                Self::parse(contents)
            }
        }
    )*};
}
pub(crate) use parse_parameter;

#[cfg(test)]
mod tests;
