//! What travels on the simulated network: an IP packet reduced to addresses, protocol and payload.

use std::fmt;
use std::net::SocketAddr;

/// The protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// UDP; the ports are those of the datagram's socket addresses.
    Udp,
    /// A protocol by its IP number (139 HIP, 50 ESP); ports are 0.
    Raw(u8),
}

impl Protocol {
    /// HIP directly over IP (RFC 7401 section 5).
    pub const HIP: Self = Self::Raw(139);

    /// ESP directly over IP.
    pub const ESP: Self = Self::Raw(50);
}

/// One packet. The IP and UDP headers are not octets here, but [`Datagram::ip_length`] counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Sender as the receiver will see it; NAT boxes rewrite it.
    pub source: SocketAddr,
    /// Receiver.
    pub destination: SocketAddr,
    /// Protocol above IP.
    pub protocol: Protocol,
    /// Payload of UDP, or of IP for raw protocols.
    pub bytes: Vec<u8>,
}

impl Datagram {
    /// A UDP datagram.
    pub fn udp(source: SocketAddr, destination: SocketAddr, bytes: Vec<u8>) -> Self {
        Self {
            source,
            destination,
            protocol: Protocol::Udp,
            bytes,
        }
    }

    /// Octets on the wire including the IP header (20 or 40) and the UDP header (8).
    pub fn ip_length(&self) -> usize {
        let ip = if self.destination.is_ipv6() { 40 } else { 20 };
        let upper = if self.protocol == Protocol::Udp { 8 } else { 0 };
        ip + upper + self.bytes.len()
    }
}

impl fmt::Display for Datagram {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Protocol::Udp => write!(
                out,
                "udp {} > {} {}B",
                self.source,
                self.destination,
                self.bytes.len()
            ),
            Protocol::Raw(number) => write!(
                out,
                "ip{number} {} > {} {}B",
                self.source.ip(),
                self.destination.ip(),
                self.bytes.len()
            ),
        }
    }
}
