//! Links between overlay peers as HIP and TCP would give them: reliable, ordered, authenticated,
//! with latency, and breaking when a peer dies or the network splits.
//!
//! Sans-IO: the mesh takes calls with the time and gives [`LinkOutput`]s.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use hip_wire::time::Instant;

use crate::random::{Chance, SimRng};

use super::links::{LinkOutput, Links};

/// The delays of a mesh.
#[derive(Clone, Debug)]
pub struct MeshConfig {
    /// One-way delay between two peers at the same place.
    pub nearest: Duration,
    /// What is added between the two farthest peers; peers are spread over a square.
    pub across: Duration,
    /// Extra delay per message, uniform; order is kept.
    pub jitter: Duration,
    /// How long until an unreachable peer counts as such when a link is opened.
    pub connect_timeout: Duration,
    /// Chance that opening a link fails although the peer could be reached.
    pub refusal: Chance,
    /// Longest time until an end notices that its link is dead (keepalives).
    pub detection: Duration,
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self {
            nearest: Duration::from_millis(5),
            across: Duration::from_millis(80),
            jitter: Duration::from_millis(5),
            connect_timeout: Duration::from_secs(5),
            refusal: Chance::NEVER,
            detection: Duration::from_secs(10),
        }
    }
}

/// All links of an overlay.
#[derive(Debug)]
pub struct Mesh {
    config: MeshConfig,
    rng: SimRng,
    peers: Vec<Place>,
    /// The usable link between two peers, lower index first.
    current: BTreeMap<(usize, usize), u64>,
    /// What each end believes: (end, other end) to link number.
    sides: BTreeMap<(usize, usize), u64>,
    /// Time of the last arrival in each direction: what comes later may not overtake.
    last: BTreeMap<(usize, usize), Instant>,
    blocked: BTreeSet<(usize, usize)>,
    queue: BinaryHeap<Reverse<Event>>,
    sequence: u64,
    next_link: u64,
    outputs: VecDeque<LinkOutput>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    x: u64,
    y: u64,
    alive: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Event {
    at: Instant,
    sequence: u64,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// The request of `from` reaches `to`.
    Arrive { from: usize, to: usize },
    /// The acceptance of link `link` reaches `from`.
    Accepted { from: usize, to: usize, link: u64 },
    /// `from` gives up on `to`.
    GiveUp { from: usize, to: usize },
    /// `at` notices that `link` is dead, or hears that the peer closed it.
    Notice { at: usize, peer: usize, link: u64 },
    Message {
        from: usize,
        to: usize,
        link: u64,
        bytes: Vec<u8>,
    },
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl Mesh {
    /// A mesh without peers.
    pub const fn new(config: MeshConfig, rng: SimRng) -> Self {
        Self {
            config,
            rng,
            peers: Vec::new(),
            current: BTreeMap::new(),
            sides: BTreeMap::new(),
            last: BTreeMap::new(),
            blocked: BTreeSet::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            next_link: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Adds a living peer somewhere on the square; returns its index.
    pub fn add_peer(&mut self) -> usize {
        let place = Place {
            x: self.rng.below(1_000),
            y: self.rng.below(1_000),
            alive: true,
        };
        self.peers.push(place);
        self.peers.len() - 1
    }

    /// From now on opening a link fails with this chance.
    pub const fn set_refusal(&mut self, refusal: Chance) {
        self.config.refusal = refusal;
    }

    /// Breaks each link with this chance.
    pub fn break_links(&mut self, now: Instant, chance: Chance) {
        let links: Vec<_> = self.current.keys().copied().collect();
        let doomed: BTreeSet<_> = links
            .into_iter()
            .filter(|_| self.rng.chance(chance))
            .collect();
        self.sever(now, |pair| doomed.contains(&pair));
    }

    /// Links that an end believes to be up.
    pub fn links(&self, end: usize) -> usize {
        self.sides.range((end, 0)..=(end, usize::MAX)).count()
    }

    fn step(&mut self, now: Instant, what: What) {
        match what {
            What::Arrive { from, to } => self.arrive(now, from, to),
            What::Accepted { from, to, link } => self.accepted(from, to, link),
            What::GiveUp { from, to } => {
                if self.peers[from].alive && !self.sides.contains_key(&(from, to)) {
                    self.outputs
                        .push_back(LinkOutput::Failed { at: from, peer: to });
                }
            }
            What::Notice { at, peer, link } => self.notice(at, peer, link),
            What::Message {
                from,
                to,
                link,
                bytes,
            } => {
                let usable = self.current.get(&pair(from, to)) == Some(&link);
                if usable && self.sides.get(&(to, from)) == Some(&link) {
                    self.outputs.push_back(LinkOutput::Message {
                        at: to,
                        peer: from,
                        bytes,
                    });
                }
            }
        }
    }

    fn arrive(&mut self, now: Instant, from: usize, to: usize) {
        let unreachable =
            !self.peers[from].alive || !self.peers[to].alive || self.blocked.contains(&(from, to));
        if unreachable || self.rng.chance(self.config.refusal) {
            let at = now + self.config.connect_timeout;
            return self.schedule(at, What::GiveUp { from, to });
        }
        let link = match self.current.get(&pair(from, to)) {
            Some(&link) => link,
            None => {
                self.next_link += 1;
                self.current.insert(pair(from, to), self.next_link);
                self.next_link
            }
        };
        self.raise(to, from, link);
        let at = self.arrival(now, to, from);
        self.schedule(at, What::Accepted { from, to, link });
    }

    fn accepted(&mut self, from: usize, to: usize, link: u64) {
        if !self.peers[from].alive {
            return;
        }
        if self.current.get(&pair(from, to)) == Some(&link) {
            self.raise(from, to, link);
        } else if !self.sides.contains_key(&(from, to)) {
            self.outputs
                .push_back(LinkOutput::Failed { at: from, peer: to });
        }
    }

    /// `end` learns that `link` to `peer` is up; an older link is first taken down.
    fn raise(&mut self, end: usize, peer: usize, link: u64) {
        match self.sides.insert((end, peer), link) {
            Some(old) if old == link => return,
            Some(_) => self.outputs.push_back(LinkOutput::Down { at: end, peer }),
            None => {}
        }
        self.outputs.push_back(LinkOutput::Up { at: end, peer });
    }

    fn notice(&mut self, at: usize, peer: usize, link: u64) {
        if self.current.get(&pair(at, peer)) == Some(&link) {
            self.current.remove(&pair(at, peer));
        }
        if self.sides.get(&(at, peer)) == Some(&link) {
            self.sides.remove(&(at, peer));
            self.outputs.push_back(LinkOutput::Down { at, peer });
        }
    }

    /// Makes links dead at once; their ends notice later.
    fn sever(&mut self, now: Instant, is_dead: impl Fn((usize, usize)) -> bool) {
        let dead = |key: (usize, usize)| is_dead(pair(key.0, key.1));
        self.current.retain(|&key, _| !dead(key));
        let ends: Vec<_> = self
            .sides
            .iter()
            .filter(|(key, _)| dead(**key))
            .map(|(&(at, peer), &link)| (at, peer, link))
            .collect();
        for (at, peer, link) in ends {
            let noticed = now + self.rng.up_to(self.config.detection);
            self.schedule(noticed, What::Notice { at, peer, link });
        }
    }

    fn arrival(&mut self, now: Instant, from: usize, to: usize) -> Instant {
        let (a, b) = (self.peers[from], self.peers[to]);
        // Manhattan distance on a square of side 1000: at most 2000.
        let distance = a.x.abs_diff(b.x) + a.y.abs_diff(b.y);
        let across = self.config.across.as_nanos() as u64 / 2_000 * distance;
        let delay = self.config.nearest + Duration::from_nanos(across);
        let at = now + delay + self.rng.up_to(self.config.jitter);
        let last = self.last.entry((from, to)).or_insert(Instant::ZERO);
        *last = at.max(*last);
        *last
    }

    fn schedule(&mut self, at: Instant, what: What) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.queue.push(Reverse(Event { at, sequence, what }));
    }
}

impl Links for Mesh {
    fn open(&mut self, now: Instant, from: usize, to: usize) {
        if self.sides.contains_key(&(from, to)) {
            self.outputs
                .push_back(LinkOutput::Up { at: from, peer: to });
            return;
        }
        let at = self.arrival(now, from, to);
        self.schedule(at, What::Arrive { from, to });
    }

    fn send(&mut self, now: Instant, from: usize, to: usize, bytes: Vec<u8>) {
        if let Some(&link) = self.sides.get(&(from, to)) {
            let at = self.arrival(now, from, to);
            self.schedule(
                at,
                What::Message {
                    from,
                    to,
                    link,
                    bytes,
                },
            );
        }
    }

    fn close(&mut self, now: Instant, from: usize, to: usize) {
        if let Some(link) = self.sides.remove(&(from, to)) {
            let at = self.arrival(now, from, to);
            self.schedule(
                at,
                What::Notice {
                    at: to,
                    peer: from,
                    link,
                },
            );
        }
    }

    fn kill(&mut self, now: Instant, peer: usize) {
        self.peers[peer].alive = false;
        self.sides.retain(|&(end, _), _| end != peer);
        self.sever(now, |pair| pair.0 == peer || pair.1 == peer);
    }

    fn revive(&mut self, _now: Instant, peer: usize) {
        self.peers[peer].alive = true;
    }

    fn partition(&mut self, now: Instant, left: &dyn Fn(usize) -> bool) {
        for one in 0..self.peers.len() {
            for other in 0..self.peers.len() {
                if left(one) != left(other) {
                    self.blocked.insert((one, other));
                }
            }
        }
        self.sever(now, |pair| left(pair.0) != left(pair.1));
    }

    fn heal(&mut self, _now: Instant) {
        self.blocked.clear();
    }

    fn advance(&mut self, now: Instant) {
        while self
            .queue
            .peek()
            .is_some_and(|Reverse(event)| event.at <= now)
        {
            if let Some(Reverse(event)) = self.queue.pop() {
                self.step(event.at, event.what);
            }
        }
    }

    fn poll(&mut self) -> Option<LinkOutput> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse(event)| event.at)
    }
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mesh(count: usize) -> Mesh {
        let mut mesh = Mesh::new(MeshConfig::default(), SimRng::new(1));
        for _ in 0..count {
            mesh.add_peer();
        }
        mesh
    }

    fn settle(mesh: &mut Mesh) -> Vec<LinkOutput> {
        while let Some(at) = mesh.next_deadline() {
            mesh.advance(at);
        }
        std::iter::from_fn(|| mesh.poll()).collect()
    }

    fn up(at: usize, peer: usize) -> LinkOutput {
        LinkOutput::Up { at, peer }
    }

    #[test]
    fn messages_arrive_in_order_and_the_acceptor_hears_of_the_link_first() {
        let mut mesh = mesh(2);
        mesh.open(Instant::ZERO, 0, 1);
        assert_eq!(settle(&mut mesh), [up(1, 0), up(0, 1)]);
        for number in 0..50 {
            mesh.send(Instant::ZERO, 0, 1, vec![number]);
        }
        let numbers: Vec<_> = settle(&mut mesh)
            .into_iter()
            .map(|output| match output {
                LinkOutput::Message { bytes, .. } => bytes[0],
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn two_opens_that_cross_make_one_link() {
        let mut mesh = mesh(2);
        mesh.open(Instant::ZERO, 0, 1);
        mesh.open(Instant::ZERO, 1, 0);
        let outputs = settle(&mut mesh);
        assert_eq!(outputs.len(), 2, "{outputs:?}");
        assert!(outputs.contains(&up(0, 1)) && outputs.contains(&up(1, 0)));
    }

    #[test]
    fn the_dead_are_noticed_and_cannot_be_reached() {
        let mut mesh = mesh(2);
        mesh.open(Instant::ZERO, 0, 1);
        settle(&mut mesh);
        mesh.kill(Instant::ZERO, 1);
        mesh.send(Instant::ZERO, 0, 1, vec![1]);
        assert_eq!(settle(&mut mesh), [LinkOutput::Down { at: 0, peer: 1 }]);
        mesh.open(Instant::ZERO, 0, 1);
        assert_eq!(settle(&mut mesh), [LinkOutput::Failed { at: 0, peer: 1 }]);
    }

    #[test]
    fn a_peer_that_comes_back_replaces_its_old_link() {
        let mut mesh = mesh(2);
        mesh.open(Instant::ZERO, 0, 1);
        settle(&mut mesh);
        mesh.kill(Instant::ZERO, 1);
        mesh.revive(Instant::ZERO, 1);
        mesh.open(Instant::ZERO, 1, 0);
        let outputs = settle(&mut mesh);
        let down = LinkOutput::Down { at: 0, peer: 1 };
        assert_eq!(outputs, [down, up(0, 1), up(1, 0)]);
    }

    #[test]
    fn a_closed_link_delivers_what_was_sent_before() {
        let mut mesh = mesh(2);
        mesh.open(Instant::ZERO, 0, 1);
        settle(&mut mesh);
        mesh.send(Instant::ZERO, 0, 1, vec![1]);
        mesh.close(Instant::ZERO, 0, 1);
        let message = LinkOutput::Message {
            at: 1,
            peer: 0,
            bytes: vec![1],
        };
        let down = LinkOutput::Down { at: 1, peer: 0 };
        assert_eq!(settle(&mut mesh), [message, down]);
        assert_eq!((mesh.links(0), mesh.links(1)), (0, 0));
    }

    #[test]
    fn links_can_be_broken_and_refused_by_chance() {
        let mut mesh = mesh(2);
        mesh.open(Instant::ZERO, 0, 1);
        settle(&mut mesh);
        mesh.break_links(Instant::ZERO, Chance::ALWAYS);
        assert_eq!(settle(&mut mesh).len(), 2);
        mesh.set_refusal(Chance::ALWAYS);
        mesh.open(Instant::ZERO, 0, 1);
        assert_eq!(settle(&mut mesh), [LinkOutput::Failed { at: 0, peer: 1 }]);
    }

    #[test]
    fn a_partition_breaks_crossing_links_only_and_can_be_healed() {
        let mut mesh = mesh(3);
        mesh.open(Instant::ZERO, 0, 1);
        mesh.open(Instant::ZERO, 0, 2);
        settle(&mut mesh);
        mesh.partition(Instant::ZERO, &|peer| peer == 2);
        let outputs = settle(&mut mesh);
        assert_eq!(outputs.len(), 2, "{outputs:?}");
        assert_eq!((mesh.links(0), mesh.links(1), mesh.links(2)), (1, 1, 0));
        mesh.open(Instant::ZERO, 2, 0);
        assert_eq!(settle(&mut mesh), [LinkOutput::Failed { at: 2, peer: 0 }]);
        mesh.heal(Instant::ZERO);
        mesh.open(Instant::ZERO, 2, 0);
        assert_eq!(settle(&mut mesh), [up(0, 2), up(2, 0)]);
    }
}
