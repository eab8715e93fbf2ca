//! Commands of the local user.

use std::time::Duration;

use super::Node;
use super::requests::to_node;
use super::transactions::{Outcome, Purpose};
use crate::command::{
    Answer, Command, CommandError, CommandResult, FetchCommand, FetchedValue, Selector,
    StoreCommand, StoreOutcome, Target, ValueMetadata,
};
use crate::config::{DataModel, KindId};
use crate::event::DropReason;
use crate::id::{NodeId, ResourceId};
use crate::ring::Position;
use crate::status::NodeState;
use crate::wire::body::{Body, ErrorCode, ErrorResponse};
use crate::wire::codec::{Decode, Reader};
use crate::wire::contents::SignerIdentity;
use crate::wire::header::Destination;
use crate::wire::link::PingReq;
use crate::wire::storage::{
    DataSpecifier, FindKindData, FindReq, KindData, LAST_INDEX, ModelSpecifier, Place,
    SpecifierReq, StoreAns, StoreReq, StoredData, StoredMetaData,
};
use crate::wire::topology::{NUM_RESOURCES, ProbeReq, RESPONSIBLE_SET, RouteQueryReq, UPTIME};

/// Most hops a trace follows.
const MAX_TRACE: usize = 64;

/// A request made for a command.
#[derive(Clone, Debug)]
pub(super) struct UserRequest {
    id: u64,
    step: UserStep,
}

/// What the answer is needed for.
#[derive(Clone, Debug)]
enum UserStep {
    Store,
    Fetch(ResourceId, KindId),
    Stat(KindId),
    Find,
    Ping,
    Probe,
    Trace(Destination, Vec<NodeId>),
    Map(Vec<NodeId>, usize),
}

impl Node {
    /// Takes a command.
    pub(super) fn on_command(&mut self, id: u64, command: Command) {
        let result = match command {
            Command::Join => return self.start_joining(id),
            Command::Leave => return self.start_leaving(id),
            _ if self.state != NodeState::Joined => Err(CommandError::NotJoined),
            Command::Store(store) => self.store_value(id, store),
            Command::Fetch(fetch) => self.fetch_values(id, &fetch, false),
            Command::Stat(fetch) => self.fetch_values(id, &fetch, true),
            Command::Find { resource, kinds } => {
                let body = Body::FindReq(FindReq { resource, kinds });
                self.ask(id, vec![resource.into()], &body, UserStep::Find)
            }
            Command::Ping(target) => {
                let body = Body::PingReq(PingReq::default());
                self.ask(id, vec![target.into()], &body, UserStep::Ping)
            }
            Command::Probe(target) => {
                let requested = vec![RESPONSIBLE_SET, NUM_RESOURCES, UPTIME];
                let body = Body::ProbeReq(ProbeReq { requested });
                self.ask(id, vec![target.into()], &body, UserStep::Probe)
            }
            Command::Trace(target) => self.trace(id, target.into()),
            Command::Map { limit } => self.map(id, vec![self.id], limit),
        };
        if let Err(error) = result {
            self.reply(id, Err(error));
        }
    }

    /// What a request for a command came to.
    pub(super) fn on_user_outcome(
        &mut self,
        request: UserRequest,
        round_trip: Duration,
        outcome: Outcome,
    ) {
        let UserRequest { id, step } = request;
        let result = match outcome {
            Outcome::NoAnswer => Err(CommandError::Timeout),
            Outcome::Refused { error, .. } => Err(refusal(&error)),
            Outcome::Answer { signer, body } => match (step, body) {
                (UserStep::Trace(destination, hops), Body::RouteQueryAns(answer)) => {
                    return self.on_trace(id, destination, hops, answer.next_peer);
                }
                (UserStep::Map(peers, limit), Body::PingAns(_)) => {
                    return self.on_map(id, peers, limit, signer);
                }
                (step, body) => self.answer(&step, signer, body, round_trip),
            },
        };
        self.reply(id, result);
    }

    /// Takes all open requests; returns the commands that waited for some.
    pub(super) fn take_user_requests(&mut self) -> Vec<u64> {
        let requests = std::mem::take(&mut self.transactions).into_values();
        let ids = requests.filter_map(|transaction| match transaction.purpose {
            Purpose::User(request) => Some(request.id),
            _ => None,
        });
        ids.collect()
    }

    fn ask(
        &mut self,
        id: u64,
        destinations: Vec<Destination>,
        body: &Body,
        step: UserStep,
    ) -> Result<(), CommandError> {
        let purpose = Purpose::User(UserRequest { id, step });
        if self.request(destinations, body, purpose, None) {
            Ok(())
        } else {
            Err(CommandError::Busy)
        }
    }

    fn store_value(&mut self, id: u64, store: StoreCommand) -> Result<(), CommandError> {
        let place = match store.selector {
            Selector::Single => Place::Single,
            Selector::Index(LAST_INDEX) | Selector::Append => Place::Index(LAST_INDEX),
            Selector::Index(index) => Place::Index(index),
            Selector::Key(key) => Place::Key(key),
        };
        self.check_place(store.kind, &place)?;
        // §7: later values of ours have later storage times, however fast they follow.
        let storage_time = store
            .storage_time
            .unwrap_or_else(|| self.wall_ms.max(self.last_storage_time.saturating_add(1)));
        self.last_storage_time = self.last_storage_time.max(storage_time);
        // 6940-7.4.1.3-01
        let value = store.value.as_deref();
        let signature = self
            .security
            .sign_data(&store.resource, store.kind, storage_time, &place, value)
            .map_err(|_| CommandError::Invalid("the value cannot be signed"))?;
        let data = StoredData {
            storage_time,
            lifetime: u32::try_from(store.lifetime.as_secs()).unwrap_or(u32::MAX),
            place,
            value: store.value,
            signature,
        };
        let body = Body::StoreReq(StoreReq {
            resource: store.resource,
            replica_number: 0,
            kinds: vec![KindData {
                kind: store.kind,
                generation: store.generation,
                values: self.encoded(&data),
            }],
        });
        self.ask(id, vec![store.resource.into()], &body, UserStep::Store)
    }

    fn fetch_values(
        &mut self,
        id: u64,
        fetch: &FetchCommand,
        metadata: bool,
    ) -> Result<(), CommandError> {
        let model = self.model(fetch.kind)?;
        let specifier = model_specifier(model, &fetch.selectors)?;
        let model_specifier = self.encoded(&specifier);
        let request = SpecifierReq {
            resource: fetch.resource,
            specifiers: vec![DataSpecifier {
                kind: fetch.kind,
                generation: 0,
                model_specifier,
            }],
        };
        let (body, step) = if metadata {
            (Body::StatReq(request), UserStep::Stat(fetch.kind))
        } else {
            (
                Body::FetchReq(request),
                UserStep::Fetch(fetch.resource, fetch.kind),
            )
        };
        self.ask(id, vec![fetch.resource.into()], &body, step)
    }

    fn model(&self, kind: KindId) -> Result<DataModel, CommandError> {
        let kind = self.config.kind(kind);
        kind.map(|kind| kind.model)
            .ok_or(CommandError::Invalid("the overlay does not have this Kind"))
    }

    fn check_place(&self, kind: KindId, place: &Place) -> Result<(), CommandError> {
        if place.model() == self.model(kind)? {
            Ok(())
        } else {
            Err(CommandError::Invalid("this Kind has another data model"))
        }
    }

    fn answer(
        &mut self,
        step: &UserStep,
        responder: NodeId,
        body: Body,
        round_trip: Duration,
    ) -> CommandResult {
        match (step, body) {
            (UserStep::Store, Body::StoreAns(answer)) => stored(answer, responder),
            (UserStep::Fetch(resource, kind), Body::FetchAns(answer)) => {
                self.fetched(*resource, *kind, answer.kinds, responder)
            }
            (UserStep::Stat(kind), Body::StatAns(answer)) => {
                let model = self.model(*kind)?;
                metadata(model, *kind, answer.kinds, responder)
            }
            (UserStep::Find, Body::FindAns(answer)) => {
                let results = answer.results.into_iter();
                let found = results.map(|one| {
                    let closest = (one.closest != FindKindData::NONE).then_some(one.closest);
                    (one.kind, closest)
                });
                Ok(Answer::Found(found.collect()))
            }
            (UserStep::Ping, Body::PingAns(answer)) => Ok(Answer::Pong {
                responder,
                time_ms: answer.time,
                round_trip,
            }),
            (UserStep::Probe, Body::ProbeAns(answer)) => Ok(Answer::Probed {
                responder,
                responsible_ppb: answer.number(RESPONSIBLE_SET),
                num_resources: answer.number(NUM_RESOURCES),
                uptime: answer.number(UPTIME),
            }),
            _ => Err(CommandError::Invalid("the answer does not fit the request")),
        }
    }

    /// §7.4.2.2: the signatures of all values are verified, and bad values discarded.
    fn fetched(
        &mut self,
        resource: ResourceId,
        kind: KindId,
        kinds: Vec<KindData>,
        responder: NodeId,
    ) -> CommandResult {
        let model = self.model(kind)?;
        let data = one_kind(kind, kinds)?;
        let values = StoredData::decode_list(model, &data.values)
            .map_err(|_| CommandError::Invalid("the answer is malformed"))?;
        let mut good = Vec::new();
        let mut discarded = 0;
        for value in values {
            match self.verified_signer(&resource, kind, &value) {
                Ok(signer) => good.push(FetchedValue {
                    selector: selector(value.place),
                    value: value.value,
                    signer,
                    storage_time: value.storage_time,
                    lifetime: value.lifetime,
                }),
                Err(()) => {
                    discarded += 1;
                    self.drop_message(DropReason::BadValue, responder);
                }
            }
        }
        Ok(Answer::Fetched {
            generation: data.generation,
            values: good,
            discarded,
            responder,
        })
    }

    fn verified_signer(
        &self,
        resource: &ResourceId,
        kind: KindId,
        value: &StoredData,
    ) -> Result<Option<NodeId>, ()> {
        let synthesised = value.signature.identity == SignerIdentity::None;
        if synthesised && value.value.is_none() {
            return Ok(None);
        }
        let verified = self.security.verify_data(resource, kind, value);
        verified
            .map(|verified| Some(verified.signer()))
            .map_err(|_| ())
    }

    fn trace(&mut self, id: u64, destination: Destination) -> Result<(), CommandError> {
        match self.route_query(&destination) {
            Some(next) => {
                self.on_trace(id, destination, vec![self.id], next);
                Ok(())
            }
            None => Err(CommandError::Invalid("no route")),
        }
    }

    /// The last of the hops would send the message on to `next`.
    fn on_trace(&mut self, id: u64, destination: Destination, mut hops: Vec<NodeId>, next: NodeId) {
        if hops.contains(&next) || hops.len() >= MAX_TRACE {
            return self.reply(id, Ok(Answer::Route(hops)));
        }
        hops.push(next);
        // A Node-ID is reached: there is nothing more to ask.
        if destination == Destination::Node(next) {
            return self.reply(id, Ok(Answer::Route(hops)));
        }
        let body = Body::RouteQueryReq(RouteQueryReq {
            send_update: false,
            destination: destination.clone(),
            overlay_specific: Vec::new(),
        });
        if let Err(error) = self.ask(id, to_node(next), &body, UserStep::Trace(destination, hops)) {
            self.reply(id, Err(error));
        }
    }

    /// Asks who follows the last of the peers.
    fn map(&mut self, id: u64, peers: Vec<NodeId>, limit: usize) -> Result<(), CommandError> {
        let last = peers.last().copied().unwrap_or(self.id);
        let next = Position::from(last).add(1).to_resource();
        let body = Body::PingReq(PingReq::default());
        self.ask(id, vec![next.into()], &body, UserStep::Map(peers, limit))
    }

    fn on_map(&mut self, id: u64, mut peers: Vec<NodeId>, limit: usize, next: NodeId) {
        let complete = peers.contains(&next);
        if complete || peers.len() >= limit {
            return self.reply(id, Ok(Answer::Map { peers, complete }));
        }
        peers.push(next);
        if let Err(error) = self.map(id, peers, limit) {
            self.reply(id, Err(error));
        }
    }
}

impl From<Target> for Destination {
    fn from(target: Target) -> Self {
        match target {
            Target::Node(id) => Self::Node(id),
            Target::Resource(id) => Self::Resource(id),
        }
    }
}

fn model_specifier(
    model: DataModel,
    selectors: &[Selector],
) -> Result<ModelSpecifier, CommandError> {
    let misfit = CommandError::Invalid("this Kind has another data model");
    match model {
        DataModel::Single if selectors.iter().all(|one| *one == Selector::Single) => {
            Ok(ModelSpecifier::Single)
        }
        DataModel::Single => Err(misfit),
        DataModel::Array if selectors.is_empty() => {
            Ok(ModelSpecifier::Ranges(vec![(0, LAST_INDEX)]))
        }
        DataModel::Array => {
            let ranges = selectors.iter().map(|one| match one {
                Selector::Index(index) => Ok((*index, *index)),
                _ => Err(misfit.clone()),
            });
            let mut ranges = ranges.collect::<Result<Vec<_>, _>>()?;
            ranges.sort_unstable();
            ranges.dedup();
            Ok(ModelSpecifier::Ranges(ranges))
        }
        DataModel::Dictionary => {
            let keys = selectors.iter().map(|one| match one {
                Selector::Key(key) => Ok(key.clone()),
                _ => Err(misfit.clone()),
            });
            keys.collect::<Result<_, _>>().map(ModelSpecifier::Keys)
        }
    }
}

fn selector(place: Place) -> Selector {
    match place {
        Place::Single => Selector::Single,
        Place::Index(index) => Selector::Index(index),
        Place::Key(key) => Selector::Key(key),
    }
}

fn one_kind(kind: KindId, kinds: Vec<KindData>) -> Result<KindData, CommandError> {
    let mut kinds = kinds.into_iter();
    let found = kinds.find(|data| data.kind == kind);
    found.ok_or(CommandError::Invalid("the answer lacks the Kind asked for"))
}

fn stored(answer: StoreAns, responder: NodeId) -> CommandResult {
    let mut kinds = answer.kinds.into_iter();
    let one = kinds
        .next()
        .ok_or(CommandError::Invalid("the answer is empty"))?;
    Ok(Answer::Stored(StoreOutcome {
        generation: one.generation,
        responder,
        replicas: one.replicas,
    }))
}

fn metadata(
    model: DataModel,
    kind: KindId,
    kinds: Vec<KindData>,
    responder: NodeId,
) -> CommandResult {
    let data = one_kind(kind, kinds)?;
    let entries = StoredMetaData::decode_list(model, &data.values)
        .map_err(|_| CommandError::Invalid("the answer is malformed"))?;
    let values = entries.into_iter().map(|entry| ValueMetadata {
        selector: selector(entry.place),
        exists: entry.exists,
        size: entry.value_length,
        digest: entry.digest,
        storage_time: entry.storage_time,
        lifetime: entry.lifetime,
    });
    Ok(Answer::Metadata {
        generation: data.generation,
        values: values.collect(),
        responder,
    })
}

/// An error response in words: some codes have structures as information.
fn refusal(error: &ErrorResponse) -> CommandError {
    let info = match error.code {
        ErrorCode::GENERATION_COUNTER_TOO_LOW => {
            let answer = StoreAns::from_bytes(&error.info).ok();
            let current = answer.and_then(|answer| answer.kinds.first().map(|one| one.generation));
            current.map_or_else(String::new, |current| format!("it is {current}"))
        }
        ErrorCode::UNKNOWN_KIND => {
            let kinds = Reader::new(&error.info).list::<KindId>(1, 64, "Kinds");
            let kinds = kinds.unwrap_or_default();
            let names: Vec<String> = kinds.iter().map(KindId::to_string).collect();
            names.join(", ")
        }
        _ => String::from_utf8_lossy(&error.info).into_owned(),
    };
    CommandError::Refused {
        code: error.code.0,
        name: error.code.name(),
        info,
    }
}
