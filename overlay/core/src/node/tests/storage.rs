//! Values: putting, getting, surviving, expiring.

use std::time::Duration;

use super::harness::{World, store, test_config};
use crate::command::{
    Answer, Command, CommandError, CommandResult, FetchCommand, Selector, StoreOutcome,
};
use crate::config::KindId;
use crate::id::{NodeId, ResourceId};

const SINGLE: KindId = KindId::USER_SINGLE;
const ARRAY: KindId = KindId::USER_ARRAY;
const DICTIONARY: KindId = KindId::USER_DICTIONARY;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn code_of(result: &CommandResult) -> Option<&'static str> {
    match result {
        Err(CommandError::Refused { name, .. }) => Some(name),
        _ => None,
    }
}

fn put(world: &mut World, at: NodeId, name: &str, value: &str) -> CommandResult {
    world.put(at, name, SINGLE, Selector::Single, value)
}

/// 6940-7.2.1-01 6940-7.2.3-01 6940-7.4.1.1-33 6940-7.4.2.1-07
#[test]
fn any_peer_gets_what_any_peer_put_in_all_three_models() {
    let (mut world, ids) = World::joined(101, 10);
    for (index, writer) in ids.iter().enumerate() {
        let name = format!("of {index}");
        put(&mut world, *writer, &name, &format!("single {index}")).unwrap();
        for element in 0..3 {
            let value = format!("element {element}");
            world
                .put(*writer, &name, ARRAY, Selector::Append, &value)
                .unwrap();
        }
        for key in ["a", "b"] {
            let selector = Selector::Key(key.into());
            world
                .put(
                    *writer,
                    &name,
                    DICTIONARY,
                    selector,
                    &format!("{key} {index}"),
                )
                .unwrap();
        }
    }
    for (index, writer) in ids.iter().enumerate() {
        let name = format!("of {index}");
        let reader = ids[(index + 5) % ids.len()];
        assert_eq!(
            world.get_single(reader, &name),
            Some(format!("single {index}"))
        );
        let array = world.get(reader, &name, ARRAY);
        let elements: Vec<_> = array.iter().map(|value| value.selector.clone()).collect();
        assert_eq!(
            elements,
            [Selector::Index(0), Selector::Index(1), Selector::Index(2)]
        );
        assert!(array.iter().all(|value| value.signer == Some(*writer)));
        let dictionary = world.get(reader, &name, DICTIONARY);
        assert_eq!(dictionary.len(), 2);
        assert_eq!(dictionary[1].selector, Selector::Key(b"b".to_vec()));
        assert_eq!(dictionary[1].value, Some(format!("b {index}").into_bytes()));
    }
}

/// 6940-10.4-01 6940-10.4-02 6940-10.4-04 6940-10.4-06 6940-10.4-07 6940-7.4.1.2-01
/// 6940-7.4.1.1-26 6940-7.4.1.1-27
#[test]
fn a_value_has_three_copies_and_the_answer_names_the_replicas() {
    let (mut world, ids) = World::joined(102, 8);
    let resource = ResourceId::from_name(b"thrice");
    let Ok(Answer::Stored(StoreOutcome {
        generation,
        responder,
        replicas,
    })) = put(&mut world, ids[2], "thrice", "value")
    else {
        panic!("not stored");
    };
    world.run(secs(2));
    let holders = world.holders(resource);
    assert_eq!((generation, responder), (1, holders[0]));
    assert_eq!(replicas, holders[1..]);
    assert_eq!(world.copies(resource), 3);
}

/// 6940-10.7.3-06
#[test]
fn no_single_failure_loses_a_value() {
    let (mut world, ids) = World::joined(103, 6);
    for (index, writer) in ids.iter().enumerate() {
        put(&mut world, *writer, &format!("of {index}"), "kept").unwrap();
    }
    world.run(secs(2));
    // One after the other, with time to heal between: hold-down 30 s.
    for victim in ids.iter().take(4) {
        world.kill(*victim, true);
        world.run(secs(45));
        world.assert_ring();
        let reader = *ids.last().unwrap();
        for index in 0..ids.len() {
            assert_eq!(
                world.get_single(reader, &format!("of {index}")).as_deref(),
                Some("kept")
            );
        }
    }
}

#[test]
fn two_neighbors_failing_at_once_lose_nothing() {
    let (mut world, ids) = World::joined(104, 8);
    for index in 0..20 {
        put(&mut world, ids[index % 8], &format!("of {index}"), "kept").unwrap();
    }
    world.run(secs(2));
    let ring = world.ring();
    world.kill(ring[3], true);
    world.kill(ring[4], true);
    world.run(secs(45));
    world.assert_ring();
    for index in 0..20 {
        assert_eq!(
            world.get_single(ring[0], &format!("of {index}")).as_deref(),
            Some("kept")
        );
    }
}

/// 6940-10.7.1-03 6940-3-05
#[test]
fn replicas_are_made_again_only_after_the_hold_down() {
    let (mut world, ids) = World::joined(105, 8);
    let resource = ResourceId::from_name(b"held");
    put(&mut world, ids[0], "held", "value").unwrap();
    world.run(secs(2));
    let holders = world.holders(resource);
    world.kill(holders[2], true);
    world.run(secs(20));
    assert_eq!(world.copies(resource), 2);
    world.run(secs(15));
    assert_eq!(world.copies(resource), 3);
}

#[test]
fn a_value_of_a_peer_that_leaves_stays_and_has_three_copies_at_once() {
    let (mut world, ids) = World::joined(106, 7);
    let resource = ResourceId::from_name(b"bequest");
    put(&mut world, ids[1], "bequest", "value").unwrap();
    let holder = world.holders(resource)[0];
    assert_eq!(world.ask(holder, Command::Leave), Ok(Answer::Left));
    world.run(secs(5));
    assert_eq!(world.copies(resource), 3);
    assert!(world.disks[&holder].is_empty());
    let reader = *ids.iter().find(|id| **id != holder).unwrap();
    assert_eq!(
        world.get_single(reader, "bequest").as_deref(),
        Some("value")
    );
}

/// 6940-10.5-07 6940-10.5-10 6940-10.7.3-08
#[test]
fn values_follow_the_ring_when_peers_join() {
    let (mut world, ids) = World::joined(107, 2);
    for index in 0..30 {
        put(&mut world, ids[index % 2], &format!("of {index}"), "moved").unwrap();
    }
    let more = world.add(6, &test_config());
    for id in &more {
        assert_eq!(world.ask(*id, Command::Join), Ok(Answer::Joined));
    }
    world.run(secs(40));
    for index in 0..30 {
        let name = format!("of {index}");
        let resource = ResourceId::from_name(name.as_bytes());
        for holder in world.holders(resource) {
            assert!(
                world.nodes[&holder]
                    .store
                    .keys()
                    .any(|(held, _)| *held == resource)
            );
        }
        // Who is out of the replica set has forgotten it.
        assert_eq!(world.copies(resource), 3);
        assert_eq!(
            world.get_single(more[index % 6], &name).as_deref(),
            Some("moved")
        );
    }
}

#[test]
fn a_restarted_peer_brings_its_records_back() {
    let (mut world, ids) = World::joined(108, 1);
    put(&mut world, ids[0], "durable", "value").unwrap();
    world.kill(ids[0], true);
    world.run(secs(60));
    world.start(ids[0]);
    assert_eq!(world.ask(ids[0], Command::Join), Ok(Answer::Joined));
    assert_eq!(
        world.get_single(ids[0], "durable").as_deref(),
        Some("value")
    );
    let values = world.get(ids[0], "durable", SINGLE);
    // Held for a minute: the lifetime has gone down by it.
    assert!(
        (3530..=3540).contains(&values[0].lifetime),
        "{}",
        values[0].lifetime
    );
}

/// 6940-7.4.1.1-30 6940-7.4.1.1-31
#[test]
fn a_stale_record_of_a_restarted_peer_does_not_replace_a_newer_value() {
    let (mut world, ids) = World::joined(109, 5);
    let resource = ResourceId::from_name(b"fresh");
    put(&mut world, ids[0], "fresh", "old").unwrap();
    world.run(secs(2));
    let holders = world.holders(resource);
    let victim = *holders.iter().find(|id| **id != ids[0]).unwrap();
    world.kill(victim, true);
    world.run(secs(10));
    put(&mut world, ids[0], "fresh", "new").unwrap();
    world.start(victim);
    assert_eq!(world.ask(victim, Command::Join), Ok(Answer::Joined));
    world.run(secs(40));
    for id in &ids {
        assert_eq!(world.get_single(*id, "fresh").as_deref(), Some("new"));
    }
}

/// 6940-7-07
#[test]
fn values_expire_everywhere() {
    let (mut world, ids) = World::joined(110, 5);
    let mut short = store("fleeting", SINGLE, Selector::Single, Some("value"));
    short.lifetime = secs(20);
    world.ask(ids[0], Command::Store(short)).unwrap();
    world.run(secs(10));
    assert_eq!(
        world.get_single(ids[3], "fleeting").as_deref(),
        Some("value")
    );
    world.run(secs(15));
    assert_eq!(world.get_single(ids[3], "fleeting"), None);
    assert_eq!(world.copies(ResourceId::from_name(b"fleeting")), 0);
    assert!(world.disks.values().all(|disk| disk.is_empty()));
}

/// 6940-7.4.1.3-01 6940-7.4.1.3-03 6940-7.4.2.2-04
#[test]
fn a_removed_value_is_gone_and_its_tombstone_is_signed() {
    let (mut world, ids) = World::joined(111, 5);
    put(&mut world, ids[0], "gone", "value").unwrap();
    let remove = store("gone", SINGLE, Selector::Single, None);
    world.ask(ids[0], Command::Store(remove)).unwrap();
    let values = world.get(ids[2], "gone", SINGLE);
    assert_eq!(
        (values[0].value.clone(), values[0].signer),
        (None, Some(ids[0]))
    );
    // A place that never had a value has an unsigned "no such value".
    let values = world.get(ids[2], "never was", SINGLE);
    assert_eq!((values[0].value.clone(), values[0].signer), (None, None));
}

/// 6940-7-03 6940-7-05 6940-7.4.1.1-21 6940-13.5.3-02
#[test]
fn an_older_storage_time_is_refused() {
    let (mut world, ids) = World::joined(112, 4);
    let mut first = store("timed", SINGLE, Selector::Single, Some("one"));
    first.storage_time = Some(world.wall_ms());
    world.ask(ids[0], Command::Store(first.clone())).unwrap();
    let mut older = first.clone();
    older.storage_time = first.storage_time.map(|time| time - 1);
    let result = world.ask(ids[0], Command::Store(older));
    assert_eq!(code_of(&result), Some("Error_Data_Too_Old"));
    // The same time with another value is no newer either; the very same value is no error.
    let mut equal = first.clone();
    equal.value = Some(b"two".to_vec());
    let result = world.ask(ids[0], Command::Store(equal));
    assert_eq!(code_of(&result), Some("Error_Data_Too_Old"));
    assert!(world.ask(ids[0], Command::Store(first)).is_ok());
    assert_eq!(world.get_single(ids[1], "timed").as_deref(), Some("one"));
}

/// 6940-7.3-01 6940-7.4.1.1-12 6940-13.5.1-02
#[test]
fn only_the_first_signer_may_replace_a_value_until_it_expires() {
    let (mut world, ids) = World::joined(113, 5);
    let mut short = store("mine", SINGLE, Selector::Single, Some("first"));
    short.lifetime = secs(30);
    world.ask(ids[0], Command::Store(short)).unwrap();
    let result = put(&mut world, ids[1], "mine", "second");
    assert_eq!(code_of(&result), Some("Error_Forbidden"));
    assert_eq!(world.get_single(ids[2], "mine").as_deref(), Some("first"));
    world.run(secs(31));
    put(&mut world, ids[1], "mine", "second").unwrap();
    assert_eq!(world.get_single(ids[2], "mine").as_deref(), Some("second"));
}

/// 6940-7.4.1.1-25
#[test]
fn dictionary_keys_have_owners_of_their_own() {
    let (mut world, ids) = World::joined(114, 4);
    let key = |key: &str| Selector::Key(key.into());
    world
        .put(ids[0], "shared", DICTIONARY, key("a"), "0")
        .unwrap();
    world
        .put(ids[1], "shared", DICTIONARY, key("b"), "1")
        .unwrap();
    let result = world.put(ids[1], "shared", DICTIONARY, key("a"), "1");
    assert_eq!(code_of(&result), Some("Error_Forbidden"));
    let fetch = FetchCommand {
        resource: ResourceId::from_name(b"shared"),
        kind: DICTIONARY,
        selectors: vec![key("b"), key("c")],
    };
    let Ok(Answer::Fetched {
        values, generation, ..
    }) = world.ask(ids[3], Command::Fetch(fetch))
    else {
        panic!("not fetched");
    };
    assert_eq!(generation, 2);
    let found: Vec<_> = values
        .iter()
        .map(|value| (value.value.is_some(), value.signer))
        .collect();
    assert_eq!(found, [(true, Some(ids[1])), (false, None)]);
}

/// 6940-7.4.1.1-16 6940-7.4.1.1-17 6940-7.4.1.2-04 6940-7.4.1.2-05
#[test]
fn generation_counters_guard_against_lost_updates() {
    let (mut world, ids) = World::joined(115, 4);
    put(&mut world, ids[0], "counted", "one").unwrap();
    let mut update = store("counted", SINGLE, Selector::Single, Some("two"));
    update.generation = 1;
    assert!(world.ask(ids[0], Command::Store(update.clone())).is_ok());
    update.value = Some(b"three".to_vec());
    let result = world.ask(ids[0], Command::Store(update));
    let Err(CommandError::Refused { name, info, .. }) = result else {
        panic!("not refused");
    };
    assert_eq!(
        (name, info.as_str()),
        ("Error_Generation_Counter_Too_Low", "it is 2")
    );
    assert_eq!(world.get_single(ids[2], "counted").as_deref(), Some("two"));
}

/// 6940-7.4.1.1-22 6940-7.4.1.2-07 6940-13.5.2-01
#[test]
fn values_beyond_the_limits_are_refused() {
    let (mut world, ids) = World::joined(116, 3);
    let long = "x".repeat(2049);
    let result = put(&mut world, ids[0], "long", &long);
    assert_eq!(code_of(&result), Some("Error_Data_Too_Large"));
    let result = world.put(ids[0], "far", ARRAY, Selector::Index(256), "value");
    assert_eq!(code_of(&result), Some("Error_Data_Too_Large"));
    let longest = "x".repeat(2048);
    put(&mut world, ids[0], "long", &longest).unwrap();
    world.run(secs(2));
    assert_eq!(world.copies(ResourceId::from_name(b"long")), 3);
}

/// 6940-7.4.1.1-09 6940-7.4.1.1-10 6940-7.4.1.2-08
#[test]
fn unknown_kinds_and_wrong_models_are_refused() {
    let (mut world, ids) = World::joined(117, 2);
    let result = world.put(ids[0], "x", KindId(7), Selector::Single, "value");
    assert!(matches!(result, Err(CommandError::Invalid(_))));
    let result = world.put(ids[0], "x", SINGLE, Selector::Index(1), "value");
    assert!(matches!(result, Err(CommandError::Invalid(_))));
    // A peer with more Kinds in its configuration hears it from the responsible peer.
    let mut config = test_config();
    config.bootstrap = vec![ids[0]];
    let mut extra = config.kinds[0].clone();
    extra.id = KindId(0xF000_0099);
    config.kinds.push(extra);
    let other = world.add(1, &config)[0];
    world.ask(other, Command::Join).unwrap();
    let mut refused = 0;
    for index in 0..10 {
        let name = format!("of {index}");
        let result = world.put(other, &name, KindId(0xF000_0099), Selector::Single, "value");
        if world.holders(ResourceId::from_name(name.as_bytes()))[0] != other {
            assert_eq!(code_of(&result), Some("Error_Unknown_Kind"));
            refused += 1;
        }
    }
    assert!(refused > 0);
}

/// 6940-7.2.2-01 6940-7.4.1.1-32 6940-7.4.2.2-04
#[test]
fn sparse_arrays_show_their_gaps() {
    let (mut world, ids) = World::joined(118, 3);
    world
        .put(ids[0], "sparse", ARRAY, Selector::Index(2), "X")
        .unwrap();
    let values = world.get(ids[1], "sparse", ARRAY);
    let shown: Vec<_> = values.iter().map(|value| value.value.clone()).collect();
    assert_eq!(shown, [None, None, Some(b"X".to_vec())]);
    world
        .put(ids[0], "sparse", ARRAY, Selector::Append, "Y")
        .unwrap();
    let values = world.get(ids[1], "sparse", ARRAY);
    assert_eq!(values[3].selector, Selector::Index(3));
}

/// 6940-7.4.3.1-01 6940-7.4.3.2-01 6940-7.4.3.2-03 6940-7.4.3.2-04
#[test]
fn metadata_tells_size_and_digest_without_the_value() {
    let (mut world, ids) = World::joined(119, 3);
    put(&mut world, ids[0], "described", "12345").unwrap();
    let stat = FetchCommand {
        resource: ResourceId::from_name(b"described"),
        kind: SINGLE,
        selectors: Vec::new(),
    };
    let Ok(Answer::Metadata {
        generation, values, ..
    }) = world.ask(ids[1], Command::Stat(stat))
    else {
        panic!("no metadata");
    };
    assert_eq!((generation, values.len(), values[0].size), (1, 1, 5));
    let expected = hip_crypto::hash::Rhash::Sha256.digest(&[&[0, 0, 0, 5], b"12345"]);
    assert_eq!(values[0].digest, expected.as_ref());
}

/// 6940-7.4.4.2-03
#[test]
fn find_walks_to_the_nearest_resource() {
    let (mut world, ids) = World::joined(120, 1);
    put(&mut world, ids[0], "findable", "value").unwrap();
    let resource = ResourceId::from_name(b"findable");
    let from = ResourceId::from_name(b"somewhere");
    let find = Command::Find {
        resource: from,
        kinds: vec![SINGLE, ARRAY],
    };
    let answer = world.ask(ids[0], find);
    assert_eq!(
        answer,
        Ok(Answer::Found(vec![(SINGLE, Some(resource)), (ARRAY, None)]))
    );
}

#[test]
fn a_peer_cut_off_alone_still_serves_its_copies() {
    let (mut world, ids) = World::joined(121, 2);
    put(&mut world, ids[0], "kept", "value").unwrap();
    world.run(secs(2));
    world.kill(ids[0], true);
    world.run(secs(10));
    assert_eq!(world.get_single(ids[1], "kept").as_deref(), Some("value"));
    world.start(ids[0]);
    world.ask(ids[0], Command::Join).unwrap();
    world.run(secs(30));
    assert_eq!(world.ring().len(), 2);
    world.assert_ring();
}
