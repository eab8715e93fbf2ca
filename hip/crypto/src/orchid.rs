//! HIT generation: ORCHIDv2 (RFC 7343 section 2, RFC 7401 section 3.2).

use hip_wire::{
    hit::Hit,
    registry::{HiAlgorithm, HitSuite},
};

use crate::{hash::Rhash, kmac};

/// The Context ID of HIP.
// 7401-3.2-01
const CONTEXT_ID: [u8; 16] = [
    0xf0, 0xef, 0xf0, 0x2f, 0xbf, 0xf4, 0x3d, 0x0f, 0xe7, 0x93, 0x0c, 0x3c, 0x6e, 0x61, 0x74, 0xea,
];

/// Octets of hash in a HIT.
const HASH_LEN: usize = 12;

/// The suite whose hash makes the HIT of a key of this algorithm.
pub const fn suite_of(algorithm: HiAlgorithm) -> HitSuite {
    match algorithm {
        HiAlgorithm::Dsa | HiAlgorithm::Rsa => HitSuite::RsaDsaSha256,
        HiAlgorithm::Ecdsa => HitSuite::EcdsaSha384,
        HiAlgorithm::EcdsaLow => HitSuite::EcdsaLowSha1,
        HiAlgorithm::EdDsa => HitSuite::EddsaCshake128,
    }
}

/// The HIT of a Host Identity, given the HI octets as in HOST_ID (no algorithm, no domain).
// 7401-3-05: whoever has the HI can recompute the HIT
pub fn hit_of(algorithm: HiAlgorithm, hi: &[u8]) -> Hit {
    let suite = suite_of(algorithm);
    let mut hash = [0; HASH_LEN];
    match suite {
        // 9374-3.5.2.1-01: 96 bits of output and no extraction from the middle
        HitSuite::EddsaCshake128 => kmac::cshake128(&[&CONTEXT_ID, hi], &[], &mut hash),
        HitSuite::RsaDsaSha256 | HitSuite::EcdsaSha384 | HitSuite::EcdsaLowSha1 => {
            // 7343-2-01: Context ID, then the HI; 7343-2-03: the middle 96 bits
            let digest = Rhash::for_suite(suite).digest(&[&CONTEXT_ID, hi]);
            let skipped = (digest.as_ref().len() - HASH_LEN) / 2;
            for (to, from) in hash.iter_mut().zip(digest.as_ref().iter().skip(skipped)) {
                *to = *from;
            }
        }
    }
    Hit::from_parts(suite, hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{hex, hit};

    /// Section 5 of the requirement notes. 7401-3.2-01 7401-3.2-03 7343-2-01 7343-2-03 7343-2-04
    #[test]
    fn the_known_identities_have_their_known_hits() {
        let mut rsa = vec![3, 1, 0, 1];
        rsa.extend((0..=255u8).map(|i| 0x80 + (i % 128)));
        assert_eq!(
            hit_of(HiAlgorithm::Rsa, &rsa),
            hit("2001:21:cce5:ed0c:e99b:90b9:f11a:7a53")
        );
        let mut ecdsa = vec![0, 2, 4];
        ecdsa.extend(0..=0x5f);
        assert_eq!(
            hit_of(HiAlgorithm::Ecdsa, &ecdsa),
            hit("2001:22:8dce:5877:e8e6:a4dd:95fa:6b08")
        );
    }

    /// SHAKE128 of Python's hashlib over the Context ID and the key of RFC 8032, test 3.
    /// 9374-3.4.2-01 9374-3.5.2.1-01
    #[test]
    fn the_known_eddsa_identity_has_its_known_hit() {
        let mut hi = vec![0, 1, 0, 0];
        hi.extend(hex(
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        ));
        assert_eq!(
            hit_of(HiAlgorithm::EdDsa, &hi),
            hit("2001:25:cb55:2ce7:620c:931f:7928:fb2a")
        );
    }

    /// 7401-3-04
    #[test]
    fn the_suite_stands_in_the_hit_and_every_octet_of_the_identity_counts() {
        for algorithm in [
            HiAlgorithm::Dsa,
            HiAlgorithm::Rsa,
            HiAlgorithm::Ecdsa,
            HiAlgorithm::EcdsaLow,
            HiAlgorithm::EdDsa,
        ] {
            let one = hit_of(algorithm, &[1, 2, 3]);
            assert_eq!(one.suite(), Some(suite_of(algorithm)));
            assert_ne!(one, hit_of(algorithm, &[1, 2, 4]));
        }
    }
}
