//! Targets for hip-esp: ESP from strangers, ESP text of a malicious peer, inner packets of local programs.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hip_crypto::aead::{EspSealer, key_lengths};
use hip_crypto::keymat::EspKeys;
use hip_crypto::rng::SeededRng;
use hip_crypto::secret::Secret;
use hip_esp::{
    DropReason, HitPair, Inbound, InboundCommand, OpenedBatch, Outbound, OutboundCommand,
    OutboundConfig, OuterHeader, Path, SaParameters, SealedBatch, Transport, Verdict,
};
use hip_wire::hit::{Hit, Lsi};
use hip_wire::ip::IpHeader;
use hip_wire::registry::EspSuite;

const OWN_LSI: Lsi = Lsi(Ipv4Addr::new(198, 18, 0, 1));
const PEER_LSI: Lsi = Lsi(Ipv4Addr::new(198, 18, 0, 2));
const LOCAL: Hit = Hit::from_bytes([0x20, 1, 0, 0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const PEER: Hit = Hit::from_bytes([0x20, 1, 0, 0x22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
const PAIR: HitPair = HitPair {
    local: LOCAL,
    peer: PEER,
};

/// The SPI that stands for a suite here: from 0x107 to 0x10f.
fn spi(suite: EspSuite) -> u32 {
    0x100 + u32::from(suite.number())
}

fn parameters(suite: EspSuite) -> SaParameters {
    let lengths = key_lengths(suite);
    let address = SocketAddr::from(([192, 0, 2, 1], 10500));
    SaParameters {
        local: LOCAL,
        peer: PEER,
        spi: spi(suite),
        keys: EspKeys {
            suite,
            encryption: Secret::new(vec![0x42; lengths.encryption]),
            authentication: Secret::new(vec![0x17; lengths.authentication]),
        },
        path: Path {
            transport: Transport::Udp,
            local: address,
            remote: address,
        },
    }
}

/// A receiver with one SA of each suite.
fn inbound() -> Inbound {
    let mut table = Inbound::new(OWN_LSI, &mut SeededRng::new(1));
    let map = InboundCommand::MapLsi {
        lsi: PEER_LSI,
        pair: PAIR,
    };
    table.apply(map).expect("free");
    for &suite in EspSuite::ALL {
        table
            .apply(InboundCommand::Install(parameters(suite)))
            .expect("free");
    }
    table
}

/// What was opened names the peer of the SA as its sender, whatever was in it.
fn check_opened(inner: &[u8]) {
    let (src, dst) = match IpHeader::parse(inner).expect("well formed") {
        IpHeader::V4(header) => {
            assert!(header.checksum_is_right(inner));
            assert_eq!(usize::from(header.total_len), inner.len());
            assert_eq!((header.src, header.dst), (PEER_LSI.0, OWN_LSI.0));
            return;
        }
        IpHeader::V6(header) => {
            assert_eq!(usize::from(header.payload_len) + 40, inner.len());
            (header.src, header.dst)
        }
    };
    assert_eq!((src, dst), (Ipv6Addr::from(PEER), Ipv6Addr::from(LOCAL)));
}

/// ESP packets as they come from the network.
pub fn esp_open(data: &[u8]) {
    let (mut table, mut batch) = (inbound(), OpenedBatch::new());
    let outer = OuterHeader::default();
    match table.open(&mut data.to_vec(), outer, &mut batch) {
        Ok(_) => {
            check_opened(batch.packets().next().expect("one packet"));
            let again = table.open(&mut data.to_vec(), outer, &mut batch);
            assert_eq!(again, Err(DropReason::Replayed));
            assert_eq!(batch.len(), 1);
        }
        Err(reason) => {
            assert!(batch.arena().is_empty());
            assert_eq!(table.stats().drops.get(reason), 1);
        }
    }
}

/// The decrypted part of a packet (padding and trailer included) that an authenticated peer made.
pub fn esp_beet(data: &[u8]) {
    let suite = EspSuite::NullHmacSha256;
    let text = &data[data.len() % 4..];
    let mut esp = spi(suite).to_be_bytes().to_vec();
    esp.extend_from_slice(&1_u32.to_be_bytes());
    esp.extend_from_slice(text);
    esp.extend_from_slice(&[0; 16]);
    let sealer = EspSealer::new(&parameters(suite).keys).expect("good keys");
    if sealer.seal(spi(suite), 1, &[0; 16], &mut esp[8..]).is_err() {
        return;
    }
    let (mut table, mut batch) = (inbound(), OpenedBatch::new());
    match table.open(&mut esp, OuterHeader::default(), &mut batch) {
        Ok(opened) => {
            let inner = batch.packets().next().expect("one packet");
            assert_eq!((opened.pair, opened.range.len()), (PAIR, inner.len()));
            assert!(inner.len() <= text.len() + 60);
            check_opened(inner);
        }
        Err(reason) => {
            assert_ne!(reason, DropReason::IcvFailed);
            assert!(batch.arena().is_empty());
        }
    }
}

/// Inner packets as local programs make them, and back through the other end.
pub fn esp_seal(data: &[u8]) {
    let suite = EspSuite::ALL[data.len() % EspSuite::ALL.len()];
    // The table of the peer: it sends what `inbound` receives.
    let pair = HitPair {
        local: PEER,
        peer: LOCAL,
    };
    let config = OutboundConfig::new(PEER, OWN_LSI);
    let mut table = Outbound::new(config, Box::new(SeededRng::new(1)));
    let mut sa = parameters(suite);
    (sa.local, sa.peer) = (PEER, LOCAL);
    table.apply(OutboundCommand::Install(sa)).expect("good SA");
    let map = OutboundCommand::MapLsi {
        lsi: PEER_LSI,
        pair,
    };
    table.apply(map).expect("free");
    let mut sealed = SealedBatch::new();
    let verdict = table.seal(data, &mut sealed);
    assert_eq!(sealed.len(), usize::from(verdict == Verdict::Sealed));
    assert_eq!(
        sealed.replies().count(),
        usize::from(verdict == Verdict::Icmp)
    );
    for reply in sealed.replies() {
        assert!(reply.len() <= 1280);
        IpHeader::parse(reply).expect("well formed");
    }
    let (mut receiver, mut opened) = (inbound(), OpenedBatch::new());
    for (_, esp) in sealed.packets() {
        assert!(esp.len() <= data.len() + 60);
        if receiver
            .open(&mut esp.to_vec(), OuterHeader::default(), &mut opened)
            .is_ok()
        {
            check_opened(opened.packets().next().expect("one packet"));
        }
    }
}
