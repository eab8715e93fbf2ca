//! What one packet costs: sealing and opening per suite, the replay window, BEET.
//!
//! Run: `cargo bench -p hip-esp`. Figures and how they compare: docs/performance.md.

#![allow(missing_docs, reason = "criterion makes public functions")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hip_esp::replay::ReplayWindow;
use hip_esp::{OpenedBatch, OuterHeader, SealedBatch};
use hip_wire::registry::EspSuite;
use support::*;

const PACKETS: usize = 46;

fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    for suite in SUITES {
        let mut world = World::new(suite);
        let lsi = tcp4(&world, 1360);
        for (name, inner) in [
            ("hit-1400", tcp6(1340)),
            ("lsi-1400", lsi),
            ("hit-64", udp6(16)),
        ] {
            let mut batch = SealedBatch::new();
            group.throughput(Throughput::Elements(PACKETS as u64));
            group.bench_function(format!("{}/{name}", suite.name()), |bencher| {
                bencher.iter(|| {
                    batch.clear();
                    for _ in 0..PACKETS {
                        black_box(world.a.outbound.seal(black_box(&inner), &mut batch));
                    }
                });
            });
        }
    }
    group.finish();
}

fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    for suite in SUITES {
        let mut world = World::new(suite);
        let lsi = tcp4(&world, 1360);
        for (name, inner) in [
            ("hit-1400", tcp6(1340)),
            ("lsi-1400", lsi),
            ("hit-64", udp6(16)),
        ] {
            let (mut sealed, mut opened) = (SealedBatch::new(), OpenedBatch::new());
            group.throughput(Throughput::Elements(PACKETS as u64));
            let World { a, b, .. } = &mut world;
            group.bench_function(format!("{}/{name}", suite.name()), |bencher| {
                bencher.iter_batched(
                    || {
                        sealed.clear();
                        for _ in 0..PACKETS {
                            a.outbound.seal(&inner, &mut sealed);
                        }
                        sealed
                            .packets()
                            .map(|(_, esp)| esp.to_vec())
                            .collect::<Vec<_>>()
                    },
                    |mut packets| {
                        opened.clear();
                        for esp in &mut packets {
                            let outer = OuterHeader::default();
                            let _ = black_box(b.inbound.open(esp, outer, &mut opened));
                        }
                        packets
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn replay(criterion: &mut Criterion) {
    let mut window = ReplayWindow::default();
    let mut next = 0_u64;
    criterion.bench_function("replay/in-order", |bencher| {
        bencher.iter(|| {
            next += 1;
            let sequence = window.infer(black_box((next & 0xffff_ffff) as u32));
            if let Some(sequence) = sequence.filter(|&sequence| window.check(sequence).is_ok()) {
                window.commit(sequence);
            }
        });
    });
}

/// The whole way without cryptography to speak of: NULL with a 16-octet ICV over a short packet
/// is dominated by it, so BEET is the difference between the rows `hit` and `lsi` of one suite.
fn refused(criterion: &mut Criterion) {
    let mut world = World::new(EspSuite::AesGcm16);
    let esp = world.seal(&udp6(1000));
    let _ = world.open(&esp);
    let mut batch = OpenedBatch::new();
    criterion.bench_function("open/replayed", |bencher| {
        let mut copy = esp.clone();
        bencher.iter(|| {
            let outer = OuterHeader::default();
            black_box(
                world
                    .b
                    .inbound
                    .open(black_box(&mut copy), outer, &mut batch),
            )
        });
    });
    let large = udp6(3000);
    let mut sealed = SealedBatch::new();
    criterion.bench_function("seal/too-big", |bencher| {
        bencher.iter(|| {
            sealed.clear();
            black_box(world.a.outbound.seal(black_box(&large), &mut sealed))
        });
    });
}

criterion_group!(benches, seal, open, replay, refused);
criterion_main!(benches);
