//! Everything a developer runs: `cargo xtask help`.

mod bench;
mod compliance;
mod demo;
mod fuzz;
mod sans_io;
mod shell;
mod sim;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// with-hip: everything a developer runs.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = false
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds and shows the product: two networks, an overlay of eight peers, a peer killed, a host moved.
    Demo(demo::Options),
    /// Formatting, lints, licences, the sans-IO line, compliance lists, and every test.
    Test(test::Options),
    /// Criterion benches and the first tunnel figure; writes docs/performance.md's tables to target/bench.
    Bench(bench::Options),
    /// Checks docs/compliance against the ids cited in code and tests; prints a line per RFC.
    Compliance(compliance::Options),
    /// Runs a simulator story; a failing seed is replayed with the same command.
    Sim(sim::Options),
    /// Fuzzes the decoders: coverage-guided with a nightly toolchain, seeded mutation without one.
    Fuzz(fuzz::Options),
    /// Checks that no crate below the sans-IO line reaches for sockets, clocks, threads or files.
    SansIo,
    /// Opens a laboratory of namespaces with two hosts for experiments, until Enter is pressed.
    Lab,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Compliance(options) => compliance::run(&options),
        Task::Sim(options) => sim::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::SansIo => sans_io::run(),
        Task::Lab => demo::lab(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
