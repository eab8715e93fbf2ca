use super::*;

fn pair(peer: u8) -> HitPair {
    let hit = |last| {
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&[0x20, 0x01, 0x00, 0x21]);
        octets[15] = last;
        hip_wire::hit::Hit::from_bytes(octets)
    };
    HitPair {
        local: hit(0),
        peer: hit(peer),
    }
}

fn limits() -> PendingLimits {
    PendingLimits {
        packets: 3,
        bytes: 100,
        peers: 2,
    }
}

/// 7402-3.2-02
#[test]
fn packets_come_out_in_the_order_they_came_and_only_once() {
    let mut queue = PendingQueue::new(limits());
    for octet in 1..=3 {
        assert!(queue.push(pair(1), &[octet]));
    }
    assert!(queue.push(pair(2), &[9]));
    assert_eq!(queue.take(pair(1)).collect::<Vec<_>>(), [[1], [2], [3]]);
    assert_eq!(queue.take(pair(1)).count(), 0);
    assert_eq!(queue.len(), 1);
    assert_eq!(queue.dropped(), 0);
}

#[test]
fn the_oldest_packet_makes_room_and_is_counted() {
    let mut queue = PendingQueue::new(limits());
    for octet in 1..=5 {
        queue.push(pair(1), &[octet]);
    }
    assert_eq!(queue.dropped(), 2);
    assert_eq!(queue.take(pair(1)).collect::<Vec<_>>(), [[3], [4], [5]]);
}

#[test]
fn octets_are_bounded_as_well_as_packets() {
    let mut queue = PendingQueue::new(limits());
    assert!(!queue.push(pair(1), &[0; 101]));
    assert!(queue.push(pair(1), &[1; 60]));
    assert!(queue.push(pair(1), &[2; 41]));
    assert_eq!(queue.take(pair(1)).collect::<Vec<_>>(), [vec![2; 41]]);
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn a_scan_of_many_peers_cannot_fill_the_memory() {
    let mut queue = PendingQueue::new(limits());
    for peer in 0..=255 {
        queue.push(pair(peer), &[peer; 50]);
    }
    assert_eq!(queue.len(), 2);
    assert_eq!(queue.dropped(), 254);
}
