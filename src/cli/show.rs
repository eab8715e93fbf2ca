//! `hipctl show`: everything about one peer.

use clap::Args;

use super::{Common, Out, ask_and_show, text};
use crate::api::{ApiError, Peer, Request};

/// Arguments of `hipctl show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hipctl show bob")]
pub struct ShowArgs {
    /// Name, HIT or LSI
    peer: String,
}

pub(super) fn run(args: &ShowArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    ask_and_show(
        common,
        out,
        Request::Show {
            peer: args.peer.clone(),
        },
        render,
    )
}

pub(super) fn render(peer: &Peer) -> String {
    let mut state = peer.state.clone();
    if let Some(age) = peer.age_seconds {
        state.push_str(&format!(" for {}", text::age(age)));
    }
    if let Some(role) = &peer.role {
        state.push_str(&format!(", {role} of the exchange"));
    }
    let mut lines = vec![("HIT", peer.hit.clone())];
    let optional = |text: &Option<String>| text.clone();
    if !peer.names.is_empty() {
        lines.push(("names", peer.names.join(" ")));
    }
    lines.extend(optional(&peer.lsi).map(|lsi| ("LSI", lsi)));
    lines.push(("state", state));
    if !peer.locators.is_empty() {
        lines.push(("locators", peer.locators.join(" ")));
    }
    lines.extend(optional(&peer.path).map(|path| ("path", path)));
    lines.extend(
        peer.bex_ms
            .map(|ms| ("base exchange", format!("{ms:.2} ms"))),
    );
    lines.extend(optional(&peer.dh_group).map(|group| ("key exchange", group)));
    if let (Some(suite), Some(spi_in), Some(spi_out)) = (&peer.esp_suite, peer.spi_in, peer.spi_out)
    {
        lines.push((
            "ESP",
            format!("{suite}, SPI in 0x{spi_in:08x} out 0x{spi_out:08x}"),
        ));
    }
    let traffic = peer.traffic;
    lines.push((
        "traffic",
        format!(
            "in {} packets, {}; out {} packets, {}",
            traffic.packets_in,
            text::size(traffic.bytes_in),
            traffic.packets_out,
            text::size(traffic.bytes_out)
        ),
    ));
    lines.extend(optional(&peer.last_reason).map(|reason| ("last failure", reason)));
    format!("{}\n{}", text::peer_label(peer), text::facts(&lines))
}
