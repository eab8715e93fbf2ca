use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use crate::mutate::{Random, input};
use crate::{TARGETS, Target};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files
}

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let files = files(&root().join("corpus").join(target.name), "seed");
    assert!(!files.is_empty(), "no corpus/{}/*.seed", target.name);
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

fn attack(target: &Target, seed: u64, cases: u64) {
    let seeds = seeds(target);
    let mut random = Random::new(seed);
    for case in 0..cases / target.slowness + seeds.len() as u64 {
        let bytes = match seeds.get(case as usize) {
            Some(seed) => seed.clone(),
            None => input(&mut random, &seeds),
        };
        if catch_unwind(|| (target.body)(&bytes)).is_err() {
            let hex: String = bytes.iter().map(|octet| format!("{octet:02x}")).collect();
            panic!(
                "{}: FUZZ_SEED={seed} case {case} breaks a promise: {hex}",
                target.name
            );
        }
    }
}

#[test]
fn no_target_breaks_on_seeded_random_and_mutated_inputs() {
    let (seed, cases) = (setting("FUZZ_SEED", 1), setting("FUZZ_CASES", 20_000));
    println!("FUZZ_SEED={seed} FUZZ_CASES={cases}");
    for target in TARGETS {
        attack(target, seed, cases);
    }
}

#[test]
fn table_files_manifest_and_corpus_name_the_same_targets() {
    let names: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    assert_eq!(names.len(), TARGETS.len(), "a name occurs twice");
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let binaries = files(&root().join("fuzz_targets"), "rs");
    assert_eq!(binaries.iter().map(stem).collect::<BTreeSet<_>>(), names);
    for binary in &binaries {
        let text = std::fs::read_to_string(binary).unwrap();
        assert!(
            text.contains(&format!("hip_fuzz::target!(\"{}\");", stem(binary))),
            "{}",
            binary.display()
        );
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "[[bin]] of {name}"
        );
    }
    let corpora: BTreeSet<String> = std::fs::read_dir(root().join("corpus"))
        .unwrap()
        .map(|entry| stem(&entry.unwrap().path()))
        .collect();
    assert_eq!(corpora, names);
}
