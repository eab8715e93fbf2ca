//! A world of HIP hosts on the simulated network, with the invariants that hold after every event.
//!
//! Checked all the time: an inner packet is delivered once, whole, by the right association, at
//! its receiver only; no plaintext is on the network; tables stay bounded; time moves on.
//! Checked by [`HipWorld::check_quiet`] once nothing moves any more: at most one live association
//! per HIT pair, and both ends agree on its SPIs.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hip_core::{Event, FailReason, HostConfig, PeerLocator, StateName};
use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
use hip_wire::Hit;
use hip_wire::time::Instant;

use crate::link::LinkConfig;
use crate::log::EventLog;
use crate::nat::NatConfig;
use crate::network::{HostId, INTERNET, NatId, Network, NetworkInput, NetworkOutput, RealmId};
use crate::packet::{Datagram, Protocol};
use crate::random::SimRng;

pub mod host;
pub mod ledger;

use host::{HostOutput, SimHost};
use ledger::{Ledger, Received};

/// How hosts reach one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// HIP as protocol 139, ESP as protocol 50.
    Raw,
    /// Both in UDP.
    Udp,
}

/// Hosts, network, account of packets, log.
pub struct HipWorld {
    /// Virtual time.
    pub now: Instant,
    /// The network, to break it.
    pub network: Network,
    /// Random numbers of the story itself.
    pub rng: SimRng,
    /// Whether public hosts added from now on have IPv6 addresses instead of IPv4 ones.
    pub ipv6: bool,
    hosts: Vec<SimHost>,
    ledger: Ledger,
    log: EventLog,
    seed: u64,
    inbox: Vec<(HostId, Received)>,
    established: BTreeMap<(HostId, Hit), u32>,
    failures: BTreeMap<(HostId, Hit), FailReason>,
    recorded: Option<Vec<Datagram>>,
    broken: Option<String>,
}

/// Steps at one instant after which a world counts as stuck in a loop.
const STEPS_PER_INSTANT: u32 = 20_000;
/// Packets under way that no story comes near.
const MOST_IN_FLIGHT: usize = 10_000;

impl HipWorld {
    /// A world without hosts.
    pub fn new(seed: u64, log: &EventLog) -> Self {
        let mut rng = SimRng::new(seed);
        Self {
            now: Instant::ZERO,
            network: Network::new(rng.next_u64()),
            rng,
            ipv6: false,
            hosts: Vec::new(),
            ledger: Ledger::default(),
            log: log.clone(),
            seed,
            inbox: Vec::new(),
            established: BTreeMap::new(),
            failures: BTreeMap::new(),
            recorded: None,
            broken: None,
        }
    }

    /// Adds a host with a public address behind `link`.
    pub fn add_host(&mut self, link: LinkConfig) -> HostId {
        self.add_host_in(INTERNET, link, HostConfig::default())
    }

    /// Adds a host in a realm, with settings of its own.
    pub fn add_host_in(&mut self, realm: RealmId, link: LinkConfig, config: HostConfig) -> HostId {
        let identity = identity(self.seed, self.hosts.len());
        self.add(realm, identity, link, config)
    }

    /// Adds a host with a public address and a given identity.
    pub fn add_host_as(
        &mut self,
        identity: Arc<HostIdentity>,
        link: LinkConfig,
        config: HostConfig,
    ) -> HostId {
        self.add(INTERNET, identity, link, config)
    }

    fn add(
        &mut self,
        realm: RealmId,
        identity: Arc<HostIdentity>,
        link: LinkConfig,
        config: HostConfig,
    ) -> HostId {
        let id = self.network.add_host();
        let last = (id.0 + 1) as u8;
        let address = match (realm == INTERNET, self.ipv6) {
            (true, false) => IpAddr::from([192, 0, 2, last]),
            (true, true) => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)]),
            (false, _) => IpAddr::from([10, 0, 0, last]),
        };
        self.network.attach(id, realm, address, link);
        let seed = self.seed.wrapping_mul(256).wrapping_add(u64::from(last));
        let addresses = vec![address];
        let host = SimHost::new(id, identity, seed, config, addresses, self.now);
        self.note(format_args!("{id} is {} at {address}", host.hit));
        self.hosts.push(host);
        self.collect(id);
        id
    }

    /// Adds a NAT box on the Internet; returns it and the realm behind it.
    pub fn add_nat(&mut self, config: NatConfig, link: LinkConfig) -> (NatId, RealmId) {
        let external = IpAddr::from([198, 51, 100, self.rng.below(250) as u8 + 1]);
        self.network.add_nat(INTERNET, vec![external], config, link)
    }

    /// Writes the address of `peer` into the hosts file of `host`.
    pub fn introduce(&mut self, host: HostId, peer: HostId, carrier: Carrier) {
        let address = self.address(peer);
        let locator = match carrier {
            Carrier::Raw => PeerLocator::raw(address),
            Carrier::Udp => PeerLocator::udp(SocketAddr::new(address, UDP_PORT)),
        };
        let hit = self.hit(peer);
        self.host_mut(host).hosts_file.insert(hit, vec![locator]);
    }

    /// The address a host was given when it was added.
    pub fn address(&self, host: HostId) -> IpAddr {
        self.network
            .addresses(host)
            .next()
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// The HIT of a host.
    pub fn hit(&self, host: HostId) -> Hit {
        self.host(host).hit
    }

    /// A host, to look at.
    pub fn host(&self, host: HostId) -> &SimHost {
        &self.hosts[host.0 as usize]
    }

    /// Asks `host` for an association with `peer`.
    pub fn connect(&mut self, host: HostId, peer: HostId) {
        let peer_hit = self.hit(peer);
        self.note(format_args!("{host} connects to {peer}"));
        let now = self.now;
        self.host_mut(host).connect(now, peer_hit);
        self.collect(host);
    }

    /// Asks `host` to close its association with `peer`.
    pub fn close(&mut self, host: HostId, peer: HostId) {
        let peer_hit = self.hit(peer);
        self.note(format_args!("{host} closes {peer}"));
        let now = self.now;
        self.host_mut(host).close(now, peer_hit);
        self.collect(host);
    }

    /// `host` loses its state, as by a crash, and starts again at once.
    pub fn restart(&mut self, host: HostId) {
        self.note(format_args!("{host} restarts"));
        let now = self.now;
        self.host_mut(host).restart(now);
        let forgotten = |key: &(HostId, Hit)| key.0 == host;
        self.established.retain(|key, _| !forgotten(key));
        self.failures.retain(|key, _| !forgotten(key));
        self.collect(host);
    }

    /// `host` stands still without a word until [`Self::restart`].
    pub fn halt(&mut self, host: HostId) {
        self.note(format_args!("{host} halts"));
        self.host_mut(host).halt();
    }

    /// An application on `host` sends `payload` to `peer`; returns the packet's number.
    pub fn send(&mut self, host: HostId, peer: HostId, payload: Vec<u8>) -> u64 {
        let (from, to) = (self.hit(host), self.hit(peer));
        let length = payload.len();
        let (number, packet) = self.ledger.send(from, to, payload);
        self.note(format_args!(
            "{host} sends inner {number} to {peer} {length}B"
        ));
        let now = self.now;
        self.host_mut(host).send_inner(now, &packet);
        self.collect(host);
        number
    }

    /// From now on every packet put on the network is kept for [`Self::take_recorded`].
    pub fn record_packets(&mut self) {
        self.recorded = Some(Vec::new());
    }

    /// The packets recorded so far; ends the recording.
    pub fn take_recorded(&mut self) -> Vec<Datagram> {
        self.recorded.take().unwrap_or_default()
    }

    /// An attacker on the path sends a packet with whatever source it claims.
    pub fn inject(&mut self, datagram: Datagram) {
        self.note(format_args!(
            "attacker puts {datagram}{}",
            describe(&datagram)
        ));
        self.network
            .handle(self.now, NetworkInput::Inject { datagram });
    }

    /// Whether inner packet `number` was delivered.
    pub fn arrived(&self, number: u64) -> bool {
        self.ledger.arrived(number)
    }

    /// Inner packets sent and delivered so far.
    pub fn totals(&self) -> (usize, usize) {
        self.ledger.totals()
    }

    /// ESP packets of which at least one unchanged copy reached a host: as long as their SAs live, this is
    /// how many inner packets must have been delivered, no more and no less.
    pub fn intact_esp(&self) -> usize {
        self.ledger.intact()
    }

    /// Inner packets delivered since the last call.
    pub fn take_inbox(&mut self) -> Vec<(HostId, Received)> {
        std::mem::take(&mut self.inbox)
    }

    /// How often `host` reported the association with `peer` as established.
    pub fn times_established(&self, host: HostId, peer: HostId) -> u32 {
        let key = (host, self.hit(peer));
        self.established.get(&key).copied().unwrap_or(0)
    }

    /// Why the last exchange of `host` with `peer` failed, if it did.
    pub fn failure(&self, host: HostId, peer: HostId) -> Option<FailReason> {
        self.failures.get(&(host, self.hit(peer))).copied()
    }

    /// The state `host` has for `peer`.
    pub fn state(&self, host: HostId, peer: HostId) -> Option<StateName> {
        self.host(host).state(self.now, self.hit(peer))
    }

    /// Whether both ends are done with the exchange: both have SAs.
    pub fn connected(&self, one: HostId, other: HostId) -> bool {
        self.is_live(one, other) && self.is_live(other, one)
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
                self.break_rule(format_args!(
                    "time stands still: a timer is due over and over"
                ));
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
        match &self.broken {
            Some(broken) => Err(broken.clone()),
            None => Ok(()),
        }
    }

    /// [`Self::check`], and what must hold once nothing is under way: both ends of a pair agree.
    ///
    /// # Errors
    /// Names the first rule that does not hold.
    pub fn check_quiet(&self) -> Result<(), String> {
        self.check()?;
        for one in &self.hosts {
            for view in one
                .core()
                .associations(self.now)
                .filter(|view| is_live(view.state))
            {
                let both = one
                    .core()
                    .associations(self.now)
                    .filter(|other| other.peer == view.peer);
                if both.count() != 1 {
                    return Err(format!(
                        "{} has two associations with {}",
                        one.id, view.peer
                    ));
                }
                self.check_pair(one, view.peer)?;
            }
        }
        Ok(())
    }

    fn check_pair(&self, one: &SimHost, peer: Hit) -> Result<(), String> {
        let Some(other) = self.hosts.iter().find(|host| host.hit == peer) else {
            return Err(format!("{} has an association with nobody", one.id));
        };
        let only = |all: std::collections::BTreeSet<(Hit, u32)>, with: Hit| {
            let mut spis = all
                .into_iter()
                .filter(|(hit, _)| *hit == with)
                .map(|(_, spi)| spi);
            (spis.next(), spis.next())
        };
        let out = only(one.outbound_sas(), peer);
        let into = only(other.inbound_sas(), one.hit);
        if out.0.is_none() || out != into || out.1.is_some() {
            return Err(format!(
                "{} sends to {} on SPIs {out:?}, which receives on {into:?}",
                one.id, other.id
            ));
        }
        Ok(())
    }

    fn is_live(&self, host: HostId, peer: HostId) -> bool {
        self.state(host, peer).is_some_and(is_live)
    }

    /// When something happens next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let hosts = self.hosts.iter().filter_map(SimHost::next_deadline).min();
        [self.network.next_deadline(), hosts]
            .into_iter()
            .flatten()
            .min()
    }

    fn step(&mut self) {
        self.network.handle(self.now, NetworkInput::Timeout);
        self.drain_network();
        for index in 0..self.hosts.len() {
            let host = &mut self.hosts[index];
            if host.next_deadline().is_some_and(|at| at <= self.now) {
                host.timeout(self.now);
                let id = host.id;
                self.collect(id);
            }
        }
        self.check_bounds();
    }

    fn drain_network(&mut self) {
        while let Some(output) = self.network.poll() {
            self.note(format_args!("{output}"));
            if let NetworkOutput::Delivered { host, datagram } = output {
                let now = self.now;
                if is_esp(&datagram) {
                    self.ledger.esp_arrived(&datagram.bytes);
                }
                self.host_mut(host).receive(now, datagram);
                self.collect(host);
            }
        }
    }

    /// Carries out what a host asked.
    fn collect(&mut self, id: HostId) {
        for output in self.host_mut(id).take_outputs() {
            match output {
                HostOutput::Send(datagram) => self.put_on_network(id, datagram),
                HostOutput::Deliver { peer, packet } => self.deliver(id, peer, &packet),
                HostOutput::Event(event) => self.on_event(id, event),
                HostOutput::EspDropped(reason) => {
                    self.note(format_args!("{id} esp drops {}", reason.name()));
                }
                HostOutput::Refused(error) => {
                    self.break_rule(format_args!(
                        "{id}: the data plane refuses the core: {error}"
                    ));
                }
            }
        }
    }

    fn put_on_network(&mut self, host: HostId, datagram: Datagram) {
        if self.ledger.leaks(&datagram.bytes) {
            self.break_rule(format_args!("{host} sends plaintext: {datagram}"));
        }
        self.note(format_args!(
            "{host} puts {datagram}{}",
            describe(&datagram)
        ));
        if let Some(recorded) = &mut self.recorded {
            recorded.push(datagram.clone());
        }
        if is_esp(&datagram) {
            self.ledger.esp_sent(&datagram.bytes);
        }
        let now = self.now;
        self.network
            .handle(now, NetworkInput::Send { host, datagram });
    }

    fn deliver(&mut self, host: HostId, peer: Hit, packet: &[u8]) {
        let hit = self.hit(host);
        match self.ledger.deliver(hit, peer, packet) {
            Ok(received) => {
                self.note(format_args!("{host} receives inner {}", received.number));
                self.inbox.push((host, received));
            }
            Err(broken) => self.break_rule(format_args!("{broken}")),
        }
    }

    fn on_event(&mut self, host: HostId, event: Event) {
        self.note(format_args!("{host} {event}"));
        match event {
            Event::Established { peer, .. } => {
                *self.established.entry((host, peer)).or_default() += 1;
                self.failures.remove(&(host, peer));
            }
            Event::Failed { peer, reason } => {
                self.failures.insert((host, peer), reason);
            }
            _ => {}
        }
    }

    /// Memory stays within the model: tables by the number of peers, queues by their limits.
    fn check_bounds(&mut self) {
        let peers = self.hosts.len();
        let too_much = self.hosts.iter().find_map(|host| {
            let associations = host.core().associations(self.now).count();
            let sas = host.inbound_sas().len() + host.outbound_sas().len();
            let most_waiting = peers * hip_esp::PendingLimits::default().packets;
            let within =
                associations <= peers && sas <= 8 * peers && host.waiting() <= most_waiting;
            (!within).then(|| {
                format!(
                    "{}: {associations} associations, {sas} SAs, {} waiting",
                    host.id,
                    host.waiting()
                )
            })
        });
        if let Some(what) = too_much {
            self.break_rule(format_args!("memory out of bounds: {what}"));
        }
        if self.network.in_flight() > MOST_IN_FLIGHT {
            self.break_rule(format_args!(
                "a storm: {} packets under way",
                self.network.in_flight()
            ));
        }
    }

    fn break_rule(&mut self, what: std::fmt::Arguments<'_>) {
        self.log.add(self.now, format_args!("BROKEN: {what}"));
        self.broken.get_or_insert_with(|| what.to_string());
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        self.log.add(self.now, what);
    }

    fn host_mut(&mut self, host: HostId) -> &mut SimHost {
        &mut self.hosts[host.0 as usize]
    }
}

const UDP_PORT: u16 = 10500;

/// The identity of number `index` in the world of `seed`.
///
/// # Panics
/// Never: P-256 keys follow from any seed.
pub fn identity(seed: u64, index: usize) -> Arc<HostIdentity> {
    let seed = seed.wrapping_mul(1_024).wrapping_add(index as u64);
    let identity = HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, seed);
    Arc::new(identity.expect("P-256 keys follow from any seed"))
}

const fn is_live(state: StateName) -> bool {
    matches!(state, StateName::Established | StateName::R2Sent)
}

/// What kind of packet it is, for the log.
fn describe(datagram: &Datagram) -> String {
    let control = match datagram.protocol {
        Protocol::HIP => Some(&datagram.bytes[..]),
        Protocol::Udp => datagram.bytes.strip_prefix(&[0; 4]),
        Protocol::Raw(_) => None,
    };
    match control.map(hip_wire::Packet::parse) {
        Some(Ok(packet)) => format!(" {:?}", packet.packet_type()),
        Some(Err(error)) => format!(" malformed HIP: {error}"),
        None => String::from(" ESP"),
    }
}

/// ESP, directly over IP or in UDP (RFC 9028 section 5.1: no marker of zeros).
fn is_esp(datagram: &Datagram) -> bool {
    match datagram.protocol {
        Protocol::ESP => true,
        Protocol::Udp => !datagram.bytes.starts_with(&[0; 4]),
        _ => false,
    }
}
