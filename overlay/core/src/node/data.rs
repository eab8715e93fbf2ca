//! The storage methods at the peer that stores (RFC 6940 §7.4).

use std::collections::BTreeSet;

use super::requests::{Response, invalid};
use super::{Node, REPLICAS};
use crate::config::DataModel;
use crate::event::DropReason;
use crate::id::NodeId;
use crate::record::{StoreChange, StoredRecord};
use crate::ring::Position;
use crate::seam::Output;
use crate::storage::{GroupKey, Selection, Write};
use crate::timers::Timer;
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::storage::{
    DataSpecifier, FetchAns, FindAns, FindKindData, FindReq, LAST_INDEX, ModelSpecifier,
    SpecifierReq, StatAns, StoreReq,
};

impl Node {
    /// Store.
    pub(super) fn on_store_request(
        &mut self,
        signer: NodeId,
        request: &StoreReq,
    ) -> Result<Body, ErrorResponse> {
        let trusted = self.check_store_place(signer, request)?;
        // 6940-10.4-01 6940-10.4-06 6940-10.4-07
        self.write(request, signer, trusted)?;
        let replicas = if request.replica_number == 0 {
            self.replica_set().to_vec()
        } else {
            Vec::new()
        };
        // 6940-7.4.1.2-01
        let answer = self.store.store_answer(request, &replicas);
        for data in &request.kinds {
            self.review_group((request.resource, data.kind));
        }
        self.pump_copies();
        Ok(Body::StoreAns(answer))
    }

    /// §7.4.1.1: an original only where we are responsible; a replica where we expect to hold
    /// one, from a peer that is in the replica set or nearer. Returns whether the sender is.
    ///
    /// Departure: where we are responsible, replicas come from any peer, so that values reach
    /// the right node when rings merge; but then they replace nobody else's value.
    fn check_store_place(&self, signer: NodeId, request: &StoreReq) -> Result<bool, ErrorResponse> {
        let position = Position::from(request.resource);
        let responsible = self.is_responsible(position);
        // 6940-7.4.1.1-06
        if request.replica_number == 0 {
            let why = "not responsible for this resource";
            let error = || ErrorResponse::new(ErrorCode::NOT_FOUND, why);
            return responsible.then_some(false).ok_or_else(error);
        }
        let admitted = self.is_admitted_by(signer);
        // 6940-7.4.1.1-07 6940-7.4.1.1-08 6940-7.4.1.1-14 6940-7.4.1.1-15 6940-10.4-05
        let plausible = admitted || self.rank(position, signer) <= REPLICAS;
        let expected = admitted || responsible || self.rank(position, self.id) <= REPLICAS;
        if expected && (plausible || responsible) {
            Ok(plausible)
        } else {
            let why = "no replica of this resource is expected here from that node";
            Err(ErrorResponse::new(ErrorCode::FORBIDDEN, why))
        }
    }

    /// Carries out a Store and has its changes persisted.
    pub(super) fn write(
        &mut self,
        request: &StoreReq,
        signer: NodeId,
        trusted_replica: bool,
    ) -> Result<(), ErrorResponse> {
        let write = Write {
            request,
            signer,
            trusted_replica,
            config: &self.config,
            security: &self.security,
            now: self.now,
            wall_ms: self.wall_ms,
        };
        let changes = self.store.write(&write)?;
        self.persist(changes);
        for data in &request.kinds {
            self.schedule_expiry_of(&(request.resource, data.kind));
        }
        Ok(())
    }

    /// Fetch.
    pub(super) fn on_fetch_request(&self, request: &SpecifierReq) -> Response {
        match self.select(request) {
            Ok(selections) => {
                let kinds = selections.iter().map(Selection::fetched).collect();
                let certificates = selections.into_iter().flat_map(|one| one.certificates);
                (Body::FetchAns(FetchAns { kinds }), certificates.collect())
            }
            Err(error) => (Body::Error(error), Vec::new()),
        }
    }

    /// Stat.
    pub(super) fn on_stat_request(&self, request: &SpecifierReq) -> Result<Body, ErrorResponse> {
        let selections = self.select(request)?;
        let kinds = selections.iter().map(Selection::stat).collect();
        Ok(Body::StatAns(StatAns { kinds }))
    }

    fn select(&self, request: &SpecifierReq) -> Result<Vec<Selection>, ErrorResponse> {
        self.store.select(request, &self.config, self.now)
    }

    /// Find (§7.4.4).
    pub(super) fn on_find_request(&self, request: &FindReq) -> Result<Body, ErrorResponse> {
        // 6940-7.4.4.2-02
        if !self.is_responsible(request.resource.into()) {
            return Err(ErrorResponse::new(ErrorCode::NOT_FOUND, "not responsible"));
        }
        let distinct: BTreeSet<_> = request.kinds.iter().collect();
        // 6940-7.4.4.1-03
        if distinct.len() != request.kinds.len() {
            return Err(invalid("a Kind appears twice"));
        }
        // An unknown Kind, and one without resources here, has "0" as closest Resource-ID.
        // 6940-7.4.4.2-03 6940-7.4.4.2-05
        let results = request.kinds.iter().map(|kind| FindKindData {
            kind: *kind,
            closest: self
                .store
                .nearest(request.resource, *kind, self.now)
                .unwrap_or(FindKindData::NONE),
        });
        Ok(Body::FindAns(FindAns {
            results: results.collect(),
        }))
    }

    /// A Fetch of all values of a group.
    pub(super) fn fetch_all(&mut self, key: GroupKey) -> Option<SpecifierReq> {
        let specifier = match self.config.kind(key.1)?.model {
            DataModel::Single => ModelSpecifier::Single,
            DataModel::Array => ModelSpecifier::Ranges(vec![(0, LAST_INDEX)]),
            DataModel::Dictionary => ModelSpecifier::Keys(Vec::new()),
        };
        let model_specifier = self.encoded(&specifier);
        Some(SpecifierReq {
            resource: key.0,
            specifiers: vec![DataSpecifier {
                kind: key.1,
                generation: 0,
                model_specifier,
            }],
        })
    }

    /// A record of the persistent store.
    pub(super) fn on_restore(&mut self, record: &StoredRecord) {
        match self.store.restore(record, self.now, self.wall_ms) {
            Some(key) => self.schedule_expiry_of(&key),
            None => {
                self.drop_message(DropReason::BadRecord, self.id);
                let key = record.key.clone();
                self.persist(vec![StoreChange::Delete { key }]);
            }
        }
    }

    /// Some value has expired.
    pub(super) fn on_expiry_timer(&mut self) {
        let changes = self.store.expire(self.now);
        self.persist(changes);
        self.schedule_expiry();
    }

    /// Has the next value expire in time.
    pub(super) fn schedule_expiry(&mut self) {
        if let Some(at) = self.store.next_expiry() {
            self.timers.set(Timer::Expiry, at);
        }
    }

    pub(super) fn persist(&mut self, changes: Vec<StoreChange>) {
        self.outputs
            .extend(changes.into_iter().map(Output::Persist));
    }
}
