//! Overlay links that really travel: streams of datagrams between HITs, inside the ESP of
//! simulated HIP hosts, over the simulated network.
//!
//! ```text
//!   reload-core ─ message ─▶ stream ─ inner packet ─▶ hip-esp ─ ESP ─▶ network
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use hip_core::HostConfig;
use hip_crypto::identity::HostIdentity;
use hip_wire::time::Instant;

use crate::hip_world::{Carrier, HipWorld};
use crate::link::LinkConfig;
use crate::log::EventLog;
use crate::network::HostId;
use crate::random::SimRng;

use super::links::{LinkOutput, Links};
use super::stream::{StreamOutput, Streams};

/// HIP hosts that know one another's addresses, with streams between them.
pub struct HipLinks {
    world: HipWorld,
    hosts: Vec<End>,
    rng: SimRng,
    outputs: VecDeque<LinkOutput>,
}

struct End {
    id: HostId,
    streams: Streams,
}

impl HipLinks {
    /// One host per identity, in order, each behind `link`; all are in each other's hosts files.
    pub fn new(
        seed: u64,
        log: &EventLog,
        identities: &[Arc<HostIdentity>],
        link: &LinkConfig,
        carrier: Carrier,
    ) -> Self {
        let mut world = HipWorld::new(seed, log);
        let mut rng = SimRng::new(seed);
        let mut hosts = Vec::new();
        for identity in identities {
            let config = HostConfig::default();
            let id = world.add_host_as(Arc::clone(identity), link.clone(), config);
            let streams = Streams::new(rng.fork(u64::from(id.0)));
            hosts.push(End { id, streams });
        }
        for one in &hosts {
            for other in hosts.iter().filter(|other| other.id != one.id) {
                world.introduce(one.id, other.id, carrier);
            }
        }
        Self {
            world,
            hosts,
            rng,
            outputs: VecDeque::new(),
        }
    }

    /// The HIP hosts underneath.
    pub const fn world(&self) -> &HipWorld {
        &self.world
    }

    /// Brings the hosts up to `now`, before something is asked of them.
    fn catch_up(&mut self, now: Instant) {
        self.world
            .run_for(now.saturating_duration_since(self.world.now));
        self.distribute(now);
    }

    /// Carries out what the streams ask until they ask no more.
    fn collect(&mut self) {
        for at in 0..self.hosts.len() {
            while let Some(output) = self.hosts[at].streams.poll() {
                self.carry_out(at, output);
            }
        }
    }

    fn carry_out(&mut self, at: usize, output: StreamOutput) {
        let of = |hit| {
            self.hosts
                .iter()
                .position(|end| self.world.hit(end.id) == hit)
        };
        let told = match output {
            StreamOutput::Datagram { to, bytes } => {
                if let Some(to) = of(to) {
                    self.world.send(self.hosts[at].id, self.hosts[to].id, bytes);
                }
                return;
            }
            StreamOutput::Up(hit) => of(hit).map(|peer| LinkOutput::Up { at, peer }),
            StreamOutput::Down(hit) => of(hit).map(|peer| LinkOutput::Down { at, peer }),
            StreamOutput::Failed(hit) => of(hit).map(|peer| LinkOutput::Failed { at, peer }),
            StreamOutput::Message(hit, bytes) => {
                of(hit).map(|peer| LinkOutput::Message { at, peer, bytes })
            }
        };
        self.outputs.extend(told);
    }

    /// Hands inner packets that arrived to the streams.
    fn distribute(&mut self, now: Instant) {
        for (host, received) in self.world.take_inbox() {
            if let Some(end) = self.hosts.iter_mut().find(|end| end.id == host) {
                end.streams.receive(now, received.from, &received.payload);
            }
        }
    }
}

impl Links for HipLinks {
    fn open(&mut self, now: Instant, from: usize, to: usize) {
        self.catch_up(now);
        let peer = self.world.hit(self.hosts[to].id);
        self.hosts[from].streams.open(now, peer);
        self.collect();
    }

    fn send(&mut self, now: Instant, from: usize, to: usize, bytes: Vec<u8>) {
        self.catch_up(now);
        let peer = self.world.hit(self.hosts[to].id);
        self.hosts[from].streams.send(now, peer, &bytes);
        self.collect();
    }

    fn close(&mut self, now: Instant, from: usize, to: usize) {
        self.catch_up(now);
        let peer = self.world.hit(self.hosts[to].id);
        self.hosts[from].streams.close(peer);
        self.collect();
    }

    fn kill(&mut self, now: Instant, peer: usize) {
        self.catch_up(now);
        let end = &mut self.hosts[peer];
        end.streams = Streams::new(self.rng.fork(u64::from(end.id.0)));
        self.world.halt(end.id);
    }

    fn revive(&mut self, now: Instant, peer: usize) {
        self.catch_up(now);
        self.world.restart(self.hosts[peer].id);
    }

    fn partition(&mut self, _now: Instant, left: &dyn Fn(usize) -> bool) {
        let (one, other): (Vec<_>, Vec<_>) = (0..self.hosts.len()).partition(|peer| left(*peer));
        let ids = |side: Vec<usize>| -> Vec<_> {
            side.into_iter().map(|peer| self.hosts[peer].id).collect()
        };
        let (one, other) = (ids(one), ids(other));
        self.world.network.partition(&[&one, &other]);
    }

    fn heal(&mut self, _now: Instant) {
        self.world.network.heal();
    }

    fn advance(&mut self, now: Instant) {
        self.catch_up(now);
        for end in &mut self.hosts {
            end.streams.timeout(now);
        }
        self.collect();
    }

    fn poll(&mut self) -> Option<LinkOutput> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let streams = self
            .hosts
            .iter()
            .filter_map(|end| end.streams.next_deadline())
            .min();
        let waiting = (!self.outputs.is_empty()).then_some(self.world.now);
        [self.world.next_deadline(), streams, waiting]
            .into_iter()
            .flatten()
            .min()
    }

    fn check(&self) -> Result<(), String> {
        self.world.check()
    }
}
