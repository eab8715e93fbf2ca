//! tshark's RELOAD dissector as an oracle: it has to find nothing wrong with what we send.
#![allow(clippy::disallowed_methods)] // the oracle is a program that reads a file

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command as Process;

use super::harness::World;
use crate::command::{Command, FetchCommand, Selector, Target};
use crate::config::KindId;
use crate::id::{NodeId, ResourceId};
use crate::wire::framing::{AckState, Frame};

/// The IANA port of RELOAD links.
const PORT: u16 = 6084;

/// A capture of TCP segments over IPv6, raw IP link type.
struct Capture {
    bytes: Vec<u8>,
    next: BTreeMap<(NodeId, NodeId), u32>,
}

impl Capture {
    fn new() -> Self {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 0x0004_0000, 101] {
            bytes.extend(word.to_ne_bytes());
        }
        // Version 2.4 is two 16-bit numbers.
        bytes[4..8].copy_from_slice(&[2, 0, 4, 0]);
        Self {
            bytes,
            next: BTreeMap::new(),
        }
    }

    fn segment(&mut self, from: NodeId, to: NodeId, payload: &[u8]) {
        let ports = if from < to {
            (50_000, PORT)
        } else {
            (PORT, 50_000)
        };
        let sequence = *self.next.get(&(from, to)).unwrap_or(&1);
        let ack = *self.next.get(&(to, from)).unwrap_or(&1);
        self.next
            .insert((from, to), sequence + u32::try_from(payload.len()).unwrap());
        let mut tcp = Vec::new();
        tcp.extend(u16::to_be_bytes(ports.0));
        tcp.extend(u16::to_be_bytes(ports.1));
        tcp.extend(sequence.to_be_bytes());
        tcp.extend(ack.to_be_bytes());
        tcp.extend([0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(payload);
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(u16::try_from(tcp.len()).unwrap().to_be_bytes());
        packet.extend([6, 64]);
        packet.extend(from.as_bytes());
        packet.extend(to.as_bytes());
        packet.extend(tcp);
        let length = u32::try_from(packet.len()).unwrap();
        for word in [0, 0, length, length] {
            self.bytes.extend(word.to_ne_bytes());
        }
        self.bytes.extend(packet);
    }
}

/// An overlay's life with every method of first light, as its links carry it.
fn traffic() -> (Capture, usize) {
    let (mut world, ids) = World::joined(301, 6);
    let key = Selector::Key(b"key".to_vec());
    world
        .put(ids[1], "a", KindId::USER_SINGLE, Selector::Single, "value")
        .unwrap();
    world
        .put(ids[1], "a", KindId::USER_ARRAY, Selector::Index(2), "value")
        .unwrap();
    world
        .put(ids[1], "a", KindId::USER_DICTIONARY, key, "value")
        .unwrap();
    for kind in [
        KindId::USER_SINGLE,
        KindId::USER_ARRAY,
        KindId::USER_DICTIONARY,
    ] {
        world.get(ids[4], "a", kind);
        world.get(ids[2], "a", kind);
        let resource = ResourceId::from_name(b"a");
        let stat = FetchCommand {
            resource,
            kind,
            selectors: Vec::new(),
        };
        world.ask(ids[3], Command::Stat(stat)).unwrap();
    }
    let resource = ResourceId::from_name(b"a");
    let kinds = vec![KindId::USER_SINGLE];
    world
        .ask(ids[2], Command::Find { resource, kinds })
        .unwrap();
    world
        .ask(ids[2], Command::Probe(Target::Resource(resource)))
        .unwrap();
    world.ask(ids[2], Command::Map { limit: 10 }).unwrap();
    world
        .ask(ids[2], Command::Trace(Target::Resource(resource)))
        .unwrap();
    world
        .put(ids[3], "a", KindId::USER_SINGLE, Selector::Single, "theft")
        .unwrap_err();
    world.ask(ids[5], Command::Leave).unwrap();
    let mut capture = Capture::new();
    let mut sequences: BTreeMap<(NodeId, NodeId), u32> = BTreeMap::new();
    let mut acks: BTreeMap<(NodeId, NodeId), AckState> = BTreeMap::new();
    for (from, to, message) in &world.sent {
        let sequence = sequences.entry((*from, *to)).or_default();
        let frame = Frame::Data {
            sequence: *sequence,
            message: message.clone(),
        };
        capture.segment(*from, *to, &frame.to_bytes().unwrap());
        let ack = acks.entry((*from, *to)).or_default().receive(*sequence);
        capture.segment(*to, *from, &ack.to_bytes().unwrap());
        *sequence += 1;
    }
    (capture, world.sent.len())
}

/// Runs tshark over a capture; `None` when it is not installed.
fn tshark(name: &str, capture: &Capture, arguments: &[&str]) -> Option<String> {
    let file = std::env::temp_dir().join(format!("reload-core-{}-{name}.pcap", std::process::id()));
    std::fs::write(&file, &capture.bytes).unwrap();
    let output = Process::new("tshark")
        .arg("-r")
        .arg(&file)
        .args(arguments)
        .output();
    std::fs::remove_file(&file).unwrap();
    let text = output
        .ok()
        .map(|output| String::from_utf8(output.stdout).unwrap());
    if text.is_none() {
        println!("tshark is not installed: skipped");
    }
    text
}

/// Malformed packets, and warnings or worse of the expert system.
const FAULTS: &[&str] = &[
    "-V",
    "-Y",
    "_ws.malformed || (_ws.expert.severity >= 6291456 && reload)",
];

/// 6940-14.8-01 6940-14.8-02 6940-6.3.3-01 6940-6.3.3-02 6940-6.3.4-01 6940-6.3.4-02
/// 6940-10.7-01 6940-6.5.1.1-04 6940-7.4.1.1-01 6940-7.4.2.1-01
#[test]
fn wireshark_finds_nothing_wrong_with_our_messages() {
    let (capture, messages) = traffic();
    let Some(faults) = tshark("good", &capture, FAULTS) else {
        return;
    };
    assert_eq!(faults, "");
    let fields = ["-Y", "reload", "-T", "fields", "-e", "reload.message.code"];
    let codes = tshark("codes", &capture, &fields).unwrap();
    let codes: Vec<&str> = codes.lines().flat_map(|line| line.split(',')).collect();
    assert_eq!(codes.len(), messages);
    let seen: BTreeSet<u32> = codes.iter().map(|code| code.parse().unwrap()).collect();
    let all = [
        1, 2, 3, 4, 7, 8, 9, 0xa, 0xd, 0xe, 0xf, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
        0x18, 0x19, 0x1a, 0xffff,
    ];
    assert_eq!(seen, all.into());
}

#[test]
fn wireshark_does_find_what_is_wrong() {
    let (world, _) = World::joined(302, 2);
    let (from, to, message) = &world.sent[0];
    let mut message = message.clone();
    // The length of the Via List.
    message[33] = 200;
    let mut capture = Capture::new();
    capture.segment(
        *from,
        *to,
        &Frame::Data {
            sequence: 0,
            message,
        }
        .to_bytes()
        .unwrap(),
    );
    if let Some(faults) = tshark("bad", &capture, FAULTS) {
        assert_ne!(faults, "");
    }
}
