//! Packet captures by tcpdump, read back by tshark.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::namespace::Namespace;
use crate::process::{LabError, Running, run};

/// A running capture on one interface.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Running,
    file: PathBuf,
}

impl Capture {
    /// Starts capturing everything on `interface` of `namespace` into `file`; returns once tcpdump listens.
    pub fn start(namespace: &Namespace, interface: &str, file: &Path) -> Result<Self, LabError> {
        // -Z root: no change of user, so the file stays ours; the rest: packet by packet, nothing lost at the end.
        let mut command = namespace.command("tcpdump");
        command
            .args([
                "-i",
                interface,
                "--immediate-mode",
                "-U",
                "-n",
                "-s",
                "0",
                "-Z",
                "root",
                "-B",
                "16384",
                "-w",
            ])
            .arg(file);
        let tcpdump = Running::start_until(&mut command, "listening on")?;
        Ok(Self {
            tcpdump,
            file: file.to_owned(),
        })
    }

    /// Stops and returns the file.
    pub fn stop(mut self) -> Result<PathBuf, LabError> {
        self.tcpdump.signal(Signal::SIGINT);
        self.tcpdump.wait(Duration::from_secs(10))?;
        Ok(self.file.clone())
    }
}

/// tshark over `file`: display filter `filter`, one line per packet with `fields` separated by tabs.
/// `profile` is a Wireshark configuration directory (for example one written by hipd's key log).
pub fn tshark(
    file: &Path,
    filter: &str,
    fields: &[&str],
    profile: Option<&Path>,
) -> Result<Vec<String>, LabError> {
    let mut command = Command::new("tshark");
    command
        .arg("-n")
        .arg("-r")
        .arg(file)
        .args(["-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    if let Some(profile) = profile {
        command.env("WIRESHARK_CONFIG_DIR", profile);
        let shim = profile.join("hip_udp.lua");
        if shim.exists() {
            command
                .arg("-X")
                .arg(format!("lua_script:{}", shim.display()));
        }
    }
    Ok(run(&mut command)?.lines().map(str::to_owned).collect())
}
