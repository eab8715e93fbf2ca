//! ECDSA_LOW: ECDSA on secp160r1 with SHA-1, the hash of HIT suite 3 (RFC 7401 sections 5.2.9 and
//! 5.2.10, SEC 1).
//!
//! About 80 bits of strength, so refused unless the operator says otherwise.

use pkcs8::der::{
    self as der_crate, Decode, Reader, SliceReader,
    asn1::{BitStringRef, ContextSpecific, OctetStringRef},
};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    der,
    error::CryptoError,
    hash::Rhash,
    rng::Rng,
    secp160r1::{FIELD_LEN, Point, SCALAR_LEN, Scalar, scalar_octets, scalar_of, short_scalar},
    secret::Secret,
    sign::split_u16,
};

/// Marks an uncompressed point in SEC 1.
const UNCOMPRESSED: u8 = 4;

/// Label of SECP160R1 in the HI.
// 7401-5.2.9-12
const CURVE_LABEL: u16 = 1;

/// Draws that miss the range 1..order before the source of randomness is to blame.
const MAX_DRAWS: usize = 256;

/// Octets of a signature: r and s, each as long as the order.
const SIGNATURE_LEN: usize = 2 * SCALAR_LEN;

/// id-ecPublicKey
const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// secp160r1
const SECP160R1: [u8; 5] = [0x2b, 0x81, 0x04, 0x00, 0x08];

pub(crate) struct EcdsaLowPrivate {
    scalar: Zeroizing<Scalar>,
    point: [u8; 2 * FIELD_LEN],
}

impl EcdsaLowPrivate {
    pub(super) fn generate(rng: &mut dyn Rng) -> Result<Self, CryptoError> {
        for _ in 0..MAX_DRAWS {
            let octets = Secret::filled_by(SCALAR_LEN, |out| {
                rng.fill(out);
                if let Some(first) = out.first_mut() {
                    *first &= 1;
                }
            });
            if let Ok(key) = Self::from_scalar(&octets) {
                return Ok(key);
            }
        }
        Err(CryptoError::Provider("drawing an ECDSA_LOW key"))
    }

    fn from_scalar(octets: &Secret) -> Result<Self, CryptoError> {
        let refused = CryptoError::MalformedKey("ECDSA_LOW: the private key is out of range");
        let scalar = Zeroizing::new(scalar_of(octets.as_bytes()).ok_or(refused)?);
        let point = Point::GENERATOR.times(&scalar).coordinates();
        Ok(Self {
            scalar,
            point: point.ok_or(refused)?,
        })
    }

    /// The ECPrivateKey (SEC 1 appendix C.4) within a PKCS#8 key; a public key beside it must
    /// belong to it.
    pub(crate) fn from_sec1(sec1: &[u8]) -> Result<Self, CryptoError> {
        const BAD: CryptoError = CryptoError::MalformedKey("ECDSA_LOW: no SEC 1 key");
        let (octets, point) = sec1_parts(sec1).map_err(|_| BAD)?;
        let missing = SCALAR_LEN.checked_sub(octets.len()).ok_or(BAD)?;
        let padded = Secret::new([vec![0; missing].as_slice(), octets.as_bytes()].concat());
        let key = Self::from_scalar(&padded)?;
        match point {
            Some(point) if point != [&[UNCOMPRESSED], key.point.as_slice()].concat() => Err(
                CryptoError::MalformedKey("ECDSA_LOW: private and public key do not match"),
            ),
            _ => Ok(key),
        }
    }

    pub(super) fn hi(&self) -> Vec<u8> {
        [&CURVE_LABEL.to_be_bytes(), &[UNCOMPRESSED][..], &self.point].concat()
    }

    /// r then s, with the nonce of RFC 6979 (SHA-1).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let hash = hash(message);
        let mut nonces = Nonces::new(&self.scalar, &hash);
        loop {
            let mut nonce = nonces.next();
            let point = Point::GENERATOR.times(&nonce).coordinates();
            let inverse = nonce.invert().into_option();
            nonce.zeroize();
            let (Some(point), Some(mut inverse)) = (point, inverse) else {
                return Err(CryptoError::Provider("ECDSA_LOW nonce"));
            };
            let r = first_coordinate(&point);
            let s = inverse * (short_scalar(&hash) + r * *self.scalar);
            inverse.zeroize();
            let (r, s) = (scalar_octets(&r), scalar_octets(&s));
            // Neither is zero but once in 2^160 times.
            if scalar_of(&r).is_some() && scalar_of(&s).is_some() {
                return Ok([r, s].concat());
            }
        }
    }

    /// RFC 5958 and SEC 1, as OpenSSL writes it.
    pub(super) fn pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let octets = Zeroizing::new(scalar_octets(&self.scalar));
        let point = [&[UNCOMPRESSED], self.point.as_slice()].concat();
        let key = Zeroizing::new(der::sequence(&[
            &der::unsigned(&[1]),
            &Zeroizing::new(der::tlv(der::OCTET_STRING, &[octets.as_slice()])),
            &der::tlv(0xa1, &[&der::bit_string(&point)]),
        ]));
        let algorithm = der::sequence(&[
            &der::tlv(der::OBJECT_IDENTIFIER, &[&EC_PUBLIC_KEY]),
            &der::tlv(der::OBJECT_IDENTIFIER, &[&SECP160R1]),
        ]);
        let wrapped = Zeroizing::new(der::tlv(der::OCTET_STRING, &[&key]));
        Zeroizing::new(der::sequence(&[&der::unsigned(&[]), &algorithm, &wrapped]))
    }
}

pub(crate) struct EcdsaLowPublic(Point);

impl EcdsaLowPublic {
    // 7401-3.2-09: label, then the public point, in the form 04 | x | y as for ECDSA
    pub(super) fn from_hi(hi: &[u8]) -> Result<Self, CryptoError> {
        let (label, point) =
            split_u16(hi).ok_or(CryptoError::MalformedKey("ECDSA_LOW: no curve label"))?;
        if label != CURVE_LABEL {
            return Err(CryptoError::MalformedKey("ECDSA_LOW: unknown curve label"));
        }
        match point.split_first() {
            Some((&UNCOMPRESSED, point)) if point.len() == 2 * FIELD_LEN => {
                Point::from_coordinates(point)
                    .map(Self)
                    .ok_or(CryptoError::MalformedKey(
                        "ECDSA_LOW: the point is not on the curve",
                    ))
            }
            _ => Err(CryptoError::MalformedKey(
                "ECDSA_LOW: the point is not 04 | x | y",
            )),
        }
    }

    // 7401-5.2.14-05: r then s, each of 21 octets as the order has 161 bits
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if signature.len() == SIGNATURE_LEN && self.fits(message, signature).is_some() {
            Ok(())
        } else {
            Err(CryptoError::BadSignature)
        }
    }

    /// SEC 1 section 4.1.4.
    fn fits(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let (r, s) = signature.split_at_checked(SCALAR_LEN)?;
        let (r, s) = (scalar_of(r)?, scalar_of(s)?);
        let inverse = s.invert_vartime().into_option()?;
        let hash = short_scalar(&hash(message));
        let point = Point::GENERATOR
            .times(&(hash * inverse))
            .plus(&self.0.times(&(r * inverse)))
            .coordinates()?;
        (first_coordinate(&point) == r).then_some(())
    }
}

/// 160 bits, so one less than the order: nothing is cut off.
fn hash(message: &[u8]) -> [u8; FIELD_LEN] {
    let mut octets = [0; FIELD_LEN];
    let digest = Rhash::Sha1.digest(&[message]);
    for (to, from) in octets.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    octets
}

/// x of a point; smaller than the order, as the field is.
fn first_coordinate(point: &[u8; 2 * FIELD_LEN]) -> Scalar {
    let mut x = [0; FIELD_LEN];
    for (to, from) in x.iter_mut().zip(point) {
        *to = *from;
    }
    short_scalar(&x)
}

/// Private key, and public point with its mark if there is one.
fn sec1_parts(sec1: &[u8]) -> der_crate::Result<(Secret, Option<Vec<u8>>)> {
    let mut reader = SliceReader::new(sec1)?;
    let parts = reader.sequence(|reader: &mut SliceReader<'_>| {
        u8::decode(reader)?;
        let octets = Secret::copy_of(<&OctetStringRef>::decode(reader)?.as_bytes());
        let curve = der_crate::TagNumber(0);
        ContextSpecific::<pkcs8::ObjectIdentifier>::decode_explicit(reader, curve)?;
        let point = der_crate::TagNumber(1);
        let point = ContextSpecific::<BitStringRef<'_>>::decode_explicit(reader, point)?;
        let point = point.map(|point| point.value.raw_bytes().to_vec());
        Ok::<_, der_crate::Error>((octets, point))
    })?;
    reader.finish()?;
    Ok(parts)
}

/// The nonces of RFC 6979 section 3.2, with HMAC-SHA-1 and an order of 161 bits.
struct Nonces {
    key: Secret,
    value: Secret,
}

impl Nonces {
    fn new(scalar: &Scalar, hash: &[u8; FIELD_LEN]) -> Self {
        let private = Zeroizing::new(scalar_octets(scalar));
        let hash = scalar_octets(&short_scalar(hash));
        let mut nonces = Self {
            key: Secret::new(vec![0; Rhash::Sha1.len()]),
            value: Secret::new(vec![1; Rhash::Sha1.len()]),
        };
        for mark in [0, 1] {
            nonces.stir(mark, &[private.as_slice(), &hash]);
        }
        nonces
    }

    fn stir(&mut self, mark: u8, more: &[&[u8]]) {
        let mark = [mark];
        let parts: Vec<&[u8]> = [self.value.as_bytes(), &mark]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        self.key = Secret::copy_of(Rhash::Sha1.hmac(self.key.as_bytes(), &parts).as_ref());
        self.next_value();
    }

    fn next_value(&mut self) {
        let value = Rhash::Sha1.hmac(self.key.as_bytes(), &[self.value.as_bytes()]);
        self.value = Secret::copy_of(value.as_ref());
    }

    /// The next number in 1..order: the first 161 of 320 bits.
    fn next(&mut self) -> Scalar {
        loop {
            let mut octets = Zeroizing::new([0; SCALAR_LEN]);
            self.next_value();
            let first = self.value.clone();
            self.next_value();
            let mut carry = 0;
            let source = first.as_bytes().iter().chain(self.value.as_bytes());
            // 7 bits to the right, so that one bit stays in the first octet.
            for (to, from) in octets.iter_mut().zip(source) {
                *to = carry | from >> 7;
                carry = from << 1;
            }
            if let Some(nonce) = scalar_of(octets.as_slice()) {
                return nonce;
            }
            self.stir(0, &[]);
        }
    }
}

#[cfg(test)]
mod tests;
