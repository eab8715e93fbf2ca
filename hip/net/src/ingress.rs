//! Keeps forged names out: a packet with a HIT or an LSI in its header that arrives on any
//! interface but ours never went through ESP, and is dropped before an application sees it.
//!
//! Without this, anyone on the local network could send UDP datagrams "from" a peer's HIT to this
//! host's HIT in clear: Linux delivers to a local address whatever interface a packet came by
//! (CVE-2019-14899 is of this shape). The rules are an nf_tables table for each address family,
//! owned by this process's socket, so the kernel removes them when the process ends, however it
//! ends.

use std::{io, net::IpAddr, time::Duration};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

// linux/netfilter/nfnetlink.h and nf_tables.h.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = (SUBSYSTEM << 8) | 3;
const NEW_RULE: u16 = (SUBSYSTEM << 8) | 6;
const TABLE_OWNED: u32 = 2;
const PREROUTING: u32 = 0;
/// Before connection tracking, which shall not remember such packets.
const PRIORITY: i32 = -300;
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
const META_INPUT_INTERFACE: u32 = 4;
const NETWORK_HEADER: u32 = 1;
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const DROP: u32 = 0;
const CHAIN: &str = "prerouting";

/// The rules; they go with the value.
#[derive(Debug)]
pub(crate) struct IngressGuard {
    _owner: Socket,
}

impl IngressGuard {
    /// Drops packets from or to the prefixes that arrive on other interfaces than `tun` and
    /// `loopback` (both by index). `name` is that of the tables.
    pub(crate) fn install(
        name: &str,
        interfaces: &[u32],
        prefixes: &[(IpAddr, u8)],
    ) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        let seconds = Some(Duration::from_secs(5));
        socket2::SockRef::from(&socket).set_read_timeout(seconds)?;
        let mut batch = Batch::default();
        batch.message(BATCH_BEGIN, 0, SUBSYSTEM, &Attributes::default());
        for prefix in prefixes {
            add_family(&mut batch, name, interfaces, *prefix);
        }
        batch.message(BATCH_END, 0, SUBSYSTEM, &Attributes::default());
        socket.send(&batch.bytes, 0)?;
        acknowledged(&socket, batch.acknowledged)?;
        Ok(Self { _owner: socket })
    }
}

/// Table, chain, and one rule each for destination and source.
fn add_family(batch: &mut Batch, table: &str, interfaces: &[u32], prefix: (IpAddr, u8)) {
    // NFPROTO_IPV4, NFPROTO_IPV6; offsets of destination and source in the IP header.
    let (family, offsets) = if prefix.0.is_ipv4() {
        (2, [16, 12])
    } else {
        (10, [24, 8])
    };
    let mut attributes = Attributes::default();
    attributes.text(1, table).number(2, TABLE_OWNED);
    batch.message(NEW_TABLE, family, 0, &attributes);

    let mut attributes = Attributes::default();
    attributes
        .text(1, table)
        .text(3, CHAIN)
        .nest(4, |hook| {
            hook.number(1, PREROUTING).put(2, &PRIORITY.to_be_bytes());
        })
        .text(7, "filter");
    batch.message(NEW_CHAIN, family, 0, &attributes);

    for offset in offsets {
        let mut attributes = Attributes::default();
        attributes
            .text(1, table)
            .text(2, CHAIN)
            .nest(4, |rule| expressions(rule, interfaces, offset, prefix));
        batch.message(NEW_RULE, family, 0, &attributes);
    }
}

/// "Came by none of the interfaces, and has the prefix at this offset: count, drop."
fn expressions(rule: &mut Attributes, interfaces: &[u32], offset: u32, prefix: (IpAddr, u8)) {
    let octets = match prefix.0 {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    // Both prefixes are shorter than 32 bits.
    let octets = &octets[..4];
    let mask = (u32::MAX << (32 - u32::from(prefix.1.min(32)))).to_be_bytes();
    expression(rule, "meta", |meta| {
        meta.number(1, REGISTER).number(2, META_INPUT_INTERFACE);
    });
    for interface in interfaces {
        compare(rule, NOT_EQUAL, &interface.to_ne_bytes());
    }
    expression(rule, "payload", |payload| {
        payload
            .number(1, REGISTER)
            .number(2, NETWORK_HEADER)
            .number(3, offset)
            .number(4, 4);
    });
    expression(rule, "bitwise", |bitwise| {
        bitwise
            .number(1, REGISTER)
            .number(2, REGISTER)
            .number(3, 4)
            .nest(4, |data| {
                data.put(1, &mask);
            })
            .nest(5, |data| {
                data.put(1, &[0; 4]);
            });
    });
    compare(rule, EQUAL, octets);
    expression(rule, "counter", |_| {});
    expression(rule, "immediate", |immediate| {
        immediate.number(1, VERDICT_REGISTER).nest(2, |data| {
            data.nest(2, |verdict| {
                verdict.number(1, DROP);
            });
        });
    });
}

fn compare(rule: &mut Attributes, operation: u32, value: &[u8]) {
    expression(rule, "cmp", |compare| {
        compare
            .number(1, REGISTER)
            .number(2, operation)
            .nest(3, |data| {
                data.put(1, value);
            });
    });
}

fn expression(rule: &mut Attributes, name: &str, data: impl FnOnce(&mut Attributes)) {
    rule.nest(1, |element| {
        element.text(1, name).nest(2, data);
    });
}

/// Reads the answers to all messages; the first refusal is the result.
fn acknowledged(socket: &Socket, mut expected: u32) -> io::Result<()> {
    while expected > 0 {
        let mut buffer = Vec::with_capacity(8192);
        socket.recv(&mut buffer, 0)?;
        let mut rest = buffer.as_slice();
        // struct nlmsghdr: length, type (2 is an answer), flags, sequence, port; then the code.
        while let Some((header, _)) = rest.split_first_chunk::<20>() {
            let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
            let code = i32::from_ne_bytes([header[16], header[17], header[18], header[19]]);
            if code != 0 {
                return Err(io::Error::from_raw_os_error(-code));
            }
            expected = expected.saturating_sub(1);
            rest = rest
                .get(length.next_multiple_of(4).max(20)..)
                .unwrap_or_default();
        }
    }
    Ok(())
}

/// The messages of one transaction.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    sequence: u32,
    /// How many of them are answered.
    acknowledged: u32,
}

impl Batch {
    /// Appends `struct nlmsghdr`, `struct nfgenmsg` and the attributes.
    fn message(&mut self, kind: u16, family: u8, resource: u16, attributes: &Attributes) {
        const REQUEST: u16 = 1;
        const ACKNOWLEDGE: u16 = 4;
        const CREATE: u16 = 0x400;
        let limit = matches!(kind, BATCH_BEGIN | BATCH_END);
        let flags = if limit {
            REQUEST
        } else {
            REQUEST | ACKNOWLEDGE | CREATE
        };
        self.acknowledged += u32::from(!limit);
        self.sequence += 1;
        let length = 20 + attributes.0.len() as u32;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&[family, 0]);
        self.bytes.extend_from_slice(&resource.to_be_bytes());
        self.bytes.extend_from_slice(&attributes.0);
    }
}

/// Netlink attributes: length, type, value, padding.
#[derive(Default)]
struct Attributes(Vec<u8>);

impl Attributes {
    fn put(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = 4 + value.len() as u16;
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// nf_tables takes numbers in network order.
    fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_be_bytes())
    }

    fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        let mut value = value.as_bytes().to_vec();
        value.push(0);
        self.put(kind, &value)
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        const NESTED: u16 = 0x8000;
        let mut inner = Self::default();
        fill(&mut inner);
        self.put(kind | NESTED, &inner.0)
    }
}
