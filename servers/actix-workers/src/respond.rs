//! The one handler: from a request to its answer, by the application that all servers serve.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    FromRequest as _, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::Payload,
    error::ErrorRequestTimeout,
    http::{
        Method, StatusCode,
        header::{
            ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH,
            RETRY_AFTER, TRANSFER_ENCODING,
        },
    },
    rt::time::{sleep, timeout},
    web::{self, Bytes},
};
use app::{Endpoint, Operation, Request};
use kit::{
    execute::{Done, run_here},
    metrics::Metrics,
    page::{self, Page},
    service::Site,
};

use crate::{
    connection::{self, Connection},
    execute::Execute,
};

const JSON: HeaderValue = HeaderValue::from_static(page::JSON);

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
    if let Some(end) = Connection::end_before(&request) {
        return connection::cut(end).await;
    }
    let mut answering = pin!(async {
        match read(&request, payload.into_inner(), shared.site.limits.body_timeout).await {
            Ok(body) => shared.answer(&request, body).await,
            Err(error) => error.error_response(),
        }
    });
    let mut waited = false;
    let response = poll_fn(|context| {
        let polled = answering.as_mut().poll(context);
        waited |= polled.is_pending();
        polled
    });
    let response = response.await;
    shared.site.metrics.answered(Endpoint::of(request.path()), response.status().as_u16());
    connection::finish(&request, response, waited)
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
        let method = request.method().as_str();
        let routed = app::route_with(method, uri.path(), uri.query(), self.site.faults);
        let lines = |name: HeaderName| request.headers().get_all(name).map(HeaderValue::as_bytes);
        let routed = routed.and_then(|routed| {
            let (if_match, if_none_match) = (lines(IF_MATCH), lines(IF_NONE_MATCH));
            page::conditional(&self.site, method, routed, if_match, if_none_match)
        });
        let routed = match routed {
            Ok(routed) => routed,
            Err(rejection) => return respond_with((&rejection).into()),
        };
        if let Some(page) = Page::of(&self.site, &routed) {
            return respond_with(page);
        }
        match routed {
            Request::Operation(operation) => self.operate(operation).await,
            _ if request.method() == Method::POST => {
                let own = request.headers().get(CONTENT_TYPE).cloned();
                ok(own.unwrap_or(HeaderValue::from_static(page::BYTES)), body)
            }
            _ => {
                let fields = request.headers().iter();
                let echoed = page::echoed(fields.map(|(name, value)| (name.as_str(), value.as_bytes())));
                ok(HeaderValue::from_static(page::TEXT), echoed)
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
            Err(refused) => respond_with(refused.into()),
        }
    }
}

fn ok(content_type: HeaderValue, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, content_type)).body(body)
}

fn respond_with(page: Page) -> HttpResponse {
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(status);
    if let Some(allow) = page.allow {
        builder.insert_header((ALLOW, allow));
    }
    if let Some(time) = page.retry_after {
        builder.insert_header((RETRY_AFTER, time.as_secs()));
    }
    match page.content_type {
        Some(content_type) => builder.insert_header((CONTENT_TYPE, content_type)).body(page.body),
        None => builder.finish(),
    }
}

/// An operation under way; also one whose client leaves is under way no more.
struct InFlight<'a>(&'a Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.operation_ended();
    }
}
