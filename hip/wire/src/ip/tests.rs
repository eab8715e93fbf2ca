use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, UdpHeaderSlice};
use proptest::prelude::*;

use super::*;

fn kind<T: core::fmt::Debug>(result: Result<T, WireError>) -> WireErrorKind {
    result.unwrap_err().kind
}

#[test]
fn an_ipv4_header_is_what_an_independent_reader_sees() {
    let mut header =
        Ipv4Header::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), 139, 64, 48).unwrap();
    header.traffic_class = 0xb9;
    header.identification = 0xbeef;
    header.dont_fragment = true;
    let mut packet = [0; 68];
    header.write(&mut packet).unwrap();
    let slice = Ipv4HeaderSlice::from_slice(&packet).unwrap();
    assert_eq!(
        slice.header_checksum(),
        slice.to_header().calc_header_checksum()
    );
    assert_eq!(
        (slice.total_len(), slice.ttl(), slice.protocol().0),
        (68, 64, 139)
    );
    assert_eq!(
        (
            slice.dcp().value(),
            slice.ecn().value(),
            slice.identification()
        ),
        (0xb9 >> 2, 1, 0xbeef)
    );
    assert!(slice.dont_fragment() && !slice.is_fragmenting_payload());
    assert_eq!(
        (slice.source_addr(), slice.destination_addr()),
        (header.src, header.dst)
    );
    assert!(header.checksum_is_right(&packet));
    packet[8] ^= 1;
    assert!(!header.checksum_is_right(&packet));
}

#[test]
fn an_ipv6_header_is_what_an_independent_reader_sees() {
    let (src, dst): (Ipv6Addr, Ipv6Addr) =
        ("2001:21::1".parse().unwrap(), "2001:21::2".parse().unwrap());
    let mut header = Ipv6Header::new(src, dst, 6, 63, 20).unwrap();
    header.traffic_class = 0xb9;
    header.flow_label = 0xfedcb;
    let mut packet = [0; 60];
    header.write(&mut packet).unwrap();
    let slice = Ipv6HeaderSlice::from_slice(&packet).unwrap();
    assert_eq!(
        (slice.traffic_class(), slice.flow_label().value()),
        (0xb9, 0xfedcb)
    );
    assert_eq!(
        (
            slice.payload_length(),
            slice.next_header().0,
            slice.hop_limit()
        ),
        (20, 6, 63)
    );
    assert_eq!((slice.source_addr(), slice.destination_addr()), (src, dst));
    assert_eq!(Ipv6Header::parse(&packet), Ok(header));
}

#[test]
fn a_udp_header_is_what_an_independent_reader_sees() {
    let mut header = UdpHeader::new(10500, 4500, 3).unwrap();
    header.checksum = 0x1234;
    let mut segment = [7; 11];
    header.write(&mut segment).unwrap();
    let slice = UdpHeaderSlice::from_slice(&segment).unwrap();
    assert_eq!(
        (
            slice.source_port(),
            slice.destination_port(),
            slice.length(),
            slice.checksum()
        ),
        (10500, 4500, 11, 0x1234)
    );
    assert_eq!(UdpHeader::parse(&segment), Ok(header));
    assert_eq!(header.payload(&segment), [7, 7, 7]);
}

#[test]
fn lengths_that_do_not_fit_the_packet_are_refused() {
    let mut packet = [0; 40];
    Ipv4Header::new([1; 4].into(), [2; 4].into(), 6, 1, 20)
        .unwrap()
        .write(&mut packet)
        .unwrap();
    assert_eq!(
        kind(Ipv4Header::parse(&packet[..39])),
        WireErrorKind::Truncated
    );
    assert_eq!(
        kind(Ipv4Header::parse(&packet[..19])),
        WireErrorKind::Truncated
    );
    packet[0] = 0x44;
    assert_eq!(kind(Ipv4Header::parse(&packet)), WireErrorKind::BadLength);
    packet[0] = 0x4f;
    assert_eq!(kind(Ipv4Header::parse(&packet)), WireErrorKind::BadLength);
    packet[0] = 0x65;
    assert_eq!(kind(Ipv4Header::parse(&packet)), WireErrorKind::Version(6));
    assert_eq!(kind(IpHeader::parse(&[0x50])), WireErrorKind::Version(5));
    assert_eq!(
        kind(UdpHeader::parse(&[0, 1, 0, 2, 0, 7, 0, 0])),
        WireErrorKind::BadLength
    );
    assert_eq!(
        kind(UdpHeader::parse(&[0, 1, 0, 2, 0, 9, 0, 0])),
        WireErrorKind::Truncated
    );
    assert_eq!(kind(UdpHeader::new(1, 2, 65_528)), WireErrorKind::TooLong);
    assert_eq!(
        kind(Ipv4Header::new([1; 4].into(), [2; 4].into(), 6, 1, 65_516)),
        WireErrorKind::TooLong
    );
    assert_eq!(
        kind(
            EspHeader {
                spi: 1,
                sequence: 1
            }
            .write(&mut [0; 7])
        ),
        WireErrorKind::Truncated
    );
}

#[test]
fn options_and_octets_behind_the_packet_are_not_payload() {
    let mut packet = [9; 36];
    let mut header = Ipv4Header::new([1; 4].into(), [2; 4].into(), 6, 1, 12).unwrap();
    header.write(&mut packet).unwrap();
    packet[0] = 0x46;
    header = Ipv4Header::parse(&packet).unwrap();
    assert_eq!(
        (header.header_len(), header.payload(&packet).len()),
        (24, 8)
    );
}

proptest! {
    #[test]
    fn whatever_parses_as_ip_is_written_back(bytes in prop::collection::vec(any::<u8>(), 0..100), version in 4_u8..8) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = version << 4 | *first & 0x0f;
        }
        match IpHeader::parse(&bytes) {
            Ok(IpHeader::V4(header)) => {
                let mut out = [0; 20];
                header.write(&mut out).unwrap();
                prop_assert_eq!(&out[1..10], &{ let mut b = bytes[1..10].to_vec(); b[5] &= 0x7f; b }[..]);
                prop_assert_eq!(&out[12..], &bytes[12..20]);
                prop_assert!(header.payload(&bytes).len() <= bytes.len());
            }
            Ok(IpHeader::V6(header)) => {
                let mut out = [0; 40];
                header.write(&mut out).unwrap();
                prop_assert_eq!(&out[..], &bytes[..40]);
                prop_assert_eq!(header.payload(&bytes).len(), usize::from(header.payload_len));
            }
            Err(error) => prop_assert!(error.offset <= bytes.len()),
        }
    }

    #[test]
    fn whatever_parses_as_udp_esp_or_icmp_is_written_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut out = [0; 8];
        if let Ok(header) = UdpHeader::parse(&bytes) {
            header.write(&mut out).unwrap();
            prop_assert_eq!(&out[..], &bytes[..8]);
        }
        if let Ok(header) = EspHeader::parse(&bytes) {
            header.write(&mut out).unwrap();
            prop_assert_eq!(&out[..], &bytes[..8]);
        }
        if let Ok(header) = IcmpHeader::parse(&bytes) {
            header.write(&mut out).unwrap();
            prop_assert_eq!(&out[..], &bytes[..8]);
        }
    }
}
