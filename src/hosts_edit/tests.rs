use super::*;

const BOB: &str = "2001:20::b";
const EVE: &str = "2001:20::e";

fn add(hit: &str, names: &str, locators: &[&str], replace: bool) -> Change {
    let locators: Vec<String> = locators.iter().map(|text| (*text).to_owned()).collect();
    Change::add(hit, names, &locators, replace).expect("valid words")
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("hosts");
    std::fs::write(&path, text).expect("write");
    (dir, path)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("read")
}

#[test]
fn the_first_host_makes_the_file_and_its_directory() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("etc/hosts");
    let entry = edit(
        &path,
        &add(BOB, "bob,b", &["192.0.2.2", "raw:192.0.2.2"], false),
    );
    assert_eq!(
        entry.expect("written").map(|entry| entry.names),
        Some(vec!["bob".into(), "b".into()])
    );
    assert_eq!(read(&path), "2001:20::b  bob,b  192.0.2.2  raw:192.0.2.2\n");
    assert_eq!(
        std::fs::read_dir(path.parent().expect("parent"))
            .expect("list")
            .count(),
        1
    );
}

#[test]
fn comments_order_and_other_lines_stay() {
    let text =
        "# my hosts\n2001:20::e eve 192.0.2.9\n\n2001:20::b   bob 192.0.2.2 # the printer\n# end";
    let (_dir, path) = file(text);
    edit(&path, &add(BOB, "bob", &["192.0.2.3"], false)).expect("written");
    assert_eq!(
        read(&path),
        "# my hosts\n2001:20::e eve 192.0.2.9\n\n2001:20::b  bob  192.0.2.2  192.0.2.3  # the \
         printer\n# end\n"
    );
}

#[test]
fn replace_forgets_the_old_locators_of_that_host_only() {
    let (_dir, path) =
        file("2001:20::b bob 192.0.2.2\n2001:20::b bob 192.0.2.4\n2001:20::e eve 192.0.2.9\n");
    edit(&path, &add(BOB, "bob", &["192.0.2.3"], true)).expect("written");
    assert_eq!(
        read(&path),
        "2001:20::b  bob  192.0.2.3\n2001:20::e eve 192.0.2.9\n"
    );
}

#[test]
fn a_name_of_another_host_is_refused_and_the_file_untouched() {
    let text = "2001:20::b bob 192.0.2.2\n";
    let (_dir, path) = file(text);
    let error = edit(&path, &add(EVE, "bob", &[], false)).expect_err("the name is taken");
    assert!(
        error
            .message
            .ends_with("name bob belongs to another HIT in line 1"),
        "{error}"
    );
    assert_eq!(read(&path), text);
}

#[test]
fn a_damaged_file_is_refused_by_line_and_untouched() {
    let text = "2001:20::b bob 192.0.2.2\nnonsense bob\n";
    let (_dir, path) = file(text);
    let error = edit(&path, &add(EVE, "eve", &[], false)).expect_err("damaged");
    assert!(error.message.contains("hosts:2: "), "{error}");
    assert_eq!(read(&path), text);
}

#[test]
fn remove_by_name_or_hit_and_complain_about_strangers() {
    let (_dir, path) = file("2001:20::b bob 192.0.2.2\n2001:20::e eve 192.0.2.9\n");
    edit(&path, &Change::Remove("bob".into())).expect("removed");
    assert_eq!(read(&path), "2001:20::e eve 192.0.2.9\n");
    let error = edit(&path, &Change::Remove("bob".into())).expect_err("gone already");
    assert!(
        error.message.ends_with("hosts: names no host \"bob\""),
        "{error}"
    );
    edit(&path, &Change::Remove(EVE.into())).expect("removed");
    assert_eq!(read(&path), "");
}

#[test]
fn a_link_stays_a_link_and_the_mode_stays() {
    let (dir, path) = file("");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("symlink");
    edit(&link, &add(BOB, "bob", &[], false)).expect("written");
    assert!(std::fs::symlink_metadata(&link).expect("stat").is_symlink());
    assert_eq!(
        std::fs::metadata(&path).expect("stat").permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(read(&path), "2001:20::b  bob\n");
}

#[test]
fn edits_at_the_same_time_all_arrive() {
    let (_dir, path) = file("");
    std::thread::scope(|scope| {
        for number in 1..=8 {
            let path = &path;
            scope.spawn(move || {
                let change = add(
                    &format!("2001:20::{number}"),
                    &format!("h{number}"),
                    &[],
                    false,
                );
                edit(path, &change).expect("written");
            });
        }
    });
    assert_eq!(read(&path).lines().count(), 8);
}

#[test]
fn wrong_words_are_refused_before_any_file_is_opened() {
    for (hit, name, locator, says) in [
        ("2001:db8::1", "bob", "192.0.2.1", "outside 2001:20::/28"),
        ("bob", BOB, "192.0.2.1", "not a HIT"),
        (BOB, "bob", "somewhere", "somewhere"),
    ] {
        let error = Change::add(hit, name, &[locator.to_owned()], false).expect_err("wrong");
        assert!(
            error.message.contains(says),
            "{} lacks {says}",
            error.message
        );
    }
}
