//! Overlay requests of the control socket, in the node's terms and back.

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use hip_wire::hit::Hit;
use reload_core::{
    Answer, Command, CommandError, FetchCommand, FetchedValue, KindId, NodeId, NodeState,
    ResourceId, Selector, StoreCommand, Target, ValueMetadata,
};
use reload_net::{Overlay, OverlayError};
use serde_json::{Map, Value};

use super::service::Daemon;
use super::snapshot;
use crate::api::{
    ApiError, ErrorCode, Fetched, FoundValue, Octets, OverlayMap, OverlayNode, OverlayPinged,
    OverlayRequest, OverlayRoute, Slot, Stored, to_fields,
};

/// Longest wait for the answer to one command; the node itself gives up after 15 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// This node has joined and knows at least `peers` others.
pub(super) async fn has_joined(overlay: Option<&Overlay>, peers: usize) -> Result<bool, ApiError> {
    let status = enabled(overlay)?
        .status()
        .await
        .map_err(|e| failed(&e, "overlay"))?;
    Ok(status.state == NodeState::Joined && snapshot::other_nodes(&status) >= peers)
}

/// Answers one request.
pub(super) async fn answer(
    daemon: &Daemon,
    overlay: Option<&Overlay>,
    request: OverlayRequest,
) -> Result<Map<String, Value>, ApiError> {
    let asker = Asker {
        daemon,
        overlay: enabled(overlay)?,
    };
    match request {
        OverlayRequest::Status => asker.status().await,
        OverlayRequest::Join => {
            asker.command(Command::Join, "join").await?;
            asker.status().await
        }
        OverlayRequest::Leave => {
            asker.command(Command::Leave, "leave").await?;
            asker.status().await
        }
        OverlayRequest::Map { limit } => asker.map(limit).await,
        OverlayRequest::Route { target } => asker.route(target).await,
        OverlayRequest::Ping { target } => asker.ping(&target).await,
        OverlayRequest::Put {
            resource,
            slot,
            value,
            lifetime_seconds,
        } => {
            let value = value
                .to_bytes()
                .map_err(|e| ApiError::new(ErrorCode::BadRequest, format!("value: {e}")))?;
            let lifetime = Duration::from_secs(lifetime_seconds.into());
            asker.store(resource, &slot, Some(value), lifetime).await
        }
        OverlayRequest::Remove { resource, slot } => {
            // The absence lives as long as the value could have (RFC 6940 §7.4.1.3).
            let lifetime = Duration::from_secs(86_400);
            asker.store(resource, &slot, None, lifetime).await
        }
        OverlayRequest::Get { resource, slot } => asker.fetch(resource, &slot, true).await,
        OverlayRequest::Stat { resource, slot } => asker.fetch(resource, &slot, false).await,
    }
}

fn enabled(overlay: Option<&Overlay>) -> Result<&Overlay, ApiError> {
    overlay.ok_or_else(|| {
        ApiError::new(ErrorCode::Disabled, "this host takes part in no overlay")
            .hint("set enabled = true in [overlay] of hipd.toml and restart hipd")
    })
}

struct Asker<'a> {
    daemon: &'a Daemon,
    overlay: &'a Overlay,
}

impl Asker<'_> {
    async fn status(&self) -> Result<Map<String, Value>, ApiError> {
        let status = self
            .overlay
            .status()
            .await
            .map_err(|e| failed(&e, "status"))?;
        to_fields(&snapshot::overlay(&status))
    }

    async fn command(&self, command: Command, what: &str) -> Result<Answer, ApiError> {
        match tokio::time::timeout(PATIENCE, self.overlay.command(command)).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(refused(&error, what)),
            Ok(Err(error)) => Err(failed(&error, what)),
            Err(_) => Err(ApiError::new(
                ErrorCode::Timeout,
                format!("{what}: the overlay did not answer within {PATIENCE:?}"),
            )
            .hint("hipctl overlay status shows the neighbours")),
        }
    }

    async fn map(&self, limit: usize) -> Result<Map<String, Value>, ApiError> {
        match self.command(Command::Map { limit }, "map").await? {
            Answer::Map { peers, complete } => to_fields(&OverlayMap {
                nodes: self.nodes(&peers),
                complete,
            }),
            other => Err(unexpected(&other)),
        }
    }

    async fn route(&self, target: String) -> Result<Map<String, Value>, ApiError> {
        match self
            .command(Command::Trace(self.target(&target)), &target)
            .await?
        {
            Answer::Route(hops) => to_fields(&OverlayRoute {
                target,
                hops: self.nodes(&hops),
            }),
            other => Err(unexpected(&other)),
        }
    }

    async fn ping(&self, target: &str) -> Result<Map<String, Value>, ApiError> {
        match self
            .command(Command::Ping(self.target(target)), target)
            .await?
        {
            Answer::Pong {
                responder,
                round_trip,
                ..
            } => to_fields(&OverlayPinged {
                node_id: responder.to_string(),
                took_ms: crate::cli::text::ms(round_trip),
            }),
            other => Err(unexpected(&other)),
        }
    }

    async fn store(
        &self,
        resource: String,
        slot: &Slot,
        value: Option<Vec<u8>>,
        lifetime: Duration,
    ) -> Result<Map<String, Value>, ApiError> {
        let start = Instant::now();
        let id = ResourceId::from_name(resource.as_bytes());
        let selector = match (place(slot), slot) {
            (Some(selector), _) => selector,
            (None, Slot::Array { .. }) if value.is_some() => Selector::Append,
            (None, _) => {
                return Err(ApiError::new(
                    ErrorCode::BadRequest,
                    format!("\"{resource}\": which entry is missing"),
                )
                .hint("name it with --key or --index"));
            }
        };
        let command = Command::Store(StoreCommand {
            resource: id,
            kind: kind(slot),
            selector,
            value,
            lifetime,
            generation: 0,
            storage_time: None,
        });
        match self.command(command, &resource).await? {
            Answer::Stored(outcome) => to_fields(&Stored {
                resource,
                resource_id: id.to_string(),
                generation: outcome.generation,
                node_id: outcome.responder.to_string(),
                replicas: outcome.replicas.iter().map(ToString::to_string).collect(),
                took_ms: crate::cli::text::ms(start.elapsed()),
            }),
            other => Err(unexpected(&other)),
        }
    }

    async fn fetch(
        &self,
        resource: String,
        slot: &Slot,
        values: bool,
    ) -> Result<Map<String, Value>, ApiError> {
        let start = Instant::now();
        let id = ResourceId::from_name(resource.as_bytes());
        let fetch = FetchCommand {
            resource: id,
            kind: kind(slot),
            selectors: place(slot).into_iter().collect(),
        };
        let command = if values {
            Command::Fetch(fetch)
        } else {
            Command::Stat(fetch)
        };
        let (generation, found, discarded, responder) =
            match self.command(command, &resource).await? {
                Answer::Fetched {
                    generation,
                    values,
                    discarded,
                    responder,
                } => {
                    let found = values.iter().filter_map(found_value).collect();
                    (generation, found, discarded, responder)
                }
                Answer::Metadata {
                    generation,
                    values,
                    responder,
                } => {
                    let found = values.iter().filter_map(found_metadata).collect();
                    (generation, found, 0, responder)
                }
                other => return Err(unexpected(&other)),
            };
        let mut found: Vec<FoundValue> = found;
        if found.is_empty() {
            return Err(nothing(&resource, discarded));
        }
        let order = |value: &FoundValue| (value.index, value.key.as_ref().map(ToString::to_string));
        found.sort_by_key(order);
        to_fields(&Fetched {
            resource,
            resource_id: id.to_string(),
            generation,
            node_id: responder.to_string(),
            values: found,
            discarded,
            took_ms: crate::cli::text::ms(start.elapsed()),
        })
    }

    /// A HIT or host name is a node, anything else the name of a resource.
    fn target(&self, text: &str) -> Target {
        let node = |hit: Hit| Target::Node(NodeId::from(hit));
        match text
            .parse::<Ipv6Addr>()
            .ok()
            .and_then(|address| Hit::try_from(address).ok())
        {
            Some(hit) => node(hit),
            None => Target::Resource(ResourceId::from_name(text.as_bytes())),
        }
    }

    fn nodes(&self, nodes: &[NodeId]) -> Vec<OverlayNode> {
        self.daemon.with_hosts(|hosts| {
            let node = |id: &NodeId| OverlayNode {
                node_id: id.to_string(),
                name: hosts.name(id.hit()),
            };
            nodes.iter().map(node).collect()
        })
    }
}

fn kind(slot: &Slot) -> KindId {
    match slot {
        Slot::Single => KindId::USER_SINGLE,
        Slot::Array { .. } => KindId::USER_ARRAY,
        Slot::Dictionary { .. } => KindId::USER_DICTIONARY,
    }
}

/// The one place a slot names; `None`: all of them.
fn place(slot: &Slot) -> Option<Selector> {
    match slot {
        Slot::Single => Some(Selector::Single),
        Slot::Array { index } => index.map(Selector::Index),
        Slot::Dictionary { key } => key
            .as_ref()
            .map(|key| Selector::Key(key.clone().into_bytes())),
    }
}

fn index_and_key(selector: &Selector) -> (Option<u32>, Option<Octets>) {
    match selector {
        Selector::Index(index) => (Some(*index), None),
        Selector::Key(key) => (None, Some(Octets::from_bytes(key))),
        Selector::Single | Selector::Append => (None, None),
    }
}

fn found_value(value: &FetchedValue) -> Option<FoundValue> {
    let bytes = value.value.as_ref()?;
    let (index, key) = index_and_key(&value.selector);
    Some(FoundValue {
        index,
        key,
        value: Some(Octets::from_bytes(bytes)),
        length: bytes.len() as u64,
        signer: value.signer.map(|signer| signer.to_string()),
        storage_time_ms: value.storage_time,
        lifetime_seconds: value.lifetime,
    })
}

fn found_metadata(value: &ValueMetadata) -> Option<FoundValue> {
    if !value.exists {
        return None;
    }
    let (index, key) = index_and_key(&value.selector);
    Some(FoundValue {
        index,
        key,
        value: None,
        length: value.size.into(),
        signer: None,
        storage_time_ms: value.storage_time,
        lifetime_seconds: value.lifetime,
    })
}

fn nothing(resource: &str, discarded: usize) -> ApiError {
    let error = ApiError::new(
        ErrorCode::NotFound,
        format!("nothing is stored at \"{resource}\""),
    );
    if discarded > 0 {
        error.hint(format!(
            "{discarded} values with a bad signature were left out"
        ))
    } else {
        error.hint("a dictionary or array needs --dictionary or --array")
    }
}

fn refused(error: &CommandError, what: &str) -> ApiError {
    let (code, hint) = match error {
        CommandError::NotJoined => (
            ErrorCode::Refused,
            Some("wait for it with: hipctl wait overlay; then hipctl overlay status"),
        ),
        CommandError::Timeout => (
            ErrorCode::Timeout,
            Some("hipctl overlay status shows the neighbours"),
        ),
        CommandError::Refused { name, .. } if name.contains("Forbidden") => (
            ErrorCode::Refused,
            Some(
                "only the host that wrote first may write there until it expires: take another name or key",
            ),
        ),
        _ => (ErrorCode::Refused, None),
    };
    let answer = ApiError::new(code, format!("{what}: {error}"));
    match hint {
        Some(hint) => answer.hint(hint),
        None => answer,
    }
}

fn failed(error: &OverlayError, what: &str) -> ApiError {
    ApiError::new(ErrorCode::System, format!("{what}: {error}"))
}

fn unexpected(answer: &Answer) -> ApiError {
    ApiError::new(
        ErrorCode::System,
        format!("the node gave another answer: {answer:?}"),
    )
}
