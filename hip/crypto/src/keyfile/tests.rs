//! Keys of our own and of OpenSSL, and texts that are none.

use proptest::prelude::*;

use super::*;
use crate::rng::SeededRng;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/openssl/");

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{FOLDER}{name}")).expect("key file")
}

#[test]
fn every_kind_of_key_survives_its_file() {
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::EcdsaSecp160r1,
        KeyAlgorithm::Dsa1024,
    ] {
        let made = HostIdentity::generate(algorithm, &mut SeededRng::new(1)).expect("generated");
        let pem = encode_pem(&made).expect("encoded");
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(pem.ends_with("-----END PRIVATE KEY-----\n"));
        let read = decode_pem(&pem).expect("decoded");
        assert_eq!(read.key_algorithm(), algorithm);
        assert_eq!(read.hit(), made.hit());
        let signature = read.sign(b"m").expect("signed");
        assert!(made.public().verify(b"m", &signature).is_ok());
    }
}

#[test]
fn keys_made_by_openssl_are_read_and_keep_their_algorithm() {
    for name in [
        "ecdsa-p256",
        "ecdsa-p384",
        "ed25519",
        "rsa-2048",
        "ecdsa-secp160r1",
        "dsa-1024",
    ] {
        let host = decode_pem(&read(&format!("{name}.pem"))).expect("key");
        assert_eq!(host.key_algorithm().name(), name);
        let again = decode_pem(&encode_pem(&host).expect("encoded")).expect("key");
        assert_eq!(again.hit(), host.hit());
    }
}

#[test]
fn each_unusable_key_is_refused_with_one_line_that_says_why() {
    let reasons = [
        ("refused-rsa-1024.pem", "RSA key of about 1024 bits"),
        ("refused-p521.pem", "1.3.132.0.35"),
        ("refused-dsa-2048.pem", "not of 160 bits"),
        ("refused-sec1.pem", "EC PRIVATE KEY"),
        ("refused-encrypted.pem", "encrypted"),
        ("refused-public.pem", "PUBLIC KEY"),
        ("README.md", "PEM"),
    ];
    for (name, reason) in reasons {
        let error = decode_pem(&read(name)).expect_err(name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
        assert!(!error.contains('\n'), "{name}: {error}");
    }
    assert!(matches!(decode_pem(""), Err(KeyFileError::NotPem(_))));
}

#[test]
fn a_truncated_or_altered_key_file_is_refused() {
    let pem = read("ecdsa-p256.pem");
    for length in (0..pem.len() - 30).step_by(7) {
        let error = decode_pem(&pem[..length])
            .expect_err("truncated")
            .to_string();
        assert!(!error.contains('\n'), "{error}");
    }
    // Another public key beside the private one.
    let altered = pem.replace("-----END", "A-----END");
    assert!(decode_pem(&altered).is_err());
}

proptest! {
    #[test]
    fn a_key_file_with_one_changed_letter_is_the_key_or_refused_or_another_key(
        at in any::<proptest::sample::Index>(), letter in "[A-Za-z0-9+/=\n-]",
    ) {
        for name in ["ecdsa-p256.pem", "ed25519.pem", "ecdsa-secp160r1.pem", "dsa-1024.pem"] {
            let mut pem = read(name).into_bytes();
            let at = at.index(pem.len());
            pem[at] = letter.as_bytes()[0];
            let pem = String::from_utf8(pem).expect("ASCII");
            match decode_pem(&pem) {
                Ok(host) => prop_assert!(host.sign(b"m").is_ok()),
                Err(error) => prop_assert!(!error.to_string().contains('\n')),
            }
        }
    }

    #[test]
    fn any_text_is_a_key_or_refused(text in "\\PC{0,200}") {
        prop_assert!(decode_pem(&text).is_err());
    }
}
