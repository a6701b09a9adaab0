# The index of what can be done here. Each recipe is one call of cargo or of the harness.

# Lists the recipes.
default:
    @just --list

# Races the default rows and scenarios (--all for the whole field) and leaves a results folder with tables.
bench-all *arguments:
    cargo bench-all {{arguments}}

# The criterion benchmarks of the pieces.
bench *arguments:
    cargo bench --locked --package benches {{arguments}}

# Measures the load generator beside wrk and oha, and the null server beside nginx and may_minihttp.
bench-generator *arguments:
    cargo run --release --locked --package harness -- generators {{arguments}}

# Starts one server: `just serve thread-per-core --io epoll`.
serve server *arguments:
    cargo run --release --locked --package {{server}} -- {{arguments}}

# What the reference rows on Node need: Express and PM2, as the lock file has them. nginx and Go come from the distribution.
setup-reference:
    @node --version || { echo "node is not here: install Node.js 20 or later (https://nodejs.org)"; exit 1; }
    @nginx -v || /usr/sbin/nginx -v || echo "nginx is not here, its rows will be skipped: apt-get install nginx"
    @go version || echo "go is not here, its row will be skipped: apt-get install golang"
    npm ci --prefix servers/foreign/node --no-audit --no-fund

# The tests, as the README says.
test:
    cargo test --workspace

# report.html in a real browser: its own script and policy, barriers of WCAG A and AA, and pictures of it in target/browser, to be looked at.
test-browser:
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --prefix harness/browser --no-audit --no-fund
    cargo run --locked --package report --example made_up_report -- 9 3 6 2 target/browser/default
    cargo run --locked --package report --example made_up_report -- 16 4 6 1 target/browser/hostile --hostile
    cargo run --locked --package report --example made_up_report -- 16 0 6 1 target/browser/experiments
    node --test --test-reporter spec harness/browser/report.test.mjs

# Every fuzz target for a minute; needs the nightly compiler and cargo-fuzz.
fuzz seconds="60": (fuzz-target "route" seconds) (fuzz-target "request_path" seconds) (fuzz-target "events" seconds) (fuzz-target "framing" seconds) (fuzz-target "response" seconds)

# One fuzz target: `just fuzz-target response 600`. What it adds to the committed corpus stays in target/fuzz.
fuzz-target target seconds:
    cargo +nightly fuzz run --sanitizer none {{target}} target/fuzz/{{target}} fuzz/corpus/{{target}} -- -create_missing_dirs=1 -max_total_time={{seconds}} -max_len=1024

# Everything that CI checks, and where the time went.
ci:
    .ci/run

# The formatting.
fmt:
    cargo fmt --all --check

# The lints.
clippy:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# The documentation.
doc $RUSTDOCFLAGS="-D warnings":
    cargo doc --locked --workspace --no-deps

# A race of debug builds, to see that a race works: it must leave a valid results folder, and its figures mean nothing.
rehearsal:
    cargo run --locked --package harness -- bench --rehearsal --only fork-per-core,rayon-offload,ceiling --starts 2 --rounds 1 --duration 100ms --out target/smoke --replace
    cargo run --locked --package harness -- check target/smoke

# Whether the rows keep the contract: the conformance suite against every row, or those named.
verify *arguments:
    cargo run --release --locked --package harness -- verify {{arguments}}

# Counts requests lost whose client ends its sending half behind them, over the controlled rows: `just half-closed 1000000`.
half-closed requests="20000":
    cargo build --release --locked --package fork-per-core --package thread-per-core --package work-stealing --package rayon-offload --package thread-pool --package may-coroutines --package single-thread --package no-steal --package process-offload
    cargo run --release --locked --package conformance --example half_closed -- {{requests}} 'target/release/fork-per-core --workers 2' 'target/release/thread-per-core --io glommio --workers 2' 'target/release/thread-per-core --io compio --workers 2' 'target/release/thread-per-core --io epoll --workers 2' 'target/release/work-stealing --workers 2' 'target/release/work-stealing --workers 2 --cpu-bound spawn-blocking' 'target/release/work-stealing --workers 2 --cpu-bound block-in-place' 'target/release/rayon-offload --workers 2' 'target/release/rayon-offload --workers 2 --pool-class idle' 'target/release/thread-pool --threads 256' 'target/release/may-coroutines --workers 2' 'target/release/single-thread' 'target/release/no-steal --workers 2' 'target/release/no-steal --workers 2 --balance least-loaded --pin' 'target/release/process-offload --workers 2' 'target/release/process-offload --workers 2 --per-request' 'target/release/fork-per-core --workers 2 --accept shared' 'target/release/fork-per-core --workers 2 --accept handoff'

# The load generator against a scripted server that logs what it did: about three minutes.
selftest *arguments:
    cargo run --release --locked --package harness -- selftest {{arguments}}

# Loads of several hosts, which are namespaces of this machine: over ssh, under Slurm, by Ansible. As root; says what it skipped (MACHINES_REPEATS=50 for every loss).
test-machines *arguments:
    cargo build --locked --package harness
    cargo build --locked --package work-stealing
    TEST_MACHINES=1 cargo test --locked --package machines -- --show-output --test-threads=3 {{arguments}}

# Ten pairs of one generator and three parts of the same load, on hosts that are namespaces: a table of whether they agree. As root.
agreement *arguments:
    cargo build --release --locked --package harness
    cargo build --release --locked --package work-stealing
    cargo run --release --locked --package machines --example agreement -- {{arguments}}

# Four rows over a link between two hosts that are namespaces, beside the same race over loopback, and how long each takes. As root.
beside-loopback *arguments:
    cargo build --release --locked --package harness
    cargo run --release --locked --package machines --example links_beside_loopback -- {{arguments}}

# The comparison of rows against planted differences, in 60 races of the null server: over an hour (--races 6 for a first look).
selftest-comparison *arguments:
    cargo run --release --locked --package harness -- selftest --comparison {{arguments}}

# Generated requests against a real server, each answer held to openapi.yaml: `just contract thread-per-core --io epoll`.
contract *arguments:
    python3 harness/conformance/contract/contract.py {{arguments}}

# What can be checked of the container files without a container engine; says what it skipped.
containers *arguments:
    python3 containers/check.py {{arguments}}

# The published results are whole, and the pages made from them are up to date.
published:
    cargo run --release --locked --package harness -- check
