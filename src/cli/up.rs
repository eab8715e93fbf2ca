//! `hipctl up`: bring an association up and wait for it.

use clap::Args;

use super::{Common, Out, ask_and_show, text};
use crate::api::{ApiError, Request, Up};

/// Arguments of `hipctl up`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hipctl up bob --timeout 5")]
pub struct UpArgs {
    /// Name, HIT or LSI
    peer: String,
    /// Seconds to wait
    #[arg(long, default_value_t = 10.0, value_parser = super::wait::seconds)]
    timeout: f64,
}

pub(super) fn run(args: &UpArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    let timeout_ms = super::wait::to_ms(args.timeout);
    ask_and_show(
        common,
        out,
        Request::Up {
            peer: args.peer.clone(),
            timeout_ms,
        },
        render,
    )
}

/// One line; `ping` prints it too.
pub(super) fn render(up: &Up) -> String {
    let label = text::peer_label(&up.peer);
    let path = up.peer.path.as_deref().unwrap_or("unknown path");
    match (up.already, up.peer.bex_ms) {
        (true, _) => format!("{label} is up already, over {path}"),
        (false, Some(ms)) => format!("{label} is up: base exchange {ms:.2} ms, over {path}"),
        (false, None) => format!("{label} is up, over {path}"),
    }
}
