//! hipd: a userspace HIPv2 host (RFC 7401, RFC 7402) with a RELOAD overlay (RFC 6940) on top,
//! and hipctl, the program that controls it.
//!
//! ```text
//!   hipctl ── cli ──JSON lines over a unix socket (api)──> control ──> daemon
//!                                                                      │    │
//!   hipd.toml ── config ───────────────────────────────────────────────┤    │
//!   /etc/hip/hosts ── hosts_edit (hipctl writes, hipd reads) ──────────┤    │
//!                                                                  hip_net  reload_net
//! ```
//!
//! This is the only layer with configuration, command line and privileges. It starts the host
//! ([`hip_net`]) and the overlay node ([`reload_net`]), answers hipctl on a unix socket and
//! shuts everything down in order.

#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod hosts_edit;
pub mod identity;
pub mod service;
pub mod telemetry;
