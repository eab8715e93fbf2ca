//! `hipctl config`: show, sample, check.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::{Common, Out, ask_and_show};
use crate::api::{ApiError, EffectiveConfig, ErrorCode, Request};
use crate::config::{Config, DEFAULT_PATH};

/// Arguments of `hipctl config`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hipctl config show\n  hipctl config sample > /etc/hip/hipd.toml\n  hipctl config check /etc/hip/hipd.toml"
)]
pub struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The configuration the running hipd uses, defaults included
    #[command(after_help = "Example:\n  hipctl config show")]
    Show,
    /// A file with every key, its explanation and its default
    #[command(after_help = "Example:\n  hipctl config sample > /etc/hip/hipd.toml")]
    Sample,
    /// Check a file without using it
    #[command(after_help = "Example:\n  hipctl config check /etc/hip/hipd.toml")]
    Check {
        /// The file [default: /etc/hip/hipd.toml]
        file: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct Sample {
    text: String,
}

#[derive(Serialize)]
struct Checked {
    file: String,
    ok: bool,
}

pub(super) fn run(args: &ConfigArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    match &args.what {
        What::Show => ask_and_show(common, out, Request::Config, render),
        What::Sample => out.show(
            &Sample {
                text: Config::sample(),
            },
            |s| s.text.clone(),
        ),
        What::Check { file } => {
            let path = file.as_deref().unwrap_or_else(|| Path::new(DEFAULT_PATH));
            Config::load(path, file.is_some())
                .map_err(|e| ApiError::new(ErrorCode::System, e.to_string()))?;
            let checked = Checked {
                file: path.display().to_string(),
                ok: true,
            };
            out.show(&checked, |checked| format!("{}: good", checked.file))
        }
    }
}

pub(super) fn render(effective: &EffectiveConfig) -> String {
    let source = effective
        .file
        .as_deref()
        .unwrap_or("no file: every value is the default");
    // TOML has no null: a key that is not set is left out, as in the file.
    match toml::to_string(&without_nulls(&effective.config)) {
        Ok(text) => format!("# {source}\n{text}"),
        Err(_) => format!("# {source}\n{}\n", effective.config),
    }
}

fn without_nulls(value: &Value) -> Value {
    let Value::Object(fields) = value else {
        return value.clone();
    };
    let set = fields.iter().filter(|(_, value)| !value.is_null());
    Value::Object(
        set.map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
    )
}
