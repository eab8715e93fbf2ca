//! `hipctl peers`: one line a peer.

use clap::Args;

use super::{Common, Out, ask_and_show, text};
use crate::api::{ApiError, Peer, Peers, Request};

/// Arguments of `hipctl peers`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hipctl peers")]
pub struct PeersArgs {}

pub(super) fn run(_: &PeersArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    ask_and_show(common, out, Request::Peers, render)
}

pub(super) fn render(peers: &Peers) -> String {
    if peers.peers.is_empty() {
        return "no peers yet; add one with: hipctl hosts add HIT NAME ADDRESS\n".to_owned();
    }
    let row = |peer: &Peer| {
        vec![
            peer.names
                .first()
                .cloned()
                .unwrap_or_else(|| "-".to_owned()),
            peer.hit.clone(),
            peer.lsi.clone().unwrap_or_else(|| "-".to_owned()),
            peer.state.clone(),
            text::size(peer.traffic.bytes_in),
            text::size(peer.traffic.bytes_out),
            peer.path.clone().unwrap_or_else(|| peer.locators.join(" ")),
        ]
    };
    let rows: Vec<Vec<String>> = peers.peers.iter().map(row).collect();
    text::table(
        &["NAME", "HIT", "LSI", "STATE", "IN", "OUT", "WHERE"],
        &rows,
    )
}
