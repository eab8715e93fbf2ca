//! Edits of the hosts file: one line changes, comments and order stay, a reader never sees half.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hip_net::hosts::{HostEntry, HostsFile};
use nix::fcntl::{Flock, FlockArg};

use crate::api::{ApiError, ErrorCode, KnownHost};

#[cfg(test)]
mod tests;

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds a host, or names and locators to a known one.
    Add {
        /// The entry.
        entry: HostEntry,
        /// Forget what is known of it first.
        replace: bool,
    },
    /// Removes the host of this name or HIT.
    Remove(String),
}

impl Change {
    /// Checks the words of `hipctl hosts add`.
    pub fn add(
        hit: &str,
        names: &str,
        locators: &[String],
        replace: bool,
    ) -> Result<Self, ApiError> {
        let line = format!("{hit} {names} {}", locators.join(" "));
        let hosts = HostsFile::parse(&line)
            .map_err(|(_, reason)| ApiError::new(ErrorCode::BadRequest, reason))?;
        match hosts.entries() {
            [entry] => Ok(Self::Add {
                entry: entry.clone(),
                replace,
            }),
            _ => Err(
                ApiError::new(ErrorCode::BadRequest, "a host needs a HIT and a name")
                    .hint("for example: hipctl hosts add 2001:20::1 bob 192.0.2.2"),
            ),
        }
    }
}

/// Makes one change durable: written beside the file, synced, renamed over it. Returns the entry
/// as it is now (or was, when removed). Edits at the same time wait for each other.
pub fn edit(path: &Path, change: &Change) -> Result<Option<KnownHost>, ApiError> {
    let failed = |what: &str, e: &dyn std::fmt::Display| {
        ApiError::new(
            ErrorCode::System,
            format!("{}: {what}: {e}", path.display()),
        )
    };
    // A link to a file kept elsewhere stays a link.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(dir).map_err(|e| failed("cannot make its directory", &e))?;
    let lock = File::open(dir).map_err(|e| failed("cannot open its directory", &e))?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, e)| failed("cannot lock its directory", &e))?;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(failed("cannot be read", &e)),
    };
    let (text, entry) = changed(&text, change).map_err(|(line, reason)| {
        let place = line.map_or_else(String::new, |line| format!(":{line}"));
        ApiError::new(
            ErrorCode::Failed,
            format!("{}{place}: {reason}", path.display()),
        )
    })?;
    replace(path, dir, &text).map_err(|e| failed("cannot be written", &e))?;
    Ok(Some(known(&entry)))
}

/// An entry as the API shows it.
pub fn known(entry: &HostEntry) -> KnownHost {
    KnownHost {
        hit: entry.hit.to_string(),
        names: entry.names.clone(),
        lsi: None,
        locators: entry.locators.iter().map(ToString::to_string).collect(),
    }
}

type Refused = (Option<usize>, String);

/// The new text and the entry concerned.
fn changed(text: &str, change: &Change) -> Result<(String, HostEntry), Refused> {
    let at = |(line, reason): (usize, String)| (Some(line), reason);
    let hosts = HostsFile::parse(text).map_err(at)?;
    let (hit, new_entry) = match change {
        Change::Add { entry, replace } => {
            let mut merged = HostsFile::default();
            if let Some(old) = hosts.by_hit(entry.hit).filter(|_| !replace) {
                merged.insert(old.clone());
            }
            merged.insert(entry.clone());
            (entry.hit, merged.by_hit(entry.hit).cloned())
        }
        Change::Remove(host) => {
            let hit = hosts
                .resolve(host)
                .filter(|hit| hosts.by_hit(*hit).is_some());
            (
                hit.ok_or_else(|| (None, format!("names no host \"{host}\"")))?,
                None,
            )
        }
    };
    let mut lines = Vec::new();
    let mut written = false;
    for line in text.lines() {
        let same = HostsFile::parse(line).is_ok_and(|one| one.by_hit(hit).is_some());
        match (&new_entry, same) {
            (_, false) => lines.push(line.to_owned()),
            (Some(entry), true) if !written => {
                let comment = line
                    .find('#')
                    .map_or_else(String::new, |at| format!("  {}", &line[at..]));
                lines.push(format!("{entry}{comment}"));
                written = true;
            }
            (_, true) => {}
        }
    }
    if let Some(entry) = new_entry.as_ref().filter(|_| !written) {
        lines.push(entry.to_string());
    }
    let mut new_text = lines.join("\n");
    if !new_text.is_empty() {
        new_text.push('\n');
    }
    // A name that belongs to another HIT is found here, before anything is written.
    HostsFile::parse(&new_text).map_err(|(line, reason)| {
        let old_line = if line <= text.lines().count() {
            Some(line)
        } else {
            None
        };
        (old_line, reason)
    })?;
    let entry = new_entry.or_else(|| hosts.by_hit(hit).cloned());
    entry
        .map(|entry| (new_text, entry))
        .ok_or_else(|| (None, format!("names no host {hit}")))
}

fn replace(path: &Path, dir: &Path, text: &str) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("is not the name of a file"))?;
    let mut temporary: PathBuf = dir.join(name);
    temporary
        .as_mut_os_string()
        .push(format!(".new-{}", std::process::id()));
    let mode = std::fs::metadata(path).map_or(0o644, |meta| meta.permissions().mode());
    let write = || {
        let mut file = File::create_new(&temporary)?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        File::open(dir)?.sync_all()
    };
    write().inspect_err(|_| {
        // Only our own half-written file is cleared away.
        let _ = std::fs::remove_file(&temporary);
    })
}
