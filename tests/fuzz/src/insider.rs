//! A peer that knows every key of its association and means harm: its packets are authentic and wrong.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use hip_core::{Host, HostConfig, Input, Output, Path, PeerLocator, Transport};
use hip_crypto::Secret;
use hip_crypto::dh::DhPrivate;
use hip_crypto::hash::Rhash;
use hip_crypto::identity::HostIdentity;
use hip_crypto::keymat::{HipKeys, Keymat};
use hip_crypto::rng::SeededRng;
use hip_wire::Parameter;
use hip_wire::builder::PacketBuilder;
use hip_wire::hit::Hit;
use hip_wire::packet::{Packet, encode_tlv};
use hip_wire::param::{
    Ack, DhGroupList, DiffieHellman, EchoRequestSigned, EchoRequestUnsigned, EchoResponseSigned,
    EspInfo, EspTransform, HipCipherList, HipMac, HipMac2, HipSignature, HipSignature2,
    HitSuiteList, HostId, Locator, LocatorAddress, LocatorSet, Notification, Puzzle, R1Counter,
    Seq, Solution, TrafficType, TransportFormatList,
};
use hip_wire::registry::{
    DhGroup, EspSuite, HipCipher, HitSuite, NotifyType, PacketType, ParamType,
};
use hip_wire::time::Instant;

use crate::core::{IDENTITIES, address};
use crate::program::{Parts, Program};

const STEPS: usize = 48;
const GROUP: DhGroup = DhGroup::EcpP256;
const SPI: u32 = 0x1234_5678;

type Raw = (ParamType, Vec<u8>);

fn raw(parameter: &impl Parameter) -> Raw {
    let mut contents = Vec::new();
    parameter.encode(&mut contents);
    (parameter.ty(), contents)
}

/// A host and one peer who breaks every rule but those of cryptography.
pub fn core_insider(data: &[u8]) {
    let mut program = Program::new(data);
    let mut insider = Insider::new();
    let start = program.octet();
    insider.exchange(start, &mut program);
    for _ in 0..STEPS {
        if program.is_over() {
            break;
        }
        insider.step(&mut program);
    }
}

struct Insider {
    victim: Host,
    now: Instant,
    dh: DhPrivate,
    rhash: Option<Rhash>,
    keys: Option<HipKeys>,
    /// What the victim sent, not yet looked at.
    received: Vec<(Path, Vec<u8>)>,
    /// What this peer sent, before it was sealed.
    sent: Vec<Parts>,
    update_id: u32,
    /// The Update ID, the nonce and the echo request that the victim sent last.
    seen: Seen,
    /// Where the victim may send data: where it asked for a nonce, and where it was told to look.
    allowed: BTreeSet<SocketAddr>,
}

#[derive(Default)]
struct Seen {
    update_id: u32,
    spi: u32,
    echo: Vec<u8>,
}

impl Insider {
    fn new() -> Self {
        let config = HostConfig {
            dh_groups: vec![GROUP],
            ..HostConfig::default()
        };
        let rng = Box::new(SeededRng::new(2));
        let mut insider = Self {
            victim: Host::new(config, IDENTITIES[1].clone(), rng),
            now: Instant::from_secs(1000),
            dh: DhPrivate::generate(GROUP, &mut SeededRng::new(3)).expect("supported"),
            rhash: None,
            keys: None,
            received: Vec::new(),
            sent: Vec::new(),
            update_id: 0,
            seen: Seen::default(),
            allowed: BTreeSet::new(),
        };
        insider.input(Input::LocalAddresses(vec![address(2)]));
        insider
    }

    fn identity(&self) -> &'static HostIdentity {
        &IDENTITIES[0]
    }

    fn own(&self) -> Hit {
        IDENTITIES[0].hit()
    }

    fn peer(&self) -> Hit {
        IDENTITIES[1].hit()
    }

    fn path(&self, last: u8) -> Path {
        Path {
            transport: Transport::Udp,
            local: SocketAddr::new(address(2), 10500),
            remote: SocketAddr::new(address(last), 10500),
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.victim.handle(self.now, input);
        let (mut outputs, mut sent) = (0, 0);
        while let Some(output) = self.victim.poll() {
            outputs += 1;
            assert!(outputs <= 64, "one input, no end of outputs");
            match output {
                Output::Send { path, bytes } => {
                    sent += 1;
                    self.take(path, bytes);
                }
                Output::InstallInbound(sa) | Output::InstallOutbound(sa) => {
                    assert_eq!((sa.local, sa.peer), (self.peer(), self.own()));
                    assert!(sa.spi >= 256, "a reserved SPI");
                    self.allowed.insert(sa.path.remote);
                }
                Output::MovePath { path, .. } => {
                    assert!(
                        self.allowed.contains(&path.remote),
                        "no proof of {}",
                        path.remote
                    );
                }
                Output::NeedLocators { peer } => {
                    let remote = self.path(1).remote;
                    self.allowed.insert(remote);
                    let locators = vec![PeerLocator::udp(remote)];
                    self.victim
                        .handle(self.now, Input::Locators { peer, locators });
                }
                Output::RemoveInbound { .. } | Output::RemoveSas { .. } | Output::Event(_) => {}
            }
        }
        assert!(sent <= 4, "one input, {sent} packets");
        assert!(self.victim.associations(self.now).count() <= 1);
    }

    /// Notes what the victim's packet tells.
    fn take(&mut self, path: Path, bytes: Vec<u8>) {
        let packet = Packet::parse(&bytes).expect("what a host sends parses");
        if let Ok(Some(Seq { update_id })) = packet.find() {
            self.seen.update_id = update_id;
        }
        if let Ok(Some(EspInfo { new_spi, .. })) = packet.find() {
            self.seen.spi = new_spi;
        }
        if let Ok(Some(EchoRequestSigned(echo))) = packet.find() {
            self.seen.echo = echo.to_vec();
            self.allowed.insert(path.remote);
        }
        self.received.push((path, bytes));
    }

    fn send(&mut self, last: u8, bytes: &[u8]) {
        let path = self.path(last);
        self.input(Input::Packet { path, bytes });
    }

    /// The last packet of a type that the victim sent.
    fn last(&self, packet_type: PacketType) -> Option<Vec<u8>> {
        let mut received = self.received.iter().rev().map(|(_, bytes)| bytes);
        let is = |bytes: &&Vec<u8>| {
            bytes
                .get(2)
                .is_some_and(|octet| octet & 0x7f == packet_type.number())
        };
        received.find(is).cloned()
    }

    fn parts(&self, packet_type: PacketType, params: Vec<Raw>) -> Parts {
        Parts {
            packet_type,
            sender: self.own(),
            receiver: self.peer(),
            params,
        }
    }

    /// A base exchange, with this peer as Initiator or as Responder.
    fn exchange(&mut self, start: u8, program: &mut Program<'_>) {
        let exchanged = if start & 1 == 0 {
            self.initiate(program)
        } else {
            self.respond(program)
        };
        // Nothing to go on with: the victim refused, as it should.
        let _ = exchanged;
    }

    fn initiate(&mut self, program: &mut Program<'_>) -> Option<()> {
        let mut i1 = self.parts(PacketType::I1, vec![raw(&DhGroupList::new(&[GROUP]))]);
        i1.damage(program, &[]);
        self.send(1, &i1.builder().finish());
        let r1 = self.last(PacketType::R1)?;
        let r1 = Packet::parse(&r1).ok()?;
        let puzzle: Puzzle<'_> = r1.require().ok()?;
        let dh: DiffieHellman<'_> = r1.require().ok()?;
        let rhash = Rhash::for_hit(self.peer())?;
        let solution = vec![0x5a; rhash.len()];
        self.derive(rhash, dh.public_value, puzzle.random, &solution)?;
        let public = self.identity().public();
        let answer = Solution {
            difficulty: puzzle.difficulty,
            opaque: puzzle.opaque,
            random: puzzle.random,
            solution: &solution,
        };
        let params = vec![
            raw(&self.esp_info(0)),
            raw(&r1.require::<R1Counter>().ok()?),
            raw(&answer),
            raw(&DiffieHellman::new(GROUP, self.dh.public_value())),
            raw(&HipCipherList::new(&[HipCipher::Aes128Cbc])),
            raw(&HostId::new(public.algorithm(), public.hi())),
            raw(&TransportFormatList::esp()),
            raw(&EspTransform::new(&[EspSuite::AesGcm16])),
        ];
        let i2 = self.parts(PacketType::I2, params);
        self.change_and_send(i2, program, 1);
        Some(())
    }

    fn respond(&mut self, program: &mut Program<'_>) -> Option<()> {
        let peer = self.own();
        self.input(Input::Connect { peer });
        self.last(PacketType::I1)?;
        let rhash = Rhash::for_hit(self.own())?;
        let random = vec![0x17; rhash.len()];
        let public = self.identity().public();
        let host_id = HostId::new(public.algorithm(), public.hi());
        let puzzle = Puzzle {
            difficulty: 0,
            lifetime: 37,
            opaque: [1, 2],
            random: &random,
        };
        let params = vec![
            raw(&R1Counter::new(7)),
            raw(&puzzle),
            raw(&DhGroupList::new(&[GROUP])),
            raw(&DiffieHellman::new(GROUP, self.dh.public_value())),
            raw(&HipCipherList::new(&[HipCipher::Aes128Cbc])),
            raw(&host_id),
            raw(&HitSuiteList::new(HitSuite::ALL)),
            raw(&EchoRequestSigned(b"signed")),
            raw(&TransportFormatList::esp()),
            raw(&EspTransform::new(&[EspSuite::AesGcm16])),
        ];
        let mut r1 = self.parts(PacketType::R1, params);
        r1.damage(program, &[]);
        let mut builder = r1.builder();
        self.sign_2(&mut builder);
        let _ = builder.push(&EchoRequestUnsigned(program.octets()));
        self.sent.push(r1);
        self.send(1, &builder.finish());
        // A hard puzzle takes its time.
        for _ in 0..4 {
            self.run_timer();
        }
        let i2 = self.last(PacketType::I2)?;
        let i2 = Packet::parse(&i2).ok()?;
        let dh: DiffieHellman<'_> = i2.require().ok()?;
        let solution: Solution<'_> = i2.require().ok()?;
        self.derive(rhash, dh.public_value, solution.random, solution.solution)?;
        let mut r2 = self.parts(PacketType::R2, vec![raw(&self.esp_info(0))]);
        r2.damage(program, &[]);
        let mut builder = r2.builder();
        let keys = self.keys.as_ref()?;
        let input = builder.mac_2_input(&encode_tlv(&host_id).ok()?).ok()?;
        let key = keys.integrity(self.own(), self.peer());
        let mac = rhash.hmac(key.as_bytes(), &[&input]);
        let _ = builder.push(&HipMac2(mac.as_ref()));
        self.sign(&mut builder);
        self.sent.push(r2);
        self.send(1, &builder.finish());
        Some(())
    }

    fn derive(&mut self, rhash: Rhash, value: &[u8], i: &[u8], j: &[u8]) -> Option<()> {
        let kij: Secret = self.dh.agree(value).expect("the victim's own value");
        let mut keymat = Keymat::new(rhash, &kij, i, j, self.own(), self.peer());
        self.rhash = Some(rhash);
        self.keys = Some(keymat.hip_keys(HipCipher::Aes128Cbc).ok()?);
        Some(())
    }

    fn esp_info(&self, old_spi: u32) -> EspInfo {
        let drawn = self.rhash.map_or(0, |rhash| 2 * (16 + rhash.len()));
        EspInfo {
            keymat_index: u16::try_from(drawn).expect("small"),
            old_spi,
            new_spi: SPI,
        }
    }

    /// HIP_MAC and HIP_SIGNATURE, where they still fit behind what is there.
    fn seal(&self, builder: &mut PacketBuilder) {
        if let (Some(keys), Some(rhash), Ok(input)) = (&self.keys, self.rhash, builder.mac_input())
        {
            let key = keys.integrity(self.own(), self.peer());
            let mac = rhash.hmac(key.as_bytes(), &[&input]);
            let _ = builder.push(&HipMac(mac.as_ref()));
        }
        self.sign(builder);
    }

    fn sign(&self, builder: &mut PacketBuilder) {
        if let Ok(input) = builder.signature_input() {
            let signature = self.identity().sign(&input).expect("signed");
            let algorithm = self.identity().public().algorithm();
            let _ = builder.push(&HipSignature::new(algorithm, &signature));
        }
    }

    fn sign_2(&self, builder: &mut PacketBuilder) {
        if let Ok(input) = builder.signature_2_input() {
            let signature = self.identity().sign(&input).expect("signed");
            let algorithm = self.identity().public().algorithm();
            let _ = builder.push(&HipSignature2::new(algorithm, &signature));
        }
    }

    /// Changes the parts, makes them authentic and sends them from `192.0.2.last`.
    fn change_and_send(&mut self, mut parts: Parts, program: &mut Program<'_>, last: u8) {
        let stock = self.stock();
        parts.damage(program, &stock);
        let mut builder = parts.builder();
        self.seal(&mut builder);
        if self.sent.len() < 64 {
            self.sent.push(parts);
        }
        self.send(last, &builder.finish());
    }

    /// Parameters that make sense somewhere.
    fn stock(&self) -> Vec<Raw> {
        let address = LocatorAddress::SpiAddress {
            spi: SPI,
            address: address(9),
        };
        let locator = Locator {
            traffic_type: TrafficType::Both,
            preferred: true,
            lifetime: 1000,
            address,
        };
        vec![
            raw(&EspInfo {
                keymat_index: 0,
                old_spi: SPI,
                new_spi: SPI,
            }),
            raw(&LocatorSet {
                locators: vec![locator],
            }),
            raw(&Seq {
                update_id: self.update_id,
            }),
            raw(&Ack::of(self.seen.update_id)),
            raw(&EchoRequestSigned(b"nonce")),
            raw(&EchoResponseSigned(&self.seen.echo)),
        ]
    }

    fn step(&mut self, program: &mut Program<'_>) {
        let operation = program.octet();
        let last = 1 + 2 * (operation >> 6);
        let peer = self.own();
        match operation & 15 {
            0..=4 => self.update(program, last),
            5 => {
                let code = u16::from_be_bytes([program.octet(), program.octet()]);
                let notification = Notification {
                    notify_type: NotifyType(code),
                    data: program.octets(),
                };
                let notify = self.parts(PacketType::Notify, vec![raw(&notification)]);
                self.change_and_send(notify, program, last);
            }
            6 => {
                let close = raw(&EchoRequestSigned(program.octets()));
                let close = self.parts(PacketType::Close, vec![close]);
                self.change_and_send(close, program, last);
            }
            7 => {
                let echo = raw(&EchoResponseSigned(&self.seen.echo));
                let close_ack = self.parts(PacketType::CloseAck, vec![echo]);
                self.change_and_send(close_ack, program, last);
            }
            8 if !self.sent.is_empty() => {
                let old = &self.sent[program.pick(self.sent.len())];
                let again = self.parts(old.packet_type, old.params.clone());
                self.change_and_send(again, program, last);
            }
            9 => self.run_timer(),
            10 => {
                self.now += Duration::from_millis(1 << program.pick(22));
                self.input(Input::Timeout);
            }
            11 => self.input(Input::EspActivity {
                peer,
                inbound: operation & 0x10 != 0,
                outbound: operation & 0x20 != 0,
            }),
            12 => self.input(Input::Connect { peer }),
            13 => self.input(Input::Close { peer }),
            14 => self.exchange(operation >> 4, program),
            _ => {}
        }
    }

    /// An UPDATE of what the bits of an octet choose from the stock.
    fn update(&mut self, program: &mut Program<'_>, last: u8) {
        let choice = program.octet();
        let chosen = self.stock().into_iter().enumerate();
        let chosen = chosen.filter(|(index, _)| choice >> index & 1 == 1);
        let update = self.parts(PacketType::Update, chosen.map(|(_, raw)| raw).collect());
        self.update_id = self.update_id.wrapping_add(u32::from(choice >> 6));
        self.change_and_send(update, program, last);
    }

    /// Does what is due; time always goes on afterwards.
    fn run_timer(&mut self) {
        if let Some(due) = self.victim.next_deadline() {
            self.now = self.now.max(due);
        }
        // A puzzle of 2^20 expected tries comes in portions of 2048 and is due at once.
        for _ in 0..4 {
            self.input(Input::Timeout);
        }
    }
}
