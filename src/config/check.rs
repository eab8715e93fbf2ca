//! From text to a checked [`Config`]: each mistake gets its line, its key and the next step.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Config, KEYS, SECTIONS};

/// Why a configuration cannot be used; prints as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Line, counted from 1; `None` when the whole file is meant.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl ConfigError {
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let next = match error.kind() {
            io::ErrorKind::NotFound => "name an existing file, or leave --config out",
            io::ErrorKind::PermissionDenied => "run as root or make it readable",
            _ => "it must be a readable UTF-8 text file",
        };
        Self {
            path: path.to_owned(),
            line: None,
            message: format!("cannot read the configuration: {error}; {next}"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path.display(), self.message),
            None => write!(f, "{}: {}", self.path.display(), self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

pub(super) fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let error = |span: Option<Range<usize>>, message: String| ConfigError {
        path: path.to_owned(),
        line: span.map(|span| line_of(text, span.start)),
        message,
    };
    let table = DeTable::parse(text).map_err(|e| error(e.span(), one_line(e.message())))?;
    if let Some((span, message)) = unknown_key(table.get_ref()) {
        return Err(error(Some(span), message));
    }
    let config: Config = toml::from_str(text).map_err(|e| error(e.span(), type_error(text, &e)))?;
    if let Some((key, message)) = out_of_range(&config) {
        let span = key_span(table.get_ref(), key);
        return Err(error(span, format!("{key}: {message}")));
    }
    Ok(config)
}

/// The first key no table knows, with a hint.
fn unknown_key(top: &DeTable<'_>) -> Option<(Range<usize>, String)> {
    for (name, value) in in_file_order(top) {
        let section = name.get_ref().as_ref();
        if KEYS
            .iter()
            .any(|k| k.section.is_empty() && k.key == section)
        {
            continue;
        }
        if !SECTIONS.iter().any(|(s, _)| *s == section) {
            return Some((name.span(), unknown_message("", section)));
        }
        let DeValue::Table(inner) = value.get_ref() else {
            let message = format!("\"{section}\" is a table: write it as [{section}]");
            return Some((name.span(), message));
        };
        for (key, _) in in_file_order(inner) {
            let key_text = key.get_ref().as_ref();
            if !KEYS
                .iter()
                .any(|k| k.section == section && k.key == key_text)
            {
                return Some((key.span(), unknown_message(section, key_text)));
            }
        }
    }
    None
}

type Entry<'a, 'i> = (
    &'a Spanned<std::borrow::Cow<'i, str>>,
    &'a Spanned<DeValue<'i>>,
);

/// Entries by position, so that the first mistake in the file is the one reported.
fn in_file_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
    let mut entries: Vec<Entry<'a, 'i>> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

fn unknown_message(section: &str, key: &str) -> String {
    let full = if section.is_empty() {
        key.to_owned()
    } else {
        format!("{section}.{key}")
    };
    match nearest(section, key) {
        Some(hint) => format!("unknown key \"{full}\"; did you mean \"{hint}\"?"),
        None => format!("unknown key \"{full}\"; `hipctl config sample` lists every key"),
    }
}

/// The known name closest to what was written: same table first, then any table.
fn nearest(section: &str, key: &str) -> Option<String> {
    let score = |candidate: &str| strsim::normalized_damerau_levenshtein(candidate, key);
    let same_table = KEYS
        .iter()
        .filter(|k| k.section == section)
        .map(|k| (score(k.key), k.path()))
        .chain(
            SECTIONS
                .iter()
                .filter(|_| section.is_empty())
                .map(|(name, _)| (score(name), format!("[{name}]"))),
        );
    let elsewhere = KEYS
        .iter()
        .filter(|k| k.section != section)
        .map(|k| (score(k.key) - 0.05, k.path()));
    same_table
        .chain(elsewhere)
        .filter(|(score, _)| *score >= 0.6)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, path)| path)
}

/// Limits a type cannot express: the key and what is wrong with its value.
fn out_of_range(config: &Config) -> Option<(&'static str, String)> {
    let network = &config.network;
    if network.udp_port == 0 {
        return Some(("network.udp_port", "the port must be 1 to 65535".into()));
    }
    if network.tun_name.is_empty()
        || network.tun_name.len() > 15
        || network
            .tun_name
            .contains(|c: char| c == '/' || c.is_whitespace())
    {
        let message = "an interface name has 1 to 15 characters, no space and no slash";
        return Some(("network.tun_name", message.into()));
    }
    if let Some(mtu) = network.mtu.filter(|mtu| !(1280..=9000).contains(mtu)) {
        return Some(("network.mtu", format!("{mtu} is outside 1280 to 9000")));
    }
    if network.transport == super::TransportName::Raw && !network.raw {
        let message = "\"raw\" needs network.raw = true";
        return Some(("network.transport", message.into()));
    }
    if config.hip.puzzle_difficulty > 20 {
        let message = "at most 20: a peer would need seconds to solve it";
        return Some(("hip.puzzle_difficulty", message.into()));
    }
    if config.hip.ual_seconds < 10 {
        return Some(("hip.ual_seconds", "at least 10 seconds".into()));
    }
    if config.hip.dh_groups.is_empty() {
        return Some(("hip.dh_groups", "name at least one group".into()));
    }
    if config.hip.esp_suites.is_empty() {
        return Some(("hip.esp_suites", "name at least one suite".into()));
    }
    if config.overlay.port == 0 {
        return Some(("overlay.port", "the port must be 1 to 65535".into()));
    }
    None
}

fn key_span(top: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let (section, key) = path.split_once('.')?;
    let (_, table) = top
        .iter()
        .find(|(name, _)| name.get_ref().as_ref() == section)?;
    let DeValue::Table(table) = table.get_ref() else {
        return None;
    };
    table
        .iter()
        .find(|(name, _)| name.get_ref().as_ref() == key)
        .map(|(name, _)| name.span())
}

/// serde's message with the key it is about in front.
fn type_error(text: &str, error: &toml::de::Error) -> String {
    let message = one_line(error.message());
    let Some(span) = error.span() else {
        return message;
    };
    let start = text
        .get(..span.start)
        .and_then(|head| head.rfind('\n'))
        .map_or(0, |at| at + 1);
    let key = text
        .get(start..span.start)
        .and_then(|line| line.split_once('='));
    match key {
        Some((key, _)) if !key.trim().is_empty() => format!("{}: {message}", key.trim()),
        _ => message,
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line of an octet, from 1; what is missing at the end is missing on the last line.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    let line = before.filter(|byte| *byte == b'\n').count() + 1;
    line.min(text.lines().count().max(1))
}
