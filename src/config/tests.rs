//! Golden tests: each mistake an operator makes gets this exact line.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn message(text: &str) -> String {
    Config::parse(text, Path::new("hipd.toml"))
        .expect_err("the text is wrong")
        .to_string()
}

#[test]
fn an_empty_file_means_the_defaults() {
    let config = Config::parse("", Path::new("hipd.toml")).expect("empty is fine");
    assert_eq!(config, Config::default());
    assert_eq!(config.key_file(), Path::new("/var/lib/hip/identity.pem"));
    assert_eq!(config.socket(), Path::new("/run/hip/hipd.sock"));
    assert_eq!(
        config.overlay_data(),
        Path::new("/var/lib/hip/overlay.redb")
    );
}

#[test]
fn an_absent_file_means_the_defaults_unless_it_was_named() {
    let absent = Path::new("/nonexistent/hipd.toml");
    assert_eq!(Config::load(absent, false), Ok(Config::default()));
    let error = Config::load(absent, true)
        .expect_err("a named file must exist")
        .to_string();
    assert_eq!(
        error,
        "/nonexistent/hipd.toml: cannot read the configuration: No such file or directory \
         (os error 2); name an existing file, or leave --config out"
    );
}

#[test]
fn moving_the_state_directory_moves_the_key_and_the_database() {
    let config = Config::parse(
        "state_dir = \"/tmp/a\"\nrun_dir = \"/tmp/b\"",
        Path::new("x"),
    )
    .expect("valid");
    assert_eq!(config.key_file(), Path::new("/tmp/a/identity.pem"));
    assert_eq!(config.overlay_data(), Path::new("/tmp/a/overlay.redb"));
    assert_eq!(config.socket(), Path::new("/tmp/b/hipd.sock"));
}

#[test]
fn mistakes_are_named_by_line_key_and_nearest_name() {
    let golden = [
        (
            "[network]\nudp_prot = 1",
            "hipd.toml:2: unknown key \"network.udp_prot\"; did you mean \"network.udp_port\"?",
        ),
        (
            "\n\n[netwrk]\nudp_port = 1",
            "hipd.toml:3: unknown key \"netwrk\"; did you mean \"[network]\"?",
        ),
        (
            "udp_port = 1",
            "hipd.toml:1: unknown key \"udp_port\"; did you mean \"network.udp_port\"?",
        ),
        (
            "[hip]\nzzzzzzzz = 1",
            "hipd.toml:2: unknown key \"hip.zzzzzzzz\"; `hipctl config sample` lists every key",
        ),
        (
            "network = 3",
            "hipd.toml:1: \"network\" is a table: write it as [network]",
        ),
        (
            "[network]\nudp_port = \"x\"",
            "hipd.toml:2: udp_port: invalid type: string \"x\", expected u16",
        ),
        (
            "[network]\nmtu = 500",
            "hipd.toml:2: network.mtu: 500 is outside 1280 to 9000",
        ),
        (
            "[overlay]\nbootstrap = [\"2001:db8::1\"]",
            "hipd.toml:2: bootstrap: 2001:db8::1 is an IPv6 address outside 2001:20::/28, so it \
             is not a HIT",
        ),
        (
            "[network]\nlsi_prefix = \"198.18.4.1/16\"",
            "hipd.toml:2: lsi_prefix: 198.18.4.1/16 has host bits set; write 198.18.0.0/16",
        ),
        (
            "[identity]\nalgorithm = \"dsa\"",
            "hipd.toml:2: algorithm: unknown variant `dsa`, expected one of `ecdsa-p256`, \
             `ecdsa-p384`, `rsa-2048`, `rsa-3072`, `ed25519`",
        ),
        (
            "[hip]\npuzzle_difficulty = 60",
            "hipd.toml:2: hip.puzzle_difficulty: at most 20: a peer would need seconds to solve \
             it",
        ),
        (
            "[network]\ntransport = \"raw\"\nraw = false",
            "hipd.toml:2: network.transport: \"raw\" needs network.raw = true",
        ),
        (
            "[network\nx = 1",
            "hipd.toml:1: unclosed table, expected `]`",
        ),
        (
            "[overlay]\nname = \"\"\"x\n",
            "hipd.toml:2: invalid multi-line basic string, expected `\"`",
        ),
    ];
    for (text, expected) in golden {
        assert_eq!(message(text), expected, "for the file:\n{text}");
    }
}

#[test]
fn the_first_mistake_of_the_file_is_the_one_reported() {
    assert!(message("[overlay]\nprot = 1\n[control]\nsokcet = 1").starts_with("hipd.toml:2:"));
}

#[test]
fn the_sample_lists_every_key_and_uncommented_it_is_the_default() {
    let sample = Config::sample();
    for info in KEYS {
        assert!(
            sample.contains(&format!("# {} =", info.key)),
            "{} is missing",
            info.path()
        );
    }
    assert_eq!(
        Config::parse(&uncommented(&sample), Path::new("sample")),
        Ok(Config::default())
    );
}

/// The sample with every value in effect.
fn uncommented(sample: &str) -> String {
    sample
        .lines()
        .filter_map(|line| match line.strip_prefix("# ") {
            Some(rest) => rest
                .split_once(" = ")
                .filter(|(key, _)| KEYS.iter().any(|k| k.key == *key))
                .map(|_| format!("{rest}\n")),
            None => line.starts_with('[').then(|| format!("{line}\n")),
        })
        .collect()
}

/// Other text in some places of the sample.
fn edited(edits: &[(Index, Index, String)]) -> String {
    let mut text: Vec<char> = uncommented(&Config::sample()).chars().collect();
    for (from, length, replacement) in edits {
        let from = from.index(text.len());
        let to = text.len().min(from + length.index(16));
        text.splice(from..to, replacement.chars());
    }
    text.into_iter().collect()
}

fn assert_read_or_refused(text: &str) -> Result<(), TestCaseError> {
    match Config::parse(text, Path::new("hipd.toml")) {
        Ok(config) => {
            let written = toml::to_string(&config).expect("every value has a form in TOML");
            let again = Config::parse(&written, Path::new("written"));
            prop_assert_eq!(again, Ok(config));
        }
        Err(error) => {
            let line = error.line.unwrap_or(1);
            prop_assert!((1..=text.lines().count().max(1)).contains(&line), "{error}");
            let error = error.to_string();
            prop_assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_a_line_that_exists(text in "(?s).{0,200}") {
        assert_read_or_refused(&text)?;
    }

    #[test]
    fn any_edit_of_the_sample_is_read_or_refused_with_a_line_that_exists(
        edits in proptest::collection::vec(
            (any::<Index>(), any::<Index>(), "[\\[\\]=\".\n0-9a-z_é\u{1b} -]{0,8}"),
            0..4,
        ),
    ) {
        assert_read_or_refused(&edited(&edits))?;
    }
}
