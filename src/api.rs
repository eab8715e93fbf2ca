//! What hipctl and hipd say to each other: one JSON object a line on a unix socket.
//!
//! ```text
//! > {"schema":1,"command":"up","peer":"bob"}
//! < {"schema":1,"data":{"peer":{"hit":"2001:2..","state":"ESTABLISHED",..},..}}
//! > {"schema":1,"command":"watch"}
//! < {"schema":1,"event":{"kind":"established","peer":"2001:2..",..}}      (many)
//! < {"schema":1,"error":{"code":"unknown-peer","message":"..","hint":".."}}
//! ```
//!
//! `hipctl --json` prints the answer line as it came, so scripts and socket clients see the
//! same data. Fields are only added within one [`SCHEMA`]; anything else raises it.

mod data;
mod octets;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use data::*;
pub use octets::Octets;

/// Version of everything in this module.
pub const SCHEMA: u32 = 1;

/// A request with its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Must be [`SCHEMA`].
    pub schema: u32,
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
}

impl From<Request> for Envelope {
    fn from(request: Request) -> Self {
        Self {
            schema: SCHEMA,
            request,
        }
    }
}

/// What can be asked. Peers are named by host name, HIT or LSI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    /// Own identity. Answer: [`Identity`].
    Id,
    /// State of the daemon. Answer: [`Status`].
    Status,
    /// Every association and every known host. Answer: [`Peers`].
    Peers,
    /// One peer. Answer: [`Peer`].
    Show {
        /// The peer.
        peer: String,
    },
    /// Brings the association up and waits for it. Answer: [`Up`].
    Up {
        /// The peer.
        peer: String,
        /// How long to wait.
        #[serde(default = "default_timeout")]
        timeout_ms: u64,
    },
    /// Closes the association. Answer: [`Closed`].
    Close {
        /// The peer.
        peer: String,
        /// How long to wait for CLOSE_ACK.
        #[serde(default = "default_timeout")]
        timeout_ms: u64,
    },
    /// The hosts file as the daemon read it. Answer: [`Hosts`].
    Hosts,
    /// Reads the hosts file again. Answer: [`Hosts`].
    HostsReload,
    /// Waits for a condition. Answer: [`Waited`].
    Wait {
        /// The condition.
        #[serde(flatten)]
        condition: Condition,
        /// How long.
        #[serde(default = "default_timeout")]
        timeout_ms: u64,
    },
    /// Streams events until the client hangs up.
    Watch {
        /// Only those of this peer.
        #[serde(default)]
        peer: Option<String>,
        /// Also one event for each dropped packet.
        #[serde(default)]
        drops: bool,
    },
    /// Every counter. Answer: [`Metrics`].
    Metrics,
    /// The configuration in effect. Answer: [`EffectiveConfig`].
    Config,
    /// Starts or stops writing session keys. Answer: [`Keylog`].
    Keylog {
        /// Directory to write to; absent stops.
        #[serde(default)]
        dir: Option<String>,
        /// Stops by itself after this time.
        #[serde(default)]
        for_seconds: Option<u64>,
    },
    /// Something of the overlay.
    Overlay(OverlayRequest),
}

/// What [`Request::Wait`] can wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Condition {
    /// The daemon answers (it does when this is received).
    Ready,
    /// The association with the peer is ESTABLISHED.
    Established {
        /// The peer.
        peer: String,
    },
    /// There is no association with the peer.
    Closed {
        /// The peer.
        peer: String,
    },
    /// This node has joined the overlay.
    Overlay {
        /// At least this many other nodes are known.
        #[serde(default)]
        peers: usize,
    },
}

/// What can be asked about the overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "overlay", rename_all = "snake_case")]
pub enum OverlayRequest {
    /// Own place in the ring. Answer: [`OverlayStatus`].
    Status,
    /// Every node, found by walking around the ring. Answer: [`OverlayMap`].
    Map {
        /// Most nodes to list.
        #[serde(default = "default_map_limit")]
        limit: usize,
    },
    /// The nodes on the way to the one responsible for a name, or to a HIT.
    /// Answer: [`OverlayRoute`].
    Route {
        /// Resource name or HIT.
        target: String,
    },
    /// Stores a value signed by this host. Answer: [`Stored`].
    Put {
        /// Resource name; its hash is the Resource-ID.
        resource: String,
        /// Where in the resource.
        #[serde(default)]
        slot: Slot,
        /// The value.
        value: Octets,
        /// Seconds until it expires.
        #[serde(default = "default_lifetime")]
        lifetime_seconds: u32,
    },
    /// Fetches values. Answer: [`Fetched`].
    Get {
        /// Resource name.
        resource: String,
        /// Where in the resource.
        #[serde(default)]
        slot: Slot,
    },
    /// Like `Get` with sizes and times instead of values. Answer: [`Fetched`].
    Stat {
        /// Resource name.
        resource: String,
        /// Where in the resource.
        #[serde(default)]
        slot: Slot,
    },
    /// Stores the absence of a value. Answer: [`Stored`].
    Remove {
        /// Resource name.
        resource: String,
        /// Where in the resource.
        #[serde(default)]
        slot: Slot,
    },
    /// A RELOAD Ping to the node responsible for a name, or to a HIT. Answer: [`OverlayPinged`].
    Ping {
        /// Resource name or HIT.
        target: String,
    },
    /// Leaves the overlay in an orderly way. Answer: [`OverlayStatus`].
    Leave,
    /// Joins again after `Leave`. Answer: [`OverlayStatus`].
    Join,
}

/// Where in a resource a value stands (RFC 6940 §7.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Slot {
    /// The one value.
    #[default]
    Single,
    /// An array entry; absent index: append on put, all on get.
    Array {
        /// Position.
        #[serde(default)]
        index: Option<u32>,
    },
    /// A dictionary entry; absent key: all (get only).
    Dictionary {
        /// Key.
        #[serde(default)]
        key: Option<String>,
    },
}

fn default_timeout() -> u64 {
    10_000
}

fn default_map_limit() -> usize {
    1000
}

fn default_lifetime() -> u32 {
    86_400
}

/// One answer line: `schema`, and one of `data`, `error` and `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Data, error or event.
    #[serde(flatten)]
    pub body: Body,
}

/// What an answer line carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The answer to the request.
    Data(Map<String, Value>),
    /// The request failed.
    Error(ApiError),
    /// One event of a `watch`.
    Event(EventRecord),
}

impl From<Body> for Answer {
    fn from(body: Body) -> Self {
        Self {
            schema: SCHEMA,
            body,
        }
    }
}

impl From<ApiError> for Body {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

/// Turns an answer type into the fields of an answer line.
pub fn to_fields<T: Serialize>(data: &T) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(data) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) | Err(_) => Err(ApiError::new(
            ErrorCode::System,
            format!("{} is no JSON object", std::any::type_name::<T>()),
        )),
    }
}

/// Why a request failed: what and for which peer (`message`), what to do next (`hint`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// Stable name for programs.
    pub code: ErrorCode,
    /// One line.
    pub message: String,
    /// The next step, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// The same error with the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}; {hint}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ApiError {}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The request is not JSON, not known, or of another schema.
    BadRequest,
    /// The request line is longer than the limit or came too slowly.
    Limit,
    /// Too many clients at once.
    Busy,
    /// The client may not use the socket.
    Denied,
    /// No host of that name, HIT or LSI.
    UnknownPeer,
    /// The association could not be established.
    Failed,
    /// The condition did not come true in time.
    Timeout,
    /// Something is switched off in the configuration.
    Disabled,
    /// Nothing is stored there.
    NotFound,
    /// The overlay refused.
    Refused,
    /// A file or the system failed.
    System,
    /// hipd does not answer.
    Unreachable,
}
