//! What can go wrong below the protocol.

use std::{error::Error, fmt};

use hip_wire::registry::HiAlgorithm;

/// A cryptographic check failed, or an input cannot be used.
///
/// Everything but [`Provider`](Self::Provider), [`KeymatExhausted`](Self::KeymatExhausted) and
/// [`BufferTooShort`](Self::BufferTooShort) can be caused by a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoError {
    /// The signature does not fit the message and the key.
    BadSignature,
    /// The MAC of a control packet does not fit.
    BadMac,
    /// The ICV of an ESP packet does not fit.
    BadIcv,
    /// The puzzle solution does not give enough zero bits, or has a wrong length.
    BadPuzzleSolution,
    /// A Host Identity does not have the form its algorithm demands; the text says what is wrong.
    MalformedKey(&'static str),
    /// A Host Identity is well formed but must not be trusted (too short, of small order).
    WeakKey(&'static str),
    /// Host Identities of this algorithm cannot be used.
    UnsupportedAlgorithm(HiAlgorithm),
    /// A certificate cannot be used; the text says what is wrong.
    BadCertificate(&'static str),
    /// A public Diffie-Hellman value is not an element of the group, or has a wrong length.
    BadPublicValue,
    /// Key, initialisation vector or ciphertext has a length the cipher does not take.
    BadLength,
    /// The keying material is used up: a new Diffie-Hellman exchange is needed.
    KeymatExhausted,
    /// Drawing from an octet of the keying material that was drawn before.
    KeymatReused,
    /// The caller's buffer has no room for IV and ICV.
    BufferTooShort,
    /// The back end refused what it must not refuse; the text says where.
    Provider(&'static str),
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadSignature => f.write_str("the signature does not fit"),
            Self::BadMac => f.write_str("the MAC does not fit"),
            Self::BadIcv => f.write_str("the ICV does not fit"),
            Self::BadPuzzleSolution => f.write_str("the puzzle is not solved"),
            Self::MalformedKey(what) => write!(f, "malformed Host Identity: {what}"),
            Self::WeakKey(what) => write!(f, "weak Host Identity: {what}"),
            Self::UnsupportedAlgorithm(algorithm) => {
                write!(
                    f,
                    "Host Identities of {} are not supported",
                    algorithm.name()
                )
            }
            Self::BadCertificate(what) => write!(f, "unusable certificate: {what}"),
            Self::BadPublicValue => f.write_str("the public Diffie-Hellman value is invalid"),
            Self::BadLength => f.write_str("wrong length of key, IV or ciphertext"),
            Self::KeymatExhausted => f.write_str("the keying material is used up"),
            Self::KeymatReused => f.write_str("the keying material was drawn before"),
            Self::BufferTooShort => f.write_str("the buffer has no room for IV and ICV"),
            Self::Provider(place) => write!(f, "the cryptographic back end failed in {place}"),
        }
    }
}

impl Error for CryptoError {}
