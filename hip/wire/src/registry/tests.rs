use super::*;

/// 7401-5.2-06
/// 7401-5.2.1-08
#[test]
fn coverage_and_criticality_follow_from_the_number() {
    assert_eq!(ParamType::HOST_ID.coverage(), Coverage::MacAndSignature);
    assert_eq!(ParamType(61439).coverage(), Coverage::MacAndSignature);
    assert_eq!(ParamType(61440).coverage(), Coverage::Authenticator);
    assert_eq!(ParamType::HIP_SIGNATURE.coverage(), Coverage::Authenticator);
    assert_eq!(ParamType(62463).coverage(), Coverage::Authenticator);
    assert_eq!(ParamType(62464).coverage(), Coverage::Unprotected);
    assert_eq!(
        ParamType::ECHO_REQUEST_UNSIGNED.coverage(),
        Coverage::Unprotected
    );
    assert!(ParamType::PUZZLE.is_critical());
    assert!(!ParamType::CERT.is_critical());
}

#[test]
fn the_parameter_table_is_sorted_and_finds_itself() {
    assert!(ParamType::TABLE.is_sorted_by(|a, b| a.ty < b.ty));
    for row in ParamType::TABLE {
        assert_eq!(row.ty.info().map(|info| info.name), Some(row.name));
    }
}

/// 7401-5.2-01
/// 7401-5.2-02
/// 7401-5.2-03
#[test]
fn the_parameter_numbers_are_those_of_the_rfc() {
    let numbers = |names: &[&str]| -> Vec<u16> {
        names
            .iter()
            .map(|n| {
                ParamType::TABLE
                    .iter()
                    .find(|row| row.name == *n)
                    .unwrap()
                    .ty
                    .0
            })
            .collect()
    };
    assert_eq!(
        numbers(&[
            "R1_COUNTER",
            "PUZZLE",
            "SOLUTION",
            "SEQ",
            "ACK",
            "DH_GROUP_LIST",
            "DIFFIE_HELLMAN",
            "HIP_CIPHER",
            "ENCRYPTED",
            "HOST_ID",
            "HIT_SUITE_LIST",
            "CERT",
            "NOTIFICATION",
            "ECHO_REQUEST_SIGNED",
            "ECHO_RESPONSE_SIGNED",
            "TRANSPORT_FORMAT_LIST",
            "HIP_MAC",
            "HIP_MAC_2",
            "HIP_SIGNATURE_2",
            "HIP_SIGNATURE",
            "ECHO_RESPONSE_UNSIGNED",
            "ECHO_REQUEST_UNSIGNED",
        ]),
        [
            129, 257, 321, 385, 449, 511, 513, 579, 641, 705, 715, 768, 832, 897, 961, 2049, 61505,
            61569, 61633, 61697, 63425, 63661
        ]
    );
}

/// 7401-5.3-01
/// 7401-5.2.7-02
#[test]
fn the_enumerations_map_back_and_leave_reserved_numbers_out() {
    let packets: Vec<u8> = (0..=255)
        .filter(|&n| PacketType::from_number(n).is_some())
        .collect();
    assert_eq!(packets, [1, 2, 3, 4, 16, 17, 18, 19]);
    let groups: Vec<u8> = (0..=255)
        .filter(|&n| DhGroup::from_number(n).is_some())
        .collect();
    assert_eq!(groups, [3, 4, 7, 8, 9, 10, 11]);
    for &group in DhGroup::ALL {
        assert_eq!(DhGroup::from_number(group.number()), Some(group));
    }
}

/// 7401-5.2.19-05
/// 7401-5.2.19-11
/// 7401-5.2.19-12
/// 7401-5.2.19-13
#[test]
fn notify_types_have_names_and_a_class() {
    for (number, name) in [
        (1, "UNSUPPORTED_CRITICAL_PARAMETER_TYPE"),
        (7, "INVALID_SYNTAX"),
        (14, "NO_DH_PROPOSAL_CHOSEN"),
        (15, "INVALID_DH_CHOSEN"),
        (16, "NO_HIP_PROPOSAL_CHOSEN"),
        (17, "INVALID_HIP_CIPHER_CHOSEN"),
        (20, "UNSUPPORTED_HIT_SUITE"),
        (24, "AUTHENTICATION_FAILED"),
        (26, "CHECKSUM_FAILED"),
        (28, "HIP_MAC_FAILED"),
        (32, "ENCRYPTION_FAILED"),
        (40, "INVALID_HIT"),
        (42, "BLOCKED_BY_POLICY"),
        (44, "RESPONDER_BUSY_PLEASE_RETRY"),
        (16384, "I2_ACKNOWLEDGEMENT"),
    ] {
        assert_eq!(NotifyType(number).name(), Some(name));
        assert_eq!(NotifyType(number).is_error(), number != 16384);
    }
    assert_eq!(NotifyType(9999).to_string(), "9999");
}

/// 7402-5.1-01
/// 8046-4-01
#[test]
fn the_parameters_of_esp_and_mobility_are_critical() {
    for (ty, number) in [
        (ParamType::ESP_INFO, 65),
        (ParamType::LOCATOR_SET, 193),
        (ParamType::ESP_TRANSFORM, 4095),
    ] {
        assert_eq!(ty.0, number);
        assert!(ty.is_critical() && ty.is_decoded());
    }
}

/// 7401-5.2.7-09
#[test]
fn public_values_of_curves_are_both_coordinates() {
    let lengths: Vec<_> = DhGroup::ALL
        .iter()
        .map(|group| (group.number(), group.public_value_len()))
        .collect();
    assert_eq!(
        lengths,
        [
            (3, 192),
            (4, 384),
            (7, 64),
            (8, 96),
            (9, 132),
            (10, 40),
            (11, 256)
        ]
    );
}

/// 7402-5.1.2-13
/// 7402-5.1.2-14
#[test]
fn esp_suites_have_the_iv_and_icv_of_their_rfcs() {
    let sizes: Vec<_> = EspSuite::ALL
        .iter()
        .map(|suite| (suite.number(), suite.iv_len(), suite.icv_len()))
        .collect();
    assert_eq!(
        sizes,
        [
            (7, 0, 16),
            (8, 16, 16),
            (9, 16, 16),
            (10, 8, 8),
            (11, 8, 16),
            (12, 8, 8),
            (13, 8, 16),
            (14, 0, 12),
            (15, 8, 16),
        ]
    );
    let weak = EspSuite::ALL
        .iter()
        .filter(|suite| suite.authenticates_only());
    assert_eq!(
        weak.map(|suite| suite.number()).collect::<Vec<_>>(),
        [7, 14, 15]
    );
}
