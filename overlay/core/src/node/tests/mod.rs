//! Whole overlays in virtual time.

mod churn;
mod harness;
mod membership;
mod messages;
mod storage;
mod wireshark;
