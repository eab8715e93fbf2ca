//! Sizes: what ESP in BEET mode adds, and which inner MTU a path MTU leaves.

use hip_crypto::aead::block_len;
use hip_wire::registry::EspSuite;

use hip_wire::ip::{ESP_HEADER_LEN, IPV4_HEADER_LEN, IPV6_HEADER_LEN, UDP_HEADER_LEN};
use hip_wire::path::{Path, Transport};

/// Pad length and next header.
pub const ESP_TRAILER: usize = 2;
/// The BEET pseudo header before IPv4 payloads: 4 octets and 4 of padding (RFC 7402 B.1.7).
pub const PSEUDO_HEADER: usize = 8;
/// No IPv6 link may be narrower (RFC 8200 §5): narrower paths fragment the outer packet.
pub const IPV6_MTU_MIN: usize = 1280;
/// The least MTU that IPv4 hosts are told of: what every host can reassemble (RFC 791).
pub const IPV4_MTU_MIN: usize = 576;
/// Path MTU before anything is known of a path.
pub const DEFAULT_PATH_MTU: usize = 1500;

/// Lengths that depend on the ESP suite alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuiteLayout {
    /// Octets of the initialisation vector in each packet.
    pub iv: usize,
    /// Octets of the integrity check value.
    pub icv: usize,
    /// Payload, padding and trailer fill a multiple of this (RFC 4303 §2.4).
    pub block: usize,
}

impl SuiteLayout {
    /// The layout of a suite.
    pub const fn of(suite: EspSuite) -> Self {
        Self {
            iv: suite.iv_len(),
            icv: suite.icv_len(),
            block: block_len(suite),
        }
    }

    /// Padding octets for this many payload octets.
    pub const fn padding(&self, payload: usize) -> usize {
        // 4303-2.4-02, 4303-2.4-03
        (self.block - (payload + ESP_TRAILER) % self.block) % self.block
    }

    /// The whole ESP packet, SPI to ICV, for this many payload octets.
    pub const fn packet(&self, payload: usize) -> usize {
        ESP_HEADER_LEN + self.iv + payload + self.padding(payload) + ESP_TRAILER + self.icv
    }

    /// The smallest ESP packet a sender of this suite can make.
    pub const fn packet_min(&self) -> usize {
        self.packet(0)
    }

    /// The most payload octets whose ESP packet is at most `packet` octets long.
    pub const fn payload_max(&self, packet: usize) -> usize {
        let room = packet.saturating_sub(ESP_HEADER_LEN + self.iv + self.icv);
        (room - room % self.block).saturating_sub(ESP_TRAILER)
    }
}

/// Octets before the ESP packet on this path: outer IP header and, in UDP, its header.
pub const fn outer_header(path: &Path) -> usize {
    let ip = if path.remote.is_ipv4() {
        IPV4_HEADER_LEN
    } else {
        IPV6_HEADER_LEN
    };
    match path.transport {
        Transport::Raw => ip,
        Transport::Udp => ip + UDP_HEADER_LEN,
    }
}

/// Inner MTU of each address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InnerMtu {
    /// For packets between HITs (IPv6). The TUN takes this one.
    pub hit: usize,
    /// For packets between LSIs (IPv4), 28 octets less: 20 of shorter header
    /// and 8 of pseudo header. The route of the LSI prefix takes this one.
    pub lsi: usize,
}

/// The largest inner packets that travel over the path without outer fragments.
pub const fn inner_mtu(path_mtu: usize, path: &Path, suite: EspSuite) -> InnerMtu {
    let payload = SuiteLayout::of(suite).payload_max(path_mtu.saturating_sub(outer_header(path)));
    let hit = IPV6_HEADER_LEN + payload;
    let lsi = (IPV4_HEADER_LEN + payload).saturating_sub(PSEUDO_HEADER);
    InnerMtu {
        hit: if hit < IPV6_MTU_MIN {
            IPV6_MTU_MIN
        } else {
            hit
        },
        lsi: if lsi < IPV4_MTU_MIN {
            IPV4_MTU_MIN
        } else {
            lsi
        },
    }
}
