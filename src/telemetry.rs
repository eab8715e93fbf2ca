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
    let line = line(event);
    match event.kind.as_str() {
        "failed" => tracing::warn!("{line}"),
        "established" | "closed" | "path" | "overlay" | "hosts" | "keylog" => {
            tracing::info!("{line}");
        }
        "dropped" => tracing::trace!("{line}"),
        _ => tracing::debug!("{line}"),
    }
}

/// `name (HIT): text`, as far as there is a peer.
fn line(event: &EventRecord) -> String {
    match (&event.name, &event.peer) {
        (Some(name), Some(hit)) => format!("{name} ({hit}): {}", event.text),
        (None, Some(hit)) => format!("{hit}: {}", event.text),
        _ => event.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_peer_as_well_as_it_can() {
        let event = |peer: Option<&str>, name: Option<&str>| EventRecord {
            time_ms: 0,
            kind: "established".into(),
            peer: peer.map(str::to_owned),
            name: name.map(str::to_owned),
            text: "established".into(),
        };
        assert_eq!(line(&event(None, None)), "established");
        assert_eq!(
            line(&event(Some("2001:20::b"), None)),
            "2001:20::b: established"
        );
        let both = event(Some("2001:20::b"), Some("bob"));
        assert_eq!(line(&both), "bob (2001:20::b): established");
    }

    #[test]
    fn a_wrong_level_is_explained() {
        let error = start("info,hip_net=loud")
            .expect_err("no such level")
            .to_string();
        assert!(
            error.starts_with("log.level \"info,hip_net=loud\": "),
            "{error}"
        );
        assert!(error.ends_with("or info,hip_net=debug"), "{error}");
    }
}
