//! HIPv2 wire formats: packets, parameters, registries and identifiers.
//!
//! What it is: every byte layout the host and the overlay read or write, and the tables of the numbers in them.
//! What it may not do: cryptography, IO, clocks, randomness, unsafe code. Decoders of network bytes return a typed
//! [`WireError`], never panic and never allocate more than four times their input.
//!
//! ```text
//!  datagram --> udp_encap / ip --> Packet::parse --> Packet --> find::<Puzzle>(), mac_input(), ...   --> show
//!  PacketBuilder::new --> push(&Puzzle{..}) --> mac_input() --> push(&HipMac(..)) --> finish --> write_checksum
//! ```
//!
//! RFCs: 7401 (HIPv2), 7343 (ORCHIDv2), 7402 (ESP), 8046 (LOCATOR_SET), 9028 (UDP encapsulation, NAT locators),
//! 8002 (CERT), 1071 and 1624 (checksums); numbers of 8003, 8004, 6028, 6078, 6079 and 6261.
//!
//! ```
//! use hip_wire::{Hit, Packet, PacketBuilder, PacketType, param::DhGroupList, registry::DhGroup};
//!
//! let initiator: Hit = "2001:21::1".parse().unwrap();
//! let responder: Hit = "2001:21::2".parse().unwrap();
//! let mut builder = PacketBuilder::new(PacketType::I1, initiator, responder);
//! builder.push(&DhGroupList::new(&[DhGroup::EcpP256, DhGroup::Modp3072])).unwrap();
//! let bytes = builder.finish();
//!
//! let packet = Packet::parse(&bytes).unwrap();
//! let offered = packet.require::<DhGroupList>().unwrap();
//! assert_eq!(offered.groups().next(), Some(DhGroup::EcpP256));
//! assert!(packet.to_string().starts_with("HIP I1 2001:21::1 > 2001:21::2"));
//! ```

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::cast_possible_truncation
    )
)]

extern crate alloc;

pub mod builder;
pub mod checksum;
pub mod error;
pub mod hit;
pub mod ip;
pub mod packet;
pub mod param;
pub mod path;
pub mod reader;
pub mod registry;
pub mod show;
pub mod time;
pub mod udp_encap;

pub use builder::{PacketBuilder, R1Template, write_checksum};
pub use error::{WireError, WireErrorKind};
pub use hit::{Hit, Lsi};
pub use packet::{Packet, Param};
pub use param::Parameter;
pub use registry::{PacketType, ParamType};
pub use time::Instant;
