//! The value types of the configuration file, written as people write them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Kind of host identity key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityAlgorithm {
    /// ECDSA over NIST P-256, the default.
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// ECDSA over NIST P-384.
    #[serde(rename = "ecdsa-p384")]
    EcdsaP384,
    /// RSA with 2048 bits.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSA with 3072 bits.
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    /// EdDSA over Curve25519 (HIT suite 5 of RFC 9374).
    Ed25519,
}

/// How HIP and ESP packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    /// In UDP on the configured port.
    Udp,
    /// Directly over IP, protocols 139 and 50.
    Raw,
}

/// How overlay nodes reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverlayTransport {
    /// TCP to the HIT of the peer, through hip0: HIP does setup, secrecy and mobility.
    Hit,
}

/// A Diffie-Hellman group of RFC 7401 §5.2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DhGroupName {
    /// NIST P-256, group 7.
    P256,
    /// NIST P-384, group 8.
    P384,
    /// NIST P-521, group 9.
    P521,
}

/// An ESP suite of RFC 7402 §5.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EspSuiteName {
    /// AES-128-GCM with a 16-octet ICV, suite 13.
    #[serde(rename = "aes128-gcm16")]
    Aes128Gcm16,
    /// AES-128-CBC with HMAC-SHA-256, suite 8.
    #[serde(rename = "aes128-cbc-sha256")]
    Aes128CbcSha256,
    /// AES-256-CBC with HMAC-SHA-256, suite 9.
    #[serde(rename = "aes256-cbc-sha256")]
    Aes256CbcSha256,
    /// No encryption, HMAC-SHA-256, suite 7.
    #[serde(rename = "null-sha256")]
    NullSha256,
}

/// A Host Identity Tag as text, checked against the prefix 2001:20::/28 of RFC 7343.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HitText(Ipv6Addr);

impl HitText {
    /// The HIT as an IPv6 address.
    pub fn addr(self) -> Ipv6Addr {
        self.0
    }
}

impl FromStr for HitText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let addr: Ipv6Addr = text
            .parse()
            .map_err(|_| format!("\"{text}\" is not a HIT (an IPv6 address in 2001:20::/28)"))?;
        let [first, second, ..] = addr.segments();
        if first == 0x2001 && second & 0xfff0 == 0x0020 {
            Ok(Self(addr))
        } else {
            Err(format!(
                "{text} is an IPv6 address outside 2001:20::/28, so it is not a HIT"
            ))
        }
    }
}

impl TryFrom<String> for HitText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HitText> for String {
    fn from(hit: HitText) -> Self {
        hit.0.to_string()
    }
}

impl fmt::Display for HitText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The IPv4 range LSIs are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LsiPrefix {
    network: Ipv4Addr,
    length: u8,
}

impl LsiPrefix {
    /// 198.18.0.0/16: the benchmarking range, which no network routes.
    pub const DEFAULT: Self = Self {
        network: Ipv4Addr::new(198, 18, 0, 0),
        length: 16,
    };

    /// First address of the range.
    pub fn network(self) -> Ipv4Addr {
        self.network
    }

    /// Prefix length, 8 to 28.
    pub fn length(self) -> u8 {
        self.length
    }

    /// The LSI of this host: the first usable address.
    pub fn own_lsi(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() | 1)
    }
}

impl FromStr for LsiPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || format!("\"{text}\" is not an IPv4 range such as 198.18.0.0/16");
        let (network, length) = text.split_once('/').ok_or_else(shape)?;
        let network: Ipv4Addr = network.parse().map_err(|_| shape())?;
        let length: u8 = length.parse().map_err(|_| shape())?;
        if !(8..=28).contains(&length) {
            return Err(format!("{text}: the prefix length must be 8 to 28"));
        }
        let mask = u32::MAX << (32 - u32::from(length));
        if network.to_bits() & !mask != 0 {
            let base = Ipv4Addr::from_bits(network.to_bits() & mask);
            return Err(format!("{text} has host bits set; write {base}/{length}"));
        }
        Ok(Self { network, length })
    }
}

impl TryFrom<String> for LsiPrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LsiPrefix> for String {
    fn from(prefix: LsiPrefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for LsiPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}
