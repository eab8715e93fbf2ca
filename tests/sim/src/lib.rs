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
