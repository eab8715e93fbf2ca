//! Our certificates, read back and by OpenSSL's eyes, and certificates that lie.

use proptest::prelude::*;

use super::*;
use crate::{identity::KeyAlgorithm, rng::SeededRng};

fn host(algorithm: KeyAlgorithm) -> HostIdentity {
    HostIdentity::generate(algorithm, &mut SeededRng::new(21)).expect("generated")
}

const NAMES: Names<'_> = Names {
    uris: &["reload://0102@overlay.example/", "urn:x"],
    user: Some("alice@overlay.example"),
};

/// 6940-11.3.1-05
#[test]
fn a_certificate_says_who_signed_it_and_which_names_it_has() {
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa2048,
    ] {
        let host = host(algorithm);
        let der = self_signed(&host, &NAMES).expect("made");
        let read = HostCertificate::from_der(&der).expect("read");
        assert_eq!(read.public(), host.public());
        assert_eq!(read.hit(), host.hit());
        assert_eq!(read.uris(), NAMES.uris);
        assert_eq!(read.user(), NAMES.user);
        // Valid from 2020 to the end of 9999.
        assert!(read.valid_at(1_577_836_800));
        assert!(read.valid_at(253_402_300_799));
        assert!(!read.valid_at(1_577_836_799));
        assert!(!read.valid_at(253_402_300_800));
    }
}

/// The hash of a certificate names a signer in RELOAD, so it must not change when a host restarts.
#[test]
fn a_host_has_the_same_certificate_every_time() {
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa2048,
    ] {
        let host = host(algorithm);
        assert_eq!(self_signed(&host, &NAMES), self_signed(&host, &NAMES));
        let other = self_signed(&host, &Names::default());
        assert_ne!(self_signed(&host, &NAMES), other);
    }
    let seeded = HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, 1).expect("seeded");
    let again = HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, 1).expect("seeded");
    assert_eq!(self_signed(&seeded, &NAMES), self_signed(&again, &NAMES));
}

#[test]
fn a_changed_certificate_is_refused() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        let der = self_signed(&host(algorithm), &NAMES).expect("made");
        for bit in 0..der.len() * 8 {
            let mut changed = der.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(HostCertificate::from_der(&changed).is_err(), "bit {bit}");
        }
        assert!(HostCertificate::from_der(&der[..der.len() - 1]).is_err());
        assert!(HostCertificate::from_der(&[der.as_slice(), &[0]].concat()).is_err());
    }
}

/// 6940-11.3.1-05
#[test]
fn a_certificate_with_the_hit_of_another_host_is_refused() {
    let host = host(KeyAlgorithm::EcdsaP256);
    let der = self_signed(&host, &NAMES).expect("made");
    let other = Hit::from_bytes([0x20; 16]);
    let find = |octets: &[u8], want: &[u8]| octets.windows(want.len()).position(|w| w == want);
    // Replace the address in the contents and sign them again.
    let contents = signed_octets(&der).expect("contents");
    let at = find(contents, host.hit().as_bytes()).expect("address");
    let mut forged = contents.to_vec();
    forged[at..at + 16].copy_from_slice(other.as_bytes());
    let signature = host
        .private_key()
        .sign_certificate(&forged)
        .expect("signed");
    let algorithm = signature_algorithm(host.public()).expect("algorithm");
    let forged = der::sequence(&[&forged, &algorithm, &der::bit_string(&signature)]);
    assert_eq!(
        HostCertificate::from_der(&forged),
        Err(CryptoError::BadCertificate(
            "the address is not the HIT of the key"
        ))
    );
}

#[test]
fn unusable_names_are_refused() {
    let host = host(KeyAlgorithm::Ed25519);
    let long = "x".repeat(MAX_NAME + 1);
    for uri in ["", "späm:", long.as_str()] {
        let names = Names {
            uris: &[uri],
            user: None,
        };
        assert!(self_signed(&host, &names).is_err());
    }
    let many = vec!["x".repeat(MAX_NAME); 20];
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let names = Names {
        uris: &many,
        user: None,
    };
    assert_eq!(
        self_signed(&host, &names),
        Err(CryptoError::BadCertificate("too long"))
    );
    assert_eq!(
        HostCertificate::from_der(&vec![0x30; MAX_CERTIFICATE + 1]),
        Err(CryptoError::BadCertificate("too long"))
    );
}

#[test]
fn self_signed_certificates_of_openssl_are_read() {
    macro_rules! made_by_openssl {
        ($($name:literal),*) => {[$((
            include_str!(concat!("../../tests/vectors/openssl/", $name, ".pem")),
            include_bytes!(concat!("../../tests/vectors/openssl/", $name, ".crt")).as_slice(),
        )),*]};
    }
    for (pem, der) in made_by_openssl!("ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048") {
        let host = crate::keyfile::decode_pem(pem).expect("key");
        let read = HostCertificate::from_der(der).expect("certificate");
        assert_eq!(read.hit(), host.hit());
        assert_eq!(read.uris(), ["urn:made-by-openssl"]);
    }
}

proptest! {
    #[test]
    fn any_octets_are_a_certificate_or_refused(der in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(HostCertificate::from_der(&der).is_err());
    }

    #[test]
    fn any_names_read_back(uri in "[ -~]{1,80}", user in proptest::option::of("[ -~]{1,80}")) {
        let host = HostIdentity::from_seed(KeyAlgorithm::Ed25519, 3)?;
        let names = Names { uris: &[&uri], user: user.as_deref() };
        let read = HostCertificate::from_der(&self_signed(&host, &names)?)?;
        prop_assert_eq!(read.uris(), [uri]);
        prop_assert_eq!(read.user(), user.as_deref());
    }
}
