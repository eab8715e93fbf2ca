//! How many R1s go where: token buckets per source prefix, in constant memory.

use std::net::IpAddr;

use hip_wire::time::Instant;

/// Buckets; prefixes that fall into the same one share its rate.
const BUCKETS: usize = 1024;

/// One token in thousandths, so that slow refills are not lost to rounding.
const TOKEN: u64 = 1000;

/// A limit on events per source prefix (IPv4 /24, IPv6 /64).
// 7401-6.7-05: R1s towards an address are rate-limited
#[derive(Debug)]
pub(crate) struct PrefixLimiter {
    per_second: u64,
    burst: u64,
    seed: u64,
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: u64,
    refilled: Instant,
}

impl PrefixLimiter {
    /// A limiter with full buckets. `seed` keeps an outsider from choosing
    /// addresses that share a bucket with a victim.
    pub(crate) fn new(per_second: u32, burst: u32, seed: u64) -> Self {
        let burst = u64::from(burst.max(1)) * TOKEN;
        let full = Bucket {
            tokens: burst,
            refilled: Instant::ZERO,
        };
        Self {
            per_second: u64::from(per_second),
            burst,
            seed,
            buckets: vec![full; BUCKETS],
        }
    }

    /// Takes a token for `source`; `false` when there is none.
    pub(crate) fn allow(&mut self, now: Instant, source: IpAddr) -> bool {
        let slot = mix(prefix(source) ^ self.seed) % BUCKETS as u64;
        let (rate, burst) = (self.per_second, self.burst);
        let Some(bucket) = usize::try_from(slot)
            .ok()
            .and_then(|slot| self.buckets.get_mut(slot))
        else {
            return false;
        };
        let elapsed = now.saturating_duration_since(bucket.refilled);
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let refill = millis.saturating_mul(rate);
        if refill > 0 {
            bucket.tokens = bucket.tokens.saturating_add(refill).min(burst);
            bucket.refilled = now;
        }
        match bucket.tokens.checked_sub(TOKEN) {
            Some(rest) => {
                bucket.tokens = rest;
                true
            }
            None => false,
        }
    }
}

/// The part of an address that one site can hardly change, with the family in the top bit.
fn prefix(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits() >> 8) | 1 << 63,
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

/// The finaliser of SplitMix64: every input bit changes half of the output bits.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// 7401-6.7-05
    #[test]
    fn a_burst_passes_then_the_rate_rules_and_neighbours_share_it() {
        let mut limiter = PrefixLimiter::new(10, 5, 7);
        let now = Instant::from_nanos(1_000_000_000);
        let passed = (0..20)
            .filter(|_| limiter.allow(now, address("192.0.2.1")))
            .count();
        assert_eq!(passed, 5);
        assert!(!limiter.allow(now, address("192.0.2.77")), "same /24");
        assert!(
            limiter.allow(now, address("2001:db8::1")),
            "another prefix has its own bucket"
        );
        let later = now + Duration::from_millis(300);
        let passed = (0..20)
            .filter(|_| limiter.allow(later, address("192.0.2.9")))
            .count();
        assert_eq!(passed, 3);
    }

    #[test]
    fn frequent_questions_do_not_lose_fractions_of_a_token() {
        let mut limiter = PrefixLimiter::new(1, 1, 0);
        let mut now = Instant::from_nanos(1);
        let source = address("198.51.100.4");
        assert!(limiter.allow(now, source));
        let mut passed = 0;
        for _ in 0..3000 {
            now += Duration::from_millis(1);
            passed += usize::from(limiter.allow(now, source));
        }
        assert_eq!(passed, 3);
    }
}
