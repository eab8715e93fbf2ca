//! One direction of a link: delay, rate, MTU and faults.

use std::time::Duration;

use hip_wire::time::Instant;

use crate::random::{Chance, SimRng};

/// What a link does to packets; the default is perfect and instantaneous.
#[derive(Clone, Debug, Default)]
pub struct LinkConfig {
    /// Propagation delay, one way.
    pub latency: Duration,
    /// Extra delay, uniform in `0..=jitter`; order is kept unless `reorder` says otherwise.
    pub jitter: Duration,
    /// Packets lost.
    pub loss: Loss,
    /// Chance that a second copy is delivered, after up to `disorder` more.
    pub duplicate: Chance,
    /// Chance that a packet is held back for up to `disorder` while later ones overtake it.
    pub reorder: Chance,
    /// Chance that one to three bits of the payload are flipped.
    pub corrupt: Chance,
    /// Longest delay of a held-back or second copy.
    pub disorder: Duration,
    /// Largest IP packet; `None` is unlimited. Nothing is fragmented.
    pub mtu: Option<Mtu>,
    /// Octets per second; `None` is unlimited.
    pub rate: Option<u64>,
    /// Longest queueing delay before packets are dropped; meaningful with `rate` only.
    pub queue: Duration,
}

/// A limit on packet size and how the link reports a packet beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtu {
    /// Octets of the largest IP packet.
    pub octets: usize,
    /// Whether the sender gets a too-big signal (ICMP); false is a black hole.
    pub signals: bool,
}

/// How packets get lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// None is.
    #[default]
    None,
    /// Each with the same chance.
    Random(Chance),
    /// In bursts, by the two-state Gilbert-Elliott model.
    Burst(GilbertElliott),
}

/// Gilbert-Elliott: a good state that loses nothing and a bad state that loses everything.
///
/// The state changes per slot of time, not per packet: a fade lasts as long as it lasts, also
/// for a sender that retransmits once a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GilbertElliott {
    /// Chance per slot to turn bad.
    pub turns_bad: Chance,
    /// Chance per slot to turn good again.
    pub turns_good: Chance,
}

/// A slot of [`GilbertElliott`].
pub const BURST_SLOT: Duration = Duration::from_millis(10);
/// Slots after which the present state no longer matters: the chain is as good as stationary.
const MEMORY: u64 = 64;

impl GilbertElliott {
    /// Bursts of `burst` slots on average, such that `mean` of all packets are lost.
    pub const fn with_mean(mean: Chance, burst: u32) -> Self {
        // Stationary share of the bad state is bad / (bad + good) with good = 1 / burst.
        let good = 1_000_000 / burst;
        let bad = (mean.0 as u64 * good as u64 / (1_000_000 - mean.0) as u64) as u32;
        Self {
            turns_bad: Chance(bad),
            turns_good: Chance(good),
        }
    }
}

/// Rungs of the loss ladder of the project's fault plan: name, bursty loss, one-way delay.
///
/// Bursts last three slots on average. "satellite" is a geostationary hop with little loss;
/// its place in the ladder reflects how hard it is on timers.
pub const BURST_LADDER: [(&str, Loss, Duration); 9] = [
    rung("0.1%", Chance::per_mille(1), 25),
    rung("1%", Chance::percent(1), 25),
    rung("2%", Chance::percent(2), 25),
    rung("3%", Chance::percent(3), 25),
    rung("5%", Chance::percent(5), 25),
    rung("8%", Chance::percent(8), 25),
    rung("satellite", Chance::percent(2), 300),
    rung("12%", Chance::percent(12), 25),
    rung("25%", Chance::percent(25), 25),
];

/// Why a link did not carry a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkDrop {
    /// Lost by the loss model.
    Loss,
    /// Larger than the MTU.
    TooBig(Mtu),
    /// The queue before a slow link is full.
    QueueFull,
}

impl PartialOrd for Mtu {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Mtu {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.octets, self.signals).cmp(&(other.octets, other.signals))
    }
}

/// When one copy of a packet reaches the far end, and whether bits flipped on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Time of arrival.
    pub at: Instant,
    /// Whether the payload is damaged.
    pub corrupt: bool,
}

/// The state of one direction of a link.
#[derive(Clone, Debug)]
pub struct Link {
    config: LinkConfig,
    bad: bool,
    slot: u64,
    idle_at: Instant,
    last_arrival: Instant,
}

impl Link {
    /// An idle link.
    pub const fn new(config: LinkConfig) -> Self {
        Self {
            config,
            bad: false,
            slot: 0,
            idle_at: Instant::ZERO,
            last_arrival: Instant::ZERO,
        }
    }

    /// Replaces the behaviour; packets already under way are not touched.
    pub fn configure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// The present behaviour.
    pub const fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// Carries a packet of `octets`: the copies that arrive (one, or two when duplicated).
    pub fn carry(
        &mut self,
        now: Instant,
        octets: usize,
        rng: &mut SimRng,
    ) -> Result<Vec<Arrival>, LinkDrop> {
        if let Some(mtu) = self.config.mtu
            && octets > mtu.octets
        {
            return Err(LinkDrop::TooBig(mtu));
        }
        let sent = self.leave_queue(now, octets)?;
        if self.loses(now, rng) {
            return Err(LinkDrop::Loss);
        }
        let arrives = sent + self.config.latency + rng.up_to(self.config.jitter);
        let mut arrivals = Vec::with_capacity(2);
        let first = if rng.chance(self.config.reorder) {
            arrives + rng.up_to(self.config.disorder)
        } else {
            self.last_arrival = self.last_arrival.max(arrives);
            self.last_arrival
        };
        arrivals.push(self.arrival(first, rng));
        if rng.chance(self.config.duplicate) {
            let second = first + rng.up_to(self.config.disorder);
            arrivals.push(self.arrival(second, rng));
        }
        Ok(arrivals)
    }

    fn arrival(&self, at: Instant, rng: &mut SimRng) -> Arrival {
        Arrival {
            at,
            corrupt: rng.chance(self.config.corrupt),
        }
    }

    fn leave_queue(&mut self, now: Instant, octets: usize) -> Result<Instant, LinkDrop> {
        let Some(rate) = self.config.rate else {
            return Ok(now);
        };
        let start = self.idle_at.max(now);
        if start.saturating_duration_since(now) > self.config.queue {
            return Err(LinkDrop::QueueFull);
        }
        let nanos = octets as u64 * 1_000_000_000 / rate.max(1);
        self.idle_at = start + Duration::from_nanos(nanos);
        Ok(self.idle_at)
    }

    fn loses(&mut self, now: Instant, rng: &mut SimRng) -> bool {
        match self.config.loss {
            Loss::None => false,
            Loss::Random(chance) => rng.chance(chance),
            Loss::Burst(model) => {
                let slot = now.as_nanos() / BURST_SLOT.as_nanos() as u64;
                for _ in 0..(slot - self.slot.min(slot)).min(MEMORY) {
                    let turn = if self.bad {
                        model.turns_good
                    } else {
                        model.turns_bad
                    };
                    self.bad ^= rng.chance(turn);
                }
                self.slot = slot;
                self.bad
            }
        }
    }
}

/// Flips one to three bits of `bytes`.
pub fn corrupt(bytes: &mut [u8], rng: &mut SimRng) {
    for _ in 0..=rng.below(3) {
        let position = rng.index(bytes.len());
        if let Some(byte) = bytes.get_mut(position) {
            *byte ^= 1 << rng.below(8);
        }
    }
}

const fn rung(name: &'static str, mean: Chance, millis: u64) -> (&'static str, Loss, Duration) {
    (
        name,
        Loss::Burst(GilbertElliott::with_mean(mean, 3)),
        Duration::from_millis(millis),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(config: LinkConfig, count: u64, seed: u64) -> Vec<Result<Vec<Arrival>, LinkDrop>> {
        let mut link = Link::new(config);
        let mut rng = SimRng::new(seed);
        (0..count)
            .map(|step| link.carry(Instant::from_millis(step * 10), 100, &mut rng))
            .collect()
    }

    #[test]
    fn jitter_alone_keeps_the_order() {
        let config = LinkConfig {
            latency: Duration::from_millis(10),
            jitter: Duration::from_millis(50),
            ..LinkConfig::default()
        };
        let times: Vec<_> = arrivals(config, 500, 1)
            .into_iter()
            .map(|result| result.unwrap()[0].at)
            .collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn reordering_lets_later_packets_overtake() {
        let config = LinkConfig {
            latency: Duration::from_millis(10),
            reorder: Chance::percent(20),
            disorder: Duration::from_millis(50),
            ..LinkConfig::default()
        };
        let times: Vec<_> = arrivals(config, 500, 1)
            .into_iter()
            .map(|result| result.unwrap()[0].at)
            .collect();
        assert!(!times.is_sorted());
    }

    #[test]
    fn burst_loss_meets_its_mean_and_comes_in_bursts() {
        let config = LinkConfig {
            loss: Loss::Burst(GilbertElliott::with_mean(Chance::percent(12), 3)),
            ..LinkConfig::default()
        };
        let lost: Vec<bool> = arrivals(config, 100_000, 5)
            .into_iter()
            .map(|result| result == Err(LinkDrop::Loss))
            .collect();
        let total = lost.iter().filter(|lost| **lost).count();
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert!((11_000..13_000).contains(&total), "{total}");
        let mean_burst_tenths = total * 10 / bursts;
        assert!((27..33).contains(&mean_burst_tenths), "{mean_burst_tenths}");
    }

    #[test]
    fn a_burst_does_not_wait_for_a_slow_sender() {
        let mut link = Link::new(LinkConfig {
            loss: Loss::Burst(GilbertElliott::with_mean(Chance::percent(12), 3)),
            ..LinkConfig::default()
        });
        let mut rng = SimRng::new(2);
        let lost: Vec<bool> = (0..20_000)
            .map(|second| {
                link.carry(Instant::from_secs(second), 100, &mut rng)
                    .is_err()
            })
            .collect();
        let after_loss = lost.windows(2).filter(|pair| pair[0]).count();
        let twice = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
        // Second by second, a loss says nothing about the next packet: 12 %, not 67 %.
        assert!(twice * 100 < after_loss * 16, "{twice} of {after_loss}");
    }

    #[test]
    fn a_slow_link_spaces_packets_and_drops_beyond_its_queue() {
        let config = LinkConfig {
            rate: Some(100_000),
            queue: Duration::from_millis(5),
            ..LinkConfig::default()
        };
        let mut link = Link::new(config);
        let mut rng = SimRng::new(1);
        let results: Vec<_> = (0..10)
            .map(|_| link.carry(Instant::ZERO, 100, &mut rng))
            .collect();
        let times: Vec<_> = results
            .iter()
            .filter_map(|result| result.as_ref().ok())
            .map(|copies| copies[0].at.as_nanos())
            .collect();
        assert_eq!(
            times,
            [1, 2, 3, 4, 5, 6].map(|millis: u64| millis * 1_000_000)
        );
        assert_eq!(results[6], Err(LinkDrop::QueueFull));
    }

    #[test]
    fn a_packet_beyond_the_mtu_is_dropped_and_one_at_the_mtu_passes() {
        let mtu = Mtu {
            octets: 1280,
            signals: true,
        };
        let mut link = Link::new(LinkConfig {
            mtu: Some(mtu),
            ..LinkConfig::default()
        });
        let mut rng = SimRng::new(1);
        assert!(link.carry(Instant::ZERO, 1280, &mut rng).is_ok());
        assert_eq!(
            link.carry(Instant::ZERO, 1281, &mut rng),
            Err(LinkDrop::TooBig(mtu))
        );
    }

    #[test]
    fn corruption_changes_the_payload() {
        let mut rng = SimRng::new(1);
        let mut bytes = vec![0_u8; 64];
        corrupt(&mut bytes, &mut rng);
        assert!(bytes.iter().any(|byte| *byte != 0));
        corrupt(&mut [], &mut rng);
    }
}
