//! Every decoder against any octets, every codec there and back, and layouts by hand.

mod strategies;

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;

use strategies::{body, bytes, contents, header, signature, stored_data};

use super::body::Body;
use super::contents::{MessageContents, SecurityBlock, Signature, parse_body};
use super::framing::{AckState, Frame};
use super::header::{Destination, ForwardingHeader, ForwardingOption, VERSION, WHOLE};
use super::link::{CandidateKind, IceCandidate};
use super::storage::{FindAns, FindKindData, ModelSpecifier, Place, StoredData, StoredMetaData};
use super::topology::JoinReq;
use super::{Decode, Encode, Problem, Reader, WireError};
use crate::config::{DataModel, KindId};
use crate::id::{NodeId, ResourceId};

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
