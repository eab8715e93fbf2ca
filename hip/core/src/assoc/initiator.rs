//! The Initiator: I1-SENT and I2-SENT (RFC 7401 §6.6, §6.8, §6.10; RFC 7402 §6.4, §6.6).

use hip_crypto::cipher;
use hip_crypto::dh::DhPrivate;
use hip_crypto::keymat::EspKeyPair;
use hip_crypto::puzzle::{self, PuzzleSolved, Solver};
use hip_wire::builder::PacketBuilder;
use hip_wire::hit::Hit;
use hip_wire::packet::{Packet, encode_tlv};
use hip_wire::param::{
    DhGroupList, DiffieHellman, EchoResponseSigned, EchoResponseUnsigned, Encrypted, EspInfo,
    EspTransform, HipCipherList, HostId, Solution, TransportFormatList,
};
use hip_wire::registry::PacketType;
use hip_wire::time::Instant;

use super::keys::{Agreed, DerivedKeys, Salt, Security};
use super::offer::{Offer, Refusal};
use super::{Backoff, Established, Expiry, Session, State};
use crate::environment::Environment;
use crate::event::{FailReason, Role};
use crate::path::Path;
use crate::stats::DropReason;

/// I1s that may go out at the same time (7401-6.6.1-02).
const PARALLEL_I1S: usize = 3;

/// Retries left once a genuine R1 turned out to be unacceptable.
const RETRIES_AFTER_REFUSAL: u32 = 1;

/// I1-SENT: the addresses of the peer are tried until a good R1 comes.
pub(crate) struct I1Sent {
    peer: Hit,
    packet: Vec<u8>,
    started: Instant,
    targets: Vec<Path>,
    /// The target of the next retry.
    next_target: usize,
    backoff: Backoff,
    progress: Progress,
    /// Why the last genuine R1 was not answered.
    refused: Option<FailReason>,
}

/// What has been done about R1s.
enum Progress {
    /// None yet.
    Waiting,
    /// Several I1s are out: the freshest R1 that comes before the time is answered (7401-4.1.4-09).
    Collecting { best: Box<Offer>, until: Instant },
    /// The puzzle is being solved, a portion per call.
    Solving(Box<Solving>),
}

struct Solving {
    offer: Offer,
    agreed: Agreed,
    solver: Solver,
    /// When the next portion is due: at once.
    due: Instant,
}

impl I1Sent {
    /// Sends the first I1s.
    // 7401-6.6-01, 7401-6.6.1-01, 7401-6.6.1-02
    pub(crate) fn start(
        env: &mut Environment,
        peer: Hit,
        targets: Vec<Path>,
    ) -> Result<Box<Self>, FailReason> {
        if targets.is_empty() {
            return Err(FailReason::NoLocators);
        }
        let packet = build_i1(env, peer).map_err(|_| FailReason::Local)?;
        for path in targets.iter().take(PARALLEL_I1S) {
            env.send(*path, packet.clone());
        }
        let timers = &env.config.timers;
        // Every address gets its turn.
        let more = u32::try_from(targets.len().saturating_sub(PARALLEL_I1S)).unwrap_or(u32::MAX);
        let retries = timers.i1_retries.max(more);
        Ok(Box::new(Self {
            peer,
            packet,
            started: env.now,
            next_target: PARALLEL_I1S.min(targets.len()),
            backoff: Backoff::of_exchange(env.now, timers, retries),
            targets,
            progress: Progress::Waiting,
            refused: None,
        }))
    }

    /// Back in I1-SENT without sending, for an R1 that is at hand.
    fn start_over(
        env: &Environment,
        peer: Hit,
        started: Instant,
        path: Path,
    ) -> Result<Box<Self>, FailReason> {
        let timers = &env.config.timers;
        Ok(Box::new(Self {
            peer,
            packet: build_i1(env, peer).map_err(|_| FailReason::Local)?,
            started,
            targets: vec![path],
            next_target: 0,
            backoff: Backoff::of_exchange(env.now, timers, timers.i1_retries),
            progress: Progress::Waiting,
            refused: None,
        }))
    }

    /// Whether it sends from an address this host has no longer.
    pub(crate) fn is_stranded(&self, env: &Environment) -> bool {
        self.targets.iter().all(|path| env.lost(path.local.ip()))
    }

    pub(crate) fn deadline(&self) -> Instant {
        let retry = self.backoff.due();
        match &self.progress {
            Progress::Waiting => retry,
            Progress::Collecting { until, .. } => (*until).min(retry),
            Progress::Solving(solving) => solving.due,
        }
    }

    /// An R1 from the peer.
    pub(crate) fn on_r1(
        mut self: Box<Self>,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
    ) -> State {
        match self.consider(env, path, packet) {
            Ok(Some(offer)) => self.answer(env, offer),
            Ok(None) => State::I1Sent(self),
            Err(reason) => {
                env.drop_packet(self.peer, reason);
                State::I1Sent(self)
            }
        }
    }

    /// Verifies an R1; `Some` when it is to be answered now.
    // 7401-6.8-05, 7401-6.8-11, 7401-4.1.4-09
    fn consider(
        &mut self,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
    ) -> Result<Option<Offer>, DropReason> {
        let offer = Offer::verify(env.now, path, packet)?;
        match &mut self.progress {
            Progress::Waiting if self.targets.len() > 1 => {
                let waited = env.now.saturating_duration_since(self.started);
                let until = env.now + waited.min(env.config.timers.r1_collect);
                self.progress = Progress::Collecting {
                    best: Box::new(offer),
                    until,
                };
                Ok(None)
            }
            Progress::Collecting { best, .. } if offer.generation() > best.generation() => {
                **best = offer;
                Ok(None)
            }
            Progress::Solving(solving) if offer.generation() <= solving.offer.generation() => {
                Err(DropReason::Duplicate)
            }
            Progress::Collecting { .. } => Err(DropReason::Duplicate),
            Progress::Waiting | Progress::Solving(_) => Ok(Some(offer)),
        }
    }

    /// Begins to solve the puzzle of a verified R1.
    fn answer(mut self: Box<Self>, env: &mut Environment, offer: Offer) -> State {
        let path = offer.path;
        match Solving::start(env, offer) {
            Ok(solving) => self.solve(env, solving),
            Err(refusal) => {
                if let Some(notify_type) = refusal.notify {
                    env.notify(path, self.peer, notify_type);
                }
                self.refuse(env, refusal);
                State::I1Sent(self)
            }
        }
    }

    /// A genuine R1 that cannot be answered. It may be an old one that
    /// somebody plays back, so the exchange goes on for a little.
    // 7401-6.8-15, 7401-6.8-18, 7401-6.8-19
    fn refuse(&mut self, env: &mut Environment, refusal: Refusal) {
        env.drop_packet(self.peer, refusal.dropped);
        self.progress = Progress::Waiting;
        self.refused = Some(refusal.failed);
        self.backoff.limit(RETRIES_AFTER_REFUSAL);
    }

    /// Works on the puzzle within the budget of this call.
    // 7401-6.8-27, 7401-4.1.2-02
    fn solve(mut self: Box<Self>, env: &mut Environment, mut solving: Box<Solving>) -> State {
        let budget = env.puzzle_budget;
        let before = solving.solver.tries();
        let found = solving.solver.solve(budget);
        env.puzzle_budget = budget.saturating_sub(solving.solver.tries().saturating_sub(before));
        let Some(j) = found else {
            if env.now > solving.offer.puzzle.expires {
                self.refuse(env, Refusal::PUZZLE);
                return State::I1Sent(self);
            }
            solving.due = env.now;
            self.progress = Progress::Solving(solving);
            return State::I1Sent(self);
        };
        match I2Sent::start(env, self.peer, self.started, *solving, &j) {
            Ok(next) => State::I2Sent(next),
            Err(reason) => {
                env.drop_packet(self.peer, reason);
                self.progress = Progress::Waiting;
                self.refused = Some(match reason {
                    DropReason::BadDhValue => FailReason::DhGroup,
                    _ => FailReason::Local,
                });
                State::I1Sent(self)
            }
        }
    }

    pub(crate) fn on_timeout(mut self: Box<Self>, env: &mut Environment) -> State {
        match std::mem::replace(&mut self.progress, Progress::Waiting) {
            Progress::Solving(solving) => return self.solve(env, solving),
            Progress::Collecting { best, until } if until <= env.now => {
                return self.answer(env, *best);
            }
            unfinished => self.progress = unfinished,
        }
        match self.backoff.expire(env.now) {
            Expiry::NotYet => State::I1Sent(self),
            Expiry::Retransmit => {
                self.retry(env);
                State::I1Sent(self)
            }
            // 7401-4.4.3-11
            Expiry::GiveUp => {
                State::fail(env, self.peer, self.refused.unwrap_or(FailReason::NoAnswer))
            }
        }
    }

    /// One I1 to one address, each in turn.
    // 7401-6.6-06, 7401-6.6.1-03, 7401-6.6.1-04
    fn retry(&mut self, env: &mut Environment) {
        let index = self
            .next_target
            .checked_rem(self.targets.len())
            .unwrap_or(0);
        self.next_target = index + 1;
        if let Some(&path) = self.targets.get(index) {
            env.resend(path, self.packet.clone());
        }
    }
}

impl Solving {
    fn start(env: &mut Environment, offer: Offer) -> Result<Box<Self>, Refusal> {
        let agreed = offer.choose(&env.config, env.local)?;
        if offer.puzzle.difficulty > env.config.puzzle.max_difficulty {
            return Err(Refusal::PUZZLE);
        }
        let mut start = vec![0; offer.rhash().len()];
        env.rng.fill(&mut start);
        let solver = Solver::new(
            offer.rhash(),
            offer.puzzle.difficulty,
            &offer.puzzle.random,
            env.local,
            offer.responder.hit(),
            &start,
        )
        .ok_or(Refusal::PUZZLE)?;
        Ok(Box::new(Self {
            offer,
            agreed,
            solver,
            due: env.now,
        }))
    }
}

/// I2-SENT: waiting for R2.
pub(crate) struct I2Sent {
    pub(crate) security: Security,
    started: Instant,
    sent: Instant,
    retransmitted: bool,
    generation: u64,
    /// HOST_ID of the R1, part of HIP_MAC_2.
    host_id: Vec<u8>,
    esp: EspKeyPair,
    esp_index: u16,
    inbound_spi: u32,
    path: Path,
    packet: Vec<u8>,
    backoff: Backoff,
}

impl I2Sent {
    /// Derives the keys, installs the inbound SA and sends I2.
    // 7401-6.8-29, 7401-6.8-30, 7401-6.8-31, 7401-6.8-32, 7401-6.8-33, 7402-3.3.1-02, 7402-6.4-02
    fn start(
        env: &mut Environment,
        peer: Hit,
        started: Instant,
        solving: Solving,
        j: &[u8],
    ) -> Result<Box<Self>, DropReason> {
        let Solving { offer, agreed, .. } = solving;
        let solved = proof(env.local, &offer, j)?;
        let private =
            DhPrivate::generate(agreed.dh_group, &mut *env.rng).map_err(|_| DropReason::Local)?;
        let salt = Salt {
            i: &offer.puzzle.random,
            j,
        };
        let hits = (env.local, peer);
        let keys = DerivedKeys::derive(&solved, agreed, &private, &offer.dh_value, &salt, hits)?;
        let security = Security {
            local: env.local,
            peer,
            peer_identity: offer.responder.clone(),
            keys: keys.hip,
            agreed,
        };
        let inbound_spi = env.take_spi();
        let info = EspInfo {
            keymat_index: keys.esp_index,
            old_spi: 0,
            new_spi: inbound_spi,
        };
        let packet = match build_i2(env, &security, &offer, &private, j, info) {
            Ok(packet) => packet,
            Err(reason) => {
                env.release_spi(inbound_spi);
                return Err(reason);
            }
        };
        let inbound = keys.esp.for_sender(peer, env.local).clone();
        env.install_inbound(peer, inbound_spi, inbound, offer.path);
        env.send(offer.path, packet.clone());
        let timers = &env.config.timers;
        let backoff = Backoff::of_exchange(env.now, timers, timers.i2_retries);
        Ok(Box::new(Self {
            security,
            started,
            sent: env.now,
            retransmitted: false,
            generation: offer.generation(),
            path: offer.path,
            host_id: offer.host_id,
            esp: keys.esp,
            esp_index: keys.esp_index,
            inbound_spi,
            packet,
            backoff,
        }))
    }

    /// Whether it sends from an address this host has no longer; #I holds for that one only.
    pub(crate) fn is_stranded(&self, env: &Environment) -> bool {
        env.lost(self.path.local.ip())
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.backoff.due()
    }

    /// A fresher R1: the one answered first may have been an old one played back.
    // 7401-6.8-03, 7401-6.8-21, 7401-4.4.3-13, 7401-4.1.4-10
    pub(crate) fn on_r1(
        self: Box<Self>,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
    ) -> State {
        let peer = self.security.peer;
        let solving = self
            .fresher(env, path, packet)
            .and_then(|offer| Solving::start(env, offer).map_err(|refusal| refusal.dropped));
        let solving = match solving {
            Ok(solving) => solving,
            Err(reason) => {
                env.drop_packet(peer, reason);
                return State::I2Sent(self);
            }
        };
        let started = self.started;
        self.abandon(env);
        match I1Sent::start_over(env, peer, started, solving.offer.path) {
            Ok(state) => state.solve(env, solving),
            Err(reason) => State::fail(env, peer, reason),
        }
    }

    fn fresher(
        &self,
        env: &Environment,
        path: Path,
        packet: &Packet<'_>,
    ) -> Result<Offer, DropReason> {
        let offer = Offer::verify(env.now, path, packet)?;
        if offer.generation() > self.generation {
            Ok(offer)
        } else {
            Err(DropReason::Duplicate)
        }
    }

    /// R2 completes the exchange.
    // 7401-6.10-02, 7401-4.4.3-15
    pub(crate) fn on_r2(self: Box<Self>, env: &mut Environment, packet: &Packet<'_>) -> State {
        match self.accept_r2(packet) {
            Ok(outbound_spi) => self.establish(env, outbound_spi),
            Err(reason) => {
                env.drop_packet(self.security.peer, reason);
                State::I2Sent(self)
            }
        }
    }

    /// The checks of §6.10; gives the SPI that the Responder receives on.
    // 7402-5.2.1.3-01, 7402-6.6-01
    fn accept_r2(&self, packet: &Packet<'_>) -> Result<u32, DropReason> {
        self.security.verify_r2(packet, &self.host_id)?;
        let info: EspInfo = packet.require()?;
        if info.old_spi != 0 || info.new_spi < 256 || info.keymat_index != self.esp_index {
            return Err(DropReason::BadParameter);
        }
        Ok(info.new_spi)
    }

    fn establish(self: Box<Self>, env: &mut Environment, outbound_spi: u32) -> State {
        let peer = self.security.peer;
        let outbound = self.esp.for_sender(env.local, peer).clone();
        env.install_outbound(peer, outbound_spi, outbound, self.path);
        let rtt = (!self.retransmitted).then(|| env.now.saturating_duration_since(self.sent));
        let spis = (self.inbound_spi, outbound_spi);
        let duration = env.now.saturating_duration_since(self.started);
        let session = Session::new(Role::Initiator, self.security, self.path, spis, env.now)
            .with_timing(duration, rtt);
        session.announce(env);
        let ual = env.config.timers.ual;
        State::Established(Box::new(Established { session, ual }))
    }

    pub(crate) fn on_timeout(mut self: Box<Self>, env: &mut Environment) -> State {
        match self.backoff.expire(env.now) {
            Expiry::NotYet => State::I2Sent(self),
            // 7401-6.8-35
            Expiry::Retransmit => {
                self.retransmitted = true;
                env.resend(self.path, self.packet.clone());
                State::I2Sent(self)
            }
            // 7401-4.4.3-17
            Expiry::GiveUp => {
                let peer = self.security.peer;
                self.abandon(env);
                State::fail(env, peer, FailReason::NoR2)
            }
        }
    }

    /// Gives the inbound SA back: the exchange goes another way.
    pub(crate) fn abandon(self, env: &mut Environment) {
        self.into_security(env);
    }

    /// The same, keeping what authenticates packets.
    pub(crate) fn into_security(self, env: &mut Environment) -> Security {
        env.remove_inbound(self.security.peer, self.inbound_spi);
        self.security
    }
}

// 7401-5.3.1-01, 7401-6.6-03: the list is that of the configuration, which does not change
fn build_i1(env: &Environment, peer: Hit) -> Result<Vec<u8>, DropReason> {
    let mut packet = PacketBuilder::new(PacketType::I1, env.local, peer);
    packet.push(&DhGroupList::new(&env.config.dh_groups))?;
    Ok(packet.finish())
}

/// The proof that `j` solves the puzzle of the offer.
fn proof(local: Hit, offer: &Offer, j: &[u8]) -> Result<PuzzleSolved, DropReason> {
    let puzzle = &offer.puzzle;
    let responder = offer.responder.hit();
    puzzle::check(
        offer.rhash(),
        puzzle.difficulty,
        &puzzle.random,
        local,
        responder,
        j,
    )
    .map_err(|_| DropReason::BadSolution)
}

// 7401-5.3.3-01, 7401-5.3.3-04, 7401-5.3.3-06, 7401-5.3.3-11, 7401-4.1.2-05, 7402-5.2.1.2-01
fn build_i2(
    env: &mut Environment,
    security: &Security,
    offer: &Offer,
    private: &DhPrivate,
    j: &[u8],
    info: EspInfo,
) -> Result<Vec<u8>, DropReason> {
    let agreed = security.agreed;
    let (iv, ciphertext) = encrypt_host_id(env, security)?;
    let mut packet = PacketBuilder::new(PacketType::I2, security.local, security.peer);
    packet.push(&info)?;
    if let Some(counter) = &offer.counter {
        packet.push(counter)?;
    }
    packet
        .push(&Solution {
            difficulty: offer.puzzle.difficulty,
            opaque: offer.puzzle.opaque,
            random: &offer.puzzle.random,
            solution: j,
        })?
        .push(&DiffieHellman::new(private.group(), private.public_value()))?
        .push(&HipCipherList::new(&[agreed.cipher]))?
        .push(&Encrypted {
            iv: &iv,
            ciphertext: &ciphertext,
        })?;
    if let Some(echo) = &offer.echo_signed {
        packet.push(&EchoResponseSigned(echo))?;
    }
    packet
        .push(&TransportFormatList::esp())?
        .push(&EspTransform::new(&[agreed.esp_suite]))?;
    security.authenticate(env, &mut packet)?;
    for echo in &offer.echo_unsigned {
        // 7401-5.2.21-03. What does not fit any more is a middlebox's problem, not the peer's.
        let _ = packet.push(&EchoResponseUnsigned(echo));
    }
    Ok(packet.finish())
}

/// HOST_ID of this host under the key for packets to the peer.
// 7401-5.3.3-10
fn encrypt_host_id(
    env: &mut Environment,
    security: &Security,
) -> Result<(Vec<u8>, Vec<u8>), DropReason> {
    let public = env.identity.public();
    let host_id = encode_tlv(&HostId::new(public.algorithm(), public.hi()))?;
    let key = security.keys.encryption(security.local, security.peer);
    cipher::encrypt(security.agreed.cipher, key, &mut *env.rng, &host_id)
        .map_err(|_| DropReason::Local)
}
