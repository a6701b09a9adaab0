//! The one handler: from a request to its answer, by the application that all servers serve.

use std::{sync::Arc, time::Duration};

use actix_web::{
    FromRequest as _, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::Payload,
    error::ErrorRequestTimeout,
    http::{
        Method, StatusCode,
        header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING},
    },
    rt::time::{sleep, timeout},
    web::{self, Bytes},
};
use app::{Endpoint, Operation, Request};
use kit::{
    execute::{Done, Refused, run_here},
    metrics::Metrics,
    service::Site,
};

use crate::{
    connection::{self, Connection},
    execute::Execute,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
const YAML: HeaderValue = HeaderValue::from_static("application/yaml");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// What one worker answers from.
pub(crate) struct Shared {
    pub(crate) site: Arc<Site>,
    pub(crate) execute: Execute,
}

/// Answers one request. Its body is read before, whatever the endpoint, so that a bad one is seen and the next request does
/// not begin in its middle.
pub(crate) async fn respond(
    request: HttpRequest,
    payload: web::Payload,
    shared: web::Data<Shared>,
) -> HttpResponse {
    if Connection::is_over(&request) {
        return connection::cut().await;
    }
    let endpoint = Endpoint::of(request.path());
    let response = match read(&request, payload.into_inner(), shared.site.limits.body_timeout).await {
        Ok(body) => shared.answer(&request, body).await,
        Err(error) => error.error_response(),
    };
    shared.site.metrics.answered(endpoint, response.status().as_u16());
    connection::finish(&request, response)
}

async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    within: Duration,
) -> Result<Bytes, actix_web::Error> {
    let headers = request.headers();
    // actix takes all that follows a request for another protocol as its body; by these two fields there is none.
    let has_body = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    if matches!(payload, Payload::None) || !has_body {
        return Ok(Bytes::new());
    }
    timeout(within, Bytes::from_request(request, &mut payload))
        .await
        .unwrap_or_else(|_| Err(ErrorRequestTimeout("the body did not arrive in time (--body-timeout)")))
}

impl Shared {
    async fn answer(&self, request: &HttpRequest, body: Bytes) -> HttpResponse {
        let uri = request.uri();
        match app::route(request.method().as_str(), uri.path(), uri.query()) {
            Ok(Request::Operation(operation)) => self.operate(operation).await,
            Ok(Request::Index) => ok(JSON, app::index_body()),
            Ok(Request::OpenApi) => ok(YAML, app::OPENAPI),
            Ok(Request::Info) => ok(JSON, self.site.info().body()),
            Ok(Request::Metrics) => ok(PROMETHEUS, self.site.metrics.text(self.site.server)),
            Ok(Request::Healthz) if self.site.stopping.is_raised() => {
                answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "draining")
            }
            Ok(Request::Healthz) => ok(TEXT, "ok"),
            Ok(Request::Echo) if request.method() == Method::POST => {
                ok(request.headers().get(CONTENT_TYPE).cloned().unwrap_or(BYTES), body)
            }
            Ok(Request::Echo) => ok(TEXT, echoed_head(request)),
            Ok(Request::Options { allow }) => {
                HttpResponse::NoContent().insert_header((ALLOW, HeaderValue::from_static(allow))).finish()
            }
            Err(rejection) => {
                let status = StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::BAD_REQUEST);
                let mut response = answer(status, JSON, rejection.body());
                if let Some(allow) = rejection.allow() {
                    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
                }
                response
            }
        }
    }

    async fn operate(&self, operation: Operation) -> HttpResponse {
        let metrics = &self.site.metrics;
        metrics.operation_started();
        let in_flight = InFlight(metrics);
        let outcome = if let Operation::Delay { milliseconds } = operation {
            sleep(Duration::from_millis(milliseconds)).await;
            run_here(&operation)
        } else {
            self.execute.run(operation).await
        };
        drop(in_flight);
        match outcome {
            Ok(Done { answer, worker }) => ok(JSON, answer.body(self.site.server, worker.as_str())),
            Err(refused) => {
                let body = format!("{{\"error\":\"{refused}\"}}");
                match refused {
                    Refused::Busy { retry_after } => {
                        let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, JSON, body);
                        response.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().into());
                        response
                    }
                    Refused::Panicked => answer(StatusCode::INTERNAL_SERVER_ERROR, JSON, body),
                }
            }
        }
    }
}

fn ok(content_type: HeaderValue, body: impl MessageBody + 'static) -> HttpResponse {
    answer(StatusCode::OK, content_type, body)
}

fn answer(status: StatusCode, content_type: HeaderValue, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::build(status).insert_header((CONTENT_TYPE, content_type)).body(body)
}

/// The request's header fields, one `name: value` a line.
fn echoed_head(request: &HttpRequest) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in request.headers() {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\n");
    }
    text
}

/// An operation under way; also one whose client leaves is under way no more.
struct InFlight<'a>(&'a Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.operation_ended();
    }
}
