//! A real `hipd` in a namespace, driven through `hipctl`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::namespace::Namespace;
use crate::process::{LabError, Running, run};

/// Longest time a daemon may take to start, stop, or report an awaited event.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A line of a daemon's hosts file.
#[derive(Debug, Clone)]
pub struct PeerEntry {
    /// HIT of the peer as text.
    pub hit: String,
    /// Its name.
    pub name: String,
    /// Locators as the hosts file writes them: `192.0.2.1`, `[2001:db8::1]:10500`, `raw:192.0.2.1`.
    pub locators: Vec<String>,
}

/// What a daemon is started with.
#[derive(Debug, Clone, Default)]
pub struct DaemonConfig {
    /// Lines appended to its hipd.toml (after state_dir, run_dir and hosts_file).
    pub toml: String,
    /// Its hosts file.
    pub peers: Vec<PeerEntry>,
}

/// A daemon and the directory with its state; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    namespace: String,
    directory: PathBuf,
    binaries: PathBuf,
    process: Option<Running>,
}

impl Daemon {
    /// Lays out the directory of a daemon called `name` below `lab_directory`; nothing runs yet.
    pub fn prepare(
        lab_directory: &Path,
        namespace: &Namespace,
        name: &str,
        binaries: &Path,
    ) -> Result<Self, LabError> {
        let directory = lab_directory.join(name);
        std::fs::create_dir_all(&directory)
            .map_err(|e| LabError::new(format!("{}: {e}", directory.display())))?;
        Ok(Self {
            name: name.to_owned(),
            namespace: namespace.name().to_owned(),
            directory,
            binaries: binaries.to_owned(),
            process: None,
        })
    }

    /// Name in the lab.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A file in the daemon's directory.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// Control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path("run/hipd.sock")
    }

    /// Makes the identity if there is none, and returns the HIT.
    pub fn hit(&self) -> Result<String, LabError> {
        let mut command = Command::new(self.binaries.join("hipctl"));
        command
            .arg("id")
            .arg("--config")
            .arg(self.path("hipd.toml"))
            .args(["--create", "--json"]);
        let answer = json(&run(&mut command)?)?;
        answer["data"]["hit"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| LabError::new("`hipctl id` printed no HIT"))
    }

    /// Writes configuration and hosts file.
    pub fn configure(&self, config: &DaemonConfig) -> Result<(), LabError> {
        let mut hosts = String::new();
        for peer in &config.peers {
            let _ = writeln!(
                hosts,
                "{} {} {}",
                peer.hit,
                peer.name,
                peer.locators.join(" ")
            );
        }
        let toml = format!(
            "state_dir = {:?}\nrun_dir = {:?}\nhosts_file = {:?}\n{}\n",
            self.path("state"),
            self.path("run"),
            self.path("hosts"),
            config.toml
        );
        for (file, text) in [("hosts", hosts), ("hipd.toml", toml)] {
            std::fs::write(self.path(file), text)
                .map_err(|e| LabError::new(format!("{}: {e}", self.name)))?;
        }
        Ok(())
    }

    /// Starts `hipd` and waits until its control socket answers.
    pub fn start(&mut self) -> Result<(), LabError> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .map_err(|e| LabError::new(format!("{}: {e}", self.name)))?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]);
        command
            .arg(self.binaries.join("hipd"))
            .arg("--config")
            .arg(self.path("hipd.toml"));
        self.process = Some(Running::start(command.stdout(Stdio::null()).stderr(log))?);
        self.hipctl(&["wait", "ready"]).map(drop).map_err(|e| {
            let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
            LabError::new(format!(
                "{}: {e}; its log ends: {}",
                self.name,
                log.lines().last().unwrap_or("(empty)")
            ))
        })
    }

    /// `hipctl <arguments>` in the namespace; its standard output.
    pub fn hipctl(&self, arguments: &[&str]) -> Result<String, LabError> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]);
        command
            .arg(self.binaries.join("hipctl"))
            .arg("--socket")
            .arg(self.socket())
            .args(arguments);
        run(&mut command)
    }

    /// `hipctl <arguments> --json`: the `data` of the answer.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value, LabError> {
        let mut all = arguments.to_vec();
        all.push("--json");
        Ok(json(&self.hipctl(&all)?)?["data"].take())
    }

    /// SIGTERM, then waits for the end: the clean way out.
    pub fn stop(&mut self) -> Result<(), LabError> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        process.signal(Signal::SIGTERM);
        if process.wait(PATIENCE)? {
            return Ok(());
        }
        Err(LabError::new(format!(
            "{}: hipd did not exit with code 0 after SIGTERM",
            self.name
        )))
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::SIGKILL);
            let _ = process.wait(PATIENCE);
        }
    }

    /// Process id while running. `ip netns exec` replaces itself by hipd, so it is hipd's own.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Running::pid)
    }

    /// Text of its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

fn json(text: &str) -> Result<Value, LabError> {
    serde_json::from_str(text)
        .map_err(|e| LabError::new(format!("hipctl printed no JSON ({e}): {}", text.trim())))
}
