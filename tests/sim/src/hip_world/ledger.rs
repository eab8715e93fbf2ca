//! Every inner packet of a world: what was sent, and that it arrived once, whole, at the right host only.
//!
//! Packets are written and read here with code of their own, so that the data plane is not its
//! own judge.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use hip_wire::Hit;

/// Octets every inner payload begins with; they must never be seen on the network.
const MARK: &[u8; 16] = b"PLAINTEXT-INSIDE";
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
const NEXT_HEADER_UDP: u8 = 17;
const PORT: u16 = 6084;

/// Smallest inner packet: headers, mark and number.
pub const SMALLEST_INNER: usize = IPV6_HEADER + UDP_HEADER + MARK.len() + 8;

/// The account of inner packets.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    sent: BTreeMap<u64, Sent>,
    delivered: BTreeSet<u64>,
    next: u64,
    /// Digests of the ESP packets put on the network, and of those that reached a host unchanged.
    esp_sent: BTreeSet<u64>,
    esp_intact: BTreeSet<u64>,
}

/// One packet that an application handed to its host.
#[derive(Clone, Debug)]
struct Sent {
    from: Hit,
    to: Hit,
    payload: Vec<u8>,
}

/// A packet that arrived as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub number: u64,
    /// Who sent it.
    pub from: Hit,
    /// The application's octets.
    pub payload: Vec<u8>,
}

impl Ledger {
    /// Enters a packet and returns its number and its octets: IPv6, UDP, mark, number, payload.
    pub fn send(&mut self, from: Hit, to: Hit, payload: Vec<u8>) -> (u64, Vec<u8>) {
        let number = self.next;
        self.next += 1;
        let packet = encode(from, to, number, &payload);
        self.sent.insert(number, Sent { from, to, payload });
        (number, packet)
    }

    /// Checks a packet that `receiver` would hand to its applications, having come by the
    /// association with `peer`.
    ///
    /// # Errors
    /// Names the rule that is broken.
    pub fn deliver(&mut self, receiver: Hit, peer: Hit, packet: &[u8]) -> Result<Received, String> {
        let (number, payload) = decode(packet).ok_or("a corrupt inner packet was delivered")?;
        let Some(sent) = self.sent.get(&number) else {
            return Err(format!(
                "inner packet {number} was delivered but never sent"
            ));
        };
        if sent.to != receiver {
            return Err(format!(
                "inner packet {number} was delivered to {receiver}, not {}",
                sent.to
            ));
        }
        if sent.from != peer {
            return Err(format!(
                "inner packet {number} of {} came by the SA of {peer}",
                sent.from
            ));
        }
        if packet[8..24] != *sent.from.as_bytes() || packet[24..40] != *sent.to.as_bytes() {
            return Err(format!(
                "inner packet {number} was delivered with other addresses"
            ));
        }
        if payload != sent.payload {
            return Err(format!(
                "inner packet {number} was delivered with another payload"
            ));
        }
        if !self.delivered.insert(number) {
            return Err(format!("inner packet {number} was delivered twice"));
        }
        Ok(Received {
            number,
            from: peer,
            payload: payload.to_vec(),
        })
    }

    /// Notes an ESP packet that a host puts on the network.
    pub fn esp_sent(&mut self, esp: &[u8]) {
        self.esp_sent.insert(digest(esp));
    }

    /// Notes an ESP packet that reaches a host: unchanged if it was sent like that.
    pub fn esp_arrived(&mut self, esp: &[u8]) {
        let digest = digest(esp);
        if self.esp_sent.contains(&digest) {
            self.esp_intact.insert(digest);
        }
    }

    /// ESP packets of which at least one unchanged copy reached a host.
    pub fn intact(&self) -> usize {
        self.esp_intact.len()
    }

    /// Whether a packet on the network shows inner plaintext.
    pub fn leaks(&self, on_the_wire: &[u8]) -> bool {
        on_the_wire.windows(MARK.len()).any(|window| window == MARK)
    }

    /// Whether packet `number` arrived.
    pub fn arrived(&self, number: u64) -> bool {
        self.delivered.contains(&number)
    }

    /// Packets sent and packets delivered.
    pub fn totals(&self) -> (usize, usize) {
        (self.sent.len(), self.delivered.len())
    }
}

/// The same for the same octets in every run: the hasher's keys are fixed.
fn digest(octets: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    octets.hash(&mut hasher);
    hasher.finish()
}

fn encode(from: Hit, to: Hit, number: u64, payload: &[u8]) -> Vec<u8> {
    let udp_length = (UDP_HEADER + MARK.len() + 8 + payload.len()) as u16;
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend_from_slice(&udp_length.to_be_bytes());
    packet.extend_from_slice(&[NEXT_HEADER_UDP, 64]);
    packet.extend_from_slice(from.as_bytes());
    packet.extend_from_slice(to.as_bytes());
    for field in [PORT, PORT, udp_length, 0] {
        packet.extend_from_slice(&field.to_be_bytes());
    }
    packet.extend_from_slice(MARK);
    packet.extend_from_slice(&number.to_be_bytes());
    packet.extend_from_slice(payload);
    let sum = udp_checksum(&packet);
    packet[46..48].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Number and payload of an intact packet.
fn decode(packet: &[u8]) -> Option<(u64, &[u8])> {
    let length = usize::from(u16::from_be_bytes([*packet.get(4)?, *packet.get(5)?]));
    let rest = packet.get(IPV6_HEADER..)?;
    let intact = packet[0] >> 4 == 6
        && packet[6] == NEXT_HEADER_UDP
        && rest.len() == length
        && rest.len() >= SMALLEST_INNER - IPV6_HEADER
        && udp_checksum(packet) == 0;
    if !intact {
        return None;
    }
    let body = rest[UDP_HEADER..].strip_prefix(MARK)?;
    let (number, payload) = body.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), payload))
}

/// The UDP checksum over pseudo header and datagram; 0 when a received one is right.
fn udp_checksum(packet: &[u8]) -> u16 {
    let words = packet[8..]
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let pseudo = (packet.len() - IPV6_HEADER) as u32 + u32::from(NEXT_HEADER_UDP);
    let mut sum: u32 = words.sum::<u32>() + pseudo;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(last: u8) -> Hit {
        format!("2001:21::{last}").parse().unwrap()
    }

    #[test]
    fn a_packet_is_accepted_once_and_only_by_its_receiver() {
        let mut ledger = Ledger::default();
        let (number, packet) = ledger.send(hit(1), hit(2), vec![5; 9]);
        assert!(ledger.deliver(hit(3), hit(1), &packet).is_err());
        assert!(ledger.deliver(hit(2), hit(3), &packet).is_err());
        let received = ledger.deliver(hit(2), hit(1), &packet).unwrap();
        assert_eq!((received.number, received.payload), (number, vec![5; 9]));
        assert!(ledger.deliver(hit(2), hit(1), &packet).is_err());
        assert!(ledger.arrived(number));
    }

    #[test]
    fn every_flipped_bit_of_the_payload_is_noticed() {
        let mut ledger = Ledger::default();
        let (_, packet) = ledger.send(hit(1), hit(2), vec![5; 9]);
        for position in IPV6_HEADER..packet.len() {
            let mut bad = packet.clone();
            bad[position] ^= 0x10;
            assert!(ledger.deliver(hit(2), hit(1), &bad).is_err(), "{position}");
        }
    }

    #[test]
    fn plaintext_on_the_network_is_a_leak() {
        let mut ledger = Ledger::default();
        let (_, packet) = ledger.send(hit(1), hit(2), Vec::new());
        assert!(ledger.leaks(&packet));
        assert!(!ledger.leaks(&packet[..60]));
    }
}
