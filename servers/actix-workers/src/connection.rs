//! What the handler keeps in order that actix does not where requests are pipelined: the end of a connection, and HEAD.
//!
//! actix reads ahead, and forgets at the next request what the one before wanted of its answer: whether it was a HEAD,
//! and whether the connection ends with it. Both would let one request's answer be taken for another's, which
//! is never excused. So a HEAD's answer has no body of its own here, and behind the last request comes the end.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::{ConnectionType, header::CONTENT_LENGTH},
    rt,
    web::Bytes,
};
use kit::service::Site;

/// A connection's data. Its end is counted when it goes.
pub(crate) struct Connection {
    site: Arc<Site>,
    had_its_last_request: Cell<bool>,
}

impl Connection {
    pub(crate) fn new(site: Arc<Site>) -> Self {
        Self { site, had_its_last_request: Cell::new(false) }
    }

    /// Whether `request` comes behind the last one of its connection.
    pub(crate) fn is_over(request: &HttpRequest) -> bool {
        request.conn_data::<Self>().is_some_and(|connection| connection.had_its_last_request.get())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.site.metrics.closed();
    }
}

/// Makes `response` say what `request` alone asks of it, whatever actix has read since.
pub(crate) fn finish(request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    if request.head().connection_type() == ConnectionType::Close {
        response.head_mut().set_connection_type(ConnectionType::Close);
        if let Some(connection) = request.conn_data::<Connection>() {
            connection.had_its_last_request.set(true);
        }
    }
    match response.body().size() {
        BodySize::Sized(length) if request.method() == actix_web::http::Method::HEAD => {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
            response.head_mut().no_chunking(true);
            response.set_body(NoBody::Ends).map_into_boxed_body()
        }
        _ => response,
    }
}

/// Ends the connection without an answer (RFC 9112 section 9.6).
pub(crate) async fn cut() -> HttpResponse {
    // Another task's turn comes when this one has sent the answer before.
    drop(rt::spawn(async {}).await);
    HttpResponse::Ok().body(NoBody::Cut)
}

/// A body without bytes.
enum NoBody {
    /// It ends.
    Ends,
    /// It fails, at which actix closes the connection and sends nothing more.
    Cut,
}

impl MessageBody for NoBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        Poll::Ready(match *self {
            Self::Ends => None,
            Self::Cut => Some(Err(io::Error::other("a request behind the last one of its connection"))),
        })
    }
}
