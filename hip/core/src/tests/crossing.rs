//! Both ends call each other at once.

use super::*;

/// 7401-4.4.3-07 7401-4.4.3-08 7401-6.7-10 7401-6.7-11 7401-6.7-09
#[test]
fn crossing_i1s_end_with_the_smaller_hit_as_initiator() {
    let mut pair = Pair::new();
    pair.connect(A);
    pair.connect(B);
    pair.run_for(SECOND);
    assert_eq!(pair.states(), [StateName::Established, StateName::R2Sent]);
    assert_eq!(
        pair.dropped(A, DropReason::Crossing),
        1,
        "A dropped the I1 of B"
    );
    pair.assert_connected();
    assert_eq!((pair.established(A), pair.established(B)), (1, 1));
}

/// 7401-4.4.3-14 7401-6.9-08 7401-6.9-09 7401-6.9-10
#[test]
fn crossing_i2s_end_with_the_smaller_hit_as_initiator() {
    let mut pair = Pair::new();
    // The I1s of A are late, so that A answers the I1 of B before it sends its own.
    pair.connect(B);
    pair.run_for(DELAY + Duration::from_millis(5));
    pair.connect(A);
    // B's R1 is on its way; A's I1 too. Both get R1 and send I2.
    pair.run_for(SECOND);
    pair.esp(A, true, false);
    pair.esp(B, true, false);
    assert_eq!(pair.states(), [StateName::Established; 2]);
    pair.assert_connected();
}

/// 7401-4.4.3-14
#[test]
fn an_i2_of_the_greater_hit_is_dropped_in_i2_sent() {
    let mut pair = Pair::new();
    let drop_i2 = |t: &Transit| match kind_of(&t.bytes) {
        PacketType::I2 => Fate::Drop,
        _ => Fate::Deliver,
    };
    pair.fate = Box::new(drop_i2);
    // B gets an R1 of A, then A starts too.
    pair.connect(B);
    pair.run_for(Duration::from_millis(50));
    pair.connect(A);
    pair.run_for(Duration::from_millis(50));
    assert_eq!(pair.states(), [StateName::I2Sent; 2]);
    let (from_a, from_b) = (pair.last(A, PacketType::I2), pair.last(B, PacketType::I2));
    pair.inject(A, &from_b);
    assert_eq!(pair.state(A), StateName::I2Sent);
    assert_eq!(pair.dropped(A, DropReason::Crossing), 1);
    pair.inject(B, &from_a);
    assert_eq!(pair.state(B), StateName::R2Sent);
    assert_eq!(
        pair.ends[B].inbound.len(),
        1,
        "the SA of the I2 of B is gone"
    );
    pair.run_for(Duration::from_millis(50));
    assert_eq!(pair.state(A), StateName::Established);
    pair.assert_connected();
}

/// 7401-4.4.3-14
#[test]
fn a_late_i2_of_a_lost_crossing_does_not_split_the_association() {
    let mut pair = Pair::new();
    // The I2 of B is overtaken by everything else.
    let hold_i2_of_b = |t: &Transit| match (t.to, kind_of(&t.bytes)) {
        (A, PacketType::I2) => Fate::Drop,
        _ => Fate::Deliver,
    };
    pair.fate = Box::new(hold_i2_of_b);
    pair.connect(B);
    pair.run_for(DELAY + Duration::from_millis(5));
    pair.connect(A);
    pair.run_for(SECOND);
    let late = pair.last(B, PacketType::I2);
    assert_eq!(pair.state(A), StateName::Established);
    pair.inject(A, &late);
    assert_eq!(pair.dropped(A, DropReason::Overtaken), 1);
    assert_eq!(pair.state(A), StateName::Established);
    pair.assert_connected();
}

#[test]
fn crossing_exchanges_end_well_at_every_offset_in_time() {
    for offset in 0..60 {
        for first in [A, B] {
            let mut pair = Pair::new();
            pair.connect(first);
            pair.run_for(Duration::from_millis(offset));
            pair.connect(1 - first);
            pair.run_for(Duration::from_secs(5));
            pair.esp(A, true, false);
            pair.esp(B, true, false);
            assert_eq!(
                pair.states(),
                [StateName::Established; 2],
                "{first} first, {offset} ms"
            );
            pair.assert_connected();
        }
    }
}

/// 7401-6.9-15
#[test]
fn of_two_i2s_that_overtake_each_other_the_later_one_counts() {
    let mut pair = Pair::new();
    pair.fate = lose_first(PacketType::I2, 1);
    pair.connect(A);
    pair.run_for(Duration::from_millis(100));
    let late = pair.last(A, PacketType::I2);
    // A fresher R1 makes A start over while its first I2 is still under way.
    let now = pair.now;
    pair.ends[B].host.set_puzzle_difficulty(now, 1);
    let i1 = pair.last(A, PacketType::I1);
    pair.inject(B, &i1);
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.states(), [StateName::Established, StateName::R2Sent]);
    pair.inject(B, &late);
    assert_eq!(pair.dropped(B, DropReason::Overtaken), 1);
    pair.assert_connected();
}
