//! What the host asks of the shell.

use hip_crypto::keymat::EspKeys;
use hip_wire::hit::Hit;

use crate::event::Event;
use crate::path::Path;

/// One thing for the shell to do, in the order given.
#[derive(Debug)]
pub enum Output {
    /// Send this HIP control packet. The checksum is filled in for raw
    /// transport and 0 for UDP; with UDP the shell adds the marker of 4 zero octets.
    Send {
        /// Addresses and carrier.
        path: Path,
        /// The packet from the HIP header on.
        bytes: Vec<u8>,
    },
    /// Accept ESP with this SPI from now on. Other inbound SAs of the peer stay.
    InstallInbound(SaParameters),
    /// Send ESP to the peer with this SA from now on; replaces the outbound SA of the peer.
    InstallOutbound(SaParameters),
    /// A new inbound SA took over: forget the old one. The host has waited long enough for stragglers.
    RemoveInbound {
        /// HIT of this host.
        local: Hit,
        /// HIT of the peer.
        peer: Hit,
        /// Which inbound SA.
        spi: u32,
    },
    /// Send the ESP of the peer's outbound SA along another path from now on.
    MovePath {
        /// HIT of this host.
        local: Hit,
        /// HIT of the peer.
        peer: Hit,
        /// The new path.
        path: Path,
    },
    /// Forget every SA between the two.
    RemoveSas {
        /// HIT of this host.
        local: Hit,
        /// HIT of the peer.
        peer: Hit,
    },
    /// The host wants [`Input::Locators`](crate::Input::Locators) for this peer.
    NeedLocators {
        /// Whose addresses.
        peer: Hit,
    },
    /// Something worth knowing; nothing to do.
    Event(Event),
}

/// One ESP security association, one direction (RFC 7402).
#[derive(Debug, Clone)]
pub struct SaParameters {
    /// HIT of this host.
    pub local: Hit,
    /// HIT of the peer.
    pub peer: Hit,
    /// The SPI in the packets of this direction (>= 256).
    pub spi: u32,
    /// Suite and keys of this direction.
    pub keys: EspKeys,
    /// Where packets go (outbound) or are expected from (inbound; a hint).
    pub path: Path,
}
