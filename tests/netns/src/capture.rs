//! Packet captures by tcpdump, read back by tshark.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::namespace::Namespace;
use crate::process::{LabError, Running, run};
use crate::programs::until;

/// The last datagram of every capture; what was sent before it is in the file when it is.
const MARKER: &[u8] = b"with-hip: end of capture";

/// A running capture on one interface.
#[derive(Debug)]
pub struct Capture<'a> {
    tcpdump: Running,
    namespace: &'a Namespace,
    interface: String,
    file: PathBuf,
}

impl<'a> Capture<'a> {
    /// Starts capturing everything on `interface` of `namespace` into `file`; returns once tcpdump listens.
    pub fn start(namespace: &'a Namespace, interface: &str, file: &Path) -> Result<Self, LabError> {
        // -Z root: no change of user, so the file stays ours; the rest: written packet by packet.
        let mut command = namespace.command("tcpdump");
        command.args(["-i", interface, "--immediate-mode", "-U", "-n", "-s", "0"]);
        command.args(["-Z", "root", "-B", "16384", "-w"]).arg(file);
        let tcpdump = Running::start_until(&mut command, "listening on")?;
        Ok(Self {
            tcpdump,
            namespace,
            interface: interface.to_owned(),
            file: file.to_owned(),
        })
    }

    /// Stops once everything sent before is in the file, and returns the file.
    pub fn stop(mut self) -> Result<PathBuf, LabError> {
        self.namespace.enter(|| send_marker(&self.interface))??;
        until("end of the capture", || {
            let bytes = std::fs::read(&self.file)
                .map_err(|e| LabError::new(format!("{}: {e}", self.file.display())))?;
            Ok(bytes.windows(MARKER.len()).any(|window| window == MARKER))
        })?;
        self.tcpdump.signal(Signal::SIGINT);
        self.tcpdump.wait(Duration::from_secs(10))?;
        Ok(self.file)
    }
}

/// To all nodes on the link: needs no neighbour, and nobody answers.
fn send_marker(interface: &str) -> Result<(), LabError> {
    let failed = |e: std::io::Error| LabError::new(format!("marker on {interface}: {e}"));
    let index = nix::net::if_::if_nametoindex(interface).map_err(|e| failed(e.into()))?;
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).map_err(failed)?;
    // Port 9 is discard.
    let to = SocketAddrV6::new(all_nodes, 9, 0, index);
    socket.send_to(MARKER, to).map(drop).map_err(failed)
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
