//! NAT boxes and stateful firewalls with the behaviours of RFC 4787, sans-IO.
//!
//! ```text
//!  inside host ──outbound()──▶ mapping ──▶ Forward::Outside (external source)
//!                                 │  └───▶ Forward::Inside  (hairpin)
//!  inside host ◀──inbound()─── filter  ◀── outside
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hip_wire::time::Instant;

use crate::packet::{Datagram, Protocol};
use crate::random::SimRng;

/// What a mapping or a filter distinguishes about the remote end (RFC 4787 sections 4.1 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependence {
    /// Nothing.
    Endpoint,
    /// Its address.
    Address,
    /// Its address and port.
    AddressAndPort,
}

impl Dependence {
    /// All three, mildest first.
    pub const ALL: [Self; 3] = [Self::Endpoint, Self::Address, Self::AddressAndPort];

    /// The part of `remote` that matters.
    const fn key(self, remote: SocketAddr) -> RemoteKey {
        match self {
            Self::Endpoint => (None, None),
            Self::Address => (Some(remote.ip()), None),
            Self::AddressAndPort => (Some(remote.ip()), Some(remote.port())),
        }
    }
}

/// How external ports are chosen (RFC 4787 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// The inside port when it is free, else the next free one.
    Preserve,
    /// One after the other.
    Sequential,
    /// At random.
    Random,
}

/// What the box does.
#[derive(Clone, Debug)]
pub struct NatConfig {
    /// What a mapping is made per.
    pub mapping: Dependence,
    /// Who may send to a mapping: everyone, contacted addresses, or contacted endpoints.
    pub filtering: Dependence,
    /// Choice of external ports.
    pub ports: PortChoice,
    /// Whether inside hosts reach one another by their external addresses (RFC 4787 section 6).
    pub hairpin: bool,
    /// Idle time after which a mapping is forgotten.
    pub timeout: Duration,
    /// Whether inbound packets refresh a mapping too; outbound ones always do (RFC 4787 REQ-6).
    pub inbound_refreshes: bool,
    /// Whether UDP passes at all.
    pub udp: bool,
    /// Whether other IP protocols pass (one inside host per protocol and remote address).
    pub raw: bool,
    /// False: a firewall, which filters and rewrites nothing.
    pub translates: bool,
    /// Most mappings held at once.
    pub capacity: usize,
}

impl NatConfig {
    /// A translating box with the given mapping and filtering, ports preserved where possible,
    /// no hairpin, 120 s timeout, no raw protocols.
    pub const fn new(mapping: Dependence, filtering: Dependence) -> Self {
        Self {
            mapping,
            filtering,
            ports: PortChoice::Preserve,
            hairpin: false,
            timeout: Duration::from_secs(120),
            inbound_refreshes: true,
            udp: true,
            raw: false,
            translates: true,
            capacity: 4096,
        }
    }

    /// A stateful firewall without translation; raw protocols pass when begun from the inside.
    pub const fn firewall(filtering: Dependence) -> Self {
        let mut config = Self::new(Dependence::Endpoint, filtering);
        config.translates = false;
        config.raw = true;
        config
    }
}

/// Where an outbound packet goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forward {
    /// To the outer network.
    Outside(Datagram),
    /// Back to an inside host (hairpin).
    Inside(Datagram),
}

/// Why the box dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatDrop {
    /// Inbound, and no mapping has this external address.
    NoMapping,
    /// Inbound, and the filter does not know this sender.
    Filtered,
    /// The protocol does not pass.
    ProtocolBlocked,
    /// Outbound to the box's own address, and it does not hairpin.
    NoHairpin,
    /// No external port or table entry is free.
    Exhausted,
    /// Another inside host already uses this raw protocol with this remote address.
    RawConflict,
}

/// One NAT box or firewall.
#[derive(Clone, Debug)]
pub struct NatBox {
    config: NatConfig,
    external: Vec<IpAddr>,
    mappings: BTreeMap<MappingKey, Mapping>,
    by_external: BTreeMap<SocketAddr, MappingKey>,
    raw: BTreeMap<(u8, IpAddr), RawSession>,
    next_port: u16,
    rng: SimRng,
}

type RemoteKey = (Option<IpAddr>, Option<u16>);
type MappingKey = (SocketAddr, RemoteKey);

#[derive(Clone, Debug)]
struct Mapping {
    external: SocketAddr,
    used: Instant,
    contacted: BTreeSet<RemoteKey>,
}

#[derive(Clone, Copy, Debug)]
struct RawSession {
    inside: SocketAddr,
    used: Instant,
}

impl NatBox {
    /// A box with these external addresses (at most one per IP version is used; none for a firewall).
    pub fn new(config: NatConfig, external: Vec<IpAddr>, rng: SimRng) -> Self {
        Self {
            config,
            external,
            mappings: BTreeMap::new(),
            by_external: BTreeMap::new(),
            raw: BTreeMap::new(),
            next_port: FIRST_PORT,
            rng,
        }
    }

    /// Addresses the box answers to on the outside.
    pub fn external(&self) -> &[IpAddr] {
        &self.external
    }

    /// Whether the box rewrites addresses.
    pub const fn translates(&self) -> bool {
        self.config.translates
    }

    /// Mappings held, expired ones not counted.
    pub fn mappings(&self, now: Instant) -> usize {
        let live = |mapping: &&Mapping| self.live(mapping.used, now);
        self.mappings.values().filter(live).count()
    }

    /// Forgets everything, as a reboot does.
    pub fn reboot(&mut self) {
        self.mappings.clear();
        self.by_external.clear();
        self.raw.clear();
    }

    /// A packet from the inside.
    pub fn outbound(&mut self, now: Instant, mut datagram: Datagram) -> Result<Forward, NatDrop> {
        let hairpin = self.external.contains(&datagram.destination.ip());
        if hairpin && !self.config.hairpin {
            return Err(NatDrop::NoHairpin);
        }
        if let Protocol::Raw(number) = datagram.protocol {
            return self.outbound_raw(now, number, datagram);
        }
        if !self.config.udp {
            return Err(NatDrop::ProtocolBlocked);
        }
        datagram.source = self.map(now, datagram.source, datagram.destination)?;
        if hairpin {
            return self.inbound(now, datagram).map(Forward::Inside);
        }
        Ok(Forward::Outside(datagram))
    }

    /// A packet from the outside.
    pub fn inbound(&mut self, now: Instant, mut datagram: Datagram) -> Result<Datagram, NatDrop> {
        if let Protocol::Raw(number) = datagram.protocol {
            return self.inbound_raw(now, number, datagram);
        }
        if !self.config.udp {
            return Err(NatDrop::ProtocolBlocked);
        }
        let key = *self
            .by_external
            .get(&datagram.destination)
            .ok_or(NatDrop::NoMapping)?;
        let timeout = self.config.timeout;
        let mapping = self.mappings.get_mut(&key).ok_or(NatDrop::NoMapping)?;
        if now.saturating_duration_since(mapping.used) >= timeout {
            return Err(NatDrop::NoMapping);
        }
        let sender = self.config.filtering.key(datagram.source);
        if !mapping.contacted.contains(&sender) {
            return Err(NatDrop::Filtered);
        }
        if self.config.inbound_refreshes {
            mapping.used = now;
        }
        datagram.destination = key.0;
        Ok(datagram)
    }

    /// Finds or makes the mapping of `inside` towards `remote` and opens the filter.
    fn map(
        &mut self,
        now: Instant,
        inside: SocketAddr,
        remote: SocketAddr,
    ) -> Result<SocketAddr, NatDrop> {
        let key = (inside, self.config.mapping.key(remote));
        let opened = self.config.filtering.key(remote);
        if let Some(mapping) = self.mappings.get_mut(&key)
            && now.saturating_duration_since(mapping.used) < self.config.timeout
        {
            mapping.used = now;
            mapping.contacted.insert(opened);
            return Ok(mapping.external);
        }
        self.forget(&key);
        let external = self.allocate(now, inside)?;
        self.by_external.insert(external, key);
        let mapping = Mapping {
            external,
            used: now,
            contacted: BTreeSet::from([opened]),
        };
        self.mappings.insert(key, mapping);
        Ok(external)
    }

    fn allocate(&mut self, now: Instant, inside: SocketAddr) -> Result<SocketAddr, NatDrop> {
        if self.mappings.len() >= self.config.capacity {
            self.sweep(now);
        }
        if self.mappings.len() >= self.config.capacity {
            return Err(NatDrop::Exhausted);
        }
        if !self.config.translates {
            return Ok(inside);
        }
        let same_version = |address: &&IpAddr| address.is_ipv6() == inside.is_ipv6();
        let address = *self
            .external
            .iter()
            .find(same_version)
            .ok_or(NatDrop::ProtocolBlocked)?;
        for attempt in 0..PORT_TRIES {
            let port = self.candidate_port(attempt, inside.port());
            let external = SocketAddr::new(address, port);
            if self.is_free(now, external) {
                return Ok(external);
            }
        }
        Err(NatDrop::Exhausted)
    }

    fn candidate_port(&mut self, attempt: u32, inside: u16) -> u16 {
        match self.config.ports {
            PortChoice::Preserve if attempt == 0 => inside,
            PortChoice::Random => {
                FIRST_PORT + self.rng.below(u64::from(u16::MAX - FIRST_PORT)) as u16
            }
            PortChoice::Preserve | PortChoice::Sequential => {
                let port = self.next_port;
                self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
                port
            }
        }
    }

    /// Whether no live mapping holds `external`; an expired one is removed.
    fn is_free(&mut self, now: Instant, external: SocketAddr) -> bool {
        let Some(key) = self.by_external.get(&external).copied() else {
            return true;
        };
        let live = self
            .mappings
            .get(&key)
            .is_some_and(|mapping| self.live(mapping.used, now));
        if !live {
            self.forget(&key);
        }
        !live
    }

    fn outbound_raw(
        &mut self,
        now: Instant,
        number: u8,
        mut datagram: Datagram,
    ) -> Result<Forward, NatDrop> {
        if !self.config.raw {
            return Err(NatDrop::ProtocolBlocked);
        }
        let key = (number, datagram.destination.ip());
        if let Some(session) = self.raw.get(&key)
            && self.config.translates
            && session.inside != datagram.source
            && self.live(session.used, now)
        {
            return Err(NatDrop::RawConflict);
        }
        let inside = datagram.source;
        self.raw.insert(key, RawSession { inside, used: now });
        if self.config.translates {
            let same_version = |address: &&IpAddr| address.is_ipv6() == inside.is_ipv6();
            let external = self.external.iter().find(same_version);
            datagram.source = SocketAddr::new(*external.ok_or(NatDrop::ProtocolBlocked)?, 0);
        }
        Ok(Forward::Outside(datagram))
    }

    fn inbound_raw(
        &mut self,
        now: Instant,
        number: u8,
        mut datagram: Datagram,
    ) -> Result<Datagram, NatDrop> {
        if !self.config.raw {
            return Err(NatDrop::ProtocolBlocked);
        }
        let timeout = self.config.timeout;
        let session = self.raw.get_mut(&(number, datagram.source.ip()));
        let session = session.ok_or(NatDrop::NoMapping)?;
        if now.saturating_duration_since(session.used) >= timeout {
            return Err(NatDrop::NoMapping);
        }
        if self.config.inbound_refreshes {
            session.used = now;
        }
        datagram.destination = session.inside;
        Ok(datagram)
    }

    fn live(&self, used: Instant, now: Instant) -> bool {
        now.saturating_duration_since(used) < self.config.timeout
    }

    fn forget(&mut self, key: &MappingKey) {
        if let Some(mapping) = self.mappings.remove(key)
            && self.by_external.get(&mapping.external) == Some(key)
        {
            self.by_external.remove(&mapping.external);
        }
    }

    fn sweep(&mut self, now: Instant) {
        let expired: Vec<_> = self
            .mappings
            .iter()
            .filter(|(_, mapping)| !self.live(mapping.used, now))
            .map(|(key, _)| *key)
            .collect();
        for key in expired {
            self.forget(&key);
        }
    }
}

const FIRST_PORT: u16 = 20_000;
const PORT_TRIES: u32 = 4096;

#[cfg(test)]
mod tests;
