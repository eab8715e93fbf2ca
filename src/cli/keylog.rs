//! `hipctl keylog`: session keys for Wireshark.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, Out, ask_and_show};
use crate::api::{ApiError, ErrorCode, Keylog, Request};

/// Arguments of `hipctl keylog`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hipctl keylog on --dir /root/keys --for 10m\n  hipctl keylog off\n  tshark -X lua_script:/root/keys/hip_udp.lua -r file.pcapng    (with WIRESHARK_CONFIG_DIR=/root/keys)"
)]
pub struct KeylogArgs {
    #[command(subcommand)]
    switch: Switch,
}

#[derive(Debug, Subcommand)]
enum Switch {
    /// Start: whoever reads the directory reads all traffic
    #[command(after_help = "Example:\n  hipctl keylog on --dir /root/keys --for 10m")]
    On {
        /// Directory; made with mode 0700 if it is not there
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Stop by itself after this time (s, m or h)
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        period: Option<u64>,
    },
    /// Stop
    #[command(after_help = "Example:\n  hipctl keylog off")]
    Off,
}

pub(super) fn run(args: &KeylogArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    let request = match &args.switch {
        Switch::Off => Request::Keylog {
            dir: None,
            for_seconds: None,
        },
        Switch::On { dir, period } => {
            // The daemon has another working directory.
            let dir = std::path::absolute(dir)
                .map_err(|e| ApiError::new(ErrorCode::System, format!("{}: {e}", dir.display())))?;
            let dir = Some(dir.to_string_lossy().into_owned());
            Request::Keylog {
                dir,
                for_seconds: *period,
            }
        }
    };
    ask_and_show(common, out, request, render)
}

fn render(keylog: &Keylog) -> String {
    match (&keylog.dir, keylog.for_seconds) {
        (None, _) => "session keys are not written any more\n".to_owned(),
        (Some(dir), None) => format!(
            "session keys go to {dir}/esp_sa until: hipctl keylog off\n\
             Whoever reads that file reads the traffic.\n"
        ),
        (Some(dir), Some(seconds)) => format!(
            "session keys go to {dir}/esp_sa for {seconds} s\n\
             Whoever reads that file reads the traffic.\n"
        ),
    }
}

/// Seconds from `90`, `90s`, `10m`, `2h`.
fn duration(text: &str) -> Result<u64, String> {
    let shape = || "expected a time such as 90s, 10m or 2h".to_owned();
    let (number, factor) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => (text, 1),
    };
    let number: u64 = number.parse().map_err(|_| shape())?;
    number
        .checked_mul(factor)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(shape)
}
