//! What the base exchange negotiates: groups, ciphers, suites, formats (RFC 7401 sections 5.2.6 to 5.2.11).

use alloc::vec::Vec;

use crate::error::{WireError, WireErrorKind};
use crate::param::{MAX_SUITES, Parameter, parse_parameter};
use crate::reader::Reader;
use crate::registry::{DhGroup, HipCipher, HitSuite, ParamType};

/// DH_GROUP_LIST: Diffie-Hellman groups by preference.
// 7401-5.2.6-01
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhGroupList {
    /// The group ids as on the wire.
    pub ids: Vec<u8>,
}

impl DhGroupList {
    /// The groups to offer.
    pub fn new(groups: &[DhGroup]) -> Self {
        Self {
            ids: groups.iter().map(|group| group.number()).collect(),
        }
    }

    /// Decodes the contents.
    pub fn parse(contents: &[u8]) -> Result<Self, WireError> {
        Ok(Self {
            ids: contents.to_vec(),
        })
    }

    /// The groups this crate knows, by preference; deprecated and unknown ids are passed over.
    pub fn groups(&self) -> impl Iterator<Item = DhGroup> + '_ {
        self.ids.iter().filter_map(|&id| DhGroup::from_number(id))
    }
}

impl Parameter for DhGroupList {
    const TYPE: ParamType = ParamType::DH_GROUP_LIST;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ids);
    }
}

/// DIFFIE_HELLMAN: one public value.
// 7401-5.2.7-01, 7401-5.2.7-08: HIPv2 has no second value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffieHellman<'a> {
    /// The group id as on the wire.
    pub group_id: u8,
    /// The public value, unchecked.
    pub public_value: &'a [u8],
}

impl<'a> DiffieHellman<'a> {
    /// The public value of `group`.
    pub const fn new(group: DhGroup, public_value: &'a [u8]) -> Self {
        Self {
            group_id: group.number(),
            public_value,
        }
    }

    /// Decodes the contents; Public Value Length has to fill them.
    pub fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        let group_id = reader.u8()?;
        let length = reader.u16()?;
        let public_value = reader.take(usize::from(length))?;
        reader.finish()?;
        Ok(Self {
            group_id,
            public_value,
        })
    }

    /// The group, `None` if it is not one this crate knows.
    pub const fn group(&self) -> Option<DhGroup> {
        DhGroup::from_number(self.group_id)
    }
}

impl Parameter for DiffieHellman<'_> {
    const TYPE: ParamType = ParamType::DIFFIE_HELLMAN;

    fn encode(&self, out: &mut Vec<u8>) {
        let length = u16::try_from(self.public_value.len()).unwrap_or(u16::MAX);
        out.push(self.group_id);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(self.public_value);
    }
}

/// HIP_CIPHER: ciphers for ENCRYPTED by preference.
// 7401-5.2.8-01
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HipCipherList {
    /// The cipher ids as on the wire.
    pub ids: Vec<u16>,
}

impl HipCipherList {
    /// The ciphers to offer or the one chosen; those after the sixth are left out.
    pub fn new(ciphers: &[HipCipher]) -> Self {
        Self {
            ids: ciphers
                .iter()
                .take(MAX_SUITES)
                .map(|cipher| cipher.number())
                .collect(),
        }
    }

    /// Decodes the contents.
    pub fn parse(contents: &[u8]) -> Result<Self, WireError> {
        Ok(Self {
            ids: u16_list(Reader::new(contents))?,
        })
    }

    /// The ciphers this crate knows among the first six, by preference.
    pub fn ciphers(&self) -> impl Iterator<Item = HipCipher> + '_ {
        self.ids
            .iter()
            .take(MAX_SUITES)
            .filter_map(|&id| HipCipher::from_number(id))
    }
}

impl Parameter for HipCipherList {
    const TYPE: ParamType = ParamType::HIP_CIPHER;

    fn encode(&self, out: &mut Vec<u8>) {
        push_u16_list(out, &self.ids);
    }
}

/// HIT_SUITE_LIST: the HIT Suites the Responder supports, by preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HitSuiteList {
    /// The 4-bit suite ids, without the shift they have on the wire.
    pub ids: Vec<u8>,
}

impl HitSuiteList {
    /// The suites to announce.
    pub fn new(suites: &[HitSuite]) -> Self {
        Self {
            ids: suites.iter().map(|suite| suite.number()).collect(),
        }
    }

    /// Decodes the contents.
    // 7401-5.2.10-01, 7401-5.2.10-02, 7401-5.2.10-04: high nibble; a low nibble is an error.
    pub fn parse(contents: &[u8]) -> Result<Self, WireError> {
        let mut ids = Vec::with_capacity(contents.len());
        for (offset, octet) in contents.iter().enumerate() {
            if octet & 0x0f != 0 {
                return Err(WireError::new(
                    WireErrorKind::BadValue("HIT suite id"),
                    offset,
                ));
            }
            ids.push(octet >> 4);
        }
        Ok(Self { ids })
    }

    /// The suites this crate knows, by preference.
    pub fn suites(&self) -> impl Iterator<Item = HitSuite> + '_ {
        self.ids.iter().filter_map(|&id| HitSuite::from_number(id))
    }
}

impl Parameter for HitSuiteList {
    const TYPE: ParamType = ParamType::HIT_SUITE_LIST;

    // 7401-5.2.10-03: the low nibble is sent as zero.
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.ids.iter().map(|id| id << 4));
    }
}

/// TRANSPORT_FORMAT_LIST: parameter types of the transport formats, by preference.
// 7401-5.2.11-01
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportFormatList {
    /// The formats; [`ParamType::ESP_TRANSFORM`] is the only one this project speaks.
    pub formats: Vec<ParamType>,
}

impl TransportFormatList {
    /// The list with ESP alone.
    pub fn esp() -> Self {
        Self {
            formats: [ParamType::ESP_TRANSFORM].into(),
        }
    }

    /// Decodes the contents.
    pub fn parse(contents: &[u8]) -> Result<Self, WireError> {
        let ids = u16_list(Reader::new(contents))?;
        Ok(Self {
            formats: ids.into_iter().map(ParamType).collect(),
        })
    }
}

impl Parameter for TransportFormatList {
    const TYPE: ParamType = ParamType::TRANSPORT_FORMAT_LIST;

    fn encode(&self, out: &mut Vec<u8>) {
        for format in &self.formats {
            out.extend_from_slice(&format.0.to_be_bytes());
        }
    }
}

/// The 16-bit numbers up to the end; an odd octet count is [`WireErrorKind::BadLength`].
pub(super) fn u16_list(mut reader: Reader<'_>) -> Result<Vec<u16>, WireError> {
    if !reader.remaining().is_multiple_of(2) {
        return Err(reader.error(WireErrorKind::BadLength));
    }
    let mut list = Vec::with_capacity(reader.remaining() / 2);
    while !reader.is_empty() {
        list.push(reader.u16()?);
    }
    Ok(list)
}

pub(super) fn push_u16_list(out: &mut Vec<u8>, list: &[u16]) {
    for id in list {
        out.extend_from_slice(&id.to_be_bytes());
    }
}

parse_parameter!(
    DhGroupList,
    DiffieHellman<'a>,
    HipCipherList,
    HitSuiteList,
    TransportFormatList
);
