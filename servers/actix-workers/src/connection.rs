//! What the handler keeps in order that actix does not where requests are pipelined: the end of a connection, and HEAD.
//!
//! actix reads ahead, and forgets at the next request what the one before wanted of its answer: whether it was a HEAD,
//! and whether the connection ends with it. Both would let one request's answer be taken for another's, which
//! is never excused. So a HEAD's answer has no body of its own here; behind the last request comes the end; and so it does
//! where a HEAD has come while an answer before it was waited for, since that answer is about to go without its body.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::{ConnectionType, Method, StatusCode, header::CONTENT_LENGTH},
    rt,
    web::Bytes,
};
use kit::service::Site;

/// A connection's data. Its end is counted when it goes.
pub(crate) struct Connection {
    site: Arc<Site>,
    had_its_last_request: Cell<bool>,
    /// An answer that had to be waited for is written, and not sent yet.
    unsent: Rc<Cell<bool>>,
}

impl Connection {
    pub(crate) fn new(site: Arc<Site>) -> Self {
        Self { site, had_its_last_request: Cell::new(false), unsent: Rc::default() }
    }

    /// How the connection ends instead of answering `request`, if it must.
    pub(crate) fn end_before(request: &HttpRequest) -> Option<End> {
        let connection = request.conn_data::<Self>()?;
        if request.method() == Method::HEAD && connection.unsent.get() {
            return Some(End::WithoutTheAnswerBefore);
        }
        connection.had_its_last_request.get().then_some(End::BehindTheAnswerBefore)
    }
}

/// How a connection is cut.
pub(crate) enum End {
    /// The request before was the last one (RFC 9112 section 9.6).
    BehindTheAnswerBefore,
    /// The answer before has lost its body.
    WithoutTheAnswerBefore,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.site.metrics.closed();
    }
}

/// Makes `response` say what `request` alone asks of it, whatever actix has read since. `waited`: it was not there at once.
pub(crate) fn finish(request: &HttpRequest, mut response: HttpResponse, waited: bool) -> HttpResponse {
    let connection = request.conn_data::<Connection>();
    if request.head().connection_type() == ConnectionType::Close {
        response.head_mut().set_connection_type(ConnectionType::Close);
        if let Some(connection) = connection {
            connection.had_its_last_request.set(true);
        }
    }
    match response.body().size() {
        // What is not modified has no length to tell.
        BodySize::Sized(length)
            if request.method() == Method::HEAD && response.status() != StatusCode::NOT_MODIFIED =>
        {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
            response.head_mut().no_chunking(true);
            return response.set_body(NoBody::Ends).map_into_boxed_body();
        }
        _ => {}
    }
    if let Some(connection) = connection.filter(|_| waited) {
        let unsent = Rc::clone(&connection.unsent);
        unsent.set(true);
        // Another task's turn comes when this one has sent what it wrote.
        rt::spawn(async move { unsent.set(false) });
    }
    response
}

/// Ends the connection without an answer.
pub(crate) async fn cut(end: End) -> HttpResponse {
    if matches!(end, End::BehindTheAnswerBefore) {
        // As above: that answer is sent first.
        drop(rt::spawn(async {}).await);
    }
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
            Self::Cut => {
                Some(Err(io::Error::other("requests are pipelined in a way that actix-http mixes up")))
            }
        })
    }
}
