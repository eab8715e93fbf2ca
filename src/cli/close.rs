//! `hipctl close`: end an association.

use clap::Args;

use super::{Common, Out, ask_and_show};
use crate::api::{ApiError, Closed, Request};

/// Arguments of `hipctl close`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hipctl close bob")]
pub struct CloseArgs {
    /// Name, HIT or LSI
    peer: String,
    /// Seconds to wait for the peer's CLOSE_ACK
    #[arg(long, default_value_t = 10.0, value_parser = super::wait::seconds)]
    timeout: f64,
}

pub(super) fn run(args: &CloseArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    let timeout_ms = super::wait::to_ms(args.timeout);
    let name = args.peer.clone();
    ask_and_show(
        common,
        out,
        Request::Close {
            peer: name.clone(),
            timeout_ms,
        },
        |closed: &Closed| {
            if closed.was_open {
                format!("{name} ({}) is closed", closed.hit)
            } else {
                format!("{name} ({}) had no association", closed.hit)
            }
        },
    )
}
