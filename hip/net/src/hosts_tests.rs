use proptest::prelude::*;

use super::*;

const ALICE: &str = "2001:21:aaaa:bbbb:cccc:dddd:eeee:ffff";
const BOB: &str = "2001:21::b0b";

fn reason(text: &str) -> (usize, String) {
    HostsFile::parse(text).expect_err(text)
}

#[test]
fn names_locators_and_comments_are_read() {
    let text = format!(
        "# peers\n\n{ALICE} alice,alice.lan 192.0.2.1 [2001:db8::1]:10500 raw:2001:db8::1 # laptop\n\
         \t{BOB}\n2001:21::3 - 192.0.2.3:4500\n"
    );
    let hosts = HostsFile::parse(&text).expect("good");
    let [alice, bob, third] = hosts.entries() else {
        panic!("{hosts:?}")
    };
    assert_eq!(alice.names, ["alice", "alice.lan"]);
    assert_eq!(
        alice.locators,
        [
            HostLocator::Address("192.0.2.1".parse().expect("ip")),
            HostLocator::Udp("[2001:db8::1]:10500".parse().expect("socket")),
            HostLocator::Raw("2001:db8::1".parse().expect("ip")),
        ]
    );
    assert!(bob.names.is_empty() && bob.locators.is_empty());
    assert_eq!(third.locators.len(), 1);
    assert_eq!(hosts.resolve("ALICE"), Some(alice.hit));
    assert_eq!(hosts.resolve(BOB), Some(bob.hit));
    assert_eq!(hosts.resolve("carol"), None);
}

#[test]
fn two_lines_of_one_hit_are_one_peer() {
    let text = format!("{ALICE} alice 192.0.2.1\n{ALICE} alice,al 192.0.2.2 192.0.2.1\n");
    let hosts = HostsFile::parse(&text).expect("good");
    assert_eq!(hosts.entries().len(), 1);
    assert_eq!(hosts.entries()[0].names, ["alice", "al"]);
    assert_eq!(hosts.entries()[0].locators.len(), 2);
}

#[test]
fn a_bad_line_is_named_by_number_and_reason() {
    for (line, part) in [
        ("hello", "not a HIT"),
        ("2001:db8::1 alice", "outside 2001:20::/28"),
        ("2001:21::1 192.0.2.1", "stands where the name"),
        ("2001:21::1 a,,b", "no name"),
        ("2001:21::1 a b", "no locator"),
        ("2001:21::1 a 192.0.2.1:0", "port 0"),
        ("2001:21::1 a 192.0.2.1:99999", "no locator"),
        ("2001:21::1 a 0.0.0.0", "one host"),
        ("2001:21::1 a raw:ff02::1", "one host"),
        ("2001:21::1 a 2001:21::2", "is a HIT"),
        ("2001:21::1 a raw:192.0.2.1:10500", "no locator"),
        ("2001:21::1 \u{e9}", "no name"),
    ] {
        let (number, reason) = reason(&format!("{BOB} bob\n# comment\n{line}\n"));
        assert_eq!(number, 3, "{line}");
        assert!(reason.contains(part), "{line}: {reason}");
        assert!(!reason.contains('\n'));
    }
}

#[test]
fn one_name_for_two_hits_is_refused() {
    let (line, reason) = reason(&format!("{ALICE} x\n{BOB} x\n"));
    assert_eq!(line, 2);
    assert!(reason.contains("line 1"), "{reason}");
}

#[test]
fn a_missing_file_has_no_peers_and_a_bad_one_is_named() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("hosts");
    assert_eq!(
        HostsFile::load(&path).expect("no file"),
        HostsFile::default()
    );
    std::fs::write(&path, "x\n").expect("write");
    let text = HostsFile::load(&path).expect_err("bad").to_string();
    assert!(text.contains("hosts:1: "), "{text}");
    std::fs::write(&path, [0xff, 0xfe]).expect("write");
    assert!(HostsFile::load(&path).is_err());
}

fn locator() -> impl Strategy<Value = HostLocator> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
    ];
    (ip, any::<u16>(), 0..3u8)
        .prop_map(|(ip, port, kind)| match kind {
            0 => HostLocator::Address(ip),
            1 => HostLocator::Udp(SocketAddr::new(ip, port)),
            _ => HostLocator::Raw(ip),
        })
        .prop_filter("a locator of one host", |locator| locator.check().is_ok())
}

fn entry() -> impl Strategy<Value = HostEntry> {
    let names = proptest::collection::btree_set("[a-z_][a-z0-9._-]{0,10}", 0..4)
        .prop_filter("not an address", |names| {
            names.iter().all(|name| check_name(name).is_ok())
        });
    (
        any::<[u8; 12]>(),
        names,
        proptest::collection::btree_set(locator(), 0..4),
    )
        .prop_map(|(bytes, names, locators)| {
            let mut hit = [0x20, 0x01, 0x00, 0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            hit[4..].copy_from_slice(&bytes);
            // The HIT in the name makes names unique over the file.
            let suffix: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            HostEntry {
                hit: Hit::from_bytes(hit),
                names: names
                    .into_iter()
                    .map(|name| format!("{name}.{suffix}"))
                    .collect(),
                locators: locators.into_iter().collect(),
            }
        })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_a_line_that_exists(text in "(?s).{0,400}") {
        if let Err((line, reason)) = HostsFile::parse(&text) {
            prop_assert!(line >= 1 && line <= text.lines().count());
            prop_assert!(!reason.is_empty());
        }
    }

    #[test]
    fn what_is_written_is_read_back(entries in proptest::collection::vec(entry(), 0..8)) {
        let mut hosts = HostsFile::default();
        for entry in entries {
            hosts.insert(entry);
        }
        prop_assert_eq!(HostsFile::parse(&hosts.to_string()), Ok(hosts));
    }
}
