//! Links: TCP connections to HITs with the framing of RFC 6940 §6.6.2.
//!
//! Both sides may connect at the same moment. Nothing is torn down then: a link is up while at
//! least one of its connections is, messages go out on the newest. A second connection *from*
//! a peer replaces the first: that peer has started anew, so the link goes down and up again.

mod connection;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hip_wire::hit::Hit;
use reload_core::NodeId;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use connection::Connection;

/// Which address a node has, and which node an address is.
pub trait Directory: Send + Sync + 'static {
    /// Where to connect to.
    fn address(&self, node: NodeId) -> SocketAddr;
    /// Who connected from there; `None` for nobody of the overlay.
    fn identify(&self, address: SocketAddr) -> Option<NodeId>;
}

/// A Node-ID is a HIT, a HIT is an IPv6 address.
#[derive(Debug, Clone, Copy)]
pub struct HitDirectory {
    /// TCP port of every node.
    pub port: u16,
}

impl Directory for HitDirectory {
    fn address(&self, node: NodeId) -> SocketAddr {
        SocketAddr::new(Ipv6Addr::from(*node.as_bytes()).into(), self.port)
    }

    fn identify(&self, address: SocketAddr) -> Option<NodeId> {
        match address.ip() {
            IpAddr::V6(address) => Hit::try_from(address).ok().map(NodeId::from),
            IpAddr::V4(_) => None,
        }
    }
}

/// How links are made.
#[derive(Clone)]
pub struct LinkConfig {
    /// Where to listen; the address is also the source of outgoing connections.
    pub listen: SocketAddr,
    /// Interface that sockets are tied to, so that nothing leaves by another one.
    pub device: Option<String>,
    /// Who is where.
    pub directory: Arc<dyn Directory>,
    /// Longest message accepted.
    pub max_message: usize,
    /// For the base exchange and the TCP handshake together.
    pub connect_timeout: Duration,
    /// A peer that acknowledges nothing for so long is gone.
    pub dead_after: Duration,
    /// Connections at once.
    pub max_connections: usize,
}

impl LinkConfig {
    /// Links to HITs through the TUN interface.
    pub fn hit(local: Hit, port: u16, device: &str) -> Self {
        let directory = HitDirectory { port };
        Self {
            listen: directory.address(local.into()),
            device: Some(device.to_owned()),
            directory: Arc::new(directory),
            max_message: 5000,
            connect_timeout: Duration::from_secs(10),
            dead_after: Duration::from_secs(10),
            max_connections: 512,
        }
    }
}

impl fmt::Debug for LinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkConfig")
            .field("listen", &self.listen)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// What the node is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LinkChange {
    Up(NodeId),
    Down(NodeId),
    Failed(NodeId),
    Message(NodeId, Vec<u8>),
}

/// What the tasks report.
#[derive(Debug)]
pub(crate) enum Report {
    Accepted(NodeId, TcpStream),
    Opened(NodeId, io::Result<TcpStream>),
    Message {
        peer: NodeId,
        connection: u64,
        bytes: Vec<u8>,
    },
    Ended {
        peer: NodeId,
        connection: u64,
    },
}

/// Bound of reports and messages under way; senders wait, so TCP slows the peer down.
const QUEUE: usize = 1024;

/// All links of one node.
pub(crate) struct Links {
    config: LinkConfig,
    peers: HashMap<NodeId, Vec<Connection>>,
    opening: HashMap<NodeId, AbortHandle>,
    tasks: JoinSet<()>,
    reports: mpsc::Receiver<Report>,
    reporter: mpsc::Sender<Report>,
    next_connection: u64,
    /// Messages not sent: no link, or the peer does not read.
    pub(crate) unsent: u64,
}

impl Links {
    /// Starts to listen.
    pub(crate) fn start(config: LinkConfig) -> io::Result<Self> {
        let listener = listen(&config)?;
        let (reporter, reports) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(
            listener,
            Arc::clone(&config.directory),
            reporter.clone(),
        ));
        Ok(Self {
            config,
            peers: HashMap::new(),
            opening: HashMap::new(),
            tasks,
            reports,
            reporter,
            next_connection: 0,
            unsent: 0,
        })
    }

    /// The next change; waits for it. Never ends.
    pub(crate) async fn next(&mut self) -> Vec<LinkChange> {
        loop {
            // Finished tasks are collected, so that the set does not grow.
            while self.tasks.try_join_next().is_some() {}
            let Some(report) = self.reports.recv().await else {
                return Vec::new();
            };
            let changes = self.take(report);
            if !changes.is_empty() {
                return changes;
            }
        }
    }

    /// A change that is there already.
    pub(crate) fn try_next(&mut self) -> Option<Vec<LinkChange>> {
        self.reports.try_recv().ok().map(|report| self.take(report))
    }

    /// Opens a link; `Up` or `Failed` follows, at once if there is one.
    pub(crate) fn open(&mut self, peer: NodeId) -> Option<LinkChange> {
        if self.peers.contains_key(&peer) {
            return Some(LinkChange::Up(peer));
        }
        if self.opening.contains_key(&peer) {
            return None;
        }
        if self.connections() + self.opening.len() >= self.config.max_connections {
            return Some(LinkChange::Failed(peer));
        }
        let (config, reporter) = (self.config.clone(), self.reporter.clone());
        let task = self.tasks.spawn(async move {
            let result = connect(&config, peer).await;
            // The receiver only goes away with the node.
            let _ = reporter.send(Report::Opened(peer, result)).await;
        });
        self.opening.insert(peer, task);
        None
    }

    /// Sends one message; without a link, or to a peer that does not read, it is lost and the
    /// node sends it again (RFC 6940 §6.2.1).
    pub(crate) fn send(&mut self, peer: NodeId, message: Vec<u8>) {
        let sent = self
            .peers
            .get(&peer)
            .and_then(|connections| connections.last())
            .is_some_and(|connection| connection.send(message));
        if !sent {
            self.unsent += 1;
        }
    }

    /// Closes the link once everything sent before is out.
    pub(crate) fn close(&mut self, peer: NodeId) {
        if let Some(task) = self.opening.remove(&peer) {
            task.abort();
        }
        for connection in self.peers.remove(&peer).unwrap_or_default() {
            connection.finish();
        }
    }

    /// Lets everything sent go out, for at most `patience`.
    pub(crate) async fn drain(mut self, patience: Duration) {
        let peers: Vec<NodeId> = self.peers.keys().copied().collect();
        let writers: Vec<_> = peers
            .into_iter()
            .flat_map(|peer| self.peers.remove(&peer).unwrap_or_default())
            .map(Connection::finish)
            .collect();
        let all = async {
            for writer in writers {
                // A writer that failed has nothing left to send.
                let _ = writer.await;
            }
        };
        let _ = tokio::time::timeout(patience, all).await;
    }

    fn connections(&self) -> usize {
        self.peers.values().map(Vec::len).sum()
    }

    fn take(&mut self, report: Report) -> Vec<LinkChange> {
        match report {
            Report::Accepted(peer, stream) => self.accepted(peer, stream),
            Report::Opened(peer, result) => self.opened(peer, result),
            Report::Message {
                peer,
                connection,
                bytes,
            } if self.has(peer, connection) => {
                vec![LinkChange::Message(peer, bytes)]
            }
            Report::Message { .. } => Vec::new(),
            Report::Ended { peer, connection } => self.ended(peer, connection),
        }
    }

    fn accepted(&mut self, peer: NodeId, stream: TcpStream) -> Vec<LinkChange> {
        if self.connections() >= self.config.max_connections {
            tracing::debug!(%peer, "link refused: too many connections");
            return Vec::new();
        }
        let mut changes = Vec::new();
        let connections = self.peers.get(&peer);
        if connections.is_some_and(|known| known.iter().any(Connection::is_incoming)) {
            self.close(peer);
            changes.push(LinkChange::Down(peer));
        }
        changes.extend(self.add(peer, stream, true));
        changes
    }

    fn opened(&mut self, peer: NodeId, result: io::Result<TcpStream>) -> Vec<LinkChange> {
        if self.opening.remove(&peer).is_none() {
            return Vec::new();
        }
        match result {
            Ok(stream) => self.add(peer, stream, false).into_iter().collect(),
            Err(error) => {
                tracing::debug!(%peer, "link failed: {error}");
                // The peer may have connected to us meanwhile: then there is a link.
                let up = self.peers.contains_key(&peer);
                (!up)
                    .then_some(LinkChange::Failed(peer))
                    .into_iter()
                    .collect()
            }
        }
    }

    fn add(&mut self, peer: NodeId, stream: TcpStream, incoming: bool) -> Option<LinkChange> {
        if let Err(error) = tune(&stream, self.config.dead_after) {
            tracing::debug!(%peer, "link without time limits: {error}");
        }
        let id = self.next_connection;
        self.next_connection += 1;
        let connection = Connection::start(
            id,
            peer,
            stream,
            incoming,
            self.config.max_message,
            self.reporter.clone(),
        );
        let connections = self.peers.entry(peer).or_default();
        connections.push(connection);
        (connections.len() == 1).then_some(LinkChange::Up(peer))
    }

    fn has(&self, peer: NodeId, connection: u64) -> bool {
        self.peers
            .get(&peer)
            .is_some_and(|all| all.iter().any(|c| c.id() == connection))
    }

    fn ended(&mut self, peer: NodeId, connection: u64) -> Vec<LinkChange> {
        let Some(connections) = self.peers.get_mut(&peer) else {
            return Vec::new();
        };
        let before = connections.len();
        connections.retain(|known| known.id() != connection);
        if before == connections.len() || !connections.is_empty() {
            return Vec::new();
        }
        self.peers.remove(&peer);
        vec![LinkChange::Down(peer)]
    }
}

async fn accept(
    listener: TcpListener,
    directory: Arc<dyn Directory>,
    reporter: mpsc::Sender<Report>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let Some(peer) = directory.identify(address) else {
                    tracing::debug!(%address, "link refused: no HIT");
                    continue;
                };
                if reporter.send(Report::Accepted(peer, stream)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!("overlay: accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn listen(config: &LinkConfig) -> io::Result<TcpListener> {
    let socket = tied_socket(config)?;
    socket.set_reuse_address(true)?;
    socket.bind(&config.listen.into())?;
    socket.listen(128)?;
    TcpListener::from_std(socket.into())
}

async fn connect(config: &LinkConfig, peer: NodeId) -> io::Result<TcpStream> {
    let socket = tied_socket(config)?;
    socket.bind(&SocketAddr::new(config.listen.ip(), 0).into())?;
    let connecting =
        TcpSocket::from_std_stream(socket.into()).connect(config.directory.address(peer));
    tokio::time::timeout(config.connect_timeout, connecting)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn tied_socket(config: &LinkConfig) -> io::Result<Socket> {
    let domain = Domain::for_address(config.listen);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if config.listen.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(device) = &config.device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Small messages go at once; a peer that is gone is noticed while idle and while sending.
fn tune(stream: &TcpStream, dead_after: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    let interval = (dead_after / 4).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new()
        .with_time(interval)
        .with_interval(interval)
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(dead_after))
}
