//! Every covered bit of every packet matters.

use hip_wire::registry::ParamType;

use super::*;

/// Octets of a packet that a change must not survive: all but those outside of every check.
fn covered(bytes: &[u8], free: &[std::ops::Range<usize>]) -> Vec<usize> {
    (0..bytes.len())
        .filter(|at| !free.iter().any(|range| range.contains(at)))
        .collect()
}

/// Next Header, the fixed and reserved bits, the checksum field (7401-5.1-10, 7401-5.1-12).
fn header_leeway(at: usize) -> u8 {
    match at {
        // Zero on the wire over UDP, and zeroed in every check.
        4 | 5 => 0,
        // The top bit of the type octet and the low half of the version octet are ignored
        // by the parser but signed; flip what the parser looks at too.
        _ => 0x10,
    }
}

/// 7401-4.1.3-06 7401-6.8.1-01 7401-5.3.2-18 7401-4.1.3-05 7401-6.8-10
#[test]
fn an_r1_with_any_signed_bit_changed_gives_no_i2() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R1);
    pair.connect(A);
    pair.run_for(Duration::from_millis(50));
    let r1 = pair.last(B, PacketType::R1);
    let puzzle = Packet::parse(&r1)
        .unwrap()
        .get(ParamType::PUZZLE)
        .unwrap()
        .offset;
    // Receiver HIT is checked elsewhere; Opaque and #I are unsigned (7401-5.2.4-04).
    let free = [4..6, puzzle + 6..puzzle + 8 + 48, padding(&r1)];
    for at in covered(&r1, &free) {
        let mut changed = r1.clone();
        changed[at] ^= header_leeway(at).max(1);
        pair.inject(A, &changed);
        assert_eq!(pair.count(A, PacketType::I2), 0, "octet {at}");
        assert_eq!(pair.state(A), StateName::I1Sent);
    }
    assert!(pair.dropped(A, DropReason::BadSignature) > 100);
    assert!(pair.dropped(A, DropReason::HitMismatch) > 64);
    pair.inject(A, &r1);
    assert_eq!(pair.count(A, PacketType::I2), 1);
}

/// 7401-6.9-23 7401-6.9-24 7401-6.9-25 7401-5.3.3-13 7401-5.3.3-14
#[test]
fn an_i2_with_any_bit_changed_makes_no_association() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::I2);
    pair.connect(A);
    pair.run_for(Duration::from_millis(50));
    let i2 = pair.last(A, PacketType::I2);
    for at in covered(&i2, &[4..6, padding(&i2)]) {
        let mut changed = i2.clone();
        changed[at] ^= header_leeway(at).max(1);
        pair.inject(B, &changed);
        assert_eq!(pair.state(B), StateName::Unassociated, "octet {at}");
        assert!(pair.ends[B].inbound.is_empty());
    }
    assert_eq!(pair.count(B, PacketType::R2), 0);
    pair.inject(B, &i2);
    assert_eq!(pair.state(B), StateName::R2Sent);
}

/// 7401-6.10-04 7401-6.10-05 7401-6.10-06 7401-5.3.4-02 7401-6.4.1-03 7401-6.4.2-03
#[test]
fn an_r2_with_any_bit_changed_completes_nothing() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R2);
    pair.connect(A);
    pair.run_for(Duration::from_millis(50));
    let r2 = pair.last(B, PacketType::R2);
    for at in covered(&r2, &[4..6, padding(&r2)]) {
        let mut changed = r2.clone();
        changed[at] ^= header_leeway(at).max(1);
        pair.inject(A, &changed);
        assert_eq!(pair.state(A), StateName::I2Sent, "octet {at}");
        assert!(pair.ends[A].outbound.is_none());
    }
    pair.inject(A, &r2);
    assert_eq!(pair.state(A), StateName::Established);
    pair.assert_connected();
}

/// 7401-6.8-25 7401-5.3.2-19
#[test]
fn an_r1_of_another_identity_under_the_peers_hit_is_refused() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R1);
    pair.connect(A);
    pair.run_for(Duration::from_millis(50));
    let i1 = pair.last(A, PacketType::I1);
    // A man in the middle answers with its own, well signed R1, under B's HIT.
    let thief = identity(KeyAlgorithm::EcdsaP256, 66);
    let thief_hit = thief.hit();
    let mut middle = Host::new(HostConfig::default(), thief, Box::new(SeededRng::new(6)));
    let mut to_thief = i1.clone();
    to_thief[24..40].copy_from_slice(thief_hit.as_bytes());
    let path = pair.path(B);
    middle.handle(
        pair.now,
        Input::Packet {
            path,
            bytes: &to_thief,
        },
    );
    let r1 = std::iter::from_fn(|| middle.poll()).find_map(|output| match output {
        Output::Send { bytes, .. } => Some(bytes),
        _ => None,
    });
    let mut r1 = r1.unwrap();
    r1[8..24].copy_from_slice(pair.hit(B).as_bytes());
    pair.inject(A, &r1);
    assert_eq!(pair.dropped(A, DropReason::HitMismatch), 1);
    assert_eq!(pair.count(A, PacketType::I2), 0);
}

/// 7401-6.9.1-02 7401-6.7.2-01 7401-6.9.1-01
#[test]
fn a_bad_i2_is_answered_by_notify_after_the_puzzle_only_and_at_a_limited_rate() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::I2);
    pair.connect(A);
    pair.run_for(Duration::from_millis(50));
    let i2 = pair.last(A, PacketType::I2);
    let offset = |ty| Packet::parse(&i2).unwrap().get(ty).unwrap().offset;
    let mut no_puzzle = i2.clone();
    no_puzzle[offset(ParamType::SOLUTION) + 10] ^= 1;
    pair.inject(B, &no_puzzle);
    assert_eq!(pair.count(B, PacketType::Notify), 0);
    let mut bad_mac = i2.clone();
    bad_mac[offset(ParamType::HIP_MAC) + 4] ^= 1;
    for _ in 0..50 {
        pair.inject(B, &bad_mac);
    }
    assert_eq!(pair.count(B, PacketType::Notify), 5);
    // The Initiator reads it and stays where it is.
    pair.run_for(Duration::from_millis(50));
    let told = Event::Notified {
        peer: pair.hit(B),
        code: 28,
    };
    assert!(pair.ends[A].events.contains(&told));
    assert_eq!(pair.state(A), StateName::I2Sent);
}
