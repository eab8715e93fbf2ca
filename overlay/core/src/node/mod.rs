//! The node: the seam of this crate, and what its parts share.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hip_crypto::error::CryptoError;
use hip_crypto::hash::Rhash;
use hip_crypto::identity::HostIdentity;
use hip_crypto::rng::Rng;
use hip_wire::time::Instant;

use crate::config::NodeConfig;
use crate::event::{DropReason, Event};
use crate::id::NodeId;
use crate::ring::Position;
use crate::seam::{Input, Output};
use crate::security::Security;
use crate::stats::Stats;
use crate::status::{NodeState, NodeStatus};
use crate::storage::Store;
use crate::timers::{Timer, Timers};

mod answers;
mod attach;
mod commands;
mod copies;
mod data;
mod join;
mod leave;
mod receive;
mod requests;
mod ring;
mod stabilize;
mod transactions;

use answers::AnswerCache;
use copies::Copies;
use join::{Handover, Joining};
use ring::Tables;
use transactions::Transaction;

/// Copies of a value besides the responsible peer's (RFC 6940 §10.4).
const REPLICAS: usize = 2;
/// How long changes of the neighbour table are collected before they are told.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(50);
/// How long the shell may take to open a link before the node gives up on it.
const OPEN_PATIENCE: Duration = Duration::from_secs(20);
/// How long a peer that could not be reached is not tried again.
const SUSPICION: Duration = Duration::from_secs(20);
/// Most Attaches to neighbours under way at the same time.
const MAX_ATTACHES: usize = 32;
/// Most peers remembered as unreachable.
const MAX_SUSPECTS: usize = 256;

/// One member of one overlay: give it [`Input`]s, carry out its [`Output`]s, and give it
/// [`Input::Timeout`] when [`next_deadline`](Self::next_deadline) has passed.
pub struct Node {
    config: NodeConfig,
    id: NodeId,
    position: Position,
    overlay: u32,
    security: Security,
    rng: Box<dyn Rng>,
    now: Instant,
    wall_ms: u64,
    state: NodeState,
    joined_at: Instant,
    links: BTreeMap<NodeId, Link>,
    opening: BTreeSet<NodeId>,
    suspects: BTreeMap<NodeId, Instant>,
    /// Peers that want a full Update once the link to them is up.
    wants_update: BTreeSet<NodeId>,
    tables: Tables,
    joining: Joining,
    handover: Option<Handover>,
    leaving: Vec<u64>,
    transactions: BTreeMap<u64, Transaction>,
    answers: AnswerCache,
    store: Store,
    copies: Copies,
    last_storage_time: u64,
    /// The first search for fingers since joining is done.
    fingers_searched: bool,
    timers: Timers,
    loopback: VecDeque<Vec<u8>>,
    outputs: VecDeque<Output>,
    stats: Stats,
}

/// A link that is up: an entry of the Connection Table.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// An Update came over it: the other end is a peer and can be routed through
    /// (RFC 6940 §6.5.1, §10.7).
    ready: bool,
    /// When something last came over it.
    heard: Instant,
    /// Since when requests went out over it and nothing came in.
    waiting: Option<Instant>,
}

impl Link {
    /// A link that has just come up.
    const fn new(now: Instant) -> Self {
        Self {
            ready: false,
            heard: now,
            waiting: None,
        }
    }
}

impl Node {
    /// A node that has not joined; give it [`Input::Restore`]d records, then `Command::Join`.
    ///
    /// # Errors
    /// When no certificate can be made for the identity.
    pub fn new(
        config: NodeConfig,
        identity: Arc<HostIdentity>,
        rng: Box<dyn Rng>,
    ) -> Result<Self, CryptoError> {
        let id = NodeId::from(identity.hit());
        let limits = &config.limits;
        Ok(Self {
            id,
            position: id.into(),
            overlay: overlay_hash(&config.overlay_name),
            security: Security::new(identity, &config.overlay_name, limits.certificates)?,
            rng,
            now: Instant::ZERO,
            wall_ms: 0,
            state: NodeState::Idle,
            joined_at: Instant::ZERO,
            links: BTreeMap::new(),
            opening: BTreeSet::new(),
            suspects: BTreeMap::new(),
            wants_update: BTreeSet::new(),
            tables: Tables::default(),
            joining: Joining::default(),
            handover: None,
            leaving: Vec::new(),
            transactions: BTreeMap::new(),
            answers: AnswerCache::new(limits.cached_answers),
            store: Store::default(),
            copies: Copies::default(),
            last_storage_time: 0,
            fingers_searched: false,
            timers: Timers::default(),
            loopback: VecDeque::new(),
            outputs: VecDeque::new(),
            stats: Stats::default(),
            config,
        })
    }

    /// The node's own Node-ID.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// Where the node stands.
    #[must_use]
    pub const fn state(&self) -> NodeState {
        self.state
    }

    /// Takes one input. `wall_clock_ms` is milliseconds since 1970; it dates values and judges
    /// certificates, and never drives a timer.
    pub fn handle(&mut self, now: Instant, wall_clock_ms: u64, input: Input<'_>) {
        self.now = self.now.max(now);
        self.wall_ms = wall_clock_ms;
        self.security.set_wall_clock(wall_clock_ms);
        match input {
            Input::LinkUp { peer } => self.on_link_up(peer),
            Input::LinkDown { peer } => self.on_link_down(peer),
            Input::LinkFailed { peer } => self.on_link_failed(peer),
            Input::Message { from, bytes } => self.on_message(from, bytes),
            Input::Timeout => {}
            Input::Command { id, command } => self.on_command(id, command),
            Input::Restore(record) => self.on_restore(&record),
        }
        while let Some(timer) = self.timers.take_due(self.now) {
            self.on_timer(timer);
        }
        self.drain_loopback();
    }

    /// The next thing for the shell to do, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to give [`Input::Timeout`] at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// A snapshot for people and dashboards.
    #[must_use]
    pub fn status(&self, now: Instant) -> NodeStatus {
        let joined = matches!(self.state, NodeState::Joined | NodeState::Leaving);
        NodeStatus {
            overlay_name: self.config.overlay_name.clone(),
            node: self.id,
            state: self.state,
            uptime: if joined {
                now.saturating_duration_since(self.joined_at)
            } else {
                Duration::ZERO
            },
            predecessors: self.tables.predecessors.clone(),
            successors: self.tables.successors.clone(),
            fingers: self.fingers(),
            connections: self.links.keys().copied().collect(),
            responsible_ppb: self.responsible_ppb(),
            resources: self.store.resource_count(),
            values: self.store.value_count(),
            counters: self.stats.counters(),
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Transaction(id) => self.on_transaction_timer(id),
            Timer::Opening(peer) => self.on_link_failed(peer),
            Timer::Join => self.on_join_timer(),
            Timer::Handover => self.abandon_handover(),
            Timer::Leave => self.finish_leaving(),
            Timer::Announce => self.announce(),
            Timer::Stabilize => self.on_stabilize_timer(),
            Timer::Fingers => self.on_fingers_timer(),
            Timer::Partition => self.on_partition_timer(),
            Timer::HoldDown => self.review_storage(),
            Timer::Expiry => self.on_expiry_timer(),
        }
    }

    fn set_state(&mut self, to: NodeState) {
        if self.state != to {
            let from = std::mem::replace(&mut self.state, to);
            self.event(Event::StateChanged { from, to });
        }
    }

    /// Whether the node is part of the ring: it answers for its range.
    const fn is_member(&self) -> bool {
        matches!(self.state, NodeState::Joined | NodeState::Leaving)
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn drop_message(&mut self, reason: DropReason, from: NodeId) {
        self.stats.drop(reason);
        self.event(Event::Dropped { reason, from });
    }

    fn send(&mut self, to: NodeId, bytes: Vec<u8>, wants_response: bool) {
        self.stats.sent += 1;
        if let Some(link) = self.links.get_mut(&to).filter(|_| wants_response) {
            link.waiting.get_or_insert(self.now);
        }
        self.outputs.push_back(Output::Send { to, bytes });
    }

    /// A pause of between one half and all of `duration`, so that nodes do not act in step.
    fn jittered(&mut self, duration: Duration) -> Duration {
        let share = f64::from(self.rng.next_u32()) / f64::from(u32::MAX);
        duration.mul_f64(0.5 + share / 2.0)
    }

    fn uptime_seconds(&self) -> u32 {
        let uptime = self.now.saturating_duration_since(self.joined_at);
        u32::try_from(uptime.as_secs()).unwrap_or(u32::MAX)
    }
}

/// The low 32 bits of the SHA-1 of the overlay's name (RFC 6940 §6.3.2).
// 6940-6.3.2-03
fn overlay_hash(name: &str) -> u32 {
    let digest = Rhash::Sha1.digest(&[name.as_bytes()]);
    digest
        .as_ref()
        .last_chunk()
        .map_or(0, |low| u32::from_be_bytes(*low))
}

#[cfg(test)]
mod tests;
