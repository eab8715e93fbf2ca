//! What can go wrong at the edge to the operating system, in one line each.

use std::{fmt, io, path::PathBuf};

/// An error of the IO shell. Its text says what failed, on what, and why; the caller prints it as
/// it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum NetError {
    /// A key file cannot be used. It is never changed.
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A hosts file has a line that cannot be read.
    Hosts {
        /// The file, empty for text that came from elsewhere.
        path: PathBuf,
        /// Line number from 1; 0 when the file itself could not be read.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A request to the operating system failed.
    System {
        /// What was tried, with the name of the object.
        what: String,
        /// The answer.
        source: io::Error,
    },
    /// A value of the configuration cannot work.
    Config(String),
    /// A protocol part refused (configuration or key material).
    Protocol(String),
    /// The host is shutting down or its driver has ended.
    Stopped,
}

impl NetError {
    pub(crate) fn system(what: impl Into<String>, source: io::Error) -> Self {
        Self::System {
            what: what.into(),
            source,
        }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyFile { path, reason } => write!(f, "key file {}: {reason}", path.display()),
            Self::Hosts {
                path,
                line: 0,
                reason,
            } => write!(f, "{}: {reason}", path.display()),
            Self::Hosts { path, line, reason } => {
                write!(f, "{}:{line}: {reason}", path.display())
            }
            Self::System { what, source } => match source.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => {
                    write!(
                        f,
                        "{what}: {source} (hipd needs root or CAP_NET_ADMIN and CAP_NET_RAW)"
                    )
                }
                _ => write!(f, "{what}: {source}"),
            },
            Self::Config(reason) | Self::Protocol(reason) => f.write_str(reason),
            Self::Stopped => f.write_str("the HIP host has stopped"),
        }
    }
}

impl std::error::Error for NetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}
