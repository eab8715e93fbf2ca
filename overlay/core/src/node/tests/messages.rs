//! Single messages: headers, options, signatures, odd and hostile ones.

use super::bench::{Bench, Stranger, ping, sent};
use super::harness::{World, store};
use crate::command::{Command, Selector};
use crate::config::KindId;
use crate::id::{NodeId, ResourceId};
use crate::seam::{Input, Output};
use crate::wire::Encode;
use crate::wire::body::{Body, ErrorCode};
use crate::wire::contents::{MessageContents, MessageExtension, parse_body};
use crate::wire::header::{
    DESTINATION_CRITICAL, Destination, FORWARD_CRITICAL, ForwardingHeader, ForwardingOption,
    RESPONSE_COPY, WHOLE,
};
use crate::wire::link::PingReq;

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

/// 6940-6.6-02
#[test]
fn a_header_beyond_the_maximum_closes_the_link_without_an_error() {
    let stranger = Stranger::new(1);
    let mut bench = Bench::with_link(&stranger);
    let mut header = bench.header(bench.node.id());
    let value = vec![0; bench.config.max_message_size];
    header.options = vec![ForwardingOption {
        kind: 9,
        flags: 0,
        value,
    }];
    let message = stranger.message(&header, &ping());
    let outputs = bench.input(Input::Message {
        from: stranger.id,
        bytes: &message,
    });
    assert!(outputs.iter().filter_map(sent).next().is_none());
    assert!(outputs.contains(&Output::CloseLink { peer: stranger.id }));
}
