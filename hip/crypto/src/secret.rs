//! Containers of key octets.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Key octets: overwritten when dropped, compared in constant time, never printed.
#[derive(Clone, Default)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the octets over.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// Copies the octets.
    pub fn copy_of(octets: &[u8]) -> Self {
        Self(octets.to_vec())
    }

    /// The octets, for the one computation they are meant for.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Number of octets.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no octet (NULL encryption has such a key).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `N` zero octets that `fill` sets.
    pub(crate) fn filled_by(length: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut octets = vec![0; length];
        fill(&mut octets);
        Self(octets)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} octets)", self.0.len())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl From<Vec<u8>> for Secret {
    fn from(octets: Vec<u8>) -> Self {
        Self(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_its_octets() {
        let text = format!("{:?}", Secret::copy_of(&[0xab, 0xcd]));
        assert_eq!(text, "Secret(2 octets)");
    }

    #[test]
    fn secrets_are_equal_when_their_octets_are() {
        assert_eq!(Secret::copy_of(b"one"), Secret::new(b"one".to_vec()));
        assert_ne!(Secret::copy_of(b"one"), Secret::copy_of(b"onf"));
        assert_ne!(Secret::copy_of(b"one"), Secret::copy_of(b"on"));
    }
}
