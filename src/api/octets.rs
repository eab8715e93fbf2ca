//! Octet strings in JSON: readable where they are text, exact where they are not.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value stored in the overlay: `{"text":"hello"}` or `{"hex":"00ff"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Octets {
    /// UTF-8.
    Text(String),
    /// Any octets, two hexadecimal digits each.
    Hex(String),
}

impl Octets {
    /// Text if it is printable UTF-8, otherwise hexadecimal.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
                Self::Text(text.to_owned())
            }
            _ => Self::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }

    /// The octets; an error says what is wrong with the hexadecimal text.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let hex = match self {
            Self::Text(text) => return Ok(text.clone().into_bytes()),
            Self::Hex(hex) => hex,
        };
        if !hex.len().is_multiple_of(2) || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!(
                "\"{hex}\" is not an even number of hexadecimal digits"
            ));
        }
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).map_err(|e| e.to_string()))
            .collect()
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Hex(hex) => write!(f, "0x{hex}"),
        }
    }
}
