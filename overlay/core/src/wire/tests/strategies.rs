//! Arbitrary structures.

use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::body::{Body, ErrorCode, ErrorResponse};
use super::super::contents::{MessageContents, MessageExtension, Signature, SignerIdentity};
use super::super::header::{Destination, ForwardingHeader, ForwardingOption};
use super::super::link::{Attach, CandidateKind, IceCandidate, IceExtension, PingAns, PingReq};
use super::super::storage::{
    DataSpecifier, FetchAns, FindAns, FindKindData, FindReq, KindData, Place, SpecifierReq,
    StatAns, StoreAns, StoreKindResponse, StoreReq, StoredData,
};
use super::super::topology::{
    ChordLeave, ChordUpdate, ChordView, JoinAns, JoinReq, LeaveReq, ProbeAns, ProbeInformation,
    ProbeReq, RouteQueryAns, RouteQueryReq,
};
use crate::config::KindId;
use crate::id::{NodeId, ResourceId};

pub(super) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

pub(super) fn node() -> impl Strategy<Value = NodeId> {
    any::<[u8; 16]>()
        .prop_filter("all zero is no Node-ID", |id| *id != [0; 16])
        .prop_map(NodeId::from_bytes)
}

pub(super) fn nodes() -> impl Strategy<Value = Vec<NodeId>> {
    vec(node(), 0..6)
}

pub(super) fn resource() -> impl Strategy<Value = ResourceId> {
    any::<[u8; 16]>().prop_map(ResourceId::from_bytes)
}

pub(super) fn kind() -> impl Strategy<Value = KindId> {
    any::<u32>().prop_map(KindId)
}

pub(super) fn destination() -> impl Strategy<Value = Destination> {
    prop_oneof![
        node().prop_map(Destination::Node),
        vec(any::<u8>(), 0..40).prop_map(Destination::Opaque),
    ]
}

pub(super) fn any_destination() -> impl Strategy<Value = Destination> {
    prop_oneof![destination(), resource().prop_map(Destination::Resource)]
}

prop_compose! {
    pub(super) fn header()(
        numbers in any::<(u32, u16, u8, u8, u32, u64, u32)>(),
        via in vec(destination(), 0..4),
        mut destinations in vec(destination(), 0..4),
        last in any_destination(),
        options in vec((any::<u8>(), any::<u8>(), bytes()), 0..3),
    ) -> ForwardingHeader {
        destinations.push(last);
        let (overlay, configuration_sequence, version, ttl, fragment, transaction_id, most) = numbers;
        ForwardingHeader {
            overlay,
            configuration_sequence,
            version,
            ttl,
            fragment,
            transaction_id,
            max_response_length: most,
            via,
            destinations,
            options: options
                .into_iter()
                .map(|(kind, flags, value)| ForwardingOption { kind, flags, value })
                .collect(),
        }
    }
}

pub(super) fn identity() -> impl Strategy<Value = SignerIdentity> {
    prop_oneof![
        (any::<u8>(), bytes()).prop_map(|(hash, digest)| SignerIdentity::CertHash { hash, digest }),
        (any::<u8>(), bytes())
            .prop_map(|(hash, digest)| SignerIdentity::CertHashNodeId { hash, digest }),
        Just(SignerIdentity::None),
    ]
}

prop_compose! {
    pub(super) fn signature()(
        hash in any::<u8>(),
        algorithm in any::<u8>(),
        identity in identity(),
        value in bytes(),
    ) -> Signature {
        Signature { hash, algorithm, identity, value }
    }
}

prop_compose! {
    pub(super) fn contents()(
        code in any::<u16>(),
        body in bytes(),
        extensions in vec((any::<u16>(), any::<bool>(), bytes()), 0..3),
    ) -> MessageContents {
        let extension = |(kind, critical, contents)| MessageExtension { kind, critical, contents };
        MessageContents { code, body, extensions: extensions.into_iter().map(extension).collect() }
    }
}

pub(super) fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::Single),
        any::<u32>().prop_map(Place::Index),
        bytes().prop_map(Place::Key),
    ]
}

prop_compose! {
    pub(super) fn stored_data()(
        storage_time in any::<u64>(),
        lifetime in any::<u32>(),
        place in place(),
        value in option::of(bytes()),
        signature in signature(),
    ) -> StoredData {
        StoredData { storage_time, lifetime, place, value, signature }
    }
}

pub(super) fn kind_data() -> impl Strategy<Value = Vec<KindData>> {
    let one = (kind(), any::<u64>(), bytes());
    let one = one.prop_map(|(kind, generation, values)| KindData {
        kind,
        generation,
        values,
    });
    vec(one, 0..4)
}

pub(super) fn specifiers() -> impl Strategy<Value = SpecifierReq> {
    let one = (kind(), any::<u64>(), bytes()).prop_map(|(kind, generation, model_specifier)| {
        DataSpecifier {
            kind,
            generation,
            model_specifier,
        }
    });
    (resource(), vec(one, 0..4)).prop_map(|(resource, specifiers)| SpecifierReq {
        resource,
        specifiers,
    })
}

pub(super) fn candidate() -> impl Strategy<Value = IceCandidate> {
    let related = prop_oneof![
        Just(CandidateKind::Host),
        any::<SocketAddr>()
            .prop_map(plain)
            .prop_map(CandidateKind::ServerReflexive),
        any::<SocketAddr>()
            .prop_map(plain)
            .prop_map(CandidateKind::Relayed),
    ];
    let extension = (bytes(), bytes()).prop_map(|(name, value)| IceExtension { name, value });
    (
        any::<SocketAddr>().prop_map(plain),
        any::<u8>(),
        bytes(),
        any::<u32>(),
        related,
        vec(extension, 0..3),
    )
        .prop_map(
            |(address, overlay_link, foundation, priority, kind, extensions)| IceCandidate {
                address,
                overlay_link,
                foundation,
                priority,
                kind,
                extensions,
            },
        )
}

/// Without flow label and scope, which are not on the wire.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

pub(super) fn attach() -> impl Strategy<Value = Attach> {
    (
        bytes(),
        bytes(),
        bytes(),
        vec(candidate(), 0..3),
        any::<bool>(),
    )
        .prop_map(|(ufrag, password, role, candidates, send_update)| Attach {
            ufrag,
            password,
            role,
            candidates,
            send_update,
        })
}

pub(super) fn view() -> impl Strategy<Value = ChordView> {
    prop_oneof![
        Just(ChordView::PeerReady),
        (nodes(), nodes()).prop_map(|(predecessors, successors)| ChordView::Neighbors {
            predecessors,
            successors
        }),
        (nodes(), nodes(), nodes()).prop_map(|(predecessors, successors, fingers)| {
            ChordView::Full {
                predecessors,
                successors,
                fingers,
            }
        }),
    ]
}

pub(super) fn leave() -> impl Strategy<Value = Option<ChordLeave>> {
    option::of(prop_oneof![
        nodes().prop_map(ChordLeave::FromSuccessor),
        nodes().prop_map(ChordLeave::FromPredecessor),
    ])
}

pub(super) fn probe_answer() -> impl Strategy<Value = ProbeAns> {
    let one = prop_oneof![
        (1_u8..=3, any::<[u8; 4]>()).prop_map(|(kind, value)| (kind, value.to_vec())),
        (4_u8.., bytes()),
    ];
    let one = one.prop_map(|(kind, value)| ProbeInformation { kind, value });
    vec(one, 0..5).prop_map(|information| ProbeAns { information })
}

pub(super) fn topology_body() -> impl Strategy<Value = Body> {
    prop_oneof![
        bytes().prop_map(|requested| Body::ProbeReq(ProbeReq { requested })),
        probe_answer().prop_map(Body::ProbeAns),
        (node(), bytes()).prop_map(|(joining_peer, overlay_specific)| Body::JoinReq(JoinReq {
            joining_peer,
            overlay_specific
        })),
        bytes().prop_map(|overlay_specific| Body::JoinAns(JoinAns { overlay_specific })),
        (node(), leave())
            .prop_map(|(leaving_peer, data)| Body::LeaveReq(LeaveReq { leaving_peer, data })),
        Just(Body::LeaveAns),
        (any::<u32>(), view())
            .prop_map(|(uptime, view)| Body::UpdateReq(ChordUpdate { uptime, view })),
        Just(Body::UpdateAns),
        (any::<bool>(), any_destination(), bytes()).prop_map(
            |(send_update, destination, overlay_specific)| Body::RouteQueryReq(RouteQueryReq {
                send_update,
                destination,
                overlay_specific
            })
        ),
        node().prop_map(|next_peer| Body::RouteQueryAns(RouteQueryAns { next_peer })),
    ]
}

pub(super) fn storage_body() -> impl Strategy<Value = Body> {
    let response = (kind(), any::<u64>(), nodes()).prop_map(|(kind, generation, replicas)| {
        StoreKindResponse {
            kind,
            generation,
            replicas,
        }
    });
    let found = (kind(), resource()).prop_map(|(kind, closest)| FindKindData { kind, closest });
    prop_oneof![
        (resource(), any::<u8>(), kind_data()).prop_map(|(resource, replica_number, kinds)| {
            Body::StoreReq(StoreReq {
                resource,
                replica_number,
                kinds,
            })
        }),
        vec(response, 0..4).prop_map(|kinds| Body::StoreAns(StoreAns { kinds })),
        specifiers().prop_map(Body::FetchReq),
        kind_data().prop_map(|kinds| Body::FetchAns(FetchAns { kinds })),
        specifiers().prop_map(Body::StatReq),
        kind_data().prop_map(|kinds| Body::StatAns(StatAns { kinds })),
        (resource(), vec(kind(), 0..5))
            .prop_map(|(resource, kinds)| Body::FindReq(FindReq { resource, kinds })),
        vec(found, 0..5).prop_map(|results| Body::FindAns(FindAns { results })),
    ]
}

pub(super) fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        topology_body(),
        storage_body(),
        attach().prop_map(Body::AttachReq),
        attach().prop_map(Body::AttachAns),
        bytes().prop_map(|padding| Body::PingReq(PingReq { padding })),
        any::<(u64, u64)>()
            .prop_map(|(response_id, time)| Body::PingAns(PingAns { response_id, time })),
        (any::<u16>(), bytes()).prop_map(|(code, info)| Body::Error(ErrorResponse {
            code: ErrorCode(code),
            info
        })),
    ]
}
