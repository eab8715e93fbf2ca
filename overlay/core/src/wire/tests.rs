//! Every decoder against any octets, every codec there and back, and layouts by hand.

use std::fmt::Debug;
use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::body::{Body, ErrorCode, ErrorResponse};
use super::contents::{
    MessageContents, MessageExtension, SecurityBlock, Signature, SignerIdentity, parse_body,
};
use super::framing::{AckState, Frame};
use super::header::{Destination, ForwardingHeader, ForwardingOption, VERSION, WHOLE};
use super::link::{Attach, CandidateKind, IceCandidate, IceExtension, PingAns, PingReq};
use super::storage::{
    DataSpecifier, FetchAns, FindAns, FindKindData, FindReq, KindData, ModelSpecifier, Place,
    SpecifierReq, StatAns, StoreAns, StoreKindResponse, StoreReq, StoredData, StoredMetaData,
};
use super::topology::{
    ChordLeave, ChordUpdate, ChordView, JoinAns, JoinReq, LeaveReq, ProbeAns, ProbeInformation,
    ProbeReq, RouteQueryAns, RouteQueryReq,
};
use super::{Decode, Encode, Problem, Reader, WireError};
use crate::config::{DataModel, KindId};
use crate::id::{NodeId, ResourceId};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn node() -> impl Strategy<Value = NodeId> {
    any::<[u8; 16]>()
        .prop_filter("all zero is no Node-ID", |id| *id != [0; 16])
        .prop_map(NodeId::from_bytes)
}

fn nodes() -> impl Strategy<Value = Vec<NodeId>> {
    vec(node(), 0..6)
}

fn resource() -> impl Strategy<Value = ResourceId> {
    any::<[u8; 16]>().prop_map(ResourceId::from_bytes)
}

fn kind() -> impl Strategy<Value = KindId> {
    any::<u32>().prop_map(KindId)
}

fn destination() -> impl Strategy<Value = Destination> {
    prop_oneof![
        node().prop_map(Destination::Node),
        vec(any::<u8>(), 0..40).prop_map(Destination::Opaque),
    ]
}

fn any_destination() -> impl Strategy<Value = Destination> {
    prop_oneof![destination(), resource().prop_map(Destination::Resource)]
}

prop_compose! {
    fn header()(
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

fn identity() -> impl Strategy<Value = SignerIdentity> {
    prop_oneof![
        (any::<u8>(), bytes()).prop_map(|(hash, digest)| SignerIdentity::CertHash { hash, digest }),
        (any::<u8>(), bytes())
            .prop_map(|(hash, digest)| SignerIdentity::CertHashNodeId { hash, digest }),
        Just(SignerIdentity::None),
    ]
}

prop_compose! {
    fn signature()(
        hash in any::<u8>(),
        algorithm in any::<u8>(),
        identity in identity(),
        value in bytes(),
    ) -> Signature {
        Signature { hash, algorithm, identity, value }
    }
}

prop_compose! {
    fn contents()(
        code in any::<u16>(),
        body in bytes(),
        extensions in vec((any::<u16>(), any::<bool>(), bytes()), 0..3),
    ) -> MessageContents {
        let extension = |(kind, critical, contents)| MessageExtension { kind, critical, contents };
        MessageContents { code, body, extensions: extensions.into_iter().map(extension).collect() }
    }
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::Single),
        any::<u32>().prop_map(Place::Index),
        bytes().prop_map(Place::Key),
    ]
}

prop_compose! {
    fn stored_data()(
        storage_time in any::<u64>(),
        lifetime in any::<u32>(),
        place in place(),
        value in option::of(bytes()),
        signature in signature(),
    ) -> StoredData {
        StoredData { storage_time, lifetime, place, value, signature }
    }
}

fn kind_data() -> impl Strategy<Value = Vec<KindData>> {
    let one = (kind(), any::<u64>(), bytes());
    let one = one.prop_map(|(kind, generation, values)| KindData {
        kind,
        generation,
        values,
    });
    vec(one, 0..4)
}

fn specifiers() -> impl Strategy<Value = SpecifierReq> {
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

fn candidate() -> impl Strategy<Value = IceCandidate> {
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
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

fn attach() -> impl Strategy<Value = Attach> {
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

fn view() -> impl Strategy<Value = ChordView> {
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

fn leave() -> impl Strategy<Value = Option<ChordLeave>> {
    option::of(prop_oneof![
        nodes().prop_map(ChordLeave::FromSuccessor),
        nodes().prop_map(ChordLeave::FromPredecessor),
    ])
}

fn probe_answer() -> impl Strategy<Value = ProbeAns> {
    let one = prop_oneof![
        (1_u8..=3, any::<[u8; 4]>()).prop_map(|(kind, value)| (kind, value.to_vec())),
        (4_u8.., bytes()),
    ];
    let one = one.prop_map(|(kind, value)| ProbeInformation { kind, value });
    vec(one, 0..5).prop_map(|information| ProbeAns { information })
}

fn topology_body() -> impl Strategy<Value = Body> {
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

fn storage_body() -> impl Strategy<Value = Body> {
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

fn body() -> impl Strategy<Value = Body> {
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

/// Whatever decodes encodes to something that decodes to the same.
fn survives<T: Decode + Encode + PartialEq + Debug>(input: &[u8]) {
    if let Ok(value) = T::from_bytes(input) {
        let again = T::from_bytes(&value.to_bytes().unwrap());
        assert_eq!(again, Ok(value));
    }
}

proptest! {
    #[test]
    fn a_header_survives_the_way_there_and_back(header in header(), body in bytes()) {
        let message = header.with_body(&body).unwrap();
        prop_assert_eq!(ForwardingHeader::parse(&message), Ok((header, body.as_slice())));
    }

    #[test]
    fn a_cut_message_is_an_error_at_a_place_within(header in header(), cut in any::<prop::sample::Index>()) {
        let message = header.with_body(&[1, 2, 3]).unwrap();
        let cut = cut.index(message.len());
        let error = ForwardingHeader::parse(&message[..cut]).unwrap_err();
        prop_assert!(error.offset <= message.len());
    }

    #[test]
    fn contents_and_security_block_survive(
        contents in contents(),
        certificates in vec(bytes(), 0..4),
        signature in signature(),
    ) {
        let security = SecurityBlock { certificates, signature };
        let raw = contents.to_bytes().unwrap();
        let mut body = raw.clone();
        body.extend(security.to_bytes().unwrap());
        prop_assert_eq!(parse_body(&body), Ok((raw.as_slice(), contents, security)));
    }

    #[test]
    fn every_body_survives_with_its_code(body in body()) {
        let bytes = body.to_bytes().unwrap();
        prop_assert_eq!(Body::decode(body.code(), &bytes), Ok(Some(body)));
    }

    #[test]
    fn every_cut_body_is_an_error_or_another_body(body in body(), cut in any::<prop::sample::Index>()) {
        let bytes = body.to_bytes().unwrap();
        prop_assume!(!bytes.is_empty());
        let cut = &bytes[..cut.index(bytes.len())];
        prop_assert_ne!(Body::decode(body.code(), cut), Ok(Some(body)));
    }

    #[test]
    fn stored_data_survives(values in vec(stored_data(), 0..4)) {
        for model in [DataModel::Single, DataModel::Array, DataModel::Dictionary] {
            let fitting: Vec<_> = values.iter().filter(|one| one.place.model() == model).cloned().collect();
            let mut bytes = Vec::new();
            fitting.iter().for_each(|one| bytes.extend(one.to_bytes().unwrap()));
            prop_assert_eq!(StoredData::decode_list(model, &bytes), Ok(fitting));
        }
    }

    #[test]
    fn any_octets_are_a_message_or_a_typed_error(input in vec(any::<u8>(), 0..200), code in any::<u16>()) {
        let _ = ForwardingHeader::parse(&input);
        let _ = parse_body(&input);
        survives::<MessageContents>(&input);
        survives::<SecurityBlock>(&input);
        survives::<Destination>(&input);
        survives::<ForwardingOption>(&input);
        for code in (0..0x28).chain([0xffff, code]) {
            if let Ok(Some(body)) = Body::decode(code, &input) {
                let again = Body::decode(code, &body.to_bytes().unwrap());
                prop_assert_eq!(again, Ok(Some(body)));
            }
        }
        for model in [DataModel::Single, DataModel::Array, DataModel::Dictionary] {
            let _ = StoredData::decode_list(model, &input);
            let _ = StoredMetaData::decode_list(model, &input);
            if let Ok(specifier) = ModelSpecifier::decode(model, &input) {
                let bytes = specifier.to_bytes().unwrap();
                prop_assert_eq!(ModelSpecifier::decode(model, &bytes), Ok(specifier));
            }
        }
    }

    /// 6940-6.6.2-01
    #[test]
    fn frames_survive_and_a_cut_frame_waits_for_more(
        sequence in any::<u32>(),
        message in vec(any::<u8>(), 0..300),
        rest in bytes(),
    ) {
        let frames = [
            Frame::Data { sequence, message },
            Frame::Ack { ack_sequence: sequence, received: !sequence },
        ];
        for frame in frames {
            let mut stream = frame.to_bytes().unwrap();
            let length = stream.len();
            for cut in [0, 1, length / 2, length - 1] {
                prop_assert_eq!(Frame::take(&stream[..cut], 300), Ok(None));
            }
            stream.extend(&rest);
            prop_assert_eq!(Frame::take(&stream, 300), Ok(Some((frame, length))));
        }
    }

    #[test]
    fn any_stream_is_frames_or_a_typed_error(input in vec(any::<u8>(), 0..100)) {
        if let Ok(Some((_, length))) = Frame::take(&input, 50) {
            prop_assert!(length <= input.len());
        }
    }

    /// 6940-6.6.2-04 6940-6.6.2-05
    #[test]
    fn ack_masks_are_as_the_rfc_says(sequences in vec(0_u32..80, 1..60)) {
        let mut state = AckState::default();
        let mut before: Vec<u32> = Vec::new();
        for n in sequences {
            let last = before.iter().rev().take(32);
            let expected = last
                .filter(|m| **m < n && i64::from(**m) > i64::from(n) - 32)
                .fold(0, |mask, m| mask | 1 << (n - m));
            prop_assert_eq!(state.receive(n), Frame::Ack { ack_sequence: n, received: expected });
            before.push(n);
        }
    }
}

/// 6940-6.3-01 6940-6.3.2-01 6940-6.3.2-02 6940-6.3.2-05 6940-6.3.2-21 6940-6.3.2.2-01
/// 6940-6.3.2.2-02 6940-6.3.2.3-01
#[test]
fn a_ping_to_a_node_looks_as_in_the_rfc() {
    let header = ForwardingHeader {
        overlay: 0x0102_0304,
        configuration_sequence: 5,
        version: VERSION,
        ttl: 100,
        fragment: WHOLE,
        transaction_id: 0x1122_3344_5566_7788,
        max_response_length: 0,
        via: vec![Destination::Opaque(vec![0x80, 0x01])],
        destinations: vec![
            Destination::Node(NodeId::from_bytes([0x22; 16])),
            Destination::Resource(ResourceId::from_bytes([0x33; 16])),
        ],
        options: vec![ForwardingOption {
            kind: 9,
            flags: 4,
            value: vec![7],
        }],
    };
    let expected = [
        &[
            0xd2, 0x45, 0x4c, 0x4f, 1, 2, 3, 4, 0, 5, 0x0a, 100, 0xc0, 0, 0, 0,
        ][..],
        &[0, 0, 0, 82],
        &[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0, 0],
        &[0, 2, 0, 37, 0, 5],
        &[0x80, 0x01],
        &[1, 16],
        &[0x22; 16],
        &[2, 17, 16],
        &[0x33; 16],
        &[9, 4, 0, 1, 7],
    ]
    .concat();
    assert_eq!(expected.len(), 82);
    assert_eq!(header.with_body(&[]).unwrap(), expected);
}

/// 6940-6.3.1.1-04 6940-6.5.1.1-03
#[test]
fn an_ipv4_candidate_has_the_rfcs_address_form() {
    let candidate = IceCandidate {
        address: "192.0.2.1:6084".parse().unwrap(),
        overlay_link: 4,
        foundation: vec![],
        priority: 1,
        kind: CandidateKind::Host,
        extensions: vec![],
    };
    let bytes = candidate.to_bytes().unwrap();
    assert_eq!(bytes[..8], [1, 6, 0xc0, 0, 2, 1, 0x17, 0xc4]);
    assert_eq!(bytes[8..], [4, 0, 0, 0, 0, 1, 1, 0, 0]);
}

/// 6940-7-01 6940-7.2-01 6940-7.2.3-01 6940-6.3.4-10
#[test]
fn the_structures_of_a_store_are_laid_out_as_in_the_rfc() {
    let data = StoredData {
        storage_time: 2,
        lifetime: 3,
        place: Place::Key(b"k".to_vec()),
        value: Some(b"v".to_vec()),
        signature: Signature::none(),
    };
    let expected = [
        &[0, 0, 0, 28][..],
        &[0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3],
        &[0, 1, b'k', 1, 0, 0, 0, 1, b'v'],
        &[0, 0, 3, 0, 0, 0, 0],
    ]
    .concat();
    assert_eq!(data.to_bytes().unwrap(), expected);
}

/// 6940-6.3.1.1-01
#[test]
fn booleans_are_zero_or_one() {
    assert_eq!(
        Reader::new(&[2]).boolean(),
        Err(Reader::new(&[2]).invalid("boolean"))
    );
    assert_eq!(Reader::new(&[1]).boolean(), Ok(true));
}

/// 6940-3-02
#[test]
fn the_zero_node_id_is_refused_everywhere() {
    let entry = [&[1, 16][..], &[0; 16]].concat();
    assert!(Destination::from_bytes(&entry).is_err());
    assert!(JoinReq::from_bytes(&[0; 18]).is_err());
}

/// 6940-6.3.2.2-05 6940-6.3.2.2-06
#[test]
fn resources_stand_only_at_the_end_of_a_destination_list() {
    let resource = Destination::Resource(ResourceId::from_bytes([1; 16]));
    let node = Destination::Node(NodeId::from_bytes([2; 16]));
    let mut header = ForwardingHeader {
        overlay: 0,
        configuration_sequence: 0,
        version: VERSION,
        ttl: 1,
        fragment: WHOLE,
        transaction_id: 0,
        max_response_length: 0,
        via: vec![],
        destinations: vec![node.clone(), resource.clone()],
        options: vec![],
    };
    let parses = |header: &ForwardingHeader| {
        ForwardingHeader::parse(&header.with_body(&[]).unwrap()).is_ok()
    };
    assert!(parses(&header));
    header.destinations.push(node.clone());
    assert!(!parses(&header));
    header.destinations = vec![node];
    header.via = vec![resource];
    assert!(!parses(&header));
    header.via = vec![];
    header.destinations = vec![];
    assert!(!parses(&header));
}

/// 6940-6.3.2-16
#[test]
fn the_length_field_has_to_be_the_length() {
    let header = ForwardingHeader {
        overlay: 0,
        configuration_sequence: 0,
        version: VERSION,
        ttl: 1,
        fragment: WHOLE,
        transaction_id: 0,
        max_response_length: 0,
        via: vec![],
        destinations: vec![Destination::Node(NodeId::WILDCARD)],
        options: vec![],
    };
    let mut message = header.with_body(&[0; 4]).unwrap();
    assert!(ForwardingHeader::parse(&message).is_ok());
    message.push(0);
    let problem = Problem::Invalid("message length");
    assert_eq!(
        ForwardingHeader::parse(&message),
        Err(WireError {
            offset: 16,
            problem
        })
    );
}

#[test]
fn lists_beyond_their_bound_are_refused() {
    let hops = vec![Destination::Node(NodeId::WILDCARD); super::header::MAX_DESTINATIONS + 1];
    let header = ForwardingHeader {
        overlay: 0,
        configuration_sequence: 0,
        version: VERSION,
        ttl: 1,
        fragment: WHOLE,
        transaction_id: 0,
        max_response_length: 0,
        via: hops,
        destinations: vec![Destination::Node(NodeId::WILDCARD)],
        options: vec![],
    };
    let error = ForwardingHeader::parse(&header.with_body(&[]).unwrap()).unwrap_err();
    assert_eq!(error.problem, Problem::TooLong("Via List"));
}

/// 6940-7.4.2.1-04 6940-7.4.2.1-05 6940-7.4.2.1-06
#[test]
fn array_ranges_are_unsigned_ordered_and_disjoint() {
    let decode = |ranges: &[(u32, u32)]| {
        let bytes = ModelSpecifier::Ranges(ranges.to_vec()).to_bytes().unwrap();
        ModelSpecifier::decode(DataModel::Array, &bytes).is_ok()
    };
    assert!(decode(&[(0, u32::MAX)]));
    assert!(decode(&[(0, 3), (5, 9)]));
    assert!(!decode(&[(3, 2)]));
    assert!(!decode(&[(0, 3), (3, 4)]));
}

/// 6940-7.4.1.3-01
#[test]
fn a_nonexistent_value_is_empty() {
    let data = StoredData {
        storage_time: 0,
        lifetime: 0,
        place: Place::Single,
        value: None,
        signature: Signature::none(),
    };
    let mut bytes = data.to_bytes().unwrap();
    assert!(StoredData::decode_list(DataModel::Single, &bytes).is_ok());
    // exists = false, with one octet of value
    bytes.splice(16..21, [0, 0, 0, 0, 1, 9]);
    bytes[3] += 1;
    let error = StoredData::decode_list(DataModel::Single, &bytes).unwrap_err();
    assert!(matches!(error.problem, Problem::Invalid(_)));
}

#[test]
fn find_accepts_the_empty_resource_id_as_none() {
    let answer = FindAns::from_bytes(&[0, 5, 0, 0, 0, 7, 0]).unwrap();
    assert_eq!(
        answer.results,
        [FindKindData {
            kind: KindId(7),
            closest: FindKindData::NONE
        }]
    );
}

#[test]
fn a_frame_longer_than_allowed_is_refused_before_it_is_complete() {
    let error = Frame::take(&[128, 0, 0, 0, 0, 0, 1, 0], 255).unwrap_err();
    assert_eq!(error.problem, Problem::TooLong("framed message"));
    assert!(Frame::take(&[130], 255).is_err());
}
