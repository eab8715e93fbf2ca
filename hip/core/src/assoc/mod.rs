//! The association: a state of RFC 7401 §4.4 and what outlives its states.

mod close;
mod established;
mod initiator;
mod keys;
mod offer;
mod responder;
mod retransmit;

use std::mem;

use hip_wire::hit::Hit;
use hip_wire::packet::Packet;
use hip_wire::registry::PacketType;
use hip_wire::time::Instant;

use crate::address::path_to;
use crate::environment::Environment;
use crate::event::{CloseReason, Event, FailReason, Role, StateName};
use crate::output::Output;
use crate::path::{Path, PeerLocator};
use crate::r1::R1Pool;
use crate::stats::DropReason;
use crate::status::{AssociationView, SessionView};

pub(crate) use self::close::{Closed, Closing};
pub(crate) use self::established::{Established, R2Sent, Session};
pub(crate) use self::initiator::{I1Sent, I2Sent};
pub(crate) use self::keys::Authentic;
pub(crate) use self::retransmit::{Backoff, Expiry};

/// Old inbound SAs kept for stragglers, at most this many per peer.
const RETIRED_SAS: usize = 4;

/// The states of RFC 7401 §4.4.2; each owns what only it needs.
pub(crate) enum State {
    /// Nothing under way. With a time: data waits for locators until then.
    Unassociated(Option<Instant>),
    I1Sent(Box<I1Sent>),
    I2Sent(Box<I2Sent>),
    R2Sent(Box<R2Sent>),
    Established(Box<Established>),
    Closing(Box<Closing>),
    Closed(Box<Closed>),
    Failed(Failed),
}

/// E-FAILED: a pause, so that a peer that cannot be reached costs little.
pub(crate) struct Failed {
    reason: FailReason,
    until: Instant,
}

impl State {
    pub(crate) const IDLE: Self = Self::Unassociated(None);

    pub(crate) fn name(&self) -> StateName {
        match self {
            Self::Unassociated(_) => StateName::Unassociated,
            Self::I1Sent(_) => StateName::I1Sent,
            Self::I2Sent(_) => StateName::I2Sent,
            Self::R2Sent(_) => StateName::R2Sent,
            Self::Established(_) => StateName::Established,
            Self::Closing(_) => StateName::Closing,
            Self::Closed(_) => StateName::Closed,
            Self::Failed(_) => StateName::Failed,
        }
    }

    /// Reports the failure and enters E-FAILED.
    pub(crate) fn fail(env: &mut Environment, peer: Hit, reason: FailReason) -> Self {
        env.event(Event::Failed { peer, reason });
        Self::Failed(Failed {
            reason,
            until: env.now + env.config.timers.failed_hold,
        })
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Unassociated(due) => *due,
            Self::I1Sent(state) => Some(state.deadline()),
            Self::I2Sent(state) => Some(state.deadline()),
            Self::R2Sent(state) => Some(state.deadline()),
            Self::Established(state) => Some(state.deadline()),
            Self::Closing(state) => Some(state.deadline()),
            Self::Closed(state) => Some(state.deadline()),
            Self::Failed(state) => Some(state.until),
        }
    }

    fn session(&self) -> Option<&Session> {
        match self {
            Self::R2Sent(state) => Some(&state.session),
            Self::Established(state) => Some(&state.session),
            _ => None,
        }
    }
}

/// Everything this host knows about one peer (7401-6-01: one association per HIT pair).
pub(crate) struct Association {
    pub(crate) peer: Hit,
    pub(crate) state: State,
    pub(crate) locators: Vec<PeerLocator>,
    since: Instant,
    /// Inbound SAs that newer ones replaced, and when they go.
    retired: Vec<(Instant, u32)>,
}

impl Association {
    pub(crate) fn new(env: &Environment, peer: Hit) -> Self {
        Self {
            peer,
            state: State::IDLE,
            locators: Vec::new(),
            since: env.now,
            retired: Vec::new(),
        }
    }

    /// Whether the record can be forgotten.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Unassociated(None)) && self.retired.is_empty()
    }

    /// When [`on_timeout`](Self::on_timeout) is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let retired = self.retired.iter().map(|&(due, _)| due);
        self.state.deadline().into_iter().chain(retired).min()
    }

    /// Data waits for an association (RFC 7401 §6.1 step 3).
    // 7401-6.1-05, 7401-4.4.3-01, 7401-4.4.3-31, 7401-4.4.3-38, 7401-6.14-03
    pub(crate) fn connect(&mut self, env: &mut Environment) {
        let peer = self.peer;
        match &self.state {
            // 7401-4.4.3-45: no new exchange before the pause is over.
            State::Failed(failed) => {
                let reason = failed.reason;
                env.event(Event::Failed { peer, reason });
                return;
            }
            State::Unassociated(None) | State::Closing(_) => {}
            State::Closed(closed) if !closed.is_reopening() => {}
            _ => return,
        }
        if !env.config.access.permits(&peer) {
            env.event(Event::Failed {
                peer,
                reason: FailReason::Policy,
            });
            return;
        }
        if self.locators.is_empty() && matches!(self.state, State::Unassociated(None)) {
            env.output(Output::NeedLocators { peer });
            let due = env.now + env.config.timers.locator_wait;
            self.state = State::Unassociated(Some(due));
            return;
        }
        self.transition(env, |env, association, state| association.start(env, state));
    }

    /// The shell's list of addresses of the peer, best first.
    pub(crate) fn set_locators(&mut self, env: &mut Environment, mut locators: Vec<PeerLocator>) {
        locators.truncate(env.config.limits.locators);
        self.locators = locators;
        if matches!(self.state, State::Unassociated(Some(_))) {
            self.transition(env, |env, association, state| association.start(env, state));
        }
    }

    /// Sends I1 to the known addresses, or fails when there are none.
    fn start(&mut self, env: &mut Environment, state: State) -> State {
        let mut targets: Vec<Path> = Vec::new();
        let known = match &state {
            State::Closing(closing) => Some(closing.path()),
            State::Closed(closed) => Some(closed.path()),
            _ => None,
        };
        targets.extend(known);
        for locator in &self.locators {
            let path = path_to(locator, &env.addresses, env.config.udp_port);
            targets.extend(path.filter(|path| targets.iter().all(|t| t.remote != path.remote)));
        }
        let attempt = I1Sent::start(env, self.peer, targets);
        match (state, attempt) {
            // 7401-4.4.3-38: CLOSED stays what it is while its I1 is out.
            (State::Closed(mut closed), Ok(attempt)) => {
                closed.reopen(attempt);
                State::Closed(closed)
            }
            (State::Closed(closed), Err(reason)) => {
                env.event(Event::Failed {
                    peer: self.peer,
                    reason,
                });
                State::Closed(closed)
            }
            (_, Ok(attempt)) => State::I1Sent(attempt),
            (_, Err(reason)) => State::fail(env, self.peer, reason),
        }
    }

    /// A well-formed packet other than I1, with our HIT and the peer's.
    pub(crate) fn on_packet(
        &mut self,
        env: &mut Environment,
        pool: &mut R1Pool,
        path: Path,
        packet: &Packet<'_>,
    ) {
        self.transition(env, |env, association, state| {
            association.dispatch(env, pool, path, packet, state)
        });
    }

    /// The tables of RFC 7401 §4.4.3: which state takes which packet.
    fn dispatch(
        &mut self,
        env: &mut Environment,
        pool: &mut R1Pool,
        path: Path,
        packet: &Packet<'_>,
        state: State,
    ) -> State {
        use PacketType as P;
        match (packet.packet_type(), state) {
            (P::R1, State::I1Sent(state)) => state.on_r1(env, path, packet),
            (P::R1, State::I2Sent(state)) => state.on_r1(env, path, packet),
            (P::R1, State::Closed(state)) => state.on_r1(env, path, packet),
            (P::I2, state) => responder::on_i2(self, env, pool, path, packet, state),
            (P::R2, State::I2Sent(state)) => state.on_r2(env, packet),
            (P::Update, State::R2Sent(state)) => state.on_update(env, path, packet),
            (P::Update, State::Established(state)) => state.on_update(env, path, packet),
            (P::Close, state) => close::on_close(self, env, path, packet, state),
            (P::CloseAck, State::Closing(state)) => state.on_close_ack(env, packet),
            (P::CloseAck, State::Closed(state)) => state.on_close_ack(env, packet),
            (P::Notify, state) => {
                self.on_notify(env, packet, &state);
                state
            }
            (_, state) => {
                env.drop_packet(self.peer, DropReason::WrongState);
                state
            }
        }
    }

    /// NOTIFY informs and nothing else (RFC 7401 §6.13).
    // 7401-6.13-03, 7401-6.13-04, 7401-5.3.6-02
    fn on_notify(&self, env: &mut Environment, packet: &Packet<'_>, state: &State) {
        let security = match state {
            State::I2Sent(state) => Some(&state.security),
            State::R2Sent(state) => Some(&state.session.security),
            State::Established(state) => Some(&state.session.security),
            State::Closing(state) => Some(state.security()),
            State::Closed(state) => Some(state.security()),
            State::Unassociated(_) | State::I1Sent(_) | State::Failed(_) => None,
        };
        let Some(security) = security else {
            return env.drop_packet(self.peer, DropReason::NoAssociation);
        };
        match security.read_notify(packet) {
            Ok(codes) => {
                for code in codes {
                    env.event(Event::Notified {
                        peer: self.peer,
                        code,
                    });
                }
            }
            Err(reason) => env.drop_packet(self.peer, reason),
        }
    }

    /// ESP passed (RFC 7402 §6.9: data ends R2-SENT, and any packet counts as use).
    pub(crate) fn on_esp(&mut self, env: &mut Environment, inbound: bool, outbound: bool) {
        if !inbound && !outbound {
            return;
        }
        self.transition(env, |env, _, state| match state {
            State::R2Sent(mut state) => {
                state.session.on_esp(env, inbound);
                // 7401-4.4.3-21
                if inbound {
                    state.complete()
                } else {
                    State::R2Sent(state)
                }
            }
            State::Established(mut state) => {
                state.session.on_esp(env, inbound);
                State::Established(state)
            }
            other => other,
        });
    }

    /// Starts CLOSE, or gives an unfinished exchange up.
    pub(crate) fn close(&mut self, env: &mut Environment, reason: CloseReason) {
        self.transition(env, |env, association, state| match state {
            State::R2Sent(state) => Closing::start(association, env, state.session, reason),
            State::Established(state) => Closing::start(association, env, state.session, reason),
            State::I2Sent(state) => {
                state.abandon(env);
                State::IDLE
            }
            State::Unassociated(_) | State::I1Sent(_) | State::Failed(_) => State::IDLE,
            State::Closed(mut state) => {
                state.stop_reopening();
                State::Closed(state)
            }
            State::Closing(state) => State::Closing(state),
        });
    }

    /// This host's addresses changed.
    pub(crate) fn on_local_addresses(&mut self, env: &mut Environment) {
        self.transition(env, |env, association, state| match state {
            State::Established(mut state) => {
                state.session.on_local_addresses(env, &association.locators);
                State::Established(state)
            }
            State::R2Sent(mut state) => {
                state.session.on_local_addresses(env, &association.locators);
                State::R2Sent(state)
            }
            State::I1Sent(state) if state.is_stranded(env) => association.start(env, State::IDLE),
            State::I2Sent(state) if state.is_stranded(env) => {
                state.abandon(env);
                association.start(env, State::IDLE)
            }
            other => other,
        });
    }

    /// Whatever is due at `env.now`.
    pub(crate) fn on_timeout(&mut self, env: &mut Environment) {
        let now = env.now;
        let peer = self.peer;
        self.retired.retain(|&(due, spi)| {
            let keep = due > now;
            if !keep {
                env.remove_inbound(peer, spi);
            }
            keep
        });
        if self.state.deadline().is_none_or(|due| due > now) {
            return;
        }
        self.transition(env, |env, association, state| match state {
            State::Unassociated(_) => State::fail(env, association.peer, FailReason::NoLocators),
            State::I1Sent(state) => state.on_timeout(env),
            State::I2Sent(state) => state.on_timeout(env),
            State::R2Sent(state) => state.on_timeout(env, association),
            State::Established(state) => state.on_timeout(env, association),
            State::Closing(state) => state.on_timeout(env),
            State::Closed(state) => state.on_timeout(env),
            State::Failed(_) => State::IDLE,
        });
    }

    /// Keeps an inbound SA for packets still under way, for a while.
    pub(crate) fn retire_inbound(&mut self, env: &mut Environment, spi: u32) {
        if self.retired.len() >= RETIRED_SAS {
            let (_, oldest) = self.retired.remove(0);
            env.remove_inbound(self.peer, oldest);
        }
        self.retired
            .push((env.now + env.config.timers.old_sa_hold, spi));
    }

    /// Removes every SA, those of `current` and the retired.
    pub(crate) fn remove_sas(&mut self, env: &mut Environment, current: u32) {
        let retired = mem::take(&mut self.retired);
        let spis = retired.into_iter().map(|(_, spi)| spi).chain([current]);
        env.remove_sas(self.peer, spis);
    }

    pub(crate) fn view(&self, local: Hit, now: Instant) -> AssociationView {
        AssociationView {
            local,
            peer: self.peer,
            state: self.state.name(),
            in_state: now.saturating_duration_since(self.since),
            locators: self.locators.clone(),
            session: self.state.session().map(|session| session.view(now)),
        }
    }

    fn transition(
        &mut self,
        env: &mut Environment,
        next: impl FnOnce(&mut Environment, &mut Self, State) -> State,
    ) {
        let state = mem::replace(&mut self.state, State::IDLE);
        let from = state.name();
        let state = next(env, self, state);
        let to = state.name();
        self.state = state;
        if from != to {
            self.since = env.now;
            env.event(Event::StateChanged {
                peer: self.peer,
                from,
                to,
            });
        }
    }
}

impl Session {
    fn view(&self, now: Instant) -> SessionView {
        let agreed = self.security.agreed;
        SessionView {
            role: self.role,
            path: self.path,
            inbound_spi: self.inbound_spi,
            outbound_spi: self.outbound_spi,
            dh_group: agreed.dh_group,
            cipher: agreed.cipher,
            esp_suite: agreed.esp_suite,
            exchange: self.exchange,
            idle: now.saturating_duration_since(self.last_used),
        }
    }

    /// Tells the shell that data can go.
    pub(crate) fn announce(&self, env: &mut Environment) {
        match self.role {
            Role::Initiator => env.stats.established_initiator += 1,
            Role::Responder => env.stats.established_responder += 1,
        }
        let agreed = self.security.agreed;
        env.event(Event::Established {
            peer: self.security.peer,
            role: self.role,
            duration: self.exchange,
            path: self.path,
            dh_group: agreed.dh_group,
            cipher: agreed.cipher,
            esp_suite: agreed.esp_suite,
        });
    }
}
