//! Commands that change the tables, applied between batches by the thread that owns them.

use hip_wire::hit::Lsi;
use hip_wire::path::Path;

use crate::sa::{HitPair, SaParameters};

/// Changes to [`Outbound`](crate::Outbound).
#[derive(Debug, Clone)]
pub enum OutboundCommand {
    /// Seal with this SA from now on; replaces the outbound SA of the pair.
    Install(SaParameters),
    /// Forget the outbound SA of the pair; packets for it are pending again.
    Remove(HitPair),
    /// Send along another path; the path MTU is unknown again.
    MovePath {
        /// Which association.
        pair: HitPair,
        /// The new path.
        path: Path,
    },
    /// The path carries outer IP packets of at most this size.
    PathMtu {
        /// Which association.
        pair: HitPair,
        /// Octets, outer IP header included.
        mtu: usize,
    },
    /// The peer answers to this LSI on this host.
    MapLsi {
        /// The peer's LSI.
        lsi: Lsi,
        /// Which association.
        pair: HitPair,
    },
    /// The LSI is nobody's.
    UnmapLsi {
        /// The LSI.
        lsi: Lsi,
    },
}

/// Changes to [`Inbound`](crate::Inbound).
#[derive(Debug, Clone)]
pub enum InboundCommand {
    /// Accept ESP with this SPI from now on. Other SAs of the pair stay: at
    /// rekey old and new work side by side (7402-6.8-11).
    Install(SaParameters),
    /// Forget one inbound SA.
    RemoveSpi {
        /// Its SPI.
        spi: u32,
    },
    /// Forget every inbound SA of the pair.
    Remove(HitPair),
    /// IPv4 packets of the peer come from this LSI.
    MapLsi {
        /// The peer's LSI.
        lsi: Lsi,
        /// Which association.
        pair: HitPair,
    },
    /// The peer has no LSI any more.
    UnmapLsi {
        /// Which association.
        pair: HitPair,
    },
}
