//! One member and strangers who make their messages by hand.

use std::sync::Arc;

use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
use hip_crypto::rng::SeededRng;
use hip_wire::time::Instant;

use super::harness::{WALL_START, test_config};
use crate::command::Command;
use crate::config::{KindId, NodeConfig};
use crate::id::{NodeId, ResourceId};
use crate::node::Node;
use crate::seam::{Input, Output};
use crate::security::Security;
use crate::wire::Encode;
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::contents::{MessageContents, parse_body};
use crate::wire::header::{Destination, ForwardingHeader, VERSION, WHOLE};
use crate::wire::link::PingReq;
use crate::wire::storage::{Place, StoredData};

/// A member that is alone, with links to hand-made strangers.
pub(super) struct Bench {
    pub(super) node: Node,
    pub(super) now: Instant,
    pub(super) config: NodeConfig,
}

/// Somebody who signs messages by hand.
pub(super) struct Stranger {
    pub(super) id: NodeId,
    pub(super) security: Security,
}

impl Stranger {
    pub(super) fn new(seed: u64) -> Self {
        let identity = HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, seed).unwrap();
        let id = NodeId::from(identity.hit());
        let mut security = Security::new(Arc::new(identity), "test.example", 16).unwrap();
        security.set_wall_clock(WALL_START);
        Self { id, security }
    }

    /// Contents and security block.
    pub(super) fn sealed(&self, header: &ForwardingHeader, contents: &MessageContents) -> Vec<u8> {
        let mut bytes = contents.to_bytes().unwrap();
        let (overlay, id) = (header.overlay, header.transaction_id);
        let security = self
            .security
            .sign_message(overlay, id, &bytes, &[])
            .unwrap();
        bytes.extend(security.to_bytes().unwrap());
        bytes
    }

    pub(super) fn message(&self, header: &ForwardingHeader, body: &Body) -> Vec<u8> {
        let contents = MessageContents {
            code: body.code(),
            body: body.to_bytes().unwrap(),
            extensions: Vec::new(),
        };
        header.with_body(&self.sealed(header, &contents)).unwrap()
    }

    pub(super) fn signed_value(&self, resource: ResourceId, time: u64, value: &str) -> StoredData {
        let kind = KindId::USER_SINGLE;
        let value = Some(value.as_bytes().to_vec());
        let place = Place::Single;
        let signature = self
            .security
            .sign_data(&resource, kind, time, &place, value.as_deref())
            .unwrap();
        StoredData {
            storage_time: time,
            lifetime: 600,
            place,
            value,
            signature,
        }
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        let identity = HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, 900).unwrap();
        let config = test_config();
        let rng = Box::new(SeededRng::new(1));
        let node = Node::new(config.clone(), Arc::new(identity), rng).unwrap();
        let mut bench = Self {
            node,
            now: Instant::from_secs(1),
            config,
        };
        bench.input(Input::Command {
            id: 1,
            command: Command::Join,
        });
        bench
    }

    pub(super) fn with_link(stranger: &Stranger) -> Self {
        let mut bench = Self::new();
        bench.input(Input::LinkUp { peer: stranger.id });
        bench
    }

    pub(super) fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.node.handle(self.now, WALL_START, input);
        std::iter::from_fn(|| self.node.poll()).collect()
    }

    pub(super) fn header(&self, destination: impl Into<Destination>) -> ForwardingHeader {
        ForwardingHeader {
            overlay: crate::node::overlay_hash(&self.config.overlay_name),
            configuration_sequence: self.config.configuration_sequence,
            version: VERSION,
            ttl: 100,
            fragment: WHOLE,
            transaction_id: 7,
            max_response_length: 0,
            via: Vec::new(),
            destinations: vec![destination.into()],
            options: Vec::new(),
        }
    }

    /// Delivers a message and returns the messages sent because of it.
    pub(super) fn deliver(
        &mut self,
        from: NodeId,
        bytes: &[u8],
    ) -> Vec<(NodeId, ForwardingHeader, Body)> {
        let outputs = self.input(Input::Message { from, bytes });
        outputs.iter().filter_map(sent).collect()
    }

    /// Delivers a request and returns the one response, if any.
    pub(super) fn response(&mut self, from: NodeId, bytes: &[u8]) -> Option<Body> {
        let mut sent = self.deliver(from, bytes);
        sent.retain(|(_, _, body)| !crate::wire::body::is_request(body.code()));
        assert!(sent.len() <= 1);
        sent.pop().map(|(_, _, body)| body)
    }

    pub(super) fn error(&mut self, from: NodeId, bytes: &[u8]) -> Option<ErrorCode> {
        match self.response(from, bytes) {
            Some(Body::Error(ErrorResponse { code, .. })) => Some(code),
            _ => None,
        }
    }

    pub(super) fn counter(&self, name: &str) -> u64 {
        let counters = self.node.status(self.now).counters;
        counters
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(0, |(_, count)| *count)
    }
}

pub(super) fn sent(output: &Output) -> Option<(NodeId, ForwardingHeader, Body)> {
    let Output::Send { to, bytes } = output else {
        return None;
    };
    let (header, body) = ForwardingHeader::parse(bytes).unwrap();
    let (_, contents, _) = parse_body(body).unwrap();
    let body = Body::decode(contents.code, &contents.body)
        .unwrap()
        .unwrap();
    Some((*to, header, body))
}

pub(super) fn ping() -> Body {
    Body::PingReq(PingReq::default())
}
