//! Reliable messages over datagrams between HITs: the little of TCP that an overlay link needs,
//! for worlds in which the overlay travels inside simulated HIP associations. Sans-IO.
//!
//! A frame is `kind | own nonce | peer's nonce | number | octets`. Nonces name a connection: a
//! frame with others belongs to an older one and is answered with a reset.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hip_wire::Hit;
use hip_wire::time::Instant;

use crate::random::SimRng;

/// Most octets of a message in one frame; fits any path with the MTU of IPv6.
const SEGMENT: usize = 1_000;
/// Frames sent and not yet acknowledged.
const WINDOW: u32 = 32;
/// Retransmission timer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Retransmissions without any progress after which a connection is dead.
const MOST_TRIES: u32 = 12;
/// The same for a connection that is not up yet: a base exchange may have to come first.
const MOST_OPENING_TRIES: u32 = 45;
const HEADER: usize = 13;

/// What the connections of one host ask or tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamOutput {
    /// Send this datagram.
    Datagram {
        /// To whom.
        to: Hit,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// A connection is up.
    Up(Hit),
    /// A connection is gone.
    Down(Hit),
    /// No connection came about.
    Failed(Hit),
    /// A whole message arrived.
    Message(Hit, Vec<u8>),
}

/// All connections of one host.
#[derive(Debug)]
pub struct Streams {
    rng: SimRng,
    connections: BTreeMap<Hit, Connection>,
    outputs: VecDeque<StreamOutput>,
}

#[derive(Debug)]
struct Connection {
    own: u32,
    /// The peer's nonce, once known: the connection is up.
    peer: Option<u32>,
    /// Segments not acknowledged yet; the first has number `acknowledged`.
    unacknowledged: VecDeque<Vec<u8>>,
    acknowledged: u32,
    /// Next number to put on the network for the first time.
    unsent: u32,
    expected: u32,
    /// Segments that overtook others.
    early: BTreeMap<u32, Vec<u8>>,
    partial: Vec<u8>,
    closing: bool,
    tries: u32,
    resend_at: Option<Instant>,
}

/// Kinds of frames.
mod kind {
    pub(super) const OPEN: u8 = 1;
    pub(super) const ACCEPT: u8 = 2;
    pub(super) const DATA: u8 = 3;
    /// The last segment of a message.
    pub(super) const LAST: u8 = 4;
    pub(super) const ACKNOWLEDGE: u8 = 5;
    pub(super) const RESET: u8 = 6;
}

#[derive(Clone, Copy, Debug)]
struct Frame<'a> {
    kind: u8,
    /// The sender's nonce.
    theirs: u32,
    /// The receiver's nonce as the sender knows it.
    ours: u32,
    number: u32,
    octets: &'a [u8],
}

impl Streams {
    /// No connections.
    pub const fn new(rng: SimRng) -> Self {
        Self {
            rng,
            connections: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Wants a connection with `peer`.
    pub fn open(&mut self, now: Instant, peer: Hit) {
        match self.connections.get(&peer) {
            Some(connection) if connection.peer.is_some() => {
                self.outputs.push_back(StreamOutput::Up(peer));
            }
            Some(_) => {}
            None => {
                let connection = Connection::new(self.nonce(), None);
                self.connections.insert(peer, connection);
                self.resend(now, peer);
            }
        }
    }

    /// Sends a message over an open connection; without one it is lost.
    pub fn send(&mut self, now: Instant, peer: Hit, message: &[u8]) {
        let Some(connection) = self.connections.get_mut(&peer) else {
            return;
        };
        let mut chunks = message.chunks(SEGMENT).peekable();
        while let Some(chunk) = chunks.next() {
            let kind = if chunks.peek().is_some() {
                kind::DATA
            } else {
                kind::LAST
            };
            let segment = [&[kind], chunk].concat();
            connection.unacknowledged.push_back(segment);
        }
        self.transmit(now, peer);
    }

    /// Closes a connection once everything sent before is acknowledged.
    pub fn close(&mut self, peer: Hit) {
        if let Some(connection) = self.connections.get_mut(&peer) {
            connection.closing = true;
            self.finish(peer);
        }
    }

    /// Takes a datagram from `peer`.
    pub fn receive(&mut self, now: Instant, peer: Hit, bytes: &[u8]) {
        let Some(frame) = Frame::parse(bytes) else {
            return;
        };
        match frame.kind {
            kind::OPEN => self.on_open(now, peer, frame),
            kind::RESET => self.on_reset(peer, frame),
            _ => self.on_data(now, peer, frame),
        }
    }

    /// Retransmits what is due.
    pub fn timeout(&mut self, now: Instant) {
        let due = |(_, connection): &(&Hit, &Connection)| {
            connection.resend_at.is_some_and(|at| at <= now)
        };
        let peers: Vec<_> = self
            .connections
            .iter()
            .filter(due)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in peers {
            self.resend(now, peer);
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<StreamOutput> {
        self.outputs.pop_front()
    }

    /// When a retransmission is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.connections
            .values()
            .filter_map(|connection| connection.resend_at)
            .min()
    }

    fn on_open(&mut self, now: Instant, peer: Hit, frame: Frame<'_>) {
        let known = self
            .connections
            .get(&peer)
            .map(|connection| connection.peer);
        match known {
            // A retransmission: the acceptance was lost.
            Some(Some(nonce)) if nonce == frame.theirs => {}
            // The peer began anew.
            Some(Some(_)) => {
                self.connections.remove(&peer);
                self.outputs.push_back(StreamOutput::Down(peer));
                self.accept(now, peer, frame.theirs);
            }
            Some(None) | None => self.accept(now, peer, frame.theirs),
        }
        self.emit(peer, kind::ACCEPT, 0, &[]);
    }

    /// A connection is up: the peer opened it, or accepted ours.
    fn accept(&mut self, now: Instant, peer: Hit, theirs: u32) {
        let own = self.nonce();
        let connection = self
            .connections
            .entry(peer)
            .or_insert_with(|| Connection::new(own, None));
        connection.peer = Some(theirs);
        connection.tries = 0;
        connection.resend_at = None;
        self.outputs.push_back(StreamOutput::Up(peer));
        self.transmit(now, peer);
    }

    fn on_accept(&mut self, now: Instant, peer: Hit, frame: Frame<'_>) {
        let awaited =
            |connection: &Connection| connection.own == frame.ours && connection.peer.is_none();
        if self.connections.get(&peer).is_some_and(awaited) {
            self.accept(now, peer, frame.theirs);
        }
    }

    fn on_reset(&mut self, peer: Hit, frame: Frame<'_>) {
        let ours = |connection: &Connection| {
            connection.own == frame.ours && connection.peer == Some(frame.theirs)
        };
        if self.connections.get(&peer).is_some_and(ours) {
            self.connections.remove(&peer);
            self.outputs.push_back(StreamOutput::Down(peer));
        }
    }

    fn on_data(&mut self, now: Instant, peer: Hit, frame: Frame<'_>) {
        // Data may overtake the acceptance, or the acceptance may be lost: this is one as well.
        self.on_accept(now, peer, frame);
        let matches = |connection: &&mut Connection| {
            connection.own == frame.ours && connection.peer == Some(frame.theirs)
        };
        let Some(connection) = self.connections.get_mut(&peer).filter(matches) else {
            return self.reset(peer, frame);
        };
        if frame.kind == kind::ACCEPT {
            return;
        }
        if frame.kind == kind::ACKNOWLEDGE {
            connection.acknowledge(now, frame.number);
            self.transmit(now, peer);
            return self.finish(peer);
        }
        let messages = connection.accept_segment(frame);
        let expected = connection.expected;
        for message in messages {
            self.outputs.push_back(StreamOutput::Message(peer, message));
        }
        self.emit(peer, kind::ACKNOWLEDGE, expected, &[]);
    }

    /// Tells the sender of a frame that its connection does not exist here.
    fn reset(&mut self, to: Hit, frame: Frame<'_>) {
        let bytes = encode(kind::RESET, frame.ours, frame.theirs, 0, &[]);
        self.outputs.push_back(StreamOutput::Datagram { to, bytes });
    }

    /// Ends a connection that is to be closed and has nothing more to send.
    fn finish(&mut self, peer: Hit) {
        let done =
            |connection: &Connection| connection.closing && connection.unacknowledged.is_empty();
        if self.connections.get(&peer).is_some_and(done) {
            self.emit(peer, kind::RESET, 0, &[]);
            self.connections.remove(&peer);
        }
    }

    /// Sends new segments as far as the window allows.
    fn transmit(&mut self, now: Instant, peer: Hit) {
        while let Some(connection) = self.connections.get_mut(&peer) {
            let place = connection.unsent - connection.acknowledged;
            let segment = connection.unacknowledged.get(place as usize).cloned();
            let Some(segment) = segment.filter(|_| place < WINDOW && connection.peer.is_some())
            else {
                return;
            };
            let number = connection.unsent;
            connection.unsent += 1;
            connection.resend_at.get_or_insert(now + PATIENCE);
            self.emit(peer, segment[0], number, &segment[1..]);
        }
    }

    /// Repeats the opening or the oldest segments, or gives the connection up.
    fn resend(&mut self, now: Instant, peer: Hit) {
        let Some(connection) = self.connections.get_mut(&peer) else {
            return;
        };
        connection.tries += 1;
        connection.resend_at = Some(now + PATIENCE);
        let most = match connection.peer {
            Some(_) => MOST_TRIES,
            None => MOST_OPENING_TRIES,
        };
        if connection.tries > most {
            let outcome = match (connection.peer, connection.closing) {
                (_, true) => None,
                (Some(_), false) => Some(StreamOutput::Down(peer)),
                (None, false) => Some(StreamOutput::Failed(peer)),
            };
            self.connections.remove(&peer);
            self.outputs.extend(outcome);
            return;
        }
        if connection.peer.is_none() {
            return self.emit(peer, kind::OPEN, 0, &[]);
        }
        let first = connection.acknowledged;
        let sent = (connection.unsent - first) as usize;
        let again: Vec<_> = connection
            .unacknowledged
            .iter()
            .take(sent)
            .cloned()
            .collect();
        for (number, segment) in (first..).zip(again) {
            self.emit(peer, segment[0], number, &segment[1..]);
        }
    }

    fn emit(&mut self, to: Hit, kind: u8, number: u32, octets: &[u8]) {
        if let Some(connection) = self.connections.get(&to) {
            let theirs = connection.peer.unwrap_or(0);
            let bytes = encode(kind, connection.own, theirs, number, octets);
            self.outputs.push_back(StreamOutput::Datagram { to, bytes });
        }
    }

    fn nonce(&mut self) -> u32 {
        self.rng.below(u64::from(u32::MAX)) as u32 + 1
    }
}

impl Connection {
    const fn new(own: u32, peer: Option<u32>) -> Self {
        Self {
            own,
            peer,
            unacknowledged: VecDeque::new(),
            acknowledged: 0,
            unsent: 0,
            expected: 0,
            early: BTreeMap::new(),
            partial: Vec::new(),
            closing: false,
            tries: 0,
            resend_at: None,
        }
    }

    fn acknowledge(&mut self, now: Instant, expected_by_peer: u32) {
        while self.acknowledged < expected_by_peer.min(self.unsent) {
            self.unacknowledged.pop_front();
            self.acknowledged += 1;
            self.tries = 0;
            self.resend_at = Some(now + PATIENCE);
        }
        if self.acknowledged == self.unsent {
            self.resend_at = None;
        }
    }

    /// Takes a segment; returns the messages that are whole now.
    fn accept_segment(&mut self, frame: Frame<'_>) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        if frame.number < self.expected || frame.number >= self.expected + WINDOW {
            return messages;
        }
        let segment = [&[frame.kind], frame.octets].concat();
        self.early.insert(frame.number, segment);
        while let Some(segment) = self.early.remove(&self.expected) {
            self.expected += 1;
            self.partial.extend_from_slice(&segment[1..]);
            if segment[0] == kind::LAST {
                messages.push(std::mem::take(&mut self.partial));
            }
        }
        messages
    }
}

impl<'a> Frame<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, octets) = bytes.split_first_chunk::<HEADER>()?;
        let word = |at: usize| {
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        Some(Self {
            kind: header[0],
            theirs: word(1),
            ours: word(5),
            number: word(9),
            octets,
        })
    }
}

fn encode(kind: u8, own: u32, theirs: u32, number: u32, octets: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    for word in [own, theirs, number] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes.extend_from_slice(octets);
    bytes
}

#[cfg(test)]
mod tests;
