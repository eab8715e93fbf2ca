//! `hipctl watch`: events as they happen.

use clap::Args;

use super::{Common, Out, text};
use crate::api::{ApiError, Body, ErrorCode, EventRecord, Request};

/// Arguments of `hipctl watch`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hipctl watch\n  hipctl watch bob --json | jq -r .event.kind")]
pub struct WatchArgs {
    /// Only events of this peer: name, HIT or LSI
    peer: Option<String>,
    /// Also one line for each dropped packet
    #[arg(long)]
    drops: bool,
}

pub(super) fn run(args: &WatchArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    let mut client = common.client()?;
    client.send(Request::Watch {
        peer: args.peer.clone(),
        drops: args.drops,
    })?;
    while let Some(body) = client.receive()? {
        match body {
            Body::Error(error) if error.code != ErrorCode::Limit => return Err(error),
            body if out.json => out.line(&body),
            Body::Event(event) => out.text(&render(&event)),
            Body::Error(error) => out.text(&format!("({error})")),
            Body::Data(_) => {}
        }
    }
    Ok(())
}

fn render(event: &EventRecord) -> String {
    let who = event
        .name
        .as_deref()
        .map(|name| format!("{name}: "))
        .unwrap_or_default();
    format!("{} {who}{}", text::clock(event.time_ms), event.text)
}
