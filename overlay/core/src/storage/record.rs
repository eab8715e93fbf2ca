//! Values as octets for the persistent store. The format is local to this node.

use super::{GroupKey, Value};
use crate::config::DataModel;
use crate::id::{ID_LEN, ResourceId};
use crate::record::StoredRecord;
use crate::security::Certificate;
use crate::wire::storage::{Place, StoredData};
use crate::wire::{Encode, Reader, WireError, Writer};

/// Version of the format.
const VERSION: u8 = 1;

/// What a record holds besides its key.
pub(super) struct Restored {
    pub(super) generation: u64,
    pub(super) expires_wall_ms: u64,
    pub(super) data: StoredData,
    pub(super) certificate: Certificate,
}

/// Key of the record of a value.
pub(super) fn key((resource, kind): &GroupKey, place: &Place) -> Vec<u8> {
    let mut key = Writer::new();
    key.raw(resource.as_bytes());
    key.u32(kind.0);
    key.u8(model_number(place.model()));
    place.encode(&mut key);
    // Keys of dictionaries came with a 16-bit length, so this cannot overflow.
    key.finish().unwrap_or_default()
}

/// The record of a value.
pub(super) fn encode(
    group: &GroupKey,
    value: &Value,
    generation: u64,
    expires_wall_ms: u64,
) -> StoredRecord {
    let mut bytes = Writer::new();
    bytes.u8(VERSION);
    bytes.u64(generation);
    bytes.u64(expires_wall_ms);
    bytes.opaque(2, &value.certificate.der);
    value.data.encode(&mut bytes);
    StoredRecord {
        key: key(group, &value.data.place),
        bytes: bytes.finish().unwrap_or_default(),
    }
}

/// Reads a record; `None` when it is not one.
pub(super) fn decode(record: &StoredRecord) -> Option<(GroupKey, Restored)> {
    let (group, model) = decode_key(&record.key).ok()?;
    let restored = decode_bytes(&record.bytes, model).ok().flatten()?;
    (key(&group, &restored.data.place) == record.key).then_some((group, restored))
}

fn decode_key(bytes: &[u8]) -> Result<(GroupKey, DataModel), WireError> {
    let mut reader = Reader::new(bytes);
    let resource = reader
        .take(ID_LEN)?
        .first_chunk()
        .copied()
        .unwrap_or_default();
    let kind = reader.kind_id()?;
    let at = reader.clone();
    let model = match reader.u8()? {
        1 => DataModel::Single,
        2 => DataModel::Array,
        3 => DataModel::Dictionary,
        _ => return Err(at.invalid("data model")),
    };
    Ok(((ResourceId::from_bytes(resource), kind), model))
}

fn decode_bytes(bytes: &[u8], model: DataModel) -> Result<Option<Restored>, WireError> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != VERSION {
        return Ok(None);
    }
    let generation = reader.u64()?;
    let expires_wall_ms = reader.u64()?;
    let der = reader.opaque(2)?;
    let data = StoredData::decode(&mut reader, model)?;
    reader.finish()?;
    Ok(Certificate::from_der(der).ok().map(|certificate| Restored {
        generation,
        expires_wall_ms,
        data,
        certificate,
    }))
}

const fn model_number(model: DataModel) -> u8 {
    match model {
        DataModel::Single => 1,
        DataModel::Array => 2,
        DataModel::Dictionary => 3,
    }
}
