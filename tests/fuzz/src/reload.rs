//! Targets for the decoders of reload-core: header, contents, bodies, framing, stored data.

use std::fmt::Debug;

use reload_core::DataModel;
use reload_core::wire::body::{Body, ERROR_CODE};
use reload_core::wire::contents::{Signature, SignerIdentity, parse_body};
use reload_core::wire::framing::{ACK_LEN, AckState, DATA_OVERHEAD, Frame};
use reload_core::wire::header::ForwardingHeader;
use reload_core::wire::storage::{KindData, ModelSpecifier, StoreReq, StoredData, StoredMetaData};
use reload_core::wire::topology::{ChordLeave, ChordUpdate};
use reload_core::wire::{Decode, Encode, WireError, Writer};

const MODELS: [DataModel; 3] = [DataModel::Single, DataModel::Array, DataModel::Dictionary];

/// `max-message-size` of the default configuration.
const MAX_MESSAGE: usize = 5000;

/// What decodes encodes to octets that decode to the same; errors point into the input.
fn codec<T: Encode + PartialEq + Debug>(
    data: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, WireError>,
) -> Option<T> {
    match decode(data) {
        Ok(value) => {
            let encoding = value.to_bytes().expect("it came in this size");
            assert_eq!(decode(&encoding).expect("our own encoding"), value);
            assert!(encoding.len() <= data.len() * 2 + 16, "it grows");
            Some(value)
        }
        Err(error) => {
            assert!(error.offset <= data.len(), "{error}");
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// The forwarding header, and the message with its header written anew.
pub fn reload_header(data: &[u8]) {
    let (header, body) = match ForwardingHeader::parse(data) {
        Ok(parsed) => parsed,
        Err(error) => return assert!(error.offset <= data.len(), "{error}"),
    };
    let again = header.with_body(body).expect("it came in this size");
    // An opaque destination of two octets has a short form and a long one.
    assert!(again.len() <= data.len());
    let (twin, rest) = ForwardingHeader::parse(&again).expect("our own encoding");
    assert_eq!((&twin, rest), (&header, body));
    assert_eq!(twin.is_whole(), header.is_whole());
}

/// What follows the header: contents, extensions, certificates, signature; and the body in it.
pub fn reload_contents(data: &[u8]) {
    codec(data, Signature::from_bytes);
    codec(data, SignerIdentity::from_bytes);
    let (signed, contents, security) = match parse_body(data) {
        Ok(parsed) => parsed,
        Err(error) => return assert!(error.offset <= data.len(), "{error}"),
    };
    let mut again = contents.to_bytes().expect("it came in this size");
    assert_eq!(again, signed, "what is verified is not what was read");
    again.extend(security.to_bytes().expect("it came in this size"));
    assert_eq!(again, data);
    body(contents.code, &contents.body);
}

/// The message code, then the body.
pub fn reload_body(data: &[u8]) {
    if let Some((code, rest)) = data.split_first_chunk() {
        let code = u16::from_be_bytes(*code);
        body(code, rest);
        // The same octets under every code.
        (0..0x1b)
            .chain([ERROR_CODE])
            .for_each(|code| body(code, rest));
    }
    codec(data, ChordUpdate::from_bytes);
    codec(data, ChordLeave::from_bytes);
    codec(data, StoreReq::from_bytes);
}

fn body(code: u16, data: &[u8]) {
    match Body::decode(code, data) {
        Ok(None) => {}
        Ok(Some(body)) => {
            assert_eq!(body.code(), code);
            let encoding = body.to_bytes().expect("it came in this size");
            let twin = Body::decode(code, &encoding).expect("our own encoding");
            assert_eq!(twin, Some(body));
        }
        Err(error) => assert!(error.offset <= data.len(), "{error}"),
    }
}

/// Values and their descriptions by data model; one octet says which model.
pub fn reload_stored_data(data: &[u8]) {
    let Some((model, data)) = data.split_first() else {
        return;
    };
    let model = MODELS[usize::from(*model) % MODELS.len()];
    if let Some(List(values)) = codec(data, |bytes| {
        StoredData::decode_list(model, bytes).map(List)
    }) {
        assert!(values.iter().all(|value| value.place.model() == model));
        // No value is shorter than its own fields: what is held stays near what came in.
        assert!(values.len() * 28 <= data.len());
    }
    codec(data, |bytes| {
        StoredMetaData::decode_list(model, bytes).map(List)
    });
    codec(data, |bytes| ModelSpecifier::decode(model, bytes));
    codec(data, KindData::from_bytes);
}

/// Structures end to end.
#[derive(PartialEq, Debug)]
struct List<T>(Vec<T>);

impl<T: Encode> Encode for List<T> {
    fn encode(&self, writer: &mut Writer) {
        self.0.iter().for_each(|item| item.encode(writer));
    }
}

/// The octet stream of a link, taken apart frame by frame, whole and in two pieces.
pub fn reload_framing(data: &[u8]) {
    let (mut rest, mut acks) = (data, AckState::default());
    loop {
        match Frame::take(rest, MAX_MESSAGE) {
            Ok(Some((frame, length))) => {
                assert!(length >= DATA_OVERHEAD.min(ACK_LEN) && length <= rest.len());
                assert_eq!(frame.to_bytes().expect("short"), rest[..length]);
                // Fewer octets are never another frame.
                for cut in [0, 1, length / 2, length - 1] {
                    assert_eq!(Frame::take(&rest[..cut], MAX_MESSAGE), Ok(None));
                }
                if let Frame::Data { sequence, message } = frame {
                    assert!(message.len() <= MAX_MESSAGE);
                    let ack = acks.receive(sequence).to_bytes().expect("short");
                    assert_eq!(ack.len(), ACK_LEN);
                }
                rest = &rest[length..];
            }
            // Whoever waits for more octets waits for no more than a message.
            Ok(None) => return assert!(rest.len() < MAX_MESSAGE + DATA_OVERHEAD),
            Err(error) => return assert!(error.offset <= rest.len(), "{error}"),
        }
    }
}
