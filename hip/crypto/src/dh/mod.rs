//! Diffie-Hellman groups (RFC 7401 section 5.2.7, RFC 5903).

use hip_wire::registry::DhGroup;

use crate::{error::CryptoError, rng::Rng, secret::Secret};

mod ecp;

/// A private Diffie-Hellman value and the public value that belongs to it.
pub struct DhPrivate {
    group: DhGroup,
    key: ecp::EcpPrivate,
}

impl DhPrivate {
    /// Whether [`generate`](Self::generate) knows the group.
    pub const fn supports(group: DhGroup) -> bool {
        matches!(
            group,
            DhGroup::EcpP256 | DhGroup::EcpP384 | DhGroup::EcpP521
        )
    }

    /// Draws a private value from `rng`; the same octets give the same value.
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedGroup`] when [`supports`](Self::supports) denies the group.
    pub fn generate(group: DhGroup, rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        let key = ecp::EcpPrivate::generate(group, rng)?;
        Ok(Self { group, key })
    }

    /// The group.
    pub fn group(&self) -> DhGroup {
        self.group
    }

    /// The public value as it stands in DIFFIE_HELLMAN: x and y of fixed length, no prefix.
    // 7401-5.2.7-09: x then y, no prefix octet
    pub fn public_value(&self) -> &[u8] {
        self.key.public_value()
    }

    /// `Kij`, the secret shared with the owner of the public value: x of fixed length.
    ///
    /// # Errors
    /// [`CryptoError::BadPublicValue`] unless the value is a point of the curve.
    pub fn agree(&self, peer: &[u8]) -> Result<Secret, CryptoError> {
        self.key.agree(peer)
    }
}

impl std::fmt::Debug for DhPrivate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DhPrivate")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
