//! Links: Attach, opening, going up and down (RFC 6940 §6.5.1, §10.6).
//!
//! A link is a TCP connection to the peer's HIT, so Attach carries no candidates; it finds the
//! peer, agrees on who opens, and asks for an Update (docs/decisions/0006-hit-transport.md).

use super::requests::{AfterResponse, Response};
use super::transactions::{Outcome, Purpose};
use super::{Link, MAX_ATTACHES, MAX_SUSPECTS, Node, OPEN_PATIENCE, SUSPICION};
use crate::event::{DropReason, Event};
use crate::id::NodeId;
use crate::seam::Output;
use crate::status::NodeState;
use crate::timers::Timer;
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::header::Destination;
use crate::wire::link::Attach;

impl Node {
    /// Asks a peer for a link; `through` is who told us of it.
    pub(super) fn attach(&mut self, peer: NodeId, through: NodeId) {
        let mut destinations = vec![Destination::Node(peer)];
        // §10.6: a new neighbour's Attach is source-routed through whom we learned it from.
        // 6940-10.6-01
        if self.links.contains_key(&through) {
            destinations.insert(0, Destination::Node(through));
        }
        let body = Body::AttachReq(Attach::offer(true));
        self.request(destinations, &body, Purpose::Attach(peer), None);
    }

    /// Attaches to those of `peers` that belong into our neighbour table.
    // 6940-10.7.3-01 6940-10.7.3-03
    pub(super) fn learn(&mut self, peers: &[NodeId], through: NodeId) {
        if matches!(
            self.state,
            NodeState::Idle | NodeState::Leaving | NodeState::Left
        ) {
            return;
        }
        for peer in peers.iter().copied() {
            // However many peers an Update invents, only so many are tried at a time.
            let trying = |purpose: &Purpose| matches!(purpose, Purpose::Attach(_));
            if self.count_requests(trying) >= MAX_ATTACHES {
                return;
            }
            if self.would_be_neighbor(peer) && self.may_try(peer) {
                self.attach(peer, through);
            }
        }
    }

    /// Whether a link to a peer is neither there nor on its way nor lately found impossible.
    pub(super) fn may_try(&self, peer: NodeId) -> bool {
        let suspected = self
            .suspects
            .get(&peer)
            .is_some_and(|until| *until > self.now);
        peer != self.id
            && !peer.is_wildcard()
            && !suspected
            && !self.links.contains_key(&peer)
            && !self.opening.contains(&peer)
            && !self.is_requesting(|purpose| matches!(purpose, Purpose::Attach(to) if *to == peer))
    }

    /// Has the shell open a link.
    pub(super) fn open(&mut self, peer: NodeId) {
        if peer != self.id && !self.links.contains_key(&peer) && self.opening.insert(peer) {
            self.timers
                .set(Timer::Opening(peer), self.now + OPEN_PATIENCE);
            self.outputs.push_back(Output::Open { peer });
        }
    }

    /// The response to an Attach, from whoever it was for.
    pub(super) fn on_attach_request(
        &mut self,
        peer: NodeId,
        offer: &Attach,
    ) -> (Response, AfterResponse) {
        let mut after = AfterResponse::default();
        let ours = |purpose: &Purpose| matches!(purpose, Purpose::Attach(to) if *to == peer);
        let waiting = self.is_requesting(ours);
        let linked = self.links.contains_key(&peer);
        // §6.5.1.2: our own Attach is answered and the link is being made, or ours is on its way
        // and we are the larger Node-ID: this one has to wait.
        // 6940-6.5.1.2-03 6940-6.5.1.2-04 6940-6.5.1.2-06
        let in_progress = self.opening.contains(&peer) || (waiting && self.id > peer);
        if in_progress && !linked && peer != self.id {
            let error = ErrorResponse::new(ErrorCode::IN_PROGRESS, "");
            return ((Body::Error(error), Vec::new()), after);
        }
        // The smaller Node-ID cancels its own.
        // 6940-6.5.1.2-01 6940-6.5.1.2-05
        self.cancel_requests(ours);
        if offer.send_update {
            if linked {
                after.send_full_update = Some(peer);
            } else if self.wants_update.len() < self.config.limits.connections {
                self.wants_update.insert(peer);
            }
        }
        ((Body::AttachAns(Attach::answer()), Vec::new()), after)
    }

    /// What became of an Attach to a peer.
    pub(super) fn on_attach_outcome(&mut self, peer: NodeId, outcome: &Outcome) {
        match outcome {
            Outcome::Answer { .. } => {
                self.expect_neighbor(peer);
                self.open(peer);
            }
            // The peer is attaching to us: it opens the link.
            Outcome::Refused { error, .. } if error.code == ErrorCode::IN_PROGRESS => {}
            Outcome::Refused { .. } | Outcome::NoAnswer => self.suspect(peer),
        }
        self.continue_joining();
    }

    /// A link is up.
    pub(super) fn on_link_up(&mut self, peer: NodeId) {
        self.opening.remove(&peer);
        self.suspects.remove(&peer);
        self.timers.cancel(Timer::Opening(peer));
        if peer == self.id || matches!(self.state, NodeState::Left) {
            self.outputs.push_back(Output::CloseLink { peer });
            return;
        }
        if self.links.contains_key(&peer) {
            return;
        }
        if self.links.len() >= self.config.limits.connections && !self.make_room_for(peer) {
            self.drop_message(DropReason::ConnectionsFull, peer);
            self.outputs.push_back(Output::CloseLink { peer });
            return;
        }
        self.links.insert(peer, Link::new(self.now));
        let full = self.wants_update.remove(&peer);
        // §6.4.2.3: the Update that the Attach asked for; and any other new link learns that
        // this node is a peer that can be routed through.
        // 6940-6.4.2.3-01
        if self.state == NodeState::Joined {
            self.send_update(peer, full);
        }
        self.on_joining_link(peer);
        self.on_partition_link(peer);
    }

    /// A link is gone.
    pub(super) fn on_link_down(&mut self, peer: NodeId) {
        let Some(link) = self.links.remove(&peer) else {
            return;
        };
        self.suspect(peer);
        self.forget_peer(peer, link, true);
    }

    /// A link could not be opened.
    pub(super) fn on_link_failed(&mut self, peer: NodeId) {
        self.timers.cancel(Timer::Opening(peer));
        if self.opening.remove(&peer) {
            self.suspect(peer);
            self.on_joining_link_failed(peer);
            self.continue_joining();
        }
    }

    /// A peer has said goodbye and named its neighbours.
    // 6940-6.4.2.2-05
    pub(super) fn on_peer_left(&mut self, peer: NodeId, known: &[NodeId]) {
        let Some(link) = self.links.remove(&peer) else {
            return;
        };
        self.suspect(peer);
        self.outputs.push_back(Output::CloseLink { peer });
        // §10.9: as if it had failed; but the leaver has named the better match that the
        // hold-down would wait for, so replicas are made at once.
        self.forget_peer(peer, link, false);
        let known: Vec<NodeId> = known.iter().copied().filter(|id| *id != peer).collect();
        self.learn(&known, peer);
    }

    // 6940-10.7.1-01 6940-6.6-04 6940-10.9-04
    fn forget_peer(&mut self, peer: NodeId, link: Link, hold_down: bool) {
        self.wants_update.remove(&peer);
        self.forget_copies(peer);
        if link.ready {
            self.event(Event::PeerLost { peer });
            if hold_down && self.replica_set().contains(&peer) {
                self.hold_down();
            }
            let had_fingers = !self.fingers().is_empty();
            self.refresh_tables();
            // §10.7.2: reactive recovery looks for another finger.
            if self.state == NodeState::Joined && self.config.reactive && had_fingers {
                self.timers
                    .set_at_latest(Timer::Fingers, self.now + super::ANNOUNCE_DELAY);
            }
        }
        self.fail_requests_to(peer);
        self.on_handover_peer_lost(peer);
        self.on_joining_link_failed(peer);
        self.look_for_others_if_alone();
    }

    fn suspect(&mut self, peer: NodeId) {
        let now = self.now;
        self.suspects.retain(|_, until| *until > now);
        if self.suspects.len() < MAX_SUSPECTS {
            self.suspects.insert(peer, now + SUSPICION);
        }
    }

    /// Closes a link that is of little use, if `peer` would be of more.
    fn make_room_for(&mut self, peer: NodeId) -> bool {
        if !self.would_be_neighbor(peer) {
            return false;
        }
        let spare = self
            .links
            .keys()
            .copied()
            .find(|other| !self.is_neighbor(*other));
        if let Some(other) = spare {
            self.close_link(other);
        }
        spare.is_some()
    }
}
