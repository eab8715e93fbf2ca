//! hipd: a userspace HIPv2 host (RFC 7401, RFC 7402) with a RELOAD overlay (RFC 6940) on top,
//! and hipctl, the program that controls it.
//!
//! This is the only layer with configuration, command line and privileges. It starts the host
//! ([`hip_net`]) and the overlay node ([`reload_net`]), answers hipctl on a unix socket and
//! shuts everything down in order.

pub mod api;
pub mod cli;
pub mod config;
pub mod control;
pub mod hosts_edit;
pub mod identity;
