//! hipctl: the command line of the daemon, one file a verb.
//!
//! A verb asks the daemon over its socket ([`client`]), prints for people, or with `--json`
//! prints the answer line as it came ([`crate::api`]). Exit codes: 0 done, 1 failed, 2 wrong
//! usage, 3 hipd does not answer, 4 not in time.

mod close;
mod completion;
mod config;
mod hosts;
mod id;
mod keylog;
mod metrics;
mod overlay;
mod peers;
mod ping;
mod show;
mod status;
mod up;
mod wait;
mod watch;

pub mod client;
pub mod text;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::{Answer, ApiError, Body, ErrorCode, Request, to_fields};
use client::Client;

/// Where hipd listens when nobody says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/hip/hipd.sock";

/// Environment variable that names the socket.
pub const SOCKET_VARIABLE: &str = "HIPD_SOCKET";

/// Controls hipd: peers are named by host name, HIT or LSI.
#[derive(Debug, Parser)]
#[command(
    name = "hipctl",
    version,
    after_help = "Examples:\n  hipctl status\n  hipctl hosts add 2001:20::1 bob 192.0.2.2\n  hipctl ping bob",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Common options.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Control socket of hipd [default: $HIPD_SOCKET or /run/hip/hipd.sock]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Print the answer as one line of JSON (schema 1)
    #[arg(long, global = true)]
    pub json: bool,
}

impl Common {
    /// The socket in effect.
    pub fn socket(&self) -> PathBuf {
        self.socket
            .clone()
            .or_else(|| std::env::var_os(SOCKET_VARIABLE).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET))
    }

    fn client(&self) -> Result<Client, ApiError> {
        Client::connect(&self.socket())
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Own HIT and LSI, and the line another host needs
    Id(id::IdArgs),
    /// State of the daemon and the next step
    Status(status::StatusArgs),
    /// Every known host and every association
    Peers(peers::PeersArgs),
    /// Everything about one peer
    Show(show::ShowArgs),
    /// Bring the association up, then measure round trips through it
    Ping(ping::PingArgs),
    /// Bring the association up
    Up(up::UpArgs),
    /// Close the association
    Close(close::CloseArgs),
    /// List or edit the hosts file
    Hosts(hosts::HostsArgs),
    /// Wait until something is so, instead of sleeping
    Wait(wait::WaitArgs),
    /// Stream events as they happen
    Watch(watch::WatchArgs),
    /// Store and find values in the overlay
    Overlay(overlay::OverlayArgs),
    /// Write session keys for Wireshark
    Keylog(keylog::KeylogArgs),
    /// Every counter, drops by reason included
    Metrics(metrics::MetricsArgs),
    /// Show, sample or check the configuration
    Config(config::ConfigArgs),
    /// Print a completion script for a shell
    Completion(completion::CompletionArgs),
}

/// Runs a parsed command line; returns the exit code.
pub fn run(cli: Cli) -> u8 {
    let mut out = Out {
        json: cli.common.json,
        sink: Box::new(std::io::stdout()),
    };
    let common = &cli.common;
    let result = match cli.verb {
        Verb::Id(args) => id::run(&args, common, &mut out),
        Verb::Status(args) => status::run(&args, common, &mut out),
        Verb::Peers(args) => peers::run(&args, common, &mut out),
        Verb::Show(args) => show::run(&args, common, &mut out),
        Verb::Ping(args) => ping::run(&args, common, &mut out),
        Verb::Up(args) => up::run(&args, common, &mut out),
        Verb::Close(args) => close::run(&args, common, &mut out),
        Verb::Hosts(args) => hosts::run(&args, common, &mut out),
        Verb::Wait(args) => wait::run(&args, common, &mut out),
        Verb::Watch(args) => watch::run(&args, common, &mut out),
        Verb::Overlay(args) => overlay::run(&args, common, &mut out),
        Verb::Keylog(args) => keylog::run(&args, common, &mut out),
        Verb::Metrics(args) => metrics::run(&args, common, &mut out),
        Verb::Config(args) => config::run(&args, common, &mut out),
        Verb::Completion(args) => completion::run(&args, &mut out),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            if common.json {
                out.line(&Body::from(error.clone()));
            }
            eprintln!("hipctl: {error}");
            exit_code(error.code)
        }
    }
}

fn exit_code(code: ErrorCode) -> u8 {
    match code {
        ErrorCode::BadRequest => 2,
        ErrorCode::Unreachable => 3,
        ErrorCode::Timeout => 4,
        _ => 1,
    }
}

/// Where answers go, in the form the user chose.
pub(crate) struct Out {
    json: bool,
    sink: Box<dyn Write>,
}

impl Out {
    /// Prints data: as JSON, or as `people` words it.
    fn show<T: Serialize>(
        &mut self,
        data: &T,
        people: impl FnOnce(&T) -> String,
    ) -> Result<(), ApiError> {
        if self.json {
            self.line(&Body::Data(to_fields(data)?));
        } else {
            self.text(&people(data));
        }
        Ok(())
    }

    /// One JSON line.
    fn line(&mut self, body: &Body) {
        if let Ok(text) = serde_json::to_string(&Answer::from(body.clone())) {
            self.text(&text);
        }
    }

    /// Words, when the user did not ask for JSON.
    fn note(&mut self, text: &str) {
        if !self.json {
            self.text(text);
        }
    }

    fn text(&mut self, text: &str) {
        let end = if text.ends_with('\n') || text.is_empty() {
            ""
        } else {
            "\n"
        };
        // A reader that went away (`hipctl watch | head`) is no failure, but the end.
        if write!(self.sink, "{text}{end}")
            .and_then(|()| self.sink.flush())
            .is_err()
        {
            std::process::exit(0);
        }
    }
}

/// Asks for `T` and prints it.
fn ask_and_show<T>(
    common: &Common,
    out: &mut Out,
    request: Request,
    people: impl FnOnce(&T) -> String,
) -> Result<(), ApiError>
where
    T: serde::de::DeserializeOwned,
{
    let fields: Map<String, Value> = common.client()?.ask_raw(request)?;
    if out.json {
        out.line(&Body::Data(fields));
        return Ok(());
    }
    let data: T = client::typed(fields)?;
    out.text(&people(&data));
    Ok(())
}
