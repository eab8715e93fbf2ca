//! Bodies of the topology plug-in: Join, Leave, Update, RouteQuery, Probe, with the
//! CHORD-RELOAD contents (RFC 6940 §6.4.2, §10.7 to §10.9).

use super::codec::{Decode, Encode, Problem, Reader, WireError, Writer};
use super::header::Destination;
use crate::id::NodeId;

/// Most Node-IDs accepted in one list of an Update or Leave.
pub const MAX_NODES: usize = 256;

fn nodes(reader: &mut Reader<'_>) -> Result<Vec<NodeId>, WireError> {
    reader.list(2, MAX_NODES, "Node-ID list")
}

/// JoinReq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinReq {
    /// Who joins; must be the signer and the other end of the link.
    pub joining_peer: NodeId,
    /// Nothing for CHORD-RELOAD.
    pub overlay_specific: Vec<u8>,
}

impl Decode for JoinReq {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            joining_peer: reader.node_id()?,
            overlay_specific: reader.opaque(2)?.to_vec(),
        })
    }
}

impl Encode for JoinReq {
    fn encode(&self, writer: &mut Writer) {
        self.joining_peer.encode(writer);
        writer.opaque(2, &self.overlay_specific);
    }
}

/// JoinAns.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JoinAns {
    /// Nothing for CHORD-RELOAD.
    pub overlay_specific: Vec<u8>,
}

impl Decode for JoinAns {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            overlay_specific: reader.opaque(2)?.to_vec(),
        })
    }
}

impl Encode for JoinAns {
    fn encode(&self, writer: &mut Writer) {
        writer.opaque(2, &self.overlay_specific);
    }
}

/// LeaveReq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaveReq {
    /// Who leaves; must be the signer and the other end of the link.
    pub leaving_peer: NodeId,
    /// Whom the receiver should turn to instead; absent when the octets were empty.
    pub data: Option<ChordLeave>,
}

/// ChordLeaveData (RFC 6940 §10.9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChordLeave {
    /// From a successor of the receiver: its successors.
    FromSuccessor(Vec<NodeId>),
    /// From a predecessor of the receiver: its predecessors.
    FromPredecessor(Vec<NodeId>),
}

impl Decode for LeaveReq {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let leaving_peer = reader.node_id()?;
        let mut data = reader.vector(2)?;
        let leave = if data.is_empty() {
            None
        } else {
            Some(ChordLeave::decode(&mut data)?)
        };
        data.finish()?;
        Ok(Self {
            leaving_peer,
            data: leave,
        })
    }
}

impl Encode for LeaveReq {
    fn encode(&self, writer: &mut Writer) {
        self.leaving_peer.encode(writer);
        writer.vector(2, |writer| {
            if let Some(data) = &self.data {
                data.encode(writer);
            }
        });
    }
}

impl Decode for ChordLeave {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let at = reader.clone();
        match reader.u8()? {
            1 => nodes(reader).map(Self::FromSuccessor),
            2 => nodes(reader).map(Self::FromPredecessor),
            _ => Err(at.unknown("ChordLeave type")),
        }
    }
}

impl Encode for ChordLeave {
    fn encode(&self, writer: &mut Writer) {
        let (kind, list) = match self {
            Self::FromSuccessor(list) => (1, list),
            Self::FromPredecessor(list) => (2, list),
        };
        writer.u8(kind);
        writer.list(2, list);
    }
}

/// ChordUpdate (RFC 6940 §10.7), the whole body of an UpdateReq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChordUpdate {
    /// Seconds this peer has been up.
    pub uptime: u32,
    /// What it tells.
    pub view: ChordView,
}

/// How much of its tables a peer tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChordView {
    /// "I am a peer and can be routed through."
    PeerReady,
    /// To members of the neighbour table.
    Neighbors {
        /// Nearest first.
        predecessors: Vec<NodeId>,
        /// Nearest first.
        successors: Vec<NodeId>,
    },
    /// To whoever asked for it.
    Full {
        /// Nearest first.
        predecessors: Vec<NodeId>,
        /// Nearest first.
        successors: Vec<NodeId>,
        /// Numerically ascending.
        fingers: Vec<NodeId>,
    },
}

// 6940-10.7-01
impl Decode for ChordUpdate {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let uptime = reader.u32()?;
        let at = reader.clone();
        let view = match reader.u8()? {
            1 => ChordView::PeerReady,
            2 => ChordView::Neighbors {
                predecessors: nodes(reader)?,
                successors: nodes(reader)?,
            },
            3 => ChordView::Full {
                predecessors: nodes(reader)?,
                successors: nodes(reader)?,
                fingers: nodes(reader)?,
            },
            _ => return Err(at.unknown("ChordUpdate type")),
        };
        Ok(Self { uptime, view })
    }
}

impl Encode for ChordUpdate {
    fn encode(&self, writer: &mut Writer) {
        writer.u32(self.uptime);
        match &self.view {
            ChordView::PeerReady => writer.u8(1),
            ChordView::Neighbors {
                predecessors,
                successors,
            } => {
                writer.u8(2);
                writer.list(2, predecessors);
                writer.list(2, successors);
            }
            ChordView::Full {
                predecessors,
                successors,
                fingers,
            } => {
                writer.u8(3);
                writer.list(2, predecessors);
                writer.list(2, successors);
                writer.list(2, fingers);
            }
        }
    }
}

/// RouteQueryReq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteQueryReq {
    /// Send me an Update as well.
    pub send_update: bool,
    /// Where to.
    pub destination: Destination,
    /// Nothing for CHORD-RELOAD.
    pub overlay_specific: Vec<u8>,
}

impl Decode for RouteQueryReq {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            send_update: reader.boolean()?,
            destination: Destination::decode(reader)?,
            overlay_specific: reader.opaque(2)?.to_vec(),
        })
    }
}

impl Encode for RouteQueryReq {
    fn encode(&self, writer: &mut Writer) {
        writer.boolean(self.send_update);
        self.destination.encode(writer);
        writer.opaque(2, &self.overlay_specific);
    }
}

/// ChordRouteQueryAns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteQueryAns {
    /// Where the answering peer would send the message; itself when it is responsible.
    pub next_peer: NodeId,
}

impl Decode for RouteQueryAns {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            next_peer: reader.node_id()?,
        })
    }
}

impl Encode for RouteQueryAns {
    fn encode(&self, writer: &mut Writer) {
        self.next_peer.encode(writer);
    }
}

/// ProbeInformationType: share of the overlay, parts per billion.
pub const RESPONSIBLE_SET: u8 = 1;
/// ProbeInformationType: resources stored.
pub const NUM_RESOURCES: u8 = 2;
/// ProbeInformationType: seconds up.
pub const UPTIME: u8 = 3;

/// ProbeReq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbeReq {
    /// ProbeInformationTypes wanted.
    pub requested: Vec<u8>,
}

impl Decode for ProbeReq {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            requested: reader.opaque(1)?.to_vec(),
        })
    }
}

impl Encode for ProbeReq {
    fn encode(&self, writer: &mut Writer) {
        writer.opaque(1, &self.requested);
    }
}

/// ProbeAns. Information of unknown type is kept as octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbeAns {
    /// The information, in the order asked for.
    pub information: Vec<ProbeInformation>,
}

/// One piece of information.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbeInformation {
    /// ProbeInformationType.
    pub kind: u8,
    /// 32-bit number for all types defined so far.
    pub value: Vec<u8>,
}

impl ProbeAns {
    /// The number given for a type.
    #[must_use]
    pub fn number(&self, kind: u8) -> Option<u32> {
        let found = self.information.iter().find(|info| info.kind == kind)?;
        found
            .value
            .as_slice()
            .try_into()
            .ok()
            .map(u32::from_be_bytes)
    }
}

/// Most pieces of information accepted in one ProbeAns.
const MAX_INFORMATION: usize = 255;

impl Decode for ProbeAns {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            information: reader.list(2, MAX_INFORMATION, "probe information")?,
        })
    }
}

impl Encode for ProbeAns {
    fn encode(&self, writer: &mut Writer) {
        writer.list(2, &self.information);
    }
}

impl Decode for ProbeInformation {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let kind = reader.u8()?;
        let value = reader.opaque(1)?;
        // The types defined so far are 32-bit numbers (RFC 6940 §6.4.2.5.2).
        if (RESPONSIBLE_SET..=UPTIME).contains(&kind) && value.len() != 4 {
            return Err(reader.error(Problem::Invalid("probe information length")));
        }
        Ok(Self {
            kind,
            value: value.to_vec(),
        })
    }
}

impl Encode for ProbeInformation {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.kind);
        writer.opaque(1, &self.value);
    }
}
