//! Where messages end, by `kit::framing` and by hyper, which sees the same bytes one by one.
//!
//! An input is what a client sends. kit's filter may stop sooner than hyper, that is what it is for; as far as both
//! read on, every message must end behind the same byte for both.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};
use kit::framing::{Framing, Instead};

use crate::{Violation, violation};

/// Compares kit's filter with hyper.
///
/// # Errors
/// Where they disagree.
pub fn check(bytes: &[u8]) -> Result<(), Violation> {
    compare(by_hyper(&shown(bytes)), by_framing(bytes))
}

/// The bytes as hyper sees them, as far as the filter only changes single ones.
fn shown(bytes: &[u8]) -> Vec<u8> {
    let mut shown = bytes.to_vec();
    let mut framing = Framing::default();
    let mut from = 0;
    while let Some(Instead::Byte { at, byte }) = framing.read(&bytes[from..]) {
        shown[from + at] = byte;
        from += at + 1;
    }
    shown
}

fn compare(hyper: Reading, framing: Reading) -> Result<(), Violation> {
    let until = hyper.stopped.into_iter().chain(framing.stopped).min().unwrap_or(usize::MAX);
    let both =
        |reading: &Reading| reading.ends.iter().copied().filter(|&end| end <= until).collect::<Vec<_>>();
    if both(&hyper) == both(&framing) {
        return Ok(());
    }
    violation!("messages end elsewhere: by hyper {hyper:?}, by framing {framing:?}")
}

/// A stream that has one byte at a time, and swallows what is written to it.
#[derive(Clone, Default)]
struct Stream(Arc<Mutex<Option<u8>>>);

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.0.lock().unwrap().take() {
            None => Poll::Pending,
            Some(byte) => {
                room.put_slice(&[byte]);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Whether a task wants to be polled again.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// What a reader found: where messages ended, and after how many bytes it would read no more, if it would not.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    ends: Vec<usize>,
    stopped: Option<usize>,
}

fn by_hyper(bytes: &[u8]) -> Reading {
    let whole = Arc::new(Mutex::new(0_usize));
    let counting = Arc::clone(&whole);
    let service = service_fn(move |request: Request<Incoming>| {
        let whole = Arc::clone(&counting);
        async move {
            if request.into_body().collect().await.is_ok() {
                *whole.lock().unwrap() += 1;
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let stream = Stream::default();
    let mut connection =
        pin!(http1::Builder::new().header_read_timeout(None).serve_connection(stream.clone(), service));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut ends = Vec::new();
    for (at, &byte) in bytes.iter().enumerate() {
        *stream.0.lock().unwrap() = Some(byte);
        loop {
            if connection.as_mut().poll(&mut context).is_ready() {
                return Reading { ends, stopped: Some(at) };
            }
            let whole = *whole.lock().unwrap();
            if ends.len() < whole {
                ends.push(at + 1);
            }
            // hyper may want to go on without having read.
            if !woken.0.swap(false, Relaxed) {
                break;
            }
        }
        if stream.0.lock().unwrap().is_some() {
            return Reading { ends, stopped: Some(at) };
        }
    }
    Reading { ends, stopped: None }
}

fn by_framing(bytes: &[u8]) -> Reading {
    let mut framing = Framing::default();
    let mut ends = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let began = !framing.is_between_messages();
        if let Some(Instead::End { .. }) = framing.read(&[*byte]) {
            return Reading { ends, stopped: Some(at) };
        }
        if began && framing.is_between_messages() {
            ends.push(at + 1);
        }
    }
    Reading { ends, stopped: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_end_where_hyper_says_they_do() {
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\nA: b\r\n\r\n";
        let sized = "\r\nPOST / HTTP/1.1\nContent-Length: 3\n\nabc";
        let bytes = [chunked, sized, "GET / HTTP/1.1\r\n\r\n"].concat();
        let later = bytes.replace("HTTP/1.1", "HTTP/1.7");
        let ends = [chunked.len(), chunked.len() + sized.len(), bytes.len()].to_vec();
        let expected = Reading { ends, stopped: None };
        assert_eq!(by_hyper(bytes.as_bytes()), expected);
        assert_eq!(by_framing(bytes.as_bytes()), expected);
        assert_eq!(shown(later.as_bytes()), bytes.as_bytes());
        assert_eq!(by_framing(later.as_bytes()), expected);
    }

    #[test]
    fn a_disagreement_is_seen_up_to_where_one_of_them_stops() {
        let reading = |ends: &[usize], stopped| Reading { ends: ends.to_vec(), stopped };
        assert!(compare(reading(&[38], None), reading(&[43], None)).is_err());
        assert!(compare(reading(&[38], None), reading(&[], None)).is_err());
        assert!(compare(reading(&[38], Some(50)), reading(&[38, 45], None)).is_err());
        assert!(compare(reading(&[38], Some(40)), reading(&[38, 45], None)).is_ok());
        // What a reader that went by chunks would have ended two bytes later.
        let bytes = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n0\r\n\r\n";
        assert_eq!(by_hyper(bytes).ends, [bytes.len() - 2]);
    }
}
