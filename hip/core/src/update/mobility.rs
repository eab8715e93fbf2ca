//! A host moves: the three UPDATEs of RFC 8046 §3.2.1, without rekeying.
//!
//! The mover sends ESP_INFO, LOCATOR_SET and SEQ from its new address. The
//! peer answers *to the new address* with ESP_INFO, SEQ, ACK and a nonce in
//! ECHO_REQUEST_SIGNED. The mover returns ACK and the nonce; only then does
//! the peer send data there (8046-3.2.1-04).

use std::net::IpAddr;

use hip_wire::packet::Packet;
use hip_wire::param::{
    Ack, EchoRequestSigned, EspInfo, Locator, LocatorAddress, LocatorSet, Seq, TrafficType,
};

use crate::address::path_to;
use crate::assoc::{Authentic, Session};
use crate::environment::Environment;
use crate::path::{Path, PeerLocator, Transport};
use crate::stats::DropReason;

/// Octets of the nonce that a new address has to return.
const NONCE: usize = 16;

/// A new address of the peer, UNVERIFIED.
pub(super) struct AddressCheck {
    /// The Update ID of the UPDATE with the nonce.
    id: u32,
    path: Path,
    nonce: [u8; NONCE],
}

/// Proof that the peer received a nonce at the path.
struct ReturnRoutable(Path);

impl AddressCheck {
    /// Compares the echo; the packet it came in was authenticated.
    // 8046-5.1-03, 8046-5.4-01
    fn confirm(&self, _: &Authentic, echo: &[u8]) -> Option<ReturnRoutable> {
        (echo == self.nonce).then_some(ReturnRoutable(self.path))
    }
}

impl Session {
    /// This host's addresses changed: if the one in use is gone, move to another and tell the peer.
    // 8046-5.2-01, 8046-3.1.2-01
    pub(crate) fn on_local_addresses(&mut self, env: &mut Environment, known: &[PeerLocator]) {
        if !env.lost(self.path.local.ip()) {
            return;
        }
        let current = PeerLocator {
            transport: self.path.transport,
            remote: self.path.remote,
            local: None,
        };
        let Some(path) = std::iter::once(&current)
            .chain(known)
            .filter_map(|locator| path_to(locator, &env.addresses, env.config.udp_port))
            .find(|path| !path.local.ip().is_unspecified())
        else {
            return;
        };
        // Packets from the old address cannot leave any more; the peer takes ESP by SPI.
        self.move_to(env, path);
        if let Err(reason) = self.announce_move(env, path) {
            env.drop_packet(self.security.peer, reason);
        }
    }

    /// The first UPDATE of a move.
    // 8046-3.2.1-01, 8046-3.2.1-02, 8046-5.2-05, 8046-5.2-06, 8046-5.2-07, 8046-5.2-08
    fn announce_move(&mut self, env: &mut Environment, path: Path) -> Result<(), DropReason> {
        let spi = self.inbound_spi;
        let locator = Locator {
            traffic_type: TrafficType::Both,
            preferred: true,
            lifetime: u32::MAX,
            address: LocatorAddress::SpiAddress {
                spi,
                address: path.local.ip(),
            },
        };
        // What was to go out from an address that is gone cannot be acknowledged.
        self.updates.forget(|update| update.path != path);
        let id = self.updates.take_id();
        let mut packet = self.update();
        packet
            .push(&self.same_spi())?
            .push(&LocatorSet {
                locators: vec![locator],
            })?
            .push(&Seq { update_id: id })?;
        let packet = self.security.seal(env, packet)?;
        self.updates.track(env, id, path, packet);
        Ok(())
    }

    /// Where the peer says it is now, if it says so; `received` is where the packet came from.
    // 8046-5.3-01, 8046-5.3-04, 8046-5.3-05, 8046-5.3-09
    pub(super) fn announced_path(
        &self,
        env: &Environment,
        received: Path,
        packet: &Packet<'_>,
    ) -> Result<Option<Path>, DropReason> {
        if let Some(info) = packet.find::<EspInfo>()?
            && (info.old_spi != self.outbound_spi || info.new_spi != self.outbound_spi)
        {
            return Err(DropReason::BadParameter);
        }
        let Some(set) = packet.find::<LocatorSet<'_>>()? else {
            return Ok(None);
        };
        let usable = || {
            set.locators
                .iter()
                .filter(|locator| self.is_usable(locator))
        };
        let addresses = || usable().filter_map(|locator| locator.address.ip());
        // 8046-5.3-20: what is listed comes before the source address, except behind a NAT,
        // where the listed address means nothing here (8046-5.3-19)
        if self.path.transport == Transport::Udp || addresses().any(|ip| ip == received.remote.ip())
        {
            return Ok(usable().next().map(|_| received));
        }
        let preferred = usable()
            .find(|locator| locator.preferred)
            .or_else(|| usable().next());
        Ok(preferred.and_then(|locator| {
            let locator = PeerLocator::raw(locator.address.ip()?);
            path_to(&locator, &env.addresses, env.config.udp_port)
        }))
    }

    // 8046-5.3-10
    fn is_usable(&self, locator: &Locator<'_>) -> bool {
        let traffic = matches!(locator.traffic_type, TrafficType::Both | TrafficType::Data);
        let spi = locator
            .address
            .spi()
            .is_none_or(|spi| spi == self.outbound_spi);
        traffic && spi && locator.address.ip().is_some_and(is_unicast)
    }

    /// The second UPDATE of a move: acknowledges and asks for the nonce.
    // 8046-3.2.1-03, 8046-3.2.1-04, 8046-3.2.1-05, 8046-3.3.1-01, 8046-5.4-02, 8046-5.4-12
    pub(super) fn start_address_check(
        &mut self,
        env: &mut Environment,
        path: Path,
        acknowledged: u32,
    ) -> Result<(), DropReason> {
        let nonce = env.random::<NONCE>();
        if let Some(earlier) = self.updates.check.take() {
            self.updates.forget(|update| update.id == earlier.id);
        }
        let id = self.updates.take_id();
        let mut packet = self.update();
        packet
            .push(&self.same_spi())?
            .push(&Seq { update_id: id })?
            .push(&Ack::of(acknowledged))?
            .push(&EchoRequestSigned(&nonce))?;
        let packet = self.security.seal(env, packet)?;
        self.updates.check = Some(AddressCheck { id, path, nonce });
        self.updates.reply = Some((acknowledged, packet.clone()));
        self.updates.track(env, id, path, packet);
        Ok(())
    }

    /// The third UPDATE of a move.
    // 8046-3.2.1-09, 8046-5.5-03
    pub(super) fn finish_address_check(
        &mut self,
        env: &mut Environment,
        authentic: &Authentic,
        echo: &[u8],
    ) {
        let check = self.updates.check.as_ref();
        let Some(proof) = check.and_then(|check| check.confirm(authentic, echo)) else {
            return env.drop_packet(self.security.peer, DropReason::BadEcho);
        };
        self.updates.check = None;
        self.follow(env, proof);
    }

    /// Data goes to a verified address of the peer from now on.
    fn follow(&mut self, env: &mut Environment, proof: ReturnRoutable) {
        self.move_to(env, proof.0);
    }

    fn move_to(&mut self, env: &mut Environment, path: Path) {
        if path != self.path {
            env.move_path(self.security.peer, self.path, path);
            self.path = path;
        }
    }

    /// ESP_INFO that changes nothing.
    fn same_spi(&self) -> EspInfo {
        EspInfo {
            keymat_index: 0,
            old_spi: self.inbound_spi,
            new_spi: self.inbound_spi,
        }
    }
}

fn is_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_multicast() && !address.is_unspecified() && !broadcast
}
