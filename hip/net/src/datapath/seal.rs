//! The way out: TUN, seal, send.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    os::fd::AsFd,
    sync::{Arc, mpsc},
    time::Duration,
};

use hip_esp::{
    BATCH_PACKETS, HitPair, Outbound, OutboundCommand, PendingLimits, PendingQueue, Run,
    SealedBatch, Transport, Verdict,
    icmp::{self, Unreachable},
};
use hip_wire::time::Instant;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{SealOrder, ShellCounters, ShellDrop, TableView};
use crate::{
    clock,
    mailbox::Inbox,
    message::Message,
    sockets::{PacketRun, PacketSocket, Sockets},
    tun::Tun,
};

/// Largest IP packet.
const PACKET: usize = 65_536;
/// Batches between two looks at the mailbox.
const BATCHES: usize = 4;
/// How often the driver is told again that packets wait for an association.
const REMIND: Duration = Duration::from_secs(1);

/// Everything the thread owns.
pub(crate) struct SealThread {
    tun: Arc<Tun>,
    sockets: Arc<Sockets>,
    table: Outbound,
    inbox: Inbox<SealOrder>,
    driver: mpsc::Sender<Message>,
    batch: SealedBatch,
    pending: PendingQueue,
    /// Whom packets wait for, and when the driver was told.
    waiting: BTreeMap<HitPair, Instant>,
    /// When the driver was told that a path became narrower.
    paths_told: Option<Instant>,
    counters: ShellCounters,
}

impl SealThread {
    /// A thread to be.
    pub(crate) fn new(
        tun: Arc<Tun>,
        sockets: Arc<Sockets>,
        table: Outbound,
        inbox: Inbox<SealOrder>,
        driver: mpsc::Sender<Message>,
    ) -> Self {
        Self {
            tun,
            sockets,
            table,
            inbox,
            driver,
            batch: SealedBatch::new(),
            pending: PendingQueue::new(PendingLimits::default()),
            waiting: BTreeMap::new(),
            paths_told: None,
            counters: ShellCounters::default(),
        }
    }

    /// Works until ordered to stop.
    pub(crate) fn run(mut self) {
        let mut buffer = vec![0; PACKET];
        loop {
            if !self.wait() {
                let _ = self.driver.send(Message::InterfaceLost);
                return;
            }
            if !self.obey() {
                return;
            }
            for _ in 0..BATCHES {
                if !self.pump(&mut buffer) {
                    break;
                }
            }
            self.remind();
        }
    }

    /// Sleeps until there is something to do. `false` when the interface is gone.
    fn wait(&self) -> bool {
        let timeout = if self.waiting.is_empty() {
            PollTimeout::NONE
        } else {
            PollTimeout::from(1000u16)
        };
        let mut fds = [
            PollFd::new(self.tun.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN),
        ];
        // An interrupted poll only looks once more.
        let _ = poll(&mut fds, timeout);
        !fds[0]
            .revents()
            .is_some_and(|events| events.intersects(PollFlags::POLLERR | PollFlags::POLLNVAL))
    }

    /// Reads, seals and sends one batch. Returns whether there may be more.
    fn pump(&mut self, buffer: &mut [u8]) -> bool {
        let mut more = true;
        for _ in 0..BATCH_PACKETS {
            match self.tun.read(buffer) {
                Ok(Some(length)) => self.seal(&buffer[..length]),
                Ok(None) => {
                    more = false;
                    break;
                }
                Err(error) => {
                    tracing::debug!(%error, "reading the TUN");
                    more = false;
                    break;
                }
            }
        }
        self.flush();
        more
    }

    fn seal(&mut self, packet: &[u8]) {
        self.counters.tun_in += 1;
        if let Verdict::Pending { pair } = self.table.seal(packet, &mut self.batch) {
            self.pending.push(pair, packet);
            self.connect(pair);
        }
        if self.batch.is_full() {
            self.flush();
        }
    }

    /// Tells the driver that packets wait for an association, at most once a second.
    fn connect(&mut self, pair: HitPair) {
        let now = clock::now();
        let told = self.waiting.get(&pair);
        if told.is_none_or(|told| now.saturating_duration_since(*told) >= REMIND) {
            self.waiting.insert(pair, now);
            let _ = self.driver.send(Message::Connect { pair });
        }
    }

    /// Packets that still wait after a second need the association still.
    fn remind(&mut self) {
        if !self.waiting.is_empty() {
            let pairs: Vec<HitPair> = self.waiting.keys().copied().collect();
            for pair in pairs {
                self.connect(pair);
            }
        }
    }

    /// Tells the driver that some path became narrower, at most once a second.
    fn paths_changed(&mut self) {
        let now = clock::now();
        if self
            .paths_told
            .is_none_or(|told| now.saturating_duration_since(told) >= REMIND)
        {
            self.paths_told = Some(now);
            let _ = self.driver.send(Message::PathsChanged);
        }
    }

    fn obey(&mut self) -> bool {
        self.inbox.acknowledge();
        while let Some(order) = self.inbox.take() {
            match order {
                SealOrder::Change(commands, answer) => {
                    let result = self.change(commands);
                    let _ = answer.send(result);
                }
                SealOrder::Refuse(pair, why) => self.refuse(pair, why),
                SealOrder::View(answer) => {
                    let _ = answer.send(self.view());
                }
                SealOrder::ReportActivity => {
                    let driver = &self.driver;
                    self.table.take_activity(|pair| {
                        let _ = driver.send(Message::Activity {
                            pair,
                            inbound: false,
                        });
                    });
                }
                SealOrder::Stop => return false,
            }
        }
        true
    }

    fn change(&mut self, commands: Vec<OutboundCommand>) -> Result<(), hip_esp::SaError> {
        let mut installed = Vec::new();
        for command in commands {
            if let OutboundCommand::Install(sa) = &command {
                installed.push(HitPair {
                    local: sa.local,
                    peer: sa.peer,
                });
            }
            self.table.apply(command)?;
        }
        for pair in installed {
            self.waiting.remove(&pair);
            for packet in self.pending.take(pair) {
                self.table.seal(&packet, &mut self.batch);
                if self.batch.is_full() {
                    self.flush();
                }
            }
        }
        self.flush();
        Ok(())
    }

    fn refuse(&mut self, pair: HitPair, why: Unreachable) {
        self.waiting.remove(&pair);
        let mut reply = Vec::new();
        for packet in self.pending.take(pair) {
            reply.clear();
            if icmp::unreachable(&packet, why, &mut reply) {
                write_tun(&self.tun, &reply, &mut self.counters);
            }
        }
    }

    fn view(&self) -> TableView {
        TableView {
            sas: self.table.sas().collect(),
            stats: self.table.stats().clone(),
            shell: self.counters.clone(),
            pending_dropped: self.pending.dropped(),
        }
    }

    /// Sends what is sealed, runs of one socket in one call, and hands out the replies.
    fn flush(&mut self) {
        let batch = &self.batch;
        let mut too_big = false;
        for runs in batch.runs().chunk_by(same_socket) {
            let Some(socket) = runs.first().and_then(|run| socket_for(&self.sockets, run)) else {
                self.counters
                    .drop(ShellDrop::NoSocket, runs.iter().map(|run| run.count).sum());
                continue;
            };
            let packets: Vec<PacketRun<'_>> = runs
                .iter()
                .filter_map(|run| packet_run(run, batch.arena()))
                .collect();
            let outcome = socket.send_runs(&packets);
            self.counters.esp_out += outcome.sent as u64;
            too_big |= outcome.too_big;
            let reason = if outcome.too_big {
                ShellDrop::SendTooBig
            } else {
                ShellDrop::SendRefused
            };
            self.counters.drop(reason, outcome.refused);
        }
        for reply in batch.replies() {
            write_tun(&self.tun, reply, &mut self.counters);
        }
        self.batch.clear();
        if too_big {
            self.paths_changed();
        }
    }
}

fn write_tun(tun: &Tun, packet: &[u8], counters: &mut ShellCounters) {
    match tun.write(packet) {
        Ok(()) => counters.tun_out += 1,
        Err(_) => counters.drop(ShellDrop::TunWrite, 1),
    }
}

fn same_socket(a: &Run, b: &Run) -> bool {
    a.path.transport == b.path.transport
        && a.path.local.ip() == b.path.local.ip()
        && a.path.remote.is_ipv4() == b.path.remote.is_ipv4()
}

fn socket_for<'a>(sockets: &'a Sockets, run: &Run) -> Option<&'a PacketSocket> {
    let (local, remote): (IpAddr, IpAddr) = (run.path.local.ip(), run.path.remote.ip());
    sockets.data(run.path.transport == Transport::Udp, local, remote)
}

fn packet_run<'a>(run: &Run, arena: &'a [u8]) -> Option<PacketRun<'a>> {
    Some(PacketRun {
        local: run.path.local,
        remote: run.path.remote,
        bytes: arena.get(run.range.clone())?,
        segment: run.segment,
        count: run.count,
        header: Some((run.traffic_class, run.hop_limit)),
    })
}
