//! Targets for hip-wire: packets, parameter families, IP headers, the printer.

use hip_wire::builder::write_checksum;
use hip_wire::ip::{EspHeader, IcmpHeader, IpHeader, UdpHeader};
use hip_wire::packet::Params;
use hip_wire::param::{
    Ack, Cert, DhGroupList, DiffieHellman, EchoRequestSigned, EchoRequestUnsigned,
    EchoResponseSigned, EchoResponseUnsigned, Encrypted, EspInfo, EspTransform, HipCipherList,
    HipMac, HipMac2, HipSignature, HipSignature2, HitSuiteList, HostId, Locator, LocatorSet,
    Notification, Puzzle, R1Counter, Seq, Solution, TransportFormatList,
};
use hip_wire::registry::HipCipher;
use hip_wire::show::{HipPacket, IpPacket};
use hip_wire::udp_encap::{self, UdpPayload};
use hip_wire::{Packet, PacketBuilder, Parameter, R1Template};

/// Structure checks, coverage and rebuilding of a whole packet.
pub fn packet(data: &[u8]) {
    if let Ok(list) = Params::parse(data) {
        assert_eq!(list.map(|param| param.raw.len()).sum::<usize>(), data.len());
    }
    let Ok(packet) = Packet::parse(data) else {
        return;
    };
    assert!(packet.bytes().len() <= data.len());
    let mut builder = PacketBuilder::new(packet.packet_type(), packet.sender(), packet.receiver())
        .controls(packet.controls());
    for param in packet.params() {
        builder
            .push_raw(param.ty, param.contents)
            .expect("parsed order is sendable order");
        assert!(packet.get(param.ty).is_some());
    }
    let inputs = [
        packet.mac_input(),
        packet.signature_input(),
        packet.signature_2_input(),
    ];
    for input in inputs.into_iter().flatten() {
        assert!(input.len() < packet.bytes().len());
        assert_eq!((usize::from(input[1]) + 1) * 8, input.len());
    }
    let mut rebuilt = builder.finish();
    assert_eq!(rebuilt.len(), packet.bytes().len());
    let (src, dst) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    write_checksum(&mut rebuilt, src, dst).expect("a whole packet");
    let twin = Packet::parse(&rebuilt).expect("what we build parses");
    twin.verify_checksum(src, dst).expect("our own checksum");
    assert!(
        packet
            .params()
            .map(|p| (p.ty, p.contents))
            .eq(twin.params().map(|p| (p.ty, p.contents)))
    );
    if let Ok(template) = R1Template::new(data.to_vec()) {
        let made = template.instantiate(packet.sender(), [1, 2], &vec![3; template.random_len()]);
        Packet::parse(&made.expect("a fitting #I")).expect("an R1");
    }
}

/// Both forms of the printer, on HIP and on IP packets.
pub fn show(data: &[u8]) {
    for text in [
        HipPacket(data).to_string(),
        format!("{:#}", HipPacket(data)),
        IpPacket(data).to_string(),
    ] {
        assert!(!text.is_empty());
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "control characters reach the terminal: {text:?}"
        );
    }
}

/// IP, UDP, ESP and ICMP headers and the UDP encapsulation.
pub fn ip(data: &[u8]) {
    if let Ok(header) = IpHeader::parse(data) {
        assert!(header.payload(data).len() + header.header_len() <= data.len());
        let mut out = [0; 40];
        match header {
            IpHeader::V4(v4) => v4.write(&mut out).expect("room"),
            IpHeader::V6(v6) => v6.write(&mut out).expect("room"),
        }
    }
    let mut out = [0; 8];
    if let Ok(udp) = UdpHeader::parse(data) {
        udp.write(&mut out).expect("room");
        assert_eq!(out, data[..8]);
        udp_payload(udp.payload(data));
    }
    if let Ok(esp) = EspHeader::parse(data) {
        esp.write(&mut out).expect("room");
        assert_eq!(out, data[..8]);
    }
    if let Ok(icmp) = IcmpHeader::parse(data) {
        icmp.write(&mut out).expect("room");
        assert_eq!(out, data[..8]);
    }
    udp_payload(data);
}

fn udp_payload(data: &[u8]) {
    match UdpPayload::parse(data) {
        Ok(UdpPayload::Hip(packet)) => assert_eq!(udp_encap::encapsulate(packet), data),
        Ok(UdpPayload::Esp(packet)) => assert_eq!(packet, data),
        Ok(UdpPayload::Keepalive) => assert_eq!(data, [0xff]),
        Err(_) => assert!(data.len() < udp_encap::MARKER.len()),
    }
}

fn encoded(parameter: &impl Parameter) -> Vec<u8> {
    let mut out = Vec::new();
    parameter.encode(&mut out);
    out
}

/// Errors point into the input; what decodes encodes to as many octets that decode to the same.
macro_rules! codecs {
    ($data:expr, $($name:ident),*) => {$(
        match $name::parse($data) {
            Ok(parsed) => {
                let encoding = encoded(&parsed);
                assert_eq!(encoding.len(), $data.len(), stringify!($name));
                assert_eq!($name::parse(&encoding).expect("our own encoding"), parsed);
            }
            Err(error) => assert!(error.offset <= $data.len(), "{} {error}", stringify!($name)),
        }
    )*};
}

/// HIP_MAC, HIP_MAC_2, HIP_SIGNATURE, HIP_SIGNATURE_2.
pub fn param_auth(data: &[u8]) {
    codecs!(data, HipMac, HipMac2, HipSignature, HipSignature2);
}

/// ESP_INFO, ESP_TRANSFORM.
pub fn param_esp(data: &[u8]) {
    codecs!(data, EspInfo, EspTransform);
}

/// DH_GROUP_LIST, DIFFIE_HELLMAN, HIP_CIPHER, HIT_SUITE_LIST, TRANSPORT_FORMAT_LIST.
pub fn param_exchange(data: &[u8]) {
    codecs!(
        data,
        DhGroupList,
        DiffieHellman,
        HipCipherList,
        HitSuiteList,
        TransportFormatList
    );
}

/// HOST_ID.
pub fn param_host_id(data: &[u8]) {
    codecs!(data, HostId);
}

/// LOCATOR_SET; also that what is held stays within four times the input.
pub fn param_locator(data: &[u8]) {
    codecs!(data, LocatorSet);
    if let Ok(set) = LocatorSet::parse(data) {
        assert!(set.locators.len() * size_of::<Locator<'_>>() <= 4 * data.len());
    }
}

/// R1_COUNTER, PUZZLE, SOLUTION.
pub fn param_puzzle(data: &[u8]) {
    codecs!(data, R1Counter, Puzzle, Solution);
}

/// SEQ, ACK.
pub fn param_update(data: &[u8]) {
    codecs!(data, Seq, Ack);
}

/// CERT, NOTIFICATION, the echoes, ENCRYPTED.
pub fn param_other(data: &[u8]) {
    codecs!(
        data,
        Cert,
        Notification,
        EchoRequestSigned,
        EchoResponseSigned,
        EchoRequestUnsigned,
        EchoResponseUnsigned
    );
    for &cipher in HipCipher::ALL {
        if let Ok(parsed) = Encrypted::parse(data, cipher) {
            assert_eq!(encoded(&parsed)[4..], data[4..]);
        }
    }
}
