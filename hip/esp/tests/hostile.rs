//! Whatever arrives is dropped by name: no panic, no growth, no packet that nobody sent.

mod support;

use hip_crypto::aead::EspSealer;
use hip_esp::{OpenedBatch, OuterHeader, PendingLimits, PendingQueue, SealedBatch, Verdict, icmp};
use hip_wire::registry::EspSuite;
use proptest::prelude::*;
use support::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// 4303-3.4.2-01, 4303-3.4.3-11
    #[test]
    fn arbitrary_octets_never_open(mut octets in proptest::collection::vec(any::<u8>(), 0..200), known in any::<bool>(), suite in 0..4_usize) {
        let mut world = World::new(SUITES[suite]);
        if known && octets.len() >= 4 {
            octets[..4].copy_from_slice(&SPI_AB.to_be_bytes());
        }
        let mut batch = OpenedBatch::new();
        prop_assert!(world.b.inbound.open(&mut octets, OuterHeader::default(), &mut batch).is_err());
        prop_assert!(batch.is_empty() && batch.arena().is_empty());
        prop_assert_eq!(world.b.inbound.stats().drops.total(), 1);
    }

    /// What an authenticated but malicious peer can put into ESP.
    #[test]
    fn arbitrary_text_of_a_peer_is_rebuilt_or_dropped(
        mut text in proptest::collection::vec(any::<u8>(), 0..120),
        next_header in prop_oneof![any::<u8>(), Just(94), Just(1), Just(58), Just(59)],
        pad in prop_oneof![Just(0_u8), any::<u8>()],
    ) {
        text.truncate(text.len() / 4 * 4);
        text.extend_from_slice(&[0, 0, pad, next_header]);
        let sealer = EspSealer::new(&keys(EspSuite::NullHmacSha256, 1)).unwrap();
        let mut esp = [&SPI_AB.to_be_bytes()[..], &[0, 0, 0, 1], &text, &[0; 16]].concat();
        sealer.seal(SPI_AB, 1, &[0; 16], &mut esp[8..]).unwrap();
        let mut world = World::new(EspSuite::NullHmacSha256);
        let mut batch = OpenedBatch::new();
        match world.b.inbound.open(&mut esp, OuterHeader { traffic_class: 3, hop_limit: 9 }, &mut batch) {
            Ok(opened) => {
                let inner = batch.packets().next().unwrap();
                prop_assert_eq!(inner.len(), opened.range.len());
                // Never more than header and options above what came in.
                prop_assert!(inner.len() <= text.len() + 60);
                if inner[0] >> 4 == 6 {
                    let addresses = [*alice().as_bytes(), *bob().as_bytes()].concat();
                    prop_assert_eq!(&inner[8..40], addresses);
                } else {
                    prop_assert_eq!(&inner[12..16], world.b.peer_lsi.0.octets());
                    prop_assert_eq!(&inner[16..20], OWN_LSI.0.octets());
                    let (header, _) = etherparse::Ipv4Header::from_slice(inner).unwrap();
                    prop_assert_eq!(header.header_checksum, header.calc_header_checksum());
                }
            }
            Err(reason) => {
                prop_assert!(batch.arena().is_empty());
                prop_assert_eq!(world.b.inbound.stats().drops.get(reason), 1);
            }
        }
    }

    /// Local programs may write anything to the TUN as well.
    #[test]
    fn arbitrary_inner_packets_are_sealed_answered_or_dropped(
        mut octets in proptest::collection::vec(any::<u8>(), 0..200),
        shape in 0..4_u8,
    ) {
        let mut world = World::new(EspSuite::AesGcm16);
        match shape {
            0 if octets.len() >= 48 => {
                let header = udp6(octets.len() - 48);
                octets[..40].copy_from_slice(&header[..40]);
            }
            1 if octets.len() >= 28 => {
                let header = udp4(&world, octets.len() - 28);
                octets[..20].copy_from_slice(&header[..20]);
                octets[9] = header[24];
            }
            _ => {}
        }
        let mut batch = SealedBatch::new();
        let verdict = world.a.outbound.seal(&octets, &mut batch);
        prop_assert_eq!(batch.len(), usize::from(verdict == Verdict::Sealed));
        prop_assert_eq!(batch.replies().count(), usize::from(verdict == Verdict::Icmp));
        if let Some((_, esp)) = batch.packets().next() {
            prop_assert!(esp.len() <= octets.len() + 60);
        }
    }

    /// Errors are never about errors, and always smaller than the least MTU.
    #[test]
    fn icmp_errors_are_well_formed_and_bounded(octets in proptest::collection::vec(any::<u8>(), 0..100), length in 0..3000_usize, v6 in any::<bool>()) {
        let world = World::new(EspSuite::AesGcm16);
        let mut out = Vec::new();
        prop_assert!(icmp::too_big(&octets, 1400, &mut out) != out.is_empty());
        out.clear();
        let inner = if v6 { udp6(length) } else { udp4(&world, length) };
        prop_assert!(icmp::unreachable(&inner, icmp::Unreachable::NoRoute, &mut out));
        assert_valid(&out);
        let most = if v6 { 1280 } else { 576 };
        prop_assert!(out.len() <= most);
        let mut again = Vec::new();
        prop_assert!(!icmp::unreachable(&out, icmp::Unreachable::NoRoute, &mut again));
        prop_assert!(again.is_empty());
    }
}

#[test]
fn a_failed_association_can_be_reported_to_everyone_who_waits() {
    let mut queue = PendingQueue::new(PendingLimits::default());
    for length in 0..4 {
        queue.push(pair_of_a(), &udp6(length));
    }
    let mut out = Vec::new();
    for packet in queue.take(pair_of_a()) {
        out.clear();
        assert!(icmp::unreachable(
            &packet,
            icmp::Unreachable::Admin,
            &mut out
        ));
        assert_eq!(out[40..42], [1, 1]);
        assert_eq!(assert_valid(&out), (ipv6(bob()), ipv6(alice())));
        assert_eq!(out[48..], packet);
    }
}

#[test]
fn group_traffic_and_later_fragments_are_not_answered() {
    let world = World::new(EspSuite::AesGcm16);
    let mut out = Vec::new();
    let mut multicast = udp6(4);
    multicast[24] = 0xff;
    let mut unspecified = udp6(4);
    unspecified[8..24].fill(0);
    let mut later = udp4(&world, 4);
    later[7] = 1;
    for packet in [multicast, unspecified, later] {
        assert!(!icmp::too_big(&packet, 1400, &mut out));
        assert!(out.is_empty());
    }
}
