//! RFC 5903 vectors, OpenSSL, both back ends, and public values of every wrong kind.

use proptest::prelude::*;

use super::*;
use crate::{
    rng::SeededRng,
    test_support::{FixedRng, hex},
};

/// Group, private and public value of the initiator, of the responder, shared secret.
const RFC_5903: [(DhGroup, &str, &str, &str, &str, &str); 3] = [
    (
        DhGroup::EcpP256,
        "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
        "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb\
         8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
        "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
        "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366c\
         c23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
        "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
    ),
    (
        DhGroup::EcpP384,
        "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e6\
         49ee3faef896783ab194",
        "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4\
         bdb4c88732aee95f41aa9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada0241815\
         35a0f38eeb9fcff3c2c947dae69b4c634573a81c",
        "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b\
         8ed2960e4bd55a7448fc",
        "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336\
         def96fda41d0774a3571dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68\
         759dd1fff83fa40142209dff5eaad96db9e6386c",
        "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9\
         e9d09cf5d4a270f59746",
    ),
    (
        DhGroup::EcpP521,
        "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1\
         c2952c6771d937ba9777f5957b2639bab072462f68c27a57382d4a52",
        "0015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b\
         8e380aeae57c2d107564941885942af5a7f4601723c4195d176ced3e017cae20b6641d2eeb69\
         5786d8c946146239d099e18e1d5a514c739d7cb4a10ad8a788015ac405d7799dc75e7b7d5b6c\
         f2261a6a7f1507438bf01beb6ca3926f9582",
        "0145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e9c677d600b34\
         3757a3bdbf2a3163e4c2f869cca7458aa4a4effc311f5cb151685eb9",
        "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436a\
         dc6e95bb0352f6be64a6c2912d4ef2d0433ced2b6171640012d9460f015c68226383956e3bd0\
         66e797b623c27ce0eac2f551a10c2c724d9852077b87220b6536c5c408a1d2aebb8e86d678ae\
         49cb57091f4732296579ab44fcd17f0fc56a",
        "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4b\
         aa240a34786859810c06b3c715a3a8cc3151f2bee417996d19f3ddea",
    ),
];

/// RFC 5903 section 8. 7401-5.2.7-09
#[test]
fn the_published_exchanges_of_all_three_curves_come_out() {
    for (group, i, public_i, r, public_r, shared) in RFC_5903 {
        let initiator = DhPrivate::generate(group, &mut FixedRng::new(&hex(i))).expect("group");
        let responder = DhPrivate::generate(group, &mut FixedRng::new(&hex(r))).expect("group");
        assert_eq!(initiator.public_value(), hex(public_i));
        assert_eq!(responder.public_value(), hex(public_r));
        assert_eq!(initiator.public_value().len(), group.public_value_len());
        let want = Secret::new(hex(shared));
        assert_eq!(initiator.agree(responder.public_value()), Ok(want.clone()));
        assert_eq!(responder.agree(initiator.public_value()), Ok(want));
    }
}

#[test]
fn the_secret_keeps_its_leading_zeros() {
    let group = DhGroup::EcpP256;
    let mut rng = SeededRng::new(3);
    let ours = DhPrivate::generate(group, &mut rng).expect("group");
    let secrets = (0..2000).map(|_| {
        let theirs = DhPrivate::generate(group, &mut rng).expect("group");
        ours.agree(theirs.public_value()).expect("agreed")
    });
    let mut zeros = 0;
    for secret in secrets {
        assert_eq!(secret.len(), 32);
        zeros += usize::from(secret.as_bytes()[0] == 0);
    }
    assert!(zeros > 0, "the seed gives no secret with a leading zero");
}

#[test]
fn values_that_are_no_points_of_the_curve_are_refused() {
    for (group, i, public_i, ..) in RFC_5903 {
        let ours = DhPrivate::generate(group, &mut FixedRng::new(&hex(i))).expect("group");
        let good = hex(public_i);
        let refused = Err(CryptoError::BadPublicValue);
        let mut off_curve = good.clone();
        *off_curve.last_mut().expect("octets") ^= 1;
        assert_eq!(ours.agree(&off_curve), refused);
        assert_eq!(ours.agree(&vec![0; good.len()]), refused);
        assert_eq!(ours.agree(&vec![0xff; good.len()]), refused);
        assert_eq!(ours.agree(&good[1..]), refused);
        assert_eq!(ours.agree(&[]), refused);
        let with_mark = [&[4], good.as_slice()].concat();
        assert_eq!(ours.agree(&with_mark), refused);
    }
}

#[test]
fn zero_and_too_great_private_values_are_drawn_again() {
    let (group, i, public_i, ..) = RFC_5903[0];
    let draws = [vec![0; 32], vec![0xff; 32], hex(i)].concat();
    let drawn = DhPrivate::generate(group, &mut FixedRng::new(&draws)).expect("group");
    assert_eq!(drawn.public_value(), hex(public_i));
    let broken = DhPrivate::generate(group, &mut FixedRng::new(&[0]));
    assert!(matches!(broken, Err(CryptoError::Provider(_))));
}

/// What `make.py` beside it has made with OpenSSL; the second exchange of each group has a secret
/// with a leading zero. 7401-5.2.7-02 7401-5.2.7-05 7401-5.2.7-06 7401-5.2.7-07
#[test]
fn exchanges_of_openssl_come_out_with_the_leading_zeros_of_their_secrets() {
    let lines = include_str!("../../tests/vectors/openssl/dh.txt").lines();
    let (mut exchanges, mut zeros) = (0, 0);
    for line in lines.filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let group = DhGroup::from_number(words[0].parse().expect("number")).expect("group");
        let numbers: Vec<Vec<u8>> = words[1..].iter().map(|word| hex(word)).collect();
        let [i, public_i, r, public_r, kij] = &numbers[..] else {
            panic!("{line}");
        };
        let initiator = DhPrivate::generate(group, &mut FixedRng::new(i)).expect("drawn");
        let responder = DhPrivate::generate(group, &mut FixedRng::new(r)).expect("drawn");
        assert_eq!(initiator.public_value(), public_i);
        assert_eq!(responder.public_value(), public_r);
        assert_eq!(public_i.len(), group.public_value_len());
        let want = Secret::copy_of(kij);
        assert_eq!(initiator.agree(public_r), Ok(want.clone()));
        assert_eq!(responder.agree(public_i), Ok(want));
        exchanges += 1;
        zeros += usize::from(kij[0] == 0);
    }
    assert_eq!((exchanges, zeros), (8, 4));
}

const MODP: [DhGroup; 3] = [DhGroup::Modp1536, DhGroup::Modp2048, DhGroup::Modp3072];

/// The prime of a MODP group, as RFC 3526 prints it.
fn prime(group: DhGroup) -> Vec<u8> {
    let known = include_str!("../../tests/vectors/rfc3526-primes.txt").lines();
    let mut numbers = known.filter(|line| !line.starts_with('#')).map(hex);
    numbers
        .find(|prime| prime.len() == group.public_value_len())
        .expect("prime")
}

/// `number + step`, with `step` small enough for the last octet.
fn shifted(number: &[u8], step: i16) -> Vec<u8> {
    let mut number = number.to_vec();
    let mut carry = step;
    for octet in number.iter_mut().rev() {
        let sum = i16::from(*octet) + carry;
        *octet = u8::try_from(sum.rem_euclid(256)).expect("octet");
        carry = sum.div_euclid(256);
    }
    number
}

/// 7401-5.3.2-14
#[test]
fn modp_values_outside_of_the_subgroup_are_refused() {
    let refused = Err(CryptoError::BadPublicValue);
    for group in MODP {
        let length = group.public_value_len();
        let ours = DhPrivate::generate(group, &mut SeededRng::new(2)).expect("drawn");
        let prime = prime(group);
        let zero = vec![0; length];
        for bad in [
            zero.clone(),
            shifted(&zero, 1),
            shifted(&prime, -1),
            prime.clone(),
            shifted(&prime, 1),
            shifted(&prime, 2),
            vec![0xff; length],
        ] {
            assert_eq!(ours.agree(&bad), refused, "{group}");
        }
        // -2 is no square since 2 is one and -1 is none.
        assert_eq!(ours.agree(&shifted(&prime, -2)), refused);
        // 2 is the generator; so what comes out is our own public value.
        let kij = ours.agree(&shifted(&zero, 2)).expect("element");
        assert_eq!(kij.as_bytes(), ours.public_value());
        assert!(ours.agree(&shifted(&zero, 4)).is_ok());
    }
}

/// Catalogue items 6 and, of section 5, CVE-2023-41913: wrong lengths never reach the arithmetic.
#[test]
fn public_values_of_wrong_length_are_refused_in_every_group() {
    let refused = Err(CryptoError::BadPublicValue);
    for group in DhGroup::ALL {
        let ours = DhPrivate::generate(*group, &mut SeededRng::new(3)).expect("drawn");
        let theirs = DhPrivate::generate(*group, &mut SeededRng::new(4)).expect("drawn");
        let good = theirs.public_value();
        assert!(ours.agree(good).is_ok());
        assert_eq!(ours.agree(&good[1..]), refused, "{group}");
        assert_eq!(ours.agree(&good[..good.len() - 1]), refused);
        assert_eq!(ours.agree(&[&[0], good].concat()), refused);
        assert_eq!(ours.agree(&[good, &[0]].concat()), refused);
        assert_eq!(ours.agree(&[]), refused);
        assert_eq!(ours.agree(&[0]), refused);
        assert_eq!(ours.agree(&vec![0; good.len()]), refused);
        assert_eq!(ours.agree(&vec![0xff; good.len()]), refused);
        assert_eq!(ours.agree(&vec![0xff; 2000]), refused);
        for other in DhGroup::ALL.iter().filter(|other| *other != group) {
            let stranger = DhPrivate::generate(*other, &mut SeededRng::new(5)).expect("drawn");
            assert_eq!(
                ours.agree(stranger.public_value()),
                refused,
                "{group} {other}"
            );
        }
    }
}

/// Group 10, and the NIST curves on both back ends. 7401-5.2.7-09
#[test]
fn wrong_points_and_other_forms_of_points_are_refused_on_every_curve() {
    let refused = Err(CryptoError::BadPublicValue);
    let curves = [
        DhGroup::EcpP256,
        DhGroup::EcpP384,
        DhGroup::EcpP521,
        DhGroup::EcpSecp160r1,
    ];
    for (group, backend) in curves
        .into_iter()
        .flat_map(|group| [(group, Backend::Fast), (group, Backend::Portable)])
    {
        let mut rng = SeededRng::new(6);
        let ours = DhPrivate::generate_on(backend, group, &mut rng).expect("drawn");
        let theirs = DhPrivate::generate_on(backend, group, &mut rng).expect("drawn");
        let good = theirs.public_value();
        let half = good.len() / 2;
        for at in [0, half - 1, half, good.len() - 1] {
            let mut off_curve = good.to_vec();
            off_curve[at] ^= 1;
            assert_eq!(ours.agree(&off_curve), refused, "{group}, octet {at}");
        }
        // x and y swapped, compressed (as octets 02 | x), infinity as one octet or as zeros.
        assert_eq!(
            ours.agree(&[&good[half..], &good[..half]].concat()),
            refused
        );
        assert_eq!(ours.agree(&[&[2], &good[..half]].concat()), refused);
        assert_eq!(ours.agree(&[&[3], &good[..half]].concat()), refused);
        assert_eq!(ours.agree(&[&[4], good].concat()), refused);
        let padded = [&[2], &good[..half], &vec![0; half - 1]].concat();
        assert_eq!(ours.agree(&padded), refused);
        // Zero for one coordinate.
        let no_y = [&good[..half], &vec![0; half]].concat();
        let no_x = [&vec![0; half], &good[half..]].concat();
        assert_eq!(ours.agree(&no_y), refused);
        assert_eq!(ours.agree(&no_x), refused);
    }
}

/// CVE-2014-9221 and its like: group numbers that nobody has, or that are deprecated. 7401-5.2.7-02
#[test]
fn of_all_group_numbers_only_the_seven_of_the_registry_have_an_implementation() {
    let known: Vec<u8> = (0..=255)
        .filter(|number| {
            let group = DhGroup::from_number(*number);
            group.is_some_and(|group| DhPrivate::generate(group, &mut SeededRng::new(8)).is_ok())
        })
        .collect();
    assert_eq!(known, [3, 4, 7, 8, 9, 10, 11]);
}

#[test]
fn unusable_randomness_is_an_error_in_every_group() {
    for group in DhGroup::ALL {
        let broken = DhPrivate::generate(*group, &mut FixedRng::new(&[0]));
        assert!(matches!(broken, Err(CryptoError::Provider(_))), "{group}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Private values drawn alike, public values and secrets compared, both ways round.
    #[test]
    fn the_fast_and_the_portable_curves_agree(seed: u64, garbage: [u8; 32]) {
        for (group, ..) in RFC_5903 {
            let [fast, portable] = [Backend::Fast, Backend::Portable].map(|backend| {
                DhPrivate::generate_on(backend, group, &mut SeededRng::new(seed)).expect("group")
            });
            prop_assert_eq!(fast.public_value(), portable.public_value());
            let peer = DhPrivate::generate_on(
                Backend::Portable, group, &mut SeededRng::labelled(seed, b"peer"),
            )?;
            let kij = fast.agree(peer.public_value())?;
            prop_assert_eq!(&kij, &portable.agree(peer.public_value())?);
            prop_assert_eq!(&kij, &peer.agree(fast.public_value())?);
            let mut bad = peer.public_value().to_vec();
            for (to, from) in bad.iter_mut().zip(garbage) {
                *to ^= from;
            }
            prop_assert_eq!(fast.agree(&bad), portable.agree(&bad));
        }
    }

    #[test]
    fn any_public_value_is_taken_or_refused(value in proptest::collection::vec(any::<u8>(), 0..180)) {
        for group in DhGroup::ALL {
            let ours = DhPrivate::generate(*group, &mut SeededRng::new(1)).expect("group");
            if let Ok(kij) = ours.agree(&value) {
                prop_assert_eq!(value.len(), group.public_value_len());
                prop_assert_eq!(kij.len() * 2, value.len());
            }
        }
    }
}
