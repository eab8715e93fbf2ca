use std::process::{Command, Stdio};

use super::*;

fn put(key: &str, bytes: &str) -> StoreChange {
    StoreChange::Put(StoredRecord {
        key: key.into(),
        bytes: bytes.into(),
    })
}

fn open(path: &Path) -> Store {
    let (store, moved) = Store::open(path).expect("opens");
    assert_eq!(moved, None);
    store
}

fn contents(store: &Store) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let records = store.load().expect("loads");
    records
        .into_iter()
        .map(|record| (text(record.key), text(record.bytes)))
        .collect()
}

#[test]
fn changes_are_there_after_reopening() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("state/overlay.redb");
    let store = open(&path);
    store
        .apply(&[put("a", "1"), put("b", "2"), put("a", "3")])
        .expect("durable");
    store
        .apply(&[StoreChange::Delete { key: b"b".to_vec() }])
        .expect("durable");
    store
        .apply(&[StoreChange::Delete {
            key: b"absent".to_vec(),
        }])
        .expect("no matter");
    drop(store);
    assert_eq!(contents(&open(&path)), [("a".to_owned(), "3".to_owned())]);
}

/// The process that [`an_acknowledged_store_survives_kill_9`] kills.
#[test]
fn write_until_killed() {
    let Some(path) = std::env::var_os("RELOAD_NET_STORE_TEST") else {
        return;
    };
    let store = open(Path::new(&path));
    for number in 0_u64.. {
        store
            .apply(&[put(&format!("{number:06}"), "value")])
            .expect("durable");
        println!("acknowledged {number}");
    }
}

#[test]
fn an_acknowledged_store_survives_kill_9() {
    use std::io::BufRead;
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("overlay.redb");
    for round in 1..=3 {
        let mut writer = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "store::tests::write_until_killed", "--nocapture"])
            .env("RELOAD_NET_STORE_TEST", &path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = io::BufReader::new(writer.stdout.take().expect("piped")).lines();
        let acknowledged = lines
            .map_while(Result::ok)
            .filter_map(|line| {
                line.rsplit("acknowledged ")
                    .next()?
                    .trim()
                    .parse::<u64>()
                    .ok()
            })
            .nth(20 * round)
            .expect("the writer acknowledges");
        writer.kill().expect("SIGKILL");
        writer.wait().expect("ended");
        let found = contents(&open(&path));
        for number in 0..=acknowledged {
            let key = format!("{number:06}");
            assert!(
                found.iter().any(|(k, _)| *k == key),
                "round {round}: {key} is lost"
            );
        }
    }
}

#[test]
fn garbage_is_moved_aside_and_kept() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("overlay.redb");
    for number in 1..=2 {
        let garbage = vec![0xa5; 10_000 * number];
        std::fs::write(&path, &garbage).expect("write");
        let (store, moved) = Store::open(&path).expect("starts empty");
        assert_eq!(store.load().expect("loads"), []);
        let moved = moved.expect("told");
        assert_eq!(
            moved.kept_as,
            dir.path().join(format!("overlay.redb.damaged-{number}"))
        );
        assert_eq!(std::fs::read(&moved.kept_as).expect("kept"), garbage);
        let line = moved.to_string();
        assert!(
            line.starts_with("overlay database ") && !line.contains('\n'),
            "{line}"
        );
    }
}

#[test]
fn a_store_damaged_anywhere_opens_with_all_its_values_or_is_moved_aside() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("overlay.redb");
    let store = open(&path);
    let records: Vec<StoreChange> = (0..200)
        .map(|n| put(&format!("{n:03}"), &"x".repeat(100)))
        .collect();
    store.apply(&records).expect("durable");
    drop(store);
    let whole = std::fs::read(&path).expect("read");
    let step = whole.len() / 24;
    for at in (0..24).map(|n| n * step) {
        let mut bytes = whole.clone();
        bytes[at..(at + 64).min(whole.len())].fill(0x5a);
        std::fs::write(&path, &bytes).expect("write");
        let (store, moved) = Store::open(&path).expect("usable either way");
        let found = contents(&store);
        match moved {
            None => {
                assert_eq!(found.len(), 200, "damage at {at} lost values silently");
                assert!(found.iter().all(|(_, value)| *value == "x".repeat(100)));
            }
            Some(moved) => {
                assert_eq!(found.len(), 0);
                assert_eq!(
                    std::fs::read(moved.kept_as).expect("kept").len(),
                    whole.len()
                );
            }
        }
        drop(store);
        std::fs::remove_file(&path).expect("clear");
    }
}

#[test]
fn a_truncated_store_is_moved_aside() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("overlay.redb");
    let store = open(&path);
    store.apply(&[put("a", "1")]).expect("durable");
    drop(store);
    let whole = std::fs::read(&path).expect("read");
    std::fs::write(&path, &whole[..whole.len() / 3]).expect("truncate");
    let (store, moved) = Store::open(&path).expect("starts empty");
    assert!(moved.is_some());
    assert_eq!(store.load().expect("loads"), []);
}

#[test]
fn a_store_in_use_is_an_error_and_stays_where_it_is() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("overlay.redb");
    let _first = open(&path);
    let error = Store::open(&path).expect_err("in use").to_string();
    assert!(
        error.ends_with("is in use by another process; give this hipd its own overlay.data"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
}

#[test]
fn a_directory_in_its_place_is_an_error_and_stays() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let error = Store::open(dir.path())
        .expect_err("a directory")
        .to_string();
    assert!(!error.contains('\n'), "{error}");
    assert!(dir.path().is_dir());
}
