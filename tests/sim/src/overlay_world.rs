//! A world of overlay peers over reliable links, watched by an omniscient observer.
//!
//! Links stand for HIP associations with a stream on top ([`mesh`]); what the peers say over them
//! is real, signatures included. The observer knows every peer's identity, so it can tell whether
//! the ring is the right one and whether an answer is true.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hip_crypto::identity::HostIdentity;
use hip_crypto::rng::SeededRng;
use hip_wire::time::Instant;
use reload_core::ring::Position;
use reload_core::wire::body::Body;
use reload_core::wire::contents::parse_body;
use reload_core::wire::header::ForwardingHeader;
use reload_core::{
    Command, CommandResult, Event, Input, Node, NodeConfig, NodeId, NodeState, Output, StoreChange,
    StoredRecord,
};

use crate::hip_world::identity;
use crate::log::EventLog;
use crate::random::SimRng;

pub mod hip_links;
pub mod links;
pub mod mesh;
pub mod stream;

use links::{LinkOutput, Links};
use mesh::{Mesh, MeshConfig};

/// Wall clock at virtual time zero, milliseconds since 1970.
const WALL_CLOCK_START: u64 = 1_795_000_000_000;
/// Steps at one instant after which the world counts as stuck in a loop.
const STEPS_PER_INSTANT: u32 = 200_000;

/// Peers, links, log.
pub struct OverlayWorld<L = Mesh> {
    /// Virtual time.
    pub now: Instant,
    /// The links, to break them.
    pub links: L,
    /// Random numbers of the story itself.
    pub rng: SimRng,
    peers: Vec<Peer>,
    by_id: BTreeMap<NodeId, usize>,
    replies: BTreeMap<u64, CommandResult>,
    commands: u64,
    messages: u64,
    octets: u64,
    log: EventLog,
    broken: Option<String>,
}

struct Peer {
    id: NodeId,
    identity: Arc<HostIdentity>,
    config: NodeConfig,
    seed: u64,
    boots: u64,
    /// What a disk would hold; survives [`OverlayWorld::kill`].
    disk: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How far this peer's wall clock is ahead.
    skew_ms: u64,
    node: Option<Node>,
}

/// What the overlay sent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages over links.
    pub messages: u64,
    /// Their octets.
    pub octets: u64,
}

impl OverlayWorld {
    /// A world of `count` peers that run but have not joined, over a [`Mesh`]; the first
    /// `bootstraps` of them are everyone's bootstrap peers. `config` is for all but the
    /// bootstrap list.
    pub fn new(
        seed: u64,
        log: &EventLog,
        count: usize,
        bootstraps: usize,
        config: &NodeConfig,
    ) -> Self {
        let mut rng = SimRng::new(seed);
        let mut mesh = Mesh::new(MeshConfig::default(), rng.fork(1));
        let identities: Vec<_> = (0..count).map(|index| identity(seed, index)).collect();
        for _ in &identities {
            mesh.add_peer();
        }
        Self::over(mesh, seed, log, identities, bootstraps, config)
    }
}

impl<L: Links> OverlayWorld<L> {
    /// A world over given links; the peers are numbered as the identities are.
    pub fn over(
        links: L,
        seed: u64,
        log: &EventLog,
        identities: Vec<Arc<HostIdentity>>,
        bootstraps: usize,
        config: &NodeConfig,
    ) -> Self {
        let known = identities.iter().take(bootstraps);
        let config = NodeConfig {
            bootstrap: known.map(|identity| identity.hit().into()).collect(),
            ..config.clone()
        };
        let mut world = Self {
            now: Instant::ZERO,
            links,
            rng: SimRng::new(seed),
            peers: Vec::new(),
            by_id: BTreeMap::new(),
            replies: BTreeMap::new(),
            commands: 0,
            messages: 0,
            octets: 0,
            log: log.clone(),
            broken: None,
        };
        for (index, identity) in identities.into_iter().enumerate() {
            let seed = seed.wrapping_mul(1_024).wrapping_add(index as u64);
            world.add_peer(seed, identity, config.clone());
            world.start(index);
        }
        world
    }

    /// How many peers there are, dead ones included.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are no peers.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// The Node-ID of a peer.
    pub fn id(&self, peer: usize) -> NodeId {
        self.peers[peer].id
    }

    /// Whether a peer runs.
    pub fn is_alive(&self, peer: usize) -> bool {
        self.peers[peer].node.is_some()
    }

    /// The peers that run.
    pub fn alive(&self) -> Vec<usize> {
        (0..self.peers.len())
            .filter(|&peer| self.is_alive(peer))
            .collect()
    }

    /// Whether a peer runs and is a member of the overlay.
    pub fn is_joined(&self, peer: usize) -> bool {
        let node = self.peers[peer].node.as_ref();
        node.is_some_and(|node| node.status(self.now).state == NodeState::Joined)
    }

    /// Resources a running peer holds.
    pub fn resources(&self, peer: usize) -> usize {
        let node = self.peers[peer].node.as_ref();
        node.map_or(0, |node| node.status(self.now).resources)
    }

    /// What was sent so far.
    pub const fn traffic(&self) -> Traffic {
        Traffic {
            messages: self.messages,
            octets: self.octets,
        }
    }

    /// Gives `command` to a peer; the number is for [`Self::reply`].
    pub fn command(&mut self, peer: usize, command: Command) -> u64 {
        self.commands += 1;
        let id = self.commands;
        self.note(format_args!("p{peer} command {id}: {}", name(&command)));
        self.feed(peer, Input::Command { id, command });
        id
    }

    /// The reply to a command, if there is one yet.
    pub fn reply(&self, id: u64) -> Option<&CommandResult> {
        self.replies.get(&id)
    }

    /// Gives `command` and runs until its reply comes.
    ///
    /// # Errors
    /// When no reply comes in `limit`, or the peer refuses.
    pub fn ask(
        &mut self,
        peer: usize,
        command: Command,
        limit: Duration,
    ) -> Result<reload_core::Answer, String> {
        let what = name(&command);
        let id = self.command(peer, command);
        self.run_until(limit, |world| world.reply(id).is_some());
        match self.replies.remove(&id) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(format!("p{peer} {what}: {error}")),
            None => Err(format!("p{peer} {what}: no reply")),
        }
    }

    /// A peer vanishes: no goodbye, its disk stays.
    pub fn kill(&mut self, peer: usize) {
        self.note(format_args!("p{peer} is killed"));
        self.peers[peer].node = None;
        self.links.kill(self.now, peer);
    }

    /// A killed peer runs again with what is on its disk; it has not joined.
    pub fn revive(&mut self, peer: usize) {
        self.note(format_args!("p{peer} starts again"));
        self.links.revive(self.now, peer);
        self.start(peer);
    }

    /// Splits the overlay: peers for which `left` holds, and the others.
    pub fn partition(&mut self, left: impl Fn(usize) -> bool) {
        self.note(format_args!("the network splits"));
        self.links.partition(self.now, &left);
    }

    /// Ends the split.
    pub fn heal(&mut self) {
        self.note(format_args!("the network heals"));
        self.links.heal(self.now);
    }

    /// Lets `duration` pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Runs until `done` holds, at most `limit`; returns whether it came to hold.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        let mut steps = 0;
        while self.broken.is_none() {
            if done(self) {
                return true;
            }
            let Some(next) = self.next_deadline().filter(|at| *at <= end) else {
                self.now = end;
                return done(self);
            };
            steps = if next > self.now { 0 } else { steps + 1 };
            if steps > STEPS_PER_INSTANT {
                self.broken = Some("time stands still: a timer is due over and over".into());
            }
            self.now = self.now.max(next);
            self.step();
        }
        false
    }

    /// The first invariant that was broken, as an error.
    ///
    /// # Errors
    /// When one was.
    pub fn check(&self) -> Result<(), String> {
        self.links.check()?;
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Whether every peer of `members` knows its true neighbours among them, and nobody else as
    /// the nearest.
    ///
    /// # Errors
    /// Names the first peer that is wrong.
    pub fn check_ring(&self, members: &[usize]) -> Result<(), String> {
        let mut ring: Vec<_> = members
            .iter()
            .map(|&peer| (Position::from(self.id(peer)), peer))
            .collect();
        ring.sort_unstable();
        let count = ring.len();
        for (place, &(_, peer)) in ring.iter().enumerate() {
            let Some(node) = &self.peers[peer].node else {
                return Err(format!("p{peer} does not run"));
            };
            let status = node.status(self.now);
            if status.state != NodeState::Joined {
                return Err(format!("p{peer} is {:?}", status.state));
            }
            if count == 1 {
                continue;
            }
            let next = self.id(ring[(place + 1) % count].1);
            let previous = self.id(ring[(place + count - 1) % count].1);
            if status.successors.first() != Some(&next) {
                return Err(format!(
                    "p{peer} has successor {:?}, not {next}",
                    status.successors.first()
                ));
            }
            if status.predecessors.first() != Some(&previous) {
                return Err(format!(
                    "p{peer} has predecessor {:?}, not {previous}",
                    status.predecessors.first()
                ));
            }
        }
        Ok(())
    }

    /// Runs until the ring of `members` is right.
    ///
    /// # Errors
    /// What is wrong with it after `limit`.
    pub fn await_ring(&mut self, members: &[usize], limit: Duration) -> Result<Duration, String> {
        let start = self.now;
        let end = self.now + limit;
        while self.check_ring(members).is_err() && self.now < end && self.broken.is_none() {
            self.run_for(RING_CHECK);
        }
        self.check()?;
        self.check_ring(members)?;
        Ok(self.now.saturating_duration_since(start))
    }

    fn add_peer(&mut self, seed: u64, identity: Arc<HostIdentity>, config: NodeConfig) {
        let id = NodeId::from(identity.hit());
        let index = self.peers.len();
        self.note(format_args!("p{index} is {id}"));
        self.by_id.insert(id, index);
        // Clocks differ by up to two seconds; nothing may depend on them being equal.
        let skew_ms = self.rng.below(2_000);
        self.peers.push(Peer {
            id,
            identity,
            config,
            seed,
            boots: 0,
            disk: BTreeMap::new(),
            skew_ms,
            node: None,
        });
    }

    fn start(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        peer.boots += 1;
        let label = format!("node {}", peer.boots);
        let rng = Box::new(SeededRng::labelled(peer.seed, label.as_bytes()));
        let node = Node::new(peer.config.clone(), Arc::clone(&peer.identity), rng);
        match node {
            Ok(node) => peer.node = Some(node),
            Err(error) => self.break_rule(format_args!("p{index} cannot start: {error}")),
        }
        let peer = &self.peers[index];
        let record = |(key, bytes): (&Vec<u8>, &Vec<u8>)| StoredRecord {
            key: key.clone(),
            bytes: bytes.clone(),
        };
        let records: Vec<_> = peer.disk.iter().map(record).collect();
        for record in records {
            self.feed(index, Input::Restore(record));
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let nodes = self
            .peers
            .iter()
            .filter_map(|peer| peer.node.as_ref()?.next_deadline());
        nodes.chain(self.links.next_deadline()).min()
    }

    fn step(&mut self) {
        self.links.advance(self.now);
        while let Some(output) = self.links.poll() {
            self.on_mesh(output);
        }
        for index in 0..self.peers.len() {
            let node = self.peers[index].node.as_ref();
            let due = node
                .and_then(Node::next_deadline)
                .is_some_and(|at| at <= self.now);
            if due {
                self.feed(index, Input::Timeout);
            }
        }
    }

    fn on_mesh(&mut self, output: LinkOutput) {
        match output {
            LinkOutput::Up { at, peer } => {
                self.note(format_args!("p{at} link to p{peer} is up"));
                let peer = self.id(peer);
                self.feed(at, Input::LinkUp { peer });
            }
            LinkOutput::Down { at, peer } => {
                self.note(format_args!("p{at} link to p{peer} is down"));
                let peer = self.id(peer);
                self.feed(at, Input::LinkDown { peer });
            }
            LinkOutput::Failed { at, peer } => {
                self.note(format_args!("p{at} link to p{peer} failed"));
                let peer = self.id(peer);
                self.feed(at, Input::LinkFailed { peer });
            }
            LinkOutput::Message { at, peer, bytes } => {
                let from = self.id(peer);
                self.feed(
                    at,
                    Input::Message {
                        from,
                        bytes: &bytes,
                    },
                );
            }
        }
    }

    fn feed(&mut self, index: usize, input: Input<'_>) {
        let peer = &mut self.peers[index];
        let wall_clock = WALL_CLOCK_START + self.now.as_nanos() / 1_000_000 + peer.skew_ms;
        let Some(node) = &mut peer.node else {
            return;
        };
        node.handle(self.now, wall_clock, input);
        let outputs: Vec<_> = std::iter::from_fn(|| node.poll()).collect();
        for output in outputs {
            self.carry_out(index, output);
        }
    }

    fn carry_out(&mut self, index: usize, output: Output) {
        match output {
            Output::Send { to, bytes } => self.send(index, to, bytes),
            Output::Open { peer } => match self.by_id.get(&peer).copied() {
                Some(to) => self.links.open(self.now, index, to),
                None => self.break_rule(format_args!("p{index} opens a link to nobody: {peer}")),
            },
            Output::CloseLink { peer } => {
                if let Some(&to) = self.by_id.get(&peer) {
                    self.links.close(self.now, index, to);
                }
            }
            Output::Persist(StoreChange::Put(record)) => {
                self.peers[index].disk.insert(record.key, record.bytes);
            }
            Output::Persist(StoreChange::Delete { key }) => {
                self.peers[index].disk.remove(&key);
            }
            Output::Reply { id, result } => {
                let outcome = match &result {
                    Ok(_) => "done".to_owned(),
                    Err(error) => error.to_string(),
                };
                self.note(format_args!("p{index} reply {id}: {outcome}"));
                if self.replies.insert(id, result).is_some() {
                    self.break_rule(format_args!("p{index} replied twice to command {id}"));
                }
            }
            Output::Event(event) => self.on_event(index, &event),
        }
    }

    fn send(&mut self, index: usize, to: NodeId, bytes: Vec<u8>) {
        let Some(&receiver) = self.by_id.get(&to) else {
            return self.break_rule(format_args!("p{index} sends to nobody: {to}"));
        };
        let limit = self.peers[index].config.max_message_size;
        if bytes.len() > limit {
            self.break_rule(format_args!(
                "p{index} sends {} octets, more than {limit}",
                bytes.len()
            ));
        }
        self.messages += 1;
        self.octets += bytes.len() as u64;
        self.note(format_args!("p{index} > p{receiver} {}", describe(&bytes)));
        self.links.send(self.now, index, receiver, bytes);
    }

    fn on_event(&mut self, index: usize, event: &Event) {
        self.note(format_args!("p{index} {event:?}"));
    }

    fn break_rule(&mut self, what: std::fmt::Arguments<'_>) {
        self.log.add(self.now, format_args!("BROKEN: {what}"));
        self.broken.get_or_insert_with(|| what.to_string());
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        self.log.add(self.now, what);
    }
}

/// How often [`OverlayWorld::await_ring`] looks.
const RING_CHECK: Duration = Duration::from_millis(500);

/// What kind of message it is, for the log: request or answer, transaction, size.
fn describe(message: &[u8]) -> String {
    let size = message.len();
    let Ok((header, body)) = ForwardingHeader::parse(message) else {
        return format!("malformed {size}B");
    };
    let transaction = header.transaction_id & 0xffff;
    let Ok((_, contents, _)) = parse_body(body) else {
        return format!("malformed contents {size}B");
    };
    let what = match Body::decode(contents.code, &contents.body) {
        Ok(Some(Body::Error(error))) => {
            format!(
                "Error {} {:?}",
                error.code.name(),
                String::from_utf8_lossy(&error.info)
            )
        }
        Ok(Some(known)) => {
            let debug = format!("{known:?}");
            debug
                .split(['(', ' ', '{'])
                .next()
                .unwrap_or_default()
                .to_owned()
        }
        Ok(None) | Err(_) => format!("code {}", contents.code),
    };
    format!("{what} t{transaction:04x} {size}B")
}

/// The name of a command, for the log.
fn name(command: &Command) -> &'static str {
    match command {
        Command::Join => "join",
        Command::Leave => "leave",
        Command::Store(_) => "store",
        Command::Fetch(_) => "fetch",
        Command::Stat(_) => "stat",
        Command::Find { .. } => "find",
        Command::Ping(_) => "ping",
        Command::Probe(_) => "probe",
        Command::Trace(_) => "trace",
        Command::Map { .. } => "map",
    }
}
