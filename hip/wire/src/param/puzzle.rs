//! R1_COUNTER, PUZZLE and SOLUTION (RFC 7401 sections 5.2.3 to 5.2.5).

use alloc::vec::Vec;
use core::time::Duration;

use crate::error::{WireError, WireErrorKind};
use crate::param::{Parameter, parse_parameter};
use crate::reader::Reader;
use crate::registry::{HitSuite, ParamType};

/// R1_COUNTER: the generation of puzzles.
// 7401-5.2.3-01, 7401-5.2.3-06: Reserved is kept, because the echo in I2 is octet by octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct R1Counter {
    /// Zero when sent first; echoed as received.
    pub reserved: [u8; 4],
    /// The counter.
    pub counter: u64,
}

impl R1Counter {
    /// A counter of our own.
    pub const fn new(counter: u64) -> Self {
        Self {
            reserved: [0; 4],
            counter,
        }
    }

    /// Decodes the 12 octets of contents.
    pub fn parse(contents: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        let parsed = Self {
            reserved: reader.array()?,
            counter: reader.u64()?,
        };
        reader.finish()?;
        Ok(parsed)
    }
}

impl Parameter for R1Counter {
    const TYPE: ParamType = ParamType::R1_COUNTER;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.reserved);
        out.extend_from_slice(&self.counter.to_be_bytes());
    }
}

/// PUZZLE of an R1.
// 7401-5.2.4-01, 7401-5.2-04: 36 octets with SHA-256, not the 12 of the overview table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Puzzle<'a> {
    /// #K: zero bits the solution has to show.
    pub difficulty: u8,
    /// Lifetime as on the wire: 2^(value - 32) seconds; see [`Puzzle::lifetime`].
    pub lifetime: u8,
    /// The Responder's own data, to be copied.
    pub opaque: [u8; 2],
    /// #I: RHASH_len / 8 octets; the caller compares with the Responder's suite by [`Puzzle::fits`].
    pub random: &'a [u8],
}

impl<'a> Puzzle<'a> {
    /// Decodes the contents; an #I of a length no HIT Suite has is [`WireErrorKind::BadLength`].
    pub fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        let [difficulty, lifetime, high, low] = reader.array()?;
        let error = reader.error(WireErrorKind::BadLength);
        let random = reader.rest();
        if !is_rhash_len(random.len()) {
            return Err(error);
        }
        Ok(Self {
            difficulty,
            lifetime,
            opaque: [high, low],
            random,
        })
    }

    /// How long the puzzle is valid after reception; beyond 2^32 seconds it is cut there.
    // 7401-5.2.4-02: 2^(Lifetime - 32) seconds, so 37 is 32 s and 31 half a second.
    pub fn lifetime(&self) -> Duration {
        let nanos = (1_000_000_000_u128 << self.lifetime.min(64)) >> 32;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// True if #I has the length for a Responder of `suite`.
    pub const fn fits(&self, suite: HitSuite) -> bool {
        self.random.len() == suite.rhash_len()
    }
}

impl Parameter for Puzzle<'_> {
    const TYPE: ParamType = ParamType::PUZZLE;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.difficulty, self.lifetime]);
        out.extend_from_slice(&self.opaque);
        out.extend_from_slice(self.random);
    }
}

/// SOLUTION of an I2.
// 7401-5.2.5-01
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solution<'a> {
    /// #K as copied by the Initiator; the Responder trusts its own record only.
    pub difficulty: u8,
    /// The Responder's own data, copied from PUZZLE.
    pub opaque: [u8; 2],
    /// #I, copied from PUZZLE.
    pub random: &'a [u8],
    /// #J, as long as #I.
    pub solution: &'a [u8],
}

impl<'a> Solution<'a> {
    /// Decodes the contents; lengths no HIT Suite has are [`WireErrorKind::BadLength`].
    // 7401-5.2.5-02: the second octet is Reserved and ignored.
    pub fn parse(contents: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(contents);
        let [difficulty, _, high, low] = reader.array()?;
        let error = reader.error(WireErrorKind::BadLength);
        let half = reader.remaining() / 2;
        if !is_rhash_len(half) || !reader.remaining().is_multiple_of(2) {
            return Err(error);
        }
        let random = reader.take(half)?;
        Ok(Self {
            difficulty,
            opaque: [high, low],
            random,
            solution: reader.rest(),
        })
    }

    /// True if #I and #J have the length for a Responder of `suite`.
    pub const fn fits(&self, suite: HitSuite) -> bool {
        self.random.len() == suite.rhash_len()
    }
}

impl Parameter for Solution<'_> {
    const TYPE: ParamType = ParamType::SOLUTION;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.difficulty, 0]);
        out.extend_from_slice(&self.opaque);
        out.extend_from_slice(self.random);
        out.extend_from_slice(self.solution);
    }
}

fn is_rhash_len(len: usize) -> bool {
    HitSuite::ALL.iter().any(|suite| suite.rhash_len() == len)
}

parse_parameter!(R1Counter, Puzzle<'a>, Solution<'a>);
