//! A whole request: bytes in, through hyper and kit's service, bytes out, on one keep-alive connection without a
//! kernel. What a server needs beyond this is system calls, scheduling, and its architecture.

use std::{hint::black_box, time::Instant};

use benches::memory;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kit::{framing::Framing, policy::Policy};

/// What is asked.
const REQUESTS: [(&str, &str); 5] = [
    ("GET healthz", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"),
    ("GET simple", "GET /simple HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"),
    (
        "GET simple as a browser asks",
        "GET /simple HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
         Accept-Language: en-US,en;q=0.5\r\n\
         Accept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\n\r\n",
    ),
    (
        "POST echo",
        "POST /echo HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
         Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    ),
    ("GET an unknown path", "GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"),
];

fn request_path(criterion: &mut Criterion) {
    // Beside each other, so that the difference is what the HTTP policy costs.
    let services = [("enforced", Policy::Enforced), ("off", Policy::Off)]
        .map(|(name, policy)| (name, memory::service(policy).expect("the CPUs that this process may use")));
    let mut group = criterion.benchmark_group("request path");
    for (name, request) in REQUESTS {
        for (policy, service) in &services {
            group.bench_function(BenchmarkId::new(name, format_args!("policy {policy}")), |bencher| {
                bencher.iter_custom(|count| {
                    let began = Instant::now();
                    let written = memory::serve(service, request.as_bytes(), count);
                    let elapsed = began.elapsed();
                    assert_eq!(written.writes, count, "one write for each answer");
                    elapsed
                });
            });
        }
    }
    group.finish();
}

/// The part of the policy that reads along with the bytes.
fn framing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framing");
    for (name, request) in REQUESTS {
        group.bench_function(name, |bencher| {
            let mut framing = Framing::default();
            bencher.iter(|| framing.read(black_box(request.as_bytes())));
            assert!(framing.is_between_messages());
        });
    }
    group.finish();
}

criterion_group! {
    name = paths;
    config = benches::settings::short();
    targets = request_path, framing
}
criterion_main!(paths);
