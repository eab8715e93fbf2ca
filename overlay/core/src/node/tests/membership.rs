//! Joining, leaving, failing; the shape of the ring.

use std::time::Duration;

use super::harness::{World, test_config};
use crate::command::{Answer, Command, CommandError, Selector, Target};
use crate::config::KindId;
use crate::event::Event;
use crate::id::{NodeId, ResourceId};
use crate::ring::Position;
use crate::status::NodeState;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 6940-4.5.2-01 6940-6.4.2.1-09
#[test]
fn a_node_without_bootstrap_peers_founds_the_overlay_at_once() {
    let (world, ids) = World::joined(1, 1);
    let status = world.nodes[&ids[0]].status(world.now);
    assert_eq!(status.responsible_ppb, 1_000_000_000);
}

/// 6940-6.4.2.5.2-02 6940-10.1-04
#[test]
fn two_nodes_share_the_ring() {
    let (world, ids) = World::joined(2, 2);
    let share = |id: &NodeId| u64::from(world.nodes[id].status(world.now).responsible_ppb);
    let all = share(&ids[0]) + share(&ids[1]);
    assert!((999_999_998..=1_000_000_000).contains(&all), "{all}");
}

/// 6940-10.1-02 6940-10.7-05 6940-10.5-11 6940-10.5-12 6940-10.7.3-01 6940-10.7.3-02
/// 6940-10.7.3-03 6940-10.7.3-04 6940-10.7.3-05 6940-10.5-13
#[test]
fn sixteen_nodes_that_join_one_by_one_form_the_ring_within_seconds() {
    let (world, ids) = World::joined(3, 16);
    assert_eq!(world.ring().len(), ids.len());
}

#[test]
fn sixty_four_nodes_that_join_all_at_once_form_the_ring() {
    let mut world = World::new(4);
    let ids = world.add(64, &test_config());
    let joins: Vec<u64> = ids
        .iter()
        .map(|id| world.command(*id, Command::Join))
        .collect();
    world.run(secs(120));
    for join in joins {
        assert_eq!(world.reply(join), Some(&Ok(Answer::Joined)));
    }
    world.run(secs(60));
    world.assert_ring();
}

#[test]
fn founders_that_start_together_form_one_overlay() {
    let mut world = World::new(5);
    let mut config = test_config();
    // Identities follow from the seed, so their ids can be known before.
    let ids = World::new(5).add(3, &config);
    config.bootstrap.clone_from(&ids);
    world.add(3, &config);
    for id in &ids {
        world.command(*id, Command::Join);
    }
    world.run(secs(60));
    assert_eq!(world.ring().len(), 3);
    world.assert_ring();
}

/// 6940-4.5.2-01 6940-11.4-01
#[test]
fn a_node_whose_bootstrap_peers_are_all_away_keeps_trying_and_founds_nothing() {
    let mut world = World::new(6);
    let ids = world.add(2, &test_config());
    let (first, second) = (ids[0], ids[1]);
    world.kill(first, true);
    let join = world.command(second, Command::Join);
    world.run(secs(60));
    assert_eq!(world.reply(join), None);
    world.start(first);
    world.command(first, Command::Join);
    world.run(secs(30));
    assert_eq!(world.reply(join), Some(&Ok(Answer::Joined)));
    world.assert_ring();
}

#[test]
fn commands_before_joining_are_refused_and_leaving_is_always_possible() {
    let mut world = World::new(7);
    let ids = world.add(1, &test_config());
    let target = Target::Resource(ResourceId::from_name(b"x"));
    assert_eq!(
        world.ask(ids[0], Command::Ping(target)),
        Err(CommandError::NotJoined)
    );
    assert_eq!(world.ask(ids[0], Command::Leave), Ok(Answer::Left));
}

/// 6940-10.7.1-01 6940-10.7.1-02 6940-6.6-04
#[test]
fn the_ring_closes_again_after_any_peer_is_killed() {
    let (mut world, ids) = World::joined(8, 10);
    for victim in [ids[3], ids[0], ids[7]] {
        world.kill(victim, true);
        world.run(secs(10));
        world.assert_ring();
    }
}

/// 6940-10.7.4.1-01
#[test]
fn a_peer_that_dies_without_its_links_breaking_is_found_out_by_updates() {
    let (mut world, ids) = World::joined(9, 8);
    world.kill(ids[4], false);
    // At most one update interval, then five transmissions of three seconds.
    world.run(secs(30 + 15 + 10));
    world.assert_ring();
}

#[test]
fn a_restarted_peer_joins_again() {
    let (mut world, ids) = World::joined(10, 6);
    world.kill(ids[2], true);
    world.run(secs(5));
    world.start(ids[2]);
    assert_eq!(world.ask(ids[2], Command::Join), Ok(Answer::Joined));
    world.run(secs(5));
    assert_eq!(world.ring().len(), 6);
    world.assert_ring();
}

#[test]
fn a_peer_that_restarts_before_its_death_is_noticed_joins_again() {
    let (mut world, ids) = World::joined(23, 6);
    world
        .put(
            ids[1],
            "kept",
            KindId::USER_SINGLE,
            Selector::Single,
            "value",
        )
        .unwrap();
    world.run(secs(2));
    for restarted in [ids[2], ids[5], ids[3]] {
        world.kill(restarted, false);
        world.run(secs(1));
        world.start(restarted);
        assert_eq!(world.ask(restarted, Command::Join), Ok(Answer::Joined));
        world.run(secs(20));
        assert_eq!(world.ring().len(), 6);
        world.assert_ring();
        let value = world.get_single(restarted, "kept");
        assert_eq!(value.as_deref(), Some("value"));
    }
}

/// 6940-10.9-01 6940-10.9-04 6940-6.4.2.2-05
#[test]
fn a_peer_can_leave_and_come_back() {
    let (mut world, ids) = World::joined(11, 5);
    assert_eq!(world.ask(ids[3], Command::Leave), Ok(Answer::Left));
    world.run(secs(5));
    assert_eq!(world.ring().len(), 4);
    world.assert_ring();
    assert!(
        world.nodes[&ids[3]]
            .status(world.now)
            .connections
            .is_empty()
    );
    assert_eq!(world.ask(ids[3], Command::Join), Ok(Answer::Joined));
    world.run(secs(5));
    world.assert_ring();
}

/// 6940-10.7.4.4-01 6940-6.4.2.3-02
#[test]
fn a_split_overlay_becomes_two_rings_and_one_again() {
    let (mut world, ids) = World::joined(12, 12);
    let bootstrap = ids[0];
    // Interleaved halves: the hardest case.
    let ring = world.ring();
    let left: Vec<NodeId> = ring.iter().step_by(2).copied().collect();
    world
        .put(
            ids[1],
            "before",
            KindId::USER_SINGLE,
            Selector::Single,
            "whole",
        )
        .unwrap();
    world.run(secs(2));
    world.split(|id| u8::from(left.contains(&id)));
    world.run(secs(60));
    let same_side = |id: &&NodeId| left.contains(id) == left.contains(&bootstrap);
    let here = *ids.iter().find(same_side).unwrap();
    let there = *ids.iter().find(|id| !same_side(id)).unwrap();
    world
        .put(here, "here", KindId::USER_SINGLE, Selector::Single, "1")
        .unwrap();
    world
        .put(there, "there", KindId::USER_SINGLE, Selector::Single, "2")
        .unwrap();
    world.heal();
    world.run(secs(240));
    world.assert_ring();
    for reader in [ids[2], ids[9]] {
        assert_eq!(world.get_single(reader, "here").as_deref(), Some("1"));
        assert_eq!(world.get_single(reader, "there").as_deref(), Some("2"));
        assert_eq!(world.get_single(reader, "before").as_deref(), Some("whole"));
    }
}

#[test]
fn a_map_names_all_peers_in_ring_order() {
    let (mut world, ids) = World::joined(13, 9);
    let mut ring = world.ring();
    let place = ring.iter().position(|id| *id == ids[4]).unwrap();
    ring.rotate_left(place);
    let answer = world.ask(ids[4], Command::Map { limit: 100 });
    assert_eq!(
        answer,
        Ok(Answer::Map {
            peers: ring.clone(),
            complete: true
        })
    );
    let answer = world.ask(ids[4], Command::Map { limit: 3 });
    ring.truncate(3);
    assert_eq!(
        answer,
        Ok(Answer::Map {
            peers: ring,
            complete: false
        })
    );
}

/// 6940-10.8-01
#[test]
fn a_trace_ends_at_the_responsible_peer() {
    let (mut world, ids) = World::joined(14, 16);
    let resource = ResourceId::from_name(b"far away");
    let Ok(Answer::Route(hops)) = world.ask(ids[5], Command::Trace(Target::Resource(resource)))
    else {
        panic!("no route");
    };
    assert_eq!(hops.first(), Some(&ids[5]));
    assert_eq!(hops.last(), Some(&world.holders(resource)[0]));
}

/// 6940-6.4.2.5.2-03 6940-6.5.3-01
#[test]
fn probe_and_ping_reach_nodes_and_responsible_peers() {
    let (mut world, ids) = World::joined(15, 6);
    let Ok(Answer::Probed {
        responder,
        responsible_ppb,
        num_resources,
        uptime,
    }) = world.ask(ids[1], Command::Probe(Target::Node(ids[4])))
    else {
        panic!("no answer");
    };
    let status = world.nodes[&ids[4]].status(world.now);
    assert_eq!(responder, ids[4]);
    assert_eq!(responsible_ppb, Some(status.responsible_ppb));
    assert_eq!(num_resources, Some(0));
    assert!(uptime.is_some_and(|uptime| u64::from(uptime) <= status.uptime.as_secs()));
    let resource = ResourceId::from_name(b"anything");
    let Ok(Answer::Pong { responder, .. }) =
        world.ask(ids[1], Command::Ping(Target::Resource(resource)))
    else {
        panic!("no answer");
    };
    assert_eq!(responder, world.holders(resource)[0]);
}

/// 6940-10.7.4.2-01 6940-10.7.4.3-01
#[test]
fn routes_in_a_ring_of_sixty_four_are_logarithmic() {
    let mut world = World::new(16);
    let ids = world.add(64, &test_config());
    for id in &ids {
        assert_eq!(world.ask(*id, Command::Join), Ok(Answer::Joined));
    }
    world.run(secs(90));
    world.assert_ring();
    let mut hops_total = 0;
    for (index, id) in ids.iter().enumerate() {
        let resource = ResourceId::from_name(format!("resource {index}").as_bytes());
        let Ok(Answer::Route(hops)) = world.ask(*id, Command::Trace(Target::Resource(resource)))
        else {
            panic!("no route");
        };
        assert_eq!(hops.last(), Some(&world.holders(resource)[0]));
        hops_total += hops.len() - 1;
    }
    // The ideal ring of 50 peers needs 3.4 hops in the mean (design, overlay C.2).
    assert!(hops_total <= 64 * 4, "{hops_total}");
}

/// 6940-10.5-07 6940-10.5-08 6940-4.5.2-02 6940-6.4.2.1-05
#[test]
fn a_joining_peer_is_nobodys_neighbor_before_it_has_its_data() {
    let (mut world, ids) = World::joined(20, 4);
    for number in 0..40 {
        let name = format!("value {number}");
        world
            .put(
                ids[number % 4],
                &name,
                KindId::USER_SINGLE,
                Selector::Single,
                &name,
            )
            .unwrap();
    }
    let new = world.add(1, &test_config())[0];
    assert_eq!(world.ask(new, Command::Join), Ok(Answer::Joined));
    // Responsible from now on: it must have everything of its range already.
    let node = &world.nodes[&new];
    let expected = (0..40)
        .map(|number| ResourceId::from_name(format!("value {number}").as_bytes()))
        .filter(|resource| node.is_responsible(Position::from(*resource)));
    let mut checked = 0;
    for resource in expected {
        assert!(node.store.group(&(resource, KindId::USER_SINGLE)).is_some());
        checked += 1;
    }
    assert!(checked > 0, "choose another seed");
    let told = |(_, event): &(NodeId, Event)| match event {
        Event::NeighborsChanged { predecessors, .. } => predecessors.contains(&new),
        _ => false,
    };
    assert!(world.events.iter().any(told));
}

/// 6940-10.5-01 6940-10.5-02 6940-10.5-05 6940-11.4-04 6940-11.4-05
#[test]
fn states_follow_the_steps_of_joining() {
    let (world, ids) = World::joined(18, 3);
    let states: Vec<NodeState> = world
        .events
        .iter()
        .filter_map(|(id, event)| match event {
            Event::StateChanged { to, .. } if *id == ids[2] => Some(*to),
            _ => None,
        })
        .collect();
    let steps = [
        NodeState::Bootstrapping,
        NodeState::Attaching,
        NodeState::Joining,
        NodeState::Joined,
    ];
    assert_eq!(states, steps);
}
