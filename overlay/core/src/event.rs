//! What happened, for logs, metrics, status and the simulator alike.

use std::fmt;

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
        /// The neighbour it came from; this node itself for its own messages.
        from: NodeId,
    },
}

/// The table of drop reasons: each has a name and with it a counter.
macro_rules! drop_reasons {
    ($($(#[$doc:meta])+ $reason:ident $name:literal,)+) => {
        /// Why something was dropped; each has a counter in the node's status.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum DropReason {
            $($(#[$doc])+ $reason,)+
        }

        impl DropReason {
            /// The counter's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// Not a RELOAD message, or cut short.
    Malformed "drop_malformed",
    /// Longer than `max-message-size`.
    TooLarge "drop_too_large",
    /// Another protocol version.
    Version "drop_version",
    /// Another overlay.
    WrongOverlay "drop_wrong_overlay",
    /// TTL used up, or above `initial-ttl`.
    Ttl "drop_ttl",
    /// A request with the same destination twice.
    DuplicateDestination "drop_duplicate_destination",
    /// A structure of a type that this node does not know, in a request for it.
    UnknownType "drop_unknown_type",
    /// A fragment; links of this overlay never need to fragment.
    Fragment "drop_fragment",
    /// A forwarding option marked critical that this node does not know.
    UnknownOption "drop_unknown_option",
    /// An opaque id this node has not made.
    UnknownOpaqueId "drop_unknown_opaque_id",
    /// A Resource-ID of ours followed by more destinations.
    ResourceNotLast "drop_resource_not_last",
    /// A Node-ID in our range that is nobody we know.
    NoSuchNode "drop_no_such_node",
    /// No link leads nearer to the destination.
    NoRoute "drop_no_route",
    /// A signature or certificate that does not hold.
    BadSignature "drop_bad_signature",
    /// A response to no request of ours, or a late one.
    NoTransaction "drop_no_transaction",
    /// A response from another node than was asked.
    WrongResponder "drop_wrong_responder",
    /// The list of open requests is full.
    TransactionsFull "drop_transactions_full",
    /// A link beyond the bound on links.
    ConnectionsFull "drop_connections_full",
    /// A message from a peer without a link.
    NoLink "drop_no_link",
    /// A response longer than the requester or the overlay takes.
    ResponseTooLarge "drop_response_too_large",
    /// A value in an answer whose signature does not hold.
    BadValue "drop_bad_value",
    /// A replica that a peer refused to take.
    ReplicaRefused "drop_replica_refused",
    /// A persisted record that cannot be read or has expired.
    BadRecord "drop_bad_record",
    /// Local failure to encode or sign.
    Internal "drop_internal",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
