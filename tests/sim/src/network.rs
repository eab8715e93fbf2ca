//! The network: realms joined by NAT boxes, hosts on access links, one queue of events in virtual time.
//!
//! ```text
//!   host ──up link──▶ realm ──▶ down link ──▶ host
//!                       │ no such address here
//!                       ▼
//!                    NAT box ──link──▶ outer realm ──▶ …
//! ```
//!
//! Sans-IO like the cores: [`Network::handle`], [`Network::poll`], [`Network::next_deadline`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hip_wire::time::Instant;

use crate::link::{Arrival, Link, LinkConfig, LinkDrop, corrupt};
use crate::nat::{Forward, NatBox, NatConfig, NatDrop};
use crate::packet::Datagram;
use crate::random::SimRng;

/// A host on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

impl fmt::Display for HostId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "h{}", self.0)
    }
}

/// An address space: the Internet, or a site behind a NAT box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RealmId(usize);

/// The realm that exists from the start.
pub const INTERNET: RealmId = RealmId(0);

/// A NAT box in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NatId(usize);

/// What the world tells the network.
#[derive(Clone, Debug)]
pub enum NetworkInput {
    /// `host` sends a packet; its source must be an address of the host.
    Send {
        /// The sender.
        host: HostId,
        /// The packet.
        datagram: Datagram,
    },
    /// An attacker on the Internet sends a packet with any source address.
    Inject {
        /// The packet.
        datagram: Datagram,
    },
    /// The time of [`Network::next_deadline`] has come.
    Timeout,
}

/// What the network tells the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkOutput {
    /// A packet reached a host.
    Delivered {
        /// The receiver.
        host: HostId,
        /// The packet as the receiver sees it.
        datagram: Datagram,
    },
    /// A packet did not fit a link that signals so; reaches the sender at once.
    TooBig {
        /// The sender of the packet.
        host: HostId,
        /// Octets of the largest IP packet of the link.
        mtu: usize,
        /// The packet, with its addresses as seen at that link.
        datagram: Datagram,
    },
    /// A packet is gone.
    Dropped {
        /// Why.
        reason: NetworkDrop,
        /// The packet, with its addresses as seen at that place.
        datagram: Datagram,
    },
}

/// Why the network dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkDrop {
    /// A link did.
    Link(LinkDrop),
    /// A NAT box did.
    Nat(NatDrop),
    /// No host of the reachable realms has the destination.
    NoRoute,
    /// The source is not an address of the sending host.
    ForeignSource,
    /// Sender and receiver are partitioned.
    Partitioned,
    /// Too many NAT boxes in a row.
    HopLimit,
}

/// The network.
#[derive(Debug)]
pub struct Network {
    now: Instant,
    rng: SimRng,
    realms: Vec<Realm>,
    nats: Vec<Gateway>,
    hosts: BTreeMap<HostId, BTreeMap<IpAddr, Interface>>,
    blocked: BTreeSet<(HostId, HostId)>,
    queue: BinaryHeap<Reverse<Event>>,
    sequence: u64,
    outputs: VecDeque<NetworkOutput>,
}

#[derive(Debug, Default)]
struct Realm {
    owners: BTreeMap<IpAddr, Owner>,
    gateway: Option<NatId>,
}

#[derive(Clone, Copy, Debug)]
enum Owner {
    Host(HostId),
    Nat(NatId),
}

#[derive(Debug)]
struct Interface {
    realm: RealmId,
    up: Link,
    down: Link,
}

#[derive(Debug)]
struct Gateway {
    nat: NatBox,
    inner: RealmId,
    outer: RealmId,
    up: Link,
    down: Link,
}

/// What happens when a packet under way reaches the end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// It is in a realm and is looked up there.
    Route(RealmId),
    /// It is at the receiving host.
    Receive(HostId),
}

#[derive(Debug, PartialEq, Eq)]
struct Event {
    at: Instant,
    sequence: u64,
    stage: Stage,
    origin: HostId,
    hops: u8,
    datagram: Datagram,
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // The sequence number is unique: equal times are served in order of creation.
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl Network {
    /// An Internet without hosts; `seed` decides every fault.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            rng: SimRng::new(seed),
            realms: vec![Realm::default()],
            nats: Vec::new(),
            hosts: BTreeMap::new(),
            blocked: BTreeSet::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Adds a host without addresses.
    pub fn add_host(&mut self) -> HostId {
        let id = HostId(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        self.hosts.insert(id, BTreeMap::new());
        id
    }

    /// Gives `host` an address in `realm` behind a link that behaves like `link` both ways.
    pub fn attach(&mut self, host: HostId, realm: RealmId, address: IpAddr, link: LinkConfig) {
        let interface = Interface {
            realm,
            up: Link::new(link.clone()),
            down: Link::new(link),
        };
        self.realms[realm.0]
            .owners
            .insert(address, Owner::Host(host));
        self.hosts
            .entry(host)
            .or_default()
            .insert(address, interface);
    }

    /// Takes an address away; packets under way to it find no route.
    pub fn detach(&mut self, host: HostId, address: IpAddr) {
        if let Some(interface) = self
            .hosts
            .get_mut(&host)
            .and_then(|all| all.remove(&address))
        {
            self.realms[interface.realm.0].owners.remove(&address);
        }
    }

    /// The addresses of a host, in order.
    pub fn addresses(&self, host: HostId) -> impl Iterator<Item = IpAddr> + '_ {
        self.hosts
            .get(&host)
            .into_iter()
            .flat_map(|all| all.keys().copied())
    }

    /// Changes the link of one address, both directions.
    pub fn set_link(&mut self, host: HostId, address: IpAddr, link: LinkConfig) {
        if let Some(interface) = self
            .hosts
            .get_mut(&host)
            .and_then(|all| all.get_mut(&address))
        {
            interface.up.configure(link.clone());
            interface.down.configure(link);
        }
    }

    /// Makes a new realm whose way out is a NAT box (or firewall) in `outer`.
    pub fn add_nat(
        &mut self,
        outer: RealmId,
        external: Vec<IpAddr>,
        config: NatConfig,
        link: LinkConfig,
    ) -> (NatId, RealmId) {
        let id = NatId(self.nats.len());
        let inner = RealmId(self.realms.len());
        for address in &external {
            self.realms[outer.0].owners.insert(*address, Owner::Nat(id));
        }
        self.realms.push(Realm {
            owners: BTreeMap::new(),
            gateway: Some(id),
        });
        let rng = self.rng.fork(id.0 as u64);
        self.nats.push(Gateway {
            nat: NatBox::new(config, external, rng),
            inner,
            outer,
            up: Link::new(link.clone()),
            down: Link::new(link),
        });
        (id, inner)
    }

    /// The NAT box itself, to inspect or reboot it.
    pub fn nat_mut(&mut self, id: NatId) -> &mut NatBox {
        &mut self.nats[id.0].nat
    }

    /// Drops everything `from` sends to `to`, one way.
    pub fn block(&mut self, from: HostId, to: HostId) {
        self.blocked.insert((from, to));
    }

    /// Drops everything between hosts of different groups; hosts in no group are not affected.
    pub fn partition(&mut self, groups: &[&[HostId]]) {
        for (index, group) in groups.iter().enumerate() {
            for other in groups.iter().skip(index + 1) {
                for (left, right) in group.iter().flat_map(|l| other.iter().map(move |r| (l, r))) {
                    self.blocked.insert((*left, *right));
                    self.blocked.insert((*right, *left));
                }
            }
        }
    }

    /// Ends all partitions and one-way blocks.
    pub fn heal(&mut self) {
        self.blocked.clear();
    }

    /// Packets under way.
    pub fn in_flight(&self) -> usize {
        self.queue.len()
    }

    /// Takes a packet, or moves packets on to `now`.
    pub fn handle(&mut self, now: Instant, input: NetworkInput) {
        self.advance(now);
        match input {
            NetworkInput::Send { host, datagram } => self.send(host, datagram),
            NetworkInput::Inject { datagram } => {
                let arrival = Arrival {
                    at: self.now,
                    corrupt: false,
                };
                self.travel(
                    Ok(vec![arrival]),
                    Stage::Route(INTERNET),
                    NOBODY,
                    0,
                    datagram,
                );
            }
            NetworkInput::Timeout => {}
        }
    }

    /// The next thing to tell.
    pub fn poll(&mut self) -> Option<NetworkOutput> {
        self.outputs.pop_front()
    }

    /// When a packet reaches its next stage; at once while something waits to be polled.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.outputs.is_empty() {
            return Some(self.now);
        }
        self.queue.peek().map(|Reverse(event)| event.at)
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(Reverse(event)) = self.queue.peek() {
            if event.at > self.now {
                break;
            }
            if let Some(Reverse(event)) = self.queue.pop() {
                self.step(event);
            }
        }
    }

    fn send(&mut self, host: HostId, datagram: Datagram) {
        let interfaces = self.hosts.get_mut(&host);
        let interface = interfaces.and_then(|all| all.get_mut(&datagram.source.ip()));
        let Some(interface) = interface else {
            return self.drop(NetworkDrop::ForeignSource, datagram);
        };
        let carried = interface
            .up
            .carry(self.now, datagram.ip_length(), &mut self.rng);
        let stage = Stage::Route(interface.realm);
        self.travel(carried, stage, host, 0, datagram);
    }

    fn step(&mut self, event: Event) {
        match event.stage {
            Stage::Route(realm) => self.route(realm, event),
            Stage::Receive(host) => self.outputs.push_back(NetworkOutput::Delivered {
                host,
                datagram: event.datagram,
            }),
        }
    }

    fn route(&mut self, realm: RealmId, event: Event) {
        if event.hops > MOST_HOPS {
            return self.drop(NetworkDrop::HopLimit, event.datagram);
        }
        let destination = event.datagram.destination.ip();
        match self.realms[realm.0].owners.get(&destination).copied() {
            Some(Owner::Host(host)) => self.descend(host, event),
            Some(Owner::Nat(nat)) if self.nats[nat.0].outer == realm => self.enter(nat, event),
            Some(Owner::Nat(_)) | None => self.leave(realm, event),
        }
    }

    /// Down the access link of the receiving host.
    fn descend(&mut self, host: HostId, event: Event) {
        if self.blocked.contains(&(event.origin, host)) {
            return self.drop(NetworkDrop::Partitioned, event.datagram);
        }
        let interfaces = self.hosts.get_mut(&host);
        let address = event.datagram.destination.ip();
        let Some(interface) = interfaces.and_then(|all| all.get_mut(&address)) else {
            return self.drop(NetworkDrop::NoRoute, event.datagram);
        };
        let octets = event.datagram.ip_length();
        let carried = interface.down.carry(self.now, octets, &mut self.rng);
        self.travel(
            carried,
            Stage::Receive(host),
            event.origin,
            event.hops,
            event.datagram,
        );
    }

    /// From the outer realm through a NAT box.
    fn enter(&mut self, id: NatId, event: Event) {
        let gateway = &mut self.nats[id.0];
        let copy = event.datagram.clone();
        match gateway.nat.inbound(self.now, event.datagram) {
            Err(reason) => self.drop(NetworkDrop::Nat(reason), copy),
            Ok(datagram) => {
                let octets = datagram.ip_length();
                let carried = gateway.down.carry(self.now, octets, &mut self.rng);
                let stage = Stage::Route(gateway.inner);
                self.travel(carried, stage, event.origin, event.hops + 1, datagram);
            }
        }
    }

    /// Out of a realm that does not know the address: through its gateway, or down into a
    /// firewalled realm that does.
    fn leave(&mut self, realm: RealmId, event: Event) {
        let address = event.datagram.destination.ip();
        if let Some(firewall) = self.firewall_over(realm, address) {
            return self.enter(firewall, event);
        }
        let Some(id) = self.realms[realm.0].gateway else {
            return self.drop(NetworkDrop::NoRoute, event.datagram);
        };
        let gateway = &mut self.nats[id.0];
        let copy = event.datagram.clone();
        let (stage, link, datagram) = match gateway.nat.outbound(self.now, event.datagram) {
            Err(reason) => return self.drop(NetworkDrop::Nat(reason), copy),
            Ok(Forward::Outside(datagram)) => {
                (Stage::Route(gateway.outer), &mut gateway.up, datagram)
            }
            Ok(Forward::Inside(datagram)) => {
                (Stage::Route(gateway.inner), &mut gateway.down, datagram)
            }
        };
        let carried = link.carry(self.now, datagram.ip_length(), &mut self.rng);
        self.travel(carried, stage, event.origin, event.hops + 1, datagram);
    }

    fn firewall_over(&self, realm: RealmId, address: IpAddr) -> Option<NatId> {
        let holds = |gateway: &Gateway| {
            gateway.outer == realm
                && !gateway.nat.translates()
                && self.realms[gateway.inner.0].owners.contains_key(&address)
        };
        self.nats.iter().position(holds).map(NatId)
    }

    fn travel(
        &mut self,
        carried: Result<Vec<Arrival>, LinkDrop>,
        stage: Stage,
        origin: HostId,
        hops: u8,
        datagram: Datagram,
    ) {
        let arrivals = match carried {
            Ok(arrivals) => arrivals,
            Err(LinkDrop::TooBig(mtu)) if mtu.signals => {
                self.outputs.push_back(NetworkOutput::TooBig {
                    host: origin,
                    mtu: mtu.octets,
                    datagram,
                });
                return;
            }
            Err(reason) => return self.drop(NetworkDrop::Link(reason), datagram),
        };
        for arrival in arrivals {
            let mut datagram = datagram.clone();
            if arrival.corrupt {
                corrupt(&mut datagram.bytes, &mut self.rng);
            }
            self.sequence += 1;
            self.queue.push(Reverse(Event {
                at: arrival.at,
                sequence: self.sequence,
                stage,
                origin,
                hops,
                datagram,
            }));
        }
    }

    fn drop(&mut self, reason: NetworkDrop, datagram: Datagram) {
        self.outputs
            .push_back(NetworkOutput::Dropped { reason, datagram });
    }
}

impl fmt::Display for NetworkOutput {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { host, datagram } => write!(out, "{host} gets {datagram}"),
            Self::TooBig {
                host,
                mtu,
                datagram,
            } => {
                write!(out, "{host} told too big (mtu {mtu}) {datagram}")
            }
            Self::Dropped { reason, datagram } => {
                write!(out, "network drops {reason:?} {datagram}")
            }
        }
    }
}

/// A socket address from text, for building worlds.
///
/// # Panics
/// When `text` is not a socket address: the text is part of a story.
pub fn address(text: &str) -> SocketAddr {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

const MOST_HOPS: u8 = 8;
/// The origin of injected packets, on no side of any partition.
const NOBODY: HostId = HostId(u32::MAX);

#[cfg(test)]
mod tests;
