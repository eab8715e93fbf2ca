//! Where packets go: the transport and the two addresses, for control packets and ESP alike.

use core::fmt;
use core::net::SocketAddr;

/// How HIP control packets and ESP are carried over IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// HIP as IP protocol 139 and ESP as IP protocol 50; ports are 0.
    Raw,
    /// Both inside UDP (RFC 9028 section 5.1); HIP checksums are 0.
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
