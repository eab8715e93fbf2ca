//! The interface applications see: a TUN device with the HIT and the LSI, and the routes to it.

use std::{
    fs, io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use hip_wire::hit::{Hit, Lsi, ORCHID_PREFIX};
use nix::errno::Errno;

use crate::{
    error::NetError,
    ingress::IngressGuard,
    lsi::LsiPrefix,
    netlink::{Netlink, Route},
    sys,
};

/// Packets the kernel queues for the reader; the default of 500 is short at high rates
/// (performance.md section 8, item 8), much more would only add delay.
const QUEUE: u32 = 1000;

/// Metric of the routes to the interface.
const ROUTE_METRIC: u32 = 256;
/// Metric of the blackholes: they only count when the interface is gone, so nothing to a HIT or an
/// LSI ever leaves by the default route in clear.
const BLACKHOLE_METRIC: u32 = 0x7fff_fff0;

/// What the interface is made of.
#[derive(Debug, Clone)]
pub(crate) struct TunConfig {
    /// Its name.
    pub(crate) name: String,
    /// Its addresses.
    pub(crate) hit: Hit,
    pub(crate) lsi: Lsi,
    pub(crate) lsi_prefix: LsiPrefix,
    /// Largest inner IPv6 packet.
    pub(crate) mtu: u16,
    /// Largest inner IPv4 packet.
    pub(crate) lsi_mtu: u16,
}

/// The interface. It goes away with the value, and the routes with it.
#[derive(Debug)]
pub(crate) struct Tun {
    fd: OwnedFd,
    index: u32,
    name: String,
    blackholes: Vec<Route>,
    guard: Option<IngressGuard>,
}

impl Tun {
    /// Makes the interface with addresses and routes. On an error nothing is left behind.
    ///
    /// Blackholes left by a host that was killed are taken over.
    pub(crate) fn open(config: &TunConfig) -> Result<Self, NetError> {
        let name = &config.name;
        let fd = sys::open_tun(name).map_err(|error| explain_tun(name, error))?;
        let index = nix::net::if_::if_nametoindex(name.as_str())
            .map_err(|error| NetError::system(format!("find interface {name}"), error.into()))?;
        let mut netlink =
            Netlink::open().map_err(|error| NetError::system("open a netlink socket", error))?;
        quieten(name);
        let mut tun = Self {
            fd,
            index,
            name: name.clone(),
            blackholes: Vec::new(),
            guard: None,
        };
        // Blackholes first: there is no moment at which a packet could go elsewhere.
        for prefix in prefixes(config) {
            tun.add_blackhole(&mut netlink, prefix)?;
        }
        tun.guard = guard(name, index, &prefixes(config));
        let step = |what: &str, result: io::Result<()>| {
            result.map_err(|error| NetError::system(format!("{name}: {what}"), error))
        };
        step(
            "set its MTU and take it up",
            netlink.link_up(index, config.mtu.into(), QUEUE),
        )?;
        // 5338-5-02
        step(
            "set its HIT",
            netlink.add_address(index, config.hit.to_addr().into()),
        )?;
        step(
            "set its LSI",
            netlink.add_address(index, config.lsi.0.into()),
        )?;
        // 5338-4.1-01: programs connect to a HIT or an LSI like to any address.
        for route in interface_routes(config, index) {
            let (address, length) = route.prefix;
            step(
                &format!("route {address}/{length} to it"),
                netlink.add_route(&route),
            )?;
        }
        for address in [config.hit.to_addr().into(), config.lsi.0.into()] {
            step("wait for its addresses", wait_local(&mut netlink, address))?;
        }
        Ok(tun)
    }

    /// Reads one packet into `buffer`; `None` when there is none now.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match nix::unistd::read(&self.fd, buffer) {
                Ok(length) => return Ok(Some(length)),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Hands one packet to the kernel.
    pub(crate) fn write(&self, packet: &[u8]) -> io::Result<()> {
        loop {
            match nix::unistd::write(&self.fd, packet) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Index of the interface.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Name of the interface.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether packets with HITs or LSIs from other interfaces are dropped.
    pub(crate) fn guarded(&self) -> bool {
        self.guard.is_some()
    }

    fn add_blackhole(
        &mut self,
        netlink: &mut Netlink,
        prefix: (IpAddr, u8),
    ) -> Result<(), NetError> {
        let route = Route {
            prefix,
            interface: None,
            metric: BLACKHOLE_METRIC,
            mtu: None,
            source: None,
        };
        match netlink.add_route(&route) {
            Ok(()) => {}
            // Left by a host that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                let (address, length) = prefix;
                return Err(NetError::system(
                    format!("add blackhole route {address}/{length}"),
                    error,
                ));
            }
        }
        self.blackholes.push(route);
        Ok(())
    }
}

impl Drop for Tun {
    fn drop(&mut self) {
        // Closing `fd` removes the interface too, but not while a process that is just being
        // started still holds a copy. Its routes go with it; the blackholes are last.
        let Ok(mut netlink) = Netlink::open() else {
            return;
        };
        if let Err(error) = netlink.remove_link(self.index) {
            tracing::debug!(%error, name = self.name, "the interface is not there any more");
        }
        for route in &self.blackholes {
            if let Err(error) = netlink.remove_route(route) {
                tracing::debug!(%error, ?route, "a blackhole route is not there any more");
            }
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Linux makes the route that delivers to a new IPv6 address in the background; a peer's first
/// packet that came before it would be lost.
fn wait_local(netlink: &mut Netlink, address: IpAddr) -> io::Result<()> {
    for _ in 0..2000 {
        if netlink.is_local(address)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Guards the names before the addresses are there. A kernel without nf_tables is no reason to
/// refuse service, but worth a warning.
fn guard(name: &str, index: u32, prefixes: &[(IpAddr, u8)]) -> Option<IngressGuard> {
    let loopback = nix::net::if_::if_nametoindex("lo").unwrap_or(1);
    match IngressGuard::install(&format!("hip-{name}"), &[index, loopback], prefixes) {
        Ok(guard) => Some(guard),
        Err(error) => {
            tracing::warn!(%error, "no nf_tables: packets with forged HITs from the network are not dropped");
            None
        }
    }
}

/// What belongs to HIP alone on this host.
fn prefixes(config: &TunConfig) -> [(IpAddr, u8); 2] {
    let (orchid, length) = ORCHID_PREFIX;
    [
        (orchid.into(), length),
        (
            config.lsi_prefix.network().into(),
            config.lsi_prefix.length(),
        ),
    ]
}

fn interface_routes(config: &TunConfig, index: u32) -> [Route; 2] {
    let [orchid, lsi] = prefixes(config);
    let route = |prefix, mtu: u16, source: IpAddr| Route {
        prefix,
        interface: Some(index),
        metric: ROUTE_METRIC,
        mtu: Some(mtu.into()),
        source: Some(source),
    };
    [
        route(orchid, config.mtu, config.hit.to_addr().into()),
        route(lsi, config.lsi_mtu, config.lsi.0.into()),
    ]
}

/// Keeps IPv6 usable on the interface and free of traffic no one asked for (router solicitations,
/// a link-local address). Kernels without one of these settings work all the same.
fn quieten(name: &str) {
    for (setting, value) in [
        ("disable_ipv6", "0"),
        ("addr_gen_mode", "1"),
        ("router_solicitations", "0"),
        ("accept_ra", "0"),
        ("accept_redirects", "0"),
    ] {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/{setting}"), value);
    }
}

fn explain_tun(name: &str, error: io::Error) -> NetError {
    let what = match error.raw_os_error() {
        Some(libc::EBUSY) => format!(
            "interface {name} exists already (is another hipd running? choose another network.tun_name)"
        ),
        Some(libc::ENOENT | libc::ENXIO | libc::ENODEV) => {
            "open /dev/net/tun (is the tun module loaded?)".to_owned()
        }
        _ => format!("create interface {name}"),
    };
    NetError::system(what, error)
}
