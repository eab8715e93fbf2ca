use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// The definition of RFC 1071, one 16-bit word at a time.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let word = u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        sum += word;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

fn same_sum(a: u16, b: u16) -> bool {
    // 0 and 0xffff are the two zeros of ones-complement arithmetic.
    a % 0xffff == b % 0xffff
}

#[test]
fn the_example_of_rfc_1071_sums_up() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(Sum::new().add_bytes(&bytes).fold(), 0xddf2);
    assert_eq!(internet(&bytes), !0xddf2);
}

/// RFC 7401 Appendix C.3: a TCP SYN with the HITs in its pseudo header.
#[test]
fn a_tcp_syn_between_hits_has_the_checksum_of_the_rfc() {
    let segment = [
        0xff, 0xdc, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0,
    ];
    let (src, dst): (Ipv6Addr, Ipv6Addr) =
        ("2001:20::1".parse().unwrap(), "2001:20::2".parse().unwrap());
    let sum = transport_sum(&segment, src.into(), dst.into(), ip::PROTOCOL_TCP).unwrap();
    assert_eq!(sum.finish(), 0x6faa);
}

#[test]
fn a_udp_checksum_of_zero_stays_absent_and_a_computed_zero_is_written_as_ones() {
    let delta = Delta::between(&[&[0x12, 0x34]], &[&[0x56, 0x78]]);
    assert_eq!(delta.apply_udp(0), 0);
    let before = delta.reversed().apply(0);
    assert_ne!(before, 0);
    assert_eq!(delta.apply_udp(before), 0xffff);
}

#[test]
fn mixed_families_and_giant_segments_are_refused() {
    let (v4, v6) = (
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    );
    assert_eq!(
        transport_sum(&[], v4, v6, 6).unwrap_err().kind,
        WireErrorKind::AddressFamily
    );
    assert_eq!(
        transport_sum(&[0; 65536], v4, v4, 6).unwrap_err().kind,
        WireErrorKind::TooLong
    );
}

proptest! {
    #[test]
    fn the_fast_sum_is_the_naive_sum(bytes in prop::collection::vec(any::<u8>(), 0..2100), split in any::<prop::sample::Index>()) {
        prop_assert_eq!(internet(&bytes), naive(&bytes));
        let at = split.index(bytes.len() + 1) & !1;
        let (head, tail) = bytes.split_at(at);
        prop_assert_eq!(Sum::new().add_bytes(head).add_bytes(tail).finish(), naive(&bytes));
    }

    #[test]
    fn an_incremental_update_is_a_recomputation(
        mut segment in prop::collection::vec(any::<u8>(), 20..200),
        old in any::<(u32, u32)>(),
        new in any::<(u128, u128)>(),
    ) {
        segment[16..18].fill(0);
        let old: (IpAddr, IpAddr) = (Ipv4Addr::from_bits(old.0).into(), Ipv4Addr::from_bits(old.1).into());
        let new: (IpAddr, IpAddr) = (Ipv6Addr::from_bits(new.0).into(), Ipv6Addr::from_bits(new.1).into());
        let before = transport_sum(&segment, old.0, old.1, ip::PROTOCOL_TCP).unwrap().finish();
        let after = transport_sum(&segment, new.0, new.1, ip::PROTOCOL_TCP).unwrap().finish();
        let delta = Delta::between_pairs(old, new);
        prop_assert!(same_sum(delta.apply(before), after));
        prop_assert!(same_sum(delta.reversed().apply(after), before));
        segment[16..18].copy_from_slice(&delta.apply(before).to_be_bytes());
        prop_assert_eq!(transport_sum(&segment, new.0, new.1, ip::PROTOCOL_TCP).unwrap().fold(), 0xffff);
    }
}
