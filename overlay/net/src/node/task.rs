//! The loop.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hip_wire::time::Instant;
use reload_core::{
    Command, CommandResult, Event, Input, Node, NodeId, NodeStatus, Output, StoreChange,
    StoredRecord,
};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::link_hit::{LinkChange, Links};
use crate::store::Store;

/// Inputs taken before outputs are carried out: their stores share one disk write.
const BATCH: usize = 64;

/// The clock counts suspended time, sleeping does not: look again at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Peers remembered for the next start (RFC 6940 §11.4 suggests about ten).
const REMEMBERED: usize = 16;

/// For the last messages at the end.
const DRAIN: Duration = Duration::from_secs(1);

/// What the handle asks.
#[derive(Debug)]
pub(super) enum Request {
    Command(Command, oneshot::Sender<CommandResult>),
    Status(oneshot::Sender<NodeStatus>),
    Stop(oneshot::Sender<()>),
}

pub(super) struct NodeTask {
    node: Node,
    links: Links,
    store: Arc<Store>,
    /// Peers met, the latest first.
    known: Vec<NodeId>,
    clock: fn() -> Instant,
    events: broadcast::Sender<Event>,
    replies: HashMap<u64, oneshot::Sender<CommandResult>>,
    next_id: u64,
    stopping: Option<oneshot::Sender<()>>,
}

impl NodeTask {
    pub(super) fn new(
        node: Node,
        links: Links,
        store: Store,
        known: Vec<NodeId>,
        clock: fn() -> Instant,
        events: broadcast::Sender<Event>,
    ) -> Self {
        Self {
            node,
            links,
            store: Arc::new(store),
            known,
            clock,
            events,
            replies: HashMap::new(),
            next_id: 1,
            stopping: None,
        }
    }

    /// Runs until asked to stop, or until what was acknowledged can no longer be kept.
    pub(super) async fn run(
        mut self,
        records: Vec<StoredRecord>,
        mut inbox: mpsc::Receiver<Request>,
    ) {
        for record in records {
            self.input(Input::Restore(record));
        }
        self.input(Input::Command {
            id: 0,
            command: Command::Join,
        });
        loop {
            if !self.carry_out().await {
                return;
            }
            if let Some(done) = self.stopping.take() {
                self.links.drain(DRAIN).await;
                drop(done);
                return;
            }
            if !self.wait(&mut inbox).await {
                return;
            }
        }
    }

    /// Waits for one input, then takes what else is there. `false` when the handle is gone.
    async fn wait(&mut self, inbox: &mut mpsc::Receiver<Request>) -> bool {
        let sleep = self.until_deadline();
        let sleep = async {
            match sleep {
                Some(duration) => tokio::time::sleep(duration).await,
                None => pending().await,
            }
        };
        tokio::select! {
            changes = self.links.next() => self.link_changes(changes),
            request = inbox.recv() => match request {
                Some(request) => self.request(request),
                None => return false,
            },
            () = sleep => {}
        }
        for _ in 1..BATCH {
            match self.links.try_next() {
                Some(changes) => self.link_changes(changes),
                None => break,
            }
        }
        if self
            .node
            .next_deadline()
            .is_some_and(|deadline| deadline <= (self.clock)())
        {
            self.input(Input::Timeout);
        }
        true
    }

    fn until_deadline(&self) -> Option<Duration> {
        let deadline = self.node.next_deadline()?;
        Some(
            deadline
                .saturating_duration_since((self.clock)())
                .min(LONGEST_SLEEP),
        )
    }

    fn input(&mut self, input: Input<'_>) {
        self.node.handle((self.clock)(), wall_clock_ms(), input);
    }

    fn link_changes(&mut self, changes: Vec<LinkChange>) {
        for change in changes {
            match change {
                LinkChange::Up(peer) => {
                    self.remember(peer);
                    self.input(Input::LinkUp { peer });
                }
                LinkChange::Down(peer) => self.input(Input::LinkDown { peer }),
                LinkChange::Failed(peer) => self.input(Input::LinkFailed { peer }),
                LinkChange::Message(from, bytes) => {
                    self.input(Input::Message {
                        from,
                        bytes: &bytes,
                    });
                }
            }
        }
    }

    /// Notes a peer not met before, for the next start.
    fn remember(&mut self, peer: NodeId) {
        if self.known.contains(&peer) {
            return;
        }
        self.known.insert(0, peer);
        self.known.truncate(REMEMBERED);
        let (store, known) = (Arc::clone(&self.store), self.known.clone());
        // Nobody waits for it: without the list the configured peers still are the way in.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = store.remember_peers(&known) {
                tracing::warn!("{error}; peers met are not remembered");
            }
        });
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Command(command, reply) => {
                let id = self.next_id;
                self.next_id += 1;
                // Answers nobody waits for any more are forgotten here.
                self.replies.retain(|_, reply| !reply.is_closed());
                self.replies.insert(id, reply);
                self.input(Input::Command { id, command });
            }
            Request::Status(reply) => {
                let mut status = self.node.status((self.clock)());
                status.counters.push(("link.unsent", self.links.unsent));
                // The asker may have gone away.
                let _ = reply.send(status);
            }
            Request::Stop(done) => self.stopping = Some(done),
        }
    }

    /// Carries out every output. Stores of the batch become durable first, in one write: what
    /// is sent after them may acknowledge them. `false` when the disk failed.
    async fn carry_out(&mut self) -> bool {
        loop {
            let outputs: Vec<Output> = std::iter::from_fn(|| self.node.poll()).collect();
            if outputs.is_empty() {
                return true;
            }
            let (stores, others): (Vec<Output>, Vec<Output>) = outputs
                .into_iter()
                .partition(|output| matches!(output, Output::Persist(_)));
            let changes = stores.into_iter().filter_map(|output| match output {
                Output::Persist(change) => Some(change),
                _ => None,
            });
            if !persist(Arc::clone(&self.store), changes.collect()).await {
                return false;
            }
            for output in others {
                self.one(output);
            }
        }
    }

    fn one(&mut self, output: Output) {
        match output {
            Output::Send { to, bytes } => self.links.send(to, bytes),
            Output::Open { peer } => {
                if let Some(change) = self.links.open(peer) {
                    self.link_changes(vec![change]);
                }
            }
            Output::CloseLink { peer } => self.links.close(peer),
            Output::Reply { id, result } => {
                if let Some(reply) = self.replies.remove(&id) {
                    // The asker may have gone away.
                    let _ = reply.send(result);
                }
            }
            Output::Event(event) => {
                // No subscriber is fine.
                let _ = self.events.send(event);
            }
            // Taken out before.
            Output::Persist(_) => {}
        }
    }
}

/// Makes the changes durable; `false` when that failed.
async fn persist(store: Arc<Store>, changes: Vec<StoreChange>) -> bool {
    if changes.is_empty() {
        return true;
    }
    match tokio::task::spawn_blocking(move || store.apply(&changes)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!("{error}; the overlay node stops rather than lose values");
            false
        }
        // Only when the runtime shuts down.
        Err(_) => false,
    }
}

fn wall_clock_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
