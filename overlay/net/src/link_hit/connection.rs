//! One TCP connection: a task that reads frames, a task that writes them.

use std::io;
use std::sync::Arc;

use reload_core::NodeId;
use reload_core::wire::framing::{AckState, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::Report;

/// Messages waiting for one peer; more are not accepted.
const OUTGOING: usize = 256;

/// A running connection. Dropping it ends it at once; [`finish`](Self::finish) lets it drain.
#[derive(Debug)]
pub(super) struct Connection {
    id: u64,
    incoming: bool,
    outgoing: mpsc::Sender<Outgoing>,
    reader: JoinHandle<()>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Outgoing {
    Message(Vec<u8>),
    Ack(Frame),
}

impl Connection {
    pub(super) fn start(
        id: u64,
        peer: NodeId,
        stream: TcpStream,
        incoming: bool,
        max_message: usize,
        reporter: mpsc::Sender<Report>,
    ) -> Self {
        let (read, write) = stream.into_split();
        let (outgoing, queue) = mpsc::channel(OUTGOING);
        let failed = Arc::new(Notify::new());
        let writer = tokio::spawn(write_frames(write, queue, Arc::clone(&failed)));
        let acks = outgoing.downgrade();
        let reader = tokio::spawn(async move {
            let report = |bytes| {
                let reporter = reporter.clone();
                async move {
                    reporter
                        .send(Report::Message {
                            peer,
                            connection: id,
                            bytes,
                        })
                        .await
                        .is_ok()
                }
            };
            tokio::select! {
                result = read_frames(read, max_message, acks, report) => {
                    if let Err(error) = result {
                        tracing::debug!(%peer, "link ended: {error}");
                    }
                }
                () = failed.notified() => {}
            }
            // The receiver only goes away with the node.
            let _ = reporter
                .send(Report::Ended {
                    peer,
                    connection: id,
                })
                .await;
        });
        Self {
            id,
            incoming,
            outgoing,
            reader,
            writer: Some(writer),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn is_incoming(&self) -> bool {
        self.incoming
    }

    /// Queues a message; `false` when the queue is full or the connection is over.
    pub(super) fn send(&self, message: Vec<u8>) -> bool {
        self.outgoing.try_send(Outgoing::Message(message)).is_ok()
    }

    /// Ends the connection after what is queued; the handle is done when it is out.
    pub(super) fn finish(mut self) -> JoinHandle<()> {
        // The queue ends when its last sender, which is in `self`, is dropped.
        self.writer.take().unwrap_or_else(|| tokio::spawn(async {}))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
        if let Some(writer) = &self.writer {
            writer.abort();
        }
    }
}

async fn write_frames(
    mut stream: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Outgoing>,
    failed: Arc<Notify>,
) {
    // 6940-6.6.2-02: from 0 on each connection, one more for each frame.
    let mut sequence = 0_u32;
    let mut bytes = Vec::new();
    while let Some(first) = queue.recv().await {
        bytes.clear();
        let mut next = Some(first);
        // Whatever waits goes out in one write.
        while let Some(outgoing) = next {
            let frame = match outgoing {
                Outgoing::Ack(frame) => frame,
                Outgoing::Message(message) => {
                    let frame = Frame::Data { sequence, message };
                    sequence = sequence.wrapping_add(1);
                    frame
                }
            };
            match frame.to_bytes() {
                Ok(octets) => bytes.extend_from_slice(&octets),
                Err(error) => tracing::warn!("overlay: message not framed: {error:?}"),
            }
            next = if bytes.len() < 64 * 1024 {
                queue.try_recv().ok()
            } else {
                None
            };
        }
        if let Err(error) = stream.write_all(&bytes).await {
            tracing::debug!("link write: {error}");
            failed.notify_one();
            return;
        }
    }
    // The peer sees the end of the stream; if that fails it is gone anyway.
    let _ = stream.shutdown().await;
}

async fn read_frames<F, R>(
    mut stream: OwnedReadHalf,
    max_message: usize,
    acks: mpsc::WeakSender<Outgoing>,
    report: F,
) -> io::Result<()>
where
    F: Fn(Vec<u8>) -> R,
    R: Future<Output = bool>,
{
    let mut state = AckState::default();
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        let mut used = 0;
        while let Some((frame, length)) = Frame::take(&buffer[used..], max_message)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("{e:?}")))?
        {
            used += length;
            let Frame::Data { sequence, message } = frame else {
                continue;
            };
            if let Some(acks) = acks.upgrade() {
                // 6940-6.6.2-03: at once. A full queue means the peer does not read; it can do without this receipt.
                let _ = acks.try_send(Outgoing::Ack(state.receive(sequence)));
            }
            if !report(message).await {
                return Ok(());
            }
        }
        buffer.drain(..used);
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}
