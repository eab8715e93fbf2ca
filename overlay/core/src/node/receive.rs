//! Receipt and forwarding of messages (RFC 6940 §6.1).

use std::collections::BTreeSet;

use super::Node;
use crate::event::DropReason;
use crate::id::NodeId;
use crate::seam::Output;
use crate::wire::body::{Body, ErrorCode, ErrorResponse, is_request};
use crate::wire::contents::{MessageContents, parse_body};
use crate::wire::header::{Destination, FORWARD_CRITICAL, ForwardingHeader, VERSION};

/// What to do with a message, by the first entry of its Destination List.
pub(super) enum Step {
    /// It is for this node.
    Deliver,
    /// Pass it on over this link.
    Forward(NodeId),
    /// Silently drop it.
    Drop(DropReason),
    /// Nobody here can answer: tell the requester.
    Refuse(ErrorCode, &'static str),
}

/// A message for this node, checked.
pub(super) struct Received {
    /// The forwarding header.
    pub(super) header: ForwardingHeader,
    /// The contents, body undecoded.
    pub(super) contents: MessageContents,
    /// Who signed it.
    pub(super) signer: NodeId,
    /// The link it came over; this node itself for its own messages.
    pub(super) from: NodeId,
}

impl Node {
    /// Takes one message from a link.
    pub(super) fn on_message(&mut self, from: NodeId, bytes: &[u8]) {
        self.stats.received += 1;
        let Some(link) = self.links.get_mut(&from) else {
            self.drop_message(DropReason::NoLink, from);
            return;
        };
        link.heard = self.now;
        link.waiting = None;
        // RFC 6940 §6.6: larger than max-message-size: error, then close the link.
        if bytes.len() > self.config.max_message_size {
            self.drop_message(DropReason::TooLarge, from);
            // 6940-6.6-02: no error when the header alone is too large
            let parsed = ForwardingHeader::parse(bytes).ok();
            let most = self.config.max_message_size;
            if let Some((header, body)) =
                parsed.filter(|(_, body)| bytes.len() - body.len() <= most)
            {
                let error = ErrorResponse::new(ErrorCode::MESSAGE_TOO_LARGE, "");
                self.refuse(&header, body, from, error);
            }
            // 6940-6.6-01
            self.close_link(from);
            return;
        }
        self.take_message(from, bytes);
        self.drain_loopback();
    }

    /// Handles the messages this node sent to itself.
    pub(super) fn drain_loopback(&mut self) {
        while let Some(bytes) = self.loopback.pop_front() {
            let own = self.id;
            self.take_message(own, &bytes);
        }
    }

    fn take_message(&mut self, from: NodeId, bytes: &[u8]) {
        let Ok((mut header, body)) = ForwardingHeader::parse(bytes) else {
            self.drop_message(DropReason::Malformed, from);
            return;
        };
        if let Err((reason, error)) = self.check_header(&header, body) {
            self.drop_message(reason, from);
            if let Some(error) = error {
                self.refuse(&header, body, from, error);
            }
            return;
        }
        match self.next_step(&mut header.destinations) {
            Step::Deliver => self.deliver(header, body, from),
            Step::Forward(next) => self.forward(header, body, from, next),
            Step::Drop(reason) => self.drop_message(reason, from),
            Step::Refuse(code, why) => {
                self.refuse(&header, body, from, ErrorResponse::new(code, why));
            }
        }
    }

    /// The checks of every receiver, destination or not (RFC 6940 §6.1, §6.3.2).
    fn check_header(
        &self,
        header: &ForwardingHeader,
        body: &[u8],
    ) -> Result<(), (DropReason, Option<ErrorResponse>)> {
        let error = |code, why| Some(ErrorResponse::new(code, why));
        // 6940-6.1-01 6940-6.1-02 6940-6.3.2-06
        if header.version != VERSION {
            return Err((DropReason::Version, None));
        }
        if header.overlay != self.overlay {
            let incompatible = error(ErrorCode::INCOMPATIBLE_WITH_OVERLAY, "another overlay");
            return Err((DropReason::WrongOverlay, incompatible));
        }
        // A TTL above initial-ttl: discard and Error_TTL_Exceeded.
        // 6940-6.3.2-12
        if header.ttl > self.config.initial_ttl {
            let exceeded = error(ErrorCode::TTL_EXCEEDED, "TTL above initial-ttl");
            return Err((DropReason::Ttl, exceeded));
        }
        if !header.is_whole() {
            return Err((DropReason::Fragment, None));
        }
        // 6940-13.6.5-02: no loops by duplicate destinations. Not asked of responses: their
        // list is the way the request came, which may pass a peer twice.
        let request = message_code(body).is_some_and(is_request);
        let distinct: BTreeSet<&Destination> = header.destinations.iter().collect();
        if request && distinct.len() != header.destinations.len() {
            let duplicate = error(ErrorCode::INVALID_MESSAGE, "a destination appears twice");
            return Err((DropReason::DuplicateDestination, duplicate));
        }
        Ok(())
    }

    /// Looks at the first destination; takes own Node-IDs off the front of a longer list.
    // 6940-6.1-04
    pub(super) fn next_step(&self, destinations: &mut Vec<Destination>) -> Step {
        loop {
            let alone = destinations.len() == 1;
            match destinations.first() {
                None => return Step::Drop(DropReason::Malformed),
                Some(Destination::Opaque(_)) => return Step::Drop(DropReason::UnknownOpaqueId),
                // 6940-6.1.1-04
                Some(Destination::Node(id)) if *id == self.id && !alone => {
                    destinations.remove(0);
                }
                // §6.1.1: own Node-ID or wildcard: ours, never forwarded.
                // 6940-6.1.1-05 6940-6.1.1-07
                Some(Destination::Node(id)) if *id == self.id || id.is_wildcard() => {
                    return Step::Deliver;
                }
                Some(Destination::Node(id)) => return self.step_to_node(*id),
                Some(Destination::Resource(resource)) => {
                    let position = (*resource).into();
                    return if self.is_responsible(position) {
                        // §6.1.1: an owned Resource-ID must be the only entry.
                        // 6940-6.1.1-01 6940-6.1.1-02 6940-6.1.1-03
                        if alone {
                            Step::Deliver
                        } else {
                            Step::Drop(DropReason::ResourceNotLast)
                        }
                    } else {
                        self.step_towards(position)
                    };
                }
            }
        }
    }

    fn step_to_node(&self, id: NodeId) -> Step {
        // §6.1.2: a destination with a link is reached over that link.
        // 6940-6.1.2-02 6940-6.1.1-09 6940-6.2.1-04
        if self.links.contains_key(&id) {
            return Step::Forward(id);
        }
        // §6.1.1: a Node-ID in our range that is not us nor linked: nobody.
        // 6940-6.1.1-08
        if self.is_responsible(id.into()) {
            return Step::Drop(DropReason::NoSuchNode);
        }
        self.step_towards(id.into())
    }

    fn step_towards(&self, position: crate::ring::Position) -> Step {
        match self.next_hop(position) {
            Some(next) => Step::Forward(next),
            None if self.is_between_states() => Step::Drop(DropReason::NoRoute),
            None => Step::Refuse(ErrorCode::NOT_FOUND, "this node has not joined the overlay"),
        }
    }

    fn forward(&mut self, mut header: ForwardingHeader, body: &[u8], from: NodeId, next: NodeId) {
        // §6.3.2: a received TTL of 0 goes no further.
        // 6940-6.3.2-08 6940-6.3.2-09
        if header.ttl == 0 {
            self.drop_message(DropReason::Ttl, from);
            self.refuse(
                &header,
                body,
                from,
                ErrorResponse::new(ErrorCode::TTL_EXCEEDED, ""),
            );
            return;
        }
        let critical = |option: &_| matches!(option, crate::wire::header::ForwardingOption { flags, .. } if flags & FORWARD_CRITICAL != 0);
        // 6940-6.3.2.3-04 6940-6.3.2.3-07
        if from != self.id && header.options.iter().any(critical) {
            self.drop_message(DropReason::UnknownOption, from);
            let error = ErrorResponse::new(ErrorCode::UNSUPPORTED_FORWARDING_OPTION, "");
            self.refuse(&header, body, from, error);
            return;
        }
        let request = message_code(body).is_some_and(is_request);
        if from != self.id {
            // 6940-6.3.2-07
            header.ttl -= 1;
            self.stats.forwarded += 1;
            // §6.1.2: append the node the request came from; a response needs no way back.
            // 6940-6.1.2-03 6940-6.1.2-04 6940-6.1.2-09
            if request {
                header.via.push(from.into());
            }
        }
        match header.with_body(body) {
            Ok(bytes) if bytes.len() <= self.config.max_message_size => {
                self.send(next, bytes, request);
                self.check_silent_links();
            }
            Ok(_) => {
                self.drop_message(DropReason::TooLarge, from);
                header.via.pop();
                self.refuse(
                    &header,
                    body,
                    from,
                    ErrorResponse::new(ErrorCode::MESSAGE_TOO_LARGE, ""),
                );
            }
            Err(_) => self.drop_message(DropReason::Internal, from),
        }
    }

    /// A message for this node: check the signature, then hand it to the methods.
    fn deliver(&mut self, header: ForwardingHeader, body: &[u8], from: NodeId) {
        let Ok((raw, contents, security)) = parse_body(body) else {
            self.drop_message(DropReason::Malformed, from);
            return;
        };
        // §6.3.4: a message whose signature fails is dropped and not processed.
        // 6940-6.3.4-15 6940-6.3.4-16 6940-6.3.4-17
        let verified =
            self.security
                .verify_message(header.overlay, header.transaction_id, raw, &security);
        let Ok(verified) = verified else {
            self.drop_message(DropReason::BadSignature, from);
            return;
        };
        let received = Received {
            signer: verified.signer(),
            header,
            contents,
            from,
        };
        if is_request(received.contents.code) {
            self.on_request(&received);
        } else {
            self.on_response(&received);
        }
    }

    /// Answers a request that this node cannot pass on, and that may not be for it: the
    /// transaction's body is not looked at beyond its code.
    pub(super) fn refuse(
        &mut self,
        header: &ForwardingHeader,
        body: &[u8],
        from: NodeId,
        error: ErrorResponse,
    ) {
        // Only requests are answered: errors about responses could chase each other.
        if message_code(body).is_some_and(is_request) {
            self.respond(header, from, &Body::Error(error), &[]);
        }
    }

    /// Closes a link of ours and forgets the peer.
    pub(super) fn close_link(&mut self, peer: NodeId) {
        if self.links.contains_key(&peer) {
            self.outputs.push_back(Output::CloseLink { peer });
            self.on_link_down(peer);
        }
    }
}

/// The message code, the first two octets of the contents.
fn message_code(body: &[u8]) -> Option<u16> {
    body.first_chunk().map(|code| u16::from_be_bytes(*code))
}
