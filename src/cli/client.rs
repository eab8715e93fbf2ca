//! The client end of the control socket.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::{Answer, ApiError, Body, Envelope, ErrorCode, Request, SCHEMA};

/// How often a socket that is not there yet is looked for.
const RETRY: Duration = Duration::from_millis(20);

/// A connection to hipd.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

impl Client {
    /// Connects; the error says how to start hipd or how to be allowed in.
    pub fn connect(path: &Path) -> Result<Self, ApiError> {
        match UnixStream::connect(path) {
            Ok(stream) => Ok(Self {
                stream: BufReader::new(stream),
                path: path.to_owned(),
            }),
            Err(e) => Err(unreachable(path, &e)),
        }
    }

    /// Connects as soon as the socket answers, for at most `patience`.
    pub fn connect_when_ready(path: &Path, patience: Duration) -> Result<Self, ApiError> {
        let end = Instant::now() + patience;
        loop {
            match Self::connect(path) {
                Err(error) if error.code == ErrorCode::Unreachable && Instant::now() < end => {
                    std::thread::sleep(RETRY);
                }
                other => return other,
            }
        }
    }

    /// Asks and decodes the answer.
    pub fn ask<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, ApiError> {
        typed(self.ask_raw(request)?)
    }

    /// Asks and returns the fields of the answer as they came.
    pub fn ask_raw(&mut self, request: Request) -> Result<Map<String, Value>, ApiError> {
        self.send(request)?;
        match self.receive()? {
            Some(Body::Data(fields)) => Ok(fields),
            Some(Body::Error(error)) => Err(error),
            Some(Body::Event(_)) => Err(self.broken("sent an event instead of an answer")),
            None => Err(self.broken("hung up without an answer; see its log")),
        }
    }

    /// Sends a request whose answers are taken with [`receive`](Self::receive).
    pub fn send(&mut self, request: Request) -> Result<(), ApiError> {
        let text = serde_json::to_string(&Envelope::from(request))
            .map_err(|e| self.broken(&format!("request: {e}")))?;
        let stream = self.stream.get_mut();
        match stream.write_all(format!("{text}\n").as_bytes()) {
            // The daemon may have said why it hangs up before it did: read that first.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(e) => Err(self.broken(&format!("cannot be written to: {e}"))),
            Ok(()) => Ok(()),
        }
    }

    /// The next answer line; `None` when the daemon hung up.
    pub fn receive(&mut self) -> Result<Option<Body>, ApiError> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(e) => return Err(self.broken(&format!("cannot be read: {e}"))),
        }
        let answer: Answer = serde_json::from_str(&line)
            .map_err(|e| self.broken(&format!("sent an answer that is not understood: {e}")))?;
        if answer.schema != SCHEMA {
            return Err(self
                .broken(&format!(
                    "speaks schema {}, this hipctl {SCHEMA}",
                    answer.schema
                ))
                .hint("install hipd and hipctl of the same version"));
        }
        Ok(Some(answer.body))
    }

    fn broken(&self, what: &str) -> ApiError {
        ApiError::new(
            ErrorCode::Unreachable,
            format!("hipd at {} {what}", self.path.display()),
        )
    }
}

/// Decodes the fields of an answer.
pub(crate) fn typed<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, ApiError> {
    serde_json::from_value(Value::Object(fields)).map_err(|e| {
        ApiError::new(
            ErrorCode::Unreachable,
            format!("hipd's answer is not understood: {e}"),
        )
        .hint("install hipd and hipctl of the same version")
    })
}

fn unreachable(path: &Path, error: &std::io::Error) -> ApiError {
    let path = path.display();
    match error.kind() {
        ErrorKind::PermissionDenied => ApiError::new(
            ErrorCode::Denied,
            format!("no permission for the control socket {path}"),
        )
        .hint("use sudo, or name a group of yours as control.group in hipd.toml"),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ApiError::new(
            ErrorCode::Unreachable,
            format!("hipd does not run (no answer at {path})"),
        )
        .hint("start it with: systemctl start hipd, or: sudo hipd"),
        _ => ApiError::new(
            ErrorCode::Unreachable,
            format!("control socket {path}: {error}"),
        ),
    }
}
