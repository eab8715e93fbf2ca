//! Published digests and MACs, and the portable hashes as oracles.

use ::hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::Digest;

use super::*;
use crate::test_support::{hex, hit};

const ALL: [Rhash; 4] = [Rhash::Sha256, Rhash::Sha384, Rhash::Sha1, Rhash::Cshake128];

/// FIPS 180-4 and FIPS 202 examples.
#[test]
fn the_published_digests_of_abc_come_out() {
    let want = [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "5881092dd818bf5cf8a3ddb793fbcba74097d5c526a6d35f97b83351940f2cc8",
    ];
    for (rhash, want) in ALL.into_iter().zip(want) {
        assert_eq!(rhash.digest(&[b"a", b"", b"bc"]).as_ref(), hex(want));
    }
}

/// RFC 4231 test case 2, and RFC 2202 test case 2.
#[test]
fn the_published_macs_come_out() {
    let want = [
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
    ];
    for (rhash, want) in ALL.into_iter().zip(want) {
        let mac = rhash.hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(mac.as_ref(), hex(want));
    }
}

/// 7401-5.2.12-01 7401-5.2.10-10
#[test]
fn a_mac_is_taken_whole_and_unchanged_or_not_at_all() {
    for rhash in ALL {
        let mac = rhash.hmac(b"key", &[b"message"]);
        assert_eq!(mac.as_ref().len(), rhash.len());
        assert!(
            rhash
                .verify_hmac(b"key", &[b"mess", b"age"], mac.as_ref())
                .is_ok()
        );
        let mut wrong = mac.as_ref().to_vec();
        wrong[0] ^= 0x80;
        for wrong in [
            &wrong,
            &mac.as_ref()[..16],
            &[],
            &[mac.as_ref(), &[0]].concat(),
        ] {
            let checked = rhash.verify_hmac(b"key", &[b"message"], wrong);
            assert_eq!(checked.map(drop), Err(CryptoError::BadMac));
        }
        assert!(
            rhash
                .verify_hmac(b"kez", &[b"message"], mac.as_ref())
                .is_err()
        );
    }
}

/// 7401-3.1-01
#[test]
fn the_suite_of_the_hit_selects_the_hash() {
    assert_eq!(Rhash::for_hit(hit("2001:21::1")), Some(Rhash::Sha256));
    assert_eq!(Rhash::for_hit(hit("2001:22::1")), Some(Rhash::Sha384));
    assert_eq!(Rhash::for_hit(hit("2001:23::1")), Some(Rhash::Sha1));
    assert_eq!(Rhash::for_hit(hit("2001:25::1")), Some(Rhash::Cshake128));
    assert_eq!(Rhash::for_hit(hit("2001:20::1")), None);
    assert_eq!(Rhash::for_hit(Hit::NULL), None);
}

#[test]
fn the_length_is_the_rhash_len_of_the_registry() {
    for suite in HitSuite::ALL {
        assert_eq!(Rhash::for_suite(*suite).len(), suite.rhash_len());
    }
}

fn portable<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("any key length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

proptest! {
    #[test]
    fn fast_and_portable_hashes_and_macs_are_equal(
        key in proptest::collection::vec(any::<u8>(), 0..200),
        data in proptest::collection::vec(any::<u8>(), 0..500),
        cut in any::<proptest::sample::Index>(),
    ) {
        let (first, second) = data.split_at(cut.index(data.len() + 1));
        let parts: &[&[u8]] = &[first, second];
        let digests = [
            sha2::Sha256::digest(&data).to_vec(),
            sha2::Sha384::digest(&data).to_vec(),
            sha1::Sha1::digest(&data).to_vec(),
        ];
        let macs = [
            portable::<Hmac<sha2::Sha256>>(&key, &data),
            portable::<Hmac<sha2::Sha384>>(&key, &data),
            portable::<Hmac<sha1::Sha1>>(&key, &data),
        ];
        for (rhash, (digest, mac)) in ALL.into_iter().zip(digests.into_iter().zip(macs)) {
            let fast = rhash.digest(parts);
            prop_assert_eq!(fast.as_ref(), digest);
            let fast = rhash.hmac(&key, parts);
            prop_assert_eq!(fast.as_ref(), mac);
        }
        let ring_key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
        let fast = Rhash::Sha256.hmac(&key, parts);
        let want = ring::hmac::sign(&ring_key, &data);
        prop_assert_eq!(fast.as_ref(), want.as_ref());
    }
}
