//! The hosts file as the daemon holds it: all of a file or nothing of it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hip_net::hosts::HostsFile;
use hip_wire::hit::Hit;

/// The peers known by configuration, and what is wrong with the file on disk.
#[derive(Debug, Clone)]
pub(super) struct KnownHosts {
    pub(super) path: PathBuf,
    pub(super) file: HostsFile,
    /// The file on disk cannot be used; what was read before still holds.
    pub(super) error: Option<String>,
}

impl KnownHosts {
    /// Reads the file. A damaged one does not keep hipd from starting: it says so and knows
    /// no peers until it is repaired.
    pub(super) fn load(path: &Path) -> Self {
        let mut hosts = Self {
            path: path.to_owned(),
            file: HostsFile::default(),
            error: None,
        };
        if let Err(error) = hosts.reload() {
            tracing::error!("{error}");
        }
        hosts
    }

    /// Reads the file again; on an error the peers stay as they were. `Ok(true)`: it differs.
    pub(super) fn reload(&mut self) -> Result<bool, String> {
        match HostsFile::load(&self.path) {
            Ok(file) => {
                let differs = self.file != file || self.error.is_some();
                self.file = file;
                self.error = None;
                Ok(differs)
            }
            Err(error) => {
                let error = error.to_string();
                self.error = Some(error.clone());
                Err(error)
            }
        }
    }

    /// The first name of a peer.
    pub(super) fn name(&self, hit: Hit) -> Option<String> {
        self.file.by_hit(hit)?.names.first().cloned()
    }

    /// The HIT a user means by a name or HIT; LSIs are the caller's matter. The error is the
    /// nearest known name.
    pub(super) fn resolve(&self, text: &str) -> Result<Hit, Option<String>> {
        self.file.resolve(text).ok_or_else(|| self.nearest(text))
    }

    fn nearest(&self, text: &str) -> Option<String> {
        if text.parse::<IpAddr>().is_ok() {
            return None;
        }
        let names = self.file.entries().iter().flat_map(|entry| &entry.names);
        names
            .map(|name| (strsim::normalized_damerau_levenshtein(name, text), name))
            .filter(|(score, _)| *score >= 0.5)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, name)| name.clone())
    }
}
