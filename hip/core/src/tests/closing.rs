//! CLOSE and CLOSE_ACK.

use hip_wire::registry::ParamType;

use super::*;
use crate::CloseReason;

/// 7401-4.4.3-30 7401-4.4.3-36 7401-5.3.7-01 7401-5.3.8-01 7402-6.7-01
/// 7401-4.4.3-46 7401-5.3.7-02 7401-5.3.7-03 7401-5.3.7-04 7401-5.3.8-02
#[test]
fn close_ends_both_sides_and_removes_every_sa() {
    let mut pair = Pair::new();
    pair.establish();
    pair.close(A);
    assert_eq!(pair.state(A), StateName::Closing);
    assert!(pair.ends[A].outbound.is_none(), "no data in CLOSING");
    pair.run_for(SECOND);
    assert_eq!(pair.states(), [StateName::Unassociated, StateName::Closed]);
    pair.assert_no_sas();
    for (end, reason) in [(A, CloseReason::Local), (B, CloseReason::Peer)] {
        let closed = Event::Closed {
            peer: pair.hit(1 - end),
            reason,
        };
        assert!(pair.ends[end].events.contains(&closed));
    }
    let types = |bytes: &[u8]| -> Vec<ParamType> {
        Packet::parse(bytes)
            .unwrap()
            .params()
            .map(|param| param.ty)
            .collect()
    };
    use ParamType as T;
    let tail = [T::HIP_MAC, T::HIP_SIGNATURE];
    let close = types(&pair.last(A, PacketType::Close));
    assert_eq!(close, [&[T::ECHO_REQUEST_SIGNED][..], &tail].concat());
    let ack = types(&pair.last(B, PacketType::CloseAck));
    assert_eq!(ack, [&[T::ECHO_RESPONSE_SIGNED][..], &tail].concat());
}

/// 7401-4.4.3-44
#[test]
fn closed_is_forgotten_after_ual_and_two_msl() {
    let mut pair = Pair::new();
    pair.establish();
    pair.close(A);
    pair.run_for(MINUTE * 18);
    assert_eq!(pair.state(B), StateName::Closed);
    pair.run_for(MINUTE * 2);
    assert_eq!(pair.state(B), StateName::Unassociated);
    assert_eq!(pair.ends[B].host.associations(pair.now).count(), 0);
}

/// 7401-4.4.3-42
#[test]
fn a_lost_close_ack_is_sent_again_without_a_new_signature() {
    let mut pair = Pair::new();
    pair.establish();
    pair.fate = lose_first(PacketType::CloseAck, 2);
    pair.close(A);
    pair.run_for(Duration::from_secs(10));
    assert_eq!(pair.states(), [StateName::Unassociated, StateName::Closed]);
    assert_eq!(pair.count(B, PacketType::CloseAck), 3);
    let acks: Vec<_> = pair
        .trace
        .iter()
        .filter(|t| t.1 == PacketType::CloseAck)
        .collect();
    assert!(acks.windows(2).all(|two| two[0].2 == two[1].2));
}

/// 7401-4.4.3-37 7401-4.4.1-02
#[test]
fn close_is_repeated_until_ual_and_msl_are_over() {
    let mut pair = Pair::new();
    pair.establish();
    pair.fate = Box::new(|_| Fate::Drop);
    pair.close(A);
    pair.run_for(MINUTE * 16);
    assert_eq!(pair.state(A), StateName::Closing);
    let sent = pair.count(A, PacketType::Close);
    assert!((10..40).contains(&sent), "{sent}");
    pair.run_for(MINUTE * 2);
    assert_eq!(pair.state(A), StateName::Unassociated);
}

/// 7401-4.4.3-35 7401-4.4.3-43 7401-6.14-01
#[test]
fn crossing_closes_end_both_sides() {
    let mut pair = Pair::new();
    pair.establish();
    pair.close(A);
    pair.close(B);
    pair.run_for(SECOND);
    assert_eq!(pair.states(), [StateName::Unassociated; 2]);
    pair.assert_no_sas();
}

/// 7401-4.4.3-31 7401-6.14-03 7401-4.4.3-40
#[test]
fn data_in_closing_starts_a_new_exchange() {
    let mut pair = Pair::new();
    pair.establish();
    pair.fate = Box::new(|_| Fate::Drop);
    pair.close(A);
    pair.connect(A);
    assert_eq!(pair.state(A), StateName::I1Sent);
    pair.fate = Box::new(|_| Fate::Deliver);
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.state(A), StateName::Established);
    pair.assert_connected();
}

/// 7401-4.4.3-33
#[test]
fn an_i2_in_closing_makes_a_new_association() {
    let mut pair = Pair::new();
    pair.establish();
    pair.close(B);
    pair.run_for(DELAY + Duration::from_millis(1));
    assert_eq!(pair.states(), [StateName::Closed, StateName::Closing]);
    pair.fate = Box::new(|t| match kind_of(&t.bytes) {
        PacketType::CloseAck => Fate::Drop,
        _ => Fate::Deliver,
    });
    pair.wire.clear();
    pair.connect(A);
    pair.run_for(Duration::from_millis(500));
    assert_eq!(pair.states(), [StateName::Established, StateName::R2Sent]);
    pair.assert_connected();
}

/// 7401-4.4.3-38 7401-4.4.3-41 7401-2.3-03
#[test]
fn data_in_closed_sends_i1_and_stays_until_r1_comes() {
    let mut pair = Pair::new();
    pair.establish();
    pair.close(A);
    pair.run_for(SECOND);
    pair.connect(B);
    assert_eq!(pair.state(B), StateName::Closed);
    assert_eq!(pair.count(B, PacketType::I1), 1);
    pair.run_for(SECOND);
    assert_eq!(pair.states(), [StateName::R2Sent, StateName::Established]);
    pair.assert_connected();
}

/// 7401-6.8-01 7401-6.8-04
#[test]
fn an_r1_in_closed_without_an_i1_of_ours_is_dropped() {
    let mut pair = Pair::new();
    pair.establish();
    let r1 = pair.last(B, PacketType::R1);
    pair.close(B);
    pair.run_for(SECOND);
    assert_eq!(pair.state(A), StateName::Closed);
    pair.inject(A, &r1);
    assert_eq!(pair.dropped(A, DropReason::WrongState), 1);
    assert_eq!(pair.state(A), StateName::Closed);
}

#[test]
fn an_attempt_from_closed_that_fails_leaves_closed_and_says_so() {
    let mut pair = Pair::new();
    pair.establish();
    pair.close(A);
    pair.run_for(SECOND);
    pair.fate = Box::new(|_| Fate::Drop);
    pair.connect(B);
    pair.run_for(MINUTE);
    assert_eq!(pair.state(B), StateName::Closed);
    assert_eq!(pair.failed(B), Some(FailReason::NoAnswer));
    pair.fate = Box::new(|_| Fate::Deliver);
    pair.connect(B);
    pair.run_for(SECOND);
    assert_eq!(pair.state(B), StateName::Established);
}

/// 7401-5.3.8-03 7401-6.15-01
#[test]
fn a_close_ack_to_another_close_is_dropped() {
    let mut pair = Pair::new();
    pair.establish();
    pair.fate = lose_all(PacketType::CloseAck);
    pair.close(A);
    pair.run_for(Duration::from_millis(100));
    let ack = pair.last(B, PacketType::CloseAck);
    // Nothing is accepted that does not carry our echo with a good MAC and signature.
    for at in 40..padding(&ack).start {
        let mut changed = ack.clone();
        changed[at] ^= 0x10;
        pair.inject(A, &changed);
        assert_eq!(pair.state(A), StateName::Closing, "octet {at}");
    }
    assert!(pair.dropped(A, DropReason::BadEcho) >= 16);
    pair.inject(A, &ack);
    assert_eq!(pair.state(A), StateName::Unassociated);
}

/// 7401-4.4.3-23 7401-4.4.3-30
#[test]
fn a_forged_close_changes_nothing() {
    let mut pair = Pair::new();
    pair.connect(A);
    pair.run_for(SECOND);
    pair.fate = lose_all(PacketType::Close);
    pair.close(A);
    let close = pair.last(A, PacketType::Close);
    for at in 40..padding(&close).start {
        let mut changed = close.clone();
        changed[at] ^= 1;
        pair.inject(B, &changed);
        assert_eq!(pair.state(B), StateName::R2Sent, "octet {at}");
    }
    assert_eq!(pair.count(B, PacketType::CloseAck), 0);
    pair.inject(B, &close);
    assert_eq!(pair.state(B), StateName::Closed);
}

#[test]
fn close_all_ends_every_state() {
    let mut pair = Pair::new();
    pair.establish();
    pair.input(A, Input::CloseAll);
    pair.run_for(SECOND);
    assert_eq!(pair.states(), [StateName::Unassociated, StateName::Closed]);

    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R2);
    pair.connect(A);
    pair.input(A, Input::CloseAll);
    assert_eq!(pair.state(A), StateName::Unassociated);
    pair.connect(A);
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.state(A), StateName::I2Sent);
    pair.input(A, Input::CloseAll);
    assert_eq!(pair.state(A), StateName::Unassociated);
    assert!(pair.ends[A].inbound.is_empty());
}
