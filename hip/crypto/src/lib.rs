//! Algorithms of HIPv2 behind enums and functions.
//!
//! What it is: host identities and their HITs, Diffie-Hellman, KEYMAT, the puzzle, HIP_CIPHER, the
//! ESP suites, key files and certificates. No type of a provider shows: aws-lc-rs is the fast
//! back end, RustCrypto the [`Backend::Portable`] one, which also has what aws-lc-rs lacks and signs
//! where a signature must be reproducible. secp160r1 and the MODP groups are arithmetic of our own on
//! crypto-bigint.
//!
//! Everything of RFC 7401 and 7402 that is not deprecated is here, the weak parts too. What is
//! offered is decided in hip-core; identities of peers that are weak (DSA, ECDSA_LOW) are refused
//! here already, unless [`HiPolicy`] takes them.
//!
//! What it may not do: IO, clocks, global randomness ([`rng::Rng`] is an argument), protocol.
//!
//! ```text
//!  HOST_ID -> PublicIdentity -> verify -> SignatureValid ┐
//!  SOLUTION -> puzzle::check -----------> PuzzleSolved   ├─> proofs that hip-core asks for
//!  HIP_MAC -> Rhash::verify_hmac -------> MacValid       ┘
//!  DhPrivate::agree -> Kij -> Keymat ─┬─> HipKeys -> cipher, hmac
//!                                     └─> EspKeys -> EspSealer, EspOpener (hip-esp)
//! ```
//!
//! RFCs: 7401 (HIPv2), 7402 (ESP), 7343 (ORCHIDv2), 5869 (HKDF), 5903 (ECP groups), 3526 (MODP
//! groups), 2536 (DSA), 3602, 4106, 4309, 4494, 4543 and 4868 (AES-CBC, AES-GCM, AES-CCM,
//! AES-CMAC-96, AES-GMAC and HMAC-SHA-256-128 in ESP), 6979 (deterministic DSA and ECDSA), 9374
//! (EdDSA); SEC 1 and SEC 2 (secp160r1).
//!
//! ```
//! use hip_crypto::{dh::DhPrivate, hash::Rhash, keymat::Keymat, rng::SeededRng};
//! use hip_wire::{hit::Hit, registry::{DhGroup, EspSuite, HipCipher}};
//!
//! # fn main() -> Result<(), hip_crypto::error::CryptoError> {
//! let mut rng = SeededRng::new(1);
//! let ours = DhPrivate::generate(DhGroup::EcpP256, &mut rng)?;
//! let theirs = DhPrivate::generate(DhGroup::EcpP256, &mut rng)?;
//! let kij = ours.agree(theirs.public_value())?;
//! assert_eq!(kij, theirs.agree(ours.public_value())?);
//!
//! let (hit_i, hit_r) = (Hit::NULL, Hit::from_bytes([1; 16]));
//! let mut keymat = Keymat::new(Rhash::Sha256, &kij, &[2; 32], &[3; 32], hit_i, hit_r);
//! let hip = keymat.hip_keys(HipCipher::Aes128Cbc)?;
//! assert_eq!(keymat.index(), 96);
//! let esp = keymat.esp_keys(EspSuite::AesGcm16)?;
//! assert_eq!(esp.for_sender(hit_i, hit_r).encryption.len(), 20);
//! # drop(hip);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::cast_possible_truncation
    )
)]

pub mod aead;
pub mod backend;
pub mod cert;
pub mod cipher;
pub mod dh;
pub mod error;
pub mod hash;
pub mod identity;
pub mod keyfile;
pub mod keymat;
pub mod orchid;
pub mod puzzle;
pub mod rng;
pub mod secret;

mod der;
mod kmac;
mod secp160r1;
mod sign;
#[cfg(test)]
mod test_support;

pub use aead::{EspOpener, EspSealer};
pub use backend::Backend;
pub use error::CryptoError;
pub use hash::{HashValue, MacValid, Rhash};
pub use identity::{HiPolicy, HostIdentity, KeyAlgorithm, PublicIdentity, SignatureValid};
pub use keymat::{EspKeyPair, EspKeys, HipKeys, Keymat};
pub use puzzle::PuzzleSolved;
pub use rng::{Rng, SeededRng};
pub use secret::Secret;
