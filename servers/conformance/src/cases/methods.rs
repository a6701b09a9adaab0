//! Paths and methods: what is not there, what is not allowed, what is not known, and HEAD and OPTIONS.

use app::{ALLOW_ANY, Endpoint};

use crate::case::{Case, Check, Level, Step, answer, code, get, must, request, send, simple};
use crate::play::{Context, finding};
use crate::response::Response;

/// What must hold, the method, the target, the status, and the `Allow` header where one is due.
const REFUSED: &[(&str, &str, &str, u16, Option<&str>)] = &[
    ("an unknown path is 404", "GET", "/nowhere", 404, None),
    ("a trailing slash makes another path", "GET", "/simple/", 404, None),
    ("paths are case-sensitive", "GET", "/Simple", 404, None),
    ("an unknown path is 404 whatever the method", "DELETE", "/nowhere", 404, None),
    ("POST to simple is 405", "POST", "/simple", 405, Some("GET, HEAD, OPTIONS")),
    ("PUT to echo is 405", "PUT", "/echo", 405, Some("GET, HEAD, POST, OPTIONS")),
    ("DELETE of the alias is 405", "DELETE", "/operacion-compleja", 405, Some("GET, HEAD, OPTIONS")),
    ("PATCH of metrics is 405", "PATCH", "/metrics", 405, Some("GET, HEAD, OPTIONS")),
    ("an unknown method is 501", "BREW", "/simple", 501, None),
    ("an unknown method is 501 on an unknown path too", "BREW", "/nowhere", 501, None),
    ("methods are case-sensitive", "get", "/simple", 501, None),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = REFUSED
        .iter()
        .map(|&(name, method, target, status, allow)| {
            let mut expected = answer(status).with(Check::Mentions(&[]));
            if let Some(allow) = allow {
                expected = expected.with(Check::Allow(allow));
            }
            let steps = vec![
                Step::Send(request(method, target)),
                expected.then(),
                Step::Send(get("/simple")),
                simple().then(),
            ];
            must(name, "contract", steps)
        })
        .collect();
    cases.extend([
        must(
            "the body of a refused request is not taken for the next one",
            "9112 9.3",
            vec![
                send(
                    "POST /simple HTTP/1.1\r\nHost: c\r\nContent-Length: 34\r\n\r\n\
                     GET /nowhere HTTP/1.1\r\nHost: c\r\n\r\n",
                ),
                answer(405).then(),
                Step::UsableOrClosed,
            ],
        ),
        must(
            "OPTIONS is 204 with the methods of the path",
            "contract",
            vec![
                Step::Send(request("OPTIONS", "/simple")),
                answer(204).with(Check::Allow("GET, HEAD, OPTIONS")).then(),
                Step::Send(request("OPTIONS", "/echo")),
                answer(204).with(Check::Allow("GET, HEAD, POST, OPTIONS")).then(),
                Step::Send(get("/simple")),
                simple().then(),
            ],
        ),
        must(
            "OPTIONS of the server is 204",
            "9110 9.3.7",
            vec![Step::Send(request("OPTIONS", "*")), answer(204).with(Check::Allow(ALLOW_ANY)).then()],
        ),
        must(
            "OPTIONS of an unknown path is 404",
            "contract",
            vec![Step::Send(request("OPTIONS", "/nowhere")), answer(404).then()],
        ),
        must(
            "a HEAD answer has no body and the next answer follows at once",
            "9110 9.3.2",
            vec![
                Step::Send([request("HEAD", "/simple"), get("/simple")].concat()),
                answer(200).without_body().then(),
                simple().then(),
            ],
        ),
        must(
            "HEAD of an unknown path is 404 without body",
            "9110 9.3.2",
            vec![
                Step::Send([request("HEAD", "/nowhere"), get("/simple")].concat()),
                answer(404).without_body().then(),
                simple().then(),
            ],
        ),
        code("HEAD gives the header of GET on every path", Level::Must, "9110 9.3.2", |context| {
            finding(head_is_like_get(context))
        }),
    ]);
    cases
}

fn head_is_like_get(context: &Context<'_>) -> Result<(), String> {
    for endpoint in Endpoint::ALL {
        let target = endpoint.example();
        let got = context.exchange(&get(target), false)?;
        let head = context.exchange(&request("HEAD", target), true)?;
        compare(endpoint, &got, &head).map_err(|what| format!("{target}: {what}"))?;
    }
    Ok(())
}

fn compare(endpoint: Endpoint, got: &Response, head: &Response) -> Result<(), String> {
    if got.status != head.status {
        return Err(format!("GET gives {}, HEAD {}", got.status, head.status));
    }
    for name in ["content-type", "content-length"] {
        let (got, head) = (got.header(name), head.header(name));
        // HEAD may leave the length out (RFC 9110 section 8.6), and most bodies name a worker, whose name
        // may be longer in the next answer. No body here is empty.
        let constant_length = matches!(endpoint, Endpoint::Index | Endpoint::Healthz | Endpoint::OpenApi);
        let agree = match name {
            "content-length" if head.is_none() => true,
            "content-length" if !constant_length => head != Some("0"),
            _ => got == head,
        };
        if !agree {
            return Err(format!("{name} is {got:?} for GET, {head:?} for HEAD"));
        }
    }
    Ok(())
}
