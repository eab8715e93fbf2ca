//! Copies of values at other peers: replicas, hand-over, moves after a change of the ring
//! (RFC 6940 §7.4.1.1, §10.4, §10.7.3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use hip_wire::time::Instant;

use super::transactions::{Outcome, Purpose};
use super::{Node, REPLICAS};
use crate::event::DropReason;
use crate::id::NodeId;
use crate::ring::Position;
use crate::security::Certificate;
use crate::status::NodeState;
use crate::storage::GroupKey;
use crate::timers::Timer;
use crate::wire::Encode;
use crate::wire::body::{Body, ErrorCode};
use crate::wire::header::Destination;
use crate::wire::storage::{KindData, StoreReq, StoredData};

/// Groups being copied at the same time.
const MAX_RUNNING: usize = 32;
/// Room left in a message for header, lists, own certificate and signature.
const MESSAGE_OVERHEAD: usize = 1600;

/// Where a copy goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum CopyTarget {
    /// To this peer.
    Peer(NodeId),
    /// To whoever is responsible.
    Responsible,
}

/// A group to be copied somewhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct CopyJob {
    key: GroupKey,
    target: CopyTarget,
}

impl CopyJob {
    /// The peer it is for.
    pub(super) const fn peer(&self) -> Option<NodeId> {
        match self.target {
            CopyTarget::Peer(peer) => Some(peer),
            CopyTarget::Responsible => None,
        }
    }
}

/// How far a copy is.
#[derive(Debug)]
struct Progress {
    /// Messages not answered yet.
    open: usize,
    /// Version of the group that is copied.
    version: u64,
    /// Some message was refused or lost.
    failed: bool,
}

/// All copying that goes on.
#[derive(Debug, Default)]
pub(super) struct Copies {
    queue: VecDeque<CopyJob>,
    queued: BTreeSet<CopyJob>,
    running: BTreeMap<CopyJob, Progress>,
    /// Peers known when a replica holder was lost: they have to wait for better ones.
    held_back: BTreeSet<NodeId>,
}

impl Copies {
    /// Whether anything is being copied to a peer.
    pub(super) fn is_busy_with(&self, peer: NodeId) -> bool {
        let mut jobs = self.queued.iter().chain(self.running.keys());
        jobs.any(|job| job.target == CopyTarget::Peer(peer))
    }

    /// Whether anything is being copied.
    pub(super) fn is_busy(&self) -> bool {
        !self.queued.is_empty() || !self.running.is_empty()
    }

    fn push(&mut self, job: CopyJob) {
        if !self.running.contains_key(&job) && self.queued.insert(job) {
            self.queue.push_back(job);
        }
    }
}

impl Node {
    /// Looks at everything stored in the light of the present tables.
    pub(super) fn review_storage(&mut self) {
        let hold_over = self.timers_hold_down_over();
        if hold_over {
            self.copies.held_back.clear();
        }
        let keys: Vec<GroupKey> = self.store.keys().copied().collect();
        for key in keys {
            self.review_group(key);
        }
        self.pump_copies();
    }

    /// Decides what has to be done about one group: replicate, hand on, or forget it.
    pub(super) fn review_group(&mut self, key: GroupKey) {
        if !self.is_member() {
            return;
        }
        let position = Position::from(key.0);
        if self.is_responsible(position) {
            self.replicate(key, position);
            return;
        }
        let owner = self.presumed_owner(position);
        let beyond_replicas = self.rank(position, self.id) > REPLICAS;
        let Some(group) = self.store.group_mut(&key) else {
            return;
        };
        // 6940-6.4.2.3-02
        if group.owned {
            // §6.4.2.3: no longer responsible: the right node has to have it.
            if owner.is_some_and(|owner| group.copies.contains(&owner)) {
                group.owned = false;
            } else {
                let target = CopyTarget::Responsible;
                self.copies.push(CopyJob { key, target });
                return;
            }
        }
        // Who has copies is the owner's to know; what we knew will be stale when we own it again.
        group.copies.clear();
        // 6940-10.7.3-08 6940-10.5-10
        if beyond_replicas && self.state == NodeState::Joined {
            // §10.7.3: three predecessors between us and the resource: no replica any more.
            let changes = self.store.remove_group(&key);
            self.persist(changes);
        }
    }

    /// §10.4: the responsible node sends its values to its two successors; and to a peer that
    /// is just joining in front of it, so that nothing stored meanwhile is missed.
    // 6940-10.4-02 6940-10.7.3-06
    fn replicate(&mut self, key: GroupKey, position: Position) {
        let mut targets = self.replica_set().to_vec();
        if self.is_handed_over(position) {
            targets.extend(self.handover.map(|handover| handover.peer));
        }
        let Some(group) = self.store.group_mut(&key) else {
            return;
        };
        group.owned = true;
        group.copies.retain(|peer| targets.contains(peer));
        let missing = targets
            .into_iter()
            .filter(|peer| !group.copies.contains(peer));
        for peer in missing {
            if !self.copies.held_back.contains(&peer) {
                let target = CopyTarget::Peer(peer);
                self.copies.push(CopyJob { key, target });
            }
        }
    }

    /// Copies a group to a peer.
    pub(super) fn copy_to_peer(&mut self, key: GroupKey, peer: NodeId) {
        let target = CopyTarget::Peer(peer);
        self.copies.push(CopyJob { key, target });
        self.pump_copies();
    }

    /// §10.7.1: a replica holder was lost: those that move up wait for the hold-down time, in
    /// which an Update may tell of a better match.
    pub(super) fn hold_down(&mut self) {
        let held: Vec<NodeId> = self
            .ready_peers()
            .filter(|peer| !self.replica_set().contains(peer))
            .collect();
        self.copies.held_back.extend(held);
        // 6940-10.7.1-03
        let end = self.now + self.config.hold_down;
        self.timers.set(Timer::HoldDown, end);
    }

    fn timers_hold_down_over(&self) -> bool {
        !self.timers.is_running(Timer::HoldDown)
    }

    /// A peer is gone, and with it the copies it had.
    pub(super) fn forget_copies(&mut self, peer: NodeId) {
        for (_, group) in self.store.groups_mut() {
            group.copies.remove(&peer);
        }
        let for_peer = |job: &CopyJob| job.target == CopyTarget::Peer(peer);
        self.copies.queue.retain(|job| !for_peer(job));
        self.copies.queued.retain(|job| !for_peer(job));
        self.copies.held_back.remove(&peer);
    }

    /// Starts as many copies as may run at once.
    pub(super) fn pump_copies(&mut self) {
        while self.copies.running.len() < MAX_RUNNING {
            let Some(job) = self.copies.queue.pop_front() else {
                break;
            };
            self.copies.queued.remove(&job);
            self.start_copy(job);
        }
    }

    fn start_copy(&mut self, job: CopyJob) {
        let position = Position::from(job.key.0);
        if job.target == CopyTarget::Responsible && self.is_responsible(position) {
            return self.review_group(job.key);
        }
        let Some((generation, version, chunks)) = self.chunks(&job.key) else {
            return;
        };
        let progress = Progress {
            open: chunks.len(),
            version,
            failed: false,
        };
        self.copies.running.insert(job, progress);
        // 6940-10.4-03: one more for each successor; 7.4.1.1: never 0, for it is not the writer
        // who stores (pitfall 21).
        let successors = self.replica_set().iter();
        let place = successors
            .take_while(|peer| job.peer() != Some(**peer))
            .count();
        let replica_number = u8::try_from(place % REPLICAS + 1).unwrap_or(1);
        for (values, certificates) in chunks {
            let body = Body::StoreReq(StoreReq {
                resource: job.key.0,
                replica_number,
                kinds: vec![KindData {
                    kind: job.key.1,
                    generation,
                    values,
                }],
            });
            let destination = match job.target {
                // 6940-10.4-04
                CopyTarget::Peer(peer) => Destination::Node(peer),
                CopyTarget::Responsible => Destination::Resource(job.key.0),
            };
            let purpose = Purpose::Copy(job);
            if !self.request_with(vec![destination], &body, purpose, None, &certificates) {
                self.on_copy_outcome(job, Outcome::NoAnswer);
            }
        }
    }

    /// The live values of a group in portions that fit a message, with their certificates.
    #[allow(clippy::type_complexity)] // one use, spelled out
    fn chunks(&self, key: &GroupKey) -> Option<(u64, u64, Vec<(Vec<u8>, Vec<Arc<Certificate>>)>)> {
        let group = self.store.group(key)?;
        let room = self
            .config
            .max_message_size
            .saturating_sub(MESSAGE_OVERHEAD);
        let mut chunks: Vec<(Vec<u8>, Vec<Arc<Certificate>>)> = Vec::new();
        let mut used = usize::MAX;
        let live = group
            .values
            .values()
            .filter(|value| value.expires > self.now);
        for value in live {
            let bytes = value.aged(self.now).to_bytes().ok()?;
            let cost = bytes.len() + value.certificate.der.len() + 3;
            if used.saturating_add(cost) > room {
                chunks.push((Vec::new(), Vec::new()));
                used = 0;
            }
            used += cost;
            if let Some((values, certificates)) = chunks.last_mut() {
                values.extend(bytes);
                certificates.push(Arc::clone(&value.certificate));
            }
        }
        (!chunks.is_empty()).then_some((group.generation, group.version, chunks))
    }

    /// What became of a message of a copy.
    pub(super) fn on_copy_outcome(&mut self, job: CopyJob, outcome: Outcome) {
        let mut holder = job.peer();
        let mut failed = true;
        match outcome {
            Outcome::Answer { signer, .. } => {
                holder = Some(signer);
                failed = false;
            }
            // §7.4.1.1: the other one has newer data: get it.
            Outcome::Refused { signer, error }
                if error.code == ErrorCode::DATA_TOO_OLD
                    || error.code == ErrorCode::GENERATION_COUNTER_TOO_LOW =>
            {
                // 6940-7.4.1.1-30 6940-7.4.1.1-31
                self.fetch_newer(job.key, signer);
            }
            Outcome::Refused { signer, .. } => {
                self.drop_message(DropReason::ReplicaRefused, signer);
            }
            Outcome::NoAnswer => {}
        }
        let Some(progress) = self.copies.running.get_mut(&job) else {
            return;
        };
        progress.open = progress.open.saturating_sub(1);
        progress.failed |= failed;
        if progress.open > 0 {
            return;
        }
        if let Some(done) = self.copies.running.remove(&job)
            && !done.failed
        {
            self.note_copy(job, done.version, holder);
        }
        self.pump_copies();
        self.check_handover();
        self.check_leaving();
    }

    fn note_copy(&mut self, job: CopyJob, version: u64, holder: Option<NodeId>) {
        let responsible = self.is_responsible(job.key.0.into());
        let Some(group) = self.store.group_mut(&job.key) else {
            return;
        };
        if group.version == version {
            group.copies.extend(holder);
            if job.target == CopyTarget::Responsible && !responsible {
                group.owned = false;
            }
        }
        self.review_group(job.key);
    }

    /// Asks a peer for all values of a group.
    fn fetch_newer(&mut self, key: GroupKey, from: NodeId) {
        let pending =
            self.is_requesting(|purpose| matches!(purpose, Purpose::Newer(of) if *of == key));
        if pending || from == self.id {
            return;
        }
        if let Some(body) = self.fetch_all(key) {
            let destinations = vec![Destination::Node(from)];
            self.request(
                destinations,
                &Body::FetchReq(body),
                Purpose::Newer(key),
                None,
            );
        }
    }

    /// Newer values have come, or not: take over those that are newer than ours.
    pub(super) fn on_newer_outcome(&mut self, key: GroupKey, outcome: Outcome) {
        let Outcome::Answer {
            body: Body::FetchAns(answer),
            ..
        } = outcome
        else {
            return;
        };
        let Some(model) = self.config.kind(key.1).map(|kind| kind.model) else {
            return;
        };
        let Some(data) = answer.kinds.into_iter().find(|data| data.kind == key.1) else {
            return;
        };
        let Ok(values) = StoredData::decode_list(model, &data.values) else {
            return self.drop_message(DropReason::Malformed, self.id);
        };
        let mut newer = values;
        newer.retain(|value| self.is_newer(&key, value));
        let mut bytes = Vec::new();
        for value in &newer {
            bytes.extend(self.encoded(value));
        }
        let request = StoreReq {
            resource: key.0,
            replica_number: 1,
            kinds: vec![KindData {
                kind: key.1,
                generation: data.generation.max(1),
                values: bytes,
            }],
        };
        if !newer.is_empty() && self.write(&request, self.id, true).is_err() {
            self.drop_message(DropReason::BadValue, self.id);
        }
        self.review_group(key);
        self.pump_copies();
    }

    fn is_newer(&self, key: &GroupKey, value: &StoredData) -> bool {
        let held = self
            .store
            .group(key)
            .and_then(|group| group.values.get(&value.place));
        value.lifetime > 0 && held.is_none_or(|held| held.data.storage_time < value.storage_time)
    }

    /// Has the values expire in time.
    pub(super) fn schedule_expiry_of(&mut self, key: &GroupKey) {
        let group = self.store.group(key);
        let first: Option<Instant> =
            group.and_then(|group| group.values.values().map(|value| value.expires).min());
        if let Some(at) = first {
            self.timers.set_at_latest(Timer::Expiry, at);
        }
    }
}
