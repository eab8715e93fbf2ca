//! Retransmission with exponential back-off.

use std::time::Duration;

use hip_wire::time::Instant;

use crate::config::Timers;

/// The timer of one unanswered packet.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    due: Instant,
    interval: Duration,
    cap: Duration,
    retries_left: u32,
}

impl Backoff {
    /// A packet was sent for the first time at `now`. After the last of
    /// `retries` one more interval passes before [`Expiry::GiveUp`].
    pub(crate) fn start(now: Instant, first: Duration, cap: Duration, retries: u32) -> Self {
        Self {
            due: now + first,
            interval: first,
            cap,
            retries_left: retries,
        }
    }

    /// The same with the intervals of the base exchange.
    pub(crate) fn of_exchange(now: Instant, timers: &Timers, retries: u32) -> Self {
        Self::start(now, timers.retransmit, timers.retransmit_cap, retries)
    }

    /// Allows at most this many further retries.
    pub(crate) fn limit(&mut self, retries: u32) {
        self.retries_left = self.retries_left.min(retries);
    }

    /// When [`expire`](Self::expire) has something to say.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// What to do at `now`.
    // 7401-6.11-06: exponential back-off
    pub(crate) fn expire(&mut self, now: Instant) -> Expiry {
        if now < self.due {
            return Expiry::NotYet;
        }
        let Some(left) = self.retries_left.checked_sub(1) else {
            return Expiry::GiveUp;
        };
        self.retries_left = left;
        self.interval = (self.interval * 2).min(self.cap);
        self.due = now + self.interval;
        Expiry::Retransmit
    }

    /// The whole time from first transmission to giving up.
    pub(crate) fn span(first: Duration, cap: Duration, retries: u32) -> Duration {
        let mut interval = first;
        let mut sum = first;
        for _ in 0..retries {
            interval = (interval * 2).min(cap);
            sum += interval;
        }
        sum
    }
}

/// What a [`Backoff`] wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Nothing yet.
    NotYet,
    /// Send the packet again.
    Retransmit,
    /// All tries are used up.
    GiveUp,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// 7401-6.11-06
    #[test]
    fn intervals_double_up_to_the_cap_and_end_after_the_last_retry() {
        let mut backoff = Backoff::start(Instant::ZERO, SECOND, SECOND * 4, 4);
        let mut seen = Vec::new();
        loop {
            let now = backoff.due();
            match backoff.expire(now) {
                Expiry::Retransmit => {
                    seen.push(now.saturating_duration_since(Instant::ZERO).as_secs());
                }
                Expiry::GiveUp => {
                    seen.push(now.saturating_duration_since(Instant::ZERO).as_secs());
                    break;
                }
                Expiry::NotYet => panic!("due() lied"),
            }
        }
        assert_eq!(seen, [1, 3, 7, 11, 15]);
        assert_eq!(Backoff::span(SECOND, SECOND * 4, 4), SECOND * 15);
    }

    #[test]
    fn nothing_happens_before_the_time() {
        let mut backoff = Backoff::start(Instant::ZERO, SECOND, SECOND, 0);
        assert_eq!(
            backoff.expire(Instant::from_nanos(999_999_999)),
            Expiry::NotYet
        );
        assert_eq!(
            backoff.expire(Instant::from_nanos(1_000_000_000)),
            Expiry::GiveUp
        );
    }
}
