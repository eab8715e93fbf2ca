//! Two hosts over a network that loses, repeats and reorders.

use super::*;
use crate::random::Chance;

/// Two hosts over a network that loses, repeats and reorders datagrams.
struct Pair {
    now: Instant,
    ends: [Streams; 2],
    hits: [Hit; 2],
    under_way: Vec<(Instant, usize, Vec<u8>)>,
    rng: SimRng,
    loss: Chance,
    seen: [Vec<StreamOutput>; 2],
}

impl Pair {
    fn new(seed: u64, loss: Chance) -> Self {
        let mut rng = SimRng::new(seed);
        Self {
            now: Instant::ZERO,
            ends: [1, 2].map(|label| Streams::new(rng.fork(label))),
            hits: [1, 2].map(|last| format!("2001:21::{last}").parse().unwrap()),
            under_way: Vec::new(),
            rng,
            loss,
            seen: [Vec::new(), Vec::new()],
        }
    }

    fn collect(&mut self) {
        for end in 0..2 {
            while let Some(output) = self.ends[end].poll() {
                let StreamOutput::Datagram { bytes, .. } = output else {
                    self.seen[end].push(output);
                    continue;
                };
                for _ in 0..1 + self.rng.below(2) {
                    if !self.rng.chance(self.loss) {
                        let at = self.now + self.rng.up_to(Duration::from_millis(50));
                        self.under_way.push((at, 1 - end, bytes.clone()));
                    }
                }
            }
        }
    }

    /// Serves the next event; false when there is none.
    fn step(&mut self) -> bool {
        self.collect();
        let arrival = self.under_way.iter().map(|event| event.0).min();
        let timers = self.ends.iter().filter_map(Streams::next_deadline).min();
        let Some(next) = [arrival, timers].into_iter().flatten().min() else {
            return false;
        };
        self.now = next;
        if let Some(index) = self.under_way.iter().position(|event| event.0 == next) {
            let (_, end, bytes) = self.under_way.remove(index);
            let from = self.hits[1 - end];
            self.ends[end].receive(next, from, &bytes);
        }
        self.ends.iter_mut().for_each(|end| end.timeout(next));
        self.collect();
        true
    }

    fn settle(&mut self) {
        assert!((0..20_000).any(|_| !self.step()), "never settles");
    }

    fn messages(&self, end: usize) -> Vec<Vec<u8>> {
        let message = |output: &StreamOutput| match output {
            StreamOutput::Message(_, bytes) => Some(bytes.clone()),
            _ => None,
        };
        self.seen[end].iter().filter_map(message).collect()
    }
}

#[test]
fn messages_of_any_size_arrive_whole_and_in_order_over_a_bad_network() {
    for seed in 0..50 {
        let mut pair = Pair::new(seed, Chance::percent(20));
        let [a, b] = pair.hits;
        pair.ends[0].open(Instant::ZERO, b);
        pair.settle();
        let mut sent = Vec::new();
        for _ in 0..40 {
            let length = 1 + pair.rng.index(5_000);
            sent.push(pair.rng.bytes(length));
            let now = pair.now;
            pair.ends[0].send(now, b, sent.last().unwrap());
        }
        let now = pair.now;
        pair.ends[1].send(now, a, b"answer");
        pair.settle();
        assert_eq!(pair.messages(1), sent, "seed {seed}");
        assert_eq!(pair.messages(0), [b"answer"], "seed {seed}");
        let up = |peer| StreamOutput::Up(peer);
        assert_eq!(
            (&pair.seen[0][0], &pair.seen[1][0]),
            (&up(b), &up(a)),
            "seed {seed}"
        );
    }
}

#[test]
fn opens_that_cross_make_one_connection_that_works_both_ways() {
    for seed in 0..50 {
        let mut pair = Pair::new(seed, Chance::NEVER);
        let [a, b] = pair.hits;
        pair.ends[0].open(Instant::ZERO, b);
        pair.ends[1].open(Instant::ZERO, a);
        pair.settle();
        let now = pair.now;
        pair.ends[0].send(now, b, b"to b");
        pair.ends[1].send(now, a, b"to a");
        pair.settle();
        let expected = |peer, text: &[u8]| {
            vec![
                StreamOutput::Up(peer),
                StreamOutput::Message(peer, text.to_vec()),
            ]
        };
        assert_eq!(
            pair.seen,
            [expected(b, b"to a"), expected(a, b"to b")],
            "seed {seed}"
        );
    }
}

#[test]
fn data_that_overtakes_the_acceptance_counts_as_one() {
    for seed in 0..50 {
        let mut pair = Pair::new(seed, Chance::percent(30));
        let [a, b] = pair.hits;
        pair.ends[0].open(Instant::ZERO, b);
        // The acceptor speaks the moment it learns of the connection.
        while pair.seen[1].is_empty() {
            pair.step();
        }
        let now = pair.now;
        pair.ends[1].send(now, a, b"welcome");
        pair.settle();
        let expected = [
            StreamOutput::Up(b),
            StreamOutput::Message(b, b"welcome".to_vec()),
        ];
        assert_eq!(pair.seen[0], expected, "seed {seed}");
        assert_eq!(pair.seen[1], [StreamOutput::Up(a)], "seed {seed}");
    }
}

#[test]
fn nobody_answers_and_the_opening_fails() {
    let mut pair = Pair::new(1, Chance::ALWAYS);
    let b = pair.hits[1];
    pair.ends[0].open(Instant::ZERO, b);
    pair.settle();
    assert_eq!(pair.seen[0], [StreamOutput::Failed(b)]);
}

#[test]
fn a_close_delivers_what_was_sent_before_and_tells_the_peer() {
    let mut pair = Pair::new(1, Chance::NEVER);
    let [a, b] = pair.hits;
    pair.ends[0].open(Instant::ZERO, b);
    pair.settle();
    let now = pair.now;
    pair.ends[0].send(now, b, b"last words");
    pair.ends[0].close(b);
    pair.settle();
    let expected = [
        StreamOutput::Up(a),
        StreamOutput::Message(a, b"last words".to_vec()),
        StreamOutput::Down(a),
    ];
    assert_eq!(pair.seen[1], expected);
    assert_eq!(pair.seen[0], [StreamOutput::Up(b)]);
}

#[test]
fn a_peer_that_forgot_the_connection_resets_it() {
    let mut pair = Pair::new(1, Chance::NEVER);
    let b = pair.hits[1];
    pair.ends[0].open(Instant::ZERO, b);
    pair.settle();
    pair.ends[1] = Streams::new(SimRng::new(99));
    let now = pair.now;
    pair.ends[0].send(now, b, b"hello?");
    pair.settle();
    assert_eq!(pair.seen[0], [StreamOutput::Up(b), StreamOutput::Down(b)]);
}
