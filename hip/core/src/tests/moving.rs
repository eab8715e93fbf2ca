//! A host changes its address (RFC 8046).

use hip_wire::param::{EspInfo, LocatorAddress, LocatorSet};

use super::*;

/// `end` has this address and no other from now on; `true` if the shell tells the host.
fn move_to(pair: &mut Pair, end: usize, address: &str) {
    pair.ends[end].address = address.parse().unwrap();
    let addresses = vec![pair.ends[end].address];
    pair.input(end, Input::LocalAddresses(addresses));
}

fn remote(pair: &Pair, end: usize) -> String {
    pair.ends[end]
        .outbound
        .as_ref()
        .unwrap()
        .path
        .remote
        .ip()
        .to_string()
}

fn local(pair: &Pair, end: usize) -> String {
    pair.ends[end]
        .outbound
        .as_ref()
        .unwrap()
        .path
        .local
        .ip()
        .to_string()
}

fn raw_pair() -> Pair {
    let identities = [0, 1].map(|i| IDENTITIES[i].clone());
    Pair::between(Default::default(), identities, Transport::Raw, 3)
}

/// 8046-3.2.1-01 8046-3.2.1-02 8046-3.2.1-03 8046-3.2.1-05 8046-3.2.1-08 8046-3.2.1-09 8046-5.2-05 8046-5.2-06 8046-5.2-07
/// 8046-3.1.2-01 8046-5.2-01 8046-5.2-08 8046-5.5-03
#[test]
fn three_updates_move_an_association_and_the_sas_stay() {
    for mut pair in [Pair::new(), raw_pair()] {
        pair.establish();
        let spis: Vec<u32> = pair
            .ends
            .iter()
            .flat_map(|end| end.inbound.keys().copied())
            .collect();
        move_to(&mut pair, A, "203.0.113.50");
        assert_eq!(local(&pair, A), "203.0.113.50");
        pair.run_for(SECOND);
        assert_eq!(remote(&pair, B), "203.0.113.50");
        let updates: Vec<_> = pair
            .trace
            .iter()
            .filter(|t| t.1 == PacketType::Update)
            .collect();
        let by: Vec<usize> = updates.iter().map(|t| t.0).collect();
        assert_eq!(by, [A, B, A]);
        let first = Packet::parse(&updates[0].2).unwrap();
        let set: LocatorSet<'_> = first.require().unwrap();
        let info: EspInfo = first.require().unwrap();
        let spi = *pair.ends[A].inbound.keys().next().unwrap();
        assert_eq!((info.old_spi, info.new_spi), (spi, spi));
        let [locator] = set.locators.as_slice() else {
            panic!("one locator")
        };
        let address = "203.0.113.50".parse().unwrap();
        assert_eq!(locator.address, LocatorAddress::SpiAddress { spi, address });
        assert!(locator.preferred);
        let now: Vec<u32> = pair
            .ends
            .iter()
            .flat_map(|end| end.inbound.keys().copied())
            .collect();
        assert_eq!(spis, now);
        assert_eq!(pair.states(), [StateName::Established; 2]);
        pair.assert_connected();
    }
}

/// 8046-3.2.1-04 8046-5.1-03 8046-5.4-01 8046-5.4-12
#[test]
fn no_data_goes_to_an_address_that_did_not_return_the_nonce() {
    let mut pair = Pair::new();
    pair.establish();
    let old = remote(&pair, B);
    // The answers of B never reach the new address.
    pair.fate = Box::new(|t| if t.to == A { Fate::Drop } else { Fate::Deliver });
    move_to(&mut pair, A, "203.0.113.50");
    pair.run_for(Duration::from_secs(3));
    assert_eq!(remote(&pair, B), old);
    pair.fate = Box::new(|_| Fate::Deliver);
    pair.run_for(Duration::from_secs(5));
    assert_eq!(remote(&pair, B), "203.0.113.50");
}

#[test]
fn each_of_the_three_updates_may_be_lost() {
    for lost in 1..=3 {
        let mut pair = Pair::new();
        pair.establish();
        let mut seen = 0;
        pair.fate = Box::new(move |t| {
            seen += u32::from(kind_of(&t.bytes) == PacketType::Update);
            if seen == lost {
                Fate::Drop
            } else {
                Fate::Deliver
            }
        });
        move_to(&mut pair, A, "203.0.113.50");
        // `seen` stays at `lost` until the next UPDATE.
        pair.run_for(Duration::from_secs(10));
        assert_eq!(remote(&pair, B), "203.0.113.50", "UPDATE {lost} lost");
        assert_eq!(pair.states(), [StateName::Established; 2]);
    }
}

/// 7401-5.3.5-14
#[test]
fn a_host_that_moves_twice_in_a_hurry_ends_at_its_last_address() {
    let mut pair = Pair::new();
    pair.establish();
    for (n, pause) in [(50, 5), (51, 15), (52, 25), (53, 3)] {
        move_to(&mut pair, A, &format!("203.0.113.{n}"));
        pair.run_for(Duration::from_millis(pause));
    }
    pair.run_for(Duration::from_secs(60));
    assert_eq!(remote(&pair, B), "203.0.113.53");
    assert_eq!(pair.states(), [StateName::Established; 2]);
    pair.assert_connected();
}

#[test]
fn the_responder_can_move_too_and_both_in_turn() {
    let mut pair = Pair::new();
    pair.establish();
    move_to(&mut pair, B, "203.0.113.60");
    pair.run_for(SECOND);
    assert_eq!(remote(&pair, A), "203.0.113.60");
    move_to(&mut pair, A, "203.0.113.61");
    pair.run_for(SECOND);
    assert_eq!(remote(&pair, B), "203.0.113.61");
    pair.assert_connected();
}

#[test]
fn losing_an_address_that_is_not_in_use_or_all_of_them_moves_nothing() {
    let mut pair = Pair::new();
    pair.establish();
    let own = pair.ends[A].address;
    pair.input(
        A,
        Input::LocalAddresses(vec![own, "203.0.113.1".parse().unwrap()]),
    );
    pair.input(A, Input::LocalAddresses(vec![own]));
    pair.input(A, Input::LocalAddresses(vec![]));
    pair.run_for(SECOND);
    assert_eq!(pair.count(A, PacketType::Update), 0);
    assert_eq!(pair.states(), [StateName::Established; 2]);
}

#[test]
fn an_exchange_under_way_starts_again_from_the_new_address() {
    for pause in [1, 15, 25, 35] {
        let mut pair = Pair::new();
        pair.connect(A);
        pair.run_for(Duration::from_millis(pause));
        move_to(&mut pair, A, "203.0.113.50");
        pair.run_for(Duration::from_secs(5));
        pair.esp(B, true, false);
        assert_eq!(
            pair.states(),
            [StateName::Established; 2],
            "moved after {pause} ms"
        );
        assert_eq!(remote(&pair, B), "203.0.113.50");
        pair.assert_connected();
    }
}

#[test]
fn a_move_across_address_families_uses_another_known_locator() {
    let mut pair = Pair::new();
    let v6: SocketAddr = "[2001:db8::2]:10500".parse().unwrap();
    pair.ends[A].locators.push(PeerLocator::udp(v6));
    pair.establish();
    pair.ends[B].address = v6.ip();
    pair.ends[A].address = "2001:db8::1".parse().unwrap();
    pair.input(
        A,
        Input::LocalAddresses(vec!["2001:db8::1".parse().unwrap()]),
    );
    pair.run_for(SECOND);
    assert_eq!(remote(&pair, A), "2001:db8::2");
    assert_eq!(remote(&pair, B), "2001:db8::1");
}

/// 8046-5.3-19
#[test]
fn behind_a_nat_the_source_address_counts_and_not_the_announced_one() {
    let mut pair = Pair::new();
    pair.establish();
    // A believes to be at 10.0.0.5; B sees 203.0.113.50.
    pair.ends[A].address = "10.0.0.5".parse().unwrap();
    pair.input(A, Input::LocalAddresses(vec!["10.0.0.5".parse().unwrap()]));
    let update = pair.last(A, PacketType::Update);
    pair.wire.clear();
    let mut path = pair.path(B);
    path.remote = "203.0.113.50:4500".parse().unwrap();
    pair.input(
        B,
        Input::Packet {
            path,
            bytes: &update,
        },
    );
    let asked = pair.wire.pop().unwrap();
    assert_eq!(asked.path.local.to_string(), "203.0.113.50:4500");
    // The NAT delivers it, and the answer comes back the same way.
    let inside = Path {
        local: "10.0.0.5:10500".parse().unwrap(),
        ..asked.path
    };
    pair.input(
        A,
        Input::Packet {
            path: inside,
            bytes: &asked.bytes,
        },
    );
    let answer = pair.last(A, PacketType::Update);
    pair.input(
        B,
        Input::Packet {
            path,
            bytes: &answer,
        },
    );
    assert_eq!(
        pair.ends[B].outbound.as_ref().unwrap().path.remote,
        path.remote
    );
}
