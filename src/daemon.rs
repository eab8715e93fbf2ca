//! hipd: builds the parts, joins their tasks, shuts down in order.
//!
//! ```text
//! config ─> control socket ─> identity ─> HipHost (hip0, sockets) ─> Overlay ─> ready
//! SIGTERM ─> overlay leaves ─> CLOSE to every peer ─> hip0, routes, socket file removed
//! ```

mod associations;
mod events;
mod hosts;
mod overlay;
mod r1_counter;
mod service;
mod snapshot;
mod watch_file;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hip_core::{HostConfig, Transport};
use hip_crypto::HostIdentity;
use hip_net::rng::OsRng;
use hip_net::{HipHost, HipHostConfig, NetError};
use hip_wire::registry::{DhGroup, EspSuite};
use nix::fcntl::{Flock, FlockArg};
use reload_net::{LinkConfig, Overlay, OverlayConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::api::{ApiError, ErrorCode};
use crate::config::{Config, DhGroupName, EspSuiteName, TransportName};
use crate::control::{AccessPolicy, Limits, Server};
use crate::{identity, service as systemd};
use hosts::KnownHosts;
use service::Daemon;

/// Longest time for the parts to end after SIGTERM.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// How often the R1 counter's reserve is renewed (a counter lasts minutes).
const RESERVE_INTERVAL: Duration = Duration::from_secs(3600);

/// Runs until SIGTERM or SIGINT. `file` is the configuration file, if there is one.
pub fn run(config: Config, file: Option<PathBuf>) -> Result<(), ApiError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("hipd-control")
        .enable_all()
        .build()
        .map_err(|e| system("cannot start threads", &e))?;
    let result = runtime.block_on(serve(config, file));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(config: Config, file: Option<PathBuf>) -> Result<(), ApiError> {
    // Signals first: one that comes during the start must not skip the clean-up.
    let mut signals = Signals::new()?;
    let _lock = lock_state(&config.state_dir)?;
    // Before anything is made: another hipd on this socket ends the start here.
    let policy = AccessPolicy::new(config.control.group.as_deref())?;
    let server = Server::bind(&config.socket(), policy, Limits::default()).await?;
    let (identity, made) = identity::load_or_create(&config)?;
    let identity = Arc::new(identity);
    if made {
        tracing::info!(
            "new identity {} in {}",
            identity.hit(),
            config.key_file().display()
        );
    }
    let hosts = KnownHosts::load(&config.hosts_file);
    let counter = r1_counter::Reserve::open(&config.state_dir)?;
    let host_config = host_config(&config, &identity, &hosts, counter.first())?;
    let (host, overlay) = start_parts(&config, host_config).await?;
    let daemon = Arc::new(Daemon::new(config, file, identity, host, overlay, hosts));
    let mut tasks = daemon.start_tasks();
    let (stop, stopped) = watch::channel(false);
    let service = Arc::new(Arc::clone(&daemon));
    let control = tokio::spawn(server.run(service, stopped));
    tracing::info!("ready: HIT {}, LSI {}", daemon.hit(), daemon.lsi());
    systemd::notify("READY=1");
    let reason = main_loop(&daemon, &mut signals, &counter).await;
    tracing::info!(
        "stopping: {}",
        reason.as_ref().err().map_or("asked to", |e| &e.message)
    );
    systemd::notify("STOPPING=1");
    stop.send_replace(true);
    tasks.abort_all();
    // The control task ends by `stop`; whether it panicked no longer matters.
    let _ = control.await;
    if let Err(error) = daemon.store_counter(&counter).await {
        tracing::warn!("{error}");
    }
    shut_down(daemon).await;
    reason
}

/// The host, then the overlay upon it; all or nothing.
async fn start_parts(
    config: &Config,
    host_config: HipHostConfig,
) -> Result<(HipHost, Option<Overlay>), ApiError> {
    let identity = Arc::clone(&host_config.identity);
    let host = HipHost::start(host_config).map_err(|e| net_error(&e))?;
    match start_overlay(config, &identity) {
        Ok(overlay) => Ok((host, overlay)),
        Err(error) => {
            host.shutdown().await;
            Err(error)
        }
    }
}

/// Until a signal to stop (`Ok`) or until the host has ended by itself (`Err`).
async fn main_loop(
    daemon: &Arc<Daemon>,
    signals: &mut Signals,
    counter: &r1_counter::Reserve,
) -> Result<(), ApiError> {
    let mut reserve = tokio::time::interval(RESERVE_INTERVAL);
    reserve.reset();
    let mut watchdog = systemd::watchdog_interval().map(tokio::time::interval);
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return Ok(()),
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.hang_up.recv() => {
                // The error is in the log and in `hipctl status`.
                let _ = daemon.reload_hosts().await;
            }
            _ = reserve.tick() => {
                if let Err(error) = daemon.renew_counter(counter).await {
                    tracing::warn!("{error}");
                }
            }
            () = tick(watchdog.as_mut()) => {
                // Only a driver that still answers keeps the watchdog quiet.
                if daemon.is_alive().await {
                    systemd::notify("WATCHDOG=1");
                }
            }
            () = daemon.host_ended() => {
                return Err(ApiError::new(ErrorCode::System, "the HIP host has ended by itself")
                    .hint("its last words are above; was its interface removed?"));
            }
        }
    }
}

async fn tick(interval: Option<&mut tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// Overlay first: leaving needs the associations.
async fn shut_down(daemon: Arc<Daemon>) {
    let parts = async {
        // Control connections that were cut off may hold the daemon for a moment longer.
        let Some((host, overlay)) = daemon.take_parts().await else {
            return;
        };
        if let Some(overlay) = overlay {
            overlay.shutdown().await;
        }
        host.shutdown().await;
    };
    if tokio::time::timeout(SHUTDOWN_PATIENCE, parts)
        .await
        .is_err()
    {
        tracing::warn!("the parts did not end within {SHUTDOWN_PATIENCE:?}");
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, ApiError> {
        let on = |kind| signal(kind).map_err(|e| system("cannot handle signals", &e));
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }
}

/// Makes the state directory (0700) and keeps a second daemon out of it.
fn lock_state(dir: &Path) -> Result<Flock<File>, ApiError> {
    let what = |e: &std::io::Error| system(&format!("state directory {}", dir.display()), e);
    identity::make_state_dir(dir)?;
    let file = File::open(dir).map_err(|e| what(&e))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, _)| {
        ApiError::new(
            ErrorCode::System,
            format!(
                "state directory {} is in use by another hipd",
                dir.display()
            ),
        )
        .hint("stop that one, or give this one its own --state-dir")
    })
}

fn host_config(
    config: &Config,
    identity: &Arc<HostIdentity>,
    hosts: &KnownHosts,
    r1_counter: u64,
) -> Result<HipHostConfig, ApiError> {
    let network = &config.network;
    let prefix = network.lsi_prefix;
    let lsi_prefix = hip_net::lsi::LsiPrefix::new(prefix.network(), prefix.length())
        .map_err(|e| ApiError::new(ErrorCode::System, format!("network.lsi_prefix: {e}")))?;
    Ok(HipHostConfig {
        protocol: protocol_config(config, r1_counter),
        tun_name: network.tun_name.clone(),
        mtu: network.mtu,
        udp_port: network.udp_port,
        raw: network.raw,
        listen: network.listen.clone(),
        default_transport: match network.transport {
            TransportName::Udp => Transport::Udp,
            TransportName::Raw => Transport::Raw,
        },
        lsi_prefix,
        hosts: hosts.file.clone(),
        key_log: config.keylog.dir.clone(),
        ..HipHostConfig::new(Arc::clone(identity))
    })
}

fn protocol_config(config: &Config, r1_counter: u64) -> HostConfig {
    let hip = &config.hip;
    let mut protocol = HostConfig {
        udp_port: config.network.udp_port,
        dh_groups: hip.dh_groups.iter().copied().map(dh_group).collect(),
        esp_suites: hip.esp_suites.iter().copied().map(esp_suite).collect(),
        // 7402-3.3.5-06: naming the suite is the policy that allows it.
        allow_auth_only_esp: hip.esp_suites.contains(&EspSuiteName::NullSha256),
        r1_counter,
        ..HostConfig::default()
    };
    protocol.puzzle.difficulty = hip.puzzle_difficulty;
    protocol.timers.ual = Duration::from_secs(hip.ual_seconds);
    protocol
}

fn dh_group(name: DhGroupName) -> DhGroup {
    match name {
        DhGroupName::P256 => DhGroup::EcpP256,
        DhGroupName::P384 => DhGroup::EcpP384,
        DhGroupName::P521 => DhGroup::EcpP521,
    }
}

fn esp_suite(name: EspSuiteName) -> EspSuite {
    match name {
        EspSuiteName::Aes128Gcm16 => EspSuite::AesGcm16,
        EspSuiteName::Aes128CbcSha256 => EspSuite::Aes128CbcHmacSha256,
        EspSuiteName::Aes256CbcSha256 => EspSuite::Aes256CbcHmacSha256,
        EspSuiteName::NullSha256 => EspSuite::NullHmacSha256,
    }
}

fn start_overlay(
    config: &Config,
    identity: &Arc<HostIdentity>,
) -> Result<Option<Overlay>, ApiError> {
    if !config.overlay.enabled {
        return Ok(None);
    }
    let mut node = reload_core::NodeConfig::new(&config.overlay.name);
    node.bootstrap = config
        .overlay
        .bootstrap
        .iter()
        .map(|hit| snapshot::node_id(hit.addr()))
        .collect();
    let tun = &config.network.tun_name;
    let rng = OsRng::new().map_err(|e| net_error(&e))?;
    let overlay = Overlay::start(OverlayConfig {
        node,
        identity: Arc::clone(identity),
        rng: Box::new(rng),
        links: LinkConfig::hit(identity.hit(), config.overlay.port, tun),
        data: config.overlay_data(),
        clock: hip_net::clock::now,
    })
    .map_err(|e| ApiError::new(ErrorCode::System, e.to_string()))?;
    if let Some(moved) = overlay.moved_aside() {
        tracing::error!("{moved}");
    }
    Ok(Some(overlay))
}

fn net_error(error: &NetError) -> ApiError {
    ApiError::new(ErrorCode::System, error.to_string())
}

fn system(what: &str, error: &std::io::Error) -> ApiError {
    ApiError::new(ErrorCode::System, format!("{what}: {error}"))
}
