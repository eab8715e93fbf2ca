//! ECDSA_LOW against SEC's example and OpenSSL, and what must be refused.

use super::*;
use crate::{rng::SeededRng, test_support::hex};

const VECTORS: &str = include_str!("../../../tests/vectors/openssl/weak-signatures.txt");
const ORDER: &str = "0100000000000000000001f4c8f927aed3ca752257";

fn vector(kind: &str) -> Vec<u8> {
    let line = VECTORS.lines().find_map(|line| {
        let rest = line.strip_prefix("ecdsa-secp160r1 ")?;
        rest.strip_prefix(kind)
    });
    hex(line.expect("vector").trim())
}

fn public(coordinates: &[u8]) -> EcdsaLowPublic {
    let hi = [&[0, 1, 4], coordinates].concat();
    EcdsaLowPublic::from_hi(&hi).expect("point")
}

/// GEC 2 section 2.1.1: ECDSA with SHA-1 of "abc". 7401-5.2.14-05 7401-5.2.14-04
#[test]
fn the_published_signature_verifies() {
    let key = public(&hex(
        "51b4496fecc406ed0e75a24a3c03206251419dc0c28dcb4b73a514b468d793894f381ccc1756aa6c",
    ));
    let signature = hex("00ce2873e5be449563391feb47ddcba2dc16379191\
         003480ec1371a091a464b31ce47df0cb8aa2d98b54");
    assert_eq!(key.verify(b"abc", &signature), Ok(()));
    assert_eq!(
        key.verify(b"abd", &signature),
        Err(CryptoError::BadSignature)
    );
}

/// 7401-5.2.9-07 7401-5.2.9-12 7401-5.2.14-05
#[test]
fn openssl_and_this_host_sign_with_one_key_and_the_nonce_is_that_of_rfc_6979() {
    let pem = include_str!("../../../tests/vectors/openssl/ecdsa-secp160r1.pem");
    let host = crate::keyfile::decode_pem(pem).expect("key");
    let point = vector("public");
    assert_eq!(host.public().hi(), [&[0, 1, 4], point.as_slice()].concat());
    let message = b"signed by openssl";
    let key = public(&point);
    assert_eq!(key.verify(message, &vector("openssl")), Ok(()));
    let ours = host.sign(message).expect("signed");
    assert_eq!(ours, vector("rfc6979"));
    assert_eq!(key.verify(message, &ours), Ok(()));
}

#[test]
fn signatures_with_numbers_out_of_range_are_refused() {
    let key = EcdsaLowPrivate::generate(&mut SeededRng::new(1)).expect("key");
    let public = EcdsaLowPublic::from_hi(&key.hi()).expect("HI");
    let good = key.sign(b"m").expect("signed");
    assert_eq!(good.len(), 42);
    assert_eq!(public.verify(b"m", &good), Ok(()));
    let (r, s) = good.split_at(21);
    let refused = Err(CryptoError::BadSignature);
    let order = hex(ORDER);
    let mut beyond = order.clone();
    beyond[20] += 1;
    for bad in [vec![0; 21], order, beyond, vec![0xff; 21]] {
        assert_eq!(public.verify(b"m", &[r, &bad].concat()), refused);
        assert_eq!(public.verify(b"m", &[bad.as_slice(), s].concat()), refused);
    }
    assert_eq!(public.verify(b"m", &[0; 42]), refused);
    for bit in 0..42 * 8 {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(public.verify(b"m", &changed), refused, "bit {bit}");
    }
    for bad in [
        &good[..41],
        &good[1..],
        &[],
        &[good.as_slice(), &[0]].concat(),
    ] {
        assert_eq!(public.verify(b"m", bad), refused);
    }
    // Without the octets that are always 0 or 1: the form of a 160-bit order.
    assert_eq!(public.verify(b"m", &[&r[1..], &s[1..]].concat()), refused);
}

/// 7401-5.2.9-12 7401-3.2-09
#[test]
fn malformed_keys_are_refused() {
    let key = EcdsaLowPrivate::generate(&mut SeededRng::new(2)).expect("key");
    let good = key.hi();
    assert_eq!(good.len(), 43);
    assert_eq!(good[..3], [0, 1, 4]);
    let refused = |hi: &[u8]| {
        matches!(
            EcdsaLowPublic::from_hi(hi),
            Err(CryptoError::MalformedKey(_))
        )
    };
    assert!(!refused(&good));
    for label in [0, 2, 3, 0xff] {
        let mut bad = good.clone();
        bad[1] = label;
        assert!(refused(&bad));
    }
    for mark in [0, 2, 3, 5, 6, 7] {
        let mut bad = good.clone();
        bad[2] = mark;
        assert!(refused(&bad));
    }
    let mut off_curve = good.clone();
    off_curve[42] ^= 1;
    assert!(refused(&off_curve));
    for length in 0..good.len() {
        assert!(refused(&good[..length]));
    }
    assert!(refused(&[good.as_slice(), &[0]].concat()));
    assert!(refused(&[&good[..2], &good[3..]].concat()));
    assert!(refused(&[&[0, 1, 2], &good[3..23]].concat()));
    assert!(refused(&[&[0, 1, 4], [0; 40].as_slice()].concat()));
    assert!(refused(&[0, 1, 0]));
}

#[test]
fn a_key_file_with_the_wrong_public_key_is_refused() {
    let one = EcdsaLowPrivate::generate(&mut SeededRng::new(3)).expect("key");
    let other = EcdsaLowPrivate::generate(&mut SeededRng::new(4)).expect("key");
    let sec1 = |scalar: &[u8], point: &[u8]| {
        der::sequence(&[
            &der::unsigned(&[1]),
            &der::tlv(der::OCTET_STRING, &[scalar]),
            &der::tlv(0xa1, &[&der::bit_string(point)]),
        ])
    };
    let scalar = scalar_octets(&one.scalar);
    assert!(EcdsaLowPrivate::from_sec1(&sec1(&scalar, &one.hi()[2..])).is_ok());
    assert!(EcdsaLowPrivate::from_sec1(&sec1(&scalar, &other.hi()[2..])).is_err());
    assert!(EcdsaLowPrivate::from_sec1(&sec1(&[0; 21], &one.hi()[2..])).is_err());
    assert!(EcdsaLowPrivate::from_sec1(&sec1(&hex(ORDER), &one.hi()[2..])).is_err());
    assert!(EcdsaLowPrivate::from_sec1(&sec1(&[0; 22], &one.hi()[2..])).is_err());
    assert!(EcdsaLowPrivate::from_sec1(&[]).is_err());
}
