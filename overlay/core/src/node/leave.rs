//! Leaving gracefully (RFC 6940 §6.4.2.2, §10.9).

use std::time::Duration;

use super::Node;
use super::requests::to_node;
use super::transactions::Purpose;
use crate::command::{Answer, CommandError};
use crate::id::NodeId;
use crate::seam::Output;
use crate::status::NodeState;
use crate::timers::Timer;
use crate::wire::body::Body;
use crate::wire::topology::{ChordLeave, LeaveReq};

/// How long leaving may take in all.
const LEAVE_PATIENCE: Duration = Duration::from_secs(15);

impl Node {
    /// The user wants to be out of the overlay.
    pub(super) fn start_leaving(&mut self, command: u64) {
        self.leaving.push(command);
        match self.state {
            NodeState::Leaving => {}
            NodeState::Joined => {
                self.set_state(NodeState::Leaving);
                self.timers.set(Timer::Leave, self.now + LEAVE_PATIENCE);
                self.abandon_handover();
                self.hand_over_all();
                self.check_leaving();
            }
            _ => self.finish_leaving(),
        }
    }

    /// §6.4.2.2: what this node is responsible for goes to the node that will be.
    fn hand_over_all(&mut self) {
        let Some(successor) = self.tables.successors.first().copied() else {
            return;
        };
        let keys: Vec<_> = self.store.keys().copied().collect();
        for key in keys {
            let group = self.store.group(&key);
            if group.is_some_and(|group| group.owned && !group.copies.contains(&successor)) {
                self.copy_to_peer(key, successor);
            }
        }
    }

    /// Says goodbye once all data is over.
    pub(super) fn check_leaving(&mut self) {
        let said = self.is_requesting(|purpose| matches!(purpose, Purpose::Leave(_)));
        if self.state != NodeState::Leaving || said || self.copies.is_busy() {
            return;
        }
        // 6940-10.9-01
        let peers: Vec<NodeId> = self.links.keys().copied().collect();
        for peer in peers {
            let body = Body::LeaveReq(LeaveReq {
                leaving_peer: self.id,
                data: Some(self.leave_data(peer)),
            });
            self.request(to_node(peer), &body, Purpose::Leave(peer), None);
        }
        self.on_leave_outcome();
    }

    // §10.9: to successors our predecessors, to predecessors our successors.
    fn leave_data(&self, peer: NodeId) -> ChordLeave {
        let tables = &self.tables;
        let place = |table: &[NodeId]| table.iter().position(|other| *other == peer);
        let after = place(&tables.successors).unwrap_or(usize::MAX);
        let before = place(&tables.predecessors).unwrap_or(usize::MAX);
        if after <= before {
            ChordLeave::FromPredecessor(tables.predecessors.clone())
        } else {
            ChordLeave::FromSuccessor(tables.successors.clone())
        }
    }

    /// A goodbye was answered, or not.
    pub(super) fn on_leave_outcome(&mut self) {
        let said = self.is_requesting(|purpose| matches!(purpose, Purpose::Leave(_)));
        if self.state == NodeState::Leaving && !said {
            self.finish_leaving();
        }
    }

    /// Out: closes all links and answers the user.
    pub(super) fn finish_leaving(&mut self) {
        let had_heir = !self.tables.successors.is_empty();
        self.set_state(NodeState::Left);
        self.forget_everything(had_heir);
        for command in self.take_waiting_joins() {
            self.reply(command, Err(CommandError::Cancelled));
        }
        for command in std::mem::take(&mut self.leaving) {
            self.reply(command, Ok(Answer::Left));
        }
    }

    fn forget_everything(&mut self, had_heir: bool) {
        self.timers = crate::timers::Timers::default();
        let user_requests = self.take_user_requests();
        for command in user_requests {
            self.reply(command, Err(CommandError::Cancelled));
        }
        self.opening.clear();
        self.wants_update.clear();
        self.handover = None;
        self.copies = super::Copies::default();
        for peer in std::mem::take(&mut self.links).into_keys() {
            self.outputs.push_back(Output::CloseLink { peer });
        }
        self.tables = super::Tables::default();
        // The values live on with the heirs; a later return must not bring back old ones.
        if had_heir {
            let keys: Vec<_> = self.store.keys().copied().collect();
            for key in keys {
                let changes = self.store.remove_group(&key);
                self.persist(changes);
            }
        } else {
            self.schedule_expiry();
        }
    }
}
