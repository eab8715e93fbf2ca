//! An R1 that passed its signature check, as the Initiator keeps it.

use hip_crypto::hash::Rhash;
use hip_crypto::identity::{PublicIdentity, SignatureValid};
use hip_wire::hit::Hit;
use hip_wire::packet::Packet;
use hip_wire::param::{
    DhGroupList, DiffieHellman, EchoRequestSigned, EspTransform, HipCipherList, HitSuiteList,
    HostId, Puzzle, R1Counter, TransportFormatList,
};
use hip_wire::registry::{DhGroup, EspSuite, HitSuite, NotifyType, ParamType};
use hip_wire::time::Instant;

use super::keys::{Agreed, verify_signature_2};
use crate::config::HostConfig;
use crate::event::FailReason;
use crate::path::Path;
use crate::stats::DropReason;

/// The contents of a verified R1.
pub(crate) struct Offer {
    pub(crate) path: Path,
    pub(crate) responder: PublicIdentity,
    /// HOST_ID as received, type and padding included.
    pub(crate) host_id: Vec<u8>,
    /// Echoed octet by octet (7401-5.2.3-06).
    pub(crate) counter: Option<R1Counter>,
    pub(crate) puzzle: OwnedPuzzle,
    pub(crate) dh_value: Vec<u8>,
    pub(crate) echo_signed: Option<Vec<u8>>,
    pub(crate) echo_unsigned: Vec<Vec<u8>>,
    dh_group: Option<DhGroup>,
    dh_groups: Vec<u8>,
    ciphers: HipCipherList,
    hit_suites: Vec<HitSuite>,
    formats: TransportFormatList,
    esp: Option<EspTransform>,
}

/// PUZZLE without a borrow.
pub(crate) struct OwnedPuzzle {
    pub(crate) difficulty: u8,
    pub(crate) opaque: [u8; 2],
    pub(crate) random: Vec<u8>,
    pub(crate) expires: Instant,
}

impl Offer {
    /// Verifies an R1 and takes it apart. Nothing of a packet that fails is used.
    // 7401-4.1.3-05, 7401-4.1.3-06, 7401-6.8-10
    pub(crate) fn verify(
        now: Instant,
        path: Path,
        packet: &Packet<'_>,
    ) -> Result<Self, DropReason> {
        // 7401-6.8-25, 7401-5.3.2-19: the HI has to be that of the HIT we called; cheaper than a signature
        let responder = identity_of(&packet.require::<HostId<'_>>()?, packet.sender())?;
        let signature = verify_signature_2(&responder, packet)?;
        Self::read(now, path, packet, responder, &signature)
    }

    fn read(
        now: Instant,
        path: Path,
        packet: &Packet<'_>,
        responder: PublicIdentity,
        _: &SignatureValid,
    ) -> Result<Self, DropReason> {
        let puzzle: Puzzle<'_> = packet.require()?;
        if puzzle.random.len() != responder.rhash().len() {
            return Err(DropReason::BadParameter);
        }
        let dh: DiffieHellman<'_> = packet.require()?;
        let host_id = packet
            .get(ParamType::HOST_ID)
            .ok_or(DropReason::MissingParameter)?;
        let echo_signed = packet.find::<EchoRequestSigned<'_>>()?;
        let echo_unsigned = packet.get_all(ParamType::ECHO_REQUEST_UNSIGNED);
        Ok(Self {
            path,
            host_id: host_id.raw.to_vec(),
            counter: packet.find()?,
            puzzle: OwnedPuzzle {
                difficulty: puzzle.difficulty,
                opaque: puzzle.opaque,
                random: puzzle.random.to_vec(),
                expires: now + puzzle.lifetime(),
            },
            dh_group: dh.group(),
            dh_value: dh.public_value.to_vec(),
            dh_groups: packet.require::<DhGroupList>()?.ids,
            ciphers: packet.require()?,
            hit_suites: packet.require::<HitSuiteList>()?.suites().collect(),
            formats: packet.require()?,
            esp: packet.find()?,
            echo_signed: echo_signed.map(|echo| echo.0.to_vec()),
            echo_unsigned: echo_unsigned.map(|param| param.contents.to_vec()).collect(),
            responder,
        })
    }

    /// The R1 generation counter; an R1 without one is the oldest.
    pub(crate) fn generation(&self) -> u64 {
        self.counter.map_or(0, |counter| counter.counter)
    }

    pub(crate) fn rhash(&self) -> Rhash {
        self.responder.rhash()
    }

    /// What to answer, by the preferences of the Responder and what this host supports.
    pub(crate) fn choose(&self, config: &HostConfig, local: Hit) -> Result<Agreed, Refusal> {
        // 7401-6.8-12
        let suite = local.suite().ok_or(Refusal::HIT_SUITE)?;
        if !self.hit_suites.contains(&suite) {
            return Err(Refusal::HIT_SUITE);
        }
        Ok(Agreed {
            dh_group: self.best_group(config).ok_or(Refusal::DH_GROUP)?,
            cipher: self
                .ciphers
                .ciphers()
                .find(|cipher| config.hip_ciphers.contains(cipher))
                .ok_or(Refusal::CIPHER)?,
            esp_suite: self.esp_suite(config).ok_or(Refusal::ESP_SUITE)?,
            rhash: self.rhash(),
        })
    }

    /// The group of the R1, if it is the best match: the first of the
    /// Responder's signed list that our I1 offered. Anything else means that
    /// the unsigned list of the I1 was changed on the way (RFC 7401 §4.1.7).
    // 7401-4.1.3-03, 7401-4.1.7-01, 7401-4.1.7-02, 7401-6.8-16, 7401-6.8-17
    fn best_group(&self, config: &HostConfig) -> Option<DhGroup> {
        let ours = |group: &DhGroup| config.dh_groups.contains(group);
        let best = self
            .dh_groups
            .iter()
            .filter_map(|&id| DhGroup::from_number(id))
            .find(ours)?;
        self.dh_group.filter(|&group| group == best)
    }

    // 7401-5.2.11-04, 7402-4.1.2-01, 7402-6.4-01
    fn esp_suite(&self, config: &HostConfig) -> Option<EspSuite> {
        let esp = self.esp.as_ref()?;
        if !self.formats.formats.contains(&ParamType::ESP_TRANSFORM) {
            return None;
        }
        let allowed = config.allowed_esp_suites();
        esp.suites().find(|suite| allowed.contains(suite))
    }
}

/// Why a genuine R1 gives no I2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) dropped: DropReason,
    pub(crate) failed: FailReason,
    /// What the Responder is told.
    pub(crate) notify: Option<NotifyType>,
}

impl Refusal {
    const HIT_SUITE: Self = Self {
        dropped: DropReason::HitSuiteRefused,
        failed: FailReason::HitSuiteRefused,
        notify: None,
    };
    const DH_GROUP: Self = Self {
        dropped: DropReason::BadDhGroup,
        failed: FailReason::DhGroup,
        notify: Some(NotifyType::NO_DH_PROPOSAL_CHOSEN),
    };
    const CIPHER: Self = Self {
        dropped: DropReason::BadCipher,
        failed: FailReason::NoCipher,
        notify: Some(NotifyType::NO_HIP_PROPOSAL_CHOSEN),
    };
    // 7402-3.3.5-03
    const ESP_SUITE: Self = Self {
        dropped: DropReason::BadEspSuite,
        failed: FailReason::NoEspSuite,
        notify: Some(NotifyType::NO_ESP_PROPOSAL_CHOSEN),
    };
    pub(crate) const PUZZLE: Self = Self {
        dropped: DropReason::PuzzleTooHard,
        failed: FailReason::Puzzle,
        notify: None,
    };
}

/// The identity in a HOST_ID, which has to be that of `hit`.
// 7401-6.8-25, 7401-6.9-21
pub(crate) fn identity_of(host_id: &HostId<'_>, hit: Hit) -> Result<PublicIdentity, DropReason> {
    let algorithm = host_id.hi_algorithm().ok_or(DropReason::HitMismatch)?;
    let identity = PublicIdentity::from_hi(algorithm, host_id.host_identity)
        .map_err(|_| DropReason::HitMismatch)?;
    if identity.hit() != hit {
        return Err(DropReason::HitMismatch);
    }
    Ok(identity)
}
