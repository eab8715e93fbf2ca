//! Stories about base exchanges: bad links, crossing, loss in bursts.

use std::time::Duration;

use crate::hip_world::{Carrier, HipWorld};
use crate::link::{BURST_LADDER, LinkConfig, Loss};
use crate::log::EventLog;
use crate::network::HostId;
use crate::random::Chance;

use super::{Result, expect};

/// How long a base exchange may take before it must have failed with a reason.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long until nothing of an exchange moves any more: retransmissions and old SAs are done.
const QUIET: Duration = Duration::from_secs(60);
/// How often a lost datagram is sent again by the application.
const TRIES: u32 = 40;

/// The link of the plan's first story: 20 % loss, duplicates and overtaking, both ways.
pub(super) fn harsh() -> LinkConfig {
    LinkConfig {
        latency: Duration::from_millis(20),
        jitter: Duration::from_millis(10),
        loss: Loss::Random(Chance::percent(20)),
        duplicate: Chance::percent(20),
        reorder: Chance::percent(20),
        disorder: Duration::from_millis(80),
        ..LinkConfig::default()
    }
}

/// A link without faults.
pub(super) fn fair() -> LinkConfig {
    LinkConfig {
        latency: Duration::from_millis(20),
        jitter: Duration::from_millis(2),
        ..LinkConfig::default()
    }
}

/// Two public hosts that know each other; the first is behind `link`. The seed chooses the
/// carrier and the IP version.
pub(super) fn pair(world: &mut HipWorld, link: LinkConfig) -> (HostId, HostId) {
    world.ipv6 = world.rng.chance(Chance::percent(50));
    let (a, b) = (world.add_host(link), world.add_host(fair()));
    let carrier = if world.rng.chance(Chance::percent(50)) {
        Carrier::Udp
    } else {
        Carrier::Raw
    };
    world.introduce(a, b, carrier);
    world.introduce(b, a, carrier);
    (a, b)
}

/// Brings the association up over a clean link by sending a packet, and waits for the packet.
pub(super) fn establish(world: &mut HipWorld, a: HostId, b: HostId) -> Result<()> {
    let first = world.send(a, b, b"first".to_vec());
    let arrived = world.run_until(PATIENCE, |world| world.arrived(first));
    world.check()?;
    expect(arrived, || {
        "the first packet never arrived over a clean link".into()
    })
}

/// Sends from `a` to `b` until one packet arrives.
pub(super) fn reach(world: &mut HipWorld, a: HostId, b: HostId) -> Result<u32> {
    for attempt in 1..=TRIES {
        let payload = world.rng.bytes(64);
        let number = world.send(a, b, payload);
        if world.run_until(Duration::from_secs(1), |world| world.arrived(number)) {
            return Ok(attempt);
        }
        world.check()?;
    }
    Err(format!("no packet of {a} reaches {b}"))
}

/// Data both ways, then silence, then both ends have the same one association.
pub(super) fn use_and_check(world: &mut HipWorld, a: HostId, b: HostId) -> Result<()> {
    reach(world, a, b)?;
    reach(world, b, a)?;
    world.run_for(QUIET);
    world.check_quiet()?;
    expect(world.connected(a, b), || {
        "the association did not last".into()
    })
}

/// `base-exchange`
pub(super) fn base_exchange(seed: u64, log: &EventLog) -> Result<String> {
    exchange_over(harsh(), seed, log)
}

/// `base-exchange-corrupt`
pub(super) fn corrupt(seed: u64, log: &EventLog) -> Result<String> {
    let link = LinkConfig {
        corrupt: Chance::percent(25),
        ..fair()
    };
    exchange_over(link, seed, log)
}

/// Establishes, or fails with a reason in time; then carries data and comes to rest.
fn exchange_over(link: LinkConfig, seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    let (a, b) = pair(&mut world, link);
    world.connect(a, b);
    world.run_until(PATIENCE, |world| {
        world.times_established(a, b) > 0 || world.failure(a, b).is_some()
    });
    world.check()?;
    if let Some(reason) = world.failure(a, b) {
        world.run_for(QUIET);
        world.check()?;
        return Ok(format!("failed with a reason: {reason}"));
    }
    expect(world.times_established(a, b) > 0, || {
        format!(
            "neither established nor failed; {a} is in {:?}",
            world.state(a, b)
        )
    })?;
    let took = world.now;
    use_and_check(&mut world, a, b)?;
    Ok(format!(
        "established after {} ms",
        took.as_nanos() / 1_000_000
    ))
}

/// `crossing-exchange`
pub(super) fn crossing(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    // One seed in four crosses on a bad link too; the others cross at every offset within 3 RTTs.
    let link = if seed % 4 == 3 { harsh() } else { fair() };
    let (a, b) = pair(&mut world, link);
    world.connect(a, b);
    let offset = world.rng.up_to(Duration::from_millis(250));
    world.run_for(if seed.is_multiple_of(4) {
        Duration::ZERO
    } else {
        offset
    });
    world.connect(b, a);
    let settled = |world: &HipWorld| {
        let done = |x, y| world.times_established(x, y) > 0 || world.failure(x, y).is_some();
        done(a, b) && done(b, a)
    };
    let ended = world.run_until(PATIENCE, settled);
    world.check()?;
    expect(ended, || {
        "a crossing exchange neither established nor failed".into()
    })?;
    if let Some(reason) = world.failure(a, b).or_else(|| world.failure(b, a)) {
        expect(seed % 4 == 3, || {
            format!("crossing on a clean link failed: {reason}")
        })?;
    }
    let took = world.now;
    use_and_check(&mut world, a, b)?;
    Ok(format!(
        "one association after {} ms",
        took.as_nanos() / 1_000_000
    ))
}

/// `burst-loss-ladder`
pub(super) fn burst_ladder(seed: u64, log: &EventLog) -> Result<String> {
    let (name, loss, latency) = BURST_LADDER[(seed % BURST_LADDER.len() as u64) as usize];
    let mut world = HipWorld::new(seed, log);
    let link = LinkConfig {
        latency,
        loss,
        ..LinkConfig::default()
    };
    let (a, b) = pair(&mut world, link);
    world.connect(a, b);
    let established = world.run_until(RUNG_LIMIT, |world| world.times_established(a, b) > 0);
    world.check()?;
    let last_rung = name == "25%";
    if last_rung && !established {
        return Ok(format!(
            "rung {name}: not within {RUNG_LIMIT:?}, which this rung may"
        ));
    }
    expect(established, || {
        format!("rung {name}: no association within {RUNG_LIMIT:?}")
    })?;
    let took = world.now;
    use_and_check(&mut world, a, b)?;
    Ok(format!("rung {name}: {} ms", took.as_nanos() / 1_000_000))
}

/// The bar of the fault plan for the rungs up to 12 %.
const RUNG_LIMIT: Duration = Duration::from_secs(30);
