//! The HTTP service: from a request to its answer, the same for every row.
//!
//! Requests without a body whose operation is done at once take [`ResponseFuture::Ready`]: nothing is boxed, no
//! shared counter is touched but the worker's own, and the header map of the request becomes the one of the
//! answer, so its memory goes round and is never given back. Whatever waits (a body, a delay, an operation on
//! another thread) pays for its waiting.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use app::{Endpoint, Operation, Rejection};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{
        ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH,
        RETRY_AFTER,
    },
    http::request::Parts,
    rt::Timer,
};

use crate::{
    execute::{Done, Execute, Refused, run_here},
    framing::Excess,
    page::{self, Page},
    policy::{self, Policy, Refusal},
    worker::Worker,
};

pub use crate::site::Site;

/// The answer to a request.
pub type Answer = Response<Full<Bytes>>;

/// Of nearly all answers: made once.
const JSON: HeaderValue = HeaderValue::from_static(page::JSON);

/// The service of one accept loop. Clones are the same service.
#[derive(Debug)]
pub struct Service<E> {
    inner: Arc<Inner<E>>,
}

struct Inner<E> {
    site: Arc<Site>,
    execute: E,
    timer: Box<dyn Timer + Send + Sync>,
}

impl<E> std::fmt::Debug for Inner<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("site", &self.site).finish_non_exhaustive()
    }
}

impl<E> Clone for Service<E> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<E: Execute> Service<E> {
    /// A service whose operations run where `execute` says, and whose waiting is done by `timer`.
    pub fn new(site: Arc<Site>, execute: E, timer: impl Timer + Send + Sync + 'static) -> Self {
        Self { inner: Arc::new(Inner { site, execute, timer: Box::new(timer) }) }
    }

    /// What this service has in common with those of other workers.
    pub fn site(&self) -> &Arc<Site> {
        &self.inner.site
    }

    pub(crate) fn timer(&self) -> &(dyn Timer + Send + Sync) {
        &*self.inner.timer
    }

    /// Answers one request.
    pub fn respond(&self, request: Request<Incoming>) -> ResponseFuture<E> {
        let (mut head, body) = request.into_parts();
        let checked = match self.inner.site.policy {
            Policy::Enforced => policy::check(&head, &body),
            Policy::Off => Ok(()),
        };
        let max_body_bytes = self.inner.site.limits.max_body_bytes;
        if let Err(refusal) = checked.and_then(|()| policy::check_length(&body, max_body_bytes)) {
            return ResponseFuture::Ready(Some(self.inner.refuse(head.headers, refusal)));
        }
        let (method, path, query) = (head.method.as_str(), head.uri.path(), head.uri.query());
        let routed = app::route_with(method, path, query, self.inner.site.faults)
            .and_then(|request| self.inner.conditional(&head, request));
        if !body.is_end_stream() {
            // Leave to send a body that changes nothing would be a waste of it. Some clients send it all the same.
            if let Err(rejection) = &routed
                && policy::waits_for_leave(&head)
            {
                return ResponseFuture::Ready(Some(closing(self.inner.reject(head, rejection))));
            }
            let inner = Arc::clone(&self.inner);
            return ResponseFuture::Boxed(Box::pin(inner.with_body(head, body, routed)));
        }
        match routed {
            Ok(app::Request::Operation(Operation::Delay { milliseconds })) => {
                let inner = Arc::clone(&self.inner);
                ResponseFuture::Boxed(Box::pin(inner.delay(head.headers, milliseconds)))
            }
            Ok(app::Request::Operation(operation)) => {
                self.inner.site.metrics.operation_started();
                let mut future = self.inner.execute.execute(operation);
                // What is done already is answered without a wake-up; what is not will be polled with a real waker.
                match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(outcome) => {
                        let answer = self.inner.operation_ended(head.headers, operation.endpoint(), outcome);
                        ResponseFuture::Ready(Some(answer))
                    }
                    Poll::Pending => ResponseFuture::Running(Running {
                        future,
                        inner: Arc::clone(&self.inner),
                        headers: std::mem::take(&mut head.headers),
                        endpoint: operation.endpoint(),
                        ended: false,
                    }),
                }
            }
            Ok(other) => ResponseFuture::Ready(Some(self.inner.immediate(head, other, Bytes::new()))),
            Err(rejection) => ResponseFuture::Ready(Some(self.inner.reject(head, &rejection))),
        }
    }

    /// Refuses a request of whose head only the beginning was read.
    pub(crate) fn refuse_too_long(&self, request: Request<Incoming>, excess: Excess) -> ResponseFuture<E> {
        let headers = request.into_parts().0.headers;
        ResponseFuture::Ready(Some(self.inner.refuse(headers, policy::too_long(excess))))
    }
}

/// The future of an answer.
pub enum ResponseFuture<E: Execute> {
    /// The answer is there.
    Ready(Option<Answer>),
    /// The operation runs elsewhere.
    Running(Running<E>),
    /// A body is read, or a delay waited for.
    Boxed(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

impl<E: Execute> std::fmt::Debug for ResponseFuture<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "ResponseFuture::Ready",
            Self::Running(_) => "ResponseFuture::Running",
            Self::Boxed(_) => "ResponseFuture::Boxed",
        })
    }
}

/// An operation that runs elsewhere. Dropping it tells the executor that nobody waits any more.
pub struct Running<E: Execute> {
    future: E::Future,
    inner: Arc<Inner<E>>,
    headers: HeaderMap,
    endpoint: Option<Endpoint>,
    ended: bool,
}

impl<E: Execute> Drop for Running<E> {
    fn drop(&mut self) {
        if !self.ended {
            self.inner.site.metrics.operation_ended();
        }
    }
}

impl<E: Execute> Future for ResponseFuture<E> {
    type Output = Result<Answer, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match self.get_mut() {
            Self::Ready(answer) => match answer.take() {
                Some(answer) => answer,
                // Polled after its end, which hyper does not do; waiting for ever is the mildest answer.
                None => return Poll::Pending,
            },
            Self::Running(running) => match Pin::new(&mut running.future).poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(outcome) => {
                    running.ended = true;
                    let headers = std::mem::take(&mut running.headers);
                    running.inner.operation_ended(headers, running.endpoint, outcome)
                }
            },
            Self::Boxed(future) => match future.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(answer) => answer,
            },
        };
        Poll::Ready(Ok(answer))
    }
}

impl<E: Execute> Inner<E> {
    /// `request`, if its preconditions hold.
    fn conditional(&self, head: &Parts, request: app::Request) -> Result<app::Request, Rejection> {
        let lines = |name: HeaderName| head.headers.get_all(name).iter().map(HeaderValue::as_bytes);
        page::conditional(&self.site, head.method.as_str(), request, lines(IF_MATCH), lines(IF_NONE_MATCH))
    }

    /// The whole body is read before the answer, whatever the endpoint: a bad chunk must become a 400, and
    /// the next request on the connection must not begin in the middle of this one's body.
    async fn with_body(
        self: Arc<Self>,
        head: Parts,
        body: Incoming,
        routed: Result<app::Request, Rejection>,
    ) -> Answer {
        let keep = matches!(routed, Ok(app::Request::Echo));
        let body = match self.read(body, keep).await {
            Ok(body) => body,
            Err(refusal) => return self.refuse(head.headers, refusal),
        };
        match routed {
            Ok(app::Request::Operation(Operation::Delay { milliseconds })) => {
                self.delay(head.headers, milliseconds).await
            }
            Ok(app::Request::Operation(operation)) => {
                self.site.metrics.operation_started();
                let future = self.execute.execute(operation);
                let (headers, endpoint) = (head.headers, operation.endpoint());
                let mut running = Running { future, inner: self, headers, endpoint, ended: false };
                let outcome = poll_fn(|context| Pin::new(&mut running.future).poll(context)).await;
                running.ended = true;
                let headers = std::mem::take(&mut running.headers);
                running.inner.operation_ended(headers, endpoint, outcome)
            }
            Ok(other) => self.immediate(head, other, body),
            Err(rejection) => self.reject(head, &rejection),
        }
    }

    /// Reads a body to its end; what is not kept is counted and let go.
    async fn read(&self, mut body: Incoming, keep: bool) -> Result<Bytes, Refusal> {
        let mut timeout = self.timer.sleep(self.site.limits.body_timeout);
        let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
        let mut length = 0;
        loop {
            let mut frame = body.frame();
            let frame = poll_fn(|context| match Pin::new(&mut frame).poll(context) {
                Poll::Ready(frame) => Poll::Ready(Ok(frame)),
                Poll::Pending => timeout.as_mut().poll(context).map(|()| Err(policy::BODY_TOO_SLOW)),
            });
            let data = match frame.await? {
                None => break,
                Some(Err(_)) => return Err(policy::BODY_BROKEN),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_trailers) => continue,
                },
            };
            length += data.len() as u64;
            if length > self.site.limits.max_body_bytes {
                return Err(policy::BODY_TOO_LONG);
            }
            if !keep {
                continue;
            }
            // Most bodies arrive in one piece, which is then given back without a copy.
            if first.is_empty() {
                first = data;
            } else {
                rest.extend_from_slice(&data);
            }
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity(first.len() + rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&rest);
        Ok(whole.freeze())
    }

    async fn delay(self: Arc<Self>, headers: HeaderMap, milliseconds: u64) -> Answer {
        self.site.metrics.operation_started();
        let ended = OnDrop(|| self.site.metrics.operation_ended());
        self.timer.sleep(Duration::from_millis(milliseconds)).await;
        drop(ended);
        let operation = Operation::Delay { milliseconds };
        let done = Done { answer: operation.run(), worker: Worker::current() };
        self.outcome(headers, Some(Endpoint::Delay), Ok(done))
    }

    fn operation_ended(
        &self,
        headers: HeaderMap,
        endpoint: Option<Endpoint>,
        outcome: Result<Done, Refused>,
    ) -> Answer {
        self.site.metrics.operation_ended();
        self.outcome(headers, endpoint, outcome)
    }

    fn outcome(
        &self,
        headers: HeaderMap,
        endpoint: Option<Endpoint>,
        outcome: Result<Done, Refused>,
    ) -> Answer {
        match outcome {
            Ok(Done { answer, worker }) => {
                let body = answer.body(self.site.server, worker.as_str());
                self.answer(headers, endpoint, StatusCode::OK, Some(JSON), body.into())
            }
            Err(refused) => self.page(headers, endpoint, refused.into()),
        }
    }

    /// Answers what waits for nothing.
    fn immediate(&self, head: Parts, request: app::Request, body: Bytes) -> Answer {
        if let Some(page) = Page::of(&self.site, &request) {
            return self.page(head.headers, request.endpoint(), page);
        }
        let (content_type, body) = match request {
            app::Request::Operation(operation) => {
                return self.outcome(head.headers, operation.endpoint(), run_here(&operation));
            }
            _ if head.method == Method::POST => {
                let own = head.headers.get(CONTENT_TYPE).cloned();
                (own.unwrap_or(HeaderValue::from_static(page::BYTES)), body)
            }
            _ => {
                let fields = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
                (HeaderValue::from_static(page::TEXT), page::echoed(fields).into())
            }
        };
        self.answer(head.headers, request.endpoint(), StatusCode::OK, Some(content_type), body)
    }

    fn reject(&self, head: Parts, rejection: &Rejection) -> Answer {
        self.page(head.headers, Endpoint::of(head.uri.path()), rejection.into())
    }

    fn refuse(&self, headers: HeaderMap, refusal: Refusal) -> Answer {
        closing(self.page(headers, None, Page::refusal(refusal.status.as_u16(), refusal.reason)))
    }

    fn page(&self, headers: HeaderMap, endpoint: Option<Endpoint>, page: Page) -> Answer {
        let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = page.content_type.map(HeaderValue::from_static);
        let mut answer = self.answer(headers, endpoint, status, content_type, page.body);
        if let Some(allow) = page.allow {
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(time) = page.retry_after {
            answer.headers_mut().insert(RETRY_AFTER, time.as_secs().into());
        }
        answer
    }

    /// Every answer's header fields are these: Content-Type here, Content-Length and Date by hyper.
    fn answer(
        &self,
        mut headers: HeaderMap,
        endpoint: Option<Endpoint>,
        status: StatusCode,
        content_type: Option<HeaderValue>,
        body: Bytes,
    ) -> Answer {
        self.site.metrics.answered(endpoint, status.as_u16());
        headers.clear();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        let mut answer = Answer::new(Full::new(body));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        answer
    }
}

/// The answer, as the last one of its connection.
fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
