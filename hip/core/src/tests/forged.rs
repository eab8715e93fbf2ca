//! Packets that are authentic and yet wrong: what only the real peer could send.

use hip_crypto::cipher;
use hip_crypto::dh::DhPrivate;
use hip_crypto::hash::Rhash;
use hip_crypto::keymat::Keymat;
use hip_crypto::puzzle;
use hip_wire::packet::encode_tlv;
use hip_wire::param::{
    Ack, DiffieHellman, EchoRequestUnsigned, EchoResponseUnsigned, Encrypted, EspInfo,
    EspTransform, HipCipherList, HipMac, HipSignature, HostId, Locator, LocatorAddress, LocatorSet,
    Notification, Puzzle, R1Counter, Seq, Solution, TrafficType, TransportFormatList,
};
use hip_wire::registry::{DhGroup, EspSuite, HiAlgorithm, HipCipher, ParamType};
use hip_wire::{PacketBuilder, Parameter};

use super::*;
use crate::assoc::State;

/// How an I2 departs from a right one.
struct Recipe {
    counter: bool,
    group: DhGroup,
    ciphers: Vec<HipCipher>,
    suites: Vec<EspSuite>,
    formats: Vec<ParamType>,
    /// Old SPI, new SPI, what is added to the right KEYMAT index.
    esp_info: (u32, u32, u16),
    host_id: Clear,
    signer: Arc<HostIdentity>,
}

/// How HOST_ID travels.
enum Clear {
    Encrypted,
    Plain,
    EncryptedJunk,
    Other(Arc<HostIdentity>),
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            counter: true,
            group: DhGroup::EcpP256,
            ciphers: vec![HipCipher::Aes128Cbc],
            suites: vec![EspSuite::AesGcm16],
            formats: vec![ParamType::ESP_TRANSFORM],
            esp_info: (0, 0x1234_5678, 0),
            host_id: Clear::Encrypted,
            signer: IDENTITIES[A].clone(),
        }
    }
}

impl Recipe {
    /// The I2 of A to this R1 of B.
    fn make(&self, r1: &[u8]) -> Vec<u8> {
        let r1 = Packet::parse(r1).unwrap();
        let (initiator, responder) = (r1.receiver(), r1.sender());
        let asked: Puzzle<'_> = r1.require().unwrap();
        let dh: DiffieHellman<'_> = r1.require().unwrap();
        let mut rng = SeededRng::new(31);
        let own = DhPrivate::generate(self.group, &mut rng).unwrap();
        let j = [5; 48];
        let rhash = Rhash::Sha384;
        let hits = (initiator, responder);
        let _ = puzzle::check(rhash, asked.difficulty, asked.random, hits.0, hits.1, &j).unwrap();
        // With a group of our own choice no secret is shared, as no check gets that far.
        let shared = (self.group == dh.group().unwrap()).then(|| own.agree(dh.public_value));
        let kij = shared.map_or_else(hip_crypto::Secret::default, Result::unwrap);
        let mut keymat = Keymat::new(rhash, &kij, asked.random, &j, hits.0, hits.1);
        let keys = keymat.hip_keys(self.ciphers[0]).unwrap();
        let (old_spi, new_spi, more) = self.esp_info;

        let mut i2 = PacketBuilder::new(PacketType::I2, initiator, responder);
        let keymat_index = keymat.index() + more;
        i2.push(&EspInfo {
            keymat_index,
            old_spi,
            new_spi,
        })
        .unwrap();
        if self.counter {
            i2.push(&r1.require::<R1Counter>().unwrap()).unwrap();
        }
        i2.push(&Solution {
            difficulty: asked.difficulty,
            opaque: asked.opaque,
            random: asked.random,
            solution: &j,
        })
        .unwrap()
        .push(&DiffieHellman::new(self.group, own.public_value()))
        .unwrap()
        .push(&HipCipherList::new(&self.ciphers))
        .unwrap();
        let key = keys.encryption(initiator, responder);
        self.push_host_id(&mut i2, key, &mut rng);
        i2.push(&TransportFormatList {
            formats: self.formats.clone(),
        })
        .unwrap()
        .push(&EspTransform::new(&self.suites))
        .unwrap();
        let key = keys.integrity(initiator, responder);
        let mac = rhash.hmac(key.as_bytes(), &[&i2.mac_input().unwrap()]);
        i2.push(&HipMac(mac.as_ref())).unwrap();
        let signature = self.signer.sign(&i2.signature_input().unwrap()).unwrap();
        i2.push(&HipSignature::new(HiAlgorithm::Ecdsa, &signature))
            .unwrap();
        i2.finish()
    }

    fn push_host_id(&self, i2: &mut PacketBuilder, key: &hip_crypto::Secret, rng: &mut SeededRng) {
        let public = match &self.host_id {
            Clear::Other(identity) => identity.public(),
            _ => IDENTITIES[A].public(),
        };
        let host_id = HostId::new(public.algorithm(), public.hi());
        let plaintext = match &self.host_id {
            Clear::Plain => {
                i2.push(&host_id).unwrap();
                return;
            }
            Clear::EncryptedJunk => vec![0x55; 64],
            Clear::Encrypted | Clear::Other(_) => encode_tlv(&host_id).unwrap(),
        };
        let (iv, ciphertext) = cipher::encrypt(self.ciphers[0], key, rng, &plaintext).unwrap();
        i2.push(&Encrypted {
            iv: &iv,
            ciphertext: &ciphertext,
        })
        .unwrap();
    }
}

/// What B makes of an I2: `None` when it accepts it.
fn verdict(recipe: &Recipe) -> Option<DropReason> {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R1);
    pair.connect(A);
    pair.run_for(Duration::from_millis(20));
    let r1 = pair.last(B, PacketType::R1);
    pair.inject(B, &recipe.make(&r1));
    if pair.state(B) == StateName::R2Sent {
        return None;
    }
    assert_eq!(pair.ends[B].host.associations(pair.now).count(), 0);
    let reasons: Vec<_> = pair.ends[B].host.stats().drops().collect();
    assert_eq!(reasons.len(), 1);
    Some(reasons[0].0)
}

/// 7401-6.4.2-05 7401-5.3.3-10 7401-6.9-20
#[test]
fn the_host_identity_may_come_encrypted_or_in_clear() {
    assert_eq!(verdict(&Recipe::default()), None);
    assert_eq!(
        verdict(&Recipe {
            host_id: Clear::Plain,
            ..Recipe::default()
        }),
        None
    );
    let junk = Recipe {
        host_id: Clear::EncryptedJunk,
        ..Recipe::default()
    };
    assert_eq!(verdict(&junk), Some(DropReason::BadEncrypted));
}

/// 7401-6.9-21 7401-6.9-24
#[test]
fn the_identity_has_to_fit_hit_and_signature() {
    let other = identity(KeyAlgorithm::EcdsaP256, 70);
    let host_id = Clear::Other(other.clone());
    let stolen = Recipe {
        host_id,
        signer: other.clone(),
        ..Recipe::default()
    };
    assert_eq!(verdict(&stolen), Some(DropReason::HitMismatch));
    let signed = Recipe {
        signer: other,
        ..Recipe::default()
    };
    assert_eq!(verdict(&signed), Some(DropReason::BadSignature));
}

/// 7401-6.9-17 7401-5.3.3-06 7401-5.2.8-10
#[test]
fn an_i2_has_one_cipher_that_was_offered() {
    use HipCipher::{Aes128Cbc, Aes256Cbc, Null};
    for (ciphers, expected) in [
        (vec![Aes256Cbc], None),
        (vec![Aes128Cbc, Aes256Cbc], Some(DropReason::BadCipher)),
        (vec![Null], Some(DropReason::BadCipher)),
    ] {
        let recipe = Recipe {
            ciphers,
            // The recipe's index is that of AES-128; AES-256 has its own.
            ..Recipe::default()
        };
        assert_eq!(verdict(&recipe), expected);
    }
}

/// 7402-6.5-01 7402-6.5-02 7402-3.3.5-06 7401-6.9-22 7401-5.3.3-11
#[test]
fn an_i2_has_one_esp_suite_that_was_offered() {
    use EspSuite::{Aes128CbcHmacSha256, AesGcm16, NullHmacSha256};
    let bad = Some(DropReason::BadEspSuite);
    for (suites, expected) in [
        (vec![Aes128CbcHmacSha256], None),
        (vec![AesGcm16, Aes128CbcHmacSha256], bad),
        (vec![NullHmacSha256], bad),
        (vec![EspSuite::AesCcm8], bad),
    ] {
        assert_eq!(
            verdict(&Recipe {
                suites,
                ..Recipe::default()
            }),
            expected
        );
    }
    for formats in [
        vec![],
        vec![ParamType::ESP_TRANSFORM, ParamType(4000)],
        vec![ParamType(4000)],
    ] {
        assert_eq!(
            verdict(&Recipe {
                formats,
                ..Recipe::default()
            }),
            bad
        );
    }
}

/// 7402-6.5-03 7402-6.5-04 7402-3.2.1-05
#[test]
fn esp_info_of_an_i2_names_a_new_spi_and_the_right_place_in_keymat() {
    for (esp_info, expected) in [
        ((0, 256, 0), None),
        ((0, 255, 0), Some(DropReason::BadParameter)),
        ((0, 0, 0), Some(DropReason::BadParameter)),
        ((1, 256, 0), Some(DropReason::BadParameter)),
        ((0, 256, 8), Some(DropReason::BadParameter)),
    ] {
        assert_eq!(
            verdict(&Recipe {
                esp_info,
                ..Recipe::default()
            }),
            expected
        );
    }
}

/// 7401-6.9-18 7401-6.9-19
#[test]
fn the_group_of_an_i2_is_that_of_its_r1() {
    for group in [DhGroup::EcpP384, DhGroup::EcpP521] {
        let recipe = Recipe {
            group,
            ..Recipe::default()
        };
        assert_eq!(verdict(&recipe), Some(DropReason::BadDhGroup));
    }
}

/// 7401-6.9-12 7401-5.3.3-04
#[test]
fn an_i2_without_the_counter_of_its_r1_is_dropped() {
    let recipe = Recipe {
        counter: false,
        ..Recipe::default()
    };
    assert_eq!(verdict(&recipe), Some(DropReason::MissingParameter));
}

/// 7401-6.9-05 7401-6.9-06
#[test]
fn an_i1_or_i2_of_an_unsupported_suite_is_dropped_silently() {
    let mut pair = Pair::new();
    pair.establish();
    for kind in [PacketType::I1, PacketType::I2] {
        let mut packet = pair.last(A, kind);
        // ECDSA_LOW: known, but not supported.
        packet[11] = 0x23;
        let sent = pair.trace.len();
        let before = pair.dropped(B, DropReason::BadSenderHit);
        pair.inject(B, &packet);
        assert_eq!(pair.dropped(B, DropReason::BadSenderHit), before + 1);
        assert_eq!(pair.trace.len(), sent);
    }
}

/// 7401-5.2.21-03 7401-5.2.23-01 7401-5.2.20-03
#[test]
fn every_unsigned_echo_request_of_a_middlebox_is_answered_behind_the_signature() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R1);
    pair.connect(A);
    pair.run_for(Duration::from_millis(20));
    let mut r1 = pair.last(B, PacketType::R1);
    for echo in [&b"first"[..], &b"second one"[..]] {
        r1.extend(encode_tlv(&EchoRequestUnsigned(echo)).unwrap());
    }
    r1[1] = u8::try_from(r1.len() / 8 - 1).unwrap();
    pair.inject(A, &r1);
    let i2 = pair.last(A, PacketType::I2);
    let i2 = Packet::parse(&i2).unwrap();
    let echoes = i2
        .get_all(EchoResponseUnsigned::TYPE)
        .map(|param| param.contents.to_vec());
    assert_eq!(
        echoes.collect::<Vec<_>>(),
        [&b"first"[..], &b"second one"[..]]
    );
    pair.run_for(SECOND);
    assert_eq!(pair.state(B), StateName::R2Sent);
}

/// An authentic UPDATE of A with these parameters.
fn update(pair: &Pair, build: impl Fn(&mut PacketBuilder)) -> Vec<u8> {
    let mut packet = PacketBuilder::new(PacketType::Update, pair.hit(A), pair.hit(B));
    build(&mut packet);
    let host = &pair.ends[A].host;
    let State::Established(state) = &host.associations[&pair.hit(B)].state else {
        panic!("A is not established");
    };
    state.session.security.seal(&host.env, packet).unwrap()
}

fn replies(pair: &Pair) -> Vec<Vec<u32>> {
    let acks = pair
        .trace
        .iter()
        .filter(|(end, kind, _)| (*end, *kind) == (B, PacketType::Update));
    acks.map(|(.., bytes)| {
        Packet::parse(bytes)
            .unwrap()
            .require::<Ack>()
            .unwrap()
            .update_ids
    })
    .collect()
}

/// 7401-6.12-05 7401-6.12.1-10 7401-5.3.5-12 7401-6.12.1-11
#[test]
fn updates_are_processed_in_order_of_arrival_and_each_is_acknowledged() {
    let mut pair = Pair::new();
    pair.establish();
    for id in [0, 2, 1, 2, 31, 80] {
        let packet = update(&pair, |packet| {
            packet.push(&Seq { update_id: id }).unwrap();
        });
        pair.inject(B, &packet);
    }
    assert_eq!(replies(&pair), [[0], [2], [1], [2], [31]]);
    assert_eq!(pair.dropped(B, DropReason::BadUpdateId), 1);
}

/// 7401-5.3.5-09 7401-5.3.5-10 7401-5.3.5-11 7401-6.12-08 7401-6.12.2-01 7401-6.12.2-02 7401-6.12.2-06 7401-6.12.2-03
#[test]
fn an_ack_settles_the_updates_it_lists_and_no_others() {
    let mut pair = Pair::new();
    pair.establish();
    pair.run_for(Duration::from_secs(20));
    // B asks; A's own answer is lost.
    pair.fate = Box::new(|t| if t.to == B { Fate::Drop } else { Fate::Deliver });
    pair.esp(B, false, true);
    let ack = |pair: &Pair, update_ids: Vec<u32>, seq: Option<u32>| {
        update(pair, |packet| {
            if let Some(update_id) = seq {
                packet.push(&Seq { update_id }).unwrap();
            }
            packet
                .push(&Ack {
                    update_ids: update_ids.clone(),
                })
                .unwrap();
        })
    };
    // Nothing of ours: dropped without SEQ, processed with it.
    let packet = ack(&pair, vec![7], None);
    pair.inject(B, &packet);
    assert_eq!(pair.dropped(B, DropReason::BadUpdateId), 1);
    let sent = pair.count(B, PacketType::Update);
    let packet = ack(&pair, vec![7], Some(0));
    pair.inject(B, &packet);
    assert_eq!(pair.count(B, PacketType::Update), sent + 1);
    let deadline = pair.ends[B].host.next_deadline().unwrap();
    assert!(deadline <= pair.now + SECOND, "still waits");
    let mut forged = ack(&pair, vec![0], None);
    let mac = Packet::parse(&forged)
        .unwrap()
        .get(ParamType::HIP_MAC)
        .unwrap()
        .offset;
    forged[mac + 9] ^= 1;
    pair.inject(B, &forged);
    let deadline = pair.ends[B].host.next_deadline().unwrap();
    assert!(deadline <= pair.now + SECOND, "still waits");
    // Among several ids, twice.
    let packet = ack(&pair, vec![9, 0, 8], None);
    pair.inject(B, &packet);
    let deadline = pair.ends[B].host.next_deadline().unwrap();
    assert!(deadline > pair.now + SECOND, "waits no more");
    pair.inject(B, &packet);
    assert_eq!(pair.dropped(B, DropReason::BadUpdateId), 2);
    assert_eq!(
        pair.count(B, PacketType::Update),
        sent + 1,
        "an ACK is not acknowledged"
    );
}

/// A locator of A that counts.
fn locator(address: LocatorAddress<'static>, preferred: bool) -> Locator<'static> {
    Locator {
        traffic_type: TrafficType::Both,
        preferred,
        lifetime: 60,
        address,
    }
}

/// Where B wants to verify an address after an UPDATE with these locators, over raw IP.
fn verified_at(
    esp_info: Option<(u32, u32)>,
    locators: &[Locator<'static>],
) -> (Option<IpAddr>, Pair) {
    let identities = [0, 1].map(|i| IDENTITIES[i].clone());
    let mut pair = Pair::between(Default::default(), identities, Transport::Raw, 3);
    pair.establish();
    let mut packet = update(&pair, |packet| {
        if let Some((old_spi, new_spi)) = esp_info {
            packet
                .push(&EspInfo {
                    keymat_index: 0,
                    old_spi,
                    new_spi,
                })
                .unwrap();
        }
        packet
            .push(&LocatorSet {
                locators: locators.to_vec(),
            })
            .unwrap();
        packet.push(&Seq { update_id: 0 }).unwrap();
    });
    let mut path = pair.path(B);
    path.transport = Transport::Raw;
    path.local.set_port(0);
    path.remote.set_port(0);
    hip_wire::write_checksum(&mut packet, path.remote.ip(), path.local.ip()).unwrap();
    pair.wire.clear();
    pair.input(
        B,
        Input::Packet {
            path,
            bytes: &packet,
        },
    );
    let asked = pair.wire.iter().find(|transit| {
        let packet = Packet::parse(&transit.bytes).unwrap();
        packet.get(ParamType::ECHO_REQUEST_SIGNED).is_some()
    });
    (asked.map(|transit| transit.path.local.ip()), pair)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// 8046-5.3-01 8046-5.3-16 8046-5.3-20 8046-5.4-02 8046-3.3.1-01
#[test]
fn the_preferred_of_the_listed_addresses_is_verified() {
    let at = |text| LocatorAddress::Address(ip(text));
    let set = [
        locator(at("203.0.113.7"), false),
        locator(at("203.0.113.8"), true),
    ];
    assert_eq!(verified_at(None, &set).0, Some(ip("203.0.113.8")));
    let set = [locator(at("203.0.113.7"), false)];
    assert_eq!(verified_at(None, &set).0, Some(ip("203.0.113.7")));
    assert_eq!(verified_at(None, &[]).0, None);
}

/// 8046-5.3-10
#[test]
fn addresses_that_are_not_unicast_or_of_another_sa_are_not_used() {
    for text in ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1"] {
        let set = [locator(LocatorAddress::Address(ip(text)), true)];
        assert_eq!(verified_at(None, &set).0, None, "{text}");
    }
    let set = [locator(
        LocatorAddress::SpiAddress {
            spi: 4711,
            address: ip("203.0.113.7"),
        },
        true,
    )];
    assert_eq!(verified_at(None, &set).0, None);
}

/// 8046-5.3-04 8046-5.3-05 8046-5.3-09
#[test]
fn esp_info_that_does_not_fit_stops_the_update() {
    let set = [locator(LocatorAddress::Address(ip("203.0.113.7")), true)];
    let (asked, pair) = verified_at(Some((4711, 4711)), &set);
    assert_eq!(asked, None);
    assert_eq!(pair.dropped(B, DropReason::BadParameter), 1);
    // The right SPI does not depend on the test's packets: same seed, same SPI.
    let spi = *pair.ends[A].inbound.keys().next().unwrap();
    assert_eq!(
        verified_at(Some((spi, spi)), &set).0,
        Some(ip("203.0.113.7"))
    );
    assert_eq!(verified_at(Some((spi, 4711)), &set).0, None);
}

/// 7401-5.3.6-03 7402-5.1.3-01
#[test]
fn a_notify_of_ours_is_signed_and_has_no_mac() {
    let mut pair = Pair::new();
    pair.fate = lose_all(PacketType::R1);
    pair.connect(A);
    pair.run_for(Duration::from_millis(20));
    let r1 = pair.last(B, PacketType::R1);
    let recipe = Recipe {
        suites: vec![EspSuite::AesCcm8],
        ..Recipe::default()
    };
    pair.inject(B, &recipe.make(&r1));
    let notify = pair.last(B, PacketType::Notify);
    let notify = Packet::parse(&notify).unwrap();
    assert_eq!(
        notify.require::<Notification<'_>>().unwrap().notify_type.0,
        19
    );
    assert!(notify.get(ParamType::HIP_MAC).is_none());
    let signature: HipSignature<'_> = notify.require().unwrap();
    let input = notify.signature_input().unwrap();
    let public = IDENTITIES[B].public();
    assert!(public.verify(&input, signature.0.signature).is_ok());
}
