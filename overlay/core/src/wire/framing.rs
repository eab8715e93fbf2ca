//! The framing header of stream links (RFC 6940 §6.6.2): data and acknowledgement frames, an
//! incremental decoder, and the receiver's acknowledgement bitmap.

use std::collections::VecDeque;

use super::codec::{Problem, Reader, WireError, Writer};

/// Frame type "data".
const DATA: u8 = 128;
/// Frame type "ack".
const ACK: u8 = 129;
/// Octets before the message in a data frame.
pub const DATA_OVERHEAD: usize = 8;
/// Octets of an ack frame.
pub const ACK_LEN: usize = 9;

/// One frame of a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A message.
    Data {
        /// Counts frames sent on this link, from 0.
        sequence: u32,
        /// The RELOAD message.
        message: Vec<u8>,
    },
    /// Receipt for a data frame.
    Ack {
        /// The frame received.
        ack_sequence: u32,
        /// Bit N-M set: frame M was received too, with N the frame acknowledged.
        received: u32,
    },
}

impl Frame {
    /// The frame as octets.
    ///
    /// # Errors
    /// When a message is 2^24 octets or longer.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut writer = Writer::new();
        match self {
            Self::Data { sequence, message } => {
                writer.u8(DATA);
                writer.u32(*sequence);
                writer.opaque(3, message);
            }
            Self::Ack {
                ack_sequence,
                received,
            } => {
                writer.u8(ACK);
                writer.u32(*ack_sequence);
                writer.u32(*received);
            }
        }
        writer.finish()
    }

    /// Takes one frame off the front of `stream`: the frame and its length, or `None` when
    /// more octets are needed.
    ///
    /// # Errors
    /// When the frame type is unknown or a message is longer than `max_message`: the stream
    /// cannot be used any more.
    pub fn take(stream: &[u8], max_message: usize) -> Result<Option<(Self, usize)>, WireError> {
        let mut reader = Reader::new(stream);
        let frame = match Self::read(&mut reader, max_message) {
            Err(WireError {
                problem: Problem::Truncated,
                ..
            }) => return Ok(None),
            other => other?,
        };
        Ok(Some((frame, reader.offset())))
    }

    // 6940-6.6.2-01
    fn read(reader: &mut Reader<'_>, max_message: usize) -> Result<Self, WireError> {
        let at = reader.clone();
        match reader.u8()? {
            DATA => {
                let sequence = reader.u32()?;
                let length = reader
                    .clone()
                    .take(3)?
                    .iter()
                    .fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
                // Judge the length before waiting for the octets.
                if length > max_message {
                    return Err(reader.error(Problem::TooLong("framed message")));
                }
                let message = reader.opaque(3)?.to_vec();
                Ok(Self::Data { sequence, message })
            }
            ACK => Ok(Self::Ack {
                ack_sequence: reader.u32()?,
                received: reader.u32()?,
            }),
            _ => Err(at.invalid("frame type")),
        }
    }
}

/// Remembers the last 32 sequence numbers received and makes acknowledgements.
#[derive(Clone, Debug, Default)]
pub struct AckState {
    recent: VecDeque<u32>,
}

impl AckState {
    /// Notes a data frame and returns its acknowledgement.
    // 6940-6.6.2-04 6940-6.6.2-05
    pub fn receive(&mut self, sequence: u32) -> Frame {
        // RFC 6940 §6.6.2: the N-M bit for each M of the 32 received before with N-32 < M < N.
        let received = self
            .recent
            .iter()
            .map(|earlier| sequence.wrapping_sub(*earlier))
            .filter(|gap| (1..32).contains(gap))
            .fold(0_u32, |mask, gap| mask | (1 << gap));
        if self.recent.len() == 32 {
            self.recent.pop_front();
        }
        self.recent.push_back(sequence);
        Frame::Ack {
            ack_sequence: sequence,
            received,
        }
    }
}
