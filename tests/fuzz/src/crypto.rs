//! Targets for hip-crypto: keys, certificates, signatures, public values and ciphertext of strangers.

use std::sync::LazyLock;

use hip_crypto::backend::Backend;
use hip_crypto::cert::HostCertificate;
use hip_crypto::cipher;
use hip_crypto::dh::DhPrivate;
use hip_crypto::identity::{HiPolicy, PublicIdentity};
use hip_crypto::keyfile::{decode_pem, encode_pem};
use hip_crypto::orchid::hit_of;
use hip_crypto::rng::SeededRng;
use hip_crypto::secret::Secret;
use hip_wire::packet::Params;
use hip_wire::param::{Encrypted, HostId};
use hip_wire::registry::{DhGroup, HiAlgorithm, HipCipher, ParamType};

const MESSAGE: &[u8] = b"signed by openssl";
/// The key of the file, or the key and how the signature came about; then the signature.
const SIGNATURES: &str = concat!(
    include_str!("../../../hip/crypto/tests/vectors/openssl/signatures.txt"),
    include_str!("../../../hip/crypto/tests/vectors/openssl/weak-signatures.txt")
);
const PEMS: [(&str, &str); 6] = [
    (
        "ecdsa-p256",
        include_str!("../../../hip/crypto/tests/vectors/openssl/ecdsa-p256.pem"),
    ),
    (
        "ecdsa-p384",
        include_str!("../../../hip/crypto/tests/vectors/openssl/ecdsa-p384.pem"),
    ),
    (
        "ed25519",
        include_str!("../../../hip/crypto/tests/vectors/openssl/ed25519.pem"),
    ),
    (
        "rsa-2048",
        include_str!("../../../hip/crypto/tests/vectors/openssl/rsa-2048.pem"),
    ),
    (
        "ecdsa-secp160r1 openssl",
        include_str!("../../../hip/crypto/tests/vectors/openssl/ecdsa-secp160r1.pem"),
    ),
    (
        "dsa-1024 openssl",
        include_str!("../../../hip/crypto/tests/vectors/openssl/dsa-1024.pem"),
    ),
];

/// Every algorithm, on each back end.
const BACKENDS: [HiPolicy; 2] = [
    HiPolicy {
        allow_weak: true,
        backend: Backend::Fast,
    },
    HiPolicy {
        allow_weak: true,
        backend: Backend::Portable,
    },
];

/// The public key of a HOST_ID: the algorithm number in one octet, then the HI.
pub fn crypto_host_identity(data: &[u8]) {
    let Some((number, hi)) = data.split_first() else {
        return;
    };
    let Some(algorithm) = HiAlgorithm::from_number(u16::from(*number)) else {
        return;
    };
    let strict = PublicIdentity::from_hi(algorithm, hi);
    let [fast, portable] =
        BACKENDS.map(|policy| PublicIdentity::from_hi_with(policy, algorithm, hi));
    assert_eq!(fast.is_ok(), portable.is_ok(), "the back ends disagree");
    let weak = matches!(algorithm, HiAlgorithm::Dsa | HiAlgorithm::EcdsaLow);
    assert_eq!(strict.is_ok(), fast.is_ok() && !weak);
    let (Ok(identity), Ok(portable)) = (fast, portable) else {
        return;
    };
    assert_eq!((identity.algorithm(), identity.hi()), (algorithm, hi));
    assert_eq!(identity.hit(), hit_of(algorithm, hi));
    assert!(identity.hit().is_orchid());
    // A key under which anything is a signature would be nobody's.
    for octet in [0, 1, 3, 0xff] {
        for length in [0, 41, 42, 63, 64, 96, 256, hi.len().saturating_sub(4)] {
            let mut signature = vec![octet; length];
            assert!(identity.verify(MESSAGE, &signature).is_err());
            assert!(portable.verify(MESSAGE, &signature).is_err());
            // DSA begins with the size of the key, and these numbers are small.
            signature
                .iter_mut()
                .skip(1)
                .step_by(2)
                .for_each(|low| *low = 0);
            if let (Some(first), Some(size)) = (signature.first_mut(), hi.first()) {
                *first = *size;
            }
            assert!(identity.verify(MESSAGE, &signature).is_err());
        }
    }
}

/// A public key on both back ends, and a signature that openssl made with its private key.
type Signer = ([PublicIdentity; 2], Vec<u8>);

/// Signatures over one message by keys of each kind, one octet saying whose.
pub fn crypto_signature(data: &[u8]) {
    static SIGNERS: LazyLock<Vec<Signer>> = LazyLock::new(|| PEMS.iter().map(signer).collect());
    let Some((which, signature)) = data.split_first() else {
        return;
    };
    let ([key, portable], good) = &SIGNERS[usize::from(*which) % SIGNERS.len()];
    let other = key.verify(b"another message", signature);
    assert!(other.is_err(), "one signature for two messages");
    let valid = key.verify(MESSAGE, signature).is_ok();
    let twin = portable.verify(MESSAGE, signature).is_ok();
    assert_eq!(valid, twin, "the back ends disagree");
    if valid {
        assert_eq!(signature.len(), good.len());
        let compared = match key.algorithm() {
            // Two values of s belong to each r.
            HiAlgorithm::Ecdsa => good.len() / 2,
            // The corpus has several, with other salts or nonces.
            HiAlgorithm::Rsa | HiAlgorithm::Dsa | HiAlgorithm::EcdsaLow => 0,
            HiAlgorithm::EdDsa => good.len(),
        };
        assert_eq!(signature[..compared], good[..compared], "a forgery");
    }
}

fn signer((name, key): &(&str, &str)) -> Signer {
    let line = SIGNATURES.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.expect("one for each key").trim().as_bytes();
    let octet = |pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16);
    let signature = digits.chunks(2).map(|pair| octet(pair).expect("hex"));
    let key = decode_pem(key).expect("a good key");
    let (algorithm, hi) = (key.public().algorithm(), key.public().hi());
    let on = |policy| PublicIdentity::from_hi_with(policy, algorithm, hi).expect("a good key");
    (BACKENDS.map(on), signature.collect())
}

/// A self-signed certificate in DER.
pub fn crypto_certificate(data: &[u8]) {
    let Ok(certificate) = HostCertificate::from_der(data) else {
        return;
    };
    let public = certificate.public();
    let again = PublicIdentity::from_hi(public.algorithm(), public.hi()).expect("checked already");
    assert_eq!((&again, again.hit()), (public, certificate.hit()));
    let names = certificate.uris().iter().map(String::as_str);
    for name in names.chain(certificate.user()) {
        assert!(name.is_ascii());
    }
    certificate.valid_at(0);
    certificate.valid_at(u64::MAX);
}

/// A private key: PEM text, or DER that is put into PEM here.
pub fn crypto_private_key(data: &[u8]) {
    let text = match data {
        [b'-', ..] => String::from_utf8_lossy(data).into_owned(),
        der => pem(der),
    };
    match decode_pem(&text) {
        Ok(identity) => {
            let pem = encode_pem(&identity).expect("a key we hold");
            let twin = decode_pem(&pem).expect("our own encoding");
            assert_eq!(twin.public(), identity.public());
            // A private half that does not fit the public one would leak in its signatures.
            let signature = identity.sign(MESSAGE).expect("signed");
            let proof = identity.public().verify(MESSAGE, &signature);
            assert_eq!(proof.expect("its own signature").signer(), identity.hit());
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.is_empty() && line.len() < 500, "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
}

fn pem(der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let mut bits = [0; 4];
            bits[1..=three.len()].copy_from_slice(three);
            let bits = u32::from_be_bytes(bits);
            let sextets = [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift & 63) as usize]);
            let padded = sextets.iter().enumerate().map(|(index, sextet)| {
                let used = index <= three.len();
                char::from(if used { *sextet } else { b'=' })
            });
            text.extend(padded);
        }
        text.push('\n');
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}

/// The public value of a DIFFIE_HELLMAN: the group number in one octet, then the value.
pub fn crypto_public_value(data: &[u8]) {
    static KEYS: LazyLock<Vec<DhPrivate>> = LazyLock::new(|| {
        let mut rng = SeededRng::new(1);
        let groups = DhGroup::ALL.iter();
        let made = groups.filter_map(|group| DhPrivate::generate(*group, &mut rng).ok());
        made.collect()
    });
    let Some((number, value)) = data.split_first() else {
        return;
    };
    let group = DhGroup::from_number(*number);
    let Some(ours) = KEYS.iter().find(|key| Some(key.group()) == group) else {
        return;
    };
    let agreed = ours.agree(value);
    let point = [&[4], value].concat();
    let on_curve = match ours.group() {
        DhGroup::EcpP256 => p256::PublicKey::from_sec1_bytes(&point).is_ok(),
        DhGroup::EcpP384 => p384::PublicKey::from_sec1_bytes(&point).is_ok(),
        // No second implementation at hand.
        _ => agreed.is_ok(),
    };
    assert_eq!(agreed.is_ok(), on_curve, "the back ends disagree");
    if let Ok(secret) = agreed {
        let modp = matches!(
            ours.group(),
            DhGroup::Modp1536 | DhGroup::Modp2048 | DhGroup::Modp3072
        );
        assert_eq!(
            secret.len(),
            if modp { value.len() } else { value.len() / 2 }
        );
        assert_eq!(value.len(), ours.public_value().len());
    }
}

/// The contents of an ENCRYPTED: decryption, and the HOST_ID that may come out of it.
pub fn crypto_encrypted(data: &[u8]) {
    for &choice in HipCipher::ALL {
        let key = Secret::new(vec![0x42; choice.key_len()]);
        let Ok(parameter) = Encrypted::parse(data, choice) else {
            continue;
        };
        let (iv, text) = (parameter.iv, parameter.ciphertext);
        let plain = cipher::decrypt(choice, &key, iv, text);
        let whole = choice == HipCipher::Null || text.len().is_multiple_of(16);
        assert_eq!(plain.is_ok(), whole);
        let Ok(plain) = plain else {
            continue;
        };
        let padding = text.len() - plain.len();
        assert!([0, 8, 16].contains(&padding), "{padding} octets of padding");
        let host_ids = Params::parse(&plain).into_iter().flatten();
        for param in host_ids.filter(|param| param.ty == ParamType::HOST_ID) {
            if let Ok(host_id) = param.decode::<HostId<'_>>()
                && let Some(algorithm) = host_id.hi_algorithm()
            {
                let _ = PublicIdentity::from_hi(algorithm, host_id.host_identity);
            }
        }
    }
}
