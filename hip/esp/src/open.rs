//! The way in: ESP to inner IP packets.

use std::collections::HashMap;

use hip_crypto::aead::EspOpener;
use hip_crypto::rng::Rng;
use hip_wire::hit::Lsi;
use hip_wire::ip::{ESP_HEADER_LEN, PROTOCOL_BEET, PROTOCOL_ICMP, PROTOCOL_NONE};

use crate::batch::{Opened, OpenedBatch};
use crate::beet::{self, LsiPair, OuterHeader};
use crate::command::InboundCommand;
use crate::drop::{DropReason, Stats};
use crate::encap::{ESP_TRAILER, SuiteLayout};
use crate::hash::{HashKey, KeyedState};
use crate::replay::{Refused, ReplayWindow};
use crate::sa::{HitPair, SPI_MIN, SaError, SaParameters, SaView};
use crate::seal::REKEY_SEQUENCE;

/// Failed integrity checks in a row after which a lost high half of the
/// sequence number is looked for (RFC 4303 Appendix A3), once per so many.
const RESYNC_AFTER: u32 = 256;
/// How many values of the high half are tried then.
const RESYNC_TRIES: u64 = 4;

/// Inbound SAs by SPI. Owned by one thread; changed by commands between batches.
pub struct Inbound {
    lsi: Lsi,
    sas: HashMap<u32, InboundSa, KeyedState>,
    lsis: HashMap<HitPair, Lsi, KeyedState>,
    /// Holds a copy of a packet while it is tried with several sequence numbers.
    scratch: Vec<u8>,
    rekey_sequence: u64,
    stats: Stats,
}

struct InboundSa {
    pair: HitPair,
    lsis: Option<LsiPair>,
    layout: SuiteLayout,
    opener: EspOpener,
    window: ReplayWindow,
    /// Failed integrity checks since the last good one.
    failures: u32,
    /// A packet of this SA reached the batch.
    delivered: bool,
    packets: u64,
    bytes: u64,
    /// `packets` at the last [`Inbound::take_activity`].
    reported: u64,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound")
            .field("sas", &self.sas.len())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl Inbound {
    /// An empty table. `lsi` is the LSI of this host; `rng` keys the hash of the table.
    pub fn new(lsi: Lsi, rng: &mut dyn Rng) -> Self {
        let state = KeyedState::new(HashKey::generate(rng));
        Self {
            lsi,
            sas: HashMap::with_hasher(state.clone()),
            lsis: HashMap::with_hasher(state),
            scratch: Vec::new(),
            rekey_sequence: REKEY_SEQUENCE,
            stats: Stats::default(),
        }
    }

    /// Changes the table.
    ///
    /// # Errors
    /// The command does not fit the table, which is left as it was.
    pub fn apply(&mut self, command: InboundCommand) -> Result<(), SaError> {
        match command {
            InboundCommand::Install(parameters) => self.install(&parameters),
            InboundCommand::RemoveSpi { spi } => {
                self.sas.remove(&spi).map(drop).ok_or(SaError::Unknown)
            }
            InboundCommand::Remove(pair) => {
                // 7402-3.3.1-05, 7402-6.7-01
                let before = self.sas.len();
                self.sas.retain(|_, sa| sa.pair != pair);
                if self.sas.len() < before {
                    Ok(())
                } else {
                    Err(SaError::Unknown)
                }
            }
            InboundCommand::MapLsi { lsi, pair } => {
                if lsi == self.lsi || self.lsis.iter().any(|(p, l)| *l == lsi && *p != pair) {
                    return Err(SaError::LsiInUse);
                }
                self.lsis.insert(pair, lsi);
                self.refresh_lsi(pair);
                Ok(())
            }
            InboundCommand::UnmapLsi { pair } => {
                let known = self.lsis.remove(&pair);
                self.refresh_lsi(pair);
                known.map(drop).ok_or(SaError::Unknown)
            }
        }
    }

    /// Opens one ESP packet, SPI to ICV, without its outer IP and UDP headers.
    /// Decrypts in place and appends the rebuilt inner packet to the batch.
    ///
    /// # Errors
    /// Why the packet was dropped; `packet` is of no use then.
    pub fn open(
        &mut self,
        packet: &mut [u8],
        outer: OuterHeader,
        out: &mut OpenedBatch,
    ) -> Result<Opened, DropReason> {
        let start = out.arena.len();
        let opened = self.open_uncounted(packet, outer, out);
        match &opened {
            Ok(opened) => {
                out.commit();
                self.stats.packets += 1;
                self.stats.bytes += u64::try_from(opened.range.len()).unwrap_or(0);
            }
            Err(reason) => {
                out.arena.truncate(start);
                self.stats.drops.add(*reason);
            }
        }
        opened
    }

    /// What the table did so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Every SA, in no particular order.
    pub fn sas(&self) -> impl Iterator<Item = SaView> + '_ {
        self.sas.iter().map(|(spi, sa)| SaView {
            pair: sa.pair,
            spi: *spi,
            packets: sa.packets,
            bytes: sa.bytes,
            sequence: sa.window.top(),
            // 7402-6.8-02
            rekey_due: sa.window.top() >= self.rekey_sequence,
        })
    }

    /// The pairs that received since the last call: input of the inactivity
    /// timers (RFC 7402 §3.3.3). Dummies count: they prove that the peer is there.
    pub fn take_activity(&mut self, mut report: impl FnMut(HitPair)) {
        for sa in self.sas.values_mut() {
            if std::mem::replace(&mut sa.reported, sa.packets) != sa.packets {
                report(sa.pair);
            }
        }
    }

    fn install(&mut self, parameters: &SaParameters) -> Result<(), SaError> {
        let pair = HitPair {
            local: parameters.local,
            peer: parameters.peer,
        };
        if parameters.spi < SPI_MIN {
            return Err(SaError::ReservedSpi(parameters.spi));
        }
        // A second SA on an SPI would forget what was received: replays would pass.
        if self.sas.contains_key(&parameters.spi) {
            return Err(SaError::SpiInUse(parameters.spi));
        }
        let opener = EspOpener::new(&parameters.keys).map_err(|_| SaError::Keys)?;
        let sa = InboundSa {
            pair,
            lsis: self.lsi_pair(pair),
            layout: SuiteLayout::of(opener.suite()),
            opener,
            window: ReplayWindow::default(),
            failures: 0,
            delivered: false,
            packets: 0,
            bytes: 0,
            reported: 0,
        };
        self.sas.insert(parameters.spi, sa);
        Ok(())
    }

    fn lsi_pair(&self, pair: HitPair) -> Option<LsiPair> {
        self.lsis.get(&pair).map(|peer| LsiPair {
            local: self.lsi,
            peer: *peer,
        })
    }

    fn refresh_lsi(&mut self, pair: HitPair) {
        let lsis = self.lsi_pair(pair);
        for sa in self.sas.values_mut().filter(|sa| sa.pair == pair) {
            sa.lsis = lsis;
        }
    }

    fn open_uncounted(
        &mut self,
        packet: &mut [u8],
        outer: OuterHeader,
        out: &mut OpenedBatch,
    ) -> Result<Opened, DropReason> {
        let (header, body) = packet
            .split_first_chunk_mut::<ESP_HEADER_LEN>()
            .ok_or(DropReason::Truncated)?;
        let [s0, s1, s2, s3, q0, q1, q2, q3] = *header;
        let spi = u32::from_be_bytes([s0, s1, s2, s3]);
        // 4303-2.1-02
        if spi < SPI_MIN {
            return Err(DropReason::ReservedSpi);
        }
        // 4303-2.1-01, 4303-3.4.2-01
        let sa = self.sas.get_mut(&spi).ok_or(DropReason::UnknownSpi)?;
        let low = u32::from_be_bytes([q0, q1, q2, q3]);
        let text = sa.authenticate(spi, low, body, &mut self.scratch)?;
        sa.packets += 1;
        let (payload, next_header) = unpad(text)?;
        let start = out.arena.len();
        sa.rebuild(next_header, payload, outer, &mut out.arena)?;
        let range = start..out.arena.len();
        let first = !std::mem::replace(&mut sa.delivered, true);
        sa.bytes += u64::try_from(payload.len()).unwrap_or(0);
        Ok(Opened {
            pair: sa.pair,
            spi,
            first,
            range,
        })
    }
}

impl InboundSa {
    /// Replay check, integrity check, window update, decryption (RFC 4303
    /// §3.4.3 and §3.4.4); returns payload, padding and trailer.
    fn authenticate<'b>(
        &mut self,
        spi: u32,
        low: u32,
        body: &'b mut [u8],
        scratch: &mut Vec<u8>,
    ) -> Result<&'b [u8], DropReason> {
        if ESP_HEADER_LEN + body.len() < self.layout.packet_min() {
            return Err(DropReason::Truncated);
        }
        if !(body.len() - self.layout.iv - self.layout.icv).is_multiple_of(self.layout.block) {
            return Err(DropReason::Misaligned);
        }
        // 4303-3.4.3-01, 7402-3.3.6-02: for every SA; 4303-3.4.3-05: before anything that costs
        let sequence = self.window.infer(low);
        let wanted = sequence.ok_or(DropReason::TooOld).and_then(|sequence| {
            self.window
                .check(sequence)
                .map(|()| sequence)
                .map_err(|refused| match refused {
                    Refused::Replayed => DropReason::Replayed,
                    Refused::TooOld => DropReason::TooOld,
                })
        })?;
        // 4303-A3-02
        let resync = self.failures >= RESYNC_AFTER && self.failures.is_multiple_of(RESYNC_AFTER);
        if resync {
            scratch.clear();
            scratch.extend_from_slice(body);
        }
        // 4303-2-03, 4303-3.4.4.1-01, 7402-B.1.6-02
        let opened = self
            .opener
            .open(spi, wanted, body)
            .map(|range| (wanted, range));
        let opened = match opened {
            Err(_) if resync => self.resynchronise(spi, wanted, body, scratch),
            other => other.ok(),
        };
        let Some((sequence, range)) = opened else {
            // 4303-3.4.3-11, 4303-3.4.4.2-01
            self.failures = self.failures.wrapping_add(1);
            return Err(DropReason::IcvFailed);
        };
        // 4303-3.4.3-06: only now
        self.window.commit(sequence);
        self.failures = 0;
        body.get(range).ok_or(DropReason::Truncated)
    }

    /// After a loss of 2^32 packets or more the high half is behind: tries later ones.
    fn resynchronise(
        &self,
        spi: u32,
        wanted: u64,
        body: &mut [u8],
        copy: &[u8],
    ) -> Option<(u64, std::ops::Range<usize>)> {
        // 4303-A3-01, 4303-A3-03
        (1..=RESYNC_TRIES).find_map(|step| {
            let sequence = wanted.checked_add(step << 32)?;
            body.copy_from_slice(copy);
            let range = self.opener.open(spi, sequence, body).ok()?;
            Some((sequence, range))
        })
    }

    /// Puts the inner IP header back (RFC 7402 B.1.6): the addresses are those
    /// the SA is bound to.
    fn rebuild(
        &self,
        next_header: u8,
        payload: &[u8],
        outer: OuterHeader,
        out: &mut Vec<u8>,
    ) -> Result<(), DropReason> {
        match next_header {
            // 4303-2.6-01, 4303-2.6-03, 4303-3.4.4.1-03
            PROTOCOL_NONE => Err(DropReason::Dummy),
            PROTOCOL_BEET => {
                let lsis = self.lsis.ok_or(DropReason::NoLsi)?;
                beet::rebuild_lsi(self.pair, lsis, payload, outer, out)
            }
            PROTOCOL_ICMP => {
                let lsis = self.lsis.ok_or(DropReason::NoLsi)?;
                beet::rebuild_icmp(lsis, payload, outer, out)
            }
            _ => beet::rebuild_hit(self.pair, next_header, payload, outer, out),
        }
    }
}

/// Takes padding and trailer off; gives payload and next header.
fn unpad(text: &[u8]) -> Result<(&[u8], u8), DropReason> {
    let (rest, &[pad_length, next_header]) = text
        .split_last_chunk::<ESP_TRAILER>()
        .ok_or(DropReason::BadPadding)?;
    // 4303-2.4-06, 4303-2.4-07
    let payload = rest
        .len()
        .checked_sub(usize::from(pad_length))
        .ok_or(DropReason::BadPadding)?;
    let (payload, padding) = rest
        .split_at_checked(payload)
        .ok_or(DropReason::BadPadding)?;
    // 4303-2.4-05
    if padding
        .iter()
        .zip(1..=u8::MAX)
        .all(|(octet, count)| *octet == count)
    {
        Ok((payload, next_header))
    } else {
        Err(DropReason::BadPadding)
    }
}

#[cfg(test)]
mod tests;
