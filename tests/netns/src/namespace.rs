//! Network namespaces and the links between them, through `ip`.

use std::ffi::OsStr;
use std::fs::File;
use std::process::Command;

use nix::sched::{CloneFlags, setns};

use crate::process::{LabError, Running, finish, run};

/// A named network namespace; deleted when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

/// Runs `ip` with the words of `arguments`.
pub fn ip(arguments: &str) -> Result<String, LabError> {
    run(Command::new("ip").args(arguments.split_whitespace()))
}

impl Namespace {
    /// Creates `name` with loopback up.
    pub fn create(name: String) -> Result<Self, LabError> {
        ip(&format!("netns add {name}"))?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Names of all namespaces of this machine.
    #[must_use]
    pub fn list() -> Vec<String> {
        let text = ip("netns list").unwrap_or_default();
        text.lines()
            .filter_map(|l| l.split_whitespace().next())
            .map(str::to_owned)
            .collect()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `ip -n <name> <arguments>`.
    pub fn ip(&self, arguments: &str) -> Result<String, LabError> {
        ip(&format!("-n {} {arguments}", self.name))
    }

    /// A command that will run inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a command line (split at blanks) inside, to its end.
    pub fn run(&self, line: &str) -> Result<String, LabError> {
        let mut words = line.split_whitespace();
        run(self.command(words.next().unwrap_or("true")).args(words))
    }

    /// Runs a command line inside; `true` if it exited with code 0.
    pub fn succeeds(&self, line: &str) -> Result<bool, LabError> {
        let mut words = line.split_whitespace();
        Ok(
            finish(self.command(words.next().unwrap_or("true")).args(words))?
                .status
                .success(),
        )
    }

    /// Starts a command line inside and leaves it running.
    pub fn start(&self, line: &str) -> Result<Running, LabError> {
        let mut words = line.split_whitespace();
        Running::start(
            self.command(words.next().unwrap_or("true"))
                .args(words)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null()),
        )
    }

    /// Runs `work` on a thread of this process that has entered the namespace, and returns its result.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        let file = File::open(format!("/run/netns/{}", self.name))
            .map_err(|e| LabError::new(format!("namespace {}: {e}", self.name)))?;
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    setns(&file, CloneFlags::CLONE_NEWNET)
                        .map_err(|e| LabError::new(format!("cannot enter the namespace: {e}")))?;
                    Ok(work())
                })
                .join()
                .map_err(|_| LabError::new("the work inside the namespace panicked"))?
        })
    }

    /// Joins `self` and `other` by a veth pair whose ends are called `here` and `there`, both up.
    pub fn link(&self, here: &str, other: &Self, there: &str) -> Result<(), LabError> {
        ip(&format!(
            "link add {here} netns {} type veth peer name {there} netns {}",
            self.name, other.name
        ))?;
        self.ip(&format!("link set {here} up"))?;
        other.ip(&format!("link set {there} up")).map(drop)
    }

    /// Adds an address (`addr/len`); IPv6 without duplicate address detection, usable at once.
    pub fn address(&self, interface: &str, address: &str) -> Result<(), LabError> {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        self.ip(&format!("address add {address} dev {interface} {nodad}"))
            .map(drop)
    }

    /// Switches UDP segmentation by the device on or off. A veth device with it hands super-packets of up to
    /// 64 KiB on as they are; without it every datagram crosses by itself, as a capture should show it.
    pub fn udp_segmentation(&self, interface: &str, on: bool) -> Result<(), LabError> {
        let state = if on { "on" } else { "off" };
        self.run(&format!(
            "ethtool -K {interface} tx-udp-segmentation {state}"
        ))
        .map(drop)
    }

    /// Lets the namespace forward IPv4 and IPv6.
    pub fn forward(&self) -> Result<(), LabError> {
        self.enter(|| {
            for path in [
                "/proc/sys/net/ipv4/ip_forward",
                "/proc/sys/net/ipv6/conf/all/forwarding",
            ] {
                std::fs::write(path, "1").map_err(|e| LabError::new(format!("{path}: {e}")))?;
            }
            Ok(())
        })?
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&format!("netns delete {}", self.name));
    }
}
