//! The way in: receive, open, TUN; control packets go to the driver.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use hip_core::{Path, Transport};
use hip_esp::{HitPair, Inbound, OpenedBatch, OuterHeader};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{OpenOrder, ShellCounters, ShellDrop, TableView};
use crate::{
    mailbox::Inbox,
    message::{ControlPacket, Message},
    netlink::AddressEvents,
    sockets::{Carrier, PacketSocket, Sockets},
    sys::{Envelope, ReceiveBatch},
    tun::Tun,
};

/// Room for what UDP_GRO joins: the largest datagram.
const BUFFER: usize = 65_536;
/// Few large buffers: they stay in the cache (performance.md section 8, item 3).
const BUFFERS: usize = 16;
/// Batches of one socket before the others get their turn.
const BATCHES: usize = 4;
/// Control packets that may wait for the driver.
const CONTROL_QUEUE: usize = 512;
/// The four octets before a HIP packet in UDP (RFC 9028 §5.1).
const MARKER: [u8; 4] = hip_wire::udp_encap::MARKER;

/// Everything the thread owns.
pub(crate) struct OpenThread {
    sockets: Arc<Sockets>,
    events: AddressEvents,
    inbox: Inbox<OpenOrder>,
    receive: ReceiveBatch,
    state: State,
}

/// What packets go through; apart from the receive buffers, which are borrowed meanwhile.
struct State {
    tun: Arc<Tun>,
    table: Inbound,
    driver: mpsc::Sender<Message>,
    opened: OpenedBatch,
    waiting_control: Arc<AtomicUsize>,
    counters: ShellCounters,
}

impl OpenThread {
    /// A thread to be.
    pub(crate) fn new(
        tun: Arc<Tun>,
        sockets: Arc<Sockets>,
        table: Inbound,
        events: AddressEvents,
        inbox: Inbox<OpenOrder>,
        driver: mpsc::Sender<Message>,
    ) -> Self {
        let state = State {
            tun,
            table,
            driver,
            opened: OpenedBatch::new(),
            waiting_control: Arc::default(),
            counters: ShellCounters::default(),
        };
        Self {
            sockets,
            events,
            inbox,
            receive: ReceiveBatch::new(BUFFERS, BUFFER),
            state,
        }
    }

    /// Works until ordered to stop.
    pub(crate) fn run(mut self) {
        loop {
            let (ready, addresses_changed) = self.wait();
            if addresses_changed {
                self.events.drain();
                let _ = self.state.driver.send(Message::AddressesChanged);
            }
            if !self.obey() {
                return;
            }
            let sockets = self.sockets.clone();
            for (socket, _) in sockets.iter().zip(ready).filter(|(_, ready)| *ready) {
                self.pump(socket);
            }
        }
    }

    /// Sleeps until there is something to do: which sockets are ready, and whether addresses
    /// changed.
    fn wait(&self) -> (Vec<bool>, bool) {
        let mut fds: Vec<PollFd<'_>> = self
            .sockets
            .iter()
            .map(AsFd::as_fd)
            .chain([self.events.as_fd(), self.inbox.as_fd()])
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        // An interrupted poll only looks once more.
        let _ = poll(&mut fds, PollTimeout::NONE);
        // POLLERR counts as well: reading fetches the error, and it is gone.
        let mut ready: Vec<bool> = fds
            .iter()
            .map(|fd| fd.revents().is_some_and(|events| !events.is_empty()))
            .collect();
        ready.pop();
        let changed = ready.pop().unwrap_or(false);
        (ready, changed)
    }

    fn pump(&mut self, socket: &PacketSocket) {
        for _ in 0..BATCHES {
            match self.receive.receive(socket.as_fd()) {
                Ok(_) => {}
                // 7401-6.6.2-01: nothing left, or an ICMP error, which anyone can forge.
                Err(_) => break,
            }
            for message in self.receive.messages() {
                match message {
                    Some((envelope, bytes)) => self.state.datagram(socket, &envelope, bytes),
                    None => self.state.counters.drop(ShellDrop::Truncated, 1),
                }
            }
            self.state.flush();
        }
    }

    fn obey(&mut self) -> bool {
        self.inbox.acknowledge();
        while let Some(order) = self.inbox.take() {
            match order {
                OpenOrder::Change(commands, answer) => {
                    let table = &mut self.state.table;
                    let result = commands
                        .into_iter()
                        .try_for_each(|command| table.apply(command));
                    let _ = answer.send(result);
                }
                OpenOrder::View(answer) => {
                    let _ = answer.send(self.state.view());
                }
                OpenOrder::ReportActivity => {
                    let driver = &self.state.driver;
                    self.state.table.take_activity(|pair| {
                        let _ = driver.send(Message::Activity {
                            pair,
                            inbound: true,
                        });
                    });
                }
                OpenOrder::Stop => return false,
            }
        }
        true
    }
}

impl State {
    /// Takes one message: a datagram, several that the kernel joined, or an IP packet.
    fn datagram(&mut self, socket: &PacketSocket, envelope: &Envelope, bytes: &mut [u8]) {
        match socket.carrier() {
            Carrier::Udp => {
                let segment = envelope.segment.unwrap_or(bytes.len()).max(1);
                for datagram in bytes.chunks_mut(segment) {
                    self.udp(socket, envelope, datagram);
                }
            }
            Carrier::RawHip => match payload(socket, envelope, bytes) {
                Some((_, packet)) => self.control(Transport::Raw, socket, envelope, packet),
                None => self.counters.drop(ShellDrop::Short, 1),
            },
            Carrier::RawEsp => match payload(socket, envelope, bytes) {
                Some((outer, packet)) => self.esp(outer, packet),
                None => self.counters.drop(ShellDrop::Short, 1),
            },
        }
    }

    // 9028-3-03, 9028-5.1-03
    /// RFC 9028 §5.1: four zero octets mark a HIP packet, anything else is an SPI; a single octet
    /// keeps a NAT mapping alive.
    fn udp(&mut self, socket: &PacketSocket, envelope: &Envelope, datagram: &mut [u8]) {
        match datagram.split_first_chunk::<4>() {
            Some((&MARKER, packet)) => self.control(Transport::Udp, socket, envelope, packet),
            Some(_) => {
                let (traffic_class, hop_limit) = (envelope.traffic_class, envelope.hop_limit);
                self.esp(
                    OuterHeader {
                        traffic_class,
                        hop_limit,
                    },
                    datagram,
                );
            }
            None if datagram == [0xff] => {}
            None => self.counters.drop(ShellDrop::Short, 1),
        }
    }

    fn esp(&mut self, outer: OuterHeader, packet: &mut [u8]) {
        self.counters.esp_in += 1;
        // A refusal is counted by the table.
        if let Ok(opened) = self.table.open(packet, outer, &mut self.opened)
            && opened.first
        {
            // The first packet of an SA says more than that it is in use: it ends R2-SENT.
            self.activity(opened.pair);
        }
        if self.opened.is_full() {
            self.flush();
        }
    }

    fn activity(&self, pair: HitPair) {
        let _ = self.driver.send(Message::Activity {
            pair,
            inbound: true,
        });
    }

    fn control(
        &mut self,
        transport: Transport,
        socket: &PacketSocket,
        envelope: &Envelope,
        packet: &[u8],
    ) {
        self.counters.control_in += 1;
        if self.waiting_control.load(Ordering::Relaxed) >= CONTROL_QUEUE {
            return self.counters.drop(ShellDrop::ControlQueueFull, 1);
        }
        let any: IpAddr = match envelope.source {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = SocketAddr::new(envelope.destination.unwrap_or(any), socket.bound().port());
        let mut remote = envelope.source;
        if transport == Transport::Raw {
            // Linux puts the protocol number there for IPv6.
            remote.set_port(0);
        }
        let path = Path {
            transport,
            local,
            remote,
        };
        let packet = ControlPacket::new(path, packet.to_vec(), self.waiting_control.clone());
        let _ = self.driver.send(Message::Control(packet));
    }

    /// Writes what is opened to the TUN.
    fn flush(&mut self) {
        for packet in self.opened.packets() {
            match self.tun.write(packet) {
                Ok(()) => self.counters.tun_out += 1,
                Err(_) => self.counters.drop(ShellDrop::TunWrite, 1),
            }
        }
        self.opened.clear();
    }

    fn view(&self) -> TableView {
        TableView {
            sas: self.table.sas().collect(),
            stats: self.table.stats().clone(),
            shell: self.counters.clone(),
            pending_dropped: 0,
        }
    }
}

/// What follows the IP header, which Linux gives with raw IPv4 packets and keeps with IPv6.
fn payload<'a>(
    socket: &PacketSocket,
    envelope: &Envelope,
    bytes: &'a mut [u8],
) -> Option<(OuterHeader, &'a mut [u8])> {
    let header = OuterHeader {
        traffic_class: envelope.traffic_class,
        hop_limit: envelope.hop_limit,
    };
    if socket.bound().is_ipv6() {
        return Some((header, bytes));
    }
    let length = usize::from(bytes.first()? & 0x0f) * 4;
    let (traffic_class, hop_limit) = (*bytes.get(1)?, *bytes.get(8)?);
    Some((
        OuterHeader {
            traffic_class,
            hop_limit,
        },
        bytes.get_mut(length..)?,
    ))
}
