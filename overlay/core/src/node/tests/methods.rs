//! Single requests and answers of each method.

use std::time::Duration;

use super::bench::{Bench, Stranger, ping, sent};
use super::harness::World;
use crate::command::{Command, Target};
use crate::config::KindId;
use crate::id::{NodeId, ResourceId};
use crate::seam::{Input, Output};
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::contents::{MessageContents, parse_body};
use crate::wire::header::ForwardingHeader;
use crate::wire::link::Attach;
use crate::wire::storage::{KindData, StoreReq, StoredData};
use crate::wire::topology::{ChordUpdate, ChordView, JoinReq, LeaveReq};
use crate::wire::{Decode, Encode};

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

/// 6940-7.4.1.2-09
#[test]
fn error_information_of_an_unknown_kind_lists_the_kinds() {
    let info = ErrorResponse::from_bytes(&[0, 0x0c, 0, 5, 4, 0, 0, 0, 7]).unwrap();
    assert_eq!(
        (info.code, info.info),
        (ErrorCode::UNKNOWN_KIND, vec![4, 0, 0, 0, 7])
    );
}

/// 6940-6.5.1.2-03
#[test]
fn an_attach_while_our_own_link_is_being_made_has_to_wait() {
    let (informant, peer) = (Stranger::new(100), Stranger::new(1));
    let mut bench = Bench::with_link(&informant);
    let successors = vec![peer.id];
    let view = ChordView::Neighbors {
        predecessors: Vec::new(),
        successors,
    };
    let update = Body::UpdateReq(ChordUpdate { uptime: 1, view });
    let message = informant.message(&bench.header(bench.node.id()), &update);
    let sent = bench.deliver(informant.id, &message);
    let (_, ours, _) = sent
        .iter()
        .find(|(_, _, body)| matches!(body, Body::AttachReq(_)))
        .unwrap();
    let mut answer = bench.header(bench.node.id());
    answer.transaction_id = ours.transaction_id;
    let answer = peer.message(&answer, &Body::AttachAns(Attach::answer()));
    let outputs = bench.input(Input::Message {
        from: informant.id,
        bytes: &answer,
    });
    assert!(outputs.contains(&Output::Open { peer: peer.id }));
    let mut header = bench.header(bench.node.id());
    header.transaction_id = 90;
    let offer = peer.message(&header, &Body::AttachReq(Attach::offer(true)));
    assert_eq!(
        bench.error(informant.id, &offer),
        Some(ErrorCode::IN_PROGRESS)
    );
}

/// 6940-6.4.2.3-01
#[test]
fn the_update_an_attach_asks_for_comes_once_the_link_is_up() {
    let (informant, peer) = (Stranger::new(100), Stranger::new(1));
    let mut bench = Bench::with_link(&informant);
    let header = bench.header(bench.node.id());
    let offer = peer.message(&header, &Body::AttachReq(Attach::offer(true)));
    assert!(matches!(
        bench.response(informant.id, &offer),
        Some(Body::AttachAns(_))
    ));
    let outputs = bench.input(Input::LinkUp { peer: peer.id });
    let full = |(to, _, body): &(NodeId, ForwardingHeader, Body)| match body {
        Body::UpdateReq(update) => *to == peer.id && matches!(update.view, ChordView::Full { .. }),
        _ => false,
    };
    assert!(
        outputs
            .iter()
            .filter_map(sent)
            .any(|message| full(&message))
    );
}
