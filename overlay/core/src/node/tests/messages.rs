//! Single messages: what a node does with hostile, odd and repeated ones.

use std::sync::Arc;
use std::time::Duration;

use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
use hip_crypto::rng::SeededRng;
use hip_wire::time::Instant;

use super::harness::{WALL_START, World, store, test_config};
use crate::command::{Command, Selector, Target};
use crate::config::{KindId, NodeConfig};
use crate::id::{NodeId, ResourceId};
use crate::node::Node;
use crate::seam::{Input, Output};
use crate::security::Security;
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::contents::{MessageContents, MessageExtension, parse_body};
use crate::wire::header::{
    DESTINATION_CRITICAL, Destination, FORWARD_CRITICAL, ForwardingHeader, ForwardingOption,
    RESPONSE_COPY, VERSION, WHOLE,
};
use crate::wire::link::{Attach, PingReq};
use crate::wire::storage::{KindData, Place, StoreReq, StoredData};
use crate::wire::topology::{ChordUpdate, ChordView, JoinReq, LeaveReq};
use crate::wire::{Decode, Encode};

/// A member that is alone, with links to hand-made strangers.
struct Bench {
    node: Node,
    now: Instant,
    config: NodeConfig,
}

/// Somebody who signs messages by hand.
struct Stranger {
    id: NodeId,
    security: Security,
}

impl Stranger {
    fn new(seed: u64) -> Self {
        let identity = HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, seed).unwrap();
        let id = NodeId::from(identity.hit());
        let mut security = Security::new(Arc::new(identity), "test.example", 16).unwrap();
        security.set_wall_clock(WALL_START);
        Self { id, security }
    }

    /// Contents and security block.
    fn sealed(&self, header: &ForwardingHeader, contents: &MessageContents) -> Vec<u8> {
        let mut bytes = contents.to_bytes().unwrap();
        let (overlay, id) = (header.overlay, header.transaction_id);
        let security = self
            .security
            .sign_message(overlay, id, &bytes, &[])
            .unwrap();
        bytes.extend(security.to_bytes().unwrap());
        bytes
    }

    fn message(&self, header: &ForwardingHeader, body: &Body) -> Vec<u8> {
        let contents = MessageContents {
            code: body.code(),
            body: body.to_bytes().unwrap(),
            extensions: Vec::new(),
        };
        header.with_body(&self.sealed(header, &contents)).unwrap()
    }

    fn signed_value(&self, resource: ResourceId, time: u64, value: &str) -> StoredData {
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
    fn new() -> Self {
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

    fn with_link(stranger: &Stranger) -> Self {
        let mut bench = Self::new();
        bench.input(Input::LinkUp { peer: stranger.id });
        bench
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.node.handle(self.now, WALL_START, input);
        std::iter::from_fn(|| self.node.poll()).collect()
    }

    fn header(&self, destination: impl Into<Destination>) -> ForwardingHeader {
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
    fn deliver(&mut self, from: NodeId, bytes: &[u8]) -> Vec<(NodeId, ForwardingHeader, Body)> {
        let outputs = self.input(Input::Message { from, bytes });
        outputs.iter().filter_map(sent).collect()
    }

    /// Delivers a request and returns the one response, if any.
    fn response(&mut self, from: NodeId, bytes: &[u8]) -> Option<Body> {
        let mut sent = self.deliver(from, bytes);
        sent.retain(|(_, _, body)| !crate::wire::body::is_request(body.code()));
        assert!(sent.len() <= 1);
        sent.pop().map(|(_, _, body)| body)
    }

    fn error(&mut self, from: NodeId, bytes: &[u8]) -> Option<ErrorCode> {
        match self.response(from, bytes) {
            Some(Body::Error(ErrorResponse { code, .. })) => Some(code),
            _ => None,
        }
    }

    fn counter(&self, name: &str) -> u64 {
        let counters = self.node.status(self.now).counters;
        counters
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(0, |(_, count)| *count)
    }
}

fn sent(output: &Output) -> Option<(NodeId, ForwardingHeader, Body)> {
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

fn ping() -> Body {
    Body::PingReq(PingReq::default())
}

/// 6940-6.5.3-01 6940-6.1.1-03 6940-6.1.1-05 6940-6.1.1-07 6940-6.3.3.1-02 6940-6.1-04
#[test]
fn a_ping_to_own_node_id_to_a_resource_and_to_the_wildcard_is_answered() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let own = bench.node.id();
    let targets = [
        Destination::Node(own),
        Destination::Resource(ResourceId::from_name(b"x")),
        Destination::Node(NodeId::WILDCARD),
    ];
    for (number, target) in (10..).zip(targets) {
        let mut header = bench.header(target);
        header.transaction_id = number;
        let response = bench.response(stranger.id, &stranger.message(&header, &ping()));
        assert!(matches!(response, Some(Body::PingAns(_))));
    }
}

/// 6940-6.1.2-10 6940-6.2.2-01 6940-6.3.2-10 6940-6.3.2-17 6940-6.3.2-20
#[test]
fn a_response_goes_back_the_way_the_request_came() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let mut header = bench.header(bench.node.id());
    let hop = |seed| Destination::Node(Stranger::new(seed).id);
    header.via = vec![hop(2), hop(3)];
    let sent = bench.deliver(stranger.id, &stranger.message(&header, &ping()));
    let (to, response, _) = &sent[0];
    assert_eq!(*to, stranger.id);
    assert_eq!(response.destinations, [stranger.id.into(), hop(3), hop(2)]);
    assert_eq!(response.transaction_id, header.transaction_id);
    assert_eq!((response.max_response_length, response.ttl), (0, 100));
    assert!(response.via.is_empty());
}

/// 6940-6.1.1-04 6940-6.1.1-09 6940-6.1.2-02 6940-6.1.2-03 6940-6.1.2-04 6940-6.3.2-07
#[test]
fn a_forwarder_appends_the_previous_hop_and_takes_one_off_the_ttl() {
    let (stranger, target) = (Stranger::new(1), Stranger::new(2));
    let mut bench = Bench::with_link(&stranger);
    bench.input(Input::LinkUp { peer: target.id });
    let mut header = bench.header(target.id);
    header.via = vec![Stranger::new(3).id.into()];
    header.ttl = 9;
    // Own Node-ID in front of a longer list is taken off.
    header.destinations.insert(0, bench.node.id().into());
    let sent = bench.deliver(stranger.id, &stranger.message(&header, &ping()));
    let (to, forwarded, _) = &sent[0];
    assert_eq!(*to, target.id);
    assert_eq!(
        forwarded.via,
        [Stranger::new(3).id.into(), stranger.id.into()]
    );
    assert_eq!(forwarded.destinations, [target.id.into()]);
    assert_eq!(forwarded.ttl, 8);
}

/// 6940-6.1.2-09
#[test]
fn a_forwarded_response_gets_no_via_entry() {
    let (stranger, target) = (Stranger::new(1), Stranger::new(2));
    let mut bench = Bench::with_link(&stranger);
    bench.input(Input::LinkUp { peer: target.id });
    let header = bench.header(target.id);
    let sent = bench.deliver(stranger.id, &stranger.message(&header, &Body::UpdateAns));
    assert!(sent[0].1.via.is_empty());
}

/// 6940-6.3.2-08 6940-6.3.2-09
#[test]
fn a_ttl_of_zero_is_fine_for_the_destination_and_no_further() {
    let (stranger, target) = (Stranger::new(1), Stranger::new(2));
    let mut bench = Bench::with_link(&stranger);
    bench.input(Input::LinkUp { peer: target.id });
    let mut header = bench.header(bench.node.id());
    header.ttl = 0;
    let message = stranger.message(&header, &ping());
    assert!(matches!(
        bench.response(stranger.id, &message),
        Some(Body::PingAns(_))
    ));
    header.destinations = vec![target.id.into()];
    header.transaction_id = 8;
    let message = stranger.message(&header, &ping());
    assert_eq!(
        bench.error(stranger.id, &message),
        Some(ErrorCode::TTL_EXCEEDED)
    );
    assert_eq!(bench.counter("drop_ttl"), 1);
}

/// 6940-6.3.2-12
#[test]
fn a_ttl_above_the_initial_one_is_refused() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let mut header = bench.header(bench.node.id());
    header.ttl = 101;
    let message = stranger.message(&header, &ping());
    assert_eq!(
        bench.error(stranger.id, &message),
        Some(ErrorCode::TTL_EXCEEDED)
    );
}

/// 6940-6.1.1-01 6940-6.1.1-02
#[test]
fn a_resource_of_ours_followed_by_more_is_malformed_and_dropped() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let mut header = bench.header(ResourceId::from_name(b"x"));
    header.destinations.push(bench.node.id().into());
    assert!(
        bench
            .deliver(stranger.id, &stranger.message(&header, &ping()))
            .is_empty()
    );
    assert_eq!(bench.counter("drop_malformed"), 1);
}

/// 6940-6.1.1-08
#[test]
fn a_node_id_in_our_range_that_is_nobody_is_silently_dropped() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let header = bench.header(Stranger::new(2).id);
    assert!(
        bench
            .deliver(stranger.id, &stranger.message(&header, &ping()))
            .is_empty()
    );
    assert_eq!(bench.counter("drop_no_such_node"), 1);
}

#[test]
fn opaque_ids_we_never_made_are_dropped() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    for opaque in [vec![0x80, 1], vec![1, 2, 3]] {
        let header = bench.header(Destination::Opaque(opaque));
        assert!(
            bench
                .deliver(stranger.id, &stranger.message(&header, &ping()))
                .is_empty()
        );
    }
    assert_eq!(bench.counter("drop_unknown_opaque_id"), 2);
}

/// 6940-13.6.5-02
#[test]
fn duplicate_destinations_are_an_invalid_message() {
    let (stranger, other) = (Stranger::new(1), Stranger::new(2));
    let mut bench = Bench::with_link(&stranger);
    let mut header = bench.header(other.id);
    header.destinations = vec![other.id.into(), stranger.id.into(), other.id.into()];
    let message = stranger.message(&header, &ping());
    assert_eq!(
        bench.error(stranger.id, &message),
        Some(ErrorCode::INVALID_MESSAGE)
    );
}

/// 6940-6.1-01 6940-6.1-02 6940-6.3.2-03 6940-6.3.2-06 6940-6.7-10 6940-6.7-12
#[test]
fn another_overlay_another_version_and_fragments_are_not_processed() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let good = bench.header(bench.node.id());
    let overlay = ForwardingHeader {
        overlay: good.overlay ^ 1,
        ..good.clone()
    };
    let message = stranger.message(&overlay, &ping());
    let code = bench.error(stranger.id, &message);
    assert_eq!(code, Some(ErrorCode::INCOMPATIBLE_WITH_OVERLAY));
    let version = ForwardingHeader {
        version: 1,
        ..good.clone()
    };
    assert!(
        bench
            .deliver(stranger.id, &stranger.message(&version, &ping()))
            .is_empty()
    );
    for fragment in [0x8000_0000, 0xc000_0100, 0x4000_0000] {
        let fragment = ForwardingHeader {
            fragment,
            ..good.clone()
        };
        assert!(
            bench
                .deliver(stranger.id, &stranger.message(&fragment, &ping()))
                .is_empty()
        );
    }
    assert_eq!(
        (
            bench.counter("drop_version"),
            bench.counter("drop_fragment")
        ),
        (1, 3)
    );
    // Reserved bits of the fragment field are ignored.
    let reserved = ForwardingHeader {
        fragment: WHOLE | 0x0100_0000,
        ..good
    };
    let message = stranger.message(&reserved, &ping());
    assert!(matches!(
        bench.response(stranger.id, &message),
        Some(Body::PingAns(_))
    ));
}

/// 6940-6.3.2.1-03 6940-6.3.2.1-04 6940-6.3.2.1-05
#[test]
fn configuration_sequences_are_compared_modulo() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let mut header = bench.header(bench.node.id());
    // Ours is 1: 0 and 65000 are older, 2 and 30000 newer.
    for (number, (sequence, code)) in (20..).zip([
        (0, ErrorCode::CONFIG_TOO_OLD),
        (65_000, ErrorCode::CONFIG_TOO_OLD),
        (2, ErrorCode::CONFIG_TOO_NEW),
        (30_000, ErrorCode::CONFIG_TOO_NEW),
    ]) {
        header.configuration_sequence = sequence;
        header.transaction_id = number;
        let message = stranger.message(&header, &ping());
        assert_eq!(bench.error(stranger.id, &message), Some(code), "{sequence}");
    }
}

/// 6940-6.3.2.3-03 6940-6.3.2.3-04 6940-6.3.2.3-05 6940-6.3.2.3-06 6940-6.3.2.3-07
#[test]
fn critical_options_are_refused_and_others_carried_along() {
    let (stranger, target) = (Stranger::new(1), Stranger::new(2));
    let mut bench = Bench::with_link(&stranger);
    bench.input(Input::LinkUp { peer: target.id });
    let unsupported = Some(ErrorCode::UNSUPPORTED_FORWARDING_OPTION);
    let option = |flags| ForwardingOption {
        kind: 200,
        flags,
        value: vec![1, 2],
    };
    let mut through = bench.header(target.id);
    through.options = vec![option(FORWARD_CRITICAL)];
    let message = stranger.message(&through, &ping());
    assert_eq!(bench.error(stranger.id, &message), unsupported);
    through.options = vec![option(DESTINATION_CRITICAL)];
    let sent = bench.deliver(stranger.id, &stranger.message(&through, &ping()));
    assert_eq!(sent[0].1.options, through.options);
    let mut here = bench.header(bench.node.id());
    here.options = vec![option(DESTINATION_CRITICAL)];
    let message = stranger.message(&here, &ping());
    assert_eq!(bench.error(stranger.id, &message), unsupported);
    here.options = vec![option(RESPONSE_COPY), option(0)];
    here.transaction_id = 9;
    let sent = bench.deliver(stranger.id, &stranger.message(&here, &ping()));
    assert_eq!(sent[0].1.options, [option(0)]);
}

/// 6940-6.3.3-04 6940-6.3.3-05
#[test]
fn critical_extensions_are_refused_and_others_ignored() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let mut header = bench.header(bench.node.id());
    for critical in [true, false] {
        header.transaction_id += 1;
        let extension = MessageExtension {
            kind: 77,
            critical,
            contents: vec![1],
        };
        let contents = MessageContents {
            code: 0x17,
            body: ping().to_bytes().unwrap(),
            extensions: vec![extension],
        };
        let message = header
            .with_body(&stranger.sealed(&header, &contents))
            .unwrap();
        match bench.response(stranger.id, &message) {
            Some(Body::Error(error)) => {
                assert!(critical);
                assert_eq!(error.code, ErrorCode::UNKNOWN_EXTENSION);
            }
            other => assert!(!critical && matches!(other, Some(Body::PingAns(_)))),
        }
    }
}

/// 6940-6.3-02 6940-6.3.4-14 6940-6.3.4-16 6940-6.3.4-17
#[test]
fn a_message_altered_anywhere_in_its_signed_part_is_dropped() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let header = bench.header(bench.node.id());
    let contents = ping();
    let message = stranger.message(&header, &contents);
    let body_at = header.with_body(&[]).unwrap().len();
    // The transaction ID in the header, and the padding's length in the body.
    for at in [20, body_at + 7] {
        let mut altered = message.clone();
        altered[at] ^= 1;
        assert!(bench.deliver(stranger.id, &altered).is_empty());
    }
    let dropped = bench.counter("drop_bad_signature") + bench.counter("drop_malformed");
    assert_eq!(dropped, 2);
}

/// 6940-6.3.4-15 6940-13.2-02
#[test]
fn a_signer_cannot_use_the_certificate_of_another() {
    let (stranger, victim) = (Stranger::new(1), Stranger::new(2));
    let mut bench = Bench::with_link(&stranger);
    // The node knows the victim's certificate.
    bench.input(Input::LinkUp { peer: victim.id });
    let header = bench.header(bench.node.id());
    let message = victim.message(&header, &ping());
    assert_eq!(bench.deliver(victim.id, &message).len(), 1);
    let (_, body) = ForwardingHeader::parse(&message).unwrap();
    let (raw, _, mut security) = parse_body(body).unwrap();
    let forged = stranger
        .security
        .sign_message(header.overlay, 8, raw, &[])
        .unwrap();
    security.signature.value = forged.signature.value;
    let mut bytes = raw.to_vec();
    bytes.extend(security.to_bytes().unwrap());
    let message = ForwardingHeader {
        transaction_id: 8,
        ..header
    }
    .with_body(&bytes)
    .unwrap();
    assert!(bench.deliver(stranger.id, &message).is_empty());
    assert_eq!(bench.counter("drop_bad_signature"), 1);
}

/// 6940-6.2.1-11
#[test]
fn duplicate_requests_are_answered_alike_and_carried_out_once() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let resource = ResourceId::from_name(b"once");
    let request = Body::StoreReq(StoreReq {
        resource,
        replica_number: 0,
        kinds: vec![KindData {
            kind: KindId::USER_SINGLE,
            generation: 0,
            values: stranger.signed_value(resource, 5, "v").to_bytes().unwrap(),
        }],
    });
    let message = stranger.message(&bench.header(resource), &request);
    let first = bench.response(stranger.id, &message);
    assert!(matches!(first, Some(Body::StoreAns(_))));
    assert_eq!(bench.response(stranger.id, &message), first);
    let message = stranger.message(
        &ForwardingHeader {
            transaction_id: 8,
            ..bench.header(bench.node.id())
        },
        &ping(),
    );
    let pong = bench.response(stranger.id, &message);
    bench.now += Duration::from_secs(14);
    assert_eq!(bench.response(stranger.id, &message), pong);
    assert_eq!(bench.counter("requests_answered_again"), 2);
    // Forgotten after the maximum request lifetime.
    bench.now += Duration::from_secs(2);
    assert_ne!(bench.response(stranger.id, &message), pong);
}

/// 6940-7.4.1.1-11 6940-7.4.1.1-13 6940-7.4.1.1-23 6940-7.3-02
#[test]
fn a_value_with_another_signature_than_its_writers_is_forbidden() {
    let (stranger, other) = (Stranger::new(1), Stranger::new(2));
    let mut bench = Bench::with_link(&stranger);
    let resource = ResourceId::from_name(b"x");
    let forged = StoredData {
        value: Some(b"other".to_vec()),
        ..stranger.signed_value(resource, 5, "v")
    };
    let elsewhere = stranger.signed_value(ResourceId::from_name(b"y"), 5, "v");
    let unsigned = StoredData {
        signature: crate::wire::contents::Signature::none(),
        ..stranger.signed_value(resource, 5, "v")
    };
    let foreign = other.signed_value(resource, 5, "v");
    for (number, value) in (30..).zip([forged, elsewhere, unsigned, foreign]) {
        let request = Body::StoreReq(StoreReq {
            resource,
            replica_number: 0,
            kinds: vec![KindData {
                kind: KindId::USER_SINGLE,
                generation: 0,
                values: value.to_bytes().unwrap(),
            }],
        });
        let header = ForwardingHeader {
            transaction_id: number,
            ..bench.header(resource)
        };
        let message = stranger.message(&header, &request);
        assert_eq!(
            bench.error(stranger.id, &message),
            Some(ErrorCode::FORBIDDEN),
            "{number}"
        );
    }
    assert_eq!(bench.node.status(bench.now).values, 0);
}

/// 6940-7.4.1.1-02 6940-7.4.1.1-03 6940-7.4.1.1-04
#[test]
fn a_store_is_all_or_nothing() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let resource = ResourceId::from_name(b"x");
    let good = KindData {
        kind: KindId::USER_SINGLE,
        generation: 0,
        values: stranger.signed_value(resource, 5, "v").to_bytes().unwrap(),
    };
    let unknown = KindData {
        kind: KindId(0x77),
        ..good.clone()
    };
    for (number, (kinds, code)) in (40..).zip([
        (vec![good.clone(), unknown], ErrorCode::UNKNOWN_KIND),
        (vec![good.clone(), good.clone()], ErrorCode::INVALID_MESSAGE),
    ]) {
        let request = Body::StoreReq(StoreReq {
            resource,
            replica_number: 0,
            kinds,
        });
        let header = ForwardingHeader {
            transaction_id: number,
            ..bench.header(resource)
        };
        let message = stranger.message(&header, &request);
        assert_eq!(bench.error(stranger.id, &message), Some(code));
        assert_eq!(bench.node.status(bench.now).values, 0);
    }
}

/// 6940-7.4.1.1-20
#[test]
fn replicas_without_a_generation_counter_are_refused() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let resource = ResourceId::from_name(b"x");
    let request = Body::StoreReq(StoreReq {
        resource,
        replica_number: 1,
        kinds: vec![KindData {
            kind: KindId::USER_SINGLE,
            generation: 0,
            values: stranger.signed_value(resource, 5, "v").to_bytes().unwrap(),
        }],
    });
    let message = stranger.message(&bench.header(resource), &request);
    assert_eq!(
        bench.error(stranger.id, &message),
        Some(ErrorCode::INVALID_MESSAGE)
    );
}

/// 6940-6.4.2.1-02 6940-6.4.2.1-03 6940-6.4.2.2-03 6940-6.4.2.2-04
#[test]
fn join_and_leave_are_refused_unless_signed_and_linked_by_the_node_itself() {
    let (stranger, other) = (Stranger::new(1), Stranger::new(2));
    let mut bench = Bench::with_link(&stranger);
    let forbidden = Some(ErrorCode::FORBIDDEN);
    let join = |id| {
        Body::JoinReq(JoinReq {
            joining_peer: id,
            overlay_specific: Vec::new(),
        })
    };
    let leave = |id| {
        Body::LeaveReq(LeaveReq {
            leaving_peer: id,
            data: None,
        })
    };
    let header = |bench: &Bench, number| ForwardingHeader {
        transaction_id: number,
        ..bench.header(bench.node.id())
    };
    // Somebody else's Node-ID in the body.
    for (number, body) in (50..).zip([join(other.id), leave(other.id)]) {
        let message = stranger.message(&header(&bench, number), &body);
        assert_eq!(bench.error(stranger.id, &message), forbidden);
    }
    // Over somebody else's link.
    for (number, body) in (60..).zip([join(other.id), leave(other.id)]) {
        let message = other.message(&header(&bench, number), &body);
        assert_eq!(bench.error(stranger.id, &message), forbidden);
    }
    // Over the own link, but with a hop between.
    let mut indirect = header(&bench, 70);
    indirect.via = vec![other.id.into()];
    let message = stranger.message(&indirect, &join(stranger.id));
    assert_eq!(bench.error(stranger.id, &message), forbidden);
    let message = stranger.message(&header(&bench, 71), &join(stranger.id));
    assert!(matches!(
        bench.response(stranger.id, &message),
        Some(Body::JoinAns(_))
    ));
}

/// 6940-6.5.1-03 6940-4.4-01 6940-10.7-03 6940-3-04
#[test]
fn peers_are_routed_through_only_after_their_update() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    assert!(bench.node.status(bench.now).successors.is_empty());
    let update = Body::UpdateReq(ChordUpdate {
        uptime: 1,
        view: ChordView::PeerReady,
    });
    let message = stranger.message(&bench.header(bench.node.id()), &update);
    assert_eq!(bench.response(stranger.id, &message), Some(Body::UpdateAns));
    assert_eq!(bench.node.status(bench.now).successors, [stranger.id]);
}

#[test]
fn an_update_full_of_inventions_starts_a_bounded_number_of_attaches() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let invented = |number: u8| NodeId::from_bytes([number; 16]);
    let update = Body::UpdateReq(ChordUpdate {
        uptime: 1,
        view: ChordView::Neighbors {
            predecessors: (1..=100).map(invented).collect(),
            successors: (101..=250).map(invented).collect(),
        },
    });
    let message = stranger.message(&bench.header(bench.node.id()), &update);
    let sent = bench.deliver(stranger.id, &message);
    let attaches = sent
        .iter()
        .filter(|(_, _, body)| matches!(body, Body::AttachReq(_)));
    assert_eq!(attaches.count(), crate::node::MAX_ATTACHES);
}

/// 6940-6.5.1.2-01 6940-6.5.1.2-04 6940-6.5.1.2-05 6940-6.5.1.2-06 6940-10.6-01
#[test]
fn crossing_attaches_are_settled_by_node_id() {
    let mut settled = [0, 0];
    for seed in 1..=24 {
        let (informant, peer) = (Stranger::new(100), Stranger::new(seed));
        let mut bench = Bench::with_link(&informant);
        let update = Body::UpdateReq(ChordUpdate {
            uptime: 1,
            view: ChordView::Neighbors {
                predecessors: Vec::new(),
                successors: vec![peer.id],
            },
        });
        let message = informant.message(&bench.header(bench.node.id()), &update);
        let sent = bench.deliver(informant.id, &message);
        // Source-routed through the informant.
        let ours = sent
            .iter()
            .find(|(_, _, body)| matches!(body, Body::AttachReq(_)))
            .unwrap();
        assert_eq!(ours.0, informant.id);
        assert_eq!(ours.1.destinations, [informant.id.into(), peer.id.into()]);
        let offer = Body::AttachReq(Attach::offer(true));
        let mut header = bench.header(bench.node.id());
        header.transaction_id = 90;
        let answer = bench.response(informant.id, &peer.message(&header, &offer));
        if bench.node.id() < peer.id {
            assert!(matches!(answer, Some(Body::AttachAns(_))));
            settled[0] += 1;
        } else {
            let in_progress =
                matches!(answer, Some(Body::Error(error)) if error.code == ErrorCode::IN_PROGRESS);
            assert!(in_progress);
            settled[1] += 1;
        }
    }
    assert!(settled[0] > 0 && settled[1] > 0, "{settled:?}");
}

/// 6940-6.6-01
#[test]
fn a_message_beyond_the_maximum_is_refused_and_its_link_closed() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let padding = vec![0; bench.config.max_message_size];
    let message = stranger.message(
        &bench.header(bench.node.id()),
        &Body::PingReq(PingReq { padding }),
    );
    let outputs = bench.input(Input::Message {
        from: stranger.id,
        bytes: &message,
    });
    let errors: Vec<_> = outputs
        .iter()
        .filter_map(sent)
        .map(|(_, _, body)| body)
        .collect();
    assert!(
        matches!(&errors[..], [Body::Error(error)] if error.code == ErrorCode::MESSAGE_TOO_LARGE)
    );
    assert!(outputs.contains(&Output::CloseLink { peer: stranger.id }));
    assert!(bench.node.status(bench.now).connections.is_empty());
}

/// 6940-6.3.2-18
#[test]
fn a_response_longer_than_the_requester_takes_becomes_an_error() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let mut header = bench.header(bench.node.id());
    header.max_response_length = 200;
    let message = stranger.message(&header, &ping());
    assert_eq!(
        bench.error(stranger.id, &message),
        Some(ErrorCode::RESPONSE_TOO_LARGE)
    );
}

/// 6940-6.2.1-04 6940-6.2.1-07 6940-6.2.1-08 6940-6.2.1-09 6940-6.2.1-10 6940-3-01
#[test]
fn a_request_is_sent_five_times_three_seconds_apart_with_one_transaction_id() {
    let (mut world, ids) = World::joined(201, 3);
    world.kill(ids[2], false);
    world.sent.clear();
    let start = world.now;
    let number = world.command(ids[0], Command::Ping(Target::Node(ids[2])));
    while world.reply(number).is_none() {
        world.run(Duration::from_millis(100));
    }
    let waited = world.now.saturating_duration_since(start);
    assert!((15_000..15_200).contains(&waited.as_millis()), "{waited:?}");
    let pings: Vec<u64> = world
        .sent
        .iter()
        .filter_map(|(from, to, bytes)| {
            let (header, body) = ForwardingHeader::parse(bytes).unwrap();
            let (_, contents, _) = parse_body(body).unwrap();
            let ours = (*from, *to, contents.code) == (ids[0], ids[2], 0x17);
            ours.then_some(header.transaction_id)
        })
        .collect();
    assert_eq!(pings.len(), 5);
    assert!(pings.iter().all(|id| *id == pings[0]));
}

/// 6940-6.3.4-18
#[test]
fn responses_of_others_than_the_node_asked_are_dropped() {
    let (stranger, impostor) = (Stranger::new(1), Stranger::new(2));
    let mut bench = Bench::with_link(&stranger);
    let command = Command::Ping(Target::Node(stranger.id));
    let outputs = bench.input(Input::Command { id: 5, command });
    let (_, request, _) = outputs.iter().find_map(sent).unwrap();
    let pong = Body::PingAns(crate::wire::link::PingAns {
        response_id: 1,
        time: 2,
    });
    let mut header = bench.header(bench.node.id());
    header.transaction_id = request.transaction_id;
    let outputs = bench.input(Input::Message {
        from: stranger.id,
        bytes: &impostor.message(&header, &pong),
    });
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::Reply { .. }))
    );
    assert_eq!(bench.counter("drop_wrong_responder"), 1);
    let outputs = bench.input(Input::Message {
        from: stranger.id,
        bytes: &stranger.message(&header, &pong),
    });
    assert!(outputs.iter().any(|output| matches!(
        output,
        Output::Reply {
            id: 5,
            result: Ok(_)
        }
    )));
}

/// 6940-6.3.1.1-06 6940-6.3.1.1-07 6940-6.3.3.1-03 6940-6.3.3.1-07
#[test]
fn unknown_types_in_a_body_are_dropped_and_unknown_codes_refused() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let mut header = bench.header(bench.node.id());
    let mut send = |bench: &mut Bench, code, body: &[u8]| {
        header.transaction_id += 1;
        let contents = MessageContents {
            code,
            body: body.to_vec(),
            extensions: Vec::new(),
        };
        let message = header
            .with_body(&stranger.sealed(&header, &contents))
            .unwrap();
        bench.error(stranger.id, &message)
    };
    assert_eq!(send(&mut bench, 0x13, &[0, 0, 0, 1, 9]), None);
    assert_eq!(bench.counter("drop_unknown_type"), 1);
    let invalid = Some(ErrorCode::INVALID_MESSAGE);
    assert_eq!(send(&mut bench, 0x25, &[]), invalid);
    assert_eq!(send(&mut bench, 0x17, &[0, 9]), invalid);
}

#[test]
fn the_outputs_of_a_seeded_node_are_the_same_every_time() {
    let run = || {
        let (mut world, ids) = World::joined(202, 5);
        let put = store("x", KindId::USER_SINGLE, Selector::Single, Some("value"));
        world.ask(ids[1], Command::Store(put)).unwrap();
        world.sent
    };
    assert_eq!(run(), run());
}

/// 6940-7.4.1.2-09
#[test]
fn error_information_of_an_unknown_kind_lists_the_kinds() {
    let info = ErrorResponse::from_bytes(&[0, 0x0c, 0, 5, 4, 0, 0, 0, 7]).unwrap();
    assert_eq!(
        (info.code, info.info),
        (ErrorCode::UNKNOWN_KIND, vec![4, 0, 0, 0, 7])
    );
}
