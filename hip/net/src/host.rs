//! The façade: one running HIP host.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use hip_core::{Event, Host, HostConfig, Path, Transport};
use hip_crypto::identity::HostIdentity;
use hip_esp::{Inbound, Outbound, OutboundConfig, encap::IPV6_MTU_MIN};
use hip_wire::hit::{Hit, Lsi};
use tokio::sync::{broadcast, oneshot};

use crate::{
    clock,
    datapath::DataPath,
    driver::{Driver, Parts, StatusBasis},
    error::NetError,
    hosts::HostsFile,
    keylog::KeyLog,
    locators::{AddressBook, LocatorPolicy},
    lsi::{LsiPrefix, LsiTable},
    message::{Command, Message},
    netlink::AddressEvents,
    rng::OsRng,
    sockets::{Sockets, SocketsConfig},
    status::Status,
    tun::{Tun, TunConfig},
};

/// Events a slow subscriber may be behind.
const EVENTS: usize = 1024;

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
/// [`shutdown`](Self::shutdown) does, and blocks meanwhile.
pub struct HipHost {
    hit: Hit,
    lsi: Lsi,
    driver: mpsc::Sender<Message>,
    /// Only the driver holds a sender: when it ends, receivers see the end of the channel.
    events: broadcast::Receiver<Event>,
    thread: Option<JoinHandle<()>>,
}

impl HipHost {
    /// Opens everything and starts the threads. On an error nothing is left behind.
    pub fn start(config: HipHostConfig) -> Result<Self, NetError> {
        let hit = config.identity.hit();
        let lsi = config.lsi_prefix.own();
        let (driver, inbox) = mpsc::channel();
        let (sender, events) = broadcast::channel(EVENTS);
        let driver_parts = config.open(inbox, sender, &driver)?;
        let thread = std::thread::Builder::new()
            .name("hip-driver".to_owned())
            .spawn(move || Driver::new(driver_parts).run())
            .map_err(|error| NetError::system("start thread hip-driver", error))?;
        Ok(Self {
            hit,
            lsi,
            driver,
            events,
            thread: Some(thread),
        })
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
        self.command(Command::Connect(peer))
    }

    /// Ends the association with `peer` by CLOSE; the outcome comes as an [`Event`].
    pub fn close(&self, peer: Hit) -> Result<(), NetError> {
        self.command(Command::Close(peer))
    }

    /// A snapshot of everything.
    pub async fn status(&self) -> Result<Status, NetError> {
        let (answer, status) = oneshot::channel();
        self.command(Command::Status(answer))?;
        status.await.map_err(|_| NetError::Stopped)
    }

    /// What happens from now on. A subscriber that is more than 1024 events behind loses the
    /// oldest (`RecvError::Lagged`); the channel ends with the host, also when its interface was
    /// taken away.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.resubscribe()
    }

    /// Replaces the peers known by configuration. Associations that exist stay.
    pub fn set_hosts(&self, hosts: HostsFile) -> Result<(), NetError> {
        self.command(Command::SetHosts(hosts))
    }

    /// Starts the key log in a directory, or ends it. Existing associations are written at once.
    pub async fn set_key_log(&self, dir: Option<PathBuf>) -> Result<(), NetError> {
        let (answer, result) = oneshot::channel();
        self.command(Command::SetKeyLog(dir, answer))?;
        result.await.map_err(|_| NetError::Stopped)?
    }

    /// The last R1 generation counter, to be stored (RFC 7401 §4.1.4).
    pub async fn r1_counter(&self) -> Result<u64, NetError> {
        let (answer, counter) = oneshot::channel();
        self.command(Command::R1Counter(answer))?;
        counter.await.map_err(|_| NetError::Stopped)
    }

    /// Sends CLOSE to all peers, waits (bounded) for their CLOSE_ACKs, removes routes and the
    /// interface.
    pub async fn shutdown(mut self) {
        let (done, ended) = oneshot::channel();
        if self.command(Command::Shutdown(done)).is_ok() {
            // Dropped, not sent, when all is removed.
            let _ = ended.await;
        }
        self.join();
    }

    fn command(&self, command: Command) -> Result<(), NetError> {
        self.driver
            .send(Message::Command(command))
            .map_err(|_| NetError::Stopped)
    }

    fn join(&mut self) {
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the driver thread panicked");
        }
    }
}

impl Drop for HipHost {
    fn drop(&mut self) {
        let (done, _ended) = oneshot::channel();
        let _ = self.command(Command::Shutdown(done));
        self.join();
    }
}

impl fmt::Debug for HipHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HipHost")
            .field("hit", &self.hit)
            .field("lsi", &self.lsi)
            .finish_non_exhaustive()
    }
}

impl HipHostConfig {
    /// Opens everything: the interface first, so that blackholes stand before anything else.
    fn open(
        self,
        inbox: mpsc::Receiver<Message>,
        events: broadcast::Sender<Event>,
        driver: &mpsc::Sender<Message>,
    ) -> Result<Parts, NetError> {
        let (hit, lsi) = (self.identity.hit(), self.lsi_prefix.own());
        let mtu = self.inner_mtu()?;
        let tun = Arc::new(Tun::open(&TunConfig {
            name: self.tun_name.clone(),
            hit,
            lsi,
            lsi_prefix: self.lsi_prefix,
            mtu,
            lsi_mtu: mtu - LSI_SHORTER,
        })?);
        let sockets = Arc::new(Sockets::open(&SocketsConfig {
            udp: self.udp,
            udp_port: self.udp_port,
            raw: self.raw,
            listen: &self.listen,
        })?);
        let mut rng = OsRng::new()?;
        let outbound = Outbound::new(OutboundConfig::new(hit, lsi), Box::new(rng));
        let inbound = Inbound::new(lsi, &mut rng);
        let changes = AddressEvents::open()
            .map_err(|error| NetError::system("subscribe to address changes", error))?;
        let data = DataPath::start(&tun, &sockets, (outbound, inbound), changes, driver)?;
        let protocol = HostConfig {
            udp_port: self.udp_port,
            ..self.protocol
        };
        let host = Host::new(protocol, self.identity, Box::new(rng));
        Ok(Parts {
            host,
            sockets,
            data,
            inbox,
            events,
            addresses: AddressBook::new(tun.index(), self.lsi_prefix, self.listen)?,
            policy: LocatorPolicy {
                default_transport: self.default_transport,
                udp: self.udp,
                raw: self.raw,
            },
            lsis: LsiTable::new(self.lsi_prefix, hit),
            hosts: self.hosts,
            key_log: self.key_log.as_deref().map(KeyLog::open).transpose()?,
            underlay_mtu: self.underlay_mtu.into(),
            close_timeout: self.close_timeout,
            status: StatusBasis {
                lsi_prefix: self.lsi_prefix.to_string(),
                mtu,
                started: clock::now(),
            },
            tun,
        })
    }

    // 9028-5.1-07
    /// What fits one packet of the network below with any suite and transport that may be used.
    fn inner_mtu(&self) -> Result<u16, NetError> {
        if let Some(mtu) = self.mtu {
            return if mtu >= IPV6_MTU_MIN as u16 {
                Ok(mtu)
            } else {
                Err(NetError::Config(format!(
                    "network.mtu {mtu} is below {IPV6_MTU_MIN}, the least IPv6 needs"
                )))
            };
        }
        let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        // IPv6 outside is the longer header.
        let transport = if self.udp {
            Transport::Udp
        } else {
            Transport::Raw
        };
        let path = Path {
            transport,
            local: any,
            remote: any,
        };
        let suites = &self.protocol.esp_suites;
        let smallest = suites
            .iter()
            .map(|suite| hip_esp::inner_mtu(self.underlay_mtu.into(), &path, *suite).hit)
            .min()
            .unwrap_or(IPV6_MTU_MIN);
        Ok(u16::try_from(smallest).unwrap_or(u16::MAX))
    }
}

/// An inner IPv4 packet may be this much shorter than an inner IPv6 one: its header is 20 octets
/// less, and the pseudo header of BEET mode takes 8 (RFC 7402 B.1.7).
const LSI_SHORTER: u16 = 28;

#[cfg(test)]
mod tests {
    use hip_crypto::identity::KeyAlgorithm;
    use hip_esp::SuiteLayout;

    use super::*;

    const IPV6_HEADER: usize = 40;

    fn config() -> HipHostConfig {
        HipHostConfig::new(Arc::new(
            HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, 1).expect("identity"),
        ))
    }

    /// 9028-5.1-07
    #[test]
    fn the_mtu_is_the_largest_that_fits_below_with_every_suite() {
        for (udp, udp_header) in [(true, 8), (false, 0)] {
            let config = HipHostConfig { udp, ..config() };
            let mtu = usize::from(config.inner_mtu().expect("mtu"));
            let outer = |mtu: usize, suite| {
                IPV6_HEADER + udp_header + SuiteLayout::of(suite).packet(mtu - IPV6_HEADER)
            };
            let suites = &config.protocol.esp_suites;
            assert!(suites.iter().all(|suite| outer(mtu, *suite) <= 1500));
            assert!(suites.iter().any(|suite| outer(mtu + 1, *suite) > 1500));
        }
    }

    #[test]
    fn an_mtu_that_ipv6_cannot_use_is_refused() {
        let config = HipHostConfig {
            mtu: Some(1279),
            ..config()
        };
        assert!(
            config
                .inner_mtu()
                .expect_err("refused")
                .to_string()
                .contains("1280")
        );
        let config = HipHostConfig {
            mtu: Some(1400),
            ..config
        };
        assert_eq!(config.inner_mtu().expect("mtu"), 1400);
    }
}
