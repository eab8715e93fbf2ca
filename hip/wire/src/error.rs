//! The one error family of malformed bytes.

use core::fmt;

use crate::registry::ParamType;

/// Bytes that break a format, with the octet where it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireError {
    /// What is wrong.
    pub kind: WireErrorKind,
    /// Octet offset from the start of the slice given to the decoder (the whole packet for [`crate::Packet`]); it is
    /// the Pointer of an ICMP Parameter Problem once the IP header length is added (RFC 7401 section 5.4).
    pub offset: usize,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireErrorKind {
    /// The input ends before the field does.
    Truncated,
    /// Octets are left over where the format ends.
    TrailingBytes,
    /// Header Length disagrees with the datagram, or is below 4.
    HeaderLength,
    /// The version is not the one this crate reads.
    Version(u8),
    /// The HIP packet type is not assigned (RFC 7401 section 5.3).
    UnknownPacketType(u8),
    /// The result would exceed the size the format can carry.
    TooLong,
    /// A parameter comes after one with a greater type (RFC 7401 section 5.2.1).
    ParameterOrder {
        /// The type before it.
        previous: ParamType,
        /// The type found.
        found: ParamType,
    },
    /// A parameter runs past the end of the packet.
    ParameterOverrun(ParamType),
    /// A parameter that may occur once occurs again.
    DuplicateParameter(ParamType),
    /// A parameter that has to be there is not.
    MissingParameter(ParamType),
    /// A length field or a length does not fit the format.
    BadLength,
    /// A field has a value the format forbids.
    BadValue(&'static str),
    /// The checksum does not fit the contents.
    Checksum,
    /// Source and destination address are of different families.
    AddressFamily,
    /// The address is not a HIT (2001:20::/28).
    NotAHit,
}

impl WireError {
    /// An error of `kind` at octet `offset`.
    pub const fn new(kind: WireErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// The same error seen from an outer buffer in which the inner one starts at `base`.
    #[must_use]
    pub const fn within(self, base: usize) -> Self {
        Self {
            kind: self.kind,
            offset: self.offset.saturating_add(base),
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.kind, self.offset)
    }
}

impl fmt::Display for WireErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("input too short"),
            Self::TrailingBytes => f.write_str("octets after the end"),
            Self::HeaderLength => f.write_str("header length does not fit the packet"),
            Self::Version(version) => write!(f, "unsupported version {version}"),
            Self::UnknownPacketType(number) => write!(f, "unknown packet type {number}"),
            Self::TooLong => f.write_str("too long"),
            Self::ParameterOrder { previous, found } => {
                write!(f, "parameter {found} after {previous}")
            }
            Self::ParameterOverrun(ty) => write!(f, "parameter {ty} runs past the packet"),
            Self::DuplicateParameter(ty) => write!(f, "second parameter {ty}"),
            Self::MissingParameter(ty) => write!(f, "no parameter {ty}"),
            Self::BadLength => f.write_str("length does not fit the format"),
            Self::BadValue(field) => write!(f, "forbidden value in {field}"),
            Self::Checksum => f.write_str("wrong checksum"),
            Self::AddressFamily => f.write_str("addresses of different families"),
            Self::NotAHit => f.write_str("not a HIT (2001:20::/28)"),
        }
    }
}

impl core::error::Error for WireError {}
