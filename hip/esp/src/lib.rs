//! ESP in BEET mode (RFC 7402): the data plane of a HIP host.
//!
//! What it is: tables of security associations and the functions that turn
//! inner IP packets (between HITs or LSIs) into ESP and back, in batches. What
//! it may not do: IO, threads, clocks, randomness of its own, unsafe code. It
//! does not know the protocol core; keys arrive as values in commands.
//!
//! ```text
//!  TUN --inner IP--> Outbound::seal --> SealedBatch --runs--> UDP 10500 or IP protocol 50
//!                       |   \--> Verdict::Pending --> PendingQueue (connect, then seal)
//!                       \------> Verdict::Icmp -----> SealedBatch::replies --> TUN
//!
//!  UDP or IP 50 --ESP--> Inbound::open --> OpenedBatch::packets --inner IP--> TUN
//! ```
//!
//! Each table belongs to one thread: no lock and, once warm, no allocation per
//! packet. Splitting and joining of offload super-packets belongs between the
//! TUN and these functions; sealed packets of equal size to one destination
//! already lie side by side for UDP_SEGMENT.
//!
//! RFCs: 7402 (ESP with HIP, BEET), 4303 (ESP, extended sequence numbers), 9028 §5.1 (in UDP).

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::cast_possible_truncation
    )
)]

mod batch;
mod beet;
mod checksum;
mod command;
mod drop;
pub mod encap;
mod hash;
pub mod icmp;
mod inner;
mod ivs;
mod open;
mod pending;
pub mod replay;
mod sa;
mod seal;

pub use batch::{
    BATCH_PACKETS, Opened, OpenedBatch, RUN_BYTES_MAX, RUN_SEGMENTS_MAX, Run, SealedBatch,
};
pub use beet::OuterHeader;
pub use command::{InboundCommand, OutboundCommand};
pub use drop::{DropCounters, DropReason, Stats};
pub use encap::{InnerMtu, SuiteLayout, inner_mtu};
pub use hip_wire::path::{Path, Transport};
pub use open::Inbound;
pub use pending::{PendingLimits, PendingQueue};
pub use sa::{HitPair, SPI_MIN, SaError, SaParameters, SaView};
pub use seal::{Outbound, OutboundConfig, REKEY_SEQUENCE, Verdict};
