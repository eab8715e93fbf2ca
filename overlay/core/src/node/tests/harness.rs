//! A world of nodes with reliable links, virtual time and an omniscient observer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
use hip_crypto::rng::SeededRng;
use hip_wire::time::Instant;

use crate::command::{
    Answer, Command, CommandResult, FetchCommand, FetchedValue, Selector, StoreCommand,
};
use crate::config::{KindId, NodeConfig};
use crate::event::Event;
use crate::id::{NodeId, ResourceId};
use crate::node::Node;
use crate::record::{StoreChange, StoredRecord};
use crate::ring::Position;
use crate::seam::{Input, Output};
use crate::status::NodeState;

/// One way over any link.
const LATENCY: Duration = Duration::from_millis(20);
/// How long until the end of a broken link is noticed.
const LINK_TIMEOUT: Duration = Duration::from_millis(500);
/// Wall clock at virtual time zero.
pub(super) const WALL_START: u64 = 1_700_000_000_000;

enum Arrival {
    Message { from: NodeId, bytes: Vec<u8> },
    Up(NodeId),
    Down(NodeId),
    Failed(NodeId),
}

/// Nodes, links and everything on its way.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) events: Vec<(NodeId, Event)>,
    pub(super) disks: BTreeMap<NodeId, BTreeMap<Vec<u8>, Vec<u8>>>,
    pub(super) configs: BTreeMap<NodeId, NodeConfig>,
    /// Every message sent, for inspection.
    pub(super) sent: Vec<(NodeId, NodeId, Vec<u8>)>,
    identities: BTreeMap<NodeId, Arc<HostIdentity>>,
    links: BTreeSet<(NodeId, NodeId)>,
    arrivals: BTreeMap<(Instant, u64), (NodeId, Arrival)>,
    /// Which side of a split network a node is on.
    sides: BTreeMap<NodeId, u8>,
    replies: BTreeMap<u64, CommandResult>,
    counter: u64,
    seed: u64,
}

pub(super) fn test_config() -> NodeConfig {
    let mut config = NodeConfig::new("test.example");
    config.update_interval = Duration::from_secs(30);
    config.partition_check_interval = Duration::from_secs(30);
    config.ping_interval = Duration::from_secs(60);
    config
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        println!("seed {seed}");
        Self {
            now: Instant::from_secs(1),
            nodes: BTreeMap::new(),
            events: Vec::new(),
            disks: BTreeMap::new(),
            configs: BTreeMap::new(),
            sent: Vec::new(),
            identities: BTreeMap::new(),
            links: BTreeSet::new(),
            arrivals: BTreeMap::new(),
            sides: BTreeMap::new(),
            replies: BTreeMap::new(),
            counter: 0,
            seed,
        }
    }

    /// A world of `count` peers that have joined one after the other through the first.
    pub(super) fn joined(seed: u64, count: usize) -> (Self, Vec<NodeId>) {
        let mut world = Self::new(seed);
        let ids = world.add(count, &test_config());
        for id in &ids {
            assert_eq!(world.ask(*id, Command::Join), Ok(Answer::Joined));
        }
        world.run(Duration::from_secs(5));
        world.assert_ring();
        (world, ids)
    }

    /// Adds nodes; the first of the world is everyone's bootstrap peer.
    pub(super) fn add(&mut self, count: usize, config: &NodeConfig) -> Vec<NodeId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let number = self.seed * 1000 + self.identities.len() as u64;
            let identity = HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, number).unwrap();
            let id = NodeId::from(identity.hit());
            let mut config = config.clone();
            if config.bootstrap.is_empty() {
                let first = self
                    .configs
                    .iter()
                    .next()
                    .map(|(_, first)| first.bootstrap.clone());
                config.bootstrap = first.unwrap_or_else(|| vec![id]);
            }
            self.identities.insert(id, Arc::new(identity));
            self.configs.insert(id, config);
            self.start(id);
            ids.push(id);
        }
        ids
    }

    /// Starts a node with what is on its disk.
    pub(super) fn start(&mut self, id: NodeId) {
        self.counter += 1;
        let rng = SeededRng::new(self.seed ^ (self.counter << 20));
        let identity = Arc::clone(&self.identities[&id]);
        let node = Node::new(self.configs[&id].clone(), identity, Box::new(rng)).unwrap();
        self.nodes.insert(id, node);
        for (key, bytes) in self.disks.get(&id).cloned().unwrap_or_default() {
            self.input(id, Input::Restore(StoredRecord { key, bytes }));
        }
    }

    /// Takes a node away without a word. Its peers notice the broken links, or not.
    pub(super) fn kill(&mut self, id: NodeId, noticed: bool) {
        self.nodes.remove(&id);
        for peer in self.peers_of(id) {
            self.unlink(id, peer);
            if noticed {
                self.later(LINK_TIMEOUT, peer, Arrival::Down(id));
            }
        }
    }

    /// Splits the network; only nodes on the same side reach each other.
    pub(super) fn split(&mut self, side: impl Fn(NodeId) -> u8) {
        self.sides = self.identities.keys().map(|id| (*id, side(*id))).collect();
        for (a, b) in self.links.clone() {
            if !self.reachable(a, b) {
                self.links.remove(&(a, b));
                self.later(LINK_TIMEOUT, a, Arrival::Down(b));
                self.later(LINK_TIMEOUT, b, Arrival::Down(a));
            }
        }
    }

    /// Ends the split.
    pub(super) fn heal(&mut self) {
        self.sides.clear();
    }

    pub(super) fn wall_ms(&self) -> u64 {
        WALL_START + self.now.as_nanos() / 1_000_000
    }

    pub(super) fn input(&mut self, id: NodeId, input: Input<'_>) {
        let (now, wall) = (self.now, self.wall_ms());
        if let Some(node) = self.nodes.get_mut(&id) {
            node.handle(now, wall, input);
            self.carry_out(id);
        }
    }

    /// Gives a command; [`World::reply`] has the reply once there is one.
    pub(super) fn command(&mut self, id: NodeId, command: Command) -> u64 {
        self.counter += 1;
        let number = self.counter;
        self.input(
            id,
            Input::Command {
                id: number,
                command,
            },
        );
        number
    }

    pub(super) fn reply(&self, number: u64) -> Option<&CommandResult> {
        self.replies.get(&number)
    }

    /// Gives a command and waits for the reply, at most two minutes.
    pub(super) fn ask(&mut self, id: NodeId, command: Command) -> CommandResult {
        let number = self.command(id, command.clone());
        let end = self.now + Duration::from_secs(120);
        while !self.replies.contains_key(&number) {
            assert!(self.step(end), "no reply to {command:?}");
        }
        self.replies.remove(&number).unwrap()
    }

    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets the next thing happen, if it does before `end`.
    fn step(&mut self, end: Instant) -> bool {
        let timer = self
            .nodes
            .iter()
            .filter_map(|(id, node)| Some((node.next_deadline()?, *id)));
        let timer = timer.min();
        let arrival = self.arrivals.keys().next().copied();
        let first_arrival = arrival.filter(|(at, _)| timer.is_none_or(|(timer, _)| *at <= timer));
        if let Some(key) = first_arrival.filter(|(at, _)| *at <= end) {
            self.now = self.now.max(key.0);
            let (to, arrival) = self.arrivals.remove(&key).unwrap();
            self.arrive(to, arrival);
            return true;
        }
        match timer.filter(|(at, _)| *at <= end && first_arrival.is_none()) {
            Some((at, id)) => {
                self.now = self.now.max(at);
                self.input(id, Input::Timeout);
                true
            }
            None => false,
        }
    }

    fn arrive(&mut self, to: NodeId, arrival: Arrival) {
        match arrival {
            Arrival::Message { from, bytes } => {
                self.input(
                    to,
                    Input::Message {
                        from,
                        bytes: &bytes,
                    },
                );
            }
            Arrival::Up(peer) if self.links.contains(&pair(peer, to)) => {
                self.input(to, Input::LinkUp { peer });
            }
            Arrival::Up(_) => {}
            Arrival::Down(peer) => self.input(to, Input::LinkDown { peer }),
            Arrival::Failed(peer) => self.input(to, Input::LinkFailed { peer }),
        }
    }

    fn carry_out(&mut self, id: NodeId) {
        while let Some(output) = self.nodes.get_mut(&id).and_then(Node::poll) {
            match output {
                Output::Send { to, bytes } => {
                    assert!(bytes.len() <= self.configs[&id].max_message_size);
                    self.sent.push((id, to, bytes.clone()));
                    if self.links.contains(&pair(id, to)) {
                        self.later(LATENCY, to, Arrival::Message { from: id, bytes });
                    }
                }
                Output::Open { peer } => self.connect(id, peer),
                Output::CloseLink { peer } => {
                    if self.unlink(id, peer) {
                        self.later(LATENCY, peer, Arrival::Down(id));
                    }
                }
                Output::Persist(StoreChange::Put(record)) => {
                    self.disks
                        .entry(id)
                        .or_default()
                        .insert(record.key, record.bytes);
                }
                Output::Persist(StoreChange::Delete { key }) => {
                    self.disks.entry(id).or_default().remove(&key);
                }
                Output::Reply { id, result } => {
                    assert!(self.replies.insert(id, result).is_none(), "two replies");
                }
                Output::Event(event) => self.events.push((id, event)),
            }
        }
    }

    fn connect(&mut self, id: NodeId, peer: NodeId) {
        assert_ne!(id, peer, "a link to itself");
        if self.nodes.contains_key(&peer) && self.reachable(id, peer) {
            self.links.insert(pair(id, peer));
            self.later(LATENCY, peer, Arrival::Up(id));
            self.later(LATENCY * 2, id, Arrival::Up(peer));
        } else {
            self.later(LINK_TIMEOUT, id, Arrival::Failed(peer));
        }
    }

    fn reachable(&self, a: NodeId, b: NodeId) -> bool {
        self.sides.get(&a) == self.sides.get(&b)
    }

    fn unlink(&mut self, a: NodeId, b: NodeId) -> bool {
        self.links.remove(&pair(a, b))
    }

    fn peers_of(&self, id: NodeId) -> Vec<NodeId> {
        let links = self.links.iter();
        links
            .filter_map(|(a, b)| match id {
                _ if *a == id => Some(*b),
                _ if *b == id => Some(*a),
                _ => None,
            })
            .collect()
    }

    fn later(&mut self, after: Duration, to: NodeId, arrival: Arrival) {
        self.counter += 1;
        self.arrivals
            .insert((self.now + after, self.counter), (to, arrival));
    }

    /// Members in ring order, as the omniscient observer sees them.
    pub(super) fn ring(&self) -> Vec<NodeId> {
        let members = self
            .nodes
            .iter()
            .filter(|(_, node)| node.state() == NodeState::Joined);
        let mut ring: Vec<NodeId> = members.map(|(id, _)| *id).collect();
        ring.sort_by_key(|id| Position::from(*id));
        ring
    }

    /// Every member knows its true neighbours, three on each side, in order.
    pub(super) fn assert_ring(&self) {
        assert_eq!(self.ring_fault(), None);
    }

    pub(super) fn ring_fault(&self) -> Option<String> {
        let ring = self.ring();
        let most = (ring.len() - 1).min(3);
        for (place, id) in ring.iter().enumerate() {
            let at = |offset: usize| ring[(place + offset) % ring.len()];
            let successors: Vec<_> = (1..=most).map(at).collect();
            let predecessors: Vec<_> = (1..=most).map(|back| at(ring.len() - back)).collect();
            let status = self.nodes[id].status(self.now);
            if status.successors != successors || status.predecessors != predecessors {
                return Some(format!(
                    "{id} at {place}: {:?} {:?} instead of {predecessors:?} {successors:?}",
                    status.predecessors, status.successors
                ));
            }
        }
        None
    }

    /// The member truly responsible for a resource, and its successors.
    pub(super) fn holders(&self, resource: ResourceId) -> Vec<NodeId> {
        let mut ring = self.ring();
        let position = Position::from(resource);
        ring.sort_by_key(|id| position.distance_to((*id).into()));
        ring.truncate(3);
        ring
    }

    /// How many running nodes hold values of a resource.
    pub(super) fn copies(&self, resource: ResourceId) -> usize {
        let holds = |node: &Node| node.store.keys().any(|(held, _)| *held == resource);
        self.nodes.values().filter(|node| holds(node)).count()
    }

    pub(super) fn put(
        &mut self,
        at: NodeId,
        name: &str,
        kind: KindId,
        selector: Selector,
        value: &str,
    ) -> CommandResult {
        self.ask(at, Command::Store(store(name, kind, selector, Some(value))))
    }

    pub(super) fn get(&mut self, at: NodeId, name: &str, kind: KindId) -> Vec<FetchedValue> {
        let fetch = FetchCommand {
            resource: ResourceId::from_name(name.as_bytes()),
            kind,
            selectors: Vec::new(),
        };
        match self.ask(at, Command::Fetch(fetch)) {
            Ok(Answer::Fetched {
                values,
                discarded: 0,
                ..
            }) => values,
            other => panic!("fetch of {name}: {other:?}"),
        }
    }

    /// The value of a single-value resource.
    pub(super) fn get_single(&mut self, at: NodeId, name: &str) -> Option<String> {
        let values = self.get(at, name, KindId::USER_SINGLE);
        assert_eq!(values.len(), 1);
        values[0]
            .value
            .clone()
            .map(|value| String::from_utf8(value).unwrap())
    }
}

pub(super) fn store(
    name: &str,
    kind: KindId,
    selector: Selector,
    value: Option<&str>,
) -> StoreCommand {
    StoreCommand {
        resource: ResourceId::from_name(name.as_bytes()),
        kind,
        selector,
        value: value.map(|value| value.as_bytes().to_vec()),
        lifetime: Duration::from_secs(3600),
        generation: 0,
        storage_time: None,
    }
}

fn pair(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}
