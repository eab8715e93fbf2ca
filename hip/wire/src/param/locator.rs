//! LOCATOR_SET (RFC 8046 section 4) with the NAT locator of RFC 9028 section 5.7.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use crate::error::{WireError, WireErrorKind};
use crate::param::{Parameter, parse_parameter};
use crate::reader::Reader;
use crate::registry::ParamType;

/// What a locator may carry.
// 8046-4.1-01
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrafficType {
    /// 0: signalling and data.
    Both,
    /// 1: HIP only.
    Signalling,
    /// 2: ESP only.
    Data,
    /// A number without meaning; the locator cannot be used.
    Other(u8),
}

impl TrafficType {
    const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Both,
            1 => Self::Signalling,
            2 => Self::Data,
            other => Self::Other(other),
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Both => 0,
            Self::Signalling => 1,
            Self::Data => 2,
            Self::Other(other) => other,
        }
    }
}

/// Where a locator points, by Locator Type. Addresses on the wire are IPv6 or IPv4-mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LocatorAddress<'a> {
    /// Type 0: an address.
    // 8046-4.2-01
    Address(IpAddr),
    /// Type 1: the SPI of the sender's inbound SA and an address.
    // 8046-4.2-02
    SpiAddress {
        /// The SPI.
        spi: u32,
        /// The address.
        address: IpAddr,
    },
    /// Type 2: a transport address with its ICE candidate data (RFC 9028 section 5.7).
    Transport {
        /// The UDP port.
        port: u16,
        /// The transport protocol, 17 for UDP.
        protocol: u8,
        /// The candidate kind: 0 host, 1 server-reflexive, 2 peer-reflexive, 3 relayed.
        kind: u8,
        /// The candidate priority.
        priority: u32,
        /// The SPI.
        spi: u32,
        /// The address.
        address: IpAddr,
    },
    /// Any other type: skipped whole, NOTIFY LOCATOR_TYPE_UNSUPPORTED if preferred.
    Unknown {
        /// The Locator Type.
        locator_type: u8,
        /// The Locator, whole 4-octet words.
        octets: &'a [u8],
    },
}

/// One locator.
// 8046-4-04
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Locator<'a> {
    /// What it may carry.
    pub traffic_type: TrafficType,
    /// The P bit: preferred for its traffic type.
    pub preferred: bool,
    /// Seconds from reception; [`u32::MAX`] is unbounded.
    pub lifetime: u32,
    /// Where it points.
    pub address: LocatorAddress<'a>,
}

/// LOCATOR_SET: all locators of the sender; none deprecates every address.
// 8046-4-03, 8046-4-07
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocatorSet<'a> {
    /// The locators in wire order.
    pub locators: Vec<Locator<'a>>,
}

impl<'a> LocatorSet<'a> {
    /// Decodes the contents: each locator by its own length, unknown types kept whole.
    pub fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        let mut locators = Vec::new();
        while !reader.is_empty() {
            locators.push(Locator::read(&mut reader)?);
        }
        Ok(Self { locators })
    }
}

impl Parameter for LocatorSet<'_> {
    const TYPE: ParamType = ParamType::LOCATOR_SET;

    fn encode(&self, out: &mut Vec<u8>) {
        for locator in &self.locators {
            locator.encode(out);
        }
    }
}

impl<'a> Locator<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let [traffic_type, locator_type, words, flags] = reader.array()?;
        let start = reader.clone();
        let lifetime = reader.u32()?;
        // 8046-4-11: a lifetime of zero does not occur.
        if lifetime == 0 {
            return Err(start.error(WireErrorKind::BadValue("Locator Lifetime")));
        }
        // 8046-4-05, 8046-4-06: the length counts 4-octet words of the locator alone.
        let base = reader.offset();
        let locator = reader.take(usize::from(words) * 4)?;
        let address =
            LocatorAddress::parse(locator_type, locator).map_err(|error| error.within(base))?;
        Ok(Self {
            traffic_type: TrafficType::from_number(traffic_type),
            // 8046-4-08, 8046-4-09: the low bit is P, the others are ignored.
            preferred: flags & 1 == 1,
            lifetime,
            address,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let (locator_type, words) = self.address.type_and_words();
        let flags = u8::from(self.preferred);
        out.extend_from_slice(&[self.traffic_type.number(), locator_type, words, flags]);
        out.extend_from_slice(&self.lifetime.to_be_bytes());
        self.address.encode(out);
    }
}

impl<'a> LocatorAddress<'a> {
    /// The IP address, `None` for unknown types.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address)
            | Self::SpiAddress { address, .. }
            | Self::Transport { address, .. } => Some(*address),
            Self::Unknown { .. } => None,
        }
    }

    /// The SPI, `None` for types without one.
    pub const fn spi(&self) -> Option<u32> {
        match self {
            Self::SpiAddress { spi, .. } | Self::Transport { spi, .. } => Some(*spi),
            Self::Address(_) | Self::Unknown { .. } => None,
        }
    }

    fn parse(locator_type: u8, octets: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(octets);
        let parsed = match locator_type {
            0 => Self::Address(read_address(&mut reader)?),
            1 => Self::SpiAddress {
                spi: reader.u32()?,
                address: read_address(&mut reader)?,
            },
            2 => Self::Transport {
                port: reader.u16()?,
                protocol: reader.u8()?,
                kind: reader.u8()?,
                priority: reader.u32()?,
                spi: reader.u32()?,
                address: read_address(&mut reader)?,
            },
            // An empty locator points nowhere; refusing it bounds the number of locators.
            _ if octets.is_empty() => return Err(reader.error(WireErrorKind::BadLength)),
            locator_type => Self::Unknown {
                locator_type,
                octets: reader.rest(),
            },
        };
        reader.finish()?;
        Ok(parsed)
    }

    fn type_and_words(&self) -> (u8, u8) {
        match self {
            Self::Address(_) => (0, 4),
            Self::SpiAddress { .. } => (1, 5),
            Self::Transport { .. } => (2, 7),
            Self::Unknown {
                locator_type,
                octets,
            } => (
                *locator_type,
                u8::try_from(octets.len() / 4).unwrap_or(u8::MAX),
            ),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Address(address) => push_address(out, address),
            Self::SpiAddress { spi, address } => {
                out.extend_from_slice(&spi.to_be_bytes());
                push_address(out, address);
            }
            Self::Transport {
                port,
                protocol,
                kind,
                priority,
                spi,
                address,
            } => {
                out.extend_from_slice(&port.to_be_bytes());
                out.extend_from_slice(&[protocol, kind]);
                out.extend_from_slice(&priority.to_be_bytes());
                out.extend_from_slice(&spi.to_be_bytes());
                push_address(out, address);
            }
            Self::Unknown { octets, .. } => out.extend_from_slice(octets),
        }
    }
}

/// 16 octets as the address they mean: IPv4-mapped ones become IPv4.
fn read_address(reader: &mut Reader<'_>) -> Result<IpAddr, WireError> {
    Ok(Ipv6Addr::from_octets(reader.array()?).to_canonical())
}

fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    let v6 = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    out.extend_from_slice(&v6.octets());
}

parse_parameter!(LocatorSet<'a>);
