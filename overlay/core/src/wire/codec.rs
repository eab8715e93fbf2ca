//! Reader and writer for RELOAD's TLS-like presentation language (RFC 6940 §6.3.1).

use std::fmt;

use crate::config::KindId;
use crate::id::{ID_LEN, NodeId, ResourceId};

/// A structure that is not what RFC 6940 says it should be, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WireError {
    /// Offset of the offending octet from the start of what was decoded.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// It ends early.
    Truncated,
    /// Octets are left over.
    Trailing,
    /// A field has a value the RFC does not allow.
    Invalid(&'static str),
    /// A structure is of a type this implementation does not know.
    Unknown(&'static str),
    /// A list or string exceeds its bound.
    TooLong(&'static str),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::Truncated => write!(f, "ends early at octet {}", self.offset),
            Problem::Trailing => write!(f, "octets left over at {}", self.offset),
            Problem::Invalid(what) => write!(f, "invalid {what} at octet {}", self.offset),
            Problem::Unknown(what) => write!(f, "unknown {what} at octet {}", self.offset),
            Problem::TooLong(what) => write!(f, "{what} too long at octet {}", self.offset),
        }
    }
}

impl std::error::Error for WireError {}

/// A structure that can be read from the wire.
pub trait Decode: Sized {
    /// Reads one structure and leaves the reader after it.
    ///
    /// # Errors
    /// When the octets are not such a structure.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError>;

    /// Reads one structure that fills `bytes` exactly.
    ///
    /// # Errors
    /// When the octets are not exactly one such structure.
    fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

/// A structure that can be written to the wire.
pub trait Encode {
    /// Appends the structure.
    fn encode(&self, writer: &mut Writer);

    /// The structure as octets.
    ///
    /// # Errors
    /// When a string or list does not fit its length field.
    fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.finish()
    }
}

/// Reads a byte string from front to back.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            offset: 0,
        }
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Octets not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Octets read so far.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// An error at the present place.
    #[must_use]
    pub const fn error(&self, problem: Problem) -> WireError {
        WireError {
            offset: self.offset,
            problem,
        }
    }

    /// An "invalid value" error at the present place.
    #[must_use]
    pub const fn invalid(&self, what: &'static str) -> WireError {
        self.error(Problem::Invalid(what))
    }

    /// An "unknown type" error at the present place.
    #[must_use]
    pub const fn unknown(&self, what: &'static str) -> WireError {
        self.error(Problem::Unknown(what))
    }

    /// Succeeds when everything was read.
    ///
    /// # Errors
    /// [`Problem::Trailing`] otherwise.
    pub const fn finish(&self) -> Result<(), WireError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error(Problem::Trailing))
        }
    }

    /// The next `count` octets.
    ///
    /// # Errors
    /// [`Problem::Truncated`] when there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.error(Problem::Truncated));
        };
        self.rest = rest;
        self.offset += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.error(Problem::Truncated));
        };
        self.rest = rest;
        self.offset += N;
        Ok(*taken)
    }

    /// An 8-bit number.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A 16-bit number.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A 32-bit number.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A 64-bit number.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A Boolean: one octet, 0 or 1 and nothing else.
    ///
    /// # Errors
    /// As [`Reader::take`], or when the octet is neither.
    // 6940-6.3.1.1-01
    pub fn boolean(&mut self) -> Result<bool, WireError> {
        // RFC 6940 §6.3.1.1: "A boolean value is either a 1 or a 0".
        match self.rest.first() {
            Some(0) => self.u8().map(|_| false),
            Some(1) => self.u8().map(|_| true),
            Some(_) => Err(self.invalid("boolean")),
            None => Err(self.error(Problem::Truncated)),
        }
    }

    /// A Node-ID.
    ///
    /// # Errors
    /// As [`Reader::take`], or when it is all zero.
    pub fn node_id(&mut self) -> Result<NodeId, WireError> {
        let at = self.clone();
        let bytes = self.array::<ID_LEN>()?;
        // 6940-3-02: all zero is never a Node-ID on the wire
        if bytes == [0; ID_LEN] {
            return Err(at.invalid("Node-ID"));
        }
        Ok(NodeId::from_bytes(bytes))
    }

    /// A Kind-ID.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn kind_id(&mut self) -> Result<KindId, WireError> {
        self.u32().map(KindId)
    }

    /// A Resource-ID with its length octet. CHORD-RELOAD's are 16 octets (RFC 6940 §10.2).
    ///
    /// # Errors
    /// As [`Reader::take`], or when the length is another.
    pub fn resource_id(&mut self) -> Result<ResourceId, WireError> {
        let at = self.clone();
        if usize::from(self.u8()?) != ID_LEN {
            return Err(at.invalid("Resource-ID length"));
        }
        self.array().map(ResourceId::from_bytes)
    }

    /// A reader of a vector with a length of `width` octets (1 to 4) before it.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn vector(&mut self, width: usize) -> Result<Self, WireError> {
        let length = self
            .take(width)?
            .iter()
            .fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
        let offset = self.offset;
        let rest = self.take(length)?;
        Ok(Self { rest, offset })
    }

    /// The octets of a vector with a length of `width` octets before it.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn opaque(&mut self, width: usize) -> Result<&'a [u8], WireError> {
        self.vector(width).map(|inner| inner.rest)
    }

    /// All structures of a vector, at most `most`.
    ///
    /// # Errors
    /// As [`Decode::decode`], or [`Problem::TooLong`].
    pub fn list<T: Decode>(
        &mut self,
        width: usize,
        most: usize,
        what: &'static str,
    ) -> Result<Vec<T>, WireError> {
        let mut inner = self.vector(width)?;
        let mut items = Vec::new();
        while !inner.is_empty() {
            if items.len() == most {
                return Err(inner.error(Problem::TooLong(what)));
            }
            items.push(T::decode(&mut inner)?);
        }
        Ok(items)
    }
}

/// Appends structures to a byte string.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    overflow: Option<WireError>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    ///
    /// # Errors
    /// [`Problem::TooLong`] when some vector did not fit its length field.
    pub fn finish(self) -> Result<Vec<u8>, WireError> {
        match self.overflow {
            None => Ok(self.bytes),
            Some(error) => Err(error),
        }
    }

    /// Octets written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends octets as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends an 8-bit number.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends a 16-bit number.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends a 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends a 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends a Boolean.
    pub fn boolean(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Appends a Resource-ID with its length octet.
    pub fn resource_id(&mut self, id: &ResourceId) {
        self.opaque(1, id.as_bytes());
    }

    /// Appends octets with a length of `width` octets before them.
    pub fn opaque(&mut self, width: usize, bytes: &[u8]) {
        self.vector(width, |writer| writer.raw(bytes));
    }

    /// Appends what `content` writes with a length of `width` octets (1 to 4) before it.
    pub fn vector(&mut self, width: usize, content: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.resize(start + width, 0);
        content(self);
        let length = self.bytes.len() - start - width;
        self.patch(start, width, length);
    }

    /// Appends structures with a length of `width` octets before them.
    pub fn list<T: Encode>(&mut self, width: usize, items: &[T]) {
        self.vector(width, |writer| {
            items.iter().for_each(|item| item.encode(writer));
        });
    }

    /// Overwrites `width` octets at `start` with a number.
    pub(crate) fn patch(&mut self, start: usize, width: usize, value: usize) {
        let number = value.to_be_bytes();
        let Some((high, low)) = number
            .len()
            .checked_sub(width)
            .and_then(|at| number.split_at_checked(at))
        else {
            return;
        };
        if high.iter().any(|byte| *byte != 0) {
            self.overflow.get_or_insert(WireError {
                offset: start,
                problem: Problem::TooLong("vector"),
            });
        }
        if let Some(field) = self.bytes.get_mut(start..start + width) {
            field.copy_from_slice(low);
        }
    }
}

impl Decode for NodeId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.node_id()
    }
}

impl Encode for NodeId {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(self.as_bytes());
    }
}

impl Decode for KindId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.kind_id()
    }
}

impl Encode for KindId {
    fn encode(&self, writer: &mut Writer) {
        writer.u32(self.0);
    }
}
