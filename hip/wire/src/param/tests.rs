use core::net::IpAddr;
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::error::WireErrorKind;
use crate::registry::{Coverage, DhGroup, EspSuite, HiAlgorithm, HipCipher, HitSuite, NotifyType};

fn encoded(parameter: &impl Parameter) -> Vec<u8> {
    let mut out = Vec::new();
    parameter.encode(&mut out);
    out
}

fn kind<T: core::fmt::Debug>(result: Result<T, WireError>) -> WireErrorKind {
    result.unwrap_err().kind
}

/// 7401-5.2.3-01
/// 7401-5.2.3-06
#[test]
fn an_r1_counter_is_echoed_octet_by_octet() {
    assert_eq!(
        encoded(&R1Counter::new(7)),
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]
    );
    let received = [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 1, 0];
    let counter = R1Counter::parse(&received).unwrap();
    assert_eq!(counter.counter, 256);
    assert_eq!(encoded(&counter), received);
    assert_eq!(
        kind(R1Counter::parse(&received[..11])),
        WireErrorKind::Truncated
    );
    assert_eq!(
        kind(R1Counter::parse(&[0; 13])),
        WireErrorKind::TrailingBytes
    );
}

/// 7401-5.2.4-01
/// 7401-5.2.5-01
/// 7401-5.2-04
/// 7401-2.3-02
#[test]
fn puzzle_and_solution_have_the_length_of_the_suite() {
    for (suite, puzzle_len, solution_len) in [
        (HitSuite::RsaDsaSha256, 36, 68),
        (HitSuite::EcdsaSha384, 52, 100),
        (HitSuite::EcdsaLowSha1, 24, 44),
    ] {
        let random = vec![7; suite.rhash_len()];
        let puzzle = Puzzle {
            difficulty: 10,
            lifetime: 37,
            opaque: [1, 2],
            random: &random,
        };
        let bytes = encoded(&puzzle);
        assert_eq!(bytes.len(), puzzle_len);
        assert_eq!(bytes[..5], [10, 37, 1, 2, 7]);
        assert_eq!(Puzzle::parse(&bytes), Ok(puzzle));
        assert!(puzzle.fits(suite));
        let j = vec![8; suite.rhash_len()];
        let solution = Solution {
            difficulty: 10,
            opaque: [1, 2],
            random: &random,
            solution: &j,
        };
        let bytes = encoded(&solution);
        assert_eq!(bytes.len(), solution_len);
        assert_eq!(Solution::parse(&bytes), Ok(solution));
        assert!(
            HitSuite::ALL
                .iter()
                .all(|&other| solution.fits(other) == (other.rhash_len() == suite.rhash_len()))
        );
    }
    for len in [0, 3, 4, 12, 35, 37, 68] {
        assert!(Puzzle::parse(&vec![0; len]).is_err(), "{len}");
    }
    for len in [0, 4, 20, 36, 67, 69] {
        assert!(Solution::parse(&vec![0; len]).is_err(), "{len}");
    }
}

/// 7401-5.2.5-02
#[test]
fn the_reserved_octet_of_a_solution_is_ignored_and_sent_as_zero() {
    let mut bytes = vec![9; 68];
    bytes[1] = 0xff;
    let sent = encoded(&Solution::parse(&bytes).unwrap());
    bytes[1] = 0;
    assert_eq!(sent, bytes);
}

/// 7401-5.2.4-02
#[test]
fn the_lifetime_of_a_puzzle_is_a_power_of_two() {
    let lifetime = |lifetime| {
        Puzzle {
            difficulty: 0,
            lifetime,
            opaque: [0; 2],
            random: &[],
        }
        .lifetime()
    };
    assert_eq!(lifetime(37), Duration::from_secs(32));
    assert_eq!(lifetime(32), Duration::from_secs(1));
    assert_eq!(lifetime(31), Duration::from_millis(500));
    assert_eq!(lifetime(0), Duration::ZERO, "2^-32 s is below a nanosecond");
    assert_eq!(lifetime(64), Duration::from_secs(1 << 32));
    assert_eq!(lifetime(255), lifetime(64));
}

/// 7401-5.2.6-01
#[test]
fn groups_keep_their_order_and_unknown_ones_are_passed_over() {
    let list = DhGroupList::parse(&[8, 1, 3, 0, 7]).unwrap();
    let groups: Vec<_> = list.groups().collect();
    assert_eq!(
        groups,
        [DhGroup::EcpP384, DhGroup::Modp1536, DhGroup::EcpP256]
    );
    assert_eq!(encoded(&list), [8, 1, 3, 0, 7]);
}

/// 7401-5.2.7-01
/// 7401-5.2.7-08
#[test]
fn diffie_hellman_carries_exactly_one_public_value() {
    let value = DiffieHellman::new(DhGroup::EcpP256, &[1, 2, 3]);
    assert_eq!(encoded(&value), [7, 0, 3, 1, 2, 3]);
    assert_eq!(DiffieHellman::parse(&[7, 0, 3, 1, 2, 3]), Ok(value));
    assert_eq!(value.group(), Some(DhGroup::EcpP256));
    assert_eq!(
        kind(DiffieHellman::parse(&[7, 0, 4, 1, 2, 3])),
        WireErrorKind::Truncated
    );
    assert_eq!(
        kind(DiffieHellman::parse(&[7, 0, 2, 1, 2, 3])),
        WireErrorKind::TrailingBytes
    );
    assert_eq!(DiffieHellman::parse(&[2, 0, 0]).unwrap().group(), None);
}

/// 7401-5.2.8-01
/// 7401-5.2.8-03
/// 7401-5.2.8-04
#[test]
fn of_ciphers_six_are_sent_and_the_first_six_looked_at() {
    let list = HipCipherList::new(&[HipCipher::Aes128Cbc; 8]);
    assert_eq!(encoded(&list).len(), 12);
    let received = HipCipherList::parse(&[0, 3, 0, 4, 0, 9, 0, 9, 0, 9, 0, 2, 0, 1]).unwrap();
    let ciphers: Vec<_> = received.ciphers().collect();
    assert_eq!(ciphers, [HipCipher::Aes256Cbc, HipCipher::Aes128Cbc]);
    assert_eq!(
        kind(HipCipherList::parse(&[0, 2, 0])),
        WireErrorKind::BadLength
    );
}

/// 7402-5.1.2-01
/// 7402-5.1.2-02
/// 7402-5.1.2-05
/// 7402-5.1.2-06
/// 7402-5.1.2-07
#[test]
fn esp_suites_follow_two_reserved_octets() {
    let list = EspTransform::new(&[EspSuite::AesGcm16, EspSuite::Aes128CbcHmacSha256]);
    assert_eq!(encoded(&list), [0, 0, 0, 13, 0, 8]);
    assert_eq!(
        encoded(&EspTransform::new(&[EspSuite::AesGcm16; 9])).len(),
        14
    );
    let received = EspTransform::parse(&[9, 9, 0, 0, 0, 3, 0, 8, 0, 1, 0, 6, 0, 7, 0, 13]).unwrap();
    let suites: Vec<_> = received.suites().collect();
    assert_eq!(
        suites,
        [EspSuite::Aes128CbcHmacSha256, EspSuite::NullHmacSha256]
    );
    assert!(EspTransform::parse(&[0]).is_err());
    assert!(EspTransform::parse(&[0, 0, 1]).is_err());
}

/// 7401-5.2.9-01
/// 7401-5.2.9-02
/// 7401-5.2.9-03
#[test]
fn host_id_lengths_count_identity_and_name() {
    let plain = HostId::new(HiAlgorithm::Rsa, &[3, 1, 0, 1]);
    assert_eq!(encoded(&plain), [0, 4, 0, 0, 0, 5, 3, 1, 0, 1]);
    let name = b"\x04host\x07example\x00";
    let named = HostId {
        domain_identifier: DomainIdentifier::Fqdn(name),
        ..plain
    };
    let bytes = encoded(&named);
    assert_eq!(bytes[..6], [0, 4, 0x10, 14, 0, 5]);
    assert_eq!(bytes.len(), 6 + 4 + 14);
    assert_eq!(HostId::parse(&bytes), Ok(named));
    let nai = HostId {
        domain_identifier: DomainIdentifier::Nai(b"a@b"),
        ..plain
    };
    assert_eq!(HostId::parse(&encoded(&nai)), Ok(nai));
    assert_eq!(named.hi_algorithm(), Some(HiAlgorithm::Rsa));
}

/// 7401-5.2.9-04
#[test]
fn host_id_lengths_have_to_fit() {
    assert_eq!(
        kind(HostId::parse(&[0, 2, 0, 0, 0, 5, 1])),
        WireErrorKind::Truncated
    );
    assert_eq!(
        kind(HostId::parse(&[0, 1, 0, 0, 0, 5, 1, 2])),
        WireErrorKind::TrailingBytes
    );
    assert_eq!(
        kind(HostId::parse(&[0, 1, 0x1f, 0xff, 0, 5, 1, 2])),
        WireErrorKind::Truncated
    );
    assert_eq!(
        kind(HostId::parse(&[0, 1, 0, 1, 0, 5, 1, 2])),
        WireErrorKind::BadValue("DI-Type")
    );
}

/// 7401-5.2.10-01
/// 7401-5.2.10-02
/// 7401-5.2.10-03
/// 7401-5.2.10-04
#[test]
fn hit_suites_stand_in_the_high_nibble() {
    let list = HitSuiteList::new(&[HitSuite::EcdsaSha384, HitSuite::RsaDsaSha256]);
    assert_eq!(encoded(&list), [0x20, 0x10]);
    assert_eq!(HitSuiteList::parse(&[0x20, 0x10]), Ok(list));
    let unknown = HitSuiteList::parse(&[0xf0, 0x30]).unwrap();
    assert_eq!(
        unknown.suites().collect::<Vec<_>>(),
        [HitSuite::EcdsaLowSha1]
    );
    let error = HitSuiteList::parse(&[0x20, 0x11]).unwrap_err();
    assert_eq!(
        error,
        WireError::new(WireErrorKind::BadValue("HIT suite id"), 1)
    );
}

/// 7401-5.2.11-01
#[test]
fn transport_formats_are_parameter_types() {
    assert_eq!(encoded(&TransportFormatList::esp()), [0x0f, 0xff]);
    let list = TransportFormatList::parse(&[8, 2, 0x0f, 0xff]).unwrap();
    assert_eq!(list.formats, [ParamType(2050), ParamType::ESP_TRANSFORM]);
}

/// 7401-5.2.16-01
/// 7401-5.2.17-01
/// 7401-5.2.17-02
/// 7401-5.3.5-08
#[test]
fn an_ack_has_one_or_more_whole_update_ids() {
    assert_eq!(
        encoded(&Seq {
            update_id: 0x0102_0304
        }),
        [1, 2, 3, 4]
    );
    assert_eq!(kind(Seq::parse(&[0; 5])), WireErrorKind::TrailingBytes);
    assert_eq!(encoded(&Ack::of(9)), [0, 0, 0, 9]);
    let ack = Ack::parse(&[0, 0, 0, 9, 0, 0, 0, 2]).unwrap();
    assert_eq!(ack.update_ids, [9, 2]);
    for len in [0, 1, 3, 5, 6] {
        assert_eq!(kind(Ack::parse(&vec![0; len])), WireErrorKind::BadLength);
    }
}

/// 7401-5.2.18-01
/// 7401-5.2.18-02
#[test]
fn encrypted_has_an_iv_by_the_cipher() {
    let contents: Vec<u8> = (0..40).collect();
    let aes = Encrypted::parse(&contents, HipCipher::Aes256Cbc).unwrap();
    assert_eq!(
        (aes.iv, aes.ciphertext),
        (&contents[4..20], &contents[20..])
    );
    let null = Encrypted::parse(&contents, HipCipher::Null).unwrap();
    assert_eq!((null.iv, null.ciphertext), (&[][..], &contents[4..]));
    assert_eq!(encoded(&aes)[..4], [0; 4]);
    assert_eq!(encoded(&aes)[4..], contents[4..]);
    assert_eq!(
        kind(Encrypted::parse(&contents[..19], HipCipher::Aes128Cbc)),
        WireErrorKind::Truncated
    );
    assert_eq!(
        kind(Encrypted::parse(&contents[..20], HipCipher::Aes128Cbc)),
        WireErrorKind::BadLength
    );
}

/// 7401-5.2.19-01
/// 7401-5.2.19-14
#[test]
fn a_notification_names_the_unsupported_parameter() {
    let notify_type = NotifyType::UNSUPPORTED_CRITICAL_PARAMETER_TYPE;
    let notification = Notification {
        notify_type,
        data: &[0x03, 0xe9],
    };
    assert_eq!(encoded(&notification), [0, 0, 0, 1, 3, 0xe9]);
    let parsed = Notification::parse(&[9, 9, 0, 1, 3, 0xe9]).unwrap();
    assert_eq!(parsed, notification);
    assert_eq!(parsed.unsupported_parameter(), Some(ParamType(1001)));
    assert_eq!(
        Notification::parse(&[0, 0, 0, 7])
            .unwrap()
            .unsupported_parameter(),
        None
    );
    assert_eq!(kind(Notification::parse(&[0; 3])), WireErrorKind::Truncated);
}

/// 7401-5.2.20-01
/// 7401-5.2.22-01
/// 7401-5.2.23-01
#[test]
fn echoes_carry_opaque_data_on_either_side_of_the_signature() {
    fn check<'a, P: ParseParameter<'a>>(opaque: &'a [u8], ty: u16, coverage: Coverage) {
        assert_eq!(P::TYPE, ParamType(ty));
        assert_eq!(P::TYPE.coverage(), coverage);
        assert_eq!(encoded(&P::parse_contents(opaque).unwrap()), opaque);
    }
    for opaque in [&b""[..], b"\0\x01any octets"] {
        check::<EchoRequestSigned<'_>>(opaque, 897, Coverage::MacAndSignature);
        check::<EchoResponseSigned<'_>>(opaque, 961, Coverage::MacAndSignature);
        check::<EchoResponseUnsigned<'_>>(opaque, 63425, Coverage::Unprotected);
        check::<EchoRequestUnsigned<'_>>(opaque, 63661, Coverage::Unprotected);
    }
}

/// 7401-5.2.12-01
/// 7401-5.2.14-01
/// 7401-5.2.15-01
#[test]
fn authenticators_are_not_empty() {
    assert_eq!(encoded(&HipMac(&[1, 2])), [1, 2]);
    assert_eq!(
        encoded(&HipSignature::new(HiAlgorithm::Ecdsa, &[1, 2])),
        [0, 7, 1, 2]
    );
    assert_eq!(
        HipSignature2::parse(&[0, 7, 1]).unwrap().0.hi_algorithm(),
        Some(HiAlgorithm::Ecdsa)
    );
    assert_eq!(kind(HipMac::parse(&[])), WireErrorKind::BadLength);
    assert_eq!(kind(HipMac2::parse(&[])), WireErrorKind::BadLength);
    assert_eq!(kind(HipSignature::parse(&[0, 7])), WireErrorKind::BadLength);
    assert_eq!(kind(HipSignature::parse(&[0])), WireErrorKind::Truncated);
}

/// 8002-2-01
#[test]
fn a_certificate_has_four_octets_before_it() {
    let cert = Cert::parse(&[1, 2, 3, 4, 5]).unwrap();
    assert_eq!(
        (
            cert.group,
            cert.count,
            cert.id,
            cert.cert_type,
            cert.certificate
        ),
        (1, 2, 3, 4, &[5][..])
    );
    assert_eq!(kind(Cert::parse(&[1, 2, 3])), WireErrorKind::Truncated);
}

/// 7402-5.1.1-01
#[test]
fn esp_info_is_twelve_octets() {
    let info = EspInfo {
        keymat_index: 96,
        old_spi: 0,
        new_spi: 0x0102_0304,
    };
    assert_eq!(encoded(&info), [0, 0, 0, 96, 0, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(
        EspInfo::parse(&[9, 9, 0, 96, 0, 0, 0, 0, 1, 2, 3, 4]),
        Ok(info)
    );
    assert!(EspInfo::parse(&[0; 11]).is_err());
    assert!(EspInfo::parse(&[0; 13]).is_err());
}

fn locator(address: LocatorAddress<'_>) -> Locator<'_> {
    Locator {
        traffic_type: TrafficType::Both,
        preferred: true,
        lifetime: 120,
        address,
    }
}

/// 8046-4-03
/// 8046-4-04
/// 8046-4-05
/// 8046-4-06
/// 8046-4-09
/// 8046-4.2-01
/// 8046-4.2-02
#[test]
fn locators_have_the_layout_of_the_rfc() {
    let v4: IpAddr = "192.0.2.1".parse().unwrap();
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    let mut data_only = locator(LocatorAddress::SpiAddress {
        spi: 0x0102_0304,
        address: v4,
    });
    data_only.traffic_type = TrafficType::Data;
    data_only.preferred = false;
    let set = LocatorSet {
        locators: vec![locator(LocatorAddress::Address(v6)), data_only],
    };
    let mut expected = vec![
        0, 0, 4, 1, 0, 0, 0, 120, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    ];
    expected.extend_from_slice(&[2, 1, 5, 0, 0, 0, 0, 120, 1, 2, 3, 4]);
    expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]);
    assert_eq!(encoded(&set), expected);
    assert_eq!(expected.len(), 24 + 28);
    let parsed = LocatorSet::parse(&expected).unwrap();
    assert_eq!(parsed, set);
    assert_eq!(parsed.locators[1].address.ip(), Some(v4));
    assert_eq!(parsed.locators[1].address.spi(), Some(0x0102_0304));
}

/// 8046-4-07
#[test]
fn a_locator_set_can_be_empty() {
    assert_eq!(LocatorSet::parse(&[]), Ok(LocatorSet::default()));
}

/// 8046-4.1-01
#[test]
fn traffic_types_are_numbered_from_zero() {
    for (number, expected) in [
        (0, TrafficType::Both),
        (1, TrafficType::Signalling),
        (2, TrafficType::Data),
        (3, TrafficType::Other(3)),
    ] {
        let mut one = locator(LocatorAddress::Address("::1".parse().unwrap()));
        one.traffic_type = expected;
        let bytes = encoded(&LocatorSet {
            locators: vec![one],
        });
        assert_eq!(bytes[0], number);
        assert_eq!(
            LocatorSet::parse(&bytes).unwrap().locators[0].traffic_type,
            expected
        );
    }
}

/// 8046-4-08
#[test]
fn reserved_bits_of_a_locator_are_ignored() {
    let set = LocatorSet {
        locators: vec![locator(LocatorAddress::Address("::1".parse().unwrap()))],
    };
    let mut bytes = encoded(&set);
    bytes[3] = 0xff;
    assert_eq!(LocatorSet::parse(&bytes), Ok(set));
}

#[test]
fn unknown_locator_types_are_skipped_whole() {
    let mut bytes = vec![0, 9, 1, 1, 0, 0, 0, 1, 1, 2, 3, 4];
    bytes.extend(encoded(&LocatorSet {
        locators: vec![locator(LocatorAddress::Address("::1".parse().unwrap()))],
    }));
    let set = LocatorSet::parse(&bytes).unwrap();
    assert_eq!(
        set.locators[0].address,
        LocatorAddress::Unknown {
            locator_type: 9,
            octets: &[1, 2, 3, 4]
        }
    );
    assert_eq!(set.locators[0].address.ip(), None);
    assert_eq!(set.locators.len(), 2);
}

/// 8046-4-11
#[test]
fn locators_that_end_early_or_live_no_time_are_malformed() {
    let set = LocatorSet {
        locators: vec![locator(LocatorAddress::Address("::1".parse().unwrap()))],
    };
    let good = encoded(&set);
    for (at, value, expected) in [
        (2, 5, WireErrorKind::Truncated),
        (2, 3, WireErrorKind::Truncated),
        (1, 1, WireErrorKind::Truncated),
        (7, 0, WireErrorKind::BadValue("Locator Lifetime")),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        assert_eq!(
            kind(LocatorSet::parse(&bytes)),
            expected,
            "octet {at} = {value}"
        );
    }
    let empty = [0, 9, 0, 0, 0, 0, 0, 1].repeat(250);
    assert_eq!(kind(LocatorSet::parse(&empty)), WireErrorKind::BadLength);
}

/// Checks a parameter type on any octets: typed errors within the input, and a stable round trip.
macro_rules! check_codec {
    ($bytes:expr, $($name:ident),*) => {$(
        match $name::parse($bytes) {
            Ok(parsed) => {
                let encoding = encoded(&parsed);
                prop_assert_eq!(encoding.len(), $bytes.len(), "{}", stringify!($name));
                prop_assert_eq!($name::parse(&encoding).unwrap(), parsed);
            }
            Err(error) => prop_assert!(error.offset <= $bytes.len(), "{} {error}", stringify!($name)),
        }
    )*};
}

proptest! {
    #[test]
    fn every_codec_survives_any_octets(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        check_codec!(&bytes, EspInfo, R1Counter, LocatorSet, Puzzle, Solution, Seq, Ack, DhGroupList, DiffieHellman,
            HipCipherList, HostId, HitSuiteList, Cert, Notification, EchoRequestSigned, EchoResponseSigned,
            EchoRequestUnsigned, EchoResponseUnsigned, TransportFormatList, EspTransform, HipMac, HipMac2,
            HipSignature, HipSignature2);
        for &cipher in HipCipher::ALL {
            if let Ok(parsed) = Encrypted::parse(&bytes, cipher) {
                prop_assert_eq!(&encoded(&parsed)[4..], &bytes[4..]);
            }
        }
    }

    #[test]
    fn locator_sets_round_trip_within_their_bound(
        parts in prop::collection::vec((0_u8..4, 0_u8..5, 0_u8..9, any::<u8>(), 0_u32..3, any::<[u8; 36]>()), 0..12)
    ) {
        let mut bytes = Vec::new();
        for (traffic, ty, words, flags, lifetime, locator) in parts {
            let words = match ty { 0 => 4, 1 => 5, 2 => 7, _ => words };
            bytes.extend_from_slice(&[traffic, ty, words, flags]);
            bytes.extend_from_slice(&lifetime.to_be_bytes());
            bytes.extend_from_slice(&locator[..usize::from(words) * 4]);
        }
        check_codec!(&bytes, LocatorSet);
        if let Ok(set) = LocatorSet::parse(&bytes) {
            let held = set.locators.len() * size_of::<Locator<'_>>();
            prop_assert!(held <= 4 * bytes.len(), "{held} octets held for {}", bytes.len());
        }
    }
}
