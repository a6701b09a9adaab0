//! Date: in every answer of the classes 2xx, 3xx and 4xx, whoever writes it (RFC 9110 section 6.6.1).

use app::Endpoint;

use crate::case::{Case, code, get};
use crate::context::Context;
use crate::response::Response;
use crate::verdict::{Finding, Level, Verdict, finding};
use crate::wire::Broken;

const SOURCE: &str = "9110 6.6.1";

/// More than any server needs to accept of one part of a head.
const LONG: usize = 256 * 1024;

/// What a date looks like (RFC 9110 section 5.6.7): `A` stands for any capital, `a` for any other letter, `0` for any digit.
const FORM: &str = "Aaa, 00 Aaa 0000 00:00:00 GMT";

/// Requests that are refused, each by another part of a server than most, and what they are called.
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let long = "a".repeat(LONG);
    let post = "POST /echo HTTP/1.1\r\nHost: c\r\n";
    let rows = [
        ("a request line of rubbish", "rubbish\r\n\r\n".to_owned()),
        ("a malformed field", "GET /simple HTTP/1.1\r\nHost: c\r\nX A: b\r\n\r\n".to_owned()),
        ("a missing Host", "GET /simple HTTP/1.1\r\n\r\n".to_owned()),
        ("a bad target", "GET /%zz HTTP/1.1\r\nHost: c\r\n\r\n".to_owned()),
        ("a long target", format!("GET /{long} HTTP/1.1\r\nHost: c\r\n\r\n")),
        ("a long field", format!("GET /simple HTTP/1.1\r\nHost: c\r\nX-A: {long}\r\n\r\n")),
        ("a bad length", format!("{post}Content-Length: x\r\n\r\n")),
        ("a length beyond 64 bits", format!("{post}Content-Length: 99999999999999999999\r\n\r\n")),
        ("a long body", format!("{post}Content-Length: 1000000000000\r\n\r\n")),
        ("two framings", format!("{post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("a bad chunk", format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n")),
        ("a bad trailer", format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\nHost: d\r\n\r\n")),
        ("an expectation", "GET /simple HTTP/1.1\r\nHost: c\r\nExpect: tea\r\n\r\n".to_owned()),
        ("a precondition", "GET /simple HTTP/1.1\r\nHost: c\r\nIf-Match: \"a\"\r\n\r\n".to_owned()),
        ("what is not modified", "GET /simple HTTP/1.1\r\nHost: c\r\nIf-None-Match: *\r\n\r\n".to_owned()),
        ("a wrong method", "PUT /simple HTTP/1.1\r\nHost: c\r\n\r\n".to_owned()),
        ("an older client", "GET /nowhere HTTP/1.0\r\n\r\n".to_owned()),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ];
    rows.into_iter().map(|(what, request)| (what, request.into_bytes())).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        code("every answer has a Date", Level::Must, SOURCE, |context| finding(every_answer(context))),
        code("every refusal has a Date", Level::Must, SOURCE, |context| finding(every_refusal(context))),
        code("a 408 has a Date", Level::Must, SOURCE, timeout),
    ]
}

fn every_answer(context: &Context<'_>) -> Result<(), String> {
    for target in
        ["/nowhere", "/complex?iterations=x"].into_iter().chain(Endpoint::ALL.map(Endpoint::example))
    {
        let response = context.exchange(&get(target), false)?;
        is_dated(&response).map_err(|what| format!("the answer to {target}: {what}"))?;
    }
    Ok(())
}

fn every_refusal(context: &Context<'_>) -> Result<(), String> {
    for (what, request) in refused() {
        let mut client = context.connect()?;
        // A server may refuse and close while bytes are still on their way to it.
        drop(client.send(&request));
        match client.receive(false) {
            Ok(response) => is_dated(&response).map_err(|wrong| format!("the answer to {what}: {wrong}"))?,
            // What is not answered is judged by other cases.
            Err(Broken::Closed) => {}
            Err(broken) => return Err(format!("{what}: {broken}")),
        }
    }
    Ok(())
}

fn timeout(context: &Context<'_>) -> Finding {
    let Some(timeout) = context.options.header_timeout else {
        return (Verdict::Skip, "the server's --header-timeout is not known".to_owned());
    };
    let timed_out = || {
        let mut client = context.connect()?;
        client.send(b"GET /simple HTTP/1.1\r\nHost: c\r\n").map_err(|error| error.to_string())?;
        match client.receive_within(false, timeout + context.options.patience) {
            Ok(response) => is_dated(&response),
            Err(Broken::Closed) => Ok(()),
            Err(broken) => Err(broken.to_string()),
        }
    };
    finding(timed_out())
}

fn is_dated(response: &Response) -> Result<(), String> {
    let status = response.status;
    match response.header("date") {
        _ if !(200..500).contains(&status) => Ok(()),
        None => Err(format!("a {status} without Date")),
        Some(date) if is_date(date) => Ok(()),
        Some(date) => Err(format!("a {status} with Date {date:?}, which is none")),
    }
}

fn is_date(text: &str) -> bool {
    let fits = |(byte, form): (u8, u8)| match form {
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        b'0' => byte.is_ascii_digit(),
        form => byte == form,
    };
    text.len() == FORM.len() && text.bytes().zip(FORM.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_one_form() {
        assert!(is_date("Sun, 06 Nov 1994 08:49:37 GMT"));
        for other in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
        ] {
            assert!(!is_date(other), "{other}");
        }
    }
}
