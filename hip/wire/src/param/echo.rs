//! ECHO_REQUEST and ECHO_RESPONSE, signed and unsigned (RFC 7401 sections 5.2.20 to 5.2.23).

use alloc::vec::Vec;

use crate::error::WireError;
use crate::param::{Parameter, parse_parameter};
use crate::registry::ParamType;

macro_rules! echo {
    ($(#[$doc:meta])* $name:ident, $ty:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(pub &'a [u8]);

        impl<'a> $name<'a> {
            /// Takes the contents as they are.
            pub const fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
                Ok(Self(contents))
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

echo! {
    /// Opaque data to be echoed, covered by HIP_MAC and signature.
    // 7401-5.2.20-01
    EchoRequestSigned, ECHO_REQUEST_SIGNED
}

echo! {
    /// The echo of [`EchoRequestSigned`].
    // 7401-5.2.22-01
    EchoResponseSigned, ECHO_RESPONSE_SIGNED
}

echo! {
    /// Opaque data to be echoed, outside HIP_MAC and signature; middleboxes may add it.
    // 7401-5.2.21-01
    EchoRequestUnsigned, ECHO_REQUEST_UNSIGNED
}

echo! {
    /// The echo of [`EchoRequestUnsigned`].
    // 7401-5.2.23-01
    EchoResponseUnsigned, ECHO_RESPONSE_UNSIGNED
}

parse_parameter!(
    EchoRequestSigned<'a>,
    EchoResponseSigned<'a>,
    EchoRequestUnsigned<'a>,
    EchoResponseUnsigned<'a>
);
