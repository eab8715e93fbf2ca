//! The NIST elliptic curve groups on RustCrypto.

use hip_wire::registry::DhGroup;
use p256::elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytesSize, PublicKey, SecretKey,
    ecdh::diffie_hellman,
    sec1::{FromSec1Point, ModulusSize, ToSec1Point},
};

use crate::{error::CryptoError, secret::Secret};

/// A private key; zeroised by its own type.
pub(super) enum PortableKey {
    P256(SecretKey<p256::NistP256>),
    P384(SecretKey<p384::NistP384>),
    P521(SecretKey<p521::NistP521>),
}

impl PortableKey {
    /// The key of a scalar; `None` when it is out of range.
    pub(super) fn from_scalar(group: DhGroup, scalar: &[u8]) -> Option<Self> {
        match group {
            DhGroup::EcpP256 => SecretKey::from_slice(scalar).ok().map(Self::P256),
            DhGroup::EcpP384 => SecretKey::from_slice(scalar).ok().map(Self::P384),
            DhGroup::EcpP521 => SecretKey::from_slice(scalar).ok().map(Self::P521),
            DhGroup::Modp1536 | DhGroup::Modp2048 | DhGroup::Modp3072 | DhGroup::EcpSecp160r1 => {
                None
            }
        }
    }

    /// The public point with its mark.
    pub(super) fn public_point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => point_of(key),
            Self::P384(key) => point_of(key),
            Self::P521(key) => point_of(key),
        }
    }

    /// x of the shared point; the peer's point has its mark.
    pub(super) fn agree(&self, peer: &[u8]) -> Result<Secret, CryptoError> {
        match self {
            Self::P256(key) => agree(key, peer),
            Self::P384(key) => agree(key, peer),
            Self::P521(key) => agree(key, peer),
        }
    }
}

fn point_of<C>(key: &SecretKey<C>) -> Vec<u8>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    key.public_key().to_sec1_point(false).as_bytes().to_vec()
}

fn agree<C>(key: &SecretKey<C>, peer: &[u8]) -> Result<Secret, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let peer = PublicKey::<C>::from_sec1_bytes(peer).map_err(|_| CryptoError::BadPublicValue)?;
    let shared = diffie_hellman(key.to_nonzero_scalar(), peer.as_affine());
    Ok(Secret::copy_of(shared.raw_secret_bytes()))
}
