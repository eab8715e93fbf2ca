//! Rules of the storage methods, asked of single nodes.

use std::time::Duration;

use super::harness::{WALL_START, World, test_config};
use crate::command::{Command, CommandResult, Selector};
use crate::config::KindId;
use crate::id::{NodeId, ResourceId};
use crate::ring::Position;
use crate::wire::Encode;
use crate::wire::body::{Body, ErrorCode};
use crate::wire::contents::parse_body;
use crate::wire::header::ForwardingHeader;
use crate::wire::storage::{
    DataSpecifier, FindKindData, FindReq, KindData, Place, SpecifierReq, StoreReq, StoredData,
};

const SINGLE: KindId = KindId::USER_SINGLE;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn put(world: &mut World, at: NodeId, name: &str, value: &str) -> CommandResult {
    world.put(at, name, SINGLE, Selector::Single, value)
}

/// 6940-7.4.1.1-28 6940-7.4.1.1-29
#[test]
fn a_copy_made_later_lives_no_longer_than_the_original() {
    let (mut world, ids) = World::joined(122, 1);
    put(&mut world, ids[0], "aging", "value").unwrap();
    world.run(secs(100));
    let heirs = world.add(3, &test_config());
    for heir in &heirs {
        world.ask(*heir, Command::Join).unwrap();
    }
    world.run(secs(5));
    world.ask(ids[0], Command::Leave).unwrap();
    world.run(secs(5));
    let values = world.get(heirs[0], "aging", SINGLE);
    assert!(
        (3480..=3500).contains(&values[0].lifetime),
        "{}",
        values[0].lifetime
    );
}

/// 6940-7.4.1.1-07 6940-7.4.1.1-08 6940-7.4.1.1-14 6940-7.4.1.1-15 6940-10.4-05
#[test]
fn replicas_are_taken_only_where_expected_and_from_whom_they_are_plausible() {
    let (mut world, _) = World::joined(123, 10);
    let resource = ResourceId::from_name(b"x");
    let position = Position::from(resource);
    let mut ring = world.ring();
    ring.sort_by_key(|id| position.distance_to((*id).into()));
    let kinds = Vec::new();
    let replica = StoreReq {
        resource,
        replica_number: 1,
        kinds,
    };
    let original = StoreReq {
        replica_number: 0,
        ..replica.clone()
    };
    let mut store = |at: usize, from: usize, request: &StoreReq| {
        let node = world.nodes.get_mut(&ring[at]).unwrap();
        node.on_store_request(ring[from], request)
            .err()
            .map(|error| error.code)
    };
    assert_eq!(store(1, 0, &replica), None);
    assert_eq!(store(2, 1, &replica), None);
    assert_eq!(store(0, 1, &replica), None);
    // Not a holder; and a holder, but a sender that has no business with it.
    assert_eq!(store(4, 0, &replica), Some(ErrorCode::FORBIDDEN));
    assert_eq!(store(2, 4, &replica), Some(ErrorCode::FORBIDDEN));
    // 6940-7.4.1.1-06: originals at the responsible peer alone
    assert_eq!(store(0, 4, &original), None);
    assert_eq!(store(1, 4, &original), Some(ErrorCode::NOT_FOUND));
}

/// 6940-7.4.1.1-18 6940-7.4.1.1-19
#[test]
fn replicas_take_over_the_generation_counter() {
    let (mut world, ids) = World::joined(124, 3);
    for value in ["one", "two", "three"] {
        put(&mut world, ids[0], "counted", value).unwrap();
    }
    world.run(secs(2));
    let key = (ResourceId::from_name(b"counted"), SINGLE);
    for node in world.nodes.values() {
        assert_eq!(node.store.generation(&key), 3);
    }
}

#[test]
fn a_generation_counter_at_its_end_begins_again_at_one() {
    let (mut world, _) = World::joined(128, 3);
    let resource = ResourceId::from_name(b"endless");
    let mut ring = world.ring();
    ring.sort_by_key(|id| Position::from(resource).distance_to((*id).into()));
    let value = Some(b"first".to_vec());
    let writer = &world.nodes[&ring[1]];
    let signature = writer.security.sign_data(
        &resource,
        SINGLE,
        WALL_START,
        &Place::Single,
        value.as_deref(),
    );
    let data = StoredData {
        storage_time: WALL_START,
        lifetime: 3600,
        place: Place::Single,
        value,
        signature: signature.unwrap(),
    };
    let replica = StoreReq {
        resource,
        replica_number: 1,
        kinds: vec![KindData {
            kind: SINGLE,
            generation: u64::MAX,
            values: data.to_bytes().unwrap(),
        }],
    };
    let responsible = world.nodes.get_mut(&ring[0]).unwrap();
    responsible.on_store_request(ring[1], &replica).unwrap();
    let key = (resource, SINGLE);
    assert_eq!(responsible.store.generation(&key), u64::MAX);
    put(&mut world, ring[1], "endless", "second").unwrap();
    assert_eq!(world.nodes[&ring[0]].store.generation(&key), 1);
}

/// 6940-7.4.2.1-08
#[test]
fn a_fetch_with_the_present_generation_brings_no_values() {
    let (mut world, ids) = World::joined(125, 1);
    put(&mut world, ids[0], "known", "value").unwrap();
    let node = &world.nodes[&ids[0]];
    let fetch = |generation| {
        let request = SpecifierReq {
            resource: ResourceId::from_name(b"known"),
            specifiers: vec![DataSpecifier {
                kind: SINGLE,
                generation,
                model_specifier: vec![],
            }],
        };
        let (Body::FetchAns(answer), _) = node.on_fetch_request(&request) else {
            panic!("refused");
        };
        (
            answer.kinds[0].generation,
            answer.kinds[0].values.is_empty(),
        )
    };
    assert_eq!(
        (fetch(0), fetch(1), fetch(2)),
        ((1, false), (1, true), (1, false))
    );
}

/// 6940-7.4.4.1-03 6940-7.4.4.2-02 6940-7.4.4.2-05
#[test]
fn find_refuses_repeated_kinds_and_foreign_resources() {
    let (world, _) = World::joined(126, 4);
    let resource = ResourceId::from_name(b"x");
    let holders = world.holders(resource);
    let find = |at: usize, kinds: &[KindId]| {
        let request = FindReq {
            resource,
            kinds: kinds.to_vec(),
        };
        let found = world.nodes[&holders[at]].on_find_request(&request);
        found.map_err(|error| error.code)
    };
    assert_eq!(find(1, &[SINGLE]), Err(ErrorCode::NOT_FOUND));
    assert_eq!(find(0, &[SINGLE, SINGLE]), Err(ErrorCode::INVALID_MESSAGE));
    let Ok(Body::FindAns(answer)) = find(0, &[KindId(0x77)]) else {
        panic!("refused");
    };
    assert_eq!(answer.results[0].closest, FindKindData::NONE);
}

/// 6940-10.4-03
#[test]
fn replica_numbers_count_the_successors() {
    let (mut world, ids) = World::joined(127, 6);
    world.sent.clear();
    put(&mut world, ids[0], "numbered", "value").unwrap();
    world.run(secs(2));
    let holders = world.holders(ResourceId::from_name(b"numbered"));
    let mut numbers = Vec::new();
    for (from, to, bytes) in &world.sent {
        let (_, body) = ForwardingHeader::parse(bytes).unwrap();
        let (_, contents, _) = parse_body(body).unwrap();
        if let Ok(Some(Body::StoreReq(request))) = Body::decode(contents.code, &contents.body)
            && *from == holders[0]
        {
            numbers.push((*to, request.replica_number));
        }
    }
    assert_eq!(numbers, [(holders[1], 1), (holders[2], 2)]);
}
