//! `hipctl wait`: scripts wait for events instead of sleeping.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::{Common, Out, client::Client};
use crate::api::{ApiError, Condition, Request, Waited};

/// Arguments of `hipctl wait`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hipctl wait ready\n  hipctl wait established bob --timeout 5\n  hipctl wait overlay --peers 7\n\nExit code 4 when the time is over."
)]
pub struct WaitArgs {
    #[command(subcommand)]
    condition: WaitFor,
    /// Seconds to wait
    #[arg(long, global = true, default_value_t = 30.0, value_parser = seconds)]
    timeout: f64,
}

#[derive(Debug, Subcommand)]
enum WaitFor {
    /// hipd answers
    #[command(after_help = "Example:\n  hipctl wait ready --timeout 10")]
    Ready,
    /// The association with a peer is up (this does not bring it up)
    #[command(after_help = "Example:\n  hipctl wait established bob")]
    Established {
        /// Name, HIT or LSI
        peer: String,
    },
    /// There is no association with a peer
    #[command(after_help = "Example:\n  hipctl wait closed bob")]
    Closed {
        /// Name, HIT or LSI
        peer: String,
    },
    /// This node has joined the overlay
    #[command(after_help = "Example:\n  hipctl wait overlay --peers 7")]
    Overlay {
        /// And knows at least this many other nodes
        #[arg(long, default_value_t = 0)]
        peers: usize,
    },
}

pub(super) fn run(args: &WaitArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    let patience = Duration::from_secs_f64(args.timeout);
    let start = Instant::now();
    // Waiting includes waiting for the daemon itself to come up.
    let mut client = Client::connect_when_ready(&common.socket(), patience)?;
    let condition = match &args.condition {
        WaitFor::Ready => Condition::Ready,
        WaitFor::Established { peer } => Condition::Established { peer: peer.clone() },
        WaitFor::Closed { peer } => Condition::Closed { peer: peer.clone() },
        WaitFor::Overlay { peers } => Condition::Overlay { peers: *peers },
    };
    let left = patience.saturating_sub(start.elapsed());
    let timeout_ms = to_ms(left.as_secs_f64());
    let mut waited: Waited = client.ask(Request::Wait {
        condition,
        timeout_ms,
    })?;
    waited.waited_ms = to_ms(start.elapsed().as_secs_f64());
    out.show(&waited, |waited| {
        format!("{} after {} ms", waited.condition, waited.waited_ms)
    })
}

/// Parses a time of 0 to 1,000,000 seconds.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(seconds),
        _ => Err("expected seconds from 0 to 1000000".to_owned()),
    }
}

/// Whole milliseconds of at most a million seconds.
pub(super) fn to_ms(seconds: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(seconds).as_millis()).unwrap_or(u64::MAX)
}
