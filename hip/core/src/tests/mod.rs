//! Stories of two hosts in virtual time.
//!
//! [`Pair`] carries packets between two hosts with a fixed delay. A test says
//! what happens to them ([`Pair::fate`]), moves time, and looks at states,
//! events, security associations and the trace of packets.

mod closing;
mod crossing;
mod exchange;
mod faults;
mod forged;
mod moving;
mod negotiation;
mod puzzles;
mod states;
mod tampering;
mod updates;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
use hip_crypto::rng::{Rng, SeededRng};
use hip_wire::hit::Hit;
use hip_wire::packet::Packet;
use hip_wire::registry::PacketType;
use hip_wire::time::Instant;

use crate::{
    DropReason, Event, FailReason, Host, HostConfig, Input, Output, Path, PeerLocator,
    SaParameters, StateName, Transport,
};

/// The end with the smaller HIT.
const A: usize = 0;
/// The end with the greater HIT.
const B: usize = 1;

/// One way.
const DELAY: Duration = Duration::from_millis(10);

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Two P-256 identities, smaller HIT first; made once, the portable back end is slow.
static IDENTITIES: LazyLock<[Arc<HostIdentity>; 2]> = LazyLock::new(|| {
    let mut pair = [1, 2].map(|seed| identity(KeyAlgorithm::EcdsaP256, seed));
    pair.sort_by_key(|identity| identity.hit());
    pair
});

fn identity(algorithm: KeyAlgorithm, seed: u64) -> Arc<HostIdentity> {
    Arc::new(HostIdentity::from_seed(algorithm, seed).unwrap())
}

/// One host and what its shell would hold.
struct End {
    host: Host,
    address: IpAddr,
    events: Vec<Event>,
    inbound: BTreeMap<u32, SaParameters>,
    outbound: Option<SaParameters>,
    /// Answers to `NeedLocators`.
    locators: Vec<PeerLocator>,
    asked: usize,
}

/// A packet between the two.
#[derive(Clone)]
struct Transit {
    at: Instant,
    to: usize,
    path: Path,
    bytes: Vec<u8>,
}

/// What the network does with a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Deliver,
    Drop,
    Duplicate,
    Delay(Duration),
}

type Judge = Box<dyn FnMut(&Transit) -> Fate>;

struct Pair {
    ends: [End; 2],
    now: Instant,
    wire: Vec<Transit>,
    /// Every packet sent: by whom, what.
    trace: Vec<(usize, PacketType, Vec<u8>)>,
    fate: Judge,
}

impl Pair {
    fn new() -> Self {
        Self::with(HostConfig::default(), HostConfig::default())
    }

    fn with(a: HostConfig, b: HostConfig) -> Self {
        Self::between(
            [a, b],
            [0, 1].map(|i| IDENTITIES[i].clone()),
            Transport::Udp,
            1,
        )
    }

    fn between(
        configs: [HostConfig; 2],
        identities: [Arc<HostIdentity>; 2],
        transport: Transport,
        seed: u64,
    ) -> Self {
        let addresses: [IpAddr; 2] =
            ["192.0.2.1", "198.51.100.2"].map(|address| address.parse().unwrap());
        let mut index = 0;
        let ends = configs.map(|config| {
            let label = [u8::try_from(index).unwrap()];
            let rng = Box::new(SeededRng::labelled(seed, &label));
            let peer = SocketAddr::new(addresses[1 - index], 10500);
            let locator = match transport {
                Transport::Udp => PeerLocator::udp(peer),
                Transport::Raw => PeerLocator::raw(peer.ip()),
            };
            let mut end = End {
                host: Host::new(config, identities[index].clone(), rng),
                address: addresses[index],
                events: Vec::new(),
                inbound: BTreeMap::new(),
                outbound: None,
                locators: vec![locator],
                asked: 0,
            };
            end.host
                .handle(Instant::ZERO, Input::LocalAddresses(vec![end.address]));
            index += 1;
            end
        });
        Self {
            ends,
            now: Instant::from_secs(1000),
            wire: Vec::new(),
            trace: Vec::new(),
            fate: Box::new(|_| Fate::Deliver),
        }
    }

    fn hit(&self, end: usize) -> Hit {
        self.ends[end].host.hit()
    }

    /// The state in which `end` has its peer; UNASSOCIATED when it has none.
    fn state(&self, end: usize) -> StateName {
        self.ends[end]
            .host
            .association(self.hit(1 - end), self.now)
            .map_or(StateName::Unassociated, |view| view.state)
    }

    fn states(&self) -> [StateName; 2] {
        [self.state(A), self.state(B)]
    }

    fn input(&mut self, end: usize, input: Input<'_>) {
        self.ends[end].host.handle(self.now, input);
        self.drain(end);
    }

    fn connect(&mut self, end: usize) {
        let peer = self.hit(1 - end);
        self.input(end, Input::Connect { peer });
    }

    fn close(&mut self, end: usize) {
        let peer = self.hit(1 - end);
        self.input(end, Input::Close { peer });
    }

    fn esp(&mut self, end: usize, inbound: bool, outbound: bool) {
        let peer = self.hit(1 - end);
        self.input(
            end,
            Input::EspActivity {
                peer,
                inbound,
                outbound,
            },
        );
    }

    /// A packet comes in at `end` as if the other had sent it.
    fn inject(&mut self, end: usize, bytes: &[u8]) {
        let path = self.path(end);
        self.input(end, Input::Packet { path, bytes });
    }

    /// The UDP path from `end` to the other.
    fn path(&self, end: usize) -> Path {
        Path {
            transport: Transport::Udp,
            local: SocketAddr::new(self.ends[end].address, 10500),
            remote: SocketAddr::new(self.ends[1 - end].address, 10500),
        }
    }

    fn drain(&mut self, end: usize) {
        while let Some(output) = self.ends[end].host.poll() {
            match output {
                Output::Send { path, bytes } => self.put_on_wire(end, path, bytes),
                Output::InstallInbound(sa) => {
                    let clash = self.ends[end].inbound.insert(sa.spi, sa);
                    assert!(clash.is_none(), "an inbound SPI was used twice");
                }
                Output::InstallOutbound(sa) => self.ends[end].outbound = Some(sa),
                Output::RemoveInbound { spi, .. } => {
                    assert!(self.ends[end].inbound.remove(&spi).is_some(), "unknown SPI");
                }
                Output::MovePath { path, .. } => {
                    self.ends[end].outbound.as_mut().unwrap().path = path;
                }
                Output::RemoveSas { .. } => {
                    self.ends[end].inbound.clear();
                    self.ends[end].outbound = None;
                }
                Output::NeedLocators { peer } => {
                    self.ends[end].asked += 1;
                    let locators = self.ends[end].locators.clone();
                    self.ends[end]
                        .host
                        .handle(self.now, Input::Locators { peer, locators });
                }
                Output::Event(event) => self.ends[end].events.push(event),
            }
        }
    }

    fn put_on_wire(&mut self, end: usize, path: Path, bytes: Vec<u8>) {
        let kind = Packet::parse(&bytes).unwrap().packet_type();
        self.trace.push((end, kind, bytes.clone()));
        let to = 1 - end;
        let back = Path {
            transport: path.transport,
            local: path.remote,
            remote: path.local,
        };
        let mut transit = Transit {
            at: self.now + DELAY,
            to,
            path: back,
            bytes,
        };
        let fate = (self.fate)(&transit);
        match fate {
            Fate::Drop => return,
            Fate::Delay(more) => transit.at += more,
            Fate::Duplicate => self.wire.push(transit.clone()),
            Fate::Deliver => {}
        }
        self.wire.push(transit);
    }

    /// Does the next thing due up to `limit`; `false` when there is none.
    fn step(&mut self, limit: Instant) -> bool {
        let packet = (0..self.wire.len()).min_by_key(|&i| self.wire[i].at);
        let packet_at = packet.map(|i| self.wire[i].at);
        let timer = (0..2)
            .filter_map(|end| Some((self.ends[end].host.next_deadline()?, end)))
            .min();
        let timer_at = timer.map(|(at, _)| at);
        let next = packet_at.into_iter().chain(timer_at).min();
        let Some(at) = next.filter(|&at| at <= limit) else {
            self.now = limit;
            return false;
        };
        self.now = at.max(self.now);
        if packet_at == Some(at) {
            let Transit {
                to, path, bytes, ..
            } = self.wire.remove(packet.unwrap());
            // Whoever moved away does not get it.
            if self.ends[to].address == path.local.ip() {
                self.input(
                    to,
                    Input::Packet {
                        path,
                        bytes: &bytes,
                    },
                );
            }
        } else {
            self.input(timer.unwrap().1, Input::Timeout);
        }
        true
    }

    fn run_for(&mut self, duration: Duration) {
        let limit = self.now + duration;
        let mut steps = 0;
        while self.step(limit) {
            steps += 1;
            assert!(steps < 100_000, "a timer does not advance");
        }
    }

    /// A is Initiator, both end in ESTABLISHED.
    fn establish(&mut self) {
        self.connect(A);
        self.run_for(SECOND);
        self.esp(B, true, false);
        assert_eq!(self.states(), [StateName::Established; 2]);
    }

    fn dropped(&self, end: usize, reason: DropReason) -> u64 {
        self.ends[end].host.stats().dropped(reason)
    }

    fn failed(&self, end: usize) -> Option<FailReason> {
        self.ends[end]
            .events
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Failed { reason, .. } => Some(*reason),
                _ => None,
            })
    }

    fn established(&self, end: usize) -> usize {
        let is = |event: &&Event| matches!(event, Event::Established { .. });
        self.ends[end].events.iter().filter(is).count()
    }

    /// The types of the packets sent so far.
    fn kinds(&self) -> Vec<(usize, PacketType)> {
        self.trace
            .iter()
            .map(|(end, kind, _)| (*end, *kind))
            .collect()
    }

    fn count(&self, end: usize, kind: PacketType) -> usize {
        self.kinds()
            .into_iter()
            .filter(|&sent| sent == (end, kind))
            .count()
    }

    /// The last packet of a type that `end` sent.
    fn last(&self, end: usize, kind: PacketType) -> Vec<u8> {
        let mut sent = self.trace.iter().rev();
        sent.find(|(by, is, _)| (*by, *is) == (end, kind))
            .expect("never sent")
            .2
            .clone()
    }

    /// Both ends hold SAs that fit each other.
    fn assert_connected(&self) {
        for end in [A, B] {
            let outbound = self.ends[end].outbound.as_ref().expect("no outbound SA");
            let peer = &self.ends[1 - end];
            let inbound = peer
                .inbound
                .get(&outbound.spi)
                .expect("the peer lacks the inbound SA");
            assert_eq!(outbound.keys, inbound.keys, "the keys differ");
            assert_eq!(
                (outbound.local, outbound.peer),
                (inbound.peer, inbound.local)
            );
            assert!(outbound.spi >= 256);
        }
    }

    /// Neither end holds an SA.
    fn assert_no_sas(&self) {
        for end in &self.ends {
            assert!(end.inbound.is_empty() && end.outbound.is_none());
        }
    }
}

/// The padding behind the last parameter, the signature: nothing can cover it.
fn padding(bytes: &[u8]) -> std::ops::Range<usize> {
    let last = Packet::parse(bytes).unwrap().params().last().unwrap();
    last.offset + 4 + last.contents.len()..bytes.len()
}

fn kind_of(bytes: &[u8]) -> PacketType {
    Packet::parse(bytes).unwrap().packet_type()
}

/// Drops the first `count` packets of a type.
fn lose_first(kind: PacketType, mut count: u32) -> Judge {
    Box::new(move |transit| {
        if kind_of(&transit.bytes) == kind && count > 0 {
            count -= 1;
            Fate::Drop
        } else {
            Fate::Deliver
        }
    })
}

/// Drops every packet of a type.
fn lose_all(kind: PacketType) -> Judge {
    lose_first(kind, u32::MAX)
}
