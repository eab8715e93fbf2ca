//! CLOSING and CLOSED (RFC 7401 §6.14, §6.15).

use std::time::Duration;

use hip_wire::builder::PacketBuilder;
use hip_wire::packet::Packet;
use hip_wire::param::{EchoRequestSigned, EchoResponseSigned, HipMac};
use hip_wire::registry::PacketType;
use hip_wire::time::Instant;

use super::keys::Security;
use super::{Association, I1Sent, Session, State};
use crate::environment::Environment;
use crate::event::{CloseReason, Event, FailReason};
use crate::path::Path;
use crate::stats::DropReason;

/// Intervals between CLOSEs double up to this.
const CLOSE_INTERVAL_CAP: Duration = Duration::from_secs(64);

/// Octets in ECHO_REQUEST_SIGNED of CLOSE.
const ECHO: usize = 16;

/// CLOSING: CLOSE was sent; no data may be.
// 7401-4.4.3-46
pub(crate) struct Closing {
    security: Security,
    path: Path,
    echo: [u8; ECHO],
    packet: Vec<u8>,
    due: Instant,
    interval: Duration,
    until: Instant,
}

impl Closing {
    /// Removes the SAs and sends CLOSE.
    // 7401-5.3.7-01, 7401-5.3.7-02, 7402-3.3.1-05, 7402-6.7-01
    pub(crate) fn start(
        association: &mut Association,
        env: &mut Environment,
        session: Session,
        reason: CloseReason,
    ) -> State {
        let Session {
            security,
            path,
            inbound_spi,
            ..
        } = session;
        association.remove_sas(env, inbound_spi);
        env.event(Event::Closed {
            peer: security.peer,
            reason,
        });
        let echo = env.random::<ECHO>();
        let packet = match build(env, &security, PacketType::Close, &echo) {
            Ok(packet) => packet,
            Err(reason) => {
                env.drop_packet(security.peer, reason);
                return State::IDLE;
            }
        };
        env.send(path, packet.clone());
        let timers = &env.config.timers;
        State::Closing(Box::new(Self {
            security,
            path,
            echo,
            packet,
            due: env.now + timers.retransmit,
            interval: timers.retransmit,
            // 7401-4.4.3-37
            until: env.now + timers.ual + timers.msl,
        }))
    }

    pub(crate) fn path(&self) -> Path {
        self.path
    }

    pub(crate) fn security(&self) -> &Security {
        &self.security
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.due.min(self.until)
    }

    // 7401-4.4.3-36, 7401-6.15-01
    pub(crate) fn on_close_ack(
        self: Box<Self>,
        env: &mut Environment,
        packet: &Packet<'_>,
    ) -> State {
        match check_close_ack(&self.security, &self.echo, packet) {
            Ok(()) => State::IDLE,
            Err(reason) => {
                env.drop_packet(self.security.peer, reason);
                State::Closing(self)
            }
        }
    }

    pub(crate) fn on_timeout(mut self: Box<Self>, env: &mut Environment) -> State {
        if self.until <= env.now {
            return State::IDLE;
        }
        if self.due <= env.now {
            env.resend(self.path, self.packet.clone());
            self.interval = (self.interval * 2).min(CLOSE_INTERVAL_CAP);
            self.due = env.now + self.interval;
        }
        State::Closing(self)
    }
}

/// CLOSED: CLOSE_ACK was sent and may have to be sent again.
pub(crate) struct Closed {
    security: Security,
    path: Path,
    until: Instant,
    /// HIP_MAC of the last CLOSE, and the CLOSE_ACK to it.
    answered: (Vec<u8>, Vec<u8>),
    /// The echo in our own CLOSE, if both ends closed at once.
    echo: Option<[u8; ECHO]>,
    /// New data waits: I1 is out (7401-4.4.3-38).
    attempt: Option<Box<I1Sent>>,
}

impl Closed {
    pub(crate) fn path(&self) -> Path {
        self.path
    }

    pub(crate) fn security(&self) -> &Security {
        &self.security
    }

    pub(crate) fn is_reopening(&self) -> bool {
        self.attempt.is_some()
    }

    pub(crate) fn reopen(&mut self, attempt: Box<I1Sent>) {
        self.attempt = Some(attempt);
    }

    pub(crate) fn stop_reopening(&mut self) {
        self.attempt = None;
    }

    pub(crate) fn deadline(&self) -> Instant {
        let attempt = self.attempt.as_ref().map(|attempt| attempt.deadline());
        attempt.map_or(self.until, |due| due.min(self.until))
    }

    /// R1 counts only while an I1 of ours is out (digest pitfall 8).
    // 7401-4.4.3-41, 7401-6.8-01
    pub(crate) fn on_r1(
        mut self: Box<Self>,
        env: &mut Environment,
        path: Path,
        packet: &Packet<'_>,
    ) -> State {
        match self.attempt.take() {
            Some(attempt) => {
                let next = attempt.on_r1(env, path, packet);
                self.continue_with(next)
            }
            None => {
                env.drop_packet(self.security.peer, DropReason::WrongState);
                State::Closed(self)
            }
        }
    }

    // 7401-4.4.3-43
    pub(crate) fn on_close_ack(
        self: Box<Self>,
        env: &mut Environment,
        packet: &Packet<'_>,
    ) -> State {
        let checked = match &self.echo {
            Some(echo) => check_close_ack(&self.security, echo, packet),
            None => Err(DropReason::WrongState),
        };
        match checked {
            Ok(()) => self.end(),
            Err(reason) => {
                env.drop_packet(self.security.peer, reason);
                State::Closed(self)
            }
        }
    }

    pub(crate) fn on_timeout(mut self: Box<Self>, env: &mut Environment) -> State {
        // 7401-4.4.3-44
        if self.until <= env.now {
            return self.end();
        }
        match self.attempt.take() {
            Some(attempt) => {
                let next = attempt.on_timeout(env);
                self.continue_with(next)
            }
            None => State::Closed(self),
        }
    }

    /// An attempt that goes on leaves CLOSED as it is; one that failed does too.
    fn continue_with(mut self: Box<Self>, next: State) -> State {
        match next {
            State::I1Sent(attempt) => {
                self.attempt = Some(attempt);
                State::Closed(self)
            }
            State::Failed(_) => State::Closed(self),
            other => other,
        }
    }

    fn end(self: Box<Self>) -> State {
        self.attempt.map_or(State::IDLE, State::I1Sent)
    }
}

/// A CLOSE, in any state.
// 7401-6.14-01, 7401-6.14-04
pub(super) fn on_close(
    association: &mut Association,
    env: &mut Environment,
    path: Path,
    packet: &Packet<'_>,
    state: State,
) -> State {
    let peer = association.peer;
    let security = match &state {
        State::I2Sent(state) => &state.security,
        State::R2Sent(state) => &state.session.security,
        State::Established(state) => &state.session.security,
        State::Closing(state) => &state.security,
        State::Closed(state) => &state.security,
        State::I1Sent(_) => {
            env.drop_packet(peer, DropReason::WrongState);
            return state;
        }
        State::Unassociated(_) | State::Failed(_) => {
            env.drop_packet(peer, DropReason::NoAssociation);
            return state;
        }
    };
    let answered = match &state {
        State::Closed(closed) => Some(&closed.answered),
        _ => None,
    };
    match acknowledge(env, security, answered, packet) {
        Ok(answered) => {
            env.send(path, answered.1.clone());
            closed(association, env, path, answered, state)
        }
        Err(reason) => {
            env.drop_packet(peer, reason);
            state
        }
    }
}

/// Verifies a CLOSE; gives its HIP_MAC and the CLOSE_ACK, made once per CLOSE.
// 7401-5.3.7-04, 7401-5.2.20-05
fn acknowledge(
    env: &Environment,
    security: &Security,
    answered: Option<&(Vec<u8>, Vec<u8>)>,
    packet: &Packet<'_>,
) -> Result<(Vec<u8>, Vec<u8>), DropReason> {
    security.verify(packet)?;
    let HipMac(mac) = packet.require()?;
    if let Some(answered) = answered.filter(|(earlier, _)| earlier == mac) {
        return Ok(answered.clone());
    }
    let echo: EchoRequestSigned<'_> = packet.require()?;
    let ack = build(env, security, PacketType::CloseAck, echo.0)?;
    Ok((mac.to_vec(), ack))
}

/// Enters CLOSED from any state that has keys.
fn closed(
    association: &mut Association,
    env: &mut Environment,
    path: Path,
    answered: (Vec<u8>, Vec<u8>),
    state: State,
) -> State {
    let timers = &env.config.timers;
    let until = env.now + timers.ual + timers.msl * 2;
    let (security, echo) = match state {
        State::I2Sent(state) => {
            let peer = association.peer;
            env.event(Event::Failed {
                peer,
                reason: FailReason::ClosedByPeer,
            });
            (state.into_security(env), None)
        }
        State::R2Sent(state) => (end_session(association, env, state.session), None),
        State::Established(state) => (end_session(association, env, state.session), None),
        State::Closing(state) => (state.security, Some(state.echo)),
        State::Closed(mut state) => {
            state.answered = answered;
            return State::Closed(state);
        }
        other => return other,
    };
    State::Closed(Box::new(Closed {
        security,
        path,
        until,
        answered,
        echo,
        attempt: None,
    }))
}

fn end_session(association: &mut Association, env: &mut Environment, session: Session) -> Security {
    association.remove_sas(env, session.inbound_spi);
    env.event(Event::Closed {
        peer: association.peer,
        reason: CloseReason::Peer,
    });
    session.security
}

// 7401-5.3.8-03: echo, MAC and signature
fn check_close_ack(
    security: &Security,
    echo: &[u8],
    packet: &Packet<'_>,
) -> Result<(), DropReason> {
    let response: EchoResponseSigned<'_> = packet.require()?;
    if response.0 != echo {
        return Err(DropReason::BadEcho);
    }
    security.verify(packet)?;
    Ok(())
}

/// CLOSE with a request, or CLOSE_ACK with the response.
// 7401-5.3.7-03, 7401-5.3.8-01, 7401-5.3.8-02
fn build(
    env: &Environment,
    security: &Security,
    packet_type: PacketType,
    echo: &[u8],
) -> Result<Vec<u8>, DropReason> {
    let mut packet = PacketBuilder::new(packet_type, security.local, security.peer);
    if packet_type == PacketType::Close {
        packet.push(&EchoRequestSigned(echo))?;
    } else {
        packet.push(&EchoResponseSigned(echo))?;
    }
    security.seal(env, packet)
}
