//! The host identity as configured: read or made once, and described to others.

use std::fs::DirBuilder;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use hip_crypto::{HostIdentity, KeyAlgorithm};
use hip_net::keyfile;

use crate::api::{ApiError, ErrorCode, Identity};
use crate::config::{Config, IdentityAlgorithm};

/// Reads the identity; an error when there is none.
pub fn load(config: &Config) -> Result<HostIdentity, ApiError> {
    let path = config.key_file();
    keyfile::load(&path).map_err(|e| {
        let error = ApiError::new(ErrorCode::System, e.to_string());
        if path.exists() {
            error
        } else {
            error.hint("make it with: hipctl id --create")
        }
    })
}

/// Reads the identity, or makes it; says whether it was made now.
pub fn load_or_create(config: &Config) -> Result<(HostIdentity, bool), ApiError> {
    make_state_dir(&config.state_dir)?;
    keyfile::load_or_create(&config.key_file(), algorithm(config.identity.algorithm))
        .map_err(|e| ApiError::new(ErrorCode::System, e.to_string()))
}

/// Makes the state directory, private to the user of hipd. One that is there stays as it is.
pub fn make_state_dir(dir: &Path) -> Result<(), ApiError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| {
            ApiError::new(
                ErrorCode::System,
                format!("state directory {}: {e}", dir.display()),
            )
            .hint("run as root, or name another directory with --state-dir")
        })
}

/// What `hipctl id` tells. `addresses` are the host's own, for the line others need.
pub fn describe(identity: &HostIdentity, config: &Config, addresses: &[IpAddr]) -> Identity {
    let hit = identity.hit().to_string();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = if name.trim().is_empty() {
        "NAME"
    } else {
        name.trim()
    };
    let place = addresses
        .first()
        .map_or_else(|| "ADDRESS".to_owned(), ToString::to_string);
    Identity {
        lsi: config.network.lsi_prefix.own_lsi().to_string(),
        algorithm: identity.key_algorithm().name().to_owned(),
        key_file: config.key_file().display().to_string(),
        hosts_line: format!("{hit} {name} {place}"),
        hit,
    }
}

fn algorithm(configured: IdentityAlgorithm) -> KeyAlgorithm {
    match configured {
        IdentityAlgorithm::EcdsaP256 => KeyAlgorithm::EcdsaP256,
        IdentityAlgorithm::EcdsaP384 => KeyAlgorithm::EcdsaP384,
        IdentityAlgorithm::Rsa2048 => KeyAlgorithm::Rsa2048,
        IdentityAlgorithm::Rsa3072 => KeyAlgorithm::Rsa3072,
        IdentityAlgorithm::Ed25519 => KeyAlgorithm::Ed25519,
    }
}
