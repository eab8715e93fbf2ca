//! Published ESP packets, other implementations of the algorithms, and what must be refused.

use aes::cipher::{BlockModeDecrypt, InnerIvInit, KeyInit, block_padding::NoPadding};
use proptest::prelude::*;

use super::*;
use crate::{
    hash::Rhash,
    rng::{Rng as _, SeededRng},
    secret::Secret,
    test_support::hex,
};

const SUITES: &[EspSuite] = EspSuite::ALL;
const BACKENDS: [Backend; 2] = [Backend::Fast, Backend::Portable];

const SPI: u32 = 0x0102_0304;
/// Both halves of the sequence number matter.
const SEQ: u64 = 0x0000_0005_0000_0006;

fn keys(suite: EspSuite, rng: &mut SeededRng) -> EspKeys {
    let lengths = key_lengths(suite);
    EspKeys {
        suite,
        encryption: Secret::filled_by(lengths.encryption, |out| rng.fill(out)),
        authentication: Secret::filled_by(lengths.authentication, |out| rng.fill(out)),
    }
}

fn body(suite: EspSuite, text: &[u8]) -> Vec<u8> {
    let mut body = vec![0; suite.iv_len()];
    body.extend_from_slice(text);
    body.resize(body.len() + suite.icv_len(), 0);
    body
}

/// 7402-5.1.2-03 7402-5.1.2-04 7402-5.1.2-13 7402-5.1.2-14
#[test]
fn what_was_sealed_opens_for_every_suite() {
    let mut rng = SeededRng::new(1);
    for &suite in SUITES {
        let keys = keys(suite, &mut rng);
        let sealer = EspSealer::new(&keys).expect("keys");
        let opener = EspOpener::new(&keys).expect("keys");
        for length in [block_len(suite), 16, 64, 1408] {
            let text: Vec<u8> = (0..=255).cycle().take(length).collect();
            let mut packet = body(suite, &text);
            sealer
                .seal(SPI, SEQ, &[7; 16], &mut packet)
                .expect("sealed");
            if !suite.authenticates_only() {
                assert_ne!(packet[suite.iv_len()..][..length], text);
            }
            let range = opener.open(SPI, SEQ, &mut packet).expect("opened");
            assert_eq!(range, suite.iv_len()..suite.iv_len() + length);
            assert_eq!(packet[range], text);
        }
    }
}

/// 4303-2.2.1-03 4303-2.2.1-04 4303-2.2.1-05 4303-2-03 4303-3.4.4.2-01
#[test]
fn any_changed_bit_and_any_other_header_is_refused() {
    let mut rng = SeededRng::new(2);
    for &suite in SUITES {
        let keys = keys(suite, &mut rng);
        let sealer = EspSealer::new(&keys).expect("keys");
        let opener = EspOpener::new(&keys).expect("keys");
        let mut packet = body(suite, &[0x5a; 32]);
        sealer
            .seal(SPI, SEQ, &[7; 16], &mut packet)
            .expect("sealed");
        let open = |spi, seq, packet: &[u8]| opener.open(spi, seq, &mut packet.to_vec());
        for bit in 0..packet.len() * 8 {
            let mut changed = packet.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open(SPI, SEQ, &changed),
                Err(CryptoError::BadIcv),
                "{suite}, bit {bit}"
            );
        }
        assert_eq!(open(SPI ^ 1, SEQ, &packet), Err(CryptoError::BadIcv));
        assert_eq!(open(SPI, SEQ ^ 1, &packet), Err(CryptoError::BadIcv));
        assert_eq!(
            open(SPI, SEQ ^ (1 << 32), &packet),
            Err(CryptoError::BadIcv)
        );
        assert!(open(SPI, SEQ, &packet).is_ok());
    }
}

/// draft-mcgrew-gcm-test-01 (vectors of RFC 4106), the first with extended sequence numbers.
#[test]
fn the_published_packet_with_aes_gcm_opens() {
    let keys = EspKeys {
        suite: EspSuite::AesGcm16,
        encryption: Secret::new(hex("4c80cdefbb5d10da906ac73c3613a6342e443b68")),
        authentication: Secret::default(),
    };
    let mut packet = hex("4956ed7e3b244cfe\
         fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d\
         15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732459018148f6cbe722fd04796562dfdb4");
    let opener = EspOpener::new(&keys).expect("keys");
    let range = opener
        .open(0x0000_4321, 0x8765_4321_0000_0000, &mut packet)
        .expect("opened");
    let text = hex(
        "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f756470037369\
         700963796265726369747902646b000021000101020201",
    );
    assert_eq!(packet[range], text);
}

/// 4303-3.3.2.1-01 4303-2.8-01
#[test]
fn cbc_suites_encrypt_first_and_authenticate_the_ciphertext_with_half_an_hmac() {
    let mut rng = SeededRng::new(3);
    for suite in [EspSuite::Aes128CbcHmacSha256, EspSuite::Aes256CbcHmacSha256] {
        let keys = keys(suite, &mut rng);
        let text = [0x11; 48];
        let mut packet = body(suite, &text);
        EspSealer::new(&keys)
            .expect("keys")
            .seal(SPI, SEQ, &[9; 16], &mut packet)
            .expect("sealed");
        let (protected, icv) = packet.split_at(packet.len() - 16);
        let header = [&SPI.to_be_bytes(), &SEQ.to_be_bytes()[4..]].concat();
        let high = &SEQ.to_be_bytes()[..4];
        let hmac = Rhash::Sha256.hmac(keys.authentication.as_bytes(), &[&header, protected, high]);
        assert_eq!(icv, &hmac.as_ref()[..16]);
        let mut cipher = protected[16..].to_vec();
        let key = keys.encryption.as_bytes();
        let plain = if key.len() == 16 {
            decrypt_with::<aes::Aes128Dec>(key, &mut cipher)
        } else {
            decrypt_with::<aes::Aes256Dec>(key, &mut cipher)
        };
        assert_eq!(protected[..16], [9; 16]);
        assert_eq!(plain, text);
    }
}

fn decrypt_with<K>(key: &[u8], cipher: &mut [u8]) -> Vec<u8>
where
    K: KeyInit + aes::cipher::BlockCipherDecrypt,
    ::cbc::Decryptor<K>: BlockModeDecrypt + InnerIvInit<Inner = K>,
{
    ::cbc::Decryptor::inner_iv_slice_init(K::new_from_slice(key).expect("key"), &[9; 16])
        .expect("iv")
        .decrypt_padded::<NoPadding>(cipher)
        .expect("blocks")
        .to_vec()
}

#[test]
fn the_iv_of_aes_gcm_is_the_sequence_number_and_never_the_callers() {
    let keys = keys(EspSuite::AesGcm16, &mut SeededRng::new(4));
    let sealer = EspSealer::new(&keys).expect("keys");
    let mut packets = [0, 1].map(|fill| {
        let mut packet = body(EspSuite::AesGcm16, &[1; 16]);
        sealer
            .seal(SPI, SEQ, &[fill; 16], &mut packet)
            .expect("sealed");
        packet
    });
    assert_eq!(packets[0], packets[1]);
    assert_eq!(packets[0][..8], SEQ.to_be_bytes());
    sealer
        .seal(SPI, SEQ + 1, &[0; 16], &mut packets[0])
        .expect("sealed");
    assert_eq!(packets[0][..8], (SEQ + 1).to_be_bytes());
}

/// 7402-7-03 7402-5.1.2-15 4303-2.4-02 4303-2.4-03
#[test]
fn each_suite_has_its_key_lengths_and_its_block() {
    let lengths = |suite| {
        let lengths = key_lengths(suite);
        (lengths.encryption, lengths.authentication, block_len(suite))
    };
    assert_eq!(lengths(EspSuite::NullHmacSha256), (0, 32, 4));
    assert_eq!(lengths(EspSuite::Aes128CbcHmacSha256), (16, 32, 16));
    assert_eq!(lengths(EspSuite::Aes256CbcHmacSha256), (32, 32, 16));
    assert_eq!(lengths(EspSuite::AesCcm8), (19, 0, 4));
    assert_eq!(lengths(EspSuite::AesCcm16), (19, 0, 4));
    assert_eq!(lengths(EspSuite::AesGcm8), (20, 0, 4));
    assert_eq!(lengths(EspSuite::AesGcm16), (20, 0, 4));
    assert_eq!(lengths(EspSuite::AesCmac96), (0, 16, 4));
    assert_eq!(lengths(EspSuite::AesGmac), (20, 0, 4));
}

/// What `make.py` beside it has made with OpenSSL, on both back ends and in both directions.
/// 7402-5.1.2-03 7402-5.1.2-04 7402-5.1.2-13 7402-5.1.2-15
#[test]
fn packets_of_openssl_come_out_and_open() {
    let lines = include_str!("../../tests/vectors/openssl/esp.txt").lines();
    let mut packets = 0;
    for line in lines.filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let suite = EspSuite::from_number(words[0].parse().expect("number")).expect("suite");
        let octets = |at: usize| hex(words[at].trim_start_matches('-'));
        let keys = EspKeys {
            suite,
            encryption: Secret::new(octets(1)),
            authentication: Secret::new(octets(2)),
        };
        let spi = u32::from_str_radix(words[3], 16).expect("SPI");
        let seq = u64::from_str_radix(words[4], 16).expect("sequence number");
        let random_iv: [u8; 16] = octets(5).try_into().expect("16 octets");
        let (text, want) = (octets(6), octets(7));
        for backend in BACKENDS {
            let mut packet = body(suite, &text);
            let sealer = EspSealer::new_on(backend, &keys).expect("keys");
            sealer
                .seal(spi, seq, &random_iv, &mut packet)
                .expect("sealed");
            assert_eq!(packet, want, "{line}");
            let opener = EspOpener::new_on(backend, &keys).expect("keys");
            let range = opener.open(spi, seq, &mut packet).expect("opened");
            assert_eq!(packet[range], text, "{line}");
        }
        packets += 1;
    }
    assert_eq!(packets, 3 * SUITES.len());
}

/// The last octets of a longer ICV are no ICV of another suite with the same key.
#[test]
fn a_short_icv_is_the_front_of_the_long_one_only_in_aes_gcm() {
    let seal = |suite| {
        let long = keys(EspSuite::AesGcm16, &mut SeededRng::new(8));
        let encryption = &long.encryption.as_bytes()[..key_lengths(suite).encryption];
        let keys = EspKeys {
            suite,
            encryption: Secret::copy_of(encryption),
            authentication: Secret::default(),
        };
        let mut packet = body(suite, &[3; 32]);
        let sealer = EspSealer::new(&keys).expect("keys");
        sealer
            .seal(SPI, SEQ, &[0; 16], &mut packet)
            .expect("sealed");
        packet
    };
    let (short, long) = (seal(EspSuite::AesGcm8), seal(EspSuite::AesGcm16));
    assert_eq!(short, long[..short.len()]);
    let (short, long) = (seal(EspSuite::AesCcm8), seal(EspSuite::AesCcm16));
    assert_eq!(short[..40], long[..40]);
    assert_ne!(short[40..], long[40..48]);
}

#[test]
fn keys_of_wrong_length_are_refused() {
    let mut rng = SeededRng::new(5);
    for &suite in SUITES {
        let good = keys(suite, &mut rng);
        let mut long = good.clone();
        long.encryption = Secret::new(vec![0; good.encryption.len() + 1]);
        let mut short = good.clone();
        short.authentication = Secret::new(vec![0; good.authentication.len() + 1]);
        for bad in [long, short] {
            assert_eq!(EspSealer::new(&bad).err(), Some(CryptoError::BadLength));
            assert_eq!(EspOpener::new(&bad).err(), Some(CryptoError::BadLength));
        }
    }
}

#[test]
fn bodies_that_cannot_be_packets_are_refused() {
    let mut rng = SeededRng::new(6);
    for &suite in SUITES {
        let keys = keys(suite, &mut rng);
        let sealer = EspSealer::new(&keys).expect("keys");
        let opener = EspOpener::new(&keys).expect("keys");
        for length in 0..suite.iv_len() + suite.icv_len() {
            let mut packet = vec![0; length];
            let short = CryptoError::BufferTooShort;
            assert_eq!(opener.open(SPI, 1, &mut packet), Err(short));
            assert_eq!(sealer.seal(SPI, 1, &[0; 16], &mut packet), Err(short));
        }
        let mut broken = body(suite, &vec![0; block_len(suite) + 1]);
        assert_eq!(
            opener.open(SPI, 1, &mut broken),
            Err(CryptoError::BadLength)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each seals for the other, and both refuse the same changed packet.
    #[test]
    fn both_back_ends_make_and_open_the_same_packets(
        seed: u64, spi: u32, seq: u64, iv: [u8; 16], blocks in 1..20_usize, at: prop::sample::Index, bit in 0..8_u8,
    ) {
        for &suite in SUITES {
            let mut rng = SeededRng::new(seed);
            let keys = keys(suite, &mut rng);
            let mut text = vec![0; blocks * 16];
            rng.fill(&mut text);
            let mut packets = [Vec::new(), Vec::new()];
            for (packet, backend) in packets.iter_mut().zip(BACKENDS) {
                *packet = body(suite, &text);
                EspSealer::new_on(backend, &keys)?.seal(spi, seq, &iv, packet)?;
            }
            prop_assert_eq!(&packets[0], &packets[1]);
            let [packet, mut changed] = packets;
            let at = at.index(changed.len());
            changed[at] ^= 1 << bit;
            for backend in BACKENDS {
                let opener = EspOpener::new_on(backend, &keys)?;
                let refused = opener.open(spi, seq, &mut changed.clone());
                prop_assert_eq!(refused, Err(CryptoError::BadIcv));
                let mut copy = packet.clone();
                let range = opener.open(spi, seq, &mut copy)?;
                prop_assert_eq!(&copy[range], &text);
            }
        }
    }

    #[test]
    fn ring_makes_the_same_aes_gcm_packet(
        key: [u8; 20], spi: u32, seq: u64, text in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let keys = EspKeys {
            suite: EspSuite::AesGcm16,
            encryption: Secret::copy_of(&key),
            authentication: Secret::default(),
        };
        let mut packet = body(EspSuite::AesGcm16, &text);
        EspSealer::new(&keys).expect("keys").seal(spi, seq, &[0; 16], &mut packet).expect("sealed");

        let oracle = ring::aead::UnboundKey::new(&ring::aead::AES_128_GCM, &key[..16]).expect("key");
        let oracle = ring::aead::LessSafeKey::new(oracle);
        let nonce: [u8; 12] = [&key[16..], &seq.to_be_bytes()].concat().try_into().expect("12");
        let aad = [spi.to_be_bytes().as_slice(), &seq.to_be_bytes()].concat();
        let mut want = text;
        oracle
            .seal_in_place_append_tag(
                ring::aead::Nonce::assume_unique_for_key(nonce),
                ring::aead::Aad::from(aad),
                &mut want,
            )
            .expect("sealed");
        prop_assert_eq!(&packet[8..], want);
    }

    #[test]
    fn any_octets_open_or_are_refused(mut packet in proptest::collection::vec(any::<u8>(), 0..200)) {
        for &suite in SUITES {
            let keys = keys(suite, &mut SeededRng::new(7));
            let opened = EspOpener::new(&keys).expect("keys").open(SPI, 1, &mut packet);
            prop_assert!(opened.is_err());
        }
    }
}
