//! LSIs: IPv4 addresses that stand for HITs on this host (RFC 5338 §3.2), for programs that know
//! no IPv6.
//!
//! An LSI means something on this host only. It is found by hashing the HIT into the prefix, then
//! going on to the next free one, so a peer keeps its LSI as long as the peers given earlier stay.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr};

use hip_wire::hit::{Hit, Lsi};

/// The IPv4 prefix LSIs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LsiPrefix {
    network: u32,
    length: u8,
}

impl Default for LsiPrefix {
    /// 198.18.0.0/16, a half of the benchmarking range (RFC 2544): not routed anywhere, and
    /// seldom used inside sites.
    fn default() -> Self {
        Self {
            network: u32::from(Ipv4Addr::new(198, 18, 0, 0)),
            length: 16,
        }
    }
}

impl LsiPrefix {
    /// A prefix of 8 to 28 bits; the host bits of `address` must be zero.
    pub fn new(address: Ipv4Addr, length: u8) -> Result<Self, String> {
        if !(8..=28).contains(&length) {
            return Err(format!(
                "LSI prefix length {length} is not between 8 and 28"
            ));
        }
        let network = u32::from(address);
        if network & (u32::MAX >> length) != 0 {
            return Err(format!(
                "LSI prefix {address}/{length} has bits set after the prefix"
            ));
        }
        if address.is_loopback() || address.is_multicast() || network == 0 {
            return Err(format!(
                "LSI prefix {address}/{length} is not for unicast addresses"
            ));
        }
        Ok(Self { network, length })
    }

    /// The first address of the prefix.
    pub fn network(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.network)
    }

    /// Bits of the prefix.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// The LSI of this host: the first host address.
    pub fn own(&self) -> Lsi {
        self.nth(1)
    }

    /// Whether `address` lies in the prefix.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & !(u32::MAX >> self.length) == self.network
    }

    fn nth(&self, host: u32) -> Lsi {
        Lsi(Ipv4Addr::from(self.network | host))
    }

    /// Host numbers for peers are 2 to this; 0 and all ones are the network and broadcast
    /// addresses of old, 1 is this host.
    fn last_host(&self) -> u32 {
        (u32::MAX >> self.length) - 1
    }
}

impl std::str::FromStr for LsiPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("\"{text}\" is not an IPv4 prefix such as 198.18.0.0/16");
        let (address, length) = text.split_once('/').ok_or_else(malformed)?;
        Self::new(
            address.parse().map_err(|_| malformed())?,
            length.parse().map_err(|_| malformed())?,
        )
    }
}

impl fmt::Display for LsiPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.length)
    }
}

// 5338-3.2-02
/// Which LSI stands for which HIT.
#[derive(Debug, Clone)]
pub struct LsiTable {
    prefix: LsiPrefix,
    by_hit: BTreeMap<Hit, Lsi>,
    by_lsi: BTreeMap<Ipv4Addr, Hit>,
}

impl LsiTable {
    /// A table in which only this host has an LSI.
    pub fn new(prefix: LsiPrefix, own: Hit) -> Self {
        let lsi = prefix.own();
        Self {
            prefix,
            by_hit: BTreeMap::from([(own, lsi)]),
            by_lsi: BTreeMap::from([(lsi.0, own)]),
        }
    }

    /// The LSI of `hit`, given now if it has none. `None` when the prefix is full.
    pub fn assign(&mut self, hit: Hit) -> Option<Lsi> {
        if let Some(lsi) = self.by_hit.get(&hit) {
            return Some(*lsi);
        }
        let count = self.prefix.last_host() - 1;
        let start = hash(&hit) % count;
        let lsi = (0..count)
            .map(|step| self.prefix.nth(2 + (start + step) % count))
            .find(|lsi| !self.by_lsi.contains_key(&lsi.0))?;
        self.by_hit.insert(hit, lsi);
        self.by_lsi.insert(lsi.0, hit);
        Some(lsi)
    }

    /// The LSI of `hit`, if it has one.
    pub fn lsi(&self, hit: Hit) -> Option<Lsi> {
        self.by_hit.get(&hit).copied()
    }

    /// The HIT `lsi` stands for.
    pub fn hit(&self, lsi: Lsi) -> Option<Hit> {
        self.by_lsi.get(&lsi.0).copied()
    }
}

/// FNV-1a. A HIT is a hash already, but its owner can grind for chosen low bits; collisions only
/// cost a step of probing, so nothing stronger is needed.
fn hash(hit: &Hit) -> u32 {
    hit.as_bytes().iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hit(n: u64) -> Hit {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[0x20, 0x01, 0x00, 0x21]);
        bytes[8..].copy_from_slice(&n.to_be_bytes());
        Hit::from_bytes(bytes)
    }

    /// 5338-3.2-02
    #[test]
    fn this_host_is_the_first_address_and_a_peer_keeps_its_lsi() {
        let mut table = LsiTable::new(LsiPrefix::default(), hit(0));
        assert_eq!(
            table.assign(hit(0)).expect("own").0,
            Ipv4Addr::new(198, 18, 0, 1)
        );
        let first = table.assign(hit(1)).expect("free");
        for n in 2..1000 {
            table.assign(hit(n)).expect("free");
        }
        assert_eq!(table.assign(hit(1)), Some(first));
        // Given first in another run, it gets the same.
        let mut again = LsiTable::new(LsiPrefix::default(), hit(0));
        assert_eq!(again.assign(hit(1)), Some(first));
    }

    #[test]
    fn a_full_prefix_gives_every_address_once_and_then_none() {
        let prefix: LsiPrefix = "10.9.8.0/24".parse().expect("prefix");
        let mut table = LsiTable::new(prefix, hit(0));
        let mut given = std::collections::BTreeSet::new();
        for n in 1..=253 {
            let lsi = table.assign(hit(n)).expect("free");
            assert!(prefix.contains(lsi.0) && given.insert(lsi.0));
            assert_eq!(table.hit(lsi), Some(hit(n)));
        }
        assert!(!given.contains(&Ipv4Addr::new(10, 9, 8, 0)));
        assert!(!given.contains(&Ipv4Addr::new(10, 9, 8, 1)));
        assert!(!given.contains(&Ipv4Addr::new(10, 9, 8, 255)));
        assert_eq!(table.assign(hit(1000)), None);
    }

    #[test]
    fn prefixes_that_cannot_work_are_refused() {
        for text in [
            "198.18.0.0",
            "198.18.0.1/16",
            "127.0.0.0/8",
            "10.0.0.0/30",
            "x/16",
            "224.0.0.0/8",
            "0.0.0.0/8",
        ] {
            assert!(text.parse::<LsiPrefix>().is_err(), "{text}");
        }
        assert_eq!(LsiPrefix::default().to_string(), "198.18.0.0/16");
    }

    proptest! {
        #[test]
        fn no_two_hits_share_an_lsi(hits in proptest::collection::vec(any::<u64>(), 1..300)) {
            let mut table = LsiTable::new("10.1.0.0/20".parse().expect("prefix"), hit(u64::MAX));
            for n in &hits {
                let lsi = table.assign(hit(*n)).expect("free");
                prop_assert_eq!(table.hit(lsi), Some(hit(*n)));
                prop_assert_eq!(table.lsi(hit(*n)), Some(lsi));
            }
        }
    }
}
