//! The way out: inner IP packets to ESP.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use hip_crypto::aead::EspSealer;
use hip_crypto::rng::Rng;
use hip_wire::hit::{Hit, Lsi};
use hip_wire::ip::{ESP_HEADER_LEN, PROTOCOL_BEET, PROTOCOL_ICMP, PROTOCOL_NONE};
use hip_wire::path::Path;

use crate::batch::SealedBatch;
use crate::beet::{self, LsiPair};
use crate::command::OutboundCommand;
use crate::drop::{DropReason, Stats};
use crate::encap::{DEFAULT_PATH_MTU, InnerMtu, SuiteLayout, inner_mtu, outer_header};
use crate::hash::{HashKey, KeyedState};
use crate::icmp::{self, Unreachable};
use crate::inner::{Addresses, Inner};
use crate::ivs::IvPool;
use crate::sa::{HitPair, SPI_MIN, SaError, SaParameters, SaView};

/// Sequence numbers an SA may use before it asks to be replaced. Far below
/// 2^64, and below what 64-bit counters of packets and octets can hold.
pub const REKEY_SEQUENCE: u64 = 1 << 48;

/// What became of an inner packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the batch.
    Sealed,
    /// There is no SA for this association yet: queue the packet and connect.
    Pending {
        /// Which association.
        pair: HitPair,
    },
    /// Not sent; an ICMP error for the sender is among the replies of the batch.
    Icmp,
    /// Not sent, and counted.
    Dropped(DropReason),
}

/// Addresses of this host as the outbound side needs them.
#[derive(Debug, Clone)]
pub struct OutboundConfig {
    /// Every HIT of this host.
    pub local: Vec<Hit>,
    /// The LSI of this host.
    pub lsi: Lsi,
    /// Sequence number at which [`SaView::rekey_due`] is set; [`REKEY_SEQUENCE`] by default.
    pub rekey_sequence: u64,
}

impl OutboundConfig {
    /// One host with one HIT.
    pub fn new(local: Hit, lsi: Lsi) -> Self {
        Self {
            local: vec![local],
            lsi,
            rekey_sequence: REKEY_SEQUENCE,
        }
    }
}

/// Outbound SAs by HIT pair, and the LSIs of peers. Owned by one thread; changed
/// by commands between batches.
pub struct Outbound {
    config: OutboundConfig,
    sas: HashMap<HitPair, OutboundSa, KeyedState>,
    lsis: HashMap<Lsi, HitPair, KeyedState>,
    ivs: IvPool,
    stats: Stats,
}

struct OutboundSa {
    spi: u32,
    path: Path,
    path_mtu: usize,
    mtu: InnerMtu,
    layout: SuiteLayout,
    sealer: EspSealer,
    /// The last sequence number used.
    sequence: u64,
    packets: u64,
    bytes: u64,
    /// `packets` at the last [`Outbound::take_activity`].
    reported: u64,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound")
            .field("sas", &self.sas.len())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl Outbound {
    /// An empty table. `rng` makes the initialisation vectors of CBC suites.
    pub fn new(config: OutboundConfig, mut rng: Box<dyn Rng>) -> Self {
        let state = KeyedState::new(HashKey::generate(&mut *rng));
        Self {
            config,
            sas: HashMap::with_hasher(state.clone()),
            lsis: HashMap::with_hasher(state),
            ivs: IvPool::new(rng),
            stats: Stats::default(),
        }
    }

    /// Changes the table.
    ///
    /// # Errors
    /// The command does not fit the table, which is left as it was.
    pub fn apply(&mut self, command: OutboundCommand) -> Result<(), SaError> {
        match command {
            OutboundCommand::Install(parameters) => self.install(&parameters),
            OutboundCommand::Remove(pair) => {
                self.sas.remove(&pair).map(drop).ok_or(SaError::Unknown)
            }
            OutboundCommand::MovePath { pair, path } => {
                let sa = self.sas.get_mut(&pair).ok_or(SaError::Unknown)?;
                sa.path = path;
                sa.set_path_mtu(DEFAULT_PATH_MTU);
                Ok(())
            }
            OutboundCommand::PathMtu { pair, mtu } => {
                let sa = self.sas.get_mut(&pair).ok_or(SaError::Unknown)?;
                sa.set_path_mtu(mtu);
                Ok(())
            }
            OutboundCommand::MapLsi { lsi, pair } => self.map_lsi(lsi, pair),
            OutboundCommand::UnmapLsi { lsi } => {
                self.lsis.remove(&lsi).map(drop).ok_or(SaError::Unknown)
            }
        }
    }

    /// Seals one inner IP packet, as read from the TUN, into the batch.
    /// Transport checksums have to be complete.
    pub fn seal(&mut self, packet: &[u8], out: &mut SealedBatch) -> Verdict {
        let verdict = match Inner::parse(packet) {
            None => Verdict::Dropped(DropReason::MalformedInner),
            Some(inner) => match inner.addresses {
                Addresses::V6(source, destination) => {
                    let (local, peer) = (hit(source), hit(destination));
                    self.seal_hit(HitPair { local, peer }, &inner, out)
                }
                Addresses::V4(source, destination) => {
                    self.seal_lsi(Lsi(source), Lsi(destination), &inner, out)
                }
            },
        };
        if let Verdict::Dropped(reason) = verdict {
            self.stats.drops.add(reason);
        }
        verdict
    }

    /// Seals a dummy packet (RFC 4303 §2.6) of `length` octets: the peer checks
    /// its ICV and drops it quietly.
    pub fn seal_dummy(&mut self, pair: HitPair, length: u16, out: &mut SealedBatch) -> Verdict {
        // 4303-2.6-02, 4303-2.6-04
        const ZEROS: [u8; 256] = [0; 256];
        let Some(sa) = self.sas.get_mut(&pair) else {
            return Verdict::Pending { pair };
        };
        let length = usize::from(length).min(sa.mtu.hit);
        let verdict = sa.seal(&mut self.ivs, out, PROTOCOL_NONE, (0, 64), |arena| {
            let mut left = length;
            while left > 0 {
                let part = left.min(ZEROS.len());
                arena.extend(ZEROS.iter().take(part));
                left -= part;
            }
            Ok(())
        });
        if let Verdict::Dropped(reason) = verdict {
            self.stats.drops.add(reason);
        }
        count(&mut self.stats, verdict, 0)
    }

    /// Inner MTU of the association, if its SA is there.
    pub fn inner_mtu(&self, pair: HitPair) -> Option<InnerMtu> {
        self.sas.get(&pair).map(|sa| sa.mtu)
    }

    /// What the table did so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Every SA, in no particular order.
    pub fn sas(&self) -> impl Iterator<Item = SaView> + '_ {
        self.sas
            .iter()
            .map(|(pair, sa)| sa.view(*pair, self.config.rekey_sequence))
    }

    /// The pairs that sent since the last call: input of the inactivity timers (RFC 7402 §3.3.3).
    pub fn take_activity(&mut self, mut report: impl FnMut(HitPair)) {
        for (pair, sa) in &mut self.sas {
            if std::mem::replace(&mut sa.reported, sa.packets) != sa.packets {
                report(*pair);
            }
        }
    }

    fn install(&mut self, parameters: &SaParameters) -> Result<(), SaError> {
        let mut sa = OutboundSa::new(parameters)?;
        let pair = HitPair {
            local: parameters.local,
            peer: parameters.peer,
        };
        // What is known of the path stays known at rekey.
        if let Some(old) = self.sas.get(&pair).filter(|old| old.path == sa.path) {
            sa.set_path_mtu(old.path_mtu);
        }
        self.sas.insert(pair, sa);
        Ok(())
    }

    fn map_lsi(&mut self, lsi: Lsi, pair: HitPair) -> Result<(), SaError> {
        let taken = self.lsis.get(&lsi).is_some_and(|owner| *owner != pair);
        if taken || lsi == self.config.lsi {
            return Err(SaError::LsiInUse);
        }
        self.lsis.insert(lsi, pair);
        Ok(())
    }

    fn seal_hit(&mut self, pair: HitPair, inner: &Inner<'_>, out: &mut SealedBatch) -> Verdict {
        // 7402-B.1.4-01, 7402-B.1.5-01, 7402-3.4.1-02, 7402-3.4.1-04: the addresses of the packet are those of an SA
        let Some(sa) = self.sas.get_mut(&pair) else {
            return self.without_sa(pair, inner, out);
        };
        match inner.next_header {
            // To the receiver these say: IPv4 inside, or nothing inside.
            PROTOCOL_ICMP | PROTOCOL_NONE | PROTOCOL_BEET => {
                return Verdict::Dropped(DropReason::ReservedNextHeader);
            }
            _ => {}
        }
        if inner.packet.len() > sa.mtu.hit {
            return too_big(inner, sa.mtu.hit, &mut self.stats, out);
        }
        let outer = (inner.traffic_class, inner.hop_limit);
        // 7402-3.1-01, 7402-B.1.2-01, 7402-B.1.2-02, 7402-B.1.3-01: as transport mode would
        let verdict = sa.seal(&mut self.ivs, out, inner.next_header, outer, |arena| {
            arena.extend_from_slice(inner.payload);
            Ok(())
        });
        count(&mut self.stats, verdict, inner.packet.len())
    }

    fn seal_lsi(
        &mut self,
        source: Lsi,
        destination: Lsi,
        inner: &Inner<'_>,
        out: &mut SealedBatch,
    ) -> Verdict {
        if destination.0.is_multicast() || destination.0.is_broadcast() {
            return Verdict::Dropped(DropReason::NotForPeer);
        }
        let Some(&pair) = self.lsis.get(&destination) else {
            return unreachable(inner, &mut self.stats, out);
        };
        // 7402-B.1.5-01
        if source != self.config.lsi {
            return Verdict::Dropped(DropReason::ForeignSource);
        }
        if inner.fragment {
            return Verdict::Dropped(DropReason::InnerFragment);
        }
        let Some(sa) = self.sas.get_mut(&pair) else {
            return Verdict::Pending { pair };
        };
        // 4303-3.3.4-01: without DF the outer packet may be fragmented instead.
        let size = beet::lsi_size(inner);
        if size > sa.mtu.lsi && inner.dont_fragment {
            return too_big(inner, sa.mtu.lsi, &mut self.stats, out);
        }
        let lsis = LsiPair {
            local: source,
            peer: destination,
        };
        let outer = (inner.traffic_class, inner.hop_limit);
        // 7402-B.1.7-02
        let icmp = inner.next_header == PROTOCOL_ICMP;
        let next_header = if icmp { PROTOCOL_ICMP } else { PROTOCOL_BEET };
        let verdict = sa.seal(&mut self.ivs, out, next_header, outer, |arena| {
            if icmp {
                arena.extend_from_slice(inner.payload);
                return Ok(());
            }
            arena.extend_from_slice(&beet::pseudo_header(inner.next_header));
            let start = arena.len();
            arena.extend_from_slice(inner.payload);
            beet::to_wire(
                inner.next_header,
                arena.get_mut(start..).unwrap_or_default(),
                pair,
                lsis,
            )
        });
        count(&mut self.stats, verdict, inner.packet.len())
    }

    /// A packet between HITs that no SA is bound to.
    fn without_sa(&mut self, pair: HitPair, inner: &Inner<'_>, out: &mut SealedBatch) -> Verdict {
        let own = |hit: &Hit| self.config.local.contains(hit);
        if !pair.peer.is_orchid() || own(&pair.peer) {
            Verdict::Dropped(DropReason::NotForPeer)
        } else if !own(&pair.local) {
            Verdict::Dropped(DropReason::ForeignSource)
        } else if pair.peer.suite().is_none() {
            // A HIT without a known suite can never be verified.
            unreachable(inner, &mut self.stats, out)
        } else {
            Verdict::Pending { pair }
        }
    }
}

impl OutboundSa {
    fn new(parameters: &SaParameters) -> Result<Self, SaError> {
        // 4303-2.1-03, 7402-3.2.1-05
        if parameters.spi < SPI_MIN {
            return Err(SaError::ReservedSpi(parameters.spi));
        }
        let sealer = EspSealer::new(&parameters.keys).map_err(|_| SaError::Keys)?;
        Ok(Self {
            spi: parameters.spi,
            path: parameters.path,
            path_mtu: DEFAULT_PATH_MTU,
            mtu: inner_mtu(DEFAULT_PATH_MTU, &parameters.path, sealer.suite()),
            layout: SuiteLayout::of(sealer.suite()),
            sealer,
            // 4303-2.2-03, 7402-5.1.1-09: the first packet has sequence number 1
            sequence: 0,
            packets: 0,
            bytes: 0,
            reported: 0,
        })
    }

    fn set_path_mtu(&mut self, mtu: usize) {
        self.path_mtu = mtu;
        self.mtu = inner_mtu(mtu, &self.path, self.sealer.suite());
    }

    fn view(&self, pair: HitPair, rekey_sequence: u64) -> SaView {
        SaView {
            pair,
            spi: self.spi,
            packets: self.packets,
            bytes: self.bytes,
            sequence: self.sequence,
            // 7402-3.3.7-02, 7402-6.8-12: early enough that the counter cannot run out
            rekey_due: self.sequence >= rekey_sequence,
        }
    }

    /// Appends one ESP packet whose payload `write` appends to the arena.
    fn seal(
        &mut self,
        ivs: &mut IvPool,
        out: &mut SealedBatch,
        next_header: u8,
        (traffic_class, hop_limit): (u8, u8),
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), DropReason>,
    ) -> Verdict {
        let start = out.arena.len();
        match self.write(ivs, &mut out.arena, next_header, write) {
            Ok(()) => {
                out.commit(start, self.path, traffic_class, hop_limit);
                Verdict::Sealed
            }
            Err(reason) => {
                out.arena.truncate(start);
                Verdict::Dropped(reason)
            }
        }
    }

    /// SPI, sequence number, IV, payload, padding, trailer, ICV.
    fn write(
        &mut self,
        ivs: &mut IvPool,
        arena: &mut Vec<u8>,
        next_header: u8,
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), DropReason>,
    ) -> Result<(), DropReason> {
        let start = arena.len();
        let layout = self.layout;
        // 4303-2.2-01; 4303-3.3.3-01, 7402-3.3.6-04: never wrap
        let sequence = self
            .sequence
            .checked_add(1)
            .ok_or(DropReason::SequenceExhausted)?;
        arena.extend_from_slice(&self.spi.to_be_bytes());
        // 7402-3.3.6-01, 7402-3.3.6-05: the low half only
        let [_, _, _, _, low @ ..] = sequence.to_be_bytes();
        arena.extend_from_slice(&low);
        // 4303-2.3-01
        arena.extend(ZERO.iter().take(layout.iv));
        let body = arena.len();
        payload(arena)?;
        let length = arena.len() - body;
        if layout.packet(length) + outer_header(&self.path) > usize::from(u16::MAX) {
            return Err(DropReason::Oversize);
        }
        // 4303-2.4-04: padding counts 1, 2, 3...
        let padding = layout.padding(length);
        arena.extend(PADDING.iter().take(padding));
        arena.extend_from_slice(&[u8::try_from(padding).unwrap_or(u8::MAX), next_header]);
        arena.extend(ZERO.iter().take(layout.icv));
        let sealed = arena
            .get_mut(start + ESP_HEADER_LEN..)
            .ok_or(DropReason::SealFailed)?;
        // The number is used up even if sealing fails: a nonce never repeats.
        self.sequence = sequence;
        let iv = if layout.iv == 16 { ivs.next() } else { ZERO };
        self.sealer
            .seal(self.spi, sequence, &iv, sealed)
            .map_err(|_| DropReason::SealFailed)?;
        self.packets += 1;
        self.bytes += u64::try_from(length).unwrap_or(0);
        Ok(())
    }
}

/// An inner IPv6 address, whatever its prefix.
fn hit(address: Ipv6Addr) -> Hit {
    Hit::from_bytes(address.octets())
}

/// Counts a packet that is in the batch.
fn count(stats: &mut Stats, verdict: Verdict, bytes: usize) -> Verdict {
    if verdict == Verdict::Sealed {
        stats.packets += 1;
        stats.bytes += u64::try_from(bytes).unwrap_or(0);
    }
    verdict
}

/// Answers a packet that is too large for its path (RFC 4303 §3.3.4).
fn too_big(inner: &Inner<'_>, mtu: usize, stats: &mut Stats, out: &mut SealedBatch) -> Verdict {
    // 4303-3.3.4-02
    let answered = icmp::too_big(inner.packet, mtu, &mut out.replies);
    reply(answered, DropReason::Oversize, stats, out)
}

/// Answers a packet to an address that stands for nobody.
fn unreachable(inner: &Inner<'_>, stats: &mut Stats, out: &mut SealedBatch) -> Verdict {
    let answered = icmp::unreachable(inner.packet, Unreachable::Address, &mut out.replies);
    reply(answered, DropReason::NotForPeer, stats, out)
}

fn reply(
    answered: bool,
    otherwise: DropReason,
    stats: &mut Stats,
    out: &mut SealedBatch,
) -> Verdict {
    if !answered {
        return Verdict::Dropped(otherwise);
    }
    out.commit_reply();
    stats.icmp += 1;
    Verdict::Icmp
}

/// Space for IV and ICV.
const ZERO: [u8; 16] = [0; 16];
/// Padding of the widest block.
const PADDING: [u8; 15] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

#[cfg(test)]
mod tests {
    use hip_crypto::keymat::EspKeys;
    use hip_crypto::rng::SeededRng;
    use hip_crypto::secret::Secret;
    use hip_wire::path::Transport;
    use hip_wire::registry::EspSuite;

    use super::*;

    /// 4303-3.3.3-01, 7402-3.3.6-04
    #[test]
    fn the_counter_never_wraps() {
        let hit = |text: &str| text.parse::<Hit>().unwrap();
        let pair = HitPair {
            local: hit("2001:21::1"),
            peer: hit("2001:21::2"),
        };
        let lsi = Lsi([198, 18, 0, 1].into());
        let config = OutboundConfig::new(pair.local, lsi);
        let mut outbound = Outbound::new(config, Box::new(SeededRng::new(1)));
        let address = "192.0.2.1:10500".parse().unwrap();
        let parameters = SaParameters {
            local: pair.local,
            peer: pair.peer,
            spi: 256,
            keys: EspKeys {
                suite: EspSuite::AesGcm16,
                encryption: Secret::new(vec![7; 20]),
                authentication: Secret::new(vec![]),
            },
            path: Path {
                transport: Transport::Udp,
                local: address,
                remote: address,
            },
        };
        outbound
            .apply(OutboundCommand::Install(parameters))
            .unwrap();
        outbound.sas.get_mut(&pair).unwrap().sequence = u64::MAX - 1;
        let mut batch = SealedBatch::new();
        assert_eq!(outbound.seal_dummy(pair, 5, &mut batch), Verdict::Sealed);
        let exhausted = Verdict::Dropped(DropReason::SequenceExhausted);
        assert_eq!(outbound.seal_dummy(pair, 5, &mut batch), exhausted);
        assert_eq!(batch.len(), 1, "nothing of the refused packet is left");
        assert_eq!(batch.runs().last().unwrap().range.end, batch.arena().len());
        assert_eq!(outbound.stats().drops.get(DropReason::SequenceExhausted), 1);
    }
}
