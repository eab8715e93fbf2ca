//! The keys of an association, and the packets they authenticate.

use hip_crypto::dh::DhPrivate;
use hip_crypto::hash::{MacValid, Rhash};
use hip_crypto::identity::{PublicIdentity, SignatureValid};
use hip_crypto::keymat::{EspKeyPair, HipKeys, Keymat};
use hip_crypto::puzzle::PuzzleSolved;
use hip_wire::builder::PacketBuilder;
use hip_wire::hit::Hit;
use hip_wire::packet::Packet;
use hip_wire::param::{HipMac, HipMac2, HipSignature, HipSignature2, Notification};
use hip_wire::registry::{DhGroup, EspSuite, HipCipher, ParamType};

use crate::environment::Environment;
use crate::stats::DropReason;

/// What the two ends agreed on in the base exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agreed {
    pub(crate) dh_group: DhGroup,
    pub(crate) cipher: HipCipher,
    pub(crate) esp_suite: EspSuite,
    /// The hash of the Responder's HIT suite (7401-2.3-01).
    pub(crate) rhash: Rhash,
}

/// #I and #J of the solved puzzle: the salt of the key derivation.
pub(crate) struct Salt<'a> {
    pub(crate) i: &'a [u8],
    pub(crate) j: &'a [u8],
}

/// All keys drawn in a base exchange.
pub(crate) struct DerivedKeys {
    pub(crate) hip: HipKeys,
    pub(crate) esp: EspKeyPair,
    /// Where the ESP keys start (7402-5.1.1-06).
    pub(crate) esp_index: u16,
}

impl DerivedKeys {
    /// Diffie-Hellman and KEYMAT (RFC 7401 §6.5, RFC 7402 §7).
    ///
    /// The proof keeps the costly part behind the puzzle (7401-4.1.1-02).
    // 7401-5.3.2-15: an invalid public value gives no key
    pub(crate) fn derive(
        _: &PuzzleSolved,
        agreed: Agreed,
        own: &DhPrivate,
        peer_value: &[u8],
        salt: &Salt<'_>,
        hits: (Hit, Hit),
    ) -> Result<Self, DropReason> {
        let kij = own.agree(peer_value).map_err(|_| DropReason::BadDhValue)?;
        let mut keymat = Keymat::new(agreed.rhash, &kij, salt.i, salt.j, hits.0, hits.1);
        let hip = keymat
            .hip_keys(agreed.cipher)
            .map_err(|_| DropReason::Local)?;
        let esp_index = keymat.index();
        let esp = keymat
            .esp_keys(agreed.esp_suite)
            .map_err(|_| DropReason::Local)?;
        Ok(Self {
            hip,
            esp,
            esp_index,
        })
    }
}

/// What authenticates packets between this host and one peer.
pub(crate) struct Security {
    pub(crate) local: Hit,
    pub(crate) peer: Hit,
    pub(crate) peer_identity: PublicIdentity,
    pub(crate) keys: HipKeys,
    pub(crate) agreed: Agreed,
}

impl Security {
    /// Checks HIP_MAC and HIP_SIGNATURE of a packet of the peer.
    // 7401-6.12.1-06, 7401-6.12.1-08, 7401-6.14-01, 7401-5.3.8-03
    pub(crate) fn verify(&self, packet: &Packet<'_>) -> Result<Authentic, DropReason> {
        let mac = verify_mac(&self.keys, packet)?;
        let signature = verify_signature(&self.peer_identity, packet)?;
        Ok(Authentic {
            _mac: mac,
            _signature: signature,
        })
    }

    /// Checks HIP_MAC_2 and HIP_SIGNATURE of R2; `host_id` is the HOST_ID of R1 as received.
    // 7401-6.10-04, 7401-6.10-05
    pub(crate) fn verify_r2(
        &self,
        packet: &Packet<'_>,
        host_id: &[u8],
    ) -> Result<Authentic, DropReason> {
        let HipMac2(mac) = packet.require()?;
        let input = packet.mac_2_input(host_id)?;
        let key = self.keys.integrity(self.peer, self.local);
        let mac = self
            .keys
            .rhash
            .verify_hmac(key.as_bytes(), &[&input], mac)
            .map_err(|_| DropReason::BadMac)?;
        let signature = verify_signature(&self.peer_identity, packet)?;
        Ok(Authentic {
            _mac: mac,
            _signature: signature,
        })
    }

    /// The types in a NOTIFY with a good signature.
    // 7401-5.3.6-03: no HIP_MAC
    pub(crate) fn read_notify(&self, packet: &Packet<'_>) -> Result<Vec<u16>, DropReason> {
        let _: SignatureValid = verify_signature(&self.peer_identity, packet)?;
        packet
            .get_all(ParamType::NOTIFICATION)
            .map(|param| Ok(param.decode::<Notification<'_>>()?.notify_type.0))
            .collect()
    }

    /// Adds HIP_MAC and HIP_SIGNATURE and ends the packet.
    // 7401-6.4.2-03: first the MAC, then the signature
    pub(crate) fn seal(
        &self,
        env: &Environment,
        mut packet: PacketBuilder,
    ) -> Result<Vec<u8>, DropReason> {
        self.authenticate(env, &mut packet)?;
        Ok(packet.finish())
    }

    /// Adds HIP_MAC and HIP_SIGNATURE; unsigned parameters may follow.
    pub(crate) fn authenticate(
        &self,
        env: &Environment,
        packet: &mut PacketBuilder,
    ) -> Result<(), DropReason> {
        let key = self.keys.integrity(self.local, self.peer);
        let mac = self
            .keys
            .rhash
            .hmac(key.as_bytes(), &[&packet.mac_input()?]);
        packet.push(&HipMac(mac.as_ref()))?;
        sign(env, packet)
    }

    /// Adds HIP_MAC_2 and HIP_SIGNATURE to an R2 and ends it.
    // 7401-6.4.1-03
    pub(crate) fn seal_r2(
        &self,
        env: &Environment,
        mut packet: PacketBuilder,
        host_id: &[u8],
    ) -> Result<Vec<u8>, DropReason> {
        let key = self.keys.integrity(self.local, self.peer);
        let mac = self
            .keys
            .rhash
            .hmac(key.as_bytes(), &[&packet.mac_2_input(host_id)?]);
        packet.push(&HipMac2(mac.as_ref()))?;
        sign(env, &mut packet)?;
        Ok(packet.finish())
    }
}

/// Proof that MAC and signature of a packet were checked.
pub(crate) struct Authentic {
    _mac: MacValid,
    _signature: SignatureValid,
}

impl Authentic {
    /// For I2, whose two checks need keys that only its own contents give.
    pub(crate) fn new(mac: MacValid, signature: SignatureValid) -> Self {
        Self {
            _mac: mac,
            _signature: signature,
        }
    }
}

/// Checks HIP_MAC; the sender and the receiver are those of the packet.
pub(crate) fn verify_mac(keys: &HipKeys, packet: &Packet<'_>) -> Result<MacValid, DropReason> {
    let HipMac(mac) = packet.require()?;
    let input = packet.mac_input()?;
    let key = keys.integrity(packet.sender(), packet.receiver());
    keys.rhash
        .verify_hmac(key.as_bytes(), &[&input], mac)
        .map_err(|_| DropReason::BadMac)
}

/// Checks HIP_SIGNATURE.
pub(crate) fn verify_signature(
    peer: &PublicIdentity,
    packet: &Packet<'_>,
) -> Result<SignatureValid, DropReason> {
    let HipSignature(fields) = packet.require()?;
    if fields.hi_algorithm() != Some(peer.algorithm()) {
        return Err(DropReason::BadSignature);
    }
    let input = packet.signature_input()?;
    peer.verify(&input, fields.signature)
        .map_err(|_| DropReason::BadSignature)
}

/// Checks HIP_SIGNATURE_2.
pub(crate) fn verify_signature_2(
    peer: &PublicIdentity,
    packet: &Packet<'_>,
) -> Result<SignatureValid, DropReason> {
    let HipSignature2(fields) = packet.require()?;
    if fields.hi_algorithm() != Some(peer.algorithm()) {
        return Err(DropReason::BadSignature);
    }
    let input = packet.signature_2_input()?;
    peer.verify(&input, fields.signature)
        .map_err(|_| DropReason::BadSignature)
}

/// Adds HIP_SIGNATURE.
fn sign(env: &Environment, packet: &mut PacketBuilder) -> Result<(), DropReason> {
    let signature = env
        .identity
        .sign(&packet.signature_input()?)
        .map_err(|_| DropReason::Local)?;
    let algorithm = env.identity.public().algorithm();
    packet.push(&HipSignature::new(algorithm, &signature))?;
    Ok(())
}
