//! The task that drives the node: inputs in, outputs carried out, in order.

mod task;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hip_crypto::{HostIdentity, Rng};
use hip_wire::time::Instant;
use reload_core::{Command, CommandResult, Event, NodeConfig, NodeId, NodeStatus};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::OverlayError;
use crate::link_hit::{LinkConfig, Links};
use crate::store::{MovedAside, Store};
use task::{NodeTask, Request};

/// How long an orderly leave may take at shutdown.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);

/// Events a slow subscriber can be behind.
const EVENTS: usize = 1024;

/// What a node needs to run.
pub struct OverlayConfig {
    /// The overlay and this node's part in it.
    pub node: NodeConfig,
    /// Who this node is.
    pub identity: Arc<HostIdentity>,
    /// Randomness.
    pub rng: Box<dyn Rng>,
    /// How links are made.
    pub links: LinkConfig,
    /// The database.
    pub data: PathBuf,
    /// Time since boot, suspend included.
    pub clock: fn() -> Instant,
}

impl fmt::Debug for OverlayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverlayConfig")
            .field("node", &self.node)
            .field("links", &self.links)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// A running node. Dropping it stops it without leaving the overlay.
#[derive(Debug)]
pub struct Overlay {
    requests: mpsc::Sender<Request>,
    events: broadcast::Sender<Event>,
    task: JoinHandle<()>,
    moved_aside: Option<MovedAside>,
}

impl Overlay {
    /// Opens the database, listens, restores what was stored, and starts to join.
    pub fn start(mut config: OverlayConfig) -> Result<Self, OverlayError> {
        let (store, moved_aside) = Store::open(&config.data)?;
        let records = store.load()?;
        let known = store.known_peers()?;
        add_known_peers(&mut config.node, &known, config.identity.hit().into());
        config.links.max_message = config.node.max_message_size;
        let address = config.links.listen;
        let links = Links::start(config.links)
            .map_err(|source| OverlayError::Listen { address, source })?;
        let node = reload_core::Node::new(config.node, config.identity, config.rng)
            .map_err(|e| OverlayError::Node(e.to_string()))?;
        let (requests, inbox) = mpsc::channel(64);
        let (events, _) = broadcast::channel(EVENTS);
        let task = NodeTask::new(node, links, store, known, config.clock, events.clone());
        let task = tokio::spawn(task.run(records, inbox));
        Ok(Self {
            requests,
            events,
            task,
            moved_aside,
        })
    }

    /// Set when a damaged database was found at the start.
    pub fn moved_aside(&self) -> Option<&MovedAside> {
        self.moved_aside.as_ref()
    }

    /// Carries out a command; the inner result is the node's. Dropping the future abandons only
    /// the answer.
    pub async fn command(&self, command: Command) -> Result<CommandResult, OverlayError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Command(command, reply)).await?;
        answer.await.map_err(|_| OverlayError::Stopped)
    }

    /// A snapshot.
    pub async fn status(&self) -> Result<NodeStatus, OverlayError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Status(reply)).await?;
        answer.await.map_err(|_| OverlayError::Stopped)
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Leaves the overlay (bounded), lets the last messages out and stops.
    pub async fn shutdown(self) {
        let leave = self.command(Command::Leave);
        if tokio::time::timeout(LEAVE_PATIENCE, leave).await.is_err() {
            tracing::info!("overlay: left without waiting longer for its neighbours");
        }
        let (reply, done) = oneshot::channel();
        if self.ask(Request::Stop(reply)).await.is_ok() {
            // The task drops the sender when it is done.
            let _ = done.await;
        }
    }

    async fn ask(&self, request: Request) -> Result<(), OverlayError> {
        self.requests
            .send(request)
            .await
            .map_err(|_| OverlayError::Stopped)
    }
}

/// Peers met before are bootstrap peers too, after the configured ones (RFC 6940 §11.4: cached peers).
/// A node that founded its overlay may found it again when none of them is there.
fn add_known_peers(config: &mut NodeConfig, known: &[NodeId], own: NodeId) {
    let founder = config.bootstrap.is_empty() && !known.is_empty();
    for &peer in known {
        if peer != own && !config.bootstrap.contains(&peer) {
            config.bootstrap.push(peer);
        }
    }
    if founder {
        config.bootstrap.push(own);
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
