//! Plain counters: packets by type, drops by reason, exchanges by outcome.

use std::fmt;

use hip_wire::error::{WireError, WireErrorKind};
use hip_wire::registry::PacketType;

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a control packet was not used. Each has a counter in [`Stats`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DropReason { $($(#[$doc])* $name,)* }

        impl DropReason {
            /// All reasons, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A stable snake_case name for logs and metrics.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

drop_reasons! {
    /// Not a well-formed HIP packet.
    Malformed = "malformed",
    /// Wrong checksum (7401-5.4.2-03: no reply of any kind).
    Checksum = "checksum",
    /// A critical parameter this host does not know.
    UnknownCritical = "unknown_critical",
    /// A parameter the packet type needs is not there.
    MissingParameter = "missing_parameter",
    /// A parameter has a value the RFC does not allow here.
    BadParameter = "bad_parameter",
    /// The receiver HIT is not one of this host.
    NotOurHit = "not_our_hit",
    /// The sender HIT is not a HIT, is our own, or is of a suite this host lacks.
    BadSenderHit = "bad_sender_hit",
    /// The access policy forbids the peer.
    Policy = "policy",
    /// More I1s from one prefix, or more repeated UPDATEs, than the rate limit allows.
    RateLimited = "rate_limited",
    /// The association table is full.
    TableFull = "table_full",
    /// No association to which the packet belongs.
    NoAssociation = "no_association",
    /// The state of the association does not take this packet.
    WrongState = "wrong_state",
    /// Crossing exchanges: the host with the smaller HIT stays Initiator (RFC 7401 §6.7, §6.9).
    Crossing = "crossing",
    /// An I2 that answers an R1 older than the association.
    Overtaken = "overtaken",
    /// The Host Identity does not hash to the sender HIT.
    HitMismatch = "hit_mismatch",
    /// The signature does not verify.
    BadSignature = "bad_signature",
    /// The HIP_MAC or HIP_MAC_2 does not verify.
    BadMac = "bad_mac",
    /// The R1 generation counter is older than one already seen, or not one of ours.
    StaleCounter = "stale_counter",
    /// #I or Opaque in SOLUTION was not issued by this host for these HITs and addresses.
    UnknownPuzzle = "unknown_puzzle",
    /// #J does not solve the puzzle.
    BadSolution = "bad_solution",
    /// The puzzle is harder than this host solves.
    PuzzleTooHard = "puzzle_too_hard",
    /// The Diffie-Hellman group was not offered, or is not the best match of both lists.
    BadDhGroup = "bad_dh_group",
    /// The Diffie-Hellman public value is invalid.
    BadDhValue = "bad_dh_value",
    /// The HIP_CIPHER was not offered, or none is common.
    BadCipher = "bad_cipher",
    /// The ESP suite was not offered, is refused by policy, or none is common.
    BadEspSuite = "bad_esp_suite",
    /// The HIT suite of this host is not in the peer's list.
    HitSuiteRefused = "hit_suite_refused",
    /// ENCRYPTED does not decrypt to a HOST_ID.
    BadEncrypted = "bad_encrypted",
    /// An echo response does not equal the request.
    BadEcho = "bad_echo",
    /// SEQ outside of the window, or ACK of nothing outstanding.
    BadUpdateId = "bad_update_id",
    /// An R1 while its exchange is already under way with one as fresh.
    Duplicate = "duplicate",
    /// This host failed to make a key or a packet.
    Local = "local",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Counters since the start of the [`Host`](crate::Host).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    received: [u64; PACKET_TYPES],
    sent: [u64; PACKET_TYPES],
    dropped: [u64; DropReason::ALL.len()],
    /// Base exchanges completed as Initiator.
    pub established_initiator: u64,
    /// Base exchanges completed as Responder.
    pub established_responder: u64,
    /// Base exchanges failed.
    pub failed: u64,
    /// Packets sent again after a timeout.
    pub retransmitted: u64,
}

/// Packet type numbers are below this.
const PACKET_TYPES: usize = 32;

impl Stats {
    /// Well-formed packets of this type that came in.
    pub fn received(&self, packet_type: PacketType) -> u64 {
        self.received
            .get(usize::from(packet_type.number()))
            .copied()
            .unwrap_or(0)
    }

    /// Packets of this type that went out.
    pub fn sent(&self, packet_type: PacketType) -> u64 {
        self.sent
            .get(usize::from(packet_type.number()))
            .copied()
            .unwrap_or(0)
    }

    /// Packets not used for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get(reason as usize).copied().unwrap_or(0)
    }

    /// All drops that happened, by reason.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL
            .iter()
            .map(|&reason| (reason, self.dropped(reason)))
            .filter(|&(_, count)| count > 0)
    }

    pub(crate) fn count_received(&mut self, packet_type: PacketType) {
        bump(self.received.get_mut(usize::from(packet_type.number())));
    }

    pub(crate) fn count_sent(&mut self, packet_type: PacketType) {
        bump(self.sent.get_mut(usize::from(packet_type.number())));
    }

    pub(crate) fn count_dropped(&mut self, reason: DropReason) {
        bump(self.dropped.get_mut(reason as usize));
    }
}

fn bump(counter: Option<&mut u64>) {
    if let Some(counter) = counter {
        *counter = counter.wrapping_add(1);
    }
}

impl From<WireError> for DropReason {
    fn from(error: WireError) -> Self {
        match error.kind {
            WireErrorKind::MissingParameter(_) => Self::MissingParameter,
            _ => Self::Malformed,
        }
    }
}
