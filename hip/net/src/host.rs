//! The façade: one running HIP host.

use std::{fmt, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use hip_core::{Event, HostConfig, Transport};
use hip_crypto::identity::HostIdentity;
use hip_wire::hit::{Hit, Lsi};
use tokio::sync::broadcast;

use crate::{error::NetError, hosts::HostsFile, lsi::LsiPrefix, status::Status};

/// Everything a host needs to run. Only the identity has no default.
#[derive(Debug, Clone)]
pub struct HipHostConfig {
    /// Who this host is.
    pub identity: Arc<HostIdentity>,
    /// Settings of the protocol. `udp_port` in it is set from [`Self::udp_port`].
    pub protocol: HostConfig,
    /// Name of the TUN interface (at most 15 octets).
    pub tun_name: String,
    /// MTU of the TUN interface; `None`: from [`Self::underlay_mtu`] and the largest overhead of
    /// the offered suites.
    pub mtu: Option<u16>,
    /// MTU assumed of the network below.
    pub underlay_mtu: u16,
    /// Opens UDP sockets.
    pub udp: bool,
    /// Port of the UDP sockets, IPv4 and IPv6 (RFC 9028: 10500).
    pub udp_port: u16,
    /// Opens raw sockets for protocols 139 and 50.
    pub raw: bool,
    /// Local addresses to use; empty: every address of the machine.
    pub listen: Vec<IpAddr>,
    /// Transport for locators that do not name one.
    pub default_transport: Transport,
    /// Where LSIs come from; the first host address is this host's.
    pub lsi_prefix: LsiPrefix,
    /// Peers known by configuration.
    pub hosts: HostsFile,
    /// Directory of the key log; `None`: no key leaves the process.
    pub key_log: Option<PathBuf>,
    /// How long [`HipHost::shutdown`] waits for CLOSE_ACKs.
    pub close_timeout: Duration,
}

impl HipHostConfig {
    /// The defaults for this identity.
    pub fn new(identity: Arc<HostIdentity>) -> Self {
        Self {
            identity,
            protocol: HostConfig::default(),
            tun_name: "hip0".to_owned(),
            mtu: None,
            underlay_mtu: 1500,
            udp: true,
            udp_port: 10500,
            raw: true,
            listen: Vec::new(),
            default_transport: Transport::Udp,
            lsi_prefix: LsiPrefix::default(),
            hosts: HostsFile::default(),
            key_log: None,
            close_timeout: Duration::from_secs(2),
        }
    }
}

/// A running HIP host: its interface, sockets, routes and threads.
///
/// Everything is opened in the calling thread's network namespace. Dropping it stops the host as
/// [`shutdown`](Self::shutdown) does.
pub struct HipHost {
    hit: Hit,
    lsi: Lsi,
    events: broadcast::Sender<Event>,
}

impl HipHost {
    /// Opens everything and starts the threads. On an error nothing is left behind.
    pub fn start(config: HipHostConfig) -> Result<Self, NetError> {
        let hit = config.identity.hit();
        let lsi = config.lsi_prefix.own();
        let (events, _) = broadcast::channel(1024);
        Ok(Self { hit, lsi, events })
    }

    /// This host's HIT.
    pub fn hit(&self) -> Hit {
        self.hit
    }

    /// This host's LSI.
    pub fn lsi(&self) -> Lsi {
        self.lsi
    }

    /// Brings up the association with `peer`; the outcome comes as an [`Event`].
    pub fn connect(&self, peer: Hit) -> Result<(), NetError> {
        let _ = peer;
        Ok(())
    }

    /// Ends the association with `peer` by CLOSE; the outcome comes as an [`Event`].
    pub fn close(&self, peer: Hit) -> Result<(), NetError> {
        let _ = peer;
        Ok(())
    }

    /// A snapshot of everything.
    pub async fn status(&self) -> Result<Status, NetError> {
        Ok(Status::default())
    }

    /// What happens from now on. A subscriber that is more than 1024 events behind loses the
    /// oldest (`RecvError::Lagged`).
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Replaces the peers known by configuration. Associations that exist stay.
    pub fn set_hosts(&self, hosts: HostsFile) -> Result<(), NetError> {
        let _ = hosts;
        Ok(())
    }

    /// Starts the key log in a directory, or ends it. Existing associations are written at once.
    pub async fn set_key_log(&self, dir: Option<PathBuf>) -> Result<(), NetError> {
        let _ = dir;
        Ok(())
    }

    /// The last R1 generation counter, to be stored (RFC 7401 §4.1.4).
    pub async fn r1_counter(&self) -> Result<u64, NetError> {
        Ok(0)
    }

    /// Sends CLOSE to all peers, waits (bounded) for their CLOSE_ACKs, removes routes and the
    /// interface.
    pub async fn shutdown(self) {}
}

impl fmt::Debug for HipHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HipHost")
            .field("hit", &self.hit)
            .field("lsi", &self.lsi)
            .finish_non_exhaustive()
    }
}
