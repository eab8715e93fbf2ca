//! What one exchange and one packet cost: `cargo bench -p hip-crypto`.
//!
//! Sizes are those of inner packets; throughput counts the octets between IV and ICV.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hip_crypto::{
    EspKeys, EspOpener, EspSealer, HostIdentity, KeyAlgorithm, Keymat, Rhash, Rng, Secret,
    SeededRng, aead, dh::DhPrivate, puzzle::Solver,
};
use hip_wire::{
    hit::Hit,
    registry::{DhGroup, EspSuite, HipCipher},
};

const KEYS: [KeyAlgorithm; 6] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::EcdsaSecp160r1,
    KeyAlgorithm::Dsa1024,
];
const TEXTS: [usize; 3] = [64, 512, 1408];

fn signatures(c: &mut Criterion) {
    let message = [0x5a; 600];
    let mut group = c.benchmark_group("signature");
    for algorithm in KEYS {
        let host = HostIdentity::generate(algorithm, &mut SeededRng::new(1)).expect("key");
        let signature = host.sign(&message).expect("signed");
        group.bench_function(format!("sign/{algorithm}"), |b| {
            b.iter(|| host.sign(black_box(&message)).expect("signed"));
        });
        group.bench_function(format!("verify/{algorithm}"), |b| {
            b.iter(|| {
                host.public()
                    .verify(black_box(&message), &signature)
                    .expect("valid")
            });
        });
    }
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384] {
        let host = HostIdentity::from_seed(algorithm, 1).expect("key");
        group.bench_function(format!("sign/portable/{algorithm}"), |b| {
            b.iter(|| host.sign(black_box(&message)).expect("signed"));
        });
    }
    group.finish();
}

fn exchange(c: &mut Criterion) {
    let mut group = c.benchmark_group("exchange");
    for &curve in DhGroup::ALL {
        let mut rng = SeededRng::new(1);
        let ours = DhPrivate::generate(curve, &mut rng).expect("group");
        let theirs = DhPrivate::generate(curve, &mut rng).expect("group");
        group.bench_function(format!("dh/generate/{}", curve.name()), |b| {
            b.iter(|| DhPrivate::generate(curve, &mut rng).expect("group"));
        });
        group.bench_function(format!("dh/agree/{}", curve.name()), |b| {
            b.iter(|| {
                ours.agree(black_box(theirs.public_value()))
                    .expect("agreed")
            });
        });
    }
    let (hit_i, hit_r) = (Hit::NULL, Hit::from_bytes([1; 16]));
    for rhash in [Rhash::Sha256, Rhash::Sha384, Rhash::Cshake128] {
        let kij = Secret::new(vec![1; 32]);
        let salt = vec![2; rhash.len()];
        group.bench_function(format!("keymat/{rhash:?}"), |b| {
            b.iter(|| {
                let mut keymat = Keymat::new(rhash, black_box(&kij), &salt, &salt, hit_i, hit_r);
                let hip = keymat.hip_keys(HipCipher::Aes128Cbc).expect("drawn");
                (hip, keymat.esp_keys(EspSuite::AesGcm16).expect("drawn"))
            });
        });
        let mut solver = Solver::new(rhash, 255, &salt, hit_i, hit_r, &salt).expect("lengths");
        group.bench_function(format!("puzzle/try/{rhash:?}"), |b| {
            b.iter(|| solver.solve(1));
        });
    }
    group.finish();
}

fn packets(c: &mut Criterion) {
    let mut group = c.benchmark_group("esp");
    for &suite in EspSuite::ALL {
        let keys = keys(suite);
        let sealer = EspSealer::new(&keys).expect("keys");
        let opener = EspOpener::new(&keys).expect("keys");
        for text in TEXTS {
            let mut body = vec![0; suite.iv_len() + text + suite.icv_len()];
            group.throughput(Throughput::Bytes(u64::try_from(text).expect("size")));
            let mut seq = 0;
            group.bench_function(format!("seal/{suite}/{text}"), |b| {
                b.iter(|| {
                    seq += 1;
                    sealer
                        .seal(1000, seq, &[7; 16], black_box(&mut body))
                        .expect("sealed");
                });
            });
            sealer.seal(1000, 1, &[7; 16], &mut body).expect("sealed");
            let mut packet = body.clone();
            // Opening needs a fresh packet each time; the copy is part of the time.
            group.bench_function(format!("open/{suite}/{text}"), |b| {
                b.iter(|| {
                    packet.copy_from_slice(&body);
                    opener
                        .open(1000, 1, black_box(&mut packet))
                        .expect("opened")
                });
            });
        }
    }
    group.finish();
}

fn keys(suite: EspSuite) -> EspKeys {
    let mut rng = SeededRng::new(1);
    let lengths = aead::key_lengths(suite);
    let mut draw = |octets| {
        let mut key = vec![0; octets];
        rng.fill(&mut key);
        Secret::new(key)
    };
    EspKeys {
        suite,
        encryption: draw(lengths.encryption),
        authentication: draw(lengths.authentication),
    }
}

criterion_group!(benches, signatures, exchange, packets);
criterion_main!(benches);
