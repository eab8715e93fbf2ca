//! hipctl: controls a running hipd. See `hipctl --help`.

use std::process::ExitCode;

use clap::Parser;

use hipd::cli::{Cli, run};

fn main() -> ExitCode {
    ExitCode::from(run(Cli::parse()))
}
