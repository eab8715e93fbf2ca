//! HIP_MAC, HIP_MAC_2, HIP_SIGNATURE and HIP_SIGNATURE_2 (RFC 7401 sections 5.2.12 to 5.2.15).

use alloc::vec::Vec;

use crate::error::{WireError, WireErrorKind};
use crate::param::{Parameter, parse_parameter};
use crate::reader::Reader;
use crate::registry::{HiAlgorithm, ParamType};

macro_rules! mac {
    ($(#[$doc:meta])* $name:ident, $ty:ident) => {
        $(#[$doc])*
        ///
        /// The whole HMAC, as long as RHASH of the Responder's suite; the verifier compares lengths.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(pub &'a [u8]);

        impl<'a> $name<'a> {
            /// Decodes the contents; empty is [`WireErrorKind::BadLength`].
            pub fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
                match contents {
                    [] => Err(WireError::new(WireErrorKind::BadLength, 0)),
                    mac => Ok(Self(mac)),
                }
            }
        }

        impl Parameter for $name<'_> {
            const TYPE: ParamType = ParamType::$ty;

            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.0);
            }
        }
    };
}

macro_rules! signature {
    ($(#[$doc:meta])* $name:ident, $ty:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(pub SignatureFields<'a>);

        impl<'a> $name<'a> {
            /// A signature made with `algorithm`.
            pub const fn new(algorithm: HiAlgorithm, signature: &'a [u8]) -> Self {
                Self(SignatureFields { algorithm: algorithm.number(), signature })
            }

            /// Decodes the contents; without a signature it is [`WireErrorKind::BadLength`].
            pub fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
                SignatureFields::parse(contents).map(Self)
            }
        }

        impl Parameter for $name<'_> {
            const TYPE: ParamType = ParamType::$ty;

            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.0.algorithm.to_be_bytes());
                out.extend_from_slice(self.0.signature);
            }
        }
    };
}

mac! {
    /// HIP_MAC of I2, UPDATE, CLOSE and CLOSE_ACK.
    // 7401-5.2.12-01
    HipMac, HIP_MAC
}

mac! {
    /// HIP_MAC_2 of R2.
    HipMac2, HIP_MAC_2
}

signature! {
    /// HIP_SIGNATURE of everything but I1 and R1.
    // 7401-5.2.14-01
    HipSignature, HIP_SIGNATURE
}

signature! {
    /// HIP_SIGNATURE_2 of R1.
    // 7401-5.2.15-01
    HipSignature2, HIP_SIGNATURE_2
}

/// The contents common to both signature parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureFields<'a> {
    /// SIG alg, a Host Identity algorithm number.
    pub algorithm: u16,
    /// The signature octets as the algorithm defines them.
    pub signature: &'a [u8],
}

impl<'a> SignatureFields<'a> {
    /// The algorithm, `None` if it is not assigned.
    pub const fn hi_algorithm(&self) -> Option<HiAlgorithm> {
        HiAlgorithm::from_number(self.algorithm)
    }

    fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        let algorithm = reader.u16()?;
        if reader.is_empty() {
            return Err(reader.error(WireErrorKind::BadLength));
        }
        Ok(Self {
            algorithm,
            signature: reader.rest(),
        })
    }
}

parse_parameter!(HipMac<'a>, HipMac2<'a>, HipSignature<'a>, HipSignature2<'a>);
