//! Bodies of the storage methods (RFC 6940 §7). Values whose structure depends on the data
//! model of their Kind are kept as octets in the bodies and decoded with the model at hand.

use super::codec::{Decode, Encode, Problem, Reader, WireError, Writer};
use super::contents::Signature;
use crate::config::{DataModel, KindId};
use crate::id::{NodeId, ResourceId};

/// Most Kinds in one request or answer.
pub const MAX_KINDS: usize = 64;
/// Most values of one Kind in one message.
pub const MAX_VALUES: usize = 1024;
/// Array index meaning "after the last" in a Store and "the last" in a range.
pub const LAST_INDEX: u32 = u32::MAX;

/// Place of a value within its Kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// The one value.
    Single,
    /// An array index.
    Index(u32),
    /// A dictionary key.
    Key(Vec<u8>),
}

impl Place {
    /// The data model this is a place of.
    #[must_use]
    pub const fn model(&self) -> DataModel {
        match self {
            Self::Single => DataModel::Single,
            Self::Index(_) => DataModel::Array,
            Self::Key(_) => DataModel::Dictionary,
        }
    }

    /// Reads what stands before a DataValue or MetaData.
    fn decode(reader: &mut Reader<'_>, model: DataModel) -> Result<Self, WireError> {
        Ok(match model {
            DataModel::Single => Self::Single,
            DataModel::Array => Self::Index(reader.u32()?),
            DataModel::Dictionary => Self::Key(reader.opaque(2)?.to_vec()),
        })
    }

    /// Writes what stands before a DataValue or MetaData.
    pub fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Single => {}
            Self::Index(index) => writer.u32(*index),
            Self::Key(key) => writer.opaque(2, key),
        }
    }
}

/// One signed value (RFC 6940 §7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredData {
    /// When it was made, milliseconds since 1970.
    pub storage_time: u64,
    /// Seconds it still lives.
    pub lifetime: u32,
    /// Where it belongs.
    pub place: Place,
    /// The value; `None`: "exists" is false.
    pub value: Option<Vec<u8>>,
    /// The writer's signature.
    pub signature: Signature,
}

impl StoredData {
    /// Reads all values of a list.
    ///
    /// # Errors
    /// When some value is malformed, or there are more than [`MAX_VALUES`].
    pub fn decode_list(model: DataModel, bytes: &[u8]) -> Result<Vec<Self>, WireError> {
        let mut reader = Reader::new(bytes);
        let mut values = Vec::new();
        while !reader.is_empty() {
            if values.len() == MAX_VALUES {
                return Err(reader.error(Problem::TooLong("value list")));
            }
            values.push(Self::decode(&mut reader, model)?);
        }
        Ok(values)
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When it is malformed.
    // 6940-7-01
    pub fn decode(reader: &mut Reader<'_>, model: DataModel) -> Result<Self, WireError> {
        let mut reader = reader.vector(4)?;
        let data = Self {
            storage_time: reader.u64()?,
            lifetime: reader.u32()?,
            place: Place::decode(&mut reader, model)?,
            value: decode_value(&mut reader)?,
            signature: Signature::decode(&mut reader)?,
        };
        reader.finish()?;
        Ok(data)
    }

    /// Writes the StoredDataValue, the part of the value that is signed: with the array index
    /// zero (RFC 6940 §7.4.2.2, an appender does not know the index).
    pub fn encode_signed_value(place: &Place, value: Option<&[u8]>, writer: &mut Writer) {
        match place {
            // 6940-7.4.2.2-09
            Place::Index(_) => Place::Index(0).encode(writer),
            other => other.encode(writer),
        }
        encode_value(value, writer);
    }
}

impl Encode for StoredData {
    fn encode(&self, writer: &mut Writer) {
        writer.vector(4, |writer| {
            writer.u64(self.storage_time);
            writer.u32(self.lifetime);
            self.place.encode(writer);
            encode_value(self.value.as_deref(), writer);
            self.signature.encode(writer);
        });
    }
}

// 6940-7.2-01
fn decode_value(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, WireError> {
    let exists = reader.boolean()?;
    let value = reader.opaque(4)?;
    match (exists, value) {
        (true, value) => Ok(Some(value.to_vec())),
        (false, []) => Ok(None),
        // RFC 6940 §7.4.1.3: a nonexistent value is empty.
        (false, _) => Err(reader.invalid("nonexistent value with contents")),
    }
}

fn encode_value(value: Option<&[u8]>, writer: &mut Writer) {
    writer.boolean(value.is_some());
    writer.opaque(4, value.unwrap_or_default());
}

/// StoreReq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreReq {
    /// Where to.
    pub resource: ResourceId,
    /// 0: an original; else a replica.
    pub replica_number: u8,
    /// Values by Kind.
    pub kinds: Vec<KindData>,
}

/// Values of one Kind, undecoded: in a StoreReq and in a FetchAns (RFC 6940 §7.4.1.1,
/// §7.4.2.2, the two structures are alike), and metadata likewise in a StatAns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KindData {
    /// Which Kind.
    pub kind: KindId,
    /// Generation counter.
    pub generation: u64,
    /// The values, end to end.
    pub values: Vec<u8>,
}

// 6940-7.4.1.1-01
impl Decode for StoreReq {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            resource: reader.resource_id()?,
            replica_number: reader.u8()?,
            kinds: reader.list(4, MAX_KINDS, "Kinds")?,
        })
    }
}

impl Encode for StoreReq {
    fn encode(&self, writer: &mut Writer) {
        writer.resource_id(&self.resource);
        writer.u8(self.replica_number);
        writer.list(4, &self.kinds);
    }
}

impl Decode for KindData {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            kind: reader.kind_id()?,
            generation: reader.u64()?,
            values: reader.opaque(4)?.to_vec(),
        })
    }
}

impl Encode for KindData {
    fn encode(&self, writer: &mut Writer) {
        self.kind.encode(writer);
        writer.u64(self.generation);
        writer.opaque(4, &self.values);
    }
}

/// StoreAns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreAns {
    /// One entry per Kind.
    pub kinds: Vec<StoreKindResponse>,
}

/// What became of one Kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreKindResponse {
    /// Which Kind.
    pub kind: KindId,
    /// Its generation counter now.
    pub generation: u64,
    /// Peers that have or will have replicas.
    pub replicas: Vec<NodeId>,
}

/// Most replicas accepted in an answer.
const MAX_REPLICAS: usize = 64;

impl Decode for StoreAns {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            kinds: reader.list(2, MAX_KINDS, "Kinds")?,
        })
    }
}

impl Encode for StoreAns {
    fn encode(&self, writer: &mut Writer) {
        writer.list(2, &self.kinds);
    }
}

impl Decode for StoreKindResponse {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            kind: reader.kind_id()?,
            generation: reader.u64()?,
            replicas: reader.list(2, MAX_REPLICAS, "replicas")?,
        })
    }
}

impl Encode for StoreKindResponse {
    fn encode(&self, writer: &mut Writer) {
        self.kind.encode(writer);
        writer.u64(self.generation);
        writer.list(2, &self.replicas);
    }
}

/// FetchReq and StatReq, which are the same (RFC 6940 §7.4.2.1, §7.4.3.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpecifierReq {
    /// From where.
    pub resource: ResourceId,
    /// What.
    pub specifiers: Vec<DataSpecifier>,
}

/// StoredDataSpecifier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataSpecifier {
    /// Which Kind.
    pub kind: KindId,
    /// Generation the requester has; 0: none.
    pub generation: u64,
    /// The model specifier, undecoded.
    pub model_specifier: Vec<u8>,
}

// 6940-7.4.2.1-01 6940-7.4.3.1-01
impl Decode for SpecifierReq {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            resource: reader.resource_id()?,
            specifiers: reader.list(2, MAX_KINDS, "specifiers")?,
        })
    }
}

impl Encode for SpecifierReq {
    fn encode(&self, writer: &mut Writer) {
        writer.resource_id(&self.resource);
        writer.list(2, &self.specifiers);
    }
}

impl Decode for DataSpecifier {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            kind: reader.kind_id()?,
            generation: reader.u64()?,
            model_specifier: reader.opaque(2)?.to_vec(),
        })
    }
}

impl Encode for DataSpecifier {
    fn encode(&self, writer: &mut Writer) {
        self.kind.encode(writer);
        writer.u64(self.generation);
        writer.opaque(2, &self.model_specifier);
    }
}

/// Which values of a Kind are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModelSpecifier {
    /// The one value.
    Single,
    /// Index ranges, both ends included; [`LAST_INDEX`] is the last element.
    Ranges(Vec<(u32, u32)>),
    /// Keys; none: all.
    Keys(Vec<Vec<u8>>),
}

impl ModelSpecifier {
    /// Reads a specifier for a Kind of this data model.
    ///
    /// # Errors
    /// When it is malformed: a range whose first is above its last, overlapping ranges.
    pub fn decode(model: DataModel, bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let specifier = match model {
            DataModel::Single => Self::Single,
            DataModel::Array => Self::Ranges(decode_ranges(&mut reader)?),
            DataModel::Dictionary => {
                let mut keys = reader.vector(2)?;
                let mut list = Vec::new();
                while !keys.is_empty() {
                    if list.len() == MAX_VALUES {
                        return Err(keys.error(Problem::TooLong("keys")));
                    }
                    list.push(keys.opaque(2)?.to_vec());
                }
                Self::Keys(list)
            }
        };
        reader.finish()?;
        Ok(specifier)
    }
}

impl Encode for ModelSpecifier {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Single => {}
            Self::Ranges(ranges) => writer.vector(2, |writer| {
                for (first, last) in ranges {
                    writer.u32(*first);
                    writer.u32(*last);
                }
            }),
            Self::Keys(keys) => writer.vector(2, |writer| {
                keys.iter().for_each(|key| writer.opaque(2, key));
            }),
        }
    }
}

// 6940-7.4.2.1-04 6940-7.4.2.1-05 6940-7.4.2.1-06
fn decode_ranges(reader: &mut Reader<'_>) -> Result<Vec<(u32, u32)>, WireError> {
    let mut inner = reader.vector(2)?;
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    while !inner.is_empty() {
        let at = inner.clone();
        let (first, last) = (inner.u32()?, inner.u32()?);
        // RFC 6940 §7.4.2.1: first <= last (as unsigned numbers, pitfall 26), no overlap.
        let overlaps = ranges
            .iter()
            .any(|(from, to)| first <= *to && *from <= last);
        if first > last || overlaps {
            return Err(at.invalid("array range"));
        }
        if ranges.len() == MAX_VALUES {
            return Err(at.error(Problem::TooLong("array ranges")));
        }
        ranges.push((first, last));
    }
    Ok(ranges)
}

/// FetchAns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchAns {
    /// One entry per Kind asked for.
    pub kinds: Vec<KindData>,
}

impl Decode for FetchAns {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            kinds: reader.list(4, MAX_KINDS, "Kinds")?,
        })
    }
}

impl Encode for FetchAns {
    fn encode(&self, writer: &mut Writer) {
        writer.list(4, &self.kinds);
    }
}

/// StatAns; its values are [`StoredMetaData`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatAns {
    /// One entry per Kind asked for.
    pub kinds: Vec<KindData>,
}

impl Decode for StatAns {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            kinds: reader.list(4, MAX_KINDS, "Kinds")?,
        })
    }
}

impl Encode for StatAns {
    fn encode(&self, writer: &mut Writer) {
        writer.list(4, &self.kinds);
    }
}

/// StoredMetaData (RFC 6940 §7.4.3.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredMetaData {
    /// When the value was made, milliseconds since 1970.
    pub storage_time: u64,
    /// Seconds it still lives.
    pub lifetime: u32,
    /// Where it belongs.
    pub place: Place,
    /// Whether it exists.
    pub exists: bool,
    /// Its length in octets.
    pub value_length: u32,
    /// TLS HashAlgorithm of the digest.
    pub hash: u8,
    /// Digest of the value's 4 length octets and the value.
    pub digest: Vec<u8>,
}

impl StoredMetaData {
    /// Reads all metadata of a list.
    ///
    /// # Errors
    /// When some entry is malformed, or there are more than [`MAX_VALUES`].
    pub fn decode_list(model: DataModel, bytes: &[u8]) -> Result<Vec<Self>, WireError> {
        let mut reader = Reader::new(bytes);
        let mut entries = Vec::new();
        while !reader.is_empty() {
            if entries.len() == MAX_VALUES {
                return Err(reader.error(Problem::TooLong("metadata list")));
            }
            entries.push(Self::decode(&mut reader, model)?);
        }
        Ok(entries)
    }

    fn decode(reader: &mut Reader<'_>, model: DataModel) -> Result<Self, WireError> {
        let mut reader = reader.vector(4)?;
        let entry = Self {
            storage_time: reader.u64()?,
            lifetime: reader.u32()?,
            place: Place::decode(&mut reader, model)?,
            exists: reader.boolean()?,
            value_length: reader.u32()?,
            hash: reader.u8()?,
            digest: reader.opaque(1)?.to_vec(),
        };
        reader.finish()?;
        Ok(entry)
    }
}

// 6940-7.4.3.2-01
impl Encode for StoredMetaData {
    fn encode(&self, writer: &mut Writer) {
        // "value_length" of StoredMetaData corresponds to "length" of StoredData: the size of
        // what follows (RFC 6940 §7.4.3.2, "the same as the corresponding fields").
        writer.vector(4, |writer| {
            writer.u64(self.storage_time);
            writer.u32(self.lifetime);
            self.place.encode(writer);
            writer.boolean(self.exists);
            writer.u32(self.value_length);
            writer.u8(self.hash);
            writer.opaque(1, &self.digest);
        });
    }
}

/// FindReq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FindReq {
    /// Where to look.
    pub resource: ResourceId,
    /// For which Kinds.
    pub kinds: Vec<KindId>,
}

impl Decode for FindReq {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            resource: reader.resource_id()?,
            kinds: reader.list(1, MAX_KINDS, "Kinds")?,
        })
    }
}

impl Encode for FindReq {
    fn encode(&self, writer: &mut Writer) {
        writer.resource_id(&self.resource);
        writer.list(1, &self.kinds);
    }
}

/// FindAns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FindAns {
    /// One entry per Kind.
    pub results: Vec<FindKindData>,
}

/// The nearest resource with values of a Kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FindKindData {
    /// Which Kind.
    pub kind: KindId,
    /// The nearest resource; all zero: none.
    pub closest: ResourceId,
}

impl FindKindData {
    /// "0": no resource known.
    pub const NONE: ResourceId = ResourceId::from_bytes([0; 16]);
}

impl Decode for FindAns {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            results: reader.list(2, MAX_KINDS, "Kinds")?,
        })
    }
}

impl Encode for FindAns {
    fn encode(&self, writer: &mut Writer) {
        writer.list(2, &self.results);
    }
}

impl Decode for FindKindData {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let kind = reader.kind_id()?;
        // RFC 6940 §7.4.4.2 leaves open how 0 looks: accept the empty Resource-ID too.
        let closest = if reader.rest().first() == Some(&0) {
            reader.u8()?;
            Self::NONE
        } else {
            reader.resource_id()?
        };
        Ok(Self { kind, closest })
    }
}

impl Encode for FindKindData {
    fn encode(&self, writer: &mut Writer) {
        self.kind.encode(writer);
        writer.resource_id(&self.closest);
    }
}
