//! A peer of an overlay, and four members with good identities that send it whatever they like.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hip_crypto::cert::{Names, self_signed};
use hip_crypto::hash::Rhash;
use hip_crypto::identity::{HostIdentity, KeyAlgorithm};
use hip_crypto::rng::SeededRng;
use hip_wire::time::Instant;
use reload_core::wire::body::{Body, ERROR_CODE, ErrorCode, ErrorResponse, is_request};
use reload_core::wire::contents::{MessageContents, SecurityBlock, Signature, SignerIdentity};
use reload_core::wire::header::{Destination, ForwardingHeader, VERSION, WHOLE};
use reload_core::wire::link::{Attach, PingAns, PingReq};
use reload_core::wire::storage::{
    DataSpecifier, FetchAns, FindAns, FindKindData, FindReq, KindData, LAST_INDEX, ModelSpecifier,
    Place, SpecifierReq, StatAns, StoreAns, StoreKindResponse, StoreReq, StoredData,
};
use reload_core::wire::topology::{
    ChordLeave, ChordUpdate, ChordView, JoinAns, JoinReq, LeaveReq, ProbeAns, ProbeInformation,
    ProbeReq, RouteQueryAns, RouteQueryReq,
};
use reload_core::wire::{Encode, Writer};
use reload_core::{
    Command, DataModel, FetchCommand, Input, KindId, Node, NodeConfig, NodeId, Output, ResourceId,
    Selector, StoreChange, StoreCommand, StoredRecord, Target,
};

use crate::core::IDENTITIES;
use crate::program::Program;

const STEPS: usize = 48;
const OVERLAY: &str = "fuzz.example";
const SHA256: u8 = 4;
/// TLS hash and signature algorithm of Ed25519.
const ED25519: (u8, u8) = (8, 7);
/// Wall clock at virtual time zero.
const WALL: u64 = 1_700_000_000_000;

/// An identity with its certificate.
struct Member {
    identity: HostIdentity,
    certificate: Vec<u8>,
    signer: SignerIdentity,
}

static MEMBERS: LazyLock<Vec<Member>> = LazyLock::new(|| {
    let member = |seed| {
        let identity = HostIdentity::from_seed(KeyAlgorithm::Ed25519, seed).expect("not RSA");
        let certificate = self_signed(&identity, &Names::default()).expect("no names");
        let digest = Rhash::Sha256.digest(&[&certificate]).as_ref().to_vec();
        Member {
            identity,
            certificate,
            signer: SignerIdentity::CertHash {
                hash: SHA256,
                digest,
            },
        }
    };
    (1..=4).map(member).collect()
});

impl Member {
    fn id(&self) -> NodeId {
        self.identity.hit().into()
    }

    fn sign(&self, input: &[u8]) -> Signature {
        Signature {
            hash: ED25519.0,
            algorithm: ED25519.1,
            identity: self.signer.clone(),
            value: self.identity.sign(input).expect("signed"),
        }
    }
}

/// The members against one peer.
pub fn reload_member(data: &[u8]) {
    let mut program = Program::new(data);
    let mut world = World::new();
    for _ in 0..STEPS {
        if program.is_over() {
            break;
        }
        world.step(&mut program);
    }
    // Whatever happened, it still says how it is, and time passes.
    world.run_timers();
    let status = world.victim.status(world.now);
    assert!(status.connections.len() <= NodeConfig::new(OVERLAY).limits.connections);
}

struct World {
    victim: Node,
    now: Instant,
    received: Vec<Vec<u8>>,
    sent: Vec<Vec<u8>>,
    opening: Vec<NodeId>,
    records: Vec<StoredRecord>,
    /// Commands without a reply.
    open_commands: BTreeSet<u64>,
    counter: u64,
}

impl World {
    fn new() -> Self {
        let identity = Arc::clone(&IDENTITIES[1]);
        let mut config = NodeConfig::new(OVERLAY);
        config.bootstrap = vec![identity.hit().into()];
        let rng = Box::new(SeededRng::new(1));
        let mut world = Self {
            victim: Node::new(config, identity, rng).expect("a certificate"),
            now: Instant::from_secs(1),
            received: Vec::new(),
            sent: Vec::new(),
            opening: Vec::new(),
            records: Vec::new(),
            open_commands: BTreeSet::new(),
            counter: 0,
        };
        world.command(Command::Join);
        for member in MEMBERS.iter() {
            world.input(Input::LinkUp { peer: member.id() });
        }
        world
    }

    fn wall(&self) -> u64 {
        WALL + self.now.as_nanos() / 1_000_000
    }

    fn input(&mut self, input: Input<'_>) {
        let wall = self.wall();
        self.victim.handle(self.now, wall, input);
        let mut outputs = 0;
        while let Some(output) = self.victim.poll() {
            outputs += 1;
            assert!(outputs <= 1024, "one input, no end of outputs");
            match output {
                Output::Send { bytes, .. } => {
                    assert!(bytes.len() <= 5000, "larger than max-message-size");
                    ForwardingHeader::parse(&bytes).expect("what a peer sends parses");
                    self.received.push(bytes);
                }
                Output::Open { peer } => self.opening.push(peer),
                Output::Persist(StoreChange::Put(record)) => self.records.push(record),
                Output::Reply { id, .. } => {
                    assert!(self.open_commands.remove(&id), "two replies to one command");
                }
                Output::Persist(StoreChange::Delete { .. })
                | Output::CloseLink { .. }
                | Output::Event(_) => {}
            }
        }
    }

    fn command(&mut self, command: Command) {
        self.counter += 1;
        let id = self.counter;
        self.open_commands.insert(id);
        self.input(Input::Command { id, command });
    }

    fn step(&mut self, program: &mut Program<'_>) {
        let operation = program.octet();
        let member = &MEMBERS[usize::from(operation >> 4 & 3)];
        let from = member.id();
        match operation & 15 {
            0..=6 => self.request(program, member),
            7 | 8 => self.answer(program, member),
            9 => {
                let all = if operation & 0x80 == 0 {
                    &self.received
                } else {
                    &self.sent
                };
                if let Some(old) = all.get(program.pick(all.len())) {
                    let mut bytes = old.clone();
                    program.damage(&mut bytes);
                    self.deliver(from, &bytes);
                }
            }
            10 => self.deliver(from, program.octets()),
            11 => self.link(program),
            12 => {
                let command = self.any_command(program);
                self.command(command);
            }
            13 => {
                if let Some(record) = self.records.get(program.pick(self.records.len())) {
                    let mut record = record.clone();
                    program.damage(&mut record.bytes);
                    self.input(Input::Restore(record));
                }
            }
            14 => {
                self.now += Duration::from_millis(1 << program.pick(24));
                self.run_timers();
            }
            _ => self.run_timers(),
        }
    }

    fn deliver(&mut self, from: NodeId, bytes: &[u8]) {
        self.input(Input::Message { from, bytes });
    }

    fn link(&mut self, program: &mut Program<'_>) {
        let choice = program.octet();
        let opening = self.opening.get(usize::from(choice >> 4)).copied();
        let peer = opening.unwrap_or_else(|| self.node(program));
        self.opening.retain(|other| *other != peer);
        match choice & 3 {
            0 => self.input(Input::LinkDown { peer }),
            1 => self.input(Input::LinkFailed { peer }),
            _ => self.input(Input::LinkUp { peer }),
        }
    }

    /// Everything due; time always goes on afterwards.
    fn run_timers(&mut self) {
        if let Some(due) = self.victim.next_deadline() {
            self.now = self.now.max(due);
        }
        self.input(Input::Timeout);
        let next = self.victim.next_deadline();
        assert!(
            next.is_none_or(|due| due > self.now),
            "a timer that stays due"
        );
    }

    /// A member, the peer itself, the wildcard, or somebody on the ring.
    fn node(&self, program: &mut Program<'_>) -> NodeId {
        match program.octet() {
            octet @ 0..=15 => MEMBERS[usize::from(octet) % MEMBERS.len()].id(),
            16..=31 => self.victim.id(),
            32 => NodeId::WILDCARD,
            octet => {
                let mut bytes = [octet; 16];
                bytes[..4].copy_from_slice(&[0x20, 0x01, 0x00, 0x25]);
                NodeId::from_bytes(bytes)
            }
        }
    }

    fn nodes(&self, program: &mut Program<'_>) -> Vec<NodeId> {
        (0..program.pick(9)).map(|_| self.node(program)).collect()
    }

    fn resource(&self, program: &mut Program<'_>) -> ResourceId {
        ResourceId::from_name(&[program.octet() % 8])
    }

    fn kind(&self, program: &mut Program<'_>) -> (KindId, DataModel) {
        match program.octet() % 8 {
            0..=2 => (KindId::USER_SINGLE, DataModel::Single),
            3 | 4 => (KindId::USER_ARRAY, DataModel::Array),
            5 | 6 => (KindId::USER_DICTIONARY, DataModel::Dictionary),
            _ => (KindId(7), DataModel::Single),
        }
    }

    fn any_command(&self, program: &mut Program<'_>) -> Command {
        let resource = self.resource(program);
        let (kind, model) = self.kind(program);
        let fetch = |selectors| FetchCommand {
            resource,
            kind,
            selectors,
        };
        match program.octet() % 12 {
            0 => Command::Join,
            1 => Command::Leave,
            2 | 3 => Command::Store(StoreCommand {
                resource,
                kind,
                selector: match model {
                    DataModel::Single => Selector::Single,
                    DataModel::Array => Selector::Append,
                    DataModel::Dictionary => Selector::Key(program.octets().to_vec()),
                },
                value: Some(program.octets().to_vec()),
                lifetime: Duration::from_secs(1 << program.pick(24)),
                generation: generation(program),
                storage_time: None,
            }),
            4 | 5 => Command::Fetch(fetch(Vec::new())),
            6 => Command::Stat(fetch(Vec::new())),
            7 => Command::Find {
                resource,
                kinds: vec![kind],
            },
            8 => Command::Ping(Target::Resource(resource)),
            9 => Command::Probe(Target::Node(self.node(program))),
            10 => Command::Trace(Target::Resource(resource)),
            _ => Command::Map { limit: 16 },
        }
    }

    fn request(&mut self, program: &mut Program<'_>, member: &Member) {
        let body = self.request_body(program);
        self.counter += 1;
        let transaction = self.counter;
        let destination = match program.octet() {
            0..=127 => Destination::Node(self.victim.id()),
            128..=159 => Destination::Node(NodeId::WILDCARD),
            160..=223 => Destination::Resource(self.resource(program)),
            _ => Destination::Node(self.node(program)),
        };
        self.send(program, member, transaction, vec![destination], &body);
    }

    /// An answer to a request of the peer, true or not.
    fn answer(&mut self, program: &mut Program<'_>, member: &Member) {
        let back = program.pick(4);
        let mut requests = self.received.iter().rev().filter_map(|bytes| {
            let (header, rest) = ForwardingHeader::parse(bytes).ok()?;
            let code = u16::from_be_bytes(*rest.first_chunk()?);
            is_request(code).then_some((header.transaction_id, code))
        });
        let Some((transaction, code)) = requests.nth(back) else {
            return;
        };
        let body = self.answer_body(program, code);
        let destination = Destination::Node(self.victim.id());
        self.send(program, member, transaction, vec![destination], &body);
    }

    /// Signs and delivers; one octet says what is wrong with the message.
    fn send(
        &mut self,
        program: &mut Program<'_>,
        member: &Member,
        transaction_id: u64,
        mut destinations: Vec<Destination>,
        body: &Body,
    ) {
        let fault = program.octet();
        let mut contents = MessageContents {
            code: body.code(),
            body: body.to_bytes().expect("small"),
            extensions: Vec::new(),
        };
        if fault & 0x03 == 1 {
            program.damage(&mut contents.body);
        }
        let mut via = Vec::new();
        if fault & 0x0c == 4 {
            via = self
                .nodes(program)
                .into_iter()
                .map(Destination::Node)
                .collect();
        }
        if fault & 0x0c == 8 {
            let more = self.nodes(program).into_iter().map(Destination::Node);
            destinations.splice(0..0, more);
        }
        let digest = Rhash::Sha1.digest(&[OVERLAY.as_bytes()]);
        let overlay = u32::from_be_bytes(*digest.as_ref().last_chunk().expect("20 octets"));
        let header = ForwardingHeader {
            overlay,
            configuration_sequence: 1,
            version: VERSION,
            ttl: if fault & 0x30 == 0x10 {
                program.octet()
            } else {
                100
            },
            fragment: WHOLE,
            transaction_id,
            max_response_length: if fault & 0x30 == 0x20 { 200 } else { 0 },
            via,
            destinations,
            options: Vec::new(),
        };
        let signed = contents.to_bytes().expect("small");
        let mut input = Writer::new();
        input.u32(overlay);
        input.u64(transaction_id);
        input.raw(&signed);
        member.signer.encode(&mut input);
        let security = SecurityBlock {
            // Those of signers within the body come with the message.
            certificates: MEMBERS
                .iter()
                .map(|member| member.certificate.clone())
                .collect(),
            signature: member.sign(&input.finish().expect("small")),
        };
        let rest = [signed, security.to_bytes().expect("small")].concat();
        let mut bytes = header.with_body(&rest).expect("small");
        if fault & 0xc0 == 0xc0 {
            program.damage(&mut bytes);
        }
        self.deliver(member.id(), &bytes);
        if self.sent.len() < 64 {
            self.sent.push(bytes);
        }
    }

    fn request_body(&self, program: &mut Program<'_>) -> Body {
        match program.octet() % 16 {
            0 => Body::JoinReq(JoinReq {
                joining_peer: self.node(program),
                overlay_specific: Vec::new(),
            }),
            1 => Body::LeaveReq(LeaveReq {
                leaving_peer: self.node(program),
                data: match program.octet() % 3 {
                    0 => None,
                    1 => Some(ChordLeave::FromSuccessor(self.nodes(program))),
                    _ => Some(ChordLeave::FromPredecessor(self.nodes(program))),
                },
            }),
            2 => Body::UpdateReq(self.update(program)),
            3 => Body::RouteQueryReq(RouteQueryReq {
                send_update: program.octet() & 1 == 1,
                destination: Destination::Resource(self.resource(program)),
                overlay_specific: Vec::new(),
            }),
            4 => Body::ProbeReq(ProbeReq {
                requested: program.octets().to_vec(),
            }),
            5 => Body::AttachReq(Attach::offer(program.octet() & 1 == 1)),
            6 => Body::PingReq(PingReq {
                padding: program.octets().to_vec(),
            }),
            7 => Body::FindReq(FindReq {
                resource: self.resource(program),
                kinds: vec![self.kind(program).0],
            }),
            8 | 9 => Body::FetchReq(self.specifiers(program)),
            10 => Body::StatReq(self.specifiers(program)),
            _ => {
                let resource = self.resource(program);
                Body::StoreReq(StoreReq {
                    resource,
                    replica_number: program.octet() % 3,
                    kinds: vec![self.values(program, resource)],
                })
            }
        }
    }

    fn answer_body(&self, program: &mut Program<'_>, request: u16) -> Body {
        let resource = self.resource(program);
        match request {
            0x01 => Body::ProbeAns(ProbeAns {
                information: vec![ProbeInformation {
                    kind: 1 + program.octet() % 3,
                    value: vec![program.octet(); 4],
                }],
            }),
            0x03 => Body::AttachAns(Attach::answer()),
            0x07 => Body::StoreAns(StoreAns {
                kinds: vec![StoreKindResponse {
                    kind: self.kind(program).0,
                    generation: u64::from(program.octet()),
                    replicas: self.nodes(program),
                }],
            }),
            0x09 => Body::FetchAns(FetchAns {
                kinds: vec![self.values(program, resource)],
            }),
            0x0d => Body::FindAns(FindAns {
                results: vec![FindKindData {
                    kind: self.kind(program).0,
                    closest: resource,
                }],
            }),
            0x0f => Body::JoinAns(JoinAns::default()),
            0x11 => Body::LeaveAns,
            0x13 => Body::UpdateAns,
            0x15 => Body::RouteQueryAns(RouteQueryAns {
                next_peer: self.node(program),
            }),
            0x17 => Body::PingAns(PingAns {
                response_id: 1,
                time: self.wall(),
            }),
            0x19 => Body::StatAns(StatAns {
                kinds: vec![self.values(program, resource)],
            }),
            _ => {
                let code = match program.octet() {
                    octet @ 0..=0x1f => u16::from(octet),
                    _ => ERROR_CODE,
                };
                Body::Error(ErrorResponse::new(ErrorCode(code), "fuzz"))
            }
        }
    }

    fn update(&self, program: &mut Program<'_>) -> ChordUpdate {
        let view = match program.octet() % 3 {
            0 => ChordView::PeerReady,
            1 => ChordView::Neighbors {
                predecessors: self.nodes(program),
                successors: self.nodes(program),
            },
            _ => ChordView::Full {
                predecessors: self.nodes(program),
                successors: self.nodes(program),
                fingers: self.nodes(program),
            },
        };
        ChordUpdate { uptime: 1, view }
    }

    fn specifiers(&self, program: &mut Program<'_>) -> SpecifierReq {
        let resource = self.resource(program);
        let (kind, model) = self.kind(program);
        let specifier = match model {
            DataModel::Single => ModelSpecifier::Single,
            DataModel::Array => {
                let first = u32::from(program.octet() % 8);
                ModelSpecifier::Ranges(vec![(first, first + 3), (LAST_INDEX, LAST_INDEX)])
            }
            DataModel::Dictionary => ModelSpecifier::Keys(vec![program.octets().to_vec()]),
        };
        SpecifierReq {
            resource,
            specifiers: vec![DataSpecifier {
                kind,
                generation: generation(program),
                model_specifier: specifier.to_bytes().expect("small"),
            }],
        }
    }

    /// Up to three values, signed by whichever member.
    fn values(&self, program: &mut Program<'_>, resource: ResourceId) -> KindData {
        let (kind, model) = self.kind(program);
        let mut values = Writer::new();
        let generation = generation(program);
        for _ in 0..program.pick(4) {
            self.value(program, resource, kind, model)
                .encode(&mut values);
        }
        KindData {
            kind,
            generation,
            values: values.finish().expect("small"),
        }
    }

    fn value(
        &self,
        program: &mut Program<'_>,
        resource: ResourceId,
        kind: KindId,
        model: DataModel,
    ) -> StoredData {
        let place = match model {
            DataModel::Single => Place::Single,
            DataModel::Array => Place::Index(match program.octet() {
                octet @ 0..=127 => u32::from(octet % 8),
                _ => LAST_INDEX,
            }),
            DataModel::Dictionary => Place::Key(program.octets().to_vec()),
        };
        let choice = program.octet();
        let value = (choice & 1 == 0).then(|| program.octets().to_vec());
        let storage_time = match choice >> 1 & 3 {
            0 | 1 => self.wall(),
            2 => u64::MAX,
            _ => self.wall().saturating_sub(1 << program.pick(40)),
        };
        let lifetime = 1_u32 << (choice >> 3);
        let signer = &MEMBERS[program.pick(MEMBERS.len())];
        let mut input = Writer::new();
        input.resource_id(&resource);
        kind.encode(&mut input);
        input.u64(storage_time);
        StoredData::encode_signed_value(&place, value.as_deref(), &mut input);
        signer.signer.encode(&mut input);
        StoredData {
            storage_time,
            lifetime,
            place,
            signature: signer.sign(&input.finish().expect("small")),
            value,
        }
    }
}

/// 0 means none; both ends of the range.
fn generation(program: &mut Program<'_>) -> u64 {
    match program.octet() {
        0xff => u64::MAX,
        octet => u64::from(octet % 4),
    }
}
