//! What an operator can choose.

use std::time::Duration;

use hip_wire::registry::{DhGroup, EspSuite, HipCipher};

use crate::access::AccessPolicy;

/// Settings of a [`Host`](crate::Host); every field has a sound default.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Local port of UDP encapsulation (RFC 9028: 10500).
    pub udp_port: u16,
    /// Diffie-Hellman groups, best first. Both offered and accepted.
    pub dh_groups: Vec<DhGroup>,
    /// Ciphers for ENCRYPTED, best first (at most six go out).
    pub hip_ciphers: Vec<HipCipher>,
    /// ESP suites, best first (at most six go out).
    pub esp_suites: Vec<EspSuite>,
    /// Lets suites that do not encrypt (7, 14, 15) be offered and accepted (7402-3.3.5-06).
    pub allow_auth_only_esp: bool,
    /// Puzzles made and solved.
    pub puzzle: PuzzleConfig,
    /// Who may connect.
    pub access: AccessPolicy,
    /// Timers and retry limits.
    pub timers: Timers,
    /// Bounds on memory and rates.
    pub limits: Limits,
    /// First value of the R1 generation counter. A daemon stores the last
    /// [`Host::r1_counter`](crate::Host::r1_counter) and starts above it (7401-4.1.4-04).
    pub r1_counter: u64,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            udp_port: 10500,
            dh_groups: vec![DhGroup::EcpP256, DhGroup::EcpP384],
            hip_ciphers: vec![HipCipher::Aes128Cbc, HipCipher::Aes256Cbc],
            // 7402-5.1.2-08: a mandatory suite (8) is in the list by default.
            esp_suites: vec![
                EspSuite::AesGcm16,
                EspSuite::Aes128CbcHmacSha256,
                EspSuite::Aes256CbcHmacSha256,
            ],
            allow_auth_only_esp: false,
            puzzle: PuzzleConfig::default(),
            access: AccessPolicy::default(),
            timers: Timers::default(),
            limits: Limits::default(),
            r1_counter: 1,
        }
    }
}

impl HostConfig {
    /// The ESP suites to offer and accept.
    // 7402-3.3.5-06: no authentication-only suite unless policy allows it
    pub(crate) fn allowed_esp_suites(&self) -> Vec<EspSuite> {
        let allowed = |suite: &EspSuite| self.allow_auth_only_esp || !suite.authenticates_only();
        self.esp_suites.iter().copied().filter(allowed).collect()
    }
}

/// Puzzle policy (RFC 7401 §4.1.2).
#[derive(Debug, Clone)]
pub struct PuzzleConfig {
    /// #K of the puzzles in R1; each step doubles the Initiator's work.
    pub difficulty: u8,
    /// The hardest #K this host tries to solve; harder ones fail the exchange.
    pub max_difficulty: u8,
    /// Hashes tried in one call of [`Host::handle`](crate::Host::handle); the search goes on
    /// with the next `Timeout`, which is due at once.
    pub tries_per_step: u64,
    /// Lifetime field of PUZZLE: 2^(value-32) seconds.
    pub lifetime: u8,
    /// How long one puzzle secret (and its precomputed R1s) is in use; the one before stays accepted (7401-4.1.2-07).
    pub rotation: Duration,
}

impl Default for PuzzleConfig {
    fn default() -> Self {
        Self {
            difficulty: 0,
            max_difficulty: 20,
            tries_per_step: 2048,
            lifetime: 37,
            rotation: Duration::from_secs(120),
        }
    }
}

/// Timers and retry limits (RFC 7401 §4.4.1, §6).
#[derive(Debug, Clone)]
pub struct Timers {
    /// First I1, I2 and UPDATE retransmission; doubled each time.
    pub retransmit: Duration,
    /// Cap of the doubling.
    pub retransmit_cap: Duration,
    /// I1_RETRIES_MAX.
    pub i1_retries: u32,
    /// I2_RETRIES_MAX.
    pub i2_retries: u32,
    /// UPDATE_RETRY_MAX.
    pub update_retries: u32,
    /// How long to wait for locators after `NeedLocators`.
    pub locator_wait: Duration,
    /// Unused association lifetime.
    pub ual: Duration,
    /// Maximum segment lifetime (7401-4.4.1-02).
    pub msl: Duration,
    /// Pause in E-FAILED.
    pub failed_hold: Duration,
    /// How long an old inbound SA is kept after a new exchange replaced it.
    pub old_sa_hold: Duration,
    /// When data goes out and nothing has come in for so long, the peer is asked by an UPDATE
    /// whether it is still there. [`Duration::MAX`]: never.
    pub liveness: Duration,
    /// How long further R1s are collected after the first one, when several I1s went out in parallel.
    pub r1_collect: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            retransmit: Duration::from_secs(1),
            retransmit_cap: Duration::from_secs(8),
            i1_retries: 5,
            i2_retries: 5,
            update_retries: 5,
            locator_wait: Duration::from_secs(5),
            ual: Duration::from_secs(15 * 60),
            msl: Duration::from_secs(120),
            failed_hold: Duration::from_secs(5),
            old_sa_hold: Duration::from_secs(10),
            liveness: Duration::from_secs(10),
            r1_collect: Duration::from_millis(100),
        }
    }
}

/// Bounds on memory and rates.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Entries of the association table.
    pub associations: usize,
    /// R1 packets per second towards one source prefix (IPv4 /24, IPv6 /64).
    pub r1_per_second: u32,
    /// Burst above that rate.
    pub r1_burst: u32,
    /// Locators kept per peer.
    pub locators: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            associations: 65_536,
            r1_per_second: 100,
            r1_burst: 200,
            locators: 16,
        }
    }
}
