//! Hostile bytes for every decoder of the project.
//!
//! Each target is one function over bytes that panics when a promise of its decoder is broken. It runs in three ways:
//!
//! - coverage-guided: `cargo +nightly fuzz run --fuzz-dir tests/fuzz packet` (all of them: `cargo xtask fuzz`);
//! - on stable, with seeded random and mutated inputs: `cargo test --manifest-path tests/fuzz/Cargo.toml`
//!   (`FUZZ_SEED` and `FUZZ_CASES` change what is tried);
//! - one input again: `cargo run --manifest-path tests/fuzz/Cargo.toml --bin packet -- FILE`.
//!
//! To add a target: write its body in the module of its crate, name it in [`TARGETS`], add the one-line
//! `fuzz_targets/NAME.rs` with its `[[bin]]`, and put a few `corpus/NAME/*.seed` files there. A test compares all four.

use std::io::Read;

pub mod core;
pub mod crypto;
pub mod esp;
pub mod insider;
pub mod member;
pub mod reload;
pub mod wire;

mod mutate;
mod program;

/// One decoder or state machine under attack.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of the binary and of the corpus directory.
    pub name: &'static str,
    /// Feeds one input to it; panics if it breaks a promise.
    pub body: fn(&[u8]),
    /// How many times as slow as a decoder: the seeded run tries so many times fewer inputs.
    pub slowness: u64,
}

const fn decoder(name: &'static str, body: fn(&[u8])) -> Target {
    slow(name, body, 1)
}

const fn slow(name: &'static str, body: fn(&[u8]), slowness: u64) -> Target {
    Target {
        name,
        body,
        slowness,
    }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    decoder("packet", wire::packet),
    decoder("show", wire::show),
    decoder("ip", wire::ip),
    decoder("param_auth", wire::param_auth),
    decoder("param_esp", wire::param_esp),
    decoder("param_exchange", wire::param_exchange),
    decoder("param_host_id", wire::param_host_id),
    decoder("param_locator", wire::param_locator),
    decoder("param_puzzle", wire::param_puzzle),
    decoder("param_update", wire::param_update),
    decoder("param_other", wire::param_other),
    decoder("esp_open", esp::esp_open),
    decoder("esp_beet", esp::esp_beet),
    decoder("esp_seal", esp::esp_seal),
    slow("crypto_host_identity", crypto::crypto_host_identity, 10),
    slow("crypto_signature", crypto::crypto_signature, 10),
    slow("crypto_certificate", crypto::crypto_certificate, 10),
    slow("crypto_private_key", crypto::crypto_private_key, 10),
    slow("crypto_public_value", crypto::crypto_public_value, 10),
    decoder("crypto_encrypted", crypto::crypto_encrypted),
    slow("core_network", core::core_network, 20),
    slow("core_insider", insider::core_insider, 20),
    decoder("reload_header", reload::reload_header),
    decoder("reload_contents", reload::reload_contents),
    decoder("reload_body", reload::reload_body),
    decoder("reload_stored_data", reload::reload_stored_data),
    decoder("reload_framing", reload::reload_framing),
    slow("reload_member", member::reload_member, 20),
];

/// The body of the target `name`; panics if there is none.
pub fn body(name: &str) -> fn(&[u8]) {
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("no target {name}"))
        .body
}

/// The entry point of a `fuzz_targets` file: libFuzzer under cargo-fuzz, else [`replay`].
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        #[cfg(fuzzing)]
        static BODY: std::sync::LazyLock<fn(&[u8])> =
            std::sync::LazyLock::new(|| $crate::body($name));

        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| BODY(data));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::replay($crate::body($name));
        }
    };
}

/// Feeds the files named on the command line, or standard input, to `body`.
pub fn replay(body: fn(&[u8])) {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    for file in &files {
        body(&std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
    if files.is_empty() {
        let mut input = Vec::new();
        std::io::stdin()
            .read_to_end(&mut input)
            .expect("standard input");
        body(&input);
    }
}

#[cfg(test)]
mod tests;
