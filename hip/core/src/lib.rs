//! The HIPv2 protocol (RFC 7401, RFC 7402) as a sans-IO state machine.
//!
//! What it is: [`Host`], which runs base exchanges, keeps associations alive,
//! moves and closes them, and says which packets to send, which security
//! associations to install and when to be called again.
//!
//! What it may not do: sockets, clocks, randomness of its own, threads, files,
//! log lines. Time is an argument, randomness is injected, and everything
//! worth knowing is an [`Event`]. It does not know `hip-esp` either: keys
//! leave as values.
//!
//! ```text
//!   packet, timeout, data waits,          ┌──────────────── Host ────────────────┐
//!   locators, addresses, ESP passed       │                                      │
//!   ─────────── handle(now, Input) ──────►│ I1 ─► R1 pool (no state) ─► R1       │
//!                                         │                                      │
//!   ◄────────── poll() -> Output ─────────│ other ─► Association by HIT          │
//!   send, install or remove SAs,          │   UNASSOCIATED  I1-SENT  I2-SENT     │
//!   need locators, event                  │   R2-SENT  ESTABLISHED               │
//!                                         │   CLOSING  CLOSED  E-FAILED          │
//!   ◄──────── next_deadline() ────────────│ timers: one per association          │
//!                                         └──────────────────────────────────────┘
//! ```
//!
//! States are types (`assoc`): a handler consumes one and returns the next,
//! and what a state needs to retransmit lives in it. Checks leave proof:
//! `PuzzleSolved` is needed to derive keys, `MacValid` and `SignatureValid`
//! to accept an I2, an authenticated echo to send data to a new address.
//!
//! RFCs: 7401, 7402 (set-up of ESP; not the data plane), 8046 (moves without
//! rekeying), 9028 §5.1 (UDP encapsulation).
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use hip_core::{Event, Host, HostConfig, Input, Output, Path, PeerLocator};
//! use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
//! use hip_crypto::rng::SeededRng;
//! use hip_wire::time::Instant;
//!
//! let now = Instant::from_secs(1);
//! let mut hosts = [1, 2].map(|seed| {
//!     let identity = HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, seed).unwrap();
//!     let rng = Box::new(SeededRng::new(seed));
//!     Host::new(HostConfig::default(), Arc::new(identity), rng)
//! });
//! let peer = hosts[1].hit();
//! let locators = vec![PeerLocator::udp("192.0.2.2:10500".parse().unwrap())];
//! hosts[0].handle(now, Input::Connect { peer });
//! hosts[0].handle(now, Input::Locators { peer, locators });
//!
//! // A network without delay: what one host sends, the other gets.
//! let mut established = 0;
//! let mut turn = 0;
//! for _ in 0..8 {
//!     while let Some(output) = hosts[turn].poll() {
//!         match output {
//!             Output::Send { path, bytes } => {
//!                 let path = Path { local: path.remote, remote: path.local, ..path };
//!                 hosts[1 - turn].handle(now, Input::Packet { path, bytes: &bytes });
//!             }
//!             Output::Event(Event::Established { .. }) => established += 1,
//!             _ => {}
//!         }
//!     }
//!     turn = 1 - turn;
//! }
//! assert_eq!(established, 2);
//! ```
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

mod access;
mod address;
mod assoc;
mod config;
mod environment;
mod event;
mod host;
mod input;
mod notify;
mod output;
mod path;
mod r1;
mod rate;
mod stats;
mod status;
#[cfg(test)]
mod tests;
mod update;

pub use access::AccessPolicy;
pub use config::{HostConfig, Limits, PuzzleConfig, Timers};
pub use event::{CloseReason, Event, FailReason, Role, StateName};
pub use host::Host;
pub use input::Input;
pub use output::{Output, SaParameters};
pub use path::{Path, PeerLocator, Transport};
pub use stats::{DropReason, Stats};
pub use status::{AssociationView, SessionView};
