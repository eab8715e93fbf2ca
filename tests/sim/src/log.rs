//! The event log of a run: lines of text and their running hash.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::rc::Rc;

use hip_wire::time::Instant;

/// Collects what happened. The hash covers every line whether or not text is kept, so a
/// thousand seeds can be compared cheaply and one of them replayed with its text.
///
/// A handle: clones write to the same log, so that each layer of a world has one.
#[derive(Clone, Debug)]
pub struct EventLog(Rc<RefCell<Lines>>);

#[derive(Debug)]
struct Lines {
    keep: bool,
    lines: Vec<String>,
    count: u64,
    hash: u64,
    scratch: String,
}

/// The hash of a log (64-bit FNV-1a over the lines): equal runs have equal hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogHash(pub u64);

impl fmt::Display for LogHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

impl EventLog {
    /// An empty log; `keep` says whether the text is kept.
    pub fn new(keep: bool) -> Self {
        Self(Rc::new(RefCell::new(Lines {
            keep,
            lines: Vec::new(),
            count: 0,
            hash: 0xcbf2_9ce4_8422_2325,
            scratch: String::new(),
        })))
    }

    /// Adds one line: the virtual time in seconds, then `what`.
    pub fn add(&self, now: Instant, what: fmt::Arguments<'_>) {
        self.0.borrow_mut().add(now, what);
    }

    /// Lines added so far.
    pub fn count(&self) -> u64 {
        self.0.borrow().count
    }

    /// The hash of all lines so far.
    pub fn hash(&self) -> LogHash {
        LogHash(self.0.borrow().hash)
    }

    /// Takes the text out; empty when it was not kept.
    pub fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().lines)
    }
}

impl Lines {
    fn add(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        self.scratch.clear();
        let micros = now.as_nanos() / 1_000;
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        // Writing to a String cannot fail.
        let _ = write!(self.scratch, "{seconds:>4}.{fraction:06} {what}");
        for byte in self.scratch.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.count += 1;
        if self.keep {
            self.lines.push(self.scratch.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_does_not_depend_on_keeping_the_text_and_sees_every_line() {
        let write = |keep, words: &[&str]| {
            let log = EventLog::new(keep);
            for word in words {
                log.add(Instant::from_nanos(1_500_000_000), format_args!("{word}"));
            }
            log
        };
        let kept = write(true, &["a", "b"]);
        assert_eq!(kept.hash(), write(false, &["a", "b"]).hash());
        assert_ne!(kept.hash(), write(false, &["ab"]).hash());
        assert_eq!(kept.take_lines(), ["   1.500000 a", "   1.500000 b"]);
    }
}
