//! The driver: owns `hip_core::Host` and does what it asks for.
//!
//! One thread, one queue. A base exchange computes for a millisecond or so, which is why this is
//! not one of the data path's threads; the queue for control packets is bounded, so a flood of
//! them is shed here and never delays data.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, mpsc},
    time::Duration,
};

use hip_core::{Event, FailReason, Host, Input, Output, SaParameters, StateName, Transport};
use hip_esp::{HitPair, InboundCommand, OutboundCommand, icmp::Unreachable};
use hip_wire::{
    hit::{Hit, Lsi},
    time::Instant,
    udp_encap,
};
use tokio::sync::{broadcast, oneshot};

use crate::{
    clock,
    datapath::DataPath,
    error::NetError,
    hosts::HostsFile,
    keylog::KeyLog,
    locators::{self, AddressBook, LocatorPolicy},
    lsi::LsiTable,
    message::{Command, Message},
    sockets::{Sockets, route_to},
    tun::Tun,
};

/// How often activity is asked for and timers without a deadline run.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two looks at the MTU of every path.
const PATH_TICKS: u64 = 10;
/// Ticks between two full reads of all addresses: a notification can be lost.
const ADDRESS_TICKS: u64 = 60;
/// Messages handled before timers get their turn.
const BURST: usize = 64;

/// What the driver is made of.
pub(crate) struct Parts {
    pub(crate) host: Host,
    pub(crate) tun: Arc<Tun>,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) data: DataPath,
    pub(crate) inbox: mpsc::Receiver<Message>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) addresses: AddressBook,
    pub(crate) policy: LocatorPolicy,
    pub(crate) lsis: LsiTable,
    pub(crate) hosts: HostsFile,
    pub(crate) key_log: Option<KeyLog>,
    pub(crate) underlay_mtu: usize,
    pub(crate) close_timeout: Duration,
    pub(crate) status: StatusBasis,
}

/// The parts of the status that never change.
#[derive(Debug, Clone)]
pub(crate) struct StatusBasis {
    pub(crate) lsi_prefix: String,
    pub(crate) mtu: u16,
    pub(crate) started: Instant,
}

/// The thread.
pub(crate) struct Driver {
    pub(crate) parts: Parts,
    pub(crate) hit: Hit,
    /// Keys of the SAs in use, for a key log that is switched on later.
    sas: Vec<(bool, SaParameters)>,
    /// What was last told to the data path of each path.
    path_mtus: BTreeMap<Hit, usize>,
    pub(crate) last_errors: BTreeMap<Hit, FailReason>,
    ticks: u64,
    next_tick: Instant,
    /// Set when shutting down: when to end at the latest, and whom to tell.
    closing: Option<(Instant, oneshot::Sender<()>)>,
}

impl Driver {
    /// A driver that tells the core and the tables what is known at the start.
    pub(crate) fn new(parts: Parts) -> Self {
        let mut driver = Self {
            hit: parts.host.hit(),
            parts,
            sas: Vec::new(),
            path_mtus: BTreeMap::new(),
            last_errors: BTreeMap::new(),
            ticks: 0,
            next_tick: clock::now() + TICK,
            closing: None,
        };
        let hosts = driver.parts.hosts.clone();
        driver.set_hosts(hosts);
        driver.read_addresses();
        driver
    }

    /// Works until told to shut down. All the host made is removed before this returns.
    pub(crate) fn run(mut self) {
        while !self.closed() {
            match self.parts.inbox.recv_timeout(self.patience()) {
                Ok(message) => {
                    if !self.handle_burst(message) {
                        break;
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            self.run_timers();
        }
        let Self { parts, closing, .. } = self;
        // Threads first, then the interface and its routes; only then is it done.
        drop(parts);
        drop(closing);
    }

    fn handle_burst(&mut self, first: Message) -> bool {
        if !self.handle(first) {
            return false;
        }
        for _ in 0..BURST {
            let Ok(message) = self.parts.inbox.try_recv() else {
                break;
            };
            if !self.handle(message) {
                return false;
            }
        }
        true
    }

    /// How long nothing is due.
    fn patience(&self) -> Duration {
        let now = clock::now();
        let due = self
            .parts
            .host
            .next_deadline()
            .map_or(self.next_tick, |due| due.min(self.next_tick));
        due.saturating_duration_since(now)
    }

    fn run_timers(&mut self) {
        let now = clock::now();
        if self
            .parts
            .host
            .next_deadline()
            .is_some_and(|due| due <= now)
        {
            self.input(Input::Timeout);
        }
        if self.next_tick <= now {
            self.next_tick = now + TICK;
            self.ticks += 1;
            self.tick();
        }
    }

    fn tick(&mut self) {
        if !self.sas.is_empty() {
            self.parts.data.report_activity();
        }
        if self.ticks.is_multiple_of(PATH_TICKS) {
            self.check_paths();
        }
        if self.ticks.is_multiple_of(ADDRESS_TICKS) {
            self.read_addresses();
        }
    }

    /// Whether a shutdown is complete: every CLOSE answered, or the time is up.
    fn closed(&self) -> bool {
        self.closing.as_ref().is_some_and(|(until, _)| {
            let now = clock::now();
            *until <= now
                || !self
                    .parts
                    .host
                    .associations(now)
                    .any(|view| view.state == StateName::Closing)
        })
    }

    /// Returns false when the host must end at once.
    fn handle(&mut self, message: Message) -> bool {
        match message {
            Message::Control(packet) => {
                self.input(Input::Packet {
                    path: packet.path,
                    bytes: &packet.bytes,
                });
            }
            Message::Connect { pair } => self.connect(pair.peer),
            Message::Activity { pair, inbound } => {
                let peer = pair.peer;
                self.input(Input::EspActivity {
                    peer,
                    inbound,
                    outbound: !inbound,
                });
            }
            Message::AddressesChanged => self.read_addresses(),
            Message::PathsChanged => self.check_paths(),
            Message::InterfaceLost => {
                tracing::error!(
                    name = self.parts.tun.name(),
                    "the TUN interface was deleted"
                );
                return false;
            }
            Message::Command(command) => self.command(command),
        }
        true
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Connect(peer) => self.connect(peer),
            Command::Close(peer) => self.input(Input::Close { peer }),
            Command::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Command::SetHosts(hosts) => self.set_hosts(hosts),
            Command::SetKeyLog(dir, answer) => {
                let _ = answer.send(self.set_key_log(dir.as_deref()));
            }
            Command::R1Counter(answer) => {
                let _ = answer.send(self.parts.host.r1_counter());
            }
            Command::Shutdown(done) => {
                self.closing = Some((clock::now() + self.parts.close_timeout, done));
                self.input(Input::CloseAll);
            }
        }
    }

    fn connect(&mut self, peer: Hit) {
        if self.closing.is_none() {
            self.input(Input::Connect { peer });
        }
    }

    /// Gives one input to the core and does everything it asks for in return.
    fn input(&mut self, input: Input<'_>) {
        self.parts.host.handle(clock::now(), input);
        while let Some(output) = self.parts.host.poll() {
            self.output(output);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Send { path, bytes } => self.send(&path, &bytes),
            Output::InstallInbound(sa) => self.install_inbound(sa),
            Output::InstallOutbound(sa) => self.install_outbound(sa),
            Output::RemoveInbound { spi, .. } => {
                self.sas.retain(|(inbound, sa)| !*inbound || sa.spi != spi);
                self.change_inbound(vec![InboundCommand::RemoveSpi { spi }]);
            }
            Output::MovePath { local, peer, path } => {
                let mtu = self.path_mtu(peer, &path);
                let pair = HitPair { local, peer };
                self.change_outbound(vec![
                    OutboundCommand::MovePath { pair, path },
                    OutboundCommand::PathMtu { pair, mtu },
                ]);
            }
            Output::RemoveSas { local, peer } => {
                let pair = HitPair { local, peer };
                self.sas.retain(|(_, sa)| sa.peer != peer);
                self.path_mtus.remove(&peer);
                self.change_inbound(vec![InboundCommand::Remove(pair)]);
                self.change_outbound(vec![OutboundCommand::Remove(pair)]);
            }
            Output::NeedLocators { peer } => {
                let locators = self
                    .parts
                    .policy
                    .peer_locators(self.parts.hosts.by_hit(peer));
                self.parts
                    .host
                    .handle(clock::now(), Input::Locators { peer, locators });
            }
            Output::Event(event) => self.event(event),
        }
    }

    fn send(&self, path: &hip_core::Path, packet: &[u8]) {
        let (local, remote) = (path.local, path.remote);
        let Some(socket) = self
            .parts
            .sockets
            .control(path.transport, local.ip(), remote.ip())
        else {
            tracing::debug!(%path, "no socket for this control packet");
            return;
        };
        let result = match path.transport {
            Transport::Udp => socket.send(local, remote, &udp_encap::encapsulate(packet)),
            Transport::Raw => socket.send(local, remote, packet),
        };
        if let Err(error) = result {
            // Lost like any other packet: the core sends it again.
            tracing::debug!(%path, %error, "control packet not sent");
        }
    }

    fn install_inbound(&mut self, sa: SaParameters) {
        self.log_keys(&sa);
        self.assign_lsi(sa.peer);
        // Done before R2 or the answer to it leaves: the first ESP packet finds its SA.
        self.change_inbound(vec![InboundCommand::Install(locators::esp_sa(&sa))]);
        self.sas.push((true, sa));
    }

    fn install_outbound(&mut self, sa: SaParameters) {
        self.log_keys(&sa);
        self.assign_lsi(sa.peer);
        let pair = HitPair {
            local: sa.local,
            peer: sa.peer,
        };
        let mtu = self.path_mtu(sa.peer, &sa.path);
        self.change_outbound(vec![
            OutboundCommand::Install(locators::esp_sa(&sa)),
            OutboundCommand::PathMtu { pair, mtu },
        ]);
        self.sas
            .retain(|(inbound, old)| *inbound || old.peer != sa.peer);
        self.sas.push((false, sa));
    }

    fn change_inbound(&self, commands: Vec<InboundCommand>) {
        if let Err(error) = self.parts.data.change_inbound(commands) {
            tracing::debug!(%error, "inbound table");
        }
    }

    fn change_outbound(&self, commands: Vec<OutboundCommand>) {
        if let Err(error) = self.parts.data.change_outbound(commands) {
            tracing::debug!(%error, "outbound table");
        }
    }

    fn event(&mut self, event: Event) {
        match &event {
            Event::Established { peer, .. } => {
                self.last_errors.remove(peer);
            }
            Event::Failed { peer, reason } => {
                self.last_errors.insert(*peer, *reason);
                let why = match reason {
                    FailReason::NoLocators => Unreachable::NoRoute,
                    FailReason::Policy | FailReason::HitSuiteRefused => Unreachable::Admin,
                    _ => Unreachable::Address,
                };
                self.parts.data.refuse(
                    HitPair {
                        local: self.hit,
                        peer: *peer,
                    },
                    why,
                );
            }
            _ => {}
        }
        // No subscriber is no error.
        let _ = self.parts.events.send(event);
    }

    fn set_hosts(&mut self, hosts: HostsFile) {
        // Locators that changed are news to associations that exist or are being looked up.
        let mut peers: Vec<Hit> = hosts.entries().iter().map(|entry| entry.hit).collect();
        // In order of HITs, so that the order of lines does not decide who yields on a collision.
        peers.sort_unstable();
        for peer in peers {
            self.assign_lsi(peer);
        }
        for entry in hosts.entries() {
            if self
                .parts
                .hosts
                .by_hit(entry.hit)
                .is_some_and(|known| known.locators == entry.locators)
            {
                continue;
            }
            let locators = self.parts.policy.peer_locators(Some(entry));
            self.input(Input::Locators {
                peer: entry.hit,
                locators,
            });
        }
        self.parts.hosts = hosts;
    }

    /// Gives the peer an LSI if it has none, and tells both tables.
    fn assign_lsi(&mut self, peer: Hit) {
        if peer == self.hit || self.parts.lsis.lsi(peer).is_some() {
            return;
        }
        let Some(lsi) = self.parts.lsis.assign(peer) else {
            tracing::warn!(%peer, "no LSI is free: the peer can be reached by HIT only");
            return;
        };
        let pair = HitPair {
            local: self.hit,
            peer,
        };
        self.change_inbound(vec![InboundCommand::MapLsi { lsi, pair }]);
        self.change_outbound(vec![OutboundCommand::MapLsi { lsi, pair }]);
    }

    fn read_addresses(&mut self) {
        match self.parts.addresses.read() {
            Ok(Some(addresses)) => self.input(Input::LocalAddresses(addresses)),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "cannot read the addresses of this host"),
        }
    }

    /// The largest outer packet to this peer; remembered, so that changes are seen.
    fn path_mtu(&mut self, peer: Hit, path: &hip_core::Path) -> usize {
        let local = Some(path.local.ip()).filter(|local| !local.is_unspecified());
        let mtu =
            route_to(path.remote.ip(), local).map_or(self.parts.underlay_mtu, |route| route.mtu);
        let mtu = mtu.min(self.parts.underlay_mtu);
        self.path_mtus.insert(peer, mtu);
        mtu
    }

    /// Looks up the MTU of every path: interfaces change, and Packet Too Big arrives.
    fn check_paths(&mut self) {
        let views: Vec<_> = self
            .parts
            .host
            .associations(clock::now())
            .filter_map(|view| Some((view.peer, view.session?.path)))
            .collect();
        for (peer, path) in views {
            let Some(before) = self.path_mtus.get(&peer).copied() else {
                continue;
            };
            let mtu = self.path_mtu(peer, &path);
            if mtu != before {
                let pair = HitPair {
                    local: self.hit,
                    peer,
                };
                self.change_outbound(vec![OutboundCommand::PathMtu { pair, mtu }]);
            }
        }
    }

    fn set_key_log(&mut self, dir: Option<&std::path::Path>) -> Result<(), NetError> {
        self.parts.key_log = dir.map(KeyLog::open).transpose()?;
        let sas = std::mem::take(&mut self.sas);
        for (_, sa) in &sas {
            self.log_keys(sa);
        }
        self.sas = sas;
        Ok(())
    }

    fn log_keys(&mut self, sa: &SaParameters) {
        if let Some(log) = &mut self.parts.key_log
            && let Err(error) = log.write(sa)
        {
            tracing::warn!(%error, dir = %log.dir().display(), "cannot write the key log");
        }
    }

    /// This host's addresses as the core knows them.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        self.parts.addresses.current()
    }

    /// The peer's LSI, if it has one.
    pub(crate) fn lsi(&self, peer: Hit) -> Option<Lsi> {
        self.parts.lsis.lsi(peer)
    }
}
