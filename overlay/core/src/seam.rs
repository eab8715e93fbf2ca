//! The seam: what goes into a [`Node`](crate::Node) and what comes out.

use crate::command::{Command, CommandResult};
use crate::event::Event;
use crate::id::NodeId;
use crate::record::{StoreChange, StoredRecord};

/// What the shell tells the node.
#[derive(Debug)]
pub enum Input<'a> {
    /// A link to `peer` is up, whoever opened it; the link layer has authenticated the HIT.
    LinkUp {
        /// Who is at the other end.
        peer: NodeId,
    },
    /// The link to `peer` is gone.
    LinkDown {
        /// Who was at the other end.
        peer: NodeId,
    },
    /// An [`Output::Open`] failed.
    LinkFailed {
        /// Who could not be reached.
        peer: NodeId,
    },
    /// One RELOAD message, unframed, from the link to `from`.
    Message {
        /// The authenticated other end of the link.
        from: NodeId,
        /// The message.
        bytes: &'a [u8],
    },
    /// [`Node::next_deadline`](crate::Node::next_deadline) has passed.
    Timeout,
    /// The local user wants something.
    Command {
        /// Returned with the reply.
        id: u64,
        /// What.
        command: Command,
    },
    /// A record persisted earlier; give all of them before `Command::Join`.
    Restore(StoredRecord),
}

/// What the node asks of the shell, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send one message over the link to `to`.
    Send {
        /// A peer whose link is up.
        to: NodeId,
        /// The message, unframed.
        bytes: Vec<u8>,
    },
    /// Open a link to `peer`; answer with `LinkUp` or `LinkFailed`.
    Open {
        /// Who.
        peer: NodeId,
    },
    /// Close the link to `peer` after what was sent before is out; no `LinkDown` follows.
    CloseLink {
        /// Who.
        peer: NodeId,
    },
    /// Make this durable before carrying out later outputs.
    Persist(StoreChange),
    /// The answer to a command.
    Reply {
        /// The command's id.
        id: u64,
        /// Its outcome.
        result: CommandResult,
    },
    /// Something happened.
    Event(Event),
}
