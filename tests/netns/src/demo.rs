//! The story that `cargo xtask demo` tells: the whole product on one machine, with no other service.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::daemon::{Daemon, DaemonConfig, PeerEntry};
use crate::process::LabError;
use crate::topology::{self, Star, TwoNetworks};
use crate::{Capture, Lab, capture, programs};

/// Choices of the person who runs the demo.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory with `hipd` and `hipctl`.
    pub binaries: PathBuf,
    /// Where to keep captures and key log; otherwise they go with the lab.
    pub keep: Option<PathBuf>,
    /// Number of overlay peers, at least 3.
    pub peers: usize,
}

/// Prints the story as it happens.
struct Story {
    started: Instant,
    chapter: u32,
}

impl Story {
    fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        println!("\n{}. {title}", self.chapter);
    }

    fn say(&self, text: impl AsRef<str>) {
        println!(
            "   [{:>6.2} s] {}",
            self.started.elapsed().as_secs_f64(),
            text.as_ref()
        );
        let _ = std::io::stdout().flush();
    }
}

/// Tells the whole story; everything made is gone afterwards.
pub fn run(options: &Options) -> Result<(), LabError> {
    let mut story = Story {
        started: Instant::now(),
        chapter: 0,
    };
    println!("with-hip: connect to anyone by identity, with no server in the middle");
    let lab = Lab::new()?;
    let prefix = lab.prefix().to_owned();
    let told =
        two_hosts(&lab, options, &mut story).and_then(|()| overlay(&lab, options, &mut story));
    let left = lab.leftovers();
    drop(lab);
    told?;
    story.chapter("Clean up");
    if !left.is_empty() {
        return Err(LabError::new(format!(
            "left behind by {prefix}: {}",
            left.join(", ")
        )));
    }
    story.say("no namespace, interface, route or process is left behind");
    println!("\nThat was with-hip. What next: README.md, docs/guide/.");
    Ok(())
}

fn peer_entry(daemon: &Daemon, hit: &str, locators: &[String]) -> PeerEntry {
    PeerEntry {
        hit: hit.to_owned(),
        name: daemon.name().to_owned(),
        locators: locators.to_vec(),
    }
}

/// Prepares `alice` and `bob` on two networks, each knowing the other's HIT and locator.
fn alice_and_bob(
    lab: &Lab,
    net: &TwoNetworks,
    binaries: &Path,
    toml: &str,
) -> Result<[Daemon; 2], LabError> {
    let alice = Daemon::prepare(lab.directory(), &net.a.namespace, "alice", binaries)?;
    let bob = Daemon::prepare(lab.directory(), &net.b.namespace, "bob", binaries)?;
    let mut config = DaemonConfig {
        toml: toml.to_owned(),
        peers: Vec::new(),
    };
    alice.configure(&config)?;
    bob.configure(&config)?;
    let (alice_hit, bob_hit) = (alice.hit()?, bob.hit()?);
    config.peers = vec![peer_entry(&bob, &bob_hit, &[net.b.v4.to_string()])];
    alice.configure(&config)?;
    config.peers = vec![peer_entry(&alice, &alice_hit, &[net.a.v4.to_string()])];
    bob.configure(&config)?;
    Ok([alice, bob])
}

fn two_hosts(lab: &Lab, options: &Options, story: &mut Story) -> Result<(), LabError> {
    story.chapter("Two hosts on two networks, each with a name that is its key");
    let net = topology::two_networks(lab)?;
    let keys = lab.directory().join("keys");
    let toml = format!("[keylog]\ndir = {keys:?}\n");
    let [mut alice, mut bob] = alice_and_bob(lab, &net, &options.binaries, &toml)?;
    let (alice_hit, bob_hit) = (alice.hit()?, bob.hit()?);
    story.say(format!("alice  {}  has the HIT {alice_hit}", net.a.v4));
    story.say(format!("bob    {}  has the HIT {bob_hit}", net.b.v4));

    story.chapter("Nothing leaves in clear, not even before bob is there");
    let file = lab.directory().join("router.pcap");
    for host in [&net.a.namespace, &net.b.namespace] {
        host.udp_segmentation("eth0", false)?;
    }
    let capture = Capture::start(&net.router, "net-a", &file)?;
    alice.start()?;
    let early = programs::FirstPackets::send(&net.a.namespace, &bob_hit, 3)?;
    story.say("alice pings bob; bob's daemon is not running yet: her packets wait");
    bob.start()?;
    early.all_answered()?;
    story.say("bob's daemon started; all of alice's first packets were answered, none was lost");

    story.chapter("The base exchange");
    let peer = alice.ask(&["show", "bob"])?;
    let suite = peer["esp_suite"].as_str().unwrap_or("?").to_owned();
    story.say(format!(
        "I1 R1 I2 R2 done: ESP {suite}, {}",
        peer["path"].as_str().unwrap_or("?")
    ));
    let mut times = Vec::new();
    for _ in 0..5 {
        alice.ask(&["close", "bob"])?;
        let up = alice.ask(&["up", "bob"])?;
        times.extend(up["peer"]["bex_ms"].as_f64());
    }
    times.sort_by(f64::total_cmp);
    let shown: Vec<String> = times.iter().map(|t| format!("{t:.2}")).collect();
    story.say(format!("five more, in milliseconds: {}", shown.join(", ")));

    unmodified_programs(lab, &net, &alice, &bob_hit, story)?;
    let pcap = capture.stop()?;
    if let Some(keep) = &options.keep {
        keep_files(keep, &pcap, &keys)?;
        story.say(format!("capture and keys kept in {}", keep.display()));
    }
    check_capture(&pcap, &keys, story)?;
    speed(&net, &bob_hit, story)?;
    moving(lab, &net, &mut alice, &bob_hit, story)?;
    alice.stop()?;
    bob.stop()
}

fn unmodified_programs(
    lab: &Lab,
    net: &TwoNetworks,
    alice: &Daemon,
    bob_hit: &str,
    story: &mut Story,
) -> Result<(), LabError> {
    story.chapter("Unmodified programs, by HIT and by LSI");
    let lsi = alice.ask(&["show", "bob"])?["lsi"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let (a, b) = (&net.a.namespace, &net.b.namespace);
    story.say(format!("ping HIT: {}", programs::ping(a, bob_hit, 5)?));
    story.say(format!("ping LSI {lsi}: {}", programs::ping(a, &lsi, 5)?));
    let site = programs::Site::create(&lab.directory().join("www"), 8 << 20)?;
    let _httpd = site.serve(b)?;
    for host in [format!("[{bob_hit}]"), lsi] {
        let sum = programs::download(a, &format!("http://{host}:8080/file"))?;
        if sum != site.sha256 {
            return Err(LabError::new(format!(
                "curl from {host}: the file arrived changed"
            )));
        }
        story.say(format!("curl http://{host}:8080/file: 8 MiB, sha256 equal"));
    }
    Ok(())
}

fn speed(net: &TwoNetworks, bob_hit: &str, story: &mut Story) -> Result<(), LabError> {
    story.chapter("How fast");
    let (a, b) = (&net.a.namespace, &net.b.namespace);
    for host in [a, b] {
        host.udp_segmentation("eth0", true)?;
    }
    let tunnel = programs::iperf3(a, b, bob_hit, 3)?;
    let raw = programs::iperf3(a, b, &net.b.v4.to_string(), 3)?;
    story.say(format!(
        "iperf3 through hip0: {tunnel:.2} Gbit/s; beside it without HIP: {raw:.2} Gbit/s"
    ));
    Ok(())
}

fn check_capture(pcap: &Path, keys: &Path, story: &mut Story) -> Result<(), LabError> {
    story.chapter("What the router between them saw");
    let leaked = capture::tshark(
        pcap,
        "ipv6.addr == 2001:20::/28 || ip.addr == 198.18.0.0/16",
        &["frame.number"],
        None,
    )?;
    if !leaked.is_empty() {
        return Err(LabError::new(format!(
            "{} packets with a HIT or an LSI in the IP header left in clear",
            leaked.len()
        )));
    }
    let hip = capture::tshark(pcap, "hip", &["frame.number"], Some(keys))?;
    let bad = capture::tshark(
        pcap,
        "hip.bad_checksum || (hip && _ws.malformed)",
        &["frame.number"],
        Some(keys),
    )?;
    let shown = capture::tshark(
        pcap,
        "esp && http.request",
        &["http.request.uri"],
        Some(keys),
    )?;
    story.say(format!(
        "no packet in clear; {} HIP packets, {} malformed or with a bad checksum",
        hip.len(),
        bad.len()
    ));
    if !bad.is_empty() {
        return Err(LabError::new("tshark finds malformed HIP packets"));
    }
    let Some(uri) = shown.first() else {
        return Err(LabError::new(
            "tshark could not decrypt the HTTP request with the key log",
        ));
    };
    story.say(format!(
        "with the key log hipd wrote, tshark reads the request inside the ESP: GET {uri}"
    ));
    Ok(())
}

fn keep_files(keep: &Path, pcap: &Path, keys: &Path) -> Result<(), LabError> {
    let failed = |e: std::io::Error| LabError::new(format!("{}: {e}", keep.display()));
    std::fs::create_dir_all(keep).map_err(failed)?;
    std::fs::copy(pcap, keep.join("demo.pcap")).map_err(failed)?;
    for entry in std::fs::read_dir(keys).map_err(failed)?.flatten() {
        std::fs::copy(entry.path(), keep.join(entry.file_name())).map_err(failed)?;
    }
    Ok(())
}

fn moving(
    lab: &Lab,
    net: &TwoNetworks,
    alice: &mut Daemon,
    bob_hit: &str,
    story: &mut Story,
) -> Result<(), LabError> {
    story.chapter("Alice moves to another network during a download");
    let site = programs::Site::open(&lab.directory().join("www"))?;
    let httpd = site.serve(&net.b.namespace)?;
    let mut download = programs::SlowDownload::start(
        &net.a.namespace,
        &format!("http://[{bob_hit}]:8080/file"),
        lab.directory(),
    )?;
    download.wait_for_bytes(1 << 20)?;
    let before = Instant::now();
    let new = net.move_a()?;
    let seen = download.wait_for_progress()?;
    story.say(format!("alice is now at {new}; {:.0} ms later the same TCP connection carried data again ({seen} octets so far)", before.elapsed().as_secs_f64() * 1e3));
    download.finish(&site.sha256)?;
    let path = alice.ask(&["show", "bob"])?["path"]
        .as_str()
        .unwrap_or("?")
        .to_owned();
    story.say(format!(
        "the download finished, sha256 equal; path now {path}"
    ));
    drop(httpd);
    Ok(())
}

fn overlay(lab: &Lab, options: &Options, story: &mut Story) -> Result<(), LabError> {
    let size = options.peers.max(3);
    story.chapter(&format!(
        "An overlay of {size} peers that know each other by HIT only"
    ));
    let lab_net = topology::star(lab, size)?;
    let mut peers = overlay_daemons(lab, &lab_net, &options.binaries)?;
    for peer in &mut peers {
        peer.start()?;
    }
    for peer in &peers {
        peer.ask(&["wait", "overlay", "--peers", &(size - 1).min(3).to_string()])?;
    }
    let map = peers[0].ask(&["overlay", "map"])?;
    let ring: Vec<&str> = map["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|n| n["name"].as_str())
        .collect();
    story.say(format!(
        "{size} daemons joined one ring; {} sees {}",
        peers[0].name(),
        ring.join(", ")
    ));
    let stored = peers[0].ask(&["overlay", "put", "greeting", "hello from the first peer"])?;
    story.say(format!(
        "put on {}: replicas on {}",
        peers[0].name(),
        stored["replicas"]
    ));
    let last = size - 1;
    let value = get(&peers[last], "greeting")?;
    story.say(format!("get on {}: {value:?}", peers[last].name()));

    let victim = (1..last).next().unwrap_or(1);
    peers[victim].kill();
    story.say(format!("{} was killed with SIGKILL", peers[victim].name()));
    for (index, peer) in peers.iter().enumerate().filter(|(i, _)| *i != victim) {
        let value = get(peer, "greeting")?;
        if value != "hello from the first peer" {
            return Err(LabError::new(format!("peer {index} reads {value:?}")));
        }
    }
    story.say("every other peer still reads the value");
    peers[victim].start()?;
    peers[victim].ask(&["wait", "overlay"])?;
    story.say(format!(
        "{} was started again, rejoined by itself and reads {:?}",
        peers[victim].name(),
        get(&peers[victim], "greeting")?
    ));
    for peer in &mut peers {
        peer.stop()?;
    }
    Ok(())
}

/// One daemon for each host of `net`, with the first as bootstrap peer; nothing runs yet.
pub fn overlay_daemons(lab: &Lab, net: &Star, binaries: &Path) -> Result<Vec<Daemon>, LabError> {
    let mut daemons = Vec::new();
    let mut entries = Vec::new();
    for (number, host) in net.hosts.iter().enumerate() {
        let daemon = Daemon::prepare(
            lab.directory(),
            &host.namespace,
            &format!("peer{}", number + 1),
            binaries,
        )?;
        daemon.configure(&DaemonConfig::default())?;
        let hit = daemon.hit()?;
        entries.push(peer_entry(&daemon, &hit, &[host.v4.to_string()]));
        daemons.push(daemon);
    }
    let first = entries.first().map(|e| e.hit.clone()).unwrap_or_default();
    for (number, daemon) in daemons.iter().enumerate() {
        let bootstrap = if number == 0 {
            String::new()
        } else {
            format!("bootstrap = [{first:?}]\n")
        };
        let toml = format!(
            "[overlay]\nenabled = true\ntransport = \"hit\"\nname = \"demo.example\"\n{bootstrap}"
        );
        let own = number;
        let peers = entries
            .iter()
            .enumerate()
            .filter(|(n, _)| *n != own)
            .map(|(_, e)| e.clone())
            .collect();
        daemon.configure(&DaemonConfig { toml, peers })?;
    }
    Ok(daemons)
}

/// The single value of `resource` as `daemon` reads it.
pub fn get(daemon: &Daemon, resource: &str) -> Result<String, LabError> {
    let found = daemon.ask(&["overlay", "get", resource])?;
    let value = &found["values"][0]["value"];
    value
        .as_str()
        .or_else(|| value["text"].as_str())
        .map(str::to_owned)
        .ok_or_else(|| {
            LabError::new(format!(
                "{}: no value for {resource}: {found}",
                daemon.name()
            ))
        })
}

/// Opens two hosts on two networks and waits for Enter (or the end of standard input).
pub fn open_lab(binaries: &Path) -> Result<(), LabError> {
    let lab = Lab::new()?;
    let net = topology::two_networks(&lab)?;
    let [mut alice, mut bob] = alice_and_bob(&lab, &net, binaries, "")?;
    alice.start()?;
    bob.start()?;
    for (daemon, host) in [(&alice, &net.a), (&bob, &net.b)] {
        println!(
            "{}: ip netns exec {} bash; hipctl --socket {} status",
            daemon.name(),
            host.namespace.name(),
            daemon.socket().display()
        );
    }
    println!("press Enter to take it down");
    let _ = std::io::stdin().read_line(&mut String::new());
    alice.stop()?;
    bob.stop()
}
