//! The host: finds the association a packet belongs to, answers I1s without state.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hip_crypto::identity::HostIdentity;
use hip_crypto::rng::Rng;
use hip_wire::hit::Hit;
use hip_wire::packet::Packet;
use hip_wire::param::DhGroupList;
use hip_wire::registry::PacketType;
use hip_wire::time::Instant;

use crate::access::AccessPolicy;
use crate::assoc::{Association, State};
use crate::config::HostConfig;
use crate::environment::Environment;
use crate::event::{CloseReason, Event, FailReason};
use crate::input::Input;
use crate::output::Output;
use crate::path::{Path, PeerLocator, Transport};
use crate::r1::{HIT_SUITES, R1Pool};
use crate::rate::PrefixLimiter;
use crate::stats::{DropReason, Stats};
use crate::status::AssociationView;

/// One HIP host with one Host Identity.
///
/// See the crate's front page for how to drive it.
pub struct Host {
    pub(crate) env: Environment,
    pool: R1Pool,
    limiter: PrefixLimiter,
    pub(crate) associations: BTreeMap<Hit, Association>,
    /// When which association wants `on_timeout`.
    timers: BTreeSet<(Instant, Hit)>,
    /// Locators that came before anybody asked for the peer.
    locators: BTreeMap<Hit, Vec<PeerLocator>>,
}

impl Host {
    /// A host that has no associations yet. Makes its first R1s, one per Diffie-Hellman group.
    pub fn new(config: HostConfig, identity: Arc<HostIdentity>, rng: Box<dyn Rng>) -> Self {
        let mut env = Environment::new(config, identity, rng);
        let limits = &env.config.limits;
        let (rate, burst) = (limits.r1_per_second, limits.r1_burst);
        let limiter = PrefixLimiter::new(rate, burst, env.rng.next_u64());
        let mut pool = R1Pool::new(&env);
        pool.prepare(&mut env);
        Self {
            env,
            pool,
            limiter,
            associations: BTreeMap::new(),
            timers: BTreeSet::new(),
            locators: BTreeMap::new(),
        }
    }

    /// Takes one input. Time never goes back: an earlier `now` counts as the latest one seen.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.env.now = now.max(self.env.now);
        self.env.puzzle_budget = self.env.config.puzzle.tries_per_step;
        match input {
            Input::Packet { path, bytes } => self.on_datagram(path, bytes),
            Input::Timeout => self.on_timeout(),
            Input::Connect { peer } => self.on_connect(peer),
            Input::Locators { peer, locators } => self.on_locators(peer, locators),
            Input::EspActivity {
                peer,
                inbound,
                outbound,
            } => {
                self.with(peer, |association, env, _| {
                    association.on_esp(env, inbound, outbound);
                });
            }
            Input::Close { peer } => {
                self.with(peer, |association, env, _| {
                    association.close(env, CloseReason::Local);
                });
            }
            Input::CloseAll => self.for_each(|association, env| {
                association.close(env, CloseReason::Local);
            }),
            Input::LocalAddresses(addresses) => self.on_local_addresses(addresses),
        }
    }

    /// The next thing to do; call until `None` after each [`handle`](Self::handle).
    pub fn poll(&mut self) -> Option<Output> {
        self.env.poll()
    }

    /// When `Input::Timeout` is due. Changes with every call of [`handle`](Self::handle).
    pub fn next_deadline(&self) -> Option<Instant> {
        let first = self.timers.first().map(|&(due, _)| due);
        first.into_iter().chain(self.pool.deadline(&self.env)).min()
    }

    /// The HIT of this host.
    pub fn hit(&self) -> Hit {
        self.env.local
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.env.stats
    }

    /// The current R1 generation counter, for storing (7401-4.1.4-04).
    pub fn r1_counter(&self) -> u64 {
        self.pool.counter()
    }

    /// Replaces the access policy; associations that exist stay.
    pub fn set_access(&mut self, access: AccessPolicy) {
        self.env.config.access = access;
    }

    /// Changes #K of the puzzles sent from now on; those out stay valid with the #K they have.
    // 7401-4.1.1-04
    pub fn set_puzzle_difficulty(&mut self, now: Instant, difficulty: u8) {
        self.env.now = now.max(self.env.now);
        if self.env.config.puzzle.difficulty != difficulty {
            self.env.config.puzzle.difficulty = difficulty;
            self.pool.rotate(&mut self.env);
        }
    }

    /// A snapshot of every association at `now`, in order of peer HITs.
    pub fn associations(&self, now: Instant) -> impl Iterator<Item = AssociationView> + '_ {
        self.associations
            .values()
            .map(move |association| association.view(self.env.local, now))
    }

    /// A snapshot of one association at `now`.
    pub fn association(&self, peer: Hit, now: Instant) -> Option<AssociationView> {
        Some(self.associations.get(&peer)?.view(self.env.local, now))
    }

    fn on_datagram(&mut self, path: Path, bytes: &[u8]) {
        let Ok(packet) = Packet::parse(bytes) else {
            let (peer, reason) = (None, DropReason::Malformed);
            return self.env.event(Event::Dropped { peer, reason });
        };
        self.env.stats.count_received(packet.packet_type());
        let peer = packet.sender();
        if let Err(reason) = self.accept(path, &packet) {
            self.env.drop_packet(peer, reason);
        }
    }

    /// Header checks, then on to the association. I1 never makes one.
    fn accept(&mut self, path: Path, packet: &Packet<'_>) -> Result<(), DropReason> {
        let (peer, local) = (packet.sender(), self.env.local);
        // 7401-5.4.2-03. Over UDP the field is 0 and UDP's own checksum protects the packet.
        if path.transport == Transport::Raw
            && packet
                .verify_checksum(path.remote.ip(), path.local.ip())
                .is_err()
        {
            return Err(DropReason::Checksum);
        }
        let to_anybody = matches!(packet.packet_type(), PacketType::I1 | PacketType::Notify)
            && packet.receiver().is_null();
        // 7401-6.7-07, 7401-6.9-04
        if packet.receiver() != local && !to_anybody {
            return Err(DropReason::NotOurHit);
        }
        if peer == local || peer.suite().is_none() {
            return Err(DropReason::BadSenderHit);
        }
        if packet.unknown_critical().is_some() {
            return Err(DropReason::UnknownCritical);
        }
        match packet.packet_type() {
            PacketType::I1 => self.on_i1(path, packet),
            PacketType::I2 => self.on_i2(path, packet),
            _ if !self.associations.contains_key(&peer) => Err(DropReason::NoAssociation),
            _ => {
                self.with(peer, |association, env, pool| {
                    association.on_packet(env, pool, path, packet);
                });
                Ok(())
            }
        }
    }

    /// I1: an R1 from the pool, and no state (RFC 7401 §6.7).
    // 7401-6.7-01, 7401-6.7-06, 7401-4.1.1-01, 7401-6.7-15
    fn on_i1(&mut self, path: Path, packet: &Packet<'_>) -> Result<(), DropReason> {
        let peer = packet.sender();
        if !peer
            .suite()
            .is_some_and(|suite| HIT_SUITES.contains(&suite))
        {
            return Err(DropReason::BadSenderHit);
        }
        if !self.env.config.access.permits(&peer) {
            return Err(DropReason::Policy);
        }
        // 7401-6.7-09, 7401-6.7-10, 7401-4.4.3-07
        let calling = self
            .associations
            .get(&peer)
            .is_some_and(|association| matches!(association.state, State::I1Sent(_)));
        if calling && self.env.local < peer {
            return Err(DropReason::Crossing);
        }
        let groups: DhGroupList = packet.require()?;
        // 7401-6.7-05
        if !self.limiter.allow(self.env.now, path.remote.ip()) {
            return Err(DropReason::RateLimited);
        }
        let r1 = self
            .pool
            .offer(&mut self.env, &groups, peer, path)
            .ok_or(DropReason::Local)?;
        self.env.send(path, r1);
        Ok(())
    }

    /// I2 may make an association, if the table has room.
    fn on_i2(&mut self, path: Path, packet: &Packet<'_>) -> Result<(), DropReason> {
        let peer = packet.sender();
        if !self.has_room_for(&peer) {
            return Err(DropReason::TableFull);
        }
        self.with_new(peer, |association, env, pool| {
            association.on_packet(env, pool, path, packet);
        });
        Ok(())
    }

    fn on_connect(&mut self, peer: Hit) {
        let reason = match peer.suite() {
            None => Some(FailReason::NotAHit),
            Some(_) if peer == self.env.local => Some(FailReason::NotAHit),
            Some(_) if !self.has_room_for(&peer) => Some(FailReason::TableFull),
            Some(_) => None,
        };
        if let Some(reason) = reason {
            return self.env.event(Event::Failed { peer, reason });
        }
        let known = self.locators.remove(&peer);
        self.with_new(peer, |association, env, _| {
            if let Some(locators) = known {
                association.set_locators(env, locators);
            }
            association.connect(env);
        });
    }

    fn on_locators(&mut self, peer: Hit, locators: Vec<PeerLocator>) {
        if self.associations.contains_key(&peer) {
            self.with(peer, |association, env, _| {
                association.set_locators(env, locators);
            });
        } else if locators.is_empty() {
            self.locators.remove(&peer);
        } else if self.locators.len() < self.env.config.limits.associations
            || self.locators.contains_key(&peer)
        {
            self.locators.insert(peer, locators);
        }
    }

    fn on_local_addresses(&mut self, addresses: Vec<IpAddr>) {
        self.env.addresses = addresses;
        self.for_each(|association, env| association.on_local_addresses(env));
    }

    fn on_timeout(&mut self) {
        self.pool.on_timeout(&mut self.env);
        let now = self.env.now;
        let due: Vec<Hit> = self
            .timers
            .iter()
            .take_while(|&&(due, _)| due <= now)
            .map(|&(_, peer)| peer)
            .collect();
        for peer in due {
            self.with(peer, |association, env, _| association.on_timeout(env));
        }
    }

    fn has_room_for(&self, peer: &Hit) -> bool {
        self.associations.len() < self.env.config.limits.associations
            || self.associations.contains_key(peer)
    }

    fn for_each(&mut self, mut action: impl FnMut(&mut Association, &mut Environment)) {
        let peers: Vec<Hit> = self.associations.keys().copied().collect();
        for peer in peers {
            self.with(peer, |association, env, _| action(association, env));
        }
    }

    /// Runs `action` on the association with `peer`, made if there is none.
    fn with_new(
        &mut self,
        peer: Hit,
        action: impl FnOnce(&mut Association, &mut Environment, &mut R1Pool),
    ) {
        let env = &self.env;
        self.associations
            .entry(peer)
            .or_insert_with(|| Association::new(env, peer));
        self.with(peer, action);
    }

    /// Runs `action` on the association with `peer`, if there is one, and keeps its timer right.
    fn with(
        &mut self,
        peer: Hit,
        action: impl FnOnce(&mut Association, &mut Environment, &mut R1Pool),
    ) {
        let Some(association) = self.associations.get_mut(&peer) else {
            return;
        };
        let before = association.deadline();
        action(association, &mut self.env, &mut self.pool);
        let after = association.deadline();
        if association.is_idle() {
            self.associations.remove(&peer);
        }
        if before != after {
            if let Some(before) = before {
                self.timers.remove(&(before, peer));
            }
            if let Some(after) = after {
                self.timers.insert((after, peer));
            }
        }
    }
}
