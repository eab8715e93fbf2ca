//! Events into the log: what an operator wants to read at info, the rest below it.
//!
//! Dropped packets are counted (`hipctl metrics drop`), never logged above trace: a log must not
//! grow with the rate of an attack.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::api::{ApiError, ErrorCode, EventRecord};

/// Starts logging to standard error. Under systemd the journal adds the time itself.
pub fn start(level: &str) -> Result<(), ApiError> {
    let filter = EnvFilter::try_new(level).map_err(|e| {
        ApiError::new(ErrorCode::System, format!("log.level \"{level}\": {e}"))
            .hint("use error, warn, info, debug, trace, or info,hip_net=debug")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let started = if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.without_time().try_init()
    } else {
        builder.try_init()
    };
    started.map_err(|e| ApiError::new(ErrorCode::System, format!("logging: {e}")))
}

/// Logs one event.
pub fn log(event: &EventRecord) {
    let peer = event.peer.as_deref().unwrap_or("-");
    let name = event.name.as_deref().unwrap_or("-");
    match event.kind.as_str() {
        "failed" => tracing::warn!(peer, name, "{}", event.text),
        "established" | "closed" | "path" | "overlay" | "hosts" => {
            tracing::info!(peer, name, "{}", event.text);
        }
        "dropped" => tracing::trace!(peer, name, "{}", event.text),
        _ => tracing::debug!(peer, name, "{}", event.text),
    }
}
