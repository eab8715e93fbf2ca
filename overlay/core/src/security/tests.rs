use std::sync::Arc;

use hip_crypto::cert::HostCertificate;
use hip_crypto::identity::{HostIdentity, KeyAlgorithm};

use super::{Security, SecurityError};
use crate::config::KindId;
use crate::id::ResourceId;
use crate::wire::contents::{Signature, SignerIdentity};
use crate::wire::storage::{Place, StoredData};

const NOW_MS: u64 = 1_790_000_000_000;
const KIND: KindId = KindId::USER_ARRAY;

fn security(algorithm: KeyAlgorithm, seed: u64, limit: usize) -> Security {
    let identity = HostIdentity::from_seed(algorithm, seed).unwrap();
    let mut security = Security::new(Arc::new(identity), "test.example", limit).unwrap();
    security.set_wall_clock(NOW_MS);
    security
}

fn value(signer: &Security, place: Place) -> StoredData {
    let resource = ResourceId::from_name(b"x");
    let signature = signer
        .sign_data(&resource, KIND, 5, &place, Some(b"v"))
        .unwrap();
    StoredData {
        storage_time: 5,
        lifetime: 9,
        place,
        value: Some(b"v".to_vec()),
        signature,
    }
}

/// 6940-6.3.4-08 6940-6.3.4-11
#[test]
fn messages_of_every_kind_of_key_verify_and_name_the_signer_by_certificate_hash() {
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::Ed25519,
    ] {
        let signer = security(algorithm, 1, 8);
        let mut reader = security(KeyAlgorithm::EcdsaP256, 2, 8);
        let block = signer.sign_message(1, 2, b"contents", &[]).unwrap();
        let SignerIdentity::CertHash { hash: 4, digest } = &block.signature.identity else {
            panic!("not a SHA-256 certificate hash");
        };
        assert_eq!(*digest, signer.own.digest);
        let verified = reader.verify_message(1, 2, b"contents", &block).unwrap();
        assert_eq!(verified.signer(), signer.own.node);
        let other = reader.verify_message(1, 3, b"contents", &block);
        assert_eq!(other.unwrap_err(), SecurityError::Signature);
    }
}

/// 6940-6.3.4-03 6940-6.3.4-05
#[test]
fn a_signer_whose_certificate_never_came_is_unknown() {
    let signer = security(KeyAlgorithm::EcdsaP256, 1, 8);
    let mut reader = security(KeyAlgorithm::EcdsaP256, 2, 8);
    let mut block = signer.sign_message(1, 2, b"contents", &[]).unwrap();
    block.certificates.clear();
    let unknown = reader.verify_message(1, 2, b"contents", &block);
    assert_eq!(unknown.unwrap_err(), SecurityError::UnknownCertificate);
}

/// 6940-7.1-01 6940-7.4.2.2-09
#[test]
fn an_array_element_is_signed_without_its_index() {
    let signer = security(KeyAlgorithm::EcdsaP256, 1, 8);
    let resource = ResourceId::from_name(b"x");
    let appended = value(&signer, Place::Index(u32::MAX));
    let stored = StoredData {
        place: Place::Index(7),
        ..appended.clone()
    };
    assert!(signer.verify_data(&resource, KIND, &stored).is_ok());
    // Everything else is signed.
    let elsewhere = ResourceId::from_name(b"y");
    let results = [
        signer.verify_data(&elsewhere, KIND, &stored),
        signer.verify_data(&resource, KindId(1), &stored),
        signer.verify_data(
            &resource,
            KIND,
            &StoredData {
                storage_time: 6,
                ..stored.clone()
            },
        ),
        signer.verify_data(
            &resource,
            KIND,
            &StoredData {
                value: None,
                ..stored.clone()
            },
        ),
    ];
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Err(SecurityError::Signature)))
    );
    // The lifetime is not.
    let aged = StoredData {
        lifetime: 1,
        ..stored
    };
    assert!(signer.verify_data(&resource, KIND, &aged).is_ok());
}

/// 6940-7.4.1.1-23
#[test]
fn anonymous_signatures_are_no_signatures() {
    let signer = security(KeyAlgorithm::EcdsaP256, 1, 8);
    let resource = ResourceId::from_name(b"x");
    let good = value(&signer, Place::Index(0));
    let nobody = StoredData {
        signature: Signature::none(),
        ..good.clone()
    };
    let no_algorithm = Signature {
        hash: 0,
        algorithm: 0,
        ..good.signature.clone()
    };
    let no_algorithm = StoredData {
        signature: no_algorithm,
        ..good
    };
    for value in [nobody, no_algorithm] {
        let refused = signer.verify_data(&resource, KIND, &value);
        assert_eq!(refused.unwrap_err(), SecurityError::Anonymous);
    }
}

/// 6940-7.1-02 6940-7.1-04 6940-5.1-01
#[test]
fn signatures_hold_only_while_the_certificate_is_valid() {
    let mut signer = security(KeyAlgorithm::EcdsaP256, 1, 8);
    let resource = ResourceId::from_name(b"x");
    let good = value(&signer, Place::Index(0));
    signer.set_wall_clock(0);
    let early = signer.verify_data(&resource, KIND, &good);
    assert_eq!(early.unwrap_err(), SecurityError::Validity);
}

/// 6940-4.1-01 6940-14.15-01
#[test]
fn the_certificate_names_the_node_id_as_a_reload_uri() {
    let signer = security(KeyAlgorithm::EcdsaP256, 1, 8);
    let certificate = HostCertificate::from_der(&signer.own.der).unwrap();
    let node: String = signer
        .own
        .node
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        certificate.uris(),
        [format!("reload://0110{node}@test.example/")]
    );
}

#[test]
fn the_oldest_certificates_are_forgotten_and_the_own_never() {
    let mut reader = security(KeyAlgorithm::EcdsaP256, 1, 2);
    for seed in 2..6 {
        let signer = security(KeyAlgorithm::EcdsaP256, seed, 2);
        let block = signer.sign_message(1, 2, b"contents", &[]).unwrap();
        assert!(reader.verify_message(1, 2, b"contents", &block).is_ok());
    }
    // Two of others, and the own.
    assert_eq!(reader.known.len(), 3);
    assert!(reader.known.contains_key(&reader.own.digest));
}
