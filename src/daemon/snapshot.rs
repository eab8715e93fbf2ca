//! The host's own view of itself turned into the answers of the API.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use hip_net::status::{PeerStatus, Status as HostStatus};
use reload_core::{NodeId, NodeState, NodeStatus};

use super::hosts::KnownHosts;
use crate::api::{Associations, Hosts, Metrics, OverlayStatus, Peer, Traffic};
use crate::hosts_edit;

/// Groups of the states of RFC 7401 §4.4.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No association.
    None,
    /// In a base exchange.
    InProgress,
    /// Carries data. R2-SENT does too: the responder's SAs are in place.
    Up,
    /// Waiting for CLOSE_ACK.
    Closing,
    /// Failed lately.
    Failed,
}

/// The group of a state as the host names it.
pub(super) fn phase(state: &str) -> Phase {
    match state {
        "ESTABLISHED" | "R2-SENT" => Phase::Up,
        "I1-SENT" | "I2-SENT" => Phase::InProgress,
        "CLOSING" => Phase::Closing,
        "E-FAILED" => Phase::Failed,
        // CLOSED only remembers how to repeat a CLOSE_ACK.
        _ => Phase::None,
    }
}

/// Counts by group.
pub(super) fn associations(status: &HostStatus) -> Associations {
    let mut counts = Associations::default();
    for peer in &status.peers {
        match phase(&peer.state) {
            Phase::Up => counts.established += 1,
            Phase::InProgress => counts.in_progress += 1,
            Phase::Closing => counts.closing += 1,
            Phase::Failed => counts.failed += 1,
            Phase::None => {}
        }
    }
    counts
}

/// One peer.
pub(super) fn peer(peer: &PeerStatus) -> Peer {
    let session = peer.session.as_ref();
    Peer {
        hit: peer.hit.to_string(),
        names: peer.names.clone(),
        lsi: peer.lsi.map(|lsi| lsi.to_string()),
        locators: peer.locators.clone(),
        state: peer.state.clone(),
        role: session.map(|s| s.role.clone()),
        path: session.map(|s| match s.transport.as_str() {
            "raw" => format!("raw {} > {}", s.local.ip(), s.remote.ip()),
            transport => format!("{transport} {} > {}", s.local, s.remote),
        }),
        age_seconds: Some(peer.in_state_ms / 1000),
        bex_ms: session
            .filter(|s| s.role == "initiator")
            .map(|s| s.exchange_us as f64 / 1e3),
        esp_suite: session.map(|s| s.esp_suite.clone()),
        dh_group: session.map(|s| s.dh_group.clone()),
        spi_in: session.map(|s| s.inbound_spi),
        spi_out: session.map(|s| s.outbound_spi),
        traffic: session.map_or_else(Traffic::default, |s| Traffic {
            packets_in: s.packets_in,
            bytes_in: s.bytes_in,
            packets_out: s.packets_out,
            bytes_out: s.bytes_out,
        }),
        last_reason: peer.last_error.clone(),
    }
}

/// The hosts file with the LSIs given out.
pub(super) fn hosts(known: &KnownHosts, status: &HostStatus) -> Hosts {
    let lsis: BTreeMap<Ipv6Addr, Ipv4Addr> = status
        .peers
        .iter()
        .filter_map(|peer| Some((peer.hit, peer.lsi?)))
        .collect();
    let hosts = known.file.entries().iter().map(|entry| {
        let mut host = hosts_edit::known(entry);
        let address = Ipv6Addr::from(*entry.hit.as_bytes());
        host.lsi = lsis.get(&address).map(ToString::to_string);
        host
    });
    Hosts {
        file: known.path.display().to_string(),
        hosts: hosts.collect(),
    }
}

/// Every counter under a stable name.
pub(super) fn metrics(host: &HostStatus, overlay: Option<&NodeStatus>) -> Metrics {
    let mut counters = BTreeMap::new();
    let mut add = |name: String, value: u64| {
        counters.insert(name, value);
    };
    let (control, data) = (&host.control, &host.data);
    for (group, values) in [
        ("hip.received", &control.received),
        ("hip.sent", &control.sent),
        ("drop.hip", &control.dropped),
        ("drop.data", &data.dropped),
    ] {
        for (name, value) in values {
            add(
                format!("{group}.{}", name.to_lowercase().replace([' ', '-'], "_")),
                *value,
            );
        }
    }
    for (name, value) in [
        ("hip.established.initiator", control.established_initiator),
        ("hip.established.responder", control.established_responder),
        ("hip.failed", control.failed),
        ("hip.retransmitted", control.retransmitted),
        ("data.tun.in", data.tun_in),
        ("data.tun.out", data.tun_out),
        ("data.esp.in", data.esp_in),
        ("data.esp.out", data.esp_out),
        ("data.control.in", data.control_in),
    ] {
        add(name.to_owned(), value);
    }
    for (name, value) in overlay
        .map(|status| status.counters.as_slice())
        .unwrap_or_default()
    {
        add(
            format!("overlay.{}", name.to_lowercase().replace([' ', '-'], "_")),
            *value,
        );
    }
    Metrics { counters }
}

/// The overlay node.
pub(super) fn overlay(status: &NodeStatus) -> OverlayStatus {
    let list = |nodes: &[NodeId]| nodes.iter().map(ToString::to_string).collect();
    OverlayStatus {
        name: status.overlay_name.clone(),
        node_id: status.node.to_string(),
        state: state_name(status.state).to_owned(),
        joined_seconds: status.uptime.as_secs(),
        links: list(&status.connections),
        predecessors: list(&status.predecessors),
        successors: list(&status.successors),
        fingers: list(&status.fingers),
        share_ppb: status.responsible_ppb,
        resources: status.resources,
        values: status.values,
    }
}

/// The state in one lower-case word.
fn state_name(state: NodeState) -> &'static str {
    match state {
        NodeState::Idle => "idle",
        NodeState::Bootstrapping => "bootstrapping",
        NodeState::Attaching => "attaching",
        NodeState::Joining => "joining",
        NodeState::Joined => "joined",
        NodeState::Leaving => "leaving",
        NodeState::Left => "left",
    }
}

/// How many other nodes this one knows.
pub(super) fn other_nodes(status: &NodeStatus) -> usize {
    let mut nodes: Vec<&NodeId> = [
        &status.connections,
        &status.predecessors,
        &status.successors,
        &status.fingers,
    ]
    .into_iter()
    .flatten()
    .filter(|node| **node != status.node)
    .collect();
    nodes.sort();
    nodes.dedup();
    nodes.len()
}

/// The Node-ID of a HIT.
pub(super) fn node_id(hit: Ipv6Addr) -> NodeId {
    NodeId::from_bytes(hit.octets())
}

/// What an operator would do next.
pub(super) fn next_step(hosts_line: &str, hosts: &Hosts, counts: Associations) -> String {
    let Some(first) = hosts.hosts.first() else {
        return format!(
            "on another host run `hipctl hosts add {hosts_line}`, and here `hipctl hosts add HIT \
             NAME ADDRESS` with what `hipctl id` prints there"
        );
    };
    let name = first.names.first().unwrap_or(&first.hit);
    match counts {
        Associations {
            established: 0,
            failed: 0,
            ..
        } => format!("hipctl ping {name}"),
        Associations { established: 0, .. } => {
            "hipctl peers shows who failed, hipctl show NAME why".to_owned()
        }
        _ => {
            "use the HITs or LSIs of `hipctl peers` with any program (ssh, curl, iperf3)".to_owned()
        }
    }
}
