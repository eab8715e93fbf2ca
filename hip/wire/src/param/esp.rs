//! ESP_INFO and ESP_TRANSFORM (RFC 7402 section 5.1).

use alloc::vec::Vec;

use crate::error::WireError;
use crate::param::{MAX_SUITES, Parameter, exchange, parse_parameter};
use crate::reader::Reader;
use crate::registry::{EspSuite, ParamType};

/// SPIs and the place of the ESP keys in KEYMAT.
// 7402-5.1.1-01
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EspInfo {
    /// Octet offset of the ESP keys in KEYMAT.
    pub keymat_index: u16,
    /// The SPI in use, 0 at setup.
    pub old_spi: u32,
    /// The SPI from now on.
    pub new_spi: u32,
}

impl EspInfo {
    /// Decodes the 12 octets of contents.
    pub fn parse(contents: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        reader.u16()?;
        let info = Self {
            keymat_index: reader.u16()?,
            old_spi: reader.u32()?,
            new_spi: reader.u32()?,
        };
        reader.finish()?;
        Ok(info)
    }
}

impl Parameter for EspInfo {
    const TYPE: ParamType = ParamType::ESP_INFO;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.keymat_index.to_be_bytes());
        out.extend_from_slice(&self.old_spi.to_be_bytes());
        out.extend_from_slice(&self.new_spi.to_be_bytes());
    }
}

/// ESP suites by preference.
// 7402-5.1.2-01, 7402-5.1.2-02: two reserved octets first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EspTransform {
    /// The suite ids as on the wire.
    pub ids: Vec<u16>,
}

impl EspTransform {
    /// The suites to offer or the one chosen; those after the sixth are left out.
    pub fn new(suites: &[EspSuite]) -> Self {
        Self {
            ids: suites
                .iter()
                .take(MAX_SUITES)
                .map(|suite| suite.number())
                .collect(),
        }
    }

    /// Decodes the contents.
    pub fn parse(contents: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        reader.u16()?;
        Ok(Self {
            ids: exchange::u16_list(reader)?,
        })
    }

    /// The suites this crate knows among the first six, by preference.
    // 7402-5.1.2-05, 7402-5.1.2-07: deprecated and surplus ids are passed over.
    pub fn suites(&self) -> impl Iterator<Item = EspSuite> + '_ {
        self.ids
            .iter()
            .take(MAX_SUITES)
            .filter_map(|&id| EspSuite::from_number(id))
    }
}

impl Parameter for EspTransform {
    const TYPE: ParamType = ParamType::ESP_TRANSFORM;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0; 2]);
        exchange::push_u16_list(out, &self.ids);
    }
}

parse_parameter!(EspInfo, EspTransform);
