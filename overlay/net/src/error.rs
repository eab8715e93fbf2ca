//! Why the overlay cannot start or answer.

use std::{fmt, io, net::SocketAddr};

use reload_core::CommandError;

use crate::store::StoreError;

/// An error of the overlay's shell; prints as one line.
#[derive(Debug)]
pub enum OverlayError {
    /// The database cannot be used.
    Store(StoreError),
    /// The listening socket cannot be had.
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The node cannot be made of this identity.
    Node(String),
    /// The node refused or failed a command.
    Command(CommandError),
    /// The node task has ended.
    Stopped,
}

impl fmt::Display for OverlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Listen { address, source } => {
                write!(f, "overlay: cannot listen on {address}: {source}")
            }
            Self::Node(reason) => write!(f, "overlay: {reason}"),
            Self::Command(error) => error.fmt(f),
            Self::Stopped => f.write_str("the overlay node has stopped; see the log of hipd"),
        }
    }
}

impl std::error::Error for OverlayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Listen { source, .. } => Some(source),
            Self::Command(error) => Some(error),
            Self::Node(_) | Self::Stopped => None,
        }
    }
}

impl From<StoreError> for OverlayError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CommandError> for OverlayError {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}
