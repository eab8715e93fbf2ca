//! Talking to the kernel about addresses, routes and links (rtnetlink), one request at a time.
//!
//! Requests are rare and short, so a blocking socket of our own is enough; and unlike
//! `netlink-proto` it sees `ENOBUFS` (the kernel dropped notifications), which must lead to a full
//! dump.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage as Message,
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope},
    link::{LinkAttribute, LinkFlags, LinkMessage},
    route::{
        RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol, RouteScope,
        RouteType,
    },
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// An answer is due at once; a kernel that gives none must not hang the host.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Larger than any message of a dump (the kernel uses at most 32 KiB).
const BUFFER: usize = 64 * 1024;

/// A netlink socket for requests and their answers.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// One address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InterfaceAddress {
    /// Index of the interface.
    pub(crate) interface: u32,
    /// The address.
    pub(crate) address: IpAddr,
    /// Usable beyond the link.
    pub(crate) global: bool,
    /// Duplicate address detection is under way or failed.
    pub(crate) unusable: bool,
    /// Should not be used for new connections.
    pub(crate) deprecated: bool,
}

/// A route this host makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// The destination prefix.
    pub(crate) prefix: (IpAddr, u8),
    /// The interface; `None` for a blackhole.
    pub(crate) interface: Option<u32>,
    /// Lower is preferred.
    pub(crate) metric: u32,
    /// MTU of the route.
    pub(crate) mtu: Option<u32>,
    /// Source address for connections that choose none.
    pub(crate) source: Option<IpAddr>,
}

impl Netlink {
    /// A socket in the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket2::SockRef::from(&socket).set_read_timeout(Some(ANSWER_TIME))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Gives the interface an address without a route to its prefix.
    pub(crate) fn add_address(&mut self, interface: u32, address: IpAddr) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.index = interface;
        message.header.family = family(address);
        message.header.prefix_len = host_bits(address);
        message.header.scope = AddressScope::Universe;
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes = vec![
            AddressAttribute::Local(address),
            AddressAttribute::Address(address),
            AddressAttribute::Flags(AddressFlags::Nodad | AddressFlags::Noprefixroute),
        ];
        self.change(Message::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Sets the MTU and queue length of an interface and takes it up.
    pub(crate) fn link_up(&mut self, interface: u32, mtu: u32, queue: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = interface;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes = vec![LinkAttribute::Mtu(mtu), LinkAttribute::TxQueueLen(queue)];
        self.change(Message::SetLink(message), 0)
    }

    /// Removes an interface.
    pub(crate) fn remove_link(&mut self, interface: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = interface;
        self.change(Message::DelLink(message), 0)
    }

    /// Makes a route; `AlreadyExists` when there is one with this prefix and metric.
    pub(crate) fn add_route(&mut self, route: &Route) -> io::Result<()> {
        self.change(
            Message::NewRoute(route.message()),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Whether packets to `address` are delivered on this host.
    pub(crate) fn is_local(&mut self, address: IpAddr) -> io::Result<bool> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(address);
        message.header.destination_prefix_length = host_bits(address);
        message
            .attributes
            .push(RouteAttribute::Destination(address.into()));
        let answers = self.request(Message::GetRoute(message), NLM_F_ACK)?;
        Ok(answers.iter().any(|answer| {
            matches!(answer, Message::NewRoute(route) if route.header.kind == RouteType::Local)
        }))
    }

    /// Removes a route made by [`add_route`](Self::add_route).
    pub(crate) fn remove_route(&mut self, route: &Route) -> io::Result<()> {
        let mut message = route.message();
        // Whoever made it: one left by a killed host, or by hand.
        message.header.protocol = RouteProtocol::Unspec;
        message.header.scope = RouteScope::NoWhere;
        self.change(Message::DelRoute(message), 0)
    }

    /// Every address of this network namespace, in the kernel's order.
    pub(crate) fn addresses(&mut self) -> io::Result<Vec<InterfaceAddress>> {
        let answers = self.request(Message::GetAddress(AddressMessage::default()), NLM_F_DUMP)?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                Message::NewAddress(message) => interface_address(&message),
                _ => None,
            })
            .collect())
    }

    fn change(&mut self, message: Message, flags: u16) -> io::Result<()> {
        self.request(message, flags | NLM_F_ACK).map(drop)
    }

    fn request(&mut self, message: Message, flags: u16) -> io::Result<Vec<Message>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        self.answers()
    }

    fn answers(&self) -> io::Result<Vec<Message>> {
        let mut answers = Vec::new();
        loop {
            let mut buffer = Vec::with_capacity(BUFFER);
            self.socket.recv(&mut buffer, 0)?;
            let mut rest = buffer.as_slice();
            while !rest.is_empty() {
                let message =
                    NetlinkMessage::<Message>::deserialize(rest).map_err(io::Error::other)?;
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length.max(16)..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answers),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                    _ => {}
                }
            }
        }
    }
}

impl Route {
    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = family(self.prefix.0);
        message.header.destination_prefix_length = self.prefix.1;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = match (self.interface, self.prefix.0) {
            (Some(_), IpAddr::V4(_)) => RouteScope::Link,
            _ => RouteScope::Universe,
        };
        message.header.kind = if self.interface.is_some() {
            RouteType::Unicast
        } else {
            RouteType::BlackHole
        };
        message
            .attributes
            .push(RouteAttribute::Destination(self.prefix.0.into()));
        message
            .attributes
            .push(RouteAttribute::Priority(self.metric));
        message
            .attributes
            .extend(self.interface.map(RouteAttribute::Oif));
        message.attributes.extend(
            self.source
                .map(|source| RouteAttribute::PrefSource(source.into())),
        );
        message.attributes.extend(
            self.mtu
                .map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])),
        );
        message
    }
}

/// A socket that wakes up when addresses or links change.
///
/// What changed is not read: any notification, and above all a lost one, is answered by a full
/// dump, so nothing can be missed.
pub(crate) struct AddressEvents {
    socket: Socket,
}

impl AddressEvents {
    /// Subscribes in the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, groups as u32))?;
        socket.set_non_blocking(true)?;
        Ok(Self { socket })
    }

    /// Empties the queue. An error other than "nothing there" (`ENOBUFS`: some were lost) also
    /// means that something changed, so it is no error here.
    pub(crate) fn drain(&self) {
        let mut buffer = Vec::with_capacity(BUFFER);
        // Bounded, so that a burst without end cannot keep the caller from dumping.
        for _ in 0..1024 {
            buffer.clear();
            match self.socket.recv(&mut buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }
}

impl AsFd for AddressEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn interface_address(message: &AddressMessage) -> Option<InterfaceAddress> {
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    let (mut address, mut local) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(value) => address = Some(*value),
            // On point-to-point links Address is the peer's and Local is ours.
            AddressAttribute::Local(value) => local = Some(*value),
            AddressAttribute::Flags(value) => flags = *value,
            _ => {}
        }
    }
    Some(InterfaceAddress {
        interface: message.header.index,
        address: local.or(address)?,
        global: matches!(
            message.header.scope,
            AddressScope::Universe | AddressScope::Site
        ),
        unusable: flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
        deprecated: flags.contains(AddressFlags::Deprecated),
    })
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

fn host_bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dump_holds_the_loopback_address_and_a_wrong_request_is_an_error() {
        let mut netlink = Netlink::open().expect("netlink");
        let addresses = netlink.addresses().expect("dump");
        assert!(
            addresses
                .iter()
                .any(|address| address.address.is_loopback())
        );
        // No interface has this index, whoever asks.
        let error = netlink
            .add_address(u32::MAX >> 1, IpAddr::from([192, 0, 2, 1]))
            .expect_err("refused");
        assert!(error.raw_os_error().is_some(), "{error}");
        assert!(
            netlink
                .is_local(IpAddr::from([127, 0, 0, 1]))
                .expect("route")
        );
        // The socket is in step after an error.
        assert_eq!(netlink.addresses().expect("dump").len(), addresses.len());
    }
}
