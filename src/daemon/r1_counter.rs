//! The R1 generation counter never goes back, not after a crash either (RFC 7401 §4.1.4).
//!
//! The file holds the value the *next* start begins with, written ahead: a crash skips values,
//! it never repeats one. Without a file the counter begins at the time of day in seconds, which
//! is above anything an earlier life can have reached.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::api::{ApiError, ErrorCode};

// 7401-4.1.4-04: kept over restarts.
/// Values reserved ahead. One is used in minutes, and the reserve is renewed every hour.
const AHEAD: u64 = 1024;

/// The file and the first value of this run.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    first: u64,
}

impl Reserve {
    /// Reads the file and reserves values, durably.
    pub(super) fn open(state_dir: &Path) -> Result<Self, ApiError> {
        let path = state_dir.join("r1-counter");
        let first = match std::fs::read_to_string(&path) {
            Ok(text) => match text.trim().parse() {
                Ok(first) => first,
                Err(_) => {
                    tracing::error!(
                        "{} holds no number; it is kept as r1-counter.damaged and the counter \
                         goes on from the time of day",
                        path.display()
                    );
                    keep(&path).map_err(|e| failed(&path, &e))?;
                    time_of_day()
                }
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => time_of_day(),
            Err(e) => return Err(failed(&path, &e)),
        };
        let reserve = Self { path, first };
        reserve.write(first)?;
        Ok(reserve)
    }

    /// The first value of this run.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Reserves values above the one in use now.
    pub(super) fn write(&self, current: u64) -> Result<(), ApiError> {
        self.store(current.saturating_add(AHEAD))
            .map_err(|e| failed(&self.path, &e))
    }

    /// At a clean end: the next start goes on with the next value.
    pub(super) fn finish(&self, current: u64) -> Result<(), ApiError> {
        self.store(current.saturating_add(1))
            .map_err(|e| failed(&self.path, &e))
    }

    fn store(&self, value: u64) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        writeln!(file, "{value}")?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        match self.path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// Puts a damaged file aside under the first free name.
fn keep(path: &Path) -> io::Result<()> {
    for number in 0..1000 {
        let kept = match number {
            0 => path.with_extension("damaged"),
            number => path.with_extension(format!("damaged-{number}")),
        };
        match std::fs::hard_link(path, kept) {
            Ok(()) => return std::fs::remove_file(path),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("there are 1000 damaged ones already"))
}

fn time_of_day() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(1, |since| since.as_secs())
}

fn failed(path: &Path, error: &io::Error) -> ApiError {
    ApiError::new(
        ErrorCode::System,
        format!("R1 counter {}: {error}", path.display()),
    )
}
