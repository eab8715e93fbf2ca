//! `hipctl status`: how the daemon is and what to do next.

use clap::Args;

use super::{Common, Out, ask_and_show, text};
use crate::api::{ApiError, Request, Status};

/// Arguments of `hipctl status`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hipctl status\n  hipctl status --json | jq -r .data.hit")]
pub struct StatusArgs {}

pub(super) fn run(_: &StatusArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    ask_and_show(common, out, Request::Status, render)
}

pub(super) fn render(status: &Status) -> String {
    let counts = status.associations;
    let mut associations = format!("{} established", counts.established);
    for (count, what) in [
        (counts.in_progress, "in progress"),
        (counts.closing, "closing"),
        (counts.failed, "failed"),
    ] {
        if count > 0 {
            associations.push_str(&format!(", {count} {what}"));
        }
    }
    let transports = if status.raw {
        " and directly over IP"
    } else {
        ""
    };
    let addresses = match status.addresses.as_slice() {
        [] => "none: no network is up".to_owned(),
        addresses => addresses.join(" "),
    };
    let mut lines = vec![
        ("HIT", status.hit.clone()),
        ("LSI", status.lsi.clone()),
        (
            "interface",
            format!("{}, MTU {}", status.interface.name, status.interface.mtu),
        ),
        (
            "reached by",
            format!("UDP port {}{transports}", status.udp_port),
        ),
        ("addresses", addresses),
        (
            "hosts",
            format!("{} in {}", status.known_hosts, status.hosts_file),
        ),
        ("associations", associations),
    ];
    if let Some(overlay) = &status.overlay {
        let links = text::count(overlay.links.len(), "link");
        lines.push((
            "overlay",
            format!("{} \"{}\", {links}", overlay.state, overlay.name),
        ));
    }
    let mut words = format!(
        "hipd {}, up {}\n",
        status.version,
        text::age(status.uptime_seconds)
    );
    words.push_str(&text::facts(&lines));
    if let Some(dir) = &status.keylog_dir {
        words.push_str(&format!(
            "WARNING: session keys are written to {dir}; stop with: hipctl keylog off\n"
        ));
    }
    for warning in &status.warnings {
        words.push_str(&format!("WARNING: {warning}\n"));
    }
    words.push_str(&format!("Next: {}\n", status.next_step));
    words
}
