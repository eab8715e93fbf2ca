//! Who may connect.

use std::collections::BTreeSet;

use hip_wire::hit::Hit;

/// Which peers this host runs base exchanges with, as Initiator and as Responder.
#[derive(Debug, Clone, Default)]
pub enum AccessPolicy {
    /// Every HIT.
    #[default]
    AllowAny,
    /// Only these HITs.
    AllowKnown(BTreeSet<Hit>),
}

impl AccessPolicy {
    /// Whether an association with `peer` is permitted.
    pub fn permits(&self, peer: &Hit) -> bool {
        match self {
            Self::AllowAny => true,
            Self::AllowKnown(known) => known.contains(peer),
        }
    }
}
