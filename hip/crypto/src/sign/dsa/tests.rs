//! DSA against RFC 6979 and OpenSSL, and what must be refused.

use super::*;
use crate::{keyfile, rng::SeededRng, test_support::hex};

const VECTORS: &str = include_str!("../../../tests/vectors/openssl/weak-signatures.txt");
const PEM: &str = include_str!("../../../tests/vectors/openssl/dsa-1024.pem");
const REFUSED: Result<(), CryptoError> = Err(CryptoError::BadSignature);

fn vectors(key: &str, kind: &str) -> Vec<Vec<u8>> {
    let start = format!("{key} {kind} ");
    let rests = VECTORS.lines().filter_map(|line| line.strip_prefix(&start));
    rests.map(hex).collect()
}

/// RFC 6979 appendix A.2.1: key of 1024 bits, SHA-256. 7401-5.2.14-05 7401-5.2.14-04
#[test]
fn the_published_signatures_come_out() {
    let p = "86f5ca03dcfeb225063ff830a0c769b9dd9d6153ad91d7ce27f787c43278b447\
             e6533b86b18bed6e8a48b784a14c252c5be0dbf60b86d6385bd2f12fb763ed88\
             73abfd3f5ba2e0a8c0a59082eac056935e529daf7c610467899c77adedfc846c\
             881870b7b19b2b58f9be0521a17002e3bdd6b86685ee90b3d9a1b02b782b1779";
    let g = "07b0f92546150b62514bb771e2a0c0ce387f03bda6c56b505209ff25fd3c133d\
             89bbcd97e904e09114d9a7defdeadfc9078ea544d2e401aeecc40bb9fbbf78fd\
             87995a10a1c27cb7789b594ba7efb5c4326a9fe59a070e136db77175464adca4\
             17be5dce2f40d10a46a3a3943f26ab7fd9c0398ff8c76ee0a56826a8a88f1dbd";
    let y = "5df5e01ded31d0297e274e1691c192fe5868fef9e19a84776454b100cf16f653\
             92195a38b90523e2542ee61871c0440cb87c322fc4b4d2ec5e1e7ec766e1be8d\
             4ce935437dc11c3c8fd426338933ebfe739cb3465f4d3668c5e473508253b1e6\
             82f65cbdc4fae93c2ea212390e54905a86e2223170b44eaa7da5dd9ffcfb7f3b";
    let q = "996f967f6c8e388d9e28d01e205fba957a5698b1";
    let x = "411602cb19a6ccc34494d79d98ef1e7ed5af25f7";
    let [p, q, g, y, x] = [p, q, g, y, x].map(|text| number_of(&hex(text)));
    let components = Components::from_components(p, q, g).expect("parameters");
    let public = VerifyingKey::from_components(components, y).expect("public key");
    let key = SigningKey::from_components(public, x).expect("private key");
    let key = DsaPrivate::with_key(key).expect("key");
    let public = DsaPublic::from_hi(&key.hi()).expect("HI");
    for (message, r_and_s) in [
        (
            b"sample".as_slice(),
            "81f2f5850be5bc123c43f71a3033e9384611c5454cdd914b65eb6c66a8aaad27299bee6b035f5e89",
        ),
        (
            b"test",
            "22518c127299b0f6fdc9872b282b9e70d07908126837ec18f150d55de95b5e29be7af5d01e4fe160",
        ),
    ] {
        let want = [&[8], hex(r_and_s).as_slice()].concat();
        assert_eq!(key.sign(message).expect("signed"), want);
        assert_eq!(public.verify(message, &want), Ok(()));
    }
}

/// 7401-3.2-06 7401-3.2-07 7401-3.2-08 7401-B-02 7401-5.2.9-07 7401-5.2.9-14
#[test]
fn openssl_and_this_host_sign_with_one_key() {
    let host = keyfile::decode_pem(PEM).expect("key");
    let hi = &vectors("dsa-1024", "public")[0];
    assert_eq!(host.public().hi(), hi);
    assert_eq!((hi.len(), hi[0]), (1 + 20 + 3 * 128, 8));
    let message = b"signed by openssl";
    let key = DsaPublic::from_hi(hi).expect("HI");
    for signature in vectors("dsa-1024", "openssl") {
        assert_eq!(key.verify(message, &signature), Ok(()));
        assert_eq!(key.verify(b"another", &signature), REFUSED);
    }
    let ours = host.sign(message).expect("signed");
    assert_eq!((ours.len(), ours[0]), (41, 8));
    assert_eq!(key.verify(message, &ours), Ok(()));
    assert_eq!(host.sign(message), Ok(ours));
}

/// 7401-B-02
#[test]
fn a_key_of_2048_bits_verifies_too() {
    let hi = &vectors("dsa-2048", "public")[0];
    assert_eq!((hi.len(), hi[0]), (1 + 20 + 3 * 256, 24));
    let key = DsaPublic::from_hi(hi).expect("HI");
    let signature = &vectors("dsa-2048", "openssl")[0];
    assert_eq!(key.verify(b"signed by openssl", signature), Ok(()));
}

#[test]
fn signatures_with_numbers_out_of_range_are_refused() {
    let host = keyfile::decode_pem(PEM).expect("key");
    let hi = host.public().hi();
    let key = DsaPublic::from_hi(hi).expect("HI");
    let good = host.sign(b"m").expect("signed");
    let q = hi[1..21].to_vec();
    let mut beyond = q.clone();
    beyond[19] += 1;
    let (r, s) = good[1..].split_at(20);
    for bad in [vec![0; 20], q, beyond, vec![0xff; 20]] {
        assert_eq!(key.verify(b"m", &[&[8], r, &bad].concat()), REFUSED);
        assert_eq!(
            key.verify(b"m", &[&[8], bad.as_slice(), s].concat()),
            REFUSED
        );
        assert_eq!(
            key.verify(b"m", &[&[8], bad.as_slice(), &bad].concat()),
            REFUSED
        );
    }
    for at in [0, 1, 20, 21, 40] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert_eq!(key.verify(b"m", &changed), REFUSED, "octet {at}");
    }
    for bad in [
        &good[..40],
        &good[1..],
        &[],
        &[good.as_slice(), &[0]].concat(),
    ] {
        assert_eq!(key.verify(b"m", bad), REFUSED);
    }
}

/// Fields of the HI: T, Q, P, G, Y.
fn fields(hi: &[u8]) -> [Vec<u8>; 5] {
    let number = |at: usize| hi[21 + 128 * at..21 + 128 * (at + 1)].to_vec();
    [
        hi[..1].to_vec(),
        hi[1..21].to_vec(),
        number(0),
        number(1),
        number(2),
    ]
}

/// 7401-3.2-06 7401-B-02 7401-5.2.9-08
#[test]
fn weak_and_malformed_keys_are_refused() {
    let good = vectors("dsa-1024", "public").remove(0);
    assert_eq!(fields(&good).concat(), good);
    assert!(DsaPublic::from_hi(&good).is_ok());
    let refused = |hi: &[u8]| DsaPublic::from_hi(hi).is_err();
    for length in [0, 1, 20, 21, 148, 149, 276, 404] {
        assert!(refused(&good[..length]));
    }
    assert!(refused(&[good.as_slice(), &[0]].concat()));
    for size in 0..=255 {
        let mut bad = good.clone();
        bad[0] = size;
        assert_eq!(refused(&bad), size != 8, "T {size}");
    }
    let with = |at: usize, number: Vec<u8>| {
        let mut fields = fields(&good);
        fields[at] = number;
        fields.concat()
    };
    let small = |octets: usize, value: u8| {
        let mut number = vec![0; octets];
        number[octets - 1] = value;
        number
    };
    let [_, q, p, g, y] = fields(&good);
    let less_one = |number: &[u8]| {
        let mut number = number.to_vec();
        *number.last_mut().expect("octets") -= 1;
        number
    };
    for value in 0..=3 {
        assert!(refused(&with(1, small(20, value))), "Q {value}");
        for at in [2, 3, 4] {
            assert!(refused(&with(at, small(128, value))), "field {at}, {value}");
        }
    }
    for bad in [less_one(&q), vec![0xff; 20]] {
        assert!(refused(&with(1, bad)));
    }
    // P - 1 has order 2; P and what is greater is no residue.
    for at in [3, 4] {
        for bad in [
            less_one(&p),
            p.clone(),
            vec![0xff; 128],
            less_one(&g),
            less_one(&y),
        ] {
            assert!(refused(&with(at, bad)), "field {at}");
        }
    }
    assert!(refused(&with(2, less_one(&p))));
    assert!(refused(&with(2, vec![0xff; 128])));
}

#[test]
fn a_generated_key_writes_a_key_file_that_reads_back() {
    let key = DsaPrivate::generate(&mut SeededRng::new(1)).expect("key");
    let public = DsaPublic::from_hi(&key.hi()).expect("HI");
    assert_eq!(
        public.verify(b"m", &key.sign(b"m").expect("signed")),
        Ok(())
    );
    let pkcs8 = key.pkcs8().expect("encoded");
    let info = PrivateKeyInfoRef::try_from(pkcs8.as_slice()).expect("PKCS#8");
    let read = DsaPrivate::from_pkcs8(info).expect("key");
    assert_eq!(read.hi(), key.hi());
}
