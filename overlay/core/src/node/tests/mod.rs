//! Whole overlays in virtual time.

mod bench;
mod churn;
mod harness;
mod membership;
mod messages;
mod methods;
mod storage;
mod storage_rules;
mod wireshark;
