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

pub mod esp;
pub mod wire;

mod mutate;

/// One decoder under attack.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of the binary and of the corpus directory.
    pub name: &'static str,
    /// Feeds one input to the decoder; panics if it breaks a promise.
    pub body: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "packet",
        body: wire::packet,
    },
    Target {
        name: "show",
        body: wire::show,
    },
    Target {
        name: "ip",
        body: wire::ip,
    },
    Target {
        name: "param_auth",
        body: wire::param_auth,
    },
    Target {
        name: "param_esp",
        body: wire::param_esp,
    },
    Target {
        name: "param_exchange",
        body: wire::param_exchange,
    },
    Target {
        name: "param_host_id",
        body: wire::param_host_id,
    },
    Target {
        name: "param_locator",
        body: wire::param_locator,
    },
    Target {
        name: "param_puzzle",
        body: wire::param_puzzle,
    },
    Target {
        name: "param_update",
        body: wire::param_update,
    },
    Target {
        name: "param_other",
        body: wire::param_other,
    },
    Target {
        name: "esp_open",
        body: esp::esp_open,
    },
    Target {
        name: "esp_beet",
        body: esp::esp_beet,
    },
    Target {
        name: "esp_seal",
        body: esp::esp_seal,
    },
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
