//! `hipctl completion`: a script for the shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use super::{Cli, Out};
use crate::api::{ApiError, ErrorCode};

/// Arguments of `hipctl completion`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hipctl completion bash > /etc/bash_completion.d/hipctl")]
pub struct CompletionArgs {
    /// The shell
    shell: Shell,
}

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

pub(super) fn run(args: &CompletionArgs, out: &mut Out) -> Result<(), ApiError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hipctl", &mut script);
    let script = String::from_utf8(script)
        .map_err(|e| ApiError::new(ErrorCode::System, format!("completion script: {e}")))?;
    out.show(
        &Script {
            shell: args.shell.to_string(),
            script,
        },
        |s| s.script.clone(),
    )
}
