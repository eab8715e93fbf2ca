//! ICMP echo through hip0: a ping socket where the system allows it, a raw socket where not.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::api::{ApiError, ErrorCode};

const ECHO_LEN: usize = 64;

/// A socket that talks ICMP to one address.
#[derive(Debug)]
pub(super) struct EchoSocket {
    socket: Socket,
    target: IpAddr,
    /// Raw sockets see everybody's echoes and, with IPv4, the IP header.
    raw: bool,
    identifier: u16,
}

impl EchoSocket {
    /// Opens and connects; `source` makes sure the packet can only leave through hip0.
    pub(super) fn open(source: IpAddr, target: IpAddr) -> Result<Self, ApiError> {
        let failed = |what: &str, e: &io::Error| {
            let error = ApiError::new(ErrorCode::System, format!("ping {target}: {what}: {e}"));
            match e.kind() {
                io::ErrorKind::PermissionDenied => {
                    error.hint("use sudo, or ping -6 HIT from the shell")
                }
                io::ErrorKind::AddrNotAvailable => {
                    error.hint("hip0 lacks the address: is this the network namespace of hipd?")
                }
                _ => error,
            }
        };
        let (socket, raw) = match open_as(target, Type::DGRAM) {
            Ok(socket) => (socket, false),
            Err(_) => match open_as(target, Type::RAW) {
                Ok(socket) => (socket, true),
                Err(e) => return Err(failed("cannot open an ICMP socket", &e)),
            },
        };
        socket
            .bind(&SocketAddr::new(source, 0).into())
            .map_err(|e| failed(&format!("cannot send from {source}"), &e))?;
        socket
            .connect(&SocketAddr::new(target, 0).into())
            .map_err(|e| failed("no route", &e))?;
        let identifier = u16::try_from(std::process::id() & 0xffff).unwrap_or(0);
        Ok(Self {
            socket,
            target,
            raw,
            identifier,
        })
    }

    /// Sends echo `number` and waits for its reply; `None` when none came in time.
    pub(super) fn round_trip(
        &self,
        number: u32,
        patience: Duration,
    ) -> Result<Option<Duration>, ApiError> {
        let failed = |what: &str, e: &io::Error| {
            ApiError::new(
                ErrorCode::System,
                format!("ping {}: {what}: {e}", self.target),
            )
        };
        let sequence = u16::try_from(number & 0xffff).unwrap_or(0);
        let start = Instant::now();
        self.socket
            .send(&self.request(sequence))
            .map_err(|e| failed("cannot send", &e))?;
        loop {
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket
                .set_read_timeout(Some(left))
                .map_err(|e| failed("timeout", &e))?;
            let mut buffer = [0; 2048];
            match (&self.socket).read(&mut buffer) {
                Ok(length) if self.is_reply(&buffer[..length], sequence) => {
                    return Ok(Some(start.elapsed()));
                }
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(failed("cannot receive", &e)),
            }
        }
    }

    fn request(&self, sequence: u16) -> [u8; ECHO_LEN] {
        let mut packet = [0x68; ECHO_LEN];
        packet[0] = if self.target.is_ipv6() { 128 } else { 8 };
        packet[1..4].fill(0);
        packet[4..6].copy_from_slice(&self.identifier.to_be_bytes());
        packet[6..8].copy_from_slice(&sequence.to_be_bytes());
        if self.target.is_ipv4() {
            // The kernel fills ICMPv6 checksums, and ICMPv4 ones only on ping sockets.
            let sum = checksum(&packet);
            packet[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        packet
    }

    fn is_reply(&self, bytes: &[u8], sequence: u16) -> bool {
        let header = match (self.raw && self.target.is_ipv4(), bytes.first()) {
            (true, Some(first)) => usize::from(first & 0x0f) * 4,
            _ => 0,
        };
        let Some(icmp) = bytes.get(header..).filter(|icmp| icmp.len() >= 8) else {
            return false;
        };
        let kind = if self.target.is_ipv6() { 129 } else { 0 };
        // A ping socket has its own identifier and only gets its own replies.
        let mine = !self.raw || icmp[4..6] == self.identifier.to_be_bytes();
        icmp[0] == kind && mine && icmp[6..8] == sequence.to_be_bytes()
    }
}

fn open_as(target: IpAddr, kind: Type) -> io::Result<Socket> {
    if target.is_ipv6() {
        Socket::new(Domain::IPV6, kind, Some(Protocol::ICMPV6))
    } else {
        Socket::new(Domain::IPV4, kind, Some(Protocol::ICMPV4))
    }
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}
