//! Overlay peers: each story over some seeds.

use hip_sim::story::{assert_all_hold, run};

#[test]
fn two_to_sixteen_peers_form_one_ring_in_which_all_are_reachable() {
    assert_all_hold("overlay-join", 0..30);
}

#[test]
fn values_are_read_everywhere_and_changed_by_their_writer_only() {
    assert_all_hold("overlay-put-get", 1..=6);
}

#[test]
fn every_value_stays_readable_when_peers_vanish() {
    assert_all_hold("overlay-kill-one", 1..=5);
}

#[test]
fn look_ups_succeed_under_churn_and_the_ring_recovers() {
    assert_all_hold("overlay-churn", 1..=4);
}

#[test]
fn links_that_are_refused_or_break_keep_nobody_out() {
    assert_all_hold("overlay-flaky-links", 16..=20);
}

#[test]
fn a_healed_partition_is_one_ring_again_and_loses_nothing() {
    assert_all_hold("overlay-partition", 1..=4);
}

#[test]
fn the_overlay_works_inside_hip_associations() {
    assert_all_hold("overlay-over-hip", 1..=12);
}

#[test]
fn the_same_seed_gives_the_same_overlay_log_line_by_line() {
    for name in ["overlay-join", "overlay-churn", "overlay-over-hip"] {
        let first = run(name, 7, true).unwrap();
        let second = run(name, 7, true).unwrap();
        assert!(first.log.len() > 100, "{name} logs next to nothing");
        assert_eq!(first.log, second.log, "{name}");
        assert_eq!(first.hash, run(name, 7, false).unwrap().hash, "{name}");
    }
}
