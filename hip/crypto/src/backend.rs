//! The choice between two implementations of one algorithm.

/// Which implementation does the work, where there are two. Both give the same octets.
///
/// ECDSA, elliptic curve Diffie-Hellman on the NIST curves and the ESP suites with AES-CBC, AES-GCM
/// and AES-GMAC have two. Of everything else there is one, whatever is asked for: RSA and Ed25519
/// by aws-lc-rs, the rest by RustCrypto and this crate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Backend {
    /// aws-lc-rs, in C and assembly.
    #[default]
    Fast,
    /// RustCrypto, in Rust alone.
    Portable,
}
