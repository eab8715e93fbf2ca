//! RELOAD's wire formats (RFC 6940 §6.3, §6.4, §6.5, §6.6.2, §7, §10).

pub mod body;
pub mod codec;
pub mod contents;
pub mod framing;
pub mod header;
pub mod link;
pub mod storage;
pub mod topology;

pub use codec::{Decode, Encode, Problem, Reader, WireError, Writer};

#[cfg(test)]
mod tests;
