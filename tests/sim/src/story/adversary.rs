//! Stories with somebody who means harm, and with everything going wrong at once.

use std::time::Duration;

use hip_core::HostConfig;

use crate::hip_world::{Carrier, HipWorld};
use crate::link::{LinkConfig, corrupt};
use crate::log::EventLog;
use crate::network::{HostId, INTERNET};
use crate::packet::Datagram;
use crate::random::{Chance, SimRng};

use super::exchange::{establish, fair, harsh, pair, reach, use_and_check};
use super::{Result, expect};

/// `replay-attack`: whatever was ever sent is sent again, in any order.
pub(super) fn replay(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    world.record_packets();
    let (a, b) = pair(&mut world, fair());
    establish(&mut world, a, b)?;
    reach(&mut world, b, a)?;
    if seed.is_multiple_of(3) {
        // Packets of an association that is no more are part of the loot.
        world.restart(if seed.is_multiple_of(2) { a } else { b });
        reach(&mut world, a, b).or_else(|_| reach(&mut world, b, a))?;
        reach(&mut world, b, a)?;
    }
    world.run_for(Duration::from_secs(20));
    let before = [(a, b), (b, a)].map(|(x, y)| world.times_established(x, y));
    let loot = world.take_recorded();
    let count = attack(&mut world, &loot, |_, datagram| datagram)?;
    let after = [(a, b), (b, a)].map(|(x, y)| world.times_established(x, y));
    expect(before == after, || {
        "replayed packets replaced the association".into()
    })?;
    use_and_check(&mut world, a, b)?;
    Ok(format!("{count} replayed packets changed nothing"))
}

/// `forged-packets`: damaged, cut and stretched copies of real packets, addresses kept.
pub(super) fn forged(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    world.record_packets();
    let (a, b) = pair(&mut world, fair());
    establish(&mut world, a, b)?;
    reach(&mut world, b, a)?;
    let loot = world.take_recorded();
    let count = attack(&mut world, &loot, forge)?;
    let once = world.times_established(a, b) == 1 && world.times_established(b, a) == 1;
    expect(once, || "forged packets replaced the association".into())?;
    use_and_check(&mut world, a, b)?;
    // The same against hosts in the middle of an exchange: it may fail, then the next one works.
    for host in [a, b] {
        world.restart(host);
    }
    world.connect(a, b);
    attack(&mut world, &loot, forge)?;
    world.run_for(Duration::from_secs(120));
    reach(&mut world, a, b)?;
    use_and_check(&mut world, a, b)?;
    Ok(format!("{} forged packets changed nothing", 2 * count))
}

/// `chaos`: hosts send, close, restart and lose one another; once that ends, all can talk.
pub(super) fn chaos(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    let hosts: Vec<_> = (0..3)
        .map(|_| world.add_host_in(INTERNET, fair(), HostConfig::default()))
        .collect();
    for &one in &hosts {
        for &other in hosts.iter().filter(|other| **other != one) {
            let carrier = if world.rng.chance(Chance::percent(50)) {
                Carrier::Udp
            } else {
                Carrier::Raw
            };
            world.introduce(one, other, carrier);
        }
    }
    for _ in 0..CHAOS_STEPS {
        disturb(&mut world, &hosts);
        let pause = world.rng.up_to(Duration::from_secs(2));
        world.run_for(pause);
        world.check()?;
    }
    world.network.heal();
    for &host in &hosts {
        let address = world.address(host);
        world.network.set_link(host, address, fair());
    }
    world.run_for(Duration::from_secs(150));
    talk_again(&mut world, &hosts)?;
    world.run_for(Duration::from_secs(60));
    world.check_quiet()?;
    let (sent, delivered) = world.totals();
    Ok(format!(
        "{delivered} of {sent} inner packets delivered, then all could talk"
    ))
}

const CHAOS_STEPS: u32 = 60;
/// Packets an attacker sends.
const ATTACK: usize = 120;

/// Injects packets made from `loot` over a few seconds.
fn attack(
    world: &mut HipWorld,
    loot: &[Datagram],
    make: impl Fn(&mut SimRng, Datagram) -> Datagram,
) -> Result<usize> {
    for _ in 0..ATTACK {
        let chosen = loot[world.rng.index(loot.len())].clone();
        let datagram = make(&mut world.rng, chosen);
        world.inject(datagram);
        let pause = world.rng.up_to(Duration::from_millis(50));
        world.run_for(pause);
        world.check()?;
    }
    Ok(ATTACK)
}

/// One damaged copy.
fn forge(rng: &mut SimRng, mut datagram: Datagram) -> Datagram {
    let length = datagram.bytes.len();
    match rng.below(4) {
        0 => corrupt(&mut datagram.bytes, rng),
        1 => datagram.bytes.truncate(rng.index(length)),
        2 => {
            let more = 1 + rng.index(64);
            datagram.bytes.extend(rng.bytes(more));
        }
        _ => {
            let from = rng.index(length);
            let noise = rng.bytes(length - from);
            datagram.bytes[from..].copy_from_slice(&noise);
        }
    }
    datagram
}

/// One random event of the chaos.
fn disturb(world: &mut HipWorld, hosts: &[HostId]) {
    let one = hosts[world.rng.index(hosts.len())];
    let other = hosts[world.rng.index(hosts.len())];
    if one == other {
        return;
    }
    match world.rng.below(20) {
        0..=9 => {
            let length = world.rng.index(600);
            let payload = world.rng.bytes(length);
            world.send(one, other, payload);
        }
        10..=12 => world.connect(one, other),
        13..=14 => world.close(one, other),
        15 => world.restart(one),
        16 => world.network.block(one, other),
        17 => world.network.heal(),
        _ => {
            let address = world.address(one);
            let link = if world.rng.chance(Chance::percent(50)) {
                fair()
            } else {
                worst()
            };
            world.network.set_link(one, address, link);
        }
    }
}

fn worst() -> LinkConfig {
    LinkConfig {
        corrupt: Chance::percent(10),
        ..harsh()
    }
}

/// Every pair exchanges data both ways. A host that lost its state cannot be reached by a peer
/// that does not know so; but then it can reach the peer, and both ways work after that.
fn talk_again(world: &mut HipWorld, hosts: &[HostId]) -> Result<()> {
    for (index, &one) in hosts.iter().enumerate() {
        for &other in hosts.iter().skip(index + 1) {
            reach(world, one, other).or_else(|_| reach(world, other, one))?;
            reach(world, other, one)?;
            reach(world, one, other)?;
        }
    }
    Ok(())
}
