use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::builder::{PacketBuilder, write_checksum};
use crate::param::{DhGroupList, EspInfo, HipSignature2, Puzzle};
use crate::registry::{DhGroup, HiAlgorithm};

fn hit(last: u16) -> Hit {
    Hit::try_from(Ipv6Addr::new(0x2001, 0x21, 0, 0, 0, 0, 0, last)).unwrap()
}

/// A packet of `packet_type` with the given raw parameters, whatever their order.
fn raw(packet_type: u8, params: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![59, 4, packet_type, 0x21, 0, 0, 0, 0];
    bytes.extend_from_slice(hit(1).as_bytes());
    bytes.extend_from_slice(hit(2).as_bytes());
    for (ty, contents) in params {
        push_tlv(&mut bytes, ParamType(*ty), contents).unwrap();
    }
    bytes[1] = u8::try_from(bytes.len() / 8 - 1).unwrap();
    bytes
}

fn error(bytes: &[u8]) -> WireError {
    Packet::parse(bytes).unwrap_err()
}

/// The I1 of RFC 7401 Appendix C.
fn appendix_c() -> Vec<u8> {
    let mut builder = PacketBuilder::new(
        PacketType::I1,
        "2001:20::1".parse().unwrap(),
        "2001:20::2".parse().unwrap(),
    );
    builder
        .push_raw(ParamType::DH_GROUP_LIST, &[3, 4, 8])
        .unwrap();
    builder.finish()
}

/// 7401-5.1-01
/// 7401-5.1-02
/// 7401-5.3.1-01
#[test]
fn the_i1_of_the_rfc_has_48_octets_in_the_order_of_the_figure() {
    let bytes = appendix_c();
    let mut expected = vec![0x3b, 0x05, 0x01, 0x21, 0, 0, 0, 0];
    expected.extend_from_slice(&[0x20, 0x01, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expected.extend_from_slice(&[0x20, 0x01, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    expected.extend_from_slice(&[0x01, 0xff, 0, 3, 3, 4, 8, 0]);
    assert_eq!(bytes, expected);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.packet_type(), PacketType::I1);
    assert_eq!(packet.sender().to_string(), "2001:20::1");
    assert_eq!(packet.receiver().to_string(), "2001:20::2");
    let groups: Vec<_> = packet.require::<DhGroupList>().unwrap().groups().collect();
    assert_eq!(
        groups,
        [DhGroup::Modp1536, DhGroup::Modp3072, DhGroup::EcpP384]
    );
}

/// 7401-5.1.1-02
/// 7401-5.1.1-03
#[test]
fn the_checksums_of_appendix_c_come_out() {
    let (a4, b4): (Ipv4Addr, Ipv4Addr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let (a6, b6): (Ipv6Addr, Ipv6Addr) = (
        "2001:db8::1".parse().unwrap(),
        "2001:db8::2".parse().unwrap(),
    );
    for (src, dst, expected) in [
        (a6.into(), b6.into(), 0x1a5e),
        (IpAddr::from(a4), IpAddr::from(b4), 0xf1ce),
    ] {
        let mut bytes = appendix_c();
        write_checksum(&mut bytes, src, dst).unwrap();
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.checksum(), expected);
        assert_eq!(packet.verify_checksum(src, dst), Ok(()));
        assert_eq!(
            packet.verify_checksum(dst, src),
            Ok(()),
            "the sum does not depend on direction"
        );
        assert_eq!(
            packet.verify_checksum(src, src).unwrap_err().kind,
            WireErrorKind::Checksum
        );
        bytes[47] ^= 1;
        assert_eq!(
            Packet::parse(&bytes)
                .unwrap()
                .verify_checksum(src, dst)
                .unwrap_err(),
            WireError::new(WireErrorKind::Checksum, 4)
        );
    }
    let packet = appendix_c();
    let packet = Packet::parse(&packet).unwrap();
    assert_eq!(
        packet
            .verify_checksum(a4.into(), b6.into())
            .unwrap_err()
            .kind,
        WireErrorKind::AddressFamily
    );
}

/// 7401-5.1-05
#[test]
fn a_header_length_below_four_is_malformed() {
    let mut bytes = raw(1, &[]);
    bytes[1] = 3;
    assert_eq!(
        error(&bytes),
        WireError::new(WireErrorKind::HeaderLength, 1)
    );
    assert_eq!(error(&bytes[..39]).kind, WireErrorKind::Truncated);
}

/// 7401-5.1-04
#[test]
fn the_header_length_has_to_be_that_of_the_datagram() {
    let mut bytes = raw(1, &[(511, &[7])]);
    assert_eq!((usize::from(bytes[1]) + 1) * 8, bytes.len());
    bytes[1] += 1;
    assert_eq!(error(&bytes).kind, WireErrorKind::HeaderLength);
    bytes[1] -= 2;
    assert_eq!(
        error(&bytes).kind,
        WireErrorKind::HeaderLength,
        "octets after a packet without next header"
    );
}

/// 7401-5.1-03
/// 7401-5.3-04
#[test]
fn what_a_next_header_announces_is_ignored() {
    for next_header in [6, 139] {
        let mut bytes = raw(1, &[(511, &[7])]);
        let len = bytes.len();
        bytes[0] = next_header;
        bytes.extend_from_slice(&raw(2, &[]));
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.bytes().len(), len);
        assert_eq!(packet.params().count(), 1);
    }
}

/// 7401-5.1-07
/// 7401-5.3-01
#[test]
fn unknown_packet_types_are_refused() {
    let known: Vec<u8> = (0..128)
        .filter(|&ty| Packet::parse(&raw(ty, &[])).is_ok())
        .collect();
    assert_eq!(known, [1, 2, 3, 4, 16, 17, 18, 19]);
    assert_eq!(
        error(&raw(5, &[])),
        WireError::new(WireErrorKind::UnknownPacketType(5), 2)
    );
}

/// 7401-5.1-08
#[test]
fn another_version_is_an_error_at_the_version_octet() {
    for version in [0, 1, 3, 15] {
        let mut bytes = raw(1, &[]);
        bytes[3] = version << 4 | 1;
        assert_eq!(
            error(&bytes),
            WireError::new(WireErrorKind::Version(version), 3)
        );
    }
}

/// 7401-5.1-10
/// 7401-5.1-12
/// 7401-5.1.2-05
#[test]
fn reserved_bits_fixed_bits_and_undefined_controls_do_not_matter() {
    let mut bytes = raw(1, &[]);
    bytes[2] |= 0x80;
    bytes[3] = 0x2e;
    bytes[6..8].copy_from_slice(&[0xff, 0xfe]);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.packet_type(), PacketType::I1);
    assert!(!packet.is_anonymous());
    bytes[7] = 0x01;
    assert!(Packet::parse(&bytes).unwrap().is_anonymous());
}

/// 7401-5.2.1-01
/// 7401-5.2.1-03
#[test]
fn swapped_parameters_make_the_packet_malformed() {
    let bytes = raw(3, &[(579, &[0, 2]), (513, &[0; 3])]);
    let previous = ParamType::HIP_CIPHER;
    let found = ParamType::DIFFIE_HELLMAN;
    assert_eq!(
        error(&bytes),
        WireError::new(WireErrorKind::ParameterOrder { previous, found }, 48)
    );
}

/// 7401-5.2.1-02
#[test]
fn equal_types_that_are_not_adjacent_make_the_packet_malformed() {
    let bytes = raw(3, &[(768, &[0; 4]), (832, &[0; 4]), (768, &[0; 4])]);
    assert!(matches!(
        error(&bytes).kind,
        WireErrorKind::ParameterOrder { .. }
    ));
    let bytes = raw(3, &[(768, &[0; 4]), (768, &[1; 4]), (832, &[0; 4])]);
    let packet = Packet::parse(&bytes).unwrap();
    let certs: Vec<_> = packet
        .get_all(ParamType::CERT)
        .map(|param| param.contents[0])
        .collect();
    assert_eq!(certs, [0, 1]);
}

/// 7401-5.2.20-02
/// 7401-5.3.5-07
#[test]
fn a_second_parameter_of_a_kind_that_occurs_once_makes_the_packet_malformed() {
    for ty in [257, 385, 449, 513, 705, 897, 61505, 61697] {
        let bytes = raw(16, &[(ty, &[0; 4]), (ty, &[0; 4])]);
        assert_eq!(
            error(&bytes).kind,
            WireErrorKind::DuplicateParameter(ParamType(ty))
        );
    }
}

/// 7401-5.2.20-03
/// 7401-5.3.2-20
#[test]
fn unsigned_echo_requests_can_occur_several_times() {
    let bytes = raw(2, &[(61633, &[0; 4]), (63661, &[1]), (63661, &[2])]);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.get_all(ParamType::ECHO_REQUEST_UNSIGNED).count(), 2);
}

/// 7401-5.2.1-06
#[test]
fn padding_values_do_not_matter() {
    let mut bytes = raw(1, &[(511, &[7])]);
    bytes[45..48].copy_from_slice(&[0xaa; 3]);
    assert_eq!(
        Packet::parse(&bytes)
            .unwrap()
            .require::<DhGroupList>()
            .unwrap()
            .ids,
        [7]
    );
}

/// 7401-5.2.1-04
/// 7401-5.2.1-05
/// 7401-5.2.1-07
#[test]
fn parameters_are_padded_with_zeros_to_multiples_of_eight() {
    for (len, total) in [(0, 8), (4, 8), (5, 16), (12, 16), (13, 24), (20, 24)] {
        assert_eq!(padded_len(len), total);
        assert_eq!(
            padded_len(len),
            11 + len - (len + 3) % 8,
            "the formula of the RFC"
        );
        let mut out = Vec::new();
        push_tlv(&mut out, ParamType(2), &vec![0xff; len]).unwrap();
        assert_eq!(out.len(), total);
        assert!(out[4 + len..].iter().all(|&octet| octet == 0));
    }
}

/// 7401-5.2.1-13
#[test]
fn a_parameter_that_runs_past_the_packet_is_malformed() {
    let mut bytes = raw(1, &[(511, &[7])]);
    bytes[43] = 5;
    assert_eq!(
        error(&bytes),
        WireError::new(WireErrorKind::ParameterOverrun(ParamType(511)), 42)
    );
    bytes[42] = 0xff;
    assert_eq!(
        error(&bytes).kind,
        WireErrorKind::ParameterOverrun(ParamType(511))
    );
}

/// 7401-5.2.1-09
/// 7401-5.2.1-11
/// 7401-5.2.1-12
#[test]
fn only_unknown_critical_parameters_stop_the_processing() {
    let bytes = raw(16, &[(385, &[0; 4]), (1000, &[1])]);
    assert_eq!(Packet::parse(&bytes).unwrap().unknown_critical(), None);
    let bytes = raw(16, &[(385, &[0; 4]), (1000, &[1]), (1001, &[2])]);
    assert_eq!(
        Packet::parse(&bytes).unwrap().unknown_critical(),
        Some(ParamType(1001))
    );
    // A name in the registry is no support.
    let bytes = raw(16, &[(385, &[0; 4]), (4601, &[0; 20])]);
    assert_eq!(
        Packet::parse(&bytes).unwrap().unknown_critical(),
        Some(ParamType::ROUTE_DST)
    );
}

#[test]
fn an_error_in_a_parameter_has_its_offset_in_the_packet() {
    let bytes = raw(3, &[(65, &[0; 11])]);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(
        packet.find::<EspInfo>().unwrap_err(),
        WireError::new(WireErrorKind::Truncated, 52)
    );
    let missing = packet.require::<DhGroupList>().unwrap_err();
    assert_eq!(
        missing.kind,
        WireErrorKind::MissingParameter(ParamType::DH_GROUP_LIST)
    );
}

/// Header and `covered` as the coverage rules want them: checksum zero, length for exactly these octets.
fn expected_cover(bytes: &[u8], end: usize, extra: usize) -> Vec<u8> {
    let mut expected = bytes[..end].to_vec();
    expected[1] = u8::try_from((end + extra) / 8 - 1).unwrap();
    expected[4..6].fill(0);
    expected
}

/// 7401-5.2.12-02
/// 7401-5.2.12-03
/// 7401-5.2.14-02
/// 7401-5.2.14-03
#[test]
fn mac_and_signature_cover_what_is_before_them() {
    // SEQ at 40, an unknown non-critical parameter at 48, HIP_MAC at 56, HIP_SIGNATURE at 96, unsigned echo at 112.
    let mut bytes = raw(
        16,
        &[
            (385, &[0; 4]),
            (1000, &[1]),
            (61505, &[9; 32]),
            (61697, &[8; 9]),
            (63661, &[3]),
        ],
    );
    bytes[4..8].copy_from_slice(&[0xab, 0xcd, 0, 1]);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.mac_input().unwrap(), expected_cover(&bytes, 56, 0));
    assert_eq!(
        packet.signature_input().unwrap(),
        expected_cover(&bytes, 96, 0)
    );
    assert_eq!(packet.bytes(), &bytes[..], "the packet itself is unchanged");
}

#[test]
fn coverage_without_the_authenticator_is_an_error() {
    let bytes = raw(16, &[(385, &[0; 4])]);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(
        packet.mac_input().unwrap_err().kind,
        WireErrorKind::MissingParameter(ParamType::HIP_MAC)
    );
    assert_eq!(
        packet.signature_input().unwrap_err().kind,
        WireErrorKind::MissingParameter(ParamType::HIP_SIGNATURE)
    );
    assert!(packet.signature_2_input().is_err());
    assert!(packet.mac_2_input(&[]).is_err());
}

/// 7401-5.2.13-01
/// 7401-5.2.13-02
/// 7401-5.2.13-03
#[test]
fn hip_mac_2_covers_the_host_id_of_the_r1_and_counts_it() {
    let mut host_id = Vec::new();
    push_tlv(
        &mut host_id,
        ParamType::HOST_ID,
        &[0, 3, 0, 0, 0, 7, 1, 2, 3],
    )
    .unwrap();
    host_id[13..].fill(0x55);
    let mut bytes = raw(4, &[(65, &[0; 12]), (61569, &[9; 32]), (61697, &[8; 9])]);
    bytes[4..6].copy_from_slice(&[0xab, 0xcd]);
    let packet = Packet::parse(&bytes).unwrap();
    let mut expected = expected_cover(&bytes, 56, host_id.len());
    expected.extend_from_slice(&host_id);
    assert_eq!(packet.mac_2_input(&host_id).unwrap(), expected);
    // Only one whole HOST_ID can be appended.
    for wrong in [
        &bytes[40..56],
        &host_id[..8],
        &[],
        &[host_id.clone(), bytes[40..56].to_vec()].concat(),
    ] {
        assert!(packet.mac_2_input(wrong).is_err());
    }
    let mut giant = Vec::new();
    push_tlv(&mut giant, ParamType::HOST_ID, &[0; 1990]).unwrap();
    assert_eq!(
        packet.mac_2_input(&giant).unwrap_err().kind,
        WireErrorKind::TooLong
    );
}

/// 7401-5.2.15-02
/// 7401-5.2.15-03
/// 7401-5.2.4-04
#[test]
fn hip_signature_2_leaves_receiver_opaque_and_random_open() {
    let random = [0x77; 32];
    let puzzle = Puzzle {
        difficulty: 10,
        lifetime: 37,
        opaque: [1, 2],
        random: &random,
    };
    let mut builder = PacketBuilder::new(PacketType::R1, hit(1), hit(2));
    builder
        .push(&puzzle)
        .unwrap()
        .push_raw(ParamType::HIP_CIPHER, &[0, 2])
        .unwrap();
    let unsigned = builder.signature_2_input().unwrap();
    builder
        .push(&HipSignature2::new(HiAlgorithm::Rsa, &[5; 16]))
        .unwrap();
    builder
        .push_raw(ParamType::ECHO_REQUEST_UNSIGNED, &[1])
        .unwrap();
    let bytes = builder.finish();
    let covered = Packet::parse(&bytes).unwrap().signature_2_input().unwrap();
    assert_eq!(covered, unsigned);
    let mut expected = expected_cover(&bytes, 40 + 40 + 8, 0);
    expected[24..40].fill(0);
    expected[46..80].fill(0);
    assert_eq!(covered, expected);
    assert_eq!(covered[44..46], [10, 37], "#K and Lifetime are signed");
}

/// 7401-5.2.21-01
#[test]
fn parameters_added_after_signing_change_no_coverage() {
    let signed = raw(2, &[(257, &[0; 36]), (61633, &[8; 9])]);
    let extended = raw(
        2,
        &[
            (257, &[0; 36]),
            (61633, &[8; 9]),
            (63661, &[3]),
            (65498, &[0; 16]),
        ],
    );
    let inputs =
        [signed, extended].map(|bytes| Packet::parse(&bytes).unwrap().signature_2_input().unwrap());
    assert_eq!(inputs[0], inputs[1]);
}

/// 7401-5.2.18-03
#[test]
fn a_bare_list_of_parameters_is_checked_like_a_packet() {
    let mut list = Vec::new();
    push_tlv(&mut list, ParamType::HOST_ID, &[1; 9]).unwrap();
    assert_eq!(
        Params::parse(&list)
            .unwrap()
            .map(|param| (param.ty.0, param.offset))
            .collect::<Vec<_>>(),
        [(705, 0)]
    );
    assert!(Params::parse(&list[..8]).is_err());
    push_tlv(&mut list, ParamType::PUZZLE, &[1; 9]).unwrap();
    assert!(matches!(
        Params::parse(&list).unwrap_err().kind,
        WireErrorKind::ParameterOrder { .. }
    ));
}

fn any_params() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let known = prop::sample::select(
        ParamType::TABLE
            .iter()
            .map(|row| row.ty.0)
            .collect::<Vec<_>>(),
    );
    let ty = prop_oneof![4 => known, 1 => any::<u16>()];
    let contents = prop::collection::vec(any::<u8>(), 0..60);
    prop::collection::vec((ty, contents), 0..8).prop_map(|mut params| {
        params.sort_by_key(|(ty, _)| *ty);
        params
    })
}

proptest! {
    #[test]
    fn any_octets_parse_or_fail_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(packet) = Packet::parse(&bytes) {
            prop_assert!(packet.bytes().len() <= bytes.len());
        }
    }

    #[test]
    fn a_parsed_packet_is_rebuilt_octet_by_octet(params in any_params(), flip in any::<(prop::sample::Index, u8)>()) {
        let borrowed: Vec<(u16, &[u8])> = params.iter().map(|(ty, contents)| (*ty, &contents[..])).collect();
        let mut bytes = raw(16, &borrowed);
        for damage in [0, flip.1] {
            let at = flip.0.index(bytes.len());
            bytes[at] ^= damage;
            let Ok(packet) = Packet::parse(&bytes) else { continue };
            let covered: usize = packet.params().map(|param| param.raw.len()).sum();
            prop_assert_eq!(HEADER_LEN + covered, packet.bytes().len());
            let mut builder = PacketBuilder::new(packet.packet_type(), packet.sender(), packet.receiver());
            for param in packet.params() {
                builder.push_raw(param.ty, param.contents).unwrap();
            }
            let rebuilt = builder.finish();
            let twin = Packet::parse(&rebuilt).unwrap();
            prop_assert!(packet.params().map(|p| (p.ty, p.contents)).eq(twin.params().map(|p| (p.ty, p.contents))));
            for input in [packet.mac_input(), packet.signature_input(), packet.signature_2_input()].into_iter().flatten() {
                prop_assert!(input.len() < packet.bytes().len());
                prop_assert_eq!((usize::from(input[1]) + 1) * 8, input.len());
                prop_assert_eq!(&input[4..6], &[0, 0]);
            }
        }
    }
}
