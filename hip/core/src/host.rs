//! The host: finds the association a packet belongs to, answers I1s without state.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hip_crypto::identity::HostIdentity;
use hip_crypto::rng::Rng;
use hip_wire::hit::Hit;
use hip_wire::time::Instant;

use crate::access::AccessPolicy;
use crate::config::HostConfig;
use crate::input::Input;
use crate::output::Output;
use crate::stats::Stats;
use crate::status::AssociationView;

/// One HIP host with one Host Identity.
pub struct Host {
    config: HostConfig,
    identity: Arc<HostIdentity>,
    rng: Box<dyn Rng>,
    outputs: VecDeque<Output>,
    stats: Stats,
    views: BTreeMap<Hit, AssociationView>,
}

impl Host {
    /// A host that has no associations yet.
    pub fn new(config: HostConfig, identity: Arc<HostIdentity>, rng: Box<dyn Rng>) -> Self {
        Self {
            config,
            identity,
            rng,
            outputs: VecDeque::new(),
            stats: Stats::default(),
            views: BTreeMap::new(),
        }
    }

    /// Takes one input. Time never goes back.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        let _ = (now, input, &mut self.rng);
    }

    /// The next thing to do; call until `None` after each [`handle`](Self::handle).
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `Input::Timeout` is due. Changes with every call of [`handle`](Self::handle).
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The HIT of this host.
    pub fn hit(&self) -> Hit {
        self.identity.hit()
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The current R1 generation counter, for storing (7401-4.1.4-04).
    pub fn r1_counter(&self) -> u64 {
        self.config.r1_counter
    }

    /// Replaces the access policy; associations that exist stay.
    pub fn set_access(&mut self, access: AccessPolicy) {
        self.config.access = access;
    }

    /// A snapshot of every association at `now`, in order of peer HITs.
    pub fn associations(&self, now: Instant) -> impl Iterator<Item = AssociationView> + '_ {
        let _ = now;
        self.views.values().cloned()
    }
}
