//! Batches: one arena and a list of ranges, reused from batch to batch.

use std::ops::Range;

use hip_wire::path::Path;

use crate::sa::HitPair;

/// Most packets one UDP_SEGMENT call takes everywhere.
pub const RUN_SEGMENTS_MAX: usize = 64;
/// Most octets one UDP_SEGMENT call takes: the largest UDP payload over IPv4.
pub const RUN_BYTES_MAX: usize = 65_507;
/// A batch calls itself full at this many packets: the shell flushes it then.
pub const BATCH_PACKETS: usize = 64;

/// Sealed ESP packets that lie side by side in the arena, go to one place and
/// have one size; only the last may be shorter. One `sendmsg` with
/// UDP_SEGMENT, or `count` entries of one `sendmmsg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where the packets go.
    pub path: Path,
    /// Octets in the arena, all packets together.
    pub range: Range<usize>,
    /// Size of every packet but perhaps the last.
    pub segment: usize,
    /// How many packets.
    pub count: usize,
    /// Traffic class of the inner packets, for the outer header (RFC 7402 B.1.5).
    pub traffic_class: u8,
    /// Hop limit of the inner packets, for the outer header.
    pub hop_limit: u8,
}

impl Run {
    /// The range of each packet in the arena, in order.
    pub fn packets(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (end, segment) = (self.range.end, self.segment.max(1));
        self.range
            .clone()
            .step_by(segment)
            .map(move |start| start..end.min(start + segment))
    }

    /// Whether a packet of this size and destination may join at the end.
    fn takes(&self, next: &Self) -> bool {
        self.path == next.path
            && self.traffic_class == next.traffic_class
            && self.hop_limit == next.hop_limit
            && next.segment <= self.segment
            && self.range.len() == self.segment * self.count
            && self.count < RUN_SEGMENTS_MAX
            && self.range.len() + next.segment <= RUN_BYTES_MAX
    }
}

/// What [`Outbound::seal`](crate::Outbound::seal) made since the last
/// [`clear`](Self::clear): ESP packets for the network and ICMP replies for the local host.
#[derive(Debug, Default)]
pub struct SealedBatch {
    pub(crate) arena: Vec<u8>,
    runs: Vec<Run>,
    packets: usize,
    pub(crate) replies: Vec<u8>,
    reply_ends: Vec<usize>,
}

impl SealedBatch {
    /// An empty batch with room for one super-packet's worth of ESP.
    pub fn new() -> Self {
        Self {
            arena: Vec::with_capacity(2 * 65_536),
            ..Self::default()
        }
    }

    /// All sealed octets; [`Run::range`] points in here.
    pub fn arena(&self) -> &[u8] {
        &self.arena
    }

    /// The sealed packets, grouped for segmentation offload, in order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Every sealed packet with its destination, in order.
    pub fn packets(&self) -> impl Iterator<Item = (&Path, &[u8])> + '_ {
        self.runs.iter().flat_map(move |run| {
            run.packets()
                .filter_map(move |range| Some((&run.path, self.arena.get(range)?)))
        })
    }

    /// ICMP packets to hand back to the local host (write them to the TUN), in order.
    pub fn replies(&self) -> impl Iterator<Item = &[u8]> + '_ {
        slices(&self.replies, &self.reply_ends)
    }

    /// How many packets are sealed.
    pub fn len(&self) -> usize {
        self.packets
    }

    /// Neither packets nor replies.
    pub fn is_empty(&self) -> bool {
        self.packets == 0 && self.reply_ends.is_empty()
    }

    /// Time to send: more packets would only grow the arena.
    pub fn is_full(&self) -> bool {
        self.packets >= BATCH_PACKETS
    }

    /// Forgets the contents and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.runs.clear();
        self.packets = 0;
        self.replies.clear();
        self.reply_ends.clear();
    }

    /// Accepts the octets behind `start` of the arena as one more packet.
    pub(crate) fn commit(&mut self, start: usize, path: Path, traffic_class: u8, hop_limit: u8) {
        let range = start..self.arena.len();
        let next = Run {
            path,
            segment: range.len(),
            range,
            count: 1,
            traffic_class,
            hop_limit,
        };
        self.packets += 1;
        match self.runs.last_mut() {
            Some(run) if run.takes(&next) => {
                run.range.end = next.range.end;
                run.count += 1;
            }
            _ => self.runs.push(next),
        }
    }

    /// Accepts what was appended to `replies` as one ICMP packet.
    pub(crate) fn commit_reply(&mut self) {
        self.reply_ends.push(self.replies.len());
    }
}

/// One opened packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The association it came by: this, not the packet, names the sender.
    pub pair: HitPair,
    /// The SPI it came by.
    pub spi: u32,
    /// It is the first packet delivered from this SA: at rekey the old SA may go (RFC 7402 §6.10).
    pub first: bool,
    /// Where the rebuilt inner IP packet lies in the batch.
    pub range: Range<usize>,
}

/// Inner IP packets made by [`Inbound::open`](crate::Inbound::open), ready for the TUN.
#[derive(Debug, Default)]
pub struct OpenedBatch {
    pub(crate) arena: Vec<u8>,
    ends: Vec<usize>,
}

impl OpenedBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            arena: Vec::with_capacity(2 * 65_536),
            ends: Vec::with_capacity(BATCH_PACKETS),
        }
    }

    /// All rebuilt octets; [`Opened::range`] points in here.
    pub fn arena(&self) -> &[u8] {
        &self.arena
    }

    /// The inner packets, in order.
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> + '_ {
        slices(&self.arena, &self.ends)
    }

    /// How many packets.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// No packet.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Time to write them out.
    pub fn is_full(&self) -> bool {
        self.ends.len() >= BATCH_PACKETS
    }

    /// Forgets the contents and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.ends.clear();
    }

    /// Accepts the octets behind the last packet as one more.
    pub(crate) fn commit(&mut self) {
        self.ends.push(self.arena.len());
    }
}

/// Cuts `arena` at `ends`.
fn slices<'a>(arena: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = &'a [u8]> + 'a {
    let mut start = 0;
    ends.iter().filter_map(move |&end| {
        let from = std::mem::replace(&mut start, end);
        arena.get(from..end)
    })
}
