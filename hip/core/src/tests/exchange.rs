//! The base exchange and its outcome.

use hip_wire::param::{
    DhGroupList, EspInfo, EspTransform, HipCipherList, HipMac2, HitSuiteList, R1Counter,
    TransportFormatList,
};
use hip_wire::registry::{EspSuite, ParamType};

use super::*;
use crate::Role;

/// 7401-4.1-01 7401-4.4.3-01 7401-4.4.3-02 7401-4.4.3-03 7401-4.4.3-10 7401-4.4.3-15 7401-6.1-05
/// 7401-6.10-02 7401-6.6-01 7401-6.7-01 7401-6.9-29 7402-3.3.1-03 7402-6.6-01 7402-6.5-05
#[test]
fn four_packets_make_an_association_with_equal_keys_at_both_ends() {
    let mut pair = Pair::new();
    pair.connect(A);
    pair.run_for(SECOND);
    use PacketType::{I1, I2, R1, R2};
    assert_eq!(pair.kinds(), [(A, I1), (B, R1), (A, I2), (B, R2)]);
    assert_eq!(pair.states(), [StateName::Established, StateName::R2Sent]);
    pair.assert_connected();
}

#[test]
fn every_packet_is_counted_by_its_type_at_both_ends() {
    let mut pair = Pair::new();
    pair.connect(A);
    pair.run_for(SECOND);
    use PacketType::{I1, I2, R1, R2};
    for (end, sent, received) in [(A, [I1, I2], [R1, R2]), (B, [R1, R2], [I1, I2])] {
        let stats = pair.ends[end].host.stats();
        assert_eq!(sent.map(|kind| stats.sent(kind)), [1, 1]);
        assert_eq!(received.map(|kind| stats.received(kind)), [1, 1]);
        assert_eq!(received.map(|kind| stats.sent(kind)), [0, 0]);
    }
}

#[test]
fn the_greater_hit_can_be_initiator_too() {
    let mut pair = Pair::new();
    pair.connect(B);
    pair.run_for(SECOND);
    assert_eq!(pair.states(), [StateName::R2Sent, StateName::Established]);
    pair.assert_connected();
}

/// 7401-4.1.1-01 7401-6.7-06
#[test]
fn a_thousand_i1s_leave_no_association() {
    let mut pair = Pair::new();
    pair.connect(A);
    let i1 = pair.last(A, PacketType::I1);
    for _ in 0..1000 {
        pair.inject(B, &i1);
    }
    assert_eq!(pair.ends[B].host.associations(pair.now).count(), 0);
}

/// 7401-6.7-05 7401-6.7-04
#[test]
fn a_storm_of_i1s_is_answered_at_the_configured_rate_only() {
    let mut config = HostConfig::default();
    config.limits.r1_per_second = 10;
    config.limits.r1_burst = 20;
    let mut pair = Pair::with(HostConfig::default(), config);
    pair.connect(A);
    let i1 = pair.last(A, PacketType::I1);
    for _ in 0..500 {
        pair.inject(B, &i1);
    }
    assert_eq!(pair.count(B, PacketType::R1), 20);
    assert_eq!(pair.dropped(B, DropReason::RateLimited), 480);
    pair.run_for(Duration::from_millis(5));
    pair.now += SECOND;
    for _ in 0..500 {
        pair.inject(B, &i1);
    }
    assert_eq!(pair.count(B, PacketType::R1), 30);
}

#[test]
fn raw_packets_carry_a_checksum_and_udp_packets_do_not() {
    for transport in [Transport::Raw, Transport::Udp] {
        let identities = [0, 1].map(|i| IDENTITIES[i].clone());
        let mut pair = Pair::between(Default::default(), identities, transport, 3);
        pair.connect(A);
        pair.run_for(SECOND);
        pair.assert_connected();
        for (_, _, bytes) in &pair.trace {
            let packet = Packet::parse(bytes).unwrap();
            match transport {
                Transport::Udp => assert_eq!(packet.checksum(), 0),
                Transport::Raw => packet
                    .verify_checksum(pair.ends[A].address, pair.ends[B].address)
                    .expect("the sum does not depend on the direction"),
            }
        }
    }
}

/// 7401-5.4.2-03
#[test]
fn a_raw_packet_with_a_bad_checksum_is_dropped() {
    let identities = [0, 1].map(|i| IDENTITIES[i].clone());
    let mut pair = Pair::between(Default::default(), identities, Transport::Raw, 3);
    pair.connect(A);
    let mut i1 = pair.last(A, PacketType::I1);
    i1[4] ^= 1;
    let mut path = pair.path(B);
    path.transport = Transport::Raw;
    path.local.set_port(0);
    path.remote.set_port(0);
    pair.input(B, Input::Packet { path, bytes: &i1 });
    assert_eq!(pair.dropped(B, DropReason::Checksum), 1);
    assert_eq!(pair.count(B, PacketType::R1), 0);
}

/// 7401-5.3.2-01 7401-5.3.3-01 7401-5.3.4-01 7402-5.2.1.1-01 7402-5.2.1.2-01 7402-5.2.1.3-01
/// 7401-6.7-14 7401-6.8-31 7402-5.1.2-08
#[test]
fn the_packets_hold_the_parameters_of_the_rfcs() {
    let mut pair = Pair::new();
    pair.establish();
    let types = |bytes: &[u8]| -> Vec<u16> {
        Packet::parse(bytes)
            .unwrap()
            .params()
            .map(|param| param.ty.0)
            .collect()
    };
    assert_eq!(types(&pair.last(A, PacketType::I1)), [511]);
    let r1 = pair.last(B, PacketType::R1);
    assert_eq!(
        types(&r1),
        [129, 257, 511, 513, 579, 705, 715, 2049, 4095, 61633]
    );
    let i2 = pair.last(A, PacketType::I2);
    assert_eq!(
        types(&i2),
        [65, 129, 321, 513, 579, 641, 2049, 4095, 61505, 61697]
    );
    let r2 = pair.last(B, PacketType::R2);
    assert_eq!(types(&r2), [65, 61569, 61697]);

    let i2 = Packet::parse(&i2).unwrap();
    let r2 = Packet::parse(&r2).unwrap();
    // 7401-5.2.3-06: the counter comes back; 7401-5.3.3-06, 7402-4.1.2-01: one choice each
    let r1 = Packet::parse(&r1).unwrap();
    assert_eq!(
        i2.get(ParamType::R1_COUNTER),
        r1.get(ParamType::R1_COUNTER).map(|counter| {
            let offset = i2.get(ParamType::R1_COUNTER).unwrap().offset;
            hip_wire::Param { offset, ..counter }
        })
    );
    assert_eq!(r1.require::<R1Counter>().unwrap().counter, 1);
    assert_eq!(i2.require::<HipCipherList>().unwrap().ids, [2]);
    assert_eq!(i2.require::<EspTransform>().unwrap().ids, [13]);
    assert_eq!(
        i2.require::<TransportFormatList>().unwrap(),
        TransportFormatList::esp()
    );
    assert_eq!(r1.require::<HitSuiteList>().unwrap().ids, [2, 1, 5]);
    assert_eq!(r1.require::<DhGroupList>().unwrap().ids, [7, 8]);
    // 7402-5.1.1-02, 7402-5.1.1-06: AES-128 and SHA-384 keys come first
    for packet in [i2, r2] {
        let info: EspInfo = packet.require().unwrap();
        assert_eq!((info.old_spi, info.keymat_index), (0, 128));
    }
    // 7401-5.2.10-10: a full HMAC-SHA-384
    assert_eq!(r2.require::<HipMac2<'_>>().unwrap().0.len(), 48);
}

#[test]
fn both_ends_report_the_association_once_with_its_figures() {
    let mut pair = Pair::new();
    pair.establish();
    for (end, role) in [(A, Role::Initiator), (B, Role::Responder)] {
        assert_eq!(pair.established(end), 1);
        let view = pair.ends[end]
            .host
            .association(pair.hit(1 - end), pair.now)
            .unwrap();
        let session = view.session.unwrap();
        assert_eq!(session.role, role);
        assert_eq!(session.esp_suite, EspSuite::AesGcm16);
        assert_eq!(session.path.remote.ip(), pair.ends[1 - end].address);
        assert!(pair.ends[end].inbound.contains_key(&session.inbound_spi));
    }
    let exchange = pair.ends[A].events.iter().find_map(|event| match event {
        Event::Established { duration, .. } => Some(*duration),
        _ => None,
    });
    assert_eq!(exchange, Some(DELAY * 4));
    let stats = pair.ends[A].host.stats();
    assert_eq!(
        (
            stats.established_initiator,
            stats.retransmitted,
            stats.failed
        ),
        (1, 0, 0)
    );
    assert_eq!(stats.drops().count(), 0);
}

/// 7401-2.3-01 7401-5.2.10-06 7401-5.2.10-07
#[test]
fn every_kind_of_identity_can_be_initiator_and_responder() {
    use KeyAlgorithm as K;
    let rsa = HostIdentity::generate(K::Rsa2048, &mut SeededRng::new(5)).unwrap();
    let identities = [
        identity(K::EcdsaP256, 11),
        identity(K::EcdsaP384, 12),
        identity(K::Ed25519, 13),
        Arc::new(rsa),
    ];
    for (i, initiator) in identities.iter().enumerate() {
        for (r, responder) in identities.iter().enumerate() {
            if i == r {
                continue;
            }
            let ends = [initiator.clone(), responder.clone()];
            let mut pair = Pair::between(Default::default(), ends, Transport::Udp, 9);
            pair.connect(A);
            pair.run_for(SECOND);
            assert_eq!(pair.state(A), StateName::Established, "{i} to {r}");
            pair.assert_connected();
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let run = || {
        let mut pair = Pair::new();
        pair.establish();
        pair.trace
    };
    assert_eq!(run(), run());
}

/// 7401-5.3.2-09 7401-5.3.2-13 7401-6.7.1-04
#[test]
fn a_diffie_hellman_value_is_offered_until_somebody_used_it() {
    let mut pair = Pair::new();
    pair.connect(A);
    let i1 = pair.last(A, PacketType::I1);
    pair.inject(B, &i1);
    let value = |bytes: &[u8]| {
        let packet = Packet::parse(bytes).unwrap();
        packet
            .get(ParamType::DIFFIE_HELLMAN)
            .unwrap()
            .contents
            .to_vec()
    };
    let first = value(&pair.last(B, PacketType::R1));
    pair.inject(B, &i1);
    assert_eq!(first, value(&pair.last(B, PacketType::R1)));
    pair.run_for(SECOND);
    assert_eq!(pair.state(A), StateName::Established);
    pair.inject(B, &i1);
    assert_ne!(first, value(&pair.last(B, PacketType::R1)));
}

#[test]
fn several_hosts_with_the_same_r1_key_all_get_their_association() {
    let mut pair = Pair::new();
    let other = identity(KeyAlgorithm::EcdsaP256, 77);
    let mut third = Host::new(HostConfig::default(), other, Box::new(SeededRng::new(8)));
    third.handle(
        pair.now,
        Input::LocalAddresses(vec!["203.0.113.3".parse().unwrap()]),
    );
    // Both get the same Diffie-Hellman value, before either answers.
    let exchange = |pair: &mut Pair, host: &mut Host| -> Option<(Path, Vec<u8>)> {
        loop {
            match host.poll()? {
                Output::Send { path, bytes } => {
                    let path = Path {
                        local: path.remote,
                        remote: path.local,
                        ..path
                    };
                    pair.ends[B].host.handle(
                        pair.now,
                        Input::Packet {
                            path,
                            bytes: &bytes,
                        },
                    );
                    loop {
                        match pair.ends[B].host.poll()? {
                            Output::Send { path, bytes } => {
                                let path = Path {
                                    local: path.remote,
                                    remote: path.local,
                                    ..path
                                };
                                return Some((path, bytes));
                            }
                            _ => continue,
                        }
                    }
                }
                _ => continue,
            }
        }
    };
    let peer = pair.hit(B);
    let locators = pair.ends[A].locators.clone();
    third.handle(pair.now, Input::Locators { peer, locators });
    third.handle(pair.now, Input::Connect { peer });
    let (path, r1) = exchange(&mut pair, &mut third).unwrap();
    pair.establish();
    third.handle(pair.now, Input::Packet { path, bytes: &r1 });
    let (path, r2) = exchange(&mut pair, &mut third).unwrap();
    assert_eq!(kind_of(&r2), PacketType::R2);
    third.handle(pair.now, Input::Packet { path, bytes: &r2 });
    assert_eq!(
        third.association(peer, pair.now).unwrap().state,
        StateName::Established
    );
}
