//! The MODP groups (RFC 3526): powers of 2 modulo a safe prime p, that is p = 2q + 1 with q prime.
//!
//! Exponents are short, which safe primes allow: at least twice the strength of the group
//! (RFC 3526 section 8) and never less than 256 bits. Everything that touches an exponent takes
//! the same time whatever its value is.

use crypto_bigint::{
    JacobiSymbol, U320, U1536, U2048, U3072, Uint, const_monty_params,
    modular::{ConstMontyForm, ConstMontyParams},
};
use hip_wire::registry::DhGroup;
use zeroize::{Zeroize, Zeroizing};

use crate::{error::CryptoError, rng::Rng, secret::Secret};

/// Draws of a zero exponent before the source of randomness is to blame.
const MAX_DRAWS: usize = 16;

pub(super) struct ModpPrivate {
    size: Size,
    exponent: Zeroizing<U320>,
    public: Vec<u8>,
}

impl ModpPrivate {
    pub(super) fn generate(size: Size, rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        let mut octets = Zeroizing::new(vec![0; size.exponent_len()]);
        for _ in 0..MAX_DRAWS {
            rng.fill(&mut octets);
            if octets.iter().any(|octet| *octet != 0) {
                let exponent = Zeroizing::new(U320::from_be_slice_truncated(&octets, U320::BITS));
                let public = size.power_of_generator(&exponent);
                return Ok(Self {
                    size,
                    exponent,
                    public,
                });
            }
        }
        Err(CryptoError::Provider("drawing a MODP exponent"))
    }

    pub(super) fn public_value(&self) -> &[u8] {
        &self.public
    }

    // RFC 7401 does not say so, but Kij has the length of the prime, with its leading zeros.
    pub(super) fn agree(&self, peer: &[u8]) -> Result<Secret, CryptoError> {
        self.size
            .power_of_element(peer, &self.exponent)
            .ok_or(CryptoError::BadPublicValue)
    }
}

/// The MODP groups of RFC 7401; all others are deprecated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Bits1536,
    Bits2048,
    Bits3072,
}

impl Size {
    // 7401-5.2.7-05: group 3; 7401-5.2.7-06: group 4; 7401-5.2.7-07: group 11
    pub(super) const fn of(group: DhGroup) -> Option<Self> {
        match group {
            DhGroup::Modp1536 => Some(Self::Bits1536),
            DhGroup::Modp2048 => Some(Self::Bits2048),
            DhGroup::Modp3072 => Some(Self::Bits3072),
            DhGroup::EcpP256 | DhGroup::EcpP384 | DhGroup::EcpP521 | DhGroup::EcpSecp160r1 => None,
        }
    }

    /// Octets of an exponent: RFC 3526 section 8 estimates 90, 110 and 130 bits of strength.
    const fn exponent_len(self) -> usize {
        match self {
            Self::Bits1536 | Self::Bits2048 => 32,
            Self::Bits3072 => 40,
        }
    }

    /// Bits of an exponent that are looked at.
    const fn exponent_bits(self) -> u32 {
        match self {
            Self::Bits1536 | Self::Bits2048 => 256,
            Self::Bits3072 => 320,
        }
    }

    fn power_of_generator(self, exponent: &U320) -> Vec<u8> {
        let bits = self.exponent_bits();
        match self {
            Self::Bits1536 => power::<Prime1536, _>(&Uint::from_u8(2), exponent, bits),
            Self::Bits2048 => power::<Prime2048, _>(&Uint::from_u8(2), exponent, bits),
            Self::Bits3072 => power::<Prime3072, _>(&Uint::from_u8(2), exponent, bits),
        }
    }

    fn power_of_element(self, element: &[u8], exponent: &U320) -> Option<Secret> {
        let bits = self.exponent_bits();
        let secret = match self {
            Self::Bits1536 => {
                power::<Prime1536, _>(&checked::<Prime1536, _>(element)?, exponent, bits)
            }
            Self::Bits2048 => {
                power::<Prime2048, _>(&checked::<Prime2048, _>(element)?, exponent, bits)
            }
            Self::Bits3072 => {
                power::<Prime3072, _>(&checked::<Prime3072, _>(element)?, exponent, bits)
            }
        };
        Some(Secret::new(secret))
    }
}

/// `base^exponent`, in as many octets as the prime has.
fn power<P, const LIMBS: usize>(base: &Uint<LIMBS>, exponent: &U320, bits: u32) -> Vec<u8>
where
    P: ConstMontyParams<LIMBS>,
{
    let mut power = ConstMontyForm::<P, LIMBS>::new(base).pow_bounded_exp(exponent, bits);
    let mut number = power.retrieve();
    let octets = number.to_be_bytes().as_ref().to_vec();
    power.zeroize();
    number.zeroize();
    octets
}

/// The number a public value stands for, when it belongs to the subgroup of order q that 2
/// generates: neither 0, 1, p - 1 nor beyond, and a square (2 is one, as p mod 8 is 7).
// 7401-5.3.2-14: small subgroups (RFC 2785 section 3.1); with a safe prime these are 1 and p - 1,
// and values that are no squares would tell whether the exponent is even
fn checked<P, const LIMBS: usize>(element: &[u8]) -> Option<Uint<LIMBS>>
where
    P: ConstMontyParams<LIMBS>,
{
    if element.len() != Uint::<LIMBS>::BYTES {
        return None;
    }
    let number = Uint::<LIMBS>::from_be_slice_truncated(element, Uint::<LIMBS>::BITS);
    let prime = P::PARAMS.modulus();
    let greatest = prime.wrapping_sub(&Uint::from_u8(2));
    if number <= Uint::ONE || number > greatest {
        return None;
    }
    match number.jacobi_symbol_vartime(prime) {
        JacobiSymbol::One => Some(number),
        JacobiSymbol::Zero | JacobiSymbol::MinusOne => None,
    }
}

const_monty_params!(
    Prime1536,
    U1536,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22\
     514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6\
     f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3d\
     c2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb\
     9ed529077096966d670c354e4abc9804f1746c08ca237327ffffffffffffffff"
);

const_monty_params!(
    Prime2048,
    U2048,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22\
     514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6\
     f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3d\
     c2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb\
     9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e8603\
     9b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510\
     15728e5a8aacaa68ffffffffffffffff"
);

const_monty_params!(
    Prime3072,
    U3072,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22\
     514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6\
     f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3d\
     c2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb\
     9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e8603\
     9b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510\
     15728e5a8aaac42dad33170d04507a33a85521abdf1cba64ecfb850458dbef0a8aea71575d060c7d\
     b3970f85a6e1e4c7abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6bf12ffa06d98a0864\
     d87602733ec86a64521f2b18177b200cbbe117577a615d6c770988c0bad946e208e24fa074e5ab31\
     43db5bfce0fd108e4b82d120a93ad2caffffffffffffffff"
);
