//! Fetch, Stat (RFC 6940 §7.4.2, §7.4.3).

use std::sync::Arc;

use hip_crypto::hash::Rhash;
use hip_wire::time::Instant;

use super::write::unknown_kinds;
use super::{Group, Store, Value};
use crate::config::{KindId, NodeConfig};
use crate::security::{Certificate, SHA256};
use crate::wire::body::{ErrorCode, ErrorResponse};
use crate::wire::contents::Signature;
use crate::wire::storage::{
    KindData, LAST_INDEX, ModelSpecifier, Place, SpecifierReq, StoredData, StoredMetaData,
};
use crate::wire::{Encode, Writer};

/// What a Fetch or Stat selected of one Kind.
pub(crate) struct Selection {
    /// Which Kind.
    pub(crate) kind: KindId,
    /// Its generation counter.
    pub(crate) generation: u64,
    /// The values, with synthesised ones where there is none.
    pub(crate) values: Vec<StoredData>,
    /// Certificates of their signers.
    pub(crate) certificates: Vec<Arc<Certificate>>,
}

impl Store {
    /// Selects what a Fetch or Stat asks for, one entry per Kind.
    pub(crate) fn select(
        &self,
        request: &SpecifierReq,
        config: &NodeConfig,
        now: Instant,
    ) -> Result<Vec<Selection>, ErrorResponse> {
        let wanted = &request.specifiers;
        let unknown: Vec<KindId> = wanted
            .iter()
            .map(|specifier| specifier.kind)
            .filter(|kind| config.kind(*kind).is_none())
            .collect();
        // §7.4.1.2: any type of request for an unknown Kind fails.
        if !unknown.is_empty() {
            return Err(unknown_kinds(&unknown));
        }
        let empty = Group::default();
        let mut selections = Vec::new();
        for specifier in wanted {
            let Some(kind) = config.kind(specifier.kind) else {
                continue;
            };
            let model = ModelSpecifier::decode(kind.model, &specifier.model_specifier).map_err(
                |error| ErrorResponse::new(ErrorCode::INVALID_MESSAGE, &error.to_string()),
            )?;
            let key = (request.resource, specifier.kind);
            let group = self.group(&key).unwrap_or(&empty);
            let mut selection = Selection {
                kind: specifier.kind,
                generation: group.generation,
                values: Vec::new(),
                certificates: Vec::new(),
            };
            // §7.4.2.1: nothing new since that generation, so no values.
            // 6940-7.4.2.1-08
            if specifier.generation == 0 || specifier.generation != group.generation {
                selection.fill(group, &model, now);
            }
            selections.push(selection);
        }
        Ok(selections)
    }
}

impl Selection {
    /// As an entry of a FetchAns.
    pub(crate) fn fetched(&self) -> KindData {
        self.entry(|values, writer| values.iter().for_each(|value| value.encode(writer)))
    }

    /// As an entry of a StatAns.
    // 6940-7.4.3.2-04
    pub(crate) fn stat(&self) -> KindData {
        self.entry(|values, writer| {
            values
                .iter()
                .for_each(|value| metadata(value).encode(writer));
        })
    }

    fn entry(&self, write: impl FnOnce(&[StoredData], &mut Writer)) -> KindData {
        let mut writer = Writer::new();
        write(&self.values, &mut writer);
        KindData {
            kind: self.kind,
            generation: self.generation,
            values: writer.finish().unwrap_or_default(),
        }
    }

    fn fill(&mut self, group: &Group, model: &ModelSpecifier, now: Instant) {
        match model {
            ModelSpecifier::Single => self.add(group, Place::Single, now),
            // 6940-7.4.2.1-07
            ModelSpecifier::Keys(keys) if keys.is_empty() => {
                let places: Vec<Place> = group.values.keys().cloned().collect();
                places
                    .into_iter()
                    .for_each(|place| self.add_live(group, &place, now));
            }
            ModelSpecifier::Keys(keys) => {
                keys.iter()
                    .for_each(|key| self.add(group, Place::Key(key.clone()), now));
            }
            ModelSpecifier::Ranges(ranges) => {
                ranges
                    .iter()
                    .for_each(|range| self.add_range(group, *range, now));
            }
        }
    }

    /// Elements of a range up to the last there is, and one "no such value" for a range that
    /// starts beyond it.
    // 6940-7.2.2-01
    fn add_range(&mut self, group: &Group, (first, last): (u32, u32), now: Instant) {
        let end = group.values.keys().rev().find_map(|place| match place {
            Place::Index(index) => Some(*index),
            Place::Single | Place::Key(_) => None,
        });
        match end {
            Some(end) if first <= end => {
                (first..=last.min(end)).for_each(|index| self.add(group, Place::Index(index), now));
            }
            _ if last != LAST_INDEX => self.add(group, Place::Index(first), now),
            _ => {}
        }
    }

    fn add(&mut self, group: &Group, place: Place, now: Instant) {
        let held = group.values.get(&place).filter(|value| value.expires > now);
        match held {
            Some(value) => self.push(value, now),
            None => self.values.push(nonexistent(place)),
        }
    }

    fn add_live(&mut self, group: &Group, place: &Place, now: Instant) {
        let held = group.values.get(place).filter(|value| value.expires > now);
        held.into_iter().for_each(|value| self.push(value, now));
    }

    fn push(&mut self, value: &Value, now: Instant) {
        self.values.push(value.aged(now));
        if !self.certificates.contains(&value.certificate) {
            self.certificates.push(Arc::clone(&value.certificate));
        }
    }
}

/// A value made up to say that there is none (RFC 6940 §7.4.2.2).
// 6940-7.4.2.2-04
fn nonexistent(place: Place) -> StoredData {
    StoredData {
        storage_time: 0,
        lifetime: 0,
        place,
        value: None,
        signature: Signature::none(),
    }
}

// RFC 6940 §7.4.3.2: the digest covers the value's four length octets and the value.
// 6940-7.4.3.2-03
fn metadata(data: &StoredData) -> StoredMetaData {
    let value = data.value.as_deref().unwrap_or_default();
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    let digest = Rhash::Sha256.digest(&[&length.to_be_bytes(), value]);
    StoredMetaData {
        storage_time: data.storage_time,
        lifetime: data.lifetime,
        place: data.place.clone(),
        exists: data.value.is_some(),
        value_length: length,
        hash: SHA256,
        digest: digest.as_ref().to_vec(),
    }
}
