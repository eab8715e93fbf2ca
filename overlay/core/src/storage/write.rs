//! The rules of a Store (RFC 6940 §7.4.1.1).

use std::collections::BTreeSet;
use std::time::Duration;

use hip_wire::time::Instant;

use super::{Group, GroupKey, Store, Value};
use crate::config::{KindDescription, KindId, NodeConfig};
use crate::id::NodeId;
use crate::record::StoreChange;
use crate::security::Security;
use crate::wire::body::{ErrorCode, ErrorResponse};
use crate::wire::storage::{
    KindData, LAST_INDEX, Place, StoreAns, StoreKindResponse, StoreReq, StoredData,
};
use crate::wire::{Encode, Writer};

/// A Store request with what the checks need to know of it.
pub(crate) struct Write<'a> {
    /// The request.
    pub(crate) request: &'a StoreReq,
    /// Who signed the request.
    pub(crate) signer: NodeId,
    /// Whether a replica may replace a value of another writer: only from a peer that may well
    /// have been responsible.
    pub(crate) trusted_replica: bool,
    /// The overlay's Kinds and bounds.
    pub(crate) config: &'a NodeConfig,
    /// To check signatures.
    pub(crate) security: &'a Security,
    /// Now.
    pub(crate) now: Instant,
    /// Now in milliseconds since 1970.
    pub(crate) wall_ms: u64,
}

/// Why a Store was refused.
pub(crate) type StoreError = ErrorResponse;

/// What a Store will do to one group.
struct Plan {
    key: GroupKey,
    generation: u64,
    values: Vec<Value>,
}

impl Store {
    /// Carries out a Store, all of it or nothing; returns what to persist.
    // RFC 6940 §7.4.1.1: atomic; every check comes before the first change.
    // 6940-7.4.1.1-03 6940-7.4.1.1-04
    pub(crate) fn write(&mut self, write: &Write<'_>) -> Result<Vec<StoreChange>, StoreError> {
        write.check_kinds()?;
        let plans = write
            .request
            .kinds
            .iter()
            .map(|data| self.plan(write, data))
            .collect::<Result<Vec<_>, _>>()?;
        let added: usize = plans.iter().map(|plan| plan.values.len()).sum();
        let octets = plans
            .iter()
            .flat_map(|plan| &plan.values)
            .map(Value::octets)
            .sum();
        if !self.has_room(&write.config.limits, added, octets) {
            return Err(ErrorResponse::new(
                ErrorCode::DATA_TOO_LARGE,
                "this peer is full",
            ));
        }
        Ok(plans
            .into_iter()
            .flat_map(|plan| self.apply(write, plan))
            .collect())
    }

    /// The answer to a Store that was carried out.
    pub(crate) fn store_answer(&self, request: &StoreReq, replicas: &[NodeId]) -> StoreAns {
        let generation = |kind: KindId| self.generation(&(request.resource, kind));
        let kinds = request.kinds.iter().map(|data| StoreKindResponse {
            kind: data.kind,
            generation: generation(data.kind),
            replicas: replicas.to_vec(),
        });
        StoreAns {
            kinds: kinds.collect(),
        }
    }

    /// The generation counter of a group, 0 when there is none.
    pub(crate) fn generation(&self, key: &GroupKey) -> u64 {
        self.groups.get(key).map_or(0, |group| group.generation)
    }

    fn plan(&self, write: &Write<'_>, data: &KindData) -> Result<Plan, StoreError> {
        let key = (write.request.resource, data.kind);
        let kind = write
            .config
            .kind(data.kind)
            .ok_or_else(|| unknown_kinds(&[data.kind]))?;
        let incoming = StoredData::decode_list(kind.model, &data.values)
            .map_err(|error| invalid(&error.to_string()))?;
        let empty = Group::default();
        let group = self.groups.get(&key).unwrap_or(&empty);
        let mut values: Vec<Value> = Vec::new();
        for item in incoming {
            let value = write.authenticate(item, kind, group, &values)?;
            values.extend(write.judge(value, kind, group, &values)?);
        }
        // 6940-7.4.1.1-16 6940-7.4.1.1-17 6940-7.4.1.2-04
        if write.is_original() && data.generation != 0 && data.generation != group.generation {
            return Err(self.generation_too_low(write.request));
        }
        write.check_count(kind, group, &values)?;
        let generation = if !write.is_original() {
            // §7.4.1.1: a replica takes over the counter of the message, unchecked.
            // 6940-7.4.1.1-18 6940-7.4.1.1-19
            data.generation
        } else if values.is_empty() {
            group.generation
        } else {
            // 6940-7.4.1.1-25 6940-7.4.1.1-26 6940-7.4.1.1-27
            // Replicas choose the counter, so it may be at its end; 0 says that there is nothing.
            group.generation.checked_add(1).unwrap_or(1)
        };
        Ok(Plan {
            key,
            generation,
            values,
        })
    }

    fn apply(&mut self, write: &Write<'_>, plan: Plan) -> Vec<StoreChange> {
        if plan.values.is_empty() {
            return Vec::new();
        }
        self.groups.entry(plan.key).or_default().generation = plan.generation;
        let mut changes = Vec::new();
        for value in plan.values {
            changes.push(self.persisted(&plan.key, &value, write.now, write.wall_ms));
            self.put(plan.key, value);
        }
        changes
    }

    // RFC 6940 §7.4.1.2: error_info is a StoreAns with the right counters and no replicas.
    // 6940-7.4.1.2-05
    fn generation_too_low(&self, request: &StoreReq) -> StoreError {
        ErrorResponse {
            code: ErrorCode::GENERATION_COUNTER_TOO_LOW,
            info: self
                .store_answer(request, &[])
                .to_bytes()
                .unwrap_or_default(),
        }
    }
}

impl Write<'_> {
    const fn is_original(&self) -> bool {
        self.request.replica_number == 0
    }

    fn check_kinds(&self) -> Result<(), StoreError> {
        let kinds = &self.request.kinds;
        let distinct: BTreeSet<_> = kinds.iter().map(|data| data.kind).collect();
        // §7.4.1.1: the same Kind-ID not twice in a request.
        // 6940-7.4.1.1-02
        if distinct.len() != kinds.len() {
            return Err(invalid("a Kind appears twice"));
        }
        let unknown: Vec<KindId> = distinct
            .into_iter()
            .filter(|kind| self.config.kind(*kind).is_none())
            .collect();
        // 6940-7.4.1.1-09 6940-7.4.1.1-10
        if !unknown.is_empty() {
            return Err(unknown_kinds(&unknown));
        }
        // §7.4.1.1: replica Stores never have a generation counter of 0.
        // 6940-7.4.1.1-20
        if !self.is_original() && kinds.iter().any(|data| data.generation == 0) {
            return Err(invalid("a replica without generation counter"));
        }
        Ok(())
    }

    /// Checks signature and access policy; gives the value its place and its end.
    fn authenticate(
        &self,
        mut data: StoredData,
        kind: &KindDescription,
        group: &Group,
        planned: &[Value],
    ) -> Result<Value, StoreError> {
        let resource = &self.request.resource;
        // 6940-7.4.1.1-11 6940-13.5.1-02
        let verified = self
            .security
            .verify_data(resource, kind.id, &data)
            .map_err(|_| forbidden("a value's signature does not hold"))?;
        // 6940-7.4.1.1-13 6940-7.3-02
        if self.is_original() && verified.signer() != self.signer {
            return Err(forbidden(
                "the request is not signed by the writer of the value",
            ));
        }
        // 6940-7.4.1.1-32
        if data.place == Place::Index(LAST_INDEX) {
            data.place = Place::Index(next_index(group, planned));
        }
        let lifetime = Duration::from_secs(u64::from(data.lifetime));
        Ok(Value {
            data,
            certificate: verified.certificate().clone(),
            expires: self.now + lifetime.min(self.config.limits.lifetime),
        })
    }

    /// Compares with the value there is: `None` when it is the very same one.
    fn judge(
        &self,
        value: Value,
        kind: &KindDescription,
        group: &Group,
        planned: &[Value],
    ) -> Result<Option<Value>, StoreError> {
        self.check_size(&value, kind)?;
        let same_place = |held: &&Value| held.data.place == value.data.place;
        let held = planned.iter().rev().find(same_place).or_else(|| {
            let held = group.values.get(&value.data.place)?;
            (held.expires > self.now).then_some(held)
        });
        let Some(held) = held else {
            return Ok(Some(value));
        };
        // First signer: whoever wrote the place first owns it until the value expires.
        // 6940-7.3-01 6940-7.4.1.1-12
        let may_replace = self.trusted_replica && !self.is_original();
        if held.signer() != value.signer() && !may_replace {
            return Err(forbidden("another node has written there"));
        }
        let (new, old) = (&value.data, &held.data);
        // 6940-7-03 6940-7-05 6940-7.4.1.1-21 6940-13.5.3-02
        if new.storage_time > old.storage_time {
            return Ok(Some(value));
        }
        // Pitfall 24: the same value again is a success without change, older is refused.
        let same = new.storage_time == old.storage_time
            && new.value == old.value
            && held.signer() == value.signer();
        if same {
            return Ok(None);
        }
        Err(ErrorResponse::new(
            ErrorCode::DATA_TOO_OLD,
            "a newer value is stored there",
        ))
    }

    // 6940-7.4.1.1-22 6940-7.4.1.2-07 6940-13.5.2-01
    fn check_size(&self, value: &Value, kind: &KindDescription) -> Result<(), StoreError> {
        let size = value.octets();
        let index_fits = match &value.data.place {
            Place::Index(index) => *index < kind.max_count,
            Place::Single | Place::Key(_) => true,
        };
        if size > usize::try_from(kind.max_size).unwrap_or(usize::MAX) {
            return Err(too_large(&format!(
                "{size} octets, {} is the most for this Kind",
                kind.max_size
            )));
        }
        if !index_fits {
            return Err(too_large(&format!(
                "array indices are below {}",
                kind.max_count
            )));
        }
        Ok(())
    }

    fn check_count(
        &self,
        kind: &KindDescription,
        group: &Group,
        planned: &[Value],
    ) -> Result<(), StoreError> {
        let live = group
            .values
            .values()
            .filter(|value| value.expires > self.now);
        let places: BTreeSet<&Place> = live.chain(planned).map(|value| &value.data.place).collect();
        if places.len() > usize::try_from(kind.max_count).unwrap_or(usize::MAX) {
            return Err(too_large(&format!(
                "more than {} values of this Kind",
                kind.max_count
            )));
        }
        Ok(())
    }
}

/// The index after the last (RFC 6940 §7.4.1.1, append).
fn next_index(group: &Group, planned: &[Value]) -> u32 {
    let places = planned.iter().map(|value| &value.data.place);
    let last = places
        .chain(group.values.keys())
        .filter_map(|place| match place {
            Place::Index(index) => Some(*index),
            Place::Single | Place::Key(_) => None,
        });
    last.max().map_or(0, |index| index.saturating_add(1))
}

fn invalid(why: &str) -> StoreError {
    ErrorResponse::new(ErrorCode::INVALID_MESSAGE, why)
}

fn forbidden(why: &str) -> StoreError {
    ErrorResponse::new(ErrorCode::FORBIDDEN, why)
}

fn too_large(why: &str) -> StoreError {
    ErrorResponse::new(ErrorCode::DATA_TOO_LARGE, why)
}

/// Error_Unknown_Kind; error_info lists the Kinds (RFC 6940 §7.4.1.2).
// 6940-7.4.1.2-08 6940-7.4.1.2-09
pub(crate) fn unknown_kinds(kinds: &[KindId]) -> ErrorResponse {
    let mut info = Writer::new();
    info.list(1, kinds);
    ErrorResponse {
        code: ErrorCode::UNKNOWN_KIND,
        info: info.finish().unwrap_or_default(),
    }
}
