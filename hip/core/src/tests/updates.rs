//! UPDATE: acknowledgment, repetition, the liveness probe.

use hip_wire::PacketBuilder;
use hip_wire::param::{Ack, EchoRequestSigned, EchoResponseSigned, Seq};

use super::*;
use crate::CloseReason;

/// Both ends established, and a probe of A (an UPDATE with SEQ 0) kept from B.
fn probed() -> (Pair, Vec<u8>) {
    let mut pair = Pair::new();
    pair.establish();
    pair.run_for(Duration::from_secs(20));
    pair.fate = lose_all(PacketType::Update);
    pair.esp(A, false, true);
    let update = pair.last(A, PacketType::Update);
    (pair, update)
}

/// 7401-6.11-02 7401-5.3.5-01 7401-5.3.5-02 7401-5.3.5-03 7401-6.11-08 7401-6.8-32
#[test]
fn data_without_an_answer_makes_a_probe_that_one_ack_settles() {
    let mut pair = Pair::new();
    pair.establish();
    pair.run_for(Duration::from_secs(20));
    pair.esp(A, false, true);
    pair.run_for(SECOND);
    let update = |end: usize| pair.last(end, PacketType::Update);
    let (seq, ack) = (update(A), update(B));
    let (seq, ack) = (Packet::parse(&seq).unwrap(), Packet::parse(&ack).unwrap());
    assert_eq!(seq.require::<Seq>().unwrap().update_id, 0);
    assert_eq!(ack.require::<Ack>().unwrap().update_ids, [0]);
    assert!(ack.find::<Seq>().unwrap().is_none());
    assert_eq!(
        (
            pair.count(A, PacketType::Update),
            pair.count(B, PacketType::Update)
        ),
        (1, 1)
    );
    assert_eq!(pair.states(), [StateName::Established; 2]);
    // The next one has the next Update ID.
    pair.run_for(Duration::from_secs(20));
    pair.esp(A, false, true);
    let seq = pair.last(A, PacketType::Update);
    assert_eq!(
        Packet::parse(&seq)
            .unwrap()
            .require::<Seq>()
            .unwrap()
            .update_id,
        1
    );
}

#[test]
fn answered_data_needs_no_probe() {
    let mut pair = Pair::new();
    pair.establish();
    for _ in 0..60 {
        pair.run_for(SECOND);
        pair.esp(A, true, true);
        pair.esp(B, true, true);
    }
    assert_eq!(
        pair.count(A, PacketType::Update) + pair.count(B, PacketType::Update),
        0
    );
}

/// 7401-6.11-05 7401-6.11-06 7401-6.11-07 7401-5.3.5-15
#[test]
fn a_peer_that_lost_its_state_is_noticed_and_the_association_closed() {
    let (mut pair, update) = probed();
    pair.fate = Box::new(|_| Fate::Drop);
    pair.run_for(Duration::from_secs(30));
    let sent: Vec<_> = pair
        .trace
        .iter()
        .filter(|t| t.1 == PacketType::Update)
        .collect();
    assert_eq!(sent.len(), 6);
    assert!(
        sent.iter().all(|t| t.2 == update),
        "repeated octet by octet"
    );
    assert_eq!(pair.state(A), StateName::Closing);
    let gone = Event::Closed {
        peer: pair.hit(B),
        reason: CloseReason::Unreachable,
    };
    assert!(pair.ends[A].events.contains(&gone));
    // New data starts over.
    pair.fate = Box::new(|_| Fate::Deliver);
    pair.connect(A);
    pair.run_for(SECOND);
    assert_eq!(pair.state(A), StateName::Established);
}

/// 7401-6.12.1-02 7401-6.12.1-03 7401-6.12.1-04 7401-6.12-05 7401-6.12.1-05
#[test]
fn a_repeated_update_is_acknowledged_again_within_a_rate() {
    let (mut pair, update) = probed();
    for _ in 0..50 {
        pair.inject(B, &update);
    }
    assert_eq!(
        pair.count(B, PacketType::Update),
        11,
        "one ACK and ten repetitions"
    );
    let acks: Vec<_> = pair
        .trace
        .iter()
        .filter(|t| (t.0, t.1) == (B, PacketType::Update))
        .collect();
    assert!(
        acks.windows(2).all(|two| two[0].2 == two[1].2),
        "signed once"
    );
    let mut forged = update.clone();
    let at = forged.len() - 90;
    forged[at] ^= 1;
    pair.run_for(Duration::from_secs(2));
    let before = pair.count(B, PacketType::Update);
    pair.inject(B, &forged);
    assert_eq!(pair.count(B, PacketType::Update), before);
}

/// 7401-6.12.1-06 7401-6.12.1-07 7401-6.12.1-09 7401-6.12.1-08
#[test]
fn an_update_with_any_bit_changed_is_dropped() {
    let (mut pair, update) = probed();
    for at in (0..padding(&update).start).filter(|at| !(4..6).contains(at)) {
        let mut changed = update.clone();
        changed[at] ^= 0x10;
        pair.inject(B, &changed);
        assert_eq!(pair.count(B, PacketType::Update), 0, "octet {at}");
    }
    assert!(pair.dropped(B, DropReason::BadMac) > 0);
    assert!(pair.dropped(B, DropReason::BadSignature) > 0);
    pair.inject(B, &update);
    assert_eq!(pair.count(B, PacketType::Update), 1);
}

/// 7401-4.4.3-21 7402-6.9-01
#[test]
fn an_update_ends_r2_sent() {
    let mut pair = Pair::new();
    pair.connect(A);
    pair.run_for(Duration::from_secs(15));
    assert_eq!(pair.state(B), StateName::R2Sent);
    pair.esp(A, false, true);
    pair.run_for(SECOND);
    assert_eq!(pair.states(), [StateName::Established; 2]);
}

/// UPDATEs as B would make them, with keys taken from nowhere: they must all fail.
/// 7401-5.3.5-05 7401-6.12.2-02 7401-6.12.1-01
#[test]
fn updates_without_sense_are_dropped_before_any_cryptography() {
    let mut pair = Pair::new();
    pair.establish();
    let update = |parameters: &dyn Fn(&mut PacketBuilder)| {
        let mut packet =
            PacketBuilder::new(PacketType::Update, IDENTITIES[B].hit(), IDENTITIES[A].hit());
        parameters(&mut packet);
        packet.finish()
    };
    pair.inject(A, &update(&|_| ()));
    assert_eq!(pair.dropped(A, DropReason::BadParameter), 1);
    pair.inject(
        A,
        &update(&|p| {
            p.push(&Ack::of(0)).unwrap();
        }),
    );
    pair.inject(
        A,
        &update(&|p| {
            p.push(&Seq { update_id: 4000 }).unwrap();
        }),
    );
    assert_eq!(pair.dropped(A, DropReason::BadUpdateId), 2);
    pair.inject(
        A,
        &update(&|p| {
            p.push(&Seq { update_id: 0 }).unwrap();
        }),
    );
    assert_eq!(pair.dropped(A, DropReason::MissingParameter), 1);
}

/// 7401-5.2.20-05 7401-5.2.22-01
#[test]
fn an_echo_request_in_an_update_is_answered() {
    let mut pair = Pair::new();
    pair.establish();
    pair.ends[A].address = "192.0.2.9".parse().unwrap();
    let addresses = vec![pair.ends[A].address];
    pair.input(A, Input::LocalAddresses(addresses));
    pair.run_for(SECOND);
    let updates: Vec<Vec<u8>> = pair
        .trace
        .iter()
        .filter(|t| t.1 == PacketType::Update)
        .map(|t| t.2.clone())
        .collect();
    let request = Packet::parse(&updates[1]).unwrap();
    let response = Packet::parse(&updates[2]).unwrap();
    assert_eq!(
        request.require::<EchoRequestSigned<'_>>().unwrap().0,
        response.require::<EchoResponseSigned<'_>>().unwrap().0,
    );
}

/// 7401-6.11-04
#[test]
fn the_first_repetition_comes_after_two_round_trips() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|t| match kind_of(&t.bytes) {
        PacketType::R2 => Fate::Delay(DELAY * 18),
        _ => Fate::Deliver,
    });
    pair.connect(A);
    pair.run_for(Duration::from_secs(15));
    pair.fate = Box::new(|_| Fate::Drop);
    pair.esp(A, false, true);
    // I2 to R2 took 20 delays.
    assert_eq!(
        pair.ends[A].host.next_deadline(),
        Some(pair.now + DELAY * 40)
    );
}
