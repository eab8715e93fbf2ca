//! One client of the control socket.

use std::sync::Arc;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::{Limits, Service};
use crate::api::{Answer, ApiError, Body, Envelope, ErrorCode, Request, SCHEMA};

type Reader = BufReader<tokio::net::unix::OwnedReadHalf>;

/// Tells a client why it is sent away, without waiting for it.
pub(super) fn refuse_now(stream: &UnixStream, error: &ApiError) {
    // The socket buffer of a fresh connection takes the line at once, or the client is gone.
    let _ = stream.try_write(&line(&Body::from(error.clone())));
}

/// Serves one client until it hangs up, breaks a limit or stays silent. With a `refusal` the
/// first request is answered by it, so that the client sees the reason.
pub(super) async fn serve(
    stream: UnixStream,
    refusal: Option<ApiError>,
    service: Arc<dyn Service>,
    limits: Limits,
) {
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    if let Some(error) = refusal {
        tracing::warn!("control socket: {}", error.message);
        send(&mut write, &Body::from(error), limits).await;
        return;
    }
    loop {
        let request = match read_request(&mut reader, limits).await {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err((error, fatal)) => {
                if !send(&mut write, &Body::from(error), limits).await || fatal {
                    return;
                }
                continue;
            }
        };
        let alive = match request {
            Request::Watch { peer, drops } => {
                watch(
                    &mut reader,
                    &mut write,
                    peer.as_deref(),
                    drops,
                    &*service,
                    limits,
                )
                .await;
                false
            }
            request => answer(&mut reader, &mut write, request, &*service, limits).await,
        };
        if !alive {
            return;
        }
    }
}

async fn answer(
    reader: &mut Reader,
    write: &mut OwnedWriteHalf,
    request: Request,
    service: &dyn Service,
    limits: Limits,
) -> bool {
    let body = tokio::select! {
        result = service.call(request) => match result {
            Ok(value) => Body::Data(value),
            Err(error) => error.into(),
        },
        () = hung_up(reader) => return false,
    };
    send(write, &body, limits).await
}

async fn watch(
    reader: &mut Reader,
    write: &mut OwnedWriteHalf,
    peer: Option<&str>,
    drops: bool,
    service: &dyn Service,
    limits: Limits,
) {
    let mut subscription = match service.subscribe(peer) {
        Ok(subscription) => subscription,
        Err(error) => {
            send(write, &Body::from(error), limits).await;
            return;
        }
    };
    loop {
        let event = tokio::select! {
            event = subscription.events.recv() => event,
            () = hung_up(reader) => return,
        };
        let body = match event {
            Ok(event) => {
                let other_peer = subscription.peer.is_some() && subscription.peer != event.peer;
                if other_peer || (event.kind == "dropped" && !drops) {
                    continue;
                }
                Body::Event(event)
            }
            Err(RecvError::Lagged(missed)) => Body::from(ApiError::new(
                ErrorCode::Limit,
                format!("{missed} events were lost because they were read too slowly"),
            )),
            Err(RecvError::Closed) => return,
        };
        if !send(write, &body, limits).await {
            return;
        }
    }
}

/// Returns when the client closes its side. What it sends meanwhile waits in the buffer.
async fn hung_up(reader: &mut Reader) {
    if !reader.buffer().is_empty() {
        std::future::pending::<()>().await;
    }
    match reader.fill_buf().await {
        Ok([]) | Err(_) => {}
        Ok(_) => std::future::pending::<()>().await,
    }
}

/// The next request: `None` at the end of the stream; an error and whether it ends the connection.
async fn read_request(
    reader: &mut Reader,
    limits: Limits,
) -> Result<Option<Request>, (ApiError, bool)> {
    match timeout(limits.idle_time, reader.fill_buf()).await {
        Ok(Ok([])) | Ok(Err(_)) | Err(_) => return Ok(None),
        Ok(Ok(_)) => {}
    }
    let text = match timeout(limits.line_time, read_line(reader, limits.request_bytes)).await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err((error, true)),
        Err(_) => {
            let error = ApiError::new(
                ErrorCode::Limit,
                format!("the request was not complete within {:?}", limits.line_time),
            );
            return Err((error.hint("end each request with a newline"), true));
        }
    };
    let Some(text) = text else { return Ok(None) };
    parse(&text).map(Some).map_err(|error| (error, false))
}

async fn read_line<R>(reader: &mut R, limit: usize) -> Result<Option<Vec<u8>>, ApiError>
where
    R: AsyncBufRead + AsyncRead + Unpin,
{
    let mut text = Vec::new();
    let mut bounded = reader.take(limit as u64 + 1);
    match bounded.read_until(b'\n', &mut text).await {
        Ok(0) | Err(_) => Ok(None),
        Ok(_) if text.last() == Some(&b'\n') => Ok(Some(text)),
        Ok(_) if text.len() > limit => Err(ApiError::new(
            ErrorCode::Limit,
            format!("the request is longer than {limit} octets"),
        )),
        // The stream ended in the middle of a line: nobody is there to be answered.
        Ok(_) => Ok(None),
    }
}

fn parse(text: &[u8]) -> Result<Request, ApiError> {
    let bad = |message: String| {
        ApiError::new(ErrorCode::BadRequest, message)
            .hint("the protocol is described in docs/guide/control-socket.md")
    };
    let value: serde_json::Value = serde_json::from_slice(text)
        .map_err(|e| bad(format!("the request is not one line of JSON: {e}")))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(SCHEMA) => {}
        Some(other) => {
            return Err(bad(format!(
                "schema {other} is not spoken here, only {SCHEMA}"
            )));
        }
        None => return Err(bad(format!("the request has no \"schema\":{SCHEMA}"))),
    }
    serde_json::from_value::<Envelope>(value)
        .map(|envelope| envelope.request)
        .map_err(|e| bad(format!("the request is not understood: {e}")))
}

async fn send(write: &mut OwnedWriteHalf, body: &Body, limits: Limits) -> bool {
    matches!(
        timeout(limits.line_time, write.write_all(&line(body))).await,
        Ok(Ok(()))
    )
}

fn line(body: &Body) -> Vec<u8> {
    let answer = Answer::from(body.clone());
    let mut text = serde_json::to_vec(&answer).unwrap_or_else(|e| {
        // Only non-string map keys or failing serialisers get here; neither exists in the API.
        tracing::error!("control socket: an answer could not be written as JSON: {e}");
        b"{\"schema\":1,\"error\":{\"code\":\"system\",\"message\":\"internal\"}}".to_vec()
    });
    text.push(b'\n');
    text
}
