//! Two real daemons: ordinary programs over HIT and LSI, on every transport, and nothing in clear.

use std::path::Path;

use hip_lab::topology::{self, Pair};
use hip_lab::{
    Capture, Daemon, DaemonConfig, Lab, LabError, PeerEntry, binary_directory, capture, programs,
};

/// How the peers' locators are written.
#[derive(Clone, Copy)]
enum Carrier {
    UdpV4,
    RawV4,
    RawV6,
}

impl Carrier {
    fn locator(self, host: &topology::Host) -> String {
        match self {
            Self::UdpV4 => host.v4.to_string(),
            Self::RawV4 => format!("raw:{}", host.v4),
            Self::RawV6 => format!("raw:{}", host.v6),
        }
    }

    /// What tshark must see of the transfer on the wire.
    fn filter(self) -> &'static str {
        match self {
            Self::UdpV4 => "udp.port == 10500 && ip",
            Self::RawV4 => "ip.proto == 50",
            Self::RawV6 => "ipv6.nxt == 50",
        }
    }
}

struct Two {
    net: Pair,
    a: Daemon,
    b: Daemon,
    hit_b: String,
}

/// Prepares daemons `a` and `b` that know each other; neither runs yet.
fn two(lab: &Lab, carrier: Carrier, toml: &str) -> Result<Two, LabError> {
    let net = topology::pair(lab)?;
    let binaries = binary_directory()?;
    let prepare = |host: &topology::Host, name: &str| -> Result<(Daemon, String), LabError> {
        let daemon = Daemon::prepare(lab.directory(), &host.namespace, name, &binaries)?;
        daemon.configure(&DaemonConfig {
            toml: toml.to_owned(),
            peers: Vec::new(),
        })?;
        let hit = daemon.hit()?;
        Ok((daemon, hit))
    };
    let (a, hit_a) = prepare(&net.a, "a")?;
    let (b, hit_b) = prepare(&net.b, "b")?;
    let entry = |hit: &str, name: &str, host: &topology::Host| PeerEntry {
        hit: hit.to_owned(),
        name: name.to_owned(),
        locators: vec![carrier.locator(host)],
    };
    a.configure(&DaemonConfig {
        toml: toml.to_owned(),
        peers: vec![entry(&hit_b, "b", &net.b)],
    })?;
    b.configure(&DaemonConfig {
        toml: toml.to_owned(),
        peers: vec![entry(&hit_a, "a", &net.a)],
    })?;
    Ok(Two { net, a, b, hit_b })
}

fn transfer(carrier: Carrier) -> Result<(), LabError> {
    let lab = Lab::new()?;
    let Two {
        net,
        mut a,
        mut b,
        hit_b,
    } = two(&lab, carrier, "")?;
    a.start()?;
    b.start()?;
    let file = lab.directory().join("first.pcap");
    let watch = Capture::start(&net.b.namespace, "eth0", &file)?;
    programs::ping(&net.a.namespace, &hit_b, 5)?;
    let lsi = a.ask(&["show", "b"])?["lsi"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    programs::ping(&net.a.namespace, &lsi, 5)?;
    let file = watch.stop()?;
    let seen = capture::tshark(&file, carrier.filter(), &["frame.number"], None)?;
    assert!(
        seen.len() >= 20,
        "only {} ESP packets on the expected transport",
        seen.len()
    );

    let site = programs::Site::create(&lab.directory().join("www"), 1 << 30)?;
    let _httpd = site.serve(&net.b.namespace)?;
    let sum = programs::download(&net.a.namespace, &format!("http://[{hit_b}]:8080/file"))?;
    assert_eq!(sum, site.sha256, "1 GiB arrived changed");
    a.stop()?;
    b.stop()
}

#[test]
fn one_gib_over_udp_and_ipv4_arrives_unchanged() -> Result<(), LabError> {
    transfer(Carrier::UdpV4)
}

#[test]
fn one_gib_over_raw_esp_and_ipv4_arrives_unchanged() -> Result<(), LabError> {
    transfer(Carrier::RawV4)
}

#[test]
fn one_gib_over_raw_esp_and_ipv6_arrives_unchanged() -> Result<(), LabError> {
    transfer(Carrier::RawV6)
}

/// Packets of a capture with a HIT or an LSI in their IP header.
fn leaks(file: &Path) -> Result<[(&'static str, Vec<String>); 2], LabError> {
    let seen = |filter| capture::tshark(file, filter, &["frame.number", "_ws.col.Info"], None);
    Ok([
        ("HITs", seen("ipv6.addr == 2001:20::/28")?),
        ("LSIs", seen("ip.addr == 198.18.0.0/16")?),
    ])
}

#[test]
fn nothing_leaves_in_clear_while_the_peer_is_down_or_the_daemon_is_gone() -> Result<(), LabError> {
    let lab = Lab::new()?;
    let Two {
        net,
        mut a,
        mut b,
        hit_b,
    } = two(&lab, Carrier::UdpV4, "")?;
    // Without hipd a HIT and an LSI would leave by the default route: this is what must not happen.
    let a_host = &net.a.namespace;
    a_host.ip(&format!("route add default via {}", net.b.v4))?;
    a_host.ip(&format!("-6 route add default via {}", net.b.v6))?;
    let ping = |to: &str| a_host.succeeds(&format!("ping -n -c 3 -i 0.2 -W 1 {to}"));
    let lsi = "198.18.7.7";
    let control = Capture::start(
        &net.b.namespace,
        "eth0",
        &lab.directory().join("control.pcap"),
    )?;
    assert!(!ping(&hit_b)? && !ping(lsi)?, "no daemon has been started");
    for (what, seen) in leaks(&control.stop()?)? {
        assert!(
            !seen.is_empty(),
            "the network would not show a leak of {what}"
        );
    }

    let file = lab.directory().join("clear.pcap");
    let watch = Capture::start(&net.b.namespace, "eth0", &file)?;
    a.start()?;
    assert!(!ping(&hit_b)?, "b is down, nobody can have answered");
    let known = a.ask(&["show", "b"])?["lsi"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        !ping(&known)? && !ping(lsi)?,
        "b is down, nobody can have answered"
    );
    // Killed, not stopped: whatever protects the HITs must outlive the process.
    a.kill();
    assert!(!ping(&hit_b)?, "no daemon, no answer");
    assert!(!ping(&known)? && !ping(lsi)?, "no daemon, no answer");
    // And a daemon started after that finds its way again.
    a.start()?;
    b.start()?;
    programs::ping(&net.a.namespace, &hit_b, 3)?;
    let file = watch.stop()?;
    for (what, seen) in leaks(&file)? {
        assert!(seen.is_empty(), "{what} in clear: {seen:?}");
    }
    a.stop()?;
    b.stop()
}

#[test]
fn the_first_packets_wait_for_the_association_and_none_is_lost() -> Result<(), LabError> {
    let lab = Lab::new()?;
    let Two {
        net,
        mut a,
        mut b,
        hit_b,
    } = two(&lab, Carrier::UdpV4, "")?;
    a.start()?;
    let pings = programs::FirstPackets::send(&net.a.namespace, &hit_b, 5)?;
    programs::until("first packets wait", || {
        Ok(a.ask(&["show", "b"])?["state"] == "I1-SENT")
    })?;
    b.start()?;
    pings.all_answered()?;
    a.stop()?;
    b.stop()
}

#[test]
fn tshark_finds_good_checksums_and_decrypts_with_the_written_keys() -> Result<(), LabError> {
    for carrier in [Carrier::RawV4, Carrier::UdpV4] {
        let lab = Lab::new()?;
        let keys = lab.directory().join("keys");
        let Two {
            net,
            mut a,
            mut b,
            hit_b,
        } = two(&lab, carrier, &format!("[keylog]\ndir = {keys:?}\n"))?;
        for host in [&net.a, &net.b] {
            host.namespace.udp_segmentation("eth0", false)?;
        }
        let file = lab.directory().join("keys.pcap");
        let watch = Capture::start(&net.b.namespace, "eth0", &file)?;
        a.start()?;
        b.start()?;
        let site = programs::Site::create(&lab.directory().join("www"), 1 << 16)?;
        let _httpd = site.serve(&net.b.namespace)?;
        let sum = programs::download(&net.a.namespace, &format!("http://[{hit_b}]:8080/file"))?;
        assert_eq!(sum, site.sha256);
        a.ask(&["close", "b"])?;
        let file = watch.stop()?;
        oracle(&file, &keys)?;
        a.stop()?;
        b.stop()?;
    }
    Ok(())
}

fn oracle(file: &Path, keys: &Path) -> Result<(), LabError> {
    let hip = capture::tshark(file, "hip", &["hip.packet_type"], Some(keys))?;
    assert!(
        hip.len() >= 6,
        "I1 R1 I2 R2 CLOSE CLOSE_ACK expected, {} HIP packets seen",
        hip.len()
    );
    let bad = capture::tshark(
        file,
        "hip.bad_checksum || (hip && _ws.malformed)",
        &["frame.number"],
        Some(keys),
    )?;
    assert!(bad.is_empty(), "frames {bad:?}");
    let requests = capture::tshark(
        file,
        "esp && http.request",
        &["http.request.uri"],
        Some(keys),
    )?;
    assert_eq!(requests, ["/file"], "the request inside the ESP");
    Ok(())
}

#[test]
fn a_clean_stop_leaves_no_interface_route_or_process() -> Result<(), LabError> {
    let lab = Lab::new()?;
    let Two {
        net,
        mut a,
        mut b,
        hit_b,
    } = two(&lab, Carrier::UdpV4, "")?;
    let view = || -> Result<String, LabError> {
        let mut all = String::new();
        for what in [
            "-o link",
            "route show table all",
            "-6 route show table all",
            "rule",
            "-6 rule",
        ] {
            all.push_str(&net.a.namespace.ip(what)?);
        }
        Ok(all)
    };
    let before = view()?;
    a.start()?;
    b.start()?;
    programs::ping(&net.a.namespace, &hit_b, 2)?;
    assert_ne!(view()?, before, "hip0 and its routes should be there");
    a.stop()?;
    assert_eq!(view()?, before);
    // The peer was told by CLOSE.
    b.ask(&["wait", "closed", "a"])?;
    b.stop()?;
    drop((net, a, b));
    assert!(lab.leftovers().is_empty(), "{:?}", lab.leftovers());
    Ok(())
}
