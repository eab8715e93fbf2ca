//! DSA as a Host Identity (FIPS 186-4), in the form of RFC 2536, with SHA-256, the hash of HIT
//! suite 1 (RFC 7401 sections 5.2.9 and 5.2.14).
//!
//! The form fixes a subgroup of 160 bits, which gives 80 bits of strength however long the prime
//! is; so refused unless the operator says otherwise.

use crypto_bigint::{
    NonZero, Odd, Resize,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use dsa::{
    BoxedUint, Components, KeySize, Signature, SigningKey, VerifyingKey,
    signature::{
        hazmat::{PrehashSigner, PrehashVerifier},
        rand_core::{TryCryptoRng, TryRng},
    },
};
use pkcs8::{EncodePrivateKey, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use crate::{error::CryptoError, hash::Rhash, rng::Rng};

/// Octets of Q, R and S.
const ORDER_LEN: usize = 20;
/// Bits of Q.
const ORDER_BITS: u32 = 160;

/// T of the keys that peers may have: P of 1024 to 2048 bits. RFC 2536 itself ends at 8.
const SIZES: std::ops::RangeInclusive<u8> = 8..=24;

pub(crate) struct DsaPrivate {
    key: SigningKey,
    /// The size parameter T.
    size: u8,
}

impl DsaPrivate {
    /// A key with parameters of its own, of 1024 bits: the most that RFC 2536 allows.
    pub(super) fn generate(rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        // No other size goes with a subgroup of 160 bits.
        #[allow(deprecated)]
        let size = KeySize::DSA_1024_160;
        let mut rng = Adapter(rng);
        let Ok(components) = Components::try_generate_from_rng_with_key_size(&mut rng, size);
        let Ok(key) = SigningKey::try_generate_from_rng_with_components(&mut rng, components);
        Self::with_key(key)
    }

    pub(crate) fn from_pkcs8(info: PrivateKeyInfoRef<'_>) -> Result<Self, CryptoError> {
        let refused = CryptoError::MalformedKey("no consistent DSA key");
        let key = SigningKey::try_from(info).map_err(|_| refused)?;
        let public = key.verifying_key();
        let components = public.components();
        // A public key in the file need not belong to the private one.
        if power(components.p(), components.g(), key.x()) != **public.y() {
            return Err(refused);
        }
        Self::with_key(key)
    }

    fn with_key(key: SigningKey) -> Result<Self, CryptoError> {
        let components = key.verifying_key().components();
        if components.q().bits() != ORDER_BITS {
            return Err(CryptoError::MalformedKey(
                "DSA: the subgroup is not of 160 bits",
            ));
        }
        let bits = components.p().bits();
        // 7401-3.2-07: the smallest T that holds P
        let size = u8::try_from(bits.div_ceil(64).saturating_sub(8))
            .map_err(|_| CryptoError::MalformedKey("DSA: the prime is too long"))?;
        Ok(Self { key, size })
    }

    /// T, Q, P, G, Y.
    // 7401-3.2-06: the form of RFC 2536; 7401-3.2-08: big-endian, of fixed width
    pub(super) fn hi(&self) -> Vec<u8> {
        let public = self.key.verifying_key();
        let components = public.components();
        let length = number_len(self.size);
        let mut hi = vec![self.size];
        hi.extend(octets_of(components.q(), ORDER_LEN));
        for number in [components.p().as_ref(), components.g(), public.y()] {
            hi.extend(octets_of(number, length));
        }
        hi
    }

    /// T, R, S, with the nonce of RFC 6979.
    // 7401-5.2.14-05
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let hash = Rhash::Sha256.digest(&[message]);
        let signature: Signature = self
            .key
            .sign_prehash(hash.as_ref())
            .map_err(|_| CryptoError::Provider("DSA signature"))?;
        let mut octets = vec![self.size];
        octets.extend(octets_of(signature.r(), ORDER_LEN));
        octets.extend(octets_of(signature.s(), ORDER_LEN));
        Ok(octets)
    }

    pub(super) fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.key
            .to_pkcs8_der()
            .map(|document| document.to_bytes())
            .map_err(|_| CryptoError::Provider("DSA key encoding"))
    }
}

pub(crate) struct DsaPublic {
    key: VerifyingKey,
    /// The size parameter T.
    size: u8,
}

impl DsaPublic {
    pub(super) fn from_hi(hi: &[u8]) -> Result<Self, CryptoError> {
        let numbers = Numbers::of(hi)?;
        numbers.check()?;
        let Numbers { size, q, p, g, y } = numbers;
        // G to the power of Q is computed by us, Y to the power of Q by the back end.
        let key = Components::from_components_unchecked(p, q, g)
            .and_then(|components| VerifyingKey::from_components(components, y))
            .map_err(|_| CryptoError::MalformedKey("DSA: Y is not in the subgroup"))?;
        Ok(Self { key, size })
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if self.fits(message, signature).is_some() {
            Ok(())
        } else {
            Err(CryptoError::BadSignature)
        }
    }

    fn fits(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let (size, numbers) = signature.split_first()?;
        if *size != self.size || numbers.len() != 2 * ORDER_LEN {
            return None;
        }
        let (r, s) = numbers.split_at_checked(ORDER_LEN)?;
        // Zero is refused here, and what reaches Q by the back end.
        let signature = Signature::from_components(number_of(r), number_of(s))?;
        let hash = Rhash::Sha256.digest(&[message]);
        self.key.verify_prehash(hash.as_ref(), &signature).ok()
    }
}

/// The numbers in HI octets.
struct Numbers {
    size: u8,
    q: BoxedUint,
    p: BoxedUint,
    g: BoxedUint,
    y: BoxedUint,
}

impl Numbers {
    // 7401-B-02: T(1), Q(20), P, G and Y of 64 + 8T octets
    fn of(hi: &[u8]) -> Result<Self, CryptoError> {
        let (&size, rest) = hi
            .split_first()
            .ok_or(CryptoError::MalformedKey("DSA: no size"))?;
        if size < *SIZES.start() {
            return Err(CryptoError::WeakKey("DSA of less than 1024 bits"));
        }
        if size > *SIZES.end() {
            return Err(CryptoError::MalformedKey("DSA of more than 2048 bits"));
        }
        let length = number_len(size);
        let (q, rest) = rest
            .split_at_checked(ORDER_LEN)
            .filter(|(_, rest)| rest.len() == 3 * length)
            .ok_or(CryptoError::MalformedKey("DSA: the length does not fit T"))?;
        let mut numbers = rest.chunks_exact(length).map(number_of);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(p), Some(g), Some(y)) => Ok(Self {
                size,
                q: number_of(q),
                p,
                g,
                y,
            }),
            _ => Err(CryptoError::MalformedKey("DSA: the length does not fit T")),
        }
    }

    /// What can be checked without doubting the owner's primes.
    fn check(&self) -> Result<(), CryptoError> {
        let malformed = |what| Err(CryptoError::MalformedKey(what));
        let p = Odd::new(self.p.clone()).into_option();
        let q = Odd::new(self.q.clone()).into_option();
        let (Some(p), Some(q)) = (p, q) else {
            return malformed("DSA: a prime is even");
        };
        // RFC 2536 section 2: both have their highest bit set.
        if q.bits() != ORDER_BITS || p.bits() != 512 + 64 * u32::from(self.size) {
            return malformed("DSA: a prime is shorter than its field");
        }
        let one = BoxedUint::one_with_precision(p.bits_precision());
        let last = p.as_ref().wrapping_sub(&one);
        let order: NonZero<BoxedUint> = q.resize(p.bits_precision()).as_nz_ref().clone();
        if !bool::from(last.rem(&order).is_zero()) {
            return malformed("DSA: Q does not divide P - 1");
        }
        let in_range = |number: &BoxedUint| *number > one && *number < last;
        if !in_range(&self.g) || !in_range(&self.y) {
            return Err(CryptoError::WeakKey("DSA: G or Y is out of range"));
        }
        if power(&p, &self.g, &self.q) != one {
            return malformed("DSA: G is not in the subgroup");
        }
        Ok(())
    }
}

fn power(p: &Odd<BoxedUint>, base: &BoxedUint, exponent: &BoxedUint) -> BoxedUint {
    let parameters = BoxedMontyParams::new_vartime(p.clone());
    BoxedMontyForm::new(base.clone(), &parameters)
        .pow(exponent)
        .retrieve()
}

/// Octets of P, G and Y.
fn number_len(size: u8) -> usize {
    64 + 8 * usize::from(size)
}

fn number_of(octets: &[u8]) -> BoxedUint {
    let bits = u32::try_from(octets.len() * 8).unwrap_or(u32::MAX);
    BoxedUint::from_be_slice_truncated(octets, bits)
}

/// The last `length` octets of the number, with leading zeros.
fn octets_of(number: &BoxedUint, length: usize) -> Vec<u8> {
    let mut octets = vec![0; length];
    let all = number.to_be_bytes();
    for (to, from) in octets.iter_mut().rev().zip(all.iter().rev()) {
        *to = *from;
    }
    octets
}

/// Our generator in the form that the back end takes.
struct Adapter<'a>(&'a mut dyn Rng);

impl TryRng for Adapter<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Adapter<'_> {}

#[cfg(test)]
mod tests;
