//! The socket against clients that are huge, partial, slow, wrong or many.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream as Client;

use serde_json::json;

use super::*;
use crate::api::{Answer, Body};

/// Answers `id` at once; never answers anything else.
struct Fake {
    events: broadcast::Sender<EventRecord>,
}

impl Service for Fake {
    fn call(&self, request: Request) -> Answering<'_> {
        Box::pin(async move {
            match request {
                Request::Id => crate::api::to_fields(&json!({"hit": "2001:20::1"})),
                _ => std::future::pending().await,
            }
        })
    }

    fn subscribe(&self, peer: Option<&str>) -> Result<Subscription, ApiError> {
        match peer {
            Some("nobody") => Err(ApiError::new(ErrorCode::UnknownPeer, "no peer \"nobody\"")),
            peer => Ok(Subscription {
                events: self.events.subscribe(),
                peer: peer.map(str::to_owned),
            }),
        }
    }
}

struct Bench {
    dir: tempfile::TempDir,
    stop: watch::Sender<bool>,
    events: broadcast::Sender<EventRecord>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Bench {
    fn start(policy: AccessPolicy, limits: Limits) -> Self {
        let dir = tempfile::tempdir().expect("scratch directory");
        let path = dir.path().join("run/hipd.sock");
        let (stop, stopped) = watch::channel(false);
        let (events, _) = broadcast::channel(16);
        let service = Arc::new(Fake {
            events: events.clone(),
        });
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let server = Server::bind(&path, policy, limits).await.expect("bind");
                ready.send(()).expect("the test waits");
                server.run(service, stopped).await;
            });
        });
        is_ready.recv().expect("the server is up");
        Self {
            dir,
            stop,
            events,
            thread: Some(thread),
        }
    }

    fn normal() -> Self {
        Self::start(AccessPolicy::new(None).expect("policy"), Limits::default())
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("run/hipd.sock")
    }

    /// Ends the server; the scratch directory lives until the result is dropped.
    fn shut_down(mut self) -> tempfile::TempDir {
        std::mem::replace(
            &mut self.dir,
            tempfile::tempdir().expect("scratch directory"),
        )
    }

    fn client(&self) -> BufReader<Client> {
        let client = Client::connect(self.path()).expect("connect");
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("read timeout");
        BufReader::new(client)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends without a panic");
        }
    }
}

fn ask(client: &mut BufReader<Client>, text: &[u8]) -> Body {
    client.get_mut().write_all(text).expect("write");
    hear(client)
}

fn hear(client: &mut BufReader<Client>) -> Body {
    let mut line = String::new();
    client.read_line(&mut line).expect("an answer");
    let answer: Answer = serde_json::from_str(&line).expect("one JSON line");
    assert_eq!(answer.schema, 1);
    answer.body
}

fn error(body: Body) -> ApiError {
    match body {
        Body::Error(error) => error,
        other => panic!("expected an error, got {other:?}"),
    }
}

fn data(value: Value) -> Body {
    Body::Data(crate::api::to_fields(&value).expect("an object"))
}

const ID: &[u8] = b"{\"schema\":1,\"command\":\"id\"}\n";

#[test]
fn one_connection_answers_many_requests() {
    let bench = Bench::normal();
    let mut client = bench.client();
    for _ in 0..3 {
        assert_eq!(ask(&mut client, ID), data(json!({"hit": "2001:20::1"})));
    }
}

#[test]
fn bad_requests_are_explained_and_the_connection_lives_on() {
    let bench = Bench::normal();
    let mut client = bench.client();
    for (request, says) in [
        (&b"hello\n"[..], "the request is not one line of JSON"),
        (b"{\"command\":\"id\"}\n", "the request has no \"schema\":1"),
        (
            b"{\"schema\":9,\"command\":\"id\"}\n",
            "schema 9 is not spoken here, only 1",
        ),
        (
            b"{\"schema\":1,\"command\":\"fly\"}\n",
            "unknown variant `fly`",
        ),
        (
            b"{\"schema\":1,\"command\":\"show\"}\n",
            "missing field `peer`",
        ),
        (b"[1]\n", "has no \"schema\":1"),
        (b"\xff\xfe\n", "not one line of JSON"),
        (b"\n", "not one line of JSON"),
    ] {
        let error = error(ask(&mut client, request));
        assert_eq!(error.code, ErrorCode::BadRequest);
        assert!(
            error.message.contains(says),
            "{} lacks {says:?}",
            error.message
        );
    }
    assert!(matches!(ask(&mut client, ID), Body::Data(_)));
}

#[test]
fn deeply_nested_json_is_refused_not_followed() {
    let bench = Bench::normal();
    let mut client = bench.client();
    let mut request = b"[".repeat(30_000);
    request.push(b'\n');
    assert_eq!(
        error(ask(&mut client, &request)).code,
        ErrorCode::BadRequest
    );
}

#[test]
fn a_request_over_the_limit_ends_the_connection() {
    let bench = Bench::normal();
    let mut client = bench.client();
    let error = error(ask(&mut client, &vec![b' '; 64 * 1024 + 1]));
    assert_eq!(error.message, "the request is longer than 65536 octets");
    let mut rest = Vec::new();
    // Unread octets make the close a reset: either way the connection is over.
    let ended = client.read_to_end(&mut rest);
    assert!(ended.is_err() || rest.is_empty());
    assert!(matches!(ask(&mut bench.client(), ID), Body::Data(_)));
}

#[test]
fn a_partial_request_is_cut_off_by_time() {
    let limits = Limits {
        line_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let bench = Bench::start(AccessPolicy::new(None).expect("policy"), limits);
    let mut client = bench.client();
    let error = error(ask(&mut client, b"{\"schema\":1,"));
    assert_eq!(error.code, ErrorCode::Limit);
    assert_eq!(error.message, "the request was not complete within 50ms");
    assert_eq!(client.read(&mut [0; 1]).expect("end of stream"), 0);
}

#[test]
fn a_partial_request_and_a_hang_up_leave_the_server_working() {
    let bench = Bench::normal();
    drop(bench.client().get_mut().write_all(b"{\"sch"));
    assert!(matches!(ask(&mut bench.client(), ID), Body::Data(_)));
}

#[test]
fn a_slow_request_in_pieces_is_answered() {
    let bench = Bench::normal();
    let mut client = bench.client();
    for piece in ID.chunks(5) {
        client.get_mut().write_all(piece).expect("write");
        client.get_mut().flush().expect("flush");
    }
    assert!(matches!(hear(&mut client), Body::Data(_)));
}

#[test]
fn a_client_that_stays_silent_is_sent_away() {
    let limits = Limits {
        idle_time: Duration::from_millis(20),
        ..Limits::default()
    };
    let bench = Bench::start(AccessPolicy::new(None).expect("policy"), limits);
    assert_eq!(bench.client().read(&mut [0; 1]).expect("end of stream"), 0);
}

#[test]
fn the_wrong_user_is_told_and_not_answered() {
    let other = nix::unistd::Uid::effective().as_raw() + 1;
    let bench = Bench::start(AccessPolicy::only(&[other]), Limits::default());
    let mut client = bench.client();
    let error = error(hear(&mut client));
    assert_eq!(error.code, ErrorCode::Denied);
    assert!(
        error.message.ends_with("may not control hipd"),
        "{}",
        error.message
    );
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("end of stream");
    assert!(rest.is_empty());
}

#[test]
fn policy_admits_root_itself_and_the_group_only() {
    let policy = AccessPolicy::new(None).expect("policy");
    assert!(policy.admits(0, 0));
    assert!(policy.admits(nix::unistd::Uid::effective().as_raw(), 12345));
    assert!(!AccessPolicy::only(&[7]).admits(8, 8));
    let error = AccessPolicy::new(Some("no-such-group-here")).expect_err("unknown group");
    assert_eq!(
        error.to_string(),
        "control.group \"no-such-group-here\": there is no such group; make it with: groupadd \
         --system no-such-group-here"
    );
}

#[test]
fn clients_beyond_the_limit_are_told_so() {
    let limits = Limits {
        clients: 2,
        ..Limits::default()
    };
    let bench = Bench::start(AccessPolicy::new(None).expect("policy"), limits);
    let mut first = bench.client();
    let mut second = bench.client();
    ask(&mut first, ID);
    ask(&mut second, ID);
    assert_eq!(error(hear(&mut bench.client())).code, ErrorCode::Busy);
    assert!(matches!(ask(&mut first, ID), Body::Data(_)));
}

#[test]
fn a_thousand_clients_do_not_stop_the_server() {
    let bench = Bench::normal();
    for _ in 0..1000 {
        drop(bench.client());
    }
    // Slots of clients that hung up come back; ask until one is free.
    let answered = (0..1000).any(|_| matches!(ask(&mut bench.client(), ID), Body::Data(_)));
    assert!(answered);
}

#[test]
fn watch_streams_the_events_of_one_peer_without_drops() {
    let bench = Bench::normal();
    let mut client = bench.client();
    let request = b"{\"schema\":1,\"command\":\"watch\",\"peer\":\"2001:20::2\"}\n";
    client.get_mut().write_all(request).expect("write");
    while bench.events.receiver_count() == 0 {
        std::thread::yield_now();
    }
    let event = |kind: &str, peer: &str| EventRecord {
        time_ms: 1,
        kind: kind.into(),
        peer: Some(peer.into()),
        name: None,
        text: String::new(),
    };
    for event in [
        event("established", "2001:20::3"),
        event("dropped", "2001:20::2"),
        event("closed", "2001:20::2"),
    ] {
        bench.events.send(event).expect("someone listens");
    }
    assert_eq!(
        hear(&mut client),
        Body::Event(event("closed", "2001:20::2"))
    );
    let unknown = b"{\"schema\":1,\"command\":\"watch\",\"peer\":\"nobody\"}\n";
    assert_eq!(
        error(ask(&mut bench.client(), unknown)).code,
        ErrorCode::UnknownPeer
    );
}

#[test]
fn the_socket_is_private_and_gone_after_the_server() {
    let bench = Bench::normal();
    let path = bench.path();
    let mode = std::fs::metadata(&path)
        .expect("socket file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let _dir = bench.shut_down();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_a_live_one_and_a_file_are_not() {
    let dir = tempfile::tempdir().expect("scratch directory");
    let path = dir.path().join("hipd.sock");
    let policy = || AccessPolicy::new(None).expect("policy");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
    let first = Server::bind(&path, policy(), Limits::default())
        .await
        .expect("stale is replaced");
    let error = Server::bind(&path, policy(), Limits::default())
        .await
        .expect_err("in use");
    assert!(
        error.message.ends_with("another hipd answers on it"),
        "{error}"
    );
    drop(first);
    std::fs::write(&path, "precious").expect("write");
    let error = Server::bind(&path, policy(), Limits::default())
        .await
        .expect_err("a file");
    assert!(
        error
            .message
            .ends_with("a file that is no socket is in its place"),
        "{error}"
    );
    assert_eq!(
        std::fs::read_to_string(&path).expect("untouched"),
        "precious"
    );
}
