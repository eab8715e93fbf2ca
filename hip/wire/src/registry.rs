//! One declarative table per registry: numbers, names and what the codec has to know about each.

use core::fmt;

/// Makes an enum of assigned numbers with `ALL`, `from_number`, `number`, `name` and `Display`.
macro_rules! code_enum {
    ($(#[$meta:meta])* $name:ident: $int:ty { $($(#[$doc:meta])* $variant:ident = $value:literal, $text:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant = $value,)* }

        impl $name {
            /// Every assigned value, in numerical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The value with this number, `None` if it is not assigned.
            pub const fn from_number(number: $int) -> Option<Self> {
                match number { $($value => Some(Self::$variant),)* _ => None }
            }

            /// The number on the wire.
            pub const fn number(self) -> $int {
                match self { $(Self::$variant => $value,)* }
            }

            /// The name in the registry.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

/// Makes constants of an open number space with `name` and `Display` (the number where no name is known).
macro_rules! code_constants {
    ($name:ident: $int:ty { $($(#[$doc:meta])* $constant:ident = $value:literal;)* }) => {
        impl $name {
            $($(#[$doc])* pub const $constant: Self = Self($value);)*

            /// The name in the registry, `None` for a number this crate does not know.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($value => Some(stringify!($constant)),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }
    };
}

// 7401-5.3-01
code_enum! {
    /// HIP packet types (RFC 7401 section 5.3). An unlisted number is dropped on receipt.
    PacketType: u8 {
        /// Initiator's first packet.
        I1 = 1, "I1";
        /// Responder's puzzle and Diffie-Hellman value.
        R1 = 2, "R1";
        /// Initiator's solution and keys.
        I2 = 3, "I2";
        /// Responder's confirmation.
        R2 = 4, "R2";
        /// Change of an association.
        Update = 16, "UPDATE";
        /// Information without effect on the state.
        Notify = 17, "NOTIFY";
        /// Request to end an association.
        Close = 18, "CLOSE";
        /// Answer to CLOSE.
        CloseAck = 19, "CLOSE_ACK";
    }
}

code_enum! {
    /// HIT Suites (RFC 7401 section 5.2.10, RFC 9374 section 3.4.2); the number is the OGA ID nibble of the HIT.
    HitSuite: u8 {
        /// RSA or DSA with SHA-256.
        RsaDsaSha256 = 1, "RSA,DSA/SHA-256";
        /// ECDSA with SHA-384.
        EcdsaSha384 = 2, "ECDSA/SHA-384";
        /// ECDSA over secp160r1 with SHA-1.
        EcdsaLowSha1 = 3, "ECDSA_LOW/SHA-1";
        /// EdDSA with cSHAKE128.
        EddsaCshake128 = 5, "EdDSA/cSHAKE128";
    }
}

impl HitSuite {
    /// RHASH_len in octets: the size of #I, #J and the HIP_MAC when this is the Responder's suite.
    // 7401-2.3-02: 256, 384 and 160 bits. No RFC gives RHASH_len for cSHAKE128; 256 bits are the choice here.
    pub const fn rhash_len(self) -> usize {
        match self {
            Self::RsaDsaSha256 | Self::EddsaCshake128 => 32,
            Self::EcdsaSha384 => 48,
            Self::EcdsaLowSha1 => 20,
        }
    }
}

// 7401-5.2.7-02
code_enum! {
    /// Diffie-Hellman groups (RFC 7401 section 5.2.7).
    DhGroup: u8 {
        /// 1536-bit MODP.
        Modp1536 = 3, "MODP-1536";
        /// 3072-bit MODP.
        Modp3072 = 4, "MODP-3072";
        /// NIST P-256.
        EcpP256 = 7, "P-256";
        /// NIST P-384.
        EcpP384 = 8, "P-384";
        /// NIST P-521.
        EcpP521 = 9, "P-521";
        /// SECP160R1, 80 bits of strength.
        EcpSecp160r1 = 10, "SECP160R1";
        /// 2048-bit MODP.
        Modp2048 = 11, "MODP-2048";
    }
}

impl DhGroup {
    /// Octets of the Public Value: the prime's size, or x and y without a prefix octet (RFC 5903).
    // 7401-5.2.7-09: 64, 96 and 132 octets for the NIST curves.
    pub const fn public_value_len(self) -> usize {
        match self {
            Self::Modp1536 => 192,
            Self::Modp3072 => 384,
            Self::EcpP256 => 64,
            Self::EcpP384 => 96,
            Self::EcpP521 => 132,
            Self::EcpSecp160r1 => 40,
            Self::Modp2048 => 256,
        }
    }
}

code_enum! {
    /// HIP_CIPHER ids (RFC 7401 section 5.2.8).
    HipCipher: u16 {
        /// No encryption; for tests only.
        Null = 1, "NULL-ENCRYPT";
        /// AES-128 in CBC mode.
        Aes128Cbc = 2, "AES-128-CBC";
        /// AES-256 in CBC mode.
        Aes256Cbc = 4, "AES-256-CBC";
    }
}

impl HipCipher {
    /// Octets of key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Null => 0,
            Self::Aes128Cbc => 16,
            Self::Aes256Cbc => 32,
        }
    }

    /// Octets of initialisation vector in ENCRYPTED.
    // 7401-5.2.18-01: 16 for AES, none for NULL.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::Null => 0,
            Self::Aes128Cbc | Self::Aes256Cbc => 16,
        }
    }
}

code_enum! {
    /// ESP suites (RFC 7402 section 5.1.2). Suite 1 and the deprecated ones are neither offered nor accepted.
    EspSuite: u16 {
        /// No encryption, HMAC-SHA-256-128.
        NullHmacSha256 = 7, "NULL/HMAC-SHA-256";
        /// AES-128-CBC, HMAC-SHA-256-128; mandatory.
        Aes128CbcHmacSha256 = 8, "AES-128-CBC/HMAC-SHA-256";
        /// AES-256-CBC, HMAC-SHA-256-128.
        Aes256CbcHmacSha256 = 9, "AES-256-CBC/HMAC-SHA-256";
        /// AES-CCM with 8-octet ICV.
        AesCcm8 = 10, "AES-CCM-8";
        /// AES-CCM with 16-octet ICV.
        AesCcm16 = 11, "AES-CCM-16";
        /// AES-GCM with 8-octet ICV.
        AesGcm8 = 12, "AES-GCM-8";
        /// AES-GCM with 16-octet ICV.
        AesGcm16 = 13, "AES-GCM-16";
        /// No encryption, AES-CMAC-96.
        AesCmac96 = 14, "AES-CMAC-96";
        /// No encryption, AES-GMAC.
        AesGmac = 15, "AES-GMAC";
    }
}

impl EspSuite {
    /// Octets of the integrity check value.
    // 7402-5.1.2-13: by the cipher RFCs.
    pub const fn icv_len(self) -> usize {
        match self {
            Self::NullHmacSha256
            | Self::Aes128CbcHmacSha256
            | Self::Aes256CbcHmacSha256
            | Self::AesCcm16
            | Self::AesGcm16
            | Self::AesGmac => 16,
            Self::AesCcm8 | Self::AesGcm8 => 8,
            Self::AesCmac96 => 12,
        }
    }

    /// Octets of the initialisation vector in each ESP packet.
    // 7402-5.1.2-14: CBC 16, CCM, GCM and GMAC 8, NULL and CMAC none.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::NullHmacSha256 | Self::AesCmac96 => 0,
            Self::Aes128CbcHmacSha256 | Self::Aes256CbcHmacSha256 => 16,
            Self::AesCcm8 | Self::AesCcm16 | Self::AesGcm8 | Self::AesGcm16 | Self::AesGmac => 8,
        }
    }

    /// True for suites that only authenticate; a policy has to allow them.
    pub const fn authenticates_only(self) -> bool {
        matches!(self, Self::NullHmacSha256 | Self::AesCmac96 | Self::AesGmac)
    }
}

code_enum! {
    /// Host Identity algorithms of HOST_ID and of the signatures (RFC 7401 section 5.2.9, RFC 9374).
    HiAlgorithm: u16 {
        /// DSA.
        Dsa = 3, "DSA";
        /// RSA with PSS.
        Rsa = 5, "RSA";
        /// ECDSA over P-256 or P-384.
        Ecdsa = 7, "ECDSA";
        /// ECDSA over secp160r1.
        EcdsaLow = 9, "ECDSA_LOW";
        /// EdDSA.
        EdDsa = 13, "EdDSA";
    }
}

/// The Type of a NOTIFICATION: below 16384 an error, above a status (RFC 7401 section 5.2.19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotifyType(pub u16);

impl NotifyType {
    /// True for errors, false for status information.
    // 7401-5.2.19-05
    pub const fn is_error(self) -> bool {
        self.0 < 16384
    }
}

// 7401-5.2.19-11, 7401-5.2.19-12, 7401-5.2.19-13
code_constants! {
    NotifyType: u16 {
        /// An unknown critical parameter; data: its two-octet type.
        UNSUPPORTED_CRITICAL_PARAMETER_TYPE = 1;
        /// Any error without a type of its own.
        INVALID_SYNTAX = 7;
        /// No common Diffie-Hellman group.
        NO_DH_PROPOSAL_CHOSEN = 14;
        /// A group or public value that does not fit.
        INVALID_DH_CHOSEN = 15;
        /// No common HIP_CIPHER.
        NO_HIP_PROPOSAL_CHOSEN = 16;
        /// A cipher that was not offered.
        INVALID_HIP_CIPHER_CHOSEN = 17;
        /// No common ESP suite.
        NO_ESP_PROPOSAL_CHOSEN = 18;
        /// A suite that was not offered.
        INVALID_ESP_TRANSFORM_CHOSEN = 19;
        /// A HIT Suite that is not supported.
        UNSUPPORTED_HIT_SUITE = 20;
        /// The signature does not verify.
        AUTHENTICATION_FAILED = 24;
        /// The HIP checksum is wrong.
        CHECKSUM_FAILED = 26;
        /// The HIP_MAC does not verify.
        HIP_MAC_FAILED = 28;
        /// ENCRYPTED could not be opened.
        ENCRYPTION_FAILED = 32;
        /// The HIT does not belong to the key.
        INVALID_HIT = 40;
        /// Refused by configuration.
        BLOCKED_BY_POLICY = 42;
        /// Try again with another puzzle solution.
        RESPONDER_BUSY_PLEASE_RETRY = 44;
        /// An unknown Locator Type was preferred (RFC 8046).
        LOCATOR_TYPE_UNSUPPORTED = 46;
        /// Credentials are needed (RFC 8002).
        CREDENTIALS_REQUIRED = 48;
        /// A certificate was refused (RFC 8002).
        INVALID_CERTIFICATE = 50;
        /// Registration is needed first (RFC 8003).
        REG_REQUIRED = 51;
        /// No common NAT traversal mode (RFC 9028).
        NO_VALID_NAT_TRAVERSAL_MODE_PARAMETER = 60;
        /// No candidate pair worked (RFC 9028).
        CONNECTIVITY_CHECKS_FAILED = 61;
        /// The relay did not forward (RFC 9028).
        MESSAGE_NOT_RELAYED = 62;
        /// No server-reflexive candidate (RFC 9028).
        SERVER_REFLEXIVE_CANDIDATE_ALLOCATION_FAILED = 63;
        /// RVS_HMAC beside relaying (RFC 9028).
        RVS_HMAC_PROHIBITED_WITH_RELAY = 64;
        /// The next hop of a route is not known (RFC 6028).
        UNKNOWN_NEXT_HOP = 90;
        /// No common transport mode (RFC 6261).
        NO_VALID_HIP_TRANSPORT_MODE = 100;
        /// The I2 was right and waits; R2 follows later.
        I2_ACKNOWLEDGEMENT = 16384;
        /// Keeps a NAT mapping alive (RFC 9028).
        NAT_KEEPALIVE = 16385;
    }
}

/// Which authenticators cover a parameter, by its type number (RFC 7401 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Below 61440: HIP_MAC and signature.
    MacAndSignature,
    /// 61440 to 62463: the MACs and signatures themselves, each covered by those after it.
    Authenticator,
    /// Above 62463: nothing; anybody on the path can add, change or remove it.
    Unprotected,
}

/// How often a parameter can occur in one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// Once; a second one makes the packet malformed.
    Once,
    /// Any number of times.
    Many,
}

/// The Type of a HIP parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamType(pub u16);

/// One row of the parameter table.
#[derive(Clone, Copy, Debug)]
pub struct ParamInfo {
    /// The parameter's number.
    pub ty: ParamType,
    /// The name in the registry.
    pub name: &'static str,
    /// The RFC that defines it.
    pub rfc: u16,
    /// How often it can occur.
    pub occurrence: Occurrence,
    /// What this project can do with it.
    pub support: Support,
}

/// What this project can do with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// [`crate::param`] decodes it.
    Decoded,
    /// It has a name for the printer; to a receiver it is as unknown as one without.
    NameOnly,
}

macro_rules! parameters {
    ($($constant:ident = $value:literal, $rfc:literal, $occurrence:ident, $support:ident;)*) => {
        impl ParamType {
            $(
                #[doc = concat!(stringify!($constant), ", RFC ", stringify!($rfc), ".")]
                pub const $constant: Self = Self($value);
            )*

            /// Every parameter this crate knows, in numerical order.
            pub const TABLE: &'static [ParamInfo] = &[$(ParamInfo {
                ty: Self::$constant,
                name: stringify!($constant),
                rfc: $rfc,
                occurrence: Occurrence::$occurrence,
                support: Support::$support,
            }),*];

            /// The table row of this type, `None` if it is unknown.
            pub const fn info(self) -> Option<ParamInfo> {
                match self.0 {
                    $($value => Some(ParamInfo {
                        ty: Self::$constant,
                        name: stringify!($constant),
                        rfc: $rfc,
                        occurrence: Occurrence::$occurrence,
                        support: Support::$support,
                    }),)*
                    _ => None,
                }
            }
        }
    };
}

// 7401-5.2-01, 7401-5.2-02, 7401-5.2-03, 7402-5.1-01, 8046-4-01: the numbers.
// 7401-5.2.20-02, 7401-5.3.5-07: once; 7401-5.2.20-03, 7401-5.3.2-20: many.
parameters! {
    ESP_INFO = 65, 7402, Many, Decoded;
    R1_COUNTER = 129, 7401, Once, Decoded;
    LOCATOR_SET = 193, 8046, Once, Decoded;
    PUZZLE = 257, 7401, Once, Decoded;
    SOLUTION = 321, 7401, Once, Decoded;
    SEQ = 385, 7401, Once, Decoded;
    ACK = 449, 7401, Once, Decoded;
    DH_GROUP_LIST = 511, 7401, Once, Decoded;
    DIFFIE_HELLMAN = 513, 7401, Once, Decoded;
    HIP_CIPHER = 579, 7401, Once, Decoded;
    NAT_TRAVERSAL_MODE = 608, 9028, Once, NameOnly;
    TRANSACTION_PACING = 610, 9028, Once, NameOnly;
    ENCRYPTED = 641, 7401, Once, Decoded;
    HOST_ID = 705, 7401, Once, Decoded;
    HIT_SUITE_LIST = 715, 7401, Once, Decoded;
    CERT = 768, 8002, Many, Decoded;
    NOTIFICATION = 832, 7401, Many, Decoded;
    ECHO_REQUEST_SIGNED = 897, 7401, Once, Decoded;
    REG_INFO = 930, 8003, Once, NameOnly;
    REG_REQUEST = 932, 8003, Many, NameOnly;
    REG_RESPONSE = 934, 8003, Many, NameOnly;
    REG_FAILED = 936, 8003, Many, NameOnly;
    REG_FROM = 950, 9028, Once, NameOnly;
    ECHO_RESPONSE_SIGNED = 961, 7401, Once, Decoded;
    TRANSPORT_FORMAT_LIST = 2049, 7401, Once, Decoded;
    ESP_TRANSFORM = 4095, 7402, Once, Decoded;
    SEQ_DATA = 4481, 6078, Once, NameOnly;
    ACK_DATA = 4545, 6078, Once, NameOnly;
    PAYLOAD_MIC = 4577, 6078, Many, NameOnly;
    TRANSACTION_ID = 4580, 6078, Once, NameOnly;
    OVERLAY_ID = 4592, 6079, Once, NameOnly;
    ROUTE_DST = 4601, 6028, Once, NameOnly;
    RELAYED_ADDRESS = 4650, 9028, Many, NameOnly;
    MAPPED_ADDRESS = 4660, 9028, Once, NameOnly;
    PEER_PERMISSION = 4680, 9028, Many, NameOnly;
    CANDIDATE_PRIORITY = 4700, 9028, Once, NameOnly;
    NOMINATE = 4710, 9028, Once, NameOnly;
    HIP_TRANSPORT_MODE = 7680, 6261, Once, NameOnly;
    HIP_MAC = 61505, 7401, Once, Decoded;
    HIP_MAC_2 = 61569, 7401, Once, Decoded;
    HIP_SIGNATURE_2 = 61633, 7401, Once, Decoded;
    HIP_SIGNATURE = 61697, 7401, Once, Decoded;
    ECHO_RESPONSE_UNSIGNED = 63425, 7401, Many, Decoded;
    ECHO_REQUEST_UNSIGNED = 63661, 7401, Many, Decoded;
    RELAY_FROM = 63998, 9028, Once, NameOnly;
    RELAY_TO = 64002, 9028, Once, NameOnly;
    OVERLAY_TTL = 64011, 6079, Once, NameOnly;
    ROUTE_VIA = 64017, 6028, Once, NameOnly;
    FROM = 65498, 8004, Many, NameOnly;
    RVS_HMAC = 65500, 8004, Once, NameOnly;
    VIA_RVS = 65502, 8004, Once, NameOnly;
    RELAY_HMAC = 65520, 9028, Once, NameOnly;
}

impl ParamType {
    /// The C-bit: true if a receiver that does not know the type has to stop.
    // 7401-5.2.1-08: odd types are critical.
    pub const fn is_critical(self) -> bool {
        self.0 & 1 == 1
    }

    /// Which authenticators cover it.
    // 7401-5.2-06: the ranges.
    pub const fn coverage(self) -> Coverage {
        match self.0 {
            0..=61439 => Coverage::MacAndSignature,
            61440..=62463 => Coverage::Authenticator,
            62464.. => Coverage::Unprotected,
        }
    }

    /// True if this project can decode the type.
    pub const fn is_decoded(self) -> bool {
        match self.info() {
            Some(info) => matches!(info.support, Support::Decoded),
            None => false,
        }
    }

    /// True if this type may stand twice in one packet; unknown types may.
    pub const fn may_repeat(self) -> bool {
        match self.info() {
            Some(info) => matches!(info.occurrence, Occurrence::Many),
            None => true,
        }
    }

    /// The name in the registry, `None` if the type is unknown.
    pub const fn name(self) -> Option<&'static str> {
        match self.info() {
            Some(info) => Some(info.name),
            None => None,
        }
    }
}

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
