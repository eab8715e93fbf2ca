//! Inputs read as programs: octets decide what a stateful target does next.

use hip_wire::builder::PacketBuilder;
use hip_wire::hit::Hit;
use hip_wire::packet::{HEADER_LEN, NEXT_HEADER_NONE, Packet};
use hip_wire::registry::{PacketType, ParamType};

/// Octets not used yet. Past the end everything is zero, so that every input is a whole program.
pub(crate) struct Program<'a>(&'a [u8]);

impl<'a> Program<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn octet(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `bound`, 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let number = u16::from_be_bytes([self.octet(), self.octet()]);
        usize::from(number).checked_rem(bound).unwrap_or(0)
    }

    /// An index into something short.
    pub(crate) fn pick(&mut self, bound: usize) -> usize {
        usize::from(self.octet()).checked_rem(bound).unwrap_or(0)
    }

    /// One octet of length, then as many octets as there are of them.
    pub(crate) fn octets(&mut self) -> &'a [u8] {
        let length = usize::from(self.octet()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// One to four changes anywhere.
    pub(crate) fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.pick(4) {
            let at = self.below(bytes.len());
            match self.pick(6) {
                0 => bytes.truncate(at),
                1 => {
                    let inserted = self.octets();
                    bytes.splice(at..at, inserted.iter().copied());
                }
                2 => {
                    let end = bytes.len().min(at + self.pick(32));
                    bytes.drain(at..end);
                }
                3 => {
                    if let Some(octet) = bytes.get_mut(at) {
                        *octet = self.octet();
                    }
                }
                _ => {
                    if let Some(octet) = bytes.get_mut(at) {
                        *octet ^= 1 << self.pick(8);
                    }
                }
            }
        }
        bytes.truncate(4096);
    }
}

/// A packet as its parts, to be changed and put together again.
pub(crate) struct Parts {
    pub(crate) packet_type: PacketType,
    pub(crate) sender: Hit,
    pub(crate) receiver: Hit,
    pub(crate) params: Vec<(ParamType, Vec<u8>)>,
}

impl Parts {
    pub(crate) fn of(packet: &Packet<'_>) -> Self {
        Self {
            packet_type: packet.packet_type(),
            sender: packet.sender(),
            receiver: packet.receiver(),
            params: packet
                .params()
                .map(|param| (param.ty, param.contents.to_vec()))
                .collect(),
        }
    }

    /// The contents of a parameter, to be replaced or added.
    pub(crate) fn set(&mut self, ty: ParamType, contents: Vec<u8>) {
        match self.params.iter_mut().find(|(other, _)| *other == ty) {
            Some((_, old)) => *old = contents,
            None => self.params.push((ty, contents)),
        }
    }

    /// Up to three changes: parameters without, twice, with other contents or type, or from `stock`.
    pub(crate) fn damage(&mut self, program: &mut Program<'_>, stock: &[(ParamType, Vec<u8>)]) {
        for _ in 0..program.pick(4) {
            let at = program.pick(self.params.len());
            match program.pick(6) {
                0 if !self.params.is_empty() => drop(self.params.remove(at)),
                1 if !self.params.is_empty() => self.params.push(self.params[at].clone()),
                2 if !stock.is_empty() => {
                    let (ty, contents) = &stock[program.pick(stock.len())];
                    self.set(*ty, contents.clone());
                }
                3 => {
                    let ty = ParamType(u16::from_be_bytes([program.octet(), program.octet()]));
                    self.params.push((ty, program.octets().to_vec()));
                }
                4 => self.packet_type = PacketType::ALL[program.pick(PacketType::ALL.len())],
                _ => {
                    if let Some((_, contents)) = self.params.get_mut(at) {
                        program.damage(contents);
                    }
                }
            }
        }
        self.params.sort_by_key(|(ty, _)| *ty);
    }

    /// A packet of the parameters that may be sent together.
    pub(crate) fn builder(&self) -> PacketBuilder {
        let mut builder = PacketBuilder::new(self.packet_type, self.sender, self.receiver);
        for (ty, contents) in &self.params {
            // Some changes make a packet that our own builder refuses; `damage` of the octets goes further.
            let _ = builder.push_raw(*ty, contents);
        }
        builder
    }
}

/// Header Length made to fit, where that is possible.
pub(crate) fn repair_length(bytes: &mut Vec<u8>) {
    if bytes.len() < HEADER_LEN {
        return;
    }
    let body = bytes.len() - HEADER_LEN;
    bytes.resize(HEADER_LEN + body.div_ceil(8) * 8, 0);
    bytes[0] = NEXT_HEADER_NONE;
    if let Ok(length) = u8::try_from(bytes.len() / 8 - 1) {
        bytes[1] = length;
    }
}
