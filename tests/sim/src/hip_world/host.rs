//! One simulated host: the protocol core, the ESP tables and the packets that wait between them,
//! wired as `hip-net` wires them, without sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hip_core::{Event, Host, HostConfig, Input, Output, PeerLocator, StateName};
use hip_crypto::identity::HostIdentity;
use hip_crypto::rng::SeededRng;
use hip_esp::{
    HitPair, Inbound, InboundCommand, OpenedBatch, Outbound, OutboundCommand, OutboundConfig,
    OuterHeader, PendingLimits, PendingQueue, SealedBatch, Verdict,
};
use hip_wire::time::Instant;
use hip_wire::{Hit, Lsi};

use crate::network::HostId;
use crate::packet::{Datagram, Protocol};

/// What a host asks of its world.
#[derive(Debug)]
pub enum HostOutput {
    /// Put this on the network.
    Send(Datagram),
    /// Hand this inner packet to the applications; it came by the association with `peer`.
    Deliver {
        /// The other end of the SA.
        peer: Hit,
        /// The inner IP packet.
        packet: Vec<u8>,
    },
    /// The core reports.
    Event(Event),
    /// The data plane dropped a packet.
    EspDropped(hip_esp::DropReason),
    /// The data plane refused a command of the core: the two disagree.
    Refused(hip_esp::SaError),
}

/// A host.
pub struct SimHost {
    /// Its place on the network.
    pub id: HostId,
    /// Its Host Identity Tag.
    pub hit: Hit,
    /// What the hosts file says: peers and their locators.
    pub hosts_file: BTreeMap<Hit, Vec<PeerLocator>>,
    identity: Arc<HostIdentity>,
    config: HostConfig,
    seed: u64,
    boots: u64,
    addresses: Vec<IpAddr>,
    core: Host,
    outbound: Outbound,
    inbound: Inbound,
    pending: PendingQueue,
    active: BTreeMap<Hit, (bool, bool)>,
    report_at: Option<Instant>,
    halted: bool,
    outputs: Vec<HostOutput>,
}

/// How often ESP activity is reported to the core.
const ACTIVITY_REPORT: Duration = Duration::from_secs(1);

impl SimHost {
    /// A host; its random numbers follow from `seed`.
    pub fn new(
        id: HostId,
        identity: Arc<HostIdentity>,
        seed: u64,
        config: HostConfig,
        addresses: Vec<IpAddr>,
        now: Instant,
    ) -> Self {
        let hit = identity.hit();
        let (core, outbound, inbound) = boot(&config, &identity, seed, 0);
        let mut host = Self {
            id,
            hit,
            hosts_file: BTreeMap::new(),
            identity,
            config,
            seed,
            boots: 0,
            addresses,
            core,
            outbound,
            inbound,
            pending: PendingQueue::new(PendingLimits::default()),
            active: BTreeMap::new(),
            report_at: None,
            halted: false,
            outputs: Vec::new(),
        };
        host.feed(now, Input::LocalAddresses(host.addresses.clone()));
        host
    }

    /// Loses all state but the key, the hosts file and the R1 counter, as after a crash.
    pub fn restart(&mut self, now: Instant) {
        self.boots += 1;
        self.config.r1_counter = self.core.r1_counter() + 1;
        let (core, outbound, inbound) = boot(&self.config, &self.identity, self.seed, self.boots);
        (self.core, self.outbound, self.inbound) = (core, outbound, inbound);
        self.pending = PendingQueue::new(PendingLimits::default());
        self.active.clear();
        self.report_at = None;
        self.halted = false;
        self.feed(now, Input::LocalAddresses(self.addresses.clone()));
    }

    /// Stands still without a word until [`Self::restart`].
    pub const fn halt(&mut self) {
        self.halted = true;
    }

    /// The protocol core, to look at.
    pub const fn core(&self) -> &Host {
        &self.core
    }

    /// The state of the association with `peer`, if there is one.
    pub fn state(&self, now: Instant, peer: Hit) -> Option<StateName> {
        let mut all = self.core.associations(now);
        all.find(|view| view.peer == peer).map(|view| view.state)
    }

    /// Packets that wait for an association.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// SPIs of the inbound SAs, with the pair each belongs to.
    pub fn inbound_sas(&self) -> BTreeSet<(Hit, u32)> {
        self.inbound
            .sas()
            .map(|sa| (sa.pair.peer, sa.spi))
            .collect()
    }

    /// SPIs of the outbound SAs, with the pair each belongs to.
    pub fn outbound_sas(&self) -> BTreeSet<(Hit, u32)> {
        self.outbound
            .sas()
            .map(|sa| (sa.pair.peer, sa.spi))
            .collect()
    }

    /// Asks for an association.
    pub fn connect(&mut self, now: Instant, peer: Hit) {
        self.feed(now, Input::Connect { peer });
    }

    /// Asks to end one.
    pub fn close(&mut self, now: Instant, peer: Hit) {
        self.feed(now, Input::Close { peer });
    }

    /// An application sends an inner IP packet.
    pub fn send_inner(&mut self, now: Instant, packet: &[u8]) {
        let mut batch = SealedBatch::new();
        match self.outbound.seal(packet, &mut batch) {
            Verdict::Sealed => self.transmit(now, &batch),
            Verdict::Pending { pair } => {
                self.pending.push(pair, packet);
                self.connect(now, pair.peer);
            }
            Verdict::Icmp => {}
            Verdict::Dropped(reason) => self.outputs.push(HostOutput::EspDropped(reason)),
        }
    }

    /// A packet arrived from the network.
    pub fn receive(&mut self, now: Instant, datagram: Datagram) {
        if self.halted {
            return;
        }
        match datagram.protocol {
            Protocol::Udp => match datagram.bytes.strip_prefix(&UDP_MARKER) {
                Some(control) => {
                    let path = path(hip_core::Transport::Udp, &datagram);
                    self.feed(
                        now,
                        Input::Packet {
                            path,
                            bytes: control,
                        },
                    );
                }
                None => self.open(now, datagram.bytes),
            },
            Protocol::HIP => {
                let path = path(hip_core::Transport::Raw, &datagram);
                self.feed(
                    now,
                    Input::Packet {
                        path,
                        bytes: &datagram.bytes,
                    },
                );
            }
            Protocol::ESP => self.open(now, datagram.bytes),
            Protocol::Raw(_) => {}
        }
    }

    /// The earliest time at which [`Self::timeout`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.halted {
            return None;
        }
        [self.core.next_deadline(), self.report_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Serves what is due.
    pub fn timeout(&mut self, now: Instant) {
        if self.report_at.is_some_and(|at| at <= now) {
            self.report_at = None;
            for (peer, (inbound, outbound)) in std::mem::take(&mut self.active) {
                self.feed(
                    now,
                    Input::EspActivity {
                        peer,
                        inbound,
                        outbound,
                    },
                );
            }
        }
        if self.core.next_deadline().is_some_and(|at| at <= now) {
            self.feed(now, Input::Timeout);
        }
    }

    /// What the host asked since the last call, in order.
    pub fn take_outputs(&mut self) -> Vec<HostOutput> {
        std::mem::take(&mut self.outputs)
    }

    fn feed(&mut self, now: Instant, input: Input<'_>) {
        self.core.handle(now, input);
        while let Some(output) = self.core.poll() {
            self.carry_out(now, output);
        }
    }

    fn carry_out(&mut self, now: Instant, output: Output) {
        match output {
            Output::Send { path, bytes } => {
                self.outputs.push(HostOutput::Send(control(path, bytes)));
            }
            Output::InstallInbound(parameters) => {
                self.change_inbound(InboundCommand::Install(sa(parameters)));
            }
            Output::InstallOutbound(parameters) => {
                self.change_outbound(OutboundCommand::Install(sa(parameters)));
            }
            Output::RemoveInbound { spi, .. } => {
                self.change_inbound(InboundCommand::RemoveSpi { spi });
            }
            Output::MovePath { local, peer, path } => {
                let pair = HitPair { local, peer };
                let path = esp_path(path);
                self.change_outbound(OutboundCommand::MovePath { pair, path });
            }
            Output::RemoveSas { local, peer } => {
                let pair = HitPair { local, peer };
                // Either direction may be missing: an exchange can end half way.
                let _ = self.inbound.apply(InboundCommand::Remove(pair));
                let _ = self.outbound.apply(OutboundCommand::Remove(pair));
            }
            Output::NeedLocators { peer } => {
                let locators = self.hosts_file.get(&peer).cloned().unwrap_or_default();
                self.core.handle(now, Input::Locators { peer, locators });
            }
            Output::Event(event) => self.report(now, event),
        }
    }

    fn report(&mut self, now: Instant, event: Event) {
        let pair = |peer| HitPair {
            local: self.hit,
            peer,
        };
        let (flush, pair) = match &event {
            Event::Established { peer, .. } => (true, pair(*peer)),
            Event::Failed { peer, .. } => (false, pair(*peer)),
            _ => return self.outputs.push(HostOutput::Event(event)),
        };
        self.outputs.push(HostOutput::Event(event));
        let waiting: Vec<_> = self.pending.take(pair).collect();
        if flush {
            for packet in waiting {
                self.send_inner(now, &packet);
            }
        }
    }

    fn transmit(&mut self, now: Instant, batch: &SealedBatch) {
        for (path, bytes) in batch.packets() {
            let protocol = match path.transport {
                hip_esp::Transport::Udp => Protocol::Udp,
                hip_esp::Transport::Raw => Protocol::ESP,
            };
            self.outputs.push(HostOutput::Send(Datagram {
                source: path.local,
                destination: path.remote,
                protocol,
                bytes: bytes.to_vec(),
            }));
        }
        self.note_activity(now);
    }

    fn open(&mut self, now: Instant, mut bytes: Vec<u8>) {
        let mut batch = OpenedBatch::new();
        match self
            .inbound
            .open(&mut bytes, OuterHeader::default(), &mut batch)
        {
            Ok(opened) => {
                let peer = opened.pair.peer;
                for packet in batch.packets() {
                    let packet = packet.to_vec();
                    self.outputs.push(HostOutput::Deliver { peer, packet });
                }
                self.note_activity(now);
            }
            Err(reason) => self.outputs.push(HostOutput::EspDropped(reason)),
        }
    }

    /// Collects which peers had traffic, for the report of this second.
    fn note_activity(&mut self, now: Instant) {
        let active = &mut self.active;
        self.inbound
            .take_activity(|pair| active.entry(pair.peer).or_default().0 = true);
        self.outbound
            .take_activity(|pair| active.entry(pair.peer).or_default().1 = true);
        if self.report_at.is_none() && !self.active.is_empty() {
            self.report_at = Some(now + ACTIVITY_REPORT);
        }
    }

    fn change_inbound(&mut self, command: InboundCommand) {
        if let Err(error) = self.inbound.apply(command) {
            self.outputs.push(HostOutput::Refused(error));
        }
    }

    fn change_outbound(&mut self, command: OutboundCommand) {
        if let Err(error) = self.outbound.apply(command) {
            self.outputs.push(HostOutput::Refused(error));
        }
    }
}

/// Octets before a HIP packet in UDP (RFC 9028 section 5.1).
const UDP_MARKER: [u8; 4] = [0; 4];

fn boot(
    config: &HostConfig,
    identity: &Arc<HostIdentity>,
    seed: u64,
    boots: u64,
) -> (Host, Outbound, Inbound) {
    let rng = |part: &str| {
        Box::new(SeededRng::labelled(
            seed,
            format!("{part} {boots}").as_bytes(),
        ))
    };
    let lsi = Lsi(Ipv4Addr::new(198, 18, 0, 1));
    let core = Host::new(config.clone(), Arc::clone(identity), rng("core"));
    let outbound = Outbound::new(OutboundConfig::new(identity.hit(), lsi), rng("outbound"));
    let inbound = Inbound::new(lsi, &mut *rng("inbound"));
    (core, outbound, inbound)
}

fn path(transport: hip_core::Transport, datagram: &Datagram) -> hip_core::Path {
    hip_core::Path {
        transport,
        local: datagram.destination,
        remote: datagram.source,
    }
}

fn control(path: hip_core::Path, packet: Vec<u8>) -> Datagram {
    let (protocol, bytes) = match path.transport {
        hip_core::Transport::Raw => (Protocol::HIP, packet),
        hip_core::Transport::Udp => (Protocol::Udp, [&UDP_MARKER[..], &packet].concat()),
    };
    Datagram {
        source: path.local,
        destination: path.remote,
        protocol,
        bytes,
    }
}

fn esp_path(path: hip_core::Path) -> hip_esp::Path {
    let transport = match path.transport {
        hip_core::Transport::Raw => hip_esp::Transport::Raw,
        hip_core::Transport::Udp => hip_esp::Transport::Udp,
    };
    let without_port = |address: SocketAddr| match path.transport {
        hip_core::Transport::Raw => SocketAddr::new(address.ip(), 0),
        hip_core::Transport::Udp => address,
    };
    hip_esp::Path {
        transport,
        local: without_port(path.local),
        remote: without_port(path.remote),
    }
}

fn sa(parameters: hip_core::SaParameters) -> hip_esp::SaParameters {
    hip_esp::SaParameters {
        local: parameters.local,
        peer: parameters.peer,
        spi: parameters.spi,
        keys: parameters.keys,
        path: esp_path(parameters.path),
    }
}
