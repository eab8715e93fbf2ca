//! Unmodified programs between namespaces: ping, curl, busybox httpd, iperf3.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::daemon::PATIENCE;
use crate::namespace::Namespace;
use crate::process::{LabError, Running, run};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// For what an unmodified program gives no event of: tries `probe` until it succeeds; an error after [`PATIENCE`].
pub fn until(
    what: &str,
    mut probe: impl FnMut() -> Result<bool, LabError>,
) -> Result<(), LabError> {
    let end = Instant::now() + PATIENCE;
    while !probe()? {
        if Instant::now() > end {
            return Err(LabError::new(format!("{what}: not within {PATIENCE:?}")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Pings `count` times; the round-trip summary line. An unanswered one is an error.
pub fn ping(from: &Namespace, to: &str, count: u32) -> Result<String, LabError> {
    let text = from.run(&format!("ping -n -c {count} -i 0.2 -W 5 {to}"))?;
    if !text.contains(" 0% packet loss") {
        return Err(LabError::new(format!(
            "ping {to}: {}",
            text.lines().rev().nth(1).unwrap_or("no answer")
        )));
    }
    Ok(text.lines().last().unwrap_or_default().to_owned())
}

/// Several pings of one packet each, under way at once: ping with a larger count exits with 0 when only one of
/// its packets is answered.
#[derive(Debug)]
pub struct FirstPackets(Vec<Running>);

impl FirstPackets {
    /// Sends `count` echo requests.
    pub fn send(from: &Namespace, to: &str, count: usize) -> Result<Self, LabError> {
        let one = |_| from.start(&format!("ping -n -c 1 -W 25 {to}"));
        (0..count).map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Waits for the answers; an error names how many are missing.
    pub fn all_answered(mut self) -> Result<(), LabError> {
        let mut lost = 0;
        for ping in &mut self.0 {
            lost += usize::from(!ping.wait(PATIENCE)?);
        }
        if lost == 0 {
            return Ok(());
        }
        Err(LabError::new(format!(
            "{lost} of {} first packets were lost",
            self.0.len()
        )))
    }
}

/// A directory with one file for busybox httpd to serve on port 8080.
#[derive(Debug)]
pub struct Site {
    directory: PathBuf,
    /// SHA-256 of `file`, hexadecimal.
    pub sha256: String,
}

impl Site {
    /// Fills `directory/file` with `size` octets that do not repeat.
    pub fn create(directory: &Path, size: usize) -> Result<Self, LabError> {
        let failed = |e: std::io::Error| LabError::new(format!("{}: {e}", directory.display()));
        std::fs::create_dir_all(directory).map_err(failed)?;
        let mut file =
            std::io::BufWriter::new(std::fs::File::create(directory.join("file")).map_err(failed)?);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..size / 8 {
            // xorshift64*: cheap, and no two blocks are alike.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            file.write_all(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes())
                .map_err(failed)?;
        }
        file.into_inner().map_err(|e| failed(e.into_error()))?;
        Self::open(directory)
    }

    /// A directory filled before.
    pub fn open(directory: &Path) -> Result<Self, LabError> {
        let failed = |e: std::io::Error| LabError::new(format!("{}: {e}", directory.display()));
        let file = std::fs::File::open(directory.join("file")).map_err(failed)?;
        Ok(Self {
            directory: directory.to_owned(),
            sha256: hash(file).map_err(failed)?,
        })
    }

    /// Serves it in `namespace` on port 8080, IPv6 and IPv4; returns once it answers.
    pub fn serve(&self, namespace: &Namespace) -> Result<Running, LabError> {
        let mut command = namespace.command("busybox");
        command
            .args(["httpd", "-f", "-p", "[::]:8080", "-h"])
            .arg(&self.directory);
        let server = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        until("httpd", || {
            namespace.enter(|| std::net::TcpStream::connect("[::1]:8080").is_ok())
        })?;
        Ok(server)
    }
}

/// Downloads with curl; SHA-256 of what arrived, hexadecimal.
pub fn download(from: &Namespace, url: &str) -> Result<String, LabError> {
    let mut command = from.command("curl");
    command.args([
        "--silent",
        "--show-error",
        "--fail",
        "--globoff",
        "--max-time",
        "300",
        url,
    ]);
    let failed = |e: std::io::Error| LabError::new(format!("curl {url}: {e}"));
    let mut curl = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let sum = curl.stdout.take().map(hash).transpose().map_err(failed)?;
    let status = curl.wait().map_err(failed)?;
    if !status.success() {
        return Err(LabError::new(format!("curl {url}: {status}")));
    }
    sum.ok_or_else(|| LabError::new(format!("curl {url}: no output")))
}

/// SHA-256 of all that `source` gives, hexadecimal.
fn hash(mut source: impl Read) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match source.read(&mut block)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&block[..length]),
        }
    }
}

/// One TCP stream by iperf3 for `seconds`; Gbit/s as received.
pub fn iperf3(
    from: &Namespace,
    to: &Namespace,
    address: &str,
    seconds: u32,
) -> Result<f64, LabError> {
    let mut server = to.command("iperf3");
    server.args(["--server", "--one-off", "--forceflush"]);
    let mut server = Running::start_until(&mut server, "Server listening")?;
    let mut command = from.command("iperf3");
    command.args([
        "--json",
        "--client",
        address,
        "--time",
        &seconds.to_string(),
    ]);
    let text = run(&mut command)?;
    let report: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| LabError::new(format!("iperf3: {e}")))?;
    let rate = report["end"]["sum_received"]["bits_per_second"].as_f64();
    server.wait(PATIENCE)?;
    rate.map(|r| r / 1e9)
        .ok_or_else(|| LabError::new("iperf3 reported no rate"))
}

/// A curl download held to 8 MiB/s, so that something can happen while it runs.
#[derive(Debug)]
pub struct SlowDownload {
    curl: Running,
    file: PathBuf,
}

impl SlowDownload {
    /// Starts it; the file goes into `directory`.
    pub fn start(from: &Namespace, url: &str, directory: &Path) -> Result<Self, LabError> {
        let file = directory.join("download");
        let mut command = from.command("curl");
        command
            .args([
                "--silent",
                "--globoff",
                "--limit-rate",
                "8M",
                "--max-time",
                "120",
                "--output",
            ])
            .arg(&file)
            .arg(url);
        Ok(Self {
            curl: Running::start(&mut command)?,
            file,
        })
    }

    fn length(&self) -> u64 {
        std::fs::metadata(&self.file).map_or(0, |m| m.len())
    }

    /// Waits until `bytes` octets have arrived.
    pub fn wait_for_bytes(&self, bytes: u64) -> Result<(), LabError> {
        until("download", || Ok(self.length() >= bytes))
    }

    /// Waits until more has arrived than now, by a margin larger than curl's own buffer; how much then.
    pub fn wait_for_progress(&self) -> Result<u64, LabError> {
        let now = self.length();
        self.wait_for_bytes(now + (1 << 18))?;
        Ok(self.length())
    }

    /// Waits for the end and compares.
    pub fn finish(&mut self, sha256: &str) -> Result<(), LabError> {
        if !self.curl.wait(Duration::from_secs(130))? {
            return Err(LabError::new("the download broke off"));
        }
        let mut command = Command::new("sha256sum");
        let sum = run(command.arg(&self.file))?;
        if sum.split_whitespace().next() == Some(sha256) {
            return Ok(());
        }
        Err(LabError::new(
            "the download finished, but the file is not the same",
        ))
    }
}
