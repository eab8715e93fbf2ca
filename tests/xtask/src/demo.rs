//! `cargo xtask demo` and `cargo xtask lab`.

use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;
use nix::unistd::geteuid;

use crate::shell::{cargo, root, run as step};

/// Options of `demo`.
#[derive(Args)]
pub(crate) struct Options {
    /// Uses the development build (slower packets, faster build).
    #[arg(long)]
    debug: bool,
    /// Keeps the packet captures and the key log in this directory.
    #[arg(long)]
    keep: Option<std::path::PathBuf>,
    /// Number of overlay peers.
    #[arg(long, default_value_t = 8)]
    peers: usize,
}

/// Builds the programs and tells the story.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    build(options.debug)?;
    in_user_namespace()?;
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
    build(true)?;
    in_user_namespace()?;
    hip_lab::demo::open_lab(&root().join("target/debug")).map_err(|e| e.to_string())
}

fn build(debug: bool) -> Result<(), String> {
    let mut command = cargo();
    command.args(["build", "--bins", "--package", "hipd"]);
    if !debug {
        command.arg("--release");
    }
    step("build hipd and hipctl", &mut command)
}

/// Not root: starts this program again as root of a user namespace of its own, where /run is a fresh file system.
fn in_user_namespace() -> Result<(), String> {
    if geteuid().is_root() {
        return Ok(());
    }
    println!("== not root: continuing inside a user namespace");
    let program = std::env::current_exe().map_err(|e| format!("current executable: {e}"))?;
    let error = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "sh",
            "-c",
        ])
        .arg("mount -t tmpfs tmpfs /run && exec \"$0\" \"$@\"")
        .arg(program)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(format!("unshare did not start ({error}): run this as root"))
}
