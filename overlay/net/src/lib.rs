//! The IO shell of the overlay: TCP links to HITs, durable storage, and the task that drives a
//! [`reload_core::Node`].
//!
//! ```text
//!   hipd ──command, status──> Overlay ──channel──> node task ──handle/poll──> reload_core::Node
//!                                                  │      │
//!                              Persist (one durable │      │ Send, Open, CloseLink
//!                              transaction a batch) ▼      ▼
//!                                               Store     Links ── TCP [HIT]:6084 through hip0
//! ```
//!
//! What it may not do: decide anything about the overlay; that is `reload_core` (RFC 6940). Who
//! is at the other end of a link is known from its address: through `hip0` only the holder of a
//! HIT's key can use that HIT (RFC 7401), so TCP needs no TLS here
//! (docs/decisions/0006-hit-transport.md).
//!
//! ```no_run
//! # async fn run(identity: std::sync::Arc<hip_crypto::HostIdentity>,
//! #     rng: Box<dyn hip_crypto::Rng>, clock: fn() -> hip_wire::time::Instant)
//! #     -> Result<(), Box<dyn std::error::Error>> {
//! use reload_net::{LinkConfig, Overlay, OverlayConfig};
//!
//! let links = LinkConfig::hit(identity.hit(), 6084, "hip0");
//! let overlay = Overlay::start(OverlayConfig {
//!     node: reload_core::NodeConfig::new("hip.overlay"),
//!     identity,
//!     rng,
//!     links,
//!     data: "/var/lib/hip/overlay.redb".into(),
//!     clock,
//! })?;
//! let status = overlay.status().await?;
//! println!("{:?} with {} links", status.state, status.connections.len());
//! overlay.shutdown().await;
//! # Ok(()) }
//! ```

#![forbid(unsafe_code)]

mod error;
mod link_hit;
mod node;
mod store;

pub use error::OverlayError;
pub use link_hit::{Directory, HitDirectory, LinkConfig};
pub use node::{Overlay, OverlayConfig};
pub use store::{MovedAside, Store, StoreError};
