//! NOTIFY: telling a peer what was wrong with its I2 or R1 (RFC 7401 §5.3.6, §6.9.1).

use hip_wire::builder::PacketBuilder;
use hip_wire::hit::Hit;
use hip_wire::param::{HipSignature, HostId, Notification};
use hip_wire::registry::{NotifyType, PacketType};

use crate::environment::Environment;
use crate::path::Path;
use crate::stats::DropReason;

impl DropReason {
    /// What to tell the sender, where the RFC does not demand silence.
    // 7402-5.1.3-01. Bad public values and undecryptable identities are dropped silently:
    // 7401-5.3.2-16, 7401-6.9-20
    fn notify_type(self) -> Option<NotifyType> {
        match self {
            Self::BadDhGroup => Some(NotifyType::INVALID_DH_CHOSEN),
            Self::BadCipher => Some(NotifyType::INVALID_HIP_CIPHER_CHOSEN),
            Self::BadEspSuite => Some(NotifyType::INVALID_ESP_TRANSFORM_CHOSEN),
            Self::BadMac => Some(NotifyType::HIP_MAC_FAILED),
            Self::BadSignature => Some(NotifyType::AUTHENTICATION_FAILED),
            Self::HitMismatch => Some(NotifyType::INVALID_HIT),
            Self::BadParameter | Self::MissingParameter => Some(NotifyType::INVALID_SYNTAX),
            _ => None,
        }
    }
}

impl Environment {
    /// Reports what is wrong with an I2 whose puzzle was solved, at a limited rate.
    // 7401-6.9.1-01, 7401-6.9.1-02
    pub(crate) fn report(&mut self, path: Path, peer: Hit, reason: DropReason) {
        if let Some(notify_type) = reason.notify_type() {
            self.notify(path, peer, notify_type);
        }
    }

    /// Sends a signed NOTIFY, unless too many went that way.
    pub(crate) fn notify(&mut self, path: Path, peer: Hit, notify_type: NotifyType) {
        if !self.notify_limiter.allow(self.now, path.remote.ip()) {
            return;
        }
        // Without a signature nobody would believe it: no packet then.
        if let Ok(packet) = self.build_notify(peer, notify_type) {
            self.send(path, packet);
        }
    }

    // 7401-5.3.6-03
    fn build_notify(&self, peer: Hit, notify_type: NotifyType) -> Result<Vec<u8>, DropReason> {
        let public = self.identity.public();
        let mut packet = PacketBuilder::new(PacketType::Notify, self.local, peer);
        packet
            .push(&HostId::new(public.algorithm(), public.hi()))?
            .push(&Notification {
                notify_type,
                data: &[],
            })?;
        let signature = self
            .identity
            .sign(&packet.signature_input()?)
            .map_err(|_| DropReason::Local)?;
        packet.push(&HipSignature::new(public.algorithm(), &signature))?;
        Ok(packet.finish())
    }
}
