use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// The definition, without a bitmap: everything ever accepted.
#[derive(Default)]
struct Naive {
    seen: BTreeSet<u64>,
}

impl Naive {
    fn top(&self) -> u64 {
        self.seen.last().copied().unwrap_or(0)
    }

    fn check(&self, sequence: u64) -> Result<(), Refused> {
        if sequence == 0 || sequence + WINDOW <= self.top() {
            return Err(Refused::TooOld);
        }
        if self.seen.contains(&sequence) {
            Err(Refused::Replayed)
        } else {
            Ok(())
        }
    }

    /// Of all numbers with these low bits, the one the window or the packets after it can hold:
    /// not left of the window, and less than 2^32 beyond its left edge.
    fn infer(&self, low: u32) -> Option<u64> {
        let bottom = i128::from(self.top()) - i128::from(WINDOW) + 1;
        let high = i128::from(self.top() >> 32);
        (high - 1..=high + 1)
            .map(|high| (high << 32) + i128::from(low))
            .find(|sequence| (bottom..bottom + (1 << 32)).contains(sequence))
            .and_then(|sequence| u64::try_from(sequence).ok())
    }
}

/// Walks that stay near the window, cross word and half boundaries and sometimes leap.
fn steps() -> impl Strategy<Value = Vec<i64>> {
    let near = -200_i64..=200;
    let edge = prop_oneof![
        (-9000_i64..=-7900),
        (7900_i64..=9000),
        Just(-(WINDOW as i64)),
        Just(1 - WINDOW as i64),
        Just(WINDOW as i64),
    ];
    proptest::collection::vec(
        prop_oneof![8 => near, 3 => edge, 1 => 0_i64..1 << 30],
        1..300,
    )
}

proptest! {
    /// 4303-3.4.3-04, 4303-3.4.3-07, 4303-A2-06
    #[test]
    fn the_window_decides_as_a_set_of_all_numbers_would(
        start in prop_oneof![Just(1_u64), 1_u64..20_000, (1_u64 << 32) - 9000..(1 << 32) + 9000,
                             (7_u64 << 32) - 9000..(7 << 32) + 9000],
        steps in steps(),
    ) {
        let mut window = ReplayWindow::default();
        let mut naive = Naive::default();
        let mut at = start;
        for step in std::iter::once(0).chain(steps) {
            at = naive.top().max(start).saturating_add_signed(step).max(1);
            let verdict = window.check(at);
            prop_assert_eq!(verdict, naive.check(at), "sequence {}", at);
            if verdict.is_ok() {
                window.commit(at);
                naive.seen.insert(at);
                prop_assert_eq!(window.check(at), Err(Refused::Replayed));
            }
            prop_assert_eq!(window.top(), naive.top());
        }
        let _ = at;
    }

    /// 4303-A2-02, 4303-A2-03, 4303-A2-04
    #[test]
    fn the_high_half_is_the_one_that_fits_the_window(
        top in prop_oneof![0_u64..20_000, (1_u64 << 32) - 20_000..(1 << 32) + 20_000,
                           (5_u64 << 32) - 20_000..(5 << 32) + 20_000, 1_u64..u64::MAX - (1 << 33)],
        low in prop_oneof![any::<u32>(), 0_u32..20_000, u32::MAX - 20_000..=u32::MAX],
    ) {
        let mut window = ReplayWindow::default();
        let mut naive = Naive::default();
        if top > 0 {
            window.commit(top);
            naive.seen.insert(top);
        }
        prop_assert_eq!(window.infer(low), naive.infer(low));
    }

    /// 7402-3.3.6-05: the receiver recovers the number of every packet less than 2^32 - W ahead
    #[test]
    fn every_sent_number_is_inferred_from_its_low_half(
        top in 1_u64..1 << 60,
        ahead in -(WINDOW as i64 - 1)..(1_i64 << 32) - WINDOW as i64,
    ) {
        let sent = top.saturating_add_signed(ahead);
        prop_assume!(sent > 0);
        let mut window = ReplayWindow::default();
        window.commit(top);
        prop_assert_eq!(window.infer((sent & 0xffff_ffff) as u32), Some(sent));
    }
}

/// 4303-3.4.3-03, 4303-A2-04
#[test]
fn a_fresh_window_takes_one_and_refuses_zero_and_what_would_be_before_it() {
    let window = ReplayWindow::default();
    assert_eq!(window.infer(1), Some(1));
    assert_eq!(window.check(1), Ok(()));
    assert_eq!(window.check(0), Err(Refused::TooOld));
    assert_eq!(window.infer(0xffff_ffff), None);
}

/// 4303-A2-02: no half lies behind the last
#[test]
fn the_last_half_has_no_successor() {
    let mut window = ReplayWindow::default();
    window.commit(u64::MAX - 5);
    assert_eq!(window.infer(u32::MAX), Some(u64::MAX));
    assert_eq!(window.infer(7), None);
}

/// 4303-3.4.3-08
#[test]
fn the_window_is_wider_than_a_batch_of_every_worker() {
    const { assert!(WINDOW >= 1024) };
    let mut window = ReplayWindow::default();
    window.commit(100_000);
    assert_eq!(window.check(100_000 - WINDOW + 1), Ok(()));
    assert_eq!(window.check(100_000 - WINDOW), Err(Refused::TooOld));
}

/// 4303-3.4.3-06
#[test]
fn checking_changes_nothing() {
    let mut window = ReplayWindow::default();
    window.commit(10);
    assert_eq!(window.check(1 << 40), Ok(()));
    assert_eq!(window.top(), 10);
    assert_eq!(window.check(9), Ok(()));
    assert_eq!(window.check(9), Ok(()));
}
