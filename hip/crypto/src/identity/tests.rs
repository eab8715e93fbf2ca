//! Signatures against published vectors, OpenSSL, ring and the portable back end.

use proptest::prelude::*;

use super::*;
use crate::{
    keyfile,
    test_support::{FixedRng, hex},
};

const KEYS: [KeyAlgorithm; 6] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::EcdsaSecp160r1,
    KeyAlgorithm::Dsa1024,
];
const SEEDED: [KeyAlgorithm; 5] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::EcdsaSecp160r1,
    KeyAlgorithm::Dsa1024,
];
const WEAK: HiPolicy = HiPolicy {
    allow_weak: true,
    backend: Backend::Fast,
};
const PORTABLE: HiPolicy = HiPolicy {
    allow_weak: true,
    backend: Backend::Portable,
};

fn generate(algorithm: KeyAlgorithm) -> HostIdentity {
    HostIdentity::generate(algorithm, &mut SeededRng::new(11)).expect("generated")
}

/// 7401-3-01 7401-3-02 7401-3-03 7401-3-05 7401-5.2.9-06 7401-5.2.9-07 7401-5.2.10-08 7401-5.2.14-05
#[test]
fn every_kind_of_key_signs_and_a_peer_that_knows_the_hi_verifies() {
    let lengths = [64, 96, 64, 256, 42, 41];
    for (algorithm, length) in KEYS.into_iter().zip(lengths) {
        let host = generate(algorithm);
        assert_eq!(host.key_algorithm(), algorithm);
        assert_eq!(host.hit().suite(), Some(algorithm.hit_suite()));
        let public = host.public();
        let peer = PublicIdentity::from_hi_with(WEAK, public.algorithm(), public.hi());
        let peer = peer.expect("HI");
        assert_eq!(&peer, public);
        assert_eq!(peer.hit(), host.hit());
        let signature = host.sign(b"message").expect("signed");
        assert_eq!(signature.len(), length);
        let proof = peer.verify(b"message", &signature).expect("valid");
        assert_eq!(proof.signer(), host.hit());
    }
}

#[test]
fn changed_messages_and_signatures_are_refused() {
    for algorithm in KEYS {
        let host = generate(algorithm);
        let public = host.public();
        let good = host.sign(b"message").expect("signed");
        let refused = Err(CryptoError::BadSignature);
        assert_eq!(public.verify(b"messagf", &good).map(drop), refused);
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(
                public.verify(b"message", &bad).map(drop),
                refused,
                "{algorithm}"
            );
        }
        for bad in [
            &[],
            &good[1..],
            &[0; 64],
            &[0; 96],
            &[0; 256],
            &[good.as_slice(), &[0]].concat(),
        ] {
            assert_eq!(
                public.verify(b"message", bad).map(drop),
                refused,
                "{algorithm}"
            );
        }
    }
}

/// RFC 8032 section 7.1, test 3. 9374-3.4.1-02
#[test]
fn ed25519_gives_the_published_signature() {
    let seed = hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
    let host =
        HostIdentity::generate(KeyAlgorithm::Ed25519, &mut FixedRng::new(&seed)).expect("made");
    let mut hi = vec![0, 1, 0, 0];
    hi.extend(hex(
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    ));
    assert_eq!(host.public().hi(), hi);
    assert_eq!(host.public().algorithm().number(), 13);
    assert_eq!(host.hit().to_addr().segments()[1], 0x25);
    let want = hex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
         18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    );
    assert_eq!(host.sign(&hex("af82")).expect("signed"), want);
}

/// 7401-5.2.9-09 7401-5.2.14-04
#[test]
fn signatures_of_openssl_verify_with_every_known_salt() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/openssl/");
    let lines = include_str!("../../tests/vectors/openssl/signatures.txt").lines();
    let mut checked = 0;
    for line in lines.filter(|line| !line.starts_with('#')) {
        let (name, signature) = line.split_once(' ').expect("two words");
        let pem = std::fs::read_to_string(format!("{folder}{name}.pem")).expect("key file");
        let host = keyfile::decode_pem(&pem).expect("key");
        assert_eq!(host.key_algorithm().name(), name);
        let valid = host.public().verify(b"signed by openssl", &hex(signature));
        assert!(valid.is_ok(), "{line}");
        checked += 1;
    }
    assert_eq!(checked, 7);
}

#[test]
fn ring_verifies_our_signatures() {
    use ring::signature::{
        ECDSA_P384_SHA384_FIXED, ED25519, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    };
    for host in [
        generate(KeyAlgorithm::EcdsaP384),
        HostIdentity::from_seed(KeyAlgorithm::EcdsaP384, 5).expect("seeded"),
    ] {
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &host.public().hi()[2..]);
        assert!(key.verify(b"m", &host.sign(b"m").expect("signed")).is_ok());
    }
    let host = generate(KeyAlgorithm::Ed25519);
    let key = UnparsedPublicKey::new(&ED25519, &host.public().hi()[4..]);
    assert!(key.verify(b"m", &host.sign(b"m").expect("signed")).is_ok());

    let host = generate(KeyAlgorithm::Rsa2048);
    let (e, n) = host.public().hi()[1..].split_at(3);
    assert_eq!(e, [1, 0, 1]);
    let key = RsaPublicKeyComponents { n, e };
    let signature = host.sign(b"m").expect("signed");
    assert!(
        key.verify(&RSA_PSS_2048_8192_SHA256, b"m", &signature)
            .is_ok()
    );
}

#[test]
fn one_seed_gives_one_identity_and_one_signature() {
    for algorithm in SEEDED {
        let one = HostIdentity::from_seed(algorithm, 42).expect("seeded");
        let two = HostIdentity::from_seed(algorithm, 42).expect("seeded");
        let other = HostIdentity::from_seed(algorithm, 43).expect("seeded");
        assert_eq!(one.hit(), two.hit());
        assert_ne!(one.hit(), other.hit());
        assert_eq!(one.sign(b"m"), two.sign(b"m"));
        assert!(
            one.public()
                .verify(b"m", &one.sign(b"m").expect("signed"))
                .is_ok()
        );
    }
    assert!(HostIdentity::from_seed(KeyAlgorithm::Rsa2048, 1).is_err());
}

#[test]
fn the_names_of_the_algorithms_read_back() {
    for algorithm in KeyAlgorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    let error = "rsa-1024".parse::<KeyAlgorithm>().expect_err("unknown");
    assert!(error.to_string().contains("ecdsa-p256"));
}

fn refusal(algorithm: HiAlgorithm, hi: &[u8]) -> CryptoError {
    PublicIdentity::from_hi(algorithm, hi).expect_err("refused")
}

fn is_malformed(algorithm: HiAlgorithm, hi: &[u8]) -> bool {
    matches!(refusal(algorithm, hi), CryptoError::MalformedKey(_))
}

/// 7401-3.2-04 7401-3.2-05 7401-5.2.9-08
#[test]
fn weak_and_malformed_rsa_keys_are_refused() {
    let good = generate(KeyAlgorithm::Rsa2048).public().hi().to_vec();
    let rsa = HiAlgorithm::Rsa;
    assert_eq!(good.len(), 260);
    assert!(is_malformed(rsa, &[]));
    assert!(is_malformed(rsa, &[0, 1]));
    assert!(is_malformed(rsa, &good[..3]));
    let is_weak = |hi: &[u8]| matches!(refusal(rsa, hi), CryptoError::WeakKey(_));
    assert!(is_weak(&good[..259]));
    let mut short = good.clone();
    short[4] = 0x7f;
    assert!(is_weak(&short));
    let mut one = vec![1, 1];
    one.extend_from_slice(&good[4..]);
    assert!(is_weak(&one));
    let mut even_n = good.clone();
    even_n[259] &= 0xfe;
    assert!(is_malformed(rsa, &even_n));
    let mut even_e = good.clone();
    even_e[3] = 0;
    assert!(is_malformed(rsa, &even_e));
    let mut leading = vec![3, 1, 0, 1, 0];
    leading.extend_from_slice(&good[4..]);
    assert!(is_malformed(rsa, &leading));
    let mut long = vec![5, 1, 0, 0, 0, 1];
    long.extend_from_slice(&good[4..]);
    assert!(is_malformed(rsa, &long));
    let mut huge = vec![3, 1, 0, 1];
    huge.resize(4 + 513, 0xff);
    assert!(is_malformed(rsa, &huge));
}

/// 7401-5.2.9-11 7401-3.2-09
#[test]
fn malformed_ecdsa_keys_are_refused() {
    let ecdsa = HiAlgorithm::Ecdsa;
    for (algorithm, label) in [(KeyAlgorithm::EcdsaP256, 1), (KeyAlgorithm::EcdsaP384, 2)] {
        let good = generate(algorithm).public().hi().to_vec();
        assert_eq!(good[..3], [0, label, 4]);
        for curve in [0, 3 - label, 3, 255] {
            let mut other = good.clone();
            other[1] = curve;
            assert!(is_malformed(ecdsa, &other));
        }
        let mut off_curve = good.clone();
        *off_curve.last_mut().expect("octets") ^= 1;
        assert!(is_malformed(ecdsa, &off_curve));
        let mut compressed = good[..good.len() / 2 + 2].to_vec();
        compressed[2] = 2;
        assert!(is_malformed(ecdsa, &compressed));
        let without_mark = [&good[..2], &good[3..]].concat();
        assert!(is_malformed(ecdsa, &without_mark));
        assert!(is_malformed(ecdsa, &[0, label, 0]));
        assert!(is_malformed(ecdsa, &[0]));
    }
}

/// 9374-3.4.1-02 9374-3.4.1-03
#[test]
fn weak_and_malformed_ed25519_keys_are_refused() {
    let eddsa = HiAlgorithm::EdDsa;
    let good = generate(KeyAlgorithm::Ed25519).public().hi().to_vec();
    let with_key = |key: &[u8]| [&good[..4], key].concat();
    for at in [1, 3] {
        let mut bad = good.clone();
        bad[at] = 9;
        assert!(is_malformed(eddsa, &bad));
    }
    assert!(is_malformed(eddsa, &good[..35]));
    assert!(is_malformed(eddsa, &[good.as_slice(), &[0]].concat()));
    let orders = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];
    for key in orders {
        assert!(matches!(
            refusal(eddsa, &with_key(&hex(key))),
            CryptoError::WeakKey(_)
        ));
    }
    let not_reduced = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
    assert!(is_malformed(eddsa, &with_key(&hex(not_reduced))));
}

/// RSA keys whose exponent or modulus makes signatures easy to forge (catalogue of faults, section
/// 5); 3 is a good exponent with PSS.
#[test]
fn degenerate_rsa_numbers_are_refused() {
    let n = generate(KeyAlgorithm::Rsa2048).public().hi()[4..].to_vec();
    let with = |e: &[u8], n: &[u8]| {
        let length = u8::try_from(e.len()).expect("length");
        PublicIdentity::from_hi(HiAlgorithm::Rsa, &[&[length], e, n].concat())
    };
    for e in [&[1][..], &[2], &[4], &[1, 0, 0], &[0xff, 0xff, 0xff, 0xfe]] {
        assert!(with(e, &n).is_err(), "exponent {e:?}");
    }
    for e in [&[0][..], &[0, 3], &[], &[1, 0, 0, 0, 1]] {
        assert!(with(e, &n).is_err(), "exponent {e:?}");
    }
    let public = with(&[3], &n).expect("exponent 3");
    for bad in [vec![0; 256], vec![0xff; 256], n.clone()] {
        assert!(public.verify(b"m", &bad).is_err());
    }
    let mut one = vec![0; 256];
    one[255] = 1;
    let mut less = n.clone();
    less[255] -= 1;
    for bad in [one, less] {
        assert!(public.verify(b"m", &bad).is_err());
    }
    let mut even = n.clone();
    even[255] &= 0xfe;
    let numbers: [&[u8]; 7] = [
        &[],
        &[1],
        &n[..32],
        &n[..255],
        &even,
        &[0xff; 513],
        &[0xff; 4096],
    ];
    for n in numbers {
        assert!(with(&[1, 0, 1], n).is_err(), "{} octets", n.len());
    }
}

/// r and s of ECDSA outside of 1..order, on both back ends.
#[test]
fn ecdsa_signatures_with_numbers_out_of_range_are_refused() {
    let orders = [
        (
            KeyAlgorithm::EcdsaP256,
            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        ),
        (
            KeyAlgorithm::EcdsaP384,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
    ];
    for (algorithm, order) in orders {
        let host = generate(algorithm);
        let good = host.sign(b"m").expect("signed");
        let (r, s) = good.split_at(good.len() / 2);
        let order = hex(order);
        let mut beyond = order.clone();
        *beyond.last_mut().expect("octets") += 1;
        for policy in [WEAK, PORTABLE] {
            let public = host.public();
            let public = PublicIdentity::from_hi_with(policy, public.algorithm(), public.hi());
            let public = public.expect("HI");
            assert!(public.verify(b"m", &good).is_ok());
            for bad in [
                vec![0; r.len()],
                order.clone(),
                beyond.clone(),
                vec![0xff; r.len()],
            ] {
                assert!(public.verify(b"m", &[r, &bad].concat()).is_err());
                assert!(public.verify(b"m", &[&bad, s].concat()).is_err());
                assert!(
                    public
                        .verify(b"m", &[bad.as_slice(), &bad].concat())
                        .is_err()
                );
            }
        }
    }
}

/// 7401-5.2.9-08 7401-D-01
#[test]
fn weak_identities_of_peers_are_refused_unless_the_policy_takes_them() {
    for algorithm in KEYS {
        let host = generate(algorithm);
        let (number, hi) = (host.public().algorithm(), host.public().hi());
        let strict = PublicIdentity::from_hi(number, hi);
        if algorithm.is_weak() {
            assert!(
                matches!(strict, Err(CryptoError::WeakKey(_))),
                "{algorithm}"
            );
        } else {
            assert!(strict.is_ok(), "{algorithm}");
        }
        assert!(PublicIdentity::from_hi_with(WEAK, number, hi).is_ok());
    }
}

/// 7401-3.2-03 7401-5.2.10-08
#[test]
fn the_hit_of_an_ecdsa_low_identity_comes_from_sha_1() {
    let host = generate(KeyAlgorithm::EcdsaSecp160r1);
    assert_eq!(host.hit().suite(), Some(HitSuite::EcdsaLowSha1));
    assert_eq!(host.public().rhash(), Rhash::Sha1);
    let context = hex("f0eff02fbff43d0fe7930c3c6e6174ea");
    let digest = Rhash::Sha1.digest(&[&context, host.public().hi()]);
    assert_eq!(host.hit().as_bytes()[4..], digest.as_ref()[4..16]);
    let dsa = generate(KeyAlgorithm::Dsa1024);
    assert_eq!(dsa.hit().suite(), Some(HitSuite::RsaDsaSha256));
}

#[test]
fn what_holds_keys_can_move_to_another_thread() {
    fn movable<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    shared::<HostIdentity>();
    shared::<PublicIdentity>();
    movable::<crate::dh::DhPrivate>();
    movable::<crate::EspSealer>();
    movable::<crate::EspOpener>();
}

#[test]
fn nothing_secret_is_printed() {
    let host = generate(KeyAlgorithm::EcdsaP256);
    let text = format!("{host:?} {:?}", host.public());
    assert!(text.contains(&host.hit().to_string()));
    assert!(text.len() < 250, "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn fast_and_portable_signatures_verify_on_the_other_back_end(
        seed: u64, message in proptest::collection::vec(any::<u8>(), 0..300), changed: prop::sample::Index,
    ) {
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384] {
            let generated = HostIdentity::generate(algorithm, &mut SeededRng::new(seed))?;
            let seeded = HostIdentity::from_seed(algorithm, seed)?;
            for host in [generated, seeded] {
                let signature = host.sign(&message)?;
                let mut bad = signature.clone();
                bad[changed.index(signature.len())] ^= 1;
                for policy in [HiPolicy::default(), PORTABLE] {
                    let public = host.public();
                    let public =
                        PublicIdentity::from_hi_with(policy, public.algorithm(), public.hi())?;
                    let proof = public.verify(&message, &signature)?;
                    prop_assert_eq!(proof.signer(), host.hit());
                    prop_assert!(public.verify(&message, &bad).is_err());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_octets_are_a_key_or_refused(hi in proptest::collection::vec(any::<u8>(), 0..600)) {
        for algorithm in HiAlgorithm::ALL {
            let fast = PublicIdentity::from_hi_with(WEAK, *algorithm, &hi);
            let portable = PublicIdentity::from_hi_with(PORTABLE, *algorithm, &hi);
            prop_assert_eq!(fast.is_ok(), portable.is_ok());
            if let Ok(public) = fast {
                prop_assert_eq!(public.hi(), &hi);
                prop_assert!(public.verify(b"m", &hi).is_err());
            }
        }
    }
}
