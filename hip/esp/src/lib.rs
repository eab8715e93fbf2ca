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
//! ```
//! use hip_crypto::{EspKeys, Secret, SeededRng};
//! use hip_esp::{
//!     Inbound, InboundCommand, OpenedBatch, OuterHeader, Outbound, OutboundCommand, OutboundConfig,
//!     Path, SaParameters, SealedBatch, Transport, Verdict,
//! };
//! use hip_wire::{hit::Hit, ip::Ipv6Header, registry::EspSuite};
//!
//! let (alice, bob): (Hit, Hit) = ("2001:21::1".parse()?, "2001:21::2".parse()?);
//! let address = "192.0.2.1:10500".parse()?;
//! let sa = |local, peer| SaParameters {
//!     local,
//!     peer,
//!     spi: 0x1234_5678,
//!     keys: EspKeys {
//!         suite: EspSuite::AesGcm16,
//!         encryption: Secret::new(vec![7; 20]),
//!         authentication: Secret::new(vec![]),
//!     },
//!     path: Path { transport: Transport::Udp, local: address, remote: address },
//! };
//! let lsi = std::net::Ipv4Addr::new(198, 18, 0, 1).into();
//! let rng = SeededRng::new(1); // the shell gives that of the operating system
//! let mut outbound = Outbound::new(OutboundConfig::new(alice, lsi), Box::new(rng.clone()));
//! let mut inbound = Inbound::new(lsi, &mut rng.clone());
//! outbound.apply(OutboundCommand::Install(sa(alice, bob)))?;
//! inbound.apply(InboundCommand::Install(sa(bob, alice)))?;
//!
//! let mut inner = vec![0; 40];
//! Ipv6Header::new(alice.to_addr(), bob.to_addr(), 17, 64, 8)?.write(&mut inner)?;
//! inner.extend_from_slice(b"datagram");
//!
//! let (mut sealed, mut opened) = (SealedBatch::new(), OpenedBatch::new());
//! assert_eq!(outbound.seal(&inner, &mut sealed), Verdict::Sealed);
//! for (_path, esp) in sealed.packets() {
//!     let from = inbound.open(&mut esp.to_vec(), OuterHeader::default(), &mut opened);
//!     assert_eq!(from.map(|opened| opened.pair.peer), Ok(alice));
//! }
//! assert_eq!(opened.packets().next(), Some(&inner[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
