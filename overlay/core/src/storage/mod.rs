//! The values a peer holds: its own share and replicas (RFC 6940 §7).
//!
//! Pure bookkeeping: who may send what is decided by the node, the rules of a Store, Fetch,
//! Stat and Find are applied here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hip_wire::time::Instant;

use crate::config::{KindId, Limits};
use crate::id::{NodeId, ResourceId};
use crate::record::{StoreChange, StoredRecord};
use crate::ring::Position;
use crate::security::Certificate;
use crate::wire::storage::{Place, StoredData};

mod read;
mod record;
mod write;

pub(crate) use read::Selection;
pub(crate) use write::Write;

/// Key of a group: all values of one Kind at one resource.
pub(crate) type GroupKey = (ResourceId, KindId);

/// A value held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Value {
    /// The value as it was stored; its lifetime counts from then.
    pub(crate) data: StoredData,
    /// Certificate of its signer, kept as long as the value (RFC 6940 §6.3.4).
    pub(crate) certificate: Arc<Certificate>,
    /// When it ceases to be.
    pub(crate) expires: Instant,
}

impl Value {
    /// Who wrote it.
    pub(crate) fn signer(&self) -> NodeId {
        self.certificate.node
    }

    /// The value with the lifetime it has left.
    // RFC 6940 §7.4.1.1: the lifetime goes down by the time the value was held.
    // 6940-7.4.1.1-28 6940-7.4.1.1-29
    pub(crate) fn aged(&self, now: Instant) -> StoredData {
        let left = self.expires.saturating_duration_since(now).as_secs();
        StoredData {
            lifetime: u32::try_from(left).unwrap_or(u32::MAX),
            ..self.data.clone()
        }
    }

    fn octets(&self) -> usize {
        let key = match &self.data.place {
            Place::Key(key) => key.len(),
            Place::Single | Place::Index(_) => 0,
        };
        key + self.data.value.as_ref().map_or(0, Vec::len)
    }
}

/// The values of one Kind at one resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// Generation counter (RFC 6940 §7.4.1.1).
    pub(crate) generation: u64,
    /// Values by place; expired ones may linger until the next sweep.
    pub(crate) values: BTreeMap<Place, Value>,
    /// This node answers, or has to find the node that does.
    pub(crate) owned: bool,
    /// Peers known to hold the group as it is now.
    pub(crate) copies: BTreeSet<NodeId>,
    /// Goes up with every change.
    pub(crate) version: u64,
}

/// All values held.
#[derive(Debug, Default)]
pub(crate) struct Store {
    groups: BTreeMap<GroupKey, Group>,
    values: usize,
    octets: usize,
}

impl Store {
    /// The group with this key.
    pub(crate) fn group(&self, key: &GroupKey) -> Option<&Group> {
        self.groups.get(key)
    }

    /// The group with this key, to note ownership and copies.
    pub(crate) fn group_mut(&mut self, key: &GroupKey) -> Option<&mut Group> {
        self.groups.get_mut(key)
    }

    /// All groups, to note ownership and copies.
    pub(crate) fn groups_mut(&mut self) -> impl Iterator<Item = (&GroupKey, &mut Group)> {
        self.groups.iter_mut()
    }

    /// Keys of all groups.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &GroupKey> {
        self.groups.keys()
    }

    /// Number of values held.
    pub(crate) const fn value_count(&self) -> usize {
        self.values
    }

    /// Number of resources held.
    pub(crate) fn resource_count(&self) -> usize {
        let resources: BTreeSet<_> = self.groups.keys().map(|(resource, _)| resource).collect();
        resources.len()
    }

    /// When the first value expires.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let values = self.groups.values().flat_map(|group| group.values.values());
        values.map(|value| value.expires).min()
    }

    /// Removes what has expired.
    // 6940-7-07
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<StoreChange> {
        let mut gone = Vec::new();
        for (key, group) in &self.groups {
            let expired = group
                .values
                .iter()
                .filter(|(_, value)| value.expires <= now);
            gone.extend(expired.map(|(place, _)| (*key, place.clone())));
        }
        gone.into_iter()
            .map(|(key, place)| self.remove(&key, &place))
            .collect()
    }

    /// Removes a whole group.
    pub(crate) fn remove_group(&mut self, key: &GroupKey) -> Vec<StoreChange> {
        let places: Vec<Place> = self
            .groups
            .get(key)
            .map(|group| group.values.keys().cloned().collect())
            .unwrap_or_default();
        places.iter().map(|place| self.remove(key, place)).collect()
    }

    /// The resource nearest clockwise to `from` that has an existing value of this Kind.
    pub(crate) fn nearest(
        &self,
        from: ResourceId,
        kind: KindId,
        now: Instant,
    ) -> Option<ResourceId> {
        let from = Position::from(from);
        self.groups
            .iter()
            .filter(|((_, candidate), group)| {
                let mut values = group.values.values();
                *candidate == kind
                    && values.any(|value| value.data.value.is_some() && value.expires > now)
            })
            .map(|((resource, _), _)| *resource)
            .min_by_key(|resource| from.distance_to(Position::from(*resource)))
    }

    /// Takes a persisted record; `wall_ms` is the wall clock now.
    pub(crate) fn restore(
        &mut self,
        record: &StoredRecord,
        now: Instant,
        wall_ms: u64,
    ) -> Option<GroupKey> {
        let (key, restored) = record::decode(record)?;
        let left = restored
            .expires_wall_ms
            .checked_sub(wall_ms)
            .filter(|left| *left > 0)?;
        let value = Value {
            data: restored.data,
            certificate: Arc::new(restored.certificate),
            expires: now + Duration::from_millis(left),
        };
        let group = self.groups.entry(key).or_default();
        group.generation = group.generation.max(restored.generation);
        // The ring may have changed meanwhile: offer it to whoever is responsible now.
        group.owned = true;
        self.put(key, value);
        Some(key)
    }

    /// The record of a value, for the persistent store.
    fn persisted(&self, key: &GroupKey, value: &Value, now: Instant, wall_ms: u64) -> StoreChange {
        let generation = self.groups.get(key).map_or(0, |group| group.generation);
        let left = value.expires.saturating_duration_since(now).as_millis();
        let expires_wall_ms = wall_ms.saturating_add(u64::try_from(left).unwrap_or(u64::MAX));
        StoreChange::Put(record::encode(key, value, generation, expires_wall_ms))
    }

    // 6940-7.2.1-01 6940-7.2.3-01 6940-7.4.1.1-33 6940-7.4.1.3-03
    fn put(&mut self, key: GroupKey, value: Value) {
        let group = self.groups.entry(key).or_default();
        group.version += 1;
        group.copies.clear();
        self.values += 1;
        self.octets += value.octets();
        if let Some(old) = group.values.insert(value.data.place.clone(), value) {
            self.values -= 1;
            self.octets -= old.octets();
        }
    }

    fn remove(&mut self, key: &GroupKey, place: &Place) -> StoreChange {
        if let Some(group) = self.groups.get_mut(key) {
            if let Some(old) = group.values.remove(place) {
                self.values -= 1;
                self.octets -= old.octets();
            }
            if group.values.is_empty() {
                self.groups.remove(key);
            }
        }
        StoreChange::Delete {
            key: record::key(key, place),
        }
    }

    /// Whether `more` values of together `octets` fit the bounds.
    fn has_room(&self, limits: &Limits, more: usize, octets: usize) -> bool {
        self.values + more <= limits.stored_values && self.octets + octets <= limits.stored_octets
    }
}

#[cfg(test)]
mod tests;
