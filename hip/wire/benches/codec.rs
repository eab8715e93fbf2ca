//! What the codec costs for the packets of a recorded base exchange: `cargo xtask bench codec`.
//!
//! Throughput counts the octets of the HIP packet.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hip_wire::builder::write_checksum;
use hip_wire::show::HipPacket;
use hip_wire::{Packet, PacketBuilder, PacketType, R1Template};
use serde_json::Value;

/// Recorded from another implementation: RSA-2048 identities, P-256 Diffie-Hellman.
const EXCHANGES: &str = include_str!("../../../tests/vectors/base-exchanges.json");
const TYPES: [PacketType; 4] = [
    PacketType::I1,
    PacketType::R1,
    PacketType::I2,
    PacketType::Update,
];

struct Recorded {
    bytes: Vec<u8>,
    src: IpAddr,
    dst: IpAddr,
}

impl Recorded {
    fn read(packet: &Value) -> Self {
        let text = |name: &str| packet[name].as_str().expect("a string");
        let octet = |at: usize| u8::from_str_radix(&text("hex")[at..at + 2], 16).expect("hex");
        Self {
            bytes: (0..text("hex").len()).step_by(2).map(octet).collect(),
            src: text("src").parse().expect("an address"),
            dst: text("dst").parse().expect("an address"),
        }
    }

    fn packet(&self) -> Packet<'_> {
        Packet::parse(&self.bytes).expect("a HIP packet")
    }
}

/// The first packet of each of [`TYPES`].
fn recorded() -> Vec<Recorded> {
    let exchanges: Value = serde_json::from_str(EXCHANGES).expect("JSON");
    let packets = exchanges[0]["hip_packets"].as_array().expect("a list");
    let packets: Vec<Recorded> = packets.iter().map(Recorded::read).collect();
    let of_type = |ty| {
        let mut all = packets.iter();
        all.position(|recorded| recorded.packet().packet_type() == ty)
    };
    let places = TYPES.map(|ty| of_type(ty).expect("a recorded packet of the type"));
    let mut packets: Vec<Option<Recorded>> = packets.into_iter().map(Some).collect();
    places
        .into_iter()
        .filter_map(|place| packets[place].take())
        .collect()
}

/// One row for each recorded packet.
fn each(c: &mut Criterion, name: &str, mut measured: impl FnMut(&Recorded)) {
    let mut group = c.benchmark_group(name);
    for recorded in recorded() {
        group.throughput(Throughput::Bytes(recorded.bytes.len() as u64));
        let row = BenchmarkId::from_parameter(recorded.packet().packet_type());
        group.bench_function(row, |bencher| {
            bencher.iter(|| measured(black_box(&recorded)));
        });
    }
    group.finish();
}

fn parse(c: &mut Criterion) {
    each(c, "parse", |recorded| {
        black_box(recorded.packet());
    });
    each(c, "parse and verify checksum", |recorded| {
        let checked = recorded
            .packet()
            .verify_checksum(recorded.src, recorded.dst);
        checked.expect("as recorded");
    });
}

/// The octets a signature of the packet covers, as its receiver makes them.
fn covered(c: &mut Criterion) {
    each(c, "signature input", |recorded| {
        let _ = black_box(recorded.packet().signature_input());
    });
}

fn build(c: &mut Criterion) {
    each(c, "build", |recorded| {
        let packet = recorded.packet();
        let mut builder =
            PacketBuilder::new(packet.packet_type(), packet.sender(), packet.receiver());
        for param in packet.params() {
            builder
                .push_raw(param.ty, param.contents)
                .expect("in order");
        }
        black_box(builder.finish());
    });
}

/// The answer to an I1, raw HIP: what a storm of them costs in the codec.
fn r1_from_template(c: &mut Criterion) {
    let mut packets = recorded();
    let r1 = packets.swap_remove(1);
    let (receiver, len) = (r1.packet().receiver(), r1.bytes.len());
    let template = R1Template::new(r1.bytes).expect("an R1");
    let random = vec![0x5a; template.random_len()];
    let (src, dst) = (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into());
    let mut group = c.benchmark_group("R1 from template");
    group.throughput(Throughput::Bytes(len as u64));
    group.bench_function("without checksum", |bencher| {
        bencher.iter(|| template.instantiate(black_box(receiver), [1, 2], black_box(&random)));
    });
    group.bench_function("with checksum", |bencher| {
        bencher.iter(|| {
            let mut made = template
                .instantiate(black_box(receiver), [1, 2], black_box(&random))
                .expect("a fitting #I");
            write_checksum(&mut made, src, dst).expect("one family");
            made
        });
    });
    group.finish();
}

fn print(c: &mut Criterion) {
    let mut text = String::new();
    each(c, "print", |recorded| {
        text.clear();
        write!(text, "{}", HipPacket(&recorded.bytes)).expect("a String takes it");
        black_box(&text);
    });
}

criterion_group!(benches, parse, covered, build, r1_from_template, print);
criterion_main!(benches);
