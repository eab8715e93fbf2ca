//! The parts of the daemon that need no network: state files, names, next steps.

use super::r1_counter::Reserve;
use super::*;
use crate::api::{Associations, Hosts, KnownHost};

/// 7401-4.1.4-04
#[test]
fn the_r1_counter_never_goes_back() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let first = Reserve::open(dir.path()).expect("open");
    // A crash right away: what was in use may have been anything in the reserve.
    let second = Reserve::open(dir.path()).expect("open");
    assert!(second.first() > first.first());
    second.write(second.first() + 5000).expect("renewed");
    let third = Reserve::open(dir.path()).expect("open");
    assert!(third.first() > second.first() + 5000);
    third.finish(third.first() + 7).expect("clean end");
    assert_eq!(
        Reserve::open(dir.path()).expect("open").first(),
        third.first() + 8
    );
}

#[test]
fn a_damaged_r1_counter_is_kept_and_the_counter_goes_on_above() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("r1-counter");
    for name in ["r1-counter.damaged", "r1-counter.damaged-1"] {
        std::fs::write(&path, "\0\0garbage").expect("write");
        assert!(Reserve::open(dir.path()).expect("open").first() > 1_700_000_000);
        assert_eq!(
            std::fs::read(dir.path().join(name)).expect("kept"),
            b"\0\0garbage"
        );
    }
}

#[test]
fn a_damaged_hosts_file_keeps_what_was_read_before() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("hosts");
    let mut hosts = KnownHosts::load(&path);
    assert!(
        hosts.file.entries().is_empty() && hosts.error.is_none(),
        "an absent file is an empty one"
    );
    std::fs::write(&path, "2001:20::b bob 192.0.2.2\n").expect("write");
    assert_eq!(hosts.reload(), Ok(true));
    assert_eq!(hosts.reload(), Ok(false));
    std::fs::write(&path, "2001:20::b bob 192.0.2.2\nnonsense\n").expect("write");
    let error = hosts.reload().expect_err("damaged");
    assert!(error.contains("hosts:2: "), "{error}");
    assert_eq!(hosts.file.entries().len(), 1);
    assert_eq!(hosts.error, Some(error));
    std::fs::write(&path, "").expect("write");
    assert_eq!(hosts.reload(), Ok(true));
    assert!(hosts.error.is_none());
}

#[test]
fn names_resolve_and_misspelt_ones_get_the_nearest() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("hosts");
    std::fs::write(&path, "2001:20::b bob,printer 192.0.2.2\n2001:20::e eve\n").expect("write");
    let hosts = KnownHosts::load(&path);
    let hit = |text: &str| hosts.resolve(text).map(|hit| hit.to_string());
    assert_eq!(hit("printer"), Ok("2001:20::b".to_owned()));
    assert_eq!(hit("2001:20::77"), Ok("2001:20::77".to_owned()));
    assert_eq!(hit("printr"), Err(Some("printer".to_owned())));
    assert_eq!(hit("xyzzy"), Err(None));
    assert_eq!(hit("192.0.2.2"), Err(None));
}

#[test]
fn one_state_directory_serves_one_daemon() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let state = dir.path().join("state");
    let lock = lock_state(&state).expect("first");
    let error = lock_state(&state).expect_err("second").to_string();
    assert!(
        error.contains("is in use by another hipd; stop that one"),
        "{error}"
    );
    drop(lock);
    lock_state(&state).expect("free again");
}

/// 7402-3.3.5-06
#[test]
fn the_configuration_reaches_the_protocol() {
    let text = "[hip]\nual_seconds = 60\npuzzle_difficulty = 3\ndh_groups = [\"p384\"]\n\
                esp_suites = [\"null-sha256\", \"aes256-cbc-sha256\"]\n[network]\nudp_port = 7";
    let config = Config::parse(text, Path::new("x")).expect("valid");
    let protocol = protocol_config(&config, 99);
    assert_eq!(protocol.udp_port, 7);
    assert_eq!(protocol.dh_groups, [DhGroup::EcpP384]);
    assert_eq!(
        protocol.esp_suites,
        [EspSuite::NullHmacSha256, EspSuite::Aes256CbcHmacSha256]
    );
    assert!(protocol.allow_auth_only_esp);
    assert_eq!(protocol.puzzle.difficulty, 3);
    assert_eq!(protocol.timers.ual, Duration::from_secs(60));
    assert_eq!(protocol.r1_counter, 99);
    let quiet = protocol_config(&Config::default(), 1);
    assert!(
        !quiet.allow_auth_only_esp,
        "no NULL encryption unless it was named"
    );
}

#[test]
fn status_says_what_to_do_next() {
    let none = Hosts {
        file: "h".into(),
        hosts: Vec::new(),
    };
    let bob = KnownHost {
        hit: "2001:20::b".into(),
        names: vec!["bob".into()],
        lsi: None,
        locators: Vec::new(),
    };
    let one = Hosts {
        file: "h".into(),
        hosts: vec![bob],
    };
    let counts = |established, failed| Associations {
        established,
        failed,
        ..Default::default()
    };
    let step = |hosts, counts| snapshot::next_step("2001:20::a alice 192.0.2.1", hosts, counts);
    assert!(step(&none, counts(0, 0)).contains("hipctl hosts add 2001:20::a alice 192.0.2.1"));
    assert_eq!(step(&one, counts(0, 0)), "hipctl ping bob");
    assert!(step(&one, counts(0, 1)).contains("hipctl show NAME"));
    assert!(step(&one, counts(1, 1)).contains("ssh"));
}

#[test]
fn every_state_of_rfc_7401_has_its_phase() {
    use snapshot::Phase;
    for (state, phase) in [
        (hip_core::StateName::Unassociated, Phase::None),
        (hip_core::StateName::I1Sent, Phase::InProgress),
        (hip_core::StateName::I2Sent, Phase::InProgress),
        (hip_core::StateName::R2Sent, Phase::Up),
        (hip_core::StateName::Established, Phase::Up),
        (hip_core::StateName::Closing, Phase::Closing),
        (hip_core::StateName::Closed, Phase::None),
        (hip_core::StateName::Failed, Phase::Failed),
    ] {
        assert_eq!(snapshot::phase(state.name()), phase, "{state}");
    }
}
