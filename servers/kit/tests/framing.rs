//! Where messages end, by `kit::framing` and by hyper, which sees the same bytes one by one.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};
use kit::framing::Framing;
use proptest::prelude::*;

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
    let mut context = Context::from_waker(Waker::noop());
    let mut ends = Vec::new();
    for (at, &byte) in bytes.iter().enumerate() {
        *stream.0.lock().unwrap() = Some(byte);
        // hyper may want to be polled again without having read.
        for _ in 0..4 {
            if connection.as_mut().poll(&mut context).is_ready() {
                return Reading { ends, stopped: Some(at) };
            }
            let whole = *whole.lock().unwrap();
            if ends.len() < whole {
                ends.push(at + 1);
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
        if framing.read(&[*byte]).is_err() {
            return Reading { ends, stopped: Some(at) };
        }
        if began && framing.is_between_messages() {
            ends.push(at + 1);
        }
    }
    Reading { ends, stopped: None }
}

/// As far as both read on, messages must end in the same places.
fn agree(bytes: &[u8]) -> Result<(), String> {
    let (hyper, framing) = (by_hyper(bytes), by_framing(bytes));
    let until = hyper.stopped.into_iter().chain(framing.stopped).min().unwrap_or(bytes.len());
    let both = |ends: &[usize]| ends.iter().copied().filter(|&end| end <= until).collect::<Vec<_>>();
    if both(&hyper.ends) == both(&framing.ends) {
        return Ok(());
    }
    Err(format!("{:?}\nhyper: {hyper:?}\nframing: {framing:?}", String::from_utf8_lossy(bytes)))
}

/// What requests are made of, well and badly.
const PIECES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\n",
    "POST / HTTP/1.0\r\n",
    "OPTIONS * HTTP/1.1\n",
    "G#T /a?b HTTP/1.1\r\n",
    "GET /#a HTTP/1.1\r\n",
    "GET /\r\n",
    "Host: a\r\n",
    "Content-Length: 3\r\n",
    "content-length:  10 \r\n",
    "Content-Length: 3\n",
    "Content-Length: 3, 3\r\n",
    "Content-Length : 3\r\n",
    "Content-Length: +3\r\n",
    "Content-Length:\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "tRANSFER-eNCODING:chunked\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked, gzip\r\n",
    "Transfer-Encodin: x\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\nConnection: upgrade\r\n",
    " folded\r\n",
    "T\r\n",
    "C: \r\n",
    "\r\n",
    "\n",
    "\r",
    "abc",
    "abc\r\n",
    "3\r\nabc\r\n",
    "3;a=b\r\nabc\r\n",
    "3;a=\"\\\"\"\r\nabc\r\n",
    "3 \r\nabc\r\n",
    "3 ;a\r\nabc\r\n",
    "3;\r\nabc\r\n",
    "3\nabc\r\n",
    "3\r\nabc\n",
    "A\r\n0123456789\r\n",
    "0\r\n",
    "00\r\n\r\n",
    "0\r\nT: a\r\n\r\n",
    "0\r\nT: a\n\r\n\r\n",
    "FFFFFFFFFFFFFFFF\r\n",
    "10000000000000000\r\n",
    "\0",
    "\u{e9}",
];

#[test]
fn messages_end_where_hyper_says_they_do() {
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\nA: b\r\n\r\n";
    let sized = "\r\nPOST / HTTP/1.1\nContent-Length: 3\n\nabc";
    let bytes = [chunked, sized, "GET / HTTP/1.1\r\n\r\n"].concat();
    let ends = [chunked.len(), chunked.len() + sized.len(), bytes.len()].to_vec();
    let expected = Reading { ends, stopped: None };
    assert_eq!(by_hyper(bytes.as_bytes()), expected);
    assert_eq!(by_framing(bytes.as_bytes()), expected);
}

#[test]
fn a_disagreement_would_be_seen() {
    let ends = |ends: &[usize]| Reading { ends: ends.to_vec(), stopped: None };
    assert_ne!(ends(&[3]), ends(&[4]));
    // Between a reader that takes a length and one that takes a chunk, which these bytes would show.
    let bytes = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n0\r\n\r\n";
    assert_eq!(by_hyper(bytes).ends, [bytes.len() - 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn hyper_and_framing_agree_on_any_pieces(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 1..16),
    ) {
        let whole = pieces.concat();
        prop_assert_eq!(agree(whole.as_bytes()), Ok(()));
    }

    #[test]
    fn hyper_and_framing_agree_on_requests_with_one_byte_changed(
        messages in prop::collection::vec(
            prop::sample::select(vec![
                "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n5;a=\"b\"\r\nhello\r\n00\r\nC: d\r\n\r\n",
            ]),
            1..4,
        ),
        place: prop::sample::Index,
        byte: u8,
    ) {
        let mut bytes = messages.concat().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        prop_assert_eq!(agree(&bytes), Ok(()));
    }
}
