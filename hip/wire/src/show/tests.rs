use proptest::prelude::*;

use super::*;
use crate::builder::PacketBuilder;
use crate::ip::{Ipv4Header, Ipv6Header};
use crate::param::HipMac;
use crate::registry::{NotifyType, PacketType};

fn builder(packet_type: PacketType) -> PacketBuilder {
    PacketBuilder::new(
        packet_type,
        "2001:21::1".parse().unwrap(),
        "2001:22::2".parse().unwrap(),
    )
}

fn text(packet: PacketBuilder) -> String {
    Packet::parse(&packet.finish()).unwrap().to_string()
}

#[test]
fn an_i1_reads_like_a_line_of_tcpdump() {
    let mut i1 = PacketBuilder::new(PacketType::I1, "2001:21::1".parse().unwrap(), Hit::NULL);
    i1.push(&DhGroupList {
        ids: vec![7, 4, 99],
    })
    .unwrap();
    assert_eq!(
        text(i1),
        "HIP I1 2001:21::1 > any length 48 checksum 0x0000: DH_GROUP_LIST[P-256 MODP-3072 99]"
    );
}

#[test]
fn the_parameters_of_an_r1_show_their_fields() {
    let mut r1 = builder(PacketType::R1).controls(1);
    r1.push(&R1Counter::new(5)).unwrap();
    r1.push(&Puzzle {
        difficulty: 10,
        lifetime: 37,
        opaque: [0xab, 1],
        random: &[0x11; 20],
    })
    .unwrap();
    r1.push(&DiffieHellman {
        group_id: 7,
        public_value: &[0x22; 9],
    })
    .unwrap();
    r1.push(&HipCipherList { ids: vec![2, 4] }).unwrap();
    let fqdn = DomainIdentifier::Fqdn(b"\x04host\x07example\x00");
    r1.push(&HostId {
        algorithm: 5,
        host_identity: &[3, 1, 0, 1],
        domain_identifier: fqdn,
    })
    .unwrap();
    r1.push(&HitSuiteList { ids: vec![1, 9] }).unwrap();
    r1.push(&TransportFormatList::esp()).unwrap();
    r1.push(&EspTransform { ids: vec![13, 8] }).unwrap();
    r1.push_raw(ParamType::HIP_SIGNATURE_2, &[0, 5, 1, 2])
        .unwrap();
    assert_eq!(
        text(r1),
        "HIP R1 2001:21::1 > 2001:22::2 length 184 checksum 0x0000 controls A 0x0001: R1_COUNTER[5], \
         PUZZLE[K 10 lifetime 32s opaque ab01 I 1111111111111111..(20)], \
         DIFFIE_HELLMAN[P-256 2222222222222222..(9)], HIP_CIPHER[AES-128-CBC AES-256-CBC], \
         HOST_ID[RSA 03010001 FQDN host.example.], HIT_SUITE_LIST[RSA,DSA/SHA-256 9], \
         TRANSPORT_FORMAT_LIST[ESP_TRANSFORM], ESP_TRANSFORM[AES-GCM-16 AES-128-CBC/HMAC-SHA-256], \
         HIP_SIGNATURE_2[RSA 0102]"
    );
}

#[test]
fn an_update_shows_locators_and_numbers() {
    let mut update = builder(PacketType::Update);
    update
        .push(&EspInfo {
            keymat_index: 0,
            old_spi: 0x1000,
            new_spi: 0x1000,
        })
        .unwrap();
    let near = Locator {
        traffic_type: TrafficType::Signalling,
        preferred: true,
        lifetime: 60,
        address: LocatorAddress::Address("192.0.2.1".parse().unwrap()),
    };
    let address = LocatorAddress::SpiAddress {
        spi: 0x1000,
        address: "2001:db8::1".parse().unwrap(),
    };
    let far = Locator {
        traffic_type: TrafficType::Both,
        preferred: false,
        lifetime: u32::MAX,
        address,
    };
    update
        .push(&LocatorSet {
            locators: vec![near, far],
        })
        .unwrap();
    update
        .push(&Seq { update_id: 1 })
        .unwrap()
        .push(&Ack {
            update_ids: vec![4, 5],
        })
        .unwrap();
    update
        .push_raw(ParamType(1001), &[1])
        .unwrap()
        .push(&HipMac(&[0xcd; 32]))
        .unwrap();
    assert_eq!(
        text(update),
        "HIP UPDATE 2001:21::1 > 2001:22::2 length 184 checksum 0x0000: \
         ESP_INFO[keymat 0 spi 0x00001000 > 0x00001000], LOCATOR_SET[192.0.2.1 signalling preferred 60s \
         2001:db8::1 spi 0x00001000 unbounded], SEQ[1], ACK[4 5], 1001![01], HIP_MAC[cdcdcdcdcdcdcdcd..(32)]"
    );
}

#[test]
fn malformed_parameters_are_shown_with_the_reason() {
    let mut notify = builder(PacketType::Notify);
    notify.push_raw(ParamType::SEQ, &[1, 2]).unwrap();
    notify
        .push(&Notification {
            notify_type: NotifyType::INVALID_SYNTAX,
            data: &[],
        })
        .unwrap();
    assert_eq!(
        text(notify),
        "HIP NOTIFY 2001:21::1 > 2001:22::2 length 56 checksum 0x0000: \
         SEQ[malformed, input too short at octet 44: 0102], NOTIFICATION[INVALID_SYNTAX -]"
    );
}

#[test]
fn the_long_form_has_a_line_for_each_parameter_with_all_octets() {
    let mut close = builder(PacketType::Close);
    close
        .push_raw(ParamType::ECHO_REQUEST_SIGNED, &[0xee; 10])
        .unwrap()
        .push(&HipMac(&[1; 32]))
        .unwrap();
    let bytes = close.finish();
    assert_eq!(
        format!("{:#}", Packet::parse(&bytes).unwrap()),
        format!(
            "HIP CLOSE 2001:21::1 > 2001:22::2 length 96 checksum 0x0000\n    ECHO_REQUEST_SIGNED[{}]\n    HIP_MAC[{}]",
            "ee".repeat(10),
            "01".repeat(32)
        )
    );
}

#[test]
fn ip_packets_are_shown_by_what_they_carry() {
    let i1 = builder(PacketType::I1).finish();
    let v4 = |protocol, payload: &[u8]| {
        let header = Ipv4Header::new(
            [192, 0, 2, 1].into(),
            [192, 0, 2, 2].into(),
            protocol,
            64,
            payload.len(),
        );
        let mut packet = vec![0; 20];
        header.unwrap().write(&mut packet).unwrap();
        packet.extend_from_slice(payload);
        IpPacket(&packet).to_string()
    };
    let udp = |port, payload: &[u8]| {
        let mut segment = vec![0; 8];
        UdpHeader::new(port, 4000, payload.len())
            .unwrap()
            .write(&mut segment)
            .unwrap();
        segment.extend_from_slice(payload);
        segment
    };
    let prefix = "IP 192.0.2.1 > 192.0.2.2 ";
    assert_eq!(
        v4(139, &i1),
        format!("{prefix}HIP I1 2001:21::1 > 2001:22::2 length 40 checksum 0x0000")
    );
    assert_eq!(
        v4(139, &i1[..39]),
        format!("{prefix}malformed HIP packet: input too short at octet 39")
    );
    assert_eq!(
        v4(50, &[0, 0, 1, 0, 0, 0, 0, 9, 1]),
        format!("{prefix}ESP spi 0x00000100 seq 9 length 9")
    );
    assert_eq!(
        v4(17, &udp(10500, &[0xff])),
        format!("{prefix}UDP 10500 > 4000 NAT keepalive")
    );
    assert_eq!(
        v4(17, &udp(10500, &udp_encap::encapsulate(&i1))),
        format!(
            "{prefix}UDP 10500 > 4000 HIP I1 2001:21::1 > 2001:22::2 length 40 checksum 0x0000"
        )
    );
    assert_eq!(
        v4(17, &udp(53, &[1, 2])),
        format!("{prefix}UDP 53 > 4000 length 2")
    );
    assert_eq!(
        v4(1, &[8, 0, 0, 0, 0, 0, 0, 0]),
        format!("{prefix}ICMP type 8 code 0 length 8")
    );
    let mut packet = vec![0; 44];
    let header = Ipv6Header::new(
        "2001:21::1".parse().unwrap(),
        "2001:21::2".parse().unwrap(),
        6,
        64,
        4,
    );
    header.unwrap().write(&mut packet).unwrap();
    assert_eq!(
        IpPacket(&packet).to_string(),
        "IP 2001:21::1 > 2001:21::2 TCP length 4"
    );
    assert_eq!(
        IpPacket(&[0x70]).to_string(),
        "malformed IP packet: unsupported version 7 at octet 0"
    );
}

proptest! {
    #[test]
    fn any_parameters_can_be_shown(params in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..70)), 0..8)) {
        let mut types: Vec<_> = params.iter().map(|(index, contents)| (index.get(ParamType::TABLE).ty, contents)).collect();
        types.sort_by_key(|(ty, _)| *ty);
        let mut packet = builder(PacketType::Update);
        for (ty, contents) in types {
            let _ = packet.push_raw(ty, contents);
        }
        let bytes = packet.finish();
        let packet = Packet::parse(&bytes).unwrap();
        let (short, long) = (packet.to_string(), format!("{packet:#}"));
        prop_assert_eq!(short.lines().count(), 1);
        prop_assert_eq!(long.lines().count(), 1 + packet.params().count());
        for param in packet.params() {
            prop_assert!(short.contains(param.ty.name().unwrap()));
        }
    }

    #[test]
    fn any_octets_can_be_shown(bytes in prop::collection::vec(any::<u8>(), 0..120), first in 0x40_u8..0x70) {
        let mut bytes = bytes;
        if let Some(octet) = bytes.first_mut() {
            *octet = first;
        }
        prop_assert!(!IpPacket(&bytes).to_string().is_empty());
        prop_assert!(!HipPacket(&bytes).to_string().is_empty());
    }
}
