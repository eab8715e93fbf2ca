//! One security association: what it is bound to and where its packets go.

use std::fmt;

use hip_crypto::keymat::EspKeys;
use hip_wire::hit::Hit;
use hip_wire::path::Path;

/// The smallest SPI that may be used; 0 to 255 are reserved (RFC 4303 §2.1).
pub const SPI_MIN: u32 = 256;

/// The two HITs an SA is bound to: the only inner addresses it ever carries
/// (RFC 7402 §3.3.3, B.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HitPair {
    /// HIT of this host.
    pub local: Hit,
    /// HIT of the peer.
    pub peer: Hit,
}

/// One direction of an association, as the protocol core hands it over.
#[derive(Debug, Clone)]
pub struct SaParameters {
    /// HIT of this host.
    pub local: Hit,
    /// HIT of the peer.
    pub peer: Hit,
    /// The SPI in the packets of this direction; at least [`SPI_MIN`].
    pub spi: u32,
    /// Suite and keys of this direction.
    pub keys: EspKeys,
    /// Where packets go; a hint on the inbound side.
    pub path: Path,
}

/// Why an SA was refused. Local: it says what the caller gave was unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaError {
    /// The SPI is one of 0 to 255.
    ReservedSpi(u32),
    /// Another association already receives on this SPI.
    SpiInUse(u32),
    /// The suite is not supported or the keys do not fit it.
    Keys,
    /// The SA the command names does not exist.
    Unknown,
    /// The LSI is this host's own, or already belongs to another peer.
    LsiInUse,
}

impl fmt::Display for SaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedSpi(spi) => write!(f, "SPI {spi} is reserved; use 256 or more"),
            Self::SpiInUse(spi) => {
                write!(f, "SPI {spi:#010x} already belongs to another association")
            }
            Self::Keys => {
                f.write_str("the ESP suite is unsupported or its keys have the wrong length")
            }
            Self::Unknown => f.write_str("there is no such security association"),
            Self::LsiInUse => f.write_str("the LSI is already taken"),
        }
    }
}

impl std::error::Error for SaError {}

/// One SA as status output and the inactivity timers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaView {
    /// The HITs it is bound to.
    pub pair: HitPair,
    /// Its SPI.
    pub spi: u32,
    /// Packets sent or accepted.
    pub packets: u64,
    /// Inner bytes sent or accepted.
    pub bytes: u64,
    /// The last sequence number sent, or the highest accepted.
    pub sequence: u64,
    /// The sequence number passed the limit at which the SA should be replaced.
    pub rekey_due: bool,
}
