//! Child processes with one-line errors, and their end.

use std::fmt;
use std::io::{BufRead, BufReader, pipe};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// What went wrong in the lab, in one line.
#[derive(Debug, Clone)]
pub struct LabError(String);

impl LabError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LabError {}

fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

/// Runs to the end; an exit code other than 0 is an error that carries the last line of stderr.
pub fn run(command: &mut Command) -> Result<String, LabError> {
    let output = finish(command)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let last = stderr
            .lines()
            .last()
            .or_else(|| stdout.lines().last())
            .unwrap_or("(no message)");
        return Err(LabError::new(format!(
            "`{}`: {}: {last}",
            shown(command),
            output.status
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs to the end and returns everything, whatever the exit code.
pub fn finish(command: &mut Command) -> Result<Output, LabError> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| LabError::new(format!("`{}` did not start: {e}", shown(command))))
}

/// A child in its own process group; the whole group is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    what: String,
}

impl Running {
    /// Starts `command` with its standard input closed.
    pub fn start(command: &mut Command) -> Result<Self, LabError> {
        let what = shown(command);
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|e| LabError::new(format!("`{what}` did not start: {e}")))?;
        Ok(Self { child, what })
    }

    /// Starts `command` and returns once a line of its output or of its errors holds `ready`.
    pub fn start_until(command: &mut Command, ready: &str) -> Result<Self, LabError> {
        let (reader, output) = pipe().map_err(|e| LabError::new(format!("pipe: {e}")))?;
        let errors = output.try_clone();
        let errors = errors.map_err(|e| LabError::new(format!("pipe: {e}")))?;
        let running = Self::start(command.stdout(output).stderr(errors))?;
        // The command holds the writing ends; only with them closed here does its end close the pipe.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut lines = BufReader::new(reader).lines();
        let mut last = String::new();
        while let Some(Ok(line)) = lines.next() {
            if line.contains(ready) {
                // Keep reading, so that the child never blocks on a full pipe.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(running);
            }
            last = line;
        }
        Err(LabError::new(format!(
            "`{}` ended before it was ready: {last}",
            running.what
        )))
    }

    /// Process id of the child.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the whole group.
    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // The group may be gone already: nothing to do then.
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }

    /// Waits for the end, at most `limit`; `Ok(true)` if it exited with code 0.
    pub fn wait(&mut self, limit: Duration) -> Result<bool, LabError> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            // WNOWAIT leaves the exit status to `Child::wait` below. Nobody listens after `limit`.
            let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
            let _ = ended.send(());
        });
        if end.recv_timeout(limit).is_err() {
            return Err(LabError::new(format!(
                "`{}` did not end within {limit:?}",
                self.what
            )));
        }
        let status = self.child.wait();
        status
            .map(|status| status.success())
            .map_err(|e| LabError::new(format!("`{}`: {e}", self.what)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

/// Command lines of live processes that mention `text`, other than this process.
#[must_use]
pub fn commands_mentioning(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return found;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(pid) = name.to_string_lossy().parse::<u32>() else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(text) {
            found.push(format!("{pid} {}", line.trim()));
        }
    }
    found
}
