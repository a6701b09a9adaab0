//! Paths and methods: what is not there, what is not allowed, what is not known, and HEAD and OPTIONS.

use app::Endpoint;

use crate::case::{Case, Check, Step, answer, code, get, must, request, simple};
use crate::context::Context;
use crate::response::Response;
use crate::verdict::{Level, finding};

/// The methods of every path that only reads.
const READ: Option<&str> = Some("GET, HEAD, OPTIONS");

/// What must hold, and the target: each has HEAD where it has GET.
const HEADS: &[(&str, &str)] = &[
    ("HEAD of the index has no body", "/"),
    ("HEAD of the alias of simple has no body", "/operacion-simple"),
    ("HEAD of complex has no body", "/complex?iterations=9"),
    ("HEAD of the alias of complex has no body", "/operacion-compleja?iterations=9"),
    ("HEAD of randoms has no body", "/api/randoms?count=9"),
    ("HEAD of delay has no body", "/delay?ms=0"),
    ("HEAD of echo has no body", "/echo"),
    ("HEAD of info has no body", "/info"),
    ("HEAD of healthz has no body", "/healthz"),
    ("HEAD of metrics has no body", "/metrics"),
    ("HEAD of the description for programs has no body", "/openapi.yaml"),
];

/// What must hold, the target, and its methods.
const OPTIONS: &[(&str, &str, &str)] = &[
    ("OPTIONS of the index lists its methods", "/", "GET, HEAD, OPTIONS"),
    ("OPTIONS of the alias of simple lists its methods", "/operacion-simple", "GET, HEAD, OPTIONS"),
    ("OPTIONS of complex needs no parameter", "/complex", "GET, HEAD, OPTIONS"),
    ("OPTIONS ignores a wrong parameter", "/complex?iterations=x", "GET, HEAD, OPTIONS"),
    ("OPTIONS of randoms lists its methods", "/api/randoms", "GET, HEAD, OPTIONS"),
    ("OPTIONS of delay needs no parameter", "/delay", "GET, HEAD, OPTIONS"),
    ("OPTIONS of info lists its methods", "/info", "GET, HEAD, OPTIONS"),
    ("OPTIONS of healthz lists its methods", "/healthz", "GET, HEAD, OPTIONS"),
    ("OPTIONS of metrics lists its methods", "/metrics", "GET, HEAD, OPTIONS"),
    ("OPTIONS of the description for programs lists its methods", "/openapi.yaml", "GET, HEAD, OPTIONS"),
];

/// What must hold, the method, the target, the status, and the `Allow` header where one is due.
const REFUSED: &[(&str, &str, &str, u16, Option<&str>)] = &[
    ("an unknown path is 404 whatever the method", "DELETE", "/nowhere", 404, None),
    ("POST to the index is 405", "POST", "/", 405, READ),
    ("POST to simple is 405", "POST", "/simple", 405, READ),
    ("POST to the alias of simple is 405", "POST", "/operacion-simple", 405, READ),
    ("POST to complex is 405", "POST", "/complex", 405, READ),
    ("POST to the alias of complex is 405", "POST", "/operacion-compleja", 405, READ),
    ("POST to randoms is 405", "POST", "/api/randoms", 405, READ),
    ("POST to delay is 405", "POST", "/delay", 405, READ),
    ("POST to info is 405", "POST", "/info", 405, READ),
    ("POST to healthz is 405", "POST", "/healthz", 405, READ),
    ("POST to metrics is 405", "POST", "/metrics", 405, READ),
    ("POST to the description for programs is 405", "POST", "/openapi.yaml", 405, READ),
    ("a wrong method is told before a wrong parameter", "POST", "/complex?iterations=x", 405, READ),
    ("DELETE of echo is 405", "DELETE", "/echo", 405, Some("GET, HEAD, POST, OPTIONS")),
    ("TRACE is 405, so that no field is reflected", "TRACE", "/simple", 405, READ),
    ("TRACE of echo is 405", "TRACE", "/echo", 405, Some("GET, HEAD, POST, OPTIONS")),
    ("PUT to echo is 405", "PUT", "/echo", 405, Some("GET, HEAD, POST, OPTIONS")),
    ("DELETE of the alias is 405", "DELETE", "/operacion-compleja", 405, READ),
    ("PATCH of metrics is 405", "PATCH", "/metrics", 405, READ),
    ("an unknown method is 501", "BREW", "/simple", 501, None),
    ("an unknown method is 501 on an unknown path too", "BREW", "/nowhere", 501, None),
    ("a method of unusual characters is 501", "M-SEARCH!#$%&'*+.^_`|~9", "/simple", 501, None),
    ("a method of WebDAV is 501", "PROPFIND", "/simple", 501, None),
    ("methods are case-sensitive", "get", "/simple", 501, None),
    ("a method that only begins like one is unknown", "GETX", "/simple", 501, None),
    ("a method that is a part of one is unknown", "GE", "/simple", 501, None),
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
    cases.extend(HEADS.iter().map(|&(name, target)| {
        let steps = vec![
            Step::Send([request("HEAD", target), get("/simple")].concat()),
            answer(200).without_body().then(),
            simple().then(),
        ];
        must(name, "9110 9.3.2", steps)
    }));
    cases.extend(OPTIONS.iter().map(|&(name, target, methods)| {
        let steps = vec![
            Step::Send([request("OPTIONS", target), get("/simple")].concat()),
            answer(204).with(Check::Allow(methods)).then(),
            simple().then(),
        ];
        must(name, "contract", steps)
    }));
    cases.extend([
        must(
            "HEAD of a wrong parameter is 400 without body",
            "9110 9.3.2",
            vec![
                Step::Send([request("HEAD", "/complex?iterations=x"), get("/simple")].concat()),
                answer(400).without_body().then(),
                simple().then(),
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
        code("HEAD gives the header of GET on every path", Level::Should, "9110 9.3.2", |context| {
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
