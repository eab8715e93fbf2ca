//! Base exchanges per second with both ends on one core, and the cost of answering I1.
//!
//! `cargo bench -p hip-core`. The figure for one end is about twice that of both.

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use hip_core::{Host, HostConfig, Input, Output, Path, PeerLocator, StateName, Transport};
use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
use hip_crypto::rng::SeededRng;
use hip_wire::registry::DhGroup;
use hip_wire::time::Instant;

const NOW: Instant = Instant::from_secs(1);

struct Ends {
    initiator: Host,
    responder: Host,
}

fn addresses() -> [IpAddr; 2] {
    ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().expect("literal"))
}

fn host(identity: &Arc<HostIdentity>, group: DhGroup, address: IpAddr, seed: u64) -> Host {
    let config = HostConfig {
        dh_groups: vec![group],
        ..HostConfig::default()
    };
    let rng = Box::new(SeededRng::new(seed));
    let mut host = Host::new(config, identity.clone(), rng);
    host.handle(NOW, Input::LocalAddresses(vec![address]));
    host
}

/// The first packet a host wants to send, seen from the other end.
fn packet(host: &mut Host) -> Option<(Path, Vec<u8>)> {
    let mut sent = None;
    while let Some(output) = host.poll() {
        if let Output::Send { path, bytes } = output {
            let path = Path {
                local: path.remote,
                remote: path.local,
                ..path
            };
            sent = Some((path, bytes));
        }
    }
    sent
}

/// I1 to R2.
fn exchange(mut ends: Ends) -> Ends {
    let peer = ends.responder.hit();
    ends.initiator.handle(NOW, Input::Connect { peer });
    let (mut from, mut to) = (&mut ends.initiator, &mut ends.responder);
    while let Some((path, bytes)) = packet(from) {
        to.handle(
            NOW,
            Input::Packet {
                path,
                bytes: &bytes,
            },
        );
        std::mem::swap(&mut from, &mut to);
    }
    let view = ends.initiator.association(peer, NOW).expect("association");
    assert_eq!(view.state, StateName::Established);
    ends
}

fn base_exchange(c: &mut Criterion) {
    let mut group = c.benchmark_group("base exchange, both ends");
    group.throughput(Throughput::Elements(1));
    let cases = [
        (
            "P-256 identity, P-256 DH",
            KeyAlgorithm::EcdsaP256,
            DhGroup::EcpP256,
        ),
        (
            "P-384 identity, P-384 DH",
            KeyAlgorithm::EcdsaP384,
            DhGroup::EcpP384,
        ),
        (
            "Ed25519 identity, P-256 DH",
            KeyAlgorithm::Ed25519,
            DhGroup::EcpP256,
        ),
        (
            "RSA-2048 identity, P-256 DH",
            KeyAlgorithm::Rsa2048,
            DhGroup::EcpP256,
        ),
    ];
    for (name, algorithm, dh_group) in cases {
        let identities = [1, 2].map(|seed| {
            let mut rng = SeededRng::new(seed);
            Arc::new(HostIdentity::generate(algorithm, &mut rng).expect("key"))
        });
        let [a, b] = addresses();
        let mut seed = 0;
        // Hosts are made outside of the measured part: their first R1s are precomputed.
        let mut ends = || {
            seed += 1;
            let responder = host(&identities[1], dh_group, b, seed);
            let mut initiator = host(&identities[0], dh_group, a, seed + (1 << 32));
            let locators = vec![PeerLocator::udp(SocketAddr::new(b, 10500))];
            initiator.handle(
                NOW,
                Input::Locators {
                    peer: responder.hit(),
                    locators,
                },
            );
            Ends {
                initiator,
                responder,
            }
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(&mut ends, exchange, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn answer_i1(c: &mut Criterion) {
    let identity = |seed| {
        let mut rng = SeededRng::new(seed);
        Arc::new(HostIdentity::generate(KeyAlgorithm::EcdsaP256, &mut rng).expect("key"))
    };
    let [a, b] = addresses();
    let mut initiator = host(&identity(1), DhGroup::EcpP256, a, 1);
    let mut config = HostConfig::default();
    config.limits.r1_per_second = u32::MAX;
    config.limits.r1_burst = u32::MAX;
    let mut responder = Host::new(config, identity(2), Box::new(SeededRng::new(2)));
    let peer = responder.hit();
    let locators = vec![PeerLocator::udp(SocketAddr::new(b, 10500))];
    initiator.handle(NOW, Input::Locators { peer, locators });
    initiator.handle(NOW, Input::Connect { peer });
    let (path, i1) = packet(&mut initiator).expect("I1");
    assert_eq!(path.transport, Transport::Udp);
    let mut group = c.benchmark_group("responder under a storm");
    group.throughput(Throughput::Elements(1));
    group.bench_function("I1 to R1", |bencher| {
        bencher.iter(|| {
            responder.handle(
                NOW,
                Input::Packet {
                    path,
                    bytes: black_box(&i1),
                },
            );
            packet(&mut responder).expect("R1")
        });
    });
    group.finish();
}

criterion_group!(benches, base_exchange, answer_i1);
criterion_main!(benches);
