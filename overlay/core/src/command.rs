//! What the local user asks of the node, and what comes back.

use std::fmt;
use std::time::Duration;

use crate::config::KindId;
use crate::id::{NodeId, ResourceId};

/// A request of the local user; each gets exactly one [`Output::Reply`](crate::Output::Reply).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Join the overlay; answered once joined. Repeats until it succeeds or `Leave` comes.
    Join,
    /// Leave gracefully: hand over data, tell the neighbours, close the links.
    Leave,
    /// Store one value.
    Store(StoreCommand),
    /// Fetch values.
    Fetch(FetchCommand),
    /// Metadata of values, without the values.
    Stat(FetchCommand),
    /// The stored Resource-ID nearest to `resource` at the peer responsible for it.
    Find {
        /// Where to look.
        resource: ResourceId,
        /// For which Kinds.
        kinds: Vec<KindId>,
    },
    /// Round trip to a node or to the peer responsible for a resource.
    Ping(Target),
    /// State of a peer: share of the ring, resources, uptime.
    Probe(Target),
    /// The hops towards a target, asked one by one (RouteQuery, RFC 6940 §6.4.2.4).
    Trace(Target),
    /// All peers in ring order, found by asking around the ring; at most `limit`.
    Map {
        /// Most peers to list.
        limit: usize,
    },
}

/// Where a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// One node.
    Node(NodeId),
    /// The peer responsible for a resource.
    Resource(ResourceId),
}

/// Which value of a Kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Selector {
    /// The value of a single-value Kind.
    Single,
    /// An array element.
    Index(u32),
    /// A new element after the last one.
    Append,
    /// A dictionary entry.
    Key(Vec<u8>),
}

/// Store (or, with `value` absent, remove) one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreCommand {
    /// Under which resource; [`ResourceId::from_name`] hashes a name.
    pub resource: ResourceId,
    /// As which Kind.
    pub kind: KindId,
    /// At which place; must fit the Kind's data model.
    pub selector: Selector,
    /// The value; `None` removes by storing "exists = false" (RFC 6940 §7.4.1.3).
    pub value: Option<Vec<u8>>,
    /// How long it lives.
    pub lifetime: Duration,
    /// Expected generation counter; 0: no matter (RFC 6940 §7.4.1.1).
    pub generation: u64,
    /// When the value was made, milliseconds since 1970; `None`: now.
    pub storage_time: Option<u64>,
}

/// Fetch (or Stat) values of one Kind of one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchCommand {
    /// From which resource.
    pub resource: ResourceId,
    /// Of which Kind.
    pub kind: KindId,
    /// Which values; empty: all.
    pub selectors: Vec<Selector>,
}

/// The outcome of a command.
pub type CommandResult = Result<Answer, CommandError>;

/// A successful outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The node is a peer of the overlay.
    Joined,
    /// The node has left.
    Left,
    /// The value is stored.
    Stored(StoreOutcome),
    /// Generation counter and values.
    Fetched {
        /// Generation counter of the Kind at the resource; 0: nothing there.
        generation: u64,
        /// Values found whose signatures hold; values that do not exist are left out unless
        /// they were asked for by selector.
        values: Vec<FetchedValue>,
        /// Values dropped because their signature did not hold.
        discarded: usize,
        /// Who answered.
        responder: NodeId,
    },
    /// Generation counter and metadata.
    Metadata {
        /// Generation counter of the Kind at the resource.
        generation: u64,
        /// One entry per value.
        values: Vec<ValueMetadata>,
        /// Who answered.
        responder: NodeId,
    },
    /// Nearest resources by Kind; `None`: nothing of that Kind there.
    Found(Vec<(KindId, Option<ResourceId>)>),
    /// A peer answered.
    Pong {
        /// Who.
        responder: NodeId,
        /// Its wall clock, milliseconds since 1970.
        time_ms: u64,
        /// Round-trip time.
        round_trip: Duration,
    },
    /// State of a peer.
    Probed {
        /// Whose.
        responder: NodeId,
        /// Share of the ring in parts per billion.
        responsible_ppb: Option<u32>,
        /// Resources stored.
        num_resources: Option<u32>,
        /// Seconds up.
        uptime: Option<u32>,
    },
    /// The hops, first to last; the last is responsible for the target.
    Route(Vec<NodeId>),
    /// Peers in ring order, this node first; `complete` when the circle closed.
    Map {
        /// The peers.
        peers: Vec<NodeId>,
        /// Whether the walk came back to this node.
        complete: bool,
    },
}

/// What a Store did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreOutcome {
    /// Generation counter after the store.
    pub generation: u64,
    /// The peer that stored it.
    pub responder: NodeId,
    /// Peers that hold or will hold replicas.
    pub replicas: Vec<NodeId>,
}

/// A value whose signature was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedValue {
    /// Its place.
    pub selector: Selector,
    /// The value; `None`: no value exists there.
    pub value: Option<Vec<u8>>,
    /// Who signed it; `None` only for a value synthesised to say that there is none.
    pub signer: Option<NodeId>,
    /// When it was made, milliseconds since 1970.
    pub storage_time: u64,
    /// Remaining lifetime in seconds.
    pub lifetime: u32,
}

/// Metadata of a value (RFC 6940 §7.4.3.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueMetadata {
    /// Its place.
    pub selector: Selector,
    /// Whether a value exists there.
    pub exists: bool,
    /// Its size in octets.
    pub size: u32,
    /// SHA-256 of its length (4 octets) and itself.
    pub digest: Vec<u8>,
    /// When it was made, milliseconds since 1970.
    pub storage_time: u64,
    /// Remaining lifetime in seconds.
    pub lifetime: u32,
}

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// The node is not (yet) part of the overlay.
    NotJoined,
    /// No answer after five transmissions (RFC 6940 §6.2.1).
    Timeout,
    /// The answering peer refused: error code of RFC 6940 §14.9 and its explanation.
    Refused {
        /// The code.
        code: u16,
        /// The code's name.
        name: &'static str,
        /// UTF-8 explanation, may be empty.
        info: String,
    },
    /// The command itself cannot be carried out.
    Invalid(&'static str),
    /// Too many requests in flight.
    Busy,
    /// The node left while the command waited.
    Cancelled,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJoined => f.write_str("this node has not joined the overlay yet"),
            Self::Timeout => f.write_str("no peer answered in time"),
            Self::Refused { name, info, .. } if info.is_empty() => write!(f, "refused: {name}"),
            Self::Refused { name, info, .. } => write!(f, "refused: {name}: {info}"),
            Self::Invalid(why) => f.write_str(why),
            Self::Busy => f.write_str("too many overlay requests in flight"),
            Self::Cancelled => f.write_str("the node left the overlay"),
        }
    }
}

impl std::error::Error for CommandError {}
