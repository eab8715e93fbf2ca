//! The vector of the requirement notes, and the rules of drawing.

use super::*;
use crate::test_support::{hex, hit};

fn keymat() -> Keymat {
    let i: Vec<u8> = (0..32).collect();
    let mut j = vec![0; 30];
    j.extend([0x04, 0x67]);
    let kij = Secret::new(vec![0xaa; 32]);
    Keymat::new(
        Rhash::Sha256,
        &kij,
        &i,
        &j,
        hit("2001:21::1"),
        hit("2001:21::2"),
    )
}

/// Section 7 of the requirement notes, made with an independent script.
/// 7401-6.5-01 7401-6.5-04 7401-6.5-05 7402-7-01 7402-7-03 7402-3.3.1-04
#[test]
fn the_known_secret_gives_its_known_keys() {
    let mut keymat = keymat();
    let hip = keymat.hip_keys(HipCipher::Aes128Cbc).expect("drawn");
    let want = [
        (&hip.gl_enc, "f9d7462958f4a6d29b415912c0cbb25b"),
        (
            &hip.gl_int,
            "4c7c1fdd3d803b3482156e2b1cc68e30b20e1a207d3648a4b48fbccde74aaa09",
        ),
        (&hip.lg_enc, "d1503b8059efed8ec99fb1b892a75c34"),
        (
            &hip.lg_int,
            "85ee26200f9b584431f21472ee89002ad65f2178cc9361d697dcf747d0ebe637",
        ),
    ];
    for (key, want) in want {
        assert_eq!(key.as_bytes(), hex(want));
    }
    // 7402-5.1.1-06
    assert_eq!(keymat.index(), 96);
    let esp = keymat
        .esp_keys(EspSuite::Aes128CbcHmacSha256)
        .expect("drawn");
    let want = [
        (&esp.gl.encryption, "fd4a5bb6bfa0d042175013393973432f"),
        (
            &esp.gl.authentication,
            "b49397e9ad8c7522eac9217716f7c39897821ed40da45b14d405d6d38f5d3d10",
        ),
        (&esp.lg.encryption, "34bb6dfb2133f1a842fa5bd7a7fd397a"),
        (
            &esp.lg.authentication,
            "f99c8e457145d76986b605780b0b1f1e04b95a89055c1980ff5cbb1864d947b8",
        ),
    ];
    for (key, want) in want {
        assert_eq!(key.as_bytes(), hex(want));
    }
    assert_eq!(keymat.index(), 192);
}

/// 7401-6.5-02
#[test]
fn both_hosts_derive_the_same_whatever_order_they_name_the_hits_in() {
    let (a, b) = (hit("2001:21::ffff"), hit("2001:21:8000::"));
    let kij = Secret::new(vec![1; 32]);
    let mut one = Keymat::new(Rhash::Sha256, &kij, &[2; 32], &[3; 32], a, b);
    let mut two = Keymat::new(Rhash::Sha256, &kij, &[2; 32], &[3; 32], b, a);
    assert_eq!(one.draw(200), two.draw(200));
    let mut other = Keymat::new(Rhash::Sha256, &kij, &[3; 32], &[2; 32], a, b);
    assert_ne!(one.draw(64), other.draw(64));
}

/// 7401-6.4.1-05
#[test]
fn the_greater_hit_sends_with_the_gl_keys() {
    let mut keymat = keymat();
    let hip = keymat.hip_keys(HipCipher::Aes256Cbc).expect("drawn");
    let esp = keymat.esp_keys(EspSuite::AesGcm16).expect("drawn");
    let (less, greater) = (hit("2001:21::1"), hit("2001:21::2"));
    assert_eq!(hip.encryption(greater, less), &hip.gl_enc);
    assert_eq!(hip.integrity(greater, less), &hip.gl_int);
    assert_eq!(hip.encryption(less, greater), &hip.lg_enc);
    assert_eq!(hip.integrity(less, greater), &hip.lg_int);
    assert_eq!(esp.for_sender(greater, less), &esp.gl);
    assert_eq!(esp.for_sender(less, greater), &esp.lg);
    assert_ne!(esp.gl, esp.lg);
}

/// In the combined modes the salt follows the key, and nothing is drawn for authentication; AES-CMAC
/// draws nothing for encryption. 7402-7-01 7402-7-03 7402-5.1.2-15
#[test]
fn each_esp_suite_draws_its_keys_and_salts_one_behind_the_other() {
    for &suite in EspSuite::ALL {
        let lengths = aead::key_lengths(suite);
        let length = lengths.encryption + lengths.authentication;
        let (mut keys, mut octets) = (keymat(), keymat());
        let pair = keys.esp_keys(suite).expect("drawn");
        assert_eq!(usize::from(keys.index()), 2 * length);
        for keys in [pair.gl, pair.lg] {
            let drawn = octets.draw(length).expect("drawn");
            let (encryption, authentication) = drawn.as_bytes().split_at(lengths.encryption);
            assert_eq!(keys.encryption.as_bytes(), encryption);
            assert_eq!(keys.authentication.as_bytes(), authentication);
        }
    }
}

/// 7402-5.1.1-06 7401-6.5-05
#[test]
fn the_index_behind_the_hip_keys_is_their_length() {
    let kij = Secret::new(vec![1; 48]);
    let hits = (hit("2001:22::1"), hit("2001:22::2"));
    for (rhash, cipher, want) in [
        (Rhash::Sha256, HipCipher::Aes128Cbc, 96),
        (Rhash::Sha256, HipCipher::Aes256Cbc, 128),
        (Rhash::Sha384, HipCipher::Aes128Cbc, 128),
        (Rhash::Sha384, HipCipher::Aes256Cbc, 160),
        (Rhash::Sha1, HipCipher::Null, 40),
        (Rhash::Cshake128, HipCipher::Aes128Cbc, 96),
    ] {
        let salt = vec![0; rhash.len()];
        let mut keymat = Keymat::new(rhash, &kij, &salt, &salt, hits.0, hits.1);
        keymat.hip_keys(cipher).expect("drawn");
        assert_eq!(keymat.index(), want);
    }
}

/// 7401-6.5-07
#[test]
fn the_material_ends_after_255_digests_and_a_failed_draw_takes_nothing() {
    let mut keymat = keymat();
    let all = keymat.clone().draw(8160).expect("drawn");
    assert_eq!(keymat.draw(8161), Err(CryptoError::KeymatExhausted));
    assert_eq!(keymat.index(), 0);
    // 84 rekeys of suite 8 fit behind the HIP keys.
    keymat.hip_keys(HipCipher::Aes128Cbc).expect("drawn");
    for _ in 0..84 {
        keymat
            .esp_keys(EspSuite::Aes128CbcHmacSha256)
            .expect("drawn");
    }
    assert_eq!(keymat.index(), 8160);
    assert_eq!(all.len(), 8160);
    assert_eq!(keymat.draw(1), Err(CryptoError::KeymatExhausted));
    assert_eq!(keymat.draw(0), Ok(Secret::default()));
}

/// 7402-6.8-09 7402-7-04
#[test]
fn a_rekey_goes_on_at_or_behind_the_next_undrawn_octet() {
    let mut keymat = keymat();
    let all = keymat.clone().draw(400).expect("drawn");
    keymat.draw(96).expect("drawn");
    assert_eq!(keymat.skip_to(95), Err(CryptoError::KeymatReused));
    assert_eq!(keymat.skip_to(96), Ok(()));
    keymat.skip_to(131).expect("ahead");
    let keys = keymat.draw(96).expect("drawn");
    assert_eq!(keys.as_bytes(), &all.as_bytes()[131..227]);
    assert_eq!(keymat.skip_to(u16::MAX), Err(CryptoError::KeymatExhausted));
}

#[test]
fn drawing_in_pieces_gives_the_same_octets() {
    let all = keymat().draw(1000).expect("drawn");
    let mut keymat = keymat();
    let mut pieces = Vec::new();
    for length in [0, 1, 31, 32, 33, 64, 200, 639] {
        pieces.extend_from_slice(keymat.draw(length).expect("drawn").as_bytes());
    }
    assert_eq!(pieces, all.as_bytes());
}

/// RFC 5869 section 2, written down as it stands there.
#[test]
fn the_expansion_equals_a_straight_hkdf() {
    let (a, b) = (hit("2001:22::1"), hit("2001:22::2"));
    let kij = Secret::new((0..48).collect());
    for rhash in [Rhash::Sha256, Rhash::Sha384, Rhash::Sha1, Rhash::Cshake128] {
        let (i, j) = (vec![5; rhash.len()], vec![6; rhash.len()]);
        let prk = rhash.hmac(&[i.as_slice(), &j].concat(), &[kij.as_bytes()]);
        let info = [*a.as_bytes(), *b.as_bytes()].concat();
        let (mut want, mut block) = (Vec::new(), Vec::new());
        for number in 1..=9 {
            let input = [block.as_slice(), &info, &[number]].concat();
            block = rhash.hmac(prk.as_ref(), &[&input]).as_ref().to_vec();
            want.extend_from_slice(&block);
        }
        let mut keymat = Keymat::new(rhash, &kij, &i, &j, a, b);
        let drawn = keymat.draw(want.len()).expect("drawn");
        assert_eq!(drawn.as_bytes(), want);
    }
}

/// The choice of docs/decisions/0005, computed with the KMAC-128 of OpenSSL 3.0.19.
#[test]
fn suite_5_derives_its_keys_by_kmac_in_the_place_of_hmac() {
    let i: Vec<u8> = (0..32).collect();
    let mut j = vec![0; 30];
    j.extend([0x04, 0x67]);
    let (a, b) = (hit("2001:25::1"), hit("2001:25::2"));
    let kij = Secret::new(vec![0xaa; 32]);
    let mut keymat = Keymat::new(Rhash::Cshake128, &kij, &i, &j, a, b);
    let want = "08d9571f0bc7ea1cc64ca9a290b88285fc4532878e8b2b04821c101793d0676e\
                1da8761fc155598e695ddf4d72cf82e37702097c9a1994fea38bfab453c57058\
                b8a20a86cd69625734d2bb7fa6b88fee6c8cc92f60ef3f7ade7b124d89bebd6b";
    assert_eq!(keymat.draw(96).expect("drawn").as_bytes(), hex(want));
}
