//! A snapshot of an association for status pages and `hipctl`.

use std::time::Duration;

use hip_wire::hit::Hit;
use hip_wire::registry::{DhGroup, EspSuite, HipCipher};

use crate::event::{Role, StateName};
use crate::path::{Path, PeerLocator};

/// What [`Host::associations`](crate::Host::associations) tells of one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssociationView {
    /// HIT of this host.
    pub local: Hit,
    /// HIT of the peer.
    pub peer: Hit,
    /// State of RFC 7401.
    pub state: StateName,
    /// How long it has been in this state.
    pub in_state: Duration,
    /// Known addresses of the peer.
    pub locators: Vec<PeerLocator>,
    /// What a completed exchange gave; `None` before.
    pub session: Option<SessionView>,
}

/// What a completed base exchange gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// The side of this host in the exchange.
    pub role: Role,
    /// Where the peer is.
    pub path: Path,
    /// SPI of packets coming in.
    pub inbound_spi: u32,
    /// SPI of packets going out.
    pub outbound_spi: u32,
    /// Diffie-Hellman group.
    pub dh_group: DhGroup,
    /// Cipher of ENCRYPTED parameters.
    pub cipher: HipCipher,
    /// ESP suite.
    pub esp_suite: EspSuite,
    /// Duration of the exchange as this side saw it.
    pub exchange: Duration,
    /// Since the last packet in either direction.
    pub idle: Duration,
}
