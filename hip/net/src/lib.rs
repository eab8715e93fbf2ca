//! The IO shell of the HIP host: the only crate below the program that touches the operating
//! system, and the only one with unsafe code (module `sys`).
//!
//! ```text
//!            applications                        hipd
//!                 │                               │ HipHost: connect, close, status, events
//!            ┌────┴────┐    commands       ┌──────┴──────┐
//!            │  hip0   │  ┌───────────────►│   driver    │  hip_core::Host, timers, LSIs, hosts
//!            │  (TUN)  │  │ Connect,       └─┬────┬────▲─┘
//!            └─┬─────▲─┘  │ activity         │SAs │    │ HIP control packets
//!       batches│     │    │                  ▼    │    │
//!            ┌─▼─────┼────┴┐          ┌──────────┐│ ┌──┴──────────┐
//!            │ seal thread │          │ commands ││ │ open thread │
//!            │  Outbound   │◄─────────┤ eventfd  ├┼►│   Inbound   │
//!            └─┬───────────┘          └──────────┘│ └──▲──────────┘
//!              ▼ sendmmsg                    send ▼    │ recvmmsg
//!        UDP 10500 (IPv4, IPv6) · raw 50 and 139 (IPv4, IPv6)
//! ```
//!
//! ```no_run
//! # async fn run() -> Result<(), hip_net::NetError> {
//! use std::{path::Path, sync::Arc};
//!
//! use hip_crypto::identity::KeyAlgorithm;
//! use hip_net::{HipHost, HipHostConfig, hosts::HostsFile, keyfile};
//!
//! let key = Path::new("/var/lib/hip/host.pem");
//! let (identity, _) = keyfile::load_or_create(key, KeyAlgorithm::EcdsaP256)?;
//! let mut config = HipHostConfig::new(Arc::new(identity));
//! config.hosts = HostsFile::load(Path::new("/etc/hip/hosts"))?;
//! let host = HipHost::start(config)?;
//! let mut events = host.events();
//! while let Ok(event) = events.recv().await {
//!     println!("{event}");
//! }
//! host.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here decides anything about the protocol: that is `hip_core` (RFC 7401, RFC 9028) and
//! `hip_esp` (RFC 7402). This crate opens, reads, writes, measures time and cleans up.

pub mod clock;
mod datapath;
mod driver;
mod error;
mod host;
pub mod hosts;
mod ingress;
pub mod keyfile;
mod keylog;
mod locators;
pub mod lsi;
mod mailbox;
mod message;
mod netlink;
pub mod rng;
mod sockets;
pub mod status;
mod sys;
mod tun;

pub use error::NetError;
pub use hip_core::Event;
pub use host::{HipHost, HipHostConfig};
