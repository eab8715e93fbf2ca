//! Inner headers: what leaves, what arrives, and that it is the SA that decides
//! (RFC 7402 Appendix B). etherparse is the judge of headers and checksums.

mod support;

use etherparse::{Ipv4Header, Ipv4Options, PacketBuilder};
use hip_crypto::aead::EspSealer;
use hip_esp::{DropReason, Verdict};
use hip_wire::registry::EspSuite;
use support::*;

/// Seals text of one's own making: what a peer with the keys could send.
fn forge(sequence: u64, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let sealer = EspSealer::new(&keys(EspSuite::NullHmacSha256, 1)).unwrap();
    let mut esp = SPI_AB.to_be_bytes().to_vec();
    esp.extend_from_slice(&(sequence as u32).to_be_bytes());
    esp.extend_from_slice(payload);
    let padding = (4 - (payload.len() + 2) % 4) % 4;
    esp.extend((1..=padding).map(|octet| octet as u8));
    esp.extend_from_slice(&[padding as u8, next_header]);
    esp.extend_from_slice(&[0; 16]);
    sealer
        .seal(SPI_AB, sequence, &[0; 16], &mut esp[8..])
        .unwrap();
    esp
}

/// Payload and next header of an ESP packet of the NULL suite.
fn clear_text(esp: &[u8]) -> (&[u8], u8) {
    let text = &esp[8..esp.len() - 16];
    let (padding, next_header) = (usize::from(text[text.len() - 2]), text[text.len() - 1]);
    (&text[..text.len() - 2 - padding], next_header)
}

/// Protocol and payload of an IPv4 packet, its transport checksum blanked.
fn without_checksum(packet: &[u8]) -> (u8, Vec<u8>) {
    let mut payload = packet[20..].to_vec();
    let at = match packet[9] {
        6 => 16,
        UDP => 6,
        _ => 2,
    };
    payload[at..at + 2].fill(0);
    (packet[9], payload)
}

/// 7402-3.2-01, 7402-3.2-02, 7402-B.1.4-05, 7402-B.1.6-03, 7402-B.1.6-06, 7402-6.2-05
#[test]
fn packets_between_hits_arrive_as_they_left() {
    for suite in SUITES {
        let mut world = World::new(suite);
        for length in (0..70).chain([500, 1200]) {
            for inner in [udp6(length), tcp6(length), ping6(length)] {
                let arrived = world.carry(&inner).unwrap();
                assert_eq!(arrived, inner, "{suite:?}, {length} octets");
                assert_eq!(assert_valid(&arrived), (ipv6(alice()), ipv6(bob())));
            }
        }
    }
}

/// 7402-B.1.1-03, 7402-3.2-01
#[test]
fn packets_between_lsis_arrive_with_the_lsis_of_the_receiver() {
    for suite in SUITES {
        let mut world = World::new(suite);
        for length in (0..70).chain([500, 1200]) {
            for inner in [
                udp4(&world, length),
                tcp4(&world, length),
                ping4(&world, length),
            ] {
                let arrived = world.carry(&inner).unwrap();
                let addresses = (ipv4(world.b.peer_lsi), ipv4(OWN_LSI));
                assert_eq!(
                    assert_valid(&arrived),
                    addresses,
                    "{suite:?}, {length} octets"
                );
                assert_eq!(without_checksum(&arrived), without_checksum(&inner));
                assert_eq!(
                    (arrived[1], arrived[8], arrived[9]),
                    (inner[1], inner[8], inner[9])
                );
            }
        }
    }
}

/// 7402-B.1.2-01, 7402-3.1-01, 7402-B.1.3-01, 4303-2.4-04
#[test]
fn the_wire_carries_no_inner_header() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    let inner = udp6(33);
    let esp = world.seal(&inner);
    assert_eq!(clear_text(&esp), (&inner[40..], UDP));
    // 41 octets of UDP: one of padding, so that the trailer ends on a word.
    assert_eq!(esp[49..52], [1, 1, UDP]);
}

/// 7402-B.1.7-01, 7402-B.1.7-02, 7402-B.1.7-03, 7402-B.1.7-04, 7402-B.1.7-05, 7402-3.4-03
#[test]
fn lsi_packets_travel_behind_a_pseudo_header_with_checksums_over_the_hits() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    for inner in [udp4(&world, 40), tcp4(&world, 41)] {
        let esp = world.seal(&inner);
        let (payload, next_header) = clear_text(&esp);
        assert_eq!(next_header, 94);
        assert_eq!(payload[..8], [inner[9], 0, 4, 0, 1, 1, 1, 1]);
        // The same transport octets behind the header the HITs would have had.
        let mut with_hits = vec![0x60, 0, 0, 0];
        with_hits.extend_from_slice(&u16::try_from(payload.len() - 8).unwrap().to_be_bytes());
        with_hits.extend_from_slice(&[inner[9], 64]);
        with_hits.extend_from_slice(alice().as_bytes());
        with_hits.extend_from_slice(bob().as_bytes());
        with_hits.extend_from_slice(&payload[8..]);
        assert_valid(&with_hits);
    }
}

#[test]
fn icmp_between_lsis_needs_no_pseudo_header() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    let inner = ping4(&world, 12);
    let esp = world.seal(&inner);
    assert_eq!(clear_text(&esp), (&inner[20..], 1));
}

/// 7402-3.2-01
#[test]
fn udp_without_a_checksum_gets_one_before_it_leaves() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    for length in [0, 1, 2, 31, 1000] {
        let mut inner = udp4(&world, length);
        inner[26..28].fill(0);
        let arrived = world.carry(&inner).unwrap();
        assert_ne!(arrived[26..28], [0, 0]);
        assert_valid(&arrived);
    }
}

#[test]
fn udp_without_a_checksum_from_another_implementation_stays_without() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    let mut payload = vec![UDP, 0, 4, 0, 1, 1, 1, 1];
    payload.extend_from_slice(&[0x10, 0x92, 0, 53, 0, 9, 0, 0, 7]);
    let arrived = world.open(&forge(1, 94, &payload)).unwrap();
    assert_eq!(arrived[26..28], [0, 0]);
}

/// One's complement has two zeros; UDP must never turn its checksum into "none".
#[test]
fn no_udp_checksum_becomes_zero_on_the_way() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    let mut seen = std::collections::BTreeSet::new();
    for port in 0..=u16::MAX {
        let builder =
            PacketBuilder::ipv4(OWN_LSI.0.octets(), world.a.peer_lsi.0.octets(), 55).udp(port, 53);
        let mut inner = Vec::new();
        builder.write(&mut inner, &[1, 2]).unwrap();
        let esp = world.seal(&inner);
        let on_wire = u16::from_be_bytes([esp[22], esp[23]]);
        assert_ne!(on_wire, 0);
        seen.insert(on_wire);
        let arrived = world.open(&esp).unwrap();
        assert_ne!(arrived[26..28], [0, 0]);
        assert_valid(&arrived);
    }
    assert!(seen.contains(&0xffff), "the run met the interesting value");
}

/// 7402-B.1.5-06
#[test]
fn ipv4_options_stay_at_home() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    let plain = udp4(&world, 9);
    let mut header = header4(&world, UDP);
    header.options = Ipv4Options::from([148, 4, 0, 0, 1, 1, 1, 0]);
    let arrived = world.carry(&raw4(header, &plain[20..])).unwrap();
    assert_eq!(arrived.len(), plain.len());
    assert_valid(&arrived);
}

/// 7402-B.1.6-04, 7402-B.1.7-06, 7402-B.1.7-07
#[test]
fn ipv4_options_that_a_peer_carries_are_restored() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    let plain = udp4(&world, 9);
    let esp = world.seal(&plain);
    let transport = clear_text(&esp).0[8..].to_vec();
    // Router alert: with 4 octets of padding, and with 8 octets and none.
    let cases: [(&[u8], &[u8]); 3] = [
        (&[UDP, 0, 0, 0, 148, 4, 0, 0], &[148, 4, 0, 0]),
        (
            &[UDP, 1, 4, 0, 1, 1, 1, 1, 148, 4, 0, 0, 1, 1, 1, 0],
            &[148, 4, 0, 0, 1, 1, 1, 0],
        ),
        (&[UDP, 0, 4, 0, 1, 1, 1, 1], &[]),
    ];
    for (sequence, (pseudo, options)) in (2..).zip(cases) {
        let arrived = world
            .open(&forge(sequence, 94, &[pseudo, &transport].concat()))
            .unwrap();
        assert_valid(&arrived);
        let (header, rest) = Ipv4Header::from_slice(&arrived).unwrap();
        assert_eq!(header.options.as_slice(), options);
        assert_eq!(rest[8..], plain[28..]);
    }
}

/// 7402-B.1.7-03, 7402-B.1.7-04
#[test]
fn malformed_pseudo_headers_are_dropped() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    let udp = [0x10, 0x92, 0, 53, 0, 9, 0, 0, 7];
    let cases: [&[u8]; 8] = [
        &[],
        &[UDP, 0, 4],
        &[UDP, 1, 4, 0, 1, 1, 1, 1],   // longer than the packet
        &[UDP, 0, 8, 0, 1, 1, 1, 1],   // padding of 8
        &[UDP, 0, 3, 0, 1, 1, 1, 1],   // padding of 3
        &[UDP, 0, 4, 0, 1, 1, 0, 1],   // padding that is not NOP
        &[UDP, 0, 0, 0, 148, 9, 0, 0], // option longer than the options
        &[UDP, 0, 0, 0, 148, 1, 0, 0], // option shorter than itself
    ];
    for (sequence, case) in (1..).zip(cases) {
        let tail: &[u8] = if case.len() < 8 || case[1] == 1 {
            &[]
        } else {
            &udp
        };
        let got = world.open(&forge(sequence, 94, &[case, tail].concat()));
        assert_eq!(got, Err(DropReason::BadPseudoHeader), "{case:?}");
    }
    let long = [&[UDP, 6, 4, 0][..], &[1; 52], &udp].concat();
    assert_eq!(
        world.open(&forge(20, 94, &long)),
        Err(DropReason::BadPseudoHeader)
    );
    let routed = [
        &[UDP, 1, 0, 0, 131, 7, 4, 10, 0, 0, 1, 0, 0, 0, 0, 0][..],
        &udp,
    ]
    .concat();
    assert_eq!(
        world.open(&forge(21, 94, &routed)),
        Err(DropReason::SourceRoute)
    );
    let short = [&[6, 0, 4, 0, 1, 1, 1, 1][..], &[0; 17]].concat();
    assert_eq!(
        world.open(&forge(22, 94, &short)),
        Err(DropReason::TruncatedTransport)
    );
}

/// BEET has no fragment fields: a fragment could not be put together again.
#[test]
fn inner_ipv4_fragments_are_refused_by_name() {
    let mut world = World::new(EspSuite::AesGcm16);
    let whole = udp4(&world, 64);
    for (more_fragments, offset) in [(true, 0), (false, 8), (true, 8)] {
        let mut header = header4(&world, UDP);
        header.dont_fragment = false;
        header.more_fragments = more_fragments;
        header.fragment_offset = etherparse::IpFragOffset::try_new(offset).unwrap();
        let verdict = world
            .a
            .outbound
            .seal(&raw4(header, &whole[20..]), &mut world.sealed);
        assert_eq!(verdict, Verdict::Dropped(DropReason::InnerFragment));
    }
    assert_eq!(
        world
            .a
            .outbound
            .stats()
            .drops
            .get(DropReason::InnerFragment),
        3
    );
    assert!(world.sealed.is_empty());
}

/// 7402-B.1.2-02: extension headers follow the ESP header, fragments included
#[test]
fn ipv6_extension_headers_and_fragments_carry_on_as_next_headers() {
    let mut world = World::new(EspSuite::Aes128CbcHmacSha256);
    let mut fragment = udp6(24);
    fragment[6] = 44;
    fragment.splice(40..40, [UDP, 0, 0, 1, 0, 0, 0, 9]);
    let length = u16::try_from(fragment.len() - 40).unwrap();
    fragment[4..6].copy_from_slice(&length.to_be_bytes());
    let mut hop_by_hop = udp6(24);
    hop_by_hop[6] = 0;
    hop_by_hop.splice(40..40, [UDP, 0, 1, 4, 0, 0, 0, 0]);
    hop_by_hop[4..6].copy_from_slice(&length.to_be_bytes());
    for inner in [fragment, hop_by_hop] {
        assert_eq!(world.carry(&inner).unwrap(), inner);
    }
}

/// 7402-B.1.4-01, 7402-B.1.5-01, 7402-3.4.1-02, 7402-3.4.1-04
#[test]
fn only_packets_with_the_addresses_of_an_sa_are_sealed() {
    let mut world = World::new(EspSuite::AesGcm16);
    let mallory = hit("2001:21::bad");
    let all_routers = "ff02::2".parse::<std::net::Ipv6Addr>().unwrap();
    let dropped = Verdict::Dropped;
    let pending = hip_esp::HitPair {
        local: alice(),
        peer: mallory,
    };
    let cases = [
        (
            mallory.to_addr(),
            bob().to_addr(),
            dropped(DropReason::ForeignSource),
        ),
        (
            alice().to_addr(),
            alice().to_addr(),
            dropped(DropReason::NotForPeer),
        ),
        (
            "fe80::1".parse().unwrap(),
            bob().to_addr(),
            dropped(DropReason::ForeignSource),
        ),
        (
            alice().to_addr(),
            all_routers,
            dropped(DropReason::NotForPeer),
        ),
        (
            alice().to_addr(),
            mallory.to_addr(),
            Verdict::Pending { pair: pending },
        ),
    ];
    for (source, destination, verdict) in cases {
        let mut inner = udp6(5);
        inner[8..24].copy_from_slice(&source.octets());
        inner[24..40].copy_from_slice(&destination.octets());
        assert_eq!(world.a.outbound.seal(&inner, &mut world.sealed), verdict);
    }
    let mut foreign = udp4(&world, 5);
    foreign[12..16].copy_from_slice(&[10, 0, 0, 1]);
    let verdict = world.a.outbound.seal(&foreign, &mut world.sealed);
    assert_eq!(verdict, Verdict::Dropped(DropReason::ForeignSource));
    assert!(world.sealed.is_empty());
}

/// 7402-B.1.6-05: whatever the peer writes, the packet comes from the peer
#[test]
fn a_peer_cannot_choose_the_inner_addresses() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    // An IPv6 packet in ESP (tunnel mode) is a payload like any other.
    let tunnelled = udp6(5);
    let arrived = world.open(&forge(1, 41, &tunnelled)).unwrap();
    assert_eq!(arrived[8..24], *alice().as_bytes());
    assert_eq!(arrived[24..40], *bob().as_bytes());
    assert_eq!(arrived[6], 41);
}

#[test]
fn next_headers_with_a_meaning_inside_esp_are_not_sent_to_hits() {
    let mut world = World::new(EspSuite::AesGcm16);
    for next_header in [1, 59, 94] {
        let mut inner = udp6(5);
        inner[6] = next_header;
        let verdict = world.a.outbound.seal(&inner, &mut world.sealed);
        assert_eq!(verdict, Verdict::Dropped(DropReason::ReservedNextHeader));
    }
}

#[test]
fn ipv4_from_a_peer_without_an_lsi_is_dropped() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    let esp = world.seal(&udp4(&world, 5));
    let ping = world.seal(&ping4(&world, 5));
    let pair = hip_esp::HitPair {
        local: bob(),
        peer: alice(),
    };
    world
        .b
        .inbound
        .apply(hip_esp::InboundCommand::UnmapLsi { pair })
        .unwrap();
    assert_eq!(world.open(&esp), Err(DropReason::NoLsi));
    assert_eq!(world.open(&ping), Err(DropReason::NoLsi));
}

#[test]
fn icmp_errors_quote_the_lsis_of_the_receiver() {
    let mut world = World::new(EspSuite::AesGcm16);
    // Bob's packet to Alice as Alice saw it, quoted by Alice's kernel.
    let builder =
        PacketBuilder::ipv4(world.a.peer_lsi.0.octets(), OWN_LSI.0.octets(), 55).udp(1, 2);
    let mut quoted = Vec::new();
    builder.write(&mut quoted, &[9; 20]).unwrap();
    let unreachable = etherparse::Icmpv4Type::DestinationUnreachable(
        etherparse::icmpv4::DestUnreachableHeader::Port,
    );
    let builder = PacketBuilder::ipv4(OWN_LSI.0.octets(), world.a.peer_lsi.0.octets(), 64)
        .icmpv4(unreachable);
    let mut inner = Vec::new();
    builder.write(&mut inner, &quoted).unwrap();
    let arrived = world.carry(&inner).unwrap();
    assert_eq!(
        assert_valid(&arrived),
        (ipv4(world.b.peer_lsi), ipv4(OWN_LSI))
    );
    let (header, rest) = Ipv4Header::from_slice(&arrived[28..]).unwrap();
    assert_eq!(header.source, OWN_LSI.0.octets());
    assert_eq!(header.destination, world.b.peer_lsi.0.octets());
    assert_eq!(header.header_checksum, header.calc_header_checksum());
    assert_eq!(rest[..4], quoted[20..24], "the ports find the socket");
}

#[test]
fn what_belongs_to_a_link_is_not_taken_from_a_peer() {
    let mut world = World::new(EspSuite::NullHmacSha256);
    let cases: [(u8, &[u8]); 4] = [
        (58, &[134, 0, 0, 0, 64, 0, 0, 0]),
        (58, &[137, 0, 0, 0, 0, 0, 0, 0]),
        (1, &[5, 1, 0, 0, 10, 0, 0, 1]),
        (94, &[1, 0, 4, 0, 1, 1, 1, 1, 5, 1, 0, 0, 10, 0, 0, 1]),
    ];
    for (sequence, (next_header, message)) in (1..).zip(cases) {
        let got = world.open(&forge(sequence, next_header, message));
        assert_eq!(got, Err(DropReason::LinkControl));
    }
}

#[test]
fn malformed_inner_packets_are_counted_and_dropped() {
    let mut world = World::new(EspSuite::AesGcm16);
    let good = udp6(20);
    let mut long = good.clone();
    long[5] += 1;
    let mut version = good.clone();
    version[0] = 0x50;
    let mut header = udp4(&world, 5);
    header[0] = 0x44;
    for inner in [
        &good[..39],
        &[],
        &long,
        &version,
        &header,
        &udp4(&world, 5)[..30],
    ] {
        let verdict = world.a.outbound.seal(inner, &mut world.sealed);
        assert_eq!(verdict, Verdict::Dropped(DropReason::MalformedInner));
    }
    // Octets behind the stated length do not leave.
    let mut trailing = good.clone();
    trailing.extend_from_slice(b"secret");
    assert_eq!(world.carry(&trailing).unwrap(), good);
}
