//! The command line itself, and what people and programs are shown.

use clap::{Command, CommandFactory, Parser};
use serde_json::json;

use super::*;
use crate::api::*;

fn leaves(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
    let path = format!("{path} {}", command.get_name()).trim().to_owned();
    found.push((path.clone(), command.clone()));
    for sub in command.get_subcommands() {
        leaves(sub, &path, found);
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_has_help_with_an_example_that_parses_and_takes_json() {
    let mut all = Vec::new();
    leaves(&Cli::command(), "", &mut all);
    assert!(all.len() > 30, "{} commands", all.len());
    for (path, command) in all {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            help.starts_with("Example"),
            "`{path} --help` shows no example"
        );
        assert!(command.get_about().is_some(), "`{path}` has no description");
        let examples: Vec<&str> = help
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("hipctl "))
            .collect();
        assert!(!examples.is_empty(), "`{path}` has no example of hipctl");
        for example in examples {
            let shell = example.split(['|', '<', '>']).next().unwrap_or_default();
            let mut words = words(shell);
            if !words.iter().any(|word| word == "--json") {
                words.push("--json".to_owned());
            }
            let parsed = Cli::try_parse_from(words);
            assert!(
                parsed.is_ok_and(|cli| cli.common.json),
                "`{example}` does not parse"
            );
        }
    }
}

/// Splits as a shell does, with double quotes.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

#[test]
fn wrong_usage_is_explained() {
    for (line, says) in [
        ("hipctl up", "<PEER>"),
        ("hipctl pong bob", "'ping'"),
        ("hipctl ping bob --timeout -1", "unexpected argument"),
        (
            "hipctl ping bob --timeout never",
            "expected seconds from 0 to 1000000",
        ),
        (
            "hipctl overlay put a b --key k --index 1",
            "cannot be used with",
        ),
        (
            "hipctl overlay get a --array --dictionary",
            "cannot be used with",
        ),
        (
            "hipctl keylog on --dir /x --for 3w",
            "expected a time such as 90s, 10m or 2h",
        ),
    ] {
        let error = Cli::try_parse_from(line.split(' '))
            .expect_err(line)
            .to_string();
        assert!(error.contains(says), "`{line}` says: {error}");
    }
}

fn bob() -> Peer {
    Peer {
        hit: "2001:20::b".into(),
        names: vec!["bob".into()],
        lsi: Some("198.18.0.2".into()),
        locators: vec!["192.0.2.2".into()],
        state: "ESTABLISHED".into(),
        role: Some("initiator".into()),
        path: Some("udp 192.0.2.1:10500 > 192.0.2.2:10500".into()),
        age_seconds: Some(75),
        bex_ms: Some(4.25),
        esp_suite: Some("AES-128-GCM-16".into()),
        dh_group: Some("NIST P-256".into()),
        spi_in: Some(0x100),
        spi_out: Some(0xfeed_0001),
        traffic: Traffic {
            packets_in: 3,
            bytes_in: 312,
            packets_out: 4,
            bytes_out: 2048,
        },
        last_reason: None,
    }
}

fn status() -> Status {
    Status {
        version: "0.1.0".into(),
        hit: "2001:20::a".into(),
        lsi: "198.18.0.1".into(),
        uptime_seconds: 150,
        interface: Interface {
            name: "hip0".into(),
            mtu: 1400,
        },
        udp_port: 10500,
        raw: true,
        addresses: vec!["192.0.2.1".into()],
        hosts_file: "/etc/hip/hosts".into(),
        known_hosts: 1,
        associations: Associations {
            established: 1,
            in_progress: 0,
            closing: 0,
            failed: 2,
        },
        keylog_dir: Some("/root/keys".into()),
        overlay: Some(overlay()),
        warnings: vec!["the hosts file has an error".into()],
        next_step: "hipctl ping bob".into(),
    }
}

fn overlay() -> OverlayStatus {
    OverlayStatus {
        name: "hip.overlay".into(),
        node_id: "2001:20::a".into(),
        state: "joined".into(),
        joined_seconds: 7,
        links: vec!["2001:20::b".into()],
        predecessors: vec!["2001:20::b".into()],
        successors: vec!["2001:20::b".into()],
        fingers: Vec::new(),
        share_ppb: 500_000_000,
        resources: 1,
        values: 2,
    }
}

fn fetched() -> Fetched {
    let value = |index, key: Option<&str>, value: &[u8]| FoundValue {
        index,
        key: key.map(|key| Octets::Text(key.into())),
        value: Some(Octets::from_bytes(value)),
        length: value.len() as u64,
        signer: Some("2001:20::a".into()),
        storage_time_ms: 1_700_000_000_000,
        lifetime_seconds: 3600,
    };
    Fetched {
        resource: "greeting".into(),
        resource_id: "0011".into(),
        generation: 2,
        node_id: "2001:20::b".into(),
        values: vec![
            value(None, None, b"hello"),
            value(Some(4), None, b"\x00\xff"),
            value(None, Some("home"), b"x"),
        ],
        discarded: 0,
        took_ms: 1.5,
    }
}

fn stored() -> Stored {
    Stored {
        resource: "greeting".into(),
        resource_id: "0011".into(),
        generation: 1,
        node_id: "2001:20::b".into(),
        replicas: vec!["2001:20::c".into(), "2001:20::d".into()],
        took_ms: 2.04,
    }
}

/// What people see, verb by verb.
#[test]
fn the_words_for_people_are_these() {
    let map = OverlayMap {
        nodes: vec![
            OverlayNode {
                node_id: "2001:20::a".into(),
                name: None,
            },
            OverlayNode {
                node_id: "2001:20::b".into(),
                name: Some("bob".into()),
            },
        ],
        complete: true,
    };
    let up = Up {
        peer: bob(),
        already: false,
        own_hit: "2001:20::a".into(),
        own_lsi: "198.18.0.1".into(),
        interface: "hip0".into(),
    };
    let sections = [
        ("status", status::render(&status())),
        ("peers", peers::render(&Peers { peers: vec![bob()] })),
        ("show", show::render(&bob())),
        ("up", format!("{}\n", up::render(&up))),
        ("overlay status", overlay::render_status(&overlay())),
        ("overlay map", overlay::render_map(&map)),
        (
            "overlay put",
            format!("{}\n", overlay::render_stored(&stored(), "stored")),
        ),
        ("overlay get", overlay::render_values(&fetched())),
    ];
    let text: String = sections
        .iter()
        .map(|(name, words)| format!("== {name}\n{words}"))
        .collect();
    golden("words.txt", &text);
}

/// What programs see: any change here is a change of the schema.
#[test]
fn the_json_of_every_answer_is_this() {
    let answers = [
        json!({"verb": "status", "data": status()}),
        json!({"verb": "peers", "data": Peers { peers: vec![bob(), Peer::default()] }}),
        json!({"verb": "overlay get", "data": fetched()}),
        json!({"verb": "overlay put", "data": stored()}),
        json!({"verb": "hosts", "data": Hosts {
            file: "/etc/hip/hosts".into(),
            hosts: vec![KnownHost {
                hit: "2001:20::b".into(),
                names: vec!["bob".into()],
                lsi: None,
                locators: vec!["192.0.2.2".into()],
            }],
        }}),
        json!({"verb": "id", "data": Identity {
            hit: "2001:20::a".into(),
            lsi: "198.18.0.1".into(),
            algorithm: "ecdsa-p256".into(),
            key_file: "/var/lib/hip/identity.pem".into(),
            hosts_line: "2001:20::a alice 192.0.2.1".into(),
        }}),
        json!({"verb": "wait", "data": Waited { condition: "ready".into(), waited_ms: 3 }}),
        json!({"verb": "close", "data": Closed { hit: "2001:20::b".into(), was_open: true }}),
        json!({"verb": "keylog", "data": Keylog { dir: None, for_seconds: None }}),
        json!({"verb": "metrics", "data": Metrics {
            counters: [("drop.in.replay".to_owned(), 1)].into(),
        }}),
    ];
    let mut text: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
    for body in [
        Body::from(ApiError::new(ErrorCode::UnknownPeer, "no host \"bbo\"").hint("bob?")),
        Body::Event(EventRecord {
            time_ms: 1,
            kind: "established".into(),
            peer: Some("2001:20::b".into()),
            name: Some("bob".into()),
            text: "established".into(),
        }),
        Body::Data(to_fields(&json!({"hit": "2001:20::a"})).expect("an object")),
    ] {
        text.push_str(&serde_json::to_string(&Answer::from(body)).expect("JSON"));
        text.push('\n');
    }
    golden("schema.jsonl", &text);
}

#[test]
fn the_effective_configuration_prints_as_a_file_hipd_reads() {
    let config = crate::config::Config::default();
    let value = serde_json::to_value(&config).expect("JSON");
    let text = config::render(&EffectiveConfig {
        file: None,
        config: value,
    });
    assert!(
        text.starts_with("# no file: every value is the default\n"),
        "{text}"
    );
    let path = std::path::Path::new("shown");
    assert_eq!(crate::config::Config::parse(&text, path), Ok(config));
}

/// What goes over the socket towards hipd.
#[test]
fn the_json_of_every_request_is_this_and_is_understood() {
    let requests = [
        Request::Id,
        Request::Up {
            peer: "bob".into(),
            timeout_ms: 10_000,
        },
        Request::Wait {
            condition: Condition::Overlay { peers: 7 },
            timeout_ms: 5,
        },
        Request::Wait {
            condition: Condition::Ready,
            timeout_ms: 5,
        },
        Request::Watch {
            peer: None,
            drops: false,
        },
        Request::Keylog {
            dir: Some("/root/keys".into()),
            for_seconds: Some(600),
        },
        Request::Overlay(OverlayRequest::Status),
        Request::Overlay(OverlayRequest::Put {
            resource: "greeting".into(),
            slot: Slot::Dictionary {
                key: Some("home".into()),
            },
            value: Octets::Text("hello".into()),
            lifetime_seconds: 60,
        }),
    ];
    let mut text = String::new();
    for request in requests {
        let line = serde_json::to_string(&Envelope::from(request.clone())).expect("JSON");
        let back: Envelope = serde_json::from_str(&line).expect("understood");
        assert_eq!(back.request, request);
        text.push_str(&line);
        text.push('\n');
    }
    golden("requests.jsonl", &text);
}

#[test]
fn octets_survive_json_and_bad_hexadecimal_is_refused() {
    for bytes in [
        &b""[..],
        b"hello",
        b"\x00",
        b"\xff\xfe",
        "d\u{e4}\n".as_bytes(),
    ] {
        assert_eq!(Octets::from_bytes(bytes).to_bytes().expect("valid"), bytes);
    }
    for hex in ["0", "0g", "+1", "\u{e4}"] {
        assert!(Octets::Hex(hex.into()).to_bytes().is_err(), "{hex}");
    }
}

#[test]
fn errors_name_the_next_step_and_give_the_exit_code() {
    let missing = std::path::Path::new("/nonexistent/hipd.sock");
    let error = Client::connect(missing).expect_err("nobody there");
    assert_eq!(
        error.to_string(),
        "hipd does not run (no answer at /nonexistent/hipd.sock); start it with: systemctl start \
         hipd, or: sudo hipd"
    );
    assert_eq!(exit_code(error.code), 3);
    assert_eq!(exit_code(ErrorCode::Timeout), 4);
    assert_eq!(exit_code(ErrorCode::Failed), 1);
}

#[test]
fn sizes_and_ages_read_well() {
    assert_eq!(text::size(1023), "1023 B");
    assert_eq!(text::size(1536), "1.5 KiB");
    assert_eq!(text::size(3 << 30), "3.0 GiB");
    assert_eq!(text::age(119), "119 s");
    assert_eq!(text::age(7199), "119 min");
    assert_eq!(text::age(172_800), "2 d");
    assert_eq!(text::clock(86_399_999), "23:59:59.999");
}

/// The guide is written by people, so it is compared with the programs.
#[test]
fn the_guide_knows_every_verb_key_and_error_code() {
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide");
    let page = |name: &str| std::fs::read_to_string(guide.join(name)).expect("a page of the guide");
    let sample = crate::config::Config::sample();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(guide.join("hipd.toml"), &sample).expect("write the sample");
    }
    assert_eq!(page("hipd.toml"), sample, "run: BLESS=1 cargo test -p hipd");
    let verbs = page("hipctl.md");
    for verb in Cli::command().get_subcommands() {
        assert!(
            verbs.contains(&format!("| `hipctl {}", verb.get_name())),
            "{}",
            verb.get_name()
        );
    }
    let socket = page("control-socket.md");
    for code in [
        ErrorCode::BadRequest,
        ErrorCode::Limit,
        ErrorCode::Busy,
        ErrorCode::Denied,
        ErrorCode::UnknownPeer,
        ErrorCode::Failed,
        ErrorCode::Timeout,
        ErrorCode::Disabled,
        ErrorCode::NotFound,
        ErrorCode::Refused,
        ErrorCode::System,
        ErrorCode::Unreachable,
    ] {
        let name = serde_json::to_value(code).expect("a string");
        let name = name.as_str().expect("a string");
        assert!(socket.contains(&format!("`{name}`")), "{name}");
    }
}

/// Compares with a file of `cli/golden`; `BLESS=1 cargo test -p hipd` writes it anew.
fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/cli/golden")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).expect("write the golden file");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, expected,
        "{name} changed; if it should, run: BLESS=1 cargo test -p hipd"
    );
}
