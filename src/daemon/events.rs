//! Events of both cores in the form of the API.

use hip_core::{Event as HipEvent, Role};
use hip_wire::hit::Hit;
use reload_core::Event as OverlayEvent;

use super::hosts::KnownHosts;
use crate::api::EventRecord;
use crate::cli::text::unix_ms;

/// A HIP event; `hosts` gives the name.
pub(super) fn of_hip(event: &HipEvent, hosts: &KnownHosts) -> EventRecord {
    let (kind, peer, text) = match event {
        HipEvent::Established {
            peer,
            role,
            duration,
            path,
            dh_group,
            cipher: _,
            esp_suite,
        } => {
            // A responder keeps no state before I2, so it has no time of its own to tell.
            let time = match role {
                Role::Initiator => format!(" in {:.2} ms", duration.as_secs_f64() * 1e3),
                Role::Responder => String::new(),
            };
            let (group, suite) = (dh_group.name(), esp_suite.name());
            let text = format!("established as {role}{time} over {path}, {group}, {suite}");
            ("established", Some(*peer), text)
        }
        HipEvent::Failed { peer, reason } => (
            "failed",
            Some(*peer),
            format!("base exchange failed: {reason}"),
        ),
        HipEvent::Closed { peer, reason } => (
            "closed",
            Some(*peer),
            format!("association closed: {reason}"),
        ),
        HipEvent::StateChanged { peer, from, to } => {
            ("state", Some(*peer), format!("{from} -> {to}"))
        }
        HipEvent::Dropped { peer, reason } => {
            ("dropped", *peer, format!("packet dropped: {reason}"))
        }
        HipEvent::Notified { peer, code } => (
            "notified",
            Some(*peer),
            format!("the peer sent NOTIFY {code}"),
        ),
        HipEvent::PathChanged { peer, from, to } => (
            "path",
            Some(*peer),
            format!("reached at {to} instead of {from}"),
        ),
    };
    record(kind, peer, text, hosts)
}

/// An overlay event.
pub(super) fn of_overlay(event: &OverlayEvent, hosts: &KnownHosts) -> EventRecord {
    let (kind, peer, text) = match event {
        OverlayEvent::StateChanged { from, to } => (
            "overlay",
            None,
            format!("overlay node: {from:?} -> {to:?}").to_lowercase(),
        ),
        OverlayEvent::NeighborsChanged {
            predecessors,
            successors,
        } => {
            let text = format!(
                "overlay neighbours: {} before, {} after this node",
                predecessors.len(),
                successors.len()
            );
            ("overlay-neighbors", None, text)
        }
        OverlayEvent::PeerLost { peer } => {
            ("overlay", Some(peer.hit()), "overlay node lost".to_owned())
        }
        OverlayEvent::PartitionDetected { peer } => (
            "overlay",
            Some(peer.hit()),
            "a second ring of this overlay was found".to_owned(),
        ),
        OverlayEvent::Dropped { reason, from } => (
            "dropped",
            Some(from.hit()),
            format!("overlay message dropped: {reason:?}"),
        ),
    };
    record(kind, peer, text, hosts)
}

/// Something the daemon itself tells.
pub(super) fn of_daemon(kind: &str, text: String) -> EventRecord {
    EventRecord {
        time_ms: unix_ms(),
        kind: kind.to_owned(),
        peer: None,
        name: None,
        text,
    }
}

fn record(kind: &str, peer: Option<Hit>, text: String, hosts: &KnownHosts) -> EventRecord {
    EventRecord {
        time_ms: unix_ms(),
        kind: kind.to_owned(),
        peer: peer.map(|hit| hit.to_string()),
        name: peer.and_then(|hit| hosts.name(hit)),
        text,
    }
}
