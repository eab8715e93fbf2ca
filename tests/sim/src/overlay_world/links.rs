//! What an overlay world needs of its links.

use hip_wire::time::Instant;

/// Reliable, ordered, authenticated links between peers known by their index; sans-IO.
pub trait Links {
    /// `from` wants a link to `to`; answered by [`LinkOutput::Up`] or [`LinkOutput::Failed`].
    fn open(&mut self, now: Instant, from: usize, to: usize);

    /// Sends over a link that `from` believes to be up; otherwise the message is lost.
    fn send(&mut self, now: Instant, from: usize, to: usize, bytes: Vec<u8>);

    /// `from` closes its link to `to`; what was sent before still arrives.
    fn close(&mut self, now: Instant, from: usize, to: usize);

    /// `peer` vanishes without a word.
    fn kill(&mut self, now: Instant, peer: usize);

    /// `peer` is back, without links.
    fn revive(&mut self, now: Instant, peer: usize);

    /// Separates the peers for which `left` holds from the others.
    fn partition(&mut self, now: Instant, left: &dyn Fn(usize) -> bool);

    /// Ends the partition.
    fn heal(&mut self, now: Instant);

    /// Moves on to `now`.
    fn advance(&mut self, now: Instant);

    /// The next thing to tell.
    fn poll(&mut self) -> Option<LinkOutput>;

    /// When something happens next.
    fn next_deadline(&self) -> Option<Instant>;

    /// Whether the invariants of what carries the links hold.
    ///
    /// # Errors
    /// The first that does not.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What the links tell one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// A link is up.
    Up {
        /// Who is told.
        at: usize,
        /// The other end.
        peer: usize,
    },
    /// A link is gone.
    Down {
        /// Who is told.
        at: usize,
        /// The other end.
        peer: usize,
    },
    /// A link that `at` wanted cannot be had.
    Failed {
        /// Who is told.
        at: usize,
        /// The other end.
        peer: usize,
    },
    /// A message arrived.
    Message {
        /// The receiver.
        at: usize,
        /// The sender.
        peer: usize,
        /// The message.
        bytes: Vec<u8>,
    },
}
