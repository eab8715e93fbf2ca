//! Joining, from both sides (RFC 6940 §6.4.2.1, §10.5, §11.4).

use std::collections::BTreeSet;
use std::time::Duration;

use super::Node;
use super::receive::Received;
use super::requests::{check_adjacent, to_node};
use super::transactions::{Outcome, Purpose};
use crate::command::Answer;
use crate::id::NodeId;
use crate::ring::Position;
use crate::seam::Output;
use crate::status::NodeState;
use crate::timers::Timer;
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::header::Destination;
use crate::wire::link::Attach;
use crate::wire::topology::{ChordView, JoinReq};

/// How a node is getting into the overlay.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// Commands to answer when joined.
    waiting: Vec<u64>,
    /// Bootstrap peers not tried in this round, last first.
    untried: Vec<NodeId>,
    /// The bootstrap peer being tried.
    bootstrap: Option<NodeId>,
    /// The peer responsible for our place: our successor to be.
    admitting: Option<NodeId>,
    /// A bootstrap peer with a smaller Node-ID answered in this round, no member itself.
    met_smaller: bool,
    /// Future neighbours whose link or first Update is still to come.
    expected: BTreeSet<NodeId>,
    /// Joins refused in this round.
    refusals: u32,
}

/// A joining peer that data is handed over to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handover {
    /// Who joins.
    pub(super) peer: NodeId,
}

/// Refused Joins after which the admitting peer is looked for again: it is one we could not link
/// to, and its neighbours cannot admit us in its place.
const MOST_REFUSALS: u32 = 8;

/// How long a joining peer may take for its data.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(30);

impl Node {
    /// The user wants to be in the overlay.
    pub(super) fn start_joining(&mut self, command: u64) {
        match self.state {
            NodeState::Joined => self.reply(command, Ok(Answer::Joined)),
            NodeState::Idle | NodeState::Left => {
                self.joining = Joining::default();
                self.joining.waiting.push(command);
                self.suspects.clear();
                self.start_round();
            }
            _ => self.joining.waiting.push(command),
        }
    }

    /// Commands waiting for the node to have joined.
    pub(super) fn take_waiting_joins(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.joining.waiting)
    }

    /// Tries all bootstrap peers once.
    fn start_round(&mut self) {
        self.set_state(NodeState::Bootstrapping);
        let own = self.id;
        let listed = self.config.bootstrap.iter().rev().copied();
        self.joining.untried = listed.filter(|peer| *peer != own).collect();
        self.joining.met_smaller = false;
        self.joining.expected.clear();
        self.joining.refusals = 0;
        self.try_next_bootstrap();
    }

    // 6940-10.5-01 6940-11.4-01
    fn try_next_bootstrap(&mut self) {
        self.joining.admitting = None;
        self.joining.bootstrap = self.joining.untried.pop();
        let Some(peer) = self.joining.bootstrap else {
            return self.end_round();
        };
        self.timers
            .set(Timer::Join, self.now + super::OPEN_PATIENCE);
        if self.links.contains_key(&peer) {
            self.locate(peer);
        } else {
            self.open(peer);
        }
    }

    /// No bootstrap peer got us in: found the overlay, or wait and try again.
    // RFC 6940 §6.4.2.1: a node learns from its configuration that it may be the first: it is
    // itself a bootstrap peer, or there is none. Of several that meet, the smallest founds.
    fn end_round(&mut self) {
        // 6940-4.5.2-01 6940-6.4.2.1-09
        let others = self.config.bootstrap.iter().any(|peer| *peer != self.id);
        let may_found = !others || self.config.bootstrap.contains(&self.id);
        if may_found && !self.joining.met_smaller {
            self.become_member();
        } else {
            let pause = self.jittered(self.config.join_retry);
            self.timers.set(Timer::Join, self.now + pause);
        }
    }

    /// §10.5 step 2, §11.4: Attach to the Resource-ID right after our own, through a bootstrap
    /// peer. The signer of the answer is the admitting peer (pitfall P-4).
    // 6940-10.5-02 6940-11.4-04 6940-10.5-13
    fn locate(&mut self, through: NodeId) {
        let destinations = vec![Destination::Resource(self.next_resource())];
        let body = Body::AttachReq(Attach::offer(true));
        self.cancel_requests(|purpose| matches!(purpose, Purpose::Locate));
        self.request(destinations, &body, Purpose::Locate, Some(through));
    }

    /// The admitting peer has answered, or not.
    pub(super) fn on_located(&mut self, outcome: Outcome) {
        if self.state != NodeState::Bootstrapping {
            return;
        }
        match outcome {
            Outcome::Answer { signer, .. } => {
                // 6940-11.4-05
                self.joining.admitting = Some(signer);
                self.set_state(NodeState::Attaching);
                let patience = self.config.reliability_timer * 3;
                self.timers.set(Timer::Join, self.now + patience);
                self.expect_neighbor(signer);
                self.open(signer);
                self.continue_joining();
            }
            Outcome::Refused { signer, .. } => {
                self.joining.met_smaller |= signer < self.id;
                self.try_next_bootstrap();
            }
            Outcome::NoAnswer => self.try_next_bootstrap(),
        }
    }

    /// A link came up while joining.
    pub(super) fn on_joining_link(&mut self, peer: NodeId) {
        let bootstrapping = self.state == NodeState::Bootstrapping;
        if bootstrapping && self.joining.bootstrap == Some(peer) {
            self.locate(peer);
        }
    }

    /// A future neighbour has agreed to a link.
    pub(super) fn expect_neighbor(&mut self, peer: NodeId) {
        let told = self.links.get(&peer).is_some_and(|link| link.ready);
        if self.state == NodeState::Attaching && !told {
            self.joining.expected.insert(peer);
        }
    }

    /// A link failed while joining.
    pub(super) fn on_joining_link_failed(&mut self, peer: NodeId) {
        self.joining.expected.remove(&peer);
        let joining = &self.joining;
        match self.state {
            NodeState::Bootstrapping if joining.bootstrap == Some(peer) => {
                self.cancel_requests(|purpose| matches!(purpose, Purpose::Locate));
                self.try_next_bootstrap();
            }
            NodeState::Attaching | NodeState::Joining if joining.admitting == Some(peer) => {
                self.start_round();
            }
            _ => {}
        }
    }

    /// §10.5 steps 3 to 5: once every peer that belongs into the neighbour table is linked and
    /// has told its tables, Join at the nearest one clockwise.
    pub(super) fn continue_joining(&mut self) {
        if self.state != NodeState::Attaching || self.tables.successors.is_empty() {
            return;
        }
        let attaching = self.is_requesting(|purpose| matches!(purpose, Purpose::Attach(_)));
        if !attaching && self.joining.expected.is_empty() {
            self.send_join();
        }
    }

    // 6940-10.5-05
    fn send_join(&mut self) {
        let Some(admitting) = self.tables.successors.first().copied() else {
            return self.start_round();
        };
        self.joining.admitting = Some(admitting);
        self.set_state(NodeState::Joining);
        self.timers.set(Timer::Join, self.now + HANDOVER_PATIENCE);
        let body = Body::JoinReq(JoinReq {
            joining_peer: self.id,
            overlay_specific: Vec::new(),
        });
        let purpose = Purpose::Join(admitting);
        self.request(to_node(admitting), &body, purpose, None);
    }

    /// The admitting peer's answer to the Join itself.
    pub(super) fn on_join_outcome(&mut self, _peer: NodeId, outcome: &Outcome) {
        if self.state != NodeState::Joining {
            return;
        }
        match outcome {
            // Now data comes, then the Update that names us.
            Outcome::Answer { .. } => {}
            Outcome::Refused { .. } if self.joining.refusals >= MOST_REFUSALS => {
                self.set_state(NodeState::Bootstrapping);
                self.joining.bootstrap = None;
                self.joining.admitting = None;
                let pause = self.jittered(self.config.join_retry);
                self.timers.set(Timer::Join, self.now + pause);
            }
            // Somebody else is just joining there, or has joined between us and it: look again.
            Outcome::Refused { .. } => {
                self.joining.refusals += 1;
                self.set_state(NodeState::Attaching);
                let pause = self.jittered(self.config.reliability_timer / 6);
                self.timers.set(Timer::Join, self.now + pause);
            }
            Outcome::NoAnswer => self.start_round(),
        }
    }

    /// The present step of joining has taken its time.
    pub(super) fn on_join_timer(&mut self) {
        match self.state {
            NodeState::Bootstrapping if self.joining.bootstrap.is_some() => {
                self.try_next_bootstrap();
            }
            NodeState::Bootstrapping | NodeState::Joining => self.start_round(),
            // Some neighbour does not answer: it is not there. Or a refused Join is due again.
            NodeState::Attaching if !self.tables.successors.is_empty() => self.send_join(),
            NodeState::Attaching => self.start_round(),
            _ => {}
        }
    }

    /// An Update came while joining; the one that names us as predecessor makes us a member
    /// (§10.5 step 7).
    pub(super) fn on_joining_update(&mut self, peer: NodeId, view: &ChordView) {
        self.joining.expected.remove(&peer);
        let (ChordView::Neighbors { predecessors, .. } | ChordView::Full { predecessors, .. }) =
            view
        else {
            return self.continue_joining();
        };
        // 6940-10.5-08
        let named = predecessors.first() == Some(&self.id);
        let admitting = self.joining.admitting == Some(peer);
        if self.state == NodeState::Joining && admitting && named {
            self.become_member();
        } else {
            self.continue_joining();
        }
    }

    /// From here on the node answers for its range.
    pub(super) fn become_member(&mut self) {
        self.timers.cancel(Timer::Join);
        self.joined_at = self.now;
        self.set_state(NodeState::Joined);
        for command in self.take_waiting_joins() {
            self.reply(command, Ok(Answer::Joined));
        }
        // §10.5 step 9: Updates to the neighbours; the other links learn that we are ready.
        // 6940-4.5.2-02 6940-10.5-12
        self.announce();
        self.start_maintenance();
        self.review_storage();
    }

    /// Whoever asks to join is no member: it has started anew, or missed the Update that named it.
    /// Until it joins, its range is ours again; otherwise nobody could ever admit it.
    pub(super) fn take_back(&mut self, joining: NodeId) {
        if let Some(link) = self.links.get_mut(&joining)
            && link.ready
        {
            link.ready = false;
            self.refresh_tables();
        }
    }

    /// Whether this node can admit a joining peer.
    pub(super) fn check_admission(
        &self,
        received: &Received,
        joining: NodeId,
    ) -> Result<(), ErrorResponse> {
        check_adjacent(received, joining)?;
        if !self.is_responsible(joining.into()) || self.state != NodeState::Joined {
            return Err(ErrorResponse::new(
                ErrorCode::NOT_FOUND,
                "not responsible for this Node-ID",
            ));
        }
        match self.handover {
            Some(handover) if handover.peer != joining => Err(ErrorResponse::new(
                ErrorCode::IN_PROGRESS,
                "another peer is joining",
            )),
            _ => Ok(()),
        }
    }

    /// §10.5 step 6: Stores of all that the joining peer will be responsible for.
    // 6940-10.5-07 6940-6.4.2.1-05
    pub(super) fn hand_over_to(&mut self, peer: NodeId) {
        self.handover = Some(Handover { peer });
        self.timers
            .set(Timer::Handover, self.now + HANDOVER_PATIENCE);
        let keys: Vec<_> = self.store.keys().copied().collect();
        for key in keys {
            if self.is_handed_over(Position::from(key.0)) {
                self.copy_to_peer(key, peer);
            }
        }
        self.check_handover();
    }

    /// Whether a position of ours will be the joining peer's.
    pub(super) fn is_handed_over(&self, position: Position) -> bool {
        self.handover.is_some_and(|handover| {
            let joining = Position::from(handover.peer);
            self.is_responsible(position)
                && position.distance_to(joining) < position.distance_to(self.position)
        })
    }

    /// §10.5 steps 7 and 8: when all data is over, the joining peer is our predecessor, and
    /// all links, it first, are told.
    pub(super) fn check_handover(&mut self) {
        let Some(Handover { peer }) = self.handover else {
            return;
        };
        if self.copies.is_busy_with(peer) {
            return;
        }
        self.handover = None;
        self.timers.cancel(Timer::Handover);
        if let Some(link) = self.links.get_mut(&peer) {
            link.ready = true;
            // 6940-10.5-11
            self.refresh_tables();
            self.send_update(peer, false);
            self.announce();
        }
    }

    /// The joining peer takes too long.
    pub(super) fn abandon_handover(&mut self) {
        if let Some(Handover { peer }) = self.handover.take() {
            self.close_link(peer);
        }
    }

    /// The joining peer is gone.
    pub(super) fn on_handover_peer_lost(&mut self, peer: NodeId) {
        if self.handover.is_some_and(|handover| handover.peer == peer) {
            self.handover = None;
            self.timers.cancel(Timer::Handover);
        }
    }

    /// Whether data may come from this peer because it is admitting us.
    pub(super) fn is_admitted_by(&self, peer: NodeId) -> bool {
        self.state == NodeState::Joining && self.joining.admitting == Some(peer)
    }

    /// Whether the node is on its way in: it answers nothing yet, but soon will.
    pub(super) const fn is_between_states(&self) -> bool {
        matches!(self.state, NodeState::Attaching | NodeState::Joining)
    }

    pub(super) fn reply(&mut self, id: u64, result: crate::command::CommandResult) {
        self.outputs.push_back(Output::Reply { id, result });
    }
}
