//! Two real hosts on real interfaces: needs root, and is skipped with a message otherwise.

mod lab;

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use hip_core::{Event, StateName, Transport};
use hip_net::{HipHost, HipHostConfig};
use lab::{Lab, block, hit_of, peer, status, wait_for};

/// Pings by HIT and LSI in both directions, moves a file over TCP, and looks at the account.
fn exchange(transport: Transport, v6: bool) {
    let Some(lab) = Lab::new() else { return };
    let hosts = lab.hosts(transport, v6);
    let hits = [hit_of(&hosts[0]), hit_of(&hosts[1])];
    lab.ping(0, hits[1].into(), 56);
    lab.ping(1, hits[0].into(), 56);
    let lsi = peer(&hosts[0]).lsi.expect("LSI");
    lab.ping(0, lsi.into(), 56);
    let lsi = peer(&hosts[1]).lsi.expect("LSI");
    lab.ping(1, lsi.into(), 56);
    // Inner fragments.
    lab.ping(0, hits[1].into(), 4000);
    transfer(&lab, hits[1].into());
    transfer(&lab, peer(&hosts[0]).lsi.expect("LSI").into());
    for host in &hosts {
        let status = status(host);
        let peer = &status.peers[0];
        let session = peer.session.as_ref().expect("session");
        assert_eq!(peer.state, "ESTABLISHED");
        assert_eq!(session.transport, transport.to_string());
        assert_eq!(session.remote.is_ipv6(), v6);
        assert!(
            session.packets_in > 20 && session.packets_out > 20,
            "{session:?}"
        );
        let lost: Vec<_> = status
            .data
            .dropped
            .keys()
            .filter(|reason| *reason != "out.not-for-peer")
            .collect();
        assert!(lost.is_empty(), "{lost:?}");
    }
    stop(&lab, hosts);
}

/// 5338-4.1-01, 5338-5-02, 9028-3-03, 9028-5.1-03
#[test]
fn udp_over_ipv4_carries_pings_and_tcp_by_hit_and_lsi() {
    exchange(Transport::Udp, false);
}

/// 5338-4.1-01, 5338-5-02, 9028-3-03, 9028-5.1-03
#[test]
fn udp_over_ipv6_carries_pings_and_tcp_by_hit_and_lsi() {
    exchange(Transport::Udp, true);
}

/// 5338-4.1-01, 5338-5-02
#[test]
fn raw_ipv4_carries_pings_and_tcp_by_hit_and_lsi() {
    exchange(Transport::Raw, false);
}

/// 5338-4.1-01, 5338-5-02
#[test]
fn raw_ipv6_carries_pings_and_tcp_by_hit_and_lsi() {
    exchange(Transport::Raw, true);
}

/// Sends UDP from side 0 to a HIT and an LSI that side 1 owns, in clear, as a neighbour could.
#[test]
fn forged_packets_in_clear_from_the_network_reach_nobody() {
    let Some(lab) = Lab::new() else { return };
    let config = HipHostConfig::new(lab::identity(9));
    let target = lab.inside(1, move || HipHost::start(config)).expect("host");
    if !status(&target).ingress_guard {
        eprintln!("skipped: this kernel has no nf_tables");
        return stop_unused([target]);
    }
    let listen = || {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 5555)).expect("bind");
        socket
            .set_read_timeout(Some(Duration::from_millis(300)))
            .expect("timeout");
        socket
    };
    let receiver = lab.inside(1, listen);
    // Side 0 has no HIP and routes the names to its neighbour like any address.
    lab.ip(0, &["addr", "add", "2001:21::bad/128", "dev", "lo"]);
    lab.ip(
        0,
        &[
            "-6",
            "route",
            "add",
            "2001:20::/28",
            "via",
            "fd77::2",
            "src",
            "2001:21::bad",
        ],
    );
    lab.ip(
        0,
        &["-4", "route", "add", "198.18.0.0/16", "via", "10.77.0.2"],
    );
    // The neighbour caches are warm: what does not arrive was dropped.
    lab.ping(0, lab::address(1, true), 56);
    lab.ping(0, lab::address(1, false), 56);
    let targets: [(IpAddr, bool); 4] = [
        (lab::address(1, true), true),
        (lab::address(1, false), true),
        (hit_of(&target).into(), false),
        (target.lsi().0.into(), false),
    ];
    for (to, arrives) in targets {
        lab.inside(0, move || {
            let any: IpAddr = if to.is_ipv4() {
                [0; 4].into()
            } else {
                [0; 16].into()
            };
            let socket = UdpSocket::bind((any, 0)).expect("bind");
            socket.send_to(b"forged", (to, 5555)).expect("sent");
        });
        let mut buffer = [0; 16];
        assert_eq!(receiver.recv(&mut buffer).is_ok(), arrives, "{to}");
    }
    stop_unused([target]);
}

/// Sends a megabyte from side 0 to side 1 and back.
fn transfer(lab: &Lab, to: IpAddr) {
    let data: Vec<u8> = (0..1 << 20u32)
        .map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let listener = lab.inside(1, || {
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, 7777)).expect("listen")
    });
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        let mut received = vec![0; 1 << 20];
        stream.read_exact(&mut received).expect("read");
        stream.write_all(&received).expect("write");
    });
    let expected = data.clone();
    let received = lab.inside(0, move || {
        let mut stream =
            TcpStream::connect_timeout(&SocketAddr::new(to, 7777), Duration::from_secs(20))
                .expect("connect");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("timeout");
        stream.write_all(&data).expect("write");
        let mut received = vec![0; data.len()];
        stream.read_exact(&mut received).expect("read");
        received
    });
    assert!(received == expected, "the octets changed on the way");
    echo.join().expect("echo");
}

/// Shuts down and asserts that nothing is left.
fn stop(lab: &Lab, hosts: [HipHost; 2]) {
    let [first, second] = hosts;
    let mut events = second.events();
    block(first.shutdown());
    // The CLOSE came across, so the second host has nothing to wait for.
    wait_for(&mut events, |event| matches!(event, Event::Closed { .. }));
    block(second.shutdown());
    for side in [0, 1] {
        for family in ["-4", "-6"] {
            let routes = lab.ip(side, &[family, "route", "show", "table", "all"]);
            assert!(
                !routes.contains("hip0") && !routes.contains("blackhole"),
                "{routes}"
            );
        }
        assert!(!lab.ip(side, &["link"]).contains("hip0"));
    }
}

#[test]
fn a_path_narrower_than_assumed_still_carries_everything() {
    let Some(lab) = Lab::new() else { return };
    for side in [0, 1] {
        lab.ip(side, &["link", "set", "veth0", "mtu", "1280"]);
    }
    for (transport, v6) in [(Transport::Udp, true), (Transport::Raw, false)] {
        let hosts = lab.hosts(transport, v6);
        transfer(&lab, hit_of(&hosts[1]).into());
        transfer(&lab, peer(&hosts[0]).lsi.expect("LSI").into());
        lab.ping(0, hit_of(&hosts[1]).into(), 1400);
        stop(&lab, hosts);
    }
}

#[test]
fn a_peer_without_locators_is_refused_at_once_and_nothing_leaves_in_clear() {
    let Some(lab) = Lab::new() else { return };
    let hosts = lab.hosts(Transport::Udp, false);
    // A default route would carry HIT packets in clear if HIP did not own the prefix.
    lab.ip(0, &["-6", "route", "add", "default", "via", "fd77::2"]);
    let listener = lab.inside(1, || {
        UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 9999)).expect("bind")
    });
    listener.set_nonblocking(true).expect("nonblocking");
    let nobody: SocketAddr = "[2001:21::dead]:9999".parse().expect("address");
    let error = lab.inside(0, move || {
        TcpStream::connect_timeout(&nobody, Duration::from_secs(20)).expect_err("refused")
    });
    assert!(
        matches!(
            error.raw_os_error(),
            Some(libc::EHOSTUNREACH | libc::ENETUNREACH)
        ),
        "{error}"
    );
    let peers = status(&hosts[0]).peers;
    let failed: Vec<_> = peers
        .iter()
        .filter(|peer| peer.last_error.is_some())
        .collect();
    assert_eq!(failed.len(), 1, "{peers:?}");
    assert_eq!(IpAddr::from(failed[0].hit), nobody.ip());
    let mut buffer = [0; 100];
    assert!(listener.recv(&mut buffer).is_err());
    stop_unused(hosts);
}

fn stop_unused<const N: usize>(hosts: [HipHost; N]) {
    for host in hosts {
        block(host.shutdown());
    }
}

/// 7401-6.6.2-01
#[test]
fn icmp_from_a_machine_without_hip_does_not_end_the_exchange() {
    for transport in [Transport::Udp, Transport::Raw] {
        let Some(lab) = Lab::new() else { return };
        let [first, second] = lab.configurations(transport, false);
        let first = lab.inside(0, move || HipHost::start(first)).expect("host");
        let mut events = first.events();
        first.connect(second.identity.hit()).expect("connect");
        // The kernel of side 1 answers the first I1 with port or protocol unreachable.
        wait_for(&mut events, |event| {
            matches!(
                event,
                Event::StateChanged {
                    to: StateName::I1Sent,
                    ..
                }
            )
        });
        let second = lab.inside(1, move || HipHost::start(second)).expect("host");
        wait_for(&mut events, |event| {
            matches!(event, Event::Established { .. })
        });
        stop(&lab, [first, second]);
    }
}

#[test]
fn a_host_starts_over_what_a_killed_one_left() {
    let Some(lab) = Lab::new() else { return };
    for (family, prefix) in [("-6", "2001:20::/28"), ("-4", "198.18.0.0/16")] {
        lab.ip(
            0,
            &[
                family,
                "route",
                "add",
                "blackhole",
                prefix,
                "metric",
                "2147483632",
            ],
        );
    }
    let hosts = lab.hosts(Transport::Udp, false);
    lab.ping(0, hit_of(&hosts[1]).into(), 56);
    stop(&lab, hosts);
}

#[test]
fn a_second_host_in_the_same_place_is_refused_and_leaves_the_first_alone() {
    let Some(lab) = Lab::new() else { return };
    let hosts = lab.hosts(Transport::Udp, false);
    let config = HipHostConfig::new(lab::identity(3));
    let error = lab
        .inside(0, move || HipHost::start(config))
        .expect_err("refused")
        .to_string();
    assert!(error.contains("hip0"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    lab.ping(0, hit_of(&hosts[1]).into(), 56);
    stop(&lab, hosts);
}

#[test]
fn new_addresses_are_seen_without_asking() {
    let Some(lab) = Lab::new() else { return };
    let hosts = lab.hosts(Transport::Udp, false);
    let added: IpAddr = "10.77.0.99".parse().expect("address");
    assert!(!status(&hosts[0]).addresses.contains(&added));
    lab.ip(0, &["addr", "add", "10.77.0.99/24", "dev", "veth0"]);
    let seen = (0..2000).any(|_| {
        std::thread::yield_now();
        status(&hosts[0]).addresses.contains(&added)
    });
    assert!(seen);
    stop_unused(hosts);
}

#[test]
fn the_key_log_is_there_before_the_first_packet_and_can_be_switched_on_later() {
    let Some(lab) = Lab::new() else { return };
    let dir = tempfile::tempdir().expect("tempdir");
    let hosts = lab.hosts(Transport::Udp, false);
    lab.ping(0, hit_of(&hosts[1]).into(), 56);
    let keys = dir.path().join("keys");
    block(hosts[0].set_key_log(Some(keys.clone()))).expect("key log");
    let session = peer(&hosts[0]).session.expect("session");
    let rows = std::fs::read_to_string(keys.join("esp_sa")).expect("rows");
    for spi in [session.inbound_spi, session.outbound_spi] {
        assert!(rows.contains(&format!("0x{spi:08x}")), "{rows}");
    }
    assert_eq!(status(&hosts[0]).key_log.as_deref(), keys.to_str());
    stop(&lab, hosts);
}
