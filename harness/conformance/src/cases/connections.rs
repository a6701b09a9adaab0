//! How connections live: kept, pipelined, split, closed, and abandoned.

use app::Operation;

use crate::case::{Case, Check, Step, answer, code, get, is_of_1_1, must, result_of, send, should, simple};
use crate::cases::{SIMPLE, and_smuggled};
use crate::context::Context;
use crate::verdict::{Level, finding};

/// What must hold, who says so, and the fields of a request after which the connection stays.
const KEPT: &[(&str, &str, &str)] = &[
    ("Connection: keep-alive changes nothing in HTTP/1.1", "9112 9.3", "Connection: keep-alive"),
    ("an unknown connection option changes nothing", "9110 7.6.1", "Connection: x-other"),
    ("an empty list of connection options changes nothing", "9110 7.6.1", "Connection: ,"),
    ("an option that only begins like close does not close", "9110 7.6.1", "Connection: closed, close-not"),
    ("an option that names Host does no harm", "9110 7.6.1", "Connection: Host"),
    ("a field of the old proxies does not close", "9112 9.3", "Proxy-Connection: close"),
    ("Keep-Alive alone does no harm", "9112 9.3", "Keep-Alive: timeout=0, max=0"),
];

/// The same for one after which it closes, whatever follows.
const CLOSED: &[(&str, &str, &str)] = &[
    ("close is recognised without a blank", "9112 9.6", "Connection:close"),
    ("Close is recognised in capitals", "9110 7.6.1", "Connection: Close"),
    ("close is recognised before other options", "9110 7.6.1", "Connection: close, x-other"),
    ("close is recognised between blanks and commas", "9110 7.6.1", "Connection: ,\t close \t,"),
    ("close prevails over keep-alive", "9112 9.3", "Connection: keep-alive, close"),
    ("close prevails over a later keep-alive", "9112 9.3", "Connection: close, keep-alive"),
    ("close is recognised in a second field", "9110 7.6.1", "Connection: keep-alive\r\nConnection: close"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        must(
            "a connection serves one request after another",
            "9112 9.3",
            (0..3).flat_map(|_| [Step::Send(get("/simple")), simple().then()]).collect(),
        ),
        must("two requests in one write are both answered", "9112 9.3.2", pipelined(2)),
        must("ten requests in one write are answered in their order", "9112 9.3.2", pipelined(10)),
        must(
            "a slow request does not let a later one of its connection overtake it",
            "9112 9.3.2",
            vec![
                Step::Send([get("/delay?ms=30"), get("/simple")].concat()),
                result_of(Operation::Delay { milliseconds: 30 }).then(),
                simple().then(),
            ],
        ),
        must(
            "requests with and without bodies can be mixed in one write",
            "9112 9.3.2",
            vec![
                send(concat!(
                    "POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\n\r\nfirst",
                    "GET /simple HTTP/1.1\r\nHost: c\r\n\r\n",
                    "POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecond\r\n0\r\n\r\n",
                    "GET /healthz HTTP/1.1\r\nHost: c\r\n\r\n",
                )),
                answer(200).body("first").then(),
                simple().then(),
                answer(200).body("second").then(),
                answer(200).then(),
            ],
        ),
        must(
            "Connection: close is obeyed and announced",
            "9112 9.6",
            vec![
                send("GET /simple HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n"),
                simple().with(Check::AnnouncesClose).then(),
                Step::Closes,
            ],
        ),
        must(
            "Connection: close is recognised in any case and among other options",
            "9110 7.6.1",
            vec![
                send("GET /simple HTTP/1.1\r\nHost: c\r\nConnection: x-other, CLOSE\r\n\r\n"),
                simple().then(),
                Step::Closes,
            ],
        ),
        must(
            "nothing is answered after Connection: close",
            "9112 9.6",
            vec![
                send(
                    "GET /simple HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n\
                     GET /simple HTTP/1.1\r\nHost: c\r\n\r\n",
                ),
                simple().then(),
                Step::Closes,
            ],
        ),
        must(
            "HTTP/1.0 is answered without a Host and closed",
            "9112 9.3",
            vec![send("GET /simple HTTP/1.0\r\n\r\n"), simple().then(), Step::Closes],
        ),
        should(
            "HTTP/1.0 with keep-alive is kept and told so",
            "9112 C.2.2",
            vec![
                send("GET /simple HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                simple()
                    .that(|answer| match answer.has_token("connection", "keep-alive") {
                        true => Ok(()),
                        false => Err("the answer lacks Connection: keep-alive".to_owned()),
                    })
                    .then(),
                send("GET /simple HTTP/1.0\r\n\r\n"),
                simple().then(),
                Step::Closes,
            ],
        ),
        must(
            "an HTTP/1.0 answer does not come in chunks",
            "9112 6.1",
            vec![
                send("POST /echo HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody"),
                answer(200)
                    .body("body")
                    .that(|answer| match answer.header("transfer-encoding") {
                        None => Ok(()),
                        Some(coding) => Err(format!("it has Transfer-Encoding: {coding}")),
                    })
                    .then(),
                Step::Closes,
            ],
        ),
        should(
            "HTTP/1.0 is answered in HTTP/1.1, which says that it closes",
            "9110 6.2",
            vec![
                send("GET /simple HTTP/1.0\r\n\r\n"),
                simple().that(is_of_1_1).with(Check::AnnouncesClose).then(),
                Step::Closes,
            ],
        ),
        should(
            "HTTP/1.0 that waits for its answer is answered in HTTP/1.1",
            "9110 6.2",
            vec![
                send("POST /echo HTTP/1.0\r\nContent-Length: 13\r\n\r\nHTTP/1.0 200\n"),
                answer(200).body("HTTP/1.0 200\n").that(is_of_1_1).then(),
                Step::Closes,
            ],
        ),
        should(
            "errors of HTTP/1.0 are answered in HTTP/1.1",
            "9110 6.2",
            vec![
                send("GET /nowhere HTTP/1.0\r\n\r\n"),
                answer(404).that(is_of_1_1).with(Check::AnnouncesClose).then(),
                Step::Closes,
            ],
        ),
        should(
            "a pipeline of HTTP/1.0 that is kept is answered in HTTP/1.1",
            "9110 6.2",
            vec![
                send(concat!(
                    "GET /simple HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                    "HEAD /simple HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                    "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 9\r\n\r\nHTTP/1.0 ",
                    "GET /simple HTTP/1.1\r\nHost: c\r\n\r\n",
                    "GET /complex?iterations=9 HTTP/1.0\r\n\r\n",
                )),
                simple().that(is_of_1_1).then(),
                answer(200).without_body().that(is_of_1_1).then(),
                answer(200).body("HTTP/1.0 ").that(is_of_1_1).then(),
                simple().that(is_of_1_1).then(),
                result_of(complex(9)).that(is_of_1_1).then(),
                Step::Closes,
            ],
        ),
        must(
            "HTTP/1.0 with Connection: close is closed",
            "9112 9.3",
            vec![send("GET /simple HTTP/1.0\r\nConnection: close\r\n\r\n"), simple().then(), Step::Closes],
        ),
        must(
            "close prevails over keep-alive in HTTP/1.0",
            "9112 9.3",
            vec![
                send("GET /simple HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"),
                simple().then(),
                Step::Closes,
            ],
        ),
        must(
            "nothing is answered behind a request of HTTP/1.0",
            "9112 9.3",
            vec![
                send("GET /simple HTTP/1.0\r\n\r\nGET /simple HTTP/1.0\r\n\r\n"),
                simple().then(),
                Step::Closes,
            ],
        ),
        must(
            "HEAD in HTTP/1.0 has no body",
            "9110 9.3.2",
            vec![send("HEAD /simple HTTP/1.0\r\n\r\n"), answer(200).without_body().then(), Step::Closes],
        ),
        must(
            "an unknown path is 404 in HTTP/1.0 too",
            "contract",
            vec![send("GET /nowhere HTTP/1.0\r\n\r\n"), answer(404).then(), Step::Closes],
        ),
    ];
    cases.extend(KEPT.iter().map(|&(name, source, fields)| {
        let request = format!("{SIMPLE}{fields}\r\n\r\n");
        must(name, source, vec![send(request), simple().then(), Step::Send(get("/simple")), simple().then()])
    }));
    cases.extend(CLOSED.iter().map(|&(name, source, fields)| {
        let request = format!("{SIMPLE}{fields}\r\n\r\n");
        must(name, source, vec![send(and_smuggled(request.as_bytes())), simple().then(), Step::Closes])
    }));
    cases.push(code("abandoned connections do no harm", Level::Must, "contract", |context| {
        finding(survives_abandonment(context))
    }));
    cases.push(code("sixteen connections are served at the same time", Level::Must, "contract", |context| {
        finding(serves_many(context))
    }));
    cases
}

fn complex(iterations: u64) -> Operation {
    Operation::Complex { iterations }
}

/// `count` different requests in one write, then their answers.
fn pipelined(count: u64) -> Vec<Step> {
    let requests: Vec<u8> = (0..count).flat_map(|n| get(&format!("/complex?iterations={}", n + 2))).collect();
    let answers = (0..count).map(|n| result_of(complex(n + 2)).then());
    [Step::Send(requests)].into_iter().chain(answers).collect()
}

/// Clients that leave: without a word, within a head, within a body, and without reading their answer.
fn survives_abandonment(context: &Context<'_>) -> Result<(), String> {
    let left: [&[u8]; 4] = [
        b"",
        b"GET /simple HT",
        b"POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 100\r\n\r\npart",
        b"GET /complex HTTP/1.1\r\nHost: c\r\n\r\n",
    ];
    for bytes in left.iter().cycle().take(4 * left.len()) {
        let mut client = context.connect()?;
        client.send(bytes).map_err(|error| error.to_string())?;
    }
    for _ in 0..4 {
        simple().judge(&context.exchange(&get("/simple"), false)?)?;
    }
    Ok(())
}

/// All connections are open, and all requests sent, before the first answer is read.
fn serves_many(context: &Context<'_>) -> Result<(), String> {
    let mut clients = Vec::new();
    for iterations in 0..16 {
        let mut client = context.connect()?;
        client.send(&get(&format!("/complex?iterations={iterations}"))).map_err(|error| error.to_string())?;
        clients.push((iterations, client));
    }
    for (iterations, client) in &mut clients {
        let response = client.receive(false).map_err(|broken| broken.to_string())?;
        result_of(complex(*iterations)).judge(&response)?;
    }
    Ok(())
}
