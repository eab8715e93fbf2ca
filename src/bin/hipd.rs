//! hipd: the HIP host daemon. See `hipd --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use hipd::config::{Config, DEFAULT_PATH};
use hipd::{daemon, telemetry};

/// A HIPv2 host (RFC 7401) in user space: gives this machine an address that is its identity.
#[derive(Debug, Parser)]
#[command(
    name = "hipd",
    version,
    after_help = "Examples:\n  hipd                          every setting at its default\n  hipd --check-config           check /etc/hip/hipd.toml and exit\n  hipd --config /tmp/a/hipd.toml --state-dir /tmp/a --run-dir /tmp/a\n\nSIGTERM and SIGINT end it cleanly, SIGHUP reads the hosts file again. Control it with hipctl."
)]
struct Arguments {
    /// Configuration file [default: /etc/hip/hipd.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration, say what is wrong, and exit
    #[arg(long)]
    check_config: bool,
    /// Directory for identity and overlay data, over the configuration
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Directory for the control socket, over the configuration
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let path = arguments
        .config
        .clone()
        .unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
    let mut config = match Config::load(&path, arguments.config.is_some()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("hipd: {error}");
            return ExitCode::from(2);
        }
    };
    if arguments.check_config {
        println!("{}: good", path.display());
        return ExitCode::SUCCESS;
    }
    if let Some(dir) = arguments.state_dir {
        config.state_dir = dir;
    }
    if let Some(dir) = arguments.run_dir {
        config.run_dir = dir;
    }
    let file = path.exists().then_some(path);
    let result = telemetry::start(&config.log.level).and_then(|()| daemon::run(config, file));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hipd: {error}");
            ExitCode::FAILURE
        }
    }
}
