//! The elliptic curve secp160r1 (SEC 2 version 1): y² = x³ - 3x + b over a prime field of 160 bits,
//! of prime order (cofactor 1) of 161 bits.
//!
//! About 80 bits of strength: for peers that have nothing else, and never offered by default.
//! Points are projective, and the addition formulas of Renes, Costello and Batina (2015, algorithm
//! 4) hold for every pair of points of such a curve, so nothing depends on secret values.

use crypto_bigint::{
    CtSelect, U192, const_monty_params,
    modular::{ConstMontyForm, ConstMontyParams},
};

/// Octets of a coordinate.
pub(crate) const FIELD_LEN: usize = 20;
/// Octets of a scalar: the order has one bit more than the field.
pub(crate) const SCALAR_LEN: usize = 21;
/// Bits of a scalar.
const SCALAR_BITS: u32 = 161;

const LIMBS: usize = U192::LIMBS;

const_monty_params!(
    FieldPrime,
    U192,
    "00000000ffffffffffffffffffffffffffffffff7fffffff"
);
const_monty_params!(
    Order,
    U192,
    "0000000100000000000000000001f4c8f927aed3ca752257"
);

type Field = ConstMontyForm<FieldPrime, LIMBS>;

/// An integer modulo the order of the curve.
pub(crate) type Scalar = ConstMontyForm<Order, LIMBS>;

const B: Field = field("000000001c97befc54bd7a8b65acf89f81d4d4adc565fa45");
const GENERATOR_X: Field = field("000000004a96b5688ef573284664698968c38bb913cbfc82");
const GENERATOR_Y: Field = field("0000000023a628553168947d59dcc912042351377ac5fb32");

const fn field(hex: &str) -> Field {
    Field::new(&U192::from_be_hex(hex))
}

/// A point of the curve, (x : y : z) with z = 0 for the point at infinity.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    x: Field,
    y: Field,
    z: Field,
}

impl Point {
    const IDENTITY: Self = Self {
        x: Field::ZERO,
        y: Field::ONE,
        z: Field::ZERO,
    };

    /// The base point of the curve.
    pub(crate) const GENERATOR: Self = Self {
        x: GENERATOR_X,
        y: GENERATOR_Y,
        z: Field::ONE,
    };

    /// The point of coordinates x | y, each of [`FIELD_LEN`] octets; `None` unless they are smaller
    /// than the prime and fulfil the equation. As the cofactor is 1, its order is right then.
    // 7401-5.2.7-04, 7401-5.2.9-10: cofactor 1
    pub(crate) fn from_coordinates(octets: &[u8]) -> Option<Self> {
        if octets.len() != 2 * FIELD_LEN {
            return None;
        }
        let (x, y) = octets.split_at_checked(FIELD_LEN)?;
        let (x, y) = (coordinate(x)?, coordinate(y)?);
        let three = Field::ONE + Field::ONE + Field::ONE;
        let right = x * (x.square() - three) + B;
        (y.square() == right).then_some(Self {
            x,
            y,
            z: Field::ONE,
        })
    }

    /// x | y; `None` for the point at infinity.
    pub(crate) fn coordinates(&self) -> Option<[u8; 2 * FIELD_LEN]> {
        let inverse = self.z.invert().into_option()?;
        let mut octets = [0; 2 * FIELD_LEN];
        for (half, number) in octets
            .chunks_exact_mut(FIELD_LEN)
            .zip([self.x * inverse, self.y * inverse])
        {
            write_number(&number.retrieve(), half);
        }
        Some(octets)
    }

    /// The point `scalar` times, by a Montgomery ladder.
    pub(crate) fn times(&self, scalar: &Scalar) -> Self {
        let scalar = scalar.retrieve();
        // Always `higher = lower + self`.
        let (mut lower, mut higher) = (Self::IDENTITY, *self);
        for index in (0..SCALAR_BITS).rev() {
            let bit = scalar.bit(index);
            let sum = lower.plus(&higher);
            let double = lower.select(&higher, bit);
            let double = double.plus(&double);
            lower = double.select(&sum, bit);
            higher = sum.select(&double, bit);
        }
        lower
    }

    /// The sum of two points, equal or not.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let twice = |number: Field| number + number;
        let thrice = |number: Field| twice(number) + number;
        let xx = self.x * other.x;
        let yy = self.y * other.y;
        let zz = self.z * other.z;
        let xy = (self.x + self.y) * (other.x + other.y) - (xx + yy);
        let yz = (self.y + self.z) * (other.y + other.z) - (yy + zz);
        let xz = (self.x + self.z) * (other.x + other.z) - (xx + zz);

        let first = thrice(xz - B * zz);
        let (minus, plus) = (yy - first, yy + first);
        let second = thrice(B * xz - (thrice(zz) + xx));
        let third = thrice(xx) - thrice(zz);
        Self {
            x: plus * xy - yz * second,
            y: plus * minus + third * second,
            z: minus * yz + xy * third,
        }
    }

    fn select(&self, other: &Self, choice: crypto_bigint::Choice) -> Self {
        Self {
            x: self.x.ct_select(&other.x, choice),
            y: self.y.ct_select(&other.y, choice),
            z: self.z.ct_select(&other.z, choice),
        }
    }
}

/// The scalar in [`SCALAR_LEN`] octets, when it lies in 1..order.
pub(crate) fn scalar_of(octets: &[u8]) -> Option<Scalar> {
    if octets.len() != SCALAR_LEN {
        return None;
    }
    let number = U192::from_be_slice_truncated(octets, U192::BITS);
    let in_range = number != U192::ZERO && number < *Order::PARAMS.modulus().as_ref();
    in_range.then(|| Scalar::new(&number))
}

/// A scalar of at most 160 bits, as hashes and x coordinates are.
pub(crate) fn short_scalar(octets: &[u8; FIELD_LEN]) -> Scalar {
    Scalar::new(&U192::from_be_slice_truncated(octets, U192::BITS))
}

/// The [`SCALAR_LEN`] octets of a scalar.
pub(crate) fn scalar_octets(scalar: &Scalar) -> [u8; SCALAR_LEN] {
    let mut octets = [0; SCALAR_LEN];
    write_number(&scalar.retrieve(), &mut octets);
    octets
}

fn coordinate(octets: &[u8]) -> Option<Field> {
    let number = U192::from_be_slice_truncated(octets, U192::BITS);
    (number < *FieldPrime::PARAMS.modulus().as_ref()).then(|| Field::new(&number))
}

/// The last octets of the number, big-endian.
fn write_number(number: &U192, out: &mut [u8]) {
    let octets = number.to_be_bytes();
    for (to, from) in out.iter_mut().rev().zip(octets.as_ref().iter().rev()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests;
