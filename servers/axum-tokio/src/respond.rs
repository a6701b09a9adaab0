//! The one handler: from a request to its answer, by the application that all servers serve.

use std::{sync::Arc, time::Duration};

use app::{Endpoint, Operation, Rejection};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest as _, Request, State},
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{ALLOW, CONNECTION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};
use kit::{
    execute::{Done, run_here},
    metrics::Metrics,
    page::{self, Page},
    service::Site,
};
use tokio::time::sleep;

use crate::strict;

const JSON: HeaderValue = HeaderValue::from_static(page::JSON);

/// Answers one request.
pub(crate) async fn respond(State(site): State<Arc<Site>>, request: Request) -> Response {
    let endpoint = Endpoint::of(request.uri().path());
    let response = match strict::refusal(&request) {
        Some(refusal) => {
            let mut response = respond_with(refusal);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
        None => answer(&site, request).await,
    };
    site.metrics.answered(endpoint, response.status().as_u16());
    response
}

async fn answer(site: &Site, request: Request) -> Response {
    let routed = match route(site, &request) {
        Ok(routed) => routed,
        Err(rejection) => return respond_with((&rejection).into()),
    };
    if let Some(page) = Page::of(site, &routed) {
        return respond_with(page);
    }
    if let app::Request::Operation(operation) = routed {
        return operate(site, operation).await;
    }
    if request.method() != Method::POST {
        let fields = request.headers().iter();
        let echoed = page::echoed(fields.map(|(name, value)| (name.as_str(), value.as_bytes())));
        return ok(HeaderValue::from_static(page::TEXT), echoed);
    }
    let own = request.headers().get(CONTENT_TYPE).cloned();
    match Bytes::from_request(request, &()).await {
        Ok(body) => ok(own.unwrap_or(HeaderValue::from_static(page::BYTES)), body),
        Err(rejection) => rejection.into_response(),
    }
}

/// What `request` asks for.
fn route(site: &Site, request: &Request) -> Result<app::Request, Rejection> {
    let uri = request.uri();
    let method = request.method().as_str();
    let routed = app::route_with(method, uri.path(), uri.query(), site.faults)?;
    let lines = |name: HeaderName| request.headers().get_all(name).into_iter().map(HeaderValue::as_bytes);
    page::conditional(site, method, routed, lines(IF_MATCH), lines(IF_NONE_MATCH))
}

async fn operate(site: &Site, operation: Operation) -> Response {
    let metrics = &site.metrics;
    metrics.operation_started();
    let in_flight = InFlight(metrics);
    if let Operation::Delay { milliseconds } = operation {
        sleep(Duration::from_millis(milliseconds)).await;
    }
    let outcome = run_here(&operation);
    drop(in_flight);
    match outcome {
        Ok(Done { answer, worker }) => ok(JSON, answer.body(site.server, worker.as_str())),
        Err(refused) => respond_with(refused.into()),
    }
}

fn ok(content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn respond_with(page: Page) -> Response {
    let mut response = Response::new(Body::from(page.body));
    *response.status_mut() = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    if let Some(allow) = page.allow {
        fields.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(time) = page.retry_after {
        fields.insert(RETRY_AFTER, time.as_secs().into());
    }
    if let Some(content_type) = page.content_type {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}

/// An operation under way; also one whose client leaves is under way no more.
struct InFlight<'a>(&'a Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.operation_ended();
    }
}
