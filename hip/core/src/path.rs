//! Where packets go: transports, paths and the locators of peers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use hip_wire::path::{Path, Transport};

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
        Self {
            transport: Transport::Raw,
            remote: SocketAddr::new(address, 0),
            local: None,
        }
    }

    /// A peer reached over UDP.
    pub fn udp(address: SocketAddr) -> Self {
        Self {
            transport: Transport::Udp,
            remote: address,
            local: None,
        }
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
