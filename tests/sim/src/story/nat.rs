//! Initiators behind each kind of NAT box, towards a public responder.

use std::time::Duration;

use hip_core::HostConfig;

use crate::hip_world::{Carrier, HipWorld};
use crate::log::EventLog;
use crate::nat::{Dependence, NatConfig, PortChoice};

use super::exchange::{fair, reach};
use super::{Result, expect};

/// `nat-grid`: all nine kinds of boxes in one run.
pub(super) fn grid(seed: u64, log: &EventLog) -> Result<String> {
    let mut kinds = 0_u64;
    for mapping in Dependence::ALL {
        for filtering in Dependence::ALL {
            let kind = format!("mapping {mapping:?}, filtering {filtering:?}");
            let mut config = NatConfig::new(mapping, filtering);
            config.ports = [
                PortChoice::Preserve,
                PortChoice::Sequential,
                PortChoice::Random,
            ][(seed % 3) as usize];
            through(seed.wrapping_mul(9).wrapping_add(kinds), log, config)
                .map_err(|broken| format!("{kind}: {broken}"))?;
            kinds += 1;
        }
    }
    Ok(format!(
        "{kinds} kinds of NAT boxes, data both ways through each"
    ))
}

/// Two hosts behind one box, each with an association of its own to the same public host.
fn through(seed: u64, log: &EventLog, config: NatConfig) -> Result<()> {
    let mut world = HipWorld::new(seed, log);
    let server = world.add_host(fair());
    let (_, site) = world.add_nat(config, fair());
    let inside = [(); 2].map(|()| world.add_host_in(site, fair(), HostConfig::default()));
    for client in inside {
        world.introduce(client, server, Carrier::Udp);
        let first = world.send(client, server, b"out".to_vec());
        let arrived = world.run_until(Duration::from_secs(5), |world| world.arrived(first));
        world.check()?;
        expect(arrived, || format!("{client} cannot reach the public host"))?;
        reach(&mut world, server, client)?;
    }
    // The mappings last as long as there is traffic.
    for _ in 0..5 {
        world.run_for(Duration::from_secs(60));
        for client in inside {
            reach(&mut world, client, server)?;
            reach(&mut world, server, client)?;
        }
    }
    let again = inside
        .iter()
        .any(|client| world.times_established(*client, server) != 1);
    expect(!again, || "an association was replaced".into())?;
    world.run_for(Duration::from_secs(60));
    world.check_quiet()
}

/// `nat-raw-blocked`: behind a box that passes UDP only, raw transport fails with a reason.
pub(super) fn raw_blocked(seed: u64, log: &EventLog) -> Result<String> {
    let mut world = HipWorld::new(seed, log);
    let server = world.add_host(fair());
    let config = NatConfig::new(Dependence::Endpoint, Dependence::Endpoint);
    let (_, site) = world.add_nat(config, fair());
    let client = world.add_host_in(site, fair(), HostConfig::default());
    world.introduce(client, server, Carrier::Raw);
    let first = world.send(client, server, b"blocked".to_vec());
    world.run_until(Duration::from_secs(120), |world| {
        world.failure(client, server).is_some()
    });
    world.check()?;
    let reason = world.failure(client, server);
    let reason = reason.ok_or("raw HIP through a UDP-only box neither works nor fails")?;
    expect(!world.arrived(first), || {
        "a packet arrived through a closed box".into()
    })?;
    expect(world.host(client).waiting() == 0, || {
        "packets still wait after the failure".into()
    })?;
    world.introduce(client, server, Carrier::Udp);
    world.run_for(Duration::from_secs(30));
    reach(&mut world, client, server)?;
    Ok(format!("raw: {reason}; UDP works"))
}
