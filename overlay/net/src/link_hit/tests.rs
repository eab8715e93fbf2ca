//! Links over loopback TCP: node N lives at 127.0.0.N.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Node-IDs end in the last octet of a loopback address.
pub(crate) struct Loopback {
    port: u16,
    hits: Vec<(NodeId, Ipv4Addr)>,
}

impl Directory for Loopback {
    fn address(&self, node: NodeId) -> SocketAddr {
        let known = self.hits.iter().find(|(id, _)| *id == node);
        SocketAddr::new(
            known.map_or(Ipv4Addr::BROADCAST, |(_, ip)| *ip).into(),
            self.port,
        )
    }

    fn identify(&self, address: SocketAddr) -> Option<NodeId> {
        self.hits
            .iter()
            .find(|(_, ip)| IpAddr::V4(*ip) == address.ip())
            .map(|(id, _)| *id)
    }
}

/// Configurations of nodes that know each other, on a port of their own.
pub(crate) fn loopback(nodes: &[NodeId]) -> Vec<LinkConfig> {
    // A free port found by the system; SO_REUSEADDR lets the nodes take it at once.
    let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = probe.local_addr().expect("bound").port();
    let hits: Vec<(NodeId, Ipv4Addr)> = nodes
        .iter()
        .zip(1_u8..)
        .map(|(node, number)| (*node, Ipv4Addr::new(127, 77, 0, number)))
        .collect();
    let directory: Arc<dyn Directory> = Arc::new(Loopback {
        port,
        hits: hits.clone(),
    });
    hits.iter()
        .map(|(_, ip)| LinkConfig {
            listen: SocketAddr::new((*ip).into(), port),
            device: None,
            directory: Arc::clone(&directory),
            max_message: 5000,
            connect_timeout: Duration::from_secs(10),
            dead_after: Duration::from_secs(10),
            max_connections: 8,
        })
        .collect()
}

fn node(number: u8) -> NodeId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&[0x20, 0x01, 0x00, 0x21]);
    bytes[15] = number;
    NodeId::from_bytes(bytes)
}

fn pair() -> (NodeId, NodeId, LinkConfig, LinkConfig) {
    let (a, b) = (node(1), node(2));
    let mut configs = loopback(&[a, b]);
    let (second, first) = (configs.pop().expect("two"), configs.pop().expect("two"));
    (a, b, first, second)
}

async fn until(links: &mut Links, wanted: &LinkChange) -> Vec<LinkChange> {
    let mut seen = Vec::new();
    while !seen.contains(wanted) {
        seen.extend(links.next().await);
    }
    seen
}

#[tokio::test]
async fn messages_pass_both_ways_in_order_and_whole() {
    let (a, b, first, second) = pair();
    let mut alice = Links::start(first).expect("listens");
    let mut bob = Links::start(second).expect("listens");
    assert_eq!(alice.open(b), None);
    assert_eq!(alice.next().await, [LinkChange::Up(b)]);
    assert_eq!(bob.next().await, [LinkChange::Up(a)]);
    for number in 0..100_u8 {
        alice.send(b, vec![number; 4000]);
    }
    bob.send(a, b"back".to_vec());
    for number in 0..100_u8 {
        assert_eq!(
            bob.next().await,
            [LinkChange::Message(a, vec![number; 4000])]
        );
    }
    assert_eq!(
        alice.next().await,
        [LinkChange::Message(b, b"back".to_vec())]
    );
    assert_eq!(
        alice.open(b),
        Some(LinkChange::Up(b)),
        "an open link is up at once"
    );
}

#[tokio::test]
async fn close_delivers_what_was_sent_and_the_other_side_sees_the_end() {
    let (a, b, first, second) = pair();
    let mut alice = Links::start(first).expect("listens");
    let mut bob = Links::start(second).expect("listens");
    alice.open(b);
    alice.next().await;
    bob.next().await;
    alice.send(b, b"last words".to_vec());
    alice.close(b);
    assert_eq!(
        bob.next().await,
        [LinkChange::Message(a, b"last words".to_vec())]
    );
    assert_eq!(bob.next().await, [LinkChange::Down(a)]);
    alice.send(b, b"nobody".to_vec());
    assert_eq!(alice.unsent, 1);
}

#[tokio::test]
async fn both_opening_at_once_gives_one_link_up_each() {
    let (a, b, first, second) = pair();
    let mut alice = Links::start(first).expect("listens");
    let mut bob = Links::start(second).expect("listens");
    alice.open(b);
    bob.open(a);
    assert_eq!(alice.next().await, [LinkChange::Up(b)]);
    assert_eq!(bob.next().await, [LinkChange::Up(a)]);
    alice.send(b, b"to bob".to_vec());
    bob.send(a, b"to alice".to_vec());
    let at_bob = until(&mut bob, &LinkChange::Message(a, b"to bob".to_vec())).await;
    let at_alice = until(&mut alice, &LinkChange::Message(b, b"to alice".to_vec())).await;
    assert_eq!(
        (at_bob.len(), at_alice.len()),
        (1, 1),
        "no second Up, no Down"
    );
}

#[tokio::test]
async fn a_peer_that_starts_anew_takes_the_link_down_and_up() {
    let (a, b, first, second) = pair();
    let mut bob = Links::start(second).expect("listens");
    let mut alice = Links::start(first.clone()).expect("listens");
    alice.open(b);
    assert_eq!(bob.next().await, [LinkChange::Up(a)]);
    // As after kill -9 of the host: the old connection is never closed.
    let old = std::mem::replace(&mut alice, Links::start(reused(&first)).expect("listens"));
    std::mem::forget(old);
    alice.open(b);
    assert_eq!(bob.next().await, [LinkChange::Down(a), LinkChange::Up(a)]);
    assert_eq!(alice.next().await, [LinkChange::Up(b)]);
    alice.send(b, b"again".to_vec());
    assert_eq!(
        bob.next().await,
        [LinkChange::Message(a, b"again".to_vec())]
    );
}

/// The same address on another port, because the forgotten listener still has the first.
fn reused(config: &LinkConfig) -> LinkConfig {
    LinkConfig {
        listen: SocketAddr::new(config.listen.ip(), 0),
        ..config.clone()
    }
}

#[tokio::test]
async fn nobody_listening_is_a_failed_link() {
    let (_, b, first, _) = pair();
    let mut alice = Links::start(first).expect("listens");
    assert_eq!(alice.open(b), None);
    assert_eq!(alice.open(b), None, "one attempt at a time");
    assert_eq!(alice.next().await, [LinkChange::Failed(b)]);
}

#[tokio::test]
async fn garbage_and_oversize_frames_end_the_link_and_strangers_get_none() {
    let (a, b, first, second) = pair();
    let mut bob = Links::start(second).expect("listens");
    let bad: [&[u8]; 3] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[128, 0, 0, 0, 0, 0xff, 0xff, 0xff],
        &[0x00],
    ];
    for bytes in bad {
        let mut stream = connect(&first, b).await.expect("connects");
        assert_eq!(bob.next().await, [LinkChange::Up(a)]);
        stream.write_all(bytes).await.expect("write");
        assert_eq!(bob.next().await, [LinkChange::Down(a)]);
        // Reset or end of stream: the connection is over.
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest).await;
        assert!(ended.is_err() || rest.is_empty());
    }
    let stranger = LinkConfig {
        listen: "127.77.0.99:0".parse().expect("address"),
        ..first
    };
    let mut stream = connect(&stranger, b).await.expect("connects");
    assert!(matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_)));
}

/// 6940-6.6.2-03 6940-6.6.2-05
#[tokio::test]
async fn a_message_is_acknowledged_with_the_bits_of_those_before() {
    let (_, b, first, second) = pair();
    let mut bob = Links::start(second).expect("listens");
    let mut stream = connect(&first, b).await.expect("connects");
    bob.next().await;
    for sequence in 0..2_u8 {
        stream
            .write_all(&[128, 0, 0, 0, sequence, 0, 0, 1, 7])
            .await
            .expect("write");
        bob.next().await;
    }
    let mut acks = [0; 18];
    stream.read_exact(&mut acks).await.expect("acknowledged");
    assert_eq!(acks[..9], [129, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(acks[9..14], [129, 0, 0, 0, 1]);
    assert_ne!(acks[14..18], [0; 4], "frame 0 was received before frame 1");
}

/// 6940-6.6.2-02
#[tokio::test]
async fn frames_are_numbered_from_zero_on_each_connection() {
    let (a, b, first, second) = pair();
    let mut bob = Links::start(second).expect("listens");
    for _ in 0..2 {
        let mut stream = connect(&first, b).await.expect("connects");
        until(&mut bob, &LinkChange::Up(a)).await;
        bob.send(a, vec![7]);
        bob.send(a, vec![8]);
        let mut frames = [0; 18];
        stream.read_exact(&mut frames).await.expect("two frames");
        assert_eq!(frames[..9], [128, 0, 0, 0, 0, 0, 0, 1, 7]);
        assert_eq!(frames[9..], [128, 0, 0, 0, 1, 0, 0, 1, 8]);
    }
}

#[tokio::test]
async fn connections_are_bounded() {
    let (_, b, first, second) = pair();
    let mut alice = Links::start(LinkConfig {
        max_connections: 0,
        ..first
    })
    .expect("listens");
    let _bob = Links::start(second).expect("listens");
    assert_eq!(alice.open(b), Some(LinkChange::Failed(b)));
}

#[test]
fn a_hit_is_an_address_and_only_hits_are_nodes() {
    let directory = HitDirectory { port: 6084 };
    let address = directory.address(node(5));
    assert_eq!(address.to_string(), "[2001:21::5]:6084");
    assert_eq!(directory.identify(address), Some(node(5)));
    assert_eq!(
        directory.identify("[2001:db8::5]:6084".parse().expect("address")),
        None
    );
    assert_eq!(
        directory.identify("192.0.2.1:6084".parse().expect("address")),
        None
    );
}
