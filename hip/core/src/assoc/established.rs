//! R2-SENT and ESTABLISHED, and the session both hold.

use std::time::Duration;

use hip_wire::packet::Packet;
use hip_wire::time::Instant;

use super::keys::Security;
use super::{Association, Backoff, Closing, State};
use crate::environment::Environment;
use crate::event::{CloseReason, Role};
use crate::path::Path;
use crate::update::Updates;

/// What a completed base exchange gave.
pub(crate) struct Session {
    pub(crate) role: Role,
    pub(crate) security: Security,
    pub(crate) path: Path,
    pub(crate) inbound_spi: u32,
    pub(crate) outbound_spi: u32,
    /// Duration of the exchange.
    pub(crate) exchange: Duration,
    /// I2s that answer R1s made before this are older than the session.
    begun: Instant,
    /// The last packet in either direction.
    pub(crate) last_used: Instant,
    /// The last authentic packet of the peer.
    pub(crate) last_heard: Instant,
    pub(crate) updates: Updates,
    /// As Responder: HIP_MAC of the I2 accepted, and the R2 sent.
    accepted: Option<(Vec<u8>, Vec<u8>)>,
}

impl Session {
    /// A session between two SPIs, inbound and outbound.
    pub(crate) fn new(
        role: Role,
        security: Security,
        path: Path,
        spis: (u32, u32),
        now: Instant,
    ) -> Self {
        let (inbound_spi, outbound_spi) = spis;
        Self {
            role,
            security,
            path,
            inbound_spi,
            outbound_spi,
            exchange: Duration::ZERO,
            begun: now,
            last_used: now,
            last_heard: now,
            // 7401-6.8-32, 7401-6.9-28
            updates: Updates::new(None),
            accepted: None,
        }
    }

    /// As Initiator: how long the exchange took, and the round-trip time if it is known.
    pub(crate) fn with_timing(mut self, exchange: Duration, rtt: Option<Duration>) -> Self {
        self.exchange = exchange;
        self.updates = Updates::new(rtt);
        self
    }

    /// As Responder: when the R1 was made that the I2 answered; the I2's HIP_MAC and the R2, in
    /// case the I2 comes again.
    pub(crate) fn with_accepted(mut self, begun: Instant, mac: Vec<u8>, r2: Vec<u8>) -> Self {
        self.begun = begun;
        self.accepted = Some((mac, r2));
        self
    }

    pub(crate) fn resend_r2(&self, env: &mut Environment, path: Path) {
        if let Some((_, r2)) = &self.accepted {
            env.resend(path, r2.clone());
        }
    }

    /// ESP passed. A peer that is sent data and says nothing may have lost
    /// its state; an UPDATE finds out (7401-6.11-07 has the consequence).
    pub(crate) fn on_esp(&mut self, env: &mut Environment, inbound: bool) {
        self.last_used = env.now;
        if inbound {
            self.last_heard = env.now;
            return;
        }
        let silence = env.now.saturating_duration_since(self.last_heard);
        if silence >= env.config.timers.liveness
            && let Err(reason) = self.probe(env)
        {
            env.drop_packet(self.security.peer, reason);
        }
    }

    fn idle_at(&self, env_ual: Duration) -> Instant {
        self.last_used + env_ual
    }
}

impl State {
    /// Whether there is an association younger than an R1 made at `r1`.
    pub(super) fn is_newer_than(&self, r1: Instant) -> bool {
        self.session().is_some_and(|session| r1 < session.begun)
    }

    /// HIP_MAC of the I2 that made the association.
    pub(super) fn accepted_mac(&self) -> Option<&[u8]> {
        self.session()?
            .accepted
            .as_ref()
            .map(|(mac, _)| mac.as_slice())
    }
}

/// R2-SENT: as good as ESTABLISHED, but the Initiator may not have R2 yet.
pub(crate) struct R2Sent {
    pub(crate) session: Session,
    until: Instant,
    ual: Duration,
}

impl R2Sent {
    pub(crate) fn new(env: &Environment, session: Session) -> Self {
        let ual = env.config.timers.ual;
        Self {
            session,
            until: env.now + exchange_complete(env),
            ual,
        }
    }

    /// The Initiator asked for R2 again.
    pub(crate) fn restart_timer(&mut self, env: &Environment) {
        self.until = env.now + exchange_complete(env);
    }

    pub(crate) fn deadline(&self) -> Instant {
        let update = self.session.updates.deadline();
        update.map_or(self.until, |due| due.min(self.until))
    }

    pub(crate) fn complete(self: Box<Self>) -> State {
        State::Established(Box::new(Established {
            session: self.session,
            ual: self.ual,
        }))
    }

    /// An UPDATE with good authentication shows that the Initiator has R2.
    // 7401-4.4.3-21, 7402-6.9-01
    pub(crate) fn on_update(
        mut self: Box<Self>,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
    ) -> State {
        match self.session.on_update(env, path, packet) {
            Ok(()) => self.complete(),
            Err(reason) => {
                env.drop_packet(self.session.security.peer, reason);
                State::R2Sent(self)
            }
        }
    }

    pub(crate) fn on_timeout(
        self: Box<Self>,
        env: &mut Environment,
        association: &mut Association,
    ) -> State {
        // 7401-4.4.3-22, 7401-6.9-31
        if self.until <= env.now {
            return self.complete();
        }
        let Self {
            session,
            until,
            ual,
        } = *self;
        match session.on_update_timeout(env, association) {
            Ok(session) => State::R2Sent(Box::new(Self {
                session,
                until,
                ual,
            })),
            Err(state) => state,
        }
    }
}

/// ESTABLISHED.
pub(crate) struct Established {
    pub(crate) session: Session,
    pub(crate) ual: Duration,
}

impl Established {
    pub(crate) fn deadline(&self) -> Instant {
        let idle = self.session.idle_at(self.ual);
        let update = self.session.updates.deadline();
        update.map_or(idle, |due| due.min(idle))
    }

    // 7401-4.4.3-29
    pub(crate) fn on_update(
        mut self: Box<Self>,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
    ) -> State {
        if let Err(reason) = self.session.on_update(env, path, packet) {
            env.drop_packet(self.session.security.peer, reason);
        }
        State::Established(self)
    }

    pub(crate) fn on_timeout(
        self: Box<Self>,
        env: &mut Environment,
        association: &mut Association,
    ) -> State {
        // 7401-4.4.3-28, 7401-4.4.1-01
        if self.session.idle_at(self.ual) <= env.now {
            return Closing::start(association, env, self.session, CloseReason::Idle);
        }
        let Self { session, ual } = *self;
        match session.on_update_timeout(env, association) {
            Ok(session) => State::Established(Box::new(Self { session, ual })),
            Err(state) => state,
        }
    }
}

impl Session {
    /// Resends an unacknowledged UPDATE, or gives the association up.
    // 7401-6.11-05, 7401-6.11-07
    fn on_update_timeout(
        mut self,
        env: &mut Environment,
        association: &mut Association,
    ) -> Result<Self, State> {
        match self.updates.on_timeout(env) {
            Ok(()) => Ok(self),
            Err(_) => Err(Closing::start(
                association,
                env,
                self,
                CloseReason::Unreachable,
            )),
        }
    }
}

/// How long R2-SENT lasts without a sign of the Initiator: as long as it may resend I2.
// 7401-4.4.1-03
fn exchange_complete(env: &Environment) -> Duration {
    let timers = &env.config.timers;
    Backoff::span(timers.retransmit, timers.retransmit_cap, timers.i2_retries)
}
