//! Two hosts with an association, and packets made and checked by etherparse.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{
    IpHeaders, Ipv4Header, Ipv6Extensions, Ipv6Header, NetSlice, PacketBuilder, SlicedPacket,
    TransportSlice, ip_number,
};
use hip_crypto::keymat::EspKeys;
use hip_crypto::rng::SeededRng;
use hip_crypto::secret::Secret;
use hip_esp::{
    HitPair, Inbound, InboundCommand, OpenedBatch, Outbound, OutboundCommand, OutboundConfig,
    OuterHeader, Path, SaParameters, SealedBatch, Transport, Verdict,
};
use hip_wire::hit::{Hit, Lsi};
use hip_wire::registry::EspSuite;

pub const SUITES: [EspSuite; 4] = [
    EspSuite::NullHmacSha256,
    EspSuite::Aes128CbcHmacSha256,
    EspSuite::Aes256CbcHmacSha256,
    EspSuite::AesGcm16,
];

/// The LSI of every host for itself.
pub const OWN_LSI: Lsi = Lsi(Ipv4Addr::new(198, 18, 0, 1));

pub fn hit(text: &str) -> Hit {
    text.parse().expect("a HIT")
}

pub fn alice() -> Hit {
    hit("2001:21:dead:beef:102:304:506:708")
}

pub fn bob() -> Hit {
    hit("2001:22:ffff:1:ab:cd:ef01:2345")
}

/// Keys of a suite that differ with `seed`.
pub fn keys(suite: EspSuite, seed: u8) -> EspKeys {
    let octets = |length: usize, salt: u8| {
        let octet = |i: usize| {
            (i as u8)
                .wrapping_mul(31)
                .wrapping_add(seed)
                .wrapping_mul(salt | 1)
        };
        Secret::new((0..length).map(octet).collect())
    };
    let lengths = hip_crypto::aead::key_lengths(suite);
    EspKeys {
        suite,
        encryption: octets(lengths.encryption, 3),
        authentication: octets(lengths.authentication, 7),
    }
}

pub fn udp_path() -> Path {
    Path {
        transport: Transport::Udp,
        local: "192.0.2.1:10500".parse().expect("an address"),
        remote: "192.0.2.2:10500".parse().expect("an address"),
    }
}

pub fn parameters(local: Hit, peer: Hit, spi: u32, keys: EspKeys) -> SaParameters {
    SaParameters {
        local,
        peer,
        spi,
        keys,
        path: udp_path(),
    }
}

/// One end: its tables and its view of the other's LSI.
pub struct Host {
    pub hit: Hit,
    pub peer_lsi: Lsi,
    pub outbound: Outbound,
    pub inbound: Inbound,
}

impl Host {
    pub fn new(hit: Hit, peer: Hit, peer_lsi: Ipv4Addr) -> Self {
        let mut rng = SeededRng::new(7);
        let pair = HitPair { local: hit, peer };
        let lsi = Lsi(peer_lsi);
        let mut inbound = Inbound::new(OWN_LSI, &mut rng);
        let config = OutboundConfig::new(hit, OWN_LSI);
        let mut outbound = Outbound::new(config, Box::new(rng));
        outbound
            .apply(OutboundCommand::MapLsi { lsi, pair })
            .expect("a free LSI");
        inbound
            .apply(InboundCommand::MapLsi { lsi, pair })
            .expect("a free LSI");
        Self {
            hit,
            peer_lsi: lsi,
            outbound,
            inbound,
        }
    }
}

/// Two hosts, and the direction from `a` to `b` in use by most tests.
pub struct World {
    pub a: Host,
    pub b: Host,
    pub sealed: SealedBatch,
    pub opened: OpenedBatch,
}

pub const SPI_AB: u32 = 0x1234_5601;
pub const SPI_BA: u32 = 0x2000_0002;

impl World {
    pub fn new(suite: EspSuite) -> Self {
        let mut world = Self::without_sas();
        let ab = keys(suite, 1);
        let ba = keys(suite, 2);
        let (a, b) = (alice(), bob());
        let Self {
            a: host_a,
            b: host_b,
            ..
        } = &mut world;
        host_a
            .outbound
            .apply(OutboundCommand::Install(parameters(
                a,
                b,
                SPI_AB,
                ab.clone(),
            )))
            .expect("an SA");
        host_b
            .inbound
            .apply(InboundCommand::Install(parameters(b, a, SPI_AB, ab)))
            .expect("an SA");
        host_b
            .outbound
            .apply(OutboundCommand::Install(parameters(
                b,
                a,
                SPI_BA,
                ba.clone(),
            )))
            .expect("an SA");
        host_a
            .inbound
            .apply(InboundCommand::Install(parameters(a, b, SPI_BA, ba)))
            .expect("an SA");
        world
    }

    /// Both ends know each other, and have no association.
    pub fn without_sas() -> Self {
        Self {
            a: Host::new(alice(), bob(), Ipv4Addr::new(198, 18, 77, 3)),
            b: Host::new(bob(), alice(), Ipv4Addr::new(198, 18, 4, 250)),
            sealed: SealedBatch::new(),
            opened: OpenedBatch::new(),
        }
    }

    /// Seals a packet of `a` and gives the ESP packet.
    pub fn seal(&mut self, inner: &[u8]) -> Vec<u8> {
        self.sealed.clear();
        assert_eq!(
            self.a.outbound.seal(inner, &mut self.sealed),
            Verdict::Sealed
        );
        let (_, esp) = self.sealed.packets().next().expect("one packet");
        esp.to_vec()
    }

    /// What `b` makes of an ESP packet whose outer header the last run describes.
    pub fn open(&mut self, esp: &[u8]) -> Result<Vec<u8>, hip_esp::DropReason> {
        self.opened.clear();
        let run = self.sealed.runs().first();
        let outer = run.map_or_else(OuterHeader::default, |run| OuterHeader {
            traffic_class: run.traffic_class,
            hop_limit: run.hop_limit,
        });
        self.b
            .inbound
            .open(&mut esp.to_vec(), outer, &mut self.opened)?;
        Ok(self.opened.packets().next().expect("one packet").to_vec())
    }

    /// Across and back up, one packet.
    pub fn carry(&mut self, inner: &[u8]) -> Result<Vec<u8>, hip_esp::DropReason> {
        let esp = self.seal(inner);
        self.open(&esp)
    }
}

pub fn pair_of_a() -> HitPair {
    HitPair {
        local: alice(),
        peer: bob(),
    }
}

pub fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 7 + 3) as u8).collect()
}

fn built(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

pub fn udp6(length: usize) -> Vec<u8> {
    let builder = PacketBuilder::ipv6(*alice().as_bytes(), *bob().as_bytes(), 61).udp(4242, 53);
    built(|out| builder.write(out, &payload(length)).expect("a packet"))
}

pub fn tcp6(length: usize) -> Vec<u8> {
    let header = Ipv6Header {
        traffic_class: 0xb9,
        hop_limit: 33,
        source: *alice().as_bytes(),
        destination: *bob().as_bytes(),
        ..Ipv6Header::default()
    };
    let ip = IpHeaders::Ipv6(header, Ipv6Extensions::default());
    let builder = PacketBuilder::ip(ip).tcp(4242, 80, 77, 512);
    built(|out| builder.write(out, &payload(length)).expect("a packet"))
}

pub fn ping6(length: usize) -> Vec<u8> {
    let builder =
        PacketBuilder::ipv6(*alice().as_bytes(), *bob().as_bytes(), 64).icmpv6_echo_request(9, 1);
    built(|out| builder.write(out, &payload(length)).expect("a packet"))
}

/// Between the LSI of `a` and that of its peer.
pub fn udp4(world: &World, length: usize) -> Vec<u8> {
    let builder =
        PacketBuilder::ipv4(OWN_LSI.0.octets(), world.a.peer_lsi.0.octets(), 55).udp(4242, 53);
    built(|out| builder.write(out, &payload(length)).expect("a packet"))
}

pub fn tcp4(world: &World, length: usize) -> Vec<u8> {
    let builder = PacketBuilder::ipv4(OWN_LSI.0.octets(), world.a.peer_lsi.0.octets(), 55)
        .tcp(4242, 80, 77, 512);
    built(|out| builder.write(out, &payload(length)).expect("a packet"))
}

pub fn ping4(world: &World, length: usize) -> Vec<u8> {
    let builder = PacketBuilder::ipv4(OWN_LSI.0.octets(), world.a.peer_lsi.0.octets(), 55)
        .icmpv4_echo_request(9, 1);
    built(|out| builder.write(out, &payload(length)).expect("a packet"))
}

/// An IPv4 packet with a header of one's own making.
pub fn raw4(mut header: Ipv4Header, payload: &[u8]) -> Vec<u8> {
    header.set_payload_len(payload.len()).expect("short");
    header.header_checksum = header.calc_header_checksum();
    built(|out| {
        header.write(out).expect("a header");
        out.extend_from_slice(payload);
    })
}

/// The IPv4 header of a packet of `a` to its peer.
pub fn header4(world: &World, protocol: u8) -> Ipv4Header {
    Ipv4Header::new(
        0,
        55,
        etherparse::IpNumber(protocol),
        OWN_LSI.0.octets(),
        world.a.peer_lsi.0.octets(),
    )
    .expect("a header")
}

/// Addresses of a packet, after every header and checksum in it was found right by etherparse.
pub fn assert_valid(packet: &[u8]) -> (std::net::IpAddr, std::net::IpAddr) {
    let sliced = SlicedPacket::from_ip(packet).expect("well formed");
    let (source, destination) = match sliced.net.expect("an IP header") {
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            assert_eq!(usize::from(header.payload_length()) + 40, packet.len());
            check_transport6(&sliced.transport, header.source(), header.destination());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
            )
        }
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            assert_eq!(usize::from(header.total_len()), packet.len());
            assert_eq!(
                header.header_checksum(),
                header.to_header().calc_header_checksum()
            );
            check_transport4(&sliced.transport, header.source(), header.destination());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
            )
        }
        NetSlice::Arp(_) => panic!("not IP"),
    };
    (source, destination)
}

fn check_transport6(transport: &Option<TransportSlice<'_>>, from: [u8; 16], to: [u8; 16]) {
    match transport {
        Some(TransportSlice::Udp(udp)) => {
            let want = udp
                .to_header()
                .calc_checksum_ipv6_raw(from, to, udp.payload());
            assert_eq!(Ok(udp.checksum()), want);
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let want = tcp
                .to_header()
                .calc_checksum_ipv6_raw(from, to, tcp.payload());
            assert_eq!(Ok(tcp.checksum()), want);
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            assert!(icmp.is_checksum_valid(from, to));
        }
        other => panic!("unexpected {other:?}"),
    }
}

fn check_transport4(transport: &Option<TransportSlice<'_>>, from: [u8; 4], to: [u8; 4]) {
    match transport {
        Some(TransportSlice::Udp(udp)) => {
            let want = udp
                .to_header()
                .calc_checksum_ipv4_raw(from, to, udp.payload());
            assert_eq!(Ok(udp.checksum()), want);
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let want = tcp
                .to_header()
                .calc_checksum_ipv4_raw(from, to, tcp.payload());
            assert_eq!(Ok(tcp.checksum()), want);
        }
        Some(TransportSlice::Icmpv4(icmp)) => {
            let header = icmp.header();
            assert_eq!(
                header.checksum,
                header.icmp_type.calc_checksum(icmp.payload())
            );
        }
        other => panic!("unexpected {other:?}"),
    }
}

pub fn ipv6(hit: Hit) -> std::net::IpAddr {
    Ipv6Addr::from(*hit.as_bytes()).into()
}

pub fn ipv4(lsi: Lsi) -> std::net::IpAddr {
    lsi.0.into()
}

pub const UDP: u8 = ip_number::UDP.0;
