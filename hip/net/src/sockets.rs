//! The sockets HIP packets and ESP travel by: UDP (RFC 9028) and raw IP (protocols 139 and 50).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use hip_core::Transport;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    error::NetError,
    sys::{self, Outgoing},
};

/// IP protocol number of HIP (RFC 7401 §5.1).
const PROTOCOL_HIP: i32 = 139;
/// IP protocol number of ESP (RFC 4303).
const PROTOCOL_ESP: i32 = 50;
/// Asked of the kernel for each direction (performance.md section 8, item 7).
const BUFFER: usize = 7 << 20;

/// What a socket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Both, told apart by the first four octets.
    Udp,
    /// HIP control packets, protocol 139.
    RawHip,
    /// ESP, protocol 50.
    RawEsp,
}

/// One bound socket.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    socket: Socket,
    carrier: Carrier,
    bound: SocketAddr,
    /// The route of some packet could not do UDP_SEGMENT, so it is off.
    unsegmented: AtomicBool,
}

/// How a run of packets fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SendOutcome {
    /// Packets the kernel took.
    pub(crate) sent: usize,
    /// Packets it refused.
    pub(crate) refused: usize,
    /// A refusal was for size: the path MTU shrank.
    pub(crate) too_big: bool,
}

/// Packets of one size (the last may be shorter) that lie side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacketRun<'a> {
    /// From which local address and port.
    pub(crate) local: SocketAddr,
    /// Where to.
    pub(crate) remote: SocketAddr,
    /// The packets.
    pub(crate) bytes: &'a [u8],
    /// Size of each.
    pub(crate) segment: usize,
    /// How many.
    pub(crate) count: usize,
    /// Traffic class and hop limit of the outer header.
    pub(crate) header: Option<(u8, u8)>,
}

impl PacketSocket {
    fn open(carrier: Carrier, bound: SocketAddr) -> io::Result<Self> {
        let domain = if bound.is_ipv4() {
            Domain::IPV4
        } else {
            Domain::IPV6
        };
        let socket = match carrier {
            Carrier::Udp => Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)),
            Carrier::RawHip => Socket::new(domain, Type::RAW, Some(PROTOCOL_HIP.into())),
            Carrier::RawEsp => Socket::new(domain, Type::RAW, Some(PROTOCOL_ESP.into())),
        }?;
        // Raw IPv6 sockets never carry IPv4, and refuse to be told.
        if bound.is_ipv6() && carrier == Carrier::Udp {
            socket.set_only_v6(true)?;
        }
        socket.bind(&bound.into())?;
        let this = Self {
            socket,
            carrier,
            bound,
            unsegmented: AtomicBool::new(false),
        };
        this.set_options()?;
        Ok(this)
    }

    fn set_options(&self) -> io::Result<()> {
        let fd = self.socket.as_fd();
        if self.bound.is_ipv4() {
            sys::set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
            sys::set_option(fd, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?;
            sys::set_option(fd, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
            // No DF: where a router on the way is narrower than the inner MTU assumes, packets are
            // cut rather than lost, even when ICMP is filtered (faults.md item 40).
            let free = libc::IP_PMTUDISC_DONT;
            sys::set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, free)?;
        } else {
            sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
            sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?;
            sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            // Routers never cut IPv6; the kernel does, by what Packet Too Big taught it.
            let free = libc::IPV6_PMTUDISC_WANT;
            sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, free)?;
        }
        if self.carrier == Carrier::Udp {
            // Kernels before 5.0 deliver datagrams one by one instead.
            let _ = sys::set_option(fd, libc::SOL_UDP, libc::UDP_GRO, 1);
        }
        for (force, plain) in [
            (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
            (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
        ] {
            let size = BUFFER as libc::c_int;
            if sys::set_option(fd, libc::SOL_SOCKET, force, size).is_err() {
                sys::set_option(fd, libc::SOL_SOCKET, plain, size)?;
            }
        }
        Ok(())
    }

    /// What this socket carries.
    pub(crate) fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// The address and port it is bound to.
    pub(crate) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Sends one packet.
    pub(crate) fn send(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) -> io::Result<()> {
        let message = Outgoing {
            destination: remote,
            source: Some(local.ip()),
            bytes,
            segment: None,
            header: None,
        };
        sys::send_many(self.socket.as_fd(), &[message]).map(drop)
    }

    /// Sends runs of packets in as few system calls as the kernel allows.
    pub(crate) fn send_runs(&self, runs: &[PacketRun<'_>]) -> SendOutcome {
        let mut outcome = SendOutcome::default();
        let mut messages = Vec::with_capacity(runs.len());
        for run in runs {
            if self.segments() || run.count == 1 {
                messages.push((run.whole(self.segments()), run.count));
            } else {
                messages.extend(run.single().map(|message| (message, 1)));
            }
        }
        let mut batch: Vec<Outgoing<'_>> = messages.iter().map(|(message, _)| *message).collect();
        let mut done = 0;
        while done < batch.len() {
            match sys::send_many(self.socket.as_fd(), &batch[done..]) {
                Ok(0) => break,
                Ok(sent) => {
                    outcome.sent += messages[done..done + sent]
                        .iter()
                        .map(|(_, count)| count)
                        .sum::<usize>();
                    done += sent;
                }
                Err(error) => {
                    let (message, count) = messages[done];
                    self.resend(&message, count, &error, &mut outcome);
                    done += 1;
                }
            }
        }
        batch.clear();
        outcome
    }

    fn segments(&self) -> bool {
        self.carrier == Carrier::Udp && !self.unsegmented.load(Ordering::Relaxed)
    }

    /// The kernel refused a message: a run is tried again packet by packet.
    fn resend(
        &self,
        message: &Outgoing<'_>,
        count: usize,
        error: &io::Error,
        outcome: &mut SendOutcome,
    ) {
        let code = error.raw_os_error();
        outcome.too_big |= code == Some(libc::EMSGSIZE);
        let Some(segment) = message.segment else {
            outcome.refused += count;
            return;
        };
        // EIO: the egress device computes no checksums, so it never segments.
        if code == Some(libc::EIO) {
            self.unsegmented.store(true, Ordering::Relaxed);
        }
        for bytes in message.bytes.chunks(usize::from(segment)) {
            let single = Outgoing {
                bytes,
                segment: None,
                ..*message
            };
            match sys::send_many(self.socket.as_fd(), &[single]) {
                Ok(_) => outcome.sent += 1,
                Err(error) => {
                    outcome.refused += 1;
                    outcome.too_big |= error.raw_os_error() == Some(libc::EMSGSIZE);
                }
            }
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<'a> PacketRun<'a> {
    fn whole(&self, segmented: bool) -> Outgoing<'a> {
        let segment = u16::try_from(self.segment)
            .ok()
            .filter(|_| segmented && self.count > 1);
        Outgoing {
            destination: self.remote,
            source: Some(self.local.ip()),
            bytes: self.bytes,
            segment,
            header: self.header,
        }
    }

    fn single(&self) -> impl Iterator<Item = Outgoing<'a>> + use<'a> {
        let whole = self.whole(false);
        self.bytes
            .chunks(self.segment.max(1))
            .map(move |bytes| Outgoing { bytes, ..whole })
    }
}

/// All sockets of the host.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    all: Vec<PacketSocket>,
}

/// Which sockets to open.
#[derive(Debug, Clone)]
pub(crate) struct SocketsConfig<'a> {
    /// Open UDP sockets.
    pub(crate) udp: bool,
    /// Their port.
    pub(crate) udp_port: u16,
    /// Open raw sockets.
    pub(crate) raw: bool,
    /// Local addresses; empty: any, IPv4 and IPv6.
    pub(crate) listen: &'a [IpAddr],
}

impl Sockets {
    /// Opens everything asked for. A machine without IPv6 (or without IPv4) is no error as long as
    /// no address of that family was asked for.
    pub(crate) fn open(config: &SocketsConfig<'_>) -> Result<Self, NetError> {
        let any = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let addresses = if config.listen.is_empty() {
            &any
        } else {
            config.listen
        };
        let mut sockets = Self::default();
        for address in addresses {
            let mut wanted = Vec::new();
            if config.udp {
                wanted.push((Carrier::Udp, config.udp_port));
            }
            if config.raw {
                wanted.extend([(Carrier::RawHip, 0), (Carrier::RawEsp, 0)]);
            }
            for (carrier, port) in wanted {
                let bound = SocketAddr::new(*address, port);
                match PacketSocket::open(carrier, bound) {
                    Ok(socket) => sockets.all.push(socket),
                    Err(error) if config.listen.is_empty() && no_family(&error) => {
                        tracing::info!(%address, %error, "address family not available");
                    }
                    Err(error) => return Err(explain(carrier, bound, error)),
                }
            }
        }
        if sockets.all.is_empty() {
            return Err(NetError::Config(
                "no socket to open: enable UDP or raw IP, and IPv4 or IPv6".to_owned(),
            ));
        }
        Ok(sockets)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, PacketSocket> {
        self.all.iter()
    }

    /// The socket for HIP control packets with these addresses.
    pub(crate) fn control(
        &self,
        transport: Transport,
        local: IpAddr,
        remote: IpAddr,
    ) -> Option<&PacketSocket> {
        let carrier = match transport {
            Transport::Udp => Carrier::Udp,
            Transport::Raw => Carrier::RawHip,
        };
        self.find(carrier, local, remote)
    }

    /// The socket for ESP with these addresses.
    pub(crate) fn data(&self, udp: bool, local: IpAddr, remote: IpAddr) -> Option<&PacketSocket> {
        self.find(
            if udp { Carrier::Udp } else { Carrier::RawEsp },
            local,
            remote,
        )
    }

    fn find(&self, carrier: Carrier, local: IpAddr, remote: IpAddr) -> Option<&PacketSocket> {
        let family = |socket: &&PacketSocket| {
            socket.carrier == carrier && socket.bound.is_ipv4() == remote.is_ipv4()
        };
        let exact = self
            .all
            .iter()
            .filter(family)
            .find(|socket| socket.bound.ip() == local);
        exact.or_else(|| {
            let any = |socket: &&PacketSocket| {
                socket.bound.ip().is_unspecified() || local.is_unspecified()
            };
            self.all.iter().filter(family).find(any)
        })
    }

    /// One line for each, for the status.
    pub(crate) fn describe(&self) -> Vec<String> {
        let line = |socket: &PacketSocket| match socket.carrier {
            Carrier::Udp => format!("udp {}", socket.bound),
            Carrier::RawHip => format!("raw 139 {}", socket.bound.ip()),
            Carrier::RawEsp => format!("raw 50 {}", socket.bound.ip()),
        };
        self.all.iter().map(line).collect()
    }
}

fn no_family(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
    )
}

fn explain(carrier: Carrier, bound: SocketAddr, error: io::Error) -> NetError {
    let what = match (carrier, error.raw_os_error()) {
        (Carrier::Udp, Some(libc::EADDRINUSE)) => {
            format!(
                "UDP port {} is taken (is another hipd running? choose another network.udp_port)",
                bound.port()
            )
        }
        (Carrier::Udp, _) => format!("open UDP socket {bound}"),
        (Carrier::RawHip, _) => format!("open raw socket for HIP (protocol 139) on {}", bound.ip()),
        (Carrier::RawEsp, _) => format!("open raw socket for ESP (protocol 50) on {}", bound.ip()),
    };
    NetError::system(what, error)
}

/// What the routing table says about packets to `remote`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouteView {
    /// The source address the kernel chooses.
    pub(crate) local: IpAddr,
    /// The largest IP packet it sends there, from the interface, the route and Packet Too Big.
    pub(crate) mtu: usize,
}

/// Looks up the route to `remote` by connecting a UDP socket, which sends nothing.
pub(crate) fn route_to(remote: IpAddr, local: Option<IpAddr>) -> io::Result<RouteView> {
    let any: IpAddr = match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((local.unwrap_or(any), 0))?;
    // Any port will do; 9 is "discard".
    socket.connect((remote, 9))?;
    let mtu = if remote.is_ipv4() {
        sys::option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MTU)
    } else {
        sys::option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_MTU)
    }?;
    Ok(RouteView {
        local: socket.local_addr()?.ip(),
        mtu: usize::try_from(mtu).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_to_loopback_gives_its_source_and_mtu() {
        let view = route_to(Ipv4Addr::LOCALHOST.into(), None).expect("route");
        assert_eq!(view.local, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(view.mtu >= 1280, "{view:?}");
    }

    #[test]
    fn a_taken_port_is_named_with_what_to_do() {
        let taken = UdpSocket::bind("127.0.0.1:0").expect("bind");
        let port = taken.local_addr().expect("address").port();
        let listen = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let config = SocketsConfig {
            udp: true,
            udp_port: port,
            raw: false,
            listen: &listen,
        };
        let text = Sockets::open(&config).expect_err("taken").to_string();
        assert!(
            text.contains(&port.to_string()) && text.contains("network.udp_port"),
            "{text}"
        );
    }

    #[test]
    fn packets_of_different_sizes_reach_a_socket_in_order_whatever_the_offload() {
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("bind");
        receiver
            .set_read_timeout(Some(std::time::Duration::from_secs(5)))
            .expect("timeout");
        let remote = receiver.local_addr().expect("address");
        let local: SocketAddr = "127.0.0.1:0".parse().expect("address");
        let socket = PacketSocket::open(Carrier::Udp, local).expect("socket");
        let bytes: Vec<u8> = (0..250u8).collect();
        let run = |bytes, segment: usize, count| PacketRun {
            local,
            remote,
            bytes,
            segment,
            count,
            header: Some((0, 64)),
        };
        for unsegmented in [false, true] {
            socket.unsegmented.store(unsegmented, Ordering::Relaxed);
            let outcome = socket.send_runs(&[run(&bytes, 100, 3), run(&bytes[..7], 7, 1)]);
            assert_eq!(
                outcome,
                SendOutcome {
                    sent: 4,
                    refused: 0,
                    too_big: false
                }
            );
            let mut buffer = [0; 500];
            for size in [100, 100, 50, 7] {
                assert_eq!(receiver.recv(&mut buffer).expect("received"), size);
            }
        }
    }
}
