//! Packets as text, in the manner of tcpdump; `{:#}` puts each parameter on a line of its own with all its octets.

use core::fmt::{self, Display};

use crate::error::WireError;
use crate::hit::Hit;
use crate::ip::{
    EspHeader, IcmpHeader, IpHeader, PROTOCOL_ESP, PROTOCOL_HIP, PROTOCOL_ICMP, PROTOCOL_ICMPV6,
    PROTOCOL_TCP, PROTOCOL_UDP, UdpHeader,
};
use crate::packet::{Packet, Param};
use crate::param::{
    Ack, Cert, DhGroupList, DiffieHellman, DomainIdentifier, EspInfo, EspTransform, HipCipherList,
    HipSignature, HipSignature2, HitSuiteList, HostId, Locator, LocatorAddress, LocatorSet,
    Notification, Puzzle, R1Counter, Seq, Solution, TrafficType, TransportFormatList,
};
use crate::registry::{DhGroup, EspSuite, HiAlgorithm, HipCipher, HitSuite, ParamType};
use crate::udp_encap::{self, UdpPayload};

/// Octets of opaque data shown in the short form.
const SHORT: usize = 8;

impl Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "HIP {} {} > {}",
            self.packet_type(),
            Name(self.sender()),
            Name(self.receiver())
        )?;
        write!(
            f,
            " length {} checksum {:#06x}",
            self.bytes().len(),
            self.checksum()
        )?;
        match self.controls() {
            0 => {}
            controls if self.is_anonymous() => write!(f, " controls A {controls:#06x}")?,
            controls => write!(f, " controls {controls:#06x}")?,
        }
        let (first, next) = if f.alternate() {
            ("\n    ", "\n    ")
        } else {
            (": ", ", ")
        };
        for (index, param) in self.params().enumerate() {
            f.write_str(if index == 0 { first } else { next })?;
            Display::fmt(&param, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// `NAME[contents]`, with a `!` after a critical type this crate cannot decode.
impl Display for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ty)?;
        if !self.ty.is_decoded() && self.ty.is_critical() {
            f.write_str("!")?;
        }
        f.write_str("[")?;
        show_contents(self, f)?;
        f.write_str("]")
    }
}

/// An IP packet as text: addresses, then HIP, ESP, UDP or whatever it carries.
#[derive(Clone, Copy, Debug)]
pub struct IpPacket<'a>(pub &'a [u8]);

impl Display for IpPacket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = match IpHeader::parse(self.0) {
            Ok(header) => header,
            Err(error) => return write!(f, "malformed IP packet: {error}"),
        };
        let payload = header.payload(self.0);
        write!(f, "IP {} > {} ", header.src(), header.dst())?;
        if let IpHeader::V4(v4) = header
            && v4.is_fragment()
        {
            return write!(
                f,
                "fragment at {} of {}",
                v4.fragment_offset * 8,
                v4.identification
            );
        }
        match header.protocol() {
            PROTOCOL_HIP => HipPacket(payload).fmt(f),
            PROTOCOL_ESP => show_esp(payload, f),
            PROTOCOL_UDP => show_udp(payload, f),
            PROTOCOL_TCP => write!(f, "TCP length {}", payload.len()),
            PROTOCOL_ICMP | PROTOCOL_ICMPV6 => match IcmpHeader::parse(payload) {
                Ok(icmp) => write!(
                    f,
                    "ICMP type {} code {} length {}",
                    icmp.icmp_type,
                    icmp.code,
                    payload.len()
                ),
                Err(error) => write!(f, "malformed ICMP: {error}"),
            },
            protocol => write!(f, "protocol {protocol} length {}", payload.len()),
        }
    }
}

/// The octets of a HIP packet as text, malformed or not.
#[derive(Clone, Copy, Debug)]
pub struct HipPacket<'a>(pub &'a [u8]);

impl Display for HipPacket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Packet::parse(self.0) {
            Ok(packet) => packet.fmt(f),
            Err(error) => write!(f, "malformed HIP packet: {error}"),
        }
    }
}

fn show_udp(segment: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let header = match UdpHeader::parse(segment) {
        Ok(header) => header,
        Err(error) => return write!(f, "malformed UDP: {error}"),
    };
    let payload = header.payload(segment);
    write!(f, "UDP {} > {} ", header.src_port, header.dst_port)?;
    if ![header.src_port, header.dst_port].contains(&udp_encap::PORT) {
        return write!(f, "length {}", payload.len());
    }
    match UdpPayload::parse(payload) {
        Ok(UdpPayload::Hip(packet)) => HipPacket(packet).fmt(f),
        Ok(UdpPayload::Esp(packet)) => show_esp(packet, f),
        Ok(UdpPayload::Keepalive) => f.write_str("NAT keepalive"),
        Err(error) => write!(f, "malformed encapsulation: {error}"),
    }
}

fn show_esp(packet: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match EspHeader::parse(packet) {
        Ok(esp) => write!(
            f,
            "ESP spi {:#010x} seq {} length {}",
            esp.spi,
            esp.sequence,
            packet.len()
        ),
        Err(error) => write!(f, "malformed ESP: {error}"),
    }
}

fn show_contents(param: &Param<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown = match param.ty {
        ParamType::ESP_INFO => param.decode().map(|p| show_esp_info(p, f)),
        ParamType::R1_COUNTER => param
            .decode()
            .map(|p: R1Counter| write!(f, "{}", p.counter)),
        ParamType::LOCATOR_SET => param.decode().map(|p: LocatorSet<'_>| join(f, &p.locators)),
        ParamType::PUZZLE => param.decode().map(|p| show_puzzle(p, f)),
        ParamType::SOLUTION => param.decode().map(|p| show_solution(p, f)),
        ParamType::SEQ => param.decode().map(|p: Seq| write!(f, "{}", p.update_id)),
        ParamType::ACK => param.decode().map(|p: Ack| join(f, &p.update_ids)),
        ParamType::DH_GROUP_LIST => param.decode().map(|p: DhGroupList| {
            join_known(f, &p.ids, |id| DhGroup::from_number(id).map(DhGroup::name))
        }),
        ParamType::DIFFIE_HELLMAN => param.decode().map(|p| show_diffie_hellman(p, f)),
        ParamType::HIP_CIPHER => param.decode().map(|p: HipCipherList| {
            join_known(f, &p.ids, |id| {
                HipCipher::from_number(id).map(HipCipher::name)
            })
        }),
        ParamType::HOST_ID => param.decode().map(|p| show_host_id(p, f)),
        ParamType::HIT_SUITE_LIST => param.decode().map(|p: HitSuiteList| {
            join_known(f, &p.ids, |id| {
                HitSuite::from_number(id).map(HitSuite::name)
            })
        }),
        ParamType::CERT => param.decode().map(|p| show_cert(p, f)),
        ParamType::NOTIFICATION => param.decode().map(|p: Notification<'_>| {
            write!(f, "{} {}", p.notify_type, Octets(p.data, f.alternate()))
        }),
        ParamType::TRANSPORT_FORMAT_LIST => param
            .decode()
            .map(|p: TransportFormatList| join(f, &p.formats)),
        ParamType::ESP_TRANSFORM => param.decode().map(|p: EspTransform| {
            join_known(f, &p.ids, |id| {
                EspSuite::from_number(id).map(EspSuite::name)
            })
        }),
        ParamType::HIP_SIGNATURE => param
            .decode()
            .map(|HipSignature(p)| show_signature(p.algorithm, p.signature, f)),
        ParamType::HIP_SIGNATURE_2 => param
            .decode()
            .map(|HipSignature2(p)| show_signature(p.algorithm, p.signature, f)),
        _ => Ok(write!(f, "{}", Octets(param.contents, f.alternate()))),
    };
    shown.unwrap_or_else(|error: WireError| {
        write!(
            f,
            "malformed, {error}: {}",
            Octets(param.contents, f.alternate())
        )
    })
}

fn show_esp_info(info: EspInfo, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "keymat {} spi {:#010x} > {:#010x}",
        info.keymat_index, info.old_spi, info.new_spi
    )
}

fn show_puzzle(puzzle: Puzzle<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let [high, low] = puzzle.opaque;
    let random = Octets(puzzle.random, f.alternate());
    write!(
        f,
        "K {} lifetime {:?} opaque {high:02x}{low:02x} I {random}",
        puzzle.difficulty,
        puzzle.lifetime()
    )
}

fn show_solution(solution: Solution<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let [high, low] = solution.opaque;
    let (random, j) = (
        Octets(solution.random, f.alternate()),
        Octets(solution.solution, f.alternate()),
    );
    write!(
        f,
        "K {} opaque {high:02x}{low:02x} I {random} J {j}",
        solution.difficulty
    )
}

fn show_diffie_hellman(value: DiffieHellman<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = value.group().map(DhGroup::name);
    write!(
        f,
        "{} {}",
        Known(name, value.group_id.into()),
        Octets(value.public_value, f.alternate())
    )
}

fn show_host_id(host_id: HostId<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = host_id.hi_algorithm().map(HiAlgorithm::name);
    write!(
        f,
        "{} {}",
        Known(name, host_id.algorithm),
        Octets(host_id.host_identity, f.alternate())
    )?;
    match host_id.domain_identifier {
        DomainIdentifier::None => Ok(()),
        DomainIdentifier::Fqdn(name) => write!(f, " FQDN {}", Labels(name)),
        DomainIdentifier::Nai(name) => write!(f, " NAI {}", name.escape_ascii()),
        DomainIdentifier::Other(di_type, name) => {
            write!(f, " DI-Type {di_type} {}", Octets(name, f.alternate()))
        }
    }
}

fn show_cert(cert: Cert<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let certificate = Octets(cert.certificate, f.alternate());
    write!(
        f,
        "group {} {}/{} type {} {certificate}",
        cert.group, cert.id, cert.count, cert.cert_type
    )
}

fn show_signature(algorithm: u16, signature: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = HiAlgorithm::from_number(algorithm).map(HiAlgorithm::name);
    write!(
        f,
        "{} {}",
        Known(name, algorithm),
        Octets(signature, f.alternate())
    )
}

impl Display for Locator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            LocatorAddress::Address(address) => write!(f, "{address}")?,
            LocatorAddress::SpiAddress { spi, address } => write!(f, "{address} spi {spi:#010x}")?,
            LocatorAddress::Transport {
                port,
                protocol,
                kind,
                priority,
                spi,
                address,
            } => {
                write!(
                    f,
                    "{address} port {port} protocol {protocol} kind {kind} priority {priority} spi {spi:#010x}"
                )?;
            }
            LocatorAddress::Unknown {
                locator_type,
                octets,
            } => {
                write!(f, "type {locator_type} {}", Octets(octets, f.alternate()))?;
            }
        }
        match self.traffic_type {
            TrafficType::Both => {}
            TrafficType::Signalling => f.write_str(" signalling")?,
            TrafficType::Data => f.write_str(" data")?,
            TrafficType::Other(number) => write!(f, " traffic {number}")?,
        }
        if self.preferred {
            f.write_str(" preferred")?;
        }
        match self.lifetime {
            u32::MAX => f.write_str(" unbounded"),
            seconds => write!(f, " {seconds}s"),
        }
    }
}

/// A HIT, or a word for the null HIT.
struct Name(Hit);

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_null() {
            f.write_str("any")
        } else {
            self.0.fmt(f)
        }
    }
}

/// Octets in hexadecimal: all of them, or the first few and how many there are.
struct Octets<'a>(&'a [u8], bool);

impl Display for Octets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.1 { self.0.len() } else { SHORT };
        for octet in self.0.iter().take(shown) {
            write!(f, "{octet:02x}")?;
        }
        match self.0.len() {
            0 => f.write_str("-"),
            len if len > shown => write!(f, "..({len})"),
            _ => Ok(()),
        }
    }
}

/// A registered name, else the number.
struct Known(Option<&'static str>, u16);

impl Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.1),
        }
    }
}

/// A domain name in RFC 1035 wire form with dots; anything else escaped.
struct Labels<'a>(&'a [u8]);

impl Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((&len, tail)) = rest.split_first() {
            let Some((label, tail)) = tail.split_at_checked(usize::from(len)) else {
                return write!(f, "{}", rest.escape_ascii());
            };
            if !label.is_empty() {
                write!(f, "{}.", label.escape_ascii())?;
            }
            rest = tail;
        }
        Ok(())
    }
}

fn join<T: Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { " " })?;
        item.fmt(f)?;
    }
    Ok(())
}

fn join_known<T: Copy + Into<u16>>(
    f: &mut fmt::Formatter<'_>,
    ids: &[T],
    name: impl Fn(T) -> Option<&'static str>,
) -> fmt::Result {
    for (index, &id) in ids.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { " " })?;
        Known(name(id), id.into()).fmt(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
