//! HIP packets to be sent (RFC 7401 sections 5.1, 5.2.1, 5.3 and 6.4).

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::checksum;
use crate::error::{WireError, WireErrorKind};
use crate::hit::Hit;
use crate::ip::PROTOCOL_HIP;
use crate::packet::{
    CHECKSUM_AT, HEADER_LEN, MAX_PACKET_LEN, NEXT_HEADER_NONE, Packet, RECEIVER_AT, append_host_id,
    blank_r1_variables, check_order, covered_before, padded_len, push_tlv, set_header_length,
};
use crate::param::{Parameter, Puzzle};
use crate::registry::{PacketType, ParamType};

/// A packet in the making; parameters go in by ascending type.
///
/// Order of work: parameters, HIP_MAC over [`mac_input`](Self::mac_input), signature over
/// [`signature_input`](Self::signature_input), unsigned parameters, [`finish`](Self::finish), and for raw HIP
/// [`write_checksum`].
#[derive(Clone, Debug)]
pub struct PacketBuilder {
    bytes: Vec<u8>,
    last: Option<ParamType>,
}

impl PacketBuilder {
    /// A packet without parameters, all Controls bits zero.
    // 7401-5.1-02, 7401-5.1-09, 7401-5.1-11: octet 2 has a zero top bit, octet 3 is 0x21.
    pub fn new(packet_type: PacketType, sender: Hit, receiver: Hit) -> Self {
        let mut bytes = vec![NEXT_HEADER_NONE, 4, packet_type.number(), 0x21, 0, 0, 0, 0];
        bytes.extend_from_slice(sender.as_bytes());
        bytes.extend_from_slice(receiver.as_bytes());
        Self { bytes, last: None }
    }

    /// Sets the Controls field; only [`CONTROL_ANONYMOUS`](crate::packet::CONTROL_ANONYMOUS) is defined.
    // 7401-5.1.2-04: undefined bits are sent as zero, whatever the caller asks for.
    #[must_use]
    pub fn controls(mut self, controls: u16) -> Self {
        let defined = controls & crate::packet::CONTROL_ANONYMOUS;
        if let Some(field) = self.bytes.get_mut(6..8) {
            field.copy_from_slice(&defined.to_be_bytes());
        }
        self
    }

    /// Appends `parameter`; its type has to be above (or, where repetition is allowed, equal to) the last one.
    pub fn push(&mut self, parameter: &impl Parameter) -> Result<&mut Self, WireError> {
        let mut contents = Vec::new();
        parameter.encode(&mut contents);
        self.push_raw(parameter.ty(), &contents)
    }

    /// Appends a parameter by type and contents.
    ///
    /// # Errors
    /// [`WireErrorKind::ParameterOrder`] or [`WireErrorKind::DuplicateParameter`] by RFC 7401 section 5.2.1, and
    /// [`WireErrorKind::TooLong`] beyond 2008 octets of parameters. The packet is unchanged then.
    pub fn push_raw(&mut self, ty: ParamType, contents: &[u8]) -> Result<&mut Self, WireError> {
        let end = self.bytes.len();
        check_order(self.last, ty).map_err(|error| error.within(end))?;
        // 7401-5.1-06: the whole packet stays within 2048 octets.
        if contents.len() > MAX_PACKET_LEN || end + padded_len(contents.len()) > MAX_PACKET_LEN {
            return Err(WireError::new(WireErrorKind::TooLong, end));
        }
        push_tlv(&mut self.bytes, ty, contents)?;
        set_header_length(&mut self.bytes)?;
        self.last = Some(ty);
        Ok(self)
    }

    /// The octets a HIP_MAC pushed next would cover.
    pub fn mac_input(&self) -> Result<Vec<u8>, WireError> {
        covered_before(&self.bytes, ParamType::HIP_MAC)
    }

    /// The octets a HIP_MAC_2 pushed next would cover; `host_id_tlv` is the whole HOST_ID parameter of the R1.
    pub fn mac_2_input(&self, host_id_tlv: &[u8]) -> Result<Vec<u8>, WireError> {
        append_host_id(
            covered_before(&self.bytes, ParamType::HIP_MAC_2)?,
            host_id_tlv,
        )
    }

    /// The octets a HIP_SIGNATURE pushed next would cover.
    pub fn signature_input(&self) -> Result<Vec<u8>, WireError> {
        covered_before(&self.bytes, ParamType::HIP_SIGNATURE)
    }

    /// The octets a HIP_SIGNATURE_2 pushed next would cover.
    pub fn signature_2_input(&self) -> Result<Vec<u8>, WireError> {
        let mut covered = covered_before(&self.bytes, ParamType::HIP_SIGNATURE_2)?;
        blank_r1_variables(&mut covered);
        Ok(covered)
    }

    /// Octets so far, header included.
    pub fn packet_len(&self) -> usize {
        self.bytes.len()
    }

    /// The packet, with checksum zero as UDP wants it; raw HIP needs [`write_checksum`].
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Writes the HIP checksum for travel between `src` and `dst` into a finished packet.
///
/// # Errors
/// [`WireErrorKind::AddressFamily`] for mixed families, [`WireErrorKind::Truncated`] for less than a header.
pub fn write_checksum(packet: &mut [u8], src: IpAddr, dst: IpAddr) -> Result<(), WireError> {
    let truncated = WireError::new(WireErrorKind::Truncated, packet.len());
    set_checksum(packet, 0).ok_or(truncated)?;
    let checksum = checksum::transport_sum(packet, src, dst, PROTOCOL_HIP)?.finish();
    set_checksum(packet, checksum).ok_or(truncated)
}

fn set_checksum(packet: &mut [u8], checksum: u16) -> Option<()> {
    packet
        .get_mut(..HEADER_LEN)?
        .get_mut(CHECKSUM_AT..CHECKSUM_AT + 2)?
        .copy_from_slice(&checksum.to_be_bytes());
    Some(())
}

/// A signed R1 from which the answer to any I1 is made by filling in what HIP_SIGNATURE_2 leaves open.
// 7401-5.3.2-07: the signature stays valid.
#[derive(Clone, Debug)]
pub struct R1Template {
    bytes: Vec<u8>,
    opaque_at: usize,
    random_len: usize,
}

impl R1Template {
    /// Takes a finished R1 with PUZZLE.
    ///
    /// # Errors
    /// Those of [`Packet::parse`]; [`WireErrorKind::BadValue`] for another packet type;
    /// [`WireErrorKind::MissingParameter`] without PUZZLE.
    pub fn new(bytes: Vec<u8>) -> Result<Self, WireError> {
        let packet = Packet::parse(&bytes)?;
        if packet.packet_type() != PacketType::R1 {
            return Err(WireError::new(WireErrorKind::BadValue("packet type"), 2));
        }
        let missing = WireError::new(
            WireErrorKind::MissingParameter(ParamType::PUZZLE),
            bytes.len(),
        );
        let param = packet.get(ParamType::PUZZLE).ok_or(missing)?;
        let random_len = param.decode::<Puzzle<'_>>()?.random.len();
        let opaque_at = param.offset + 6;
        Ok(Self {
            bytes,
            opaque_at,
            random_len,
        })
    }

    /// Octets of #I in the template.
    pub const fn random_len(&self) -> usize {
        self.random_len
    }

    /// The R1 for one Initiator, with checksum zero.
    ///
    /// # Errors
    /// [`WireErrorKind::BadLength`] if `random` (#I) is not as long as in the template.
    pub fn instantiate(
        &self,
        receiver: Hit,
        opaque: [u8; 2],
        random: &[u8],
    ) -> Result<Vec<u8>, WireError> {
        let bad_length = WireError::new(WireErrorKind::BadLength, self.opaque_at);
        if random.len() != self.random_len {
            return Err(bad_length);
        }
        let mut bytes = self.bytes.clone();
        fill(&mut bytes, RECEIVER_AT, receiver.as_bytes()).ok_or(bad_length)?;
        fill(&mut bytes, self.opaque_at, &opaque).ok_or(bad_length)?;
        fill(&mut bytes, self.opaque_at + 2, random).ok_or(bad_length)?;
        set_checksum(&mut bytes, 0).ok_or(bad_length)?;
        Ok(bytes)
    }

    /// The stored packet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn fill(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes
        .get_mut(at..at.checked_add(value.len())?)?
        .copy_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests;
