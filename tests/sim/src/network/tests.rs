//! Routing, NAT traversal, partitions and MTU of the network.

use std::time::Duration;

use super::*;
use crate::link::{Loss, Mtu};
use crate::nat::Dependence;
use crate::packet::Protocol;
use crate::random::Chance;

fn link() -> LinkConfig {
    LinkConfig {
        latency: Duration::from_millis(5),
        ..LinkConfig::default()
    }
}

fn host(network: &mut Network, realm: RealmId, ip: &str) -> HostId {
    let id = network.add_host();
    network.attach(id, realm, ip.parse().unwrap(), link());
    id
}

fn send(network: &mut Network, host: HostId, source: &str, destination: &str) {
    let datagram = Datagram::udp(address(source), address(destination), vec![7; 20]);
    network.handle(network.now, NetworkInput::Send { host, datagram });
}

/// Runs until nothing is under way and returns all outputs.
fn settle(network: &mut Network) -> Vec<NetworkOutput> {
    let mut outputs = Vec::new();
    while let Some(at) = network.next_deadline() {
        network.handle(at, NetworkInput::Timeout);
        outputs.extend(std::iter::from_fn(|| network.poll()));
    }
    outputs
}

fn delivered(outputs: &[NetworkOutput]) -> Vec<(HostId, SocketAddr)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            NetworkOutput::Delivered { host, datagram } => Some((*host, datagram.source)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_packet_takes_the_delay_of_both_access_links() {
    let mut network = Network::new(1);
    let a = host(&mut network, INTERNET, "192.0.2.1");
    let b = host(&mut network, INTERNET, "192.0.2.2");
    send(&mut network, a, "192.0.2.1:1", "192.0.2.2:2");
    let outputs = settle(&mut network);
    assert_eq!(delivered(&outputs), [(b, address("192.0.2.1:1"))]);
    assert_eq!(network.now.as_nanos(), 10_000_000);
}

#[test]
fn ipv6_and_raw_protocols_are_routed_too() {
    let mut network = Network::new(1);
    let a = host(&mut network, INTERNET, "2001:db8::1");
    let b = host(&mut network, INTERNET, "2001:db8::2");
    let datagram = Datagram {
        protocol: Protocol::ESP,
        ..Datagram::udp(
            address("[2001:db8::1]:0"),
            address("[2001:db8::2]:0"),
            vec![1],
        )
    };
    network.handle(Instant::ZERO, NetworkInput::Send { host: a, datagram });
    assert_eq!(
        delivered(&settle(&mut network)),
        [(b, address("[2001:db8::1]:0"))]
    );
}

#[test]
fn a_source_that_is_not_the_nodes_own_is_refused() {
    let mut network = Network::new(1);
    let a = host(&mut network, INTERNET, "192.0.2.1");
    send(&mut network, a, "192.0.2.9:1", "192.0.2.1:2");
    let outputs = settle(&mut network);
    assert!(matches!(
        outputs[..],
        [NetworkOutput::Dropped {
            reason: NetworkDrop::ForeignSource,
            ..
        }]
    ));
}

#[test]
fn an_unknown_destination_has_no_route() {
    let mut network = Network::new(1);
    let a = host(&mut network, INTERNET, "192.0.2.1");
    send(&mut network, a, "192.0.2.1:1", "192.0.2.2:2");
    let outputs = settle(&mut network);
    assert!(matches!(
        outputs[..],
        [NetworkOutput::Dropped {
            reason: NetworkDrop::NoRoute,
            ..
        }]
    ));
}

#[test]
fn a_host_behind_two_nats_is_answered_through_both() {
    let mut network = Network::new(1);
    let server = host(&mut network, INTERNET, "192.0.2.1");
    let config = NatConfig::new(Dependence::AddressAndPort, Dependence::AddressAndPort);
    let carrier = vec!["198.51.100.1".parse().unwrap()];
    let (_, shared) = network.add_nat(INTERNET, carrier, config.clone(), link());
    let home = vec!["100.64.0.2".parse().unwrap()];
    let (_, site) = network.add_nat(shared, home, config, link());
    let client = host(&mut network, site, "10.0.0.2");

    send(&mut network, client, "10.0.0.2:10500", "192.0.2.1:10500");
    let outputs = settle(&mut network);
    assert_eq!(
        delivered(&outputs),
        [(server, address("198.51.100.1:10500"))]
    );
    send(
        &mut network,
        server,
        "192.0.2.1:10500",
        "198.51.100.1:10500",
    );
    let outputs = settle(&mut network);
    assert_eq!(delivered(&outputs), [(client, address("192.0.2.1:10500"))]);
    // The endpoint-dependent filter keeps another port of the same server out.
    send(&mut network, server, "192.0.2.1:9", "198.51.100.1:10500");
    assert_eq!(delivered(&settle(&mut network)), []);
}

#[test]
fn a_firewalled_host_keeps_its_address_and_is_closed_to_strangers() {
    let mut network = Network::new(1);
    let server = host(&mut network, INTERNET, "2001:db8::1");
    let wall = NatConfig::firewall(Dependence::Address);
    let (_, site) = network.add_nat(INTERNET, Vec::new(), wall, link());
    let client = host(&mut network, site, "2001:db8:1::2");

    send(&mut network, server, "[2001:db8::1]:1", "[2001:db8:1::2]:1");
    assert_eq!(delivered(&settle(&mut network)), []);
    send(&mut network, client, "[2001:db8:1::2]:1", "[2001:db8::1]:1");
    assert_eq!(
        delivered(&settle(&mut network)),
        [(server, address("[2001:db8:1::2]:1"))]
    );
    send(&mut network, server, "[2001:db8::1]:1", "[2001:db8:1::2]:1");
    assert_eq!(
        delivered(&settle(&mut network)),
        [(client, address("[2001:db8::1]:1"))]
    );
}

#[test]
fn a_partition_separates_groups_until_it_heals_and_a_block_is_one_way() {
    let mut network = Network::new(1);
    let a = host(&mut network, INTERNET, "192.0.2.1");
    let b = host(&mut network, INTERNET, "192.0.2.2");
    network.partition(&[&[a], &[b]]);
    send(&mut network, a, "192.0.2.1:1", "192.0.2.2:2");
    assert_eq!(delivered(&settle(&mut network)), []);
    network.heal();
    network.block(b, a);
    send(&mut network, a, "192.0.2.1:1", "192.0.2.2:2");
    send(&mut network, b, "192.0.2.2:2", "192.0.2.1:1");
    assert_eq!(delivered(&settle(&mut network)).len(), 1);
}

#[test]
fn a_too_big_packet_is_signalled_or_swallowed_as_the_link_says() {
    for signals in [true, false] {
        let mut network = Network::new(1);
        let a = host(&mut network, INTERNET, "192.0.2.1");
        let b = host(&mut network, INTERNET, "192.0.2.2");
        let narrow = LinkConfig {
            mtu: Some(Mtu {
                octets: 40,
                signals,
            }),
            ..LinkConfig::default()
        };
        network.set_link(b, "192.0.2.2".parse().unwrap(), narrow);
        send(&mut network, a, "192.0.2.1:1", "192.0.2.2:2");
        let outputs = settle(&mut network);
        let told =
            matches!(outputs[..], [NetworkOutput::TooBig { host, mtu: 40, .. }] if host == a);
        assert_eq!(told, signals, "{outputs:?}");
    }
}

#[test]
fn a_detached_address_is_gone_even_for_packets_under_way() {
    let mut network = Network::new(1);
    let a = host(&mut network, INTERNET, "192.0.2.1");
    let b = host(&mut network, INTERNET, "192.0.2.2");
    send(&mut network, a, "192.0.2.1:1", "192.0.2.2:2");
    network.detach(b, "192.0.2.2".parse().unwrap());
    assert_eq!(delivered(&settle(&mut network)), []);
}

#[test]
fn equal_seeds_give_equal_outputs_under_every_fault() {
    let run = |seed| {
        let mut network = Network::new(seed);
        let a = host(&mut network, INTERNET, "192.0.2.1");
        host(&mut network, INTERNET, "192.0.2.2");
        let bad = LinkConfig {
            jitter: Duration::from_millis(3),
            loss: Loss::Random(Chance::percent(20)),
            duplicate: Chance::percent(20),
            reorder: Chance::percent(20),
            corrupt: Chance::percent(20),
            disorder: Duration::from_millis(9),
            ..link()
        };
        network.set_link(a, "192.0.2.1".parse().unwrap(), bad);
        for _ in 0..200 {
            send(&mut network, a, "192.0.2.1:1", "192.0.2.2:2");
        }
        settle(&mut network)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
