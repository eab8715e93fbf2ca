//! Bodies of forwarding and link management: Attach and Ping (RFC 6940 §6.5.1, §6.5.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::codec::{Decode, Encode, Reader, WireError, Writer};

/// Most ICE candidates accepted.
pub const MAX_CANDIDATES: usize = 32;
/// Most extensions of one candidate accepted.
const MAX_ICE_EXTENSIONS: usize = 16;

/// AttachReqAns (RFC 6940 §6.5.1.1). Over links that HIP authenticates it carries no
/// candidates (docs/decisions/0006-hit-transport.md).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attach {
    /// ICE user name fragment.
    pub ufrag: Vec<u8>,
    /// ICE password.
    pub password: Vec<u8>,
    /// "passive" in requests, "active" in answers.
    pub role: Vec<u8>,
    /// ICE candidates.
    pub candidates: Vec<IceCandidate>,
    /// Send me an Update once the link is up.
    pub send_update: bool,
}

impl Attach {
    /// An offer for a HIT link.
    #[must_use]
    pub fn offer(send_update: bool) -> Self {
        Self::without_candidates(b"passive", send_update)
    }

    /// The answer to such an offer.
    #[must_use]
    pub fn answer() -> Self {
        Self::without_candidates(b"active", false)
    }

    fn without_candidates(role: &[u8], send_update: bool) -> Self {
        Self {
            ufrag: Vec::new(),
            password: Vec::new(),
            role: role.to_vec(),
            candidates: Vec::new(),
            send_update,
        }
    }
}

// 6940-6.5.1.1-04
impl Decode for Attach {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            ufrag: reader.opaque(1)?.to_vec(),
            password: reader.opaque(1)?.to_vec(),
            role: reader.opaque(1)?.to_vec(),
            candidates: reader.list(2, MAX_CANDIDATES, "candidates")?,
            send_update: reader.boolean()?,
        })
    }
}

impl Encode for Attach {
    fn encode(&self, writer: &mut Writer) {
        writer.opaque(1, &self.ufrag);
        writer.opaque(1, &self.password);
        writer.opaque(1, &self.role);
        writer.list(2, &self.candidates);
        writer.boolean(self.send_update);
    }
}

/// One ICE candidate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IceCandidate {
    /// Its address.
    pub address: SocketAddr,
    /// OverlayLinkType.
    pub overlay_link: u8,
    /// ICE foundation.
    pub foundation: Vec<u8>,
    /// ICE priority.
    pub priority: u32,
    /// Its type and related address.
    pub kind: CandidateKind,
    /// ICE extensions: name and value.
    pub extensions: Vec<IceExtension>,
}

/// Type of a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CandidateKind {
    /// Own address.
    Host,
    /// Address seen by a server, with its base.
    ServerReflexive(SocketAddr),
    /// Address at a relay, with the mapped address.
    Relayed(SocketAddr),
}

/// An ICE extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IceExtension {
    /// Name.
    pub name: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
}

// 6940-6.5.1.1-03
impl Decode for IceCandidate {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let address = read_address(reader)?;
        let overlay_link = reader.u8()?;
        let foundation = reader.opaque(1)?.to_vec();
        let priority = reader.u32()?;
        let at = reader.clone();
        let kind = match reader.u8()? {
            1 => CandidateKind::Host,
            2 => CandidateKind::ServerReflexive(read_address(reader)?),
            4 => CandidateKind::Relayed(read_address(reader)?),
            _ => return Err(at.unknown("candidate type")),
        };
        Ok(Self {
            address,
            overlay_link,
            foundation,
            priority,
            kind,
            extensions: reader.list(2, MAX_ICE_EXTENSIONS, "ICE extensions")?,
        })
    }
}

impl Encode for IceCandidate {
    fn encode(&self, writer: &mut Writer) {
        write_address(writer, self.address);
        writer.u8(self.overlay_link);
        writer.opaque(1, &self.foundation);
        writer.u32(self.priority);
        match self.kind {
            CandidateKind::Host => writer.u8(1),
            CandidateKind::ServerReflexive(related) => {
                writer.u8(2);
                write_address(writer, related);
            }
            CandidateKind::Relayed(related) => {
                writer.u8(4);
                write_address(writer, related);
            }
        }
        writer.list(2, &self.extensions);
    }
}

impl Decode for IceExtension {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            name: reader.opaque(2)?.to_vec(),
            value: reader.opaque(2)?.to_vec(),
        })
    }
}

impl Encode for IceExtension {
    fn encode(&self, writer: &mut Writer) {
        writer.opaque(2, &self.name);
        writer.opaque(2, &self.value);
    }
}

// 6940-6.3.1.1-04
fn read_address(reader: &mut Reader<'_>) -> Result<SocketAddr, WireError> {
    let at = reader.clone();
    let kind = reader.u8()?;
    let mut data = reader.vector(1)?;
    let ip = match kind {
        1 => IpAddr::V4(Ipv4Addr::from(data.u32()?)),
        2 => {
            let high = u128::from(data.u64()?);
            IpAddr::V6(Ipv6Addr::from(high << 64 | u128::from(data.u64()?)))
        }
        _ => return Err(at.unknown("address type")),
    };
    let port = data.u16()?;
    data.finish()?;
    Ok(SocketAddr::new(ip, port))
}

fn write_address(writer: &mut Writer, address: SocketAddr) {
    let kind = match address {
        SocketAddr::V4(_) => 1,
        SocketAddr::V6(_) => 2,
    };
    writer.u8(kind);
    writer.vector(1, |writer| {
        match address.ip() {
            IpAddr::V4(ip) => writer.raw(&ip.octets()),
            IpAddr::V6(ip) => writer.raw(&ip.octets()),
        }
        writer.u16(address.port());
    });
}

/// PingReq: padding without meaning.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PingReq {
    /// The padding.
    pub padding: Vec<u8>,
}

impl Decode for PingReq {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            padding: reader.opaque(2)?.to_vec(),
        })
    }
}

impl Encode for PingReq {
    fn encode(&self, writer: &mut Writer) {
        writer.opaque(2, &self.padding);
    }
}

/// PingAns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PingAns {
    /// Random, tells answers apart.
    pub response_id: u64,
    /// When the answer was made, milliseconds since 1970.
    pub time: u64,
}

impl Decode for PingAns {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            response_id: reader.u64()?,
            time: reader.u64()?,
        })
    }
}

impl Encode for PingAns {
    fn encode(&self, writer: &mut Writer) {
        writer.u64(self.response_id);
        writer.u64(self.time);
    }
}
