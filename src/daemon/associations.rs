//! Bringing associations up and down, and waiting for things to be so.

use std::future::Future;
use std::time::{Duration, Instant};

use hip_net::Event as HipEvent;
use hip_wire::hit::Hit;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::service::{Daemon, next, stopping};
use super::snapshot::Phase;
use super::{net_error, overlay};
use crate::api::{ApiError, Closed, Condition, ErrorCode, Up, Waited};

/// Conditions are looked at again at least this often, should an event have been missed.
const RECHECK: Duration = Duration::from_millis(500);

impl Daemon {
    pub(super) async fn up(&self, peer: &str, patience: Duration) -> Result<Up, ApiError> {
        let hit = self.resolve(peer).await?;
        if hit == self.hit {
            return Err(ApiError::new(
                ErrorCode::BadRequest,
                format!("{peer} is this host"),
            ));
        }
        let mut events = self.hip_events.resubscribe();
        let already = self.phase(hit).await? == Phase::Up;
        if !already {
            self.with_host(|host| host.connect(hit))
                .await?
                .map_err(|e| net_error(&e))?;
            let outcome = self.outcome(hit, &mut events);
            match tokio::time::timeout(patience, outcome).await {
                Ok(outcome) => outcome?,
                Err(_) => return Err(self.not_up_in_time(hit, patience).await),
            }
        }
        let status = self.host_status().await?;
        Ok(Up {
            peer: self.peer(hit).await?.unwrap_or_default(),
            already,
            own_hit: self.hit.to_string(),
            own_lsi: self.lsi.to_string(),
            interface: status.tun,
        })
    }

    /// The end of a base exchange with `hit`.
    async fn outcome(
        &self,
        hit: Hit,
        events: &mut broadcast::Receiver<HipEvent>,
    ) -> Result<(), ApiError> {
        loop {
            match tokio::time::timeout(RECHECK, next(events)).await {
                Ok(Some(HipEvent::Established { peer, .. })) if peer == hit => return Ok(()),
                Ok(Some(HipEvent::Failed { peer, reason })) if peer == hit => {
                    let label = self.label(hit);
                    return Err(ApiError::new(
                        ErrorCode::Failed,
                        format!("{label}: base exchange failed: {reason}"),
                    )
                    .hint(hint(reason, hit)));
                }
                Ok(None) => return Err(stopping()),
                Ok(Some(_)) => {}
                // An event may have been missed: look.
                Err(_) if self.phase(hit).await? == Phase::Up => return Ok(()),
                Err(_) => {}
            }
        }
    }

    async fn not_up_in_time(&self, hit: Hit, patience: Duration) -> ApiError {
        let peer = self.peer(hit).await.ok().flatten().unwrap_or_default();
        let doing = match peer.state.as_str() {
            "I1-SENT" => "no R1 answers our I1",
            "I2-SENT" => "R1 came, no R2 answers our I2",
            _ => "the base exchange did not start",
        };
        let place = match peer.locators.as_slice() {
            [] => "no address is known".to_owned(),
            locators => format!("tried {}", locators.join(" ")),
        };
        ApiError::new(
            ErrorCode::Timeout,
            format!(
                "{}: not up after {patience:?}: {doing} ({place})",
                self.label(hit)
            ),
        )
        .hint("is hipd running there, and does UDP 10500 pass?")
    }

    pub(super) async fn close(&self, peer: &str, patience: Duration) -> Result<Closed, ApiError> {
        let hit = self.resolve(peer).await?;
        let was_open = !matches!(self.phase(hit).await?, Phase::None | Phase::Failed);
        if was_open {
            self.with_host(|host| host.close(hit))
                .await?
                .map_err(|e| net_error(&e))?;
            let condition = Condition::Closed {
                peer: peer.to_owned(),
            };
            self.wait(condition, patience)
                .await
                .map_err(|error| match error.code {
                    ErrorCode::Timeout => ApiError::new(
                        ErrorCode::Timeout,
                        format!(
                            "{}: CLOSE was not acknowledged within {patience:?}",
                            self.label(hit)
                        ),
                    )
                    .hint("the association carries no data any more; the peer may be gone"),
                    _ => error,
                })?;
        }
        Ok(Closed {
            hit: hit.to_string(),
            was_open,
        })
    }

    pub(super) async fn wait(
        &self,
        condition: Condition,
        patience: Duration,
    ) -> Result<Waited, ApiError> {
        let start = Instant::now();
        let name = match &condition {
            Condition::Ready => "ready".to_owned(),
            Condition::Established { peer } => format!("established {peer}"),
            Condition::Closed { peer } => format!("closed {peer}"),
            Condition::Overlay { .. } => "overlay".to_owned(),
        };
        let peer = match &condition {
            Condition::Established { peer } | Condition::Closed { peer } => {
                Some(self.resolve(peer).await?)
            }
            _ => None,
        };
        let met = self.until(|| self.is_met(&condition, peer));
        match tokio::time::timeout(patience, met).await {
            Ok(result) => result?,
            Err(_) => {
                return Err(ApiError::new(
                    ErrorCode::Timeout,
                    format!("\"{name}\" did not come true within {patience:?}"),
                )
                .hint("hipctl status and hipctl watch show what happens"));
            }
        }
        let waited_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Waited {
            condition: name,
            waited_ms,
        })
    }

    async fn is_met(&self, condition: &Condition, peer: Option<Hit>) -> Result<bool, ApiError> {
        Ok(match (condition, peer) {
            (Condition::Established { .. }, Some(hit)) => self.phase(hit).await? == Phase::Up,
            (Condition::Closed { .. }, Some(hit)) => {
                matches!(self.phase(hit).await?, Phase::None | Phase::Failed)
            }
            (Condition::Overlay { peers }, _) => {
                let parts = self.parts.read().await;
                let parts = parts.as_ref().ok_or_else(stopping)?;
                overlay::has_joined(parts.overlay.as_ref(), *peers).await?
            }
            _ => true,
        })
    }

    /// Looks at once, then after each event.
    async fn until<F, R>(&self, met: F) -> Result<(), ApiError>
    where
        F: Fn() -> R,
        R: Future<Output = Result<bool, ApiError>>,
    {
        let mut events = self.events.subscribe();
        while !met().await? {
            loop {
                match tokio::time::timeout(RECHECK, events.recv()).await {
                    Ok(Ok(event)) if event.kind == "dropped" => {}
                    Ok(Err(RecvError::Closed)) => return Err(stopping()),
                    _ => break,
                }
            }
        }
        Ok(())
    }
}

fn hint(reason: hip_core::FailReason, hit: Hit) -> String {
    use hip_core::FailReason as Reason;
    match reason {
        Reason::NoLocators => {
            format!("give it an address with: hipctl hosts add {hit} NAME ADDRESS")
        }
        Reason::NoAnswer => {
            "is hipd running there, is the address right, does UDP 10500 pass?".to_owned()
        }
        Reason::NoR2 => "see the log of hipd there; its access policy may forbid us".to_owned(),
        Reason::DhGroup => "compare hip.dh_groups of both hosts".to_owned(),
        Reason::NoEspSuite | Reason::NoCipher => "compare hip.esp_suites of both hosts".to_owned(),
        Reason::Puzzle => "lower hip.puzzle_difficulty there".to_owned(),
        _ => "see the log of hipd: journalctl -u hipd".to_owned(),
    }
}
