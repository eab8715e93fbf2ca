//! # hip-lab: real daemons on real packets
//!
//! A laboratory of network namespaces joined by veth pairs, with real `hipd` processes, unmodified
//! programs and packet captures in them. The tests of this crate and `cargo xtask demo` are told on it.
//!
//! ```text
//!   Lab ──owns──> Namespace (ip netns, veth, bridge, routes)
//!    │               │
//!    │               ├── Daemon   (hipd + its configuration, driven through hipctl)
//!    │               ├── Program  (iperf3, curl, busybox httpd ...: unmodified)
//!    │               └── Capture  (tcpdump, read back by tshark)
//!    └── Drop: every process, namespace and file it made is gone
//! ```
//!
//! Needs root, or `cargo xtask`, which makes namespaces of its own around it (a user namespace too, where needed). Everything made carries the
//! lab's prefix, so [`Lab::leftovers`] can prove that nothing stayed behind.

pub mod bench;
pub mod capture;
pub mod daemon;
pub mod demo;
pub mod namespace;
pub mod process;
pub mod programs;
pub mod topology;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub use capture::Capture;
pub use daemon::{Daemon, DaemonConfig, PeerEntry};
pub use namespace::Namespace;
pub use process::{LabError, Running};

static NEXT_LAB: AtomicU32 = AtomicU32::new(0);

/// One laboratory: a name prefix, a scratch directory, and the namespaces made in it.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    directory: tempfile::TempDir,
}

impl Lab {
    /// An empty laboratory (with HIP_LAB_KEEP set its directory stays for inspection), or why it cannot be had (not root, tools missing).
    pub fn new() -> Result<Self, LabError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(LabError::new(
                "the lab needs root (network namespaces, TUN, raw sockets)",
            ));
        }
        let number = NEXT_LAB.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("hl{}x{number}", std::process::id());
        let directory = tempfile::Builder::new()
            .prefix(&format!("{prefix}-"))
            .disable_cleanup(std::env::var_os("HIP_LAB_KEEP").is_some())
            .tempdir()
            .map_err(|e| LabError::new(format!("no scratch directory: {e}")))?;
        Ok(Self { prefix, directory })
    }

    /// The prefix of every name made here.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Scratch directory, removed with the lab.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A new namespace `<prefix>-<name>` with loopback up. It is deleted when dropped.
    pub fn namespace(&self, name: &str) -> Result<Namespace, LabError> {
        Namespace::create(format!("{}-{name}", self.prefix))
    }

    /// Names of namespaces and command lines of processes that still carry this lab's prefix:
    /// empty once everything made in the lab is dropped.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let mut left: Vec<String> = Namespace::list()
            .into_iter()
            .filter(|n| n.starts_with(&self.prefix))
            .collect();
        left.extend(process::commands_mentioning(&self.prefix));
        left
    }
}

/// Directory that holds `hipd` and `hipctl`: `HIP_BIN_DIR`, else the build directory this program runs from.
pub fn binary_directory() -> Result<PathBuf, LabError> {
    if let Some(dir) = std::env::var_os("HIP_BIN_DIR") {
        return Ok(dir.into());
    }
    let exe =
        std::env::current_exe().map_err(|e| LabError::new(format!("current executable: {e}")))?;
    exe.ancestors()
        .find(|d| d.join("hipd").is_file() && d.join("hipctl").is_file())
        .map(Path::to_path_buf)
        .ok_or_else(|| {
            LabError::new(
                "hipd and hipctl are not built: run `cargo build --bins` first, or set HIP_BIN_DIR",
            )
        })
}
