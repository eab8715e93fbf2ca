//! What the host tells about itself: the snapshot behind `hipctl status`, `peers` and `show`.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use serde::{Deserialize, Serialize};

/// A snapshot of one HIP host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// This host's HIT.
    pub hit: Option<Ipv6Addr>,
    /// This host's LSI.
    pub lsi: Option<Ipv4Addr>,
    /// The LSI prefix in `address/length` form.
    pub lsi_prefix: String,
    /// Name of the TUN interface.
    pub tun: String,
    /// MTU of the TUN interface, octets of an inner IPv6 packet.
    pub mtu: u16,
    /// Milliseconds since the host started (suspend included).
    pub uptime_ms: u64,
    /// Addresses this host tells its peers, in order of preference.
    pub addresses: Vec<std::net::IpAddr>,
    /// Open sockets, as text: `udp 0.0.0.0:10500`, `raw 139 ipv4` …
    pub sockets: Vec<String>,
    /// The key log's directory while one is written.
    pub key_log: Option<String>,
    /// Every peer with an association, a configured name or an LSI, in order of HITs.
    pub peers: Vec<PeerStatus>,
    /// Counters of the control plane.
    pub control: ControlCounters,
    /// Counters of the data path.
    pub data: DataCounters,
}

/// What is known of one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// The peer's HIT.
    pub hit: Ipv6Addr,
    /// The IPv4 address that stands for the peer on this host.
    pub lsi: Ipv4Addr,
    /// Names from the hosts file.
    pub names: Vec<String>,
    /// State as RFC 7401 names it; `UNASSOCIATED` when there is no association.
    pub state: String,
    /// Milliseconds in this state.
    pub in_state_ms: u64,
    /// Known locators: `192.0.2.1:10500` for UDP, `raw:192.0.2.1`.
    pub locators: Vec<String>,
    /// What the base exchange gave, when there was one.
    pub session: Option<SessionStatus>,
    /// The last failure, until the next success: why, as one clause.
    pub last_error: Option<String>,
}

/// What a completed base exchange gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// `initiator` or `responder`.
    pub role: String,
    /// `udp` or `raw`.
    pub transport: String,
    /// Local address and port (port 0 for raw).
    pub local: std::net::SocketAddr,
    /// The peer's address and port (port 0 for raw).
    pub remote: std::net::SocketAddr,
    /// SPI of packets coming in.
    pub inbound_spi: u32,
    /// SPI of packets going out.
    pub outbound_spi: u32,
    /// Diffie-Hellman group.
    pub dh_group: String,
    /// Cipher of ENCRYPTED parameters.
    pub cipher: String,
    /// ESP suite.
    pub esp_suite: String,
    /// Duration of the base exchange in microseconds, as this side saw it.
    pub exchange_us: u64,
    /// Milliseconds since the last packet in either direction.
    pub idle_ms: u64,
    /// Inner packets delivered from this peer.
    pub packets_in: u64,
    /// Octets of those packets.
    pub bytes_in: u64,
    /// Inner packets sent to this peer.
    pub packets_out: u64,
    /// Octets of those packets.
    pub bytes_out: u64,
}

/// Counters of the control plane since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlCounters {
    /// Packets received, by type.
    pub received: BTreeMap<String, u64>,
    /// Packets sent, by type.
    pub sent: BTreeMap<String, u64>,
    /// Packets not used, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Base exchanges completed as Initiator.
    pub established_initiator: u64,
    /// Base exchanges completed as Responder.
    pub established_responder: u64,
    /// Base exchanges failed.
    pub failed: u64,
    /// Packets sent again after a timeout.
    pub retransmitted: u64,
}

/// Counters of the data path since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataCounters {
    /// Inner packets read from the TUN interface.
    pub tun_in: u64,
    /// Inner packets written to the TUN interface.
    pub tun_out: u64,
    /// ESP packets sent.
    pub esp_out: u64,
    /// ESP packets received.
    pub esp_in: u64,
    /// HIP control packets received on any socket.
    pub control_in: u64,
    /// Packets not delivered, by direction and reason (`out.no_sa`, `in.replay` …).
    pub dropped: BTreeMap<String, u64>,
}
