//! The event log of a run: lines of text and their running hash.

use std::fmt::{self, Write};

use hip_wire::time::Instant;

/// Collects what happened. The hash covers every line whether or not text is kept, so a
/// thousand seeds can be compared cheaply and one of them replayed with its text.
#[derive(Clone, Debug)]
pub struct EventLog {
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
    pub const fn new(keep: bool) -> Self {
        Self {
            keep,
            lines: Vec::new(),
            count: 0,
            hash: 0xcbf2_9ce4_8422_2325,
            scratch: String::new(),
        }
    }

    /// Adds one line: the virtual time in seconds, then `what`.
    pub fn add(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        self.scratch.clear();
        let micros = now.as_nanos() / 1_000;
        // Writing to a String cannot fail.
        let _ = write!(
            self.scratch,
            "{:>4}.{:06} {what}",
            micros / 1_000_000,
            micros % 1_000_000
        );
        for byte in self.scratch.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.count += 1;
        if self.keep {
            self.lines.push(self.scratch.clone());
        }
    }

    /// Lines added so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The hash of all lines so far.
    pub const fn hash(&self) -> LogHash {
        LogHash(self.hash)
    }

    /// The text, empty when it was not kept.
    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_does_not_depend_on_keeping_the_text_and_sees_every_line() {
        let write = |keep, words: &[&str]| {
            let mut log = EventLog::new(keep);
            for word in words {
                log.add(Instant::from_nanos(1_500_000_000), format_args!("{word}"));
            }
            log
        };
        let kept = write(true, &["a", "b"]);
        assert_eq!(kept.hash(), write(false, &["a", "b"]).hash());
        assert_ne!(kept.hash(), write(false, &["ab"]).hash());
        assert_eq!(kept.into_lines(), ["   1.500000 a", "   1.500000 b"]);
    }
}
