//! `hipctl id`: who this host is, with or without a running daemon.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Common, Out, client::Client, text};
use crate::api::{ApiError, ErrorCode, Identity, Request};
use crate::config::{Config, DEFAULT_PATH};
use crate::identity;

/// Arguments of `hipctl id`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hipctl id\n  hipctl id --config /tmp/a/hipd.toml --create --json"
)]
pub struct IdArgs {
    /// Read the key file this configuration names instead of asking hipd
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Make the identity if there is none (an existing one is never touched)
    #[arg(long)]
    create: bool,
}

pub(super) fn run(args: &IdArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    let identity = match (&args.config, Client::connect(&common.socket())) {
        (None, Ok(mut client)) => client.ask(Request::Id)?,
        (None, Err(error)) if error.code != ErrorCode::Unreachable => return Err(error),
        _ => from_file(args)?,
    };
    out.show(&identity, render)
}

fn from_file(args: &IdArgs) -> Result<Identity, ApiError> {
    let path = args
        .config
        .as_deref()
        .unwrap_or_else(|| Path::new(DEFAULT_PATH));
    let config = Config::load(path, args.config.is_some())
        .map_err(|e| ApiError::new(ErrorCode::System, e.to_string()))?;
    let host = if args.create {
        identity::load_or_create(&config)?.0
    } else {
        identity::load(&config)?
    };
    Ok(identity::describe(&host, &config, &[]))
}

fn render(identity: &Identity) -> String {
    let mut words = text::facts(&[
        ("HIT", identity.hit.clone()),
        ("LSI", identity.lsi.clone()),
        (
            "key",
            format!("{} in {}", identity.algorithm, identity.key_file),
        ),
    ]);
    words.push_str(&format!(
        "On another host: hipctl hosts add {}\n",
        identity.hosts_line
    ));
    words
}
