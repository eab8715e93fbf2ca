//! What the host tells about itself: the snapshot behind `hipctl status`, `peers` and `show`.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use hip_core::{SessionView, StateName};
use hip_esp::DropReason;
use hip_wire::{hit::Hit, registry::PacketType};
use serde::{Deserialize, Serialize};

use crate::{clock, datapath::TableView, driver::Driver};

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
    pub addresses: Vec<IpAddr>,
    /// Open sockets, as text: `udp 0.0.0.0:10500`, `raw 139 ipv4` …
    pub sockets: Vec<String>,
    /// Packets with a HIT or an LSI that arrive in clear on other interfaces are dropped.
    pub ingress_guard: bool,
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
    /// The IPv4 address that stands for the peer on this host; `None` when the prefix is full.
    pub lsi: Option<Ipv4Addr>,
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
    pub local: SocketAddr,
    /// The peer's address and port (port 0 for raw).
    pub remote: SocketAddr,
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

impl Driver {
    /// A snapshot of everything.
    pub(crate) fn status(&self) -> Status {
        let now = clock::now();
        let parts = &self.parts;
        // A data path that does not answer is shown with zeros.
        let (seal, open) = parts.data.views().unwrap_or_default();
        let mut peers = BTreeMap::new();
        for entry in parts.hosts.entries() {
            peers.insert(entry.hit, self.peer(entry.hit));
        }
        for view in parts.host.associations(now) {
            let peer = peers
                .entry(view.peer)
                .or_insert_with(|| self.peer(view.peer));
            peer.state = view.state.name().to_owned();
            peer.in_state_ms = millis(view.in_state);
            peer.locators = view.locators.iter().map(ToString::to_string).collect();
            peer.session = view.session.map(|session| {
                let mut session = session_status(&session);
                add_traffic(&mut session, view.peer, &seal, &open);
                session
            });
        }
        Status {
            hit: Some(self.hit.to_addr()),
            lsi: self.lsi(self.hit).map(|lsi| lsi.0),
            lsi_prefix: parts.status.lsi_prefix.clone(),
            tun: parts.tun.name().to_owned(),
            mtu: parts.status.mtu,
            uptime_ms: millis(now.saturating_duration_since(parts.status.started)),
            addresses: self.addresses().to_vec(),
            sockets: parts.sockets.describe(),
            ingress_guard: parts.tun.guarded(),
            key_log: parts
                .key_log
                .as_ref()
                .map(|log| log.dir().display().to_string()),
            peers: peers.into_values().collect(),
            control: control_counters(parts.host.stats()),
            data: data_counters(&seal, &open),
        }
    }

    fn peer(&self, hit: Hit) -> PeerStatus {
        let entry = self.parts.hosts.by_hit(hit);
        PeerStatus {
            hit: hit.to_addr(),
            lsi: self.lsi(hit).map(|lsi| lsi.0),
            names: entry.map(|entry| entry.names.clone()).unwrap_or_default(),
            state: StateName::Unassociated.name().to_owned(),
            in_state_ms: 0,
            locators: entry
                .map(|entry| entry.locators.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            session: None,
            last_error: self.last_errors.get(&hit).map(ToString::to_string),
        }
    }
}

fn session_status(session: &SessionView) -> SessionStatus {
    SessionStatus {
        role: session.role.to_string(),
        transport: session.path.transport.to_string(),
        local: session.path.local,
        remote: session.path.remote,
        inbound_spi: session.inbound_spi,
        outbound_spi: session.outbound_spi,
        dh_group: session.dh_group.name().to_owned(),
        cipher: session.cipher.name().to_owned(),
        esp_suite: session.esp_suite.name().to_owned(),
        exchange_us: u64::try_from(session.exchange.as_micros()).unwrap_or(u64::MAX),
        idle_ms: millis(session.idle),
        packets_in: 0,
        bytes_in: 0,
        packets_out: 0,
        bytes_out: 0,
    }
}

/// Sums over the SAs of the peer: at a rekey two inbound ones work side by side.
fn add_traffic(session: &mut SessionStatus, peer: Hit, seal: &TableView, open: &TableView) {
    for sa in seal.sas.iter().filter(|sa| sa.pair.peer == peer) {
        session.packets_out += sa.packets;
        session.bytes_out += sa.bytes;
    }
    for sa in open.sas.iter().filter(|sa| sa.pair.peer == peer) {
        session.packets_in += sa.packets;
        session.bytes_in += sa.bytes;
    }
}

fn control_counters(stats: &hip_core::Stats) -> ControlCounters {
    let count = |count: &dyn Fn(PacketType) -> u64| {
        PacketType::ALL
            .iter()
            .map(|&kind| (kind.name().to_owned(), count(kind)))
            .filter(|(_, count)| *count > 0)
            .collect()
    };
    ControlCounters {
        received: count(&|kind| stats.received(kind)),
        sent: count(&|kind| stats.sent(kind)),
        dropped: stats
            .drops()
            .map(|(reason, count)| (reason.name().to_owned(), count))
            .collect(),
        established_initiator: stats.established_initiator,
        established_responder: stats.established_responder,
        failed: stats.failed,
        retransmitted: stats.retransmitted,
    }
}

fn data_counters(seal: &TableView, open: &TableView) -> DataCounters {
    let mut dropped = BTreeMap::new();
    for (direction, view) in [("out", seal), ("in", open)] {
        let table = view
            .stats
            .drops
            .iter()
            .map(|(reason, count)| (reason.name(), count));
        let pending = [(DropReason::PendingFull.name(), view.pending_dropped)];
        for (name, count) in table.chain(view.shell.drops()).chain(pending) {
            if count > 0 {
                *dropped.entry(format!("{direction}.{name}")).or_default() += count;
            }
        }
    }
    DataCounters {
        tun_in: seal.shell.tun_in,
        tun_out: seal.shell.tun_out + open.shell.tun_out,
        esp_out: seal.shell.esp_out,
        esp_in: open.shell.esp_in,
        control_in: open.shell.control_in,
        dropped,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
