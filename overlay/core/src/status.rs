//! A snapshot for people and dashboards.

use std::time::Duration;

use crate::id::NodeId;

/// Where the node stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NodeState {
    /// Not asked to join.
    Idle,
    /// Looking for the overlay through bootstrap peers.
    Bootstrapping,
    /// Linking to the future neighbours.
    Attaching,
    /// Join sent, data being handed over.
    Joining,
    /// A peer of the overlay.
    Joined,
    /// Handing over data.
    Leaving,
    /// Out of the overlay.
    Left,
}

/// What `hipctl overlay status` shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeStatus {
    /// The overlay's name.
    pub overlay_name: String,
    /// Own Node-ID.
    pub node: NodeId,
    /// Where the node stands.
    pub state: NodeState,
    /// Time since it joined.
    pub uptime: Duration,
    /// Counter-clockwise neighbours, nearest first.
    pub predecessors: Vec<NodeId>,
    /// Clockwise neighbours, nearest first.
    pub successors: Vec<NodeId>,
    /// Distinct fingers, nearest first.
    pub fingers: Vec<NodeId>,
    /// All links that are up.
    pub connections: Vec<NodeId>,
    /// Share of the ring this node is responsible for, parts per billion.
    pub responsible_ppb: u32,
    /// Resources held, own and replicas.
    pub resources: usize,
    /// Values held, own and replicas.
    pub values: usize,
    /// Named counters, for metrics.
    pub counters: Vec<(&'static str, u64)>,
}
