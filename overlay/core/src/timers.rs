//! The node's timers: at most one of each kind, earliest first.

use std::collections::{BTreeMap, BTreeSet};

use hip_wire::time::Instant;

use crate::id::NodeId;

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// A request waits for its answer.
    Transaction(u64),
    /// A link is being opened.
    Opening(NodeId),
    /// The present step of joining takes too long, or is due again.
    Join,
    /// A joining peer has not taken its data in time.
    Handover,
    /// Leaving takes too long.
    Leave,
    /// Changes of the neighbour table have to be told.
    Announce,
    /// Periodic Updates.
    Stabilize,
    /// Periodic search for fingers.
    Fingers,
    /// Periodic search for a second ring.
    Partition,
    /// A hold-down ends.
    HoldDown,
    /// Values expire.
    Expiry,
}

/// The set of running timers.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_timer: BTreeMap<Timer, Instant>,
    by_time: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Starts a timer, in place of a running one of the same kind.
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.cancel(timer);
        self.by_timer.insert(timer, at);
        self.by_time.insert((at, timer));
    }

    /// Starts a timer unless it runs and ends earlier.
    pub(crate) fn set_at_latest(&mut self, timer: Timer, at: Instant) {
        if self
            .by_timer
            .get(&timer)
            .is_none_or(|running| at < *running)
        {
            self.set(timer, at);
        }
    }

    /// Stops a timer.
    pub(crate) fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.by_timer.remove(&timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    /// Whether a timer runs.
    pub(crate) fn is_running(&self, timer: Timer) -> bool {
        self.by_timer.contains_key(&timer)
    }

    /// When the earliest timer ends.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes a timer that has ended.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.cancel(timer);
        Some(timer)
    }
}
