//! Loss, duplication and reordering.

use super::*;

fn unreliable(seed: u64, loss: u64, duplicate: u64, delay: u64) -> Judge {
    let mut rng = SeededRng::new(seed);
    Box::new(move |_| {
        let roll = rng.next_u64() % 100;
        if roll < loss {
            Fate::Drop
        } else if roll < loss + duplicate {
            Fate::Duplicate
        } else if roll < loss + duplicate + delay {
            Fate::Delay(Duration::from_millis(rng.next_u64() % 3000))
        } else {
            Fate::Deliver
        }
    })
}

/// 7401-6.6-06 7401-6.8-35 7401-4.4.3-19
#[test]
fn any_single_lost_packet_of_the_exchange_is_made_up_for() {
    for kind in [
        PacketType::I1,
        PacketType::R1,
        PacketType::I2,
        PacketType::R2,
    ] {
        for losses in 1..=3 {
            let mut pair = Pair::new();
            pair.fate = lose_first(kind, losses);
            pair.connect(A);
            pair.run_for(Duration::from_secs(20));
            assert_eq!(
                pair.state(A),
                StateName::Established,
                "{kind} lost {losses} times"
            );
            pair.assert_connected();
        }
    }
}

#[test]
fn exchanges_over_a_bad_network_end_well_or_fail_with_a_reason() {
    for seed in 0..300 {
        let mut pair = Pair::new();
        pair.fate = unreliable(seed, 20, 10, 20);
        pair.connect(A);
        if seed % 3 == 0 {
            pair.connect(B);
        }
        pair.run_for(Duration::from_secs(40));
        pair.fate = Box::new(|_| Fate::Deliver);
        pair.run_for(Duration::from_secs(40));
        match pair.state(A) {
            StateName::Established | StateName::R2Sent => pair.assert_connected(),
            state => {
                assert_eq!(state, StateName::Unassociated, "seed {seed}");
                assert!(pair.failed(A).is_some(), "seed {seed}: silent failure");
            }
        }
    }
}

#[test]
fn close_and_reconnect_over_a_bad_network_never_leave_half_an_association() {
    for seed in 0..100 {
        let mut pair = Pair::new();
        pair.establish();
        pair.fate = unreliable(seed, 20, 10, 20);
        pair.close(A);
        pair.run_for(Duration::from_millis(seed * 20));
        pair.connect(B);
        pair.run_for(Duration::from_secs(40));
        pair.fate = Box::new(|_| Fate::Deliver);
        pair.connect(B);
        pair.run_for(Duration::from_secs(40));
        pair.connect(B);
        pair.run_for(Duration::from_secs(40));
        assert!(
            matches!(pair.state(B), StateName::Established | StateName::R2Sent),
            "seed {seed}: {:?}",
            pair.states(),
        );
        pair.assert_connected();
    }
}

/// 7401-6-01
#[test]
fn duplicates_of_every_packet_change_nothing() {
    let mut pair = Pair::new();
    pair.fate = Box::new(|_| Fate::Duplicate);
    pair.establish();
    pair.assert_connected();
    assert_eq!((pair.established(A), pair.established(B)), (1, 1));
    assert_eq!(
        (pair.ends[A].inbound.len(), pair.ends[B].inbound.len()),
        (1, 1)
    );
    pair.close(B);
    pair.run_for(SECOND);
    assert_eq!(pair.states(), [StateName::Closed, StateName::Unassociated]);
}

#[test]
fn random_octets_are_dropped_in_every_state() {
    let mut rng = SeededRng::new(4);
    let mut pair = Pair::new();
    pair.connect(A);
    for _ in 0..2000 {
        let mut junk = vec![0; usize::try_from(rng.next_u64() % 300).unwrap()];
        rng.fill(&mut junk);
        pair.inject(A, &junk);
        pair.inject(B, &junk);
    }
    pair.run_for(SECOND);
    assert_eq!(pair.states(), [StateName::Established, StateName::R2Sent]);
    assert_eq!(pair.dropped(A, DropReason::Malformed), 2000);
}

/// One of the packets seen so far, with a few octets changed, or cut or grown.
fn mangle(rng: &mut SeededRng, packet: &[u8]) -> Vec<u8> {
    let below =
        |rng: &mut SeededRng, bound: usize| usize::try_from(rng.next_u64()).unwrap() % bound.max(1);
    let mut bytes = packet.to_vec();
    for _ in 0..below(rng, 4) {
        let at = below(rng, bytes.len());
        bytes[at] = rng.next_u64().to_be_bytes()[0];
    }
    match below(rng, 4) {
        0 => bytes.truncate(below(rng, packet.len()) / 8 * 8),
        1 => bytes.resize(packet.len() + below(rng, 64) / 8 * 8, 0),
        _ => {}
    }
    if bytes.len() >= 40 && below(rng, 4) != 0 {
        bytes[1] = u8::try_from(bytes.len() / 8 - 1).unwrap_or(255);
    }
    bytes
}

#[test]
fn mangled_packets_in_any_state_neither_break_a_host_nor_keep_it_from_working() {
    for seed in 0..40 {
        let mut rng = SeededRng::new(seed);
        let mut pair = Pair::new();
        pair.fate = unreliable(seed, 10, 10, 10);
        pair.connect(A);
        for round in 0..150 {
            let (_, _, packet) = pair.trace[rng.next_u64() as usize % pair.trace.len()].clone();
            let end = (rng.next_u64() % 2) as usize;
            let bytes = mangle(&mut rng, &packet);
            pair.inject(end, &bytes);
            pair.run_for(Duration::from_millis(rng.next_u64() % 300));
            match round % 30 {
                9 => pair.close(end),
                14 | 24 => pair.connect(end),
                19 => pair.esp(end, false, true),
                _ => {}
            }
        }
        pair.fate = Box::new(|_| Fate::Deliver);
        pair.close(A);
        pair.run_for(MINUTE * 40);
        assert_eq!(pair.states(), [StateName::Unassociated; 2], "seed {seed}");
        pair.assert_no_sas();
        pair.connect(B);
        pair.run_for(SECOND);
        assert_eq!(pair.state(B), StateName::Established, "seed {seed}");
        pair.assert_connected();
    }
}
