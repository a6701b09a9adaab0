//! What is asked before the end: each kind of request, alone and in pipelines.

use app::Operation;

use super::{
    conversation::{Conversation, Exchange, Rest},
    rounds::{Given, Shape},
};
use crate::case::{Expected, answer, get, request, result_of, simple};

/// Small enough to be computed some hundred thousand times, large enough to be worth offloading.
const ITERATIONS: u64 = 50_000;
const DRAWS: u32 = 5_000;
const DELAY_MS: u64 = 3;
/// A body that comes in the segment of its head.
const SHORT_BODY: usize = 300;
/// What each chunk of a chunked body has.
const CHUNK: usize = 7_000;
/// The most requests in a pipeline that is made up.
const LONGEST_PIPELINE: u64 = 8;

const CUT_HEAD: Rest = Rest::Incomplete("GET /simple HTTP/1.1\r\nHost: c\r\n");
const CUT_BODY: Rest =
    Rest::Incomplete("POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 50\r\n\r\nthe beginning");
const CUT_CHUNK: Rest = Rest::Incomplete(
    "POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nthe beginning",
);

/// Those that the suite plays.
pub const SHAPES: &[Shape] = &[
    Shape {
        name: "a GET is answered although its client has finished sending",
        conversation: |_| alone(get_simple()),
    },
    Shape {
        name: "a GET that closes is answered although its client has finished sending",
        conversation: |_| alone(closing(get_simple())),
    },
    Shape {
        name: "a GET of HTTP/1.0 is answered although its client has finished sending",
        conversation: |_| alone(http_10()),
    },
    Shape {
        name: "a HEAD is answered although its client has finished sending",
        conversation: |_| alone(head()),
    },
    Shape {
        name: "complex is answered although its client has finished sending",
        conversation: |_| alone(complex()),
    },
    Shape {
        name: "randoms is answered although its client has finished sending",
        conversation: |_| alone(randoms()),
    },
    Shape {
        name: "a delay is answered although its client has finished sending",
        conversation: |_| alone(closing(delay())),
    },
    Shape {
        name: "a short body is answered although its client has finished sending",
        conversation: |_| alone(post(SHORT_BODY)),
    },
    Shape {
        name: "a long body is answered although its client has finished sending",
        conversation: |given| alone(closing(post(given.body_bytes))),
    },
    Shape {
        name: "a long chunked body is answered although its client has finished sending",
        conversation: |given| alone(post_chunked(given.body_bytes)),
    },
    Shape {
        name: "a body that offers to wait is answered although its client has finished sending",
        conversation: |_| alone(with_field(post(SHORT_BODY), "Expect: 100-continue")),
    },
    Shape {
        name: "an empty line behind a request changes nothing when its client has finished sending",
        conversation: |_| {
            let mut exchange = post(SHORT_BODY);
            exchange.request.extend(b"\r\n");
            alone(exchange)
        },
    },
    Shape {
        name: "a pipeline is answered although its client has finished sending",
        conversation: |_| {
            Conversation::of(
                [get_simple(), complex(), post(SHORT_BODY), delay(), randoms(), get_simple()],
                Rest::Nothing,
            )
        },
    },
    Shape {
        name: "a pipeline around a long body is answered although its client has finished sending",
        conversation: |given| {
            let exchanges = [get_simple(), post(given.body_bytes), randoms(), closing(get_simple())];
            Conversation::of(exchanges, Rest::Nothing)
        },
    },
    Shape {
        name: "a pipeline before a cut head is answered although its client has finished sending",
        conversation: |_| Conversation::of([delay(), get_simple()], CUT_HEAD),
    },
    Shape {
        name: "a pipeline before a cut body is answered although its client has finished sending",
        conversation: |_| Conversation::of([complex(), get_simple()], CUT_BODY),
    },
    Shape {
        name: "a pipeline before a cut chunk is answered although its client has finished sending",
        conversation: |_| Conversation::of([get_simple(), randoms()], CUT_CHUNK),
    },
    Shape {
        name: "any pipeline is answered although its client has finished sending",
        conversation: |given| made_up(given, false),
    },
];

/// More of them, which are counted, and are no cases of the suite: natives lose some of these by chance, for other reasons than the end.
pub const MORE_SHAPES: &[Shape] = &[
    Shape {
        name: "a pipeline with a HEAD is answered although its client has finished sending",
        conversation: |_| {
            Conversation::of([delay(), head(), post(SHORT_BODY), randoms(), head()], Rest::Nothing)
        },
    },
    Shape {
        name: "any pipeline with HEADs is answered although its client has finished sending",
        conversation: |given| made_up(given, true),
    },
    Shape {
        name: "an answer is whole whatever its client sends behind its close before it has finished",
        conversation: |given| {
            // More than a server reads at once: what it leaves in the socket must not reset the answer away.
            let behind = (0..500).map(|_| get_simple());
            Conversation::of([closing(post(given.body_bytes))].into_iter().chain(behind), Rest::Nothing)
        },
    },
];

fn alone(exchange: Exchange) -> Conversation {
    Conversation::of([exchange], Rest::Nothing)
}

fn exchange(request: Vec<u8>, answer: Expected) -> Exchange {
    Exchange { request, answer, closes: false }
}

fn get_simple() -> Exchange {
    exchange(get("/simple"), simple())
}

fn head() -> Exchange {
    exchange(request("HEAD", "/simple"), answer(200).without_body())
}

fn http_10() -> Exchange {
    Exchange { closes: true, ..exchange(b"GET /simple HTTP/1.0\r\n\r\n".to_vec(), simple()) }
}

fn complex() -> Exchange {
    let target = format!("/complex?iterations={ITERATIONS}");
    exchange(get(&target), result_of(Operation::Complex { iterations: ITERATIONS }))
}

fn randoms() -> Exchange {
    let target = format!("/api/randoms?count={DRAWS}&seed=7");
    exchange(get(&target), result_of(Operation::Randoms { count: DRAWS, seed: 7 }))
}

fn delay() -> Exchange {
    let target = format!("/delay?ms={DELAY_MS}");
    exchange(get(&target), result_of(Operation::Delay { milliseconds: DELAY_MS }))
}

fn body(bytes: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(bytes).collect()
}

fn post(bytes: usize) -> Exchange {
    let head = format!("POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: {bytes}\r\n\r\n");
    exchange([head.as_bytes(), &body(bytes)].concat(), answer(200).body(body(bytes)))
}

fn post_chunked(bytes: usize) -> Exchange {
    let whole = body(bytes);
    let mut request = b"POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in whole.chunks(CHUNK) {
        request.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    exchange(request, answer(200).body(whole))
}

/// The same, the connection's last.
fn closing(exchange: Exchange) -> Exchange {
    Exchange { closes: true, ..with_field(exchange, "Connection: close") }
}

/// The same with a further field.
fn with_field(exchange: Exchange, field: &str) -> Exchange {
    const END: &[u8] = b"\r\n\r\n";
    let mut request = exchange.request;
    if let Some(end) = request.windows(END.len()).position(|window| window == END) {
        request.splice(end..end, format!("\r\n{field}").into_bytes());
    }
    Exchange { request, ..exchange }
}

/// Some requests in a row, and perhaps a part of one more: by the number of the round, so that it can be played again.
fn made_up(given: &Given, with_heads: bool) -> Conversation {
    let mut numbers = Numbers(given.round);
    let requests = 1 + numbers.below(LONGEST_PIPELINE);
    let exchanges: Vec<Exchange> = (0..requests)
        .map(|_| {
            let exchange = match numbers.below(8) {
                0 => complex(),
                1 => randoms(),
                2 => delay(),
                3 if with_heads => head(),
                4 => post(numbers.below(2 * SHORT_BODY as u64) as usize),
                5 => post_chunked(numbers.below(3 * CHUNK as u64) as usize),
                6 => http_10(),
                _ => get_simple(),
            };
            if numbers.below(16) == 0 && !exchange.closes { closing(exchange) } else { exchange }
        })
        .collect();
    let rest = match numbers.below(8) {
        0 => CUT_HEAD,
        1 => CUT_BODY,
        2 => CUT_CHUNK,
        _ => Rest::Nothing,
    };
    Conversation::of(exchanges, rest)
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Numbers(u64);

impl Numbers {
    /// One of the numbers from 0 to `bound` - 1.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % bound
    }
}
