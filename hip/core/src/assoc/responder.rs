//! The Responder: I2 makes the association (RFC 7401 §6.9, RFC 7402 §6.5).

use hip_crypto::cipher;
use hip_crypto::identity::PublicIdentity;
use hip_crypto::keymat::EspKeyPair;
use hip_wire::builder::PacketBuilder;
use hip_wire::packet::{Packet, Params};
use hip_wire::param::{
    DiffieHellman, Encrypted, EspInfo, EspTransform, HipCipherList, HipMac, HostId, R1Counter,
    Solution, TransportFormatList,
};
use hip_wire::registry::{EspSuite, HipCipher, PacketType, ParamType};
use hip_wire::time::Instant;

use super::keys::{Agreed, Authentic, DerivedKeys, Salt, Security, verify_mac, verify_signature};
use super::offer::identity_of;
use super::{Association, R2Sent, Session, State};
use crate::environment::Environment;
use crate::event::Role;
use crate::path::Path;
use crate::r1::{Claim, HIT_SUITES, Issued, R1Pool};
use crate::stats::DropReason;

/// What a good I2 gives.
struct Accepted {
    security: Security,
    esp: EspKeyPair,
    esp_index: u16,
    outbound_spi: u32,
    /// When the R1 it answers was made.
    begun: Instant,
    _authentic: Authentic,
}

/// An I2, in any state.
pub(super) fn on_i2(
    association: &mut Association,
    env: &mut Environment,
    pool: &mut R1Pool,
    path: Path,
    packet: &Packet<'_>,
    state: State,
) -> State {
    let peer = association.peer;
    let answered = admit(env, &state, packet).and_then(|()| recognise(env, pool, path, packet));
    let examined = answered.and_then(|answered| {
        if replayed(pool, &answered, &state)? {
            return Ok(None);
        }
        // An I2 that lost a race, against one of ours or a later one of the peer: to take it
        // would leave the two ends with different SAs.
        if state.is_newer_than(answered.issued.at) {
            return Err(DropReason::Overtaken);
        }
        let accepted = examine(env, &answered, packet);
        // 7401-6.9.1-01: from here on the puzzle is solved, and the sender is told what is wrong
        accepted
            .map(Some)
            .inspect_err(|&reason| env.report(path, peer, reason))
    });
    match examined {
        Ok(None) => repeat(env, path, state),
        Ok(Some(accepted)) => answer(association, env, pool, path, packet, accepted, state),
        Err(reason) => {
            // 7401-6.9-25: the state stays
            env.drop_packet(peer, reason);
            state
        }
    }
}

/// What needs no computation: suites, policy, crossing exchanges.
fn admit(env: &Environment, state: &State, packet: &Packet<'_>) -> Result<(), DropReason> {
    let initiator = packet.sender();
    // 7401-6.9-05, 7401-6.9-06
    if !initiator
        .suite()
        .is_some_and(|suite| HIT_SUITES.contains(&suite))
    {
        return Err(DropReason::BadSenderHit);
    }
    if !env.config.access.permits(&initiator) {
        return Err(DropReason::Policy);
    }
    // 7401-6.9-08, 7401-6.9-09, 7401-4.4.3-14: the smaller HIT stays Initiator
    if matches!(state, State::I2Sent(_)) && env.local < initiator {
        return Err(DropReason::Crossing);
    }
    Ok(())
}

/// An I2 that answers an R1 of ours and solves its puzzle.
struct Answered<'a> {
    issued: Issued<'a>,
    counter: Option<u64>,
    solution: Solution<'a>,
    mac: &'a [u8],
}

/// Finds the R1 and checks the puzzle.
// 7401-6.9-12, 7401-6.9-15, 7401-6.9-16, 7401-4.1-02, 7401-4.1-03
fn recognise<'a>(
    env: &Environment,
    pool: &'a R1Pool,
    path: Path,
    packet: &Packet<'a>,
) -> Result<Answered<'a>, DropReason> {
    let counter = packet.find::<R1Counter>()?.map(|counter| counter.counter);
    let claim = Claim {
        counter,
        solution: packet.require()?,
        initiator: packet.sender(),
        path,
    };
    let issued = pool.recognise(env.local, &claim)?;
    let HipMac(mac) = packet.require()?;
    Ok(Answered {
        issued,
        counter,
        solution: claim.solution,
        mac,
    })
}

/// Whether it is the I2 that made the association, once more: then R2 may
/// have been lost. Any other I2 that was accepted before is a replay.
// 7401-6.9-07
fn replayed(pool: &R1Pool, answered: &Answered<'_>, state: &State) -> Result<bool, DropReason> {
    let seen = answered
        .counter
        .is_some_and(|counter| pool.is_replay(counter, answered.mac));
    match (seen, state.accepted_mac() == Some(answered.mac)) {
        (true, true) => Ok(true),
        (true, false) => Err(DropReason::Duplicate),
        (false, _) => Ok(false),
    }
}

/// The costly checks of §6.9, in order of cost.
fn examine(
    env: &Environment,
    answered: &Answered<'_>,
    packet: &Packet<'_>,
) -> Result<Accepted, DropReason> {
    let Answered {
        issued, solution, ..
    } = answered;
    let agreed = Agreed {
        dh_group: issued.private.group(),
        cipher: chosen_cipher(env, packet)?,
        esp_suite: chosen_esp_suite(env, packet)?,
        rhash: env.identity.public().rhash(),
    };
    let dh: DiffieHellman<'_> = packet.require()?;
    // 7401-6.9-18, 7401-6.9-19
    if dh.group() != Some(agreed.dh_group) {
        return Err(DropReason::BadDhGroup);
    }
    let salt = Salt {
        i: solution.random,
        j: solution.solution,
    };
    let hits = (env.local, packet.sender());
    let (own, peer) = (issued.private, dh.public_value);
    let keys = DerivedKeys::derive(&issued.solved, agreed, own, peer, &salt, hits)?;
    let outbound_spi = esp_info(packet, keys.esp_index)?;
    // 7401-6.9-23, 7401-5.3.3-13: before the costly signature
    let mac = verify_mac(&keys.hip, packet)?;
    let security = Security {
        local: env.local,
        peer: packet.sender(),
        peer_identity: host_identity(packet, agreed.cipher, &keys)?,
        keys: keys.hip,
        agreed,
    };
    // 7401-6.9-24, 7401-5.3.3-14
    let signature = verify_signature(&security.peer_identity, packet)?;
    Ok(Accepted {
        security,
        esp: keys.esp,
        esp_index: keys.esp_index,
        outbound_spi,
        begun: issued.at,
        _authentic: Authentic::new(mac, signature),
    })
}

/// The one cipher of the I2, which R1 offered.
// 7401-6.9-17, 7401-5.2.8-10
fn chosen_cipher(env: &Environment, packet: &Packet<'_>) -> Result<HipCipher, DropReason> {
    let list: HipCipherList = packet.require()?;
    match list.ids.as_slice() {
        [id] => HipCipher::from_number(*id)
            .filter(|cipher| env.config.hip_ciphers.contains(cipher))
            .ok_or(DropReason::BadCipher),
        _ => Err(DropReason::BadCipher),
    }
}

/// The one ESP suite of the I2, which R1 offered.
// 7401-6.9-22, 7402-6.5-01, 7402-6.5-02, 7402-3.3.5-06
fn chosen_esp_suite(env: &Environment, packet: &Packet<'_>) -> Result<EspSuite, DropReason> {
    let formats: TransportFormatList = packet.require()?;
    if formats.formats != [ParamType::ESP_TRANSFORM] {
        return Err(DropReason::BadEspSuite);
    }
    let transform: EspTransform = packet.require()?;
    match transform.ids.as_slice() {
        [id] => EspSuite::from_number(*id)
            .filter(|suite| env.config.allowed_esp_suites().contains(suite))
            .ok_or(DropReason::BadEspSuite),
        _ => Err(DropReason::BadEspSuite),
    }
}

/// The SPI on which the Initiator receives.
// 7402-6.5-03, 7402-6.5-04, 7402-6.5-05
fn esp_info(packet: &Packet<'_>, index: u16) -> Result<u32, DropReason> {
    let info: EspInfo = packet.require()?;
    if info.old_spi != 0 || info.new_spi < 256 || info.keymat_index != index {
        return Err(DropReason::BadParameter);
    }
    Ok(info.new_spi)
}

/// The Initiator's identity, from ENCRYPTED or in clear.
// 7401-6.9-20, 7401-6.9-21
fn host_identity(
    packet: &Packet<'_>,
    cipher: HipCipher,
    keys: &DerivedKeys,
) -> Result<PublicIdentity, DropReason> {
    let (initiator, local) = (packet.sender(), packet.receiver());
    let Some(param) = packet.get(ParamType::ENCRYPTED) else {
        return identity_of(&packet.require()?, initiator);
    };
    let encrypted = Encrypted::parse(param.contents, cipher)?;
    let key = keys.hip.encryption(initiator, local);
    let plaintext = cipher::decrypt(cipher, key, encrypted.iv, encrypted.ciphertext)
        .map_err(|_| DropReason::BadEncrypted)?;
    let host_id = Params::parse(&plaintext)
        .ok()
        .and_then(|mut params| params.next())
        .filter(|param| param.ty == ParamType::HOST_ID)
        .and_then(|param| param.decode::<HostId<'_>>().ok())
        .ok_or(DropReason::BadEncrypted)?;
    identity_of(&host_id, initiator)
}

/// Installs both SAs, sends R2 and enters R2-SENT.
// 7401-6.9-29, 7401-6.9-30, 7402-3.3.1-03, 7402-6.5-06
fn answer(
    association: &mut Association,
    env: &mut Environment,
    pool: &mut R1Pool,
    path: Path,
    packet: &Packet<'_>,
    accepted: Accepted,
    state: State,
) -> State {
    let Accepted {
        security,
        esp,
        esp_index,
        outbound_spi,
        begun,
        ..
    } = accepted;
    let peer = security.peer;
    let inbound_spi = env.take_spi();
    let info = EspInfo {
        keymat_index: esp_index,
        old_spi: 0,
        new_spi: inbound_spi,
    };
    let r2 = match build_r2(env, &security, pool.host_id(), info) {
        Ok(r2) => r2,
        Err(reason) => {
            env.release_spi(inbound_spi);
            env.drop_packet(peer, reason);
            return state;
        }
    };
    supersede(association, env, state);
    env.install_inbound(
        peer,
        inbound_spi,
        esp.for_sender(peer, env.local).clone(),
        path,
    );
    env.install_outbound(
        peer,
        outbound_spi,
        esp.for_sender(env.local, peer).clone(),
        path,
    );
    env.send(path, r2.clone());
    let mac = remember(env, pool, packet);
    let session = Session::new(
        Role::Responder,
        security,
        path,
        (inbound_spi, outbound_spi),
        env.now,
    )
    .with_accepted(begun, mac, r2);
    session.announce(env);
    State::R2Sent(Box::new(R2Sent::new(env, session)))
}

/// What the state before leaves behind. Its SA stays a while for packets
/// under way, so nothing is lost when a peer that restarted comes back.
// 7401-4.3-03, 7401-6.9-10
fn supersede(association: &mut Association, env: &mut Environment, state: State) {
    match state {
        State::I2Sent(state) => state.abandon(env),
        State::R2Sent(state) => association.retire_inbound(env, state.session.inbound_spi),
        State::Established(state) => association.retire_inbound(env, state.session.inbound_spi),
        State::Unassociated(_)
        | State::I1Sent(_)
        | State::Closing(_)
        | State::Closed(_)
        | State::Failed(_) => {}
    }
}

/// Notes the I2 against replay; gives its HIP_MAC.
fn remember(env: &mut Environment, pool: &mut R1Pool, packet: &Packet<'_>) -> Vec<u8> {
    let mac = packet
        .get(ParamType::HIP_MAC)
        .map(|param| param.contents)
        .unwrap_or_default();
    let counter = packet.find::<R1Counter>().ok().flatten();
    let solution = packet.find::<Solution<'_>>().ok().flatten();
    if let Some((counter, solution)) = counter.zip(solution) {
        pool.accepted(env, counter.counter, solution.opaque, mac);
    }
    mac.to_vec()
}

/// The same R2 again.
// 7401-4.4.3-19
fn repeat(env: &mut Environment, path: Path, state: State) -> State {
    match state {
        State::R2Sent(mut state) => {
            state.restart_timer(env);
            state.session.resend_r2(env, path);
            State::R2Sent(state)
        }
        State::Established(state) => {
            state.session.resend_r2(env, path);
            State::Established(state)
        }
        other => other,
    }
}

// 7401-5.3.4-01, 7402-5.2.1.3-01
fn build_r2(
    env: &Environment,
    security: &Security,
    host_id: &[u8],
    info: EspInfo,
) -> Result<Vec<u8>, DropReason> {
    let mut packet = PacketBuilder::new(PacketType::R2, security.local, security.peer);
    packet.push(&info)?;
    security.seal_r2(env, packet, host_id)
}
