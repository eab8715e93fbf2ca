//! `hipctl overlay`: store and find values by name.

use std::io::Read;

use clap::{Args, Subcommand};

use super::{Common, Out, ask_and_show, text};
use crate::api::{
    ApiError, ErrorCode, Fetched, FoundValue, Octets, OverlayMap, OverlayNode, OverlayPinged,
    OverlayRequest, OverlayRoute, OverlayStatus, Request, Slot, Stored,
};

/// Arguments of `hipctl overlay`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hipctl overlay status\n  hipctl overlay put greeting \"hello, world\"\n  hipctl overlay get greeting\n  hipctl overlay map"
)]
pub struct OverlayArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Own place in the ring
    #[command(after_help = "Example:\n  hipctl overlay status")]
    Status,
    /// Every node, in ring order
    #[command(after_help = "Example:\n  hipctl overlay map")]
    Map {
        /// Most nodes to list
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Store a value, signed by this host
    #[command(
        after_help = "Examples:\n  hipctl overlay put greeting hello\n  hipctl overlay put phones --key home \"+358 9 1\"\n  hipctl overlay put log --append \"first line\"\n  hipctl overlay put picture - < picture.png"
    )]
    Put {
        /// Resource name
        resource: String,
        /// The value; - reads it from standard input
        value: String,
        #[command(flatten)]
        place: Place,
        /// Append to the array
        #[arg(long, conflicts_with_all = ["key", "index"])]
        append: bool,
        /// The value is hexadecimal
        #[arg(long)]
        hex: bool,
        /// Seconds until it expires
        #[arg(long, default_value_t = 86_400)]
        lifetime: u32,
    },
    /// Fetch values
    #[command(
        after_help = "Examples:\n  hipctl overlay get greeting\n  hipctl overlay get phones --dictionary\n  hipctl overlay get log --array"
    )]
    Get {
        /// Resource name
        resource: String,
        #[command(flatten)]
        place: WidePlace,
    },
    /// Sizes and times of values, without the values
    #[command(after_help = "Example:\n  hipctl overlay stat greeting")]
    Stat {
        /// Resource name
        resource: String,
        #[command(flatten)]
        place: WidePlace,
    },
    /// Remove a value this host stored
    #[command(
        after_help = "Examples:\n  hipctl overlay remove greeting\n  hipctl overlay remove phones --key home"
    )]
    Remove {
        /// Resource name
        resource: String,
        #[command(flatten)]
        place: Place,
    },
    /// Round trip to a node, or to the one responsible for a name
    #[command(after_help = "Example:\n  hipctl overlay ping greeting")]
    Ping {
        /// Resource name or HIT
        target: String,
    },
    /// The nodes on the way to a name or HIT
    #[command(after_help = "Example:\n  hipctl overlay route greeting")]
    Route {
        /// Resource name or HIT
        target: String,
    },
    /// Join again after leave
    #[command(after_help = "Example:\n  hipctl overlay join")]
    Join,
    /// Hand everything over and leave
    #[command(after_help = "Example:\n  hipctl overlay leave")]
    Leave,
}

#[derive(Debug, Args)]
struct Place {
    /// Dictionary key
    #[arg(long, conflicts_with = "index")]
    key: Option<String>,
    /// Array index
    #[arg(long)]
    index: Option<u32>,
}

impl Place {
    fn slot(&self, append: bool) -> Slot {
        match (&self.key, self.index) {
            (Some(key), _) => Slot::Dictionary {
                key: Some(key.clone()),
            },
            (None, Some(index)) => Slot::Array { index: Some(index) },
            (None, None) if append => Slot::Array { index: None },
            (None, None) => Slot::Single,
        }
    }
}

#[derive(Debug, Args)]
struct WidePlace {
    #[command(flatten)]
    place: Place,
    /// Every entry of the array
    #[arg(long, conflicts_with_all = ["key", "index", "dictionary"])]
    array: bool,
    /// Every entry of the dictionary
    #[arg(long, conflicts_with_all = ["key", "index"])]
    dictionary: bool,
}

impl WidePlace {
    fn slot(&self) -> Slot {
        if self.dictionary {
            Slot::Dictionary { key: None }
        } else {
            self.place.slot(self.array)
        }
    }
}

pub(super) fn run(args: &OverlayArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    let request = Request::Overlay(request_for(&args.action)?);
    match &args.action {
        Action::Status | Action::Join | Action::Leave => {
            ask_and_show(common, out, request, render_status)
        }
        Action::Map { .. } => ask_and_show(common, out, request, render_map),
        Action::Put { .. } => ask_and_show(common, out, request, |stored| {
            render_stored(stored, "stored")
        }),
        Action::Remove { .. } => ask_and_show(common, out, request, |stored| {
            render_stored(stored, "removed")
        }),
        Action::Get { .. } => ask_and_show(common, out, request, render_values),
        Action::Stat { .. } => ask_and_show(common, out, request, render_stat),
        Action::Ping { .. } => ask_and_show(common, out, request, |pong: &OverlayPinged| {
            format!("{} answered after {:.2} ms", pong.node_id, pong.took_ms)
        }),
        Action::Route { .. } => ask_and_show(common, out, request, render_route),
    }
}

fn request_for(action: &Action) -> Result<OverlayRequest, ApiError> {
    Ok(match action {
        Action::Status => OverlayRequest::Status,
        Action::Join => OverlayRequest::Join,
        Action::Leave => OverlayRequest::Leave,
        Action::Map { limit } => OverlayRequest::Map { limit: *limit },
        Action::Put {
            resource,
            value,
            place,
            append,
            hex,
            lifetime,
        } => OverlayRequest::Put {
            resource: resource.clone(),
            slot: place.slot(*append),
            value: value_of(value, *hex)?,
            lifetime_seconds: *lifetime,
        },
        Action::Get { resource, place } => OverlayRequest::Get {
            resource: resource.clone(),
            slot: place.slot(),
        },
        Action::Stat { resource, place } => OverlayRequest::Stat {
            resource: resource.clone(),
            slot: place.slot(),
        },
        Action::Remove { resource, place } => OverlayRequest::Remove {
            resource: resource.clone(),
            slot: place.slot(false),
        },
        Action::Ping { target } => OverlayRequest::Ping {
            target: target.clone(),
        },
        Action::Route { target } => OverlayRequest::Route {
            target: target.clone(),
        },
    })
}

fn value_of(value: &str, hex: bool) -> Result<Octets, ApiError> {
    let bad = |what: String| ApiError::new(ErrorCode::BadRequest, what);
    let octets = if value == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|e| bad(format!("standard input: {e}")))?;
        Octets::from_bytes(&bytes)
    } else if hex {
        Octets::Hex(value.to_owned())
    } else {
        Octets::Text(value.to_owned())
    };
    octets.to_bytes().map_err(bad)?;
    Ok(octets)
}

pub(super) fn render_status(status: &OverlayStatus) -> String {
    let list = |nodes: &[String]| {
        if nodes.is_empty() {
            "none".to_owned()
        } else {
            nodes.join(" ")
        }
    };
    let share = f64::from(status.share_ppb) / 1e7;
    let lines = [
        ("Node-ID", status.node_id.clone()),
        ("successors", list(&status.successors)),
        ("predecessors", list(&status.predecessors)),
        ("fingers", status.fingers.len().to_string()),
        ("links", status.links.len().to_string()),
        (
            "holds",
            format!(
                "{} of {}, responsible for {share:.2} % of the ring",
                text::count(status.values, "value"),
                text::count(status.resources, "resource")
            ),
        ),
    ];
    let since = match status.state.as_str() {
        "joined" => format!(" for {}", text::age(status.joined_seconds)),
        _ => String::new(),
    };
    format!(
        "overlay \"{}\": {}{since}\n{}",
        status.name,
        status.state,
        text::facts(&lines)
    )
}

fn label(node: &OverlayNode) -> String {
    match &node.name {
        Some(name) => format!("{} {name}", node.node_id),
        None => node.node_id.clone(),
    }
}

pub(super) fn render_map(map: &OverlayMap) -> String {
    let mut words: String = map
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| format!("{at:>4}  {}\n", label(node)))
        .collect();
    let closed = if map.complete {
        "the ring is closed"
    } else {
        "the ring did NOT close"
    };
    words.push_str(&format!(
        "{}; {closed}\n",
        text::count(map.nodes.len(), "node")
    ));
    words
}

fn render_route(route: &OverlayRoute) -> String {
    let mut words = format!("to \"{}\":\n", route.target);
    for (at, node) in route.hops.iter().enumerate() {
        words.push_str(&format!("{:>4}  {}\n", at + 1, label(node)));
    }
    words
}

pub(super) fn render_stored(stored: &Stored, done: &str) -> String {
    format!(
        "{done} \"{}\" at {} and {} in {:.1} ms (generation {})",
        stored.resource,
        stored.node_id,
        text::count(stored.replicas.len(), "replica"),
        stored.took_ms,
        stored.generation
    )
}

fn place(value: &FoundValue) -> String {
    match (&value.index, &value.key) {
        (Some(index), _) => format!("[{index}] "),
        (None, Some(key)) => format!("{key} = "),
        (None, None) => String::new(),
    }
}

/// The values alone, one a line, so that they can be piped.
pub(super) fn render_values(fetched: &Fetched) -> String {
    let line = |value: &FoundValue| match &value.value {
        Some(octets) => format!("{}{octets}\n", place(value)),
        None => format!("{}(nothing)\n", place(value)),
    };
    fetched.values.iter().map(line).collect()
}

fn render_stat(fetched: &Fetched) -> String {
    let mut words = format!(
        "\"{}\" ({}) at {}, generation {}\n",
        fetched.resource, fetched.resource_id, fetched.node_id, fetched.generation
    );
    for value in &fetched.values {
        words.push_str(&format!(
            "  {}{} octets, stored {} UTC, expires in {}\n",
            place(value),
            value.length,
            text::clock(value.storage_time_ms),
            text::age(u64::from(value.lifetime_seconds))
        ));
    }
    words
}
