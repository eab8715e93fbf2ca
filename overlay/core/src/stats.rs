//! Plain counters.

use std::collections::BTreeMap;

use crate::event::DropReason;

/// What the node has done so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    /// Messages received over links.
    pub(crate) received: u64,
    /// Messages sent over links, own and forwarded.
    pub(crate) sent: u64,
    /// Messages of others passed on.
    pub(crate) forwarded: u64,
    /// Requests sent again for want of an answer.
    pub(crate) retransmitted: u64,
    /// Requests given up after the fifth transmission.
    pub(crate) timed_out: u64,
    /// Duplicate requests answered from memory.
    pub(crate) answered_again: u64,
    drops: BTreeMap<DropReason, u64>,
}

impl Stats {
    /// Counts a drop.
    pub(crate) fn drop(&mut self, reason: DropReason) {
        *self.drops.entry(reason).or_default() += 1;
    }

    /// All counters by name.
    pub(crate) fn counters(&self) -> Vec<(&'static str, u64)> {
        let own = [
            ("messages_received", self.received),
            ("messages_sent", self.sent),
            ("messages_forwarded", self.forwarded),
            ("requests_retransmitted", self.retransmitted),
            ("requests_timed_out", self.timed_out),
            ("requests_answered_again", self.answered_again),
        ];
        let drops = self
            .drops
            .iter()
            .map(|(reason, count)| (reason.name(), *count));
        own.into_iter().chain(drops).collect()
    }
}
