//! What happened, for logs, metrics, status and the simulator alike.

use crate::id::NodeId;
use crate::status::NodeState;

/// Something an observer may want to know; tracing, metrics and the simulator's log subscribe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The node changed state.
    StateChanged {
        /// Before.
        from: NodeState,
        /// After.
        to: NodeState,
    },
    /// The neighbour table changed; nearest first.
    NeighborsChanged {
        /// Counter-clockwise neighbours.
        predecessors: Vec<NodeId>,
        /// Clockwise neighbours.
        successors: Vec<NodeId>,
    },
    /// A peer failed or left and was removed from all tables.
    PeerLost {
        /// Which.
        peer: NodeId,
    },
    /// A second ring was found (RFC 6940 §10.7.4.4).
    PartitionDetected {
        /// The peer of the other ring that answered.
        peer: NodeId,
    },
    /// A message or part of one was dropped.
    Dropped {
        /// Why.
        reason: DropReason,
        /// The neighbour it came from.
        from: NodeId,
    },
}

/// Why something was dropped; each has a counter in the node's statistics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum DropReason {
    /// Not a RELOAD message or cut short.
    Malformed,
}
