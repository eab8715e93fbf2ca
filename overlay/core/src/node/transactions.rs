//! Requests of this node: origination, retransmission, responses (RFC 6940 §6.2).

use std::sync::Arc;
use std::time::Duration;

use hip_wire::time::Instant;

use super::Node;
use super::commands::UserRequest;
use super::copies::CopyJob;
use super::receive::{Received, Step};
use crate::event::DropReason;
use crate::id::{NodeId, ResourceId};
use crate::ring::Position;
use crate::security::Certificate;
use crate::storage::GroupKey;
use crate::timers::Timer;
use crate::wire::Encode;
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::contents::MessageContents;
use crate::wire::header::{Destination, ForwardingHeader, VERSION, WHOLE};

/// Transmissions of a request in all (RFC 6940 §6.2.1).
// 6940-3-01 6940-6.2.1-09
pub(super) const TRANSMISSIONS: u32 = 5;

/// A request waiting for its response.
pub(super) struct Transaction {
    /// What it is for.
    pub(super) purpose: Purpose,
    /// When it was sent first.
    pub(super) started: Instant,
    destinations: Vec<Destination>,
    /// The link to send it on whatever the tables say.
    first_hop: Option<NodeId>,
    /// Contents and security block.
    body: Vec<u8>,
    sent: u32,
}

/// What a request is for, and so what its outcome means.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// Attach to the peer that will admit us.
    Locate,
    /// Attach to a peer we want a link to.
    Attach(NodeId),
    /// Attach to whoever is at a finger's place.
    Finger,
    /// Join.
    Join(NodeId),
    /// Tell a peer our tables.
    Update(NodeId),
    /// Ping our own place through a bootstrap peer.
    Partition(NodeId),
    /// Say goodbye to a peer.
    Leave(NodeId),
    /// Put a copy of values somewhere.
    Copy(CopyJob),
    /// Get the newer values a peer said it has.
    Newer(GroupKey),
    /// Something for the local user.
    User(UserRequest),
}

impl Purpose {
    /// The peer without which the request is pointless.
    const fn bound_to(&self) -> Option<NodeId> {
        match self {
            Self::Join(peer) | Self::Update(peer) | Self::Leave(peer) => Some(*peer),
            Self::Copy(job) => job.peer(),
            _ => None,
        }
    }
}

/// How a request ended.
pub(super) enum Outcome {
    /// The response of the node asked.
    Answer {
        /// Who responded.
        signer: NodeId,
        /// The response.
        body: Body,
    },
    /// Some node refused.
    Refused {
        /// Who.
        signer: NodeId,
        /// Why.
        error: ErrorResponse,
    },
    /// No response to five transmissions, or the peer is gone.
    NoAnswer,
}

impl Node {
    /// Sends a request; its outcome comes to [`Node::on_outcome`]. `false`: there are too many
    /// requests already, or it cannot be made.
    pub(super) fn request(
        &mut self,
        destinations: Vec<Destination>,
        body: &Body,
        purpose: Purpose,
        first_hop: Option<NodeId>,
    ) -> bool {
        self.request_with(destinations, body, purpose, first_hop, &[])
    }

    /// As [`Node::request`], with certificates of the signers of values in the body.
    pub(super) fn request_with(
        &mut self,
        destinations: Vec<Destination>,
        body: &Body,
        purpose: Purpose,
        first_hop: Option<NodeId>,
        certificates: &[Arc<Certificate>],
    ) -> bool {
        if self.transactions.len() >= self.config.limits.transactions {
            self.drop_message(DropReason::TransactionsFull, self.id);
            return false;
        }
        // §6.3.2: transaction IDs are random.
        // 6940-6.3.2-17
        let id = self.rng.next_u64();
        let Some(body) = self.sealed(id, body, certificates) else {
            self.drop_message(DropReason::Internal, self.id);
            return false;
        };
        let transaction = Transaction {
            purpose,
            started: self.now,
            destinations,
            first_hop,
            body,
            sent: 0,
        };
        self.transactions.insert(id, transaction);
        self.transmit(id);
        true
    }

    /// Contents and security block of a message with this body.
    pub(super) fn sealed(
        &self,
        transaction_id: u64,
        body: &Body,
        certificates: &[Arc<Certificate>],
    ) -> Option<Vec<u8>> {
        let contents = MessageContents {
            code: body.code(),
            body: body.to_bytes().ok()?,
            extensions: Vec::new(),
        };
        let mut bytes = contents.to_bytes().ok()?;
        let security = self
            .security
            .sign_message(self.overlay, transaction_id, &bytes, certificates)
            .ok()?;
        bytes.extend(security.to_bytes().ok()?);
        Some(bytes)
    }

    /// The header of a message of ours.
    pub(super) fn header(
        &self,
        transaction_id: u64,
        destinations: Vec<Destination>,
    ) -> ForwardingHeader {
        ForwardingHeader {
            overlay: self.overlay,
            configuration_sequence: self.config.configuration_sequence,
            version: VERSION,
            // 6940-6.3.2-10
            ttl: self.config.initial_ttl,
            fragment: WHOLE,
            transaction_id,
            max_response_length: 0,
            via: Vec::new(),
            destinations,
            options: Vec::new(),
        }
    }

    /// The timer of a request has run out: send it again or give up.
    pub(super) fn on_transaction_timer(&mut self, id: u64) {
        let Some(transaction) = self.transactions.get(&id) else {
            return;
        };
        // §6.2.1: up to four retransmissions with the same transaction ID; failed after the
        // timer of the fifth.
        // 6940-6.2.1-08 6940-6.2.1-10
        if transaction.sent < TRANSMISSIONS {
            self.stats.retransmitted += 1;
            self.transmit(id);
            self.check_silent_links();
        } else {
            self.stats.timed_out += 1;
            self.complete(id, Outcome::NoAnswer);
        }
    }

    fn transmit(&mut self, id: u64) {
        // 6940-6.2.1-07
        let deadline = self.now
            + self
                .config
                .reliability_timer
                .max(Duration::from_millis(200));
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        transaction.sent += 1;
        let mut destinations = transaction.destinations.clone();
        let first_hop = transaction.first_hop;
        let body = transaction.body.clone();
        self.timers.set(Timer::Transaction(id), deadline);
        let own = self.id;
        let step = match first_hop.filter(|peer| self.links.contains_key(peer)) {
            Some(peer) => Step::Forward(peer),
            None => self.next_step(&mut destinations),
        };
        let next = match step {
            Step::Deliver => own,
            Step::Forward(next) => next,
            Step::Drop(reason) => return self.drop_message(reason, own),
            Step::Refuse(..) => return self.drop_message(DropReason::NoRoute, own),
        };
        match self.header(id, destinations).with_body(&body) {
            Ok(bytes) if next == own => self.loopback.push_back(bytes),
            Ok(bytes) => self.send(next, bytes, true),
            Err(_) => self.drop_message(DropReason::Internal, own),
        }
    }

    /// A response, or an error, for a request of ours.
    pub(super) fn on_response(&mut self, received: &Received) {
        let id = received.header.transaction_id;
        let Some(transaction) = self.transactions.get(&id) else {
            self.drop_message(DropReason::NoTransaction, received.from);
            return;
        };
        let contents = &received.contents;
        let decoded = Body::decode(contents.code, &contents.body);
        let Ok(Some(body)) = decoded else {
            self.drop_message(DropReason::Malformed, received.from);
            return;
        };
        // Locate and the search for a second ring ask precisely because the tables may be wrong.
        let open = matches!(transaction.purpose, Purpose::Locate | Purpose::Partition(_));
        let target = transaction.destinations.last().cloned().filter(|_| !open);
        let signer = received.signer;
        let outcome = match body {
            Body::Error(error) if self.may_refuse(target.as_ref(), signer, error.code) => {
                Outcome::Refused { signer, error }
            }
            Body::Error(_) => {
                self.drop_message(DropReason::WrongResponder, received.from);
                return;
            }
            body if self.may_answer(target.as_ref(), signer) => Outcome::Answer { signer, body },
            _ => {
                self.drop_message(DropReason::WrongResponder, received.from);
                return;
            }
        };
        self.complete(id, outcome);
    }

    /// §6.3.4: the answer of a Node-ID comes from it; that of a Resource-ID from a node at least
    /// as close as any in the neighbour table.
    // 6940-6.3.4-18
    fn may_answer(&self, target: Option<&Destination>, signer: NodeId) -> bool {
        match target {
            Some(Destination::Node(id)) => id.is_wildcard() || *id == signer,
            Some(Destination::Resource(resource)) => self.is_closest(*resource, signer),
            Some(Destination::Opaque(_)) => false,
            None => true,
        }
    }

    fn is_closest(&self, resource: ResourceId, signer: NodeId) -> bool {
        let position = Position::from(resource);
        let distance = position.distance_to(signer.into());
        let tables = self
            .tables
            .predecessors
            .iter()
            .chain(&self.tables.successors);
        let mut known = tables.filter(|peer| **peer != signer);
        known.all(|peer| position.distance_to((*peer).into()) > distance)
    }

    /// Errors come from the node asked or, when it could not be reached, from one on the way.
    fn may_refuse(&self, target: Option<&Destination>, signer: NodeId, code: ErrorCode) -> bool {
        let on_the_way = [
            ErrorCode::TTL_EXCEEDED,
            ErrorCode::MESSAGE_TOO_LARGE,
            ErrorCode::INCOMPATIBLE_WITH_OVERLAY,
            ErrorCode::UNSUPPORTED_FORWARDING_OPTION,
            ErrorCode::NOT_FOUND,
        ];
        on_the_way.contains(&code) || self.may_answer(target, signer)
    }

    /// Ends the requests that were only for a peer that is gone.
    pub(super) fn fail_requests_to(&mut self, peer: NodeId) {
        let bound = |transaction: &Transaction| {
            let purpose = &transaction.purpose;
            purpose.bound_to() == Some(peer) || transaction.first_hop == Some(peer)
        };
        self.fail_requests(bound);
    }

    /// Ends the requests for which `pointless` holds.
    pub(super) fn fail_requests(&mut self, pointless: impl Fn(&Transaction) -> bool) {
        let open = self.transactions.iter();
        let ids: Vec<u64> = open
            .filter(|(_, transaction)| pointless(transaction))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.complete(id, Outcome::NoAnswer);
        }
    }

    /// Forgets requests without an outcome.
    pub(super) fn cancel_requests(&mut self, superseded: impl Fn(&Purpose) -> bool) {
        let timers = &mut self.timers;
        self.transactions.retain(|id, transaction| {
            let keep = !superseded(&transaction.purpose);
            if !keep {
                timers.cancel(Timer::Transaction(*id));
            }
            keep
        });
    }

    /// Whether a request for such a purpose is open.
    pub(super) fn is_requesting(&self, matches: impl Fn(&Purpose) -> bool) -> bool {
        let mut open = self.transactions.values();
        open.any(|transaction| matches(&transaction.purpose))
    }

    /// How many requests for such a purpose are open.
    pub(super) fn count_requests(&self, matches: impl Fn(&Purpose) -> bool) -> usize {
        let open = self.transactions.values();
        open.filter(|transaction| matches(&transaction.purpose))
            .count()
    }

    fn complete(&mut self, id: u64, outcome: Outcome) {
        self.timers.cancel(Timer::Transaction(id));
        if let Some(transaction) = self.transactions.remove(&id) {
            self.on_outcome(transaction, outcome);
        }
    }

    fn on_outcome(&mut self, transaction: Transaction, outcome: Outcome) {
        match transaction.purpose {
            Purpose::Locate => self.on_located(outcome),
            Purpose::Attach(peer) => self.on_attach_outcome(peer, &outcome),
            Purpose::Finger => self.on_finger_outcome(&outcome),
            Purpose::Join(peer) => self.on_join_outcome(peer, &outcome),
            Purpose::Update(peer) => {
                // §10.7.1: the failure of a request is the failure of the neighbour.
                if matches!(outcome, Outcome::NoAnswer) {
                    self.close_link(peer);
                }
            }
            Purpose::Partition(through) => self.on_partition_outcome(through, &outcome),
            Purpose::Leave(_) => self.on_leave_outcome(),
            Purpose::Copy(job) => self.on_copy_outcome(job, outcome),
            Purpose::Newer(key) => self.on_newer_outcome(key, outcome),
            Purpose::User(request) => {
                let round_trip = self.now.saturating_duration_since(transaction.started);
                self.on_user_outcome(request, round_trip, outcome);
            }
        }
    }
}
