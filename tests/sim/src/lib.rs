//! A seeded world in virtual time: the network with its faults and NAT boxes, HIP hosts on it,
//! and overlay peers.
//!
//! ```text
//!   story ── seed ──▶ world ── Input ──▶ cores (hip-core, hip-esp, reload-core)
//!     ▲                │  ◀── Output ──      │
//!     │ outcome, log   ▼                     │ bytes
//!     └──────────── network ◀────────────────┘
//! ```
//!
//! Everything a run does follows from its seed: the same seed gives the same event log, line by
//! line. Nothing here reads a clock, opens a socket or draws randomness of the system. A failing
//! seed is replayed with `cargo xtask sim --story NAME --seed N`.
//!
//! ```
//! use std::time::Duration;
//! use hip_sim::{hip_world::{Carrier, HipWorld}, link::LinkConfig, log::EventLog};
//!
//! let log = EventLog::new(true);
//! let mut world = HipWorld::new(7, &log);
//! let (a, b) = (world.add_host(LinkConfig::default()), world.add_host(LinkConfig::default()));
//! world.introduce(a, b, Carrier::Udp);
//! // The first packet brings the association up.
//! let packet = world.send(a, b, b"hello".to_vec());
//! assert!(world.run_until(Duration::from_secs(1), |world| world.arrived(packet)));
//! world.check_quiet().unwrap();
//! ```

#![forbid(unsafe_code)]

pub mod hip_world;
pub mod link;
pub mod log;
pub mod nat;
pub mod network;
pub mod overlay_world;
pub mod packet;
pub mod random;
pub mod story;
