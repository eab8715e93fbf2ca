//! The HIPv2 protocol (RFC 7401, 7402) as a sans-IO state machine.
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
