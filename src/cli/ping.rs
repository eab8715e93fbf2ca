//! `hipctl ping`: the base exchange time, then round trips through hip0.

mod echo;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::{Common, Out, text};
use crate::api::{ApiError, ErrorCode, Peer, Request, Up};
use echo::EchoSocket;

/// Arguments of `hipctl ping`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hipctl ping bob\n  hipctl ping bob --lsi -c 10 -i 0.2")]
pub struct PingArgs {
    /// Name, HIT or LSI
    peer: String,
    /// Round trips to measure (0: only the base exchange)
    #[arg(short, long, default_value_t = 3)]
    count: u32,
    /// Seconds between them
    #[arg(short, long, default_value_t = 0.2, value_parser = super::wait::seconds)]
    interval: f64,
    /// Seconds to wait for the association, and for each answer
    #[arg(long, default_value_t = 10.0, value_parser = super::wait::seconds)]
    timeout: f64,
    /// Use the LSI (IPv4) instead of the HIT
    #[arg(long)]
    lsi: bool,
}

/// What `hipctl ping --json` prints.
#[derive(Debug, Serialize)]
struct Pinged {
    peer: Peer,
    already: bool,
    target: String,
    sent: u32,
    received: usize,
    rtt_ms: Vec<f64>,
}

pub(super) fn run(args: &PingArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    let timeout_ms = super::wait::to_ms(args.timeout);
    let up: Up = common.client()?.ask(Request::Up {
        peer: args.peer.clone(),
        timeout_ms,
    })?;
    out.note(&super::up::render(&up));
    let (target, source) = endpoints(&up, args.lsi)?;
    let mut rtts = Vec::new();
    if args.count > 0 {
        let socket = EchoSocket::open(source, target)?;
        let interval = Duration::from_secs_f64(args.interval);
        let patience = Duration::from_secs_f64(args.timeout);
        for number in 1..=args.count {
            let start = Instant::now();
            match socket.round_trip(number, patience)? {
                Some(rtt) => {
                    out.note(&format!(
                        "reply {number} from {target}: {:.3} ms",
                        text::ms(rtt)
                    ));
                    rtts.push(text::ms(rtt));
                }
                None => out.note(&format!("no reply {number} from {target} in {patience:?}")),
            }
            if number < args.count {
                std::thread::sleep(interval.saturating_sub(start.elapsed()));
            }
        }
    }
    let label = text::peer_label(&up.peer);
    let pinged = Pinged {
        peer: up.peer,
        already: up.already,
        target: target.to_string(),
        sent: args.count,
        received: rtts.len(),
        rtt_ms: rtts,
    };
    if args.count > 0 && pinged.received == 0 {
        return Err(ApiError::new(
            ErrorCode::Timeout,
            format!(
                "{label}: the association is up, but no echo of {} came back",
                args.count
            ),
        )
        .hint("see drops with: hipctl metrics drop; the peer's firewall may drop ICMP on hip0"));
    }
    if args.count > 0 || common.json {
        out.show(&pinged, render)?;
    }
    Ok(())
}

fn endpoints(up: &Up, lsi: bool) -> Result<(IpAddr, IpAddr), ApiError> {
    let (target, source) = if lsi {
        let target = up.peer.lsi.as_deref().ok_or_else(|| {
            ApiError::new(
                ErrorCode::Failed,
                format!("{} has no LSI here", up.peer.hit),
            )
            .hint("ping it without --lsi")
        })?;
        (target, up.own_lsi.as_str())
    } else {
        (up.peer.hit.as_str(), up.own_hit.as_str())
    };
    let parse = |text: &str| {
        text.parse::<IpAddr>().map_err(|_| {
            ApiError::new(
                ErrorCode::Unreachable,
                format!("hipd named \"{text}\" as an address"),
            )
        })
    };
    Ok((parse(target)?, parse(source)?))
}

fn render(pinged: &Pinged) -> String {
    let rtts = &pinged.rtt_ms;
    let average = rtts.iter().sum::<f64>() / rtts.len().max(1) as f64;
    let least = rtts.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rtts.iter().copied().fold(0.0, f64::max);
    format!(
        "{} sent, {} received; round trip min {least:.3}, average {average:.3}, max {most:.3} ms",
        pinged.sent, pinged.received
    )
}
