//! Diffie-Hellman groups (RFC 7401 section 5.2.7, RFC 3526, RFC 5903).

use hip_wire::registry::DhGroup;

use crate::{backend::Backend, error::CryptoError, rng::Rng, secret::Secret};

mod ecp;
mod ecp_portable;
mod modp;
mod secp160r1;

/// A private Diffie-Hellman value and the public value that belongs to it.
pub struct DhPrivate {
    group: DhGroup,
    key: Key,
}

enum Key {
    Ecp(ecp::EcpPrivate),
    Modp(modp::ModpPrivate),
    Secp160r1(secp160r1::Secp160r1Private),
}

impl DhPrivate {
    /// Draws a private value from `rng`, on the fast back end; the same octets give the same value.
    pub fn generate(group: DhGroup, rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        Self::generate_on(Backend::Fast, group, rng)
    }

    /// Draws a private value from `rng`; the same octets give the same value on both back ends.
    ///
    /// # Errors
    /// [`CryptoError::Provider`] when `rng` gives nothing but unusable octets.
    pub fn generate_on(
        backend: Backend,
        group: DhGroup,
        rng: &mut dyn Rng,
    ) -> Result<Self, CryptoError> {
        let key = match (group, modp::Size::of(group)) {
            (_, Some(size)) => modp::ModpPrivate::generate(size, rng).map(Key::Modp),
            (DhGroup::EcpSecp160r1, None) => {
                secp160r1::Secp160r1Private::generate(rng).map(Key::Secp160r1)
            }
            (_, None) => ecp::EcpPrivate::generate(backend, group, rng).map(Key::Ecp),
        }?;
        Ok(Self { group, key })
    }

    /// The group.
    pub fn group(&self) -> DhGroup {
        self.group
    }

    /// The public value as it stands in DIFFIE_HELLMAN: x and y of fixed length without a prefix, or
    /// for MODP groups a number as long as the prime.
    // 7401-5.2.7-09: x then y, no prefix octet
    pub fn public_value(&self) -> &[u8] {
        match &self.key {
            Key::Ecp(key) => key.public_value(),
            Key::Modp(key) => key.public_value(),
            Key::Secp160r1(key) => key.public_value(),
        }
    }

    /// `Kij`, the secret shared with the owner of the public value, with its leading zeros: x, or
    /// for MODP groups a number as long as the prime.
    ///
    /// # Errors
    /// [`CryptoError::BadPublicValue`] unless the value is an element of the group, of the right
    /// length and not of small order.
    pub fn agree(&self, peer: &[u8]) -> Result<Secret, CryptoError> {
        match &self.key {
            Key::Ecp(key) => key.agree(peer),
            Key::Modp(key) => key.agree(peer),
            Key::Secp160r1(key) => key.agree(peer),
        }
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
