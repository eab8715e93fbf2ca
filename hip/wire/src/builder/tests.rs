use core::net::Ipv4Addr;

use super::*;
use crate::packet::{CONTROL_ANONYMOUS, MAX_PARAMETERS_LEN};
use crate::param::{EchoRequestUnsigned, HipMac, HipSignature2, HostId};
use crate::registry::HiAlgorithm;

fn builder(packet_type: PacketType) -> PacketBuilder {
    PacketBuilder::new(
        packet_type,
        "2001:21::1".parse().unwrap(),
        "2001:22::2".parse().unwrap(),
    )
}

/// 7401-5.2.1-01
/// 7401-5.2.1-02
#[test]
fn parameters_out_of_order_are_refused_and_leave_the_packet_as_it_was() {
    let mut packet = builder(PacketType::I2);
    packet.push_raw(ParamType::HIP_CIPHER, &[0, 2]).unwrap();
    let before = packet.clone().finish();
    let error = packet.push_raw(ParamType::PUZZLE, &[]).unwrap_err();
    let (previous, found) = (ParamType::HIP_CIPHER, ParamType::PUZZLE);
    assert_eq!(
        error.kind,
        WireErrorKind::ParameterOrder { previous, found }
    );
    let error = packet.push_raw(ParamType::HIP_CIPHER, &[0, 2]).unwrap_err();
    assert_eq!(
        error.kind,
        WireErrorKind::DuplicateParameter(ParamType::HIP_CIPHER)
    );
    assert_eq!(packet.finish(), before);
}

/// 7401-5.1-06
#[test]
fn a_packet_holds_2008_octets_of_parameters_and_no_more() {
    let mut packet = builder(PacketType::Update);
    packet
        .push_raw(ParamType(1000), &vec![0; MAX_PARAMETERS_LEN - 4])
        .unwrap();
    assert_eq!(packet.packet_len(), MAX_PACKET_LEN);
    assert_eq!(
        packet.push_raw(ParamType(1002), &[]).unwrap_err().kind,
        WireErrorKind::TooLong
    );
    let bytes = packet.finish();
    assert_eq!(bytes[1], 255);
    assert!(Packet::parse(&bytes).is_ok());

    let mut packet = builder(PacketType::Update);
    for len in [MAX_PARAMETERS_LEN - 3, 65_536] {
        assert_eq!(
            packet
                .push_raw(ParamType(1000), &vec![0; len])
                .unwrap_err()
                .kind,
            WireErrorKind::TooLong
        );
    }
}

/// 7401-5.1-09
/// 7401-5.1-11
/// 7401-5.1.2-01
/// 7401-5.1.2-04
#[test]
fn fixed_and_reserved_bits_are_sent_as_the_rfc_wants_them() {
    let bytes = builder(PacketType::R1).controls(0xffff).finish();
    assert_eq!(bytes[..8], [59, 4, 2, 0x21, 0, 0, 0, 1]);
    assert!(Packet::parse(&bytes).unwrap().is_anonymous());
    assert_eq!(CONTROL_ANONYMOUS, 1);
}

#[test]
fn the_inputs_of_a_partial_packet_are_those_of_the_finished_one() {
    let host_id =
        crate::packet::encode_tlv(&HostId::new(HiAlgorithm::Rsa, &[3, 1, 0, 1, 9])).unwrap();
    let mut packet = builder(PacketType::Update);
    packet.push_raw(ParamType::SEQ, &[0, 0, 0, 1]).unwrap();
    let mac_input = packet.mac_input().unwrap();
    packet.push(&HipMac(&[7; 32])).unwrap();
    let signature_input = packet.signature_input().unwrap();
    packet
        .push_raw(ParamType::HIP_SIGNATURE, &[0, 5, 1])
        .unwrap();
    let bytes = packet.finish();
    let parsed = Packet::parse(&bytes).unwrap();
    assert_eq!(parsed.mac_input().unwrap(), mac_input);
    assert_eq!(parsed.signature_input().unwrap(), signature_input);

    let mut packet = builder(PacketType::R2);
    packet.push_raw(ParamType::ESP_INFO, &[0; 12]).unwrap();
    let mac_2_input = packet.mac_2_input(&host_id).unwrap();
    packet.push_raw(ParamType::HIP_MAC_2, &[7; 32]).unwrap();
    let bytes = packet.finish();
    assert_eq!(
        Packet::parse(&bytes)
            .unwrap()
            .mac_2_input(&host_id)
            .unwrap(),
        mac_2_input
    );
}

#[test]
fn a_checksum_needs_a_header_and_one_address_family() {
    let (v4, v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), "::1".parse().unwrap());
    let mut bytes = builder(PacketType::I1).finish();
    assert_eq!(
        write_checksum(&mut bytes, v4, v6).unwrap_err().kind,
        WireErrorKind::AddressFamily
    );
    assert_eq!(
        write_checksum(&mut bytes[..39], v4, v4).unwrap_err().kind,
        WireErrorKind::Truncated
    );
}

fn r1() -> PacketBuilder {
    let mut packet = builder(PacketType::R1);
    packet
        .push(&Puzzle {
            difficulty: 3,
            lifetime: 37,
            opaque: [0; 2],
            random: &[0; 32],
        })
        .unwrap();
    packet.push_raw(ParamType::HIP_CIPHER, &[0, 2]).unwrap();
    packet
}

/// 7401-5.3.2-07
#[test]
fn an_r1_made_from_the_template_has_the_same_signature_input() {
    let mut packet = r1();
    let signed = packet.signature_2_input().unwrap();
    packet
        .push(&HipSignature2::new(HiAlgorithm::Ecdsa, &[1; 64]))
        .unwrap();
    packet.push(&EchoRequestUnsigned(b"middlebox")).unwrap();
    let template = R1Template::new(packet.finish()).unwrap();
    assert_eq!(template.random_len(), 32);

    let receiver: Hit = "2001:23::77".parse().unwrap();
    let random: [u8; 32] = core::array::from_fn(|i| u8::try_from(i).unwrap());
    let bytes = template
        .instantiate(receiver, [0xbe, 0xef], &random)
        .unwrap();
    let parsed = Packet::parse(&bytes).unwrap();
    let puzzle = parsed.require::<Puzzle<'_>>().unwrap();
    assert_eq!(parsed.receiver(), receiver);
    assert_eq!(
        (puzzle.difficulty, puzzle.opaque, puzzle.random),
        (3, [0xbe, 0xef], &random[..])
    );
    assert_eq!(parsed.signature_2_input().unwrap(), signed);
    assert_eq!(parsed.checksum(), 0);
    assert_eq!(bytes.len(), template.bytes().len());
}

#[test]
fn a_template_needs_an_r1_with_a_puzzle_and_a_fitting_random_value() {
    let other = builder(PacketType::I2).finish();
    assert_eq!(
        R1Template::new(other).unwrap_err().kind,
        WireErrorKind::BadValue("packet type")
    );
    let without = builder(PacketType::R1).finish();
    assert_eq!(
        R1Template::new(without).unwrap_err().kind,
        WireErrorKind::MissingParameter(ParamType::PUZZLE)
    );
    let template = R1Template::new(r1().finish()).unwrap();
    assert_eq!(
        template
            .instantiate(Hit::NULL, [0; 2], &[0; 20])
            .unwrap_err()
            .kind,
        WireErrorKind::BadLength
    );
}
