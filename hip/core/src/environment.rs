//! What the handlers of all associations share: time, configuration, identity, R1s, outputs.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use hip_crypto::identity::HostIdentity;
use hip_crypto::keymat::EspKeys;
use hip_crypto::rng::Rng;
use hip_wire::builder::write_checksum;
use hip_wire::hit::Hit;
use hip_wire::registry::PacketType;
use hip_wire::time::Instant;

use crate::config::HostConfig;
use crate::event::Event;
use crate::output::{Output, SaParameters};
use crate::path::{Path, Transport};
use crate::rate::PrefixLimiter;
use crate::stats::{DropReason, Stats};

/// SPIs below this are reserved (RFC 4303 §2.1).
const FIRST_SPI: u32 = 256;

/// NOTIFYs per second and burst towards one source prefix.
const NOTIFY_RATE: (u32, u32) = (1, 5);

pub(crate) struct Environment {
    pub(crate) now: Instant,
    pub(crate) config: HostConfig,
    pub(crate) identity: Arc<HostIdentity>,
    /// The HIT of `identity`.
    pub(crate) local: Hit,
    pub(crate) rng: Box<dyn Rng>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) stats: Stats,
    /// Puzzle tries left in this call of `Host::handle`.
    pub(crate) puzzle_budget: u64,
    pub(crate) notify_limiter: PrefixLimiter,
    outputs: VecDeque<Output>,
    inbound_spis: BTreeSet<u32>,
}

impl Environment {
    pub(crate) fn new(
        config: HostConfig,
        identity: Arc<HostIdentity>,
        mut rng: Box<dyn Rng>,
    ) -> Self {
        Self {
            now: Instant::ZERO,
            local: identity.hit(),
            puzzle_budget: 0,
            notify_limiter: PrefixLimiter::new(NOTIFY_RATE.0, NOTIFY_RATE.1, rng.next_u64()),
            config,
            identity,
            rng,
            addresses: Vec::new(),
            stats: Stats::default(),
            outputs: VecDeque::new(),
            inbound_spis: BTreeSet::new(),
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        match &event {
            Event::Failed { .. } => self.stats.failed += 1,
            Event::Dropped { reason, .. } => self.stats.count_dropped(*reason),
            _ => {}
        }
        self.output(Output::Event(event));
    }

    pub(crate) fn drop_packet(&mut self, peer: Hit, reason: DropReason) {
        self.event(Event::Dropped {
            peer: Some(peer),
            reason,
        });
    }

    /// Sends a packet with checksum field 0 and fills the checksum in where the transport has one.
    pub(crate) fn send(&mut self, path: Path, mut bytes: Vec<u8>) {
        if path.transport == Transport::Raw {
            // Fails for mixed address families only, which no path has.
            let _ = write_checksum(&mut bytes, path.local.ip(), path.remote.ip());
        }
        // RFC 7401 §5.1: the packet type is the third octet.
        let packet_type = bytes
            .get(2)
            .and_then(|octet| PacketType::from_number(octet & 0x7f));
        if let Some(packet_type) = packet_type {
            self.stats.count_sent(packet_type);
        }
        self.output(Output::Send { path, bytes });
    }

    pub(crate) fn resend(&mut self, path: Path, bytes: Vec<u8>) {
        self.stats.retransmitted += 1;
        self.send(path, bytes);
    }

    /// Whether this host had the address and has it no longer.
    pub(crate) fn lost(&self, address: IpAddr) -> bool {
        let special = address.is_unspecified() || address.is_loopback();
        !special && !self.addresses.contains(&address)
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.rng.fill(&mut octets);
        octets
    }

    /// A random SPI that no inbound SA of this host uses; it is taken until released.
    // 7402-3.2.1-05, 7402-3.2.1-06
    pub(crate) fn take_spi(&mut self) -> u32 {
        loop {
            let spi = self.rng.next_u32();
            if spi >= FIRST_SPI && self.inbound_spis.insert(spi) {
                return spi;
            }
        }
    }

    /// Gives back an SPI that no SA ever used.
    pub(crate) fn release_spi(&mut self, spi: u32) {
        self.inbound_spis.remove(&spi);
    }

    pub(crate) fn install_inbound(&mut self, peer: Hit, spi: u32, keys: EspKeys, path: Path) {
        let local = self.local;
        self.output(Output::InstallInbound(SaParameters {
            local,
            peer,
            spi,
            keys,
            path,
        }));
    }

    pub(crate) fn install_outbound(&mut self, peer: Hit, spi: u32, keys: EspKeys, path: Path) {
        let local = self.local;
        self.output(Output::InstallOutbound(SaParameters {
            local,
            peer,
            spi,
            keys,
            path,
        }));
    }

    pub(crate) fn remove_inbound(&mut self, peer: Hit, spi: u32) {
        self.inbound_spis.remove(&spi);
        let local = self.local;
        self.output(Output::RemoveInbound { local, peer, spi });
    }

    /// Removes all SAs of a peer; `spis` are its inbound ones.
    // 7402-3.3.1-05
    pub(crate) fn remove_sas(&mut self, peer: Hit, spis: impl IntoIterator<Item = u32>) {
        for spi in spis {
            self.inbound_spis.remove(&spi);
        }
        let local = self.local;
        self.output(Output::RemoveSas { local, peer });
    }

    pub(crate) fn move_path(&mut self, peer: Hit, from: Path, to: Path) {
        let local = self.local;
        self.output(Output::MovePath {
            local,
            peer,
            path: to,
        });
        self.event(Event::PathChanged { peer, from, to });
    }
}
