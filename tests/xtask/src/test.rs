//! `cargo xtask test`: everything that must hold, in the order from cheap to dear.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use clap::Args;

use crate::shell::{cargo, isolated, root, run as step};
use crate::{compliance, fuzz, sans_io};

/// Options of `test`.
#[derive(Args)]
pub(crate) struct Options {
    /// Leaves out the licence check, the namespace laboratory and the fuzz smoke run.
    #[arg(long)]
    quick: bool,
}

/// Sum over all test runners.
#[derive(Default)]
struct Sum {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Runs all checks and tests; the last line is their sum.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    step("format", cargo().args(["fmt", "--all", "--check"]))?;
    sans_io::run()?;
    compliance::run(&compliance::Options::default())?;
    if !options.quick {
        deny()?;
    }
    step(
        "lints",
        cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    step(
        "documents",
        cargo().env("RUSTDOCFLAGS", "-D warnings").args([
            "doc",
            "--workspace",
            "--no-deps",
            "--quiet",
        ]),
    )?;
    step("programs", cargo().args(["build", "--quiet", "--bins"]))?;

    let mut sum = Sum::default();
    let workspace = [
        "test",
        "--workspace",
        "--exclude",
        "hip-lab",
        "--no-fail-fast",
    ];
    let mut good = tests(
        "unit tests, vectors, properties, simulator",
        cargo().args(workspace),
        &mut sum,
    )?;
    if !options.quick {
        good &= tests("real daemons in namespaces", &mut laboratory(), &mut sum)?;
        fuzz::smoke()?;
    }
    println!(
        "\n{} passed, {} failed, {} skipped",
        sum.passed, sum.failed, sum.skipped
    );
    if good {
        Ok(())
    } else {
        Err("tests failed: see above".into())
    }
}

/// The tests of hip-lab, one after the other, inside namespaces of their own.
fn laboratory() -> Command {
    let mut command = isolated(cargo().get_program());
    command.env("HIP_BIN_DIR", root().join("target/debug"));
    command.args([
        "test",
        "--offline",
        "--package",
        "hip-lab",
        "--no-fail-fast",
    ]);
    command.args(["--", "--test-threads=1"]);
    command
}

/// Runs `cargo test`, shows its output and adds up its result lines.
fn tests(what: &str, command: &mut Command, sum: &mut Sum) -> Result<bool, String> {
    println!("== {what}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{what}: cargo did not start: {e}"))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(result) = line.strip_prefix("test result: ") {
                sum.passed += number_before(result, " passed");
                sum.failed += number_before(result, " failed");
                sum.skipped += number_before(result, " ignored");
            }
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|e| format!("{what}: {e}"))?;
    Ok(status.success())
}

/// The number that stands right before `word` in a result line.
fn number_before(line: &str, word: &str) -> u64 {
    line.find(word)
        .and_then(|end| line.get(..end))
        .and_then(|head| head.rsplit([' ', ';', '.']).next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Licences, bans and sources by cargo-deny; installed below target/ when CI has none.
fn deny() -> Result<(), String> {
    let tools = root().join("target/tools");
    let installed = Command::new("cargo-deny").arg("--version").output().is_ok();
    let own = tools.join("bin/cargo-deny");
    if !installed && !own.is_file() {
        if std::env::var_os("CI").is_none() {
            println!(
                "== licences: skipped, cargo-deny is not installed (cargo install --locked cargo-deny)"
            );
            return Ok(());
        }
        step(
            "install cargo-deny",
            cargo()
                .args(["install", "--quiet", "--locked", "--root"])
                .arg(&tools)
                .arg("cargo-deny"),
        )?;
    }
    let mut command = if installed {
        Command::new("cargo-deny")
    } else {
        Command::new(own)
    };
    step(
        "licences",
        command.current_dir(root()).args([
            "--log-level",
            "error",
            "check",
            "licenses",
            "bans",
            "sources",
        ]),
    )
}

#[cfg(test)]
mod tests_of_sums {
    use super::number_before;

    #[test]
    fn result_lines_are_added_up_by_their_words() {
        let line =
            "ok. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(number_before(line, " passed"), 12);
        assert_eq!(number_before(line, " failed"), 3);
        assert_eq!(number_before(line, " ignored"), 1);
    }
}
