//! Message bodies by message code, and error responses (RFC 6940 §6.3.3.1, §14.8, §14.9).

use super::codec::{Decode, Encode, Reader, WireError, Writer};
use super::link::{Attach, PingAns, PingReq};
use super::storage::{FetchAns, FindAns, FindReq, SpecifierReq, StatAns, StoreAns, StoreReq};
use super::topology::{
    ChordUpdate, JoinAns, JoinReq, LeaveReq, ProbeAns, ProbeReq, RouteQueryAns, RouteQueryReq,
};

/// Message code of an error response.
pub const ERROR_CODE: u16 = 0xffff;

/// A decoded message body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Tell me about yourself.
    ProbeReq(ProbeReq),
    /// Answer to it.
    ProbeAns(ProbeAns),
    /// Let us have a link.
    AttachReq(Attach),
    /// Answer to it.
    AttachAns(Attach),
    /// Keep these values.
    StoreReq(StoreReq),
    /// Answer to it.
    StoreAns(StoreAns),
    /// Give me values.
    FetchReq(SpecifierReq),
    /// Answer to it.
    FetchAns(FetchAns),
    /// Nearest stored resource.
    FindReq(FindReq),
    /// Answer to it.
    FindAns(FindAns),
    /// Let me take my place in the ring.
    JoinReq(JoinReq),
    /// Answer to it.
    JoinAns(JoinAns),
    /// I go.
    LeaveReq(LeaveReq),
    /// Answer to it, empty.
    LeaveAns,
    /// My view of the ring.
    UpdateReq(ChordUpdate),
    /// Answer to it, empty.
    UpdateAns,
    /// Where would you route this?
    RouteQueryReq(RouteQueryReq),
    /// Answer to it.
    RouteQueryAns(RouteQueryAns),
    /// Are you there?
    PingReq(PingReq),
    /// Answer to it.
    PingAns(PingAns),
    /// Give me metadata of values.
    StatReq(SpecifierReq),
    /// Answer to it.
    StatAns(StatAns),
    /// The request failed.
    Error(ErrorResponse),
}

/// One row of the table of message codes (RFC 6940 §14.8).
macro_rules! bodies {
    ($($code:literal $name:ident $($content:ident)?,)+) => {
        impl Body {
            /// The message code (RFC 6940 §14.8).
            #[must_use]
            pub const fn code(&self) -> u16 {
                match self {
                    $(bodies!(@pattern $name $($content)?) => $code,)+
                    Self::Error(_) => ERROR_CODE,
                }
            }

            /// Decodes the body of a message with this code; `None` when the code is not one
            /// this implementation knows.
            ///
            /// # Errors
            /// When the body is malformed.
            pub fn decode(code: u16, body: &[u8]) -> Result<Option<Self>, WireError> {
                Ok(Some(match code {
                    $($code => bodies!(@decode body $name $($content)?),)+
                    ERROR_CODE => Self::Error(ErrorResponse::from_bytes(body)?),
                    _ => return Ok(None),
                }))
            }
        }

        impl Encode for Body {
            fn encode(&self, writer: &mut Writer) {
                match self {
                    $(bodies!(@bind content $name $($content)?) => bodies!(@encode writer content $($content)?),)+
                    Self::Error(error) => error.encode(writer),
                }
            }
        }
    };
    (@pattern $name:ident $content:ident) => { Self::$name(_) };
    (@pattern $name:ident) => { Self::$name };
    (@bind $bound:ident $name:ident $content:ident) => { Self::$name($bound) };
    (@bind $bound:ident $name:ident) => { Self::$name };
    (@decode $body:ident $name:ident $content:ident) => { Self::$name($content::from_bytes($body)?) };
    (@decode $body:ident $name:ident) => {{
        Reader::new($body).finish()?;
        Self::$name
    }};
    (@encode $writer:ident $bound:ident $content:ident) => { $bound.encode($writer) };
    (@encode $writer:ident $bound:ident) => { () };
}

// 6940-14.8-01 6940-14.8-02 6940-6.3.3-02
bodies! {
    0x01 ProbeReq ProbeReq,
    0x02 ProbeAns ProbeAns,
    0x03 AttachReq Attach,
    0x04 AttachAns Attach,
    0x07 StoreReq StoreReq,
    0x08 StoreAns StoreAns,
    0x09 FetchReq SpecifierReq,
    0x0a FetchAns FetchAns,
    0x0d FindReq FindReq,
    0x0e FindAns FindAns,
    0x0f JoinReq JoinReq,
    0x10 JoinAns JoinAns,
    0x11 LeaveReq LeaveReq,
    0x12 LeaveAns,
    0x13 UpdateReq ChordUpdate,
    0x14 UpdateAns,
    0x15 RouteQueryReq RouteQueryReq,
    0x16 RouteQueryAns RouteQueryAns,
    0x17 PingReq PingReq,
    0x18 PingAns PingAns,
    0x19 StatReq SpecifierReq,
    0x1a StatAns StatAns,
}

/// Whether a message code is a request's: odd, and below the reserved range.
#[must_use]
pub const fn is_request(code: u16) -> bool {
    code & 1 == 1 && code < 0x8000
}

/// An error response (RFC 6940 §6.3.3.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorResponse {
    /// What went wrong.
    pub code: ErrorCode,
    /// UTF-8 text, or what the code prescribes.
    pub info: Vec<u8>,
}

impl ErrorResponse {
    /// An error with an explanation for people.
    #[must_use]
    pub fn new(code: ErrorCode, info: &str) -> Self {
        Self {
            code,
            info: info.as_bytes().to_vec(),
        }
    }
}

impl Decode for ErrorResponse {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            code: ErrorCode(reader.u16()?),
            info: reader.opaque(2)?.to_vec(),
        })
    }
}

impl Encode for ErrorResponse {
    fn encode(&self, writer: &mut Writer) {
        writer.u16(self.code.0);
        writer.opaque(2, &self.info);
    }
}

/// An error code (RFC 6940 §14.9).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ErrorCode(pub u16);

/// The table of error codes.
macro_rules! error_codes {
    ($($constant:ident $code:literal $name:literal,)+) => {
        #[allow(missing_docs)] // the table is the documentation
        impl ErrorCode {
            $(pub const $constant: Self = Self($code);)+

            /// The RFC's name of the code.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($code => $name,)+
                    _ => "unknown error",
                }
            }
        }
    };
}

error_codes! {
    FORBIDDEN 0x02 "Error_Forbidden",
    NOT_FOUND 0x03 "Error_Not_Found",
    REQUEST_TIMEOUT 0x04 "Error_Request_Timeout",
    GENERATION_COUNTER_TOO_LOW 0x05 "Error_Generation_Counter_Too_Low",
    INCOMPATIBLE_WITH_OVERLAY 0x06 "Error_Incompatible_with_Overlay",
    UNSUPPORTED_FORWARDING_OPTION 0x07 "Error_Unsupported_Forwarding_Option",
    DATA_TOO_LARGE 0x08 "Error_Data_Too_Large",
    DATA_TOO_OLD 0x09 "Error_Data_Too_Old",
    TTL_EXCEEDED 0x0a "Error_TTL_Exceeded",
    MESSAGE_TOO_LARGE 0x0b "Error_Message_Too_Large",
    UNKNOWN_KIND 0x0c "Error_Unknown_Kind",
    UNKNOWN_EXTENSION 0x0d "Error_Unknown_Extension",
    RESPONSE_TOO_LARGE 0x0e "Error_Response_Too_Large",
    CONFIG_TOO_OLD 0x0f "Error_Config_Too_Old",
    CONFIG_TOO_NEW 0x10 "Error_Config_Too_New",
    IN_PROGRESS 0x11 "Error_In_Progress",
    EXP_A 0x12 "Error_Exp_A",
    EXP_B 0x13 "Error_Exp_B",
    INVALID_MESSAGE 0x14 "Error_Invalid_Message",
}
