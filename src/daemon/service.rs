//! The daemon behind the control socket.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hip_crypto::HostIdentity;
use hip_net::status::Status as HostStatus;
use hip_net::{Event as HipEvent, HipHost};
use hip_wire::hit::Hit;
use reload_net::Overlay;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, RwLock as AsyncRwLock, broadcast};
use tokio::task::JoinSet;

use super::hosts::KnownHosts;
use super::r1_counter::Reserve;
use super::snapshot::{self, Phase};
use super::{events, net_error, overlay, watch_file};
use crate::api::{
    ApiError, EffectiveConfig, ErrorCode, EventRecord, Identity, Interface, Keylog, Peer, Peers,
    Request, Status, to_fields,
};
use crate::cli::text;
use crate::config::Config;
use crate::control::{Answering, Service, Subscription};
use crate::{identity, telemetry};

/// Everything that runs.
pub(super) struct Daemon {
    config: Config,
    file: Option<PathBuf>,
    identity: Arc<HostIdentity>,
    /// Gone once the daemon shuts down.
    pub(super) parts: AsyncRwLock<Option<Parts>>,
    pub(super) hit: Hit,
    pub(super) lsi: Ipv4Addr,
    hosts: RwLock<KnownHosts>,
    hosts_changed: Arc<Notify>,
    ended: Notify,
    pub(super) events: broadcast::Sender<EventRecord>,
    pub(super) hip_events: broadcast::Receiver<HipEvent>,
    overlay_events: Option<broadcast::Receiver<reload_core::Event>>,
    /// Counts switches of the key log, so that an old timer does not stop a new one.
    keylog_switches: AtomicU64,
    warnings: Vec<String>,
}

pub(super) struct Parts {
    pub(super) host: HipHost,
    pub(super) overlay: Option<Overlay>,
}

impl Daemon {
    pub(super) fn new(
        config: Config,
        file: Option<PathBuf>,
        identity: Arc<HostIdentity>,
        host: HipHost,
        overlay: Option<Overlay>,
        hosts: KnownHosts,
    ) -> Self {
        let moved = overlay.as_ref().and_then(Overlay::moved_aside);
        Self {
            config,
            file,
            identity,
            hit: host.hit(),
            lsi: host.lsi().0,
            hosts: RwLock::new(hosts),
            hosts_changed: Arc::new(Notify::new()),
            ended: Notify::new(),
            events: broadcast::channel(1024).0,
            hip_events: host.events(),
            overlay_events: overlay.as_ref().map(Overlay::events),
            keylog_switches: AtomicU64::new(0),
            warnings: moved.map(ToString::to_string).into_iter().collect(),
            parts: AsyncRwLock::new(Some(Parts { host, overlay })),
        }
    }

    pub(super) fn hit(&self) -> Hit {
        self.hit
    }

    pub(super) fn lsi(&self) -> Ipv4Addr {
        self.lsi
    }

    /// Forwards events and watches the hosts file.
    pub(super) fn start_tasks(self: &Arc<Self>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let daemon = Arc::clone(self);
        let mut source = self.hip_events.resubscribe();
        tasks.spawn(async move {
            while let Some(event) = next(&mut source).await {
                daemon.tell(&daemon.with_hosts(|hosts| events::of_hip(&event, hosts)));
            }
            daemon.ended.notify_one();
        });
        if let Some(source) = &self.overlay_events {
            let daemon = Arc::clone(self);
            let mut source = source.resubscribe();
            tasks.spawn(async move {
                while let Some(event) = next(&mut source).await {
                    daemon.tell(&daemon.with_hosts(|hosts| events::of_overlay(&event, hosts)));
                }
            });
        }
        let changed = Arc::clone(&self.hosts_changed);
        watch_file::watch(self.config.hosts_file.clone(), move || changed.notify_one());
        let daemon = Arc::clone(self);
        tasks.spawn(async move {
            loop {
                daemon.hosts_changed.notified().await;
                // The error is in the log and in `hipctl status`.
                let _ = daemon.reload_hosts().await;
            }
        });
        tasks
    }

    /// Returns when the host has ended by itself.
    pub(super) async fn host_ended(&self) {
        self.ended.notified().await;
    }

    /// The driver answers.
    pub(super) async fn is_alive(&self) -> bool {
        tokio::time::timeout(Duration::from_secs(5), self.host_status())
            .await
            .is_ok_and(|status| status.is_ok())
    }

    /// Reads the hosts file again; on an error everything stays as it was.
    pub(super) async fn reload_hosts(&self) -> Result<(), ApiError> {
        let result = {
            let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
            hosts
                .reload()
                .map(|differs| differs.then(|| hosts.file.clone()))
        };
        match result {
            Ok(None) => Ok(()),
            Ok(Some(file)) => {
                let count = file.entries().len();
                self.with_host(|host| host.set_hosts(file))
                    .await?
                    .map_err(|e| net_error(&e))?;
                let hosts = text::count(count, "host");
                let text = format!("{}: {hosts}", self.config.hosts_file.display());
                self.tell(&events::of_daemon("hosts", text));
                Ok(())
            }
            Err(error) => {
                tracing::error!("{error}; the hosts stay as they were");
                Err(ApiError::new(ErrorCode::Failed, error)
                    .hint("the hosts stay as they were; correct that line"))
            }
        }
    }

    /// Reserves R1 counter values ahead of the one in use.
    pub(super) async fn renew_counter(&self, reserve: &Reserve) -> Result<(), ApiError> {
        reserve.write(self.r1_counter().await?)
    }

    /// Notes the R1 counter at a clean end.
    pub(super) async fn store_counter(&self, reserve: &Reserve) -> Result<(), ApiError> {
        reserve.finish(self.r1_counter().await?)
    }

    /// Takes the parts out to shut them down; requests fail from then on.
    pub(super) async fn take_parts(&self) -> Option<(HipHost, Option<Overlay>)> {
        let parts = self.parts.write().await.take()?;
        Some((parts.host, parts.overlay))
    }

    pub(super) fn with_hosts<T>(&self, read: impl FnOnce(&KnownHosts) -> T) -> T {
        read(&self.hosts.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, event: &EventRecord) {
        telemetry::log(event);
        // Nobody watching is fine.
        let _ = self.events.send(event.clone());
    }

    async fn r1_counter(&self) -> Result<u64, ApiError> {
        let parts = self.parts.read().await;
        let parts = parts.as_ref().ok_or_else(stopping)?;
        parts.host.r1_counter().await.map_err(|e| net_error(&e))
    }

    pub(super) async fn with_host<T>(
        &self,
        act: impl FnOnce(&HipHost) -> T,
    ) -> Result<T, ApiError> {
        let parts = self.parts.read().await;
        Ok(act(&parts.as_ref().ok_or_else(stopping)?.host))
    }

    pub(super) async fn host_status(&self) -> Result<HostStatus, ApiError> {
        let parts = self.parts.read().await;
        let parts = parts.as_ref().ok_or_else(stopping)?;
        parts.host.status().await.map_err(|e| net_error(&e))
    }

    /// Name, HIT or LSI to HIT.
    pub(super) async fn resolve(&self, text: &str) -> Result<Hit, ApiError> {
        let nearest = match self.with_hosts(|hosts| hosts.resolve(text)) {
            Ok(hit) => return Ok(hit),
            Err(nearest) => nearest,
        };
        if let Ok(IpAddr::V4(lsi)) = text.parse() {
            let status = self.host_status().await?;
            let owner = status.peers.iter().find(|peer| peer.lsi == Some(lsi));
            if let Some(hit) = owner.and_then(|peer| Hit::try_from(peer.hit).ok()) {
                return Ok(hit);
            }
        }
        let error = ApiError::new(
            ErrorCode::UnknownPeer,
            format!("no host \"{text}\" is known"),
        );
        Err(error.hint(match nearest {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => format!("add it with: hipctl hosts add HIT {text} ADDRESS"),
        }))
    }

    /// `name (HIT)` for messages.
    pub(super) fn label(&self, hit: Hit) -> String {
        match self.with_hosts(|hosts| hosts.name(hit)) {
            Some(name) => format!("{name} ({hit})"),
            None => hit.to_string(),
        }
    }

    pub(super) async fn peer(&self, hit: Hit) -> Result<Option<Peer>, ApiError> {
        let status = self.host_status().await?;
        let address = std::net::Ipv6Addr::from(*hit.as_bytes());
        Ok(status
            .peers
            .iter()
            .find(|peer| peer.hit == address)
            .map(snapshot::peer))
    }

    pub(super) async fn phase(&self, hit: Hit) -> Result<Phase, ApiError> {
        Ok(self
            .peer(hit)
            .await?
            .map_or(Phase::None, |peer| snapshot::phase(&peer.state)))
    }

    async fn answer(&self, request: Request) -> Result<Map<String, Value>, ApiError> {
        match request {
            Request::Id => fields(self.id().await),
            Request::Status => fields(self.status().await),
            Request::Peers => fields(self.peers().await),
            Request::Show { peer } => fields(self.show(&peer).await),
            Request::Up { peer, timeout_ms } => fields(self.up(&peer, ms(timeout_ms)).await),
            Request::Close { peer, timeout_ms } => fields(self.close(&peer, ms(timeout_ms)).await),
            Request::Hosts => fields(self.known_hosts().await),
            Request::HostsReload => {
                self.reload_hosts().await?;
                fields(self.known_hosts().await)
            }
            Request::Wait {
                condition,
                timeout_ms,
            } => fields(self.wait(condition, ms(timeout_ms)).await),
            Request::Metrics => fields(self.metrics().await),
            Request::Config => fields(self.effective_config()),
            Request::Keylog { dir, for_seconds } => fields(self.keylog(dir, for_seconds).await),
            Request::Overlay(request) => {
                let parts = self.parts.read().await;
                let parts = parts.as_ref().ok_or_else(stopping)?;
                overlay::answer(self, parts.overlay.as_ref(), request).await
            }
            Request::Watch { .. } => Err(ApiError::new(
                ErrorCode::BadRequest,
                "watch is answered by the socket",
            )),
        }
    }

    async fn id(&self) -> Result<Identity, ApiError> {
        let status = self.host_status().await?;
        Ok(identity::describe(
            &self.identity,
            &self.config,
            &status.addresses,
        ))
    }

    async fn status(&self) -> Result<Status, ApiError> {
        let host = self.host_status().await?;
        let overlay = {
            let parts = self.parts.read().await;
            match parts.as_ref().and_then(|parts| parts.overlay.as_ref()) {
                Some(overlay) => overlay.status().await.ok().as_ref().map(snapshot::overlay),
                None => None,
            }
        };
        let hosts = self.with_hosts(|known| snapshot::hosts(known, &host));
        let associations = snapshot::associations(&host);
        let line = identity::describe(&self.identity, &self.config, &host.addresses).hosts_line;
        let mut warnings = self.warnings.clone();
        warnings.extend(self.with_hosts(|known| known.error.clone()));
        if !host.ingress_guard {
            warnings.push(
                "the kernel has no nf_tables: packets that forge a HIT in clear are not filtered"
                    .to_owned(),
            );
        }
        if self.config.overlay.enabled && overlay.is_none() {
            warnings.push("the overlay node has stopped; see the log of hipd".to_owned());
        }
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hit: self.hit.to_string(),
            lsi: self.lsi.to_string(),
            uptime_seconds: host.uptime_ms / 1000,
            interface: Interface {
                name: host.tun.clone(),
                mtu: host.mtu.into(),
            },
            udp_port: self.config.network.udp_port,
            raw: self.config.network.raw,
            addresses: host.addresses.iter().map(ToString::to_string).collect(),
            hosts_file: self.config.hosts_file.display().to_string(),
            known_hosts: hosts.hosts.len(),
            next_step: snapshot::next_step(&line, &hosts, associations),
            associations,
            keylog_dir: host.key_log,
            overlay,
            warnings,
        })
    }

    async fn peers(&self) -> Result<Peers, ApiError> {
        let status = self.host_status().await?;
        let mut peers: Vec<_> = status.peers.iter().map(snapshot::peer).collect();
        peers.sort_by(|a, b| {
            let key = |peer: &Peer| (peer.names.is_empty(), peer.names.first().cloned());
            key(a).cmp(&key(b)).then_with(|| a.hit.cmp(&b.hit))
        });
        Ok(Peers { peers })
    }

    async fn show(&self, peer: &str) -> Result<Peer, ApiError> {
        let hit = self.resolve(peer).await?;
        self.peer(hit).await?.ok_or_else(|| {
            ApiError::new(ErrorCode::UnknownPeer, format!("{hit} is not known here"))
                .hint(format!("add it with: hipctl hosts add {hit} NAME ADDRESS"))
        })
    }

    async fn known_hosts(&self) -> Result<crate::api::Hosts, ApiError> {
        let status = self.host_status().await?;
        Ok(self.with_hosts(|known| snapshot::hosts(known, &status)))
    }

    async fn metrics(&self) -> Result<crate::api::Metrics, ApiError> {
        let host = self.host_status().await?;
        let parts = self.parts.read().await;
        let overlay = match parts.as_ref().and_then(|parts| parts.overlay.as_ref()) {
            Some(overlay) => overlay.status().await.ok(),
            None => None,
        };
        Ok(snapshot::metrics(&host, overlay.as_ref()))
    }

    fn effective_config(&self) -> Result<EffectiveConfig, ApiError> {
        let config = serde_json::to_value(&self.config)
            .map_err(|e| ApiError::new(ErrorCode::System, e.to_string()))?;
        Ok(EffectiveConfig {
            file: self.file.as_ref().map(|path| path.display().to_string()),
            config,
        })
    }

    async fn keylog(
        &self,
        dir: Option<String>,
        for_seconds: Option<u64>,
    ) -> Result<Keylog, ApiError> {
        {
            let parts = self.parts.read().await;
            let parts = parts.as_ref().ok_or_else(stopping)?;
            let path = dir.as_ref().map(PathBuf::from);
            parts
                .host
                .set_key_log(path)
                .await
                .map_err(|e| net_error(&e))?;
        }
        self.keylog_switches.fetch_add(1, Ordering::Relaxed);
        let text = match &dir {
            Some(dir) => format!("session keys are written to {dir}"),
            None => "session keys are not written any more".to_owned(),
        };
        self.tell(&events::of_daemon("keylog", text));
        Ok(Keylog {
            for_seconds: for_seconds.filter(|_| dir.is_some()),
            dir,
        })
    }

    /// Stops the key log after its time, unless it was switched again meanwhile.
    async fn keylog_timer(self: Arc<Self>, seconds: u64) {
        let switch = self.keylog_switches.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if self.keylog_switches.load(Ordering::Relaxed) == switch
            && let Err(error) = self.keylog(None, None).await
        {
            tracing::warn!("key log: {error}");
        }
    }
}

impl Service for Arc<Daemon> {
    fn call(&self, request: Request) -> Answering<'_> {
        Box::pin(async move {
            let answer = self.answer(request.clone()).await?;
            if let Request::Keylog {
                dir: Some(_),
                for_seconds: Some(seconds),
            } = request
            {
                tokio::spawn(Self::clone(self).keylog_timer(seconds));
            }
            Ok(answer)
        })
    }

    fn subscribe(&self, peer: Option<&str>) -> Result<Subscription, ApiError> {
        let peer = match peer {
            None => None,
            Some(text) => match self.with_hosts(|hosts| hosts.resolve(text)) {
                Ok(hit) => Some(hit.to_string()),
                Err(_) => {
                    return Err(ApiError::new(
                        ErrorCode::UnknownPeer,
                        format!("no host \"{text}\" is known"),
                    )
                    .hint("hipctl hosts lists the names"));
                }
            },
        };
        Ok(Subscription {
            events: self.events.subscribe(),
            peer,
        })
    }
}

fn fields<T: Serialize>(result: Result<T, ApiError>) -> Result<Map<String, Value>, ApiError> {
    to_fields(&result?)
}

fn ms(timeout_ms: u64) -> Duration {
    // A day: longer waits are a mistake and would overflow timers.
    Duration::from_millis(timeout_ms.min(86_400_000))
}

pub(super) fn stopping() -> ApiError {
    ApiError::new(ErrorCode::Unreachable, "hipd is shutting down")
}

/// The next event; a gap is no end.
pub(super) async fn next<T: Clone>(source: &mut broadcast::Receiver<T>) -> Option<T> {
    loop {
        match source.recv().await {
            Ok(event) => return Some(event),
            Err(RecvError::Lagged(missed)) => tracing::debug!("{missed} events were skipped"),
            Err(RecvError::Closed) => return None,
        }
    }
}
