//! Coming and going, by chance; each story follows from its seed.

use std::time::Duration;

use hip_crypto::rng::{Rng, SeededRng};

use super::harness::{World, test_config};
use crate::command::{Answer, Command, Selector};
use crate::config::KindId;
use crate::id::{NodeId, ResourceId};

const VALUES: usize = 12;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct Chance(SeededRng);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.next_u32()).unwrap() % bound
    }

    fn pick(&mut self, ids: &[NodeId]) -> NodeId {
        ids[self.below(ids.len())]
    }
}

/// Nodes join all at once, then one by one come, leave, die and return, with time for the
/// hold-down between; every value stays.
fn story(seed: u64) {
    let mut chance = Chance(SeededRng::new(seed));
    let mut world = World::new(seed);
    let ids = world.add(10, &test_config());
    for id in &ids {
        world.command(*id, Command::Join);
    }
    world.run(secs(60));
    world.assert_ring();
    assert_eq!(world.ring().len(), 10);
    for number in 0..VALUES {
        let writer = chance.pick(&ids);
        let name = format!("value {number}");
        world
            .put(writer, &name, KindId::USER_SINGLE, Selector::Single, &name)
            .unwrap();
    }
    world.run(secs(3));
    let mut dead: Vec<NodeId> = Vec::new();
    for _ in 0..8 {
        let members = world.ring();
        match chance.below(4) {
            // The bootstrap peer stays: nobody could come back without it.
            0 if members.len() > 4 => {
                let victim = chance.pick(&members);
                if victim != ids[0] {
                    world.kill(victim, chance.below(2) == 0);
                    dead.push(victim);
                }
            }
            1 if members.len() > 4 => {
                let leaver = chance.pick(&members);
                if leaver != ids[0] {
                    assert_eq!(world.ask(leaver, Command::Leave), Ok(Answer::Left));
                    world.kill(leaver, true);
                    dead.push(leaver);
                }
            }
            2 if !dead.is_empty() => {
                let back = dead.swap_remove(chance.below(dead.len()));
                world.start(back);
                assert_eq!(world.ask(back, Command::Join), Ok(Answer::Joined));
            }
            _ => {
                let new = world.add(1, &test_config())[0];
                assert_eq!(world.ask(new, Command::Join), Ok(Answer::Joined));
            }
        }
        world.run(secs(100));
        world.assert_ring();
        let reader = chance.pick(&world.ring());
        assert_all_values(&mut world, reader);
    }
}

/// Every value is read, and is at its three holders.
fn assert_all_values(world: &mut World, reader: NodeId) {
    for number in 0..VALUES {
        let name = format!("value {number}");
        assert_eq!(world.get_single(reader, &name), Some(name.clone()));
        let resource = ResourceId::from_name(name.as_bytes());
        for holder in world.holders(resource) {
            let holds = world.nodes[&holder]
                .store
                .keys()
                .any(|(held, _)| *held == resource);
            assert!(holds, "{holder} lacks {name}");
        }
    }
}

#[test]
fn no_value_is_lost_while_peers_come_and_go_one_by_one() {
    for seed in 1000..1003 {
        story(seed);
    }
}
