//! The tables of RFC 7401 §4.4.3, state by state.

use super::*;
use crate::CloseReason;

/// Packets of a complete exchange and close between the two ends, for use out of place.
struct Stock {
    /// Sent by A.
    from_a: Vec<(PacketType, Vec<u8>)>,
    /// Sent by B.
    from_b: Vec<(PacketType, Vec<u8>)>,
}

fn stock() -> Stock {
    let mut pair = Pair::new();
    pair.establish();
    pair.close(A);
    pair.run_for(SECOND);
    let by = |end: usize| {
        let sent = pair.trace.iter().filter(|(by, ..)| *by == end);
        sent.map(|(_, kind, bytes)| (*kind, bytes.clone()))
            .collect()
    };
    Stock {
        from_a: by(A),
        from_b: by(B),
    }
}

/// 7401-4.4.3-06 7401-6.8-01 7401-6.10-01 7401-6.14-04
#[test]
fn unassociated_answers_i1_only() {
    let stock = stock();
    let mut pair = Pair::with(HostConfig::default(), HostConfig::default());
    for (kind, bytes) in &stock.from_b {
        pair.inject(A, bytes);
        assert_eq!(pair.state(A), StateName::Unassociated, "{kind}");
        assert_eq!(pair.dropped(A, DropReason::NoAssociation), 1, "{kind}");
        assert!(pair.trace.is_empty());
        pair = Pair::new();
    }
    pair.inject(B, &stock.from_a[0].1);
    assert_eq!(pair.count(B, PacketType::R1), 1);
    assert_eq!(pair.state(B), StateName::Unassociated);
}

/// 7401-4.4.3-03
#[test]
fn a_bad_i2_leaves_no_association() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|t| {
        if kind_of(&t.bytes) == PacketType::I2 {
            Fate::Drop
        } else {
            Fate::Deliver
        }
    });
    pair.connect(A);
    pair.run_for(Duration::from_millis(100));
    let mut i2 = pair.last(A, PacketType::I2);
    let last = i2.len() - 8;
    i2[last] ^= 1;
    pair.inject(B, &i2);
    assert_eq!(pair.dropped(B, DropReason::BadSignature), 1);
    assert_eq!(pair.ends[B].host.associations(pair.now).count(), 0);
    assert!(pair.ends[B].inbound.is_empty());
}

/// 7401-4.4.3-06 (ANYOTHER in I1-SENT, Table 3)
#[test]
fn i1_sent_takes_r1_and_i2_only() {
    let stock = stock();
    let mut pair = Pair::new();
    pair.fate = Box::new(|_| Fate::Drop);
    pair.connect(A);
    let others = stock
        .from_b
        .iter()
        .filter(|(kind, _)| *kind != PacketType::R1);
    for (index, (kind, bytes)) in others.enumerate() {
        pair.inject(A, bytes);
        assert_eq!(pair.state(A), StateName::I1Sent, "{kind}");
        assert_eq!(pair.dropped(A, DropReason::WrongState), index as u64 + 1);
    }
}

/// 7401-4.4.3-11 7401-6.6-06 7401-4.4.3-45
#[test]
fn i1_sent_gives_up_after_its_retries_and_pauses() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|_| Fate::Drop);
    pair.connect(A);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.state(A), StateName::I1Sent);
    assert_eq!(pair.count(A, PacketType::I1), 6);
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.state(A), StateName::Failed);
    assert_eq!(pair.failed(A), Some(FailReason::NoAnswer));
    // New data during the pause is refused at once, and sends nothing.
    let events = pair.ends[A].events.len();
    pair.connect(A);
    assert_eq!(pair.ends[A].events.len(), events + 1);
    assert_eq!(pair.count(A, PacketType::I1), 6);
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.state(A), StateName::Unassociated);
    pair.connect(A);
    assert_eq!(pair.state(A), StateName::I1Sent);
}

/// 7401-4.4.3-17 7401-6.8-35 7401-6.8-33 7402-3.3.1-02 7402-6.4-02
#[test]
fn i2_sent_resends_the_same_i2_and_gives_up_after_its_retries() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R2);
    pair.connect(A);
    pair.run_for(Duration::from_secs(31));
    assert_eq!(pair.state(A), StateName::I2Sent);
    assert_eq!(pair.count(A, PacketType::I2), 6);
    let i2s: Vec<_> = pair
        .trace
        .iter()
        .filter(|t| t.1 == PacketType::I2)
        .collect();
    assert!(i2s.windows(2).all(|two| two[0].2 == two[1].2));
    pair.run_for(SECOND);
    assert_eq!(pair.failed(A), Some(FailReason::NoR2));
    assert!(
        pair.ends[A].inbound.is_empty(),
        "the SA prepared for R2 is gone"
    );
}

/// 7401-4.4.3-12
#[test]
fn i2_sent_answers_i1() {
    let stock = stock();
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R2);
    pair.connect(B);
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.state(B), StateName::I2Sent);
    pair.inject(B, &stock.from_a[0].1);
    assert_eq!(pair.state(B), StateName::I2Sent);
    assert_eq!(pair.count(B, PacketType::R1), 1);
}

/// 7401-4.4.3-13 7401-6.8-03 7401-4.1.4-10 7401-6.8-21
#[test]
fn i2_sent_starts_over_for_a_fresher_r1_only() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::I2);
    pair.connect(A);
    pair.run_for(Duration::from_millis(100));
    let i2 = pair.last(A, PacketType::I2);
    let r1 = pair.last(B, PacketType::R1);
    pair.inject(A, &r1);
    assert_eq!(pair.dropped(A, DropReason::Duplicate), 1);
    assert_eq!(pair.last(A, PacketType::I2), i2);
    // A new generation of R1s.
    let now = pair.now;
    pair.ends[B].host.set_puzzle_difficulty(now, 3);
    let i1 = pair.last(A, PacketType::I1);
    pair.inject(B, &i1);
    pair.fate = Box::new(|_| Fate::Deliver);
    pair.run_for(Duration::from_millis(100));
    assert_ne!(pair.last(A, PacketType::I2), i2);
    assert_eq!(pair.state(A), StateName::Established);
    pair.assert_connected();
    assert_eq!(
        pair.ends[A].inbound.len(),
        1,
        "the SA of the first I2 is gone"
    );
}

/// 7401-4.4.3-16
#[test]
fn i2_sent_acknowledges_close() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R2);
    pair.connect(A);
    pair.run_for(Duration::from_millis(100));
    pair.close(B);
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.states(), [StateName::Closed, StateName::Unassociated]);
    assert_eq!(pair.failed(A), Some(FailReason::ClosedByPeer));
    pair.assert_no_sas();
}

/// 7401-4.4.3-19 7401-6.9-07
#[test]
fn a_repeated_i2_brings_the_same_r2() {
    let mut pair = Pair::new();
    pair.fate = lose_first(PacketType::R2, 2);
    pair.connect(A);
    pair.run_for(Duration::from_secs(10));
    assert_eq!(pair.state(A), StateName::Established);
    let r2s: Vec<_> = pair
        .trace
        .iter()
        .filter(|t| t.1 == PacketType::R2)
        .collect();
    assert_eq!(r2s.len(), 3);
    assert!(r2s.windows(2).all(|two| two[0].2 == two[1].2));
    assert_eq!(pair.established(B), 1);
    pair.assert_connected();
}

/// 7401-4.4.3-22 7401-4.4.1-03 7401-6.9-31
#[test]
fn r2_sent_becomes_established_when_the_initiator_cannot_ask_any_more() {
    let mut pair = Pair::new();
    pair.connect(A);
    pair.run_for(SECOND);
    assert_eq!(pair.state(B), StateName::R2Sent);
    pair.run_for(Duration::from_secs(29));
    assert_eq!(pair.state(B), StateName::R2Sent);
    pair.run_for(Duration::from_secs(3));
    assert_eq!(pair.state(B), StateName::Established);
}

/// 7401-4.4.3-21
#[test]
fn data_ends_r2_sent_but_only_in_the_right_direction() {
    let mut pair = Pair::new();
    pair.connect(A);
    pair.run_for(SECOND);
    pair.esp(B, false, true);
    assert_eq!(pair.state(B), StateName::R2Sent);
    pair.esp(B, true, false);
    assert_eq!(pair.state(B), StateName::Established);
}

/// 7401-4.4.3-18 7401-4.4.3-20 7401-4.4.3-25 7401-4.4.3-27 7401-6.7-08
#[test]
fn r2_sent_and_established_answer_i1_and_drop_r1_r2_and_close_ack() {
    let stock = stock();
    let mut pair = Pair::new();
    pair.connect(B);
    pair.run_for(SECOND);
    // A is Responder in R2-SENT, B Initiator in ESTABLISHED.
    for (end, from) in [(A, &stock.from_b), (B, &stock.from_a)] {
        let state = pair.state(end);
        for (kind, bytes) in from {
            let taken = [PacketType::I2, PacketType::Close];
            if taken.contains(kind) {
                continue;
            }
            let drops = pair.dropped(end, DropReason::WrongState);
            pair.inject(end, bytes);
            assert_eq!(pair.state(end), state, "{kind}");
            let dropped = pair.dropped(end, DropReason::WrongState) - drops;
            assert_eq!(dropped, u64::from(*kind != PacketType::I1), "{kind}");
        }
    }
    let i1 = stock.from_a[0].1.clone();
    pair.inject(B, &i1);
    assert_eq!(pair.state(B), StateName::Established);
    assert_eq!(pair.last(B, PacketType::R1)[2], 2);
}

/// 7401-4.4.3-26 7401-6.9-30 7401-4.3-03 7401-4.5.4-01 7402-6.5-06 7401-6.9-28 7402-3.2.1-06
#[test]
fn a_peer_that_lost_its_state_gets_a_new_association_and_the_old_sa_fades_out() {
    let mut pair = Pair::new();
    pair.establish();
    let old = *pair.ends[B].inbound.keys().next().unwrap();
    // A restarts.
    let rng: Box<dyn Rng> = Box::new(SeededRng::new(99));
    let mut host = Host::new(HostConfig::default(), IDENTITIES[A].clone(), rng);
    host.handle(pair.now, Input::LocalAddresses(vec![pair.ends[A].address]));
    pair.ends[A].host = host;
    pair.ends[A].inbound.clear();
    pair.ends[A].outbound = None;
    pair.connect(A);
    pair.run_for(Duration::from_millis(15));
    assert_eq!(
        pair.state(B),
        StateName::Established,
        "an I1 changes nothing"
    );
    pair.run_for(Duration::from_millis(300));
    assert_eq!(pair.states(), [StateName::Established, StateName::R2Sent]);
    pair.assert_connected();
    assert!(
        pair.ends[B].inbound.contains_key(&old),
        "packets under way still get in"
    );
    pair.run_for(Duration::from_secs(11));
    assert!(!pair.ends[B].inbound.contains_key(&old));
    pair.assert_connected();
}

/// 7401-6.9-25
#[test]
fn an_old_i2_does_not_replace_an_association() {
    let mut pair = Pair::new();
    pair.establish();
    let i2 = pair.last(A, PacketType::I2);
    pair.close(A);
    pair.run_for(SECOND);
    pair.connect(A);
    pair.run_for(SECOND);
    pair.esp(B, true, false);
    assert_eq!(pair.states(), [StateName::Established; 2]);
    let r2s = pair.count(B, PacketType::R2);
    pair.inject(B, &i2);
    assert_eq!(pair.dropped(B, DropReason::Duplicate), 1);
    assert_eq!(pair.count(B, PacketType::R2), r2s);
    assert_eq!(pair.state(B), StateName::Established);
    pair.assert_connected();
}

/// 7401-4.4.3-28 7401-4.4.1-01
#[test]
fn an_unused_association_is_closed_and_use_keeps_it() {
    let mut pair = Pair::new();
    pair.establish();
    pair.run_for(MINUTE * 14);
    pair.esp(A, false, true);
    pair.esp(B, true, false);
    pair.run_for(MINUTE * 14);
    assert_eq!(pair.states(), [StateName::Established; 2]);
    pair.run_for(MINUTE * 2);
    assert!(!pair.states().contains(&StateName::Established));
    let idle = |end: usize| {
        let peer = pair.hit(1 - end);
        let event = Event::Closed {
            peer,
            reason: CloseReason::Idle,
        };
        pair.ends[end].events.contains(&event)
    };
    assert!(idle(A) || idle(B));
    pair.assert_no_sas();
}

/// 7401-6.13-03 7401-6.13-04 7401-5.3.6-02 7401-4.4.3-24 7401-4.4.3-29
#[test]
fn notify_is_reported_and_changes_nothing() {
    let mut pair = Pair::new();
    pair.establish();
    let notify = |signed: bool| {
        use hip_wire::param::{HipSignature, Notification};
        use hip_wire::registry::{HiAlgorithm, NotifyType};
        let mut packet = hip_wire::PacketBuilder::new(
            PacketType::Notify,
            IDENTITIES[B].hit(),
            IDENTITIES[A].hit(),
        );
        let notify_type = NotifyType::AUTHENTICATION_FAILED;
        packet
            .push(&Notification {
                notify_type,
                data: &[],
            })
            .unwrap();
        let mut signature = IDENTITIES[B]
            .sign(&packet.signature_input().unwrap())
            .unwrap();
        signature[5] ^= u8::from(!signed);
        packet
            .push(&HipSignature::new(HiAlgorithm::Ecdsa, &signature))
            .unwrap();
        packet.finish()
    };
    pair.inject(A, &notify(true));
    let told = Event::Notified {
        peer: pair.hit(B),
        code: 24,
    };
    assert_eq!(pair.ends[A].events.last(), Some(&told));
    pair.inject(A, &notify(false));
    assert_eq!(pair.dropped(A, DropReason::BadSignature), 1);
    assert_eq!(pair.states(), [StateName::Established; 2]);
    pair.assert_connected();
}

/// 7401-4.4.2-01
#[test]
fn events_name_states_as_the_rfc_does() {
    let mut pair = Pair::new();
    pair.establish();
    pair.close(A);
    pair.run_for(SECOND);
    let peer = pair.hit(B);
    let path: Vec<String> = pair.ends[A]
        .events
        .iter()
        .filter(|event| matches!(event, Event::StateChanged { .. }))
        .map(ToString::to_string)
        .collect();
    let steps = [
        "UNASSOCIATED > I1-SENT",
        "I1-SENT > I2-SENT",
        "I2-SENT > ESTABLISHED",
        "ESTABLISHED > CLOSING",
        "CLOSING > UNASSOCIATED",
    ];
    assert_eq!(path, steps.map(|step| format!("state peer={peer} {step}")));
}
