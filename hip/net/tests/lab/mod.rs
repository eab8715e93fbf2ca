//! Two network namespaces joined by a veth pair, and hosts in them.

use std::{
    fs::File,
    net::{IpAddr, Ipv6Addr},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use hip_core::{Event, Transport};
use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
use hip_net::{
    HipHost, HipHostConfig,
    hosts::{HostEntry, HostLocator, HostsFile},
    status::{PeerStatus, Status},
};
use nix::sched::{CloneFlags, setns};

static LABS: AtomicU32 = AtomicU32::new(0);

/// Two namespaces, removed with the value.
pub(crate) struct Lab {
    names: [String; 2],
}

impl Lab {
    /// Makes the namespaces; `None`, with a message, where that is not possible.
    pub(crate) fn new() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: network namespaces need root");
            return None;
        }
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let name = |side: char| format!("hipnet-{}-{number}-{side}", std::process::id());
        let lab = Self {
            names: [name('a'), name('b')],
        };
        for name in &lab.names {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        let [a, b] = &lab.names;
        ip(&[
            "-n", a, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", b,
        ]);
        for (side, name) in lab.names.iter().enumerate() {
            let (v4, v6) = (
                format!("{}/24", address(side, false)),
                format!("{}/64", address(side, true)),
            );
            ip(&["-n", name, "addr", "add", &v4, "dev", "veth0"]);
            ip(&["-n", name, "addr", "add", &v6, "dev", "veth0", "nodad"]);
            ip(&["-n", name, "link", "set", "veth0", "up"]);
        }
        Some(lab)
    }

    /// Runs `ip` in the namespace of one side.
    pub(crate) fn ip(&self, side: usize, arguments: &[&str]) -> String {
        let mut all = vec!["-n", &self.names[side]];
        all.extend(arguments);
        ip(&all)
    }

    /// Runs a program in the namespace of one side.
    pub(crate) fn run(&self, side: usize, program: &[&str]) -> Output {
        Command::new("ip")
            .args(["netns", "exec", &self.names[side]])
            .args(program)
            .output()
            .expect("ip netns exec")
    }

    /// Runs a function on a thread in the namespace of one side.
    pub(crate) fn inside<T: Send + 'static>(
        &self,
        side: usize,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let path = format!("/var/run/netns/{}", self.names[side]);
        let thread = std::thread::spawn(move || {
            let namespace = File::open(path).expect("namespace");
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("setns");
            run()
        });
        thread.join().expect("thread in namespace")
    }

    /// Starts a host on each side that knows the other.
    pub(crate) fn hosts(&self, transport: Transport, v6: bool) -> [HipHost; 2] {
        let mut side = 0;
        self.configurations(transport, v6).map(|config| {
            side += 1;
            self.inside(side - 1, move || HipHost::start(config))
                .expect("host")
        })
    }

    /// What the hosts of both sides are started with.
    pub(crate) fn configurations(&self, transport: Transport, v6: bool) -> [HipHostConfig; 2] {
        let identities = [identity(1), identity(2)];
        [0, 1].map(|side| {
            let peer = 1 - side;
            let mut hosts = HostsFile::default();
            let locator = match transport {
                Transport::Udp => HostLocator::Udp((address(peer, v6), 10500).into()),
                Transport::Raw => HostLocator::Raw(address(peer, v6)),
            };
            hosts.insert(HostEntry {
                hit: identities[peer].hit(),
                names: vec![format!("host{peer}")],
                locators: vec![locator],
            });
            let mut config = HipHostConfig::new(identities[side].clone());
            config.hosts = hosts;
            config
        })
    }

    /// Sends pings and asserts that every one, the first included, is answered.
    pub(crate) fn ping(&self, side: usize, to: IpAddr, size: usize) {
        let (to, size) = (to.to_string(), size.to_string());
        for number in 1..=3 {
            // One at a time: after a first answer ping waits for two round trips only, whatever -W says.
            let output = self.run(
                side,
                &["ping", "-n", "-c", "1", "-W", "10", "-s", &size, &to],
            );
            let text = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "ping {number} to {to}:\n{text}{error}"
            );
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

/// The address of a side on the veth.
pub(crate) fn address(side: usize, v6: bool) -> IpAddr {
    let text = match (side, v6) {
        (0, false) => "10.77.0.1",
        (_, false) => "10.77.0.2",
        (0, true) => "fd77::1",
        (_, true) => "fd77::2",
    };
    text.parse().expect("address")
}

/// An identity of its own for each number.
pub(crate) fn identity(seed: u64) -> Arc<HostIdentity> {
    Arc::new(HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, seed).expect("identity"))
}

/// Runs a future to its end.
pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("runtime")
        .block_on(future)
}

/// The status of a host.
pub(crate) fn status(host: &HipHost) -> Status {
    block(host.status()).expect("status")
}

/// What a host knows of the only peer.
pub(crate) fn peer(host: &HipHost) -> PeerStatus {
    status(host).peers.into_iter().next().expect("a peer")
}

/// Waits for an event of the host; fails when the host ends or none comes for 20 s.
pub(crate) fn wait_for(
    events: &mut tokio::sync::broadcast::Receiver<Event>,
    wanted: impl Fn(&Event) -> bool,
) -> Event {
    block(async {
        tokio::time::timeout(std::time::Duration::from_secs(20), async {
            loop {
                let event = events.recv().await.expect("host runs");
                if wanted(&event) {
                    return event;
                }
            }
        })
        .await
        .expect("the event came")
    })
}

/// The HIT as an address.
pub(crate) fn hit_of(host: &HipHost) -> Ipv6Addr {
    host.hit().to_addr()
}

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().expect("ip");
    assert!(
        output.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
