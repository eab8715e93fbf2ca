//! Lengths, MTUs and the shape of batches.

mod support;

use hip_esp::{
    BATCH_PACKETS, OpenedBatch, OutboundCommand, OuterHeader, Path, RUN_SEGMENTS_MAX, SealedBatch,
    Transport, Verdict, inner_mtu,
};
use hip_wire::registry::EspSuite;
use support::*;

/// 4303-2.4-02, 4303-2.4-03, 7402-5.1.2-13
#[test]
fn packets_have_the_length_the_layout_says_and_are_aligned() {
    for suite in SUITES {
        let mut world = World::new(suite);
        let layout = hip_esp::SuiteLayout::of(suite);
        for length in 0..=64 {
            let inner = udp6(length);
            let esp = world.seal(&inner);
            assert_eq!(esp.len(), layout.packet(inner.len() - 40));
            assert_eq!((esp.len() - 8 - layout.iv - layout.icv) % layout.block, 0);
            assert_eq!(layout.payload_max(esp.len()).min(length + 8), length + 8);
        }
    }
}

/// 4303-3.3.4-02, 4303-3.3.4-01
#[test]
fn packets_that_would_not_fit_the_path_are_answered_with_its_mtu() {
    for suite in SUITES {
        for (path, path_mtu) in [(udp_path(), 1500), (udp_path(), 1413), (raw6(), 1472)] {
            let mut world = World::new(suite);
            let pair = pair_of_a();
            let outbound = &mut world.a.outbound;
            outbound
                .apply(OutboundCommand::MovePath { pair, path })
                .unwrap();
            outbound
                .apply(OutboundCommand::PathMtu {
                    pair,
                    mtu: path_mtu,
                })
                .unwrap();
            let mtu = inner_mtu(path_mtu, &path, suite);
            assert_eq!(outbound.inner_mtu(pair), Some(mtu));

            let esp = world.seal(&udp6(mtu.hit - 48));
            assert!(esp.len() + hip_esp::encap::outer_header(&path) <= path_mtu);
            assert!(world.open(&esp).is_ok());
            let inner = udp4(&world, mtu.lsi - 28);
            let esp = world.seal(&inner);
            assert!(esp.len() + hip_esp::encap::outer_header(&path) <= path_mtu);

            world.sealed.clear();
            let inner4 = udp4(&world, mtu.lsi - 27);
            for inner in [udp6(mtu.hit - 47), inner4] {
                assert_eq!(
                    world.a.outbound.seal(&inner, &mut world.sealed),
                    Verdict::Icmp
                );
            }
            let replies: Vec<&[u8]> = world.sealed.replies().collect();
            assert_eq!(replies.len(), 2);
            assert_eq!(assert_valid(replies[0]), (ipv6(bob()), ipv6(alice())));
            assert_eq!(replies[0][40..42], [2, 0]);
            assert_eq!(
                replies[0][44..48],
                u32::try_from(mtu.hit).unwrap().to_be_bytes()
            );
            assert_eq!(
                assert_valid(replies[1]),
                (ipv4(world.a.peer_lsi), ipv4(OWN_LSI))
            );
            assert_eq!(replies[1][20..22], [3, 4]);
            assert_eq!(
                replies[1][26..28],
                u16::try_from(mtu.lsi).unwrap().to_be_bytes()
            );
            assert_eq!(world.a.outbound.stats().icmp, 2);
        }
    }
}

fn raw6() -> Path {
    Path {
        transport: Transport::Raw,
        local: "[2001:db8::1]:0".parse().unwrap(),
        remote: "[2001:db8::2]:0".parse().unwrap(),
    }
}

/// 4303-3.3.4-01: fragmentation comes after ESP
#[test]
fn ipv4_without_df_is_sealed_whole_however_large() {
    let mut world = World::new(EspSuite::AesGcm16);
    let mut header = header4(&world, UDP);
    header.dont_fragment = false;
    let large = udp4(&world, 3000);
    let esp = world.seal(&raw4(header, &large[20..]));
    assert!(esp.len() > 3000);
    assert!(world.open(&esp).is_ok());
}

/// RFC 8200 §5
#[test]
fn no_sender_is_told_of_less_than_the_least_mtu() {
    for suite in SUITES {
        let mtu = inner_mtu(600, &udp_path(), suite);
        assert_eq!(mtu.hit, 1280);
        assert_eq!(inner_mtu(100, &udp_path(), suite).lsi, 576);
    }
}

#[test]
fn inner_mtus_of_an_ethernet_path() {
    let mtu = |suite| inner_mtu(1500, &udp_path(), suite);
    let gcm = mtu(EspSuite::AesGcm16);
    assert_eq!((gcm.hit, gcm.lsi), (1478, 1450));
    let cbc = mtu(EspSuite::Aes256CbcHmacSha256);
    assert_eq!((cbc.hit, cbc.lsi), (1462, 1434));
    for suite in SUITES {
        assert_eq!(mtu(suite).hit - mtu(suite).lsi, 28);
    }
}

#[test]
fn equal_packets_to_one_destination_form_runs_for_segmentation_offload() {
    let mut world = World::new(EspSuite::AesGcm16);
    let mut batch = SealedBatch::new();
    // 40 equal, a shorter one that ends the run, 3 longer ones, one with another class.
    let lengths = [[1000; 40].as_slice(), &[500], &[1200; 3]].concat();
    for length in &lengths {
        assert_eq!(
            world.a.outbound.seal(&udp6(*length), &mut batch),
            Verdict::Sealed
        );
    }
    assert_eq!(
        world.a.outbound.seal(&tcp6(1188), &mut batch),
        Verdict::Sealed
    );
    let shape: Vec<_> = batch.runs().iter().map(|run| run.count).collect();
    assert_eq!(shape, [41, 3, 1]);
    assert_eq!(batch.runs()[2].traffic_class, 0xb9);
    let mut at = 0;
    for run in batch.runs() {
        assert_eq!(run.range.start, at, "contiguous");
        at = run.range.end;
        let sizes: Vec<_> = run.packets().map(|range| range.len()).collect();
        assert!(
            sizes[..run.count - 1]
                .iter()
                .all(|size| *size == run.segment)
        );
        assert!(sizes[run.count - 1] <= run.segment);
        assert_eq!(sizes.len(), run.count);
        assert_eq!(run.path, udp_path());
    }
    assert_eq!(at, batch.arena().len());
    for (packet, length) in batch.packets().zip(&lengths) {
        assert_eq!(world.open(packet.1).unwrap()[40..], udp6(*length)[40..]);
    }
}

#[test]
fn runs_keep_to_the_limits_of_one_call() {
    let mut world = World::new(EspSuite::AesGcm16);
    let mut batch = SealedBatch::new();
    for _ in 0..150 {
        world.a.outbound.seal(&udp6(10), &mut batch);
    }
    assert!(batch.is_full() && batch.len() > BATCH_PACKETS);
    let counts: Vec<_> = batch.runs().iter().map(|run| run.count).collect();
    assert_eq!(counts, [RUN_SEGMENTS_MAX, RUN_SEGMENTS_MAX, 22]);
    batch.clear();
    for _ in 0..60 {
        world.a.outbound.seal(&udp6(1400), &mut batch);
    }
    assert!(batch.runs().iter().all(|run| run.range.len() <= 65_507));
    assert_eq!(batch.runs().iter().map(|run| run.count).sum::<usize>(), 60);
}

#[test]
fn warm_batches_do_not_grow() {
    let mut world = World::new(EspSuite::AesGcm16);
    let inner = [udp6(1400), tcp4(&world, 1300)];
    let (mut sealed, mut opened) = (SealedBatch::new(), OpenedBatch::new());
    let mut memory = std::collections::BTreeSet::new();
    for _ in 0..100 {
        sealed.clear();
        opened.clear();
        for _ in 0..30 {
            for inner in &inner {
                world.a.outbound.seal(inner, &mut sealed);
            }
        }
        for (_, esp) in sealed.packets() {
            let mut esp = esp.to_vec();
            world
                .b
                .inbound
                .open(&mut esp, OuterHeader::default(), &mut opened)
                .unwrap();
        }
        memory.insert((sealed.arena().as_ptr(), opened.arena().as_ptr()));
    }
    assert_eq!(memory.len(), 1, "the arenas stayed where they were");
}

/// A new SA on the same path starts with what is known of it.
#[test]
fn the_path_mtu_outlives_a_rekey_and_not_a_move() {
    let suite = EspSuite::AesGcm16;
    let mut world = World::new(suite);
    let pair = pair_of_a();
    let narrow = inner_mtu(1400, &udp_path(), suite);
    let outbound = &mut world.a.outbound;
    outbound
        .apply(OutboundCommand::PathMtu { pair, mtu: 1400 })
        .unwrap();
    let fresh = parameters(alice(), bob(), 0x3000_0003, keys(suite, 3));
    outbound.apply(OutboundCommand::Install(fresh)).unwrap();
    assert_eq!(outbound.inner_mtu(pair), Some(narrow));
    let path = raw6();
    outbound
        .apply(OutboundCommand::MovePath { pair, path })
        .unwrap();
    assert_eq!(
        outbound.inner_mtu(pair),
        Some(inner_mtu(1500, &path, suite))
    );
}
