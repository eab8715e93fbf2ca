//! Updates and stabilisation (RFC 6940 §10.7).

use super::Node;
use super::requests::to_node;
use super::transactions::{Outcome, Purpose};
use crate::event::Event;
use crate::id::NodeId;
use crate::ring::HIT_RING_BITS;
use crate::status::NodeState;
use crate::timers::Timer;
use crate::wire::body::Body;
use crate::wire::header::Destination;
use crate::wire::link::{Attach, PingReq};
use crate::wire::topology::{ChordUpdate, ChordView};

impl Node {
    /// Starts the periodic tasks of a member.
    pub(super) fn start_maintenance(&mut self) {
        self.schedule(Timer::Stabilize);
        self.schedule(Timer::Partition);
        self.fingers_searched = false;
        self.timers
            .set(Timer::Fingers, self.now + super::ANNOUNCE_DELAY);
        self.look_for_others_if_alone();
    }

    // §10.7.4.1: random offsets, so that not all happens at once.
    fn schedule(&mut self, timer: Timer) {
        let interval = match timer {
            Timer::Fingers => self.config.ping_interval,
            Timer::Partition => self.config.partition_check_interval,
            _ => self.config.update_interval,
        };
        let pause = self.jittered(interval);
        self.timers.set(timer, self.now + pause);
    }

    /// Sends a peer our tables.
    pub(super) fn send_update(&mut self, peer: NodeId, full: bool) {
        if !self.is_member() || !self.links.contains_key(&peer) {
            return;
        }
        let predecessors = self.tables.predecessors.clone();
        let successors = self.tables.successors.clone();
        let view = if full {
            ChordView::Full {
                predecessors,
                successors,
                fingers: self.fingers(),
            }
        } else {
            // To all links, not to neighbours alone: whom we replaced by somebody nearer still
            // takes us for its neighbour, and learns of the nearer one here.
            ChordView::Neighbors {
                predecessors,
                successors,
            }
        };
        let body = Body::UpdateReq(ChordUpdate {
            uptime: self.uptime_seconds(),
            view,
        });
        // The newest view is all that counts.
        self.cancel_requests(|purpose| matches!(purpose, Purpose::Update(to) if *to == peer));
        self.request(to_node(peer), &body, Purpose::Update(peer), Some(peer));
    }

    /// Tells all links of changed tables (§10.7.1, §10.7.3: reactive recovery; and always when
    /// the range of responsibility changed).
    pub(super) fn announce(&mut self) {
        self.timers.cancel(Timer::Announce);
        let peers: Vec<NodeId> = self.links.keys().copied().collect();
        for peer in peers {
            self.send_update(peer, false);
        }
    }

    /// A peer told its tables (§10.7.3).
    pub(super) fn on_update(&mut self, peer: NodeId, view: &ChordView) {
        if let Some(link) = self.links.get_mut(&peer) {
            // 6940-4.4-01 6940-10.7-03 6940-10.7.3-02
            let news = !std::mem::replace(&mut link.ready, true);
            if news {
                self.refresh_tables();
            }
        }
        match view {
            ChordView::PeerReady => {}
            ChordView::Neighbors {
                predecessors,
                successors,
            }
            | ChordView::Full {
                predecessors,
                successors,
                ..
            } => {
                self.learn(predecessors, peer);
                self.learn(successors, peer);
                self.answer_update(peer, predecessors, successors);
            }
        }
        self.on_joining_update(peer, view);
    }

    /// §10.7.4, "exchange Updates": a peer that takes us for its neighbour, while we know nearer
    /// ones, is told of them.
    fn answer_update(&mut self, peer: NodeId, predecessors: &[NodeId], successors: &[NodeId]) {
        let names_us = predecessors.contains(&self.id) || successors.contains(&self.id);
        if names_us && !self.is_neighbor(peer) {
            self.send_update(peer, false);
        }
    }

    /// §10.7.4.1: periodic Updates to all neighbours; they also find out failed ones.
    // 6940-10.7.4.1-01
    pub(super) fn on_stabilize_timer(&mut self) {
        if self.state != NodeState::Joined {
            return;
        }
        let tables = &self.tables;
        let mut neighbors = tables.successors.clone();
        neighbors.extend(&tables.predecessors);
        neighbors.sort_unstable();
        neighbors.dedup();
        for peer in neighbors {
            self.send_update(peer, false);
        }
        self.check_quiet_links();
        self.review_storage();
        self.schedule(Timer::Stabilize);
    }

    /// §10.7: peer_ready as connectivity check of links to others that were quiet.
    fn check_quiet_links(&mut self) {
        let interval = self.config.update_interval;
        let quiet = |heard| self.now.saturating_duration_since(heard) >= interval;
        let links = self.links.iter().filter(|(_, link)| quiet(link.heard));
        let peers: Vec<NodeId> = links.map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.check_link(peer);
        }
    }

    /// Finds out whether the peers that owe us answers are still there; the failure of the
    /// Update is the failure of the link.
    pub(super) fn check_silent_links(&mut self) {
        let silent = self.links.keys().filter(|peer| self.is_silent(**peer));
        let peers: Vec<NodeId> = silent.copied().collect();
        for peer in peers {
            // However often a newer Update replaced the one that asked.
            if self.has_failed(peer) {
                self.close_link(peer);
            } else {
                self.check_link(peer);
            }
        }
    }

    fn check_link(&mut self, peer: NodeId) {
        let telling = |purpose: &Purpose| matches!(purpose, Purpose::Update(to) if *to == peer);
        if self.is_member() && !self.is_requesting(telling) {
            let body = Body::UpdateReq(ChordUpdate {
                uptime: self.uptime_seconds(),
                view: ChordView::PeerReady,
            });
            self.request(to_node(peer), &body, Purpose::Update(peer), Some(peer));
        }
    }

    /// §10.7.4.2, §10.7.4.3: Attach to a random place of each finger range that nobody known
    /// is in. Ranges within the successors' reach are known to be empty.
    // 6940-10.7.4.2-01 6940-10.7.4.3-01
    pub(super) fn on_fingers_timer(&mut self) {
        if self.state != NodeState::Joined {
            return;
        }
        self.schedule(Timer::Fingers);
        let searched = std::mem::replace(&mut self.fingers_searched, true);
        let reach = self
            .tables
            .successors
            .last()
            .map(|last| self.clockwise(*last));
        let full_table = self.tables.successors.len() >= self.config.neighbors.max(3);
        for index in 1..=self.config.fingers.min(HIT_RING_BITS) {
            let Some((start, size)) = self.position.finger_range(index) else {
                continue;
            };
            let distance = self.position.distance_to(start);
            let known_empty = !full_table || reach.is_some_and(|reach| distance + size <= reach);
            let in_range = |peer: &NodeId| start.distance_to((*peer).into()) < size;
            if known_empty || self.ready_peers().any(|peer| in_range(&peer)) {
                continue;
            }
            // Alternative 1 of §10.7.4.2: each invalid entry with probability one half; but a
            // new member looks for all of them.
            if searched && self.rng.next_u32() & 1 == 0 {
                continue;
            }
            let offset =
                (u128::from(self.rng.next_u64()) << 64 | u128::from(self.rng.next_u64())) % size;
            let target = start.add(offset).to_resource();
            let body = Body::PingReq(PingReq::default());
            self.request(vec![target.into()], &body, Purpose::Finger, None);
        }
    }

    /// Somebody answered for a finger's place.
    pub(super) fn on_finger_outcome(&mut self, outcome: &Outcome) {
        if let Outcome::Answer { signer, .. } = outcome
            && self.may_try(*signer)
        {
            let body = Body::AttachReq(Attach::offer(true));
            let purpose = Purpose::Attach(*signer);
            self.request(to_node(*signer), &body, purpose, None);
        }
    }

    /// A member without any peer, of an overlay that has bootstrap peers, looks for them often.
    pub(super) fn look_for_others_if_alone(&mut self) {
        if self.state == NodeState::Joined && self.tables.successors.is_empty() {
            let pause = self.jittered(self.config.join_retry);
            self.timers
                .set_at_latest(Timer::Partition, self.now + pause);
        }
    }

    /// §10.7.4.4: ask a bootstrap peer who it thinks comes after us.
    // 6940-10.7.4.4-01
    pub(super) fn on_partition_timer(&mut self) {
        if self.state != NodeState::Joined {
            return;
        }
        self.schedule(Timer::Partition);
        self.look_for_others_if_alone();
        let own = self.id;
        let others: Vec<NodeId> = self
            .config
            .bootstrap
            .iter()
            .copied()
            .filter(|peer| *peer != own)
            .collect();
        let count = u32::try_from(others.len()).unwrap_or(u32::MAX).max(1);
        let pick = usize::try_from(self.rng.next_u32() % count).unwrap_or(0);
        let Some(bootstrap) = others.get(pick).copied() else {
            return;
        };
        if self.links.contains_key(&bootstrap) {
            self.check_partition(bootstrap);
        } else {
            self.open(bootstrap);
        }
    }

    /// A link came up; if it is to a bootstrap peer, ask it.
    pub(super) fn on_partition_link(&mut self, peer: NodeId) {
        if self.state == NodeState::Joined && self.config.bootstrap.contains(&peer) {
            self.check_partition(peer);
        }
    }

    fn check_partition(&mut self, through: NodeId) {
        let next = self.next_resource();
        let destinations = vec![Destination::Node(through), next.into()];
        let body = Body::PingReq(PingReq::default());
        let purpose = Purpose::Partition(through);
        self.request(destinations, &body, purpose, Some(through));
    }

    /// The peer that follows us in the ring of the bootstrap peer.
    pub(super) fn on_partition_outcome(&mut self, through: NodeId, outcome: &Outcome) {
        let Outcome::Answer { signer, .. } = outcome else {
            return;
        };
        let known = self.links.get(signer).is_some_and(|link| link.ready);
        if *signer == self.id || known || self.state != NodeState::Joined {
            return;
        }
        self.event(Event::PartitionDetected { peer: *signer });
        // Attach through the bootstrap peer, followed by an Update once the link is up.
        if self.links.contains_key(signer) {
            self.send_update(*signer, false);
        } else {
            self.suspects.remove(signer);
            if self.may_try(*signer) {
                self.attach(*signer, through);
            }
        }
    }
}
