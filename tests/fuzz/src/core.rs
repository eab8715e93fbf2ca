//! Whole hosts on a hostile network: what is delivered, lost, repeated and changed is the input's choice.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hip_core::{
    Host, HostConfig, Input, Output, Path, PeerLocator, SaParameters, StateName, Transport,
};
use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
use hip_crypto::rng::SeededRng;
use hip_wire::builder::write_checksum;
use hip_wire::hit::Hit;
use hip_wire::packet::Packet;
use hip_wire::registry::DhGroup;
use hip_wire::time::Instant;

use crate::program::{Parts, Program, repair_length};

/// Steps of one program: enough for a few exchanges, short enough to be many.
const STEPS: usize = 64;

/// Packets one input may bring about: one I1 to each of three locators, or one answer and a NOTIFY.
const ANSWERS: usize = 3;

/// Longer than any state lasts without use.
const HOUR: Duration = Duration::from_secs(3600);

/// Fast ones, whose signatures are the same each time, so that a finding can be replayed.
pub(crate) static IDENTITIES: LazyLock<[Arc<HostIdentity>; 2]> = LazyLock::new(|| {
    let identity = |seed| HostIdentity::from_seed(KeyAlgorithm::Ed25519, seed);
    [100, 101].map(|seed| Arc::new(identity(seed).expect("not RSA")))
});

pub(crate) fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

/// Two hosts that want to talk, and whoever is between them.
pub fn core_network(data: &[u8]) {
    let mut program = Program::new(data);
    let mut network = Network::new();
    for _ in 0..STEPS {
        if program.is_over() {
            break;
        }
        network.step(&mut program);
    }
    network.recover();
}

struct End {
    host: Host,
    addresses: Vec<IpAddr>,
    restarts: u64,
}

struct Flight {
    to: usize,
    path: Path,
    bytes: Vec<u8>,
}

struct Network {
    ends: [End; 2],
    now: Instant,
    flights: Vec<Flight>,
    /// What was ever sent; everything can be played back.
    recorded: Vec<Flight>,
    /// Inbound SAs that one end ever had: receiver, SPI, key octets.
    inbound: BTreeSet<(usize, u32, Vec<u8>)>,
}

fn host(end: usize, restarts: u64, counter: u64) -> Host {
    let config = HostConfig {
        dh_groups: vec![DhGroup::EcpP256],
        r1_counter: counter,
        ..HostConfig::default()
    };
    let seed = restarts * 2 + end as u64;
    let rng = Box::new(SeededRng::new(seed));
    Host::new(config, IDENTITIES[end].clone(), rng)
}

fn key_octets(sa: &SaParameters) -> Vec<u8> {
    let keys = [&sa.keys.encryption, &sa.keys.authentication];
    keys.map(hip_crypto::Secret::as_bytes).concat()
}

impl Network {
    fn new() -> Self {
        let ends = [0, 1].map(|end| End {
            host: host(end, 0, 1),
            addresses: vec![address(end as u8 + 1)],
            restarts: 0,
        });
        let mut network = Self {
            ends,
            now: Instant::from_secs(1000),
            flights: Vec::new(),
            recorded: Vec::new(),
            inbound: BTreeSet::new(),
        };
        for end in [0, 1] {
            network.announce(end);
        }
        network
    }

    fn hit(&self, end: usize) -> Hit {
        IDENTITIES[end].hit()
    }

    /// Gives the host an input and carries out what it asks for.
    fn input(&mut self, end: usize, input: Input<'_>) {
        let limit = match input {
            // Four UPDATEs may wait for their acknowledgements.
            Input::Timeout => ANSWERS + 1,
            _ => ANSWERS,
        };
        self.ends[end].host.handle(self.now, input);
        let mut sent = 0;
        let mut outputs = 0;
        while let Some(output) = self.ends[end].host.poll() {
            outputs += 1;
            assert!(outputs <= 64, "one input, no end of outputs");
            match output {
                Output::Send { path, bytes } => {
                    sent += 1;
                    self.put_on_wire(end, path, bytes);
                }
                Output::InstallInbound(sa) => {
                    assert!(sa.spi >= 256);
                    assert_eq!((sa.local, sa.peer), (self.hit(end), self.hit(1 - end)));
                    let new = self.inbound.insert((end, sa.spi, key_octets(&sa)));
                    assert!(new, "an inbound SA twice");
                }
                Output::InstallOutbound(sa) => {
                    assert_eq!((sa.local, sa.peer), (self.hit(end), self.hit(1 - end)));
                    let there = (1 - end, sa.spi, key_octets(&sa));
                    assert!(
                        self.inbound.contains(&there),
                        "keys that the peer never had"
                    );
                }
                Output::NeedLocators { peer } => {
                    assert_eq!(peer, self.hit(1 - end));
                    let remotes = self.ends[1 - end].addresses.clone();
                    let locators = remotes.into_iter().map(PeerLocator::raw).collect();
                    let now = self.now;
                    self.ends[end]
                        .host
                        .handle(now, Input::Locators { peer, locators });
                }
                Output::RemoveInbound { .. }
                | Output::MovePath { .. }
                | Output::RemoveSas { .. }
                | Output::Event(_) => {}
            }
        }
        assert!(sent <= limit, "one input, {sent} packets");
        let known = self.ends[end].host.associations(self.now).count();
        assert!(known <= 1, "{known} associations with one peer");
    }

    fn put_on_wire(&mut self, from: usize, path: Path, bytes: Vec<u8>) {
        let packet = Packet::parse(&bytes).expect("what a host sends parses");
        assert_eq!(packet.sender(), self.hit(from));
        let (src, dst) = (path.local.ip(), path.remote.ip());
        // Over UDP it is that of UDP.
        if path.transport == Transport::Raw {
            packet.verify_checksum(src, dst).expect("its own checksum");
        }
        let path = Path {
            transport: path.transport,
            local: path.remote,
            remote: path.local,
        };
        let to = 1 - from;
        let flight = |bytes| Flight { to, path, bytes };
        if self.recorded.len() < 256 {
            self.recorded.push(flight(bytes.clone()));
        }
        self.flights.push(flight(bytes));
    }

    fn deliver(&mut self, flight: &Flight) {
        let (path, bytes) = (flight.path, flight.bytes.as_slice());
        self.input(flight.to, Input::Packet { path, bytes });
    }

    fn announce(&mut self, end: usize) {
        let addresses = self.ends[end].addresses.clone();
        self.input(end, Input::LocalAddresses(addresses));
    }

    fn connect(&mut self, end: usize) {
        let peer = self.hit(1 - end);
        self.input(end, Input::Connect { peer });
    }

    fn step(&mut self, program: &mut Program<'_>) {
        let operation = program.octet();
        let end = usize::from(operation >> 4 & 1);
        let peer = self.hit(1 - end);
        match operation & 15 {
            0 => self.connect(end),
            1..=4 if !self.flights.is_empty() => {
                let flight = self.flights.remove(0);
                self.deliver(&flight);
            }
            5 if !self.flights.is_empty() => drop(self.flights.remove(0)),
            6 => self.play_back(program, |_, _| {}),
            7 => self.play_back(program, |program, bytes| program.damage(bytes)),
            8 => self.play_back(program, |program, bytes| {
                program.damage(bytes);
                repair_length(bytes);
            }),
            9 => self.rebuild(program),
            10 => self.run_timer(end),
            11 => {
                self.now += Duration::from_millis(1 << program.pick(22));
                self.run_timer(end);
            }
            12 => {
                let (inbound, outbound) = (operation & 0x20 != 0, operation & 0x40 != 0);
                let activity = Input::EspActivity {
                    peer,
                    inbound,
                    outbound,
                };
                self.input(end, activity);
            }
            13 => self.input(end, Input::Close { peer }),
            14 => {
                let last = 1 + end as u8 + 2 * (program.octet() % 4);
                self.ends[end].addresses = vec![address(last)];
                self.announce(end);
            }
            15 => self.restart(end),
            _ => {}
        }
    }

    /// Plays a packet back, changed and with the checksum made good, from one of four addresses to either end.
    fn play_back(
        &mut self,
        program: &mut Program<'_>,
        change: impl Fn(&mut Program<'_>, &mut Vec<u8>),
    ) {
        if self.recorded.is_empty() {
            return;
        }
        let choice = program.octet();
        let old = &self.recorded[program.pick(self.recorded.len())];
        let (mut to, mut path, mut bytes) = (old.to, old.path, old.bytes.clone());
        if choice & 1 != 0 {
            path.remote = SocketAddr::new(address(1 + (choice >> 1 & 7)), 0);
        }
        if choice & 0x10 != 0 {
            to = 1 - to;
        }
        if choice & 0x20 != 0 {
            path.transport = Transport::Udp;
        }
        change(program, &mut bytes);
        // Fails for what is no HIP packet any more.
        let _ = write_checksum(&mut bytes, path.remote.ip(), path.local.ip());
        self.deliver(&Flight { to, path, bytes });
    }

    /// A packet of parameters taken from two recorded ones.
    fn rebuild(&mut self, program: &mut Program<'_>) {
        if self.recorded.is_empty() {
            return;
        }
        let pick = |program: &mut Program<'_>| program.pick(self.recorded.len());
        let (one, other) = (pick(program), pick(program));
        let Flight { to, path, bytes } = &self.recorded[one];
        let (to, path) = (*to, *path);
        let mut parts = Parts::of(&Packet::parse(bytes).expect("recorded"));
        let stock = Parts::of(&Packet::parse(&self.recorded[other].bytes).expect("recorded"));
        parts.damage(program, &stock.params);
        let mut bytes = parts.builder().finish();
        write_checksum(&mut bytes, path.remote.ip(), path.local.ip()).expect("a packet");
        self.deliver(&Flight { to, path, bytes });
    }

    /// Does what is due; time always goes on afterwards.
    fn run_timer(&mut self, end: usize) {
        if let Some(due) = self.ends[end].host.next_deadline() {
            self.now = self.now.max(due);
        }
        for _ in 0..64 {
            self.input(end, Input::Timeout);
            let next = self.ends[end].host.next_deadline();
            if next.is_none_or(|due| due > self.now) {
                return;
            }
        }
        panic!("a timer that stays due");
    }

    /// The host forgets everything but its identity and the R1 counter, as after a crash.
    fn restart(&mut self, end: usize) {
        let old = &mut self.ends[end];
        old.restarts += 1;
        old.host = host(end, old.restarts, old.host.r1_counter() + 1);
        self.announce(end);
    }

    /// On a good network, later, the two find each other: nothing the attacker did lasts.
    fn recover(&mut self) {
        self.flights.clear();
        for _ in 0..2 {
            self.quiet(HOUR);
        }
        assert!(
            self.ends
                .iter()
                .all(|end| end.host.associations(self.now).count() == 0)
        );
        self.connect(0);
        self.quiet(Duration::from_secs(40));
        for end in [0, 1] {
            let view = self.ends[end].host.association(self.hit(1 - end), self.now);
            let view = view.unwrap_or_else(|| panic!("end {end} lost its peer"));
            let state = view.state;
            assert_eq!(state, StateName::Established, "end {end} is in {state:?}");
        }
    }

    /// Everything arrives and every timer runs, for as long as that.
    fn quiet(&mut self, duration: Duration) {
        let until = self.now + duration;
        for _ in 0..10_000 {
            if !self.flights.is_empty() {
                let flight = self.flights.remove(0);
                let receiver = &self.ends[flight.to].addresses;
                if receiver.contains(&flight.path.local.ip()) {
                    self.deliver(&flight);
                }
                continue;
            }
            let due = |end: usize| Some((self.ends[end].host.next_deadline()?, end));
            match [0, 1].into_iter().filter_map(due).min() {
                Some((due, end)) if due <= until => {
                    self.now = self.now.max(due);
                    self.input(end, Input::Timeout);
                }
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("two hosts that never rest");
    }
}
