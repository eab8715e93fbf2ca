//! The data path: two threads, each with its own table of security associations.
//!
//! The *seal* thread reads the TUN, seals and sends; the *open* thread receives, opens and writes
//! the TUN. They share nothing that changes: orders come through mailboxes and are obeyed between
//! batches; counters are the threads' own and are copied on request.

mod open;
mod seal;

use std::{
    io,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use hip_esp::{
    HitPair, Inbound, InboundCommand, Outbound, OutboundCommand, SaError, SaView, Stats,
    icmp::Unreachable,
};

pub(crate) use self::{open::OpenThread, seal::SealThread};
use crate::{
    error::NetError,
    mailbox::{Mailbox, mailbox},
    message::Message,
    netlink::AddressEvents,
    sockets::Sockets,
    tun::Tun,
};

/// An order is obeyed between two batches; a thread that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(2);

/// An order to the seal thread.
pub(crate) enum SealOrder {
    /// Change the table; what waited for an SA that is now there is sealed.
    Change(Vec<OutboundCommand>, mpsc::Sender<Result<(), SaError>>),
    /// Answer what waits for this association with ICMP.
    Refuse(HitPair, Unreachable),
    /// Copy the state.
    View(mpsc::Sender<TableView>),
    /// Report which pairs sent since the last report.
    ReportActivity,
    /// End.
    Stop,
}

/// An order to the open thread.
pub(crate) enum OpenOrder {
    /// Change the table.
    Change(Vec<InboundCommand>, mpsc::Sender<Result<(), SaError>>),
    /// Copy the state.
    View(mpsc::Sender<TableView>),
    /// Report which pairs received since the last report.
    ReportActivity,
    /// End.
    Stop,
}

/// A copy of what a thread knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableView {
    /// Every SA.
    pub(crate) sas: Vec<SaView>,
    /// Counters of the table.
    pub(crate) stats: Stats,
    /// Counters of the thread.
    pub(crate) shell: ShellCounters,
    /// First packets dropped for want of room (seal thread only).
    pub(crate) pending_dropped: u64,
}

/// Declares [`ShellDrop`] with the name of each reason, in one list.
macro_rules! shell_drops {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// Why the shell dropped a packet that the table had no objection to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ShellDrop {
            $($(#[$doc])* $variant,)+
        }

        impl ShellDrop {
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $name),)+];
        }
    };
}

shell_drops! {
    /// No socket carries this transport and address family.
    NoSocket = "no-socket",
    /// The kernel refused to send (no route, interface down).
    SendRefused = "send-refused",
    /// The kernel refused to send: larger than the path MTU.
    SendTooBig = "send-too-big",
    /// The TUN did not take the packet.
    TunWrite = "tun-write",
    /// A received message did not fit the buffer.
    Truncated = "truncated-datagram",
    /// Too short to be HIP or ESP.
    Short = "short-datagram",
    /// The driver is behind: control packets are shed before data.
    ControlQueueFull = "control-queue-full",
}

/// Counters of one thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShellCounters {
    /// Packets from the TUN.
    pub(crate) tun_in: u64,
    /// Packets to the TUN.
    pub(crate) tun_out: u64,
    /// ESP packets sent.
    pub(crate) esp_out: u64,
    /// ESP packets received.
    pub(crate) esp_in: u64,
    /// HIP control packets received.
    pub(crate) control_in: u64,
    drops: [u64; ShellDrop::ALL.len()],
}

impl ShellCounters {
    /// Counts packets dropped.
    pub(crate) fn drop(&mut self, reason: ShellDrop, count: usize) {
        self.drops[reason as usize] += count as u64;
    }

    /// Every drop that happened, by reason.
    pub(crate) fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ShellDrop::ALL
            .iter()
            .map(|(reason, name)| (*name, self.drops[*reason as usize]))
            .filter(|(_, count)| *count > 0)
    }
}

/// The running threads.
pub(crate) struct DataPath {
    seal: Mailbox<SealOrder>,
    open: Mailbox<OpenOrder>,
    threads: Vec<JoinHandle<()>>,
}

impl DataPath {
    /// Starts both threads.
    pub(crate) fn start(
        tun: &Arc<Tun>,
        sockets: &Arc<Sockets>,
        tables: (Outbound, Inbound),
        events: AddressEvents,
        driver: &mpsc::Sender<Message>,
    ) -> Result<Self, NetError> {
        let eventfd = |error| NetError::system("make an eventfd", error);
        let (seal, seal_inbox) = mailbox().map_err(eventfd)?;
        let (open, open_inbox) = mailbox().map_err(eventfd)?;
        let mut path = Self {
            seal,
            open,
            threads: Vec::new(),
        };
        let sealer = SealThread::new(
            tun.clone(),
            sockets.clone(),
            tables.0,
            seal_inbox,
            driver.clone(),
        );
        let opener = OpenThread::new(
            tun.clone(),
            sockets.clone(),
            tables.1,
            events,
            open_inbox,
            driver.clone(),
        );
        path.spawn("hip-seal", move || sealer.run())?;
        path.spawn("hip-open", move || opener.run())?;
        Ok(path)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), NetError> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(|error| NetError::system(format!("start thread {name}"), error))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Changes the outbound table and waits until it is done.
    pub(crate) fn change_outbound(&self, commands: Vec<OutboundCommand>) -> Result<(), NetError> {
        let (sender, answer) = mpsc::channel();
        self.seal.post(SealOrder::Change(commands, sender));
        wait(&answer)?.map_err(|error| NetError::Protocol(format!("outbound SA: {error}")))
    }

    /// Changes the inbound table and waits until it is done: a packet that comes after this
    /// returns finds the change.
    pub(crate) fn change_inbound(&self, commands: Vec<InboundCommand>) -> Result<(), NetError> {
        let (sender, answer) = mpsc::channel();
        self.open.post(OpenOrder::Change(commands, sender));
        wait(&answer)?.map_err(|error| NetError::Protocol(format!("inbound SA: {error}")))
    }

    /// Answers what waits for this association with ICMP.
    pub(crate) fn refuse(&self, pair: HitPair, why: Unreachable) {
        self.seal.post(SealOrder::Refuse(pair, why));
    }

    /// Asks both threads to report activity.
    pub(crate) fn report_activity(&self) {
        self.seal.post(SealOrder::ReportActivity);
        self.open.post(OpenOrder::ReportActivity);
    }

    /// Copies of what the seal and the open thread know.
    pub(crate) fn views(&self) -> Result<(TableView, TableView), NetError> {
        let (seal_sender, seal) = mpsc::channel();
        let (open_sender, open) = mpsc::channel();
        self.seal.post(SealOrder::View(seal_sender));
        self.open.post(OpenOrder::View(open_sender));
        Ok((wait(&seal)?, wait(&open)?))
    }
}

impl Drop for DataPath {
    fn drop(&mut self) {
        self.seal.post(SealOrder::Stop);
        self.open.post(OpenOrder::Stop);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a data path thread panicked");
            }
        }
    }
}

fn wait<T>(answer: &mpsc::Receiver<T>) -> Result<T, NetError> {
    answer.recv_timeout(PATIENCE).map_err(|error| match error {
        mpsc::RecvTimeoutError::Disconnected => NetError::Stopped,
        mpsc::RecvTimeoutError::Timeout => {
            NetError::system("data path", io::Error::from(io::ErrorKind::TimedOut))
        }
    })
}
