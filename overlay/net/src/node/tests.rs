//! Whole nodes over loopback TCP with databases on disk.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as Start;

use hip_crypto::{KeyAlgorithm, SeededRng};
use reload_core::{
    Answer, FetchCommand, KindId, NodeId, NodeState, ResourceId, Selector, StoreCommand,
};

use super::*;
use crate::link_hit::tests::loopback;

struct World {
    dir: tempfile::TempDir,
    identities: Vec<Arc<HostIdentity>>,
    links: Vec<LinkConfig>,
    starts: AtomicU64,
}

impl World {
    fn new(size: u64) -> Self {
        let identity = |seed| HostIdentity::from_seed(KeyAlgorithm::EcdsaP256, seed);
        let identities: Vec<Arc<HostIdentity>> = (0..size)
            .map(|seed| Arc::new(identity(seed).expect("a key")))
            .collect();
        let ids: Vec<NodeId> = identities
            .iter()
            .map(|identity| identity.hit().into())
            .collect();
        let dir = tempfile::tempdir().expect("scratch directory");
        Self {
            dir,
            identities,
            links: loopback(&ids),
            starts: AtomicU64::new(0),
        }
    }

    fn data(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("{number}.redb"))
    }

    fn start(&self, number: usize) -> Overlay {
        let mut node = NodeConfig::new("test.overlay");
        node.bootstrap = vec![self.identities[0].hit().into()];
        node.join_retry = Duration::from_millis(100);
        node.reliability_timer = Duration::from_millis(500);
        Overlay::start(OverlayConfig {
            node,
            identity: Arc::clone(&self.identities[number]),
            // Each life its own randomness: repeated transaction IDs would be taken for repeats.
            rng: Box::new(SeededRng::new(self.starts.fetch_add(1, Ordering::Relaxed))),
            links: self.links[number].clone(),
            data: self.data(number),
            clock,
        })
        .expect("starts")
    }
}

fn clock() -> Instant {
    use std::sync::OnceLock;
    static START: OnceLock<Start> = OnceLock::new();
    let since = START.get_or_init(Start::now).elapsed();
    Instant::from_nanos(1 + u64::try_from(since.as_nanos()).expect("a short test"))
}

/// Waits for events until the node has joined.
async fn joined(overlay: &Overlay) {
    let mut events = overlay.events();
    while overlay.status().await.expect("runs").state != NodeState::Joined {
        events.recv().await.expect("runs");
    }
}

fn store(name: &str, value: Option<&str>) -> Command {
    Command::Store(StoreCommand {
        resource: ResourceId::from_name(name.as_bytes()),
        kind: KindId::USER_SINGLE,
        selector: Selector::Single,
        value: value.map(Into::into),
        lifetime: Duration::from_secs(3600),
        generation: 0,
        storage_time: None,
    })
}

async fn put(overlay: &Overlay, name: &str, value: &str) {
    let answer = overlay
        .command(store(name, Some(value)))
        .await
        .expect("runs");
    assert!(matches!(answer, Ok(Answer::Stored(_))), "{answer:?}");
}

async fn get(overlay: &Overlay, name: &str) -> Option<String> {
    let fetch = Command::Fetch(FetchCommand {
        resource: ResourceId::from_name(name.as_bytes()),
        kind: KindId::USER_SINGLE,
        selectors: vec![Selector::Single],
    });
    match overlay.command(fetch).await.expect("runs") {
        Ok(Answer::Fetched { values, .. }) => {
            let value = values.into_iter().next()?.value?;
            Some(String::from_utf8(value).expect("text"))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn four_nodes_store_and_find_over_tcp() {
    let world = World::new(4);
    let mut nodes = Vec::new();
    for number in 0..4 {
        let node = world.start(number);
        joined(&node).await;
        nodes.push(node);
    }
    for number in 0..20 {
        put(
            &nodes[number % 4],
            &format!("name {number}"),
            &format!("value {number}"),
        )
        .await;
    }
    for number in 0..20 {
        let found = get(&nodes[(number + 1) % 4], &format!("name {number}")).await;
        assert_eq!(found, Some(format!("value {number}")));
    }
    for node in nodes {
        node.shutdown().await;
    }
}

#[tokio::test]
async fn a_node_alone_has_its_values_after_a_crash() {
    let world = World::new(1);
    let node = world.start(0);
    joined(&node).await;
    put(&node, "name", "value").await;
    // As with kill -9: no leave, nothing flushed beyond what was acknowledged.
    let crashed = world.dir.path().join("crashed.redb");
    std::fs::copy(world.data(0), &crashed).expect("copy of the live file");
    drop(node);
    // The aborted tasks let go of port and file when the runtime gets to them.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    std::fs::rename(&crashed, world.data(0)).expect("put in place");
    let node = world.start(0);
    assert_eq!(node.moved_aside(), None);
    joined(&node).await;
    assert_eq!(get(&node, "name").await.as_deref(), Some("value"));
}

#[tokio::test]
async fn a_damaged_database_is_told_and_refilled_by_the_neighbours() {
    let world = World::new(3);
    let mut nodes = Vec::new();
    for number in 0..3 {
        let node = world.start(number);
        joined(&node).await;
        nodes.push(node);
    }
    for number in 0..10 {
        put(&nodes[0], &format!("name {number}"), "value").await;
    }
    nodes.pop().expect("three").shutdown().await;
    std::fs::write(world.data(2), "nothing redb ever wrote").expect("damage");
    let node = world.start(2);
    let moved = node.moved_aside().expect("told");
    assert!(moved.kept_as.starts_with(world.dir.path()));
    joined(&node).await;
    for number in 0..10 {
        assert_eq!(
            get(&node, &format!("name {number}")).await.as_deref(),
            Some("value")
        );
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_line() {
    let world = World::new(1);
    let _first = world.start(0);
    let mut config = world.links[0].clone();
    config.device = None;
    let error = Overlay::start(OverlayConfig {
        node: NodeConfig::new("test.overlay"),
        identity: Arc::clone(&world.identities[0]),
        rng: Box::new(SeededRng::new(1)),
        links: config,
        data: Path::new(world.dir.path()).join("other.redb"),
        clock,
    })
    .expect_err("in use")
    .to_string();
    assert!(
        error.starts_with("overlay: cannot listen on 127.77.0.1:"),
        "{error}"
    );
    assert!(error.contains("Address already in use"), "{error}");
}

#[tokio::test]
async fn a_stopped_node_says_so() {
    let world = World::new(1);
    let node = world.start(0);
    node.task.abort();
    // The task ends at its next await; commands until then are lost with it.
    while node.status().await.is_ok() {}
    let error = node
        .command(store("x", None))
        .await
        .expect_err("stopped")
        .to_string();
    assert_eq!(error, "the overlay node has stopped; see the log of hipd");
}
