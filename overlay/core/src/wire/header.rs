//! The forwarding header (RFC 6940 §6.3.2): all that an intermediate peer looks at.

use super::codec::{Decode, Encode, Problem, Reader, WireError, Writer};
use crate::id::{NodeId, ResourceId};

/// "RELO" with the high bit of the first octet set.
// 6940-6.3.2-02
pub const RELO_TOKEN: u32 = 0xd245_4c4f;
/// Version 1.0.
// 6940-6.3.2-05
pub const VERSION: u8 = 0x0a;
/// Length of the fixed part in octets.
pub const FIXED_LEN: usize = 38;
/// Fragment field of an unfragmented message.
pub const WHOLE: u32 = 0xc000_0000;
/// The bits of the fragment field that mean something: flags and offset.
const FRAGMENT_MASK: u32 = 0xc0ff_ffff;
/// Most entries accepted in a Via or Destination List: one per hop and initial-ttl is at most
/// 100 by default.
pub const MAX_DESTINATIONS: usize = 128;
/// Most forwarding options accepted.
pub const MAX_OPTIONS: usize = 16;

/// The forwarding header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForwardingHeader {
    /// Low 32 bits of the SHA-1 of the overlay's name.
    pub overlay: u32,
    /// Sequence number of the sender's configuration document.
    pub configuration_sequence: u16,
    /// Protocol version times ten.
    pub version: u8,
    /// Hops the message may still take.
    pub ttl: u8,
    /// Fragment flags and offset.
    pub fragment: u32,
    /// Random identifier of the transaction; a response has its request's.
    pub transaction_id: u64,
    /// Largest response the requester takes, 0: any.
    pub max_response_length: u32,
    /// Where the message has been.
    pub via: Vec<Destination>,
    /// Where it shall go.
    pub destinations: Vec<Destination>,
    /// Forwarding options.
    pub options: Vec<ForwardingOption>,
}

/// An entry of a Via or Destination List (RFC 6940 §6.3.2.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Destination {
    /// A node.
    Node(NodeId),
    /// The peer responsible for a resource; last in a Destination List, never in a Via List.
    Resource(ResourceId),
    /// A compressed list that only the peer that made it understands.
    Opaque(Vec<u8>),
}

/// A forwarding option (RFC 6940 §6.3.2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForwardingOption {
    /// Option type.
    pub kind: u8,
    /// [`FORWARD_CRITICAL`], [`DESTINATION_CRITICAL`], [`RESPONSE_COPY`].
    pub flags: u8,
    /// Contents.
    pub value: Vec<u8>,
}

/// Forwarders that do not know the option reject the request.
pub const FORWARD_CRITICAL: u8 = 0x01;
/// Responders that do not know the option reject the request.
pub const DESTINATION_CRITICAL: u8 = 0x02;
/// Responders copy the option into the response.
pub const RESPONSE_COPY: u8 = 0x04;

impl ForwardingHeader {
    /// Reads the header at the start of a message and returns it with the rest of the
    /// message: contents and security block.
    ///
    /// # Errors
    /// When token or lists are malformed, or the length field is not the message's length.
    pub fn parse(message: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let mut reader = Reader::new(message);
        let (header, length) = Self::decode_with_length(&mut reader)?;
        // 6940-6.3.2: length counts the whole message, header included.
        // 6940-6.3.2-16
        if usize::try_from(length).ok() != Some(message.len()) {
            return Err(WireError {
                offset: 16,
                problem: Problem::Invalid("message length"),
            });
        }
        Ok((header, reader.rest()))
    }

    /// Whether this is a whole message and no fragment.
    // 6940-6.7-10, 6940-6.7-12: without the high bit it is neither; reserved bits are ignored
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.fragment & FRAGMENT_MASK == WHOLE
    }

    /// The message made of this header and `body` (contents and security block).
    ///
    /// # Errors
    /// When a list exceeds its length field.
    pub fn with_body(&self, body: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.raw(body);
        let length = writer.len();
        writer.patch(16, 4, length);
        writer.finish()
    }

    // 6940-6.3.2-01 6940-6.3.2-21
    fn decode_with_length(reader: &mut Reader<'_>) -> Result<(Self, u32), WireError> {
        if reader.clone().u32()? != RELO_TOKEN {
            return Err(reader.invalid("RELO token"));
        }
        reader.u32()?;
        let overlay = reader.u32()?;
        let configuration_sequence = reader.u16()?;
        let version = reader.u8()?;
        let ttl = reader.u8()?;
        let fragment = reader.u32()?;
        let length = reader.u32()?;
        let transaction_id = reader.u64()?;
        let max_response_length = reader.u32()?;
        let via_length = reader.u16()?;
        let destination_length = reader.u16()?;
        let options_length = reader.u16()?;
        let header = Self {
            overlay,
            configuration_sequence,
            version,
            ttl,
            fragment,
            transaction_id,
            max_response_length,
            via: bounded(reader, via_length, MAX_DESTINATIONS, "Via List")?,
            destinations: bounded(
                reader,
                destination_length,
                MAX_DESTINATIONS,
                "Destination List",
            )?,
            options: bounded(reader, options_length, MAX_OPTIONS, "forwarding options")?,
        };
        header.check_lists(reader)?;
        Ok((header, length))
    }

    fn check_lists(&self, reader: &Reader<'_>) -> Result<(), WireError> {
        let is_resource = |entry: &Destination| matches!(entry, Destination::Resource(_));
        // 6940-6.3.2.2-05 6940-6.3.2.2-06
        if self.destinations.is_empty() {
            return Err(reader.invalid("Destination List"));
        }
        // RFC 6940 §6.3.2.2: a resource only in the final place of a Destination List.
        let misplaced = self
            .destinations
            .iter()
            .rev()
            .skip(1)
            .chain(&self.via)
            .any(is_resource);
        if misplaced {
            return Err(reader.invalid("place of a Resource-ID"));
        }
        Ok(())
    }
}

fn bounded<T: Decode>(
    reader: &mut Reader<'_>,
    length: u16,
    most: usize,
    what: &'static str,
) -> Result<Vec<T>, WireError> {
    let base = reader.offset();
    let mut inner = Reader::new(reader.take(usize::from(length))?);
    let mut items = Vec::new();
    while !inner.is_empty() {
        if items.len() == most {
            return Err(WireError {
                offset: base + inner.offset(),
                problem: Problem::TooLong(what),
            });
        }
        items.push(T::decode(&mut inner).map_err(|error| WireError {
            offset: base + error.offset,
            ..error
        })?);
    }
    Ok(items)
}

impl Encode for ForwardingHeader {
    /// Writes the header with a length field of zero; [`ForwardingHeader::with_body`] fills it.
    fn encode(&self, writer: &mut Writer) {
        writer.u32(RELO_TOKEN);
        writer.u32(self.overlay);
        writer.u16(self.configuration_sequence);
        writer.u8(self.version);
        writer.u8(self.ttl);
        writer.u32(self.fragment);
        writer.u32(0);
        writer.u64(self.transaction_id);
        writer.u32(self.max_response_length);
        let lengths = writer.len();
        writer.raw(&[0; 6]);
        let mut mark = writer.len();
        let mut lists = [0_usize; 3];
        let [via, destinations, options] = &mut lists;
        self.via.iter().for_each(|entry| entry.encode(writer));
        *via = writer.len() - mark;
        mark = writer.len();
        self.destinations
            .iter()
            .for_each(|entry| entry.encode(writer));
        *destinations = writer.len() - mark;
        mark = writer.len();
        self.options.iter().for_each(|entry| entry.encode(writer));
        *options = writer.len() - mark;
        for (index, length) in lists.into_iter().enumerate() {
            writer.patch(lengths + 2 * index, 2, length);
        }
    }
}

const NODE: u8 = 1;
const RESOURCE: u8 = 2;
const OPAQUE: u8 = 3;

// 6940-6.3.2.2-01 6940-6.3.2.2-02
impl Decode for Destination {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let at = reader.clone();
        let kind = reader.u8()?;
        // RFC 6940 §6.3.2.2: top bit set means a bare 16-bit opaque id.
        if kind & 0x80 != 0 {
            return Ok(Self::Opaque(vec![kind, reader.u8()?]));
        }
        let mut data = reader.vector(1)?;
        let entry = match kind {
            NODE => Self::Node(data.node_id()?),
            RESOURCE => Self::Resource(data.resource_id()?),
            OPAQUE => Self::Opaque(data.opaque(1)?.to_vec()),
            _ => return Err(at.unknown("destination type")),
        };
        data.finish()?;
        Ok(entry)
    }
}

impl Encode for Destination {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Node(id) => {
                writer.u8(NODE);
                writer.opaque(1, id.as_bytes());
            }
            Self::Resource(id) => {
                writer.u8(RESOURCE);
                writer.vector(1, |writer| writer.resource_id(id));
            }
            Self::Opaque(id) => match id.as_slice() {
                [high, low] if high & 0x80 != 0 => writer.raw(&[*high, *low]),
                _ => {
                    writer.u8(OPAQUE);
                    writer.vector(1, |writer| writer.opaque(1, id));
                }
            },
        }
    }
}

impl From<NodeId> for Destination {
    fn from(id: NodeId) -> Self {
        Self::Node(id)
    }
}

impl From<ResourceId> for Destination {
    fn from(id: ResourceId) -> Self {
        Self::Resource(id)
    }
}

// 6940-6.3.2.3-01
impl Decode for ForwardingOption {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            kind: reader.u8()?,
            flags: reader.u8()?,
            value: reader.opaque(2)?.to_vec(),
        })
    }
}

impl Encode for ForwardingOption {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.kind);
        writer.u8(self.flags);
        writer.opaque(2, &self.value);
    }
}
