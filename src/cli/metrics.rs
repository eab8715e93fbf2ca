//! `hipctl metrics`: every counter.

use clap::Args;

use super::{Common, Out, ask_and_show};
use crate::api::{ApiError, Metrics, Request};

/// Arguments of `hipctl metrics`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hipctl metrics\n  hipctl metrics drop")]
pub struct MetricsArgs {
    /// Only counters whose name contains this text
    filter: Option<String>,
}

pub(super) fn run(args: &MetricsArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    let Some(filter) = &args.filter else {
        return ask_and_show(common, out, Request::Metrics, render);
    };
    let mut metrics: Metrics = common.client()?.ask(Request::Metrics)?;
    metrics
        .counters
        .retain(|name, _| name.contains(filter.as_str()));
    out.show(&metrics, render)
}

fn render(metrics: &Metrics) -> String {
    metrics
        .counters
        .iter()
        .map(|(name, value)| format!("{name} {value}\n"))
        .collect()
}
