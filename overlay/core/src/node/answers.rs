//! Answers to requests of others: making them, and giving the same one again (RFC 6940 §6.2).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hip_wire::time::Instant;

use super::Node;
use super::receive::Step;
use crate::event::DropReason;
use crate::id::NodeId;
use crate::security::Certificate;
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::header::{Destination, ForwardingHeader, ForwardingOption, RESPONSE_COPY};

/// How long a request may be repeated (RFC 6940 §6.2.1, maximum request lifetime).
const REQUEST_LIFETIME: Duration = Duration::from_secs(15);

/// Requester and transaction.
type RequestKey = (NodeId, u64);

/// Answers given lately to requests that change something.
#[derive(Debug, Default)]
pub(super) struct AnswerCache {
    answers: BTreeMap<RequestKey, Body>,
    order: VecDeque<(Instant, RequestKey)>,
    limit: usize,
}

impl AnswerCache {
    /// A cache of at most `limit` answers.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// The answer given to a request before.
    pub(super) fn get(
        &mut self,
        requester: NodeId,
        transaction: u64,
        now: Instant,
    ) -> Option<Body> {
        self.forget_old(now);
        self.answers.get(&(requester, transaction)).cloned()
    }

    /// Remembers an answer.
    pub(super) fn insert(
        &mut self,
        requester: NodeId,
        transaction: u64,
        answer: Body,
        now: Instant,
    ) {
        self.forget_old(now);
        let key = (requester, transaction);
        if self.answers.insert(key, answer).is_none() {
            self.order.push_back((now + REQUEST_LIFETIME, key));
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((end, key)) = self.order.front().copied() {
            if end > now && self.order.len() < self.limit {
                break;
            }
            self.order.pop_front();
            self.answers.remove(&key);
        }
    }
}

impl Node {
    /// Sends a response the way the request came (RFC 6940 §6.2.2).
    pub(super) fn respond(
        &mut self,
        request: &ForwardingHeader,
        from: NodeId,
        body: &Body,
        certificates: &[Arc<Certificate>],
    ) {
        let Some(bytes) = self.response(request, from, body, certificates) else {
            return self.drop_message(DropReason::Internal, from);
        };
        // 6940-6.3.2-18
        let limit = usize::try_from(request.max_response_length).unwrap_or(usize::MAX);
        let too_long_for_requester = limit != 0 && bytes.len() > limit;
        let bytes = if too_long_for_requester || bytes.len() > self.config.max_message_size {
            self.drop_message(DropReason::ResponseTooLarge, from);
            let error = ErrorResponse::new(ErrorCode::RESPONSE_TOO_LARGE, "");
            match self.response(request, from, &Body::Error(error), &[]) {
                Some(bytes) => bytes,
                None => return self.drop_message(DropReason::Internal, from),
            }
        } else {
            bytes
        };
        if from == self.id {
            self.loopback.push_back(bytes);
        } else if self.links.contains_key(&from) {
            self.send(from, bytes, false);
        } else {
            self.drop_message(DropReason::NoLink, from);
        }
    }

    fn response(
        &self,
        request: &ForwardingHeader,
        from: NodeId,
        body: &Body,
        certificates: &[Arc<Certificate>],
    ) -> Option<Vec<u8>> {
        // The node it came from, then the Via List backwards (§6.1.2).
        // 6940-6.1.2-10 6940-6.2.2-01 6940-6.3.2-20 6940-6.3.2.3-03
        let mut destinations = vec![Destination::Node(from)];
        destinations.extend(request.via.iter().rev().cloned());
        let sealed = self.sealed(request.transaction_id, body, certificates)?;
        let mut header = self.header(request.transaction_id, destinations);
        // 6940-6.3.2.3-06: options to be copied, with all flags cleared
        let copied = request
            .options
            .iter()
            .filter(|option| option.flags & RESPONSE_COPY != 0);
        header.options = copied
            .map(|option| ForwardingOption {
                flags: 0,
                ..option.clone()
            })
            .collect();
        header.with_body(&sealed).ok()
    }

    /// What to do with a destination, for RouteQuery: this node itself when it would deliver.
    // 6940-10.8-01
    pub(super) fn route_query(&self, destination: &Destination) -> Option<NodeId> {
        match self.next_step(&mut vec![destination.clone()]) {
            Step::Deliver => Some(self.id),
            Step::Forward(next) => Some(next),
            Step::Drop(_) | Step::Refuse(..) => None,
        }
    }
}
