//! What the threads and the façade tell the driver.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hip_core::Path;
use hip_esp::HitPair;
use hip_wire::hit::Hit;
use tokio::sync::oneshot;

use crate::{error::NetError, hosts::HostsFile, status::Status};

/// One message.
pub(crate) enum Message {
    /// A HIP control packet arrived.
    Control(ControlPacket),
    /// Packets wait for this association.
    Connect {
        /// Which association.
        pair: HitPair,
    },
    /// ESP passed.
    Activity {
        /// Between whom.
        pair: HitPair,
        /// Authentic packets came in; otherwise packets went out.
        inbound: bool,
    },
    /// An address or a link changed: read them all.
    AddressesChanged,
    /// A packet was too big for its route: look at all paths.
    PathsChanged,
    /// The TUN interface was taken away.
    InterfaceLost,
    /// From the façade.
    Command(Command),
}

/// What the façade asks for.
pub(crate) enum Command {
    /// Bring up an association.
    Connect(Hit),
    /// End an association.
    Close(Hit),
    /// Describe everything.
    Status(oneshot::Sender<Status>),
    /// Replace the peers known by configuration.
    SetHosts(HostsFile),
    /// Start or end the key log.
    SetKeyLog(Option<PathBuf>, oneshot::Sender<Result<(), NetError>>),
    /// The R1 generation counter.
    R1Counter(oneshot::Sender<u64>),
    /// Close all associations and end; the sender is dropped when all is done.
    Shutdown(oneshot::Sender<()>),
}

/// A control packet in the driver's queue; counted there as long as it lives.
pub(crate) struct ControlPacket {
    /// Where it came from and to which address.
    pub(crate) path: Path,
    /// The packet, from the HIP header on.
    pub(crate) bytes: Vec<u8>,
    waiting: Arc<AtomicUsize>,
}

impl ControlPacket {
    /// Counts the packet in.
    pub(crate) fn new(path: Path, bytes: Vec<u8>, waiting: Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self {
            path,
            bytes,
            waiting,
        }
    }
}

impl Drop for ControlPacket {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
