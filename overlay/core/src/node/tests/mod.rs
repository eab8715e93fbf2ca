//! Whole overlays in virtual time.

mod harness;
mod membership;
mod messages;
mod storage;
