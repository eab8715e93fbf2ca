//! Tables, responsibility and routing of CHORD-RELOAD (RFC 6940 §10.1, §10.3).

use std::time::Duration;

use super::transactions::TRANSMISSIONS;
use super::{Node, REPLICAS};
use crate::event::Event;
use crate::id::{NodeId, ResourceId};
use crate::ring::{HIT_RING_BITS, Position};
use crate::status::NodeState;
use crate::timers::Timer;

/// The neighbour table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Tables {
    /// Counter-clockwise, nearest first.
    pub(super) predecessors: Vec<NodeId>,
    /// Clockwise, nearest first.
    pub(super) successors: Vec<NodeId>,
}

impl Node {
    /// Peers that can be routed through. Neighbours and fingers are among them, and any other
    /// counts as one more finger.
    // 6940-3-04 6940-6.5.1-03
    pub(super) fn ready_peers(&self) -> impl Iterator<Item = NodeId> {
        let ready = self.links.iter().filter(|(_, link)| link.ready);
        ready.map(|(peer, _)| *peer)
    }

    /// Whether this node answers for a position.
    // RFC 6940 §10.1: k in (predecessor, self]; alone: everything.
    pub(super) fn is_responsible(&self, position: Position) -> bool {
        let after = self.tables.predecessors.first();
        let after = after.map_or(self.position, |peer| Position::from(*peer));
        self.is_member() && position.in_arc(after, self.position)
    }

    /// The link to send a message on that is for a position of somebody else.
    // RFC 6940 §10.3: the largest ID in (self, k]; if there is none, the smallest above k.
    // Departure: within the reach of the neighbour table the peer responsible is known and gets
    // the message at once; two peers that see the ring differently cannot play ball with it.
    pub(super) fn next_hop(&self, position: Position) -> Option<NodeId> {
        if self.is_in_neighborhood(position) {
            return self.presumed_owner(position);
        }
        let reach = self.position.distance_to(position);
        let distance = |peer: &NodeId| self.position.distance_to(Position::from(*peer));
        let before = self.ready_peers().filter(|peer| distance(peer) <= reach);
        // A peer that has not answered lately only when there is nobody else.
        let answering = before.filter(|peer| !self.is_silent(*peer));
        answering.max_by_key(distance).or_else(|| {
            self.ready_peers()
                .min_by_key(|peer| position.distance_to(Position::from(*peer)))
        })
    }

    /// Whether requests have gone over a link for a while and nothing has come back.
    pub(super) fn is_silent(&self, peer: NodeId) -> bool {
        self.silence(peer) >= self.config.reliability_timer
    }

    /// Whether it has been so for the lifetime of a request.
    pub(super) fn has_failed(&self, peer: NodeId) -> bool {
        self.silence(peer) >= self.config.reliability_timer * TRANSMISSIONS
    }

    fn silence(&self, peer: NodeId) -> Duration {
        let waiting = self.links.get(&peer).and_then(|link| link.waiting);
        waiting.map_or(Duration::ZERO, |since| {
            self.now.saturating_duration_since(since)
        })
    }

    /// Whether a position lies between the farthest neighbours on both sides.
    fn is_in_neighborhood(&self, position: Position) -> bool {
        let tables = &self.tables;
        let ends = tables.predecessors.last().zip(tables.successors.last());
        ends.is_some_and(|(first, last)| {
            position.in_arc((*first).into(), self.position)
                || position.in_arc(self.position, (*last).into())
        })
    }

    /// The known peer responsible for a position that is not ours: the first one clockwise.
    pub(super) fn presumed_owner(&self, position: Position) -> Option<NodeId> {
        self.ready_peers()
            .min_by_key(|peer| position.distance_to(Position::from(*peer)))
    }

    /// How many known peers, this node not counted, come before `of` clockwise from a position:
    /// 0 is the responsible peer, 1 and 2 hold replicas.
    pub(super) fn rank(&self, position: Position, of: NodeId) -> usize {
        let limit = position.distance_to(of.into());
        let nearer = |peer: &NodeId| *peer != of && position.distance_to((*peer).into()) < limit;
        let own = self.is_member() && nearer(&self.id);
        self.ready_peers().filter(nearer).count() + usize::from(own)
    }

    /// The peers to hold replicas of what this node is responsible for (RFC 6940 §10.4).
    pub(super) fn replica_set(&self) -> &[NodeId] {
        let successors = &self.tables.successors;
        successors.get(..REPLICAS).unwrap_or(successors)
    }

    /// Whether a peer would belong into the neighbour table.
    pub(super) fn would_be_neighbor(&self, peer: NodeId) -> bool {
        let most = self.config.neighbors.max(3);
        let nearer = |table: &[NodeId], distance: &dyn Fn(NodeId) -> u128| {
            let last = table.get(most - 1).copied();
            last.is_none_or(|last| distance(peer) < distance(last))
        };
        peer != self.id
            && (nearer(&self.tables.successors, &|peer| self.clockwise(peer))
                || nearer(&self.tables.predecessors, &|peer| {
                    self.counterclockwise(peer)
                }))
    }

    /// Whether a peer is in the neighbour table.
    pub(super) fn is_neighbor(&self, peer: NodeId) -> bool {
        self.tables.successors.contains(&peer) || self.tables.predecessors.contains(&peer)
    }

    /// Steps clockwise to a peer.
    pub(super) fn clockwise(&self, peer: NodeId) -> u128 {
        self.position.distance_to(peer.into())
    }

    /// Steps counter-clockwise to a peer.
    pub(super) fn counterclockwise(&self, peer: NodeId) -> u128 {
        Position::from(peer).distance_to(self.position)
    }

    /// Makes the neighbour table anew from the peers that can be routed through, and does what
    /// a change calls for (RFC 6940 §10.7.1, §10.7.3).
    pub(super) fn refresh_tables(&mut self) {
        // 6940-10.1-02 6940-10.7-05 6940-10.7.3-05
        let most = self.config.neighbors.max(3);
        let mut peers: Vec<NodeId> = self.ready_peers().collect();
        peers.sort_by_key(|peer| self.clockwise(*peer));
        let tables = Tables {
            successors: peers.iter().take(most).copied().collect(),
            predecessors: peers.iter().rev().take(most).copied().collect(),
        };
        if tables == self.tables {
            return;
        }
        let range_changed = tables.predecessors.first() != self.tables.predecessors.first();
        self.tables = tables;
        self.event(Event::NeighborsChanged {
            predecessors: self.tables.predecessors.clone(),
            successors: self.tables.successors.clone(),
        });
        // 6940-10.7.1-02 6940-10.7.3-04
        if self.state == NodeState::Joined && (self.config.reactive || range_changed) {
            let at = self.now + super::ANNOUNCE_DELAY;
            self.timers.set_at_latest(Timer::Announce, at);
        }
        self.review_storage();
    }

    /// Share of the ring this node is responsible for, in parts per billion.
    // 6940-6.4.2.5.2-02
    pub(super) fn responsible_ppb(&self) -> u32 {
        const WHOLE: u128 = 1_000_000_000;
        if !self.is_member() {
            return 0;
        }
        let share = match self.tables.predecessors.first() {
            None => WHOLE,
            // 96-bit distance: the product with 10^9 fits 128 bits.
            Some(peer) => (self.counterclockwise(*peer) * WHOLE) >> HIT_RING_BITS,
        };
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// Peers that serve as fingers and are no neighbours, in ascending order (RFC 6940 §10.7).
    pub(super) fn fingers(&self) -> Vec<NodeId> {
        let mut fingers: Vec<NodeId> = self
            .ready_peers()
            .filter(|peer| !self.is_neighbor(*peer))
            .collect();
        fingers.sort_by_key(|peer| Position::from(*peer));
        fingers
    }

    /// The Resource-ID right after this node's own position (RFC 6940 §10.5, §11.4).
    pub(super) fn next_resource(&self) -> ResourceId {
        self.position.add(1).to_resource()
    }
}
