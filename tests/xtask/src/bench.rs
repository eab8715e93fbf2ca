//! `cargo xtask bench`: criterion benches of the cores, and hip0 beside raw veth in the same run.

use clap::Args;

use crate::shell::{cargo, root, run as step};

/// Options of `bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// What to measure: `codec`, `exchange`, `packet`, `tunnel`; without it all of them.
    what: Option<String>,
}

const CRITERION: [(&str, &str); 3] = [
    ("codec", "hip-wire"),
    ("exchange", "hip-core"),
    ("packet", "hip-esp"),
];

/// Runs the chosen measurements.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let wanted = |name: &str| options.what.as_deref().is_none_or(|w| w == name);
    let mut any = false;
    for (name, package) in CRITERION {
        if wanted(name) {
            any = true;
            step(
                name,
                cargo().args(["bench", "--package", package, "--bench", name]),
            )?;
        }
    }
    if wanted("tunnel") {
        any = true;
        step(
            "build",
            cargo().args(["build", "--release", "--bins", "--package", "hipd"]),
        )?;
        let table =
            hip_lab::bench::tunnel(&root().join("target/release")).map_err(|e| e.to_string())?;
        println!("{table}");
    }
    if any {
        Ok(())
    } else {
        Err("nothing by that name: codec, exchange, packet, tunnel".into())
    }
}
