//! The one clock of the shell: `CLOCK_BOOTTIME`, which goes on during suspend.
//!
//! `std::time::Instant` is `CLOCK_MONOTONIC` on Linux and stands still while the machine sleeps, so
//! SA lifetimes and keep-alives measured with it come out wrong after a resume.

use hip_wire::time::Instant;
use nix::time::{ClockId, clock_gettime};

/// Nanoseconds since boot, suspend included.
pub fn now() -> Instant {
    // clock_gettime fails only for an unknown clock; CLOCK_BOOTTIME exists since Linux 2.6.39.
    let Ok(time) = clock_gettime(ClockId::CLOCK_BOOTTIME) else {
        return Instant::ZERO;
    };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
    Instant::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// faults.md item 47: lifetimes are measured on a clock that goes on during suspend.
    #[test]
    fn the_clock_is_the_one_that_counts_suspended_time() {
        let uptime = std::fs::read_to_string("/proc/uptime").expect("/proc/uptime");
        let uptime: f64 = uptime
            .split(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .expect("a number");
        // /proc/uptime is boot time cut to hundredths; read first, so it is never ahead.
        assert!(now().as_nanos() as f64 / 1e9 >= uptime);
        assert!(now() >= Instant::ZERO);
        let earlier = now();
        assert!(now() >= earlier);
    }
}
