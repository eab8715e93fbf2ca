//! Packets recorded from other HIP hosts (tests/vectors), read by our codec.

#![allow(
    clippy::disallowed_methods,
    reason = "the recordings are files; the crate under test opens none"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use hip_wire::builder::write_checksum;
use hip_wire::ip::{self, IpHeader, UdpHeader};
use hip_wire::param::{
    Ack, DhGroupList, DiffieHellman, EchoRequestSigned, EchoResponseSigned, Encrypted, EspInfo,
    EspTransform, HipCipherList, HipMac, HipSignature, HipSignature2, HitSuiteList, HostId, Puzzle,
    R1Counter, Seq, Solution, TransportFormatList,
};
use hip_wire::registry::{DhGroup, EspSuite, HiAlgorithm, HipCipher};
use hip_wire::show::IpPacket;
use hip_wire::udp_encap::{self, UdpPayload};
use hip_wire::{
    Hit, Packet, PacketBuilder, PacketType, ParamType, Parameter, R1Template, WireErrorKind,
};
use serde_json::Value;

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

fn exchanges() -> Vec<Value> {
    let text = std::fs::read_to_string(vectors().join("base-exchanges.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The HIP packets of an exchange with their addresses.
fn packets(exchange: &Value) -> Vec<(Vec<u8>, IpAddr, IpAddr)> {
    let addr = |value: &Value| value.as_str().unwrap().parse().unwrap();
    let packets = exchange["hip_packets"].as_array().unwrap();
    packets
        .iter()
        .map(|packet| {
            (
                unhex(&packet["hex"]),
                addr(&packet["src"]),
                addr(&packet["dst"]),
            )
        })
        .collect()
}

fn hit(value: &Value) -> Hit {
    Hit::from_bytes(unhex(value).try_into().unwrap())
}

fn hipv2_exchanges() -> Vec<Value> {
    let all = exchanges()
        .into_iter()
        .filter(|exchange| exchange["name"].as_str().unwrap().starts_with("cutehip"));
    all.collect()
}

/// Decodes a parameter by its type and encodes it again.
fn recode(ty: ParamType, contents: &[u8], cipher: HipCipher) -> Vec<u8> {
    fn put(parameter: &impl Parameter) -> Vec<u8> {
        let mut out = Vec::new();
        parameter.encode(&mut out);
        out
    }
    match ty {
        ParamType::ESP_INFO => put(&EspInfo::parse(contents).unwrap()),
        ParamType::R1_COUNTER => put(&R1Counter::parse(contents).unwrap()),
        ParamType::PUZZLE => put(&Puzzle::parse(contents).unwrap()),
        ParamType::SOLUTION => put(&Solution::parse(contents).unwrap()),
        ParamType::SEQ => put(&Seq::parse(contents).unwrap()),
        ParamType::ACK => put(&Ack::parse(contents).unwrap()),
        ParamType::DH_GROUP_LIST => put(&DhGroupList::parse(contents).unwrap()),
        ParamType::DIFFIE_HELLMAN => put(&DiffieHellman::parse(contents).unwrap()),
        ParamType::HIP_CIPHER => put(&HipCipherList::parse(contents).unwrap()),
        ParamType::ENCRYPTED => put(&Encrypted::parse(contents, cipher).unwrap()),
        ParamType::HOST_ID => put(&HostId::parse(contents).unwrap()),
        ParamType::HIT_SUITE_LIST => put(&HitSuiteList::parse(contents).unwrap()),
        ParamType::TRANSPORT_FORMAT_LIST => put(&TransportFormatList::parse(contents).unwrap()),
        ParamType::ESP_TRANSFORM => put(&EspTransform::parse(contents).unwrap()),
        ParamType::ECHO_REQUEST_SIGNED => put(&EchoRequestSigned::parse(contents).unwrap()),
        ParamType::ECHO_RESPONSE_SIGNED => put(&EchoResponseSigned::parse(contents).unwrap()),
        ParamType::HIP_MAC | ParamType::HIP_MAC_2 => put(&HipMac::parse(contents).unwrap()),
        ParamType::HIP_SIGNATURE => put(&HipSignature::parse(contents).unwrap()),
        ParamType::HIP_SIGNATURE_2 => put(&HipSignature2::parse(contents).unwrap()),
        other => panic!("the recordings hold no {other}"),
    }
}

#[test]
fn recorded_hipv2_packets_parse_with_their_checksums_and_are_rebuilt_octet_by_octet() {
    let mut seen = BTreeMap::new();
    for exchange in hipv2_exchanges() {
        let cipher = if exchange["hip_gl_enc"].as_str().unwrap().len() == 64 {
            HipCipher::Aes256Cbc
        } else {
            HipCipher::Aes128Cbc
        };
        for (bytes, src, dst) in packets(&exchange) {
            let packet = Packet::parse(&bytes).unwrap();
            packet.verify_checksum(src, dst).unwrap();
            let mut builder =
                PacketBuilder::new(packet.packet_type(), packet.sender(), packet.receiver());
            for param in packet.params() {
                *seen.entry(param.ty).or_insert(0) += 1;
                builder
                    .push_raw(param.ty, &recode(param.ty, param.contents, cipher))
                    .unwrap();
            }
            let mut rebuilt = builder.finish();
            write_checksum(&mut rebuilt, src, dst).unwrap();
            assert_eq!(rebuilt, bytes, "{packet}");
            assert!(!packet.to_string().contains("malformed"), "{packet}");
        }
    }
    assert!(seen.len() >= 15, "the recordings cover {seen:?}");
}

#[test]
fn the_fields_of_a_recorded_base_exchange_are_those_its_maker_noted() {
    for exchange in hipv2_exchanges() {
        let packets = packets(&exchange);
        let parse = |index: usize| Packet::parse(&packets[index].0).unwrap();
        let (i1, r1, i2, r2) = (parse(0), parse(1), parse(2), parse(3));
        let types = [i1, r1, i2, r2].map(|packet| packet.packet_type());
        assert_eq!(
            types,
            [
                PacketType::I1,
                PacketType::R1,
                PacketType::I2,
                PacketType::R2
            ]
        );
        for packet in [i1, i2] {
            assert_eq!(
                (packet.sender(), packet.receiver()),
                (hit(&exchange["hit_i"]), hit(&exchange["hit_r"]))
            );
        }
        let suite = r1.sender().suite().unwrap();
        let puzzle = r1.require::<Puzzle<'_>>().unwrap();
        let solution = i2.require::<Solution<'_>>().unwrap();
        assert_eq!(
            u64::from(puzzle.difficulty),
            exchange["puzzle_K"].as_u64().unwrap()
        );
        assert!(puzzle.fits(suite) && solution.fits(suite));
        assert_eq!(puzzle.random, unhex(&exchange["I"]));
        assert_eq!(
            (solution.random, solution.opaque),
            (puzzle.random, puzzle.opaque)
        );
        assert_eq!(solution.solution, unhex(&exchange["J"]));
        assert_eq!(
            u64::from(i2.require::<EspInfo>().unwrap().keymat_index),
            exchange["keymat_index"].as_u64().unwrap()
        );
        let group = r1.require::<DiffieHellman<'_>>().unwrap().group().unwrap();
        assert_eq!(
            i2.require::<DiffieHellman<'_>>().unwrap().group(),
            Some(group)
        );
        assert_eq!(
            i2.require::<DiffieHellman<'_>>()
                .unwrap()
                .public_value
                .len(),
            group.public_value_len()
        );
        assert_eq!(i2.require::<HipCipherList>().unwrap().ids.len(), 1);
        assert_eq!(
            i2.require::<TransportFormatList>().unwrap().formats,
            [ParamType::ESP_TRANSFORM]
        );
    }
}

#[test]
fn the_first_exchange_offers_what_its_name_says() {
    let exchange = &hipv2_exchanges()[0];
    let packets = packets(exchange);
    let (r1, i2) = (
        Packet::parse(&packets[1].0).unwrap(),
        Packet::parse(&packets[2].0).unwrap(),
    );
    assert_eq!(
        r1.require::<HostId<'_>>().unwrap().hi_algorithm(),
        Some(HiAlgorithm::Rsa)
    );
    assert_eq!(
        i2.require::<DiffieHellman<'_>>().unwrap().group(),
        Some(DhGroup::EcpP256)
    );
    assert_eq!(
        i2.require::<HipCipherList>().unwrap().ciphers().next(),
        Some(HipCipher::Aes256Cbc)
    );
    assert_eq!(
        i2.require::<EspTransform>().unwrap().suites().next(),
        Some(EspSuite::Aes256CbcHmacSha256)
    );
}

#[test]
fn a_recorded_r1_serves_as_template() {
    for exchange in hipv2_exchanges() {
        let (bytes, src, dst) = packets(&exchange).swap_remove(1);
        let packet = Packet::parse(&bytes).unwrap();
        let puzzle = packet.require::<Puzzle<'_>>().unwrap();
        let template = R1Template::new(bytes.clone()).unwrap();
        let mut again = template
            .instantiate(packet.receiver(), puzzle.opaque, puzzle.random)
            .unwrap();
        write_checksum(&mut again, src, dst).unwrap();
        assert_eq!(again, bytes);
        let other = template
            .instantiate(packet.sender(), [9, 9], &vec![9; template.random_len()])
            .unwrap();
        assert_eq!(
            Packet::parse(&other).unwrap().signature_2_input(),
            packet.signature_2_input()
        );
    }
}

#[test]
fn a_flipped_octet_shows_in_the_checksum_or_in_the_structure() {
    let (bytes, src, dst) = packets(&hipv2_exchanges()[0]).swap_remove(1);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        let intact =
            Packet::parse(&damaged).is_ok_and(|packet| packet.verify_checksum(src, dst).is_ok());
        assert!(!intact, "octet {at}");
    }
}

#[test]
fn hipv1_headers_are_refused_by_version() {
    let openhip = exchanges()
        .into_iter()
        .find(|exchange| exchange["name"].as_str().unwrap().starts_with("openhip"));
    for (bytes, ..) in packets(&openhip.unwrap()) {
        assert_eq!(
            Packet::parse(&bytes).unwrap_err().kind,
            WireErrorKind::Version(1)
        );
    }
}

/// The IP packets of a capture with Ethernet link type.
fn captured(name: &str) -> Vec<Vec<u8>> {
    let file = std::fs::read(vectors().join(name)).unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(
        (word(0), word(20)),
        (0xa1b2_c3d4, 1),
        "{name}: little-endian microsecond pcap of Ethernet"
    );
    let (mut at, mut packets) = (24, Vec::new());
    while at < file.len() {
        let len = usize::try_from(word(at + 8)).unwrap();
        let frame = &file[at + 16..at + 16 + len];
        if matches!(frame[12..14], [0x08, 0x00] | [0x86, 0xdd]) {
            packets.push(frame[14..].to_vec());
        }
        at += 16 + len;
    }
    packets
}

/// HIP packets of a capture, with the addresses if not in UDP.
fn hip_of(packet: &[u8]) -> Option<&[u8]> {
    let header = IpHeader::parse(packet).unwrap();
    let payload = header.payload(packet);
    match header.protocol() {
        ip::PROTOCOL_HIP => Some(payload),
        ip::PROTOCOL_UDP => {
            let udp = UdpHeader::parse(payload).unwrap();
            if udp.dst_port != udp_encap::PORT {
                return None;
            }
            match UdpPayload::parse(udp.payload(payload)) {
                Ok(UdpPayload::Hip(hip)) => Some(hip),
                _ => None,
            }
        }
        _ => None,
    }
}

#[test]
fn captures_of_cutehip_hold_right_packets_only() {
    for (name, hip_packets, esp_packets) in [
        ("cutehip-bex-update-close-rsa2048-ecp256.pcap", 16, 14),
        ("cutehip-bex-ecdsa-p384-ecp384-null.pcap", 8, 6),
    ] {
        let (mut hip_seen, mut esp_seen) = (0, 0);
        for packet in captured(name) {
            let header = IpHeader::parse(&packet).unwrap();
            let text = IpPacket(&packet).to_string();
            assert!(!text.contains("malformed"), "{name}: {text}");
            if let Some(hip) = hip_of(&packet) {
                hip_seen += 1;
                Packet::parse(hip)
                    .unwrap()
                    .verify_checksum(header.src(), header.dst())
                    .unwrap();
            }
            esp_seen += usize::from(header.protocol() == ip::PROTOCOL_ESP);
        }
        assert_eq!((hip_seen, esp_seen), (hip_packets, esp_packets), "{name}");
    }
}

#[test]
fn captures_of_openhip_hold_hipv1_headers_only() {
    for name in [
        "openhip-bex-udp10500-rsa2048-default.pcap",
        "openhip-close.pcap",
        "openhip-ip6.pcap",
        "openhip-update.pcap",
    ] {
        let mut seen = 0;
        for packet in captured(name) {
            let Some(hip) = hip_of(&packet) else { continue };
            seen += 1;
            assert_eq!(
                Packet::parse(hip).unwrap_err().kind,
                WireErrorKind::Version(1),
                "{name}"
            );
        }
        assert!(seen >= 4, "{name}: {seen} HIP packets");
    }
}
