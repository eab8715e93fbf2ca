//! The overlay's parameters, as far as the state machine needs them (RFC 6940 §11.1).

use std::fmt;
use std::time::Duration;

use crate::id::NodeId;

/// A Kind-ID (RFC 6940 §7.4.5, §14.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub u32);

impl KindId {
    /// Private Kind of this project: one value per resource.
    pub const USER_SINGLE: Self = Self(0xF000_0001);
    /// Private Kind of this project: an array per resource.
    pub const USER_ARRAY: Self = Self(0xF000_0002);
    /// Private Kind of this project: a dictionary per resource, key of the writer's choice.
    pub const USER_DICTIONARY: Self = Self(0xF000_0003);
}

impl fmt::Display for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the values of a Kind are addressed within a resource (RFC 6940 §7.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DataModel {
    /// One value.
    Single,
    /// Values by integer index, sparse.
    Array,
    /// Values by opaque key.
    Dictionary,
}

/// What the configuration says of a Kind (RFC 6940 §11.1, `kind` element).
///
/// The access policy of every Kind here is "first signer": the identity that wrote a
/// (resource, Kind, index or key) first is the only one that may replace it until it expires.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KindDescription {
    /// The number of the Kind.
    pub id: KindId,
    /// Its data model.
    pub model: DataModel,
    /// Most values of this Kind in one resource.
    pub max_count: u32,
    /// Largest value in octets.
    pub max_size: u32,
}

/// Bounds on what peers can make this node hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most links, incoming and outgoing.
    pub connections: usize,
    /// Most requests of our own in flight.
    pub transactions: usize,
    /// Most answers remembered for duplicate requests.
    pub cached_answers: usize,
    /// Most certificates remembered.
    pub certificates: usize,
    /// Most values stored, of all Kinds and resources.
    pub stored_values: usize,
    /// Most octets of values stored.
    pub stored_octets: usize,
    /// Longest lifetime granted to a value.
    pub lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            transactions: 2048,
            cached_answers: 4096,
            certificates: 4096,
            stored_values: 65_536,
            stored_octets: 64 << 20,
            lifetime: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// Everything that makes one overlay and this node's part in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// The overlay's name, a DNS name (RFC 6940 §6.3.2, `instance-name`).
    pub overlay_name: String,
    /// Sequence number of the configuration document.
    pub configuration_sequence: u16,
    /// Peers to find the overlay through. Empty, or naming this node itself: this node may
    /// found the overlay when no other listed peer answers (RFC 6940 §6.4.2.1).
    pub bootstrap: Vec<NodeId>,
    /// `initial-ttl`.
    pub initial_ttl: u8,
    /// `max-message-size` in octets.
    pub max_message_size: usize,
    /// `overlay-reliability-timer`: one transmission's patience; five in all.
    pub reliability_timer: Duration,
    /// `chord-update-interval`.
    pub update_interval: Duration,
    /// `chord-ping-interval`: search for better fingers.
    pub ping_interval: Duration,
    /// How often to look for a second ring (RFC 6940 §10.7.4.4).
    pub partition_check_interval: Duration,
    /// How long a lost successor's replicas wait for a better replacement (RFC 6940 §10.7.1).
    pub hold_down: Duration,
    /// Pause between attempts to join.
    pub join_retry: Duration,
    /// `chord-reactive`: tell neighbours of every change at once.
    pub reactive: bool,
    /// Predecessors and successors kept on each side, at least 3.
    pub neighbors: usize,
    /// Fingers aimed for.
    pub fingers: u32,
    /// The Kinds of this overlay.
    pub kinds: Vec<KindDescription>,
    /// Bounds.
    pub limits: Limits,
}

impl NodeConfig {
    /// The RFC's defaults for an overlay called `overlay_name`, with the three user Kinds.
    #[must_use]
    pub fn new(overlay_name: &str) -> Self {
        let kind = |id, model, max_count| KindDescription {
            id,
            model,
            max_count,
            max_size: 2048,
        };
        Self {
            overlay_name: overlay_name.to_owned(),
            configuration_sequence: 1,
            bootstrap: Vec::new(),
            initial_ttl: 100,
            max_message_size: 5000,
            reliability_timer: Duration::from_secs(3),
            update_interval: Duration::from_secs(600),
            ping_interval: Duration::from_secs(3600),
            partition_check_interval: Duration::from_secs(600),
            // 6940-3-05
            hold_down: Duration::from_secs(30),
            join_retry: Duration::from_secs(5),
            reactive: true,
            neighbors: 3,
            fingers: 16,
            kinds: vec![
                kind(KindId::USER_SINGLE, DataModel::Single, 1),
                kind(KindId::USER_ARRAY, DataModel::Array, 256),
                kind(KindId::USER_DICTIONARY, DataModel::Dictionary, 256),
            ],
            limits: Limits::default(),
        }
    }

    /// The description of a Kind, if the overlay has it.
    #[must_use]
    pub fn kind(&self, id: KindId) -> Option<&KindDescription> {
        self.kinds.iter().find(|kind| kind.id == id)
    }
}
