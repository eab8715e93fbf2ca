use hip_crypto::keymat::EspKeys;
use hip_crypto::rng::SeededRng;
use hip_crypto::secret::Secret;
use hip_wire::hit::Hit;
use hip_wire::path::{Path, Transport};
use hip_wire::registry::EspSuite;

use super::*;

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn inbound(spi: u32, keys: EspKeys) -> (Inbound, HitPair) {
    let hit = |text: &str| text.parse::<Hit>().unwrap();
    let pair = HitPair {
        local: hit("2001:21::1"),
        peer: hit("2001:21::2"),
    };
    let mut inbound = Inbound::new(Lsi([198, 18, 0, 1].into()), &mut SeededRng::new(1));
    let address = "192.0.2.1:10500".parse().unwrap();
    let path = Path {
        transport: Transport::Udp,
        local: address,
        remote: address,
    };
    let parameters = SaParameters {
        local: pair.local,
        peer: pair.peer,
        spi,
        keys,
        path,
    };
    inbound.apply(InboundCommand::Install(parameters)).unwrap();
    (inbound, pair)
}

/// An ESP packet with AES-128-GCM and extended sequence numbers, of
/// draft-mcgrew-gcm-test-01 section 4 (the examples for RFC 4106).
///
/// 4303-2.2.1-05, 4303-3.3.2.2-01, 7402-3.3.6-03
#[test]
fn the_gcm_example_with_extended_sequence_numbers_opens() {
    let keys = EspKeys {
        suite: EspSuite::AesGcm16,
        encryption: Secret::new(octets("4c80cdefbb5d10da906ac73c3613a6342e443b68")),
        authentication: Secret::new(vec![]),
    };
    let (mut inbound, pair) = inbound(0x4321, keys);
    // The example is in the middle of the life of its SA: high half 0x87654321, low half 0.
    let sequence = 0x8765_4321_0000_0000;
    inbound
        .sas
        .get_mut(&0x4321)
        .unwrap()
        .window
        .commit(sequence - 1);
    let lsi = Lsi([198, 18, 3, 4].into());
    inbound.apply(InboundCommand::MapLsi { lsi, pair }).unwrap();
    let mut packet = octets(
        "00004321000000004956ed7e3b244cfe\
         fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34\
         cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce\
         61bc17d768fd9732459018148f6cbe722fd04796562dfdb4",
    );
    let mut batch = OpenedBatch::new();
    let opened = inbound
        .open(&mut packet, OuterHeader::default(), &mut batch)
        .unwrap();
    assert_eq!(opened.pair, pair);
    assert_eq!(inbound.sas.get(&0x4321).unwrap().window.top(), sequence);
    // Its next header is 1, which is ICMP between LSIs for HIP; the octets are the example's.
    let inner = batch.packets().next().unwrap();
    let want = "45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000\
                00000000045f736970045f756470037369700963796265726369747902646b00\
                00210001";
    assert_eq!(inner.get(20..).unwrap(), octets(want));
}

/// 4303-2.4-07
#[test]
fn the_trailer_alone_is_an_empty_payload_and_less_is_nothing() {
    assert_eq!(unpad(&[0, 59]), Ok((&[][..], 59)));
    assert_eq!(unpad(&[1, 1, 6]), Ok((&[][..], 6)));
    assert_eq!(unpad(&[1, 6]), Err(DropReason::BadPadding));
    assert_eq!(unpad(&[6]), Err(DropReason::BadPadding));
    assert_eq!(unpad(&[]), Err(DropReason::BadPadding));
}

#[test]
fn the_high_half_is_not_looked_for_after_the_last_one() {
    let keys = EspKeys {
        suite: EspSuite::NullHmacSha256,
        encryption: Secret::new(vec![]),
        authentication: Secret::new(vec![3; 32]),
    };
    let (mut inbound, _) = inbound(0x4321, keys);
    let sa = inbound.sas.get_mut(&0x4321).unwrap();
    sa.window.commit(u64::MAX - 10);
    sa.failures = RESYNC_AFTER;
    let mut packet = [0; 32];
    packet[2..4].copy_from_slice(&[0x43, 0x21]);
    packet[4..8].copy_from_slice(&u32::to_be_bytes(u32::MAX));
    let got = inbound.open(&mut packet, OuterHeader::default(), &mut OpenedBatch::new());
    assert_eq!(got, Err(DropReason::IcvFailed));
}
