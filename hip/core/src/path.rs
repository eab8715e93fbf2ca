//! Where packets go: transports, paths and the locators of peers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// How HIP control packets and ESP are carried over IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// HIP as IP protocol 139 and ESP as IP protocol 50; ports are 0.
    Raw,
    /// Both inside UDP (RFC 9028 §5.1); HIP checksums are 0.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Udp => "udp",
        })
    }
}

/// One pair of addresses and the transport between them, seen from this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// The carrier.
    pub transport: Transport,
    /// The address of this host (port 0 with [`Transport::Raw`]).
    pub local: SocketAddr,
    /// The address of the peer (port 0 with [`Transport::Raw`]).
    pub remote: SocketAddr,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Raw => write!(f, "raw {} > {}", self.local.ip(), self.remote.ip()),
            Transport::Udp => write!(f, "udp {} > {}", self.local, self.remote),
        }
    }
}

/// An address at which a peer may be reached, as the shell learned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerLocator {
    /// The carrier to use towards it.
    pub transport: Transport,
    /// The address of the peer (port 0 with [`Transport::Raw`]).
    pub remote: SocketAddr,
    /// The source address the shell's route look-up gave, if it made one;
    /// otherwise the host picks one of [`Input::LocalAddresses`](crate::Input::LocalAddresses).
    pub local: Option<IpAddr>,
}

impl PeerLocator {
    /// A peer reached with protocols 139 and 50.
    pub fn raw(address: IpAddr) -> Self {
        Self { transport: Transport::Raw, remote: SocketAddr::new(address, 0), local: None }
    }

    /// A peer reached over UDP.
    pub fn udp(address: SocketAddr) -> Self {
        Self { transport: Transport::Udp, remote: address, local: None }
    }
}

impl fmt::Display for PeerLocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Raw => write!(f, "raw:{}", self.remote.ip()),
            Transport::Udp => write!(f, "{}", self.remote),
        }
    }
}
