//! R1s made in advance, and the check that a SOLUTION answers one of them (RFC 7401 §4.1.2, §6.7.1).
//!
//! The responder keeps nothing about an I1. Every R1 of a *generation* carries
//! its counter; #I starts with a time stamp and goes on with a MAC, under the
//! generation's secret, over the stamp, both HITs and both addresses; Opaque
//! names the Diffie-Hellman key of the R1. So an I2 brings back all that is
//! needed to recognise it. No two stamps are equal, and each is blinded by a
//! random number, so that it does not tell for how long this host has been up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hip_crypto::dh::DhPrivate;
use hip_crypto::hash::Rhash;
use hip_crypto::puzzle::{self, PuzzleSolved};
use hip_wire::builder::{PacketBuilder, R1Template};
use hip_wire::hit::Hit;
use hip_wire::packet::encode_tlv;
use hip_wire::param::{
    DhGroupList, DiffieHellman, EspTransform, HipCipherList, HipSignature2, HitSuiteList, HostId,
    Puzzle, R1Counter, Solution, TransportFormatList,
};
use hip_wire::registry::{DhGroup, HitSuite, PacketType};
use hip_wire::time::Instant;

use crate::environment::Environment;
use crate::path::Path;
use crate::stats::DropReason;

/// HIT suites whose signatures this host can check (7401-5.2.10-06, 7401-5.2.10-07).
pub(crate) const HIT_SUITES: [HitSuite; 3] = [
    HitSuite::EcdsaSha384,
    HitSuite::RsaDsaSha256,
    HitSuite::EddsaCshake128,
];

/// Octets of the time stamp in #I.
const STAMP: usize = 8;

/// Diffie-Hellman keys per generation. When they are used up the last one is
/// offered to the end of the generation.
const KEYS_PER_GENERATION: usize = 512;

/// I2s remembered per generation against replay.
const REPLAYS_PER_GENERATION: usize = 65_536;

/// The R1s of this host: those offered now and those offered before.
pub(crate) struct R1Pool {
    current: Option<Generation>,
    previous: Option<Generation>,
    next_counter: u64,
    /// HOST_ID of this host as in its R1s, with type and padding.
    host_id: Vec<u8>,
}

struct Generation {
    counter: u64,
    secret: [u8; 32],
    /// Added to time stamps.
    blind: u64,
    /// The last stamp, not blinded.
    stamp: u64,
    difficulty: u8,
    since: Instant,
    offered: bool,
    /// By the value of Opaque.
    keys: BTreeMap<u16, Key>,
    /// What is offered now, in order of preference.
    offers: Vec<u16>,
    next_key: u16,
    /// The first octets of the HIP_MACs of accepted I2s.
    accepted: BTreeSet<[u8; 16]>,
}

struct Key {
    private: DhPrivate,
    template: R1Template,
}

/// What an I2 claims about the R1 it answers.
pub(crate) struct Claim<'a> {
    pub(crate) counter: Option<u64>,
    pub(crate) solution: Solution<'a>,
    pub(crate) initiator: Hit,
    pub(crate) path: Path,
}

/// The R1 that an I2 answers.
pub(crate) struct Issued<'a> {
    pub(crate) private: &'a DhPrivate,
    pub(crate) solved: PuzzleSolved,
    /// When it was made.
    pub(crate) at: Instant,
}

impl R1Pool {
    /// A pool that makes its first generation when it is needed.
    pub(crate) fn new(env: &Environment) -> Self {
        let public = env.identity.public();
        let host_id = encode_tlv(&HostId::new(public.algorithm(), public.hi())).unwrap_or_default();
        Self {
            current: None,
            previous: None,
            next_counter: env.config.r1_counter,
            host_id,
        }
    }

    /// The counter of the newest generation.
    pub(crate) fn counter(&self) -> u64 {
        self.current
            .as_ref()
            .map_or(self.next_counter, |generation| generation.counter)
    }

    /// The HOST_ID parameter of this host.
    pub(crate) fn host_id(&self) -> &[u8] {
        &self.host_id
    }

    /// When [`on_timeout`](Self::on_timeout) is due: only while R1s are out.
    pub(crate) fn deadline(&self, env: &Environment) -> Option<Instant> {
        let current = self.current.as_ref()?;
        let in_use = current.offered || self.previous.is_some();
        in_use.then(|| current.since + env.config.puzzle.rotation)
    }

    /// Changes the secret when its time has come.
    // 7401-4.1.2-06, 7401-4.1.2-07, 7401-6.7.1-06
    pub(crate) fn on_timeout(&mut self, env: &mut Environment) {
        if self.deadline(env).is_none_or(|due| due > env.now) {
            return;
        }
        match &mut self.current {
            Some(current) if !current.offered => {
                self.previous = None;
                current.since = env.now;
            }
            _ => self.rotate(env),
        }
    }

    /// Makes the first generation ahead of the first I1, which then costs no cryptography.
    pub(crate) fn prepare(&mut self, env: &mut Environment) {
        if self.current.is_none() {
            self.rotate(env);
        }
    }

    /// Begins a generation; the one before stays acceptable until the next.
    // 7401-4.1.4-07, 7401-5.2.3-03: the counter grows with each
    pub(crate) fn rotate(&mut self, env: &mut Environment) {
        let counter = self.next_counter;
        self.next_counter = counter.saturating_add(1);
        let made = Generation::new(env, counter).ok();
        self.previous = std::mem::replace(&mut self.current, made);
    }

    /// An R1 for an I1 that offers `groups`, or `None` when none could be made.
    // 7401-5.2.6-02, 7401-6.7-12: the first own group that was offered, else the first own one
    pub(crate) fn offer(
        &mut self,
        env: &mut Environment,
        groups: &DhGroupList,
        initiator: Hit,
        path: Path,
    ) -> Option<Vec<u8>> {
        self.prepare(env);
        let generation = self.current.as_mut()?;
        let offered = |id: &&u16| {
            let key = generation.keys.get(id);
            key.is_some_and(|key| groups.groups().any(|group| group == key.private.group()))
        };
        let id = *generation
            .offers
            .iter()
            .find(offered)
            .or_else(|| generation.offers.first())?;
        let stamp = generation.next_stamp(env.now);
        let key = generation.keys.get(&id)?;
        let random = generation.random(env.local, stamp, id, initiator, path)?;
        if !generation.offered {
            generation.offered = true;
            generation.since = env.now;
        }
        key.template
            .instantiate(initiator, id.to_be_bytes(), &random)
            .ok()
    }

    /// Recognises the R1 that an I2 answers and checks the puzzle: two hashes.
    // 7401-4.1.2-04, 7401-4.1.2-05, 7401-6.3-06: #K comes from our own record
    pub(crate) fn recognise(
        &self,
        local: Hit,
        claim: &Claim<'_>,
    ) -> Result<Issued<'_>, DropReason> {
        // 7401-5.3.3-04: our R1s have a counter, so the I2 has it too
        let counter = claim.counter.ok_or(DropReason::MissingParameter)?;
        let generation = self.generation(counter).ok_or(DropReason::StaleCounter)?;
        let id = u16::from_be_bytes(claim.solution.opaque);
        let key = generation.keys.get(&id).ok_or(DropReason::UnknownPuzzle)?;
        let stamp = *claim
            .solution
            .random
            .first_chunk()
            .ok_or(DropReason::UnknownPuzzle)?;
        let issued = generation
            .random(local, stamp, id, claim.initiator, claim.path)
            .ok_or(DropReason::Local)?;
        if issued != claim.solution.random {
            return Err(DropReason::UnknownPuzzle);
        }
        let rhash = Rhash::for_hit(local).ok_or(DropReason::Local)?;
        // 7401-6.9-16
        let solved = puzzle::check(
            rhash,
            generation.difficulty,
            &issued,
            claim.initiator,
            local,
            claim.solution.solution,
        )
        .map_err(|_| DropReason::BadSolution)?;
        Ok(Issued {
            private: &key.private,
            solved,
            at: generation.time_of(stamp),
        })
    }

    /// Whether an I2 with this HIP_MAC was accepted before.
    pub(crate) fn is_replay(&self, counter: u64, mac: &[u8]) -> bool {
        let accepted = self
            .generation(counter)
            .map(|generation| &generation.accepted);
        accepted
            .zip(fingerprint(mac))
            .is_some_and(|(accepted, print)| accepted.contains(&print))
    }

    /// An I2 was accepted: remember it, and offer a new key instead of the used one.
    // 7401-5.3.2-09, 7401-5.3.2-13, 7401-6.7.1-04
    pub(crate) fn accepted(
        &mut self,
        env: &mut Environment,
        counter: u64,
        opaque: [u8; 2],
        mac: &[u8],
    ) {
        if let Some(generation) = self.generation_mut(counter) {
            generation.accepted.extend(fingerprint(mac));
            let id = u16::from_be_bytes(opaque);
            if generation.offers.contains(&id) && generation.keys.len() < KEYS_PER_GENERATION {
                // Without a fresh key the old one goes on: no reason to refuse service.
                let _ = generation.replace(env, id);
            }
        }
        let full = |generation: &Generation| generation.accepted.len() >= REPLAYS_PER_GENERATION;
        if self.current.as_ref().is_some_and(full) {
            self.rotate(env);
        }
    }

    fn generation(&self, counter: u64) -> Option<&Generation> {
        // 7401-4.1.4-05, 7401-4.1.4-06, 7401-6.9-13, 7401-6.9-14
        [&self.current, &self.previous]
            .into_iter()
            .flatten()
            .find(|generation| generation.counter == counter)
    }

    fn generation_mut(&mut self, counter: u64) -> Option<&mut Generation> {
        [&mut self.current, &mut self.previous]
            .into_iter()
            .flatten()
            .find(|generation| generation.counter == counter)
    }
}

impl Generation {
    fn new(env: &mut Environment, counter: u64) -> Result<Self, DropReason> {
        let mut generation = Self {
            counter,
            secret: env.random(),
            blind: env.rng.next_u64(),
            stamp: 0,
            difficulty: env.config.puzzle.difficulty,
            since: env.now,
            offered: false,
            keys: BTreeMap::new(),
            offers: Vec::new(),
            next_key: 0,
            accepted: BTreeSet::new(),
        };
        for group in env.config.dh_groups.clone() {
            let id = generation.add_key(env, group)?;
            generation.offers.push(id);
        }
        Ok(generation)
    }

    fn add_key(&mut self, env: &mut Environment, group: DhGroup) -> Result<u16, DropReason> {
        let private = DhPrivate::generate(group, &mut *env.rng).map_err(|_| DropReason::Local)?;
        let template = self.sign_template(env, &private)?;
        let id = self.next_key;
        self.next_key = id.wrapping_add(1);
        self.keys.insert(id, Key { private, template });
        Ok(id)
    }

    fn replace(&mut self, env: &mut Environment, used: u16) -> Result<(), DropReason> {
        let Some(group) = self.keys.get(&used).map(|key| key.private.group()) else {
            return Ok(());
        };
        let fresh = self.add_key(env, group)?;
        for offer in &mut self.offers {
            if *offer == used {
                *offer = fresh;
            }
        }
        Ok(())
    }

    /// The signed R1 without receiver HIT, Opaque and #I.
    // 7401-5.3.2-01, 7401-6.7-14, 7401-6.7.1-07, 7402-5.2.1.1-01
    fn sign_template(
        &self,
        env: &Environment,
        private: &DhPrivate,
    ) -> Result<R1Template, DropReason> {
        let config = &env.config;
        let identity = env.identity.public();
        let rhash = Rhash::for_hit(env.local).ok_or(DropReason::Local)?;
        let random = vec![0; rhash.len()];
        let mut packet = PacketBuilder::new(PacketType::R1, env.local, Hit::NULL);
        packet
            .push(&R1Counter::new(self.counter))?
            .push(&Puzzle {
                difficulty: self.difficulty,
                lifetime: config.puzzle.lifetime,
                opaque: [0; 2],
                random: &random,
            })?
            .push(&DhGroupList::new(&config.dh_groups))?
            .push(&DiffieHellman::new(private.group(), private.public_value()))?
            .push(&HipCipherList::new(&config.hip_ciphers))?
            .push(&HostId::new(identity.algorithm(), identity.hi()))?
            .push(&HitSuiteList::new(&HIT_SUITES))?
            .push(&TransportFormatList::esp())?
            .push(&EspTransform::new(&config.allowed_esp_suites()))?;
        let signature = env
            .identity
            .sign(&packet.signature_2_input()?)
            .map_err(|_| DropReason::Local)?;
        packet.push(&HipSignature2::new(identity.algorithm(), &signature))?;
        Ok(R1Template::new(packet.finish())?)
    }

    /// The stamp of an R1 made now: later than all before.
    fn next_stamp(&mut self, now: Instant) -> [u8; STAMP] {
        self.stamp = now.as_nanos().max(self.stamp.saturating_add(1));
        self.stamp.wrapping_add(self.blind).to_be_bytes()
    }

    /// When the R1 with this stamp was made.
    fn time_of(&self, stamp: [u8; STAMP]) -> Instant {
        Instant::from_nanos(u64::from_be_bytes(stamp).wrapping_sub(self.blind))
    }

    /// #I: a time stamp and the MAC that shows it is ours, for these HITs and addresses.
    // 7401-4.1.1-03, 7401-4.1.2-03, 7401-4.1.2-10
    fn random(
        &self,
        local: Hit,
        stamp: [u8; STAMP],
        id: u16,
        initiator: Hit,
        path: Path,
    ) -> Option<Vec<u8>> {
        let rhash = Rhash::for_hit(local)?;
        let mac = rhash.hmac(
            &self.secret,
            &[
                &stamp,
                &id.to_be_bytes(),
                initiator.as_bytes(),
                local.as_bytes(),
                &octets(path.remote.ip()),
                &octets(path.local.ip()),
            ],
        );
        let mut random = stamp.to_vec();
        random.extend(mac.as_ref().iter().take(rhash.len().saturating_sub(STAMP)));
        Some(random)
    }
}

/// An address as 16 octets, so that the MAC input has one form only.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn fingerprint(mac: &[u8]) -> Option<[u8; 16]> {
    mac.first_chunk().copied()
}
