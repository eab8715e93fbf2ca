//! What the shell tells the host.

use std::net::IpAddr;

use hip_wire::hit::Hit;

use crate::path::{Path, PeerLocator};

/// Something that happened outside of the core.
#[derive(Debug)]
pub enum Input<'a> {
    /// A HIP control packet arrived; `bytes` start with the HIP header (the
    /// shell took the UDP marker off). The host checks the checksum of
    /// [`Transport::Raw`](crate::Transport::Raw) packets.
    Packet {
        /// Where it came from and the local address it was sent to.
        path: Path,
        /// The packet, exactly.
        bytes: &'a [u8],
    },
    /// The time of [`Host::next_deadline`](crate::Host::next_deadline) has come (early is harmless).
    Timeout,
    /// An application has data for `peer`; the shell holds the data back until
    /// [`Event::Established`](crate::Event::Established) or [`Event::Failed`](crate::Event::Failed).
    Connect {
        /// Whom the data is for.
        peer: Hit,
    },
    /// The answer to [`Output::NeedLocators`](crate::Output::NeedLocators), or news; replaces what was known.
    /// Best first. Empty: nothing is known.
    Locators {
        /// Whose addresses these are.
        peer: Hit,
        /// The addresses in order of preference.
        locators: Vec<PeerLocator>,
    },
    /// ESP packets passed since the last report (feeds the unused-association
    /// timer and ends R2-SENT). A report per second and peer is enough.
    EspActivity {
        /// The other end of the SAs.
        peer: Hit,
        /// At least one authentic packet came in.
        inbound: bool,
        /// At least one packet went out.
        outbound: bool,
    },
    /// End the association with `peer` (sends CLOSE).
    Close {
        /// The other end.
        peer: Hit,
    },
    /// End all associations, before the shell stops.
    CloseAll,
    /// The addresses this host has now, in order of preference; replaces the last list.
    LocalAddresses(Vec<IpAddr>),
}
