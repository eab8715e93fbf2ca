//! The list of stories and the line that replays one.

use std::collections::BTreeSet;

use hip_sim::story::{Outcome, list, run};

#[test]
fn names_are_unique_and_an_unknown_name_lists_them() {
    let names: BTreeSet<_> = list().iter().map(|story| story.name).collect();
    assert_eq!(names.len(), list().len());
    let error = run("no-such-story", 1, false).unwrap_err();
    assert!(names.iter().all(|name| error.contains(name)), "{error}");
}

#[test]
fn a_failing_seed_prints_the_command_that_replays_it() {
    let outcome = run("base-exchange", 3, false).unwrap();
    let broken = Outcome {
        result: Err("an invariant".into()),
        ..outcome
    };
    let printed = broken.verdict().to_string();
    assert!(
        printed.contains("cargo xtask sim --story base-exchange --seed 3"),
        "{printed}"
    );
}
