//! The one list of things that happen in a [`Host`](crate::Host).
//!
//! Tracing, metrics, the status page and the simulator's event log are all
//! subscribers of it; `Display` gives one line of stable text per event.

use std::fmt;
use std::time::Duration;

use hip_wire::hit::Hit;
use hip_wire::registry::{DhGroup, EspSuite, HipCipher};

use crate::path::Path;
use crate::stats::DropReason;

/// The states of RFC 7401 §4.4.2.
// 7401-4.4.2-01
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateName {
    /// No association; locators may be looked up.
    Unassociated,
    /// I1 sent, waiting for R1.
    I1Sent,
    /// I2 sent, waiting for R2.
    I2Sent,
    /// R2 sent, waiting for a sign that it arrived.
    R2Sent,
    /// Both SAs are in use.
    Established,
    /// CLOSE sent, waiting for CLOSE_ACK.
    Closing,
    /// CLOSE_ACK sent, state kept to repeat it.
    Closed,
    /// The exchange failed; a pause before the next one.
    Failed,
}

impl StateName {
    /// The name as RFC 7401 writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unassociated => "UNASSOCIATED",
            Self::I1Sent => "I1-SENT",
            Self::I2Sent => "I2-SENT",
            Self::R2Sent => "R2-SENT",
            Self::Established => "ESTABLISHED",
            Self::Closing => "CLOSING",
            Self::Closed => "CLOSED",
            Self::Failed => "E-FAILED",
        }
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The side of a base exchange. It ends with the exchange (7401-2.3-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sent I1 and I2.
    Initiator,
    /// Sent R1 and R2.
    Responder,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        })
    }
}

/// Why a base exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailReason {
    /// No address of the peer is known, or none of a family this host has.
    NoLocators,
    /// No R1 came to any of the addresses.
    NoAnswer,
    /// R1 came, but no acceptable R2 after the last I2.
    NoR2,
    /// The peer does not accept the HIT suite of this host (RFC 7401 §6.8 step 5).
    HitSuiteRefused,
    /// The R1 shows that the DH_GROUP_LIST of the I1 was altered, or no group is common (§6.8 step 7).
    DhGroup,
    /// No common HIP_CIPHER.
    NoCipher,
    /// No common ESP suite (RFC 7402 §6.4).
    NoEspSuite,
    /// The puzzle is harder than policy allows, or was not solved in its lifetime.
    Puzzle,
    /// The peer ended the association before it was complete here.
    ClosedByPeer,
    /// The address is no HIT, or that of this host.
    NotAHit,
    /// Policy of this host forbids it.
    Policy,
    /// The association table is full.
    TableFull,
    /// This host could not make a packet or key; see the log.
    Local,
}

impl FailReason {
    /// A clause for a log line or an error message.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoLocators => "no usable address of the peer is known",
            Self::NoAnswer => "the peer does not answer at any of its addresses",
            Self::NoR2 => "the peer answered at first, but did not complete the exchange",
            Self::HitSuiteRefused => "the peer does not accept the HIT suite of this host",
            Self::DhGroup => "no common Diffie-Hellman group, or the group list was tampered with",
            Self::NoCipher => "no common HIP cipher",
            Self::NoEspSuite => "no common ESP suite",
            Self::Puzzle => "the peer's puzzle is too hard",
            Self::ClosedByPeer => "the peer closed the association at once",
            Self::NotAHit => "the address is not the HIT of another host",
            Self::Policy => "the local access policy forbids this peer",
            Self::TableFull => "the association table is full",
            Self::Local => "a local cryptographic or encoding failure",
        }
    }
}

impl fmt::Display for FailReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Why an association ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The shell asked.
    Local,
    /// The peer sent CLOSE.
    Peer,
    /// No packet for the unused association lifetime.
    Idle,
    /// An UPDATE was not acknowledged (RFC 7401 §6.11 step 4).
    Unreachable,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "closed by this host",
            Self::Peer => "closed by the peer",
            Self::Idle => "unused",
            Self::Unreachable => "the peer does not answer any more",
        })
    }
}

/// Something that happened; see [`Output::Event`](crate::Output::Event).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// SAs in both directions are in place; waiting data can go. As
    /// Responder this is at R2-SENT: the Initiator cannot lose what it sends
    /// first, because its inbound SA has been there since its I2.
    Established {
        /// The other end.
        peer: Hit,
        /// The side of this host.
        role: Role,
        /// From the first I1 to R2 (Initiator), or from the I2 on (Responder: 0).
        duration: Duration,
        /// Where the peer is.
        path: Path,
        /// Diffie-Hellman group of the exchange.
        dh_group: DhGroup,
        /// Cipher of ENCRYPTED parameters.
        cipher: HipCipher,
        /// ESP suite of both SAs.
        esp_suite: EspSuite,
    },
    /// No association came about; waiting data is to be refused.
    Failed {
        /// The other end.
        peer: Hit,
        /// Why.
        reason: FailReason,
    },
    /// The SAs are gone.
    Closed {
        /// The other end.
        peer: Hit,
        /// Why.
        reason: CloseReason,
    },
    /// A state transition of RFC 7401 §4.4.3.
    StateChanged {
        /// The other end.
        peer: Hit,
        /// State before.
        from: StateName,
        /// State after.
        to: StateName,
    },
    /// A packet was not used; also counted in [`Stats`](crate::Stats).
    Dropped {
        /// The sender HIT in the packet, if it could be read.
        peer: Option<Hit>,
        /// Why.
        reason: DropReason,
    },
    /// The peer's NOTIFY said this (informational, RFC 7401 §6.13).
    Notified {
        /// The other end.
        peer: Hit,
        /// Notify message type, RFC 7401 §5.2.19.
        code: u16,
    },
    /// The peer is reached on another path from now on.
    PathChanged {
        /// The other end.
        peer: Hit,
        /// The path until now.
        from: Path,
        /// The path from now on.
        to: Path,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Established {
                peer,
                role,
                duration,
                path,
                dh_group,
                cipher,
                esp_suite,
            } => write!(
                f,
                "established peer={peer} role={role} ms={}.{:03} path={path} dh={} cipher={} esp={}",
                duration.as_millis(),
                duration.subsec_micros() % 1000,
                dh_group.name(),
                cipher.name(),
                esp_suite.name(),
            ),
            Self::Failed { peer, reason } => write!(f, "failed peer={peer} reason={reason}"),
            Self::Closed { peer, reason } => write!(f, "closed peer={peer} reason={reason}"),
            Self::StateChanged { peer, from, to } => write!(f, "state peer={peer} {from} > {to}"),
            Self::Dropped {
                peer: Some(peer),
                reason,
            } => {
                write!(f, "dropped peer={peer} reason={reason}")
            }
            Self::Dropped { peer: None, reason } => write!(f, "dropped reason={reason}"),
            Self::Notified { peer, code } => write!(f, "notified peer={peer} code={code}"),
            Self::PathChanged { peer, from, to } => {
                write!(f, "path peer={peer} {from} => {to}")
            }
        }
    }
}
