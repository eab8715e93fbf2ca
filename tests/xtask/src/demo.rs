//! `cargo xtask demo` and `cargo xtask lab`.

use std::os::unix::process::CommandExt;

use clap::Args;

use crate::shell::{cargo, isolated, root, run as step};

/// Set for the process that already runs inside its own namespaces.
const INSIDE: &str = "WITH_HIP_INSIDE";

/// Options of `demo`.
#[derive(Args)]
pub(crate) struct Options {
    /// Uses the development build (slower packets, faster build).
    #[arg(long)]
    debug: bool,
    /// Keeps the packet capture and the key log in this directory.
    #[arg(long)]
    keep: Option<std::path::PathBuf>,
    /// Number of overlay peers.
    #[arg(long, default_value_t = 8)]
    peers: usize,
}

/// Builds the programs and tells the story.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    go_inside(options.debug)?;
    let story = hip_lab::demo::Options {
        binaries: root().join(if options.debug {
            "target/debug"
        } else {
            "target/release"
        }),
        keep: options.keep.clone(),
        peers: options.peers,
    };
    hip_lab::demo::run(&story).map_err(|e| e.to_string())
}

/// Two hosts on two networks for experiments, until Enter is pressed.
pub(crate) fn lab() -> Result<(), String> {
    go_inside(true)?;
    hip_lab::demo::open_lab(&root().join("target/debug")).map_err(|e| e.to_string())
}

/// Outside: builds, then starts this program again inside namespaces of its own. Inside: nothing.
fn go_inside(debug: bool) -> Result<(), String> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let mut command = cargo();
    command.args(["build", "--bins", "--package", "hipd"]);
    if !debug {
        command.arg("--release");
    }
    step("build hipd and hipctl", &mut command)?;
    let program = std::env::current_exe().map_err(|e| format!("current executable: {e}"))?;
    let error = isolated(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .env("TMPDIR", "/run")
        .exec();
    Err(format!(
        "unshare (package util-linux) did not start: {error}"
    ))
}
