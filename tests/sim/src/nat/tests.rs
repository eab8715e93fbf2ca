//! One test per behaviour of RFC 4787 that the boxes model.

use super::*;

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn nat(config: NatConfig) -> NatBox {
    let external = vec![addr("192.0.2.1:0").ip()];
    NatBox::new(config, external, SimRng::new(1))
}

fn packet(source: &str, destination: &str) -> Datagram {
    Datagram::udp(addr(source), addr(destination), vec![1, 2, 3])
}

/// Sends from the inside and returns the external source.
fn out(nat: &mut NatBox, now: Instant, source: &str, destination: &str) -> SocketAddr {
    match nat.outbound(now, packet(source, destination)) {
        Ok(Forward::Outside(datagram)) => datagram.source,
        other => panic!("{other:?}"),
    }
}

fn seconds(count: u64) -> Instant {
    Instant::from_nanos(count * 1_000_000_000)
}

const INSIDE: &str = "10.0.0.2:10500";
const SERVER: &str = "198.51.100.1:10500";
const SAME_ADDRESS: &str = "198.51.100.1:4000";
const OTHER: &str = "198.51.100.9:10500";

#[test]
fn mappings_are_shared_as_far_as_their_dependence_allows() {
    let expectations = [
        (Dependence::Endpoint, true, true),
        (Dependence::Address, true, false),
        (Dependence::AddressAndPort, false, false),
    ];
    for (mapping, same_for_port, same_for_address) in expectations {
        let mut nat = nat(NatConfig::new(mapping, Dependence::Endpoint));
        let first = out(&mut nat, Instant::ZERO, INSIDE, SERVER);
        let port = out(&mut nat, Instant::ZERO, INSIDE, SAME_ADDRESS);
        let address = out(&mut nat, Instant::ZERO, INSIDE, OTHER);
        assert_eq!(first == port, same_for_port, "{mapping:?}");
        assert_eq!(first == address, same_for_address, "{mapping:?}");
    }
}

#[test]
fn filters_admit_as_many_strangers_as_their_dependence_allows() {
    let expectations = [
        (Dependence::Endpoint, true, true),
        (Dependence::Address, true, false),
        (Dependence::AddressAndPort, false, false),
    ];
    for (filtering, port_passes, address_passes) in expectations {
        let mut nat = nat(NatConfig::new(Dependence::Endpoint, filtering));
        let external = out(&mut nat, Instant::ZERO, INSIDE, SERVER).to_string();
        let answer = nat.inbound(Instant::ZERO, packet(SERVER, &external));
        assert_eq!(
            answer.map(|datagram| datagram.destination),
            Ok(addr(INSIDE))
        );
        for (sender, passes) in [(SAME_ADDRESS, port_passes), (OTHER, address_passes)] {
            let result = nat.inbound(Instant::ZERO, packet(sender, &external));
            let expected = if passes {
                Ok(addr(INSIDE))
            } else {
                Err(NatDrop::Filtered)
            };
            assert_eq!(
                result.map(|datagram| datagram.destination),
                expected,
                "{filtering:?}"
            );
        }
    }
}

#[test]
fn an_unsolicited_packet_finds_no_mapping() {
    let mut nat = nat(NatConfig::new(Dependence::Endpoint, Dependence::Endpoint));
    let result = nat.inbound(Instant::ZERO, packet(SERVER, "192.0.2.1:10500"));
    assert_eq!(result, Err(NatDrop::NoMapping));
}

#[test]
fn ports_are_preserved_until_two_hosts_collide() {
    let mut nat = nat(NatConfig::new(Dependence::Endpoint, Dependence::Endpoint));
    assert_eq!(out(&mut nat, Instant::ZERO, INSIDE, SERVER).port(), 10500);
    let second = out(&mut nat, Instant::ZERO, "10.0.0.3:10500", SERVER);
    assert_ne!(second.port(), 10500);
}

#[test]
fn an_expired_port_is_given_to_the_next_host() {
    let mut nat = nat(NatConfig::new(Dependence::Endpoint, Dependence::Endpoint));
    out(&mut nat, Instant::ZERO, INSIDE, SERVER);
    let second = out(&mut nat, seconds(121), "10.0.0.3:10500", SERVER);
    assert_eq!(second.port(), 10500);
    assert_eq!(nat.mappings(seconds(121)), 1);
}

#[test]
fn sequential_and_random_ports_differ_from_the_inside_port() {
    for ports in [PortChoice::Sequential, PortChoice::Random] {
        let mut config = NatConfig::new(Dependence::AddressAndPort, Dependence::Endpoint);
        config.ports = ports;
        let mut nat = nat(config);
        let first = out(&mut nat, Instant::ZERO, INSIDE, SERVER).port();
        let second = out(&mut nat, Instant::ZERO, INSIDE, OTHER).port();
        assert!(first >= FIRST_PORT && second >= FIRST_PORT && first != second);
    }
}

#[test]
fn a_mapping_times_out_and_outbound_packets_keep_it() {
    let mut config = NatConfig::new(Dependence::Endpoint, Dependence::Endpoint);
    config.inbound_refreshes = false;
    let mut nat = nat(config);
    let external = out(&mut nat, Instant::ZERO, INSIDE, SERVER).to_string();
    out(&mut nat, seconds(100), INSIDE, SERVER);
    assert!(nat.inbound(seconds(200), packet(SERVER, &external)).is_ok());
    let late = nat.inbound(seconds(220), packet(SERVER, &external));
    assert_eq!(late, Err(NatDrop::NoMapping));
}

#[test]
fn inbound_packets_refresh_only_where_configured() {
    for refreshes in [true, false] {
        let mut config = NatConfig::new(Dependence::Endpoint, Dependence::Endpoint);
        config.inbound_refreshes = refreshes;
        let mut nat = nat(config);
        let external = out(&mut nat, Instant::ZERO, INSIDE, SERVER).to_string();
        assert!(nat.inbound(seconds(100), packet(SERVER, &external)).is_ok());
        let later = nat.inbound(seconds(200), packet(SERVER, &external));
        assert_eq!(later.is_ok(), refreshes);
    }
}

#[test]
fn hairpin_shows_the_external_source_to_the_inside_host() {
    let mut config = NatConfig::new(Dependence::Endpoint, Dependence::Endpoint);
    config.hairpin = true;
    let mut nat = nat(config);
    let callee = out(&mut nat, Instant::ZERO, INSIDE, SERVER).to_string();
    let result = nat.outbound(Instant::ZERO, packet("10.0.0.3:5000", &callee));
    let Ok(Forward::Inside(datagram)) = result else {
        panic!("{result:?}");
    };
    assert_eq!(datagram.destination, addr(INSIDE));
    assert_eq!(datagram.source, addr("192.0.2.1:5000"));
}

#[test]
fn without_hairpin_the_box_drops_packets_to_itself() {
    let mut nat = nat(NatConfig::new(Dependence::Endpoint, Dependence::Endpoint));
    let callee = out(&mut nat, Instant::ZERO, INSIDE, SERVER).to_string();
    let result = nat.outbound(Instant::ZERO, packet("10.0.0.3:5000", &callee));
    assert_eq!(result, Err(NatDrop::NoHairpin));
}

#[test]
fn raw_protocols_pass_only_where_configured_and_for_one_inside_host() {
    let raw = |source: &str| Datagram {
        protocol: Protocol::HIP,
        ..packet(source, "198.51.100.1:0")
    };
    let mut blocked = nat(NatConfig::new(Dependence::Endpoint, Dependence::Endpoint));
    let result = blocked.outbound(Instant::ZERO, raw("10.0.0.2:0"));
    assert_eq!(result, Err(NatDrop::ProtocolBlocked));

    let mut config = NatConfig::new(Dependence::Endpoint, Dependence::Endpoint);
    config.raw = true;
    let mut nat = nat(config);
    assert!(nat.outbound(Instant::ZERO, raw("10.0.0.2:0")).is_ok());
    let second = nat.outbound(Instant::ZERO, raw("10.0.0.3:0"));
    assert_eq!(second, Err(NatDrop::RawConflict));
    let mut answer = raw("198.51.100.1:0");
    answer.destination = addr("192.0.2.1:0");
    let inside = nat.inbound(Instant::ZERO, answer).unwrap();
    assert_eq!(inside.destination, addr("10.0.0.2:0"));
}

#[test]
fn a_firewall_filters_without_rewriting() {
    let mut wall = NatBox::new(
        NatConfig::firewall(Dependence::AddressAndPort),
        Vec::new(),
        SimRng::new(1),
    );
    let (host, server) = ("[2001:db8:1::2]:10500", "[2001:db8:2::1]:10500");
    let stranger = wall.inbound(Instant::ZERO, packet(server, host));
    assert_eq!(stranger, Err(NatDrop::NoMapping));
    let sent = wall.outbound(Instant::ZERO, packet(host, server));
    assert_eq!(sent, Ok(Forward::Outside(packet(host, server))));
    let answer = wall.inbound(Instant::ZERO, packet(server, host));
    assert_eq!(answer, Ok(packet(server, host)));
    let other = wall.inbound(Instant::ZERO, packet("[2001:db8:2::9]:1", host));
    assert_eq!(other, Err(NatDrop::Filtered));
}

#[test]
fn a_udp_blocker_drops_both_ways() {
    let mut config = NatConfig::new(Dependence::Endpoint, Dependence::Endpoint);
    config.udp = false;
    let mut nat = nat(config);
    let sent = nat.outbound(Instant::ZERO, packet(INSIDE, SERVER));
    assert_eq!(sent, Err(NatDrop::ProtocolBlocked));
}

#[test]
fn a_full_table_refuses_until_mappings_expire() {
    let mut config = NatConfig::new(Dependence::AddressAndPort, Dependence::Endpoint);
    config.capacity = 2;
    let mut nat = nat(config);
    out(&mut nat, Instant::ZERO, INSIDE, SERVER);
    out(&mut nat, Instant::ZERO, INSIDE, OTHER);
    let third = nat.outbound(Instant::ZERO, packet(INSIDE, SAME_ADDRESS));
    assert_eq!(third, Err(NatDrop::Exhausted));
    out(&mut nat, seconds(121), INSIDE, SAME_ADDRESS);
    assert_eq!(nat.mappings(seconds(121)), 1);
}

#[test]
fn a_reboot_forgets_every_mapping() {
    let mut nat = nat(NatConfig::new(Dependence::Endpoint, Dependence::Endpoint));
    let external = out(&mut nat, Instant::ZERO, INSIDE, SERVER).to_string();
    nat.reboot();
    let result = nat.inbound(Instant::ZERO, packet(SERVER, &external));
    assert_eq!(result, Err(NatDrop::NoMapping));
}
