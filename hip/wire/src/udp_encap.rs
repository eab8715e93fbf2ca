//! HIP and ESP on one UDP port (RFC 9028 section 5.1, after RFC 3948).

use alloc::vec::Vec;

use crate::error::{WireError, WireErrorKind};

/// The UDP port of encapsulated HIP and ESP.
pub const PORT: u16 = 10500;

/// The zero SPI before a HIP packet; an ESP packet starts with its non-zero SPI.
pub const MARKER: [u8; 4] = [0; 4];

/// What a UDP datagram on the HIP port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpPayload<'a> {
    /// A HIP packet, without the marker.
    Hip(&'a [u8]),
    /// An ESP packet, from its SPI on.
    Esp(&'a [u8]),
    /// The single octet 0xff of RFC 3948 section 2.3, which only refreshes a NAT mapping.
    Keepalive,
}

impl<'a> UdpPayload<'a> {
    /// Tells what `datagram` carries; shorter than a marker is [`WireErrorKind::Truncated`].
    pub fn parse(datagram: &'a [u8]) -> Result<Self, WireError> {
        if datagram == [0xff] {
            return Ok(Self::Keepalive);
        }
        match datagram.split_first_chunk() {
            Some((&MARKER, hip)) => Ok(Self::Hip(hip)),
            Some(_) => Ok(Self::Esp(datagram)),
            None => Err(WireError::new(WireErrorKind::Truncated, datagram.len())),
        }
    }
}

/// The UDP payload that carries `packet`: the marker, then the packet, whose checksum has to be zero.
pub fn encapsulate(packet: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(MARKER.len().saturating_add(packet.len()));
    datagram.extend_from_slice(&MARKER);
    datagram.extend_from_slice(packet);
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_four_octets_tell_hip_from_esp() {
        let datagram = encapsulate(b"hip");
        assert_eq!(UdpPayload::parse(&datagram), Ok(UdpPayload::Hip(b"hip")));
        assert_eq!(
            UdpPayload::parse(&[0, 0, 1, 0, 9]),
            Ok(UdpPayload::Esp(&[0, 0, 1, 0, 9]))
        );
        assert_eq!(UdpPayload::parse(&[0xff]), Ok(UdpPayload::Keepalive));
        for short in [&[][..], &[0], &[0, 0, 0]] {
            assert_eq!(
                UdpPayload::parse(short).unwrap_err().kind,
                WireErrorKind::Truncated
            );
        }
    }
}
