//! `cargo xtask sim`: stories on the simulated network.

use clap::Args;

/// Options of `sim`.
#[derive(Args)]
pub(crate) struct Options {
    /// Which story; without it the stories are listed.
    #[arg(long)]
    story: Option<String>,
    /// The seed to replay, or the first of several.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds to run, from --seed on; with 1 the event log is printed.
    #[arg(long, default_value_t = 1)]
    count: u64,
}

/// Runs one story over one or many seeds.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let Some(name) = &options.story else {
        println!("stories (cargo xtask sim --story NAME --seed N):");
        for story in hip_sim::story::list() {
            println!("  {:<24} {}", story.name, story.about);
        }
        return Ok(());
    };
    let mut failed = Vec::new();
    for seed in options.seed..options.seed.saturating_add(options.count) {
        let outcome = hip_sim::story::run(name, seed, options.count == 1)?;
        if options.count == 1 {
            for line in &outcome.log {
                println!("{line}");
            }
            println!(
                "seed {seed}: {} (log hash {})",
                outcome.verdict(),
                outcome.hash
            );
        }
        if !outcome.ok() {
            if options.count > 1 {
                println!("seed {seed}: {}", outcome.verdict());
            }
            failed.push(seed);
        }
    }
    if failed.is_empty() {
        println!("{name}: {} seeds, all hold", options.count);
        return Ok(());
    }
    Err(format!(
        "{name}: {} of {} seeds failed",
        failed.len(),
        options.count
    ))
}
