//! UPDATE: sequence, acknowledgment and retransmission (RFC 7401 §6.11, §6.12), and moves (RFC 8046).

mod mobility;
mod sequence;

use std::time::Duration;

use hip_wire::builder::PacketBuilder;
use hip_wire::packet::Packet;
use hip_wire::param::{Ack, EchoRequestSigned, EchoResponseSigned, Seq};
use hip_wire::registry::PacketType;
use hip_wire::time::Instant;

use self::mobility::AddressCheck;
use self::sequence::{PeerUpdates, SeqKind};
use crate::assoc::{Backoff, Expiry, Session};
use crate::environment::Environment;
use crate::path::Path;
use crate::stats::DropReason;

/// Own UPDATEs that may wait for an ACK at once; a newer one then replaces the oldest.
const OUTSTANDING: usize = 4;

/// Bounds of the first retransmission interval, 2 * RTT (RFC 7401 §6.11 step 3).
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Repeated ACKs that may go out per second (7401-6.12.1-04).
const REPEATS_PER_SECOND: u32 = 10;

/// The UPDATEs of both sides.
pub(crate) struct Updates {
    next_id: u32,
    outstanding: Vec<Outstanding>,
    peer: PeerUpdates,
    /// The last SEQ of the peer and the reply to it (7401-6.12.1-05).
    reply: Option<(u32, Vec<u8>)>,
    repeats: RepeatLimit,
    rtt: Option<Duration>,
    check: Option<AddressCheck>,
}

/// An UPDATE of ours that the peer has not acknowledged.
struct Outstanding {
    id: u32,
    path: Path,
    packet: Vec<u8>,
    backoff: Backoff,
    sent: Instant,
    retransmitted: bool,
}

/// Replies to repeated UPDATEs in the current second.
struct RepeatLimit {
    second: Instant,
    count: u32,
}

impl RepeatLimit {
    fn allow(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            *self = Self {
                second: now,
                count: 0,
            };
        }
        self.count += 1;
        self.count <= REPEATS_PER_SECOND
    }
}

/// An UPDATE gave up: the association is broken.
#[derive(Debug)]
pub(crate) struct Unacknowledged;

impl Updates {
    /// No UPDATE sent or seen yet; the round-trip time of the base exchange, if measured.
    // 7401-6.11-02, 7401-6.12-01
    pub(crate) fn new(rtt: Option<Duration>) -> Self {
        Self {
            next_id: 0,
            outstanding: Vec::new(),
            peer: PeerUpdates::default(),
            reply: None,
            repeats: RepeatLimit {
                second: Instant::ZERO,
                count: 0,
            },
            rtt,
            check: None,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.outstanding
            .iter()
            .map(|update| update.backoff.due())
            .min()
    }

    /// Sends again what is due.
    // 7401-6.11-05, 7401-6.11-06, 7401-5.3.5-15
    pub(crate) fn on_timeout(&mut self, env: &mut Environment) -> Result<(), Unacknowledged> {
        for update in &mut self.outstanding {
            match update.backoff.expire(env.now) {
                Expiry::NotYet => {}
                Expiry::Retransmit => {
                    update.retransmitted = true;
                    env.resend(update.path, update.packet.clone());
                }
                Expiry::GiveUp => return Err(Unacknowledged),
            }
        }
        Ok(())
    }

    /// The Update ID of the next UPDATE.
    fn take_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }

    /// Keeps an UPDATE with SEQ until it is acknowledged, and sends it.
    // 7401-6.11-04
    fn track(&mut self, env: &mut Environment, id: u32, path: Path, packet: Vec<u8>) {
        if self.outstanding.len() >= OUTSTANDING {
            self.outstanding.remove(0);
        }
        let timers = &env.config.timers;
        let first = self.rtt.map_or(timers.retransmit, |rtt| {
            (rtt * 2).clamp(SHORTEST_INTERVAL, timers.retransmit_cap)
        });
        let backoff = Backoff::start(env.now, first, timers.retransmit_cap, timers.update_retries);
        self.outstanding.push(Outstanding {
            id,
            path,
            packet: packet.clone(),
            backoff,
            sent: env.now,
            retransmitted: false,
        });
        env.send(path, packet);
    }

    /// Stops to care about UPDATEs that new ones made pointless.
    // 7401-5.3.5-14
    fn forget(&mut self, pointless: impl Fn(&Outstanding) -> bool) {
        self.outstanding.retain(|update| !pointless(update));
    }

    fn is_outstanding(&self, ack: &Ack) -> bool {
        self.outstanding
            .iter()
            .any(|update| ack.update_ids.contains(&update.id))
    }

    /// Stops the timers of what was acknowledged.
    // 7401-6.12.2-06, 7401-5.3.5-09, 7401-5.3.5-10, 7401-5.3.5-11
    fn acknowledged(&mut self, now: Instant, ack: &Ack) {
        let rtt = &mut self.rtt;
        self.outstanding.retain(|update| {
            let done = ack.update_ids.contains(&update.id);
            if done && !update.retransmitted {
                *rtt = Some(now.saturating_duration_since(update.sent));
            }
            !done
        });
    }
}

impl Session {
    /// An UPDATE of the peer (RFC 7401 §6.12). Nothing changes unless MAC and signature are good.
    pub(crate) fn on_update(
        &mut self,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
    ) -> Result<(), DropReason> {
        let seq: Option<Seq> = packet.find()?;
        let ack: Option<Ack> = packet.find()?;
        // 7401-5.3.5-05
        if seq.is_none() && ack.is_none() {
            return Err(DropReason::BadParameter);
        }
        let kind = seq.map(|seq| (seq.update_id, self.updates.peer.classify(seq.update_id)));
        let new_ack = ack.filter(|ack| self.updates.is_outstanding(ack));
        // 7401-6.12.1-01, 7401-6.12.2-01, 7401-6.12.2-02
        if matches!(kind, Some((_, SeqKind::Outside))) || (kind.is_none() && new_ack.is_none()) {
            return Err(DropReason::BadUpdateId);
        }
        // 7401-6.12.1-02, 7401-6.12.1-07, 7401-6.12.1-09, 7401-6.12.2-03
        let authentic = self.security.verify(packet)?;
        self.last_used = env.now;
        self.last_heard = env.now;
        // 7401-6.12-08: ACK first
        if let Some(ack) = new_ack {
            self.updates.acknowledged(env.now, &ack);
        }
        if let Some(EchoResponseSigned(echo)) = packet.find()? {
            self.finish_address_check(env, &authentic, echo);
        }
        match kind {
            Some((id, SeqKind::New)) => self.process(env, path, packet, id),
            Some((id, _)) => self.repeat(env, path, packet, id),
            // 7401-5.3.5-03
            None => Ok(()),
        }
    }

    /// A SEQ that was processed before: the same reply again, within a rate.
    // 7401-6.12.1-03, 7401-6.12.1-04, 7401-6.12.1-05
    fn repeat(
        &mut self,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
        id: u32,
    ) -> Result<(), DropReason> {
        if !self.updates.repeats.allow(env.now) {
            return Err(DropReason::RateLimited);
        }
        match &self.updates.reply {
            Some((replied, reply)) if *replied == id => {
                env.resend(path, reply.clone());
                Ok(())
            }
            _ => self.acknowledge(env, path, packet, id),
        }
    }

    /// Asks whether the peer still knows the association: an UPDATE with nothing but SEQ.
    pub(crate) fn probe(&mut self, env: &mut Environment) -> Result<(), DropReason> {
        if !self.updates.outstanding.is_empty() {
            return Ok(());
        }
        let id = self.updates.take_id();
        let mut packet = self.update();
        packet.push(&Seq { update_id: id })?;
        let packet = self.security.seal(env, packet)?;
        self.updates.track(env, id, self.path, packet);
        Ok(())
    }

    /// A new UPDATE with SEQ.
    // 7401-6.12.1-10, 7401-5.3.5-02, 7401-5.3.5-12
    fn process(
        &mut self,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
        id: u32,
    ) -> Result<(), DropReason> {
        let moved = self.announced_path(env, path, packet)?;
        self.updates.peer.record(id);
        match moved {
            Some(new_path) if new_path != self.path => self.start_address_check(env, new_path, id),
            _ => self.acknowledge(env, path, packet, id),
        }
    }

    /// An UPDATE with ACK and, where one was asked for, the echo.
    // 7401-6.12.1-11, 7401-5.2.20-05
    fn acknowledge(
        &mut self,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
        id: u32,
    ) -> Result<(), DropReason> {
        let mut reply = self.update();
        reply.push(&Ack::of(id))?;
        if let Some(EchoRequestSigned(echo)) = packet.find()? {
            reply.push(&EchoResponseSigned(echo))?;
        }
        let reply = self.security.seal(env, reply)?;
        self.updates.reply = Some((id, reply.clone()));
        env.send(path, reply);
        Ok(())
    }

    fn update(&self) -> PacketBuilder {
        PacketBuilder::new(PacketType::Update, self.security.local, self.security.peer)
    }
}
