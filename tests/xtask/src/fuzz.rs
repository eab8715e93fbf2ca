//! `cargo xtask fuzz`: every decoder against hostile bytes.

use std::process::Command;

use clap::Args;

use crate::shell::{cargo, output, root, run as step};

/// Options of `fuzz`.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this target; without it all of them.
    #[arg(long)]
    target: Option<String>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 150)]
    seconds: u64,
}

/// Coverage-guided runs by cargo-fuzz; without it or a nightly toolchain the seeded ones.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let directory = root().join("tests/fuzz");
    let fuzz = || {
        let mut command = Command::new("cargo");
        command.current_dir(&directory).args(["+nightly", "fuzz"]);
        command
    };
    let targets = match output(
        "cargo +nightly fuzz list",
        fuzz().args(["list", "--fuzz-dir", "."]),
    ) {
        Ok(targets) => targets,
        Err(error) => {
            println!(
                "{error}\nnot coverage-guided; for that: rustup toolchain install nightly; cargo install cargo-fuzz"
            );
            return smoke();
        }
    };
    if let Some(wanted) = &options.target
        && !targets.lines().any(|target| target.trim() == wanted)
    {
        return Err(format!("no target {wanted}; there are:\n{targets}"));
    }
    for target in targets.lines().map(str::trim).filter(|t| !t.is_empty()) {
        if options
            .target
            .as_deref()
            .is_some_and(|wanted| wanted != target)
        {
            continue;
        }
        let limit = format!("-max_total_time={}", options.seconds);
        step(
            target,
            fuzz().args([
                "run",
                "--fuzz-dir",
                ".",
                target,
                "--",
                &limit,
                "-rss_limit_mb=2048",
            ]),
        )?;
    }
    Ok(())
}

/// The same bodies on the stable toolchain, with seeded mutations of the corpus.
pub(crate) fn smoke() -> Result<(), String> {
    let manifest = root().join("tests/fuzz/Cargo.toml");
    step(
        "fuzz bodies, seeded",
        cargo()
            .arg("test")
            .arg("--quiet")
            .arg("--manifest-path")
            .arg(manifest),
    )
}
