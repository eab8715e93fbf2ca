//! Stories about the end of associations: restart, close, disuse.

use std::time::Duration;

use hip_core::{HostConfig, Timers};

use crate::hip_world::{Carrier, HipWorld};
use crate::link::LinkConfig;
use crate::log::EventLog;
use crate::network::{HostId, INTERNET};
use crate::random::Chance;

use super::exchange::{establish, fair, harsh, pair, reach, use_and_check};
use super::{Result, expect};

/// `peer-restart`
pub(super) fn peer_restart(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    let (a, b) = pair(&mut world, fair());
    establish(&mut world, a, b)?;
    reach(&mut world, b, a)?;
    // Either side of the exchange may be the one that loses its state.
    let (restarted, survivor) = if seed.is_multiple_of(2) {
        (a, b)
    } else {
        (b, a)
    };
    world.restart(restarted);
    let before = world.times_established(survivor, restarted);
    let start = world.now;
    // Data for an association the receiver lost is dropped, never delivered or answered in clear.
    let lost = world.send(survivor, restarted, b"into the void".to_vec());
    world.run_for(Duration::from_millis(200));
    expect(!world.arrived(lost), || {
        "a packet of a lost association was delivered".into()
    })?;
    let first = world.send(restarted, survivor, b"back again".to_vec());
    let resumed = world.run_until(Duration::from_secs(5), |world| world.arrived(first));
    world.check()?;
    expect(resumed, || "no data after the restart".into())?;
    let gap = world.now.saturating_duration_since(start);
    let exchanges = world.times_established(survivor, restarted) - before;
    expect(exchanges == 1, || {
        format!("{exchanges} exchanges after one restart")
    })?;
    use_and_check(&mut world, a, b)?;
    Ok(format!(
        "data resumed after one exchange, {} ms",
        gap.as_millis()
    ))
}

/// `close`
pub(super) fn close(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    let (a, b) = pair(&mut world, fair());
    establish(&mut world, a, b)?;
    reach(&mut world, b, a)?;
    if seed.is_multiple_of(3) {
        let address = world.address(a);
        world.network.set_link(a, address, harsh());
    }
    world.close(a, b);
    if seed.is_multiple_of(2) {
        let offset = world.rng.up_to(Duration::from_millis(60));
        world.run_for(offset);
        world.close(b, a);
    }
    let gone = world.run_until(CLOSED_LIMIT, |world| {
        is_gone(world, a, b) && is_gone(world, b, a)
    });
    world.check()?;
    expect(gone, || {
        format!(
            "not closed: {:?} and {:?}",
            world.state(a, b),
            world.state(b, a)
        )
    })?;
    let took = world.now;
    let address = world.address(a);
    world.network.set_link(a, address, fair());
    establish(&mut world, b, a)?;
    use_and_check(&mut world, a, b)?;
    Ok(format!(
        "both forgot by {} s, then a new association",
        took.as_nanos() / 1_000_000_000
    ))
}

/// `reopen`
pub(super) fn reopen(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    let (a, b) = pair(&mut world, fair());
    establish(&mut world, a, b)?;
    reach(&mut world, b, a)?;
    world.close(a, b);
    // Within CLOSING, or when both ends are in or after CLOSED.
    let pause = world.rng.up_to(Duration::from_millis(200));
    world.run_for(pause);
    let (from, to) = if seed.is_multiple_of(2) {
        (a, b)
    } else {
        (b, a)
    };
    let start = world.now;
    reach(&mut world, from, to)?;
    let took = world.now.saturating_duration_since(start);
    expect(took < Duration::from_secs(5), || {
        format!("reopening took {took:?}")
    })?;
    use_and_check(&mut world, a, b)?;
    Ok(format!(
        "data again {} ms after the close",
        took.as_millis()
    ))
}

/// `unused-association`
pub(super) fn unused(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    let config = HostConfig {
        timers: Timers {
            ual: UAL,
            ..Timers::default()
        },
        ..HostConfig::default()
    };
    let a = world.add_host_in(INTERNET, fair(), config.clone());
    let b = world.add_host_in(INTERNET, fair(), config);
    world.introduce(a, b, Carrier::Udp);
    world.introduce(b, a, Carrier::Udp);
    establish(&mut world, a, b)?;
    reach(&mut world, b, a)?;
    // Traffic in one direction, more rarely than the lifetime allows silence, keeps it.
    for _ in 0..10 {
        world.run_for(UAL / 2);
        reach(&mut world, a, b)?;
    }
    expect(world.times_established(a, b) == 1, || {
        "a used association was replaced".into()
    })?;
    let idle_from = world.now;
    let gone = world.run_until(UAL + CLOSED_LIMIT, |world| {
        is_gone(world, a, b) && is_gone(world, b, a)
    });
    world.check()?;
    expect(gone, || {
        format!(
            "idle, but {:?} and {:?}",
            world.state(a, b),
            world.state(b, a)
        )
    })?;
    let idle = world.now.saturating_duration_since(idle_from);
    expect(idle + Duration::from_secs(2) >= UAL, || {
        format!("closed after only {idle:?}")
    })?;
    reach(&mut world, b, a)?;
    Ok(format!(
        "kept by traffic, closed after {} s of silence",
        idle.as_secs()
    ))
}

/// `traffic-under-loss`
pub(super) fn traffic(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    let (a, b) = pair(&mut world, fair());
    establish(&mut world, a, b)?;
    reach(&mut world, b, a)?;
    let address = world.address(a);
    let link = LinkConfig {
        corrupt: Chance::percent(5),
        ..harsh()
    };
    world.network.set_link(a, address, link);
    let mut numbers = Vec::new();
    for _ in 0..PACKETS {
        for (from, to) in [(a, b), (b, a)] {
            let length = world.rng.index(1_200);
            let payload = world.rng.bytes(length);
            numbers.push(world.send(from, to, payload));
        }
        world.run_for(Duration::from_millis(3));
        world.check()?;
    }
    world.run_for(Duration::from_secs(2));
    world.check()?;
    let arrived = numbers
        .iter()
        .filter(|number| world.arrived(**number))
        .count();
    // Exactly what the network let through whole: duplicates, reordering and damage cost nothing more.
    let (_, delivered) = world.totals();
    let intact = world.intact_esp();
    expect(delivered == intact, || {
        format!("{delivered} packets delivered, {intact} arrived whole")
    })?;
    expect(arrived < numbers.len(), || {
        "the link lost nothing".to_owned()
    })?;
    world.run_for(Duration::from_secs(60));
    world.check_quiet()?;
    Ok(format!(
        "{arrived} of {} inner packets, each once and whole",
        numbers.len()
    ))
}

/// Packets in each direction under loss.
const PACKETS: usize = 300;
/// Unused association lifetime of the story.
const UAL: Duration = Duration::from_secs(60);
/// CLOSE retransmissions, UAL + 2 MSL in CLOSED and some air.
const CLOSED_LIMIT: Duration = Duration::from_secs(25 * 60);

/// No SAs, and no state but perhaps what is left in UNASSOCIATED.
fn is_gone(world: &HipWorld, host: HostId, peer: HostId) -> bool {
    let this = world.host(host);
    let empty = this.inbound_sas().is_empty() && this.outbound_sas().is_empty();
    empty
        && world
            .state(host, peer)
            .is_none_or(|state| state == hip_core::StateName::Unassociated)
}
