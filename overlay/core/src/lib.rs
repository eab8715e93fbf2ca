//! RELOAD (RFC 6940) with the CHORD-RELOAD topology as a sans-IO state machine.
//!
//! A [`Node`] is one member of one overlay. Bytes, link changes, commands and time go in;
//! bytes to send, links to open, records to persist and answers come out. It opens no socket,
//! reads no clock and no file, and draws randomness only from the generator it was given, so a
//! simulated overlay replays bit for bit from a seed.
//!
//! ```text
//!   Input ──► Node::handle ──► wire (decode) ──► route? ── forward ──────────► Output::Send
//!                                   │              └─ ours: verify signature
//!                                   ▼
//!                 request ──► topology (Join, Update…) / storage (Store, Fetch…) ──► answer
//!                 answer  ──► transaction ──► join steps, replicas, user commands ──► Reply
//! ```
//!
//! Identities are Host Identity Tags: a Node-ID *is* a HIT, messages and stored values are
//! signed by the host's own key, and links are authenticated by HIP below this crate
//! (docs/decisions/0005-ring-position.md, docs/decisions/0006-hit-transport.md).
//!
//! ```
//! use std::sync::Arc;
//!
//! use hip_crypto::{identity::{HostIdentity, KeyAlgorithm}, rng::SeededRng};
//! use hip_wire::time::Instant;
//! use reload_core::{Answer, Command, Input, Node, NodeConfig, Output};
//!
//! # fn main() -> Result<(), hip_crypto::error::CryptoError> {
//! let identity = HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, 1)?;
//! let config = NodeConfig::new("overlay.example");
//! let mut node = Node::new(config, Arc::new(identity), Box::new(SeededRng::new(1)))?;
//!
//! // Without bootstrap peers it founds the overlay.
//! let join = Input::Command { id: 7, command: Command::Join };
//! node.handle(Instant::ZERO, 1_790_000_000_000, join);
//! let replies: Vec<Output> = std::iter::from_fn(|| node.poll()).collect();
//! assert!(replies.contains(&Output::Reply { id: 7, result: Ok(Answer::Joined) }));
//! # Ok(())
//! # }
//! ```
//!
//! RFCs: 6940 (all of it that needs no ICE, TLS or configuration server), 7086 for the use of
//! HITs as Node-IDs.

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

pub mod command;
pub mod config;
pub mod event;
pub mod id;
pub mod node;
pub mod record;
pub mod ring;
pub mod seam;
mod security;
mod stats;
pub mod status;
mod storage;
mod timers;
pub mod wire;

pub use command::{
    Answer, Command, CommandError, CommandResult, FetchCommand, FetchedValue, Selector,
    StoreCommand, StoreOutcome, Target, ValueMetadata,
};
pub use config::{DataModel, KindDescription, KindId, Limits, NodeConfig};
pub use event::{DropReason, Event};
pub use id::{NodeId, ResourceId};
pub use node::Node;
pub use record::{StoreChange, StoredRecord};
pub use seam::{Input, Output};
pub use status::{NodeState, NodeStatus};
