//! Stories about the overlay: join, store and fetch, failure, churn, partition.

use std::collections::BTreeMap;
use std::time::Duration;

use reload_core::{
    Answer, Command, FetchCommand, KindId, NodeConfig, ResourceId, Selector, StoreCommand,
};

use crate::hip_world::{Carrier, identity};
use crate::link::{LinkConfig, Loss};
use crate::log::EventLog;
use crate::overlay_world::OverlayWorld;
use crate::overlay_world::hip_links::HipLinks;
use crate::overlay_world::links::Links;
use crate::random::Chance;

use super::exchange::{fair, harsh};
use super::{Result, expect};

/// A user command is answered within this (5 transmissions, 3 s each, plus redirections).
const ANSWER: Duration = Duration::from_secs(60);
/// A ring of this size is right this long after the last join.
const RING: Duration = Duration::from_secs(120);

/// `overlay-join`
pub(super) fn join(seed: u64, log: &EventLog) -> Result<String> {
    let count = 2 + (seed % 15) as usize;
    let mut world = OverlayWorld::new(seed, log, count, 1, &config());
    let took = join_all(&mut world)?;
    let members = world.alive();
    // Every peer is reached from every other one, by its own id.
    for from in members.iter().copied() {
        let to = members[world.rng.index(members.len())];
        let target = reload_core::Target::Node(world.id(to));
        let answer = world.ask(from, Command::Ping(target), ANSWER)?;
        let expected = world.id(to);
        expect(
            matches!(answer, Answer::Pong { responder, .. } if responder == expected),
            || format!("p{from} pinged p{to} and got {answer:?}"),
        )?;
    }
    world.check()?;
    Ok(format!(
        "{count} peers in one ring {} ms after the last join",
        took.as_millis()
    ))
}

/// `overlay-put-get`
pub(super) fn put_get(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = OverlayWorld::new(seed, log, 12, 1, &config());
    join_all(&mut world)?;
    let mut data = Data::store(&mut world, 30)?;
    data.verify(&mut world)?;
    // The writer may replace and remove its values; nobody else may.
    let (owner, stranger) = (0, 1);
    data.put(&mut world, owner, "mine", b"one")?;
    data.put(&mut world, owner, "mine", b"two")?;
    let theft = store(&mut world, stranger, "mine", Some(b"three".to_vec()));
    expect(theft.is_err(), || "a stranger replaced a value".into())?;
    data.verify(&mut world)?;
    store(&mut world, owner, "mine", None)?;
    let after = fetch(&mut world, 5, "mine")?;
    expect(after.is_none(), || {
        format!("a removed value is still there: {after:?}")
    })?;
    world.check()?;
    Ok(format!(
        "{} values stored, fetched, replaced and removed",
        data.values.len()
    ))
}

/// `overlay-kill-one`
pub(super) fn kill_one(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = OverlayWorld::new(seed, log, 12, 3, &config());
    join_all(&mut world)?;
    let data = Data::store(&mut world, 30)?;
    world.run_for(Duration::from_secs(60));
    for round in 0..3 {
        let alive = world.alive();
        let victim = alive[world.rng.index(alive.len())];
        world.kill(victim);
        if round == 0 {
            // At once, before anybody has noticed: retransmission finds the replicas.
            world.run_for(Duration::from_secs(15));
        }
        data.verify(&mut world)
            .map_err(|broken| format!("after kill {round}: {broken}"))?;
        let alive = world.alive();
        world.await_ring(&alive, RING)?;
        world.run_for(Duration::from_secs(60));
        data.verify(&mut world)
            .map_err(|broken| format!("settled after kill {round}: {broken}"))?;
    }
    world.check()?;
    Ok(format!(
        "3 of 12 peers killed in turn, all {} values readable",
        data.values.len()
    ))
}

/// `overlay-churn`
pub(super) fn churn(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = OverlayWorld::new(seed, log, 16, 4, &config());
    join_all(&mut world)?;
    let data = Data::store(&mut world, 20)?;
    let (mut asked, mut right, mut events) = (0_u32, 0_u32, 0_u32);
    // A peer stays ten minutes on average: every 5 s each has 1 chance in 120 to vanish.
    for _ in 0..CHURN_STEPS {
        for peer in 0..world.len() {
            let changes = if world.is_alive(peer) { 8_333 } else { 50_000 };
            if world.rng.chance(Chance(changes)) {
                events += 1;
                if world.is_alive(peer) && world.alive().len() > 8 {
                    world.kill(peer);
                } else if !world.is_alive(peer) {
                    world.revive(peer);
                    world.command(peer, Command::Join);
                }
            }
        }
        world.run_for(Duration::from_secs(5));
        world.check()?;
        let joined: Vec<_> = (0..world.len())
            .filter(|peer| world.is_joined(*peer))
            .collect();
        let reader = joined[world.rng.index(joined.len())];
        asked += 1;
        right += u32::from(data.read_one(&mut world, reader)?);
    }
    expect(right * 100 >= asked * CHURN_SUCCESS, || {
        format!("{right} of {asked} look-ups succeeded under {events} changes")
    })?;
    // When churn ends the ring becomes right.
    let alive = world.alive();
    let took = world.await_ring(&alive, CHURN_CALM)?;
    Ok(format!(
        "{right} of {asked} look-ups under {events} changes, ring right {} s after",
        took.as_secs()
    ))
}

/// `overlay-flaky-links`
pub(super) fn flaky_links(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = OverlayWorld::new(seed, log, 10, 3, &config());
    // Already while they join, one link in six cannot be had at the first attempt.
    world.links.set_refusal(Chance::percent(17));
    for peer in 0..world.len() {
        world.command(peer, Command::Join);
        let pause = world.rng.up_to(Duration::from_secs(2));
        world.run_for(pause);
    }
    let members = world.alive();
    world
        .await_ring(&members, RING * 3)
        .map_err(|broken| format!("joining: {broken}"))?;
    let data = Data::store(&mut world, 15)?;
    for _ in 0..30 {
        let now = world.now;
        world.links.break_links(now, Chance::percent(3));
        world.run_for(Duration::from_secs(10));
        world.check()?;
    }
    world.links.set_refusal(Chance::NEVER);
    let took = world.await_ring(&members, RING * 3)?;
    world.run_for(Duration::from_secs(120));
    data.verify(&mut world)?;
    world.check_ring(&members)?;
    Ok(format!(
        "ring right {} s after the last break",
        took.as_secs()
    ))
}

/// `overlay-partition`
pub(super) fn partition(seed: u64, log: &EventLog) -> Result<String> {
    let config = config();
    let mut world = OverlayWorld::new(seed, log, 12, 12, &config);
    join_all(&mut world)?;
    let mut data = Data::store(&mut world, 20)?;
    let is_left = |peer: usize| peer.is_multiple_of(2);
    let (left, right): (Vec<_>, Vec<_>) = (0..world.len()).partition(|peer| is_left(*peer));
    world.partition(is_left);
    world
        .await_ring(&left, SPLIT)
        .map_err(|broken| format!("left half: {broken}"))?;
    world
        .await_ring(&right, SPLIT)
        .map_err(|broken| format!("right half: {broken}"))?;
    world.run_for(SPLIT);
    // New values are written on both sides; all of them must survive the merger.
    data.put(&mut world, 0, "written on the left", b"left")?;
    data.put(&mut world, 1, "written on the right", b"right")?;
    world.heal();
    let everyone = world.alive();
    let limit = 3 * config.update_interval + config.partition_check_interval;
    let took = world.await_ring(&everyone, limit)?;
    world.run_for(config.update_interval * 2);
    data.verify(&mut world)?;
    world.check()?;
    Ok(format!(
        "one ring {} s after healing, no value lost",
        took.as_secs()
    ))
}

/// `overlay-over-hip`: everything the peers say travels inside ESP between simulated hosts.
pub(super) fn over_hip(seed: u64, log: &EventLog) -> Result<String> {
    let identities: Vec<_> = (0..6).map(|index| identity(seed, index)).collect();
    let carrier = if seed.is_multiple_of(2) {
        Carrier::Udp
    } else {
        Carrier::Raw
    };
    // One seed in three has a bad network under the associations.
    let link = if seed.is_multiple_of(3) {
        lossy()
    } else {
        fair()
    };
    let links = HipLinks::new(seed, log, &identities, &link, carrier);
    let mut world = OverlayWorld::over(links, seed, log, identities, 2, &config());
    join_all(&mut world)?;
    let data = Data::store(&mut world, 10)?;
    data.verify(&mut world)?;
    world.run_for(Duration::from_secs(60));
    let victim = 2 + world.rng.index(4);
    world.kill(victim);
    world.run_for(Duration::from_secs(60));
    let alive = world.alive();
    world.await_ring(&alive, RING * 3)?;
    data.verify(&mut world)?;
    world.revive(victim);
    world.command(victim, Command::Join);
    let everyone = world.alive();
    world.await_ring(&everyone, RING * 3)?;
    data.verify(&mut world)?;
    world.check()?;
    let (sent, _) = world.links.world().totals();
    Ok(format!(
        "6 peers, one killed and back, {sent} inner packets"
    ))
}

/// A tenth of all packets lost on each access link, some repeated or overtaken.
fn lossy() -> LinkConfig {
    LinkConfig {
        loss: Loss::Random(Chance::percent(10)),
        ..harsh()
    }
}

const CHURN_STEPS: u32 = 60;
/// Per cent of look-ups under churn.
const CHURN_SUCCESS: u32 = 90;
const CHURN_CALM: Duration = Duration::from_secs(600);
const SPLIT: Duration = Duration::from_secs(300);

/// Intervals short enough to see several rounds of maintenance in a story.
fn config() -> NodeConfig {
    NodeConfig {
        update_interval: Duration::from_secs(60),
        ping_interval: Duration::from_secs(300),
        partition_check_interval: Duration::from_secs(60),
        ..NodeConfig::new("sim.example")
    }
}

/// All peers join, some at the same time, and the ring becomes right.
fn join_all<L: Links>(world: &mut OverlayWorld<L>) -> Result<Duration> {
    let mut commands = Vec::new();
    for peer in 0..world.len() {
        commands.push(world.command(peer, Command::Join));
        let pause = world.rng.up_to(Duration::from_secs(2));
        world.run_for(pause);
    }
    let joined = world.run_until(RING, |world| {
        commands
            .iter()
            .all(|command| world.reply(*command).is_some())
    });
    world.check()?;
    expect(joined, || {
        let missing = (0..world.len()).filter(|peer| !world.is_joined(*peer));
        format!("not joined: {:?}", missing.collect::<Vec<_>>())
    })?;
    let members = world.alive();
    world.await_ring(&members, RING)
}

/// What was stored, as the observer remembers it.
struct Data {
    values: BTreeMap<String, Vec<u8>>,
}

impl Data {
    /// Random peers store one value each under `count` names.
    fn store<L: Links>(world: &mut OverlayWorld<L>, count: usize) -> Result<Self> {
        let mut data = Self {
            values: BTreeMap::new(),
        };
        for number in 0..count {
            let peer = world.rng.index(world.len());
            let length = 1 + world.rng.index(200);
            let value = world.rng.bytes(length);
            data.put(world, peer, &format!("name {number}"), &value)?;
        }
        Ok(data)
    }

    fn put<L: Links>(
        &mut self,
        world: &mut OverlayWorld<L>,
        peer: usize,
        name: &str,
        value: &[u8],
    ) -> Result<()> {
        store(world, peer, name, Some(value.to_vec()))?;
        self.values.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    /// Random living peers read everything back.
    fn verify<L: Links>(&self, world: &mut OverlayWorld<L>) -> Result<()> {
        for (name, value) in &self.values {
            let alive = world.alive();
            let reader = alive[world.rng.index(alive.len())];
            let found = fetch(world, reader, name)?;
            expect(found.as_ref() == Some(value), || {
                format!("p{reader} reads {name:?} and gets {found:?}")
            })?;
        }
        Ok(())
    }

    /// Whether `reader` gets one random value right; a wrong value is an error.
    fn read_one<L: Links>(&self, world: &mut OverlayWorld<L>, reader: usize) -> Result<bool> {
        let Some((name, value)) = self.values.iter().nth(world.rng.index(self.values.len())) else {
            return Ok(false);
        };
        match fetch(world, reader, name) {
            Ok(Some(found)) if found != *value => Err(format!("p{reader} reads a wrong {name:?}")),
            Ok(found) => Ok(found.is_some()),
            Err(_) => Ok(false),
        }
    }
}

fn store<L: Links>(
    world: &mut OverlayWorld<L>,
    peer: usize,
    name: &str,
    value: Option<Vec<u8>>,
) -> Result<()> {
    let command = Command::Store(StoreCommand {
        resource: ResourceId::from_name(name.as_bytes()),
        kind: KindId::USER_SINGLE,
        selector: Selector::Single,
        value,
        lifetime: Duration::from_secs(24 * 3600),
        generation: 0,
        storage_time: None,
    });
    match world.ask(peer, command, ANSWER)? {
        Answer::Stored(_) => Ok(()),
        other => Err(format!("p{peer} stored {name:?} and got {other:?}")),
    }
}

fn fetch<L: Links>(
    world: &mut OverlayWorld<L>,
    peer: usize,
    name: &str,
) -> Result<Option<Vec<u8>>> {
    let command = Command::Fetch(FetchCommand {
        resource: ResourceId::from_name(name.as_bytes()),
        kind: KindId::USER_SINGLE,
        selectors: Vec::new(),
    });
    match world.ask(peer, command, ANSWER)? {
        Answer::Fetched { values, .. } => Ok(values.into_iter().find_map(|found| found.value)),
        other => Err(format!("p{peer} fetched {name:?} and got {other:?}")),
    }
}
