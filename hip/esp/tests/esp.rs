//! Security associations: replay, integrity, rekeying, sizes, batches.

mod support;

use hip_crypto::aead::EspSealer;
use hip_esp::{
    DropReason, HitPair, InboundCommand, OpenedBatch, OutboundCommand, OuterHeader, SaError,
    Verdict, replay,
};
use hip_wire::registry::EspSuite;
use support::*;

/// An ESP packet of the association with a sequence number of one's choice.
fn numbered(suite: EspSuite, sequence: u64) -> Vec<u8> {
    let sealer = EspSealer::new(&keys(suite, 1)).unwrap();
    let mut esp = SPI_AB.to_be_bytes().to_vec();
    esp.extend_from_slice(&(sequence as u32).to_be_bytes());
    esp.extend_from_slice(&vec![0; suite.iv_len()]);
    let mut text = udp6(4)[40..].to_vec();
    // 12 octets of UDP, padding and trailer: a block of every suite.
    text.extend_from_slice(&[1, 2, 2, UDP]);
    esp.extend_from_slice(&text);
    esp.extend_from_slice(&[0; 16]);
    sealer
        .seal(SPI_AB, sequence, &[5; 16], &mut esp[8..])
        .unwrap();
    esp
}

fn deliver(world: &mut World, sequence: u64) -> Result<(), DropReason> {
    let esp = numbered(EspSuite::AesGcm16, sequence);
    world.open(&esp).map(drop)
}

/// 4303-2.2-01, 4303-2.2-03, 4303-2.3-01, 7402-3.3.6-01, 7402-5.1.2-14
#[test]
fn sequence_numbers_start_at_one_and_count_every_packet() {
    for suite in SUITES {
        let mut world = World::new(suite);
        for sequence in 1..=5_u32 {
            let esp = world.seal(&udp6(10));
            assert_eq!(esp[..4], SPI_AB.to_be_bytes());
            assert_eq!(esp[4..8], sequence.to_be_bytes());
        }
    }
}

/// RFC 3602 §3: never a counter, never the same twice
#[test]
fn initialisation_vectors_of_cbc_do_not_repeat() {
    let mut world = World::new(EspSuite::Aes128CbcHmacSha256);
    let vectors: std::collections::BTreeSet<Vec<u8>> = (0..200)
        .map(|_| world.seal(&udp6(3))[8..24].to_vec())
        .collect();
    assert_eq!(vectors.len(), 200);
}

/// 7402-3.3.6-02, 4303-3.4.3-01, 4303-3.4.3-04
#[test]
fn a_packet_is_accepted_once() {
    for suite in SUITES {
        let mut world = World::new(suite);
        let esp = world.seal(&udp6(10));
        assert!(world.open(&esp).is_ok());
        assert_eq!(world.open(&esp), Err(DropReason::Replayed));
        assert_eq!(world.b.inbound.stats().drops.get(DropReason::Replayed), 1);
        assert_eq!(world.b.inbound.stats().packets, 1);
    }
}

/// 4303-3.4.3-07
#[test]
fn reordering_within_the_window_is_accepted_and_deeper_is_not() {
    let mut world = World::new(EspSuite::AesGcm16);
    let top = 20_000;
    assert_eq!(deliver(&mut world, top), Ok(()));
    for back in [1, 64, 1000, replay::WINDOW - 1] {
        assert_eq!(deliver(&mut world, top - back), Ok(()), "{back} back");
        assert_eq!(deliver(&mut world, top - back), Err(DropReason::Replayed));
    }
    // From the wire alone this number may as well be 2^32 ahead: its ICV says it is not.
    for back in [replay::WINDOW, replay::WINDOW + 64, 19_999] {
        assert_eq!(
            deliver(&mut world, top - back),
            Err(DropReason::IcvFailed),
            "{back} back"
        );
    }
    assert_eq!(deliver(&mut world, top + 1), Ok(()));
}

/// 4303-A2-04
#[test]
fn numbers_before_the_first_are_too_old() {
    let mut world = World::new(EspSuite::AesGcm16);
    assert_eq!(deliver(&mut world, 0xffff_ffff), Err(DropReason::TooOld));
    assert_eq!(deliver(&mut world, 0), Err(DropReason::TooOld));
    assert_eq!(deliver(&mut world, 1), Ok(()));
}

/// 7402-3.3.6-03, 7402-3.3.6-05, 4303-2.2.1-03, 4303-2.2.1-04, 4303-2.2.1-05
#[test]
fn the_high_half_is_recovered_across_the_32_bit_boundary_in_any_order() {
    for suite in SUITES {
        let mut world = World::new(suite);
        let half = 1_u64 << 32;
        let order = [
            half / 2,
            half - 3,
            half - 1,
            half + 2,
            half - 2,
            half,
            half + 1,
            half + 9000,
            2 * half + 7,
        ];
        for sequence in order {
            let esp = numbered(suite, sequence);
            assert!(world.open(&esp).is_ok(), "{suite:?}: {sequence:#x}");
            assert_eq!(
                world.open(&esp),
                Err(DropReason::Replayed),
                "{suite:?}: {sequence:#x}"
            );
        }
        let seen = world.b.inbound.sas().next().unwrap().sequence;
        assert_eq!(seen, 2 * half + 7);
    }
}

/// 4303-3.4.3-06, 4303-A2-06, 4303-3.4.3-05
#[test]
fn a_forged_high_number_does_not_move_the_window() {
    let mut world = World::new(EspSuite::Aes256CbcHmacSha256);
    let good = world.seal(&udp6(10));
    let mut forged = good.clone();
    forged[4..8].copy_from_slice(&0x7fff_ffff_u32.to_be_bytes());
    assert_eq!(world.open(&forged), Err(DropReason::IcvFailed));
    assert_eq!(world.b.inbound.sas().next().unwrap().sequence, 0);
    assert!(world.open(&good).is_ok());
}

/// 4303-2-03, 4303-2.8-01, 4303-3.4.3-11, 4303-3.4.4.2-01, 7402-B.1.6-02
#[test]
fn every_flipped_bit_and_every_other_length_is_rejected() {
    for suite in SUITES {
        let mut world = World::new(suite);
        let good = world.seal(&udp6(10));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let want = if bit < 32 {
                DropReason::UnknownSpi
            } else {
                DropReason::IcvFailed
            };
            let got = world.open(&bad);
            assert!(
                got == Err(want) || (32..64).contains(&bit) && got == Err(DropReason::TooOld),
                "{suite:?}, bit {bit}: {got:?}"
            );
        }
        for length in 0..good.len() {
            assert!(
                world.open(&good[..length]).is_err(),
                "{suite:?}, {length} octets"
            );
        }
        let longer = [&good[..], &[0; 16]].concat();
        assert_eq!(world.open(&longer), Err(DropReason::IcvFailed));
        assert!(world.open(&good).is_ok());
        assert_eq!(world.opened.len(), 1);
    }
}

/// 4303-2.4-05, 4303-2.4-06, 4303-2.4-07, 4303-3.4.4.1-01
#[test]
fn padding_is_checked_after_the_integrity() {
    let sealer = EspSealer::new(&keys(EspSuite::NullHmacSha256, 1)).unwrap();
    let mut world = World::new(EspSuite::NullHmacSha256);
    let mut sequence = 0;
    let mut send = |text: &[u8]| {
        sequence += 1;
        let mut esp = [
            &SPI_AB.to_be_bytes()[..],
            &u32::to_be_bytes(sequence),
            text,
            &[0; 16],
        ]
        .concat();
        sealer
            .seal(SPI_AB, sequence.into(), &[0; 16], &mut esp[8..])
            .unwrap();
        world.open(&esp)
    };
    assert_eq!(
        send(&[1, 2, 9, 3, 3, 3, 3, UDP]),
        Err(DropReason::BadPadding)
    );
    assert_eq!(
        send(&[0, 0, 0, 0, 0, 0, 7, UDP]),
        Err(DropReason::BadPadding)
    );
    assert_eq!(send(&[0, 0, 255, UDP]), Err(DropReason::BadPadding));
    assert!(send(&[1, 2, 2, UDP]).is_ok());
    let mut longest: Vec<u8> = vec![77; 3];
    longest.extend(1..=255);
    longest.extend([255, UDP]);
    let arrived = send(&longest).unwrap();
    assert_eq!(arrived[40..], [77; 3]);
}

/// 4303-2.6-01, 4303-2.6-02, 4303-2.6-03, 4303-2.6-04, 4303-3.4.4.1-03
#[test]
fn dummies_are_valid_packets_that_nobody_sees() {
    for suite in SUITES {
        let mut world = World::new(suite);
        let pair = pair_of_a();
        let verdict = world.a.outbound.seal_dummy(pair, 300, &mut world.sealed);
        assert_eq!(verdict, Verdict::Sealed);
        let dummy = world.sealed.packets().next().unwrap().1.to_vec();
        assert!(dummy.len() > 300);
        assert_eq!(world.open(&dummy), Err(DropReason::Dummy));
        assert_eq!(world.open(&dummy), Err(DropReason::Replayed));
        let mut active = Vec::new();
        world.b.inbound.take_activity(|pair| active.push(pair.peer));
        assert_eq!(active, [alice()], "a dummy shows that the peer is there");
    }
}

/// 4303-2.1-02, 4303-2.1-03, 7402-3.2.1-05, 4303-3.4.2-01, 4303-2.1-01
#[test]
fn spis_are_looked_up_and_never_reserved_ones() {
    let mut world = World::new(EspSuite::AesGcm16);
    for spi in [0, 1, 255] {
        let sa = parameters(alice(), bob(), spi, keys(EspSuite::AesGcm16, 9));
        let refused = Err(SaError::ReservedSpi(spi));
        assert_eq!(
            world.a.outbound.apply(OutboundCommand::Install(sa.clone())),
            refused
        );
        assert_eq!(world.a.inbound.apply(InboundCommand::Install(sa)), refused);
        let mut esp = world.seal(&udp6(1));
        esp[..4].copy_from_slice(&spi.to_be_bytes());
        assert_eq!(world.open(&esp), Err(DropReason::ReservedSpi));
    }
    let mut esp = world.seal(&udp6(1));
    esp[..4].copy_from_slice(&300_u32.to_be_bytes());
    assert_eq!(world.open(&esp), Err(DropReason::UnknownSpi));
}

#[test]
fn an_spi_in_use_is_not_given_away() {
    let mut world = World::new(EspSuite::AesGcm16);
    let sa = parameters(bob(), alice(), SPI_AB, keys(EspSuite::AesGcm16, 1));
    let esp = world.seal(&udp6(1));
    assert!(world.open(&esp).is_ok());
    let again = world.b.inbound.apply(InboundCommand::Install(sa));
    assert_eq!(again, Err(SaError::SpiInUse(SPI_AB)));
    assert_eq!(
        world.open(&esp),
        Err(DropReason::Replayed),
        "the window was not forgotten"
    );
}

#[test]
fn unsupported_suites_and_wrong_keys_are_refused() {
    let mut world = World::without_sas();
    let mut wrong = keys(EspSuite::AesGcm16, 1);
    wrong.suite = EspSuite::Aes256CbcHmacSha256;
    let sa = parameters(alice(), bob(), 300, wrong);
    assert_eq!(
        world.a.outbound.apply(OutboundCommand::Install(sa.clone())),
        Err(SaError::Keys)
    );
    assert_eq!(
        world.a.inbound.apply(InboundCommand::Install(sa)),
        Err(SaError::Keys)
    );
}

/// 7402-5.1.1-09, 7402-6.8-11
#[test]
fn at_rekey_old_and_new_sas_work_side_by_side() {
    let suite = EspSuite::AesGcm16;
    let mut world = World::new(suite);
    let old = world.seal(&udp6(1));
    let late = world.seal(&udp6(2));
    assert!(world.open(&old).is_ok());

    let spi = 0x3000_0003;
    let fresh = parameters(bob(), alice(), spi, keys(suite, 3));
    world
        .b
        .inbound
        .apply(InboundCommand::Install(fresh))
        .unwrap();
    let fresh = parameters(alice(), bob(), spi, keys(suite, 3));
    world
        .a
        .outbound
        .apply(OutboundCommand::Install(fresh))
        .unwrap();
    let pair = pair_of_a();
    world.sealed.clear();
    world.a.outbound.seal_dummy(pair, 9, &mut world.sealed);
    let dummy = world.sealed.packets().next().unwrap().1.to_vec();
    assert_eq!(dummy[..8], [0x30, 0, 0, 3, 0, 0, 0, 1]);
    assert_eq!(world.open(&dummy), Err(DropReason::Dummy));
    let new = world.seal(&udp6(3));

    let (outer, mut batch) = (OuterHeader::default(), OpenedBatch::new());
    let opened = world
        .b
        .inbound
        .open(&mut new.clone(), outer, &mut batch)
        .unwrap();
    assert!(opened.first, "the sign that the old SA may go");
    assert_eq!((opened.spi, opened.pair.peer), (spi, alice()));
    assert!(
        world.open(&late).is_ok(),
        "sent before the change, arrived after it"
    );
    let next = world.seal(&udp6(4));
    let opened = world
        .b
        .inbound
        .open(&mut next.clone(), outer, &mut batch)
        .unwrap();
    assert!(!opened.first);

    world
        .b
        .inbound
        .apply(InboundCommand::RemoveSpi { spi: SPI_AB })
        .unwrap();
    assert_eq!(world.open(&late), Err(DropReason::UnknownSpi));
    let next = world.seal(&udp6(5));
    assert!(world.open(&next).is_ok());
}

/// 7402-3.3.1-05, 7402-6.7-01
#[test]
fn removed_associations_carry_nothing() {
    let mut world = World::new(EspSuite::AesGcm16);
    let esp = world.seal(&udp6(1));
    let pair = pair_of_a();
    world
        .a
        .outbound
        .apply(OutboundCommand::Remove(pair))
        .unwrap();
    let verdict = world.a.outbound.seal(&udp6(1), &mut world.sealed);
    assert_eq!(verdict, Verdict::Pending { pair });
    let inner = udp4(&world, 1);
    assert_eq!(
        world.a.outbound.seal(&inner, &mut world.sealed),
        Verdict::Pending { pair }
    );
    let pair = HitPair {
        local: bob(),
        peer: alice(),
    };
    world.b.inbound.apply(InboundCommand::Remove(pair)).unwrap();
    assert_eq!(world.open(&esp), Err(DropReason::UnknownSpi));
    assert_eq!(
        world.b.inbound.apply(InboundCommand::Remove(pair)),
        Err(SaError::Unknown)
    );
}

#[test]
fn an_lsi_stands_for_one_peer() {
    let mut world = World::without_sas();
    let other = HitPair {
        local: alice(),
        peer: hit("2001:21::9"),
    };
    let lsi = world.a.peer_lsi;
    let outbound = &mut world.a.outbound;
    let taken = Err(SaError::LsiInUse);
    assert_eq!(
        outbound.apply(OutboundCommand::MapLsi { lsi, pair: other }),
        taken
    );
    assert_eq!(
        outbound.apply(OutboundCommand::MapLsi {
            lsi: OWN_LSI,
            pair: other
        }),
        taken
    );
    assert_eq!(
        world
            .a
            .inbound
            .apply(InboundCommand::MapLsi { lsi, pair: other }),
        taken
    );
    assert_eq!(outbound.apply(OutboundCommand::UnmapLsi { lsi }), Ok(()));
    assert_eq!(
        outbound.apply(OutboundCommand::MapLsi { lsi, pair: other }),
        Ok(())
    );
}

#[test]
fn addresses_that_stand_for_nobody_are_unreachable() {
    let mut world = World::new(EspSuite::AesGcm16);
    let mut inner = udp4(&world, 10);
    inner[16..20].copy_from_slice(&[198, 18, 9, 9]);
    assert_eq!(
        world.a.outbound.seal(&inner, &mut world.sealed),
        Verdict::Icmp
    );
    let reply = world.sealed.replies().next().unwrap();
    assert_eq!(reply[20..22], [3, 1]);
    assert_valid(reply);
    // A HIT of no known suite: nobody can have its key.
    let mut inner = udp6(10);
    inner[24..40].copy_from_slice(hit("2001:20::1").as_bytes());
    assert_eq!(
        world.a.outbound.seal(&inner, &mut world.sealed),
        Verdict::Icmp
    );
    let reply = world.sealed.replies().nth(1).unwrap();
    assert_eq!(reply[40..42], [1, 3]);
    assert_valid(reply);
    for group in [[255; 4], [224, 0, 0, 251]] {
        let mut inner = udp4(&world, 10);
        inner[16..20].copy_from_slice(&group);
        let verdict = world.a.outbound.seal(&inner, &mut world.sealed);
        assert_eq!(verdict, Verdict::Dropped(DropReason::NotForPeer));
    }
}

/// 7402-6.8-12, 7402-3.3.7-02, 7402-3.3.6-04
#[test]
fn an_sa_asks_to_be_replaced_long_before_its_numbers_run_out() {
    let mut world = World::without_sas();
    let mut config = hip_esp::OutboundConfig::new(alice(), OWN_LSI);
    config.rekey_sequence = 3;
    let rng = Box::new(hip_crypto::rng::SeededRng::new(1));
    world.a.outbound = hip_esp::Outbound::new(config, rng);
    let sa = parameters(alice(), bob(), 300, keys(EspSuite::AesGcm16, 1));
    world
        .a
        .outbound
        .apply(OutboundCommand::Install(sa))
        .unwrap();
    for due in [false, false, true, true] {
        world.seal(&udp6(1));
        assert_eq!(world.a.outbound.sas().next().unwrap().rekey_due, due);
    }
}

/// What the inactivity timers of RFC 7402 §3.3.3 are fed with.
#[test]
fn activity_is_reported_once() {
    let mut world = World::new(EspSuite::AesGcm16);
    let esp = world.seal(&udp6(1));
    world.open(&esp).unwrap();
    assert_eq!(world.open(&esp), Err(DropReason::Replayed));
    let count = |world: &mut World| {
        let mut seen = (0, 0);
        world.a.outbound.take_activity(|_| seen.0 += 1);
        world.b.inbound.take_activity(|_| seen.1 += 1);
        seen
    };
    assert_eq!(count(&mut world), (1, 1));
    assert_eq!(count(&mut world), (0, 0));
}

/// 4303-A3-01, 4303-A3-02, 4303-A3-03
#[test]
fn a_receiver_that_lost_a_whole_half_finds_its_way_back() {
    for suite in SUITES {
        let mut world = World::new(suite);
        assert!(world.open(&numbered(suite, 5)).is_ok());
        let lost = 1_u64 << 32;
        let mut failed = 0;
        let mut sequence = lost + 100;
        while world.open(&numbered(suite, sequence)).is_err() {
            failed += 1;
            sequence += 1;
            assert!(failed < 1000, "{suite:?} never recovers");
        }
        assert!(failed >= 100, "one bad packet starts no search");
        assert_eq!(world.b.inbound.sas().next().unwrap().sequence, sequence);
        assert!(world.open(&numbered(suite, sequence + 1)).is_ok());
    }
}
