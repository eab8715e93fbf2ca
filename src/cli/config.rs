//! `hipctl config`: show, sample, check.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

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
            let path = file.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
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

fn render(effective: &EffectiveConfig) -> String {
    let source = effective
        .file
        .as_deref()
        .unwrap_or("no file: every value is the default");
    let table = toml::Value::try_from(&effective.config)
        .and_then(|value| toml::to_string(&value).map_err(serde::ser::Error::custom));
    match table {
        Ok(text) => format!("# {source}\n{text}"),
        Err(_) => format!("# {source}\n{}\n", effective.config),
    }
}
