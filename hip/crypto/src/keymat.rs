//! KEYMAT: the keying material of an association and the keys drawn from it
//! (RFC 7401 section 6.5, RFC 7402 section 7).

use hip_wire::{
    hit::Hit,
    registry::{EspSuite, HipCipher},
};
use zeroize::Zeroizing;

use crate::{aead, error::CryptoError, hash::Rhash, secret::Secret};

/// Keying material: HKDF output that is drawn from once, octet by octet.
#[derive(Debug, Clone)]
pub struct Keymat {
    rhash: Rhash,
    key: Secret,
    info: [u8; 32],
    /// What was expanded last, T(n) of RFC 5869.
    block: Secret,
    /// n of the next block.
    next_block: usize,
    /// The octets of `block` not yet drawn are its last ones.
    left: usize,
    index: usize,
}

impl Keymat {
    /// Derives the keying material of two hosts (in any order) from `Kij`, the Diffie-Hellman
    /// secret, and the numbers #I and #J of the solved puzzle.
    pub fn new(rhash: Rhash, kij: &Secret, i: &[u8], j: &[u8], hit_a: Hit, hit_b: Hit) -> Self {
        // 7401-6.5-01: salt = #I | #J, info = smaller HIT | greater HIT; 7401-6.5-02: unsigned
        let salt = Zeroizing::new([i, j].concat());
        let (smaller, greater) = if hit_a <= hit_b {
            (hit_a, hit_b)
        } else {
            (hit_b, hit_a)
        };
        let mut info = [0; 32];
        for (to, from) in info
            .iter_mut()
            .zip(smaller.as_bytes().iter().chain(greater.as_bytes()))
        {
            *to = *from;
        }
        let key = Secret::copy_of(rhash.hmac(&salt, &[kij.as_bytes()]).as_ref());
        Self {
            rhash,
            key,
            info,
            block: Secret::default(),
            next_block: 1,
            left: 0,
            index: 0,
        }
    }

    /// The RHASH it was made with.
    pub fn rhash(&self) -> Rhash {
        self.rhash
    }

    /// Octets drawn or skipped so far: the KEYMAT Index of what is drawn next.
    pub fn index(&self) -> u16 {
        u16::try_from(self.index).unwrap_or(u16::MAX)
    }

    /// Draws the next octets.
    ///
    /// # Errors
    /// [`CryptoError::KeymatExhausted`] beyond 255 digests; nothing is drawn then.
    pub fn draw(&mut self, octets: usize) -> Result<Secret, CryptoError> {
        // 7401-6.5-07: HKDF ends after 255 blocks
        if octets > 255 * self.rhash.len() - self.index {
            return Err(CryptoError::KeymatExhausted);
        }
        let mut drawn = Vec::with_capacity(octets);
        while drawn.len() < octets {
            if self.left == 0 {
                self.expand()?;
            }
            let block = self.block.as_bytes();
            let from = block.len() - self.left;
            let to = block.len().min(from + octets - drawn.len());
            drawn.extend_from_slice(block.get(from..to).unwrap_or_default());
            self.left -= to - from;
            self.index += to - from;
        }
        Ok(Secret::new(drawn))
    }

    /// Continues at an index that both hosts agreed on (RFC 7402 section 6.9).
    ///
    /// # Errors
    /// [`CryptoError::KeymatReused`] when the index lies before what was drawn already.
    pub fn skip_to(&mut self, index: u16) -> Result<(), CryptoError> {
        // 7402-6.8-09: without new DH the index is not below the next undrawn octet
        let skipped = usize::from(index)
            .checked_sub(self.index)
            .ok_or(CryptoError::KeymatReused)?;
        self.draw(skipped).map(drop)
    }

    /// Draws the four keys for control packets; the first draw of a base exchange.
    pub fn hip_keys(&mut self, cipher: HipCipher) -> Result<HipKeys, CryptoError> {
        // 7401-6.5-05: AES 16 or 32 octets, NULL none, integrity the size of the hash
        let encryption = cipher.key_len();
        let integrity = self.rhash.len();
        // 7401-6.5-04: gl encryption, gl integrity, lg encryption, lg integrity
        Ok(HipKeys {
            cipher,
            rhash: self.rhash,
            gl_enc: self.draw(encryption)?,
            gl_int: self.draw(integrity)?,
            lg_enc: self.draw(encryption)?,
            lg_int: self.draw(integrity)?,
        })
    }

    /// Draws the keys of a pair of ESP SAs: after the HIP keys, and again at each rekey.
    pub fn esp_keys(&mut self, suite: EspSuite) -> Result<EspKeyPair, CryptoError> {
        let lengths = aead::key_lengths(suite);
        // 7402-7-01: gl encryption, gl authentication, lg encryption, lg authentication
        let mut keys = || {
            Ok(EspKeys {
                suite,
                encryption: self.draw(lengths.encryption)?,
                authentication: self.draw(lengths.authentication)?,
            })
        };
        Ok(EspKeyPair {
            gl: keys()?,
            lg: keys()?,
        })
    }

    /// RFC 5869 section 2.3: T(n) = HMAC(PRK, T(n-1) | info | n)
    fn expand(&mut self) -> Result<(), CryptoError> {
        let number = u8::try_from(self.next_block).map_err(|_| CryptoError::KeymatExhausted)?;
        let parts = [self.block.as_bytes(), &self.info, &[number]];
        let block = self.rhash.hmac(self.key.as_bytes(), &parts);
        self.block = Secret::copy_of(block.as_ref());
        self.next_block += 1;
        self.left = self.rhash.len();
        Ok(())
    }
}

/// Keys for control packets: `gl` for those that the host with the **g**reater HIT sends to the
/// **l**esser one.
#[derive(Debug, Clone)]
pub struct HipKeys {
    /// The cipher of ENCRYPTED parameters.
    pub cipher: HipCipher,
    /// The hash of HIP_MAC.
    pub rhash: Rhash,
    /// Encryption key of the greater HIT's packets.
    pub gl_enc: Secret,
    /// Integrity key of the greater HIT's packets.
    pub gl_int: Secret,
    /// Encryption key of the lesser HIT's packets.
    pub lg_enc: Secret,
    /// Integrity key of the lesser HIT's packets.
    pub lg_int: Secret,
}

impl HipKeys {
    /// The encryption key of what `sender` sends to `receiver`.
    pub fn encryption(&self, sender: Hit, receiver: Hit) -> &Secret {
        if sender > receiver {
            &self.gl_enc
        } else {
            &self.lg_enc
        }
    }

    /// The integrity key of what `sender` sends to `receiver`.
    // 7401-6.4.1-05: the integrity key of the sender's direction
    pub fn integrity(&self, sender: Hit, receiver: Hit) -> &Secret {
        if sender > receiver {
            &self.gl_int
        } else {
            &self.lg_int
        }
    }
}

/// Suite and keys of one ESP security association, one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EspKeys {
    /// The ESP suite.
    pub suite: EspSuite,
    /// Encryption key, and behind it the salt of AES-GCM and AES-GMAC (4 octets) or AES-CCM (3);
    /// empty for NULL with HMAC or AES-CMAC.
    pub encryption: Secret,
    /// Authentication key; empty for combined modes.
    pub authentication: Secret,
}

/// The keys of both directions of a pair of ESP SAs.
#[derive(Debug, Clone)]
pub struct EspKeyPair {
    /// For what the greater HIT sends.
    pub gl: EspKeys,
    /// For what the lesser HIT sends.
    pub lg: EspKeys,
}

impl EspKeyPair {
    /// The keys of what `sender` sends to `receiver`.
    pub fn for_sender(&self, sender: Hit, receiver: Hit) -> &EspKeys {
        if sender > receiver {
            &self.gl
        } else {
            &self.lg
        }
    }
}

#[cfg(test)]
mod tests;
