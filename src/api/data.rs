//! The answers, one type a request. Times are seconds or milliseconds as the field says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Octets;

/// Who this host is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Host Identity Tag.
    pub hit: String,
    /// Own local-scope identifier for IPv4 programs.
    pub lsi: String,
    /// Kind of key.
    pub algorithm: String,
    /// The private key file.
    pub key_file: String,
    /// Line for the hosts file of another host.
    pub hosts_line: String,
}

/// State of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of hipd.
    pub version: String,
    /// Host Identity Tag.
    pub hit: String,
    /// Own local-scope identifier.
    pub lsi: String,
    /// Seconds since start.
    pub uptime_seconds: u64,
    /// The interface programs talk through.
    pub interface: Interface,
    /// UDP port of HIP and ESP.
    pub udp_port: u16,
    /// HIP and ESP directly over IP are on.
    pub raw: bool,
    /// Own addresses peers can be given.
    pub addresses: Vec<String>,
    /// The hosts file.
    pub hosts_file: String,
    /// Peers it names.
    pub known_hosts: usize,
    /// Associations by state.
    pub associations: Associations,
    /// Directory session keys are written to, if they are.
    #[serde(default)]
    pub keylog_dir: Option<String>,
    /// Own place in the overlay, if there is one.
    #[serde(default)]
    pub overlay: Option<OverlayStatus>,
    /// What the operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What to do next.
    pub next_step: String,
}

/// The TUN interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Name.
    pub name: String,
    /// MTU in octets.
    pub mtu: u32,
}

/// How many associations there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Associations {
    /// ESTABLISHED (or R2-SENT, which carries data too).
    pub established: usize,
    /// In a base exchange.
    pub in_progress: usize,
    /// Closing or closed.
    pub closing: usize,
    /// Failed lately.
    pub failed: usize,
}

/// Every peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    /// Sorted by name, then by HIT.
    pub peers: Vec<Peer>,
}

/// One peer: from the hosts file, from an association, or both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Host Identity Tag.
    pub hit: String,
    /// Names of the hosts file.
    pub names: Vec<String>,
    /// Its LSI on this host.
    #[serde(default)]
    pub lsi: Option<String>,
    /// Locators of the hosts file.
    pub locators: Vec<String>,
    /// State as RFC 7401 names it.
    pub state: String,
    /// initiator or responder.
    #[serde(default)]
    pub role: Option<String>,
    /// Where packets go now.
    #[serde(default)]
    pub path: Option<String>,
    /// Seconds in this state.
    #[serde(default)]
    pub age_seconds: Option<u64>,
    /// Milliseconds the base exchange took (initiator only).
    #[serde(default)]
    pub bex_ms: Option<f64>,
    /// ESP suite.
    #[serde(default)]
    pub esp_suite: Option<String>,
    /// Diffie-Hellman group.
    #[serde(default)]
    pub dh_group: Option<String>,
    /// SPI of the SA towards this host.
    #[serde(default)]
    pub spi_in: Option<u32>,
    /// SPI of the SA towards the peer.
    #[serde(default)]
    pub spi_out: Option<u32>,
    /// Packets and octets.
    pub traffic: Traffic,
    /// Why the last exchange failed or the association was closed.
    #[serde(default)]
    pub last_reason: Option<String>,
}

/// Inner packets and octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Packets received.
    pub packets_in: u64,
    /// Octets received.
    pub bytes_in: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// Octets sent.
    pub bytes_out: u64,
}

/// The association is up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Up {
    /// The peer now.
    pub peer: Peer,
    /// It was up before.
    pub already: bool,
    /// Own HIT and LSI, to send from.
    pub own_hit: String,
    /// Own LSI.
    pub own_lsi: String,
    /// The interface to send through.
    pub interface: String,
}

/// The association is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The peer.
    pub hit: String,
    /// There was one to close.
    pub was_open: bool,
}

/// The hosts file as the daemon holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// The file.
    pub file: String,
    /// Its entries.
    pub hosts: Vec<KnownHost>,
}

/// One line of the hosts file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownHost {
    /// Host Identity Tag.
    pub hit: String,
    /// Names.
    pub names: Vec<String>,
    /// Its LSI on this host.
    #[serde(default)]
    pub lsi: Option<String>,
    /// Locators.
    pub locators: Vec<String>,
}

/// A condition came true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waited {
    /// What was waited for.
    pub condition: String,
    /// How long it took.
    pub waited_ms: u64,
}

/// Counters by stable name; all only grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// `hip.rx.i1`, `drop.esp.replay`, …
    pub counters: BTreeMap<String, u64>,
}

/// The configuration in effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectiveConfig {
    /// The file; absent when there is none and all values are defaults.
    #[serde(default)]
    pub file: Option<String>,
    /// Every key with its value.
    pub config: Value,
}

/// State of the key log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keylog {
    /// The directory; absent when off.
    #[serde(default)]
    pub dir: Option<String>,
    /// Seconds until it stops by itself.
    #[serde(default)]
    pub for_seconds: Option<u64>,
}

/// Own place in the overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayStatus {
    /// Name of the overlay.
    pub name: String,
    /// Own Node-ID: the HIT.
    pub node_id: String,
    /// idle, bootstrapping, attaching, joining, joined, leaving or left.
    pub state: String,
    /// Seconds since it joined.
    pub joined_seconds: u64,
    /// Nodes with an open link.
    pub links: Vec<String>,
    /// Predecessors on the ring, nearest first.
    pub predecessors: Vec<String>,
    /// Successors on the ring, nearest first.
    pub successors: Vec<String>,
    /// Distinct fingers, nearest first.
    pub fingers: Vec<String>,
    /// Share of the ring this node is responsible for, parts per billion.
    pub share_ppb: u32,
    /// Resources held, replicas included.
    pub resources: usize,
    /// Values held, replicas included.
    pub values: usize,
}

/// The ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayMap {
    /// In ring order, this node first.
    pub nodes: Vec<OverlayNode>,
    /// The walk came back to this node.
    pub complete: bool,
}

/// The way to a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayRoute {
    /// What was asked for.
    pub target: String,
    /// First to last; the last is responsible for the target.
    pub hops: Vec<OverlayNode>,
}

/// One node of the overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayNode {
    /// Its HIT.
    pub node_id: String,
    /// Its name in the hosts file.
    #[serde(default)]
    pub name: Option<String>,
}

/// A value was stored (or removed).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Resource name.
    pub resource: String,
    /// Its Resource-ID, hexadecimal.
    pub resource_id: String,
    /// Generation counter after the store.
    pub generation: u64,
    /// The node that stored it.
    pub node_id: String,
    /// Nodes that hold or will hold a replica.
    pub replicas: Vec<String>,
    /// Milliseconds it took.
    pub took_ms: f64,
}

/// Values found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fetched {
    /// Resource name.
    pub resource: String,
    /// Its Resource-ID, hexadecimal.
    pub resource_id: String,
    /// Generation counter.
    pub generation: u64,
    /// The node that answered.
    pub node_id: String,
    /// In the order of index or key.
    pub values: Vec<FoundValue>,
    /// Values left out because their signature did not hold.
    #[serde(default)]
    pub discarded: usize,
    /// Milliseconds it took.
    pub took_ms: f64,
}

/// One value found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundValue {
    /// Array index.
    #[serde(default)]
    pub index: Option<u32>,
    /// Dictionary key.
    #[serde(default)]
    pub key: Option<Octets>,
    /// The value; absent in an answer to `stat`.
    #[serde(default)]
    pub value: Option<Octets>,
    /// Octets of the value.
    pub length: u64,
    /// HIT of the host that signed it; absent in an answer to `stat`.
    #[serde(default)]
    pub signer: Option<String>,
    /// When it was made, Unix milliseconds.
    pub storage_time_ms: u64,
    /// Seconds until it expires.
    pub lifetime_seconds: u32,
}

/// A node answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverlayPinged {
    /// The node that answered.
    pub node_id: String,
    /// Round trip in milliseconds.
    pub took_ms: f64,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// When, Unix milliseconds.
    pub time_ms: u64,
    /// established, failed, closed, state, path, notified, dropped, overlay, …
    pub kind: String,
    /// The peer's HIT.
    #[serde(default)]
    pub peer: Option<String>,
    /// The peer's first name in the hosts file.
    #[serde(default)]
    pub name: Option<String>,
    /// One line for people.
    pub text: String,
}
