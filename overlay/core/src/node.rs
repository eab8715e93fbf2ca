//! The node: the seam of this crate.

use std::collections::VecDeque;
use std::sync::Arc;

use hip_crypto::identity::HostIdentity;
use hip_crypto::rng::Rng;
use hip_wire::time::Instant;

use crate::config::NodeConfig;
use crate::id::NodeId;
use crate::seam::{Input, Output};

/// One member of one overlay.
pub struct Node {
    config: NodeConfig,
    identity: Arc<HostIdentity>,
    rng: Box<dyn Rng>,
    outputs: VecDeque<Output>,
}

impl Node {
    /// A node that has not joined; give it [`Input::Restore`]d records, then `Command::Join`.
    #[must_use]
    pub fn new(config: NodeConfig, identity: Arc<HostIdentity>, rng: Box<dyn Rng>) -> Self {
        Self { config, identity, rng, outputs: VecDeque::new() }
    }

    /// The node's own Node-ID.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.identity.public().hit().into()
    }

    /// Takes one input. `wall_clock_ms` is milliseconds since 1970, for storage times only.
    pub fn handle(&mut self, _now: Instant, _wall_clock_ms: u64, _input: Input<'_>) {
        let _ = (&self.config, &mut self.rng);
    }

    /// The next thing for the shell to do, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to give [`Input::Timeout`] at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }
}
