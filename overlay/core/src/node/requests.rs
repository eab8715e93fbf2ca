//! Requests of others for this node (RFC 6940 §6.3.2.1, §6.3.3, §6.4, §6.5).

use std::sync::Arc;

use super::Node;
use super::receive::Received;
use crate::event::DropReason;
use crate::id::NodeId;
use crate::security::Certificate;
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::codec::{Encode, Problem, WireError};
use crate::wire::header::{DESTINATION_CRITICAL, Destination};
use crate::wire::link::PingAns;
use crate::wire::topology::{
    ChordLeave, JoinReq, LeaveReq, NUM_RESOURCES, ProbeAns, ProbeInformation, ProbeReq,
    RESPONSIBLE_SET, RouteQueryAns, RouteQueryReq, UPTIME,
};

/// A response: its body and the certificates it refers to.
pub(super) type Response = (Body, Vec<Arc<Certificate>>);

impl Node {
    /// Answers a request that is for this node and whose signature holds.
    pub(super) fn on_request(&mut self, received: &Received) {
        let transaction = received.header.transaction_id;
        // §6.2.1: repeated requests get equivalent answers.
        // 6940-6.2.1-11
        if let Some(answer) = self.answers.get(received.signer, transaction, self.now) {
            self.stats.answered_again += 1;
            self.respond(&received.header, received.from, &answer, &[]);
            return;
        }
        let after = AfterResponse::default();
        let ((body, certificates), after) = match self.checked(received) {
            Ok(body) => self.serve(received, body),
            Err(Some(error)) => ((Body::Error(error), Vec::new()), after),
            // 6940-6.3.1.1-07: a select of unknown type: discarded without response
            Err(None) => return self.drop_message(DropReason::UnknownType, received.from),
        };
        if changes_state(received.contents.code) {
            self.answers
                .insert(received.signer, transaction, body.clone(), self.now);
        }
        self.respond(&received.header, received.from, &body, &certificates);
        self.finish(after);
    }

    /// The checks common to all requests.
    fn checked(&self, received: &Received) -> Result<Body, Option<ErrorResponse>> {
        let header = &received.header;
        let own = self.config.configuration_sequence;
        // §6.3.2.1: the configuration sequence must be ours, compared modulo 2^16 as in TCP.
        // 6940-6.3.2.1-03 6940-6.3.2.1-04 6940-6.3.2.1-05
        if header.configuration_sequence != own {
            let older = own.wrapping_sub(header.configuration_sequence) < 0x8000;
            let code = if older {
                ErrorCode::CONFIG_TOO_OLD
            } else {
                ErrorCode::CONFIG_TOO_NEW
            };
            return Err(Some(ErrorResponse::new(code, &format!("mine is {own}"))));
        }
        let options = &header.options;
        if options
            .iter()
            // 6940-6.3.2.3-05
            .any(|option| option.flags & DESTINATION_CRITICAL != 0)
        {
            let code = ErrorCode::UNSUPPORTED_FORWARDING_OPTION;
            return Err(Some(ErrorResponse::new(code, "")));
        }
        // §6.3.3: an unknown extension marked critical.
        let mut extensions = received.contents.extensions.iter();
        // 6940-6.3.3-04 6940-6.3.3-05
        if extensions.any(|extension| extension.critical) {
            return Err(Some(ErrorResponse::new(ErrorCode::UNKNOWN_EXTENSION, "")));
        }
        match Body::decode(received.contents.code, &received.contents.body) {
            Ok(Some(body)) => Ok(body),
            // 6940-6.3.3.1-07
            Ok(None) => Err(Some(invalid("this message code is not supported"))),
            Err(WireError {
                problem: Problem::Unknown(_),
                ..
            // 6940-6.3.1.1-06
            }) => Err(None),
            Err(error) => Err(Some(invalid(&error.to_string()))),
        }
    }

    // 6940-6.3.3.1-02 6940-6.3.3.1-03
    fn serve(&mut self, received: &Received, body: Body) -> (Response, AfterResponse) {
        let signer = received.signer;
        let plain = |result: Result<Body, ErrorResponse>| {
            let body = result.unwrap_or_else(Body::Error);
            ((body, Vec::new()), AfterResponse::default())
        };
        match body {
            // 6940-6.5.3-01
            Body::PingReq(_) => plain(Ok(Body::PingAns(PingAns {
                response_id: self.rng.next_u64(),
                time: self.wall_ms,
            }))),
            Body::ProbeReq(request) => plain(Ok(Body::ProbeAns(self.probe(&request)))),
            Body::RouteQueryReq(request) => self.on_route_query(signer, &request),
            Body::AttachReq(offer) => self.on_attach_request(signer, &offer),
            Body::UpdateReq(update) => {
                let after = AfterResponse {
                    update: Some((signer, update)),
                    ..AfterResponse::default()
                };
                ((Body::UpdateAns, Vec::new()), after)
            }
            Body::JoinReq(request) => self.on_join_request(received, &request),
            Body::LeaveReq(request) => self.on_leave_request(received, request),
            Body::StoreReq(request) => {
                let result = self.on_store_request(signer, &request);
                plain(result)
            }
            Body::FetchReq(request) => (self.on_fetch_request(&request), AfterResponse::default()),
            Body::StatReq(request) => plain(self.on_stat_request(&request)),
            Body::FindReq(request) => plain(self.on_find_request(&request)),
            _ => plain(Err(invalid("a response with the code of a request"))),
        }
    }

    /// What has to come after the response is on its way, so that it arrives first.
    fn finish(&mut self, after: AfterResponse) {
        if let Some((peer, update)) = after.update {
            self.on_update(peer, &update.view);
        }
        if let Some(peer) = after.send_full_update {
            self.send_update(peer, true);
        }
        if let Some(peer) = after.admit {
            self.hand_over_to(peer);
        }
        if let Some((peer, known)) = after.gone {
            self.on_peer_left(peer, &known);
        }
    }

    // §6.4.2.5.2: what was asked for and is known, in the order asked for, and nothing else.
    // 6940-6.4.2.5.2-03
    fn probe(&self, request: &ProbeReq) -> ProbeAns {
        let number = |kind: u8| match kind {
            RESPONSIBLE_SET => Some(self.responsible_ppb()),
            NUM_RESOURCES => u32::try_from(self.store.resource_count()).ok(),
            UPTIME => Some(self.uptime_seconds()),
            _ => None,
        };
        let information = request.requested.iter().filter_map(|kind| {
            number(*kind).map(|number| ProbeInformation {
                kind: *kind,
                value: number.to_be_bytes().to_vec(),
            })
        });
        ProbeAns {
            information: information.collect(),
        }
    }

    fn on_route_query(&self, signer: NodeId, request: &RouteQueryReq) -> (Response, AfterResponse) {
        let mut after = AfterResponse::default();
        // §10.8: an Update right after the answer, if wanted.
        if request.send_update && self.links.contains_key(&signer) {
            after.send_full_update = Some(signer);
        }
        let body = match self.route_query(&request.destination) {
            Some(next_peer) => Body::RouteQueryAns(RouteQueryAns { next_peer }),
            None => Body::Error(ErrorResponse::new(ErrorCode::NOT_FOUND, "no route")),
        };
        ((body, Vec::new()), after)
    }

    fn on_join_request(
        &mut self,
        received: &Received,
        request: &JoinReq,
    ) -> (Response, AfterResponse) {
        let mut after = AfterResponse::default();
        if check_adjacent(received, request.joining_peer).is_ok() {
            self.take_back(request.joining_peer);
        }
        let body = match self.check_admission(received, request.joining_peer) {
            Ok(()) => {
                after.admit = Some(request.joining_peer);
                Body::JoinAns(crate::wire::topology::JoinAns::default())
            }
            Err(error) => Body::Error(error),
        };
        ((body, Vec::new()), after)
    }

    fn on_leave_request(
        &mut self,
        received: &Received,
        request: LeaveReq,
    ) -> (Response, AfterResponse) {
        if let Err(error) = check_adjacent(received, request.leaving_peer) {
            return ((Body::Error(error), Vec::new()), AfterResponse::default());
        }
        let known = match request.data {
            Some(ChordLeave::FromSuccessor(peers) | ChordLeave::FromPredecessor(peers)) => peers,
            None => Vec::new(),
        };
        let after = AfterResponse {
            gone: Some((request.leaving_peer, known)),
            ..AfterResponse::default()
        };
        ((Body::LeaveAns, Vec::new()), after)
    }
}

/// Steps that follow a response.
#[derive(Default)]
pub(super) struct AfterResponse {
    /// Look at this Update.
    pub(super) update: Option<(NodeId, crate::wire::topology::ChordUpdate)>,
    /// Send a full Update.
    pub(super) send_full_update: Option<NodeId>,
    /// Hand over to a joining peer.
    pub(super) admit: Option<NodeId>,
    /// A peer has left and named others.
    pub(super) gone: Option<(NodeId, Vec<NodeId>)>,
}

/// RFC 6940 §6.4.2.1, §6.4.2.2 (pitfall P-17): Join and Leave are signed by the node they are
/// about and arrive over the link bound to it, without a hop between.
// 6940-6.4.2.1-02 6940-6.4.2.1-03 6940-6.4.2.2-03 6940-6.4.2.2-04
pub(super) fn check_adjacent(received: &Received, about: NodeId) -> Result<(), ErrorResponse> {
    let direct = received.from == about && received.header.via.is_empty();
    if received.signer == about && direct {
        Ok(())
    } else {
        let why = "not signed by, or not over the link of, the node it is about";
        Err(ErrorResponse::new(ErrorCode::FORBIDDEN, why))
    }
}

/// An Error_Invalid_Message.
pub(super) fn invalid(why: &str) -> ErrorResponse {
    ErrorResponse::new(ErrorCode::INVALID_MESSAGE, why)
}

/// Requests whose answers have to be remembered: Attach, Store, Join, Leave, Update; and Ping,
/// whose answer has a random number.
const fn changes_state(code: u16) -> bool {
    matches!(code, 0x03 | 0x07 | 0x0f | 0x11 | 0x13 | 0x17)
}

impl Node {
    /// Notes that an answer could not be encoded; there is nothing sensible to tell the peer.
    pub(super) fn encoded<T: Encode>(&mut self, value: &T) -> Vec<u8> {
        value.to_bytes().unwrap_or_else(|_| {
            self.stats.drop(DropReason::Internal);
            Vec::new()
        })
    }
}

/// The one destination of a request to a node.
pub(super) fn to_node(peer: NodeId) -> Vec<Destination> {
    vec![Destination::Node(peer)]
}
