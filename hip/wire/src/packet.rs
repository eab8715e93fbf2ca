//! HIP packets as received: all structure checks once, then borrowed views (RFC 7401 sections 5.1, 5.2.1, 6.4).

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::checksum;
use crate::error::{WireError, WireErrorKind};
use crate::hit::Hit;
use crate::ip::PROTOCOL_HIP;
use crate::param::{Parameter, ParseParameter};
use crate::registry::{PacketType, ParamType};

/// Octets of the fixed header.
pub const HEADER_LEN: usize = 40;
/// The largest packet Header Length can express.
// 7401-5.1-06: 255 * 8 - 32 octets of parameters.
pub const MAX_PACKET_LEN: usize = 2048;
/// The most octets of parameters.
pub const MAX_PARAMETERS_LEN: usize = MAX_PACKET_LEN - HEADER_LEN;
/// Next Header of a HIP packet that nothing follows.
pub const NEXT_HEADER_NONE: u8 = 59;
/// The HIP version.
// 7401-5.1-08
pub const VERSION: u8 = 2;
/// The A bit of Controls: the sender's Host Identity is anonymous.
// 7401-5.1.2-01
pub const CONTROL_ANONYMOUS: u16 = 0x0001;

/// Offset of the checksum in the header.
pub(crate) const CHECKSUM_AT: usize = 4;
/// Offset of the receiver HIT in the header.
pub(crate) const RECEIVER_AT: usize = 24;

/// A HIP packet whose structure has been checked.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    packet_type: PacketType,
    controls: u16,
    checksum: u16,
    sender: Hit,
    receiver: Hit,
}

/// One parameter of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// The Type.
    pub ty: ParamType,
    /// The contents, without type, length and padding.
    pub contents: &'a [u8],
    /// The whole parameter as on the wire, padding included: what HIP_MAC_2 appends of an R1's HOST_ID.
    pub raw: &'a [u8],
    /// Where `raw` starts in the packet.
    pub offset: usize,
}

impl<'a> Packet<'a> {
    /// Checks the structure of one datagram.
    ///
    /// Refuses a version other than 2, an unknown packet type, a Header Length that disagrees with the datagram, a
    /// parameter that runs over the end or breaks the type order, a second instance of a parameter that occurs once,
    /// and more than 2048 octets. Octets after the HIP packet are ignored only if Next Header announces them.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, WireError> {
        let (header, _) = datagram
            .split_first_chunk::<HEADER_LEN>()
            .ok_or_else(|| WireError::new(WireErrorKind::Truncated, datagram.len()))?;
        // 7401-5.1-01: the header's fields.
        let [next_header, length, type_octet, version_octet, rest @ ..] = *header;
        let [
            check_high,
            check_low,
            controls_high,
            controls_low,
            hits @ ..,
        ] = rest;
        // 7401-5.1-10, 7401-5.1-12: RES and the fixed bits do not matter on receipt.
        let version = version_octet >> 4;
        if version != VERSION {
            return Err(WireError::new(WireErrorKind::Version(version), 3));
        }
        let number = type_octet & 0x7f;
        // 7401-5.1-07: unknown packet types are dropped.
        let packet_type = PacketType::from_number(number)
            .ok_or_else(|| WireError::new(WireErrorKind::UnknownPacketType(number), 2))?;
        let bytes = Self::cut(datagram, next_header, length)?;
        check_parameters(bytes)?;
        let (sender, receiver) = hits.split_at(16);
        Ok(Self {
            bytes,
            packet_type,
            controls: u16::from_be_bytes([controls_high, controls_low]),
            checksum: u16::from_be_bytes([check_high, check_low]),
            sender: hit_from(sender),
            receiver: hit_from(receiver),
        })
    }

    /// The HIP packet in the datagram, by its Header Length.
    fn cut(datagram: &'a [u8], next_header: u8, length: u8) -> Result<&'a [u8], WireError> {
        let wrong = WireError::new(WireErrorKind::HeaderLength, 1);
        // 7401-5.1-04, 7401-5.1-05: (Header Length + 1) * 8 octets, both HITs always there.
        if length < 4 {
            return Err(wrong);
        }
        let (bytes, trailing) = datagram
            .split_at_checked((usize::from(length) + 1) * 8)
            .ok_or(wrong)?;
        // 7401-5.1-03: what a Next Header announces is ignored, not followed (7401-5.3-04).
        if !trailing.is_empty() && next_header == NEXT_HEADER_NONE {
            return Err(wrong);
        }
        Ok(bytes)
    }

    /// The packet type.
    pub const fn packet_type(&self) -> PacketType {
        self.packet_type
    }

    /// The sender's HIT.
    pub const fn sender(&self) -> Hit {
        self.sender
    }

    /// The receiver's HIT; [`Hit::NULL`] in opportunistic packets.
    pub const fn receiver(&self) -> Hit {
        self.receiver
    }

    /// The Controls field with every bit as received.
    pub const fn controls(&self) -> u16 {
        self.controls
    }

    /// True if the sender's Host Identity is anonymous (the A bit).
    // 7401-5.1.2-05: the other bits do not matter.
    pub const fn is_anonymous(&self) -> bool {
        self.controls & CONTROL_ANONYMOUS != 0
    }

    /// The Checksum field; zero over UDP.
    pub const fn checksum(&self) -> u16 {
        self.checksum
    }

    /// The HIP packet, without octets after it.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The parameters in wire order.
    pub fn params(&self) -> Params<'a> {
        Params {
            rest: self.bytes.get(HEADER_LEN..).unwrap_or_default(),
            offset: HEADER_LEN,
        }
    }

    /// The first parameter of type `ty`.
    pub fn get(&self, ty: ParamType) -> Option<Param<'a>> {
        self.params().find(|param| param.ty == ty)
    }

    /// All parameters of type `ty`, in wire order.
    pub fn get_all(&self, ty: ParamType) -> impl Iterator<Item = Param<'a>> + use<'a> {
        self.params().filter(move |param| param.ty == ty)
    }

    /// The first parameter of type `P`, decoded; an error has its offset in the packet.
    pub fn find<P: ParseParameter<'a>>(&self) -> Result<Option<P>, WireError> {
        self.get(P::TYPE).map(|param| param.decode()).transpose()
    }

    /// As [`Packet::find`]; a missing parameter is [`WireErrorKind::MissingParameter`].
    pub fn require<P: ParseParameter<'a>>(&self) -> Result<P, WireError> {
        let missing = WireError::new(WireErrorKind::MissingParameter(P::TYPE), self.bytes.len());
        self.find()?.ok_or(missing)
    }

    /// The first critical parameter this crate cannot decode; the packet must not be processed then.
    // 7401-5.2.1-09, 7401-5.2.1-11, 7401-5.2.1-12: unknown even types are no obstacle.
    pub fn unknown_critical(&self) -> Option<ParamType> {
        self.params()
            .map(|param| param.ty)
            .find(|ty| ty.is_critical() && !ty.is_decoded())
    }

    /// Checks the HIP checksum with the pseudo header of the addresses the packet travelled between.
    ///
    /// A mismatch is dropped without an answer. Over UDP the field is zero and this check does not apply.
    pub fn verify_checksum(&self, src: IpAddr, dst: IpAddr) -> Result<(), WireError> {
        match checksum::transport_sum(self.bytes, src, dst, PROTOCOL_HIP)?.fold() {
            0xffff => Ok(()),
            _ => Err(WireError::new(WireErrorKind::Checksum, CHECKSUM_AT)),
        }
    }

    /// The octets HIP_MAC covers (RFC 7401 section 6.4.1); an error without a HIP_MAC.
    pub fn mac_input(&self) -> Result<Vec<u8>, WireError> {
        self.covered_before(ParamType::HIP_MAC)
    }

    /// The octets HIP_MAC_2 covers; `host_id_tlv` is the whole HOST_ID parameter as it came in the R1 ([`Param::raw`]).
    ///
    /// # Errors
    /// [`WireErrorKind::MissingParameter`] without HIP_MAC_2 or if `host_id_tlv` is not one HOST_ID;
    /// [`WireErrorKind::TooLong`] if both together exceed what Header Length can count.
    pub fn mac_2_input(&self, host_id_tlv: &[u8]) -> Result<Vec<u8>, WireError> {
        append_host_id(self.covered_before(ParamType::HIP_MAC_2)?, host_id_tlv)
    }

    /// The octets HIP_SIGNATURE covers (RFC 7401 section 6.4.2); an error without a HIP_SIGNATURE.
    pub fn signature_input(&self) -> Result<Vec<u8>, WireError> {
        self.covered_before(ParamType::HIP_SIGNATURE)
    }

    /// The octets HIP_SIGNATURE_2 covers: receiver HIT, Opaque and #I count as zero.
    pub fn signature_2_input(&self) -> Result<Vec<u8>, WireError> {
        let mut covered = self.covered_before(ParamType::HIP_SIGNATURE_2)?;
        blank_r1_variables(&mut covered);
        Ok(covered)
    }

    fn covered_before(&self, ty: ParamType) -> Result<Vec<u8>, WireError> {
        let missing = WireError::new(WireErrorKind::MissingParameter(ty), self.bytes.len());
        self.get(ty).ok_or(missing)?;
        covered_before(self.bytes, ty)
    }
}

impl<'a> Param<'a> {
    /// Decodes the contents as `P`, whose type the caller has matched; an error has its offset in the packet.
    pub fn decode<P: ParseParameter<'a>>(&self) -> Result<P, WireError> {
        P::parse_contents(self.contents)
            .map_err(|error| error.within(self.offset.saturating_add(4)))
    }
}

/// The parameters of a packet, or of the plaintext of an ENCRYPTED, in wire order.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Params<'a> {
    /// Checks a bare list of parameters, such as the plaintext of ENCRYPTED, and iterates over it.
    ///
    /// Cipher padding that may follow the list is not recognised here; the caller has removed it.
    // 7401-5.2.18-03: whole parameters, each padded to 8 octets.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        check_list(bytes, 0)?;
        Ok(Self {
            rest: bytes,
            offset: 0,
        })
    }

    fn step(&mut self) -> Result<Option<Param<'a>>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let truncated = WireError::new(WireErrorKind::Truncated, self.offset);
        let ([t0, t1, l0, l1], body) = self.rest.split_first_chunk::<4>().ok_or(truncated)?;
        let ty = ParamType(u16::from_be_bytes([*t0, *t1]));
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        // 7401-5.2.1-06: the padding is not looked at. 7401-5.2.1-13: a length past the end is malformed.
        let overrun = WireError::new(
            WireErrorKind::ParameterOverrun(ty),
            self.offset.saturating_add(2),
        );
        let contents = body.get(..length).ok_or(overrun)?;
        let (raw, rest) = self
            .rest
            .split_at_checked(padded_len(length))
            .ok_or(overrun)?;
        let param = Param {
            ty,
            contents,
            raw,
            offset: self.offset,
        };
        self.offset = self.offset.saturating_add(raw.len());
        self.rest = rest;
        Ok(Some(param))
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        self.step().ok().flatten()
    }
}

/// Octets a parameter with `length` octets of contents takes: 11 + L - (L + 3) mod 8.
// 7401-5.2.1-07
pub const fn padded_len(length: usize) -> usize {
    (length + 11) / 8 * 8
}

/// Appends one parameter with its zero padding; contents over 65535 octets are [`WireErrorKind::TooLong`].
pub fn push_tlv(out: &mut Vec<u8>, ty: ParamType, contents: &[u8]) -> Result<(), WireError> {
    let too_long = WireError::new(WireErrorKind::TooLong, out.len());
    let length = u16::try_from(contents.len()).map_err(|_| too_long)?;
    let end = out.len() + padded_len(contents.len());
    out.extend_from_slice(&ty.0.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(contents);
    // 7401-5.2.1-04, 7401-5.2.1-05: zero octets up to a multiple of 8.
    out.resize(end, 0);
    Ok(())
}

/// One parameter as whole TLV: for the plaintext of ENCRYPTED, or the HOST_ID of HIP_MAC_2.
pub fn encode_tlv(parameter: &impl Parameter) -> Result<Vec<u8>, WireError> {
    let mut contents = Vec::new();
    parameter.encode(&mut contents);
    let mut out = Vec::with_capacity(padded_len(contents.len()));
    push_tlv(&mut out, parameter.ty(), &contents)?;
    Ok(out)
}

fn check_parameters(bytes: &[u8]) -> Result<(), WireError> {
    check_list(bytes.get(HEADER_LEN..).unwrap_or_default(), HEADER_LEN)
}

fn check_list(list: &[u8], base: usize) -> Result<(), WireError> {
    let mut params = Params {
        rest: list,
        offset: base,
    };
    let mut previous = None;
    while let Some(param) = params.step()? {
        check_order(previous, param.ty).map_err(|error| error.within(param.offset))?;
        previous = Some(param.ty);
    }
    Ok(())
}

/// The order rule between two neighbouring parameters.
// 7401-5.2.1-01, 7401-5.2.1-02, 7401-5.2.1-03
pub(crate) fn check_order(previous: Option<ParamType>, found: ParamType) -> Result<(), WireError> {
    match previous {
        Some(previous) if previous > found => Err(WireError::new(
            WireErrorKind::ParameterOrder { previous, found },
            0,
        )),
        Some(previous) if previous == found && !found.may_repeat() => {
            Err(WireError::new(WireErrorKind::DuplicateParameter(found), 0))
        }
        _ => Ok(()),
    }
}

/// Header and parameters with types below `ty`, checksum zero, Header Length for exactly these octets.
// 7401-5.2.12-02, 7401-5.2.12-03, 7401-5.2.14-02, 7401-5.2.14-03, 7401-5.2.15-03
pub(crate) fn covered_before(bytes: &[u8], ty: ParamType) -> Result<Vec<u8>, WireError> {
    let mut params = Params {
        rest: bytes.get(HEADER_LEN..).unwrap_or_default(),
        offset: HEADER_LEN,
    };
    let end = params
        .find(|param| param.ty >= ty)
        .map_or(bytes.len(), |param| param.offset);
    let mut covered = bytes.get(..end).unwrap_or_default().to_vec();
    if let Some(field) = covered.get_mut(CHECKSUM_AT..CHECKSUM_AT + 2) {
        field.fill(0);
    }
    set_header_length(&mut covered)?;
    Ok(covered)
}

/// Adds the Responder's HOST_ID to what HIP_MAC_2 covers and counts it in Header Length.
// 7401-5.2.13-01, 7401-5.2.13-02, 7401-5.2.13-03
pub(crate) fn append_host_id(
    mut covered: Vec<u8>,
    host_id_tlv: &[u8],
) -> Result<Vec<u8>, WireError> {
    let end = covered.len();
    let host_id = Params::parse(host_id_tlv)?
        .next()
        .map(|param| (param.ty, param.raw.len()));
    if host_id != Some((ParamType::HOST_ID, host_id_tlv.len())) {
        return Err(WireError::new(
            WireErrorKind::MissingParameter(ParamType::HOST_ID),
            end,
        ));
    }
    covered.extend_from_slice(host_id_tlv);
    set_header_length(&mut covered)?;
    Ok(covered)
}

/// Zeroes what HIP_SIGNATURE_2 leaves open, so that R1s can be signed before the Initiator is known.
// 7401-5.2.15-02, 7401-5.2.4-04
pub(crate) fn blank_r1_variables(covered: &mut [u8]) {
    if let Some(receiver) = covered.get_mut(RECEIVER_AT..HEADER_LEN) {
        receiver.fill(0);
    }
    let puzzle = Params {
        rest: covered.get(HEADER_LEN..).unwrap_or_default(),
        offset: HEADER_LEN,
    }
    .find(|param| param.ty == ParamType::PUZZLE)
    .map(|param| (param.offset + 4, param.contents.len()));
    if let Some((at, len)) = puzzle
        && let Some(opaque_and_i) = covered.get_mut(at + 2..at + len)
    {
        opaque_and_i.fill(0);
    }
}

/// Writes Header Length for the octets in `packet`; over 2048 octets is [`WireErrorKind::TooLong`].
pub(crate) fn set_header_length(packet: &mut [u8]) -> Result<(), WireError> {
    let too_long = WireError::new(WireErrorKind::TooLong, MAX_PACKET_LEN);
    let units = u8::try_from((packet.len() / 8).saturating_sub(1)).map_err(|_| too_long)?;
    if let Some(length) = packet.get_mut(1) {
        *length = units;
    }
    Ok(())
}

fn hit_from(octets: &[u8]) -> Hit {
    octets
        .first_chunk()
        .map_or(Hit::NULL, |octets| Hit::from_bytes(*octets))
}

#[cfg(test)]
mod tests;
