//! The control socket: who may speak, how much and how slowly, and the loop that answers.
//!
//! ```text
//! hipctl ──unix socket 0660──> Server ──Request──> Service (the daemon)
//!        <──── answer lines ──        <──fields or ApiError──
//! ```
//!
//! Every bound is here: size of a request, time for one to arrive, idle time, clients at once.

mod access;
mod connection;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, broadcast, watch};

use crate::api::{ApiError, ErrorCode, EventRecord, Request};

pub use access::AccessPolicy;

/// A boxed answer in the making.
pub type Answering<'a> =
    Pin<Box<dyn Future<Output = Result<Map<String, Value>, ApiError>> + Send + 'a>>;

/// What stands behind the socket.
pub trait Service: Send + Sync + 'static {
    /// Answers one request (never [`Request::Watch`]). Dropping the future abandons it.
    fn call(&self, request: Request) -> Answering<'_>;

    /// A subscription for [`Request::Watch`]; `peer` as the user wrote it.
    fn subscribe(&self, peer: Option<&str>) -> Result<Subscription, ApiError>;
}

/// Events and the peer they are wanted of.
#[derive(Debug)]
pub struct Subscription {
    /// Everything that happens.
    pub events: broadcast::Receiver<EventRecord>,
    /// Only those of this HIT.
    pub peer: Option<String>,
}

/// Bounds of the socket.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Octets of one request line.
    pub request_bytes: usize,
    /// From the first octet of a request to its end, and for each answer to be taken.
    pub line_time: Duration,
    /// Between requests.
    pub idle_time: Duration,
    /// Clients at once; more are told so and sent away.
    pub clients: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 64 * 1024,
            line_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(60),
            clients: 128,
        }
    }
}

/// A bound control socket; the file is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    policy: AccessPolicy,
    limits: Limits,
}

impl Server {
    /// Binds the socket with mode 0660 (0600 without a group). A socket file nobody answers on
    /// is replaced; one that is in use, or any other kind of file, is an error.
    pub async fn bind(path: &Path, policy: AccessPolicy, limits: Limits) -> Result<Self, ApiError> {
        let failed = |what: &str, e: &io::Error| {
            ApiError::new(
                ErrorCode::System,
                format!("control socket {}: {what}: {e}", path.display()),
            )
        };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|e| failed("cannot make its directory", &e))?;
        }
        clear_stale(path).await?;
        let listener = UnixListener::bind(path).map_err(|e| failed("cannot bind", &e))?;
        policy
            .apply_to(path)
            .map_err(|e| failed("cannot set its owner", &e))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            policy,
            limits,
        })
    }

    /// Serves until `stop` turns true; running requests are abandoned then.
    pub async fn run(self, service: Arc<dyn Service>, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.limits.clients));
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(e) => {
                        // Out of descriptors: back off instead of spinning on the same error.
                        tracing::warn!("control socket: accept: {e}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                () = stopped(&mut stop) => return,
            };
            self.admit(stream, &slots, &service, stop.clone());
        }
    }

    fn admit(
        &self,
        stream: UnixStream,
        slots: &Arc<Semaphore>,
        service: &Arc<dyn Service>,
        mut stop: watch::Receiver<bool>,
    ) {
        let refusal = self.policy.check(&stream).err();
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
            connection::refuse_now(&stream, &busy(self.limits.clients));
            return;
        };
        let (service, limits) = (Arc::clone(service), self.limits);
        tokio::spawn(async move {
            let _slot = slot;
            tokio::select! {
                () = connection::serve(stream, refusal, service, limits) => {}
                () = stopped(&mut stop) => {}
            }
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Best effort: a leftover socket file is recognised as stale at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Returns once `stop` is true, or nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn busy(clients: usize) -> ApiError {
    ApiError::new(
        ErrorCode::Busy,
        format!("hipd already serves {clients} control clients"),
    )
    .hint("end some of them and try again")
}

async fn clear_stale(path: &Path) -> Result<(), ApiError> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    let in_the_way = |what: &str, next: &str| {
        ApiError::new(
            ErrorCode::System,
            format!("control socket {}: {what}", path.display()),
        )
        .hint(next)
    };
    if !metadata.file_type().is_socket() {
        return Err(in_the_way(
            "a file that is no socket is in its place",
            "move it away",
        ));
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(in_the_way(
            "another hipd answers on it",
            "stop that one, or give this one its own --run-dir",
        ));
    }
    std::fs::remove_file(path)
        .map_err(|e| in_the_way(&format!("cannot remove the stale file: {e}"), "remove it"))
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
