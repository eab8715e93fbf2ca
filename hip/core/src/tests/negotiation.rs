//! What the two ends agree on, and attempts to weaken it.

use std::collections::BTreeSet;

use hip_wire::PacketBuilder;
use hip_wire::param::{DhGroupList, DiffieHellman};
use hip_wire::registry::{DhGroup, EspSuite, HipCipher, ParamType};

use super::*;
use crate::AccessPolicy;

fn groups(list: &[DhGroup]) -> HostConfig {
    HostConfig {
        dh_groups: list.to_vec(),
        ..HostConfig::default()
    }
}

fn agreed(pair: &Pair, end: usize) -> (DhGroup, HipCipher, EspSuite) {
    let view = pair.ends[end]
        .host
        .association(pair.hit(1 - end), pair.now)
        .unwrap();
    let session = view.session.unwrap();
    (session.dh_group, session.cipher, session.esp_suite)
}

/// 7401-5.2.6-02 7401-6.7-12 7401-4.1.7-01 7401-6.8-16 7401-6.7.1-07 7401-6.8-29
#[test]
fn the_group_is_the_first_of_the_responder_that_the_initiator_has() {
    use DhGroup::{EcpP256 as P256, EcpP384 as P384, EcpP521 as P521};
    let cases: [(&[DhGroup], &[DhGroup], DhGroup); 4] = [
        (&[P256, P384], &[P384, P256], P384),
        (&[P384, P256], &[P256, P384], P256),
        (&[P256], &[P521, P384, P256], P256),
        (&[P521, P384], &[P256, P384], P384),
    ];
    for (initiator, responder, expected) in cases {
        let mut pair = Pair::with(groups(initiator), groups(responder));
        pair.connect(A);
        pair.run_for(SECOND);
        assert_eq!(
            pair.state(A),
            StateName::Established,
            "{initiator:?} {responder:?}"
        );
        assert_eq!(agreed(&pair, A).0, expected);
        assert_eq!(agreed(&pair, A), agreed(&pair, B));
    }
}

/// 7401-4.1.3-02 7401-6.8-17 7401-6.8-20
#[test]
fn without_a_common_group_the_exchange_fails_and_says_why() {
    let mut pair = Pair::with(groups(&[DhGroup::EcpP256]), groups(&[DhGroup::EcpP384]));
    pair.connect(A);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(
        pair.count(B, PacketType::R1),
        2,
        "one more try, then the end"
    );
    assert_eq!(pair.failed(A), Some(FailReason::DhGroup));
    assert_eq!(pair.count(A, PacketType::I2), 0);
}

/// 7401-4.1.3-03 7401-4.1.7-02 7401-6.8-16 7401-6.8-19 7401-6.6-03 7401-6.8-18
#[test]
fn a_group_list_weakened_on_the_way_is_noticed() {
    let both = [DhGroup::EcpP384, DhGroup::EcpP256];
    let mut pair = Pair::with(groups(&both), groups(&both));
    pair.fate = lose_all(PacketType::I1);
    pair.connect(A);
    // Somebody rewrites the unsigned list in I1.
    let mut forged = PacketBuilder::new(PacketType::I1, pair.hit(A), pair.hit(B));
    forged.push(&DhGroupList::new(&[DhGroup::EcpP256])).unwrap();
    pair.inject(B, &forged.finish());
    pair.run_for(Duration::from_millis(50));
    let r1 = pair.last(B, PacketType::R1);
    let value: DiffieHellman<'_> = Packet::parse(&r1).unwrap().require().unwrap();
    assert_eq!(
        value.group(),
        Some(DhGroup::EcpP256),
        "a genuine R1 with the weaker group"
    );
    assert_eq!(pair.state(A), StateName::I1Sent);
    assert_eq!(pair.dropped(A, DropReason::BadDhGroup), 1);
    // The next I1 gets through unchanged, with the same list.
    pair.fate = Box::new(|_| Fate::Deliver);
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.state(A), StateName::Established);
    assert_eq!(agreed(&pair, A).0, DhGroup::EcpP384);
}

/// 7402-4.1.2-01 7402-6.4-01
#[test]
fn the_suites_are_the_first_of_the_responder_that_the_initiator_has() {
    let initiator = HostConfig {
        hip_ciphers: vec![HipCipher::Aes256Cbc, HipCipher::Aes128Cbc],
        esp_suites: vec![EspSuite::AesGcm16, EspSuite::Aes256CbcHmacSha256],
        ..HostConfig::default()
    };
    let responder = HostConfig {
        hip_ciphers: vec![HipCipher::Aes256Cbc],
        esp_suites: vec![EspSuite::Aes256CbcHmacSha256, EspSuite::AesGcm16],
        ..HostConfig::default()
    };
    let mut pair = Pair::with(initiator, responder);
    pair.connect(A);
    pair.run_for(SECOND);
    pair.assert_connected();
    let (_, cipher, suite) = agreed(&pair, A);
    assert_eq!(
        (cipher, suite),
        (HipCipher::Aes256Cbc, EspSuite::Aes256CbcHmacSha256)
    );
}

/// 7402-3.3.5-03
#[test]
fn without_a_common_esp_suite_the_exchange_fails_and_the_responder_is_told() {
    let only = |suite| HostConfig {
        esp_suites: vec![suite],
        ..HostConfig::default()
    };
    let mut pair = Pair::with(
        only(EspSuite::AesGcm16),
        only(EspSuite::Aes128CbcHmacSha256),
    );
    pair.connect(A);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.failed(A), Some(FailReason::NoEspSuite));
    assert!(pair.count(A, PacketType::Notify) > 0);
}

/// 7402-3.3.5-06
#[test]
fn suites_that_do_not_encrypt_need_permission_at_both_ends() {
    let null = |allow_auth_only_esp| HostConfig {
        esp_suites: vec![EspSuite::NullHmacSha256],
        allow_auth_only_esp,
        ..HostConfig::default()
    };
    for (initiator, responder) in [(false, true), (true, false), (false, false)] {
        let mut pair = Pair::with(null(initiator), null(responder));
        pair.connect(A);
        pair.run_for(Duration::from_secs(30));
        assert_eq!(pair.failed(A), Some(FailReason::NoEspSuite));
    }
    let mut pair = Pair::with(null(true), null(true));
    pair.connect(A);
    pair.run_for(SECOND);
    pair.assert_connected();
}

/// 7401-6.8-30
#[test]
fn without_a_common_cipher_the_exchange_fails() {
    let only = |cipher| HostConfig {
        hip_ciphers: vec![cipher],
        ..HostConfig::default()
    };
    let mut pair = Pair::with(only(HipCipher::Aes128Cbc), only(HipCipher::Aes256Cbc));
    pair.connect(A);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.failed(A), Some(FailReason::NoCipher));
}

#[test]
fn the_access_policy_works_in_both_directions() {
    let known = |hits: &[Hit]| HostConfig {
        access: AccessPolicy::AllowKnown(hits.iter().copied().collect::<BTreeSet<_>>()),
        ..HostConfig::default()
    };
    let mut pair = Pair::with(HostConfig::default(), known(&[]));
    pair.connect(A);
    pair.run_for(MINUTE);
    assert_eq!(pair.failed(A), Some(FailReason::NoAnswer));
    assert_eq!(pair.dropped(B, DropReason::Policy), 6);
    pair.connect(B);
    assert_eq!(pair.failed(B), Some(FailReason::Policy));

    let mut pair = Pair::with(HostConfig::default(), known(&[IDENTITIES[A].hit()]));
    pair.connect(A);
    pair.run_for(SECOND);
    pair.assert_connected();
    // A policy that changes between R1 and I2 counts.
    let mut pair = Pair::new();
    pair.fate = lose_first(PacketType::I2, 1);
    pair.connect(A);
    pair.run_for(Duration::from_millis(500));
    pair.ends[B]
        .host
        .set_access(AccessPolicy::AllowKnown(BTreeSet::new()));
    pair.run_for(SECOND);
    assert_eq!(pair.state(B), StateName::Unassociated);
    assert_eq!(pair.dropped(B, DropReason::Policy), 1);
}

#[test]
fn a_full_table_refuses_newcomers_by_name() {
    let mut full = HostConfig::default();
    full.limits.associations = 0;
    let mut pair = Pair::with(HostConfig::default(), full);
    pair.connect(A);
    pair.run_for(SECOND);
    assert_eq!(pair.dropped(B, DropReason::TableFull), 1);
    pair.connect(B);
    assert_eq!(pair.failed(B), Some(FailReason::TableFull));
}

/// 7401-6.7-07 7401-6.9-04
#[test]
fn packets_for_or_from_the_wrong_hit_are_dropped() {
    let mut pair = Pair::new();
    let stranger = identity(KeyAlgorithm::EcdsaP256, 40).hit();
    let i1 = |from, to| {
        let mut packet = PacketBuilder::new(PacketType::I1, from, to);
        packet.push(&DhGroupList::new(&[DhGroup::EcpP256])).unwrap();
        packet.finish()
    };
    let (a, b) = (pair.hit(A), pair.hit(B));
    pair.inject(B, &i1(a, stranger));
    assert_eq!(pair.dropped(B, DropReason::NotOurHit), 1);
    pair.inject(B, &i1(b, b));
    pair.inject(B, &i1(Hit::from_bytes([7; 16]), b));
    assert_eq!(pair.dropped(B, DropReason::BadSenderHit), 2);
    assert!(pair.trace.is_empty());
    // 7401-5.3.2-05: opportunistic
    pair.inject(B, &i1(a, Hit::NULL));
    let r1 = pair.last(B, PacketType::R1);
    assert_eq!(Packet::parse(&r1).unwrap().sender(), b);
}

#[test]
fn an_unknown_critical_parameter_stops_a_packet_and_an_unknown_other_does_not() {
    let mut pair = Pair::new();
    for (number, answered) in [(1023, 0), (1024, 1)] {
        let mut i1 = PacketBuilder::new(PacketType::I1, pair.hit(A), pair.hit(B));
        i1.push(&DhGroupList::new(&[DhGroup::EcpP256])).unwrap();
        i1.push_raw(ParamType(number), &[1, 2, 3]).unwrap();
        pair.inject(B, &i1.finish());
        assert_eq!(pair.count(B, PacketType::R1), answered);
    }
    assert_eq!(pair.dropped(B, DropReason::UnknownCritical), 1);
}

#[test]
fn connecting_to_what_is_no_other_host_fails_at_once() {
    let mut pair = Pair::new();
    let own = pair.hit(A);
    for peer in [own, Hit::NULL, Hit::from_bytes([9; 16])] {
        pair.input(A, Input::Connect { peer });
        let failed = Event::Failed {
            peer,
            reason: FailReason::NotAHit,
        };
        assert_eq!(pair.ends[A].events.last(), Some(&failed));
    }
    assert!(pair.trace.is_empty());
}

#[test]
fn a_peer_without_locators_fails_after_the_wait_and_is_asked_for_again() {
    let mut pair = Pair::new();
    pair.ends[A].locators.clear();
    pair.connect(A);
    assert_eq!(pair.state(A), StateName::Failed);
    assert_eq!(pair.failed(A), Some(FailReason::NoLocators));
    pair.run_for(Duration::from_secs(6));
    pair.connect(A);
    assert_eq!(pair.ends[A].asked, 2);

    // A shell that does not answer at all.
    let mut host = Host::new(
        HostConfig::default(),
        IDENTITIES[A].clone(),
        Box::new(SeededRng::new(1)),
    );
    let peer = IDENTITIES[B].hit();
    host.handle(Instant::ZERO, Input::Connect { peer });
    let due = host.next_deadline().unwrap();
    assert_eq!(due, Instant::from_secs(5));
    host.handle(due, Input::Timeout);
    let outputs: Vec<Output> = std::iter::from_fn(|| host.poll()).collect();
    let failed = |output: &Output| {
        matches!(
            output,
            Output::Event(Event::Failed {
                reason: FailReason::NoLocators,
                ..
            })
        )
    };
    assert!(outputs.iter().any(failed));
}

/// An R1 of B with `edit` made to the contents of one parameter, signed again by B.
fn resigned(r1: &[u8], ty: ParamType, edit: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = r1.to_vec();
    let param = Packet::parse(r1).unwrap().get(ty).unwrap();
    edit(&mut bytes[param.offset + 4..param.offset + 4 + param.contents.len()]);
    let packet = Packet::parse(&bytes).unwrap();
    let signature = IDENTITIES[B]
        .sign(&packet.signature_2_input().unwrap())
        .unwrap();
    let at = packet.get(ParamType::HIP_SIGNATURE_2).unwrap().offset + 6;
    bytes[at..at + signature.len()].copy_from_slice(&signature);
    bytes
}

/// What A makes of R1s of B that are genuine but for this edit.
fn refused(ty: ParamType, edit: impl Fn(&mut [u8])) -> Option<FailReason> {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R1);
    pair.connect(A);
    pair.run_for(DELAY * 2);
    let r1 = resigned(&pair.last(B, PacketType::R1), ty, edit);
    pair.inject(A, &r1);
    // 7401-6.8-15: another R1 may still come, for a while.
    assert_eq!(pair.state(A), StateName::I1Sent);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.count(A, PacketType::I2), 0);
    assert_eq!(pair.count(A, PacketType::I1), 2);
    pair.failed(A)
}

/// 7401-6.8-12 7401-6.8-14 7401-6.8-15 7401-4.1.6-01
#[test]
fn a_responder_that_does_not_know_our_hit_suite_is_given_up() {
    let without_ecdsa = |suites: &mut [u8]| suites.fill(0x10);
    let reason = refused(ParamType::HIT_SUITE_LIST, without_ecdsa);
    assert_eq!(reason, Some(FailReason::HitSuiteRefused));
}

/// 7401-5.2.11-04
#[test]
fn a_transport_format_without_its_parameter_is_no_offer() {
    let other_format = |formats: &mut [u8]| formats.copy_from_slice(&2100u16.to_be_bytes());
    let reason = refused(ParamType::TRANSPORT_FORMAT_LIST, other_format);
    assert_eq!(reason, Some(FailReason::NoEspSuite));
}

/// 7401-4.1.7-02 7401-6.8-16
#[test]
fn a_genuine_r1_whose_group_is_not_the_best_match_is_refused() {
    let swapped = |groups: &mut [u8]| groups.reverse();
    assert_eq!(
        refused(ParamType::DH_GROUP_LIST, swapped),
        Some(FailReason::DhGroup)
    );
}
