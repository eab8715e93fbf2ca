//! First packets: what waits while an association comes up, within bounds.

use std::collections::{BTreeMap, VecDeque};

use crate::sa::HitPair;

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingLimits {
    /// Packets per association.
    pub packets: usize,
    /// Octets per association.
    pub bytes: usize,
    /// Associations at once.
    pub peers: usize,
}

impl Default for PendingLimits {
    fn default() -> Self {
        Self {
            packets: 16,
            bytes: 32 * 1024,
            peers: 256,
        }
    }
}

/// Inner IP packets that wait for an SA, oldest first, per HIT pair.
#[derive(Debug, Default)]
pub struct PendingQueue {
    limits: PendingLimits,
    peers: BTreeMap<HitPair, Waiting>,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    packets: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl PendingQueue {
    /// An empty queue with these bounds.
    pub fn new(limits: PendingLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Queues a packet. Older packets of the same pair make room and are
    /// counted; with too many pairs the new packet itself is dropped and counted.
    /// Returns whether it was queued.
    pub fn push(&mut self, pair: HitPair, packet: &[u8]) -> bool {
        let known = self.peers.contains_key(&pair);
        let fits = packet.len() <= self.limits.bytes && self.limits.packets > 0;
        if !fits || (!known && self.peers.len() >= self.limits.peers) {
            self.dropped += 1;
            return false;
        }
        let waiting = self.peers.entry(pair).or_default();
        while waiting.packets.len() >= self.limits.packets
            || waiting.bytes + packet.len() > self.limits.bytes
        {
            let Some(oldest) = waiting.packets.pop_front() else {
                break;
            };
            waiting.bytes -= oldest.len();
            self.dropped += 1;
        }
        waiting.bytes += packet.len();
        waiting.packets.push_back(packet.to_vec());
        true
    }

    /// Takes everything that waits for this pair, oldest first: to seal it once
    /// the SA is there, or to answer it with ICMP once that failed.
    pub fn take(&mut self, pair: HitPair) -> impl Iterator<Item = Vec<u8>> + use<> {
        self.peers
            .remove(&pair)
            .unwrap_or_default()
            .packets
            .into_iter()
    }

    /// How many packets wait, all pairs together.
    pub fn len(&self) -> usize {
        self.peers
            .values()
            .map(|waiting| waiting.packets.len())
            .sum()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// How many packets were dropped for want of room ([`DropReason::PendingFull`](crate::DropReason::PendingFull)).
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests;
